"""Documents are changed without a trace in what was not to be changed, and never once they are signed."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from ofd.build.annotations import AnnotationType
from ofd.build.document import DocumentBuilder, Placement, destination
from ofd.build.editing import DocumentEditor
from ofd.build.watermarks import Watermark
from ofd.draw.interpret import page_scene
from ofd.draw.scene import Item, OriginKind, TextItem
from ofd.fonts.faces import FontStack, find_fonts
from ofd.fonts.library import FontLibrary
from ofd.model.actions import Action, GotoAction, UriAction
from ofd.model.document import Document
from ofd.model.navigation import Bookmark, OutlineItem
from ofd.package.reader import Package, write_package
from ofd.verify.reachable import find_reachable
from trustcore.errors import ConflictError, MalformedError, RejectedError

from support.ofd_samples import sample_png, unpack

TODAY = date(2030, 3, 1)


@pytest.fixture(scope="module")
def fonts() -> FontStack:
    return find_fonts()


@pytest.fixture(scope="module")
def library() -> FontLibrary:
    return FontLibrary()


@pytest.fixture(scope="module")
def original(fonts: FontStack) -> bytes:
    made = DocumentBuilder(doc_id="0" * 32, title="题", created=datetime(2030, 1, 15, tzinfo=UTC), fonts=fonts)
    pages = [made.page() for _ in range(3)]
    for number, page in enumerate(pages):
        page.text(f"原{number}", x_mm=20, y_mm=30, size_mm=6)
        place = GotoAction(destination=destination(page))
        made.outlines = (*made.outlines, OutlineItem(title=str(number), actions=(Action(event="CLICK", act=place),)))
    made.bookmarks = (Bookmark(name="b", destination=destination(pages[1])),)
    made.link(pages[1], UriAction(uri="https://example.org/"), box_mm=(20, 24, 18, 8))
    made.attach("a", b"1", format="txt")
    return made.to_bytes()


def editor(package: bytes, fonts: FontStack) -> DocumentEditor:
    return DocumentEditor(package, fonts=fonts, today=TODAY)


def texts(package: bytes, library: FontLibrary) -> list[str]:
    """The text of each page."""
    document = Document.open(package)
    found = []
    for index in range(len(document.pages)):
        shown = page_scene(document, index, fonts=library)
        assert not shown.warnings
        found.append("".join(_text(item) for item in shown.items))
    assert not document.warnings
    assert_sound(package)
    return found


def assert_sound(package: bytes) -> None:
    """Everything is linked, and no ID stands twice."""
    opened = Package(package)
    reachable = find_reachable(opened)
    assert set(reachable.parts) == set(opened.names)
    assert not reachable.missing
    assert not reachable.problems


def _text(item: Item) -> str:
    return "".join(glyph.text for glyph in item.glyphs) if isinstance(item, TextItem) else ""


def test_without_changes_only_the_document_part_is_written(fonts: FontStack, original: bytes) -> None:
    before, after = unpack(original), unpack(editor(original, fonts).to_bytes())
    assert {name for name in after if after[name] != before[name]} <= {"Doc_0/Document.xml"}
    assert list(before) == list(after)


def test_pages_are_added_where_they_are_wanted(fonts: FontStack, library: FontLibrary, original: bytes) -> None:
    changes = editor(original, fonts)
    changes.add_page(at=1, size_mm=(100, 50)).text("新一", x_mm=5, y_mm=20, size_mm=6)
    page = changes.add_page()
    page.text("新末𠮷", x_mm=5, y_mm=20, size_mm=6)
    page.image(sample_png(), box_mm=(5, 30, 10, 10))
    package = changes.to_bytes()
    assert texts(package, library) == ["原0", "新一", "原1", "原2", "新末𠮷"]
    box = Document.open(package).physical_box(Document.open(package).page(1))
    assert (box.width, box.height) == (100, 50)
    before, after = unpack(original), unpack(package)
    assert all(after[name] == data for name, data in before.items() if name != "Doc_0/Document.xml")


def test_a_document_is_edited_again_and_again(fonts: FontStack, library: FontLibrary, original: bytes) -> None:
    package = original
    for number in range(3):
        changes = editor(package, fonts)
        changes.add_page().text(f"又{number}", x_mm=5, y_mm=20, size_mm=6)
        changes.attach(f"{number}", b"x", format="txt")
        changes.annotate(0, AnnotationType.PATH, box_mm=(5, 5, 20, 20)).text("注", x_mm=6, y_mm=20, size_mm=5)
        assert changes.to_bytes() == changes.to_bytes()
        package = changes.to_bytes()
    assert texts(package, library) == ["原0注注注", "原1", "原2", "又0", "又1", "又2"]
    attachments = Document.open(package).attachments
    assert [item.name for item in attachments] == ["a", "0", "1", "2"]
    assert len({item.id for item in attachments}) == 4


def test_templates_are_put_on_old_and_new_pages(fonts: FontStack, library: FontLibrary, original: bytes) -> None:
    changes = editor(original, fonts)
    head = changes.add_template()
    head.text("头", x_mm=5, y_mm=9, size_mm=5)
    changes.use_template(head, 2)
    changes.add_page(templates=[(head, Placement.FOREGROUND)])
    assert texts(changes.to_bytes(), library) == ["原0", "原1", "头原2", "头"]


def test_annotations_join_those_that_are_there(fonts: FontStack, original: bytes) -> None:
    changes = editor(original, fonts)
    changes.link(1, UriAction(uri="urn:x"), box_mm=(50, 24, 18, 8))
    changes.link(2, UriAction(uri="urn:y"), box_mm=(50, 24, 18, 8))
    package = changes.to_bytes()
    document = Document.open(package)
    assert [len(document.annotations(index)) for index in range(3)] == [0, 2, 1]
    assert_sound(package)


def test_a_watermark_is_put_over_all_pages(fonts: FontStack, library: FontLibrary, original: bytes) -> None:
    changes = editor(original, fonts)
    changes.add_page(size_mm=(50, 50))
    changes.add_watermark(Watermark(text="内部"))
    package = changes.to_bytes()
    document = Document.open(package)
    for index in range(4):
        shown = page_scene(document, index, fonts=library)
        assert any(item.origin.kind is OriginKind.ANNOTATION and "内部" in _text(item) for item in shown.items)
    assert_sound(package)


def test_pages_are_removed_with_all_that_hangs_on_them(fonts: FontStack, library: FontLibrary, original: bytes) -> None:
    changes = editor(original, fonts)
    changes.remove_page(1)
    package = changes.to_bytes()
    assert texts(package, library) == ["原0", "原2"]
    assert not [name for name in unpack(package) if "Page_1" in name or "Annots/Page" in name]
    document = Document.open(package)
    assert not document.bookmarks
    assert [item.destination is None for item in document.outlines] == [False, True, False]
    for index in (5, -1):
        with pytest.raises(RejectedError, match="no such page"):
            changes.remove_page(index)
    changes.remove_page(0)
    with pytest.raises(RejectedError, match="no other"):
        changes.remove_page(0)


def test_pages_are_moved(fonts: FontStack, library: FontLibrary, original: bytes) -> None:
    changes = editor(original, fonts)
    changes.move_page(2, 0)
    assert texts(changes.to_bytes(), library) == ["原2", "原0", "原1"]


def test_outlines_and_bookmarks_are_replaced(fonts: FontStack, original: bytes) -> None:
    changes = editor(original, fonts)
    changes.set_outlines((OutlineItem(title="新"),))
    changes.set_bookmarks(())
    document = Document.open(changes.to_bytes())
    assert [item.title for item in document.outlines] == ["新"]
    assert not document.bookmarks


def test_a_file_is_edited_in_its_place(fonts: FontStack, library: FontLibrary, original: bytes, tmp_path: Path) -> None:
    path = tmp_path / "d.ofd"
    path.write_bytes(original)
    with Package.open(path) as package:
        changes = DocumentEditor(package, fonts=fonts, today=TODAY)
        changes.add_page().text("新", x_mm=5, y_mm=20, size_mm=6)
        changes.write_to(path)
    assert texts(path.read_bytes(), library)[-1] == "新"


def test_a_signed_document_is_not_changed(fonts: FontStack, sealed: bytes) -> None:
    with pytest.raises(ConflictError, match="signed"):
        editor(sealed, fonts)


def test_documents_of_older_writers_are_changed_too(fonts: FontStack, library: FontLibrary, original: bytes) -> None:
    def old(data: bytes) -> bytes:
        return data.replace(b"http://www.ofdspec.org/2016", b"http://www.ofdspec.org")

    parts = {name: old(data) if name.endswith(".xml") else data for name, data in unpack(original).items()}
    changes = editor(write_package(parts), fonts)
    changes.add_page().text("新", x_mm=5, y_mm=20, size_mm=6)
    changes.link(1, UriAction(uri="urn:x"), box_mm=(50, 24, 18, 8))
    package = changes.to_bytes()
    assert texts(package, library)[-1] == "新"
    assert b'"http://www.ofdspec.org"' not in unpack(package)["Doc_0/Document.xml"]


def test_ids_are_free_although_the_document_says_otherwise(fonts: FontStack, original: bytes) -> None:
    parts = unpack(original)
    content = parts["Doc_0/Pages/Page_0/Content.xml"].replace(b'<ofd:TextObject ID="', b'<ofd:TextObject ID="9')
    changes = editor(write_package(parts | {"Doc_0/Pages/Page_0/Content.xml": content}), fonts)
    assert changes.add_page().id > 90


def test_wrong_places_are_refused(fonts: FontStack, original: bytes) -> None:
    changes = editor(original, fonts)
    for call in (
        lambda: changes.add_page(at=9),
        lambda: changes.move_page(0, 9),
        lambda: changes.annotate(7, AnnotationType.PATH, box_mm=(0, 0, 1, 1)),
        lambda: changes.annotate(0, AnnotationType.PATH, box_mm=(0, 0, 0, 1)),
        lambda: changes.add_page(size_mm=(0, 1)),
        lambda: changes.attach("a", b"", format="../a"),
    ):
        with pytest.raises(RejectedError):
            call()
    parts = unpack(original)
    unnumbered = parts["Doc_0/Document.xml"].replace(b'<ofd:Page ID="', b'<ofd:Page ID="p')
    with pytest.raises(MalformedError, match="no number"):
        editor(write_package(parts | {"Doc_0/Document.xml": unnumbered}), fonts)
    broken = parts["Doc_0/Document.xml"].replace(b"0 0 210 297", b"0 0 x")
    with pytest.raises(MalformedError, match="four numbers"):
        editor(write_package(parts | {"Doc_0/Document.xml": broken}), fonts).add_page()
