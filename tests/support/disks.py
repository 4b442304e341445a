"""A disk that is soon full: a small memory file system, mounted for the time of a test."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["MountForbiddenError", "small_disk"]

_LIBC = ctypes.CDLL(None, use_errno=True)
_DETACH = 2


class MountForbiddenError(RuntimeError):
    """This machine lets nobody mount a file system here."""


@contextmanager
def small_disk(path: Path, size_bytes: int) -> Iterator[Path]:
    """A file system of ``size_bytes`` at ``path``. Raises ``MountForbiddenError``."""
    path.mkdir(exist_ok=True)
    if _LIBC.mount(b"tmpfs", os.fsencode(path), b"tmpfs", 0, f"size={size_bytes}".encode()) != 0:
        raise MountForbiddenError(os.strerror(ctypes.get_errno()))
    try:
        yield path
    finally:
        _LIBC.umount2(os.fsencode(path), _DETACH)
