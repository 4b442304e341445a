"""The compiled arithmetic for what needs no private value: verification, one signature or many in one call.

Calls release the interpreter's lock, so several threads verify at once.
"""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from cffi import FFI

from trustcore.errors import InternalError, MalformedError
from trustcore.native import FLAGS, compile_once, package_sources
from trustcore.remembered import Remembered

__all__ = ["NativeSm2", "RawSignature"]

_ffi = FFI()
_ffi.cdef("""
typedef struct { uint64_t words[256]; } prepared;
int sm2_native_start(const char *code);
const char *sm2_native_code(void);
int sm2_native_prepare_public(const uint8_t *point, prepared *key);
int sm2_native_verify(const prepared *key, const uint8_t *e, const uint8_t *signature);
size_t sm2_native_verify_many(size_t count, const prepared *const *keys, const uint8_t *digests,
                              const uint8_t *signatures, uint8_t *results);
""")
_KEYS_REMEMBERED = 256
"""Prepared public keys, 2 kB each; preparing one costs as much as verifying two signatures."""
_POINT_SIZE = 65
_starting = Lock()
"""The C code starts once, while no other thread is in it."""


class RawSignature(NamedTuple):
    """What is to be verified."""

    point: bytes
    """The public key, 65 bytes ``04 ‖ X ‖ Y``."""
    e: bytes
    """32 bytes, SM3(Z ‖ M)."""
    signature: bytes
    """64 bytes ``r ‖ s``."""


class NativeSm2:
    """SM2 verification by our own arithmetic. Safe between threads.

    Args:
        cache_dir: folder of compiled libraries.
        code: name of the code instead of the best for this processor, such as ``portable``; for tests, each with a
            ``cache_dir`` of its own, because a library that was loaded keeps its code for good.

    Raises:
        InternalError: ``crypto.native.build`` when it cannot be compiled, ``crypto.native.start`` when it does not
            reproduce the standard's example or this processor cannot run ``code``.
    """

    def __init__(self, cache_dir: Path, *, code: str | None = None) -> None:
        path = compile_once(
            cache_dir,
            "sm2",
            package_sources("trustcore.crypto.native"),
            flags=(*FLAGS, "-DSM2_NATIVE_LIBRARY"),
            code="crypto.native.build",
        )
        self._library = _open(path)
        with _starting:
            started = self._library.sm2_native_start(code.encode() if code else _ffi.NULL)
        if not started:
            raise InternalError("the SM2 arithmetic does not work on this processor", code="crypto.native.start")
        self._keys: Remembered[Any] = Remembered(count=_KEYS_REMEMBERED, longest=_POINT_SIZE)

    @property
    def code(self) -> str:
        """Name of the code in use, ``x86-64-avx2`` or ``portable``."""
        name = _ffi.string(self._library.sm2_native_code())
        return name.decode() if isinstance(name, bytes) else name

    def verify(self, item: RawSignature) -> bool:
        """Whether one signature is right. Raises ``MalformedError`` (``crypto.sm2.key``) for a key off the curve."""
        _check_sizes(item)
        return bool(self._library.sm2_native_verify(self._prepared(item.point), item.e, item.signature))

    def verify_many(self, items: Sequence[RawSignature]) -> list[bool]:
        """Whether each signature is right, in one call; raises as :meth:`verify` does."""
        if not items:
            return []
        for item in items:
            _check_sizes(item)
        kept = [self._prepared(item.point) for item in items]  # the array below does not keep them alive
        keys = _ffi.new("prepared *[]", kept)
        results = _ffi.new("uint8_t[]", len(items))
        digests, signatures = (b"".join(parts) for parts in zip(*((i.e, i.signature) for i in items), strict=True))
        self._library.sm2_native_verify_many(len(items), keys, digests, signatures, results)
        return [result == 1 for result in results]

    def _prepared(self, point: bytes) -> object:
        key = self._keys.get(point)
        if key is None:
            key = _ffi.new("prepared *")
            if not self._library.sm2_native_prepare_public(point, key):
                raise MalformedError("the SM2 public key is not a point of the curve", code="crypto.sm2.key")
            self._keys.put(point, key)
        return key


def _open(path: Path) -> Any:  # noqa: ANN401 - cffi's library objects have no static type
    try:
        return _ffi.dlopen(str(path))
    except OSError as error:
        raise InternalError("the SM2 arithmetic cannot be loaded", code="crypto.native.start") from error


def _check_sizes(item: RawSignature) -> None:
    """The C functions read as many bytes as they are promised."""
    if len(item.point) != _POINT_SIZE:
        raise MalformedError("an SM2 public key is 65 bytes: 04, X, Y", code="crypto.sm2.key")
    if (len(item.e), len(item.signature)) != (32, 64):
        raise MalformedError("e has 32 bytes and a raw SM2 signature 64", code="crypto.sm2.signature")
