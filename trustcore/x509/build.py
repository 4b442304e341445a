"""Building certificates with a signer that is elsewhere: make the TBS, sign it, put the two together.

The three acts are separate, so that a caller can store what it is about to sign before a machine signs it. Everything
is encoded strictly by :mod:`trustcore.asn1.encoder`; no structure is decoded on the way.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from trustcore.asn1 import encoder
from trustcore.crypto.algorithms import DIGESTS, SIGNATURES, DigestAlgorithm, SignatureAlgorithm
from trustcore.errors import RejectedError
from trustcore.signing import Signer
from trustcore.x509.extensions import Extension, encode_extensions
from trustcore.x509.names import DistinguishedName

__all__ = [
    "CertificateTemplate",
    "assemble",
    "certificate_tbs",
    "digest_identifier",
    "signature_identifier",
    "signed",
    "x509_time",
]

MAX_SERIAL_OCTETS = 20
"""RFC 5280 §4.1.2.2."""
_FIRST_GENERALIZED_YEAR = 2050
_VERSION_3 = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateTemplate:
    """All that stands in a TBSCertificate (RFC 5280 §4.1)."""

    serial_number: int
    """Positive, at most 20 octets."""
    signature_algorithm: SignatureAlgorithm
    """Of the issuer's key."""
    issuer: DistinguishedName
    not_before: datetime
    not_after: datetime
    """Inclusive, whole seconds."""
    subject: DistinguishedName
    public_key_der: bytes
    """SubjectPublicKeyInfo, copied as it is."""
    extensions: tuple[Extension, ...]


def certificate_tbs(template: CertificateTemplate) -> bytes:
    """DER of the TBSCertificate, version 3.

    Raises:
        RejectedError: ``x509.build.serial`` or ``x509.build.validity`` for values RFC 5280 does not allow.
    """
    serial = encoder.integer(template.serial_number)
    if template.serial_number <= 0 or len(serial) > MAX_SERIAL_OCTETS + 2:
        raise RejectedError("A serial number is positive and has at most 20 octets", code="x509.build.serial")
    if template.not_after < template.not_before:
        raise RejectedError("The certificate would end before it begins", code="x509.build.validity")
    return encoder.sequence(
        encoder.explicit(0, encoder.integer(_VERSION_3)),
        serial,
        signature_identifier(template.signature_algorithm),
        template.issuer.der,
        encoder.sequence(x509_time(template.not_before), x509_time(template.not_after)),
        template.subject.der,
        template.public_key_der,
        encoder.explicit(3, encode_extensions(template.extensions)) if template.extensions else b"",
    )


def x509_time(at: datetime) -> bytes:
    """UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 §4.1.2.5); fractions of a second are cut off."""
    utc = at.astimezone(UTC).replace(microsecond=0)
    return encoder.generalized_time(utc) if utc.year >= _FIRST_GENERALIZED_YEAR else encoder.utc_time(utc)


def signature_identifier(algorithm: SignatureAlgorithm) -> bytes:
    """AlgorithmIdentifier of a signature: NULL parameters for RSA (RFC 4055 §5), none for ECDSA and SM2."""
    details = SIGNATURES[algorithm]
    return encoder.sequence(encoder.oid(details.oid), encoder.null() if details.null_parameters else b"")


def digest_identifier(algorithm: DigestAlgorithm) -> bytes:
    """AlgorithmIdentifier of a hash function, parameters absent (RFC 5754 §2)."""
    return encoder.sequence(encoder.oid(DIGESTS[algorithm].oid))


def assemble(tbs_der: bytes, algorithm: SignatureAlgorithm, signature: bytes) -> bytes:
    """``SEQUENCE{ tbs, signatureAlgorithm, signature }``: a certificate, a request or a CRL."""
    return encoder.sequence(tbs_der, signature_identifier(algorithm), encoder.bit_string(signature))


def signed(tbs_der: bytes, signer: Signer) -> bytes:
    """Sign what stands in ``tbs_der`` and assemble. The algorithm inside must be the signer's."""
    return assemble(tbs_der, signer.algorithm, signer.sign(tbs_der))
