"""What was read once and never changes, kept for the next time the same octets come.

The same few certificates and lists come with every document. Values are found by their whole octets, never by a digest
or an identifier that somebody else could choose alike.
"""

from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar

__all__ = ["Remembered"]

_V = TypeVar("_V")


class Remembered(Generic[_V]):
    """The last values read, by their octets; the one not asked for the longest goes first. Safe between threads.

    Args:
        count: how many are kept.
        longest: octets of the longest that is kept; longer ones are read every time.
    """

    def __init__(self, *, count: int, longest: int) -> None:
        self._count = count
        self._longest = longest
        self._values: OrderedDict[bytes, _V] = OrderedDict()
        self._lock = Lock()

    def get(self, octets: bytes) -> _V | None:
        """The value that was read from these octets."""
        with self._lock:
            value = self._values.get(octets)
            if value is not None:
                self._values.move_to_end(octets)
            return value

    def put(self, octets: bytes, value: _V) -> _V:
        """Keep a value; answers with it."""
        if len(octets) <= self._longest:
            with self._lock:
                self._values[octets] = value
                if len(self._values) > self._count:
                    self._values.popitem(last=False)
        return value
