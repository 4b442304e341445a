"""CMS SignedData (RFC 5652) with one signer: build with an external signer, read leniently, verify received bytes.

GB/T 35275-2017 is PKCS #7 shaped and has content types of its own; both are read. What is written is RFC 5652 with
signed attributes: contentType, messageDigest, signingCertificateV2 (RFC 5035) and, where asked for, signingTime.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from trustcore.asn1 import encoder, reader
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import (
    RSA_ENCRYPTION,
    SIGNATURES,
    DigestAlgorithm,
    SignatureAlgorithm,
    signature_by_oid,
)
from trustcore.crypto.digests import digest, digest_by_oid
from trustcore.errors import MalformedError
from trustcore.remembered import Remembered
from trustcore.signing import Signer
from trustcore.x509 import oids
from trustcore.x509.build import digest_identifier, signature_identifier, x509_time
from trustcore.x509.certificate import Certificate
from trustcore.x509.names import DistinguishedName

__all__ = [
    "SignedData",
    "SignerInfo",
    "algorithm_protection",
    "attribute",
    "build_signed_data",
    "sign",
    "signature_der",
    "signed_attributes",
    "signer_algorithm",
]

_SEQUENCE, _SET, _OCTET_STRING = 0x30, 0x31, 0x04
_CONTEXT_0, _CONTEXT_1, _KEY_ID = 0xA0, 0xA1, 0x80
_SIGNED_DATA = {oids.CMS_SIGNED_DATA, oids.GM_SIGNED_DATA}
_RAW_SM2_OCTETS = 64
_RSA_BY_DIGEST = {d.digest: d.algorithm for d in SIGNATURES.values() if d.key_oid == RSA_ENCRYPTION}


def attribute(oid: str, *values_der: bytes) -> bytes:
    """``Attribute ::= SEQUENCE{ attrType, attrValues SET OF }``."""
    return encoder.sequence(encoder.oid(oid), encoder.set_of(*values_der))


def signed_attributes(
    *,
    content_type: str,
    message_digest: bytes,
    digest_algorithm: DigestAlgorithm,
    certificate_der: bytes,
    signing_time: datetime | None = None,
    others: Sequence[bytes] = (),
) -> bytes:
    """DER ``SET OF Attribute``: exactly the bytes that a signer signs (RFC 5652 §5.4).

    Args:
        content_type: OID of the content.
        message_digest: digest of the content octets.
        digest_algorithm: that made ``message_digest``; names the certificate in signingCertificateV2 too.
        certificate_der: the signer's certificate.
        signing_time: what the signer claims; PAdES leaves it out (ETSI EN 319 142-1 §6.3).
        others: attributes made by :func:`attribute`.
    """
    attributes = [
        attribute(oids.CONTENT_TYPE, encoder.oid(content_type)),
        attribute(oids.MESSAGE_DIGEST, encoder.octet_string(message_digest)),
        attribute(oids.SIGNING_CERTIFICATE_V2, _signing_certificate(certificate_der, digest_algorithm)),
        *others,
    ]
    if signing_time is not None:
        attributes.append(attribute(oids.SIGNING_TIME, x509_time(signing_time)))
    return encoder.set_of(*attributes)


def _signing_certificate(certificate_der: bytes, algorithm: DigestAlgorithm) -> bytes:
    """``SigningCertificateV2`` of one certificate (RFC 5035 §3); SHA-256 is the DEFAULT and left out."""
    named = b"" if algorithm is DigestAlgorithm.SHA256 else digest_identifier(algorithm)
    certificate_id = encoder.sequence(named, encoder.octet_string(digest(algorithm, certificate_der)))
    return encoder.sequence(encoder.sequence(certificate_id))


def build_signed_data(  # noqa: PLR0913 - one argument per part of SignedData
    *,
    content_type: str,
    content: bytes | None,
    signed_attributes_der: bytes,
    algorithm: SignatureAlgorithm,
    signature: bytes,
    certificate: Certificate,
    certificates: Sequence[bytes] = (),
    crls: Sequence[bytes] = (),
    unsigned_attributes: Sequence[bytes] = (),
) -> bytes:
    """DER ``ContentInfo`` of a SignedData, around a signature that was made over ``signed_attributes_der``.

    Args:
        content_type: OID of the content.
        content: what to carry; ``None`` for a detached signature.
        signed_attributes_der: from :func:`signed_attributes`.
        algorithm: of ``signature``.
        signature: in its X.509 form.
        certificate: the signer's.
        certificates: DER of all certificates to carry.
        crls: DER of the CRLs to carry.
        unsigned_attributes: from :func:`attribute`, such as a time stamp.
    """
    algorithm_of_digest = digest_identifier(SIGNATURES[algorithm].digest)
    signer_info = encoder.sequence(
        encoder.integer(1),
        encoder.sequence(certificate.issuer_der, encoder.integer(certificate.serial_number)),
        algorithm_of_digest,
        encoder.implicit(0, signed_attributes_der),
        signature_identifier(algorithm),
        encoder.octet_string(signature),
        encoder.implicit(1, encoder.set_of(*unsigned_attributes)) if unsigned_attributes else b"",
    )
    carried = encoder.explicit(0, encoder.octet_string(content)) if content is not None else b""
    signed_data = encoder.sequence(
        encoder.integer(1 if content_type == oids.CMS_DATA else 3),  # RFC 5652 §5.1
        encoder.set_of(algorithm_of_digest),
        encoder.sequence(encoder.oid(content_type), carried),
        encoder.implicit(0, encoder.set_of(*certificates)) if certificates else b"",
        encoder.implicit(1, encoder.set_of(*crls)) if crls else b"",
        encoder.set_of(signer_info),
    )
    return encoder.sequence(encoder.oid(oids.CMS_SIGNED_DATA), encoder.explicit(0, signed_data))


def algorithm_protection(algorithm: SignatureAlgorithm) -> bytes:
    """The signed attribute that says which algorithms were meant (RFC 6211 §2): nothing else protects their names."""
    protected = encoder.sequence(
        digest_identifier(SIGNATURES[algorithm].digest), encoder.implicit(1, signature_identifier(algorithm))
    )
    return attribute(oids.CMS_ALGORITHM_PROTECTION, protected)


def sign(
    content: bytes,
    *,
    signer: Signer,
    certificate: Certificate,
    content_type: str = oids.CMS_DATA,
    detached: bool = False,
    signing_time: datetime | None = None,
    certificates: Sequence[bytes] = (),
    crls: Sequence[bytes] = (),
) -> bytes:
    """Sign ``content`` and return the DER ``ContentInfo``; the machine is asked once."""
    algorithm = SIGNATURES[signer.algorithm].digest
    attributes = signed_attributes(
        content_type=content_type,
        message_digest=digest(algorithm, content),
        digest_algorithm=algorithm,
        certificate_der=certificate.der,
        signing_time=signing_time,
        others=(algorithm_protection(signer.algorithm),),
    )
    return build_signed_data(
        content_type=content_type,
        content=None if detached else content,
        signed_attributes_der=attributes,
        algorithm=signer.algorithm,
        signature=signer.sign(attributes),
        certificate=certificate,
        certificates=certificates,
        crls=crls,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerInfo:
    """One signer of a received SignedData (RFC 5652 §5.3)."""

    issuer: DistinguishedName | None
    serial_number: int | None
    subject_key_identifier: bytes | None
    """Names the signer where issuer and serial number do not."""
    digest_algorithm: DigestAlgorithm | None
    """``None`` when the product does not accept it."""
    signature_algorithm: SignatureAlgorithm | None
    """``None`` when the product does not accept it."""
    signature: bytes = field(repr=False)
    signed_attributes_der: bytes | None = field(repr=False)
    """The received bytes with the tag of a SET, which is what the signature covers."""
    attributes: Mapping[str, reader.Node] = field(repr=False)
    """First value of each signed attribute."""
    unsigned_attributes: Mapping[str, reader.Node] = field(repr=False)
    """First value of each unsigned attribute."""

    @classmethod
    def from_node(cls, node: reader.Node) -> Self:
        """Read one. Raises ``MalformedError``, also for a wrong version and an attribute that stands twice."""
        named, digest_oid = node[1], _algorithm_oid(node[2])
        signed = node[3] if node[3].tag == _CONTEXT_0 else None
        after = 4 if signed else 3
        algorithm_oid = _algorithm_oid(node[after])
        unsigned = next((child for child in node.children[after + 2 :] if child.tag == _CONTEXT_1), None)
        by_name = named.tag == _SEQUENCE
        if node[0].integer() != (1 if by_name else 3):
            raise MalformedError("The version of a CMS signer does not fit its form", code="x509.cms.version")
        digest_algorithm = digest_by_oid(digest_oid)
        return cls(
            issuer=DistinguishedName.from_node(named[0]) if by_name else None,
            serial_number=named[1].integer() if by_name else None,
            subject_key_identifier=named.content if named.tag == _KEY_ID else None,
            digest_algorithm=digest_algorithm,
            signature_algorithm=signer_algorithm(algorithm_oid, digest_algorithm),
            signature=node[after + 1].octets(),
            signed_attributes_der=bytes((_SET,)) + signed.raw[1:] if signed else None,
            attributes=_first_values(signed),
            unsigned_attributes=_first_values(unsigned),
        )

    @property
    def content_type(self) -> str | None:
        """The signed contentType attribute."""
        found = self.attributes.get(oids.CONTENT_TYPE)
        return found.oid() if found else None

    @property
    def message_digest(self) -> bytes | None:
        """The signed messageDigest attribute."""
        found = self.attributes.get(oids.MESSAGE_DIGEST)
        return found.octets() if found else None

    @property
    def signing_time(self) -> datetime | None:
        """What the signer claims."""
        found = self.attributes.get(oids.SIGNING_TIME)
        return found.time() if found else None

    @property
    def time_stamp_token(self) -> bytes | None:
        """DER of the signatureTimeStampToken attribute (RFC 3161 appendix A), over :attr:`signature`."""
        found = self.unsigned_attributes.get(oids.SIGNATURE_TIME_STAMP)
        return found.raw if found else None

    def is_made_by(self, certificate: Certificate) -> bool:
        """Whether this names ``certificate`` as the signer's."""
        if self.issuer is not None:
            return self.serial_number == certificate.serial_number and self.issuer.der == certificate.issuer_der
        known = certificate.subject_key_identifier
        return known is not None and known == self.subject_key_identifier

    def names_certificate(self, certificate: Certificate) -> bool | None:
        """Whether signingCertificate(V2) is about ``certificate``; ``None`` when there is no such attribute."""
        second = self.attributes.get(oids.SIGNING_CERTIFICATE_V2)
        if second is not None:
            entry = second.expect(_SEQUENCE)[0].expect(_SEQUENCE)[0].expect(_SEQUENCE)
            named = entry[0].tag == _SEQUENCE
            algorithm = digest_by_oid(entry[0][0].oid()) if named else DigestAlgorithm.SHA256
            expected = entry[1 if named else 0].octets()
            return algorithm is not None and digest(algorithm, certificate.der) == expected
        first = self.attributes.get(oids.SIGNING_CERTIFICATE)
        if first is not None:
            expected = first.expect(_SEQUENCE)[0].expect(_SEQUENCE)[0].expect(_SEQUENCE)[0].octets()
            # ESSCertID of RFC 2634 §5.4.1 knows only SHA-1; it ties a certificate that a signature already fits.
            return hashlib.sha1(certificate.der, usedforsecurity=False).digest() == expected
        return None


def _algorithm_oid(node: reader.Node) -> str:
    """OID of an AlgorithmIdentifier; parameters are absent or NULL for every algorithm in use (RFC 5754 §2, §3)."""
    parameters = node.expect(_SEQUENCE).children[1:]
    if [item.raw for item in parameters] not in ([], [encoder.null()]):
        raise MalformedError("An algorithm of the CMS object has odd parameters", code="x509.cms.algorithm")
    return node[0].oid()


def signer_algorithm(oid: str, digest_algorithm: DigestAlgorithm | None) -> SignatureAlgorithm | None:
    """The algorithm of a signer; key types that stand for one are settled by the digest (RFC 5754 §3.2)."""
    if oid == RSA_ENCRYPTION:
        return _RSA_BY_DIGEST.get(digest_algorithm) if digest_algorithm else None
    if oid == oids.SM2_SIGNATURE:
        return SignatureAlgorithm.SM2_SM3 if digest_algorithm is DigestAlgorithm.SM3 else None
    details = signature_by_oid(oid)
    return details.algorithm if details and details.digest is digest_algorithm else None


def _first_values(node: reader.Node | None) -> dict[str, reader.Node]:
    values: dict[str, reader.Node] = {}
    for item in node.children if node else ():
        oid = item.expect(_SEQUENCE)[0].oid()
        if oid in values:
            raise MalformedError("A CMS attribute stands twice", code="x509.cms.attribute", oid=oid)
        values[oid] = item[1].expect(_SET)[0]
    return values


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedData:
    """A received SignedData."""

    content_type: str
    content: bytes | None = field(repr=False)
    """``None`` when the content is elsewhere."""
    certificates: tuple[Certificate, ...]
    crls: tuple[bytes, ...] = field(repr=False)
    """DER of the CRLs carried."""
    signers: tuple[SignerInfo, ...]

    @classmethod
    def from_der(cls, der: bytes) -> "SignedData":
        """Read a ``ContentInfo`` of a SignedData, of RFC 5652 or of GB/T 35275-2017.

        Raises:
            MalformedError: ``x509.cms.…`` or ``asn1.…``.
        """
        known = _KNOWN.get(der)
        return _KNOWN.put(der, cls.from_node(reader.parse(der))) if known is None else known

    @classmethod
    def from_node(cls, node: reader.Node) -> "SignedData":
        """Read a ``ContentInfo`` inside something larger, or with padding after it. Raises ``MalformedError``."""
        outer = node.expect(_SEQUENCE)[0].oid()
        if outer not in _SIGNED_DATA:
            raise MalformedError("The CMS object is not signed data", code="x509.cms.content-type")
        signed_data = node[1].expect(_CONTEXT_0)[0].expect(_SEQUENCE)
        encapsulated = signed_data[2].expect(_SEQUENCE)
        rest = signed_data.children[3:]
        certificates = next((child for child in rest if child.tag == _CONTEXT_0), None)
        crls = next((child for child in rest if child.tag == _CONTEXT_1), None)
        signers = next((child for child in rest if child.tag == _SET), None)
        if signers is None:
            raise MalformedError("The CMS object has no set of signers", code="x509.cms.signers")
        digests = {_algorithm_oid(item) for item in signed_data[1].expect(_SET).children}
        if any(item.expect(_SEQUENCE)[2][0].oid() not in digests for item in signers.children):
            raise MalformedError("The CMS object does not list a signer's digest", code="x509.cms.digests")
        content_type = encapsulated[0].oid()
        if signed_data[0].integer() not in _versions(outer, content_type, signers):
            raise MalformedError("The version of the CMS object does not fit its form", code="x509.cms.version")
        return cls(
            content_type=content_type,
            content=_content(encapsulated.children[1:], any_type=outer == oids.GM_SIGNED_DATA),
            certificates=tuple(
                Certificate.from_node(child)
                for child in (certificates.children if certificates else ())
                if child.tag == _SEQUENCE
            ),
            crls=tuple(child.raw for child in (crls.children if crls else ()) if child.tag == _SEQUENCE),
            signers=tuple(SignerInfo.from_node(child.expect(_SEQUENCE)) for child in signers.children),
        )


_KNOWN: Remembered[SignedData] = Remembered(count=16, longest=64 * 1024)
"""A signature or time stamp is looked at from several sides while it is verified."""


def _versions(outer: str, content_type: str, signers: reader.Node) -> set[int]:
    """CMSVersion as RFC 5652 §5.1 computes it; GB/T 35275 has 1, and some products write 3."""
    if outer == oids.GM_SIGNED_DATA or content_type == oids.GM_DATA:
        return {1, 3}
    by_key = any(item[1].tag == _KEY_ID for item in signers.children)
    return {1, 4, 5} if content_type == oids.CMS_DATA and not by_key else {3, 4, 5}


def _content(parts: Sequence[reader.Node], *, any_type: bool) -> bytes | None:
    if not parts:
        return None
    value = parts[0].expect(_CONTEXT_0)[0]
    # PKCS #7 v1.5 content other than data is any type: the signature covers its value octets (RFC 2315 §9.3).
    return value.content if any_type and value.tag not in {_OCTET_STRING, 0x24} else value.octets()


def signature_der(signer: SignerInfo) -> bytes:
    """The signature in its X.509 form; 64 raw octets of SM2, which GB/T 35275 products write, become DER."""
    if signer.signature_algorithm is SignatureAlgorithm.SM2_SM3 and len(signer.signature) == _RAW_SM2_OCTETS:
        return sm2.signature_to_der(signer.signature)
    return signer.signature
