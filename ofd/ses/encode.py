"""Encoding seals and seal signatures (GB/T 38540-2020, GM/T 0031-2025) as DER.

Signing happens elsewhere: :func:`encode_seal_info` and :func:`encode_to_be_signed` make what is to be signed,
:func:`encode_seal` and :func:`encode_signature` join the signature to exactly those octets.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from ofd.ses.structure import CERT_VALUES, REVOCATION_VALUES, CertificateDigest, Extension, Generation, Picture
from trustcore.asn1 import encoder
from trustcore.asn1.reader import parse
from trustcore.errors import RejectedError

__all__ = [
    "check_seal_info",
    "encode_extensions",
    "encode_seal",
    "encode_seal_info",
    "encode_signature",
    "encode_to_be_signed",
    "validation_material",
]


_LONGEST_REMEMBERED = 256 * 1024
"""Octets; CRLs may be much longer."""


def encode_seal_info(  # noqa: PLR0913 - one argument per field of the standard
    *,
    vendor: str,
    seal_code: str,
    type: int = 1,  # noqa: A002 - the standard's word
    name: str,
    certificates: Sequence[bytes] = (),
    certificate_digests: Sequence[CertificateDigest] = (),
    created: datetime,
    valid_from: datetime,
    valid_until: datetime,
    picture: Picture,
    extensions: Sequence[Extension] = (),
    generation: Generation = Generation.V4,
) -> bytes:
    """DER SES_SealInfo, the message the seal maker signs (GB/T 38540-2020 §6.1).

    Args:
        vendor: Vid, ASCII.
        seal_code: esID, ASCII, unique.
        type: 1 for an organisation, 2 for a person.
        name: name of the seal, such as the authority's.
        certificates: DER certificates that may sign with the seal, or
        certificate_digests: their digests; exactly one of the two.
        created: when the seal was made.
        valid_from: first moment of use.
        valid_until: last moment of use.
        picture: how it looks.
        extensions: further data, usually none.
        generation: the standard that is followed, of the two that share this structure.

    Raises:
        RejectedError: ``ofd.ses.seal-info`` for names that are not ASCII, an empty or double list, a period that ends
            before it starts, or a picture without size.
    """
    if bool(certificates) == bool(certificate_digests):
        raise _rejected("A seal lists either certificates or their digests.")
    check_seal_info(vendor=vendor, seal_code=seal_code, valid_from=valid_from, valid_until=valid_until, picture=picture)
    if certificates:
        list_type, listed = 1, [encoder.octet_string(der) for der in certificates]
    else:
        list_type = 2
        listed = [
            encoder.sequence(encoder.printable_string(item.type), encoder.octet_string(item.value))
            for item in certificate_digests
        ]
    return encoder.sequence(
        encoder.sequence(encoder.ia5_string("ES"), encoder.integer(_version(generation)), encoder.ia5_string(vendor)),
        encoder.ia5_string(seal_code),
        encoder.sequence(
            encoder.integer(type),
            encoder.utf8_string(name),
            encoder.integer(list_type),
            encoder.sequence(*listed),
            encoder.generalized_time(created),
            encoder.generalized_time(valid_from),
            encoder.generalized_time(valid_until),
        ),
        encoder.sequence(
            encoder.ia5_string(picture.type),
            encoder.octet_string(picture.data),
            encoder.integer(picture.width_mm),
            encoder.integer(picture.height_mm),
        ),
        *((encode_extensions(extensions),) if extensions else ()),
    )


def check_seal_info(
    *, vendor: str, seal_code: str, valid_from: datetime, valid_until: datetime, picture: Picture
) -> None:
    """Refuse what no generation can write.

    Raises:
        RejectedError: ``ofd.ses.seal-info``.
    """
    if valid_until <= valid_from:
        raise _rejected("A seal's period ends after it starts.")
    if picture.width_mm <= 0 or picture.height_mm <= 0 or not picture.data:
        raise _rejected("A seal's picture has a width and height in millimetres.")
    if not (vendor.isascii() and seal_code.isascii() and seal_code):
        raise _rejected("A seal's vendor and code are written in ASCII.")


def encode_seal(
    seal_info_der: bytes,
    *,
    certificate_der: bytes,
    signature_algorithm_oid: str,
    signature_der: bytes,
    timestamp_token: bytes | None = None,
) -> bytes:
    """DER SESeal (GB/T 38540-2020 §6.1).

    Args:
        seal_info_der: exactly the octets that the maker signed.
        certificate_der: the maker's certificate.
        signature_algorithm_oid: of ``signature_der``.
        signature_der: in its X.509 form.
        timestamp_token: GM/T 0031-2025 only: TimeStampToken over SM3 of ``signature_der``.
    """
    return encoder.sequence(
        seal_info_der,
        encoder.octet_string(certificate_der),
        encoder.oid(signature_algorithm_oid),
        encoder.bit_string(signature_der),
        *_time_stamp(timestamp_token),
    )


def encode_to_be_signed(
    *,
    seal_der: bytes,
    at: datetime,
    data_hash: bytes,
    property_info: str,
    extensions: Sequence[Extension] = (),
    generation: Generation = Generation.V4,
) -> bytes:
    """DER TBS_Sign, the message the signer signs (GB/T 38540-2020 §7.1).

    Args:
        seal_der: the seal exactly as issued.
        at: the signing time claimed, cut to whole seconds.
        data_hash: digest of what is sealed.
        property_info: in OFD the absolute path of Signature.xml.
        extensions: further data, such as :func:`validation_material`.
        generation: the standard that is followed, of the two that share this structure.
    """
    return encoder.sequence(
        encoder.integer(_version(generation)),
        seal_der,
        encoder.generalized_time(at),
        encoder.bit_string(data_hash),
        encoder.ia5_string(property_info),
        *((_tagged_extensions(tuple(extensions)),) if extensions else ()),
    )


def encode_signature(
    to_be_signed_der: bytes,
    *,
    certificate_der: bytes,
    signature_algorithm_oid: str,
    signature_der: bytes,
    timestamp_token: bytes | None = None,
) -> bytes:
    """DER SES_Signature (GB/T 38540-2020 §7.1).

    Args:
        to_be_signed_der: exactly the octets that were signed.
        certificate_der: the signer's certificate.
        signature_algorithm_oid: ``1.2.156.10197.1.501`` for SM2 with SM3.
        signature_der: the signature in its X.509 form.
        timestamp_token: RFC 3161 TimeStampToken over SM3 of ``signature_der``.
    """
    return encoder.sequence(
        to_be_signed_der,
        encoder.octet_string(certificate_der),
        encoder.oid(signature_algorithm_oid),
        encoder.bit_string(signature_der),
        *_time_stamp(timestamp_token),
    )


def validation_material(
    certificates: Sequence[bytes], crls: Sequence[bytes], ocsp_responses: Sequence[bytes] = ()
) -> tuple[Extension, ...]:
    """Non-critical extensions that carry what a verifier needs beside the roots (RFC 5126 §6.3.3, §6.3.4).

    Args:
        certificates: DER certificates of the issuers of signer and seal maker; the same one twice is written once.
        crls: DER CRLs of those issuers.
        ocsp_responses: DER OCSPResponse of those issuers; their BasicOCSPResponse is what is written.

    Raises:
        MalformedError: an OCSP response cannot be read.
    """
    extensions: list[Extension] = []
    if certificates:
        value = encoder.sequence(*dict.fromkeys(certificates))
        extensions.append(Extension(oid=CERT_VALUES, value=value))
    basics = dict.fromkeys(map(_basic_response, ocsp_responses))
    if crls or basics:
        value = encoder.sequence(
            encoder.explicit(0, encoder.sequence(*dict.fromkeys(crls))) if crls else b"",
            encoder.explicit(1, encoder.sequence(*basics)) if basics else b"",
        )
        extensions.append(Extension(oid=REVOCATION_VALUES, value=value))
    return tuple(extensions)


def _tagged_extensions(extensions: tuple[Extension, ...]) -> bytes:
    """``[0]`` around them; validation material, which is the same in all documents of a day, is remembered."""
    if sum(len(item.value) for item in extensions) > _LONGEST_REMEMBERED:
        return _tag_extensions(extensions)
    return _remembered_extensions(extensions)


def _tag_extensions(extensions: tuple[Extension, ...]) -> bytes:
    return encoder.explicit(0, encode_extensions(extensions))


_remembered_extensions = lru_cache(maxsize=16)(_tag_extensions)


def encode_extensions(extensions: Sequence[Extension]) -> bytes:
    """``ExtensionDatas``, with ``critical`` written even when it is false.

    DER leaves a default out (X.690 §11.5), but deployed seals write it, and ofdrw encodes it again so before it
    verifies a signature: without it, what it hashes is not what was signed.
    """
    return encoder.sequence(
        *(
            encoder.sequence(
                encoder.oid(item.oid),
                encoder.boolean(item.critical),
                encoder.octet_string(item.value),
            )
            for item in extensions
        )
    )


def _basic_response(ocsp_response: bytes) -> bytes:
    """``OCSPResponse ::= SEQUENCE{ status, [0] SEQUENCE{ type, OCTET STRING of the BasicOCSPResponse } }``."""
    return parse(ocsp_response)[1][0][1].octets()


def _time_stamp(token: bytes | None) -> tuple[bytes, ...]:
    return () if token is None else (encoder.explicit(0, encoder.bit_string(token)),)


def _version(generation: Generation) -> int:
    if generation is Generation.V1:
        raise _rejected("The first generation has structures of its own.")
    return int(generation)


def _rejected(detail: str) -> RejectedError:
    return RejectedError(detail, code="ofd.ses.seal-info")
