"""Colour spaces of PDF (ISO 32000-2 §8.6), each as a way from component values to sRGB."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import pikepdf

from ofd.convert.pdf.functions import read_functions
from ofd.convert.pdf.inks import ink_color
from ofd.convert.pdf.streams import Limits, array, dictionary, name, number, numbers, read_stream

__all__ = ["CMYK", "GRAY", "PATTERN", "RGB", "ColorSpace", "Rgb", "read_color_space"]

Rgb = tuple[float, float, float]
"""sRGB, each 0 to 1."""
_DEPTH = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class ColorSpace:
    """How colour values of a PDF become sRGB."""

    kind: str
    """``gray``, ``rgb``, ``cmyk``, ``lab``, ``indexed``, ``tint`` or ``pattern``."""
    components: int
    initial: tuple[float, ...]
    """What a colour is before one is set."""
    to_rgb: Callable[[Sequence[float]], Rgb]
    """Missing values count as 0."""
    base: "ColorSpace | None" = None
    """Of an indexed space, what its table holds; of a pattern space, what its uncoloured patterns are painted in."""
    table: tuple[Rgb, ...] = ()
    """Of an indexed space."""

    def rgb(self, values: Sequence[float]) -> Rgb:
        """The colour of values; too few are filled up with 0."""
        padded = (*values, *([0.0] * (self.components - len(values))))
        red, green, blue = self.to_rgb(padded[: self.components])
        return (_unit(red), _unit(green), _unit(blue))


def _unit(value: float) -> float:
    return 0.0 if value < 0 else 1.0 if value > 1 else value


def _from_cmyk(values: Sequence[float]) -> Rgb:
    return ink_color(values[0], values[1], values[2], values[3])


GRAY = ColorSpace(kind="gray", components=1, initial=(0.0,), to_rgb=lambda v: (v[0], v[0], v[0]))
"""DeviceGray."""
RGB = ColorSpace(kind="rgb", components=3, initial=(0.0, 0.0, 0.0), to_rgb=lambda v: (v[0], v[1], v[2]))
"""DeviceRGB, taken as sRGB."""
CMYK = ColorSpace(kind="cmyk", components=4, initial=(0.0, 0.0, 0.0, 1.0), to_rgb=_from_cmyk)
"""DeviceCMYK."""
PATTERN = ColorSpace(kind="pattern", components=0, initial=(), to_rgb=lambda _: (0.0, 0.0, 0.0))
"""Pattern without an underlying space."""

_NAMED = {
    "/DeviceGray": GRAY,
    "/G": GRAY,
    "/CalGray": GRAY,
    "/DeviceRGB": RGB,
    "/RGB": RGB,
    "/CalRGB": RGB,
    "/DeviceCMYK": CMYK,
    "/CMYK": CMYK,
    "/CalCMYK": CMYK,
    "/Pattern": PATTERN,
}
_BY_COMPONENTS = {1: GRAY, 3: RGB, 4: CMYK}


def read_color_space(
    value: object, resources: pikepdf.Object | None, limits: Limits, depth: int = 0
) -> ColorSpace | None:
    """A colour space as it stands in a stream or a resource; None when it cannot be understood.

    Args:
        value: a name or an array.
        resources: dictionary of resources to look names up in.
        limits: what reading may cost.
        depth: how many spaces this one lies in.
    """
    if depth > _DEPTH:
        return None
    if plain := name(value):
        spaces = dictionary(resources.get("/ColorSpace")) if resources is not None else None
        if spaces is not None and plain not in _NAMED and (found := spaces.get(plain)) is not None:
            return read_color_space(found, None, limits, depth + 1)
        return _NAMED.get(plain)
    items = array(value)
    if not items:
        return None
    kind = name(items[0])
    if len(items) == 1 or kind in {"/CalGray", "/CalRGB", "/DeviceGray", "/DeviceRGB", "/DeviceCMYK"}:
        return _NAMED.get(kind)
    reader = _READERS.get(kind)
    return None if reader is None else reader(items, resources, limits, depth)


def _icc(
    items: list[pikepdf.Object], resources: pikepdf.Object | None, limits: Limits, depth: int
) -> ColorSpace | None:
    profile = dictionary(items[1])
    if profile is None:
        return None
    count = int(number(profile.get("/N")))
    alternate = read_color_space(profile.get("/Alternate"), resources, limits, depth + 1)
    if alternate is not None and alternate.components == count and alternate.kind == "lab":
        return alternate
    return _BY_COMPONENTS.get(count, alternate)


def _lab(items: list[pikepdf.Object], *_: object) -> ColorSpace:
    parameters = dictionary(items[1])
    white = (numbers(parameters.get("/WhitePoint"), 3) if parameters is not None else None) or (0.9505, 1.0, 1.089)

    def to_rgb(values: Sequence[float]) -> Rgb:
        middle = (values[0] + 16) / 116
        x, y, z = (
            w * (t**3 if t > 6 / 29 else 108 / 841 * (t - 4 / 29))
            for w, t in zip(white, (middle + values[1] / 500, middle, middle - values[2] / 200), strict=True)
        )
        x, z = x / white[0] * 0.9505, z / white[2] * 1.089
        linear = (
            3.2406 * x - 1.5372 * y - 0.4986 * z,
            -0.9689 * x + 1.8758 * y + 0.0415 * z,
            0.0557 * x - 0.2040 * y + 1.0570 * z,
        )
        red, green, blue = (12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055 for v in map(_unit, linear))
        return (red, green, blue)

    return ColorSpace(kind="lab", components=3, initial=(0.0, 0.0, 0.0), to_rgb=to_rgb)


def _indexed(
    items: list[pikepdf.Object], resources: pikepdf.Object | None, limits: Limits, depth: int
) -> ColorSpace | None:
    base = read_color_space(items[1], resources, limits, depth + 1)
    if base is None or len(items) < 4 or base.kind in {"pattern", "indexed"}:
        return None
    source = items[3]
    data = bytes(source) if isinstance(source, pikepdf.String) else read_stream(source, limits)
    count = min(max(int(number(items[2])), 0), 255) + 1
    width = base.components
    table = []
    for index in range(count):
        octets = data[index * width : (index + 1) * width].ljust(width, b"\x00")
        values = [octet / 255 for octet in octets]
        if base.kind == "lab":
            values = [values[0] * 100, values[1] * 200 - 100, values[2] * 200 - 100]
        table.append(base.rgb(values))

    def to_rgb(values: Sequence[float]) -> Rgb:
        return table[min(max(int(values[0]), 0), count - 1)]

    return ColorSpace(kind="indexed", components=1, initial=(0.0,), to_rgb=to_rgb, base=base, table=tuple(table))


def _tint(
    items: list[pikepdf.Object], resources: pikepdf.Object | None, limits: Limits, depth: int
) -> ColorSpace | None:
    if len(items) < 4:
        return None
    names = array(items[1])
    alternate = read_color_space(items[2], resources, limits, depth + 1)
    function = read_functions(items[3], limits)
    if alternate is None or function is None or alternate.kind == "pattern":
        return None
    count = 1 if names is None else len(names)
    return ColorSpace(
        kind="tint",
        components=count,
        initial=(1.0,) * count,
        to_rgb=lambda values: alternate.rgb(function(values)),
        base=alternate,
    )


def _pattern(items: list[pikepdf.Object], resources: pikepdf.Object | None, limits: Limits, depth: int) -> ColorSpace:
    base = read_color_space(items[1], resources, limits, depth + 1)
    return ColorSpace(
        kind="pattern",
        components=0 if base is None else base.components,
        initial=(),
        to_rgb=PATTERN.to_rgb if base is None else base.to_rgb,
        base=base,
    )


_Reader = Callable[[list[pikepdf.Object], pikepdf.Object | None, Limits, int], ColorSpace | None]
_READERS: dict[str, _Reader] = {
    "/ICCBased": _icc,
    "/Lab": _lab,
    "/Indexed": _indexed,
    "/I": _indexed,
    "/Separation": _tint,
    "/DeviceN": _tint,
    "/NChannel": _tint,
    "/Pattern": _pattern,
}


def grid(space: ColorSpace, steps: int) -> list[Rgb]:
    """Colours at an even grid over a space whose values go from 0 to 1, the first component changing fastest."""
    ticks = [step / (steps - 1) for step in range(steps)]
    return [space.rgb(tuple(reversed(values))) for values in product(ticks, repeat=space.components)]
