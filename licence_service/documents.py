"""The document store of one machine: a folder of files named by their SHA-256.

They are written so that a power cut leaves either the whole file or none.
"""

import contextlib
import errno
import hashlib
import os
import re
import tempfile
from pathlib import Path

from trustcore.errors import BusyError, InternalError, MalformedError, NotFoundError

__all__ = ["FolderDocuments"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SHA256 = re.compile(r"[0-9a-f]{64}")


class FolderDocuments:
    """Implements :class:`licence_service.ports.Documents`. Safe to share between threads and processes.

    Args:
        folder: made when missing, readable by the owner only.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, data: bytes) -> str:
        """See :meth:`licence_service.ports.Documents.put`."""
        sha256 = hashlib.sha256(data).hexdigest()
        path = self._path(sha256)
        try:
            if path.exists() and path.read_bytes() == data:
                return sha256
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write_durably(path, data)
        except OSError as error:
            if error.errno in _FULL:
                raise BusyError(
                    "The disk of the licence store is full; make room and run the command again.",
                    code="licence.storage.full",
                ) from error
            raise BusyError(
                "The licence store cannot be written; check its folder and its rights.",
                code="licence.storage.unavailable",
            ) from error
        return sha256

    def get(self, sha256: str) -> bytes:
        """See :meth:`licence_service.ports.Documents.get`."""
        try:
            data = self._path(sha256).read_bytes()
        except FileNotFoundError as error:
            raise NotFoundError("The file is not in the licence store.", code="licence.storage.not-found") from error
        except OSError as error:
            raise BusyError("The licence store cannot be read.", code="licence.storage.unavailable") from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise InternalError(
                "A file of the licence store was changed on disk.", code="licence.storage.damaged", sha256=sha256
            )
        return data

    def _path(self, sha256: str) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise MalformedError("A file is named by its SHA-256.", code="licence.storage.name")
        return self._folder / sha256[:2] / sha256[2:4] / sha256


def _write_durably(path: Path, data: bytes) -> None:
    """Write beside the place, flush, rename, flush the folder."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with open(handle, "wb") as file:  # noqa: PTH123 - an open descriptor
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
