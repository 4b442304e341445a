"""Documents are put together and taken apart, and every page looks as it did."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from ofd.build.annotations import AnnotationType
from ofd.build.colors import ColorSpaceType, SpaceColor
from ofd.build.document import DocumentBuilder, Placement, destination
from ofd.build.editing import DocumentEditor
from ofd.build.merging import Selection, merge, merge_to, split
from ofd.build.watermarks import Watermark
from ofd.draw.interpret import page_scene
from ofd.draw.png import to_png
from ofd.draw.scene import Group, Item, TextItem
from ofd.fonts.faces import FontStack, find_fonts
from ofd.fonts.library import FontLibrary
from ofd.model.actions import Action, GotoAction, GotoAttachmentAction
from ofd.model.document import Document
from ofd.model.info import Info
from ofd.model.navigation import Bookmark, OutlineItem
from ofd.package.reader import Package, write_package
from ofd.verify.document import verify
from ofd.verify.reachable import find_reachable
from trustcore.errors import ConflictError, MalformedError, NotFoundError, RejectedError
from trustcore.report import Verdict

from support.ofd_samples import Pki, sample_png, seal_document, unpack

INFO = Info(doc_id="1" * 32, title="合", created="2030-03-01")


@pytest.fixture(scope="module")
def fonts() -> FontStack:
    return find_fonts()


@pytest.fixture(scope="module")
def library() -> FontLibrary:
    return FontLibrary()


def source(fonts: FontStack, name: str, *, pages: int = 3, size_mm: tuple[float, float] = (210, 297)) -> bytes:
    made = DocumentBuilder(
        doc_id="0" * 32, title=name, created=datetime(2030, 1, 15, tzinfo=UTC), fonts=fonts, page_size_mm=size_mm
    )
    template = made.template()
    template.text(f"{name}头", x_mm=5, y_mm=9, size_mm=5)
    space = made.color_space(ColorSpaceType.CMYK)
    made.attach(name, name.encode(), format="txt")
    for number in range(pages):
        page = made.page(templates=[(template, Placement.BACKGROUND)] if number else ())
        page.text(f"{name}{number}", x_mm=20, y_mm=30, size_mm=6)
        page.image(sample_png(number + 3), box_mm=(20, 40, 10, 10))
        pink = SpaceColor(space=space, value=(0, 99, 0, 0))
        page.path("M 0 0 L 9 0 L 9 9 C", box_mm=(40, 40, 9, 9), fill=pink, stroke=None)
        made.annotate(page, AnnotationType.PATH, box_mm=(60, 40, 9, 9)).text("注", x_mm=61, y_mm=48, size_mm=6)
        made.link(page, GotoAttachmentAction(attachment="A1"), box_mm=(5, 5, 9, 9))
        place = GotoAction(destination=destination(page))
        entry = OutlineItem(title=f"{name}{number}", actions=(Action(event="CLICK", act=place),))
        made.outlines = (*made.outlines, entry)
        made.bookmarks = (*made.bookmarks, Bookmark(name=f"b{number}", destination=destination(page)))
    return made.to_bytes()


def text_of(items: Sequence[Item]) -> str:
    return "".join(
        text_of(item.items)
        if isinstance(item, Group)
        else "".join(glyph.text for glyph in item.glyphs)
        if isinstance(item, TextItem)
        else ""
        for item in items
    )


def pages_of(package: bytes, library: FontLibrary) -> list[tuple[str, bytes]]:
    """Text and picture of each page; everything in the package is linked and nothing is missing."""
    document = Document.open(package)
    found = []
    for index in range(len(document.pages)):
        scene = page_scene(document, index, fonts=library)
        assert not scene.warnings
        found.append((text_of(scene.items), to_png(scene, dpi=40)))
    assert not document.warnings
    reachable = find_reachable(Package(package))
    assert set(reachable.parts) == set(unpack(package))
    assert not reachable.missing
    return found


def test_pages_of_several_documents_look_as_before(fonts: FontStack, library: FontLibrary) -> None:
    one, other = source(fonts, "甲"), source(fonts, "乙", pages=2, size_mm=(150, 100))
    merged = merge(
        [Selection(source=one), Selection(source=other, pages=(1, 0)), Selection(source=one, pages=(2,))], INFO
    )
    before, after = pages_of(one, library), pages_of(other, library)
    assert pages_of(merged, library) == [*before, after[1], after[0], before[2]]
    document = Document.open(merged)
    assert document.info.title == "合"
    assert [item.title for item in document.outlines] == ["甲0", "甲1", "甲2", "乙0", "乙1", "甲2"]
    places = [item.destination for item in document.outlines]
    assert [document.page_index(place.page) for place in places if place] == [0, 1, 2, 4, 3, 5]
    assert [item.name for item in document.bookmarks] == ["b0", "b1", "b2"]
    assert [item.name for item in document.attachments] == ["甲", "乙", "甲"]
    ids = [item.id for item in document.attachments]
    acts = [annotation.objects[0].actions for index in range(6) for annotation in document.annotations(index)]  # type: ignore[union-attr]
    assert {found[0].act.attachment for found in acts if found} == set(ids)  # type: ignore[union-attr]


def test_pages_become_documents_with_what_they_need_and_no_more(fonts: FontStack, library: FontLibrary) -> None:
    whole = source(fonts, "甲")
    before = pages_of(whole, library)
    single = list(split(whole, [(0,), (1, 2)], [INFO, INFO]))
    assert pages_of(single[0], library) == before[:1]
    assert pages_of(single[1], library) == before[1:]
    first = unpack(single[0])
    assert sum(name.endswith(".png") for name in first) == 1
    assert not any("Tpls" in name or "Attachs" in name for name in first)
    assert [item.title for item in Document.open(single[0]).outlines] == ["甲0"]


def test_a_merged_file_is_the_merged_package(fonts: FontStack, tmp_path: Path) -> None:
    one = source(fonts, "甲")
    (tmp_path / "one.ofd").write_bytes(one)
    told: list[tuple[int, int]] = []
    with Package.open(tmp_path / "one.ofd") as package:
        chosen = [Selection(source=package)] * 2
        merge_to(tmp_path / "m.ofd", chosen, INFO, progress=lambda done, total: told.append((done, total)))
    assert (tmp_path / "m.ofd").read_bytes() == merge([Selection(source=one)] * 2, INFO)
    assert told[-1] == (6, 6)


def test_a_signed_document_is_taken_only_when_its_signatures_may_go(sealed: bytes, library: FontLibrary) -> None:
    with pytest.raises(ConflictError, match="signed"):
        merge([Selection(source=sealed)], INFO)
    merged = merge([Selection(source=sealed)], INFO, drop_signatures=True)
    assert not any("Sign" in name for name in unpack(merged))
    pages_of(merged, library)


def test_a_default_colour_space_goes_along(fonts: FontStack, library: FontLibrary) -> None:
    parts = unpack(source(fonts, "甲", pages=1))
    number = parts["Doc_0/PublicRes.xml"].split(b'<ofd:ColorSpace ID="')[1].split(b'"')[0]
    content = parts["Doc_0/Pages/Page_0/Content.xml"].replace(b' ColorSpace="' + number + b'"', b"")
    common = b"<ofd:DefaultCS>" + number + b"</ofd:DefaultCS></ofd:CommonData>"
    document = parts["Doc_0/Document.xml"].replace(b"</ofd:CommonData>", common)
    whole = write_package(parts | {"Doc_0/Pages/Page_0/Content.xml": content, "Doc_0/Document.xml": document})
    assert pages_of(merge([Selection(source=whole)], INFO), library) == pages_of(whole, library)


def test_what_cannot_be_put_together_is_refused(fonts: FontStack) -> None:
    one = source(fonts, "甲", pages=2)
    for pages in ((), (2,), (-1,), (0, 0)):
        with pytest.raises(RejectedError, match="asked for"):
            merge([Selection(source=one, pages=pages)], INFO)
    with pytest.raises(RejectedError, match="asked for"):
        merge([], INFO)
    with pytest.raises(NotFoundError, match="no such document"):
        merge([Selection(source=one, body=1)], INFO)
    parts = unpack(one)
    picture = next(name for name in parts if name.endswith(".png"))
    with pytest.raises(NotFoundError, match="no entry"):
        merge([Selection(source=write_package({k: v for k, v in parts.items() if k != picture}))], INFO)


def test_an_id_that_means_two_resources_is_refused(fonts: FontStack) -> None:
    parts = unpack(source(fonts, "甲", pages=1))
    resource = parts["Doc_0/DocumentRes.xml"].replace(b'Format="PNG"', b'Format="JPEG"')
    content = parts["Doc_0/Pages/Page_0/Content.xml"].replace(
        b"<ofd:Content>", b"<ofd:PageRes>/Doc_0/Other.xml</ofd:PageRes><ofd:Content>"
    )
    changed = parts | {"Doc_0/Other.xml": resource, "Doc_0/Pages/Page_0/Content.xml": content}
    with pytest.raises(MalformedError, match="two resources"):
        merge([Selection(source=write_package(changed))], INFO)


def test_what_was_merged_and_edited_is_sealed_and_verified(fonts: FontStack, pki: Pki) -> None:
    merged = merge([Selection(source=source(fonts, name)) for name in "甲乙"], INFO)
    changes = DocumentEditor(merged, fonts=fonts, today=date(2030, 1, 10))
    changes.add_page(at=0).text("封面", x_mm=20, y_mm=40, size_mm=9)
    changes.add_watermark(Watermark(text="副本"))
    sealed = seal_document(pki, changes.to_bytes())
    report = verify(sealed, pki.policy())
    assert report.verdict is Verdict.VALID, report
