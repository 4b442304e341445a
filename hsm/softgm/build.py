"""Compile softgm once and find it again."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from importlib import resources
from pathlib import Path

from hsm.locks import file_lock
from trustcore.errors import InternalError

__all__ = ["library_path", "shim_path"]

_FLAGS = (
    "-std=c11",
    "-D_GNU_SOURCE",
    "-O2",
    "-Wall",
    "-Wextra",
    "-fPIC",
    "-fvisibility=hidden",
    "-fstack-protector-strong",
    "-D_FORTIFY_SOURCE=2",
    "-shared",
    "-Wl,-z,now,-z,relro,-z,defs",
)
_LIBRARIES = ("-lcrypto", "-lpthread", "-ldl")
_HEADERS = "/usr/include/p11-kit-1"
_REMEDY = "install the Debian packages gcc, libssl-dev and libp11-kit-dev"
_COMPILER_TIMEOUT_SECONDS = 120


def library_path(cache_dir: Path) -> Path:
    """Path of the compiled module in ``cache_dir``, compiling it on the first call.

    The name holds a hash of the sources and of the machine's architecture, so a new version never meets an old
    library. Safe when several processes call at once.

    Raises:
        InternalError: ``hsm.softgm.build`` when it cannot be compiled; the sentence names the missing packages.
    """
    sources = _sources()
    library = cache_dir / f"softgm-{_fingerprint(sources)}.so"
    if library.exists():
        return library
    cache_dir.mkdir(parents=True, exist_ok=True)
    with file_lock(cache_dir / "softgm.lock"):
        if not library.exists():
            _compile(sources, library)
    return library


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


def _sources() -> dict[str, bytes]:
    folder = resources.files("hsm.softgm")
    return {
        entry.name: entry.read_bytes()
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith((".c", ".h"))
    }


def _fingerprint(sources: dict[str, bytes]) -> str:
    digest = hashlib.sha256("\0".join((*_FLAGS, os.uname().machine)).encode())
    for name, text in sources.items():
        digest.update(f"\0{name}\0{len(text)}\0".encode())
        digest.update(text)
    return digest.hexdigest()[:16]


def _compile(sources: dict[str, bytes], library: Path) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise InternalError(f"softgm cannot be compiled: no C compiler; {_REMEDY}.", code="hsm.softgm.build")
    with tempfile.TemporaryDirectory(dir=library.parent, prefix="build-") as name:
        folder = Path(name)
        for source, text in sources.items():
            (folder / source).write_bytes(text)
        units = [source for source in sources if source.endswith(".c")]
        command = [compiler, *_FLAGS, f"-I{_HEADERS}", "-o", library.name, *units, *_LIBRARIES]
        try:
            done = subprocess.run(  # noqa: S603 - our own sources, no shell
                command, cwd=folder, capture_output=True, text=True, timeout=_COMPILER_TIMEOUT_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InternalError(
                f"softgm cannot be compiled: the compiler did not run; {_REMEDY}.", code="hsm.softgm.build"
            ) from error
        if done.returncode != 0:
            raise InternalError(
                f"softgm cannot be compiled: {_first_error(done.stderr)}; {_REMEDY}.", code="hsm.softgm.build"
            )
        (folder / library.name).replace(library)


def _first_error(output: str) -> str:
    for line in output.splitlines():
        if "error" in line:
            return line.strip().rstrip(".")
    return "the compiler failed"
