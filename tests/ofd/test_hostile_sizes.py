"""Inputs that are small to write and large to work on: bounded, with a warning or a code. Mostly found by fuzzing."""

import pytest

from ofd.compare.picture import drawn
from ofd.convert.images_to_ofd import images_to_ofd
from ofd.draw.interpret import page_scene
from ofd.draw.png import to_png
from ofd.draw.scene import Scene, TextItem
from ofd.fonts.faces import find_fonts
from ofd.fonts.library import installed_fonts
from ofd.geometry import Box
from ofd.lint.run import lint
from ofd.model.actions import Action, Destination, GotoAction
from ofd.model.document import Document
from ofd.model.links import link_target
from trustcore.errors import RejectedError, TrustError

from support import scenes
from support.ofd_pages import HandMade
from support.ofd_samples import SIGNED_AT

FONT = '<Fonts><Font ID="3" FontName="Test"><FontFile>f.ttf</FontFile></Font></Fonts>'


def document(body: str, *, font: bytes | None = None) -> bytes:
    subset = find_fonts().faces[0].subset("中文AB") if font is None else font
    return HandMade(pages=(body,), public=FONT, files={"Doc_0/Res/f.ttf": subset}).to_bytes()


def scene_of(body: str) -> Scene:
    return page_scene(Document.open(document(body)), 0, fonts=installed_fonts())


def text(code: str, runs: str = "") -> str:
    return f'<TextObject ID="9" Boundary="0 0 200 200" Font="3" Size="4">{runs}<TextCode {code}</TextCode></TextObject>'


def test_a_text_of_more_characters_than_a_page_has_is_left_out_with_a_warning() -> None:
    scene = scene_of(text('DeltaX="g 999999999 1">中') + text(f'DeltaX="g 999999999 1">{"中A" * 130_000}'))
    assert [len(item.glyphs) for item in scene.items if isinstance(item, TextItem)] == [1]
    assert "The page has too many characters; the rest is left out." in scene.warnings


def test_one_character_of_a_million_glyphs_is_left_out_with_a_warning() -> None:
    glyphs = (
        f'<CGTransform CodePosition="0" CodeCount="1" GlyphCount="9"><Glyphs>{"1 " * 1_000_000}</Glyphs></CGTransform>'
    )
    scene = scene_of(text(">中", glyphs))
    assert not scene.items
    assert "The page has too many characters; the rest is left out." in scene.warnings


def test_composites_that_multiply_twenty_times_end_sooner_the_deeper_they_are() -> None:
    figure = '<PathObject ID="5" Boundary="0 0 9 9"><AbbreviatedData>M 0 0 L 1 1</AbbreviatedData></PathObject>'
    use = '<CompositeObject ID="6" Boundary="0 0 9 9" ResourceID="{}"/>'
    units = "".join(
        f'<CompositeGraphicUnit ID="{number}" Width="9" Height="9"><Content>'
        f"{use.format(number + 1) * 10 if number < 120 else figure}</Content></CompositeGraphicUnit>"
        for number in range(100, 121)
    )
    made = HandMade(
        pages=(use.format(100),), public=f"<CompositeGraphicUnits>{units}</CompositeGraphicUnits>"
    ).to_bytes()
    scene = page_scene(Document.open(made), 0, fonts=installed_fonts(), most_objects=10_000)
    assert 0 < len(scene.items) < 1000
    assert "The page has too many objects; the rest is left out." in scene.warnings


def test_draw_parameters_relative_to_thousands_of_others_are_followed_for_a_while() -> None:
    chain = "".join(f'<DrawParam ID="{number}" Relative="{number + 1}"/>' for number in range(10, 5000))
    attributes = 'ID="5" Boundary="0 0 9 9" DrawParam="10"'
    figure = f"<PathObject {attributes}><AbbreviatedData>M 0 0 L 1 1</AbbreviatedData></PathObject>"
    made = HandMade(pages=(figure,), public=f"<DrawParams>{chain}</DrawParams>").to_bytes()
    opened = Document.open(made)
    assert len(opened.lookup(opened.page(0)).draw_params("10")) == 32
    assert len(page_scene(opened, 0, fonts=installed_fonts()).items) == 1


def test_of_several_bookmarks_of_a_name_the_first_counts() -> None:
    marks = "".join(
        f'<Bookmark Name="{name}"><Dest Type="XYZ" PageID="1000" Top="{top}"/></Bookmark>'
        for name, top in (("a", 1), ("b", 2), ("a", 3))
    )
    opened = Document.open(HandMade(document=f"<Bookmarks>{marks}</Bookmarks>").to_bytes())
    target = link_target(opened, [Action(event="CLICK", act=GotoAction(bookmark="a"))])
    assert isinstance(target, Destination)
    assert target.top == 1


def test_pages_of_a_kilometre_are_refused_as_pictures() -> None:
    scene = scenes.scene(scenes.rectangle((0, 0, 9, 9), scenes.BLACK), size=(1e6, 1e6))
    with pytest.raises(RejectedError) as caught:
        to_png(scene, dpi=2400)
    assert caught.value.code == "ofd.draw.too-large"


def test_pages_of_many_metres_are_refused_when_their_points_are_compared() -> None:
    scene = scenes.scene(scenes.rectangle((0, 0, 9, 9), scenes.BLACK))
    with pytest.raises(RejectedError) as caught:
        drawn(scene, scene.area, Box(0, 0, 1200, 1200), dpi=150)
    assert caught.value.code == "ofd.draw.too-large"


def test_fonts_whose_tables_have_no_names_get_findings() -> None:
    font = find_fonts().faces[0].subset("中文AB")
    damaged = font[:12] + b"\x98\xff\xfe\x80" + font[16:]
    report = lint(document(text(">中"), font=damaged))
    assert any(finding.code.startswith("ofd.lint.font") for finding in report.findings)


@pytest.mark.parametrize("cut", [60, 90, 120])
def test_pictures_that_break_off_are_converted_or_refused(cut: int) -> None:
    for form in ("PNG", "TIFF", "BMP", "JPEG"):
        try:
            assert images_to_ofd([scenes.picture(form)[:-cut]], doc_id="0" * 32, created=SIGNED_AT)
        except TrustError as error:
            assert error.code == "ofd.image.malformed"  # noqa: PT017 - either way is right
