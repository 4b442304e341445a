"""PDFs that are damaged, encrypted or meant to do harm: answered clearly, in bounded time and memory."""

import random
import zlib
from contextlib import suppress
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pikepdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pikepdf import Array, Dictionary, Name, Stream

from ofd.convert.pdf.calculator import compile_calculator
from ofd.convert.pdf.cmaps import read_to_unicode
from ofd.convert.pdf.document import PdfDocument
from ofd.convert.pdf.font_programs import read_font_program
from ofd.convert.pdf.streams import Limits
from ofd.convert.pdf_to_ofd import Conversion, pdf_to_ofd, write_pdf_as_ofd
from ofd.fonts.type1 import read_type1
from trustcore.errors import MalformedError, RejectedError, TrustError

from support.pdf_samples import FONTS, SAMPLES, helvetica, one_page, to_bytes

AT = datetime(2026, 5, 6, tzinfo=UTC)


def convert(pdf: bytes, **options: object) -> Conversion:
    return pdf_to_ofd(pdf, doc_id="0" * 32, created=AT, **options)  # type: ignore[arg-type]


def encrypted(password: str) -> bytes:
    stream = BytesIO()
    with pikepdf.open(BytesIO(SAMPLES["text-states"]())) as document:
        document.save(stream, encryption=pikepdf.Encryption(owner="o", user=password, R=6))
    return stream.getvalue()


def test_an_encrypted_document_is_opened_with_its_password_alone() -> None:
    pdf = encrypted("öffne")
    for wrong in ("", "other"):
        with pytest.raises(RejectedError) as caught:
            convert(pdf, password=wrong)
        assert caught.value.code == "ofd.convert.pdf-password"
    assert convert(pdf, password="öffne").pages == 1
    assert convert(encrypted("")).pages == 1


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"PK\x03\x04", b"%PDF-1.4\n" + bytes(2000), b"hello" * 100])
def test_what_is_no_pdf_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        convert(data)
    assert caught.value.code == "ofd.convert.pdf-damaged"


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(MalformedError):
        pdf_to_ofd(tmp_path / "none.pdf", doc_id="0" * 32, created=AT)


def test_nothing_is_left_of_a_conversion_that_fails(tmp_path: Path) -> None:
    with pytest.raises(RejectedError):
        write_pdf_as_ofd(
            one_page("0 0 m " * 500), tmp_path / "a.ofd", doc_id="0" * 32, created=AT, limits=Limits(page_operators=100)
        )
    assert list(tmp_path.iterdir()) == []


def test_a_truncated_file_gives_what_can_be_read() -> None:
    pdf = SAMPLES["text-states"]()
    assert convert(pdf[: len(pdf) - 300]).pages == 1


@pytest.mark.parametrize("pages", [[], [1], [-1]])
def test_pages_that_are_not_there_are_refused(pages: list[int]) -> None:
    with pytest.raises(RejectedError) as caught:
        convert(SAMPLES["paths"](), pages=pages)
    assert caught.value.code == "ofd.convert.pdf-no-such-page"


def test_a_document_without_or_with_too_many_pages_is_refused() -> None:
    with pytest.raises(RejectedError) as none:
        convert(to_bytes(pikepdf.new()))
    assert none.value.code == "ofd.convert.pdf-no-pages"
    with pytest.raises(RejectedError) as many:
        convert(SAMPLES["paths"](), limits=Limits(pages=0))
    assert many.value.code == "ofd.convert.pdf-too-many-pages"


def bomb(octets: int) -> bytes:
    document = pikepdf.new()
    page = document.add_blank_page(page_size=(100, 100))
    page.obj["/Contents"] = document.make_indirect(Stream(document, b""))
    page.obj["/Contents"].write(zlib.compress(bytes(octets), 9), filter=Name.FlateDecode)
    stream = BytesIO()
    document.save(stream, compress_streams=False, stream_decode_level=pikepdf.StreamDecodeLevel.none)
    return stream.getvalue()


def test_a_stream_that_grows_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(RejectedError) as caught:
        convert(bomb(4 << 20), limits=Limits(stream_octets=1 << 20))
    assert caught.value.code == "ofd.convert.pdf-too-big"
    assert convert(bomb(1 << 19), limits=Limits(stream_octets=1 << 20)).pages == 1


def test_a_page_with_too_many_operators_is_refused() -> None:
    with pytest.raises(RejectedError) as caught:
        convert(one_page("q Q " * 5000), limits=Limits(page_operators=1000))
    assert caught.value.code == "ofd.convert.pdf-too-complex"


def form(document: pikepdf.Pdf, content: bytes, **keys: object) -> pikepdf.Object:
    stream = document.make_indirect(Stream(document, content))
    stream["/Type"], stream["/Subtype"], stream["/BBox"] = Name.XObject, Name.Form, Array([0, 0, 300, 200])
    for key, value in keys.items():
        stream[f"/{key}"] = value
    return stream


def test_forms_that_hold_each_other_end() -> None:
    document = pikepdf.open(BytesIO(one_page("/A Do")))
    first, second = form(document, b"0 0 9 9 re f /B Do"), form(document, b"/A Do /A Do")
    for item in (first, second):
        item["/Resources"] = Dictionary(XObject=Dictionary({"/A": first, "/B": second}))
    document.pages[0].obj["/Resources"] = first["/Resources"]
    with pytest.raises(RejectedError) as caught:
        convert(to_bytes(document), limits=Limits(page_operators=20_000))
    assert caught.value.code == "ofd.convert.pdf-too-complex"
    second.write(b"/A Do")
    assert "too deeply" in convert(to_bytes(document)).warnings[0].sentence


def test_forms_that_multiply_are_refused() -> None:
    document = pikepdf.open(BytesIO(one_page("/X Do")))
    inner = form(document, b"0 0 9 9 re f")
    for _ in range(12):
        inner = form(document, b"/X Do " * 10, Resources=Dictionary(XObject=Dictionary({"/X": inner})))
    document.pages[0].obj["/Resources"] = Dictionary(XObject=Dictionary({"/X": inner}))
    with pytest.raises(RejectedError) as caught:
        convert(to_bytes(document), limits=Limits(page_operators=30_000))
    assert caught.value.code == "ofd.convert.pdf-too-complex"


def test_a_pattern_in_itself_and_a_glyph_in_itself_end() -> None:
    document = pikepdf.open(BytesIO(one_page("/Pattern cs /P scn 0 0 99 99 re f BT /T 10 Tf (a) Tj ET")))
    pattern = form(
        document, b"/Pattern cs /P scn 0 0 9 9 re f", PatternType=1, PaintType=1, TilingType=1, XStep=9, YStep=9
    )
    glyph = document.make_indirect(Stream(document, b"100 0 d0 BT /T 1 Tf (a) Tj ET"))
    font = document.make_indirect(
        Dictionary(
            Type=Name.Font,
            Subtype=Name.Type3,
            FontMatrix=Array([0.01, 0, 0, 0.01, 0, 0]),
            FontBBox=Array([0, 0, 9, 9]),
            CharProcs=Dictionary({"/a": glyph}),
            Encoding=Dictionary(Differences=Array([97, Name.a])),
            FirstChar=97,
            Widths=Array([100]),
        )
    )
    resources = Dictionary(Pattern=Dictionary({"/P": pattern}), Font=Dictionary({"/T": font}))
    pattern["/Resources"] = font["/Resources"] = document.pages[0].obj["/Resources"] = resources
    assert convert(to_bytes(document)).pages == 1


def test_a_picture_that_is_too_large_is_left_out() -> None:
    def resources(document: pikepdf.Pdf) -> dict[str, object]:
        image = Stream(document, b"")
        for key, value in {"Subtype": Name.Image, "Width": 10**6, "Height": 10**6, "BitsPerComponent": 8}.items():
            image[f"/{key}"] = value
        image["/ColorSpace"] = Name.DeviceRGB
        return {"/XObject": Dictionary({"/I": image})}

    (warning,) = convert(one_page("100 0 0 100 0 0 cm /I Do", resources)).warnings
    assert "picture" in warning.sentence


@pytest.mark.parametrize(
    "content",
    [
        "1e30 0 0 1e30 0 0 cm 0 0 m 1e30 1e30 l S",
        "0 0 0 0 0 0 cm 0 0 9 9 re f BT /F 9 Tf (x) Tj ET",
        "BT /F 0 Tf (x) Tj ET BT /F -9 Tf 0 Tz (x) Tj ET",
        "nan inf - . -- re f Q Q Q EMC ET",
        "0 0 m c v y l re f W n /X Do /Y gs /Z sh /P scn BDC [ ( < /",
        "[[[[]]]] 0 d [-1 -2] 0 d 0 0 m 9 9 l S",
        "q " * 2000 + "0 0 9 9 re f",
        "BI /W 99999 /H 99999 /BPC 8 /CS /RGB ID x EI",
        "BI ID EI BI /W -1 /H 1 ID EI",
        "(\\777\\0) ' 1 2 (x) \" T* BT /F 9 Tf (\\000\\001\\377) Tj ET",
    ],
)
def test_operators_without_sense_do_no_harm(content: str) -> None:
    assert convert(one_page(content, helvetica)).pages == 1


@pytest.mark.parametrize("box", [[0, 0, 0, 0], [5, 5, 1, 1], [0, 0, 10**8, 10**8], ["a", 1], [0, 0, 1e-9, 5]])
def test_a_page_without_sensible_boxes_has_a_size(box: list[object]) -> None:
    found = Array([Name("/a") if isinstance(item, str) else item for item in box])
    with PdfDocument.open(one_page("0 0 9 9 re f", keys={"/MediaBox": found})) as document:
        area = document.scene(0).area
    assert 0 < area.width <= 20_000
    assert 0 < area.height <= 20_000


def test_circles_in_outlines_names_and_pages_end() -> None:
    document = pikepdf.open(BytesIO(SAMPLES["paths"]()))
    first = document.make_indirect(Dictionary(Title=pikepdf.String("a")))
    second = document.make_indirect(Dictionary(Title=pikepdf.String("b"), Next=first, First=first))
    first["/Next"] = first["/First"] = second
    tree = document.make_indirect(Dictionary())
    tree["/Kids"] = Array([tree, tree])
    document.Root["/Outlines"] = Dictionary(First=first)
    document.Root["/Names"] = Dictionary(Dests=tree, EmbeddedFiles=tree)
    document.pages[0].obj["/Annots"] = Array(
        [Dictionary(Subtype=Name.Link, Rect=Array([0, 0, 9, 9]), Dest=pikepdf.String("x"))]
    )
    assert convert(to_bytes(document)).pages == 1


@pytest.mark.parametrize("name", ["reportlab-fonts", "images", "gradients", "type3-fonts", "compact-fonts", "colors"])
def test_changed_octets_never_crash(name: str) -> None:
    with pikepdf.open(BytesIO(SAMPLES[name]())) as document:
        stream = BytesIO()
        document.save(stream, compress_streams=False, stream_decode_level=pikepdf.StreamDecodeLevel.generalized)
    original = stream.getvalue()
    chance = random.Random(20260506)  # noqa: S311 - the same changes in each run
    for _ in range(12):
        changed = bytearray(original)
        for _ in range(chance.choice((1, 10, 60))):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        with suppress(TrustError):
            convert(bytes(changed), limits=Limits(page_operators=50_000))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_changed_font_programs_never_crash(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["Vera.ttf", "zx______.pfb", "DarkGardenMK.pfb"]))
    octets = bytearray((FONTS / name).read_bytes())
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=30)):
        octets[place % len(octets)] = value
    program = read_font_program(bytes(octets))
    if program is not None:
        pen = Counter()
        for index in range(min(program.glyph_count, 20)):
            program.draw(index, pen)
            program.advance(index)


class Counter:
    """A pen that draws nothing."""

    def moveTo(self, *_: object) -> None: ...  # noqa: N802 - the pen protocol's name

    lineTo = curveTo = qCurveTo = closePath = moveTo  # noqa: N815 - the pen protocol's names


def test_a_type1_font_that_calls_itself_ends() -> None:
    program = read_type1((FONTS / "zx______.pfb").read_bytes())
    assert program is not None
    for number in range(8):
        program.subroutines[number] = bytes([139 + number, 10] * 40)
    program.charstrings["A"] = bytes([139, 10])
    program.draw("A", Counter(), {})


@given(st.binary(max_size=200))
def test_any_octets_are_a_program_or_none(data: bytes) -> None:
    call = compile_calculator(b"{" + data + b"}")
    if call is not None:
        call([0.5, 0.25])


@given(st.binary(max_size=300))
def test_any_octets_are_a_cmap(data: bytes) -> None:
    with pikepdf.new() as document:
        read_to_unicode(Stream(document, b"beginbfrange " + data), Limits())


def test_a_cmap_that_maps_too_much_ends() -> None:
    ranges = b"<0000> <ffff> <0020>\n" * 5000
    with pikepdf.new() as document:
        found = read_to_unicode(Stream(document, b"beginbfrange " + ranges), Limits())
    assert len(found) <= 0x10000
