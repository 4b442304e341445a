"""What the demonstration leaves in its folder, written so that a half file never stands under a final name."""

import errno
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from trustcore.errors import BusyError

__all__ = ["OutputFolder"]


class OutputFolder:
    """A folder of results.

    Args:
        path: made when it does not exist.

    Raises:
        BusyError: ``demo.output`` when it cannot be written, ``demo.disk-full`` when there is no room left.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, data: bytes) -> Path:
        """Write ``name`` (a relative path) at once or not at all; nothing happens when it holds ``data`` already."""
        target = self.path / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_file() and target.stat().st_size == len(data) and target.read_bytes() == data:
                return target
            _replace(target, data)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                raise BusyError(
                    f"the disk of {self.path} is full; make room and run the same command again to go on",
                    code="demo.disk-full",
                ) from error
            raise BusyError(
                f"{self.path} cannot be written: {error.strerror}; choose another folder with --out",
                code="demo.output",
            ) from error
        return target

    def write_json(self, name: str, content: Mapping[str, object]) -> Path:
        """Write JSON in UTF-8, indented."""
        return self.write(name, (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode())


def _replace(target: Path, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
