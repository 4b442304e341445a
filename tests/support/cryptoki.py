"""PKCS#11 by ctypes, as thin as can be: every function, every number, every wrong argument.

python-pkcs11 is what the product speaks; it guards against much that a hostile or careless caller may do. This says
exactly what it is told, and answers the bare CK_RV.
"""

import ctypes
from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any

from pkcs11 import Attribute as A  # noqa: N817 - templates are read best with a short name

__all__ = [
    "FUNCTIONS",
    "FUNCTIONS_3_0",
    "A",
    "Attribute",
    "Cryptoki",
    "CryptokiError",
    "CryptokiSession",
    "Mechanism",
    "Rv",
    "attributes",
    "gcm",
    "mechanism",
]

ULONG = ctypes.c_ulong
UNAVAILABLE = ULONG(-1).value
RW_SESSION = 0x2 | 0x4
USER = 1

_NAMES = """
    Initialize Finalize GetInfo GetFunctionList GetSlotList GetSlotInfo GetTokenInfo GetMechanismList GetMechanismInfo
    InitToken InitPIN SetPIN OpenSession CloseSession CloseAllSessions GetSessionInfo GetOperationState
    SetOperationState Login Logout CreateObject CopyObject DestroyObject GetObjectSize GetAttributeValue
    SetAttributeValue FindObjectsInit FindObjects FindObjectsFinal EncryptInit Encrypt EncryptUpdate EncryptFinal
    DecryptInit Decrypt DecryptUpdate DecryptFinal DigestInit Digest DigestUpdate DigestKey DigestFinal SignInit Sign
    SignUpdate SignFinal SignRecoverInit SignRecover VerifyInit Verify VerifyUpdate VerifyFinal VerifyRecoverInit
    VerifyRecover DigestEncryptUpdate DecryptDigestUpdate SignEncryptUpdate DecryptVerifyUpdate GenerateKey
    GenerateKeyPair WrapKey UnwrapKey DeriveKey SeedRandom GenerateRandom GetFunctionStatus CancelFunction
    WaitForSlotEvent
"""
FUNCTIONS = tuple(_NAMES.split())
"""CK_FUNCTION_LIST of PKCS#11 v2.40 §3.6, in order, behind the version."""

_NAMES_3_0 = """
    GetInterfaceList GetInterface LoginUser SessionCancel MessageEncryptInit EncryptMessage EncryptMessageBegin
    EncryptMessageNext MessageEncryptFinal MessageDecryptInit DecryptMessage DecryptMessageBegin DecryptMessageNext
    MessageDecryptFinal MessageSignInit SignMessage SignMessageBegin SignMessageNext MessageSignFinal MessageVerifyInit
    VerifyMessage VerifyMessageBegin VerifyMessageNext MessageVerifyFinal
"""
FUNCTIONS_3_0 = tuple(_NAMES_3_0.split())
"""What CK_FUNCTION_LIST_3_0 has behind them (PKCS#11 v3.0 §3.6)."""


class Rv(IntEnum):
    """CK_RV of PKCS#11 v2.40 §5.1, as far as tests expect them."""

    OK = 0x0
    ARGUMENTS_BAD = 0x7
    ATTRIBUTE_READ_ONLY = 0x10
    ATTRIBUTE_SENSITIVE = 0x11
    ATTRIBUTE_TYPE_INVALID = 0x12
    ATTRIBUTE_VALUE_INVALID = 0x13
    ACTION_PROHIBITED = 0x1B
    DATA_LEN_RANGE = 0x21
    ENCRYPTED_DATA_INVALID = 0x40
    ENCRYPTED_DATA_LEN_RANGE = 0x41
    FUNCTION_NOT_SUPPORTED = 0x54
    KEY_HANDLE_INVALID = 0x60
    KEY_SIZE_RANGE = 0x62
    KEY_TYPE_INCONSISTENT = 0x63
    KEY_INDIGESTIBLE = 0x67
    KEY_FUNCTION_NOT_PERMITTED = 0x68
    KEY_NOT_WRAPPABLE = 0x69
    KEY_UNEXTRACTABLE = 0x6A
    MECHANISM_INVALID = 0x70
    MECHANISM_PARAM_INVALID = 0x71
    OBJECT_HANDLE_INVALID = 0x82
    OPERATION_ACTIVE = 0x90
    OPERATION_NOT_INITIALIZED = 0x91
    SIGNATURE_INVALID = 0xC0
    SIGNATURE_LEN_RANGE = 0xC1
    TEMPLATE_INCOMPLETE = 0xD0
    TEMPLATE_INCONSISTENT = 0xD1
    WRAPPED_KEY_INVALID = 0x110
    WRAPPED_KEY_LEN_RANGE = 0x112
    BUFFER_TOO_SMALL = 0x150
    STATE_UNSAVEABLE = 0x180
    CRYPTOKI_NOT_INITIALIZED = 0x190

    @classmethod
    def _missing_(cls, value: object) -> "Rv | None":
        if not isinstance(value, int):
            return None
        other = int.__new__(cls, value)
        other._name_ = f"CKR_0x{value:X}"
        other._value_ = value
        return other


class CryptokiError(Exception):
    """A call that was to succeed did not."""

    def __init__(self, function: str, rv: int) -> None:
        self.rv = Rv(rv)
        super().__init__(f"C_{function}: {self.rv.name}")


class Attribute(ctypes.Structure):
    """CK_ATTRIBUTE."""

    _fields_ = (("type", ULONG), ("value", ctypes.c_void_p), ("length", ULONG))


class Mechanism(ctypes.Structure):
    """CK_MECHANISM."""

    _fields_ = (("mechanism", ULONG), ("parameter", ctypes.c_void_p), ("length", ULONG))


class GcmParameters(ctypes.Structure):
    """CK_GCM_PARAMS of PKCS#11 v2.40."""

    _fields_ = (
        ("iv", ctypes.c_char_p),
        ("iv_length", ULONG),
        ("iv_bits", ULONG),
        ("associated", ctypes.c_char_p),
        ("associated_length", ULONG),
        ("tag_bits", ULONG),
    )


def gcm(iv: bytes, associated: bytes = b"", tag_bits: int = 128) -> GcmParameters:
    """CK_GCM_PARAMS with all of its lengths right."""
    return GcmParameters(iv, len(iv), 8 * len(iv), associated, len(associated), tag_bits)


Template = Mapping[int, bytes | bool | int | str]


def encode(value: bytes | bool | int | str) -> bytes:
    """An attribute's value as PKCS#11 keeps it."""
    if isinstance(value, bool):
        return bytes([value])
    if isinstance(value, int):
        return bytes(ULONG(value))
    return value.encode() if isinstance(value, str) else value


class Cryptoki:
    """One module. Methods are the functions' names without ``C_`` and answer the CK_RV."""

    def __init__(self, path: Path) -> None:
        self.library = ctypes.CDLL(str(path))
        functions = ctypes.POINTER(ctypes.c_void_p)()
        self.library.C_GetFunctionList.restype = ULONG
        if rv := self.library.C_GetFunctionList(ctypes.byref(functions)):
            raise CryptokiError("GetFunctionList", rv)
        self._addresses = functions

    def call(self, function: str, *arguments: Any) -> Rv:
        """Call ``C_function`` through the function list."""
        prototype = ctypes.CFUNCTYPE(ULONG)
        # The version (two bytes, padded to a pointer's size) stands before the functions.
        pointer = prototype(self._addresses[1 + FUNCTIONS.index(function)])
        return Rv(pointer(*(ULONG(one) if isinstance(one, int) else one for one in arguments)))

    def demand(self, function: str, *arguments: Any) -> None:
        """Call, and raise for anything but CKR_OK."""
        rv = self.call(function, *arguments)
        if rv:
            raise CryptokiError(function, rv)

    def slot(self, label: str) -> int:
        """The slot of the token with this label."""
        count = ULONG()
        self.demand("GetSlotList", 1, None, ctypes.byref(count))
        slots = (ULONG * count.value)()
        self.demand("GetSlotList", 1, slots, ctypes.byref(count))
        for slot in slots:
            info = ctypes.create_string_buffer(512)
            self.demand("GetTokenInfo", slot, info)
            if info.raw[:32].rstrip(b" ") == label.encode():
                return slot
        raise LookupError(label)

    def open(self, label: str, pin: str | None = None) -> "CryptokiSession":
        """A read/write session, logged in where a PIN is given."""
        handle = ULONG()
        self.demand("OpenSession", self.slot(label), RW_SESSION, None, None, ctypes.byref(handle))
        if pin is not None:
            self.demand("Login", handle.value, USER, pin.encode(), len(pin))
        return CryptokiSession(self, handle.value)


class CryptokiSession:
    """One session, with the calls that tests make often; they raise for anything but CKR_OK."""

    def __init__(self, module: Cryptoki, handle: int) -> None:
        self.module = module
        self.handle = handle

    def call(self, function: str, *arguments: Any) -> Rv:
        """Call ``C_function`` with this session in front."""
        return self.module.call(function, self.handle, *arguments)

    def demand(self, function: str, *arguments: Any) -> None:
        """Call, and raise for anything but CKR_OK."""
        self.module.demand(function, self.handle, *arguments)

    def output(self, function: str, *arguments: Any, size: int = 1 << 17) -> bytes:
        """Call a function that ends in a buffer and its length."""
        buffer = ctypes.create_string_buffer(size)
        length = ULONG(size)
        self.demand(function, *arguments, buffer, ctypes.byref(length))
        return buffer.raw[: length.value]

    def create(self, template: Template) -> int:
        """C_CreateObject."""
        return self._made("CreateObject", *attributes(template))

    def generate(self, mechanism: Mechanism, template: Template) -> int:
        """C_GenerateKey."""
        return self._made("GenerateKey", ctypes.byref(mechanism), *attributes(template))

    def generate_pair(self, mechanism: Mechanism, public: Template, private: Template) -> tuple[int, int]:
        """C_GenerateKeyPair."""
        one, other = ULONG(), ULONG()
        self.demand(
            "GenerateKeyPair", ctypes.byref(mechanism), *attributes(public), *attributes(private),
            ctypes.byref(one), ctypes.byref(other),
        )  # fmt: skip
        return one.value, other.value

    def derive(self, mechanism: Mechanism, key: int, template: Template) -> int:
        """C_DeriveKey."""
        return self._made("DeriveKey", ctypes.byref(mechanism), key, *attributes(template))

    def wrap(self, mechanism: Mechanism, wrapping_key: int, key: int) -> bytes:
        """C_WrapKey."""
        return self.output("WrapKey", ctypes.byref(mechanism), wrapping_key, key)

    def unwrap(self, mechanism: Mechanism, unwrapping_key: int, wrapped: bytes, template: Template) -> int:
        """C_UnwrapKey."""
        return self._made(
            "UnwrapKey", ctypes.byref(mechanism), unwrapping_key, wrapped, len(wrapped), *attributes(template)
        )

    def _made(self, function: str, *arguments: Any) -> int:
        handle = ULONG()
        self.demand(function, *arguments, ctypes.byref(handle))
        return handle.value

    def attribute(self, key: int, kind: int) -> bytes:
        """One attribute's value."""
        asked = Attribute(kind, None, 0)
        self.demand("GetAttributeValue", key, ctypes.byref(asked), 1)
        buffer = ctypes.create_string_buffer(max(asked.length, 1))
        asked.value = ctypes.addressof(buffer)
        self.demand("GetAttributeValue", key, ctypes.byref(asked), 1)
        return buffer.raw[: asked.length]

    def number(self, key: int, kind: int) -> int:
        """An attribute that is a CK_ULONG or CK_BBOOL."""
        return int.from_bytes(self.attribute(key, kind), "little")

    def find(self, template: Template) -> list[int]:
        """C_FindObjectsInit, C_FindObjects in small steps, C_FindObjectsFinal."""
        self.demand("FindObjectsInit", *attributes(template))
        found: list[int] = []
        while True:
            handles, count = (ULONG * 3)(), ULONG()
            self.demand("FindObjects", handles, 3, ctypes.byref(count))
            found += handles[: count.value]
            if count.value == 0:
                break
        self.demand("FindObjectsFinal")
        return found

    def crypt(self, verb: str, mechanism: Mechanism, key: int, data: bytes) -> bytes:
        """Encrypt, Decrypt or Sign in one part."""
        self.demand(f"{verb}Init", ctypes.byref(mechanism), key)
        return self.output(verb, data, len(data))

    def crypt_parts(self, verb: str, mechanism: Mechanism, key: int, parts: Sequence[bytes]) -> list[bytes]:
        """Encrypt or Decrypt in parts: what each part gave, and what the end gave."""
        self.demand(f"{verb}Init", ctypes.byref(mechanism), key)
        given = [self.output(f"{verb}Update", part, len(part)) for part in parts]
        return [*given, self.output(f"{verb}Final")]

    def verify(self, mechanism: Mechanism, key: int, data: bytes, signature: bytes) -> Rv:
        """C_VerifyInit and C_Verify."""
        self.demand("VerifyInit", ctypes.byref(mechanism), key)
        return self.call("Verify", data, len(data), signature, len(signature))


def attributes(template: Template) -> tuple[Any, int]:
    """CK_ATTRIBUTE array and its count; ctypes keeps the values alive with the array."""
    array = (Attribute * max(len(template), 1))()
    for entry, (kind, value) in zip(array, template.items(), strict=False):
        data = encode(value)
        buffer = ctypes.create_string_buffer(data, max(len(data), 1))
        entry.type = kind
        entry.value = ctypes.cast(buffer, ctypes.c_void_p)
        entry.length = len(data)
        array._objects[id(buffer)] = buffer
    return array, len(template)


def mechanism(number: int, parameter: bytes | ctypes.Structure | None = None) -> Mechanism:
    """CK_MECHANISM; ctypes keeps the parameter alive with it."""
    if parameter is None:
        return Mechanism(number, None, 0)
    if isinstance(parameter, bytes):
        buffer: Any = ctypes.create_string_buffer(parameter, max(len(parameter), 1))
        made = Mechanism(number, ctypes.addressof(buffer), len(parameter))
    else:
        buffer = parameter
        made = Mechanism(number, ctypes.addressof(parameter), ctypes.sizeof(parameter))
    made._kept = buffer
    return made
