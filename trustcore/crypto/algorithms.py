"""One table: algorithm, OIDs, digest, key type, sizes. Nothing else in the product spells an algorithm's OID."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "DIGESTS",
    "EC_PUBLIC_KEY",
    "P256_CURVE",
    "RSA_ENCRYPTION",
    "SIGNATURES",
    "SM2_CURVE",
    "SM4_CBC",
    "SM4_ECB",
    "DigestAlgorithm",
    "DigestDetails",
    "KeyAlgorithm",
    "SignatureAlgorithm",
    "SignatureDetails",
    "signature_by_oid",
]

EC_PUBLIC_KEY = "1.2.840.10045.2.1"
"""id-ecPublicKey (RFC 5480 §2.1.1)."""
RSA_ENCRYPTION = "1.2.840.113549.1.1.1"
SM2_CURVE = "1.2.156.10197.1.301"
"""sm2p256v1 (GM/T 0006-2012)."""
P256_CURVE = "1.2.840.10045.3.1.7"
SM4_ECB = "1.2.156.10197.1.104.1"
SM4_CBC = "1.2.156.10197.1.104.2"


class DigestAlgorithm(StrEnum):
    """Hash functions in use; values are :mod:`hashlib` names."""

    SM3 = "sm3"
    SHA256 = "sha256"
    SHA384 = "sha384"
    SHA512 = "sha512"


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestDetails:
    """What the wire says of a hash function."""

    algorithm: DigestAlgorithm
    oid: str
    size_bytes: int


DIGESTS = {
    d.algorithm: d
    for d in (
        DigestDetails(algorithm=DigestAlgorithm.SM3, oid="1.2.156.10197.1.401", size_bytes=32),
        DigestDetails(algorithm=DigestAlgorithm.SHA256, oid="2.16.840.1.101.3.4.2.1", size_bytes=32),
        DigestDetails(algorithm=DigestAlgorithm.SHA384, oid="2.16.840.1.101.3.4.2.2", size_bytes=48),
        DigestDetails(algorithm=DigestAlgorithm.SHA512, oid="2.16.840.1.101.3.4.2.3", size_bytes=64),
    )
}


class KeyAlgorithm(StrEnum):
    """Kinds of key pairs the product makes."""

    SM2 = "sm2"
    RSA_2048 = "rsa-2048"
    RSA_3072 = "rsa-3072"
    EC_P256 = "ec-p256"

    @property
    def signature(self) -> "SignatureAlgorithm":
        """The signature a key of this kind makes."""
        return {
            KeyAlgorithm.SM2: SignatureAlgorithm.SM2_SM3,
            KeyAlgorithm.RSA_2048: SignatureAlgorithm.RSA_SHA256,
            KeyAlgorithm.RSA_3072: SignatureAlgorithm.RSA_SHA256,
            KeyAlgorithm.EC_P256: SignatureAlgorithm.ECDSA_SHA256,
        }[self]


class SignatureAlgorithm(StrEnum):
    """Signatures in use."""

    SM2_SM3 = "sm2-with-sm3"
    RSA_SHA256 = "rsa-with-sha256"
    RSA_SHA384 = "rsa-with-sha384"
    RSA_SHA512 = "rsa-with-sha512"
    ECDSA_SHA256 = "ecdsa-with-sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureDetails:
    """What the wire says of a signature algorithm."""

    algorithm: SignatureAlgorithm
    oid: str
    key_oid: str
    """Algorithm of SubjectPublicKeyInfo."""
    curve_oid: str | None
    digest: DigestAlgorithm
    null_parameters: bool
    """Whether AlgorithmIdentifier carries NULL (RFC 4055 §5) or nothing (RFC 5758 §3.2, GM/T 0015)."""


SIGNATURES = {
    s.algorithm: s
    for s in (
        SignatureDetails(
            algorithm=SignatureAlgorithm.SM2_SM3,
            oid="1.2.156.10197.1.501",
            key_oid=EC_PUBLIC_KEY,
            curve_oid=SM2_CURVE,
            digest=DigestAlgorithm.SM3,
            null_parameters=False,
        ),
        SignatureDetails(
            algorithm=SignatureAlgorithm.RSA_SHA256,
            oid="1.2.840.113549.1.1.11",
            key_oid=RSA_ENCRYPTION,
            curve_oid=None,
            digest=DigestAlgorithm.SHA256,
            null_parameters=True,
        ),
        SignatureDetails(
            algorithm=SignatureAlgorithm.RSA_SHA384,
            oid="1.2.840.113549.1.1.12",
            key_oid=RSA_ENCRYPTION,
            curve_oid=None,
            digest=DigestAlgorithm.SHA384,
            null_parameters=True,
        ),
        SignatureDetails(
            algorithm=SignatureAlgorithm.RSA_SHA512,
            oid="1.2.840.113549.1.1.13",
            key_oid=RSA_ENCRYPTION,
            curve_oid=None,
            digest=DigestAlgorithm.SHA512,
            null_parameters=True,
        ),
        SignatureDetails(
            algorithm=SignatureAlgorithm.ECDSA_SHA256,
            oid="1.2.840.10045.4.3.2",
            key_oid=EC_PUBLIC_KEY,
            curve_oid=P256_CURVE,
            digest=DigestAlgorithm.SHA256,
            null_parameters=False,
        ),
    )
}

_BY_OID = {details.oid: details for details in SIGNATURES.values()}


def signature_by_oid(oid: str) -> SignatureDetails | None:
    """The signature algorithm with this OID, or ``None`` when the product does not accept it."""
    return _BY_OID.get(oid)
