"""Reading order: characters to lines, lines to blocks, blocks one after the other.

Works for every direction alike: places are turned so that reading goes to the right and lines follow downward. For
columns of Chinese text, read from the right, that is just how it comes out.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest
from statistics import median

from ofd.geometry import Point
from ofd.text.page import Character, Line, Word

__all__ = ["arrange"]

_SAME_LINE = 0.45
"""Em between two baselines that are one line."""
_WORD_GAP = 0.3
"""Em between two characters that are two words."""
_LETTER_GAP = 0.15
"""The same between letters: blanks of justified lines are narrow."""
_SPACED_GAP = 5
"""The same inside one object, between Chinese characters."""
_RUN_GAP = 1.6
"""Em between two pieces of a line that may belong to two columns."""
_BLOCK_GAP = 1.1
"""Em of nothing between two blocks."""
_MOST_GAPS = 8
_COLUMN_LINES = 3
"""Lines on both sides that make a gap the gap between two columns."""
_LEVEL = 0.3
"""Em between the lines of two cells of a table that are in one row."""
_COLUMN_WIDTH = 8
"""Em that a column full of text is wide at least."""
_COLUMN_FILL = 0.45
"""How much of a column's width its pieces fill on average: tables do not."""
_DEEPEST = 24
_FIRST_HAN = "\u2e80"
_STACK_GAP = 1.7
"""Em between single characters that stand one below the other and make a column."""


@dataclass(slots=True)
class _Piece:
    """Characters on one line without a wide gap. Places are along and across the direction of reading."""

    characters: list[Character]
    left: float
    right: float
    baseline: float
    size: float

    @property
    def top(self) -> float:
        return self.baseline - self.size

    @property
    def bottom(self) -> float:
        return self.baseline + self.size / 4


def arrange(characters: Sequence[Character]) -> tuple[Line, ...]:
    """The lines of a page in reading order; usual text first, then text in other directions."""
    by_direction: dict[Point, list[Character]] = {}
    for item in _stacked(characters):
        by_direction.setdefault(item.direction, []).append(item)
    lines: list[Line] = []
    block = 0
    for direction in sorted(by_direction, key=lambda d: (d != Point(1, 0), -len(by_direction[d]))):
        for pieces in _blocks(_pieces(by_direction[direction], direction), 0):
            lines += [Line(words=_words(row, direction), block=block) for row in _rows(pieces)]
            block += 1
    return tuple(lines)


def _along(item: Character, direction: Point) -> float:
    return item.origin.x * direction.x + item.origin.y * direction.y


def _across(item: Character, direction: Point) -> float:
    return item.origin.y * direction.x - item.origin.x * direction.y


def _pieces(characters: Sequence[Character], direction: Point) -> list[_Piece]:
    """Characters on one baseline, cut where there is a wide gap."""
    placed = sorted(((_across(item, direction), _along(item, direction), item) for item in characters), key=_by_place)
    rows: list[list[tuple[float, Character]]] = []
    height = 0.0
    for across, along, item in placed:
        size = item.size
        if rows and across - height <= _SAME_LINE * min(size, rows[-1][-1][1].size):
            rows[-1].append((along, item))
        else:
            rows.append([(along, item)])
            height = across
    pieces: list[_Piece] = []
    for row in rows:
        row.sort(key=_first)
        pieces += _cut(row, direction)
    return pieces


def _by_place(entry: tuple[float, float, Character]) -> tuple[float, float]:
    return entry[0], entry[1]


def _first(entry: tuple[float, Character]) -> float:
    return entry[0]


def _cut(row: Sequence[tuple[float, Character]], direction: Point) -> list[_Piece]:
    pieces: list[_Piece] = []
    for along, item in row:
        end = along + item.reach
        if pieces and along - pieces[-1].right <= max(
            _RUN_GAP * max(item.size, pieces[-1].size), _gap(pieces[-1].characters[-1], item)
        ):
            piece = pieces[-1]
            piece.characters.append(item)
            piece.right = max(piece.right, end)
            piece.size = max(piece.size, item.size)
            continue
        baseline = _across(item, direction)
        pieces.append(_Piece(characters=[item], left=along, right=end, baseline=baseline, size=item.size))
    return pieces


def _blocks(pieces: list[_Piece], depth: int) -> list[list[_Piece]]:
    """Pieces cut into blocks: by bands of nothing across, by columns inside a band, and so on."""
    if not pieces:
        return []
    if depth > _DEEPEST:
        return [pieces]
    columns = _columns(pieces)
    if len(columns) > 1:
        return [block for column in columns for block in _blocks(column, depth + 1)]
    bands = _bands(pieces)
    if len(bands) > 1:
        return [block for band in bands for block in _blocks(band, depth + 1)]
    return [pieces]


def _columns(pieces: Sequence[_Piece]) -> list[list[_Piece]]:
    """Pieces left and right of a gap that goes all the way down, if both sides look like columns of text."""
    ordered = sorted(pieces, key=lambda piece: piece.left)
    size = median(piece.size for piece in pieces)
    gaps: list[tuple[float, int]] = []
    right = ordered[0].right
    for index, piece in enumerate(ordered):
        if piece.left - right > size:
            gaps.append((piece.left - right, index))
        right = max(right, piece.right)
    # A page with more gaps is a table; looking at all would take long.
    for _, index in sorted(nlargest(_MOST_GAPS, gaps), key=lambda gap: gap[1]):
        if _are_columns(ordered[:index], ordered[index:]):
            return [ordered[:index], ordered[index:]]
    return [list(pieces)]


def _are_columns(left: Sequence[_Piece], right: Sequence[_Piece]) -> bool:
    """Two sides are columns when both are full of text, or when their lines are not level as a table's are."""
    if all(_is_filled(side) for side in (left, right)):
        return True
    fewer, more = sorted((_rows(left), _rows(right)), key=len)
    if len(fewer) < _COLUMN_LINES:
        return False
    heights = [row[0].baseline for row in more]
    level = sum(any(abs(row[0].baseline - height) <= _LEVEL * row[0].size for height in heights) for row in fewer)
    return level < len(fewer) / 2


def _is_filled(pieces: Sequence[_Piece]) -> bool:
    if len(pieces) < _COLUMN_LINES:
        return False
    width = max(piece.right for piece in pieces) - min(piece.left for piece in pieces)
    size = median(piece.size for piece in pieces)
    fill = sum(piece.right - piece.left for piece in pieces) / len(pieces)
    return width >= _COLUMN_WIDTH * size and fill >= _COLUMN_FILL * width


def _bands(pieces: Sequence[_Piece]) -> list[list[_Piece]]:
    """Pieces above and below bands of nothing."""
    ordered = sorted(pieces, key=lambda piece: piece.top)
    bands: list[list[_Piece]] = []
    bottom = 0.0
    for piece in ordered:
        size = min(piece.size, bands[-1][-1].size) if bands else piece.size
        if not bands or piece.top - bottom > _BLOCK_GAP * size:
            bands.append([piece])
            bottom = piece.bottom
        else:
            bands[-1].append(piece)
            bottom = max(bottom, piece.bottom)
    return bands


def _rows(pieces: Sequence[_Piece]) -> list[list[_Piece]]:
    """Pieces that share a baseline, from left to right; the rows downward."""
    rows: list[list[_Piece]] = []
    for piece in sorted(pieces, key=lambda piece: (piece.baseline, piece.left)):
        if rows and piece.baseline - rows[-1][0].baseline <= _SAME_LINE * min(piece.size, rows[-1][0].size):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    for row in rows:
        row.sort(key=lambda piece: piece.left)
    return rows


def _words(row: Sequence[_Piece], direction: Point) -> tuple[Word, ...]:
    words: list[list[Character]] = []
    end = 0.0
    for piece in row:
        for item in piece.characters:
            along = _along(item, direction)
            if words and along - end <= _gap(words[-1][-1], item):
                words[-1].append(item)
            else:
                words.append([item])
            end = along + item.reach
    return tuple(Word(characters=tuple(word)) for word in words)


def _gap(first: Character, second: Character) -> float:
    """How far apart two characters of a word may be: Chinese text is often spaced out."""
    if second.after_blank:
        return float("-inf")
    if first.text < _FIRST_HAN and second.text < _FIRST_HAN:
        return _LETTER_GAP * second.size
    spaced = first.run == second.run and first.text >= _FIRST_HAN and second.text >= _FIRST_HAN
    return (_SPACED_GAP if spaced else _WORD_GAP) * second.size


def _stacked(characters: Sequence[Character]) -> list[Character]:
    """Chinese characters that stand alone below one another, each an object of its own, made a column.

    Most of them must have nothing on their own baseline: single characters in a column of a table are level with the
    other cells of their rows.
    """
    found = list(characters)
    level = {index: is_level for index, is_level in _lonely(found) if found[index].text >= _FIRST_HAN}
    runs: list[list[int]] = []
    for index in sorted(level, key=lambda index: (round(found[index].box.centre.x), found[index].origin.y)):
        if runs and _follows(found[runs[-1][-1]], found[index]):
            runs[-1].append(index)
        else:
            runs.append([index])
    for run in runs:
        if len(run) == 1 or 2 * sum(level[index] for index in run) >= len(run):
            continue
        for index in run:
            item = found[index]
            found[index] = item._replace(direction=Point(0, 1), reach=item.size)
    return found


def _follows(upper: Character, lower: Character) -> bool:
    size = min(upper.size, lower.size)
    aside = abs(upper.box.centre.x - lower.box.centre.x)
    below = lower.origin.y - upper.origin.y
    return aside < 0.3 * size and 0.5 * size < below <= _STACK_GAP * size


def _lonely(characters: Sequence[Character]) -> Iterator[tuple[int, bool]]:
    """Those of usual direction with nothing beside them, and whether something farther away is level with them."""
    usual = Point(1, 0)
    chosen = [index for index, item in enumerate(characters) if item.direction == usual]
    chosen.sort(key=lambda index: characters[index].origin.y)
    rows: list[list[int]] = []
    for index in chosen:
        item = characters[index]
        if rows and item.origin.y - characters[rows[-1][0]].origin.y <= _SAME_LINE * item.size:
            rows[-1].append(index)
        else:
            rows.append([index])
    for row in rows:
        heights = Counter(round(characters[index].origin.y, 1) for index in row)
        row.sort(key=lambda index: characters[index].origin.x)
        for place, index in enumerate(row):
            item = characters[index]
            before = characters[row[place - 1]].box.right if place else float("-inf")
            after = characters[row[place + 1]].box.x if place + 1 < len(row) else float("inf")
            if item.box.x - before > item.size and after - item.box.right > item.size:
                yield index, heights[round(item.origin.y, 1)] > 1
