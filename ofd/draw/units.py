"""One object while it is drawn: its place, its draw parameters, its paints and pen, and how it is clipped."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from ofd.draw.bounds import bounds_of_all
from ofd.draw.paints import PaintMixer, with_alpha
from ofd.draw.scene import (
    BlendMode,
    Cap,
    Clip,
    ClipArea,
    Group,
    Item,
    Join,
    Origin,
    OriginKind,
    Paint,
    PatternPaint,
    Stroke,
)
from ofd.geometry import Box, Matrix
from ofd.model import objects as model
from ofd.model.lookup import Lookup
from ofd.model.objects import Color
from ofd.model.resources import DrawParam

__all__ = ["LINE_WIDTH", "Host", "Place", "Unit", "dash_of", "is_even_odd"]

LINE_WIDTH = 0.353
"""Millimetres, when nothing else is written."""
_MITER_LIMIT = 4.234
_FULL = 255.0
_FARTHEST = 1e8
_FLATTEST = 1e-15


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where objects are drawn: what surrounds them decides."""

    matrix: Matrix
    lookup: Lookup
    kind: OriginKind
    part: str
    inherited: tuple[DrawParam, ...] = ()
    """Draw parameters of the layer and of composites around, the nearest first."""
    object_id: str | None = None
    """Of the composite on the page that everything here comes from."""
    used: tuple[str, ...] = ()
    composites: frozenset[tuple[str, str]] = frozenset()
    depth: int = 0


class Host(Protocol):
    """What draws the page."""

    @property
    def default_space(self) -> str | None:
        """ID of the document's DefaultCS."""

    def read(self, name: str) -> bytes:
        """The content of an entry."""

    def warn(self, sentence: str) -> None:
        """Note what cannot be drawn as written."""

    def cell(self, objects: Sequence[model.PageObject], place: "Place") -> tuple[Item, ...]:
        """The content of a pattern's cell, in the cell's own space."""

    def clips(self, clips: Sequence[model.Clip], unit: "Unit") -> tuple[Clip, ...]:
        """The clips of an object."""


class Unit:
    """One object while it is drawn: its place, its draw parameters, and what it was drawn with."""

    def __init__(self, painter: Host, item: model.GraphicUnit, place: Place) -> None:
        self.item = item
        self.place = place
        self.used: list[str] = []
        self._painter = painter
        box = item.boundary
        self.translation = place.matrix if box is None else Matrix.translation(box.x, box.y).then(place.matrix)
        self.matrix = self.translation if item.ctm is None else item.ctm.then(self.translation)
        own = place.lookup.draw_params(item.draw_param)
        if item.draw_param and not own:
            painter.warn(f"The draw parameter {item.draw_param} is missing.")
        self.params: tuple[DrawParam, ...] = own + place.inherited
        self.used += [param.part for param in self.params]
        self._alpha = 1.0 if item.alpha is None else min(max(item.alpha / _FULL, 0.0), 1.0)

    @property
    def is_drawable(self) -> bool:
        """Whether the object's space is neither flattened nor stretched beyond what can be reckoned with."""
        within = all(abs(value) <= _FARTHEST for value in self.matrix)
        return within and abs(self.matrix.determinant) > _FLATTEST

    def origin(self) -> Origin:
        """Where what is drawn comes from."""
        place = self.place
        return Origin(
            kind=place.kind,
            part=place.part,
            object_id=self.item.id if place.object_id is None else place.object_id,
            used=tuple(dict.fromkeys((*place.used, *self.used))),
        )

    def paint(self, color: Color) -> Paint | None:
        """The paint of a colour of this object."""
        mixer = PaintMixer(
            lookup=self.place.lookup,
            default_space=self._painter.default_space,
            read=self._painter.read,
            draw=lambda objects, _: self._painter.cell(objects, self.place),
            warn=self._painter.warn,
        )
        paint = mixer.paint(color)
        self.used += mixer.used
        if isinstance(paint, PatternPaint):
            self.used += _used_in(paint.cell)
        return paint

    def fade(self, paint: Paint) -> Paint:
        """The object's Alpha put into the paint, where that can be."""
        faded = with_alpha(paint, self._alpha)
        if faded is None:
            return paint
        self._alpha = 1
        return faded

    @property
    def line_width(self) -> float:
        """LineWidth; 0 is the thinnest line there is, one dot wide (GB/T 33190-2016 §8.2)."""
        width = self._first(self.item.line_width, "line_width")
        return LINE_WIDTH if width is None else max(width, 0.0)

    def stroke(self, paint: Paint) -> Stroke:
        """The pen."""
        item = self.item
        cap = item.cap or next((p.cap for p in self.params if p.cap), None)
        join = item.join or next((p.join for p in self.params if p.join), None)
        dash = item.dash_pattern
        if dash is None:
            dash = next((p.dash_pattern for p in self.params if p.dash_pattern is not None), None)
        miter = self._first(item.miter_limit, "miter_limit")
        return Stroke(
            paint=paint,
            width=self.line_width,
            cap=next((member for member in Cap if member.lower() == (cap or "").lower()), Cap.BUTT),
            join=next((member for member in Join if member.lower() == (join or "").lower()), Join.MITER),
            miter_limit=_MITER_LIMIT if miter is None else max(miter, 1.0),
            dash=dash_of(dash),
            dash_offset=self._first(item.dash_offset, "dash_offset") or 0,
        )

    def finish(self, drawn: list[Item], slack: float) -> list[Item]:
        """What was drawn, in a group when it is clipped, see-through or blended as a whole."""
        if not drawn:
            return drawn
        clips = [*self._boundary_clip(drawn, slack)]
        if self.item.clips:
            clips += self._painter.clips(self.item.clips, self)
        blend = next((mode for mode in BlendMode if mode == _plain(self.item.blend_mode)), BlendMode.NORMAL)
        if not clips and self._alpha == 1 and blend is BlendMode.NORMAL:
            return drawn
        group = Group(items=tuple(drawn), clips=tuple(clips), alpha=self._alpha, blend=blend, origin=self.origin())
        return [group]

    def _boundary_clip(self, drawn: Sequence[Item], slack: float) -> Iterator[Clip]:
        box = self.item.boundary
        ink = bounds_of_all(drawn)
        scale = self.place.matrix.scale
        if box is None or ink is None or not scale:
            return
        margin = slack / scale
        limit = Box(-margin, -margin, box.width + 2 * margin, box.height + 2 * margin)
        reach = self.translation.box(limit)
        upright = not (self.translation.b or self.translation.c)
        inside = reach.x <= ink.x and reach.y <= ink.y and ink.right <= reach.right and ink.bottom <= reach.bottom
        if not (upright and inside):
            yield Clip(areas=(ClipArea(path=limit.path(), matrix=self.translation),))

    def _first(self, own: float | None, name: str) -> float | None:
        """What the object says, or the nearest of its draw parameters."""
        if own is not None:
            return own
        values: chain[float | None] = chain(getattr(param, name) for param in self.params)
        return next((value for value in values if value is not None), None)


def _used_in(items: Sequence[Item]) -> Iterator[str]:
    """What the cell of a pattern is drawn with."""
    for item in items:
        yield from item.origin.used
        if isinstance(item, Group):
            yield from _used_in(item.items)


def dash_of(pattern: Sequence[float] | None) -> tuple[float, ...]:
    """A dash pattern; one that would draw nothing, or for ever, is none."""
    if not pattern or min(pattern) < 0 or sum(pattern) <= 0:
        return ()
    return tuple(pattern)


def is_even_odd(rule: str | None) -> bool:
    """Whether a Rule means the even-odd one, however it is spelt."""
    return (rule or "").replace("-", "").lower() == "evenodd"


def _plain(mode: str | None) -> str:
    """A blend mode as CSS names it: ``ColorDodge`` and ``color_dodge`` are ``color-dodge``."""
    if not mode:
        return BlendMode.NORMAL
    text = mode.strip().replace("_", "").replace("-", "").replace(" ", "").lower()
    return next((member.value for member in BlendMode if member.value.replace("-", "") == text), BlendMode.NORMAL)
