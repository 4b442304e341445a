"""CT_Color and what stands in the place of a plain colour: patterns and shadings (GB/T 33190-2016 §8.3)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ofd.geometry import Matrix, Point

if TYPE_CHECKING:
    from ofd.model.objects import PageObject

__all__ = [
    "AxialShading",
    "Color",
    "ColorSpace",
    "GouraudShading",
    "LatticeShading",
    "MeshPoint",
    "Pattern",
    "RadialShading",
    "Segment",
    "Shading",
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
