"""One process at a time."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["file_lock"]


_LOOK_SECONDS = 0.01


@contextmanager
def file_lock(path: Path, *, patience_seconds: float | None = None) -> Iterator[None]:
    """Hold an exclusive lock on ``path``, waiting for whoever has it.

    The file is made where it is missing and stays. The system drops the lock when the process dies, so a crash leaves
    nothing behind. Threads of one process exclude each other too, because each call opens the file anew.

    Args:
        path: the file.
        patience_seconds: go on without the lock after so long, because whoever has it may never come back; for ever
            when not given.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        if patience_seconds is None:
            fcntl.flock(file, fcntl.LOCK_EX)
        else:
            _try_lock(file.fileno(), time.monotonic() + patience_seconds)
        yield


def _try_lock(file: int, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return
            time.sleep(_LOOK_SECONDS)
        else:
            return
