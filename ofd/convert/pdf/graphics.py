"""Operators that change the graphics state, set colours and build paths (ISO 32000-2 §8.4 to §8.6)."""

from collections.abc import Sequence

import pikepdf

from ofd.convert.pdf.colors import GRAY, read_color_space
from ofd.convert.pdf.reading import Reading
from ofd.convert.pdf.state import Ink, SoftMask, State
from ofd.convert.pdf.streams import array, dictionary, entries, name, number, numbers
from ofd.convert.pdf.text_showing import TextRunner
from ofd.draw.scene import BlendMode, Cap, Join
from ofd.geometry import Matrix, PathCommand

__all__ = ["Graphics", "Operands", "matrix", "pair"]

_BLENDS = {
    "/Multiply": BlendMode.MULTIPLY,
    "/Screen": BlendMode.SCREEN,
    "/Overlay": BlendMode.OVERLAY,
    "/Darken": BlendMode.DARKEN,
    "/Lighten": BlendMode.LIGHTEN,
    "/ColorDodge": BlendMode.COLOR_DODGE,
    "/ColorBurn": BlendMode.COLOR_BURN,
    "/HardLight": BlendMode.HARD_LIGHT,
    "/SoftLight": BlendMode.SOFT_LIGHT,
    "/Difference": BlendMode.DIFFERENCE,
    "/Exclusion": BlendMode.EXCLUSION,
}
_CAPS = (Cap.BUTT, Cap.ROUND, Cap.SQUARE)
_JOINS = (Join.MITER, Join.ROUND, Join.BEVEL)
_MOST_SAVED = 500
_FULL = 6

Operands = Sequence[object]
"""What stands before an operator."""


class Graphics:
    """The state of one content stream while it runs."""

    def __init__(self, reading: Reading, state: State, texts: TextRunner) -> None:
        """Take what the pages share, the state to begin with, and the text that may have to be finished first."""
        self._reading = reading
        self._state = state
        self._texts = texts
        self._saved: list[State] = []
        self._path: list[PathCommand] = []
        self._point = (0.0, 0.0)
        self._resources: pikepdf.Object | None = None
        self._colors_locked = False

    @property
    def state(self) -> State:
        """The graphics state, to be prepared before a stream is run."""
        return self._state

    def lock_colors(self, ink: Ink) -> None:
        """Paint all in one colour: uncoloured patterns and Type 3 glyphs."""
        self._state.fill = self._state.stroke = ink
        self._colors_locked = True

    def _resource(self, kind: str, key: object) -> pikepdf.Object | None:
        table = dictionary(self._resources.get(kind)) if self._resources is not None else None
        return dictionary(table.get(key)) if table is not None and isinstance(key, pikepdf.Name) else None

    # Graphics state

    def _q(self, operands: Operands) -> None:
        if len(self._saved) < _MOST_SAVED:
            self._saved.append(self._state.saved())

    def _Q(self, operands: Operands) -> None:  # noqa: N802 - the operator's name
        if self._saved:
            self._texts.flush()
            self._state = self._saved.pop()

    def _cm(self, operands: Operands) -> None:
        self._state.matrix = matrix(operands).then(self._state.matrix)

    def _gs(self, operands: Operands) -> None:
        found = self._resource("/ExtGState", operands[0])
        if found is None:
            return
        self._texts.flush()
        state = self._state
        for key, value in entries(found):
            if key == "/ca":
                state.fill_alpha = _unit(number(value, 1))
            elif key == "/CA":
                state.stroke_alpha = _unit(number(value, 1))
            elif key == "/BM":
                names = [name(item) for item in array(value) or [value]]
                state.blend = next((_BLENDS[item] for item in names if item in _BLENDS), BlendMode.NORMAL)
            elif key == "/SMask":
                mask = dictionary(value)
                state.soft_mask = None if mask is None else SoftMask(source=mask, matrix=state.matrix)
            elif key == "/Font" and (pair := array(value)) and len(pair) == 2:
                state.text.font, state.text.size = self._reading.font(pair[0]), number(pair[1])
            elif key == "/D" and (pair := array(value)) and len(pair) == 2:
                self._d(pair)
            else:
                self._line_parameter(key, value)

    def _line_parameter(self, key: str, value: object) -> None:
        if key == "/LW":
            self._w([value])
        elif key == "/LC":
            self._J([value])
        elif key == "/LJ":
            self._j([value])
        elif key == "/ML":
            self._M([value])

    def _w(self, operands: Operands) -> None:
        self._state.line_width = abs(number(operands[0]))

    def _J(self, operands: Operands) -> None:  # noqa: N802 - the operator's name
        self._state.cap = _CAPS[int(number(operands[0])) % 3]

    def _j(self, operands: Operands) -> None:
        self._state.join = _JOINS[int(number(operands[0])) % 3]

    def _M(self, operands: Operands) -> None:  # noqa: N802 - the operator's name
        self._state.miter_limit = max(number(operands[0], 10), 1.0)

    def _d(self, operands: Operands) -> None:
        dash = (numbers(operands[0]) or ())[:32]
        self._state.dash = dash * 2 if len(dash) % 2 else dash
        self._state.dash_offset = number(operands[1])

    # Colours

    def _color(self, ink: Ink, *, stroke: bool) -> None:
        if self._colors_locked:
            return
        if stroke:
            self._state.stroke = ink
        else:
            self._state.fill = ink

    def _set_space(self, operands: Operands, *, stroke: bool) -> None:
        space = read_color_space(operands[0], self._resources, self._reading.limits)
        if space is None:
            self._reading.warn("A colour space cannot be understood; black takes its place.")
            space = GRAY
        self._color(Ink(space=space, values=space.initial), stroke=stroke)

    def _set_color(self, operands: Operands, *, stroke: bool) -> None:
        space = (self._state.stroke if stroke else self._state.fill).space
        values = tuple(number(item) for item in operands if not isinstance(item, pikepdf.Name))
        pattern = None
        if operands and isinstance(operands[-1], pikepdf.Name):
            pattern = self._resource("/Pattern", operands[-1])
        self._color(Ink(space=space, values=values, pattern=pattern, resources=self._resources), stroke=stroke)

    # Paths

    def _m(self, operands: Operands) -> None:
        self._point = pair(operands)
        self._path.append(("M", self._point))

    def _l(self, operands: Operands) -> None:
        self._point = pair(operands)
        self._path.append(("L" if self._path else "M", self._point))

    def _c(self, operands: Operands) -> None:
        self._curve(tuple(number(item) for item in operands[:_FULL]))

    def _v(self, operands: Operands) -> None:
        self._curve((*self._point, *(number(item) for item in operands[:4])))

    def _y(self, operands: Operands) -> None:
        values = tuple(number(item) for item in operands[:4])
        self._curve((*values, *values[2:]))

    def _curve(self, values: tuple[float, ...]) -> None:
        if len(values) != _FULL:
            raise ValueError
        if not self._path:
            self._path.append(("M", values[:2]))
        self._path.append(("C", values))
        self._point = (values[4], values[5])

    def _h(self, operands: Operands) -> None:
        if self._path and self._path[-1][0] != "Z":
            self._path.append(("Z", ()))
            start = next(values for operator, values in reversed(self._path) if operator == "M")
            self._point = (start[0], start[1])

    def _re(self, operands: Operands) -> None:
        x, y, width, height = (number(item) for item in operands[:4])
        corners = ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
        self._path.append(("M", corners[0]))
        self._path.extend(("L", corner) for corner in corners[1:])
        self._path.append(("Z", ()))
        self._point = corners[0]


def _unit(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def pair(operands: Operands) -> tuple[float, float]:
    """Two numbers."""
    return number(operands[0]), number(operands[1])


def matrix(operands: Operands) -> Matrix:
    """Six numbers."""
    return Matrix(*(number(item) for item in operands[:_FULL]))
