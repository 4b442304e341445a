"""Numbers of softgm.h, and templates of its keys, for tests that speak PKCS#11 by ctypes."""

import ctypes

from support.cryptoki import ULONG, A, CryptokiSession, mechanism

CKO_PUBLIC_KEY, CKO_PRIVATE_KEY, CKO_SECRET_KEY = 2, 3, 4
CKK_EC, CKK_GENERIC_SECRET, CKK_AES = 0x3, 0x10, 0x1F
CKK_SM2, CKK_SM4 = 0x80000004, 0x80000106
EC_KEY_PAIR_GEN, ECDSA, ECDH1_DERIVE, SHA256, SHA256_HMAC = 0x1040, 0x1041, 0x1050, 0x250, 0x251
AES_KEY_GEN, AES_KEY_WRAP_PAD, GENERIC_SECRET_KEY_GEN = 0x1080, 0x210A, 0x350
SM2_KEY_PAIR_GEN, SM2_DER, SM2_RAW = 0x80008001, 0x80008104, 0x80008105
SM2_ENCRYPT_RAW, SM2_ENCRYPT_DER, SM3 = 0x80008200, 0x80008201, 0x80009001
SM4_KEY_GEN, SM4_ECB, SM4_CBC, SM4_CBC_PAD, SM4_GCM = 0x80000107, 0x80000108, 0x80000109, 0x8000A102, 0x8000010A
SM3_HMAC, SM2_AGREEMENT, SM2_ENVELOPE = 0x80009002, 0x80008300, 0x80008301
SM2_PARAMETERS = bytes.fromhex("06082a811ccf5501822d")

ALL_USES = {A.ENCRYPT: True, A.DECRYPT: True, A.SIGN: True, A.VERIFY: True, A.WRAP: True, A.UNWRAP: True}
SM4_TEMPLATE = {A.CLASS: CKO_SECRET_KEY, A.KEY_TYPE: CKK_SM4, A.TOKEN: False, **ALL_USES}
PUBLIC_TEMPLATE = {A.TOKEN: False, A.EC_PARAMS: SM2_PARAMETERS, A.VERIFY: True, A.ENCRYPT: True, A.WRAP: True}
PRIVATE_TEMPLATE = {A.TOKEN: False, A.SIGN: True, A.DECRYPT: True, A.DERIVE: True, A.UNWRAP: True}


class Agreement(ctypes.Structure):
    """struct softgm_agreement."""

    _fields_ = (
        ("role", ULONG),
        ("ephemeral_key", ULONG),
        ("own_identifier", ctypes.c_char_p),
        ("own_identifier_length", ULONG),
        ("peer_identifier", ctypes.c_char_p),
        ("peer_identifier_length", ULONG),
        ("peer_point", ctypes.c_char_p),
        ("peer_point_length", ULONG),
        ("peer_ephemeral_point", ctypes.c_char_p),
        ("peer_ephemeral_point_length", ULONG),
        ("confirmations", ctypes.c_void_p),
    )


def make_sm4(session: CryptokiSession, **more: bytes | bool | int | str) -> int:
    """Generate an SM4 key of this session; ``more`` are attributes by name."""
    return session.generate(mechanism(SM4_KEY_GEN), SM4_TEMPLATE | _named(more))


def import_sm4(session: CryptokiSession, value: bytes, **more: bytes | bool | int | str) -> int:
    """Write an SM4 key of this session."""
    return session.create(SM4_TEMPLATE | {A.VALUE: value} | _named(more))


def make_sm2(session: CryptokiSession, **more: bytes | bool | int | str) -> tuple[int, int]:
    """Generate an SM2 key pair of this session: public and private handle; ``more`` is of the private key."""
    return session.generate_pair(mechanism(EC_KEY_PAIR_GEN), PUBLIC_TEMPLATE, PRIVATE_TEMPLATE | _named(more))


def import_sm2(session: CryptokiSession, value: bytes, **more: bytes | bool | int | str) -> int:
    """Write an SM2 private key of this session."""
    fixed = {A.CLASS: CKO_PRIVATE_KEY, A.KEY_TYPE: CKK_EC, A.EC_PARAMS: SM2_PARAMETERS, A.VALUE: value}
    return session.create(PRIVATE_TEMPLATE | fixed | _named(more))


def make_aes(session: CryptokiSession, **more: bytes | bool | int | str) -> int:
    """Generate an AES-256 wrapping key of this session."""
    template = {A.CLASS: CKO_SECRET_KEY, A.KEY_TYPE: CKK_AES, A.TOKEN: False, A.VALUE_LEN: 32} | ALL_USES
    return session.generate(mechanism(AES_KEY_GEN), template | _named(more))


def point_of(session: CryptokiSession, public: int) -> bytes:
    """04 ‖ x ‖ y of a public key object."""
    return session.attribute(public, A.EC_POINT)[-65:]


def _named(more: dict[str, bytes | bool | int | str]) -> dict[int, bytes | bool | int | str]:
    return {A[name]: value for name, value in more.items()}
