"""C sources that the product brings along: compiled once on the machine they run on, and found again.

Nothing is compiled at import or at installation; a program that never asks needs no compiler.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from trustcore.errors import InternalError
from trustcore.locks import file_lock

__all__ = ["FLAGS", "compile_once", "package_sources"]

FLAGS = (
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
"""What every library is compiled with."""
_COMPILER_TIMEOUT_SECONDS = 180


def package_sources(package: str, prefix: str = "") -> dict[str, bytes]:
    """The ``.c`` and ``.h`` files that lie in a Python package, by name with ``prefix`` before it."""
    folder = resources.files(package)
    return {
        prefix + entry.name: entry.read_bytes()
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith((".c", ".h"))
    }


def compile_once(
    cache_dir: Path,
    name: str,
    sources: Mapping[str, bytes],
    *,
    libraries: Sequence[str] = (),
    flags: Sequence[str] = FLAGS,
    headers: Sequence[str] = (),
    code: str = "native.compile",
    remedy: str = "install the Debian package gcc",
) -> Path:
    """Path of the shared library made of ``sources`` in ``cache_dir``, compiling it on the first call.

    The file's name holds a hash of the sources, of how they are compiled and of the machine's architecture, so a new
    version never meets an old library. Safe when several processes call at once.

    Args:
        cache_dir: folder of compiled libraries; made where it is missing.
        name: what the library is called, in its file name and in errors.
        sources: text by file name; the names may have folders, and ``#include`` finds them from the top.
        libraries: what to link, such as ``-lcrypto``.
        flags: the compiler's options, if not :data:`FLAGS`.
        headers: folders of further headers.
        code: code of the error.
        remedy: what to do when it cannot be compiled, as the end of a sentence.

    Raises:
        InternalError: ``code``, when it cannot be compiled; the sentence ends with the remedy.
    """
    options = (*flags, *(f"-I{folder}" for folder in (".", *headers)))
    library = cache_dir / f"{name}-{_fingerprint(sources, (*options, *libraries))}.so"
    if library.exists():
        return library
    cache_dir.mkdir(parents=True, exist_ok=True)
    with file_lock(cache_dir / f"{name}.lock"):
        if not library.exists():
            try:
                _compile(sources, library, options, libraries)
            except _NotCompiledError as error:
                raise InternalError(f"{name} cannot be compiled: {error}; {remedy}.", code=code) from error
    return library


class _NotCompiledError(Exception):
    """Why, as the middle of a sentence."""


def _fingerprint(sources: Mapping[str, bytes], options: Sequence[str]) -> str:
    digest = hashlib.sha256("\0".join((*options, os.uname().machine)).encode())
    for name, text in sorted(sources.items()):
        digest.update(f"\0{name}\0{len(text)}\0".encode())
        digest.update(text)
    return digest.hexdigest()[:16]


def _compile(sources: Mapping[str, bytes], library: Path, options: Sequence[str], libraries: Sequence[str]) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise _NotCompiledError("no C compiler")
    with tempfile.TemporaryDirectory(dir=library.parent, prefix="build-") as scratch:
        folder = Path(scratch)
        for source, text in sources.items():
            path = folder / source
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)
        units = sorted(source for source in sources if source.endswith(".c"))
        command = [compiler, *options, "-o", library.name, *units, *libraries]
        try:
            done = subprocess.run(  # noqa: S603 - our own sources, no shell
                command, cwd=folder, capture_output=True, text=True, timeout=_COMPILER_TIMEOUT_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _NotCompiledError("the compiler did not run") from error
        if done.returncode != 0:
            raise _NotCompiledError(_first_error(done.stderr))
        (folder / library.name).replace(library)


def _first_error(output: str) -> str:
    for line in output.splitlines():
        if "error" in line:
            return line.strip().rstrip(".")
    return "the compiler failed"
