"""No input raises anything but the product's errors, and none is called valid that is not the original."""

import re
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ofd.cli.info import describe
from ofd.draw.interpret import page_scene
from ofd.draw.svg import to_svg
from ofd.fonts.faces import FontFace
from ofd.fonts.library import installed_fonts
from ofd.model.document import Document
from ofd.package.reader import write_package
from ofd.ses.structure import Seal, SealSignature
from ofd.text.extract import page_text
from ofd.verify.document import verify
from ofd.xmlio import parse
from trustcore.errors import TrustError
from trustcore.report import Verdict

from support.ofd_samples import sample_pki, seal_by_force, sealed_sample, unpack

SEALED = sealed_sample()
FILES = unpack(SEALED)
VALUE = FILES["Doc_0/Signs/Sign_0/SignedValue.dat"]
SEAL = FILES["Doc_0/Signs/Sign_0/Seal.esl"]
XML_NAMES = sorted(name for name in FILES if name.endswith(".xml"))
POLICY = sample_pki().policy()

VALUES = re.compile(rb'(?<=[">])([^<>"]+)(?=["<])')
"""Values of attributes, and texts."""
FONTS = installed_fonts()

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def refusal(act: Callable[[], object]) -> str:
    """The code of the product's error that ``act`` raises; empty when it raises none."""
    try:
        act()
    except TrustError as error:
        return error.code
    return ""


def assert_area(code: str, *areas: str) -> None:
    assert code == "" or code.startswith(areas)


@st.composite
def mutated(draw: st.DrawFn, original: bytes) -> bytes:
    """The original with some spans replaced, removed or repeated."""
    data = bytearray(original)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(len(data) - 1, 0)))
        end = min(start + draw(st.integers(0, 12)), len(data))
        replacement = draw(st.one_of(st.binary(max_size=12), st.just(bytes(data[start:end]) * 2)))
        data[start:end] = replacement
    return bytes(data)


@quick
@given(data=st.one_of(st.binary(max_size=400), mutated(SEALED)))
def test_any_octets_get_a_report(data: bytes) -> None:
    report = verify(data, POLICY)
    assert report.steps
    if report.verdict is Verdict.VALID:
        assert unpack(data) == FILES


@quick
@given(data=st.data())
def test_any_file_of_a_package_may_be_garbage(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(FILES)))
    content = data.draw(st.one_of(st.binary(max_size=200), mutated(FILES[name])))
    report = verify(write_package({**FILES, name: content}), POLICY)
    assert report.verdict is not Verdict.VALID or content == FILES[name]


@quick
@given(data=st.data())
def test_signed_garbage_gets_a_report_too(data: st.DataObject) -> None:
    """An attacker may hold a certificate: what is signed need not be well-formed."""
    name = data.draw(st.sampled_from([name for name in XML_NAMES if "/Signs/" not in name and name != "OFD.xml"]))
    content = data.draw(mutated(FILES[name]))
    document = {key: value for key, value in FILES.items() if "/Signs/" not in key}
    link = b"<ofd:Signatures>/Doc_0/Signs/Signatures.xml</ofd:Signatures>"
    document["OFD.xml"] = document["OFD.xml"].replace(link, b"")
    document[name] = content
    try:
        sealed = seal_by_force(sample_pki(), write_package(document))
    except TrustError:
        return
    assert verify(sealed, POLICY).steps


@quick
@given(data=st.one_of(st.binary(max_size=200), mutated(VALUE)))
def test_seal_signatures_are_read_or_refused(data: bytes) -> None:
    def read() -> None:
        tbs = SealSignature.parse(data).to_be_signed
        assert tbs.embedded_certificates is not None
        assert tbs.embedded_crls is not None

    assert_area(refusal(read), "asn1.", "ofd.ses.")


@quick
@given(data=st.one_of(st.binary(max_size=200), mutated(SEAL)))
def test_seals_are_read_or_refused(data: bytes) -> None:
    assert_area(refusal(lambda: Seal.parse(data)), "asn1.", "ofd.ses.")


@quick
@given(data=st.one_of(st.binary(max_size=200), mutated(SEALED)))
def test_packages_are_read_or_refused(data: bytes) -> None:
    assert_area(refusal(lambda: unpack(data)), "ofd.package.")


STRANGE = [b"", b" ", b"0", b"-1", b"1e308", b"nan", b"9" * 30, b"g 999999999 1", b"#f", b"../..", b"&#0;", b"\xff"]
SHOWN = [name for name in XML_NAMES if "/Signs/" not in name and VALUES.search(FILES[name])]


@quick
@given(data=st.data())
def test_documents_with_strange_values_are_drawn_or_refused(data: st.DataObject) -> None:
    """Whatever an attribute or a text says: lenient reading, drawing, text and description refuse or go on."""
    files = dict(FILES)
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(SHOWN))
        value = data.draw(st.sampled_from(list(VALUES.finditer(FILES[name]))))
        strange = data.draw(st.one_of(st.sampled_from(STRANGE), st.binary(max_size=8)))
        files[name] = FILES[name][: value.start(1)] + strange + FILES[name][value.end(1) :]
    octets = data.draw(st.sampled_from([b"", b"KG"])) + write_package(files)

    def show() -> None:
        document = Document.open(octets)
        for index in range(len(document.pages)):
            scene = page_scene(document, index, fonts=FONTS)
            assert to_svg(scene)
            assert page_text(scene) is not None
        assert describe(octets)

    assert_area(refusal(show), "ofd.")


@quick
@given(data=st.one_of(st.binary(max_size=200), mutated(FILES["Doc_0/Document.xml"])))
def test_xml_is_read_or_refused(data: bytes) -> None:
    assert_area(refusal(lambda: parse(data, part="a.xml")), "ofd.xml.")


@quick
@given(data=mutated(next(FILES[name] for name in sorted(FILES) if name.endswith(".ttf"))))
def test_fonts_are_read_or_refused(data: bytes) -> None:
    def use() -> None:
        face = FontFace(data)
        assert face.family
        assert face.postscript_name
        face.outline("营")
        face.subset("营业")

    assert_area(refusal(use), "ofd.font.")


@quick
@given(
    files=st.dictionaries(
        st.from_regex(r"[A-Za-z0-9_]{1,6}(/[a-z\u4e00-\u4e10]{1,5}){0,2}", fullmatch=True),
        st.binary(max_size=300),
        max_size=6,
    )
)
def test_reading_undoes_writing(files: dict[str, bytes]) -> None:
    code = refusal(lambda: write_package(files))
    assert code in {"", "ofd.package.duplicate"}
    if not code:
        data = write_package(files)
        assert unpack(data) == files
        assert write_package(unpack(data)) == data
