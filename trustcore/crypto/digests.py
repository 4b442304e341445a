"""Hash functions, by the system's OpenSSL through :mod:`hashlib` (SM3: GB/T 32905-2016)."""

import hashlib
from functools import cache

from trustcore.crypto.algorithms import DIGESTS, DigestAlgorithm

__all__ = ["digest", "digest_by_oid", "sha256", "sm3"]

_BY_OID = {details.oid: details.algorithm for details in DIGESTS.values()}


def digest(algorithm: DigestAlgorithm, data: bytes) -> bytes:
    """The digest of ``data``."""
    state = _empty(algorithm).copy()
    state.update(data)
    return state.digest()


@cache
def _empty(algorithm: DigestAlgorithm) -> "hashlib._Hash":
    """The state before any data, to be copied: that is half the time of looking the algorithm up by its name."""
    return hashlib.new(algorithm)


def sm3(data: bytes) -> bytes:
    """The 32-byte SM3 digest of ``data``."""
    return digest(DigestAlgorithm.SM3, data)


def sha256(data: bytes) -> bytes:
    """The 32-byte SHA-256 digest of ``data``."""
    return hashlib.sha256(data).digest()


def digest_by_oid(oid: str) -> DigestAlgorithm | None:
    """The hash function with this OID, or ``None`` when the product does not accept it."""
    return _BY_OID.get(oid)
