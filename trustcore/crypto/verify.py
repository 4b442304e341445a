"""Verification with a public key: one entrance for all algorithms of the table."""

from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from trustcore.crypto import sm2
from trustcore.crypto.algorithms import SIGNATURES, DigestAlgorithm, SignatureAlgorithm
from trustcore.crypto.digests import digest
from trustcore.errors import MalformedError

__all__ = ["verify", "verify_digest"]

_HASHES: dict[DigestAlgorithm, hashes.HashAlgorithm] = {
    DigestAlgorithm.SHA256: hashes.SHA256(),
    DigestAlgorithm.SHA384: hashes.SHA384(),
    DigestAlgorithm.SHA512: hashes.SHA512(),
}
_REMEMBERED = 4096
"""How many answers are kept: the same certificates and CRLs come with every document."""
_LONGEST_REMEMBERED = 4096
"""In octets, of a key or a signature; longer ones are of no algorithm of the table."""
_MIN_RSA_BITS = 2048
"""GM/T 0054 and NIST SP 800-131A refuse shorter moduli."""


def verify(public_key_der: bytes, algorithm: SignatureAlgorithm, message: bytes, signature: bytes) -> bool:
    """Whether ``signature`` over ``message`` is right.

    A key of another kind than ``algorithm`` asks for, or a malformed signature, is simply not right; a public key that
    cannot be read at all raises ``MalformedError`` (``crypto.key``).
    """
    if algorithm is SignatureAlgorithm.SM2_SM3:
        try:
            point = sm2.public_point(public_key_der)
        except MalformedError:
            return False
        return verify_digest(public_key_der, algorithm, sm2.message_digest(point, message), signature)
    return verify_digest(public_key_der, algorithm, digest(SIGNATURES[algorithm].digest, message), signature)


def verify_digest(
    public_key_der: bytes, algorithm: SignatureAlgorithm, message_digest: bytes, signature: bytes
) -> bool:
    """Whether ``signature`` over a digest is right; for SM2 the digest is e = SM3(Z ‖ M).

    The answer depends on the arguments alone and is remembered for the last few thousand of them.
    """
    if max(len(public_key_der), len(message_digest), len(signature)) > _LONGEST_REMEMBERED:
        return _verify_digest(public_key_der, algorithm, message_digest, signature)
    return _remembered(public_key_der, algorithm, message_digest, signature)


def _verify_digest(
    public_key_der: bytes, algorithm: SignatureAlgorithm, message_digest: bytes, signature: bytes
) -> bool:
    if algorithm is SignatureAlgorithm.SM2_SM3:
        try:
            return sm2.verify_digest(sm2.public_point(public_key_der), message_digest, signature)
        except MalformedError:
            return False
    try:
        key = serialization.load_der_public_key(public_key_der)
    except ValueError as error:
        raise MalformedError("the public key cannot be read", code="crypto.key") from error
    try:
        return _verify_with(key, algorithm, message_digest, signature)
    except (InvalidSignature, ValueError):
        return False


_remembered = lru_cache(maxsize=_REMEMBERED)(_verify_digest)


def _verify_with(key: PublicKeyTypes, algorithm: SignatureAlgorithm, message_digest: bytes, signature: bytes) -> bool:
    details = SIGNATURES[algorithm]
    prehashed = Prehashed(_HASHES[details.digest])
    if isinstance(key, rsa.RSAPublicKey) and details.curve_oid is None and key.key_size >= _MIN_RSA_BITS:
        key.verify(signature, message_digest, padding.PKCS1v15(), prehashed)
        return True
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1) and details.curve_oid:
        key.verify(signature, message_digest, ec.ECDSA(prehashed))
        return True
    return False
