"""SignedData of GM/T 0010-2012 (GB/T 35275-2017): what 签名验签服务器 call a signed message.

It has the shape of PKCS #7 with content types of its own. Without authenticated attributes the SM2 signature is over
the content itself, with Z in front; with them it is over their DER SET.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from trustcore.asn1 import encoder
from trustcore.crypto.algorithms import DigestAlgorithm, SignatureAlgorithm
from trustcore.crypto.digests import sm3
from trustcore.x509 import oids
from trustcore.x509.build import digest_identifier, signature_identifier, x509_time
from trustcore.x509.certificate import Certificate
from trustcore.x509.cms import attribute

__all__ = ["MessageParts", "authenticated_attributes", "signed_message"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageParts:
    """All that goes into a signed message."""

    certificate: Certificate
    """The signer's."""
    signature_der: bytes
    content: bytes | None
    """None: the content is elsewhere."""
    attributes_der: bytes | None = None
    """From :func:`authenticated_attributes`, where the signature is over them."""
    certificates: Sequence[bytes] = ()
    """DER of all certificates to carry."""
    crls: Sequence[bytes] = ()
    """DER of the CRLs to carry."""


def authenticated_attributes(content: bytes, signing_time: datetime) -> bytes:
    """DER ``SET OF Attribute``: content type, SM3 of the content, claimed time."""
    return encoder.set_of(
        attribute(oids.CONTENT_TYPE, encoder.oid(oids.GM_DATA)),
        attribute(oids.MESSAGE_DIGEST, encoder.octet_string(sm3(content))),
        attribute(oids.SIGNING_TIME, x509_time(signing_time)),
    )


def signed_message(parts: MessageParts) -> bytes:
    """DER ``ContentInfo`` of a SignedData with one SM2 signer."""
    certificate = parts.certificate
    signer_info = encoder.sequence(
        encoder.integer(1),
        encoder.sequence(certificate.issuer_der, encoder.integer(certificate.serial_number)),
        digest_identifier(DigestAlgorithm.SM3),
        encoder.implicit(0, parts.attributes_der) if parts.attributes_der is not None else b"",
        signature_identifier(SignatureAlgorithm.SM2_SM3),
        encoder.octet_string(parts.signature_der),
    )
    carried = encoder.explicit(0, encoder.octet_string(parts.content)) if parts.content is not None else b""
    signed_data = encoder.sequence(
        encoder.integer(1),
        encoder.set_of(digest_identifier(DigestAlgorithm.SM3)),
        encoder.sequence(encoder.oid(oids.GM_DATA), carried),
        encoder.implicit(0, encoder.set_of(*parts.certificates)) if parts.certificates else b"",
        encoder.implicit(1, encoder.set_of(*parts.crls)) if parts.crls else b"",
        encoder.set_of(signer_info),
    )
    return encoder.sequence(encoder.oid(oids.GM_SIGNED_DATA), encoder.explicit(0, signed_data))
