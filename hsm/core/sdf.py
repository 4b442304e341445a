"""Between the structures of GM/T 0018-2012 §5 and the forms of X.509.

The structures are packed; integers have the byte order of the host, numbers are big-endian and right-aligned.
"""

import struct
from dataclasses import dataclass
from enum import StrEnum

from hsm.core import encoding
from hsm.core.profiles import CipherForm
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.errors import MalformedError

__all__ = [
    "DEVICE_INFO_BYTES",
    "ECC_PUBLIC_KEY_BYTES",
    "ECC_SIGNATURE_BYTES",
    "RSA_PUBLIC_KEY_BYTES",
    "DeviceInfo",
    "EccForm",
    "cipher_structure",
    "device_info",
    "ecc_form",
    "ecc_public_key_der",
    "pkcs1_block",
    "rsa_public_numbers",
    "signature_raw",
]

_NUMBER_BYTES = 32
_ECC_BITS = 256
_P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
"""The curve of SM2 (GB/T 32918.5-2017 §2); its a is p - 3."""
_INFO = struct.Struct("=40s16s16sIIIIIII")
_RSA_FIELD_BYTES = (256, 512)
"""RSAref_MAX_LEN: 2048 bits in GM/T 0018-2012, 4096 in some makers' headers."""
_UNSIGNED = struct.Struct("=I")
_PKCS1_SHORTEST_PADDING = 8

DEVICE_INFO_BYTES = _INFO.size
ECC_PUBLIC_KEY_BYTES = 4 + 2 * 64
"""Size of the widest ECCrefPublicKey."""
ECC_SIGNATURE_BYTES = 2 * 64
"""Size of the widest ECCSignature."""
RSA_PUBLIC_KEY_BYTES = 4 + 2 * 512
"""Size of the widest RSArefPublicKey."""


class EccForm(StrEnum):
    """How wide the number fields of a library's ECC structures are: makers' headers disagree."""

    WIDE = "wide"
    """ECCref_MAX_BITS is 512, as in GM/T 0018-2012."""
    NARROW = "narrow"
    """ECCref_MAX_BITS is 256."""

    @property
    def field_bytes(self) -> int:
        """ECCref_MAX_LEN."""
        return 64 if self is EccForm.WIDE else 32


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInfo:
    """DEVICEINFO, as far as it is of use."""

    issuer: str
    name: str
    serial: str
    version: int


def device_info(structure: bytes) -> DeviceInfo:
    """Read a DEVICEINFO."""
    issuer, name, serial, version = _INFO.unpack(structure)[:4]
    texts = [text.split(b"\0")[0].decode("utf-8", errors="replace").strip() for text in (issuer, name, serial)]
    return DeviceInfo(issuer=texts[0], name=texts[1], serial=texts[2], version=version)


def ecc_form(structure: bytes) -> EccForm:
    """The form that a library wrote an ECCrefPublicKey in: the one that makes it a point of the curve.

    Args:
        structure: what the library wrote into :data:`ECC_PUBLIC_KEY_BYTES` zero bytes.

    Raises:
        MalformedError: ``hsm.key.public`` when no form does.
    """
    for form in EccForm:
        x, y = _coordinates(structure, form)
        if _UNSIGNED.unpack_from(structure)[0] == _ECC_BITS and _is_on_curve(x, y):
            return form
    raise MalformedError("The machine's public key is no SM2 key of GM/T 0018.", code="hsm.key.public")


def ecc_public_key_der(structure: bytes, form: EccForm) -> bytes:
    """SubjectPublicKeyInfo of an ECCrefPublicKey. Raises ``MalformedError`` (``hsm.key.public``)."""
    x, y = _coordinates(structure, form)
    if not _is_on_curve(x, y):
        raise MalformedError("The machine's public key is not on the curve of SM2.", code="hsm.key.public")
    point = b"\x04" + x.to_bytes(_NUMBER_BYTES, "big") + y.to_bytes(_NUMBER_BYTES, "big")
    return encoding.ec_public_key_der(KeyAlgorithm.SM2, point)


def signature_raw(structure: bytes, form: EccForm) -> bytes:
    """64 bytes r ‖ s of an ECCSignature."""
    size = form.field_bytes
    return structure[size - _NUMBER_BYTES : size] + structure[2 * size - _NUMBER_BYTES : 2 * size]


def cipher_structure(ciphertext_der: bytes, form: EccForm) -> bytes:
    """ECCCipher of an SM2Cipher (GB/T 35276-2017 §7.2). Raises ``MalformedError`` (``hsm.cipher.invalid``)."""
    raw = encoding.sm2_cipher(ciphertext_der, CipherForm.C1C3C2)
    x, y, check_value, body = raw[1:33], raw[33:65], raw[65:97], raw[97:]
    if len(check_value) != _NUMBER_BYTES or not body:
        raise MalformedError("The ciphertext is not an SM2Cipher.", code="hsm.cipher.invalid")
    padding = bytes(form.field_bytes - _NUMBER_BYTES)
    return padding + x + padding + y + check_value + _UNSIGNED.pack(len(body)) + body


def rsa_public_numbers(structure: bytes) -> tuple[int, bytes, bytes]:
    """Bits, modulus and exponent of an RSArefPublicKey; the width of its fields is what makes the numbers fit.

    Args:
        structure: what the library wrote into :data:`RSA_PUBLIC_KEY_BYTES` zero bytes.

    Raises:
        MalformedError: ``hsm.key.public`` when no width does.
    """
    bits = _UNSIGNED.unpack_from(structure)[0]
    for size in _RSA_FIELD_BYTES:
        modulus, exponent = structure[4 : 4 + size], structure[4 + size : 4 + 2 * size]
        if int.from_bytes(modulus, "big").bit_length() == bits and exponent[-1] & 1:
            return bits, modulus[-(bits // 8) :], exponent
    raise MalformedError("The machine's public key is no RSA key of GM/T 0018.", code="hsm.key.public")


def pkcs1_block(digest_info: bytes, modulus_bytes: int) -> bytes:
    """What is signed with PKCS #1 v1.5 (RFC 8017 §9.2): SDF leaves the padding to us."""
    padding = modulus_bytes - len(digest_info) - 3
    assert padding >= _PKCS1_SHORTEST_PADDING
    return b"\x00\x01" + b"\xff" * padding + b"\x00" + digest_info


def _coordinates(structure: bytes, form: EccForm) -> tuple[int, int]:
    fields = structure[_UNSIGNED.size :]
    size = form.field_bytes
    return int.from_bytes(fields[:size], "big"), int.from_bytes(fields[size : 2 * size], "big")


def _is_on_curve(x: int, y: int) -> bool:
    return 0 <= x < _P and 0 <= y < _P and (y * y - (x * x * x - 3 * x + _B)) % _P == 0
