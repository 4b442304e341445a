"""Serial numbers of time stamps: handed out from blocks, so that a token costs no transaction of its own."""

from collections.abc import Iterator
from threading import Lock

from ca import store
from trustcore.database import Database

__all__ = ["TokenNumbers"]

_BLOCK = 256


class TokenNumbers:
    """Numbers that no token of an authority has twice (RFC 3161 §2.4.2). Safe to share between threads.

    A process reserves a block in the database and uses it up; what a process that dies has not used stays unused.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()
        self._blocks: dict[str, Iterator[int]] = {}

    def next(self, authority: str) -> int:
        """The next number of an authority."""
        with self._lock:
            number = next(self._blocks.get(authority, iter(())), None)
            if number is None:
                with self._database.transaction() as session:
                    block = iter(store.reserve_numbers(session, f"timestamp:{authority}", _BLOCK))
                self._blocks[authority] = block
                number = next(block)
            return number
