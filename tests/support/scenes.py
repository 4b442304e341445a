"""Scenes made by hand: every kind of item and paint, and pictures of every kind, for the tests of drawing."""

import io
import struct
from collections.abc import Sequence
from functools import cache
from math import cos, sin

from PIL import Image as Pillow
from PIL import ImageChops, ImageDraw, ImageStat

from ofd.draw.scene import (
    AxialPaint,
    BlendMode,
    Cap,
    Clip,
    ClipArea,
    Color,
    Extend,
    Glyph,
    Group,
    Image,
    ImageItem,
    Item,
    Join,
    MapType,
    MeshPaint,
    Origin,
    OriginKind,
    Paint,
    PathItem,
    PatternPaint,
    RadialPaint,
    Reflect,
    Scene,
    SolidPaint,
    Stop,
    Stroke,
    TextItem,
    Triangle,
)
from ofd.fonts.faces import FontFace, find_fonts
from ofd.geometry import IDENTITY, Box, Matrix, Point

ORIGIN = Origin(kind=OriginKind.PAGE, part="Doc_0/Pages/Page_0/Content.xml")
BLACK = SolidPaint(color=Color.of(0, 0, 0))
RAINBOW = (
    Stop(position=0, color=Color.of(1, 0, 0)),
    Stop(position=0.5, color=Color.of(1, 1, 0)),
    Stop(position=1, color=Color.of(0, 0, 1)),
)
FADING = (Stop(position=0, color=Color.of(1, 0, 0)), Stop(position=1, color=Color.of(0, 0, 1, 0)))
TRIANGLE = (("M", (0.0, 0.0)), ("L", (6.0, 0.0)), ("L", (0.0, 6.0)), ("Z", ()))


def solid(red: float, green: float, blue: float, alpha: float = 1) -> SolidPaint:
    """One colour."""
    return SolidPaint(color=Color.of(red, green, blue, alpha))


def face() -> FontFace:
    """The font that all scenes are set in."""
    return _faces()[0]


@cache
def _faces() -> tuple[FontFace, ...]:
    return find_fonts().faces


def text(content: str, x: float, y: float, size: float, *, matrix: Matrix = IDENTITY, **look: object) -> TextItem:
    """One line of text."""
    glyphs, scale = [], look.get("horizontal_scale", 1.0)
    assert isinstance(scale, (int, float))
    for char in content:
        used = next((one for one in _faces() if one.covers(char)), face())
        index = used.glyph(char)
        glyphs.append(Glyph(index=index, x=x, y=y, text=char, face=None if used is face() else used))
        x += used.advance_of(index) * size * scale
    look.setdefault("fill", BLACK)
    return TextItem(face=face(), size=size, glyphs=tuple(glyphs), matrix=matrix, origin=ORIGIN, **look)  # type: ignore[arg-type]


def rectangle(
    box: Sequence[float], fill: Paint | None = None, *, stroke: Stroke | None = None, matrix: Matrix = IDENTITY
) -> PathItem:
    """A rectangle."""
    return PathItem(path=Box(*box).path(), matrix=matrix, fill=fill, stroke=stroke, origin=ORIGIN)


def scene(*items: Item, size: tuple[float, float] = (100, 100)) -> Scene:
    """A page with these items."""
    return Scene(area=Box(0, 0, *size), items=items)


def clipped(clip: ClipArea | Clip, *items: Item) -> Group:
    """Items inside an area."""
    return Group(items=items, clips=(clip if isinstance(clip, Clip) else Clip(areas=(clip,)),), origin=ORIGIN)


def picture(form: str, mode: str = "RGB", size: tuple[int, int] = (60, 40)) -> bytes:
    """A red ellipse on white (or nothing), green in the corner."""
    drawn = Pillow.new("RGBA", size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(drawn)
    pen.ellipse((5, 5, size[0] - 5, size[1] - 5), fill=(200, 30, 30, 160))
    pen.rectangle((0, 0, size[0] // 4, size[1] // 4), fill=(0, 160, 0, 255))
    if mode != "RGBA":
        paper = Pillow.new("RGB", size, (255, 255, 255))
        paper.paste(drawn, mask=drawn.getchannel("A"))
        drawn = paper.convert(mode)
    written = io.BytesIO()
    drawn.save(written, form)
    return written.getvalue()


def jbig2_picture(width: int = 64, height: int = 32) -> bytes:
    """The left half black, as a JBIG2 file of one region coded like fax group 4."""
    # The other way round: what is white in this TIFF, whose black is 0, is coded as fax codes black.
    drawn = Pillow.new("1", (width, height), 0)
    ImageDraw.Draw(drawn).rectangle((0, 0, width // 2 - 1, height), fill=1)
    written = io.BytesIO()
    drawn.save(written, "TIFF", compression="group4")
    with Pillow.open(written) as tiff:
        offsets, counts = tiff.tag_v2[273], tiff.tag_v2[279]  # type: ignore[attr-defined]
    rows = written.getvalue()[offsets[0] : offsets[0] + counts[0]]
    region = struct.pack(">4LB", width, height, 0, 0, 0) + b"\x01" + rows
    page = struct.pack(">4LBH", width, height, 0, 0, 0, 0)
    segments = (
        struct.pack(">LBBBL", 0, 48, 0, 1, len(page)) + page,
        struct.pack(">LBBBL", 1, 38, 0, 1, len(region)) + region,
        struct.pack(">LBBBL", 2, 49, 0, 1, 0),
        struct.pack(">LBBBL", 3, 51, 0, 0, 0),
    )
    return b"\x97JB2\r\n\x1a\n\x01" + struct.pack(">L", 1) + b"".join(segments)


def gray_mask() -> bytes:
    """Dark above, light below."""
    written = io.BytesIO()
    Pillow.linear_gradient("L").save(written, "PNG")
    return written.getvalue()


def difference(first: Pillow.Image, second: Pillow.Image) -> float:
    """How far two pictures of one size are apart, on average of pixels and colours: 0 the same, 255 opposite."""
    assert first.size == second.size
    return sum(ImageStat.Stat(ImageChops.difference(first.convert("RGB"), second.convert("RGB"))).mean) / 3


@cache
def everything() -> Scene:
    """A page with every item and paint there is."""
    return Scene(area=Box(0, 0, 210, 250), items=(*_texts(), *_paints(), *_pictures(), *_groups(), *_lines()))


def _texts() -> tuple[Item, ...]:
    axial = AxialPaint(start=Point(60, 0), end=Point(130, 0), stops=RAINBOW, extend=Extend.BOTH)
    return (
        text("营业执照 Hello, 世界 𠮷 印章", 15, 20, 7),
        text("Bold 粗体字 and", 15, 30, 6, bold=True),
        text("Italic 斜体", 80, 30, 6, italic=True),
        text("HScale 窄", 130, 30, 6, horizontal_scale=0.6),
        text("旋转", 20, 40, 6, char_direction=90),
        text("Gradient 渐变", 60, 42, 9, fill=axial),
        text("Outline 描边", 140, 42, 8, fill=None, stroke=Stroke(paint=solid(0, 0, 1), width=0.2)),
    )


def _paints() -> tuple[Item, ...]:
    reflected = AxialPaint(
        start=Point(60, 50),
        end=Point(100, 75),
        stops=RAINBOW,
        extend=Extend.BOTH,
        map_type=MapType.REFLECT,
        map_unit=10,
    )
    ellipse = RadialPaint(
        start=Point(170, 62),
        end=Point(170, 62),
        start_radius=2,
        end_radius=15,
        stops=RAINBOW,
        extend=Extend.BOTH,
        eccentricity=0.8,
        angle=30,
    )
    corners = (Point(15, 80), Point(55, 80), Point(35, 105))
    colors = (Color.of(1, 0, 0), Color.of(0, 1, 0), Color.of(0, 0, 1, 0.3))
    mesh = MeshPaint(triangles=(Triangle(points=corners, colors=colors),), background=Color.of(0.9, 0.9, 0.9))
    cell = (PathItem(path=TRIANGLE, matrix=IDENTITY, fill=solid(0, 0.5, 0), origin=ORIGIN),)
    plain = PatternPaint(cell=cell, width=6, height=6, x_step=7, y_step=7, matrix=Matrix.translation(60, 80))
    mirrored = PatternPaint(
        cell=cell,
        width=6,
        height=6,
        x_step=6,
        y_step=6,
        reflect=Reflect.BOTH,
        matrix=Matrix.translation(105, 80),
    )
    turned = PatternPaint(cell=cell, width=6, height=6, x_step=6, y_step=6, matrix=Matrix(0.5, 0.2, -0.2, 0.5, 150, 80))
    seen_through = (rectangle((150, 80, 40, 25), turned), rectangle((160, 85, 10, 10), solid(1, 0, 0)))
    return (
        rectangle((15, 50, 40, 25), AxialPaint(start=Point(20, 0), end=Point(50, 0), stops=RAINBOW)),
        rectangle((60, 50, 40, 25), reflected),
        rectangle(
            (105, 50, 40, 25),
            AxialPaint(start=Point(105, 0), end=Point(145, 0), stops=FADING),
            stroke=Stroke(paint=solid(0, 0, 0, 0.5), width=2),
        ),
        rectangle((150, 50, 40, 25), ellipse),
        rectangle((15, 80, 40, 25), mesh),
        rectangle((60, 80, 40, 25), plain, stroke=Stroke(paint=BLACK)),
        rectangle((105, 80, 40, 25), mirrored),
        Group(items=seen_through, alpha=0.5, origin=ORIGIN),
    )


def _pictures() -> tuple[Item, ...]:
    def image(form: str, mode: str, matrix: Matrix, mask: bytes | None = None) -> ImageItem:
        shown = Image(name=f"{form}.{mode}", data=picture(form, mode))
        cover = None if mask is None else Image(name="mask", data=mask)
        return ImageItem(image=shown, mask=cover, matrix=matrix, origin=ORIGIN)

    return (
        image("PNG", "RGB", Matrix(30, 0, 0, 20, 15, 110)),
        image("PNG", "RGBA", Matrix(30, 0, 0, 20, 50, 110)),
        image("JPEG", "RGB", Matrix(30, 10, -5, 20, 90, 110)),
        image("GIF", "P", Matrix(30, 0, 0, 20, 125, 110)),
        image("BMP", "RGB", Matrix(30, 0, 0, 20, 160, 110), gray_mask()),
        image("TIFF", "L", Matrix(15, 0, 0, 10, 160, 132)),
        ImageItem(
            image=Image(name="scan.jb2", data=jbig2_picture()), matrix=Matrix(15, 0, 0, 10, 178, 132), origin=ORIGIN
        ),
    )


def _groups() -> tuple[Item, ...]:
    square = ClipArea(path=Box(92, 142, 20, 20).path(), matrix=IDENTITY)
    first, *others = reversed(Box(102, 152, 30, 20).corners())
    backwards = (("M", tuple(first)), *(("L", tuple(corner)) for corner in others), ("Z", ()))
    union = Clip(
        areas=(
            square,
            ClipArea(path=backwards, matrix=IDENTITY),
            ClipArea(text=text("并", 130, 175, 20), matrix=IDENTITY),
        )
    )
    radial = RadialPaint(
        start=Point(90, 220), end=Point(110, 220), start_radius=0, end_radius=20, stops=FADING, extend=Extend.NONE
    )
    half = Group(items=(rectangle((70, 200, 60, 40), radial),), alpha=0.7, origin=ORIGIN)
    turned = ClipArea(path=Box(75, 203, 50, 35).path(), matrix=Matrix(cos(0.2), sin(0.2), -sin(0.2), cos(0.2), 45, -15))
    rainbow = AxialPaint(start=Point(90, 0), end=Point(150, 0), stops=RAINBOW)
    return (
        rectangle((15, 140, 60, 30), solid(1, 1, 0)),
        clipped(
            ClipArea(text=text("裁剪CLIP", 15, 165, 18), matrix=IDENTITY),
            rectangle((10, 135, 80, 50), solid(0, 0, 1)),
        ),
        clipped(union, rectangle((90, 140, 60, 40), rainbow)),
        rectangle((155, 145, 30, 20), solid(0, 1, 1)),
        Group(items=(rectangle((165, 150, 30, 20), solid(1, 1, 0)),), blend=BlendMode.MULTIPLY, origin=ORIGIN),
        clipped(turned, half),
    )


def _lines() -> tuple[Item, ...]:
    rainbow = AxialPaint(start=Point(15, 0), end=Point(100, 0), stops=RAINBOW, extend=Extend.BOTH)
    wave = (("M", (15.0, 185.0)), ("C", (30.0, 175.0, 40.0, 205.0, 60.0, 190.0)), ("Q", (80.0, 170.0, 100.0, 195.0)))
    corner = (("M", (110.0, 185.0)), ("L", (190.0, 185.0)), ("L", (150.0, 195.0)))
    star = tuple(
        ("L" if index else "M", point)
        for index, point in enumerate(((20.0, 205.0), (60.0, 205.0), (25.0, 230.0), (40.0, 195.0), (55.0, 230.0)))
    )
    dashed = Stroke(paint=BLACK, width=1, dash=(4, 2), dash_offset=1, join=Join.ROUND)
    return (
        PathItem(path=wave, matrix=IDENTITY, stroke=Stroke(paint=rainbow, width=3, cap=Cap.ROUND), origin=ORIGIN),
        PathItem(path=corner, matrix=IDENTITY, stroke=dashed, origin=ORIGIN),
        PathItem(path=(*star, ("Z", ())), matrix=IDENTITY, even_odd=True, fill=solid(0.5, 0, 0.5), origin=ORIGIN),
    )
