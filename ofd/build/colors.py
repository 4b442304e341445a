"""Colours of the simple drawing calls: RGB triples, and values of colour spaces (GB/T 33190-2016 §8.3.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ofd.build.numbers import number
from ofd.xmlio import Element, element
from trustcore.errors import RejectedError

__all__ = ["BLACK", "AnyColor", "Color", "ColorSpaceType", "SpaceColor", "write_color", "write_color_space"]

Color = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""
BLACK: Color = (0, 0, 0)
_OPAQUE = 255
_BITS = frozenset({1, 2, 4, 8, 16})


class ColorSpaceType(StrEnum):
    """``ColorSpace@Type``."""

    GRAY = "GRAY"
    RGB = "RGB"
    CMYK = "CMYK"

    @property
    def components(self) -> int:
        """How many values a colour has."""
        return {"GRAY": 1, "RGB": 3, "CMYK": 4}[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceColor:
    """A colour of a colour space of the document: its components, or its place in the palette."""

    space: int
    """ID, as :meth:`ofd.build.document.DocumentBuilder.color_space` gives it."""
    value: tuple[int, ...] = ()
    """0 to 2^bits - 1 each."""
    index: int | None = None
    """In the palette, from 0, instead of a value."""
    alpha: int = _OPAQUE


AnyColor = Color | SpaceColor


def write_color(parent: Element, name: str, color: AnyColor) -> None:
    """A colour element, appended to ``parent``."""
    if isinstance(color, SpaceColor):
        attributes = {} if color.index is not None else {"Value": " ".join(map(str, color.value))}
        if color.index is not None:
            attributes["Index"] = str(color.index)
        attributes["ColorSpace"] = str(color.space)
        if color.alpha != _OPAQUE:
            attributes["Alpha"] = str(color.alpha)
    else:
        attributes = {"Value": " ".join(str(part) for part in color)}
    element(parent, name, attributes=attributes)


def write_color_space(
    parent: Element,
    space_id: int,
    kind: ColorSpaceType,
    *,
    bits: int = 8,
    palette: Sequence[Sequence[float]] = (),
    profile: str = "",
) -> None:
    """A ``ColorSpace`` element, appended to ``parent``.

    Raises:
        RejectedError: ``ofd.build.color-space`` for a number of bits or of components that cannot be.
    """
    if bits not in _BITS or any(len(entry) != kind.components for entry in palette):
        raise RejectedError("A colour space has 1, 2, 4, 8 or 16 bits and full colours.", code="ofd.build.color-space")
    attributes = {"ID": str(space_id), "Type": kind.value}
    if bits != 8:
        attributes["BitsPerComponent"] = str(bits)
    if profile:
        attributes["Profile"] = profile
    node = element(parent, "ColorSpace", attributes=attributes)
    if palette:
        entries = element(node, "Palette")
        for entry in palette:
            element(entries, "CV", " ".join(number(value) for value in entry))
