"""Sign a PDF as PAdES baseline B-T (ETSI EN 319 142-1 §6): CMS in /Contents, a time stamp over the signature.

The value is made by :mod:`trustcore.x509.cms`; pyHanko writes only the PDF around it. CRLs travel in
``SignedData.crls`` (RFC 5652 §5.1) and not in a later update, so the ByteRange covers the whole file and a verifier
needs nothing but the file and the root.
"""

from dataclasses import dataclass
from datetime import datetime

from seal_service.core.material import ValidationMaterial
from seal_service.pdf.embedding import Form, PreparedPdf, StampPicture, prepare
from trustcore.crypto.algorithms import SIGNATURES, SignatureAlgorithm
from trustcore.crypto.digests import digest
from trustcore.errors import RejectedError
from trustcore.x509 import cms, oids
from trustcore.x509.certificate import Certificate

__all__ = ["PreparedPades", "prepare_pades"]

"""id-aa-CMSAlgorithmProtect (RFC 6211 §2): puts the algorithm identifiers, else unsigned, under the signature."""

TOKEN_BYTES = 4096
"""Room kept for the time-stamp token."""
_SIGNATURE_BYTES = 512
"""RSA-4096, the longest signature in use."""
_FRAME_BYTES = 512
"""SignerInfo, algorithm identifiers and lengths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedPades:
    """A document that waits for its signature."""

    pdf: PreparedPdf
    to_be_signed: bytes
    """DER SET OF signed attributes, the message to sign (RFC 5652 §5.4)."""
    algorithm: SignatureAlgorithm
    certificate: Certificate
    material: ValidationMaterial

    def imprint(self, signature: bytes) -> bytes:
        """What the time stamp is about: the digest of the signature value (RFC 3161 appendix A)."""
        return digest(SIGNATURES[self.algorithm].digest, signature)

    def complete(self, signature: bytes, *, timestamp_token: bytes | None) -> bytes:
        """The signed document.

        Args:
            signature: over :attr:`to_be_signed`, in its X.509 form.
            timestamp_token: RFC 3161 TimeStampToken over :meth:`imprint`; without it the level is B-B.
        """
        stamps = () if timestamp_token is None else (cms.attribute(oids.SIGNATURE_TIME_STAMP, timestamp_token),)
        value = cms.build_signed_data(
            content_type=oids.CMS_DATA,
            content=None,
            signed_attributes_der=self.to_be_signed,
            algorithm=self.algorithm,
            signature=signature,
            certificate=self.certificate,
            certificates=(self.certificate.der, *self.material.issuers),
            crls=self.material.crls,
            unsigned_attributes=stamps,
        )
        return self.pdf.complete(value)


def prepare_pades(
    pdf: bytes,
    *,
    certificate: Certificate,
    algorithm: SignatureAlgorithm,
    material: ValidationMaterial,
    at: datetime,
    picture: StampPicture | None,
) -> PreparedPades:
    """Write the update with an empty hole and make the attributes to sign.

    Raises:
        MalformedError, RejectedError: see :func:`seal_service.pdf.embedding.prepare`; ``seal.pdf.algorithm`` for SM2,
            which readers outside China do not know and which has a form of its own.
    """
    if algorithm is SignatureAlgorithm.SM2_SM3:
        raise RejectedError("A PAdES signature is made with RSA or ECDSA, not with SM2.", code="seal.pdf.algorithm")
    hash_algorithm = SIGNATURES[algorithm].digest
    carried = sum(map(len, (certificate.der, *material.issuers, *material.crls)))
    prepared = prepare(
        pdf,
        Form.PADES,
        digest=hash_algorithm,
        reserved_bytes=carried + TOKEN_BYTES + _SIGNATURE_BYTES + _FRAME_BYTES,
        signer_name=certificate.common_name or certificate.subject.text,
        at=at,
        picture=picture,
    )
    attributes = cms.signed_attributes(
        content_type=oids.CMS_DATA,
        message_digest=prepared.digest,
        digest_algorithm=hash_algorithm,
        certificate_der=certificate.der,
        others=(cms.algorithm_protection(algorithm),),
    )
    return PreparedPades(
        pdf=prepared, to_be_signed=attributes, algorithm=algorithm, certificate=certificate, material=material
    )
