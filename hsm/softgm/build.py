"""Compile softgm once and find it again."""

import hashlib
import os
import shutil
from pathlib import Path

from trustcore.locks import file_lock
from trustcore.native import compile_once, package_sources

__all__ = ["arithmetic_sources", "library_path", "shim_path"]

_LIBRARIES = ("-lcrypto", "-lpthread", "-ldl")
_HEADERS = ("/usr/include/p11-kit-1",)
_REMEDY = "install the Debian packages gcc, libssl-dev and libp11-kit-dev"


def arithmetic_sources() -> dict[str, bytes]:
    """The files behind ``sm2.h`` alone, for other libraries that compute SM2; they want ``-lcrypto``."""
    own = {name: text for name, text in package_sources("hsm.softgm").items() if name.startswith("sm2")}
    return own | package_sources("trustcore.crypto.native", "native/")


def library_path(cache_dir: Path) -> Path:
    """Path of the compiled module in ``cache_dir``, compiling it on the first call; see :func:`compile_once`.

    Raises:
        InternalError: ``hsm.softgm.build`` when it cannot be compiled; the sentence names the missing packages.
    """
    return compile_once(
        cache_dir,
        "softgm",
        package_sources("hsm.softgm") | arithmetic_sources(),
        libraries=_LIBRARIES,
        headers=_HEADERS,
        code="hsm.softgm.build",
        remedy=_REMEDY,
    )


def shim_path(cache_dir: Path, module: Path) -> Path:
    """Path of a copy of softgm that serves ``module`` alone.

    A loaded library has one inner module for good, so every further module needs a file of its own to be loaded
    beside it.
    """
    library = library_path(cache_dir)
    name = hashlib.sha256(os.fsencode(module)).hexdigest()[:12]
    shim = library.with_name(f"{library.stem}-shim-{name}.so")
    with file_lock(cache_dir / "softgm.lock"):
        if not shim.exists():
            partial = shim.with_suffix(".partial")
            shutil.copyfile(library, partial)
            partial.replace(shim)
    return shim
