"""What lint finds: each rule on a document that breaks it, and nothing on one that breaks none."""

import io
import zipfile
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.ttLib import TTFont
from PIL import Image

from ofd.fonts.faces import find_fonts
from ofd.lint.catalogue import RULES
from ofd.lint.finding import LintReport, Severity
from ofd.lint.run import lint
from ofd.lint.schema import element_types
from ofd.lint.values import expand_deltas, is_value
from ofd.package.reader import write_package
from trustcore.asn1 import encoder

from support.ofd_samples import sample_document, sealed_sample, unpack

DOCUMENT = "Doc_0/Document.xml"
OFD = 'xmlns:ofd="http://www.ofdspec.org/2016"'


def small(content: str = "", *, resources: str = "", document: str = "", maximum: int = 100) -> dict[str, bytes]:
    """The smallest document, with objects on its page and entries among its resources."""
    return {
        "OFD.xml": f'<ofd:OFD {OFD} Version="1.0" DocType="OFD"><ofd:DocBody><ofd:DocInfo><ofd:DocID>{"0" * 32}'
        "</ofd:DocID></ofd:DocInfo><ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot></ofd:DocBody></ofd:OFD>".encode(),
        DOCUMENT: f"<ofd:Document {OFD}><ofd:CommonData><ofd:MaxUnitID>{maximum}</ofd:MaxUnitID><ofd:PageArea>"
        "<ofd:PhysicalBox>0 0 210 297</ofd:PhysicalBox></ofd:PageArea><ofd:PublicRes>PublicRes.xml</ofd:PublicRes>"
        '</ofd:CommonData><ofd:Pages><ofd:Page ID="1" BaseLoc="Pages/Page_0/Content.xml"/></ofd:Pages>'
        f"{document}</ofd:Document>".encode(),
        "Doc_0/PublicRes.xml": f'<ofd:Res {OFD} BaseLoc="Res"><ofd:Fonts>'
        f'<ofd:Font ID="3" FontName="宋体"/></ofd:Fonts>{resources}</ofd:Res>'.encode(),
        "Doc_0/Pages/Page_0/Content.xml": f'<ofd:Page {OFD}><ofd:Content><ofd:Layer ID="2">{content}'
        "</ofd:Layer></ofd:Content></ofd:Page>".encode(),
    }


def text(codes: str, attributes: str = "") -> str:
    return f'<ofd:TextObject ID="4" Boundary="10 10 50 5" Font="3" Size="3" {attributes}>{codes}</ofd:TextObject>'


def path(inner: str, attributes: str = 'Boundary="10 10 50 5"') -> str:
    return f'<ofd:PathObject ID="4" {attributes}>{inner}</ofd:PathObject>'


def image(data: bytes, *, declared: str = "PNG") -> dict[str, bytes]:
    media = f'<ofd:MultiMedia ID="9" Type="Image" Format="{declared}"><ofd:MediaFile>a.png</ofd:MediaFile>'
    files = small(
        '<ofd:ImageObject ID="4" Boundary="0 0 9 9" ResourceID="9"/>',
        resources=f"<ofd:MultiMedias>{media}</ofd:MultiMedia></ofd:MultiMedias>",
    )
    return files | {"Doc_0/Res/a.png": data}


def png() -> bytes:
    stream = io.BytesIO()
    Image.new("L", (2, 2)).save(stream, "PNG")
    return stream.getvalue()


def found(files: dict[str, bytes]) -> LintReport:
    return lint(write_package(files))


def replaced(name: str, old: str, new: str) -> dict[str, bytes]:
    files = small(text('<ofd:TextCode X="0" Y="3">你</ofd:TextCode>'))
    assert old.encode() in files[name]
    return files | {name: files[name].replace(old.encode(), new.encode(), 1)}


def test_a_document_of_the_builder_breaks_no_rule(document: bytes, sealed: bytes) -> None:
    for data in (document, sealed):
        report = lint(data)
        assert report.is_clean, report.findings
    assert lint(sealed).is_signed
    assert not lint(document).is_signed


def test_the_smallest_document_breaks_no_rule() -> None:
    report = found(small(text('<ofd:TextCode X="0" Y="3" DeltaX="g 2 3">你好呀</ofd:TextCode>')))
    assert report.is_clean
    assert report.codes == {"ofd.lint.font.common"}


C_TEXT = '<ofd:TextCode X="0" Y="3">你</ofd:TextCode>'
CASES: dict[str, Callable[[], dict[str, bytes]]] = {
    "ofd.lint.part.unreadable": lambda: small() | {DOCUMENT: b"<!DOCTYPE a><a/>"},
    "ofd.lint.part.root": lambda: small() | {DOCUMENT: f"<ofd:Res {OFD}/>".encode()},
    "ofd.lint.part.namespace": lambda: replaced(DOCUMENT, "ofdspec.org/2016", "ofdspec.org"),
    "ofd.lint.package.unlinked": lambda: small() | {"extra.txt": b"?"},
    "ofd.lint.schema.foreign-element": lambda: replaced(
        DOCUMENT, "</ofd:Document>", '<a xmlns="urn:a"/></ofd:Document>'
    ),
    "ofd.lint.schema.unknown-element": lambda: replaced(DOCUMENT, "</ofd:Document>", "<ofd:Surprise/></ofd:Document>"),
    "ofd.lint.schema.unknown-attribute": lambda: replaced(DOCUMENT, "<ofd:Pages", '<ofd:Pages Count="1"'),
    "ofd.lint.schema.vendor": lambda: replaced(
        DOCUMENT, "</ofd:PageArea>", "<ofd:CropBox>0 0 1 1</ofd:CropBox></ofd:PageArea>"
    ),
    "ofd.lint.schema.order": lambda: replaced(
        DOCUMENT, "<ofd:CommonData>", "<ofd:Actions><ofd:Action Event='PO'/></ofd:Actions><ofd:CommonData>"
    ),
    "ofd.lint.schema.repeated": lambda: replaced(
        DOCUMENT, "<ofd:MaxUnitID>", "<ofd:MaxUnitID>100</ofd:MaxUnitID><ofd:MaxUnitID>"
    ),
    "ofd.lint.schema.missing": lambda: replaced(DOCUMENT, "<ofd:MaxUnitID>100</ofd:MaxUnitID>", ""),
    "ofd.lint.schema.missing-attribute": lambda: replaced("OFD.xml", ' DocType="OFD"', ""),
    "ofd.lint.schema.value": lambda: replaced(DOCUMENT, "0 0 210 297", "0 0 210 wide"),
    "ofd.lint.schema.form": lambda: replaced("OFD.xml", '"1.0"', '"1.2"'),
    "ofd.lint.schema.markup": lambda: replaced("OFD.xml", "Doc_0/Document", "Doc_0<!-- -->/Document"),
    "ofd.lint.id.repeated": lambda: small(path("<ofd:AbbreviatedData>M 0 0</ofd:AbbreviatedData>") * 2),
    "ofd.lint.id.zero": lambda: replaced(DOCUMENT, 'ID="1"', 'ID="0"'),
    "ofd.lint.id.maximum": lambda: small(text(C_TEXT), maximum=3),
    "ofd.lint.reference.missing": lambda: small(text(C_TEXT).replace('Font="3"', 'Font="77"')),
    "ofd.lint.reference.kind": lambda: small(text(C_TEXT).replace('Font="3"', 'Font="1"')),
    "ofd.lint.reference.cycle": lambda: small(
        resources='<ofd:DrawParams><ofd:DrawParam ID="7" Relative="8"/>'
        '<ofd:DrawParam ID="8" Relative="7"/></ofd:DrawParams>'
    ),
    "ofd.lint.link.malformed": lambda: replaced(DOCUMENT, "PublicRes.xml", "../../../PublicRes.xml/"),
    "ofd.lint.link.missing": lambda: replaced(DOCUMENT, "Pages/Page_0/Content.xml", "Pages/Page_9/Content.xml"),
    "ofd.lint.link.dangling": lambda: replaced(DOCUMENT, "PublicRes.xml", "OtherRes.xml"),
    "ofd.lint.link.lenient": lambda: replaced(DOCUMENT, "Pages/Page_0/Content.xml", "Pages\\Page_0\\content.xml"),
    "ofd.lint.object.depth": lambda: small(
        "".join(f'<ofd:PageBlock ID="{n}">' for n in range(10, 43)) + "</ofd:PageBlock>" * 33
    ),
    "ofd.lint.object.flat": lambda: small(text(C_TEXT, 'CTM="1 1 1 1 0 0"')),
    "ofd.lint.object.outside": lambda: small(text(C_TEXT).replace("10 10 50 5", "400 10 50 5")),
    "ofd.lint.text.start": lambda: small(text("<ofd:TextCode>你</ofd:TextCode>")),
    "ofd.lint.text.few-deltas": lambda: small(text('<ofd:TextCode X="0" Y="3" DeltaX="3">你好呀</ofd:TextCode>')),
    "ofd.lint.text.many-deltas": lambda: small(text('<ofd:TextCode X="0" Y="3" DeltaX="g 9 3">你好呀</ofd:TextCode>')),
    "ofd.lint.text.empty": lambda: small(text('<ofd:TextCode X="0" Y="3"/>')),
    "ofd.lint.text.astral": lambda: small(text('<ofd:TextCode X="0" Y="3" DeltaX="g 2 3">你𠮷呀</ofd:TextCode>')),
    "ofd.lint.text.transform": lambda: small(
        text(f'<ofd:CGTransform CodePosition="7"><ofd:Glyphs>1</ofd:Glyphs></ofd:CGTransform>{C_TEXT}')
    ),
    "ofd.lint.text.glyph-count": lambda: small(
        text(f'<ofd:CGTransform CodePosition="0"><ofd:Glyphs>1 2</ofd:Glyphs></ofd:CGTransform>{C_TEXT}')
    ),
    "ofd.lint.font.common": small,
    "ofd.lint.font.not-embedded": lambda: replaced("Doc_0/PublicRes.xml", "宋体", "某某体"),
    "ofd.lint.font.broken": lambda: replaced(
        "Doc_0/PublicRes.xml", '宋体"/>', '宋体"><ofd:FontFile>f.ttf</ofd:FontFile></ofd:Font>'
    )
    | {"Doc_0/Res/f.ttf": b"no font"},
    "ofd.lint.picture.format": lambda: image(png(), declared="JPG"),
    "ofd.lint.picture.unknown": lambda: image(b"what is this"),
    "ofd.lint.picture.broken": lambda: image(png()[:40]),
    "ofd.lint.reader.ofdrw.several-documents": lambda: replaced(
        "OFD.xml", "</ofd:OFD>", small()["OFD.xml"].decode().split(">", 1)[1]
    ),
    "ofd.lint.reader.ofdrw.page-folder": lambda: {
        name.replace("Page_0", "Page_a"): data.replace(b"Page_0", b"Page_a") for name, data in small().items()
    },
    "ofd.lint.reader.easyofd.prefix": lambda: {
        name: data.replace(b"ofd:", b"o:").replace(b"xmlns:ofd", b"xmlns:o") for name, data in small().items()
    },
}  # fmt: skip


def embedded(data: bytes, codes: str = C_TEXT) -> dict[str, bytes]:
    """The smallest document with a font file."""
    files = small(text(codes))
    font = b'"/><ofd:Font ID="5" FontName="x"><ofd:FontFile>f.ttf</ofd:FontFile></ofd:Font>'
    files["Doc_0/PublicRes.xml"] = files["Doc_0/PublicRes.xml"].replace(b'"/>', font, 1)
    name = "Doc_0/Pages/Page_0/Content.xml"
    files[name] = files[name].replace(b'Font="3"', b'Font="5"')
    return files | {"Doc_0/Res/f.ttf": data}


@cache
def font_file(**changes: Any) -> bytes:
    """A subset with one character, and its tables changed."""
    font = TTFont(io.BytesIO(find_fonts().faces[0].subset("你")))
    for table in changes.get("without", ()):
        del font[table]
    if "rights" in changes:
        font["OS/2"].fsType = changes["rights"]
    stream = io.BytesIO()
    font.save(stream)
    return stream.getvalue()


GLYPH = f'<ofd:CGTransform CodePosition="0"><ofd:Glyphs>{{}}</ofd:Glyphs></ofd:CGTransform>{C_TEXT}'
FONT_CASES: dict[str, Callable[[], dict[str, bytes]]] = {
    "ofd.lint.font.tables": lambda: embedded(font_file(without=("post",))),
    "ofd.lint.font.rights": lambda: embedded(font_file(rights=2)),
    "ofd.lint.font.glyph": lambda: embedded(font_file(), GLYPH.format(9)),
    "ofd.lint.font.characters": lambda: embedded(font_file(), C_TEXT.replace("你", "我")),
    "ofd.lint.reader.ofdjs.character-map": lambda: embedded(font_file(without=("cmap",)), GLYPH.format(1)),
    "ofd.lint.font.whole": lambda: embedded(find_fonts().faces[0].data),
}


@pytest.mark.parametrize("code", FONT_CASES)
def test_a_font_that_does_not_do_is_told(code: str) -> None:
    told = [finding for finding in found(FONT_CASES[code]()).findings if finding.code == code]
    assert told
    assert "{" not in told[0].en


def test_a_font_that_has_what_is_asked_for_is_not_told() -> None:
    assert found(embedded(font_file())).is_clean
    assert found(embedded(font_file(), GLYPH.format(1))).is_clean


def test_an_opentype_font_is_told_to_be_left_out_by_one_reader() -> None:
    builder = FontBuilder(1000, isTTF=False)
    builder.setupGlyphOrder([".notdef", "you"])
    builder.setupCharacterMap({ord("你"): "you"})
    pen = T2CharStringPen(500, None)
    pen.moveTo((0, 0))
    pen.lineTo((500, 0))
    pen.lineTo((500, 500))
    pen.closePath()
    strings = {".notdef": pen.getCharString(), "you": pen.getCharString()}
    builder.setupCFF("x", {}, strings, {})
    builder.setupHorizontalMetrics({".notdef": (500, 0), "you": (500, 0)})
    builder.setupHorizontalHeader()
    builder.setupNameTable({"familyName": "x", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    stream = io.BytesIO()
    builder.save(stream)
    assert "ofd.lint.reader.suwell.opentype" in found(embedded(stream.getvalue())).codes


def signed(change: Callable[[dict[str, bytes]], None]) -> LintReport:
    files = unpack(sealed_sample())
    change(files)
    return found(files)


SIGNATURE = "Doc_0/Signs/Sign_0/Signature.xml"
LIST = "Doc_0/Signs/Signatures.xml"


@pytest.mark.parametrize(
    ("code", "name", "old", "new"),
    [
        ("ofd.lint.signature.maximum", LIST, b"<ofd:MaxSignId>2", b"<ofd:MaxSignId>0"),
        ("ofd.lint.signature.weak-digest", SIGNATURE, b'CheckMethod="1.2.156.10197.1.401"', b'CheckMethod="MD5"'),
        ("ofd.lint.signature.digest", SIGNATURE, b'CheckMethod="1.2.156.10197.1.401"', b'CheckMethod="CRC"'),
        (
            "ofd.lint.reader.ofdrw.check-method",
            SIGNATURE,
            b'CheckMethod="1.2.156.10197.1.401"',
            b'CheckMethod="1.2.156.10197.1.401.2"',
        ),
        ("ofd.lint.signature.repeated", LIST, b"</ofd:Signatures>", b"<S/></ofd:Signatures>"),
    ],
)
def test_a_signature_that_is_written_badly_is_told(code: str, name: str, old: bytes, new: bytes) -> None:
    def change(files: dict[str, bytes]) -> None:
        assert old in files[name], files[name]
        entry = files[LIST][files[LIST].index(b"<ofd:Signature ") : files[LIST].rindex(b"</ofd:Signatures>")]
        files[name] = files[name].replace(old, new.replace(b"<S/>", entry))

    assert code in signed(change).codes


def test_nothing_in_a_signed_document_is_said_to_be_repairable() -> None:
    report = signed(lambda files: files.__setitem__(DOCUMENT, files[DOCUMENT].replace(b"/Page_0/", rb"\Page_0/")))
    assert "ofd.lint.link.lenient" in report.codes
    assert not any(finding.repairable for finding in report.findings)


def test_a_seal_that_names_another_path_is_told() -> None:
    def move(files: dict[str, bytes]) -> None:
        for name in tuple(files):
            files[name.replace("Sign_0", "Sign_7")] = files.pop(name)
        for name in (LIST, SIGNATURE.replace("Sign_0", "Sign_7")):
            files[name] = files[name].replace(b"Sign_0", b"Sign_7")

    report = signed(move)
    assert "ofd.lint.reader.suwell.property-info" in report.codes


def test_a_bare_signature_is_told() -> None:
    value = encoder.sequence(encoder.integer(1 << 250), encoder.integer(1 << 250))
    report = signed(lambda files: files.__setitem__(SIGNATURE.replace("Signature.xml", "SignedValue.dat"), value))
    assert "ofd.lint.reader.suwell.bare-signature" in report.codes


def test_every_rule_is_broken_by_some_test() -> None:
    own = {code for code in RULES if code.startswith("ofd.lint.")}
    elsewhere = {
        "ofd.lint.package.encrypted", "ofd.lint.reader.all.encrypted", "ofd.lint.package.unreadable",
        "ofd.lint.package.hopeless", "ofd.lint.reference.elsewhere", "ofd.lint.picture.huge",
        "ofd.lint.signature.maximum", "ofd.lint.signature.weak-digest", "ofd.lint.signature.digest",
        "ofd.lint.signature.repeated", "ofd.lint.reader.ofdrw.check-method", "ofd.lint.reader.suwell.property-info",
        "ofd.lint.reader.suwell.bare-signature", "ofd.lint.reader.suwell.opentype", "ofd.lint.reader.all.ses-v5",
        "ofd.lint.reader.easyofd.nested-seal", "ofd.lint.package.lenient",
    }  # fmt: skip
    assert own == {*CASES, *FONT_CASES, *elsewhere}


@pytest.mark.parametrize("code", CASES)
def test_a_document_that_breaks_a_rule_is_told_so(code: str) -> None:
    report = found(CASES[code]())
    told = [finding for finding in report.findings if finding.code == code]
    assert told, report.codes
    rule = RULES[code]
    assert told[0].severity is rule.severity
    assert "{" not in told[0].zh + told[0].en
    assert report.is_clean == all(finding.severity is Severity.NOTE for finding in report.findings)


def test_the_place_of_a_finding_is_named() -> None:
    files = small(path("\n<ofd:AbbreviatedData>M 0 0 L 1</ofd:AbbreviatedData>"))
    finding = next(item for item in found(files).findings if item.code == "ofd.lint.schema.form")
    assert (finding.entry, finding.line, finding.object_id) == ("Doc_0/Pages/Page_0/Content.xml", 2, "4")


def test_resources_of_another_page_are_not_found() -> None:
    files = small()
    page = '<ofd:Page ID="{0}" BaseLoc="Pages/Page_{1}/Content.xml"/>'
    files[DOCUMENT] = files[DOCUMENT].replace(
        page.format(1, 0).encode(), (page.format(1, 0) + page.format(5, 1)).encode()
    )
    media = '<ofd:MultiMedias><ofd:MultiMedia ID="9" Type="Image"><ofd:MediaFile>a.png</ofd:MediaFile></ofd:MultiMedia>'
    picture = '<ofd:ImageObject ID="{0}" Boundary="0 0 9 9" ResourceID="9"/>'
    for index, object_id in ((0, 10), (1, 11)):
        resources = "" if index else "<ofd:PageRes>PageRes.xml</ofd:PageRes>"
        layer = f'<ofd:Content><ofd:Layer ID="{20 + index}">{picture.format(object_id)}</ofd:Layer></ofd:Content>'
        files[f"Doc_0/Pages/Page_{index}/Content.xml"] = f"<ofd:Page {OFD}>{resources}{layer}</ofd:Page>".encode()
    files["Doc_0/Pages/Page_0/PageRes.xml"] = f'<ofd:Res {OFD} BaseLoc=".">{media}</ofd:MultiMedias></ofd:Res>'.encode()
    files["Doc_0/Pages/Page_0/a.png"] = png()
    report = found(files)
    places = [item.entry for item in report.findings if item.code == "ofd.lint.reference.elsewhere"]
    assert places == ["Doc_0/Pages/Page_1/Content.xml"]


def test_a_picture_of_too_many_points_is_told() -> None:
    stream = io.BytesIO()
    Image.new("1", (9000, 9000)).save(stream, "PNG")
    assert "ofd.lint.picture.huge" in found(image(stream.getvalue())).codes


def test_a_damaged_package_is_still_looked_into() -> None:
    report = lint(b"junk before" + write_package(small()))
    assert "ofd.lint.package.lenient" in report.codes
    assert "ofd.lint.package.unreadable" in report.codes
    assert "ofd.lint.font.common" in report.codes


@pytest.mark.parametrize("data", [b"", b"PK", b"%PDF-1.7", bytes(5000)])
def test_what_is_no_package_has_one_finding(data: bytes) -> None:
    assert lint(data).codes == {"ofd.lint.package.hopeless"}


def test_a_thousand_findings_of_a_rule_are_counted() -> None:
    report = found(small("".join(f'<ofd:PathObject ID="{n}"/>' for n in range(10, 1010)), maximum=2000))
    assert report.not_told["ofd.lint.schema.missing"] == 900
    assert len(report.findings) < 400


@pytest.mark.parametrize("step", range(3))
def test_mutated_bytes_never_raise(step: int) -> None:
    files = unpack(sample_document())
    for position in range(step, 240, 3):
        for name in ("OFD.xml", DOCUMENT, "Doc_0/Pages/Page_0/Content.xml"):
            data = bytearray(files[name])
            data[position * len(data) // 240] ^= 1 << position % 8
            found(files | {name: bytes(data)})


def test_no_rule_is_told_for_readers_when_that_is_not_wanted() -> None:
    files = CASES["ofd.lint.reader.easyofd.prefix"]()
    assert any(item.reader for item in lint(write_package(files)).findings)
    assert not any(item.reader for item in lint(write_package(files), readers=False).findings)


def test_rules_have_codes_of_their_own_and_texts_in_both_languages() -> None:
    for code, rule in RULES.items():
        assert code.startswith(("ofd.lint.", "ofd.archive."))
        assert rule.zh
        assert rule.en
        assert rule.clause


def test_the_table_names_only_types_that_exist() -> None:
    types = element_types()
    targets = {value.target for kind in types.values() for value in kind.attributes.values() if value.kind == "loc"}
    assert {target for target in targets if target[:1].isupper()} <= types.keys()
    assert types["Layer"].attributes["ID"].required


@pytest.mark.parametrize(
    ("kind", "text", "right"),
    [
        ("box", "0 0 1 1", True), ("box", "0 0 0 1", False), ("box", "0 0 1", False), ("box", "0 0 nan 1", False),
        ("matrix", "1 0 0 1 0 0", True), ("bool", "TRUE", False), ("uint", "4294967296", False), ("uint", "７", False),
        ("path", "M 0 0 L 1 1 C", True), ("path", "M 0 0 L 1", False), ("path", "m 0 0", False), ("path", "", True),
        ("date", "2026-02-31", True), ("date", "2026-2-1", False), ("color", "#FF 0 1.5", True),
        ("color", "red", False), ("datetime", "2026-01-01T10:00:00", True), ("datetime", "2026-01-01 10:00:00", False),
        ("text", "anything", True),
    ],
)  # fmt: skip
def test_values_are_judged(kind: str, text: str, right: Any) -> None:
    assert is_value(kind, text) is right


def test_deltas_expand() -> None:
    assert expand_deltas("g 3 4.2 5 g 2 1") == (4.2, 4.2, 4.2, 5, 1, 1)
    for malformed in ("g", "g 2", "g x 1", "g -1 1", "g 99999999 1", "a"):
        assert expand_deltas(malformed) is None


def test_what_a_zip_tool_packs_is_linted_like_our_own() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in unpack(sealed_sample()).items():
            archive.writestr(name, data)
    assert lint(stream.getvalue()).is_clean
