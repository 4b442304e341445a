"""SignedData of GB/T 35275-2017 (GM/T 0010) with one signer: built around a signature made elsewhere, and read.

The structure is that of PKCS #7 1.5 (RFC 2315 §9). Products deviate from it in many ways that do not change what was
signed; all are read and named in ``variants``. What the signature covers is kept as it was received. For the strict
form of RFC 5652 see :mod:`trustcore.x509.cms`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from trustcore.asn1 import encoder
from trustcore.asn1.reader import Node, parse
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import RSA_ENCRYPTION, SIGNATURES, DigestAlgorithm, SignatureAlgorithm
from trustcore.crypto.digests import digest, digest_by_oid
from trustcore.errors import MalformedError
from trustcore.x509 import oids
from trustcore.x509.build import digest_identifier, signature_identifier, x509_time
from trustcore.x509.certificate import Certificate
from trustcore.x509.cms import attribute, signer_algorithm

__all__ = ["GmSignedData", "build_gm_signed_data", "gm_signed_attributes", "is_signed_data", "time_stamp_attribute"]

_SM2_SM3 = SIGNATURES[SignatureAlgorithm.SM2_SM3].oid
_SEQUENCE, _SET, _OID, _OCTETS, _OCTETS_IN_PARTS = 0x30, 0x31, 0x06, 0x04, 0x24
_CONTEXT_0, _CONTEXT_1 = 0xA0, 0xA1
_INDEFINITE = 0x80
_RAW_SM2_OCTETS = 64
_MAX_CARRIED = 64
"""Certificates and CRLs: each may cost a signature check."""


def gm_signed_attributes(
    *,
    message_digest: bytes,
    algorithm: SignatureAlgorithm,
    signing_time: datetime,
    certificate_der: bytes | None = None,
) -> bytes:
    """DER ``SET OF Attribute``: contentType, messageDigest, signingTime, and the signer's certificate by its digest.

    Args:
        message_digest: of the content, by the hash of ``algorithm``.
        algorithm: of the signature to be made.
        signing_time: what the signer claims.
        certificate_der: the signer's, named in signingCertificateV2 (RFC 5035); ``None`` to leave that out.

    Returns:
        Exactly the octets to sign.
    """
    attributes = [
        attribute(oids.CONTENT_TYPE, encoder.oid(_data_type(algorithm))),
        attribute(oids.MESSAGE_DIGEST, encoder.octet_string(message_digest)),
        attribute(oids.SIGNING_TIME, x509_time(signing_time)),
    ]
    if certificate_der is not None:
        hashed = SIGNATURES[algorithm].digest
        named = b"" if hashed is DigestAlgorithm.SHA256 else digest_identifier(hashed)
        identifier = encoder.sequence(named, encoder.octet_string(digest(hashed, certificate_der)))
        attributes.append(attribute(oids.SIGNING_CERTIFICATE_V2, encoder.sequence(encoder.sequence(identifier))))
    return encoder.set_of(*attributes)


def time_stamp_attribute(token_der: bytes) -> bytes:
    """The unsigned attribute that carries a time stamp over the signature's octets (RFC 3161 appendix A)."""
    return attribute(oids.SIGNATURE_TIME_STAMP, token_der)


def build_gm_signed_data(
    *,
    content: bytes | None,
    signed_attributes_der: bytes | None,
    algorithm: SignatureAlgorithm,
    signature: bytes,
    certificate: Certificate,
    certificates: Sequence[bytes] = (),
    crls: Sequence[bytes] = (),
    unsigned_attributes: Sequence[bytes] = (),
) -> bytes:
    """DER ContentInfo of a SignedData; with the content types of PKCS #7 where the key is not an SM2 key.

    Args:
        content: what to carry; ``None`` for a detached signature.
        signed_attributes_der: from :func:`gm_signed_attributes`; ``None`` when the signature is over the content.
        algorithm: of ``signature``.
        signature: in its X.509 form.
        certificate: the signer's.
        certificates: DER of the other certificates to carry.
        crls: DER of the CRLs to carry.
        unsigned_attributes: such as :func:`time_stamp_attribute`.
    """
    gm = algorithm is SignatureAlgorithm.SM2_SM3
    hashed = digest_identifier(SIGNATURES[algorithm].digest)
    signed_with = encoder.sequence(encoder.oid(oids.SM2_SIGNATURE)) if gm else signature_identifier(algorithm)
    signer = encoder.sequence(
        encoder.integer(1),
        encoder.sequence(certificate.issuer_der, encoder.integer(certificate.serial_number)),
        hashed,
        b"" if signed_attributes_der is None else encoder.implicit(0, signed_attributes_der),
        signed_with,
        encoder.octet_string(signature),
        encoder.implicit(1, encoder.set_of(*unsigned_attributes)) if unsigned_attributes else b"",
    )
    carried = b"" if content is None else encoder.explicit(0, encoder.octet_string(content))
    signed_data = encoder.sequence(
        encoder.integer(1),
        encoder.set_of(hashed),
        encoder.sequence(encoder.oid(_data_type(algorithm)), carried),
        encoder.implicit(0, encoder.set_of(*dict.fromkeys((certificate.der, *certificates)))),
        encoder.implicit(1, encoder.set_of(*dict.fromkeys(crls))) if crls else b"",
        encoder.set_of(signer),
    )
    outer = oids.GM_SIGNED_DATA if gm else oids.CMS_SIGNED_DATA
    return encoder.sequence(encoder.oid(outer), encoder.explicit(0, signed_data))


def is_signed_data(node: Node) -> bool:
    """Whether this is a ContentInfo of a SignedData, of PKCS #7 or of GB/T 35275."""
    return (
        node.tag == _SEQUENCE
        and bool(node.children)
        and node[0].tag == _OID
        and node[0].oid() in {oids.CMS_SIGNED_DATA, oids.GM_SIGNED_DATA}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GmSignedData:
    """A received SignedData with one signer."""

    content_type: str
    content: bytes | None = field(repr=False)
    """Value octets of what is carried; ``None`` when the content is elsewhere."""
    certificates: tuple[bytes, ...] = field(repr=False)
    """DER of the certificates carried."""
    crls: tuple[bytes, ...] = field(repr=False)
    """DER of the CRLs carried."""
    issuer_der: bytes
    """Name of the issuer of the signer's certificate."""
    serial_number: int
    """Of the signer's certificate."""
    digest_algorithm: DigestAlgorithm | None
    """``None`` when the product does not accept it."""
    signature_algorithm: SignatureAlgorithm | None
    """``None`` when the product does not accept it."""
    signature_algorithm_oid: str
    """As written."""
    signature: bytes = field(repr=False)
    """As received; SM2's also as 64 raw octets."""
    signed_attributes_der: bytes | None = field(repr=False)
    """With the tag of a SET, which is what the signature covers."""
    attributes: Mapping[str, Node] = field(repr=False)
    """First value of each signed attribute, by OID."""
    unsigned_attributes: Mapping[str, Node] = field(repr=False)
    """First value of each unsigned attribute, by OID."""
    variants: tuple[str, ...]
    """Names of the deviations from the standard that were met, for the report."""

    @classmethod
    def parse(cls, der: bytes) -> "GmSignedData":
        """Read a ContentInfo.

        Raises:
            MalformedError: ``x509.gm.…`` or ``asn1.…``; ``x509.gm.signers`` unless there is one signer.
        """
        return _read(parse(der))

    @property
    def message_digest(self) -> bytes | None:
        """The signed messageDigest attribute."""
        found = self.attributes.get(oids.MESSAGE_DIGEST)
        return None if found is None else found.octets()

    @property
    def signing_time(self) -> datetime | None:
        """What the signer claims."""
        found = self.attributes.get(oids.SIGNING_TIME)
        return None if found is None else found.time()

    @property
    def time_stamp_token(self) -> bytes | None:
        """DER of the unsigned time stamp over :attr:`signature`."""
        found = self.unsigned_attributes.get(oids.SIGNATURE_TIME_STAMP)
        return None if found is None else found.raw

    @property
    def signature_der(self) -> bytes:
        """The signature in its X.509 form."""
        if self.signature_algorithm is SignatureAlgorithm.SM2_SM3 and len(self.signature) == _RAW_SM2_OCTETS:
            return sm2.signature_to_der(self.signature)
        return self.signature

    def message(self, content: bytes) -> bytes:
        """The octets that the signature covers, when the content is ``content``."""
        return content if self.signed_attributes_der is None else self.signed_attributes_der

    def is_made_by(self, certificate: Certificate) -> bool:
        """Whether this names ``certificate`` as the signer's."""
        return self.serial_number == certificate.serial_number and self.issuer_der == certificate.issuer_der

    def names_certificate(self, certificate: Certificate) -> bool | None:
        """Whether signingCertificateV2 is about ``certificate``; ``None`` when there is no such attribute."""
        found = self.attributes.get(oids.SIGNING_CERTIFICATE_V2)
        if found is None:
            return None
        entry = found.expect(_SEQUENCE)[0].expect(_SEQUENCE)[0].expect(_SEQUENCE)
        named = entry[0].tag == _SEQUENCE
        algorithm = digest_by_oid(entry[0][0].oid()) if named else DigestAlgorithm.SHA256
        return algorithm is not None and digest(algorithm, certificate.der) == entry[1 if named else 0].octets()


def _data_type(algorithm: SignatureAlgorithm) -> str:
    return oids.GM_DATA if algorithm is SignatureAlgorithm.SM2_SM3 else oids.CMS_DATA


def _read(node: Node) -> GmSignedData:
    if not is_signed_data(node):
        raise MalformedError("The value is not signed data.", code="x509.gm.content-type")
    variants: list[str] = []
    signed_data = node[1].expect(_CONTEXT_0)[0].expect(_SEQUENCE)
    encapsulated = signed_data[2].expect(_SEQUENCE)
    rest = signed_data.children[3:]
    signers = next((child for child in rest if child.tag == _SET), None)
    if signers is None or len(signers.children) != 1:
        raise MalformedError("The signed data has not exactly one signer.", code="x509.gm.signers")
    signer = signers[0].expect(_SEQUENCE)
    _note_frame(node, signed_data, signer, variants)
    signed = signer[3] if signer[3].tag == _CONTEXT_0 else None
    after = 3 if signed is None else 4
    algorithm_oid = _oid(signer[after], variants)
    digest_oid = _oid(signer[2], variants)
    if digest_oid == _SM2_SM3:
        variants.append("digest-algorithm")
        hashed: DigestAlgorithm | None = DigestAlgorithm.SM3
    else:
        hashed = digest_by_oid(digest_oid) or digest_by_oid(digest_oid.removesuffix(".1"))
    return GmSignedData(
        content_type=encapsulated[0].oid(),
        content=_content(encapsulated, variants),
        certificates=_carried(rest, _CONTEXT_0),
        crls=_carried(rest, _CONTEXT_1),
        issuer_der=signer[1].expect(_SEQUENCE)[0].raw,
        serial_number=signer[1][1].integer(),
        digest_algorithm=hashed,
        signature_algorithm=signer_algorithm(algorithm_oid, hashed),
        signature_algorithm_oid=algorithm_oid,
        signature=_signature(signer[after + 1], algorithm_oid, variants),
        signed_attributes_der=_covered(signed, variants),
        attributes=_first_values(signed),
        unsigned_attributes=_first_values(next((n for n in signer.children[after + 2 :] if n.tag == _CONTEXT_1), None)),
        variants=tuple(dict.fromkeys(variants)),
    )


def _note_frame(content_info: Node, signed_data: Node, signer: Node, variants: list[str]) -> None:
    """What no signature covers and nobody needs, where it is not as the standard writes it."""
    if any(node.buffer[node.offset + 1] == _INDEFINITE for node in (content_info, content_info[1], signed_data)):
        variants.append("indefinite-length")
    if signed_data[0].raw != encoder.integer(1) or signer[0].raw != encoder.integer(1):
        variants.append("version")
    listed = [item.expect(_SEQUENCE)[0].raw for item in signed_data[1].expect(_SET).children]
    if listed != [signer[2].expect(_SEQUENCE)[0].raw]:
        variants.append("digest-algorithms")
    gm_types = (oids.GM_SIGNED_DATA, oids.GM_DATA), (oids.CMS_SIGNED_DATA, oids.CMS_DATA)
    if (content_info[0].oid(), signed_data[2][0].oid()) not in gm_types:
        variants.append("content-types")


def _oid(node: Node, variants: list[str]) -> str:
    """OID of an AlgorithmIdentifier; its parameters are absent or NULL."""
    if [item.raw for item in node.expect(_SEQUENCE).children[1:]] not in ([], [encoder.null()]):
        variants.append("algorithm-parameters")
    return node[0].oid()


def _content(encapsulated: Node, variants: list[str]) -> bytes | None:
    if len(encapsulated.children) < 2:
        return None
    value = encapsulated[1].expect(_CONTEXT_0)[0]
    if value.tag in {_OCTETS, _OCTETS_IN_PARTS}:
        return value.octets()
    variants.append("content-form")  # any type may be carried: the signature covers its value octets (RFC 2315 §9.3)
    return value.content


def _signature(node: Node, algorithm_oid: str, variants: list[str]) -> bytes:
    value = node.octets()
    if len(value) == _RAW_SM2_OCTETS and algorithm_oid != RSA_ENCRYPTION:
        variants.append("raw-signature")
    return value


def _covered(signed: Node | None, variants: list[str]) -> bytes | None:
    """Signed attributes with the tag of a SET; of an indefinite length the definite form was signed (RFC 2315 §9.3)."""
    if signed is None:
        return None
    if signed.buffer[signed.offset + 1] == _INDEFINITE:
        variants.append("indefinite-length")
        return encoder.tlv(_SET, signed.content)
    return bytes((_SET,)) + signed.raw[1:]


def _carried(rest: Sequence[Node], tag: int) -> tuple[bytes, ...]:
    node = next((child for child in rest if child.tag == tag), None)
    found = tuple(child.raw for child in node.children if child.tag == _SEQUENCE) if node else ()
    if len(found) > _MAX_CARRIED:
        raise MalformedError("The signed data carries too many certificates or CRLs.", code="x509.gm.carried")
    return found


def _first_values(node: Node | None) -> dict[str, Node]:
    values: dict[str, Node] = {}
    for item in node.children if node else ():
        oid = item.expect(_SEQUENCE)[0].oid()
        if oid in values:
            raise MalformedError("An attribute stands twice.", code="x509.gm.attribute", oid=oid)
        values[oid] = item[1].expect(_SET)[0]
    return values
