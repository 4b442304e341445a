"""A page as it is painted: a list of items, all inheritance, look-ups and defaults of OFD resolved.

The interpreter (:mod:`ofd.draw.interpret`) makes it from the model, the writers (:mod:`ofd.draw.svg`,
:mod:`ofd.draw.pdf`) paint it. Items are painted in order. Each has a matrix that leads from its own space to the page's
(millimetres, y downward), and says which object of which part it comes from, so that a picture can mark what is not
signed.
"""

from dataclasses import dataclass
from enum import StrEnum

from ofd.fonts.faces import FontFace
from ofd.geometry import IDENTITY, Box, Matrix, PathCommand, Point

__all__ = [
    "AxialPaint",
    "BlendMode",
    "Cap",
    "Clip",
    "ClipArea",
    "Color",
    "Extend",
    "Glyph",
    "Group",
    "Image",
    "ImageItem",
    "Item",
    "Join",
    "MapType",
    "MeshPaint",
    "Origin",
    "OriginKind",
    "Paint",
    "PathItem",
    "PatternPaint",
    "RadialPaint",
    "Reflect",
    "Scene",
    "SolidPaint",
    "Stop",
    "Stroke",
    "TextItem",
    "Triangle",
]


class OriginKind(StrEnum):
    """Which part of the document an item was drawn by."""

    PAGE = "page"
    TEMPLATE = "template"
    ANNOTATION = "annotation"
    SEAL = "seal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an item comes from."""

    kind: OriginKind
    part: str
    """Entry name of the file it stands in; of SignedValue.dat for a seal."""
    object_id: str = ""
    """``@ID`` of the object as written; of the StampAnnot for a seal."""
    used: tuple[str, ...] = ()
    """Entry names of the resources, fonts and media it is drawn with."""


class Color(tuple[float, float, float, float]):
    """Red, green, blue and opacity in sRGB, each 0 to 1."""

    __slots__ = ()

    @classmethod
    def of(cls, red: float, green: float, blue: float, alpha: float = 1) -> "Color":
        """A colour; values outside 0 to 1 are cut off."""
        return cls(min(max(value, 0.0), 1.0) for value in (red, green, blue, alpha))


class Cap(StrEnum):
    """End of a line."""

    BUTT = "Butt"
    ROUND = "Round"
    SQUARE = "Square"


class Join(StrEnum):
    """Corner of a line."""

    MITER = "Miter"
    ROUND = "Round"
    BEVEL = "Bevel"


class MapType(StrEnum):
    """How a gradient goes on inside its own length: ``MapType``."""

    DIRECT = "Direct"
    REPEAT = "Repeat"
    REFLECT = "Reflect"


class Extend(StrEnum):
    """On which sides a gradient goes on with its last colour."""

    NONE = "0"
    START = "1"
    END = "2"
    BOTH = "3"


class Reflect(StrEnum):
    """How cells of a pattern are mirrored: ``ReflectMethod``."""

    NORMAL = "Normal"
    ROW = "Row"
    COLUMN = "Column"
    BOTH = "RowAndColumn"


class BlendMode(StrEnum):
    """How a group meets what lies below it; the names are CSS's."""

    NORMAL = "normal"
    MULTIPLY = "multiply"
    SCREEN = "screen"
    OVERLAY = "overlay"
    DARKEN = "darken"
    LIGHTEN = "lighten"
    COLOR_DODGE = "color-dodge"
    COLOR_BURN = "color-burn"
    HARD_LIGHT = "hard-light"
    SOFT_LIGHT = "soft-light"
    DIFFERENCE = "difference"
    EXCLUSION = "exclusion"


@dataclass(frozen=True, slots=True, kw_only=True)
class SolidPaint:
    """One colour."""

    color: Color


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A colour on the way of a gradient."""

    position: float
    """0 at the start, 1 at the end."""
    color: Color


@dataclass(frozen=True, slots=True, kw_only=True)
class AxialPaint:
    """AxialShd: along a line."""

    start: Point
    end: Point
    stops: tuple[Stop, ...]
    """At least two, sorted, the first at 0 and the last at 1."""
    map_type: MapType = MapType.DIRECT
    map_unit: float | None = None
    """Length after which Repeat and Reflect start again, in the item's space; the whole line when left out."""
    extend: Extend = Extend.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class RadialPaint:
    """RadialShd: between two circles, or ellipses."""

    start: Point
    end: Point
    start_radius: float
    end_radius: float
    stops: tuple[Stop, ...]
    """As in :class:`AxialPaint`."""
    eccentricity: float = 0
    """0 a circle, below 1."""
    angle: float = 0
    """Of the ellipse's long axis to the x axis, degrees."""
    map_type: MapType = MapType.DIRECT
    map_unit: float | None = None
    extend: Extend = Extend.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Triangle:
    """Three corners, each with its colour."""

    points: tuple[Point, Point, Point]
    colors: tuple[Color, Color, Color]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshPaint:
    """GouraudShd and LaGouraudShd: colours blended inside triangles."""

    triangles: tuple[Triangle, ...]
    background: Color | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternPaint:
    """Pattern: a cell repeated in both directions."""

    cell: "tuple[Item, ...]"
    """In the cell's space."""
    width: float
    height: float
    x_step: float
    y_step: float
    reflect: Reflect = Reflect.NORMAL
    matrix: Matrix = IDENTITY
    """From the cell's space to the item's own, or to the page's when ``relative_to_page``."""
    relative_to_page: bool = False


Paint = SolidPaint | AxialPaint | RadialPaint | MeshPaint | PatternPaint


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """A line's pen, lengths in the item's space."""

    paint: Paint
    width: float = 0.353
    """0 is one dot of the device, whatever the item's matrix."""
    cap: Cap = Cap.BUTT
    join: Join = Join.MITER
    miter_limit: float = 4.234
    dash: tuple[float, ...] = ()
    dash_offset: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PathItem:
    """A figure."""

    path: tuple[PathCommand, ...]
    matrix: Matrix
    fill: Paint | None = None
    stroke: Stroke | None = None
    even_odd: bool = False
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Glyph:
    """One glyph of a text."""

    index: int
    """Glyph number in the face; 0 when nothing can be drawn."""
    x: float
    y: float
    """Origin of the glyph in the item's space."""
    text: str
    """The characters it stands for; empty for the further glyphs of one cluster."""
    face: FontFace | None = None
    """A face other than the item's, for characters that the item's face lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextItem:
    """Text of one font and size, each glyph where the document puts it."""

    face: FontFace
    size: float
    """1 em in the item's space."""
    glyphs: tuple[Glyph, ...]
    matrix: Matrix
    horizontal_scale: float = 1
    """HScale."""
    char_direction: int = 0
    """Degrees by which each glyph is turned about its origin, clockwise: 0, 90, 180 or 270."""
    bold: bool = False
    """The document asks for more weight than the face has: thicken it."""
    italic: bool = False
    """The document asks for a slant that the face has not: slant it."""
    fill: Paint | None = None
    stroke: Stroke | None = None
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """The octets of a picture. Equal by identity of ``name``: a writer embeds it once."""

    name: str
    """Entry name, or another name that is unique in the document."""
    data: bytes
    """As stored: PNG, JPEG, BMP, GIF, TIFF or JBIG2, whatever the file name says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageItem:
    """A picture in the unit square, its first row at the top."""

    image: Image
    mask: Image | None = None
    """ImageMask: where its picture is dark, the item is see-through."""
    matrix: Matrix
    """From the unit square to the page."""
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipArea:
    """A figure or text inside which painting shows."""

    path: tuple[PathCommand, ...] = ()
    text: TextItem | None = None
    matrix: Matrix
    even_odd: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """Areas that unite; several clips of a group intersect."""

    areas: tuple[ClipArea, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Items that are clipped, or made see-through, together."""

    items: "tuple[Item, ...]"
    clips: tuple[Clip, ...] = ()
    alpha: float = 1
    blend: BlendMode = BlendMode.NORMAL
    origin: Origin


Item = PathItem | TextItem | ImageItem | Group


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One page."""

    area: Box
    """The part of the page that is shown, in page space; of a whole page its top left is 0, 0."""
    items: tuple[Item, ...]
    warnings: tuple[str, ...] = ()
    """What could not be drawn as the document says, one English sentence each."""
