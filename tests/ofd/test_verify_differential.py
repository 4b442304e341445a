"""Documents that two readers would show differently."""

from collections.abc import Callable

import pytest

from ofd.fonts.library import FontLibrary
from ofd.package.reader import Package, write_package
from ofd.verify.document import verify
from ofd.verify.drawn import differing_pages
from trustcore.report import Report, Status, Verdict

from support.ofd_samples import Pki, seal_document, unpack

PAGE = "Doc_0/Pages/Page_0/Content.xml"
OLD = b"http://www.ofdspec.org"
NEW = b"http://www.ofdspec.org/2016"
Change = Callable[[dict[str, bytes]], None]


def codes(report: Report, status: Status = Status.FAILED) -> set[str]:
    return {step.code for step in report.steps if step.status is status}


def sealed_after(pki: Pki, document: bytes, change: Change) -> Report:
    """The report on a document whose author prepared it so, and that was sealed in good faith."""
    files = unpack(document)
    change(files)
    return verify(seal_document(pki, write_package(files)), pki.policy())


def foreign_text(files: dict[str, bytes]) -> None:
    """Readers that match names draw it, readers that match namespaces do not."""
    files[PAGE] = files[PAGE].replace(
        b"</ofd:Layer>", b'<x:TextObject xmlns:x="http://example.org/x" ID="900" Boundary="0 0 9 9"/></ofd:Layer>', 1
    )


def older_layer(files: dict[str, bytes]) -> None:
    files[PAGE] = files[PAGE].replace(b"</ofd:Content>", b'<o:Layer xmlns:o="' + OLD + b'" ID="901"/></ofd:Content>', 1)


def unqualified_layer(files: dict[str, bytes]) -> None:
    files[PAGE] = files[PAGE].replace(b"</ofd:Content>", b'<Layer ID="901"/></ofd:Content>', 1)


def two_fonts(files: dict[str, bytes]) -> None:
    """The same ID for another face: the first or the last is taken."""
    fonts = files["Doc_0/PublicRes.xml"]
    first = fonts[fonts.index(b"<ofd:Font ") :].split(b">", 1)[0] + b">"
    identifier = first.split(b'ID="', 1)[1].split(b'"', 1)[0]
    other = b'<ofd:Font ID="' + identifier + b'" FontName="Other"/>'
    files["Doc_0/PublicRes.xml"] = fonts.replace(b"</ofd:Fonts>", other + b"</ofd:Fonts>", 1)


def two_fonts_in_two_files(files: dict[str, bytes]) -> None:
    """PublicRes and DocumentRes are searched in one order by some and in the other by others."""
    fonts = files["Doc_0/PublicRes.xml"]
    identifier = fonts[fonts.index(b"<ofd:Font ") :].split(b'ID="', 1)[1].split(b'"', 1)[0]
    other = b'<ofd:Fonts><ofd:Font ID="' + identifier + b'" FontName="Other"/></ofd:Fonts>'
    files["Doc_0/DocumentRes.xml"] = files["Doc_0/DocumentRes.xml"].replace(b"</ofd:Res>", other + b"</ofd:Res>", 1)


def two_contents(files: dict[str, bytes]) -> None:
    files[PAGE] = files[PAGE].replace(b"</ofd:Page>", b'<ofd:Content><ofd:Layer ID="902"/></ofd:Content></ofd:Page>', 1)


def prefixed_link(files: dict[str, bytes]) -> None:
    """Readers that drop prefixes open the other page."""
    files["Doc_0/Document.xml"] = files["Doc_0/Document.xml"].replace(
        b"<ofd:Page ID=", b'<ofd:Page ofd:BaseLoc="Pages/Page_1/Content.xml" ID=', 1
    )


def comment_in_text(files: dict[str, bytes]) -> None:
    """Some readers take the text up to the comment."""
    files[PAGE] = files[PAGE].replace("营业执照".encode(), "营业<!-- -->执照".encode(), 1)


def page_in_a_group(files: dict[str, bytes]) -> None:
    group = b'<ofd:Group><ofd:Page ID="903" BaseLoc="Pages/Page_1/Content.xml"/></ofd:Group></ofd:Pages>'
    files["Doc_0/Document.xml"] = files["Doc_0/Document.xml"].replace(b"</ofd:Pages>", group)


def two_page_sizes(files: dict[str, bytes]) -> None:
    other = b"<ofd:PhysicalBox>0 0 10 10</ofd:PhysicalBox></ofd:PageArea>"
    files["Doc_0/Document.xml"] = files["Doc_0/Document.xml"].replace(b"</ofd:PageArea>", other)


def linked_in_other_case(files: dict[str, bytes]) -> None:
    files["Doc_0/Document.xml"] = files["Doc_0/Document.xml"].replace(
        b"Tpls/Tpl_0/Content.xml", b"tpls/Tpl_0/content.xml"
    )


def linked_with_backslashes(files: dict[str, bytes]) -> None:
    files["Doc_0/Document.xml"] = files["Doc_0/Document.xml"].replace(b"Tpls/Tpl_0/", b"Tpls\\Tpl_0\\")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (foreign_text, "ofd.differential.namespace"),
        (older_layer, "ofd.differential.mixed-namespaces"),
        (unqualified_layer, "ofd.differential.mixed-namespaces"),
        (two_contents, "ofd.differential.repeated-element"),
        (prefixed_link, "ofd.differential.attribute"),
        (comment_in_text, "ofd.differential.mixed-text"),
        (page_in_a_group, "ofd.differential.misplaced"),
        (two_page_sizes, "ofd.differential.repeated-element"),
        (two_fonts, "ofd.differential.repeated-id"),
        (two_fonts_in_two_files, "ofd.differential.repeated-id"),
        (linked_in_other_case, "ofd.differential.link"),
        (linked_with_backslashes, "ofd.differential.link"),
    ],
)
def test_what_readers_see_differently_fails_although_it_was_sealed_so(
    pki: Pki, document: bytes, change: Change, code: str
) -> None:
    report = sealed_after(pki, document, change)
    assert report.verdict is Verdict.INVALID
    assert code in codes(report)


def test_a_vendors_own_elements_are_no_difference(pki: Pki, document: bytes) -> None:
    def add(files: dict[str, bytes]) -> None:
        files[PAGE] = files[PAGE].replace(
            b"</ofd:Layer>", b'<v:Extra xmlns:v="http://example.org/v"><v:Any/></v:Extra></ofd:Layer>', 1
        )

    assert sealed_after(pki, document, add).verdict is Verdict.VALID


def test_the_same_definition_twice_is_no_difference(pki: Pki, document: bytes) -> None:
    def twice(files: dict[str, bytes]) -> None:
        fonts = files["Doc_0/PublicRes.xml"]
        start = fonts.index(b"<ofd:Font ")
        first = fonts[start : fonts.index(b"</ofd:Font>", start) + len(b"</ofd:Font>")]
        files["Doc_0/PublicRes.xml"] = fonts.replace(b"</ofd:Fonts>", first + b"</ofd:Fonts>", 1)

    assert sealed_after(pki, document, twice).verdict is Verdict.VALID


def test_a_document_wholly_in_the_older_namespace_is_read_alike_by_all(pki: Pki, document: bytes) -> None:
    def older(files: dict[str, bytes]) -> None:
        for name in [name for name in files if name.endswith(".xml")]:
            files[name] = files[name].replace(NEW, OLD)

    report = sealed_after(pki, document, older)
    assert not {code for code in codes(report) if code.startswith("ofd.differential")}, report.problems


def test_a_package_that_is_refused_is_described_as_readers_see_it(pki: Pki, sealed: bytes) -> None:
    placeholder, twin = "Doc_0/Dxcument.xml", "Doc_0/Document.xml"
    data = Package(sealed).with_files({placeholder: b"evil"}).replace(placeholder.encode(), twin.encode())
    report = verify(data, pki.policy())
    assert codes(report) == {"ofd.package.duplicate"}
    assert "ofd.package.differs.duplicate" in codes(report, Status.WARNING)
    assert "ofd.package.differs.trailing" in codes(verify(sealed + b"\0", pki.policy()), Status.WARNING)


def test_strict_and_lenient_drawing_agree_on_a_sound_document_and_not_on_others(document: bytes) -> None:
    fonts = FontLibrary()
    assert differing_pages(Package(document), fonts=fonts) == ()
    files = unpack(document)
    linked_in_other_case(files)
    assert differing_pages(Package(write_package(files)), fonts=fonts) == (0,)
    files = unpack(document)
    files["OFD.xml"] = files["OFD.xml"].replace(b"Doc_0/Document.xml", b"/Doc_0/./Document.xml")
    assert differing_pages(Package(write_package(files)), fonts=fonts) == ()


def test_templates_that_are_remembered_are_told_the_same_each_time(pki: Pki, document: bytes) -> None:
    name = next(entry for entry in unpack(document) if "Tpl" in entry)

    def wrong(files: dict[str, bytes]) -> None:
        link = b'<ofd:PageRes>//Res.xml</ofd:PageRes><o:Layer xmlns:o="' + OLD + b'"/></ofd:Page>'
        files[name] = files[name].replace(b"</ofd:Page>", link, 1)

    first, again = (sealed_after(pki, document, wrong) for _ in range(2))
    fine = [verify(seal_document(pki, document), pki.policy()) for _ in range(2)]

    assert {"ofd.loc.malformed", "ofd.differential.mixed-namespaces"} <= codes(first)
    assert codes(first) == codes(again)
    assert [report.verdict for report in fine] == [Verdict.VALID, Verdict.VALID]
