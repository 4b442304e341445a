"""What stands on a page, and what it is painted with (GB/T 33190-2016 §7.7, §8 to §13).

Texts, figures, pictures, composites and blocks of them; colours, patterns and shadings, which stand in one module with
them because the cell of a pattern is made of objects.

Attributes that are not written are ``None``: draw parameters may give them. IDs are kept as written; compare them by
:func:`ofd.model.reading.same_id`.
"""

from dataclasses import dataclass

from ofd.geometry import Box, Matrix, PathCommand, Point
from ofd.model.actions import Action
from ofd.model.path_data import parse_path

__all__ = [
    "AxialShading",
    "Block",
    "Border",
    "Clip",
    "ClipArea",
    "Color",
    "ColorSpace",
    "CompositeObject",
    "GlyphRun",
    "GouraudShading",
    "GraphicUnit",
    "ImageObject",
    "LatticeShading",
    "MeshPoint",
    "PageObject",
    "PathObject",
    "Pattern",
    "RadialShading",
    "Segment",
    "Shading",
    "TextCode",
    "TextObject",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColorSpace:
    """ColorSpace of a resource file."""

    id: str
    type: str
    """GRAY, RGB or CMYK, upper case."""
    bits_per_component: int = 8
    profile: str | None = None
    """Entry name of the ICC profile."""
    palette: tuple[tuple[float, ...], ...] = ()
    part: str = ""
    """Entry name of the resource file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A colour on the way of a gradient."""

    position: float | None
    color: "Color"


@dataclass(frozen=True, slots=True, kw_only=True)
class AxialShading:
    """AxialShd."""

    start: Point
    end: Point
    segments: tuple[Segment, ...]
    map_type: str | None = None
    map_unit: float | None = None
    extend: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RadialShading:
    """RadialShd."""

    start: Point
    end: Point
    start_radius: float
    end_radius: float
    segments: tuple[Segment, ...]
    eccentricity: float = 0
    angle: float = 0
    map_type: str | None = None
    map_unit: float | None = None
    extend: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshPoint:
    """A corner of a mesh."""

    x: float
    y: float
    edge_flag: int = 0
    color: "Color"


@dataclass(frozen=True, slots=True, kw_only=True)
class GouraudShading:
    """GouraudShd: triangles that share edges as EdgeFlag says."""

    points: tuple[MeshPoint, ...]
    back_color: "Color | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LatticeShading:
    """LaGouraudShd, in the schema LaGourandShd: a grid of points."""

    vertices_per_row: int
    points: tuple[MeshPoint, ...]
    back_color: "Color | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Pattern: a cell that is repeated."""

    width: float
    height: float
    x_step: float | None = None
    y_step: float | None = None
    reflect_method: str | None = None
    relative_to: str | None = None
    ctm: Matrix | None = None
    cell: "tuple[PageObject, ...]" = ()


Shading = AxialShading | RadialShading | GouraudShading | LatticeShading | Pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class Color:
    """CT_Color. What is not written is ``None``."""

    value: tuple[float, ...] | None = None
    """Components, 0 to 2^BitsPerComponent - 1."""
    index: int | None = None
    """Of the colour space's palette."""
    color_space: str | None = None
    alpha: float | None = None
    """0 to 255."""
    shading: Shading | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphicUnit:
    """CT_GraphicUnit: what all four kinds have in common."""

    id: str = ""
    boundary: Box | None = None
    name: str = ""
    visible: bool = True
    ctm: Matrix | None = None
    draw_param: str | None = None
    line_width: float | None = None
    cap: str | None = None
    join: str | None = None
    miter_limit: float | None = None
    dash_offset: float | None = None
    dash_pattern: tuple[float, ...] | None = None
    alpha: float | None = None
    """0 to 255."""
    blend_mode: str | None = None
    """``@BlendMode`` of OFD 1.2 writers."""
    clips: "tuple[Clip, ...]" = ()
    clips_follow: bool = True
    """``Clips@TransFlag`` of OFD 1.2 writers: whether CTM transforms the clips too."""
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GlyphRun:
    """CGTransform: glyphs that replace characters."""

    code_position: int
    code_count: int = 1
    glyph_count: int = 1
    glyphs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TextCode:
    """TextCode: characters and where they stand."""

    text: str
    """As written, blanks kept."""
    x: float | None = None
    y: float | None = None
    delta_x: tuple[float, ...] | None = None
    """``g`` expanded, never more values than characters follow the first."""
    delta_y: tuple[float, ...] | None = None
    glyph_runs: tuple[GlyphRun, ...] = ()
    """The CGTransforms that stand before this TextCode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextObject(GraphicUnit):
    """TextObject."""

    font: str = ""
    size: float = 0
    stroke: bool | None = None
    fill: bool | None = None
    h_scale: float | None = None
    read_direction: int = 0
    char_direction: int = 0
    weight: int | None = None
    italic: bool | None = None
    fill_color: Color | None = None
    stroke_color: Color | None = None
    codes: tuple[TextCode, ...] = ()

    @property
    def text(self) -> str:
        """All characters, as written."""
        return "".join(code.text for code in self.codes)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathObject(GraphicUnit):
    """PathObject."""

    stroke: bool | None = None
    fill: bool | None = None
    rule: str | None = None
    stroke_color: Color | None = None
    fill_color: Color | None = None
    data: str = ""
    """AbbreviatedData as written."""

    @property
    def path(self) -> tuple[PathCommand, ...]:
        """The figure; parsed each time."""
        return parse_path(self.data)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Border:
    """Border of a picture."""

    line_width: float | None = None
    horizontal_radius: float = 0
    vertical_radius: float = 0
    dash_offset: float | None = None
    dash_pattern: tuple[float, ...] | None = None
    color: Color | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageObject(GraphicUnit):
    """ImageObject."""

    resource: str = ""
    substitution: str | None = None
    image_mask: str | None = None
    border: Border | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeObject(GraphicUnit):
    """CompositeObject: shows a CompositeGraphicUnit of a resource file."""

    resource: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """PageBlock."""

    id: str = ""
    objects: "tuple[PageObject, ...]" = ()


PageObject = TextObject | PathObject | ImageObject | CompositeObject | Block


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipArea:
    """Area of a Clip: one figure or text."""

    shape: PathObject | TextObject
    draw_param: str | None = None
    ctm: Matrix | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """Clip: areas that unite; all clips of an object intersect."""

    areas: tuple[ClipArea, ...]
