"""Forms: named places are kept free when a document is laid out, and filled later."""

from datetime import UTC, date, datetime

import pytest

from ofd.build.document import DocumentBuilder
from ofd.build.editing import DocumentEditor
from ofd.draw.interpret import page_scene
from ofd.draw.png import to_picture
from ofd.fonts.faces import FontStack, find_fonts
from ofd.fonts.library import installed_fonts
from ofd.geometry import Box
from ofd.lint.run import lint
from ofd.model.document import Document
from ofd.package.reader import write_package
from ofd.text.extract import page_text
from trustcore.errors import NotFoundError, RejectedError

from support.ofd_samples import unpack
from support.scenes import picture, text

TODAY = date(2030, 3, 1)
PAGE = "Doc_0/Pages/Page_0/Content.xml"


@pytest.fixture(scope="module")
def fonts() -> FontStack:
    return find_fonts()


@pytest.fixture(scope="module")
def form(fonts: FontStack) -> bytes:
    made = DocumentBuilder(doc_id="0" * 32, title="合同", created=datetime(2030, 1, 15, tzinfo=UTC), fonts=fonts)
    first, second = made.page(), made.page()
    first.text("甲方:", x_mm=20, y_mm=40, size_mm=5)
    first.blank("甲方", box_mm=(40, 34, 80, 8))
    second.blank("照片", box_mm=(150, 20, 30, 20))
    second.blank("甲方", box_mm=(30, 200, 80, 8))
    return made.to_bytes()


def editor(package: bytes, fonts: FontStack) -> DocumentEditor:
    return DocumentEditor(package, fonts=fonts, today=TODAY)


def words(package: bytes, index: int) -> dict[str, Box]:
    with Document.open(package) as document:
        found = page_text(page_scene(document, index, fonts=installed_fonts()))
        return {line.text: line.box for line in found.lines}


def test_a_blank_shows_nothing_and_breaks_no_rule(form: bytes, fonts: FontStack) -> None:
    assert lint(form).is_clean
    with Document.open(form) as document:
        shown = to_picture(page_scene(document, 1, fonts=installed_fonts()))
    assert shown.convert("L").getextrema() == (255, 255)
    assert [(blank.name, blank.box) for blank in editor(form, fonts).blanks()] == [
        ("甲方", Box(40, 34, 80, 8)),
        ("照片", Box(150, 20, 30, 20)),
        ("甲方", Box(30, 200, 80, 8)),
    ]


def test_blanks_of_a_name_are_filled_where_they_are(form: bytes, fonts: FontStack) -> None:
    filling = editor(form, fonts)
    for canvas in filling.fill("甲方"):
        assert canvas.size_mm == (80, 8)
        canvas.text("某某有限公司", x_mm=2, y_mm=6, size_mm=5)
    assert [blank.name for blank in filling.blanks()] == ["照片"]
    done = filling.to_bytes()
    assert lint(done).is_clean, lint(done).findings
    first, second = words(done, 0), words(done, 1)
    place = next(box for line, box in first.items() if "某某有限公司" in line)
    assert place.right == pytest.approx(42 + 6 * 5, abs=1)
    assert second["某某有限公司"].x == pytest.approx(32, abs=0.5)
    assert 200 < second["某某有限公司"].y < 208
    assert [blank.name for blank in editor(done, fonts).blanks()] == ["照片"]


def test_a_blank_is_filled_with_a_picture_or_anything_that_can_be_painted(form: bytes, fonts: FontStack) -> None:
    filling = editor(form, fonts)
    (canvas,) = filling.fill("照片")
    canvas.image(picture("PNG"), box_mm=(0, 0, 30, 20))
    canvas.draw(text("印", 5, 10, 4))
    done = filling.to_bytes()
    with Document.open(done) as document:
        shown = to_picture(page_scene(document, 1, fonts=installed_fonts()), dpi=25.4).convert("L")
    changed = shown.point(lambda value: 255 * (value < 250)).getbbox()
    assert changed is not None
    assert 149 <= changed[0] < changed[2] <= 181
    assert 19 <= changed[1] < changed[3] <= 41


def test_what_pointed_at_the_blank_points_at_what_fills_it(form: bytes, fonts: FontStack) -> None:
    node = b'<ofd:PathObject ID="'
    page = unpack(form)[PAGE]
    blank_id = page[page.index(node) + len(node) :].split(b'"', 1)[0]
    filling = editor(form, fonts)
    for canvas in filling.fill("甲方"):
        canvas.text("甲", x_mm=0, y_mm=6, size_mm=5)
    assert b'<ofd:PageBlock ID="' + blank_id + b'">' in unpack(filling.to_bytes())[PAGE]


def test_only_filled_pages_are_written_anew(form: bytes, fonts: FontStack) -> None:
    filling = editor(form, fonts)
    (canvas,) = filling.fill("照片")
    canvas.image(picture("PNG"), box_mm=(0, 0, 30, 20))
    before, after = unpack(form), unpack(filling.to_bytes())
    assert {name for name in before if before[name] != after[name]} == {
        "Doc_0/Document.xml",
        "Doc_0/Pages/Page_1/Content.xml",
    }


def test_a_name_that_is_not_there_or_none_is_refused(form: bytes, fonts: FontStack) -> None:
    with pytest.raises(NotFoundError, match="no blank") as missing:
        editor(form, fonts).fill("乙方")
    assert missing.value.code == "ofd.edit.blank"
    made = DocumentBuilder(doc_id="0" * 32, title="x", created=datetime(2030, 1, 15, tzinfo=UTC), fonts=fonts)
    page = made.page()
    for name, box in ((" ", (0.0, 0.0, 1.0, 1.0)), ("a", (0.0, 0.0, 0.0, 1.0))):
        with pytest.raises(RejectedError):
            page.blank(name, box_mm=box)


@pytest.mark.parametrize("boundary", [b"", b"1 2 3", b"nan 0 1 1", b"1 2 -3 4", b"a b c d"])
def test_a_blank_without_a_place_is_none(form: bytes, fonts: FontStack, boundary: bytes) -> None:
    files = unpack(form)
    files[PAGE] = files[PAGE].replace(b"40 34 80 8", boundary)
    assert [blank.name for blank in editor(write_package(files), fonts).blanks()] == ["照片", "甲方"]
