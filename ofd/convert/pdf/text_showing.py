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
        onto = self.matrix.then(state.matrix)
        em = Matrix(text.size * text.scale, 0, 0, text.size, 0, text.rise).then(onto)
        frame = _Frame.of(em, onto, vertical=font.vertical)
        looks: dict[tuple[FontFace, bool], _Look] = {}
        fill, stroke = (None, None) if frame is None else paints(frame.linear)
        way = 0.0
        for char in font.chars(data):
            painted = False
            if font.type3 is not None:
                moved = Matrix.translation(way, 0).then(onto)
                place = Matrix(text.size * text.scale, 0, 0, text.size, 0, text.rise).then(moved)
                painted = glyph(GlyphPlace(font=font, char=char, matrix=place))
            drawn = None if frame is None else font.glyph(char)
            if frame is not None and drawn is not None:
                face, index = drawn
                look = looks.get((face, painted))
                if look is None:
                    inks = (None, None) if painted else (fill, stroke)
                    look = looks[face, painted] = _Look(face, frame.size, frame.scale, frame.linear, *inks)
                x, y = frame.place(way, char.origin)
                self._add(look, Glyph(index=index, x=x, y=y, text=char.text), vertical=font.vertical)
            spacing = text.char_spacing + (text.word_spacing if char.is_space else 0)
            way += (
                char.height * text.size + spacing if font.vertical else (char.width * text.size + spacing) * text.scale
            )
        self.matrix = Matrix.translation(*((0, way) if font.vertical else (way, 0))).then(self.matrix)

    def _add(self, look: _Look, glyph: Glyph, *, vertical: bool) -> None:
        """Put a glyph into the item of its line."""
        last = self._glyphs[-1] if self._glyphs else None
        going_on = False
        if last is not None and (look is self._look or look == self._look):
            same_line = abs(last.y - glyph.y) < _SAME_LINE and glyph.x >= last.x - look.size / 2
            going_on = same_line or (vertical and abs(last.x - glyph.x) < look.size)
        if not going_on:
            self.flush()
        self._look = look
        self._glyphs.append(glyph)


@dataclass(frozen=True, slots=True)
class _Frame:
    """How the text space of a string lies on the page."""

    size: float
    """1 em on the page."""
    scale: float
    """Of widths against heights."""
    linear: Matrix
    """What turns and slants the item, without size and place."""
    start: tuple[float, float]
    step: tuple[float, float]
    """In the item's space: where text begins, and how far one unit of text space leads."""
    across: tuple[float, float]
    upward: tuple[float, float]
    """One em to the right and one up, in the item's space."""

    @classmethod
    def of(cls, em: Matrix, onto: Matrix, *, vertical: bool) -> "_Frame | None":
        """None when nothing would show.

        Args:
            em: from em to the page.
            onto: from text space to the page.
            vertical: text runs downward.
        """
        across, size = hypot(em.a, em.b), hypot(em.c, em.d)
        if across < _SMALLEST or size < _SMALLEST:
            return None
        linear = _tidy(Matrix(em.a / across, em.b / across, -em.c / size, -em.d / size, 0, 0))
        inverse = linear.inverse()
        if inverse is None:
            return None
        step = (onto.c, onto.d) if vertical else (onto.a, onto.b)
        return cls(
            size=round(size, 5),
            scale=round(across / size, 5),
            linear=linear,
            start=inverse.apply(em.e, em.f),
            step=inverse.apply(*step),
            across=inverse.apply(em.a, em.b),
            upward=inverse.apply(em.c, em.d),
        )

    def place(self, way: float, origin: tuple[float, float]) -> tuple[float, float]:
        """Where a glyph stands in the item's space."""
        x, y = self.start[0] + way * self.step[0], self.start[1] + way * self.step[1]
        if origin != (0, 0):
            x -= origin[0] * self.across[0] + origin[1] * self.upward[0]
            y -= origin[0] * self.across[1] + origin[1] * self.upward[1]
        return x, y


def _tidy(matrix: Matrix) -> Matrix:
    """Without the noise of arithmetic, so that upright text has no matrix."""
    rounded = Matrix(*(round(value, 6) + 0.0 for value in matrix))
    return IDENTITY if rounded == IDENTITY else rounded
