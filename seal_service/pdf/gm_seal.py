"""Seal a PDF the Chinese way: /SubFilter /GM.sm2seal with a SES_Signature of GB/T 38540-2020 in /Contents.

There is no public standard of this form; it is deployed practice (read from products and libraries that write it).
Certain: /Filter /Gomain.GMPkiLite, /SubFilter /GM.sm2seal, /Contents a SES_Signature whose dataHash is SM3 over the
octets of the ByteRange. Not certain: propertyInfo, where products differ; the numbers of the ByteRange stand here, so
that the covered octets are named under the signature. Issuers and CRLs travel in extDatas, the time stamp in
``timeStamp``, as in our OFD seals.
"""

from dataclasses import dataclass
from datetime import datetime

from ofd.ses.encode import encode_signature, encode_to_be_signed, validation_material
from ofd.ses.structure import Seal
from seal_service.core.material import ValidationMaterial
from seal_service.pdf.embedding import Form, PreparedPdf, StampPicture, prepare
from trustcore.crypto.algorithms import SIGNATURES, DigestAlgorithm, SignatureAlgorithm
from trustcore.crypto.digests import sm3
from trustcore.x509.certificate import Certificate

__all__ = ["PreparedGmSeal", "prepare_gm_seal", "property_info"]

_TOKEN_BYTES = 4096
"""Room kept for the time-stamp token."""
_LONGEST_PROPERTY_INFO = 64
_FRAME_BYTES = 192
"""Signature, algorithm identifiers and lengths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedGmSeal:
    """A document that waits for its signature."""

    pdf: PreparedPdf
    to_be_signed: bytes
    """DER TBS_Sign, the message to sign with SM2 (GB/T 38540-2020 §7.1)."""
    certificate: Certificate

    def imprint(self, signature_der: bytes) -> bytes:
        """What the time stamp is about: SM3 of the octets of the signature."""
        return sm3(signature_der)

    def complete(self, signature_der: bytes, *, timestamp_token: bytes | None) -> bytes:
        """The sealed document; arguments as in :meth:`seal_service.pdf.pades.PreparedPades.complete`."""
        value = encode_signature(
            self.to_be_signed,
            certificate_der=self.certificate.der,
            signature_algorithm_oid=SIGNATURES[SignatureAlgorithm.SM2_SM3].oid,
            signature_der=signature_der,
            timestamp_token=timestamp_token,
        )
        return self.pdf.complete(value)


def property_info(byte_range: tuple[int, ...]) -> str:
    """Text of propertyInfo: the ByteRange as it stands in the PDF, ``[0 a b c]``."""
    return f"[{' '.join(map(str, byte_range))}]"


def prepare_gm_seal(
    pdf: bytes,
    *,
    seal: Seal,
    certificate: Certificate,
    material: ValidationMaterial,
    at: datetime,
    picture: StampPicture | None,
) -> PreparedGmSeal:
    """Write the update with an empty hole and make the TBS_Sign.

    Raises:
        MalformedError, RejectedError: see :func:`seal_service.pdf.embedding.prepare`.
    """
    extensions = validation_material(material.issuers, material.crls)

    def to_be_signed(data_hash: bytes, info: str) -> bytes:
        return encode_to_be_signed(
            seal_der=seal.der, at=at, data_hash=data_hash, property_info=info, extensions=extensions
        )

    longest = to_be_signed(bytes(32), "0" * _LONGEST_PROPERTY_INFO)
    prepared = prepare(
        pdf,
        Form.GM,
        digest=DigestAlgorithm.SM3,
        reserved_bytes=len(longest) + len(certificate.der) + _TOKEN_BYTES + _FRAME_BYTES,
        signer_name=seal.info.name,
        at=at,
        picture=picture,
    )
    message = to_be_signed(prepared.digest, property_info(prepared.byte_range))
    return PreparedGmSeal(pdf=prepared, to_be_signed=message, certificate=certificate)
