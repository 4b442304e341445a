"""The calls of PKCS#11 that are made most, straight into the module.

python-pkcs11 asks for the length of each signature in a call of its own and builds an object for each operation. Here a
signature is C_SignInit and C_Sign with a buffer that is there already. The module is the one that python-pkcs11 has
loaded; sessions and objects are its handles. Every call releases the GIL.
"""
# ruff: noqa: ANN401 - cffi's objects have no static types

import os
import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import pkcs11
from cffi import FFI
from pkcs11 import PKCS11Error

__all__ = [
    "Calls",
    "CryptokiNotInitializedError",
    "NotAModuleError",
    "SessionCalls",
    "VendorError",
    "check_module",
]

_ffi = FFI()
# PKCS#11 v2.40 §3.6: the functions in their order, those that are not called here as addresses.
_ffi.cdef("""
typedef struct { unsigned long mechanism; void *parameter; unsigned long parameter_length; } CK_MECHANISM;
typedef struct { unsigned char *iv; unsigned long iv_length; unsigned long iv_bits; unsigned char *associated;
                 unsigned long associated_length; unsigned long tag_bits; } CK_GCM_PARAMS;
typedef struct { unsigned long type; void *value; unsigned long length; } CK_ATTRIBUTE;
typedef unsigned long (*on_slot)(unsigned long slot);
typedef unsigned long (*on_session)(unsigned long session);
typedef unsigned long (*login)(unsigned long session, unsigned long user, const unsigned char *pin,
                               unsigned long length);
typedef unsigned long (*start)(unsigned long session, CK_MECHANISM *mechanism, unsigned long key);
typedef unsigned long (*once)(unsigned long session, const unsigned char *data, unsigned long length,
                              unsigned char *answer, unsigned long *answer_length);
typedef struct {
  unsigned char version[2];
  void *C_Initialize, *C_Finalize;
  unsigned long (*C_GetInfo)(void *info);
  void *C_GetFunctionList, *C_GetSlotList, *C_GetSlotInfo, *C_GetTokenInfo, *C_GetMechanismList, *C_GetMechanismInfo,
       *C_InitToken, *C_InitPIN, *C_SetPIN, *C_OpenSession;
  on_session C_CloseSession;
  on_slot C_CloseAllSessions;
  void *C_GetSessionInfo, *C_GetOperationState, *C_SetOperationState;
  login C_Login;
  void *C_Logout, *C_CreateObject, *C_CopyObject, *C_DestroyObject, *C_GetObjectSize, *C_GetAttributeValue,
       *C_SetAttributeValue;
  unsigned long (*C_FindObjectsInit)(unsigned long session, CK_ATTRIBUTE *template, unsigned long count);
  unsigned long (*C_FindObjects)(unsigned long session, unsigned long *found, unsigned long room, unsigned long *count);
  on_session C_FindObjectsFinal;
  start C_EncryptInit; once C_Encrypt; void *C_EncryptUpdate, *C_EncryptFinal;
  start C_DecryptInit; once C_Decrypt; void *C_DecryptUpdate, *C_DecryptFinal;
  void *C_DigestInit, *C_Digest, *C_DigestUpdate, *C_DigestKey, *C_DigestFinal;
  start C_SignInit; once C_Sign;
} CK_FUNCTION_LIST;
unsigned long C_GetFunctionList(CK_FUNCTION_LIST **list);
""")

_OK, _BUFFER_TOO_SMALL, _OPERATION_ACTIVE, _NOT_INITIALIZED = 0x0, 0x150, 0x90, 0x190
_USER = 1
_CLASS, _LABEL, _ID = 0x0, 0x3, 0x102
_INFO_BYTES = 256
_ANSWER_BYTES = 1024
_ROOM_BYTES = 64
"""What a ciphertext may be longer than its text: a tag, a block."""
_GCM_TAG_BITS = 128


class NotAModuleError(Exception):
    """The end of a sentence: what a file lacks to be a module."""


def check_module(path: str) -> None:
    """Make sure that a file is a library with the entrance of PKCS#11. Raises :class:`NotAModuleError`.

    The library stays loaded: not every vendor's stands being unloaded and loaded again.
    """
    try:
        library: Any = _ffi.dlopen(path, os.RTLD_LAZY | os.RTLD_NODELETE)
    except OSError as error:
        # dlopen names the library that it did not find: this one, or one that this one needs.
        missing = re.search(r"([^/'\s:]+): cannot open shared object file", str(error))
        if missing and missing[1] != PurePath(path).name:
            message = f"it needs the library {missing[1]}, which is not installed."
        else:
            message = "the system cannot load it as a library; install it anew."
        raise NotAModuleError(message) from error
    try:
        _ = library.C_GetFunctionList
    except AttributeError as error:
        message = "it is a library without C_GetFunctionList, so no PKCS#11 module; correct the setting."
        raise NotAModuleError(message) from error


class CryptokiNotInitializedError(PKCS11Error):
    """CKR_CRYPTOKI_NOT_INITIALIZED: the module was ended under us, or the process has forked."""


class VendorError(PKCS11Error):
    """A code that is not of PKCS#11."""

    def __init__(self, code: int) -> None:
        super().__init__(f"0x{code:08X}")
        self.code = code


# PKCS#11 v2.40, pkcs11t.h
_ERRORS: dict[int, type[PKCS11Error]] = {
    0x02: pkcs11.HostMemory,
    0x03: pkcs11.SlotIDInvalid,
    0x05: pkcs11.GeneralError,
    0x06: pkcs11.FunctionFailed,
    0x07: pkcs11.ArgumentsBad,
    0x10: pkcs11.AttributeReadOnly,
    0x11: pkcs11.AttributeSensitive,
    0x12: pkcs11.AttributeTypeInvalid,
    0x13: pkcs11.AttributeValueInvalid,
    0x20: pkcs11.DataInvalid,
    0x21: pkcs11.DataLenRange,
    0x30: pkcs11.DeviceError,
    0x31: pkcs11.DeviceMemory,
    0x32: pkcs11.DeviceRemoved,
    0x40: pkcs11.EncryptedDataInvalid,
    0x41: pkcs11.EncryptedDataLenRange,
    0x50: pkcs11.FunctionCancelled,
    0x54: pkcs11.FunctionNotSupported,
    0x60: pkcs11.KeyHandleInvalid,
    0x62: pkcs11.KeySizeRange,
    0x63: pkcs11.KeyTypeInconsistent,
    0x68: pkcs11.FunctionRejected,  # CKR_KEY_FUNCTION_NOT_PERMITTED, for which python-pkcs11 has no class
    0x70: pkcs11.MechanismInvalid,
    0x71: pkcs11.MechanismParamInvalid,
    0x82: pkcs11.ObjectHandleInvalid,
    _OPERATION_ACTIVE: pkcs11.OperationActive,
    0x91: pkcs11.OperationNotInitialized,
    0xA0: pkcs11.PinIncorrect,
    0xA1: pkcs11.PinInvalid,
    0xA2: pkcs11.PinLenRange,
    0xA3: pkcs11.PinExpired,
    0xA4: pkcs11.PinLocked,
    0xB0: pkcs11.SessionClosed,
    0xB1: pkcs11.SessionCount,
    0xB3: pkcs11.SessionHandleInvalid,
    0xB5: pkcs11.SessionReadOnly,
    0xC0: pkcs11.SignatureInvalid,
    0xC1: pkcs11.SignatureLenRange,
    0xE0: pkcs11.TokenNotPresent,
    0xE1: pkcs11.TokenNotRecognised,
    0xE2: pkcs11.TokenWriteProtected,
    0x100: pkcs11.UserAlreadyLoggedIn,
    0x101: pkcs11.UserNotLoggedIn,
    0x102: pkcs11.UserPinNotInitialized,
    0x104: pkcs11.AnotherUserAlreadyLoggedIn,
    _NOT_INITIALIZED: CryptokiNotInitializedError,
    0x200: pkcs11.FunctionRejected,
}


def _check(code: int) -> None:
    if code != _OK:
        kind = _ERRORS.get(code)
        raise kind(f"0x{code:08X}") if kind else VendorError(code)


class Calls:
    """A loaded module.

    Args:
        path: file that python-pkcs11 loaded.
    """

    def __init__(self, path: str) -> None:
        library: Any = _ffi.dlopen(path)
        functions = _ffi.new("CK_FUNCTION_LIST **")
        _check(library.C_GetFunctionList(functions))
        self._library = library  # unloaded when nothing refers to it
        self.functions = functions[0]

    def is_initialized(self) -> bool:
        """Whether the module still knows that it was started. C_GetInfo only answers when it does."""
        return bool(self.functions.C_GetInfo(_ffi.new("unsigned char[]", _INFO_BYTES)) != _NOT_INITIALIZED)

    def close_all(self, slot: int) -> None:
        """End all sessions of this process with a token, and so its login."""
        _check(self.functions.C_CloseAllSessions(slot))

    def in_session(self, handle: int) -> "SessionCalls":
        """The calls on one session."""
        return SessionCalls(self, handle)


class SessionCalls:
    """Calls on one session, by one thread at a time. Errors are those of python-pkcs11.

    After an error that leaves an operation running in the session, :attr:`spoiled` is set: the session must not be used
    again, because PKCS#11 v2.40 knows no way to cancel.

    Args:
        calls: the module.
        handle: the session.
    """

    def __init__(self, calls: Calls, handle: int) -> None:
        self._functions = calls.functions
        self._handle = handle
        self._mechanisms: dict[int, Any] = {}
        self._answer = _ffi.new("unsigned char[]", _ANSWER_BYTES)
        self._view = _ffi.buffer(self._answer)
        self._length = _ffi.new("unsigned long *")
        self.spoiled = False

    def log_in(self, pin: bytes) -> None:
        """Log the user in, for all sessions of this process with the token."""
        _check(self._functions.C_Login(self._handle, _USER, pin, len(pin)))

    def close(self) -> None:
        """End the session. The last one that ends takes the login with it."""
        _check(self._functions.C_CloseSession(self._handle))

    def holds(self, kind: int, label: bytes, key_id: bytes) -> bool:
        """Whether there is an object of this class, label and identifier.

        Asked before python-pkcs11 looks for it: its search keeps a lock, and tries to end what never began, when the
        machine does not answer.
        """
        values = [
            _ffi.new("unsigned long *", kind),
            _ffi.from_buffer("unsigned char[]", label),
            _ffi.from_buffer("unsigned char[]", key_id),
        ]
        sizes = (_ffi.sizeof("unsigned long"), len(label), len(key_id))
        template = _ffi.new("CK_ATTRIBUTE[]", len(values))
        for attribute, number, value, size in zip(template, (_CLASS, _LABEL, _ID), values, sizes, strict=True):
            attribute.type, attribute.value, attribute.length = number, value, size
        found, count = _ffi.new("unsigned long *"), _ffi.new("unsigned long *")
        _check(self._functions.C_FindObjectsInit(self._handle, template, len(values)))
        code = self._functions.C_FindObjects(self._handle, found, 1, count)
        ended = self._functions.C_FindObjectsFinal(self._handle)
        _check(code or ended)
        return bool(count[0])

    def sign(self, key: int, mechanism: int, inputs: Sequence[bytes]) -> list[bytes]:
        """Signatures over ``inputs``, in order."""
        session, answer, length, view = self._handle, self._answer, self._length, self._view
        start, once = self._functions.C_SignInit, self._functions.C_Sign
        described = self._mechanism(mechanism)
        signatures = []
        for item in inputs:
            code = start(session, described, key)
            if code:
                self._fail(code)
            length[0] = _ANSWER_BYTES
            code = once(session, item, len(item), answer, length)
            if code:
                self._fail(code)
            signatures.append(view[: length[0]])
        return signatures

    def encrypt(self, key: int, mechanism: int, data: bytes, *, iv: bytes = b"", gcm: bytes | None = None) -> bytes:
        """Encrypt; ``gcm`` is the associated data where the mechanism takes CK_GCM_PARAMS."""
        with _Parameter(mechanism, iv, gcm) as described:
            self._begin(self._functions.C_EncryptInit, described, key)
            return self._finish(self._functions.C_Encrypt, data, len(data) + _ROOM_BYTES)

    def decrypt(self, key: int, mechanism: int, data: bytes, *, iv: bytes = b"", gcm: bytes | None = None) -> bytes:
        """Decrypt, likewise."""
        with _Parameter(mechanism, iv, gcm) as described:
            self._begin(self._functions.C_DecryptInit, described, key)
            return self._finish(self._functions.C_Decrypt, data, len(data) + _ROOM_BYTES)

    def _begin(self, start: Any, described: Any, key: int) -> None:
        code = start(self._handle, described, key)
        if code:
            self._fail(code)

    def _finish(self, once: Any, data: bytes, room: int) -> bytes:
        answer, length = _ffi.new("unsigned char[]", room), self._length
        length[0] = room
        code = once(self._handle, data, len(data), answer, length)
        try:
            if code:
                self._fail(code)
            return bytes(_ffi.buffer(answer, length[0]))
        finally:
            _ffi.memmove(answer, bytes(room), room)  # it may have held a text

    def _mechanism(self, number: int) -> Any:
        described = self._mechanisms.get(number)
        if described is None:
            described = self._mechanisms[number] = _ffi.new("CK_MECHANISM *", (number, _ffi.NULL, 0))
        return described

    def _fail(self, code: int) -> None:
        # A short buffer and an operation that was there already are the two answers that leave one running.
        if code in {_BUFFER_TOO_SMALL, _OPERATION_ACTIVE}:
            self.spoiled = True
        _check(code)


class _Parameter:
    """A mechanism with its parameter, which must outlive the call."""

    def __init__(self, mechanism: int, iv: bytes, gcm: bytes | None) -> None:
        self._vector = _ffi.from_buffer("unsigned char[]", iv) if iv else _ffi.NULL
        if gcm is None:
            self._described = _ffi.new("CK_MECHANISM *", (mechanism, self._vector, len(iv)))
            return
        self._associated = _ffi.from_buffer("unsigned char[]", gcm) if gcm else _ffi.NULL
        self._parameters = _ffi.new(
            "CK_GCM_PARAMS *", (self._vector, len(iv), len(iv) * 8, self._associated, len(gcm), _GCM_TAG_BITS)
        )
        size = _ffi.sizeof("CK_GCM_PARAMS")
        self._described = _ffi.new("CK_MECHANISM *", (mechanism, self._parameters, size))

    def __enter__(self) -> Any:
        return self._described

    def __exit__(self, *_: object) -> None:
        """Nothing to give back: the memory goes with the object."""
