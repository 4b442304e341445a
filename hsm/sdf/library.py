"""The functions of one SDF library, opened by name. Calls let other threads run.

The structures are given as plain octets (:mod:`hsm.core.sdf`), because vendors' headers disagree on their width.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cffi import FFI

from hsm.core.sdf import DEVICE_INFO_BYTES, ECC_PUBLIC_KEY_BYTES, ECC_SIGNATURE_BYTES, RSA_PUBLIC_KEY_BYTES
from hsm.loading import check_library, starting_environment
from hsm.sdf.failures import SdfError
from trustcore.errors import InternalError

__all__ = ["SdfLibrary"]

_ffi = FFI()
_ffi.cdef("""
int SDF_OpenDevice(void **device);
int SDF_CloseDevice(void *device);
int SDF_OpenSession(void *device, void **session);
int SDF_CloseSession(void *session);
int SDF_GetDeviceInfo(void *session, unsigned char *info);
int SDF_GenerateRandom(void *session, unsigned int length, unsigned char *random);
int SDF_GetPrivateKeyAccessRight(void *session, unsigned int index, const char *password, unsigned int length);
int SDF_ReleasePrivateKeyAccessRight(void *session, unsigned int index);
int SDF_ExportSignPublicKey_ECC(void *session, unsigned int index, unsigned char *key);
int SDF_ExportEncPublicKey_ECC(void *session, unsigned int index, unsigned char *key);
int SDF_ExportSignPublicKey_RSA(void *session, unsigned int index, unsigned char *key);
int SDF_InternalSign_ECC(void *session, unsigned int index, const char *data, unsigned int length,
                         unsigned char *signature);
int SDF_InternalPrivateKeyOperation_RSA(void *session, unsigned int index, const char *input,
                                        unsigned int input_length, unsigned char *output,
                                        unsigned int *output_length);
""")
_DECRYPT_WITH_ALGORITHM = FFI()
_DECRYPT_WITH_ALGORITHM.cdef("""
int SDF_InternalDecrypt_ECC(void *session, unsigned int index, unsigned int algorithm, const char *cipher,
                            unsigned char *data, unsigned int *length);
""")
_DECRYPT_WITHOUT_ALGORITHM = FFI()
_DECRYPT_WITHOUT_ALGORITHM.cdef("""
int SDF_InternalDecrypt_ECC(void *session, unsigned int index, const char *cipher, unsigned char *data,
                            unsigned int *length);
""")
_NEEDED = (
    "SDF_OpenDevice",
    "SDF_CloseDevice",
    "SDF_OpenSession",
    "SDF_CloseSession",
    "SDF_GetDeviceInfo",
    "SDF_GenerateRandom",
    "SDF_GetPrivateKeyAccessRight",
    "SDF_ReleasePrivateKeyAccessRight",
)
_NEEDED_FOR_SM2 = ("SDF_ExportSignPublicKey_ECC", "SDF_InternalSign_ECC")
_NEEDED_FOR_RSA = ("SDF_ExportSignPublicKey_RSA", "SDF_InternalPrivateKeyOperation_RSA")
_NEEDED_FOR_DECRYPTION = ("SDF_ExportEncPublicKey_ECC", "SDF_InternalDecrypt_ECC")
_SM2_ENCRYPTION = 0x00020800
"""SGD_SM2_3 (GM/T 0006-2012 §5.2.3)."""
_LONGEST_PLAINTEXT_BYTES = 65536

Handle = Any
"""A pointer of the library's own."""


class SdfLibrary:
    """One loaded library. Functions raise :class:`SdfError`; handles are the library's.

    Args:
        machine: its name, for messages.
        path: the library.
        environment: set while a device is opened.
        sm2: whether SM2 functions are needed.
        rsa: whether RSA functions are needed.
        decrypt: ``with-algorithm``, ``without-algorithm`` or none: how SDF_InternalDecrypt_ECC is declared.

    Raises:
        NotFoundError: ``hsm.module.missing``.
        InternalError: ``hsm.module.architecture``, ``hsm.module.invalid``, ``hsm.module.load``,
            ``hsm.module.symbols``.
    """

    def __init__(
        self,
        machine: str,
        path: Path,
        *,
        environment: Mapping[str, str],
        sm2: bool,
        rsa: bool,
        decrypt: str | None,
    ) -> None:
        check_library(machine, path)
        self._environment = environment
        self._with_algorithm = decrypt == "with-algorithm"
        try:
            self._functions, self._decryption = _load(path.resolve(), with_algorithm=self._with_algorithm)
        except OSError as error:
            raise InternalError(
                f"The module {path.name} of the encryption machine {machine} cannot be loaded; is it whole, and are "
                "the libraries installed that it needs?",
                code="hsm.module.load",
                machine=machine,
                module=path.name,
            ) from error
        needed = _NEEDED + _NEEDED_FOR_SM2 * sm2 + _NEEDED_FOR_RSA * rsa + _NEEDED_FOR_DECRYPTION * bool(decrypt)
        for name in needed:
            if not hasattr(self._decryption if name == "SDF_InternalDecrypt_ECC" else self._functions, name):
                raise InternalError(
                    f"The module {path.name} of the encryption machine {machine} has no function {name}; is it a "
                    "library of GM/T 0018? Correct the module or the driver in the settings.",
                    code="hsm.module.symbols",
                    machine=machine,
                    module=path.name,
                    function=name,
                )

    def open_device(self) -> Handle:
        """SDF_OpenDevice."""
        handle = _ffi.new("void **")
        with starting_environment(self._environment):
            self._call("SDF_OpenDevice", handle)
        return handle[0]

    def close_device(self, device: Handle) -> None:
        """SDF_CloseDevice."""
        self._call("SDF_CloseDevice", device)

    def open_session(self, device: Handle) -> Handle:
        """SDF_OpenSession."""
        handle = _ffi.new("void **")
        self._call("SDF_OpenSession", device, handle)
        return handle[0]

    def close_session(self, session: Handle) -> None:
        """SDF_CloseSession."""
        self._call("SDF_CloseSession", session)

    def device_info(self, session: Handle) -> bytes:
        """DEVICEINFO."""
        info = _ffi.new("unsigned char[]", DEVICE_INFO_BYTES)
        self._call("SDF_GetDeviceInfo", session, info)
        return bytes(_ffi.buffer(info))

    def random(self, session: Handle, length: int) -> bytes:
        """SDF_GenerateRandom."""
        octets = _ffi.new("unsigned char[]", length)
        self._call("SDF_GenerateRandom", session, length, octets)
        return bytes(_ffi.buffer(octets))

    def get_access_right(self, session: Handle, index: int, password: bytes) -> None:
        """SDF_GetPrivateKeyAccessRight."""
        self._call("SDF_GetPrivateKeyAccessRight", session, index, password, len(password))

    def release_access_right(self, session: Handle, index: int) -> None:
        """SDF_ReleasePrivateKeyAccessRight."""
        self._call("SDF_ReleasePrivateKeyAccessRight", session, index)

    def sign_public_key_ecc(self, session: Handle, index: int) -> bytes:
        """ECCrefPublicKey of the signature pair, in room for the widest form."""
        return self._export("SDF_ExportSignPublicKey_ECC", session, index, ECC_PUBLIC_KEY_BYTES)

    def encryption_public_key_ecc(self, session: Handle, index: int) -> bytes:
        """ECCrefPublicKey of the encryption pair, in room for the widest form."""
        return self._export("SDF_ExportEncPublicKey_ECC", session, index, ECC_PUBLIC_KEY_BYTES)

    def sign_public_key_rsa(self, session: Handle, index: int) -> bytes:
        """RSArefPublicKey of the signature pair, in room for the widest form."""
        return self._export("SDF_ExportSignPublicKey_RSA", session, index, RSA_PUBLIC_KEY_BYTES)

    def sign_ecc(self, session: Handle, index: int, e: bytes) -> bytes:
        """ECCSignature over e, in room for the widest form."""
        signature = _ffi.new("unsigned char[]", ECC_SIGNATURE_BYTES)
        self._call("SDF_InternalSign_ECC", session, index, e, len(e), signature)
        return bytes(_ffi.buffer(signature))

    def private_operation_rsa(self, session: Handle, index: int, block: bytes) -> bytes:
        """The RSA private operation on a block as long as the modulus."""
        output = _ffi.new("unsigned char[]", 2 * len(block))
        length = _ffi.new("unsigned int *", len(output))
        self._call("SDF_InternalPrivateKeyOperation_RSA", session, index, block, len(block), output, length)
        return bytes(_ffi.buffer(output))[: length[0]]

    def decrypt_ecc(self, session: Handle, index: int, cipher: bytes) -> bytes:
        """Decrypt an ECCCipher."""
        output = _ffi.new("unsigned char[]", _LONGEST_PLAINTEXT_BYTES)
        length = _ffi.new("unsigned int *", len(output))
        before = (session, index, _SM2_ENCRYPTION) if self._with_algorithm else (session, index)
        _check("SDF_InternalDecrypt_ECC", self._decryption.SDF_InternalDecrypt_ECC(*before, cipher, output, length))
        return bytes(_ffi.buffer(output, min(length[0], len(output))))

    def _export(self, function: str, session: Handle, index: int, room: int) -> bytes:
        structure = _ffi.new("unsigned char[]", room)
        self._call(function, session, index, structure)
        return bytes(_ffi.buffer(structure))

    def _call(self, function: str, *arguments: Any) -> None:  # noqa: ANN401 - what cffi takes
        _check(function, getattr(self._functions, function)(*arguments))


@cache
def _load(path: Path, *, with_algorithm: bool) -> tuple[Any, Any]:
    """Load a library for good: makers' libraries have threads of their own, which an unloading would crash."""
    decryption = _DECRYPT_WITH_ALGORITHM if with_algorithm else _DECRYPT_WITHOUT_ALGORITHM
    return _ffi.dlopen(str(path)), decryption.dlopen(str(path))


def _check(function: str, answer: int) -> None:
    if answer:
        raise SdfError(function, answer & 0xFFFFFFFF)
