"""What a SubjectPublicKeyInfo says: the kind and size of a key, and its identifier."""

import hashlib
from dataclasses import dataclass
from typing import Self

from trustcore.asn1 import reader
from trustcore.crypto.algorithms import (
    EC_PUBLIC_KEY,
    P256_CURVE,
    RSA_ENCRYPTION,
    SIGNATURES,
    SM2_CURVE,
    SignatureAlgorithm,
)

__all__ = ["PublicKeyInfo", "key_identifier", "public_key_hash"]

_SM2_KEY_OIDS = {SM2_CURVE, EC_PUBLIC_KEY}
"""GM/T 0015-2023 certificates name the curve as the algorithm itself; both forms are read."""
_MIN_RSA_BITS = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKeyInfo:
    """Kind and size of a public key (RFC 5280 §4.1.2.7)."""

    algorithm_oid: str
    curve_oid: str | None
    bits: int
    """Length of the RSA modulus or of the curve's field in bits; 0 for a key of an unknown kind."""

    @classmethod
    def from_der(cls, public_key_der: bytes) -> Self:
        """Read a SubjectPublicKeyInfo. Raises ``MalformedError``."""
        node = reader.parse(public_key_der).expect(0x30)
        identifier, key = node[0].expect(0x30), node[1]
        algorithm = identifier[0].oid()
        parameters = identifier.children[1:]
        if algorithm == SM2_CURVE:
            return cls(algorithm_oid=algorithm, curve_oid=SM2_CURVE, bits=256)
        if algorithm == EC_PUBLIC_KEY:
            curve = parameters[0].oid() if parameters and parameters[0].tag == 0x06 else None
            return cls(algorithm_oid=algorithm, curve_oid=curve, bits=4 * (len(key.bit_string()) - 1))
        if algorithm == RSA_ENCRYPTION:
            modulus = reader.parse(key.bit_string()).expect(0x30)[0].integer()
            return cls(algorithm_oid=algorithm, curve_oid=None, bits=modulus.bit_length())
        return cls(algorithm_oid=algorithm, curve_oid=None, bits=0)

    def serves(self, algorithm: SignatureAlgorithm) -> bool:
        """Whether a key of this kind and size may make such a signature: SM2, P-256, RSA of 2048 bits and more."""
        details = SIGNATURES[algorithm]
        if algorithm is SignatureAlgorithm.SM2_SM3:
            return self.algorithm_oid in _SM2_KEY_OIDS and self.curve_oid == SM2_CURVE
        if details.key_oid == RSA_ENCRYPTION:
            return self.algorithm_oid == RSA_ENCRYPTION and self.bits >= _MIN_RSA_BITS
        return self.algorithm_oid == details.key_oid and self.curve_oid == details.curve_oid

    @property
    def name(self) -> str:
        """Short English name: ``SM2``, ``P-256``, ``RSA 2048``, else the OID."""
        if self.curve_oid == SM2_CURVE:
            return "SM2"
        if self.curve_oid == P256_CURVE:
            return "P-256"
        if self.algorithm_oid == RSA_ENCRYPTION:
            return f"RSA {self.bits}"
        return self.algorithm_oid


def key_identifier(public_key_der: bytes) -> bytes:
    """SHA-1 of the public key's BIT STRING, 20 octets (RFC 5280 §4.2.1.2 method 1).

    It only names a key, it protects nothing.
    """
    return public_key_hash(public_key_der, "sha1")


def public_key_hash(public_key_der: bytes, hash_name: str) -> bytes:
    """Hash of the content of the public key's BIT STRING, as OCSP's ``issuerKeyHash`` (RFC 6960 §4.1.1)."""
    bits = reader.parse(public_key_der).expect(0x30)[1].bit_string()
    return hashlib.new(hash_name, bits, usedforsecurity=False).digest()
