"""The simple types of GB/T 33190-2016 §7.3 and Annex A: which texts are values of each."""

import re
from collections.abc import Callable
from math import isfinite

__all__ = ["CHECKS", "expand_deltas", "is_value", "numbers"]

_UNSIGNED = re.compile(r"[0-9]{1,10}")
_INTEGER = re.compile(r"[+-]?[0-9]{1,10}")
_DATE = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(Z|[+-][0-9]{2}:[0-9]{2})?")
_TIME = re.compile(r"T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?")
_DOC_ID = re.compile(r"[0-9A-Fa-f]{32}")
_HEX = re.compile(r"#[0-9A-Fa-f]{1,4}")
_LARGEST_UNSIGNED = 2**32 - 1
_PATH_ARGUMENTS = {"S": 2, "M": 2, "L": 2, "Q": 4, "B": 6, "A": 7, "C": 0}
"""Operators of AbbreviatedData and how many numbers each takes (§9.3.2)."""
_MOST_DELTAS = 1_000_000


def is_value(kind: str, text: str) -> bool:
    """Whether a text is a value of a simple type; types that are any text accept all."""
    check = CHECKS.get(kind)
    return check is None or check(text.strip())


def numbers(text: str) -> tuple[float, ...] | None:
    """The numbers of an ST_Array, or ``None`` when one of its parts is none."""
    try:
        values = tuple(float(part) for part in text.split())
    except ValueError:
        return None
    return values if all(isfinite(value) for value in values) else None


def expand_deltas(text: str) -> tuple[float, ...] | None:
    """DeltaX or DeltaY with its ``g count value`` written out (§11.3); ``None`` when it is malformed."""
    parts = iter(text.split())
    found: list[float] = []
    try:
        for part in parts:
            count = int(next(parts)) if part == "g" else 1
            value = float(next(parts)) if part == "g" else float(part)
            if count < 0 or count + len(found) > _MOST_DELTAS or not isfinite(value):
                return None
            found.extend([value] * count)
    except (ValueError, StopIteration):
        return None
    return tuple(found)


def _several(count: int, *, positive_size: bool = False) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        values = numbers(text)
        return values is not None and len(values) == count and (not positive_size or min(values[2:]) > 0)

    return check


def _one_of(*names: str) -> Callable[[str], bool]:
    return frozenset(names).__contains__


def _unsigned(text: str) -> bool:
    return _UNSIGNED.fullmatch(text) is not None and int(text) <= _LARGEST_UNSIGNED


def _any_numbers(text: str) -> bool:
    return numbers(text) is not None


def _datetime(text: str) -> bool:
    date, time = text[:10], text[10:]
    return _DATE.fullmatch(date) is not None and _TIME.fullmatch(time) is not None


def _color(text: str) -> bool:
    parts = text.split()
    return bool(parts) and all(_HEX.fullmatch(part) or numbers(part) is not None for part in parts)


def _path(text: str) -> bool:
    """Operators in capital letters, each followed by its numbers, blanks between all of them."""
    parts = text.split()
    position = 0
    while position < len(parts):
        count = _PATH_ARGUMENTS.get(parts[position])
        if count is None or numbers(" ".join(parts[position + 1 : position + 1 + count])) is None:
            return False
        if len(parts) < position + 1 + count:
            return False
        position += 1 + count
    return True


def _alpha(text: str) -> bool:
    return _INTEGER.fullmatch(text) is not None and 0 <= int(text) <= 255


def _glyphs(text: str) -> bool:
    return all(_unsigned(part) for part in text.split())


_boolean = _one_of("true", "false", "1", "0")

CHECKS: dict[str, Callable[[str], bool]] = {
    "alpha": _alpha,
    "annottype": _one_of("Link", "Path", "Highlight", "Stamp", "Watermark"),
    "bool": _boolean,
    "box": _several(4, positive_size=True),
    "cap": _one_of("Butt", "Round", "Square"),
    "charset": _one_of("symbol", "prc", "big5", "shift-jis", "wansung", "johab", "unicode"),
    "color": _color,
    "colortype": _one_of("GRAY", "RGB", "CMYK"),
    "date": lambda text: _DATE.fullmatch(text) is not None,
    "datetime": _datetime,
    "deltas": lambda text: expand_deltas(text) is not None,
    "desttype": _one_of("XYZ", "Fit", "FitH", "FitV", "FitR"),
    "direction": _one_of("0", "90", "180", "270"),
    "docid": lambda text: _DOC_ID.fullmatch(text) is not None,
    "doctype": _one_of("OFD", "OFD-A"),
    "edge": _one_of("0", "1", "2"),
    "event": _one_of("DO", "PO", "CLICK"),
    "extend": _one_of("0", "1", "2", "3"),
    "glyphs": _glyphs,
    "id": _unsigned,
    "int": lambda text: _INTEGER.fullmatch(text) is not None,
    "join": _one_of("Miter", "Round", "Bevel"),
    "layertype": _one_of("Body", "Background", "Foreground", "Custom"),
    "maptype": _one_of("Direct", "Repeat", "Reflect"),
    "matrix": _several(6),
    "mediatype": _one_of("Image", "Audio", "Video"),
    "moment": lambda text: _DATE.fullmatch(text) is not None or _datetime(text),
    "movie": _one_of("Play", "Stop", "Pause", "Resume"),
    "number": _several(1),
    "numbers": _any_numbers,
    "pagelayout": _one_of("OnePage", "OneColumn", "TwoPageL", "TwoColumnL", "TwoPageR", "TwoColumnR"),
    "pagemode": _one_of(
        "None", "FullScreen", "UseOutlines", "UseThumbs", "UseCustomTags", "UseLayers", "UseAttatchs", "UseBookmarks"
    ),
    "path": _path,
    "position": _several(2),
    "ref": _unsigned,
    "reflect": _one_of("Normal", "Row", "Column", "RowAndColumn"),
    "relative": _one_of("Page", "Object"),
    "rule": _one_of("NonZero", "Even-Odd"),
    "signtype": _one_of("Seal", "Sign"),
    "tabdisplay": _one_of("DocTitle", "FileName"),
    "uint": _unsigned,
    "usage": _one_of("Normal", "EBook", "ENewsPaper", "EMagzine"),
    "version": _one_of("1.0"),
    "weight": _one_of("100", "200", "300", "400", "500", "600", "700", "800", "900", "1000", "0"),
    "zoommode": _one_of("Default", "FitHeight", "FitWidth", "FitRect"),
    "zorder": _one_of("Background", "Foreground"),
}
"""What each simple type accepts. Types that are not here are any text."""
