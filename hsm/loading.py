"""What loading a vendor's library takes, whichever interface it has."""

import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from trustcore.errors import InternalError, NotFoundError

__all__ = ["check_library", "starting_environment"]

_ELF_HEADER_BYTES = 20
_starting = threading.RLock()


def check_library(machine: str, library: Path) -> None:
    """Make sure that the library of a machine is there, and for this processor.

    Raises:
        NotFoundError: ``hsm.module.missing``.
        InternalError: ``hsm.module.architecture``, ``hsm.module.invalid``.
    """
    if not library.is_file():
        raise NotFoundError(
            f"The encryption machine {machine} has no module {library.name}: install the vendor's library or correct "
            "the setting.",
            code="hsm.module.missing",
            machine=machine,
            module=library.name,
        )
    with library.open("rb") as file:
        header = file.read(_ELF_HEADER_BYTES)
    with Path(sys.executable).open("rb") as file:
        ours = file.read(_ELF_HEADER_BYTES)
    if header[:4] != b"\x7fELF":
        raise InternalError(
            f"The module {library.name} of the encryption machine {machine} is not a shared library of this system.",
            code="hsm.module.invalid",
            machine=machine,
        )
    # Class and machine of the ELF header (System V ABI, chapter 4).
    if (header[4:5], header[18:20]) != (ours[4:5], ours[18:20]):
        raise InternalError(
            f"The module {library.name} of the encryption machine {machine} is made for another processor; install the "
            "vendor's library for this one.",
            code="hsm.module.architecture",
            machine=machine,
        )


@contextmanager
def starting_environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the time a library starts; starts that set some wait for each other."""
    if not values:
        yield
        return
    with _starting:
        before = {name: os.environ.get(name) for name in values}
        os.environ.update(values)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
