"""Type 1 font programs (Adobe Type 1 Font Format, 1990): the outlines and the built-in encoding."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Pen", "Type1Program", "read_type1"]

_EEXEC_KEY = 55665
_CHARSTRING_KEY = 4330
_MOST_OPERATIONS = 20_000
_MOST_DEPTH = 12
_NUMBER = rb"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?"
_BINARY = re.compile(rb"(?:dup\s+(\d+)|/(\S+))\s+(\d+)\s+(?:RD|-\||\S+) ")
_ENCODED = re.compile(rb"dup\s+(\d+|8#[0-7]+|16#[0-9A-Fa-f]+)\s*/(\S+)\s+put")
_MATRIX = re.compile(rb"/FontMatrix\s*\[\s*(" + rb"\s+".join([_NUMBER] * 6) + rb")\s*\]")


class Pen(Protocol):
    """What outlines are drawn with: the pen protocol of fontTools and HarfBuzz, coordinates in font units."""

    def moveTo(self, point: tuple[float, float], /) -> None:  # noqa: N802 - the pen protocol's name
        """Begin a contour."""

    def lineTo(self, point: tuple[float, float], /) -> None:  # noqa: N802 - the pen protocol's name
        """Draw a line."""

    def curveTo(self, *points: tuple[float, float]) -> None:  # noqa: N802 - the pen protocol's name
        """Draw a cubic curve."""

    def qCurveTo(self, *points: tuple[float, float]) -> None:  # noqa: N802 - the pen protocol's name
        """Draw a quadratic curve."""

    def closePath(self) -> None:  # noqa: N802 - the pen protocol's name
        """End the contour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Type1Program:
    """One font program."""

    charstrings: dict[str, bytes]
    """Glyph name to decrypted charstring."""
    subroutines: dict[int, bytes]
    encoding: dict[int, str] | None
    """Code to glyph name; None for StandardEncoding."""
    matrix: tuple[float, float, float, float, float, float]
    """From font units to em."""

    def draw(self, glyph: str, pen: Pen, standard_names: Mapping[int, str]) -> float:
        """Draw a glyph; nothing for a name the font lacks, and as much as can be read of a damaged one.

        Args:
            glyph: its name.
            pen: what to draw with.
            standard_names: StandardEncoding, by which accented glyphs name their parts.

        Returns:
            The glyph's advance in font units, 0 when it does not tell.
        """
        drawing = _Drawing(self, pen, standard_names)
        drawing.glyph(glyph, 0, 0)
        return drawing.advance


def read_type1(data: bytes) -> Type1Program | None:
    """The font program of a ``FontFile`` stream, with or without PFB headers; None when there is none."""
    data = _without_pfb(data)
    clear, separator, secret = data.partition(b"eexec")
    if not separator:
        return None
    secret = secret.lstrip(b" \t\r\n")
    if re.fullmatch(rb"[0-9A-Fa-f\s]{8}", secret[:8]):
        digits = re.sub(rb"[^0-9A-Fa-f]", b"", secret)
        secret = bytes.fromhex(digits[: len(digits) // 2 * 2].decode("ascii"))
    private = _decrypt(secret, _EEXEC_KEY)[4:]
    found = re.search(rb"/lenIV\s+(-?\d{1,3})", private)
    skipped = int(found[1]) if found else 4
    subroutines: dict[int, bytes] = {}
    charstrings: dict[str, bytes] = {}
    start = private.find(b"/CharStrings")
    place = max(private.find(b"/Subrs"), 0)
    while match := _BINARY.search(private, place):
        if match[2] == b"CharStrings":
            place = match.start() + len(b"/CharStrings")
            continue
        length = int(match[3][:9])
        end = match.end() + length
        if end > len(private):
            break
        octets = private[match.end() : end]
        program = octets if skipped < 0 else _decrypt(octets, _CHARSTRING_KEY)[skipped:]
        if match[1] is not None and (start < 0 or match.start() < start or not charstrings):
            subroutines[int(match[1][:6])] = program
        elif match[2] is not None and match.start() > start >= 0:
            charstrings.setdefault(match[2].decode("latin-1"), program)
        place = end
    if not charstrings:
        return None
    matrix = _MATRIX.search(clear)
    values = tuple(float(item) for item in matrix[1].split()) if matrix else ()
    six = (0.001, 0.0, 0.0, 0.001, 0.0, 0.0)
    if len(values) == 6 and values[0]:
        six = (values[0], values[1], values[2], values[3], values[4], values[5])
    return Type1Program(charstrings=charstrings, subroutines=subroutines, encoding=_encoding(clear), matrix=six)


def _without_pfb(data: bytes) -> bytes:
    pieces = []
    place = 0
    while data[place : place + 1] == b"\x80" and data[place + 1 : place + 2] in {b"\x01", b"\x02"}:
        length = int.from_bytes(data[place + 2 : place + 6], "little")
        pieces.append(data[place + 6 : place + 6 + length])
        place += 6 + length
    return b"".join(pieces) or data


def _decrypt(data: bytes, key: int) -> bytes:
    plain = bytearray(len(data))
    for index, octet in enumerate(data):
        plain[index] = octet ^ (key >> 8)
        key = ((octet + key) * 52845 + 22719) & 0xFFFF
    return bytes(plain)


def _encoding(clear: bytes) -> dict[int, str] | None:
    place = clear.find(b"/Encoding")
    if place < 0 or re.match(rb"/Encoding\s+StandardEncoding", clear[place:]):
        return None
    result: dict[int, str] = {}
    for code, name in _ENCODED.findall(clear, place):
        base, _, digits = code.rpartition(b"#")
        number = int(digits[:8], int(base) if base else 10)
        if number < 256:
            result[number] = name.decode("latin-1")
    return result


class _Drawing:
    """One run of the charstring machine (chapter 6)."""

    def __init__(self, program: Type1Program, pen: Pen, standard_names: Mapping[int, str]) -> None:
        self.program, self.pen, self.standard_names = program, pen, standard_names
        self.x = self.y = self.bearing = self.advance = 0.0
        self.stack: list[float] = []
        self.postscript: list[float] = []
        self.flex: list[tuple[float, float]] | None = None
        self.open = False
        self.done = False
        self.depth = 0
        self.operations = 0

    def glyph(self, name: str, x: float, y: float, depth: int = 0) -> None:
        code = self.program.charstrings.get(name)
        if code is None or depth > 1:
            return
        self.x, self.y, self.done, self.stack = x, y, False, []
        self.depth = depth
        with suppress(IndexError, ZeroDivisionError, OverflowError, TypeError):
            self.run(code, 0)
        self.close()

    def run(self, code: bytes, depth: int) -> None:
        place = 0
        while place < len(code) and not self.done:
            self.operations += 1
            if self.operations > _MOST_OPERATIONS or len(self.stack) > 100:
                self.done = True
                return
            octet = code[place]
            place += 1
            if octet >= 32:
                value, place = _operand(code, octet, place)
                self.stack.append(value)
            elif octet == 12:
                self.escaped(code[place])
                place += 1
            elif octet == 10:
                routine = self.program.subroutines.get(int(self.stack.pop()))
                if routine is not None and depth < _MOST_DEPTH:
                    self.run(routine, depth + 1)
            elif octet == 11:
                return
            else:
                self.plain(octet)

    def plain(self, operator: int) -> None:
        stack = self.stack
        if operator == 13:
            self.bearing = stack[0]
            self.x += stack[0]
            self.advance = self.advance if self.depth else stack[1]
        elif operator in {4, 21, 22}:
            self.move(0 if operator == 4 else stack[-2 if operator == 21 else -1], 0 if operator == 22 else stack[-1])
        elif operator in {5, 6, 7}:
            self.line(0 if operator == 7 else stack[0], 0 if operator == 6 else stack[operator == 5])
        elif operator == 8:
            self.curve(*stack[:6])
        elif operator == 30:
            self.curve(0, stack[0], stack[1], stack[2], stack[3], 0)
        elif operator == 31:
            self.curve(stack[0], 0, stack[1], stack[2], 0, stack[3])
        elif operator == 9:
            self.close()
        elif operator == 14:
            self.done = True
        self.stack = []

    def escaped(self, operator: int) -> None:
        stack = self.stack
        if operator == 12:
            divisor = stack.pop()
            stack.append(stack.pop() / divisor)
            return
        if operator == 16:
            self.other(int(stack.pop()), int(stack.pop()))
            return
        if operator == 17:
            stack.append(self.postscript.pop() if self.postscript else 0.0)
            return
        if operator == 7:
            self.bearing = stack[0]
            self.x, self.y = self.x + stack[0], self.y + stack[1]
            self.advance = self.advance if self.depth else stack[2]
        elif operator == 6:
            self.accented(*stack[:5])
        self.stack = []

    def other(self, routine: int, count: int) -> None:
        arguments = [self.stack.pop() for _ in range(count)]
        if routine == 1:
            self.start()
            self.flex = []
        elif routine == 0 and self.flex is not None:
            points, self.flex = self.flex, None
            if len(points) >= 7:
                self.start()
                self.pen.curveTo(*points[1:4])
                self.pen.curveTo(*points[4:7])
            self.postscript = [self.y, self.x]
        elif routine == 3:
            self.postscript = [3.0]
        elif routine != 2:
            self.postscript = arguments

    def accented(self, bearing: float, x: float, y: float, base: float, accent: float) -> None:
        """Seac: a base glyph and an accent."""
        own, depth = self.bearing, self.depth
        for code, shift_x, shift_y in ((base, 0.0, 0.0), (accent, own - bearing + x, y)):
            name = self.standard_names.get(int(code), "")
            self.glyph(name, shift_x, shift_y, depth + 1)
        self.done = True

    def move(self, x: float, y: float) -> None:
        self.x, self.y = self.x + x, self.y + y
        if self.flex is not None:
            self.flex.append((self.x, self.y))
        else:
            self.close()

    def start(self) -> None:
        if not self.open:
            self.pen.moveTo((self.x, self.y))
            self.open = True

    def line(self, x: float, y: float) -> None:
        self.start()
        self.x, self.y = self.x + x, self.y + y
        self.pen.lineTo((self.x, self.y))

    def curve(self, *deltas: float) -> None:
        x1, y1, x2, y2, x3, y3 = deltas
        self.start()
        first = (self.x + x1, self.y + y1)
        second = (first[0] + x2, first[1] + y2)
        self.x, self.y = second[0] + x3, second[1] + y3
        self.pen.curveTo(first, second, (self.x, self.y))

    def close(self) -> None:
        if self.open:
            self.pen.closePath()
            self.open = False


def _operand(code: bytes, octet: int, place: int) -> tuple[float, int]:
    if octet <= 246:
        return octet - 139.0, place
    if octet <= 250:
        return (octet - 247) * 256.0 + code[place] + 108, place + 1
    if octet <= 254:
        return -(octet - 251) * 256.0 - code[place] - 108, place + 1
    return float(int.from_bytes(code[place : place + 4], signed=True)), place + 4
