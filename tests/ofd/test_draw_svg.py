import io
import re

import resvg_py
from lxml import etree
from PIL import Image as Pillow

from ofd.draw.png import to_picture
from ofd.draw.scene import Group, Image, ImageItem, MeshPaint, Origin, OriginKind
from ofd.draw.svg import to_svg
from ofd.geometry import IDENTITY, Matrix

from support.scenes import BLACK, ORIGIN, difference, everything, picture, rectangle, scene, text

SVG = "{http://www.w3.org/2000/svg}"


def parsed(svg: str) -> etree._Element:
    return etree.fromstring(svg.encode())


def drawn(svg: str, width: int) -> Pillow.Image:
    """The SVG by resvg, which knows nothing of this library."""
    return Pillow.open(io.BytesIO(resvg_py.svg_to_bytes(svg_string=svg, width=width, dpi=96, background="#ffffff")))


def test_an_svg_looks_as_the_pdf_does() -> None:
    pdf = to_picture(everything(), dpi=127)
    svg = drawn(to_svg(everything()), pdf.width)
    assert abs(svg.height - pdf.height) <= 1
    assert difference(svg.crop((0, 0, *pdf.size)), pdf) < 2.5


def test_an_svg_needs_nothing_from_outside() -> None:
    root = parsed(to_svg(everything(), title="x"))
    links = {value for node in root.iter() for name, value in node.attrib.items() if str(name).endswith("href")}
    assert links
    assert all(link.startswith(("#", "data:image/")) for link in links)
    assert not {"script", "style", "foreignObject"} & {etree.QName(node).localname for node in root.iter()}


def test_ids_are_unique_and_what_is_named_is_there() -> None:
    svg = to_svg(everything(), prefix="page1-")
    ids = [node.get("id") for node in parsed(svg).iter() if node.get("id")]
    assert len(ids) == len(set(ids))
    assert all(str(one).startswith("page1-") for one in ids)
    assert set(re.findall(r'(?:url\(|href=")#([^")]+)', svg)) <= set(ids)


def test_the_text_can_be_selected_where_it_is_seen() -> None:
    root = parsed(to_svg(scene(text("名称 𠮷田<&>", 10, 20, 5))))
    (line,) = root.iter(f"{SVG}text")
    assert "".join(str(part) for part in line.itertext()) == "名称 𠮷田<&>"
    assert line.get("fill") == "none"
    first = next(iter(line))
    assert (first.get("x") or "").split()[:2] == ["10", "15"]
    assert not list(parsed(to_svg(scene(text("名称", 10, 20, 5)), text=False)).iter(f"{SVG}text"))


def test_a_glyph_is_defined_once() -> None:
    root = parsed(to_svg(scene(text("人人人", 10, 20, 5), text("人", 10, 40, 9))))
    assert len([node for node in root.iter(f"{SVG}path") if node.get("id")]) == 1
    assert len(list(root.iter(f"{SVG}use"))) == 4


def test_a_picture_is_defined_once() -> None:
    shown = ImageItem(image=Image(name="a", data=picture("PNG")), matrix=Matrix(9, 0, 0, 9, 0, 0), origin=ORIGIN)
    root = parsed(to_svg(scene(shown, shown)))
    assert len(list(root.iter(f"{SVG}image"))) == 1


def test_a_picture_that_cannot_be_read_is_left_out() -> None:
    broken = ImageItem(image=Image(name="a", data=b"BM"), matrix=Matrix(9, 0, 0, 9, 0, 0), origin=ORIGIN)
    assert not list(parsed(to_svg(scene(broken))).iter(f"{SVG}image"))


def test_a_seal_can_be_found_in_the_picture() -> None:
    origin = Origin(kind=OriginKind.SEAL, part="Doc_0/Signs/Sign_0/SignedValue.dat", object_id='s"1')
    seal = Group(items=(rectangle((0, 0, 9, 9), BLACK),), origin=origin)
    (group,) = (node for node in parsed(to_svg(scene(seal))).iter(f"{SVG}g") if node.get("data-kind"))
    assert (group.get("data-kind"), group.get("data-id")) == ("seal", 's"1')


def test_titles_and_characters_that_xml_forbids_do_no_harm() -> None:
    item = text("a", 1, 1, 5)
    bad = [glyph.__class__(index=1, x=1, y=1, text=char) for glyph in item.glyphs for char in "\x00\ufffe\ud800\x1b"]
    svg = to_svg(
        scene(item.__class__(face=item.face, size=5, glyphs=tuple(bad), matrix=IDENTITY, fill=BLACK, origin=ORIGIN)),
        title='<x a="1">\x01',
    )
    assert parsed(svg).findtext(f"{SVG}title") == '<x a="1">'


def test_flat_matrices_and_empty_meshes_draw_nothing() -> None:
    items = (
        rectangle((0, 0, 9, 9), BLACK, matrix=Matrix(0, 0, 0, 0, 0, 0)),
        rectangle((0, 0, 0, 0), MeshPaint(triangles=())),
    )
    assert not list(parsed(to_svg(scene(*items))))
