"""Blocks measured for a width: fragments, each of which stands on one page whole."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol

from ofd.build.colors import Color
from ofd.build.layout_blocks import (
    Align,
    Block,
    ListBlock,
    Marker,
    PageBreak,
    Paragraph,
    Picture,
    Rule,
    Spacer,
    Table,
)
from ofd.build.layout_lines import Character, Line, Span, break_lines, characters
from ofd.draw.images import picture_size
from ofd.draw.scene import Color as SceneColor
from ofd.draw.scene import Glyph, Item, Origin, OriginKind, PathItem, SolidPaint, Stroke, TextItem
from ofd.fonts.faces import FontStack
from ofd.geometry import IDENTITY, PathCommand
from ofd.model.actions import Act
from trustcore.errors import RejectedError

__all__ = ["Fragment", "Measure", "Sheet", "filled_item", "line_item", "outline_item", "stack", "stack_height"]

_ORIGIN = Origin(kind=OriginKind.PAGE, part="layout")
_INCH_MM = 25.4
_SCREEN_DPI = 96
_UNDERLINE = 0.12
"""Below the baseline, and its width a third of that, in em."""
_DIGITS = "零一二三四五六七八九"


class Sheet(Protocol):
    """The page that fragments are drawn on."""

    def draw(self, item: Item) -> None:
        """Paint an item."""

    def image(self, data: bytes, box_mm: tuple[float, float, float, float]) -> None:
        """Place a picture."""

    def link(self, act: Act, box_mm: tuple[float, float, float, float]) -> None:
        """Have a click on a box do something."""

    def outline(self, level: int, title: str, y_mm: float) -> None:
        """Name this place in the document's outline."""


Draw = Callable[[Sheet, float, float], None]
"""Draws on a sheet, from a left top corner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """What stands on one page whole."""

    height: float
    draw: Draw
    before: float = 0
    """Space above, not at the top of a page."""
    after: float = 0
    keep: bool = False
    """Stand on the page of the next one."""
    new_page: bool = False
    header: "tuple[Fragment, ...]" = ()
    """What is repeated above it at the top of a page."""
    split: "Callable[[float], tuple[Fragment, Fragment] | None] | None" = None
    """Cut into one of at most a height and a rest, if that can be."""

    def moved(self, x: float) -> "Fragment":
        """The fragment further to the right."""

        def draw(sheet: Sheet, left: float, top: float) -> None:
            self.draw(sheet, left + x, top)

        def split(height: float) -> tuple[Fragment, Fragment] | None:
            pieces = None if self.split is None else self.split(height)
            return None if pieces is None else (pieces[0].moved(x), pieces[1].moved(x))

        header = tuple(item.moved(x) for item in self.header)
        return replace(self, draw=draw, header=header, split=None if self.split is None else split)


def stack_height(fragments: Sequence[Fragment]) -> float:
    """The height of fragments below each other, without the space above the first and below the last."""
    between = sum(one.after + other.before for one, other in pairwise(fragments))
    return sum(item.height for item in fragments) + between


def stack(sheet: Sheet, fragments: Sequence[Fragment], x: float, y: float) -> None:
    """Draw fragments below each other."""
    for at, item in enumerate(fragments):
        y += item.before if at else 0
        item.draw(sheet, x, y)
        y += item.height + item.after


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Turns blocks into fragments."""

    fonts: FontStack
    page_height: float
    """No fragment may be taller; pictures are made smaller."""
    table: "Callable[[Measure, Table, float], list[Fragment]]"
    """Measures tables."""

    def blocks(self, blocks: Sequence[Block], width: float) -> list[Fragment]:
        """The fragments of blocks, in order.

        Args:
            blocks: what is to be set.
            width: millimetres there are.

        Raises:
            RejectedError: ``ofd.layout.width``, ``ofd.layout.table-grid``, ``ofd.font.missing-glyph``,
                ``ofd.image.format``, ``ofd.image.too-large``.
            MalformedError: ``ofd.image.malformed``.
        """
        if width <= 0:
            raise RejectedError("There is no width to lay out text in.", code="ofd.layout.width")
        return [fragment for block in blocks for fragment in self._block(block, width)]

    def _block(self, block: Block, width: float) -> list[Fragment]:
        match block:
            case Paragraph():
                found = self._paragraph(block, width)
            case ListBlock():
                found = self._list(block, width)
            case Table():
                found = self.table(self, block, width)
            case Picture():
                found = [self._picture(block, width)]
            case Rule():
                found = [_rule(block, width)]
            case Spacer(height_mm=height):
                found = [Fragment(height=0, before=height, draw=_nothing)]
            case PageBreak():
                found = [Fragment(height=0, new_page=True, draw=_nothing)]
        return found

    def _paragraph(self, block: Paragraph, width: float) -> list[Fragment]:
        room = width - block.left_mm - block.right_mm
        if room <= 0:
            raise RejectedError("There is no width to lay out text in.", code="ofd.layout.width")
        indent = block.first_indent_em * block.size_mm
        lines = break_lines(
            characters(block.spans, size_mm=block.size_mm, fonts=self.fonts), width=room, first_indent=indent
        )
        last = len(lines) - 1
        # No line of a paragraph stands alone at the foot of a page or at the top of the next.
        return [
            Fragment(
                height=(line.size or block.size_mm) * block.line_height,
                draw=_line_drawer(block, line, room, indent if not at else 0, first=not at),
                before=0 if at else block.before_mm,
                after=block.after_mm if at == last else 0,
                keep=block.keep_with_next if at == last else at in {0, last - 1} or block.keep_with_next,
                new_page=block.page_break_before and not at,
            )
            for at, line in enumerate(lines)
        ]

    def _list(self, block: ListBlock, width: float) -> list[Fragment]:
        found: list[Fragment] = []
        for at, item in enumerate(block.items):
            fragments = [item.moved(block.indent_mm) for item in self.blocks(item, width - block.indent_mm)]
            if not fragments:
                continue
            label = _label(block.marker, block.start + at)
            spans = characters((Span(text=label),), size_mm=block.size_mm, fonts=self.fonts)
            (line,) = break_lines(spans, width=float("inf"))
            fragments[0] = _marked(fragments[0], line, block)
            found += fragments
        return found

    def _picture(self, block: Picture, width: float) -> Fragment:
        across, down = _picture_size(block, width)
        shrink = min(1.0, width / across, self.page_height / down)
        across, down = across * shrink, down * shrink

        def draw(sheet: Sheet, x: float, y: float) -> None:
            sheet.image(block.data, (x + _aligned(block.align, width - across), y, across, down))

        return Fragment(height=down, draw=draw, before=block.before_mm, after=block.after_mm, keep=block.keep_with_next)


def _line_drawer(block: Paragraph, line: Line, room: float, indent: float, *, first: bool) -> Draw:
    height = (line.size or block.size_mm) * block.line_height
    spare = 0.0 if block.align is Align.JUSTIFY else _aligned(block.align, room - indent - line.width)
    placed = list(line.places(room - indent, justify=block.align is Align.JUSTIFY))

    def draw(sheet: Sheet, x: float, y: float) -> None:
        if first and block.outline_level:
            sheet.outline(block.outline_level, block.text, y)
        _draw_characters(sheet, placed, x + block.left_mm + indent + spare, y, height)

    return draw


def _draw_characters(
    sheet: Sheet, placed: Sequence[tuple[Character, float]], x: float, y: float, height: float
) -> None:
    if not placed:
        return
    biggest = max((character for character, _ in placed), key=lambda item: item.size)
    baseline = y + _baseline(biggest, height)
    run: list[tuple[Character, float]] = []
    for character, place in placed:
        if run and (character.span is not run[0][0].span or character.size != run[0][0].size):
            _draw_run(sheet, run, x, baseline)
            run = []
        run.append((character, place))
    _draw_run(sheet, run, x, baseline)


def _baseline(character: Character, height: float) -> float:
    """Below the top of a line: what the face needs above and below is centred in the line's height."""
    face = character.fonts.face_for(character.text)
    size = character.size
    return (height - (face.ascent + face.descent) * size) / 2 + face.ascent * size


def _draw_run(sheet: Sheet, run: Sequence[tuple[Character, float]], x: float, baseline: float) -> None:
    head = run[0][0]
    span, size = head.span, head.size
    start, end = x + run[0][1], x + run[-1][1] + run[-1][0].width
    faces = [character.fonts.face_for(character.text) for character, _ in run]
    glyphs = tuple(
        Glyph(index=face.glyph(character.text), x=x + place, y=baseline, text=character.text, face=face)
        for face, (character, place) in zip(faces, run, strict=True)
    )
    fill = _paint(span.color)
    sheet.draw(
        TextItem(face=faces[0], size=size, glyphs=glyphs, matrix=IDENTITY, bold=span.bold, fill=fill, origin=_ORIGIN)
    )
    if span.underline:
        under = baseline + _UNDERLINE * size
        sheet.draw(line_item((start, under), (end, under), width=_UNDERLINE * size / 3, color=span.color))
    if span.link is not None:
        sheet.link(span.link, (start, baseline - size, end - start, size * 1.25))


def line_item(start: tuple[float, float], end: tuple[float, float], *, width: float, color: Color) -> PathItem:
    """A straight line."""
    return outline_item((("M", start), ("L", end)), width=width, color=color)


def outline_item(path: tuple[PathCommand, ...], *, width: float, color: Color) -> PathItem:
    """Lines of one colour."""
    return PathItem(path=path, matrix=IDENTITY, stroke=Stroke(paint=_paint(color), width=width), origin=_ORIGIN)


def filled_item(path: tuple[PathCommand, ...], color: Color) -> PathItem:
    """A figure of one colour."""
    return PathItem(path=path, matrix=IDENTITY, fill=_paint(color), origin=_ORIGIN)


def _rule(block: Rule, width: float) -> Fragment:
    def draw(sheet: Sheet, x: float, y: float) -> None:
        middle = y + block.line_width_mm / 2
        sheet.draw(line_item((x, middle), (x + width, middle), width=block.line_width_mm, color=block.color))

    return Fragment(height=block.line_width_mm, draw=draw, before=block.before_mm, after=block.after_mm)


def _marked(fragment: Fragment, line: Line, block: ListBlock) -> Fragment:
    """The first fragment of an item with the marker before it."""
    placed = list(line.places(line.width, justify=False))
    height = min(fragment.height, block.size_mm * 1.5)

    def draw(sheet: Sheet, x: float, y: float) -> None:
        _draw_characters(sheet, placed, x + max(block.indent_mm - line.width - 1.5, 0), y, height)
        fragment.draw(sheet, x, y)

    return replace(fragment, draw=draw)


def _picture_size(block: Picture, width: float) -> tuple[float, float]:
    pixels = picture_size(block.data)
    ratio = pixels[1] / pixels[0]
    if block.width_mm is not None:
        return block.width_mm, block.height_mm or block.width_mm * ratio
    if block.height_mm is not None:
        return block.height_mm / ratio, block.height_mm
    across = min(pixels[0] * _INCH_MM / _SCREEN_DPI, width)
    return across, across * ratio


def _label(marker: Marker, number: int) -> str:
    match marker:
        case Marker.BULLET:
            return "•"
        case Marker.DECIMAL:
            return f"{number}."
        case Marker.CHINESE:
            return f"{_chinese(number)}、"
        case Marker.PARENTHESISED:
            return f"（{_chinese(number)}）"


def _chinese(number: int) -> str:
    """1 to 99 as Chinese lists count."""
    if not 0 < number < 100:
        return str(number)
    tens, ones = divmod(number, 10)
    head = ("" if tens == 1 else _DIGITS[tens]) + "十" if tens else ""
    return head + (_DIGITS[ones] if ones or not tens else "")


def _aligned(align: Align, spare: float) -> float:
    return {Align.CENTER: spare / 2, Align.RIGHT: spare}.get(align, 0.0)


def _paint(color: Color) -> SolidPaint:
    return SolidPaint(color=SceneColor.of(*(part / 255 for part in color)))


def _nothing(sheet: Sheet, x: float, y: float) -> None:
    """Leave the sheet as it is."""
