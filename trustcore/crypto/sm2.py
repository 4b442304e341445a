"""SM2 public-key cryptography (GB/T 32918-2016) by the system's libcrypto; verification, if asked for, by our own code.

Points are uncompressed, 65 bytes ``04 ‖ X ‖ Y``; private values and digests 32 bytes, big-endian. Signatures are DER
``SEQUENCE{r, s}`` (GB/T 35276-2017 §7.3). Signing and decryption with a private value in memory exist for unit tests
and for keys that a citizen's file holds; the product's own keys live in machines (:mod:`hsm`).

Traps this module closes (OpenSSL 3.0): without an identifier libcrypto silently computes Z over the *empty* one, so Z
and e are computed here and libcrypto sees 32-byte digests only; the DER of a signature is checked strictly first.

:func:`use_native` has signatures verified by the arithmetic of :mod:`trustcore.crypto.native`, some ten times as fast.
Nothing else changes: the checks before it, and every answer, are the same. Private values stay with libcrypto here.
"""

import hmac
import secrets
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar

from trustcore.asn1 import encoder
from trustcore.asn1.reader import parse
from trustcore.crypto.algorithms import EC_PUBLIC_KEY, SM2_CURVE
from trustcore.crypto.digests import sm3
from trustcore.crypto.libcrypto import ffi, libcrypto
from trustcore.crypto.native.library import NativeSm2, RawSignature
from trustcore.crypto.sm2_signature import ORDER, signature_to_der, signature_to_raw, strictly_raw
from trustcore.errors import MalformedError

__all__ = [
    "DEFAULT_ID",
    "ORDER",
    "Signed",
    "decrypt",
    "encrypt",
    "engine_name",
    "generate",
    "message_digest",
    "point_of",
    "public_key_der",
    "public_point",
    "sign_digest",
    "signature_to_der",
    "signature_to_raw",
    "use_libcrypto",
    "use_native",
    "verify",
    "verify_digest",
    "verify_digests",
    "z_value",
]

DEFAULT_ID = b"1234567812345678"
"""The signer's distinguishing identifier where nothing else was agreed (GM/T 0009-2012 §10)."""

_P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_A = _P - 3
_B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
_GX = 0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7
_GY = 0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0
_CURVE_OCTETS = b"".join(value.to_bytes(32, "big") for value in (_A, _B, _GX, _GY))
_T = TypeVar("_T")
_SIZE = 32
_POINT_SIZE = 65
_UNCOMPRESSED = 4
_LONGEST_REMEMBERED = 256
"""In octets, of a public key that is kept read, and of a point with an identifier; an SM2 key has 91."""
_SPKI_PREFIX = encoder.sequence(
    encoder.sequence(encoder.oid(EC_PUBLIC_KEY), encoder.oid(SM2_CURVE)), encoder.bit_string(bytes(_POINT_SIZE))
)[:-_POINT_SIZE]


def _bad_key(detail: str) -> MalformedError:
    return MalformedError(detail, code="crypto.sm2.key")


def public_key_der(public_point: bytes) -> bytes:
    """DER SubjectPublicKeyInfo (GM/T 0015-2012 §5.2.3.1) of a point."""
    if len(public_point) != _POINT_SIZE or public_point[0] != _UNCOMPRESSED:
        raise _bad_key("an SM2 public key is 65 bytes: 04, X, Y")
    return _SPKI_PREFIX + public_point


def public_point(public_key: bytes) -> bytes:
    """The point of a DER SubjectPublicKeyInfo; also where the algorithm itself is the curve's OID (GM/T 0015-2023)."""
    return (_remembered_point if len(public_key) <= _LONGEST_REMEMBERED else _read_point)(public_key)


def _read_point(public_key: bytes) -> bytes:
    algorithm, key = parse(public_key).expect(0x30).children[:2]
    oids = {child.oid() for child in algorithm.children if child.tag == 0x06}
    if SM2_CURVE not in oids:
        raise _bad_key("the public key is not an SM2 key")
    return key.bit_string()


_remembered_point = lru_cache(maxsize=256)(_read_point)


def z_value(public_point: bytes, identifier: bytes = DEFAULT_ID) -> bytes:
    """Z, the digest of the signer's identifier, the curve and the public key (GB/T 32918.2-2016 §5.5)."""
    short = len(public_point) + len(identifier) <= _LONGEST_REMEMBERED
    return (_remembered_z if short else _z_value)(public_point, identifier)


def _z_value(public_point: bytes, identifier: bytes) -> bytes:
    return sm3((len(identifier) * 8).to_bytes(2, "big") + identifier + _CURVE_OCTETS + public_point[1:])


_remembered_z = lru_cache(maxsize=256)(_z_value)


def message_digest(public_point: bytes, message: bytes, identifier: bytes = DEFAULT_ID) -> bytes:
    """E = SM3(Z ‖ M), what a machine signs (GB/T 32918.2-2016 §6.1, steps A1 and A2)."""
    return sm3(z_value(public_point, identifier) + message)


def verify(public_point: bytes, message: bytes, signature_der: bytes, identifier: bytes = DEFAULT_ID) -> bool:
    """Whether the signature over ``message`` is right (GB/T 32918.2-2016 §7.1). Malformed signatures are wrong."""
    return verify_digest(public_point, message_digest(public_point, message, identifier), signature_der)


def verify_digest(public_point: bytes, e: bytes, signature_der: bytes) -> bool:
    """Whether the signature over e is right; e is 32 bytes. Raises ``MalformedError`` for a key off the curve."""
    signature_raw = strictly_raw(signature_der)
    if signature_raw is None or len(e) != _SIZE:
        return False
    native = _native
    if native is not None:
        return native.verify(RawSignature(public_point, e, signature_raw))
    return _with_public_key(public_point, lambda ctx: _evp_verify(ctx, e, signature_der))


class Signed(NamedTuple):
    """A signature and what it is to be verified with."""

    public_point: bytes
    e: bytes
    signature_der: bytes


def verify_digests(items: Sequence[Signed]) -> list[bool]:
    """The same for many at once, with the interpreter's lock released; one key off the curve raises for all."""
    native = _native
    if native is None:
        return [verify_digest(*item) for item in items]
    raw = [strictly_raw(item.signature_der) if len(item.e) == _SIZE else None for item in items]
    well_formed = [RawSignature(item.public_point, item.e, r) for item, r in zip(items, raw, strict=True) if r]
    answers = iter(native.verify_many(well_formed))
    return [r is not None and next(answers) for r in raw]


_native: NativeSm2 | None = None


def use_native(cache_dir: Path) -> None:
    """Verify with our own arithmetic from now on, compiling it into ``cache_dir`` where it is not there yet.

    Raises ``InternalError`` (``crypto.native.build``) where that cannot be: then libcrypto goes on verifying.
    """
    global _native  # noqa: PLW0603 - which code verifies is a matter of the process; the answers are the same
    _native = None
    _native = NativeSm2(cache_dir)


def use_libcrypto() -> None:
    """Verify with the system's libcrypto, as in the beginning."""
    global _native  # noqa: PLW0603 - see use_native
    _native = None


def engine_name() -> str:
    """What verifies: ``libcrypto``, or ``native`` with the name of its code."""
    return "libcrypto" if _native is None else f"native ({_native.code})"


def _evp_verify(ctx: object, e: bytes, signature_der: bytes) -> bool:
    lib = libcrypto()
    ok = lib.EVP_PKEY_verify_init(ctx) == 1
    ok = ok and lib.EVP_PKEY_verify(ctx, signature_der, len(signature_der), e, len(e)) == 1
    lib.ERR_clear_error()
    return bool(ok)


def _with_public_key(public_point: bytes, use: Callable[[object], _T]) -> _T:
    lib = libcrypto()
    ctx = lib.EVP_PKEY_CTX_new(_public_key(public_point), ffi.NULL)
    try:
        return use(ctx)
    finally:
        lib.EVP_PKEY_CTX_free(ctx)


@lru_cache(maxsize=64)
def _public_key(public_point: bytes) -> object:
    """Libcrypto's key, freed with the last reference; it is only read, which several threads may do at once."""
    lib = libcrypto()
    der = public_key_der(public_point)
    buffer = ffi.new("unsigned char[]", der)
    cursor = ffi.new("const unsigned char **", buffer)
    key = lib.d2i_PUBKEY(ffi.NULL, cursor, len(der))
    if key == ffi.NULL:
        lib.ERR_clear_error()
        raise _bad_key("the SM2 public key is not a point of the curve")
    return ffi.gc(key, lib.EVP_PKEY_free)


def encrypt(public_point: bytes, plaintext: bytes) -> bytes:
    """DER ``SM2Cipher{x, y, hash, ciphertext}`` (GB/T 35276-2017 §7.2, GB/T 32918.4-2016 §6.1)."""
    if not plaintext:
        raise MalformedError("SM2 does not encrypt an empty text", code="crypto.sm2.plaintext")
    return _with_public_key(public_point, lambda ctx: _evp_encrypt(ctx, plaintext))


def _evp_encrypt(ctx: object, plaintext: bytes) -> bytes:
    lib = libcrypto()
    length = ffi.new("size_t *")
    if (
        lib.EVP_PKEY_encrypt_init(ctx) == 1
        and lib.EVP_PKEY_encrypt(ctx, ffi.NULL, length, plaintext, len(plaintext)) == 1
    ):
        out = ffi.new("unsigned char[]", length[0])
        if lib.EVP_PKEY_encrypt(ctx, out, length, plaintext, len(plaintext)) == 1:
            return bytes(ffi.buffer(out, length[0]))
    lib.ERR_clear_error()
    raise MalformedError("SM2 encryption was refused by libcrypto", code="crypto.sm2.encrypt")


def _multiply(scalar: bytes, point: bytes | None = None) -> bytes:
    """``scalar`` times ``point`` (or the base point), by libcrypto's constant-time ladder."""
    lib = libcrypto()
    group = lib.EC_GROUP_new_by_curve_name(lib.OBJ_sn2nid(b"SM2"))
    ctx = lib.BN_CTX_secure_new()
    number = lib.BN_secure_new()
    result, operand = lib.EC_POINT_new(group), lib.EC_POINT_new(group)
    out = ffi.new("unsigned char[]", _POINT_SIZE)
    try:
        lib.BN_bin2bn(scalar, len(scalar), number)
        if point is None:
            ok = lib.EC_POINT_mul(group, result, number, ffi.NULL, ffi.NULL, ctx) == 1
        else:
            ok = lib.EC_POINT_oct2point(group, operand, point, len(point), ctx) == 1
            ok = ok and lib.EC_POINT_mul(group, result, ffi.NULL, operand, number, ctx) == 1
        ok = ok and lib.EC_POINT_point2oct(group, result, _UNCOMPRESSED, out, _POINT_SIZE, ctx) == _POINT_SIZE
        lib.ERR_clear_error()
        if not ok:
            raise _bad_key("a point is not on the SM2 curve")
        return bytes(ffi.buffer(out, _POINT_SIZE))
    finally:
        lib.EC_POINT_clear_free(result)
        lib.EC_POINT_clear_free(operand)
        lib.BN_clear_free(number)
        lib.BN_CTX_free(ctx)
        lib.EC_GROUP_free(group)


def generate() -> tuple[bytes, bytes]:
    """A fresh private value in [1, n−2] and its point."""
    private = (secrets.randbelow(ORDER - 2) + 1).to_bytes(_SIZE, "big")
    return private, _multiply(private)


def point_of(private_key: bytes) -> bytes:
    """The public point of a private value.

    Raises:
        MalformedError: ``crypto.sm2.key`` for a value outside [1, n−2].
    """
    if len(private_key) != _SIZE or not 1 <= int.from_bytes(private_key, "big") <= ORDER - 2:
        raise _bad_key("a private value is not of SM2")
    return _multiply(private_key)


def sign_digest(private_key: bytes, e: bytes, *, nonce: Callable[[], int] | None = None) -> bytes:
    """Sign a 32-byte e (GB/T 32918.2-2016 §6.1, steps A3 to A7); DER.

    Args:
        private_key: d, 32 bytes.
        e: the digest.
        nonce: where k comes from; only the standard's worked example gives one.
    """
    d, e_number = int.from_bytes(private_key, "big"), int.from_bytes(e, "big")
    draw = nonce or (lambda: secrets.randbelow(ORDER - 1) + 1)
    while True:
        k = draw()
        x1 = int.from_bytes(_multiply(k.to_bytes(_SIZE, "big"))[1 : 1 + _SIZE], "big")
        r = (e_number + x1) % ORDER
        if r in {0, ORDER - k}:
            continue
        if s := pow(1 + d, -1, ORDER) * (k - r * d) % ORDER:
            return encoder.sequence(encoder.integer(r), encoder.integer(s))


def _kdf(shared: bytes, length: int) -> bytes:
    """Key derivation (GB/T 32918.4-2016 §5.4.3)."""
    blocks = (sm3(shared + counter.to_bytes(4, "big")) for counter in range(1, -(-length // 32) + 1))
    return b"".join(blocks)[:length]


def decrypt(private_key: bytes, ciphertext_der: bytes) -> bytes:
    """The plaintext of a DER ``SM2Cipher`` (GB/T 32918.4-2016 §7.1). ``MalformedError`` when C3 does not agree."""
    x_node, y_node, hash_node, text_node = parse(ciphertext_der).expect(0x30).children[:4]
    try:
        point = b"\x04" + b"".join(node.integer().to_bytes(_SIZE, "big") for node in (x_node, y_node))
    except OverflowError as error:
        raise _bad_key("C1 of the ciphertext is not a point") from error
    shared = _multiply(private_key, point)
    x2, y2 = shared[1 : 1 + _SIZE], shared[1 + _SIZE :]
    ciphertext = text_node.octets()
    plaintext = bytes(a ^ b for a, b in zip(ciphertext, _kdf(x2 + y2, len(ciphertext)), strict=True))
    if not hmac.compare_digest(sm3(x2 + plaintext + y2), hash_node.octets()):
        raise MalformedError("the SM2 ciphertext was changed or is for another key", code="crypto.sm2.decrypt")
    return plaintext
