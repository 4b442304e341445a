"""Compile libsdf once and find it again."""

from pathlib import Path

from hsm.softgm.build import arithmetic_sources
from trustcore.native import compile_once, package_sources

__all__ = ["LIBRARIES", "library_path", "library_sources"]

LIBRARIES = ("-lcrypto", "-lpthread")
"""What it is linked with."""
_REMEDY = "install the Debian packages gcc and libssl-dev"


def library_sources() -> dict[str, bytes]:
    """All of its sources, those it shares with softgm in a folder of their own."""
    shared = arithmetic_sources() | {
        name: text for name, text in package_sources("hsm.softgm").items() if name.startswith("faults")
    }
    return package_sources("hsm.libsdf") | {f"softgm/{name}": text for name, text in shared.items()}


def library_path(cache_dir: Path) -> Path:
    """Path of the compiled library in ``cache_dir``, compiling it on the first call; see :func:`compile_once`.

    Raises:
        InternalError: ``hsm.libsdf.build`` when it cannot be compiled; the sentence names the missing packages.
    """
    return compile_once(
        cache_dir, "libsdf", library_sources(), libraries=LIBRARIES, code="hsm.libsdf.build", remedy=_REMEDY
    )
