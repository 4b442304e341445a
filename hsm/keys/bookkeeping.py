"""What is written to the database every few seconds and not at every signature."""

import threading
from collections.abc import Callable, Sequence

import structlog
from sqlalchemy.exc import SQLAlchemyError

from trustcore.errors import TrustError

__all__ = ["Bookkeeper"]

_EVERY_SECONDS = 5.0
_log = structlog.get_logger(__name__)


class Bookkeeper:
    """A thread that calls ``writers`` every few seconds, and once more when it is closed.

    It starts at the first :meth:`wake`, so a process that uses no key has no such thread. A writer that meets a
    database that does not answer, or refuses, keeps what it has and is called again. ``at_end`` is called last of all.
    """

    def __init__(
        self,
        writers: Sequence[Callable[[], None]],
        *,
        at_end: Callable[[], None],
        every_seconds: float = _EVERY_SECONDS,
    ) -> None:
        self._writers = tuple(writers)
        self._at_end = at_end
        self._every_seconds = every_seconds
        self._closing = threading.Event()
        self._started = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Start the thread, if that is not done."""
        if self._started.is_set():
            return
        with self._starting:
            if not self._started.is_set() and not self._closing.is_set():
                self._started.set()
                self._thread = threading.Thread(target=self._work, name="hsm-bookkeeping", daemon=True)
                self._thread.start()

    def write(self) -> None:
        """Call every writer now."""
        for writer in self._writers:
            _try(writer)

    def close(self) -> None:
        """Stop the thread and write what is left."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        self.write()
        _try(self._at_end)

    def _work(self) -> None:
        while not self._closing.wait(self._every_seconds):
            self.write()


def _try(writer: Callable[[], None]) -> None:
    try:
        writer()
    except TrustError as error:
        _log.warning("hsm.bookkeeping.delayed", code=error.code)
    except SQLAlchemyError as error:
        _log.error("hsm.bookkeeping.failed", exc_info=error)
