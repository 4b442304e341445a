"""Forms in which callers send and want things: signatures, SM2 ciphertexts, digests."""

from collections.abc import Iterable
from enum import StrEnum

from trustcore.asn1 import encoder, reader
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import SignatureAlgorithm
from trustcore.crypto.digests import sm3
from trustcore.errors import MalformedError

__all__ = [
    "CipherForm",
    "SignatureForm",
    "cipher_from_der",
    "cipher_to_der",
    "digest_of_all",
    "signature_from_der",
    "signature_to_der",
]

_COORDINATE = 32
_HASH = 32
_POINT = 65
_SEQUENCE = 0x30
_RAW_SIGNATURE = 64
_PAIRS = frozenset({SignatureAlgorithm.SM2_SM3, SignatureAlgorithm.ECDSA_SHA256})
"""Algorithms whose signature is a pair of numbers."""


class SignatureForm(StrEnum):
    """How a signature is written. Those of RSA have one form, the octets of RFC 8017 §8.2."""

    DER = "der"
    """SEQUENCE { r, s } (GB/T 35276-2017 §7.3, RFC 3279 §2.2.3)."""
    RAW = "raw"
    """r ‖ s, 64 bytes."""


class CipherForm(StrEnum):
    """How an SM2 ciphertext is written."""

    DER = "der"
    """SM2Cipher (GB/T 35276-2017 §7.2)."""
    C1C3C2 = "c1c3c2"
    """04 ‖ x ‖ y ‖ hash ‖ ciphertext (GB/T 32918.4-2016 §6.1)."""
    C1C2C3 = "c1c2c3"
    """04 ‖ x ‖ y ‖ ciphertext ‖ hash, the order of the draft of 2010 that older software still has."""


def signature_from_der(algorithm: SignatureAlgorithm, signature: bytes, form: SignatureForm) -> bytes:
    """A signature of ours in the form that the caller wants."""
    if form is SignatureForm.DER or algorithm not in _PAIRS:
        return signature
    r, s = (child.integer() for child in reader.parse(signature).expect(_SEQUENCE).children)
    return r.to_bytes(_COORDINATE, "big") + s.to_bytes(_COORDINATE, "big")


def signature_to_der(algorithm: SignatureAlgorithm, signature: bytes, form: SignatureForm) -> bytes:
    """A caller's signature in X.509 form; one of the wrong length stays as it is, and does not verify."""
    if form is SignatureForm.DER or algorithm not in _PAIRS or len(signature) != _RAW_SIGNATURE:
        return signature
    return sm2.signature_to_der(signature)


def cipher_to_der(ciphertext: bytes, form: CipherForm) -> bytes:
    """An ``SM2Cipher``.

    Raises:
        MalformedError: ``hsm.cipher.invalid`` for one that is too short or does not begin with an uncompressed point.
    """
    if form is CipherForm.DER:
        return _checked(ciphertext)
    if len(ciphertext) <= _POINT + _HASH or ciphertext[0] != 4:
        raise MalformedError(
            "An SM2 ciphertext is 04, a point of 64 bytes, a hash of 32 and at least one byte.",
            code="hsm.cipher.invalid",
        )
    point, rest = ciphertext[1:_POINT], ciphertext[_POINT:]
    if form is CipherForm.C1C3C2:
        digest, text = rest[:_HASH], rest[_HASH:]
    else:
        text, digest = rest[:-_HASH], rest[-_HASH:]
    numbers = (int.from_bytes(part, "big") for part in (point[:_COORDINATE], point[_COORDINATE:]))
    return encoder.sequence(
        *(encoder.integer(number) for number in numbers), encoder.octet_string(digest), encoder.octet_string(text)
    )


def _checked(cipher_der: bytes) -> bytes:
    try:
        x, y, digest, text = reader.parse(cipher_der).expect(_SEQUENCE).children
        fits = max(x.integer(), y.integer()).bit_length() <= 8 * _COORDINATE and min(x.integer(), y.integer()) >= 0
        fits = fits and len(digest.octets()) == _HASH and bool(text.octets())
    except (MalformedError, ValueError) as error:
        raise MalformedError("The ciphertext is not an SM2Cipher.", code="hsm.cipher.invalid") from error
    if not fits:
        raise MalformedError("The ciphertext is not an SM2Cipher.", code="hsm.cipher.invalid")
    return cipher_der


def cipher_from_der(cipher_der: bytes, form: CipherForm) -> bytes:
    """An ``SM2Cipher`` of ours in the form that the caller wants."""
    if form is CipherForm.DER:
        return cipher_der
    x, y, digest, text = reader.parse(cipher_der).expect(_SEQUENCE).children
    point = b"\x04" + b"".join(node.integer().to_bytes(_COORDINATE, "big") for node in (x, y))
    if form is CipherForm.C1C3C2:
        return point + digest.octets() + text.octets()
    return point + text.octets() + digest.octets()


def digest_of_all(parts: Iterable[bytes]) -> bytes:
    """SM3 over the parts one after the other, for the audit trail: digests of one length, or DER, which ends itself."""
    return sm3(b"".join(parts))
