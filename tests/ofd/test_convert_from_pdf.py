"""PDF to OFD: what is shown, what can be searched, where links lead."""

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from pikepdf import Array, Dictionary, Name, Stream
from PIL import Image, ImageChops, ImageFilter, ImageStat

from ofd.convert.pdf_to_ofd import Conversion, pdf_to_ofd, write_pdf_as_ofd
from ofd.draw.interpret import page_scene
from ofd.draw.pdfium import PDFIUM
from ofd.draw.png import to_png
from ofd.draw.scene import ImageItem, TextItem
from ofd.fonts.library import installed_fonts
from ofd.model.actions import GotoAction, UriAction
from ofd.model.document import Document

from support.pdf_samples import SAMPLES, helvetica, one_page, to_bytes

AT = datetime(2026, 5, 6, tzinfo=UTC)
DPI = 96
TOLERANCE = {
    "colors": (0.6, 14),
    "clips": (0.3, 100),
    "gradients": (0.6, 80),
    "meshes": (1.0, 110),
    "tilings": (6.0, 110),
    "images": (2.0, 90),
    "transparency": (1.2, 90),
    "type3-fonts": (0.8, 80),
    "reportlab-fonts": (0.3, 50),
    "annotations": (0.5, 60),
}
"""Mean and greatest difference of softened gray values, 0 to 255; (0.2, 40) for what is not named.

PDFium draws cells of patterns at whole pixels and pictures with another filter; edges of clips are not softened alike.
"""


def convert(pdf: bytes, **options: object) -> Conversion:
    return pdf_to_ofd(pdf, doc_id="0" * 32, created=AT, **options)  # type: ignore[arg-type]


def texts(ofd: bytes, index: int = 0) -> list[str]:
    scene = page_scene(Document.open(ofd), index, fonts=installed_fonts())
    found: list[str] = []

    def collect(items: tuple[object, ...]) -> None:
        for item in items:
            if hasattr(item, "glyphs"):
                found.append("".join(glyph.text for glyph in item.glyphs))
            elif hasattr(item, "items"):
                collect(item.items)

    collect(scene.items)
    return found


def by_pdfium(pdf: bytes) -> Image.Image:
    with PDFIUM:
        opened = pypdfium2.PdfDocument(pdf)
        opened.init_forms()
        picture = opened[0].render(scale=DPI / 72).to_pil().convert("L")
        opened.close()
        return picture


def of_ofd(ofd: bytes, index: int = 0) -> Image.Image:
    scene = page_scene(Document.open(ofd), index, fonts=installed_fonts())
    return Image.open(BytesIO(to_png(scene, dpi=DPI))).convert("L")


@pytest.mark.parametrize("name", SAMPLES)
def test_a_page_looks_as_pdfium_shows_it(name: str) -> None:
    pdf = SAMPLES[name]()
    expected, shown = by_pdfium(pdf), of_ofd(convert(pdf).data)
    assert abs(expected.width - shown.width) <= 1
    assert abs(expected.height - shown.height) <= 1
    soft = [picture.resize(expected.size).filter(ImageFilter.GaussianBlur(1.2)) for picture in (expected, shown)]
    difference = ImageStat.Stat(ImageChops.difference(*soft))
    mean, greatest = TOLERANCE.get(name, (0.2, 40))
    assert difference.mean[0] <= mean
    assert difference.extrema[0][1] <= greatest
    if name != "layers":
        assert ImageStat.Stat(shown).extrema[0][0] < 200, "something is drawn"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("text-states", ["Plain üß €", "spaced two words", "hollow", "unseen", "CLIP", "mirror", "turned"]),
        ("reportlab-fonts", ["TrueType: fi Äß", "电子证照 信印 2026", "Type One"]),
        ("named-fonts", ["营业执照 统一社会"]),
        ("vertical-text", ["中华人民"]),
        ("compact-fonts", ["fl", "报", "一丁"]),
        ("type3-fonts", ["四三心", "心四三"]),
        ("transparency", ["Fading"]),
        ("standard-fonts", ["Hamburgefonts 123 (abc)", "Ηαμβυργεφοντσ 123 (αβχ)"]),
    ],
)
def test_text_stays_text(name: str, expected: list[str]) -> None:
    found = "\n".join(texts(convert(SAMPLES[name]()).data))
    for text in expected:
        assert text in found


def test_fonts_are_embedded_as_subsets_and_once_for_all_pages() -> None:
    with pikepdf.open(BytesIO(SAMPLES["reportlab-fonts"]())) as document:
        for _ in range(4):
            document.pages.append(document.pages[0])
        pdf = to_bytes(document)
    one, five = convert(SAMPLES["reportlab-fonts"]()), convert(pdf)
    assert five.pages == 5
    assert len(five.data) < 2.2 * len(one.data)


def test_pictures_in_jpeg_are_passed_through() -> None:
    pdf = SAMPLES["images"]()
    with pikepdf.open(BytesIO(pdf)) as document:
        jpeg = document.pages[0].Resources.XObject["/F"].read_raw_bytes()
    assert jpeg in convert(pdf).data


def linked() -> bytes:
    document = pikepdf.new()
    for _ in range(3):
        document.add_blank_page(page_size=(200, 400))
    first, second, third = (page.obj for page in document.pages)
    second["/Rotate"] = 90

    def link(**keys: object) -> Dictionary:
        return document.make_indirect(
            Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=Array([10, 300, 60, 340]), **keys)
        )

    first["/Annots"] = Array(
        [
            link(A=Dictionary(S=Name.URI, URI=pikepdf.String("https://example.org/a?b=1"))),
            link(Dest=Array([second, Name.XYZ, 20, 390, None])),
            link(A=Dictionary(S=Name.GoTo, D=pikepdf.String("there"))),
            link(A=Dictionary(S=Name.JavaScript, JS=pikepdf.String("app.alert(1)"))),
        ]
    )
    names = Array([pikepdf.String("there"), Array([third, Name.FitH, 100])])
    attached = pikepdf.AttachedFileSpec(document, b"<data/>", filename="数据.xml")
    document.attachments["data"] = attached
    document.Root.Names["/Dests"] = Dictionary(Names=names)
    with document.open_outline() as outline:
        chapter = pikepdf.OutlineItem("第一章", 0)
        chapter.children.append(pikepdf.OutlineItem("1.1", 2, "XYZ", left=0, top=400))
        chapter.is_closed = True
        outline.root.append(chapter)
    document.docinfo["/Title"] = "标题\x07"
    document.docinfo["/Author"] = "Someone"
    document.docinfo["/Keywords"] = "one, two；三"
    document.docinfo["/CreationDate"] = "D:20200229120000+08'00'"
    return to_bytes(document)


def test_links_lead_to_the_same_places() -> None:
    document = Document.open(convert(linked()).data)
    acts = [
        action.act for annotation in document.annotations(0) for item in annotation.objects for action in item.actions
    ]
    assert acts[0] == UriAction(uri="https://example.org/a?b=1")
    pages = [page.id for page in document.pages]
    places = [act.destination for act in acts[1:] if isinstance(act, GotoAction)]
    assert len(acts) == 3, "a script is no link"
    assert [place.page for place in places if place] == [pages[1], pages[2]]
    assert places[0] is not None
    assert places[1] is not None
    assert (places[0].left, places[0].top) == pytest.approx((390 * 25.4 / 72, 20 * 25.4 / 72), abs=1e-3)
    assert (places[1].type, places[1].top) == ("FitH", pytest.approx(300 * 25.4 / 72, abs=1e-3))


def test_outlines_metadata_and_attached_files_are_kept() -> None:
    document = Document.open(convert(linked()).data)
    (chapter,) = document.outlines
    assert (chapter.title, chapter.expanded) == ("第一章", False)
    (section,) = chapter.children
    assert section.destination is not None
    assert section.destination.page == document.pages[2].id
    assert document.info.title == "标题"
    assert document.info.author == "Someone"
    assert document.info.keywords == ("one", "two", "三")
    assert document.info.created == "2020-02-29"
    (attachment,) = document.attachments
    assert attachment.name == "数据.xml"


def test_markups_stay_annotations_and_form_fields_become_part_of_the_page() -> None:
    document = Document.open(convert(SAMPLES["annotations"]()).data)
    (stamp,) = document.annotations(0)
    assert (stamp.type, stamp.subtype, stamp.remark) == ("Stamp", "Stamp", "Approved by 张三")
    assert stamp.creator == "Reviewer"


def test_some_pages_can_be_taken_in_any_order() -> None:
    conversion = convert(linked(), pages=[2, 0])
    document = Document.open(conversion.data)
    assert conversion.pages == 2
    assert document.physical_box(document.pages[0]).width == pytest.approx(200 * 25.4 / 72, abs=1e-3)


def test_progress_counts_every_page_twice() -> None:
    seen: list[tuple[int, int]] = []
    convert(linked(), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 6) for done in range(1, 7)]


def test_a_file_is_written_as_the_same_document(tmp_path: Path) -> None:
    source, target = tmp_path / "a.pdf", tmp_path / "a.ofd"
    source.write_bytes(SAMPLES["text-states"]())
    conversion = write_pdf_as_ofd(source, target, doc_id="0" * 32, created=AT)
    assert (conversion.pages, conversion.data) == (1, b"")
    assert texts(target.read_bytes()) == texts(convert(source.read_bytes()).data)


def test_the_same_pdf_gives_the_same_octets() -> None:
    pdf = SAMPLES["reportlab-fonts"]()
    assert convert(pdf).data == convert(pdf).data


def test_a_font_that_is_not_embedded_is_told() -> None:
    (warning,) = convert(SAMPLES["named-fonts"]()).warnings
    assert warning.page == 1
    assert "STSong-Light" in warning.sentence


def test_ligatures_can_be_searched_letter_by_letter() -> None:
    def resources(document: pikepdf.Pdf) -> dict[str, object]:
        font = helvetica(document)["/Font"]["/F"]  # type: ignore[index]
        font["/Encoding"] = Dictionary(Differences=Array([65, Name.fi, Name.fl]))
        return {"/Font": Dictionary({"/F": font})}

    assert "figflow" in "".join(texts(convert(one_page("BT /F 20 Tf 9 9 Td (AgBow) Tj ET", resources)).data))


def test_text_that_does_not_show_lies_below_the_scan() -> None:
    def resources(document: pikepdf.Pdf) -> dict[str, object]:
        image = Stream(document, bytes(3))
        for key, value in {"Subtype": Name.Image, "Width": 1, "Height": 1, "BitsPerComponent": 8}.items():
            image[f"/{key}"] = value
        image["/ColorSpace"] = Name.DeviceRGB
        return {"/XObject": Dictionary({"/I": image}), **helvetica(document)}

    content = "q 300 0 0 200 0 0 cm /I Do Q BT 3 Tr /F 20 Tf 20 100 Td (scanned words) Tj ET"
    scene = page_scene(Document.open(convert(one_page(content, resources)).data), 0, fonts=installed_fonts())
    first, second = scene.items
    assert isinstance(first, TextItem)
    assert (first.fill, first.stroke) == (None, None)
    assert isinstance(second, ImageItem)


def test_fonts_named_in_gbk_are_read() -> None:
    def resources(document: pikepdf.Pdf) -> dict[str, object]:
        return {"/Font": Dictionary({"/F": Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name("/XXXX"))})}

    pdf = one_page("BT /F 20 Tf 9 9 Td (abc) Tj ET", resources).replace(b"/XXXX", b"/\xcb\xce\xcc\xe5")
    (warning,) = convert(pdf).warnings
    assert "宋体" in warning.sentence


def test_a_user_unit_makes_the_page_larger() -> None:
    pdf = one_page("0 0 10 10 re f", keys={"/UserUnit": 2})
    document = Document.open(convert(pdf).data)
    assert document.physical_box(document.pages[0]).width == pytest.approx(2 * 300 * 25.4 / 72, abs=1e-3)
