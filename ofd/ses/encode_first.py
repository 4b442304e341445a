"""Encoding seals and seal signatures of the first generation (GM/T 0031-2014) as DER.

For receivers that read nothing newer. Signer certificate and algorithm stand inside what is signed, so both have to be
known before the signature is made; there is no place for a time stamp over the signature or for validation data.
"""

from collections.abc import Sequence
from datetime import datetime

from ofd.ses.encode import check_seal_info, encode_extensions
from ofd.ses.info import Extension, Picture
from trustcore.asn1 import encoder
from trustcore.errors import RejectedError

__all__ = [
    "encode_first_seal",
    "encode_first_seal_info",
    "encode_first_seal_message",
    "encode_first_signature",
    "encode_first_to_be_signed",
]

_VERSION = 1


def encode_first_seal_info(  # noqa: PLR0913 - one argument per field of the standard
    *,
    vendor: str,
    seal_code: str,
    type: int = 1,  # noqa: A002 - the standard's word
    name: str,
    certificates: Sequence[bytes],
    created: datetime,
    valid_from: datetime,
    valid_until: datetime,
    picture: Picture,
    extensions: Sequence[Extension] = (),
) -> bytes:
    """DER SES_SealInfo of GM/T 0031-2014 §6.1; arguments as in :func:`ofd.ses.encode.encode_seal_info`.

    Raises:
        RejectedError: ``ofd.ses.seal-info``, also for years that a UTCTime cannot write.
    """
    if not certificates:
        raise RejectedError("A seal lists the certificates of its signers.", code="ofd.ses.seal-info")
    check_seal_info(vendor=vendor, seal_code=seal_code, valid_from=valid_from, valid_until=valid_until, picture=picture)
    times = tuple(_utc_time(at) for at in (created, valid_from, valid_until))
    return encoder.sequence(
        encoder.sequence(encoder.ia5_string("ES"), encoder.integer(_VERSION), encoder.ia5_string(vendor)),
        encoder.ia5_string(seal_code),
        encoder.sequence(
            encoder.integer(type),
            encoder.utf8_string(name),
            encoder.sequence(*map(encoder.octet_string, certificates)),
            *times,
        ),
        encoder.sequence(
            encoder.ia5_string(picture.type),
            encoder.octet_string(picture.data),
            encoder.integer(picture.width_mm),
            encoder.integer(picture.height_mm),
        ),
        *((encoder.explicit(0, encode_extensions(extensions)),) if extensions else ()),
    )


def encode_first_seal_message(seal_info_der: bytes, *, certificate_der: bytes, signature_algorithm_oid: str) -> bytes:
    """What the maker of a seal signs: SEQUENCE{ esealInfo, cert, signatureAlgorithm }."""
    return encoder.sequence(seal_info_der, encoder.octet_string(certificate_der), encoder.oid(signature_algorithm_oid))


def encode_first_seal(
    seal_info_der: bytes, *, certificate_der: bytes, signature_algorithm_oid: str, signature_der: bytes
) -> bytes:
    """DER SESeal (GM/T 0031-2014 §6.1); the signature is over :func:`encode_first_seal_message`."""
    sign_info = encoder.sequence(
        encoder.octet_string(certificate_der),
        encoder.oid(signature_algorithm_oid),
        encoder.bit_string(signature_der),
    )
    return encoder.sequence(seal_info_der, sign_info)


def encode_first_to_be_signed(
    *,
    seal_der: bytes,
    at: datetime,
    data_hash: bytes,
    property_info: str,
    certificate_der: bytes,
    signature_algorithm_oid: str,
    time_token: bytes | None = None,
) -> bytes:
    """DER TBS_Sign (GM/T 0031-2014 §7.1).

    Args:
        seal_der: the seal exactly as issued.
        at: the signing time claimed, in whole seconds; timeInfo when there is no token.
        data_hash: digest of Signature.xml.
        property_info: absolute path of Signature.xml.
        certificate_der: the signer's certificate.
        signature_algorithm_oid: of the signature to be made.
        time_token: TimeStampToken to stand as timeInfo.
    """
    time_info = _utc_time(at) if time_token is None else time_token
    return encoder.sequence(
        encoder.integer(_VERSION),
        seal_der,
        encoder.bit_string(time_info),
        encoder.bit_string(data_hash),
        encoder.ia5_string(property_info),
        encoder.octet_string(certificate_der),
        encoder.oid(signature_algorithm_oid),
    )


def encode_first_signature(to_be_signed_der: bytes, *, signature_der: bytes) -> bytes:
    """DER SES_Signature (GM/T 0031-2014 §7.1)."""
    return encoder.sequence(to_be_signed_der, encoder.bit_string(signature_der))


def _utc_time(at: datetime) -> bytes:
    try:
        return encoder.utc_time(at)
    except ValueError as error:
        raise RejectedError("A first-generation seal cannot write this year.", code="ofd.ses.seal-info") from error
