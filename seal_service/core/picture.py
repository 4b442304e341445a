"""The official round seal 公章: a ring, a five-pointed star, the name on an arc, the code below.

Rules: 国发[1999]25号 (State Council, on seals of administrative organs, enterprises and institutions): round, a star in
the middle, the name around it from left to right in simplified characters; 42 mm across for a bureau, 45 mm and more
for larger units, 50 and 60 mm only with the national emblem. The text of the rule was read in reprints, in part. Widths
of ring, star and characters are the custom of engravers (GA 241.9 was not at hand) and follow the diameter.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import radians

from ofd.fonts.faces import FontStack, PathCommand
from seal_service.core.arc import place_above, place_below, spread
from seal_service.core.outline import Contour, Outline, Point, circle, star
from seal_service.core.raster import palette_png
from trustcore.errors import RejectedError

__all__ = ["DIAMETERS_MM", "NAME_LENGTHS", "SealPicture", "SealText", "draw_seal"]

DIAMETERS_MM = range(38, 51)
"""Sizes in use: 38 mm (village committees and special seals in several provinces) to 50 mm."""
NAME_LENGTHS = range(4, 41)
"""Characters of a unit's name; longer ones cannot be read on 42 mm."""

_NOMINAL_MM = 42.0
_RING_MM = 1.2
_STAR_RADIUS_MM = 7.0
_MARGIN_MM = 0.9
_CODE_HEIGHT_MM = 1.6
_CODE_MARGIN_MM = 0.7
_NAME_ANGLE = radians(282)
_CODE_ANGLE = radians(70)
_EM_FOOT = -0.12
"""Lower edge of the ideographic em box (OpenType BASE ``ideo`` is -0.12 em in CJK fonts)."""
_DIGIT_HEIGHT = 0.72
"""Height of digits and capitals in em, as nearly all fonts have it."""
_LONGEST_CODE = 20
_NARROW = 0.82
"""Characters on seals are taller than wide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """One character; the unit is the em, y upwards from the baseline."""

    outline: Outline
    advance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SealText:
    """What stands on a seal."""

    name: str
    """Full name of the unit, 4 to 40 characters."""
    code: str
    """Code on the lower arc, 0 to 20 digits and capitals: 13 digits as given by 公安."""
    diameter_mm: int = 42


@dataclass(frozen=True, slots=True, kw_only=True)
class SealPicture:
    """One geometry, drawn as vectors and as pixels. The same input gives the same bytes."""

    diameter_mm: int
    outlines: tuple[Outline, ...]
    """In mm about the centre, y upwards: ring, star, characters in order of the name, of the code."""
    colour: tuple[int, int, int] = (230, 0, 18)

    def svg(self) -> bytes:
        """SVG 1.1 of paths only: no font is needed to show it."""
        half = self.diameter_mm / 2
        paths = "\n".join(f'<path d="{_path(outline, half)}"/>' for outline in self.outlines)
        size = self.diameter_mm
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}mm" height="{size}mm" viewBox="0 0 {size} {size}">\n'
            f'<g fill="#{bytes(self.colour).hex()}">\n{paths}\n</g>\n</svg>\n'
        ).encode("ascii")

    def png(self, *, pixels: int = 300) -> bytes:
        """PNG of ``pixels`` × ``pixels`` with 16 palette entries, one colour from clear to full."""
        half, scale = self.diameter_mm / 2, pixels / self.diameter_mm

        def place(point: Point) -> Point:
            return ((half + point[0]) * scale, (half - point[1]) * scale)

        outlines = (tuple(contour.map(place) for contour in outline) for outline in self.outlines)
        return palette_png(outlines, pixels=pixels, colour=self.colour)


def draw_seal(text: SealText, fonts: FontStack) -> SealPicture:
    """Lay out a round seal.

    Raises:
        RejectedError: ``seal.picture.name-length``, ``seal.picture.diameter``, ``seal.picture.code``, or
            ``seal.picture.glyph-missing``, which names the character.
    """
    _check(text)
    unit = text.diameter_mm / _NOMINAL_MM
    radius = text.diameter_mm / 2
    inside = radius - _RING_MM * unit
    ring = (circle(radius, clockwise=False), circle(inside, clockwise=True))
    figure = (star(_STAR_RADIUS_MM * unit),)
    name = _name(_shapes(text.name, fonts), unit=unit, inside=inside)
    code = _code(_shapes(text.code, fonts), unit=unit, inside=inside)
    return SealPicture(diameter_mm=text.diameter_mm, outlines=(ring, figure, *name, *code))


def _check(text: SealText) -> None:
    length = len(text.name)
    if length not in NAME_LENGTHS:
        raise RejectedError(
            f"The name on a seal has {NAME_LENGTHS.start} to {NAME_LENGTHS.stop - 1} characters, this one {length}.",
            code="seal.picture.name-length",
            length=length,
        )
    if text.diameter_mm not in DIAMETERS_MM:
        raise RejectedError(
            f"A round seal is {DIAMETERS_MM.start} to {DIAMETERS_MM.stop - 1} mm across, not {text.diameter_mm} mm.",
            code="seal.picture.diameter",
            diameter_mm=text.diameter_mm,
        )
    if len(text.code) > _LONGEST_CODE or not all(c.isascii() and (c.isdigit() or c.isupper()) for c in text.code):
        raise RejectedError(
            f"The code on a seal is at most {_LONGEST_CODE} digits and capital letters.",
            code="seal.picture.code",
            length=len(text.code),
        )


def _shapes(text: str, fonts: FontStack) -> list[_Shape]:
    shapes = []
    for position, character in enumerate(text, start=1):
        face = fonts.face_for(character) if fonts.covers(character) else None
        shape = _Shape(outline=_outline(face.outline(character)), advance=face.advance(character)) if face else None
        if shape is None or shape.advance <= 0 or not (shape.outline or character.isspace()):
            raise RejectedError(
                f"No font at hand can draw character {position} of the text on the seal, U+{ord(character):04X}.",
                code="seal.picture.glyph-missing",
                position=position,
                character=f"U+{ord(character):04X}",
            )
        shapes.append(shape)
    return shapes


def _outline(commands: Iterable[PathCommand]) -> Outline:
    contours: list[Contour] = []
    start: Point = (0.0, 0.0)
    curves: list[tuple[Point, ...]] = []
    for operator, values in commands:
        points = tuple(zip(values[::2], values[1::2], strict=True))
        if operator == "M":
            start, curves = points[0], []
        elif operator == "Z":
            contours.append(Contour(start=start, curves=tuple(curves)))
        else:
            curves.append(points)
    return tuple(contours)


def _name(shapes: list[_Shape], *, unit: float, inside: float) -> Iterable[Outline]:
    count = len(shapes)
    size = (5.6 - 0.05 * max(0, count - 10)) * unit
    gap = max(0.12, 0.75 - 0.045 * count)
    radius = inside - _MARGIN_MM * unit - size
    advances = [shape.advance * _NARROW for shape in shapes]
    cells = spread(advances, size=size, radius=radius, gap=gap, limit=_NAME_ANGLE)
    for shape, cell in zip(shapes, cells, strict=True):
        wide = cell.width / shape.advance

        def place(point: Point, *, wide: float = wide, shape: _Shape = shape, angle: float = cell.angle) -> Point:
            box = ((point[0] - shape.advance / 2) * wide, (point[1] - _EM_FOOT) * size)
            return place_above(box, angle=angle, radius=radius)

        yield _moved(shape.outline, place)


def _code(shapes: list[_Shape], *, unit: float, inside: float) -> Iterable[Outline]:
    size = _CODE_HEIGHT_MM * unit
    feet = inside - _CODE_MARGIN_MM * unit
    advances = [shape.advance / _DIGIT_HEIGHT for shape in shapes]
    cells = spread(advances, size=size, radius=feet - size, gap=0.1, limit=_CODE_ANGLE) if shapes else ()
    for shape, cell in zip(shapes, cells, strict=True):
        wide = cell.width / shape.advance

        def place(point: Point, *, wide: float = wide, shape: _Shape = shape, angle: float = cell.angle) -> Point:
            box = ((point[0] - shape.advance / 2) * wide, point[1] / _DIGIT_HEIGHT * size)
            return place_below(box, angle=angle, radius=feet)

        yield _moved(shape.outline, place)


def _moved(outline: Outline, place: Callable[[Point], Point]) -> Outline:
    return tuple(contour.map(place) for contour in outline)


def _path(outline: Outline, half: float) -> str:
    return "".join(_contour_path(contour, half) for contour in outline)


def _contour_path(contour: Contour, half: float) -> str:
    def numbers(point: Point) -> str:
        return f"{half + point[0]:.3f} {half - point[1]:.3f}"

    parts = [f"M{numbers(contour.start)}"]
    parts.extend("LQC"[len(curve) - 1] + " ".join(map(numbers, curve)) for curve in contour.curves)
    return "".join(parts) + "Z"
