"""The console of the software device: it makes devices and the keys in them, as a maker's console does.

For tests and demonstration only / 仅供测试与演示. A device is a folder, readable by its owner alone::

    device.conf     what LIBSDF_CONFIG names: the device's name, where its keys are, its own secret
    keys/           one file per key

Two devices hold the same key after :func:`clone_keys`, as makers' machines do after a backup was restored.
"""

import secrets
import shutil
from enum import IntEnum
from pathlib import Path
from typing import Any

from cffi import FFI
from pydantic import SecretStr

from hsm.libsdf.build import library_path
from trustcore.errors import InternalError

__all__ = ["PairKind", "clone_keys", "configuration_file", "make_device", "make_kek", "make_key_pairs"]

_ITERATIONS = 2_000
_SECRET_BYTES = 24
_ffi = FFI()
_ffi.cdef("""
int LIBSDF_MakeKeyPairs(const char *folder, unsigned int algorithm, unsigned int index, const char *password,
                        unsigned int length, unsigned int iterations);
int LIBSDF_MakeKEK(const char *folder, unsigned int index, const char *secret, unsigned int length,
                   unsigned int iterations);
""")


class PairKind(IntEnum):
    """Algorithms of key pairs, as GM/T 0006-2012 numbers them."""

    SM2 = 0x00020100
    RSA_2048 = 0x00010000


def configuration_file(folder: Path) -> Path:
    """The configuration of the device in ``folder``."""
    return folder / "device.conf"


def make_device(folder: Path, name: str) -> None:
    """Make a device without keys, where there is none yet."""
    file = configuration_file(folder)
    if file.exists():
        return
    (folder / "keys").mkdir(mode=0o700, parents=True, exist_ok=True)
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    partial = file.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    partial.write_text(f"name = {name}\nkeys = {(folder / 'keys').absolute()}\nsecret = {secret}\n")
    partial.replace(file)


def make_key_pairs(folder: Path, kind: PairKind, index: int, password: SecretStr, *, cache_dir: Path) -> None:
    """Make the signature pair and the encryption pair of an index.

    Raises ``InternalError`` (``hsm.libsdf.console``) when the index is in use, or the password has less than 8
    characters.
    """
    text = password.get_secret_value().encode()
    keys = str(folder / "keys").encode()
    _check(_library(cache_dir).LIBSDF_MakeKeyPairs(keys, kind, index, text, len(text), _ITERATIONS), index)


def make_kek(folder: Path, index: int, *, cache_dir: Path) -> None:
    """Make a key encryption key. Raises ``InternalError`` (``hsm.libsdf.console``) when the index is in use."""
    lines = dict(line.split(" = ", 1) for line in configuration_file(folder).read_text().splitlines())
    secret = lines["secret"].encode()
    keys = lines["keys"].encode()
    _check(_library(cache_dir).LIBSDF_MakeKEK(keys, index, secret, len(secret), _ITERATIONS), index)


def clone_keys(source: Path, target: Path) -> None:
    """Copy all key pairs from one device to another, under the same indexes and passwords."""
    for file in (source / "keys").glob("[serp]-*.key"):
        shutil.copy(file, target / "keys" / file.name)


def _library(cache_dir: Path) -> Any:  # noqa: ANN401 - cffi's library objects have no static type
    return _ffi.dlopen(str(library_path(cache_dir)))


def _check(answer: int, index: int) -> None:
    if answer:
        raise InternalError(
            f"The software device makes no key at index {index} (0x{answer:08X}); is the index in use, or the password "
            "shorter than 8 characters?",
            code="hsm.libsdf.console",
            index=index,
        )
