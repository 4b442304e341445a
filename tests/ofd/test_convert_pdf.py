import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pikepdf
import pypdfium2
import pytest

from ofd.build.document import DocumentBuilder
from ofd.convert.ofd_to_pdf import Converted, _moment, ofd_to_pdf
from ofd.draw.page import sealed_scene
from ofd.draw.pdfium import PDFIUM, raster
from ofd.draw.png import to_picture
from ofd.draw.scene import Scene
from ofd.draw.seals import Seals
from ofd.fonts.faces import find_fonts
from ofd.fonts.library import installed_fonts
from ofd.geometry import Box
from ofd.model.actions import Action, Destination, GotoAction, UriAction
from ofd.model.document import Document
from ofd.model.navigation import Bookmark, OutlineItem, Preferences
from trustcore.errors import MalformedError, NotFoundError, RejectedError

from support.ofd_samples import SIGNED_AT, unpack
from support.scenes import difference, everything

pytestmark = pytest.mark.filterwarnings("ignore:pikepdf is missing some specialized decoders")


def rich_document() -> bytes:
    """Two pages with outlines, bookmarks, links, attachments and wishes for the reader."""
    builder = DocumentBuilder(
        doc_id="2" * 32,
        title="年度报告",
        author="某局",
        subject="统计",
        keywords=["甲", "乙"],
        created=SIGNED_AT,
        fonts=find_fonts(),
    )
    first, second = builder.page(), builder.page()
    first.text("第一页 Ａ𠮷", x_mm=20, y_mm=40, size_mm=8)
    second.text("第二页", x_mm=20, y_mm=40, size_mm=8)
    there = Destination(type="XYZ", page=str(second.id), left=20, top=30)
    goto = Action(event="CLICK", act=GotoAction(destination=there))
    builder.outlines = (
        OutlineItem(title="目录", actions=(), children=(OutlineItem(title="第二页", actions=(goto,)),)),
        OutlineItem(title="书签", actions=(Action(event="CLICK", act=GotoAction(bookmark="记号")),)),
    )
    builder.bookmarks = (Bookmark(name="记号", destination=there),)
    builder.preferences = Preferences(page_mode="UseOutlines", page_layout="TwoPageR", hide_toolbar=True)
    builder.link(first, UriAction(uri="https://example.org/a"), box_mm=(20, 50, 40, 8))
    builder.link(first, UriAction(uri="javascript:alert(1)"), box_mm=(20, 60, 40, 8))
    builder.link(first, GotoAction(destination=there), box_mm=(20, 70, 40, 8))
    builder.attach("数据.csv", b"a,b\n1,2\n", format="csv")
    return builder.to_bytes()


def converted(source: bytes | Path, **options: object) -> tuple[bytes, Converted]:
    out = io.BytesIO()
    result = ofd_to_pdf(source, out, **options)  # type: ignore[arg-type] # handed on as they are
    document = pikepdf.open(io.BytesIO(out.getvalue()))
    assert not document.check_pdf_syntax()
    return out.getvalue(), result


def texts(pdf: bytes) -> list[str]:
    with PDFIUM:
        document = pypdfium2.PdfDocument(pdf)
        try:
            return [str(page.get_textpage().get_text_bounded()) for page in document]
        finally:
            document.close()


def test_all_pages_come_with_their_text() -> None:
    pdf, result = converted(rich_document())
    assert result == Converted(pages=2, warnings=())
    assert texts(pdf) == ["第一页 Ａ𠮷", "第二页"]


def test_the_pages_look_the_same(sealed: bytes) -> None:
    pdf, _ = converted(sealed)
    document = Document.open(sealed)
    seals = Seals(document, fonts=installed_fonts())
    for index in range(2):
        scene = sealed_scene(document, index, fonts=installed_fonts(), seals=seals)
        page = raster(pdf, index=index, scale=1, crop=None, background=(255, 255, 255, 255))
        assert difference(page, to_picture(scene, dpi=72)) < 0.01


def test_a_page_of_everything_survives_ofd_and_pdf() -> None:
    scene = everything()
    builder = DocumentBuilder(
        doc_id="3" * 32,
        title="x",
        created=SIGNED_AT,
        fonts=find_fonts(),
        page_size_mm=(scene.area.width, scene.area.height),
    )
    page = builder.page()
    for item in scene.items:
        page.draw(item)
    pdf, result = converted(builder.to_bytes())
    assert not result.warnings
    shown = raster(pdf, scale=1, crop=None, background=(255, 255, 255, 255))
    assert difference(shown, to_picture(scene, dpi=72)) < 2


def test_seals_are_drawn_unless_they_are_not_wanted(sealed: bytes) -> None:
    stamp = Box(150, 230, 42, 42)
    document = Document.open(sealed)
    scene = sealed_scene(document, 0, fonts=installed_fonts(), seals=Seals(document, fonts=installed_fonts()))
    assert to_picture(Scene(area=stamp, items=scene.items), dpi=25.4).getpixel((20, 20)) == (200, 200, 200)
    with_seal, without = (converted(sealed, seals=wish)[0] for wish in (True, False))
    pages = [raster(pdf, scale=1, crop=None, background=(255, 255, 255, 255)) for pdf in (with_seal, without)]
    assert difference(*pages) > 1


def test_outlines_bookmarks_links_attachments_and_metadata_come_along() -> None:
    pdf, _ = converted(rich_document())
    document = pikepdf.open(io.BytesIO(pdf))
    second = document.pages[1].obj.objgen
    with document.open_outline() as outline:
        assert [item.title for item in outline.root] == ["目录", "书签"]
        assert [item.title for item in outline.root[0].children] == ["第二页"]
        assert outline.root[0].children[0].destination[0].objgen == second  # type: ignore[index,union-attr]
        assert outline.root[1].destination[0].objgen == second  # type: ignore[index]
    annotations = list(document.pages[0].Annots)
    assert [str(item.A.URI) for item in annotations if "/A" in item] == ["https://example.org/a"]
    assert [item.Dest[0].objgen for item in annotations if "/Dest" in item] == [second]
    assert str(document.Root.Names.Dests.Names[0]) == "记号"
    assert document.attachments["数据.csv"].get_file().read_bytes() == b"a,b\n1,2\n"
    assert document.attachments["数据.csv"].get_file().mime_type == "text/csv"
    assert str(document.docinfo.Title) == "年度报告"
    assert str(document.docinfo.Author) == "某局"
    assert str(document.docinfo.Keywords) == "甲, 乙"
    assert str(document.docinfo.CreationDate).startswith("D:20300115")
    assert (str(document.Root.PageMode), str(document.Root.PageLayout)) == ("/UseOutlines", "/TwoPageRight")
    assert bool(document.Root.ViewerPreferences.HideToolbar)


def test_some_pages_in_another_order() -> None:
    pdf, result = converted(rich_document(), pages=[1, 0, 1])
    assert result.pages == 3
    assert [text[:3] for text in texts(pdf)] == ["第二页", "第一页", "第二页"]
    alone, _ = converted(rich_document(), pages=[0])
    document = pikepdf.open(io.BytesIO(alone))
    assert "/Dest" not in {key for item in list(document.pages[0].Annots) for key in item.keys()}  # noqa: SIM118


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    converted(rich_document(), progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_a_file_is_read_from_its_path(tmp_path: Path) -> None:
    (tmp_path / "a.ofd").write_bytes(rich_document())
    assert converted(tmp_path / "a.ofd")[0] == converted(rich_document())[0]


def test_what_cannot_be_converted_is_refused() -> None:
    with pytest.raises(MalformedError):
        converted(b"no package")
    with pytest.raises(NotFoundError):
        converted(rich_document(), pages=[7])
    with pytest.raises(RejectedError) as caught:
        converted(rich_document(), pages=[])
    assert caught.value.code == "ofd.convert.no-pages"


def test_a_font_that_is_missing_is_told() -> None:
    source = rich_document()
    entries = unpack(source)
    names = [name for name in entries if name.endswith(".ttf")]
    assert names
    _, result = converted(_without(entries, names))
    assert "A linked file is not in the package" in result.warnings


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2025-01-31", datetime(2025, 1, 31, tzinfo=UTC)),
        ("2025-01-31T08:00:00+08:00", datetime.fromisoformat("2025-01-31T08:00:00+08:00")),
        ("D:20250131080000+08'00'", datetime(2025, 1, 31, tzinfo=UTC)),
        ("some day", None),
        ("", None),
    ],
)
def test_dates_are_read_in_the_forms_they_are_found_in(written: str, expected: datetime | None) -> None:

    assert _moment(written) == expected


def _without(entries: dict[str, bytes], names: list[str]) -> bytes:

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        for name, data in entries.items():
            if name not in names:
                package.writestr(name, data)
    return out.getvalue()
