"""Loading PKCS#11 modules, with operating system locks and once per process.

python-pkcs11 passes NULL to C_Initialize, which promises the module a single thread, and then calls it from many. So a
module is never loaded bare, unless its profile says that it locks anyway: softgm or its shim stands in front and asks
for locks. A module's state is global in the process and dies with a fork: load after the fork.
"""

import hashlib
import os
import shutil
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pkcs11
from pkcs11 import PKCS11Error
from pkcs11._pkcs11 import lib as Library  # noqa: N812 - the class has a function's name

from hsm.loading import check_library, starting_environment
from hsm.pkcs11.calls import Calls, NotAModuleError, check_module
from hsm.pkcs11.vendor_numbers import allow_vendor_numbers
from hsm.softgm import library_path, shim_path
from trustcore.errors import InternalError, NotFoundError

__all__ = ["LoadedModule", "ModuleSource", "software_source", "vendor_source"]

_SOFTHSM_PLACES = (
    Path("/usr/lib/softhsm/libsofthsm2.so"),
    Path("/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"),
    Path("/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so"),
    Path("/usr/lib64/pkcs11/libsofthsm2.so"),
    Path("/usr/local/lib/softhsm/libsofthsm2.so"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleSource:
    """What to load and how."""

    inner: Path
    """The module that does the work; its state is what is global in the process."""
    cache_dir: Path
    """Where compiled and copied modules are."""
    shim: bool
    """Whether softgm stands in front."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Read by the module while it starts."""


@dataclass(slots=True, kw_only=True)
class _Loaded:
    library: Library
    calls: Calls
    environment: Mapping[str, str]
    """Of its source: who asks for the module in another one gets a copy."""
    start_environment: Mapping[str, str]
    users: int = 1


_lock = threading.Lock()
_loaded: dict[Path, _Loaded] = {}


class LoadedModule:
    """A module in use. Close it when no call is in flight; the last user's close ends the module.

    Args:
        source: what to load.
        machine: whose it is, for messages.

    Raises:
        InternalError: ``hsm.module.load``.
    """

    def __init__(self, source: ModuleSource, machine: str = "for tests and demonstration") -> None:
        with _lock:
            self._key = _find_place(source)
            entry = _loaded.get(self._key)
            if entry is None:
                entry = _loaded[self._key] = _start(replace(source, inner=self._key), source.environment, machine)
            else:
                entry.users += 1
            self.library = entry.library
            self.calls = entry.calls

    def revive(self) -> None:
        """Start the module again if it was ended under us, or the process has forked. Raises ``PKCS11Error``."""
        with _lock:
            entry = _loaded.get(self._key)
            if entry is None or self.calls.is_initialized():
                return
            with starting_environment(entry.start_environment):
                with suppress(PKCS11Error):
                    self.library.finalize()
                self.library.initialize()

    def close(self) -> None:
        """Give the module back. Closing twice is no harm."""
        with _lock:
            entry = _loaded.get(self._key)
            if entry is None or entry.library is not self.library:
                return
            entry.users -= 1
            if entry.users == 0:
                del _loaded[self._key]
                with suppress(PKCS11Error):  # it was ended under us
                    entry.library.finalize()


def software_source(cache_dir: Path, environment: Mapping[str, str]) -> ModuleSource:
    """SoftHSM with SM2, behind softgm. Raises ``NotFoundError`` (``hsm.module.missing``)."""
    named = os.environ.get("SOFTGM_INNER")
    places = (Path(named),) if named else _SOFTHSM_PLACES
    inner = next((place for place in places if place.is_file()), None)
    if inner is None:
        raise NotFoundError(
            "The software encryption machine needs SoftHSM; install the Debian package softhsm2.",
            code="hsm.module.missing",
            module="libsofthsm2.so",
        )
    return ModuleSource(inner=inner.resolve(), cache_dir=cache_dir, shim=True, environment=dict(environment))


def vendor_source(machine: str, module: Path, cache_dir: Path, *, locks: bool) -> ModuleSource:
    """A vendor's module, behind the shim of softgm unless it ``locks`` by itself.

    Raises:
        NotFoundError: ``hsm.module.missing``.
        InternalError: ``hsm.module.architecture``, ``hsm.module.invalid``.
    """
    check_library(machine, module)
    environment = {} if locks else {"SOFTGM_SM2": "off"}
    return ModuleSource(inner=module.resolve(), cache_dir=cache_dir, shim=not locks, environment=environment)


def _find_place(source: ModuleSource) -> Path:
    """The file to load ``source`` from: a copy, where the process uses the module itself with another environment."""
    entry = _loaded.get(source.inner)
    if entry is None or entry.environment == source.environment:
        return source.inner
    text = "\0".join(f"{name}={value}" for name, value in sorted(source.environment.items()))
    mark = hashlib.sha256(text.encode()).hexdigest()[:12]
    copy = source.cache_dir / f"{source.inner.stem}-{mark}.so"
    if not copy.exists():
        source.cache_dir.mkdir(parents=True, exist_ok=True)
        partial = copy.with_suffix(f".{os.getpid()}")
        shutil.copyfile(source.inner, partial)
        partial.replace(copy)
    return copy


def _start(source: ModuleSource, asked: Mapping[str, str], machine: str) -> _Loaded:
    allow_vendor_numbers()
    environment = dict(source.environment)
    path = source.inner
    if source.shim:
        # One file of softgm has one inner module and one mode for good.
        usual = "SOFTGM_SM2" not in environment and source.inner in {place.resolve() for place in _SOFTHSM_PLACES}
        path = library_path(source.cache_dir) if usual else shim_path(source.cache_dir, source.inner)
        environment["SOFTGM_INNER"] = str(source.inner)
    try:
        with starting_environment(environment):
            check_module(str(source.inner))
            library = pkcs11.lib(str(path))
            calls = Calls(str(path))
    except NotAModuleError as error:
        raise _cannot_load(source.inner, machine, str(error)) from error
    except PKCS11Error as error:
        why = f"it answers {type(error).__name__}; are its configuration and folders readable?"
        raise _cannot_load(source.inner, machine, why) from error
    return _Loaded(library=library, calls=calls, environment=asked, start_environment=environment)


def _cannot_load(module: Path, machine: str, why: str) -> InternalError:
    return InternalError(
        f"The module {module.name} of the encryption machine {machine} cannot be started: {why}",
        code="hsm.module.load",
        machine=machine,
        module=module.name,
    )
