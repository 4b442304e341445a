"""Watermarks: a text in rows across a page, turned and pale."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, cos, hypot, radians, sin

from ofd.build.canvas import Canvas
from ofd.build.colors import Color
from ofd.draw.scene import Color as SceneColor
from ofd.draw.scene import Glyph, Origin, OriginKind, SolidPaint, TextItem
from ofd.fonts.faces import FontStack
from ofd.geometry import Matrix
from trustcore.errors import RejectedError

__all__ = ["Watermark"]

_ORIGIN = Origin(kind=OriginKind.ANNOTATION, part="watermark")
_MOST = 2000
"""Repetitions on a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """A text that is repeated across the page."""

    text: str
    size_mm: float = 7
    angle: float = -30
    """Degrees by which the text is turned, clockwise."""
    color: Color = (128, 128, 128)
    opacity: float = 0.25
    gap_mm: tuple[float, float] = (30, 30)
    """Between repetitions, along the text and across."""

    def draw(self, canvas: Canvas, *, size_mm: tuple[float, float], fonts: FontStack) -> None:
        """Draw it all over a page.

        Raises:
            RejectedError: ``ofd.watermark.size`` when it would be repeated more often than readers stand;
                ``ofd.font.missing-glyph``.
        """
        length = fonts.width(self.text) * self.size_mm
        step = (length + self.gap_mm[0], self.size_mm + self.gap_mm[1])
        if not self.text.strip() or self.size_mm <= 0 or min(step) <= 0:
            raise RejectedError("A watermark has a text of some size.", code="ofd.watermark.size")
        reach = hypot(*size_mm) / 2
        if (2 * reach / step[0] + 2) * (2 * reach / step[1] + 2) > _MOST:
            raise RejectedError("The watermark is repeated too often.", code="ofd.watermark.size")
        turn = radians(self.angle)
        for x, y in _places(reach, step):
            middle_x = size_mm[0] / 2 + x * cos(turn) - y * sin(turn)
            middle_y = size_mm[1] / 2 + x * sin(turn) + y * cos(turn)
            around = hypot(length, self.size_mm) / 2
            if -around < middle_x < size_mm[0] + around and -around < middle_y < size_mm[1] + around:
                place = Matrix(cos(turn), sin(turn), -sin(turn), cos(turn), middle_x, middle_y)
                canvas.draw(self._item(fonts, place, length))

    def _item(self, fonts: FontStack, matrix: Matrix, length: float) -> TextItem:
        x = -length / 2
        glyphs: list[Glyph] = []
        for char in self.text:
            face = fonts.face_for(char)
            glyphs.append(Glyph(index=face.glyph(char), x=x, y=self.size_mm * 0.35, text=char, face=face))
            x += face.advance(char) * self.size_mm
        red, green, blue = (part / 255 for part in self.color)
        fill = SolidPaint(color=SceneColor.of(red, green, blue, self.opacity))
        return TextItem(
            face=fonts.faces[0], size=self.size_mm, glyphs=tuple(glyphs), matrix=matrix, fill=fill, origin=_ORIGIN
        )


def _places(reach: float, step: tuple[float, float]) -> Iterator[tuple[float, float]]:
    """Middles of the repetitions about the page's middle; every other row is moved by half a step."""
    across, down = ceil(reach / step[0]) + 1, ceil(reach / step[1])
    for row in range(-down, down + 1):
        for column in range(-across, across + 1):
            yield (column + (row % 2) / 2) * step[0], row * step[1]
