"""What two documents differ in is found, named, and shown; what is the same is left alone."""

import io
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from PIL import Image

from ofd.build.canvas import Canvas
from ofd.build.document import DocumentBuilder
from ofd.compare.changes import Comparison, PageState, PartState
from ofd.compare.document import Comparing, compare, since_signature
from ofd.fonts.faces import find_fonts
from ofd.model.document import Document
from ofd.package.reader import Package, write_package
from ofd.sign.seal import Protection
from trustcore.errors import NotFoundError, TrustError

from support.ofd_samples import Pki, sample_document, seal_document, sealed_sample, unpack

Draw = Callable[[Canvas], object]


def text(content: str, *, y_mm: float = 40) -> Draw:
    return lambda page: page.text(content, x_mm=20, y_mm=y_mm, size_mm=5)


def made(*pages: list[Draw], title: str = "合同", size: tuple[float, float] = (100, 80)) -> bytes:
    builder = DocumentBuilder(
        doc_id="0" * 32,
        title=title,
        created=datetime(2026, 1, 1, tzinfo=UTC),
        fonts=find_fonts(),
        page_size_mm=size,
    )
    for drawings in pages:
        page = builder.page()
        for draw in drawings:
            draw(page)
    return builder.to_bytes()


def states(comparison: Comparison) -> list[tuple[PageState, int | None, int | None]]:
    return [(page.state, page.old, page.new) for page in comparison.pages]


def test_a_document_is_the_same_as_itself() -> None:
    comparison = compare(sealed_sample(), sealed_sample())
    assert comparison.is_same
    assert comparison.looks_same
    assert [page.state for page in comparison.pages] == [PageState.SAME] * 2


def test_a_changed_amount_is_named_and_framed() -> None:
    old = made([text("甲方支付"), text("壹仟元整", y_mm=60)])
    new = made([text("甲方支付"), text("玖仟元整", y_mm=60)])
    comparison = compare(old, new)
    (page,) = comparison.pages
    assert page.state is PageState.CHANGED
    (change,) = page.text
    assert (change.old, change.new) == (("壹仟元整",), ("玖仟元整",))
    (region,) = page.regions
    assert 15 < region.x < 25
    assert 50 < region.y < 60
    assert region.width < 12
    assert not comparison.looks_same


def test_a_moved_dot_is_seen_without_any_text() -> None:
    box = (50.0, 40.0, 2.0, 2.0)
    old = made([lambda page: page.rectangles([box])])
    new = made([lambda page: page.rectangles([(54.0, 40.0, 2.0, 2.0)])])
    (page,) = compare(old, new).pages
    assert page.state is PageState.CHANGED
    assert page.text == ()
    assert page.regions


def test_pages_that_are_painted_of_other_objects_and_look_the_same_are_told_apart() -> None:
    old = made([lambda page: page.rectangles([(12.7, 12.7, 50.8, 25.4)])])
    new = made([lambda page: page.rectangles([(12.7, 12.7, 30, 25.4), (33.5, 12.7, 30, 25.4)])])
    comparison = compare(old, new)
    assert [page.state for page in comparison.pages] == [PageState.REWRITTEN]
    assert comparison.looks_same
    assert not comparison.is_same


def test_added_removed_and_moved_pages_are_found() -> None:
    a, b, c, d = ([text(name)] for name in ("第一页", "第二页", "第三页", "第四页"))
    assert states(compare(made(a, b, c), made(a, c))) == [
        (PageState.SAME, 0, 0),
        (PageState.REMOVED, 1, None),
        (PageState.SAME, 2, 1),
    ]
    added = compare(made(a, b), made(a, d, b))
    assert states(added) == [(PageState.SAME, 0, 0), (PageState.ADDED, None, 1), (PageState.SAME, 1, 2)]
    assert added.pages[1].text[0].new == ("第四页",)
    moved = compare(made(a, b, c), made(c, a, b))
    assert (PageState.MOVED, 2, 0) in states(moved)
    assert len(moved.pages) == 3


def test_another_page_size_is_a_change() -> None:
    old, new = made([text("一")]), made([text("一")], size=(100, 90))
    (page,) = compare(old, new).pages
    assert page.state is PageState.CHANGED


def test_files_and_metadata_are_compared() -> None:
    old = sample_document("旧标题")
    files = unpack(old)
    files["OFD.xml"] = files["OFD.xml"].replace("旧标题".encode(), "新标题".encode())
    files["Doc_0/extra.bin"] = b"1"
    del files["Doc_0/Tags/Tag_1.xml"]
    comparison = compare(old, write_package(files), pages=False)
    found = {part.name: part.state for part in comparison.parts}
    assert found == {
        "OFD.xml": PartState.CHANGED,
        "Doc_0/extra.bin": PartState.ADDED,
        "Doc_0/Tags/Tag_1.xml": PartState.REMOVED,
    }
    assert comparison.pages == ()
    assert {value.name: (value.old, value.new) for value in comparison.values} == {
        "title": ("旧标题", "新标题"),
        "custom.ZZMC": ("旧标题", "新标题"),
    }
    assert next(part for part in comparison.parts if part.name == "OFD.xml").kinds == ("root",)


def test_the_picture_shows_what_is_gone_and_what_is_new() -> None:
    old = made([text("壹"), text("不变", y_mm=70)])
    new = made([text("贰"), text("不变", y_mm=70)])
    with Document.open(old) as before, Document.open(new) as after:
        comparing = Comparing(before, after)
        comparison = comparing.compare()
        picture = Image.open(io.BytesIO(comparing.picture(comparison, 0))).convert("RGB")
    assert picture.size == (591, 472)
    colors = {color for _, color in picture.getcolors(1 << 20) or ()}
    assert any(r > 200 and g < 80 and b < 80 for r, g, b in colors)
    assert any(r < 80 and b > 200 for r, g, b in colors)
    assert (255, 255, 255) in colors
    assert not any(r < 60 and g < 60 and b < 60 for r, g, b in colors)


def test_what_was_added_after_a_signature_is_found(pki: Pki) -> None:
    first = seal_document(pki, sample_document(), protection=Protection.CONTINUE)
    second = seal_document(pki, first, protection=Protection.CONTINUE)
    answer = since_signature(second, "s001")
    assert answer.altered == ()
    assert answer.missing == ()
    added = {part.name for part in answer.comparison.parts if part.state is PartState.ADDED}
    assert added == {f"Doc_0/Signs/Sign_1/{name}" for name in ("Signature.xml", "SignedValue.dat", "Seal.esl")}
    first_page, second_page = answer.comparison.pages
    assert first_page.state in {PageState.REWRITTEN, PageState.CHANGED}
    assert second_page.state is PageState.SAME
    nothing = since_signature(second, "s003")
    assert nothing.comparison.is_same


def test_content_that_was_never_signed_is_shown_as_added(pki: Pki) -> None:
    files = unpack(seal_document(pki, sample_document()))
    picture = b'<ofd:PathObject ID="90" Boundary="50 50 80 80" Fill="true"><ofd:AbbreviatedData>M 0 0 L 80 0 L 80 80 C'
    page = files["Doc_0/Pages/Page_1/Content.xml"]
    end = page.rindex(b"</ofd:Layer>")
    files["Doc_0/Pages/Page_1/Content.xml"] = (
        page[:end] + picture + b"</ofd:AbbreviatedData></ofd:PathObject>" + page[end:]
    )
    files["Doc_0/smuggled.txt"] = b"?"
    answer = since_signature(write_package(files), "s001")
    assert answer.altered == ("Doc_0/Pages/Page_1/Content.xml",)
    assert [part.name for part in answer.comparison.parts] == ["Doc_0/smuggled.txt"]


def test_a_page_that_is_also_a_template_is_not_taken_for_unchanged() -> None:
    """The first page is made the template of the second: what changes it changes both."""
    files = unpack(made([text("一")], [text("二")]))
    files["Doc_0/Document.xml"] = files["Doc_0/Document.xml"].replace(
        b"</ofd:CommonData>",
        b'<ofd:TemplatePage ID="900" BaseLoc="Pages/Page_0/Content.xml"/></ofd:CommonData>',
    )
    second = files["Doc_0/Pages/Page_1/Content.xml"]
    start = second.index(b"<ofd:Content>")
    files["Doc_0/Pages/Page_1/Content.xml"] = second[:start] + b'<ofd:Template TemplateID="900"/>' + second[start:]
    changed = dict(files)
    first = "Doc_0/Pages/Page_0/Content.xml"
    changed[first] = changed[first].replace(b"</ofd:Layer>", b"</ofd:Layer><ofd:Layer ID='990'/>")
    changed[first] = changed[first].replace("一".encode(), "二".encode())
    comparison = compare(write_package(files), write_package(changed))
    assert [page.state for page in comparison.pages] == [PageState.CHANGED] * 2


def test_only_the_page_that_changed_is_told_when_all_else_is_the_same() -> None:
    files = unpack(made([text("一")], [text("二")], [text("三")]))
    changed = dict(files)
    name = "Doc_0/Pages/Page_1/Content.xml"
    changed[name] = changed[name].replace("二".encode(), "三".encode())
    comparison = compare(write_package(files), write_package(changed))
    assert [page.state for page in comparison.pages] == [PageState.SAME, PageState.CHANGED, PageState.SAME]
    assert comparison.pages[1].text[0].new == ("三",)


def test_a_signature_that_is_not_there_is_told(pki: Pki) -> None:
    with pytest.raises(NotFoundError, match="s001"):
        since_signature(sealed_sample(), "s999")
    with pytest.raises(NotFoundError, match="none"):
        since_signature(sample_document(), "s001")


def test_a_page_that_cannot_be_read_does_not_end_the_comparison() -> None:
    files = unpack(sample_document())
    del files["Doc_0/Pages/Page_1/Content.xml"]
    comparison = compare(sample_document(), write_package(files))
    assert comparison.pages[0].state is PageState.SAME
    assert comparison.pages[1].state is not PageState.SAME


@pytest.mark.parametrize("data", [b"", b"%PDF-1.4"])
def test_what_is_no_document_is_an_error_of_the_family(data: bytes) -> None:
    with pytest.raises(TrustError):
        compare(sample_document(), data)


def test_progress_ends_at_its_total() -> None:
    told: list[tuple[int, int]] = []
    compare(sample_document(), sample_document(), progress=lambda done, total: told.append((done, total)))
    assert told[0] == (0, 4)
    assert told[-1] == (4, 4)


def test_a_package_in_memory_can_be_compared_twice() -> None:
    package = Package(sealed_sample())
    assert since_signature(package, "s001").comparison.is_same
    assert since_signature(package, "s001").comparison.is_same
