"""ValidationData.dat: what a verifier needs beside the roots, archived in the folder of a signature.

The file is a SignedData without signer (RFC 5652 §5.2, "certs-only"), which common tools open: certificates and CRLs
stand in their fields, OCSP responses among the CRLs as RFC 5940 §2 puts them there. GB/T 33190-2016 knows no such
file; readers that do not know it leave it alone. Everything in it is signed by who issued it, so it needs no signature
of its own; the signature beside it covers it all the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from trustcore.asn1 import encoder
from trustcore.asn1.reader import Node, parse
from trustcore.errors import MalformedError, RejectedError
from trustcore.x509 import oids

__all__ = ["ARCHIVE_FILE", "ValidationData", "encode_validation_data", "read_validation_data"]

ARCHIVE_FILE = "ValidationData.dat"
"""Its name in the folder of the signature."""

_OCSP_RESPONSE = "1.3.6.1.5.5.7.16.2"
"""id-ri-ocsp-response (RFC 5940 §2.1)."""
_SEQUENCE, _SET, _CONTEXT_0, _CONTEXT_1 = 0x30, 0x31, 0xA0, 0xA1
_MAX_ITEMS = 256
"""Each may cost a signature check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationData:
    """Certificates and what says whether they were revoked."""

    certificates: tuple[bytes, ...] = ()
    """DER."""
    crls: tuple[bytes, ...] = ()
    """DER."""
    ocsp_responses: tuple[bytes, ...] = ()
    """DER OCSPResponse (RFC 6960 §4.2.1)."""

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.certificates or self.crls or self.ocsp_responses)


def encode_validation_data(
    certificates: Sequence[bytes], crls: Sequence[bytes] = (), ocsp_responses: Sequence[bytes] = ()
) -> bytes:
    """DER ContentInfo of a SignedData without signer; what is given twice is written once.

    Raises:
        RejectedError: ``ofd.sign.validation-data`` for more than a verifier would look at.
    """
    if max(len(certificates), len(crls) + len(ocsp_responses)) > _MAX_ITEMS:
        raise RejectedError("There is more validation data than a verifier looks at.", code="ofd.sign.validation-data")
    format_oid = encoder.oid(_OCSP_RESPONSE)
    others = [encoder.implicit(1, encoder.sequence(format_oid, response)) for response in ocsp_responses]
    revocation = dict.fromkeys((*crls, *others))
    signed_data = encoder.sequence(
        encoder.integer(5 if others else 1),  # RFC 5652 §5.1
        encoder.set_of(),
        encoder.sequence(encoder.oid(oids.CMS_DATA)),
        encoder.implicit(0, encoder.set_of(*dict.fromkeys(certificates))) if certificates else b"",
        encoder.implicit(1, encoder.set_of(*revocation)) if revocation else b"",
        encoder.set_of(),
    )
    return encoder.sequence(encoder.oid(oids.CMS_SIGNED_DATA), encoder.explicit(0, signed_data))


def read_validation_data(data: bytes) -> ValidationData:
    """What :func:`encode_validation_data` wrote; the certificates of other SignedData too, signers left aside.

    Raises:
        MalformedError: ``ofd.sign.validation-data`` or ``asn1.…``.
    """
    node = parse(data).expect(_SEQUENCE)
    if node[0].oid() not in {oids.CMS_SIGNED_DATA, oids.GM_SIGNED_DATA}:
        raise _malformed("The validation data is not a set of certificates and CRLs.")
    parts = {child.tag: child for child in node[1].expect(_CONTEXT_0)[0].expect(_SEQUENCE).children[3:]}
    certificates, revocation = _items(parts.get(_CONTEXT_0)), _items(parts.get(_CONTEXT_1))
    others = [item for item in revocation if item.tag == _CONTEXT_1 and item[0].oid() == _OCSP_RESPONSE]
    return ValidationData(
        certificates=tuple(item.raw for item in certificates if item.tag == _SEQUENCE),
        crls=tuple(item.raw for item in revocation if item.tag == _SEQUENCE),
        ocsp_responses=tuple(item[1].raw for item in others),
    )


def _items(node: Node | None) -> tuple[Node, ...]:
    items = () if node is None else node.children
    if len(items) > _MAX_ITEMS:
        raise _malformed("There is more validation data than a verifier looks at.")
    return items


def _malformed(detail: str) -> MalformedError:
    return MalformedError(detail, code="ofd.sign.validation-data")
