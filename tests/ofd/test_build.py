from datetime import UTC, datetime

import pytest
from lxml import etree

from ofd.build.canvas import number
from ofd.build.document import DocumentBuilder, Placement
from ofd.fonts.faces import FontFace, FontStack, find_fonts
from ofd.package.reader import Package
from ofd.structure import read_bodies
from ofd.verify.reachable import Kind, find_reachable
from trustcore.errors import RejectedError

from support.ofd_samples import sample_png, unpack

NAMES = {"o": "http://www.ofdspec.org/2016"}
CREATED = datetime(2030, 1, 15, tzinfo=UTC)


@pytest.fixture(scope="module")
def fonts() -> FontStack:
    return find_fonts()


def builder(fonts: FontStack, **options: object) -> DocumentBuilder:
    given = {"doc_id": "0" * 32, "title": "题", "created": CREATED, "fonts": fonts} | options
    return DocumentBuilder(**given)  # type: ignore[arg-type] # handed on as they are


def find(package: bytes, name: str, path: str) -> list[etree._Element]:
    found = etree.fromstring(unpack(package)[name]).xpath(path, namespaces=NAMES)
    assert isinstance(found, list)
    return found  # type: ignore[return-value] # the paths of these tests select elements


def test_everything_in_the_package_is_linked(document: bytes) -> None:
    package = Package(document)
    reachable = find_reachable(package)
    assert set(reachable.parts) == set(package.names)
    assert not reachable.missing
    assert not reachable.problems
    kinds = set(reachable.parts.values())
    assert kinds >= {Kind.PAGE, Kind.TEMPLATE, Kind.FONT, Kind.MEDIA, Kind.ATTACHMENT, Kind.TAG}


def test_the_same_calls_give_the_same_octets(fonts: FontStack) -> None:
    def build() -> bytes:
        made = builder(fonts, metadata={"a": "1", "b": "2"})
        made.page().text("信印 Xinyin", x_mm=1, y_mm=10, size_mm=5)
        return made.to_bytes()

    assert build() == build()


def test_elements_stand_in_the_order_of_the_schema(document: bytes) -> None:
    expected = {
        "OFD.xml": (
            "//o:DocInfo/*",
            ["DocID", "Title", "CreationDate", "Creator", "CustomDatas"],
        ),
        "Doc_0/Document.xml": (
            "/o:Document/* | //o:CommonData/*",
            [
                "CommonData",
                "MaxUnitID",
                "PageArea",
                "PublicRes",
                "DocumentRes",
                "TemplatePage",
                "Pages",
                "CustomTags",
                "Attachments",
            ],
        ),
        "Doc_0/Pages/Page_0/Content.xml": ("/o:Page/*", ["Template", "Content"]),
    }
    for name, (path, names) in expected.items():
        assert [etree.QName(node).localname for node in find(document, name, path)] == names


def test_ids_are_used_once_and_below_the_maximum(document: bytes) -> None:
    ids = [
        int(value)
        for name, data in unpack(document).items()
        if name.endswith(("Document.xml", "Res.xml", "Content.xml"))
        for value in etree.fromstring(data).xpath("//@ID")
    ]
    assert len(ids) == len(set(ids))
    assert max(ids) == int(find(document, "Doc_0/Document.xml", "//o:MaxUnitID")[0].text or "")


def test_metadata_is_in_the_document_info(document: bytes) -> None:
    body = read_bodies(Package(document))[0]
    assert body.title == "营业执照"
    assert body.metadata == {"ZZMC": "营业执照", "CYZ": "某某有限公司"}


def test_the_index_leads_to_the_object_that_shows_the_element(document: bytes) -> None:
    reference = find(document, "Doc_0/Tags/Tag_1.xml", "//o:ObjectRef")[0]
    page = find(document, "Doc_0/Document.xml", f"//o:Page[@ID='{reference.get('PageRef')}']")[0]
    shown = find(document, f"Doc_0/{page.get('BaseLoc')}", f"//*[@ID='{reference.text}']")[0]
    assert "".join(shown.itertext()) == "营业执照"


def test_characters_are_placed_by_the_advances_of_the_font(fonts: FontStack) -> None:
    made = builder(fonts)
    made.page().text("信A印", x_mm=10, y_mm=20, size_mm=4)
    code = find(made.to_bytes(), "Doc_0/Pages/Page_0/Content.xml", "//o:TextCode")[0]
    assert code.get("DeltaX") == f"4 {number(fonts.advance('A') * 4)}"


def test_equal_advances_are_written_short(fonts: FontStack) -> None:
    made = builder(fonts)
    made.page().text("统一社会信用代码", x_mm=10, y_mm=20, size_mm=3)
    code = find(made.to_bytes(), "Doc_0/Pages/Page_0/Content.xml", "//o:TextCode")[0]
    assert code.get("DeltaX") == "g 7 3"


def test_characters_beyond_the_bmp_stand_alone_and_name_their_glyph(fonts: FontStack) -> None:
    made = builder(fonts)
    made.page().text("名𠮷田𠮷𠮷", x_mm=10, y_mm=20, size_mm=5)
    package = made.to_bytes()
    codes = find(package, "Doc_0/Pages/Page_0/Content.xml", "//o:TextObject/o:TextCode")
    assert [code.text for code in codes] == ["名", "𠮷", "田", "𠮷", "𠮷"]
    objects = find(package, "Doc_0/Pages/Page_0/Content.xml", "//o:TextObject")
    starts = [float((node.get("Boundary") or "").split()[0]) for node in objects]
    assert starts == [10, 15, 20, 25, 30]
    location = find(package, "Doc_0/PublicRes.xml", "//o:FontFile")[0].text
    subset = FontFace(unpack(package)[f"Doc_0/Res/{location}"])
    glyphs = find(package, "Doc_0/Pages/Page_0/Content.xml", "//o:CGTransform/o:Glyphs")
    assert [node.text for node in glyphs] == [str(subset.glyph("𠮷"))] * 3


@pytest.mark.parametrize(("align", "left"), [("left", 100), ("center", 95), ("right", 90)])
def test_text_is_aligned(fonts: FontStack, align: str, left: float) -> None:
    made = builder(fonts)
    made.page().text("信印", x_mm=100, y_mm=20, size_mm=5, align=align)
    node = find(made.to_bytes(), "Doc_0/Pages/Page_0/Content.xml", "//o:TextObject")[0]
    assert float((node.get("Boundary") or "").split()[0]) == left


def test_the_embedded_font_draws_the_text(fonts: FontStack, document: bytes) -> None:
    location = find(document, "Doc_0/PublicRes.xml", "//o:FontFile")[0].text
    face = FontFace(unpack(document)[f"Doc_0/Res/{location}"])
    assert all(face.covers(char) for char in "营业执照名称𠮷田第二页")
    assert not face.covers("信")


def test_each_fallback_font_is_embedded(fonts: FontStack) -> None:
    face = fonts.faces[0]
    stack = FontStack([FontFace(face.subset("A")), FontFace(face.subset("信"))])
    made = builder(stack)
    refs = made.page().text("A信A", x_mm=0, y_mm=10, size_mm=5)
    package = made.to_bytes()
    assert len(refs) == 3
    assert len(find(package, "Doc_0/PublicRes.xml", "//o:Font")) == 2


def test_the_same_image_is_stored_once(fonts: FontStack) -> None:
    made = builder(fonts)
    page = made.page()
    for x_mm in (0, 20):
        page.image(sample_png(), box_mm=(x_mm, 0, 10, 10))
    page.image(sample_png(9), box_mm=(40, 0, 10, 10))
    files = [name for name in unpack(made.to_bytes()) if name.endswith(".png")]
    assert len(files) == 2


def test_templates_are_shared_by_pages(fonts: FontStack) -> None:
    made = builder(fonts)
    template = made.template()
    template.line((0, 0), (10, 0))
    for _ in range(2):
        made.page(templates=[(template, Placement.FOREGROUND)])
    package = made.to_bytes()
    for index in range(2):
        node = find(package, f"Doc_0/Pages/Page_{index}/Content.xml", "//o:Template")[0]
        assert (node.get("TemplateID"), node.get("ZOrder")) == (str(template.id), "Foreground")


def test_wrong_input_is_refused_with_a_code(fonts: FontStack) -> None:
    page = builder(fonts).page()

    def refused(code: str) -> "pytest.RaisesExc[RejectedError]":
        return pytest.raises(RejectedError, check=lambda error: error.code == code)

    with refused("ofd.build.doc-id"):
        builder(fonts, doc_id="1")
    with refused("ofd.build.page-size"):
        builder(fonts, page_size_mm=(0, 10))
    with refused("ofd.build.empty"):
        builder(fonts).to_bytes()
    with refused("ofd.build.attachment"):
        builder(fonts).attach("a", b"", format="../x")
    with refused("ofd.text.control-character"):
        page.text("a\nb", x_mm=0, y_mm=0, size_mm=5)
    with refused("ofd.font.missing-glyph"):
        page.text("\ue000", x_mm=0, y_mm=0, size_mm=5)
    with refused("ofd.image.format"):
        page.image(b"GIF89a", box_mm=(0, 0, 1, 1))
    with refused("ofd.object.box"):
        page.image(sample_png(), box_mm=(0, 0, 0, 1))
    with refused("ofd.path.empty"):
        page.rectangles([])
    made = builder(fonts, title="a\x00b")
    made.page()
    with refused("ofd.xml.characters"):
        made.to_bytes()
    made = builder(fonts)
    made.tag("urn:x", [("not a name", made.page().line((0, 0), (1, 1)))])
    with refused("ofd.build.tag"):
        made.to_bytes()


@pytest.mark.parametrize(("value", "shown"), [(1.0, "1"), (0.1 + 0.2, "0.3"), (-0.00001, "0"), (12.34567, "12.3457")])
def test_lengths_have_no_more_digits_than_needed(value: float, shown: str) -> None:
    assert number(value) == shown
