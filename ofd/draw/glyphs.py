"""From the text of the model to glyphs and their places (GB/T 33190-2016 §11.3, §11.4)."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

from ofd.draw.scene import Glyph
from ofd.fonts.faces import FontFace
from ofd.fonts.library import ResolvedFont
from ofd.model.objects import GlyphRun, TextCode, TextObject

__all__ = ["NO_CHARACTER", "lay_out"]

NO_CHARACTER = "\N{ZERO WIDTH SPACE}"
"""In the place of the character of a glyph that stands for none of its own, as the further ones of a cluster."""

_LAST_BMP = 0xFFFF
_SYMBOLS = 0xF000
"""Where symbol fonts keep their characters."""
_LAST_SYMBOL = 0xFF
_NOTHING_TO_DRAW = frozenset({"Cc", "Cf", "Cs", "Zs", "Zl", "Zp"})
"""Unicode categories: controls, marks of format, halves of pairs, blanks."""

Fallback = Callable[[str], FontFace | None]
Warn = Callable[[str], None]


def lay_out(text: TextObject, font: ResolvedFont, fallback: Fallback, warn: Warn) -> tuple[Glyph, ...]:
    """The glyphs of a text object, in the order of its characters.

    Args:
        text: the object.
        font: what it is set in. Glyph numbers of the document count only for an embedded font.
        fallback: finds a face for characters that the font lacks.
        warn: takes a sentence for what cannot be drawn as written.
    """
    setter = _Setter(text, font, fallback, warn)
    glyphs: list[Glyph] = []
    x = y = 0.0
    counted = 0
    for number, code in enumerate(text.codes):
        x, y = (x if code.x is None else code.x), (y if code.y is None else code.y)
        wide = not code.text.isascii() and any(ord(char) > _LAST_BMP for char in code.text)
        runs: Mapping[int, GlyphRun] = {}
        if code.glyph_runs and font.embedded:
            runs = _runs_by_char(code.text, code.glyph_runs, counted, wide=wide, whole_object=False)
        elif number and font.embedded and text.codes[0].glyph_runs:
            # All CGTransforms stand before the first TextCode: they count through all of them.
            runs = _runs_by_char(code.text, text.codes[0].glyph_runs, counted, wide=wide, whole_object=True)
        glyphs += setter.set(code.text, setter.places(code, (x, y), wide=wide), runs)
        counted += _units(code.text) if wide else len(code.text)
    return tuple(glyphs)


class _Setter:
    """Sets the TextCodes of one text object."""

    def __init__(self, text: TextObject, font: ResolvedFont, fallback: Fallback, warn: Warn) -> None:
        self._text = text
        self._font = font
        self._fallback = fallback
        self._warn = warn

    def places(self, code: TextCode, start: tuple[float, float], *, wide: bool) -> list[tuple[float, float]]:
        """Where each character stands."""
        count = len(code.text)
        if not count:
            return []
        if code.delta_x is None and code.delta_y is None and count > 1:
            self._warn("A text does not say where its characters stand; they are set one after the other.")
            return self._by_advance(code.text, start)
        # Writers that count UTF-16 units give a delta for each half of a character beyond the BMP.
        by_units = wide and any(found is not None and len(found) >= count for found in (code.delta_x, code.delta_y))
        total = _units(code.text) if by_units else count
        xs, ys = (_sums(value, found, total) for value, found in zip(start, (code.delta_x, code.delta_y), strict=True))
        places = list(zip(xs, ys, strict=True))
        if not by_units:
            return places
        first_units = accumulate((2 if ord(char) > _LAST_BMP else 1 for char in code.text), initial=0)
        return [places[unit] for unit, _ in zip(first_units, code.text, strict=False)]

    def set(self, chars: str, places: Sequence[tuple[float, float]], runs: Mapping[int, GlyphRun]) -> list[Glyph]:
        """The glyphs of a TextCode, some of whose characters may be given by glyph numbers."""
        if not runs:
            return [self._glyph(char, place) for char, place in zip(chars, places, strict=True)]
        glyphs: list[Glyph] = []
        index = 0
        while index < len(chars):
            run = runs.get(index)
            count = 0 if run is None else min(run.code_count, len(chars) - index)
            if run is None or not count or not run.glyphs:
                glyphs.append(self._glyph(chars[index], places[index]))
                index += 1
                continue
            glyphs += self._run(chars[index : index + count], places[index : index + count], run)
            index += count
        return glyphs

    def _by_advance(self, chars: str, start: tuple[float, float]) -> list[tuple[float, float]]:
        text, face = self._text, self._font.face
        x, y = start
        right, down = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[text.read_direction]
        places: list[tuple[float, float]] = []
        for char in chars:
            places.append((x, y))
            index = face.glyph(char)
            width = (face.advance_of(index) if index else 1.0) * text.size
            step = width * (text.h_scale or 1) if right else text.size
            x, y = x + right * step, y + down * step
        return places

    def _run(self, chars: str, places: Sequence[tuple[float, float]], run: GlyphRun) -> list[Glyph]:
        """Glyph by glyph at the places of the characters.

        The last glyph stands for the characters that are left; further ones follow it.
        """
        text, face = self._text, self._font.face
        glyphs: list[Glyph] = []
        last = len(run.glyphs) - 1
        x, y = places[0]
        for number, glyph in enumerate(run.glyphs):
            shown = ""
            if number < len(chars):
                x, y = places[number]
                shown = chars[number:] if number == last else chars[number]
                if shown == NO_CHARACTER:
                    shown = ""
            glyphs.append(Glyph(index=glyph if glyph < face.glyph_count else 0, x=x, y=y, text=shown))
            x += face.advance_of(glyph) * text.size * (text.h_scale or 1)
        return glyphs

    def _glyph(self, char: str, place: tuple[float, float]) -> Glyph:
        x, y = place
        font = self._font
        index = font.face.glyph(char)
        if not index and font.embedded and ord(char) <= _LAST_SYMBOL:
            index = font.face.glyph(chr(_SYMBOLS + ord(char)))
        if index or unicodedata.category(char) in _NOTHING_TO_DRAW:
            return Glyph(index=index, x=x, y=y, text=char)
        face = self._fallback(char)
        if face is None:
            self._warn(f"No font has the character U+{ord(char):04X}.")
            return Glyph(index=0, x=x, y=y, text=char)
        return Glyph(index=face.glyph(char), x=x, y=y, text=char, face=face)


def _sums(start: float, deltas: Sequence[float] | None, count: int) -> list[float]:
    if not deltas:
        return [start] * count
    padded = [*deltas[: count - 1], *[deltas[-1]] * (count - 1 - len(deltas))]
    return list(accumulate(padded, initial=start))


def _units(chars: str) -> int:
    return len(chars) + sum(ord(char) > _LAST_BMP for char in chars)


def _runs_by_char(
    chars: str, runs: Sequence[GlyphRun], counted: int, *, wide: bool, whole_object: bool
) -> dict[int, GlyphRun]:
    """The CGTransforms by the character of a TextCode at which each begins.

    Args:
        chars: the characters of the TextCode.
        runs: the CGTransforms.
        counted: how many characters stand in the TextCodes before.
        wide: there are characters beyond the BMP.
        whole_object: positions count from the object's first character.
    """
    length = _units(chars) if wide else len(chars)
    first, last = min(run.code_position for run in runs), max(run.code_position for run in runs)
    # They count from the TextCode's beginning, or, where that cannot be, from the object's.
    offset = counted if whole_object or (counted and first >= counted and last >= length) else 0
    found = {run.code_position - offset: run for run in runs if 0 <= run.code_position - offset < length}
    if not wide or not _counts_units(chars, found):
        return found
    starts = list(accumulate((2 if ord(char) > _LAST_BMP else 1 for char in chars), initial=0))[:-1]
    by_unit = {unit: index for index, unit in enumerate(starts)}
    return {
        by_unit[position]: replace(
            run, code_count=sum(position <= start < position + run.code_count for start in starts)
        )
        for position, run in found.items()
        if position in by_unit
    }


def _counts_units(chars: str, runs: Mapping[int, GlyphRun]) -> bool:
    """Whether positions are UTF-16 units: they reach further than there are characters, or a pair has one glyph."""
    return any(
        position + run.code_count > len(chars)
        or (run.code_count == 2 * len(run.glyphs) and ord(chars[position]) > _LAST_BMP)
        for position, run in runs.items()
    )
