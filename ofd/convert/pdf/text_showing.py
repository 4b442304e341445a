"""Showing text (ISO 32000-2 §9.4): strings become glyphs, and glyphs of one line become one item."""

from collections.abc import Callable
from dataclasses import dataclass
from math import hypot

from ofd.convert.pdf.fonts import Char, Font
from ofd.convert.pdf.state import State
from ofd.draw.scene import Glyph, Origin, Paint, Stroke, TextItem
from ofd.fonts.faces import FontFace
from ofd.geometry import IDENTITY, Matrix

__all__ = ["GlyphPlace", "TextRunner"]

_SMALLEST = 1e-6
_SAME_LINE = 2e-3


@dataclass(frozen=True, slots=True)
class _Look:
    """What glyphs of one item have in common."""

    face: FontFace
    size: float
    horizontal_scale: float
    matrix: Matrix
    fill: Paint | None
    stroke: Stroke | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GlyphPlace:
    """One glyph of a Type 3 font."""

    font: Font
    char: Char
    matrix: Matrix
    """Text space, scaled by the size, to the page."""


class TextRunner:
    """Follows the text matrices, and collects glyphs until a line ends."""

    def __init__(self, origin: Origin, emit: Callable[[TextItem], None]) -> None:
        """Take where items come from, and where finished items go."""
        self.matrix = Matrix()
        self._line = Matrix()
        self._origin = origin
        self._emit = emit
        self._look: _Look | None = None
        self._glyphs: list[Glyph] = []
        self._reach = 0.0

    def begin(self) -> None:
        """``BT``."""
        self.matrix = self._line = Matrix()

    def set(self, matrix: Matrix) -> None:
        """``Tm``."""
        self.matrix = self._line = matrix

    def move(self, x: float, y: float) -> None:
        """``Td``."""
        self.matrix = self._line = Matrix.translation(x, y).then(self._line)

    def flush(self) -> None:
        """Hand over what is collected, before anything else is painted."""
        look, glyphs = self._look, self._glyphs
        self._look, self._glyphs = None, []
        if look is not None and glyphs:
            self._emit(
                TextItem(
                    face=look.face,
                    size=look.size,
                    glyphs=tuple(glyphs),
                    matrix=look.matrix,
                    horizontal_scale=look.horizontal_scale,
                    fill=look.fill,
                    stroke=look.stroke,
                    origin=self._origin,
                )
            )

    def adjust(self, amount: float, state: State) -> None:
        """A number in ``TJ``."""
        text = state.text
        distance = -amount / 1000 * text.size
        if text.font is not None and text.font.vertical:
            self.matrix = Matrix.translation(0, distance).then(self.matrix)
        else:
            self.matrix = Matrix.translation(distance * text.scale, 0).then(self.matrix)

    def show(
        self,
        data: bytes,
        state: State,
        paints: Callable[[Matrix], tuple[Paint | None, Stroke | None]],
        glyph: Callable[[GlyphPlace], bool],
    ) -> None:
        """Show a string.

        Args:
            data: its octets.
            state: with the font, the size and all else.
            paints: fill and stroke for items whose matrix is the one given.
            glyph: paints a glyph of a Type 3 font itself, and says whether it did.
        """
        text = state.text
        font = text.font
        if font is None:
            return
        known: dict[tuple[float, float, Matrix], tuple[Paint | None, Stroke | None]] = {}
        for char in font.chars(data):
            trm = Matrix(text.size * text.scale, 0, 0, text.size, 0, text.rise).then(self.matrix).then(state.matrix)
            if font.vertical:
                trm = Matrix.translation(-char.origin[0], -char.origin[1]).then(trm)
            painted = font.type3 is not None and glyph(GlyphPlace(font=font, char=char, matrix=trm))
            self._place(char, font, trm, paints, known, invisible=painted)
            spacing = text.char_spacing + (text.word_spacing if char.is_space else 0)
            if font.vertical:
                self.matrix = Matrix.translation(0, char.height * text.size + spacing).then(self.matrix)
            else:
                self.matrix = Matrix.translation((char.width * text.size + spacing) * text.scale, 0).then(self.matrix)

    def _place(
        self,
        char: Char,
        font: Font,
        trm: Matrix,
        paints: Callable[[Matrix], tuple[Paint | None, Stroke | None]],
        known: dict[tuple[float, float, Matrix], tuple[Paint | None, Stroke | None]],
        *,
        invisible: bool,
    ) -> None:
        across, size = hypot(trm.a, trm.b), hypot(trm.c, trm.d)
        if across < _SMALLEST or size < _SMALLEST:
            return
        drawn = font.glyph(char)
        if drawn is None:
            return
        face, index = drawn
        linear = _tidy(Matrix(trm.a / across, trm.b / across, -trm.c / size, -trm.d / size, 0, 0))
        inverse = linear.inverse()
        if inverse is None:
            return
        scale = round(across / size, 5)
        size = round(size, 5)
        key = (size, scale, linear)
        if key not in known:
            known[key] = paints(linear)
        fill, stroke = (None, None) if invisible else known[key]
        x, y = inverse.apply(trm.e, trm.f)
        look = _Look(face, size, scale, linear, fill, stroke)
        last = self._glyphs[-1] if self._glyphs else None
        same_line = last is not None and abs(last.y - y) < _SAME_LINE and x >= last.x - size / 2
        same_column = last is not None and font.vertical and abs(last.x - x) < size
        if look != self._look or not (same_line or same_column):
            self.flush()
            self._look = look
        self._glyphs.append(Glyph(index=index, x=x, y=y, text=char.text))


def _tidy(matrix: Matrix) -> Matrix:
    """Without the noise of arithmetic, so that upright text has no matrix."""
    rounded = Matrix(*(round(value, 6) + 0.0 for value in matrix))
    return IDENTITY if rounded == IDENTITY else rounded
