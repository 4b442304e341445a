"""From the colours of the model to paints: colour spaces, palettes, gradients, meshes and patterns.

GB/T 33190-2016 §8.3. CMYK is turned into RGB as readers in the field do, unless its colour space has a profile.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from ofd.draw.profiles import by_profile
from ofd.draw.scene import (
    AxialPaint,
    Color,
    Extend,
    Item,
    MapType,
    MeshPaint,
    Paint,
    PatternPaint,
    RadialPaint,
    Reflect,
    SolidPaint,
    Stop,
    Triangle,
)
from ofd.geometry import IDENTITY, Point
from ofd.model import objects
from ofd.model.lookup import Lookup
from ofd.model.objects import PageObject
from trustcore.errors import TrustError

__all__ = ["BLACK", "PaintMixer", "choose", "with_alpha"]

BLACK = Color.of(0, 0, 0)
_ENOUGH = {"GRAY": 1, "RGB": 3, "CMYK": 4}
_SPACES = {1: "GRAY", 3: "RGB", 4: "CMYK"}
_OPAQUE = 255.0
_Choice = TypeVar("_Choice", MapType, Extend, Reflect)

Draw = Callable[[Sequence[PageObject], Lookup], tuple[Item, ...]]
"""Draws the cell of a pattern in its own space."""
Warn = Callable[[str], None]


def choose(kind: type[_Choice], value: str | None, default: _Choice) -> _Choice:
    """The member of an enumeration that an attribute names, whatever its case."""
    if value is None:
        return default
    return next((member for member in kind if member.value.lower() == value.strip().lower()), default)


def with_alpha(paint: Paint, alpha: float) -> Paint | None:
    """The paint, more see-through by a factor; nothing when that cannot be said in the paint."""
    if alpha >= 1:
        return paint
    match paint:
        case SolidPaint():
            return SolidPaint(color=_faded(paint.color, alpha))
        case AxialPaint() | RadialPaint():
            return replace(paint, stops=tuple(replace(s, color=_faded(s.color, alpha)) for s in paint.stops))
        case _:
            return None


class PaintMixer:
    """Makes paints with the resources of a page or template."""

    def __init__(
        self, *, lookup: Lookup, default_space: str | None, read: Callable[[str], bytes], draw: Draw, warn: Warn
    ) -> None:
        """Mix with these.

        Args:
            lookup: where colour spaces are found.
            default_space: ID of the document's DefaultCS.
            read: gives the content of an entry.
            draw: draws the cells of patterns.
            warn: takes a sentence for what cannot be painted as written.
        """
        self._lookup = lookup
        self._default_space = default_space
        self._read = read
        self._draw = draw
        self._warn = warn
        self.used: list[str] = []
        """Entry names of the resource files that were needed."""

    def paint(self, color: objects.Color) -> Paint | None:
        """The paint of a CT_Color; nothing when it paints nothing."""
        alpha = _alpha(color.alpha)
        shading = color.shading
        match shading:
            case None:
                return SolidPaint(color=self.solid(color))
            case objects.AxialShading() | objects.RadialShading():
                return self._gradient(shading, alpha)
            case objects.GouraudShading() | objects.LatticeShading():
                return self._mesh(shading, alpha)
            case objects.Pattern():
                return self._pattern(shading)

    def solid(self, color: objects.Color, alpha: float = 1) -> Color:
        """A plain colour; black when it says nothing."""
        alpha *= _alpha(color.alpha)
        space = self._space(color)
        value = color.value
        kind, largest = ("RGB", _OPAQUE) if space is None else (space.type, float(2**space.bits_per_component - 1))
        if value is None and color.index is not None:
            palette = () if space is None else space.palette
            if 0 <= color.index < len(palette):
                value = palette[color.index]
            else:
                self._warn("A colour's index is not in the palette; it is drawn black.")
        if not value:
            return Color.of(0, 0, 0, alpha)
        if len(value) != _ENOUGH.get(kind):
            self._warn("A colour has another number of components than its colour space.")
            kind = _SPACES.get(len(value)) or ("CMYK" if len(value) > 4 else "GRAY")
        parts = [min(max(item / largest, 0), 1) for item in value]
        if space is not None and space.profile and kind == space.type:
            found = self._by_profile(space.profile, kind, parts)
            if found is not None:
                return Color.of(*found, alpha)
        if kind == "GRAY":
            return Color.of(parts[0], parts[0], parts[0], alpha)
        if kind == "RGB":
            return Color.of(parts[0], parts[1], parts[2], alpha)
        light = 1 - parts[3]
        return Color.of((1 - parts[0]) * light, (1 - parts[1]) * light, (1 - parts[2]) * light, alpha)

    def _space(self, color: objects.Color) -> objects.ColorSpace | None:
        space = self._lookup.color_space(color.color_space or self._default_space)
        if space is not None:
            self.used += [space.part, *([space.profile] if space.profile else [])]
        elif color.color_space:
            self._warn("A colour space is missing; the colour is taken by the number of its components.")
            count = len(color.value or ())
            return objects.ColorSpace(id=color.color_space, type=_SPACES.get(count, "RGB"))
        return space

    def _by_profile(self, name: str, kind: str, parts: Sequence[float]) -> tuple[float, float, float] | None:
        try:
            found = by_profile(self._read(name), kind, parts)
        except TrustError:
            found = None
        if found is None:
            self._warn(f"The colour profile {name} cannot be used.")
        return found

    def _stops(self, segments: Sequence[objects.Segment], alpha: float) -> tuple[Stop, ...]:
        last = max(len(segments) - 1, 1)
        stops = [
            Stop(
                position=min(max(index / last if item.position is None else item.position, 0.0), 1.0),
                color=self.solid(item.color, alpha),
            )
            for index, item in enumerate(segments)
        ]
        stops.sort(key=lambda stop: stop.position)
        if stops and stops[0].position > 0:
            stops.insert(0, Stop(position=0, color=stops[0].color))
        if stops and stops[-1].position < 1:
            stops.append(Stop(position=1, color=stops[-1].color))
        return tuple(stops)

    def _gradient(self, shading: objects.AxialShading | objects.RadialShading, alpha: float) -> Paint | None:
        stops = self._stops(shading.segments, alpha)
        if len(stops) < 2:
            self._warn("A gradient has no colours.")
            return None
        map_type = choose(MapType, shading.map_type, MapType.DIRECT)
        extend = choose(Extend, shading.extend, Extend.NONE)
        unit = shading.map_unit if shading.map_unit is not None and shading.map_unit > 0 else None
        if isinstance(shading, objects.AxialShading):
            if shading.start == shading.end:
                self._warn("A gradient begins where it ends; its last colour is painted.")
                return SolidPaint(color=stops[-1].color)
            return AxialPaint(
                start=shading.start, end=shading.end, stops=stops, map_type=map_type, map_unit=unit, extend=extend
            )
        return RadialPaint(
            start=shading.start,
            end=shading.end,
            start_radius=max(shading.start_radius, 0),
            end_radius=max(shading.end_radius, 0),
            stops=stops,
            eccentricity=min(max(shading.eccentricity, 0), 0.999),
            angle=shading.angle,
            map_type=map_type,
            map_unit=unit,
            extend=extend,
        )

    def _mesh(self, shading: objects.GouraudShading | objects.LatticeShading, alpha: float) -> Paint | None:
        corners = [(Point(item.x, item.y), self.solid(item.color, alpha)) for item in shading.points]
        if isinstance(shading, objects.GouraudShading):
            chosen = _by_edges([item.edge_flag for item in shading.points])
        else:
            chosen = _by_rows(len(corners), shading.vertices_per_row)
        triangles = tuple(
            Triangle(
                points=(corners[a][0], corners[b][0], corners[c][0]),
                colors=(corners[a][1], corners[b][1], corners[c][1]),
            )
            for a, b, c in chosen
        )
        background = None if shading.back_color is None else self.solid(shading.back_color, alpha)
        if not triangles:
            self._warn("A mesh has no triangles.")
            return None if background is None else SolidPaint(color=background)
        return MeshPaint(triangles=triangles, background=background)

    def _pattern(self, pattern: objects.Pattern) -> Paint | None:
        if pattern.width <= 0 or pattern.height <= 0:
            self._warn("A pattern has no size.")
            return None
        cell = self._draw(pattern.cell, self._lookup)
        if not cell:
            return None
        relative = (pattern.relative_to or "Object").strip().lower() == "page"
        return PatternPaint(
            cell=cell,
            width=pattern.width,
            height=pattern.height,
            x_step=pattern.x_step if pattern.x_step is not None and pattern.x_step > 0 else pattern.width,
            y_step=pattern.y_step if pattern.y_step is not None and pattern.y_step > 0 else pattern.height,
            reflect=choose(Reflect, pattern.reflect_method, Reflect.NORMAL),
            matrix=pattern.ctm or IDENTITY,
            relative_to_page=relative,
        )


def _alpha(value: float | None) -> float:
    return 1.0 if value is None else min(max(value / _OPAQUE, 0.0), 1.0)


def _faded(color: Color, alpha: float) -> Color:
    red, green, blue, opacity = color
    return Color.of(red, green, blue, opacity * alpha)


def _by_edges(flags: Sequence[int]) -> list[tuple[int, int, int]]:
    """Corners of the triangles of a free mesh: flag 1 goes on from the last edge, 2 from the one across."""
    triangles: list[tuple[int, int, int]] = []
    index = 0
    while index < len(flags):
        if flags[index] in {1, 2} and triangles:
            a, b, c = triangles[-1]
            triangles.append((b if flags[index] == 1 else a, c, index))
            index += 1
        elif index + 2 < len(flags):
            triangles.append((index, index + 1, index + 2))
            index += 3
        else:
            break
    return triangles


def _by_rows(count: int, width: int) -> list[tuple[int, int, int]]:
    """Corners of the triangles of a grid: two for each cell."""
    if width < 2:
        return []
    triangles: list[tuple[int, int, int]] = []
    for row in range(count // width - 1):
        for column in range(width - 1):
            a = row * width + column
            triangles += [(a, a + 1, a + width), (a + 1, a + width, a + width + 1)]
    return triangles
