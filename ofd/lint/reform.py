"""Rewriting values that are meant well and written otherwise than the standard asks."""

import re
from urllib.parse import unquote

from ofd.lint.values import expand_deltas, is_value

__all__ = ["cut_deltas", "reformed"]

_PDF_DATE = re.compile(r"D:(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})((?P<H>\d{2})(?P<M>\d{2})(?P<S>\d{2}))?.*")
_LOOSE_DATE = re.compile(
    r"(?P<y>\d{4})[-/.年](?P<m>\d{1,2})[-/.月](?P<d>\d{1,2})日?"
    r"([T ]+(?P<H>\d{1,2}):(?P<M>\d{2}):(?P<S>\d{2})(\.\d+)?Z?)?"
)
_HEX = "([0-9A-Fa-f]{%d})"
_UUID = re.compile("[{(]?" + "-?".join(_HEX % length for length in (8, 4, 4, 4, 12)) + "[)}]?")
_PATH_TOKEN = re.compile(r"[SMLQBAC]|[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_PATH_BLANKS = re.compile(r"[\s,]*")


def reformed(kind: str, text: str) -> str | None:
    """The same value as the standard writes it; ``None`` when it is not clear what is meant."""
    text = text.strip()
    rewrite = _REWRITES.get(kind)
    found = None if rewrite is None else rewrite(text)
    return found if found is not None and is_value(kind, found) else None


def cut_deltas(text: str, count: int) -> str | None:
    """The first ``count`` values of DeltaX or DeltaY; ``None`` when it is malformed."""
    deltas = expand_deltas(text)
    if deltas is None:
        return None
    return " ".join(f"{value:.6f}".rstrip("0").rstrip(".") for value in deltas[:count])


def _parts(text: str) -> dict[str, str] | None:
    match = _PDF_DATE.fullmatch(text) or _LOOSE_DATE.fullmatch(unquote(text))
    return None if match is None else {name: (value or "").zfill(2) for name, value in match.groupdict().items()}


def _date(text: str) -> str | None:
    parts = _parts(text)
    return None if parts is None else f"{parts['y']}-{parts['m']}-{parts['d']}"


def _datetime(text: str) -> str | None:
    parts = _parts(text)
    return None if parts is None else f"{parts['y']}-{parts['m']}-{parts['d']}T{parts['H']}:{parts['M']}:{parts['S']}"


def _moment(text: str) -> str | None:
    parts = _parts(text)
    return None if parts is None else _date(text) if parts["H"] == "00" and parts["S"] == "00" else _datetime(text)


def _doc_id(text: str) -> str | None:
    match = _UUID.fullmatch(text)
    return None if match is None else "".join(match.groups())


def _path(text: str) -> str | None:
    """AbbreviatedData with blanks where they are missing and none of the commas."""
    tokens: list[str] = []
    position = 0
    while position < len(text):
        blank = _PATH_BLANKS.match(text, position)
        position = blank.end() if blank else position
        token = _PATH_TOKEN.match(text, position)
        if token is None:
            break
        tokens.append(token.group())
        position = token.end()
    return " ".join(tokens) if position >= len(text) else None


_REWRITES = {"date": _date, "datetime": _datetime, "moment": _moment, "docid": _doc_id, "path": _path}
