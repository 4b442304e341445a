"""Where in a TOML text a value stands: the parser of the standard library does not say."""

import re
from collections import Counter
from collections.abc import Sequence

__all__ = ["line_of"]

_HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.-]+)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")


def line_of(text: str, path: Sequence[str | int]) -> int:
    """Number of the line, from 1, of a value such as ``("key", 1, "label")`` or else of its table; 0 for neither.

    Written for tables with a value on each line, as the sample has them.
    """
    seen: Counter[str] = Counter()
    table: tuple[str | int, ...] = ()
    of_table = 0
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        if header:
            name = header[2]
            table = (name, seen[name]) if header[1] == "[[" else (name,)
            seen[name] += 1
            if tuple(path[: len(table)]) == table:
                of_table = of_table or number
            continue
        key = _KEY.match(line)
        if key and (*table, key[1]) == tuple(path[: len(table) + 1]):
            return number
    return of_table
