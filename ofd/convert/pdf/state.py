"""The graphics state of a content stream (ISO 32000-2 §8.4), and where painted items go."""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field

import pikepdf

from ofd.convert.pdf.colors import GRAY, ColorSpace
from ofd.convert.pdf.fonts import Font
from ofd.draw.scene import BlendMode, Cap, Clip, ClipArea, Group, Item, Join, Origin, TextItem
from ofd.geometry import Box, Matrix

__all__ = ["Clipping", "Ink", "Sink", "SoftMask", "State", "TextState"]

_MARGIN = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Ink:
    """The colour that fills or strokes."""

    space: ColorSpace = GRAY
    values: tuple[float, ...] = (0.0,)
    pattern: pikepdf.Object | None = None
    resources: pikepdf.Object | None = None
    """Where the pattern's colour space may be named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftMask:
    """A soft mask of the graphics state."""

    source: pikepdf.Object
    matrix: Matrix
    """User space, when it was set, to the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clipping:
    """What is clipped: one upright rectangle, and other figures, all in page space."""

    box: Box
    others: tuple[Clip, ...] = ()

    def within(self, box: Box) -> "Clipping":
        """Clipped by a rectangle as well."""
        left, top = max(self.box.x, box.x), max(self.box.y, box.y)
        right, bottom = min(self.box.right, box.right), min(self.box.bottom, box.bottom)
        return Clipping(box=Box(left, top, max(right - left, 0.0), max(bottom - top, 0.0)), others=self.others)

    def and_clip(self, clip: Clip) -> "Clipping":
        """Clipped by a figure as well."""
        return Clipping(box=self.box, others=(*self.others, clip))

    @property
    def is_empty(self) -> bool:
        """Nothing shows any more."""
        return self.box.width <= 0 or self.box.height <= 0

    def clips(self, area: Box) -> tuple[Clip, ...]:
        """Clips of a group; the rectangle only where it is smaller than the page."""
        box = self.box
        whole = (
            box.x <= area.x + _MARGIN
            and box.y <= area.y + _MARGIN
            and box.right >= area.right - _MARGIN
            and box.bottom >= area.bottom - _MARGIN
        )
        if whole:
            return self.others
        return (Clip(areas=(ClipArea(path=box.path(), matrix=Matrix()),)), *self.others)


@dataclass(slots=True, kw_only=True)
class TextState:
    """Text state parameters (§9.3)."""

    font: Font | None = None
    size: float = 0
    char_spacing: float = 0
    word_spacing: float = 0
    scale: float = 1
    leading: float = 0
    rise: float = 0
    mode: int = 0


@dataclass(slots=True, kw_only=True)
class State:
    """What ``q`` saves and ``Q`` brings back."""

    matrix: Matrix
    """User space to page space in millimetres, y downward."""
    clipping: Clipping
    fill: Ink = field(default_factory=Ink)
    stroke: Ink = field(default_factory=Ink)
    line_width: float = 1
    cap: Cap = Cap.BUTT
    join: Join = Join.MITER
    miter_limit: float = 10
    dash: tuple[float, ...] = ()
    dash_offset: float = 0
    fill_alpha: float = 1
    stroke_alpha: float = 1
    blend: BlendMode = BlendMode.NORMAL
    soft_mask: SoftMask | None = None
    text: TextState = field(default_factory=TextState)

    def saved(self) -> "State":
        """A copy to come back to."""
        other = copy(self)
        other.text = copy(self.text)
        return other


class Sink:
    """Takes painted items in order; neighbours under the same clips become one group."""

    def __init__(self, area: Box, origin: Origin) -> None:
        """Take the page's area and the origin that groups get."""
        self.area = area
        """Beyond which nothing shows."""
        self.origin = origin
        """Of the groups made here."""
        self._items: list[tuple[Clipping, Item]] = []
        self._unseen: list[TextItem] = []

    def add(self, item: Item, state: State) -> None:
        """Paint an item under the clips and the blend mode of a state."""
        if isinstance(item, TextItem) and item.fill is None and item.stroke is None:
            self._unseen.append(item)
            return
        if state.clipping.is_empty:
            return
        if state.blend is not BlendMode.NORMAL:
            item = Group(items=(item,), blend=state.blend, origin=self.origin)
        self._items.append((state.clipping, item))

    def items(self) -> tuple[Item, ...]:
        """All items, grouped by their clips. Text that does not show comes first.

        Scanned pages have such text to be searched; below the scan it is hidden even by readers that paint all text.
        """
        return (*self._unseen, *self._grouped())

    def texts(self) -> Iterator[TextItem]:
        """The texts alone, also those inside groups."""
        yield from self._unseen
        yield from _texts([item for _, item in self._items])

    def _grouped(self) -> Iterator[Item]:
        held: list[Item] = []
        current: Clipping | None = None
        for clipping, item in self._items:
            if current is not None and clipping is not current and clipping != current:
                yield from self._group(current, held)
                held = []
            current = clipping
            held.append(item)
        if current is not None:
            yield from self._group(current, held)

    def _group(self, clipping: Clipping, items: list[Item]) -> Iterator[Item]:
        clips = clipping.clips(self.area)
        if clips:
            yield Group(items=tuple(items), clips=clips, origin=self.origin)
        else:
            yield from items


def _texts(items: "list[Item] | tuple[Item, ...]") -> Iterator[TextItem]:
    for item in items:
        if isinstance(item, TextItem):
            yield item
        elif isinstance(item, Group):
            yield from _texts(item.items)
