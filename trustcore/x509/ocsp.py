"""Online certificate status (RFC 6960): requests, and responses signed by a delegated responder.

CertIDs may use SHA-1 (what most clients send), SHA-256 or SM3 (what Chinese clients send); the hash only names the
issuer. Responses answer with the CertID of the request, byte for byte.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Self

from trustcore.asn1 import encoder, reader
from trustcore.crypto.algorithms import DIGESTS, DigestAlgorithm
from trustcore.errors import MalformedError
from trustcore.signing import Signer
from trustcore.x509 import extensions as ext
from trustcore.x509 import oids
from trustcore.x509.build import signature_identifier
from trustcore.x509.certificate import Certificate, is_signed_by
from trustcore.x509.crl import RevocationReason
from trustcore.x509.names import DistinguishedName
from trustcore.x509.public_keys import key_identifier, public_key_hash

__all__ = [
    "CertificateId",
    "CertificateStatus",
    "OcspRequest",
    "OcspResponse",
    "ResponseStatus",
    "SingleResponse",
    "build_request",
    "build_response",
    "error_response",
]

_SHA1 = "1.3.14.3.2.26"
_HASH_NAMES = {_SHA1: "sha1"} | {details.oid: str(details.algorithm) for details in DIGESTS.values()}
_SEQUENCE, _ENUMERATED, _GOOD, _REVOKED, _UNKNOWN = 0x30, 0x0A, 0x80, 0xA1, 0x82
MAX_REQUESTS = 64
"""Most certificates one request may ask for."""
MAX_NONCE_OCTETS = 128
"""RFC 9654 §2.1 lets a responder refuse longer nonces."""
NO_END = timedelta(minutes=5)
"""How long an answer without nextUpdate is taken to hold."""


class ResponseStatus(IntEnum):
    """OCSPResponseStatus (RFC 6960 §4.2.1)."""

    SUCCESSFUL = 0
    MALFORMED_REQUEST = 1
    INTERNAL_ERROR = 2
    TRY_LATER = 3
    SIG_REQUIRED = 5
    UNAUTHORIZED = 6


class CertificateStatus(StrEnum):
    """CertStatus (RFC 6960 §4.2.1)."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateId:
    """CertID (RFC 6960 §4.1.1), with its bytes as received."""

    der: bytes
    hash_name: str | None = field(compare=False)
    """:mod:`hashlib` name; ``None`` when the hash function is not accepted."""
    issuer_name_hash: bytes = field(compare=False)
    issuer_key_hash: bytes = field(compare=False)
    serial_number: int = field(compare=False)

    @classmethod
    def of(cls, serial_number: int, issuer: Certificate, algorithm: DigestAlgorithm | None = None) -> Self:
        """The CertID of a certificate of ``issuer``; with SHA-1 when no algorithm is given (RFC 5019 §2.1.1)."""
        hash_oid = _SHA1 if algorithm is None else DIGESTS[algorithm].oid
        hash_name = _HASH_NAMES[hash_oid]
        name_hash = hashlib.new(hash_name, issuer.subject_der, usedforsecurity=False).digest()
        key_hash = public_key_hash(issuer.public_key_der, hash_name)
        der = encoder.sequence(
            encoder.sequence(encoder.oid(hash_oid), encoder.null()),
            encoder.octet_string(name_hash),
            encoder.octet_string(key_hash),
            encoder.integer(serial_number),
        )
        return cls.from_node(reader.parse(der))

    @classmethod
    def from_node(cls, node: reader.Node) -> Self:
        """Read a CertID. Raises ``MalformedError``."""
        return cls(
            der=node.expect(_SEQUENCE).raw,
            hash_name=_HASH_NAMES.get(node[0].expect(_SEQUENCE)[0].oid()),
            issuer_name_hash=node[1].octets(),
            issuer_key_hash=node[2].octets(),
            serial_number=node[3].integer(),
        )

    def names(self, issuer: Certificate) -> bool:
        """Whether the issuer meant is ``issuer``."""
        if self.hash_name is None:
            return False
        name_hash = hashlib.new(self.hash_name, issuer.subject_der, usedforsecurity=False).digest()
        return name_hash == self.issuer_name_hash and (
            public_key_hash(issuer.public_key_der, self.hash_name) == self.issuer_key_hash
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OcspRequest:
    """A received request; a signature on it is not looked at."""

    certificate_ids: tuple[CertificateId, ...]
    nonce: bytes | None
    """Content of the nonce extension as received (DER of an OCTET STRING when the client kept to RFC 9654)."""

    @classmethod
    def from_der(cls, der: bytes) -> Self:
        """Read a request.

        Raises:
            MalformedError: also for no or more than 64 certificates, for a nonce of more than 128 octets, and for a
                critical extension that is not understood.
        """
        tbs = reader.parse(der).expect(_SEQUENCE)[0].expect(_SEQUENCE)
        lists = [child for child in tbs.children if child.tag == _SEQUENCE]
        if not lists or not 0 < len(lists[0].children) <= MAX_REQUESTS:
            raise MalformedError(f"An OCSP request asks for 1 to {MAX_REQUESTS} certificates", code="x509.ocsp.count")
        wrapped = tbs.find(0xA2)
        extensions = ext.read_extensions(wrapped[0]) if wrapped else ()
        if any(e.critical and e.oid != oids.OCSP_NONCE for e in extensions):
            raise MalformedError("The OCSP request has an unknown critical extension", code="x509.ocsp.critical")
        nonce = next((e.value_der for e in extensions if e.oid == oids.OCSP_NONCE), None)
        if nonce is not None and len(nonce) > MAX_NONCE_OCTETS + 3:
            raise MalformedError("The nonce of the OCSP request is too long", code="x509.ocsp.nonce")
        ids = tuple(CertificateId.from_node(item.expect(_SEQUENCE)[0]) for item in lists[0].children)
        return cls(certificate_ids=ids, nonce=nonce)


def build_request(certificate_ids: Sequence[CertificateId], nonce: bytes | None = None) -> bytes:
    """DER of an unsigned request; ``nonce`` is the bare nonce, 1 to 128 octets (RFC 9654 §2.1)."""
    extensions = b""
    if nonce is not None:
        extensions = encoder.explicit(2, ext.encode_extensions((_nonce_extension(encoder.octet_string(nonce)),)))
    requests = encoder.sequence(*(encoder.sequence(item.der) for item in certificate_ids))
    return encoder.sequence(encoder.sequence(requests, extensions))


def _nonce_extension(value_der: bytes) -> ext.Extension:
    return ext.Extension(oid=oids.OCSP_NONCE, value_der=value_der)


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleResponse:
    """Status of one certificate."""

    certificate_id: CertificateId
    status: CertificateStatus
    revoked_at: datetime | None = None
    reason: RevocationReason | None = None
    this_update: datetime
    next_update: datetime | None

    def holds_at(self, at: datetime, expiry: datetime) -> bool:
        """Whether *good* is an answer for the moment ``at``.

        It is from thisUpdate to nextUpdate; a younger answer about a certificate that had not expired holds too.
        Without nextUpdate newer information is always available (RFC 6960 §4.2.2.1): it holds for :data:`NO_END`.
        """
        latest = self.next_update or self.this_update + NO_END
        return self.this_update <= at <= latest or at < self.this_update <= expiry

    @property
    def der(self) -> bytes:
        """``SingleResponse`` (RFC 6960 §4.2.1)."""
        return encoder.sequence(
            self.certificate_id.der,
            self._status_der(),
            encoder.generalized_time(self.this_update),
            encoder.explicit(0, encoder.generalized_time(self.next_update)) if self.next_update else b"",
        )

    def _status_der(self) -> bytes:
        if self.status is CertificateStatus.GOOD:
            return encoder.tlv(_GOOD, b"")
        if self.status is CertificateStatus.UNKNOWN or self.revoked_at is None:
            return encoder.tlv(_UNKNOWN, b"")
        reason = encoder.explicit(0, encoder.tlv(_ENUMERATED, bytes((self.reason,)))) if self.reason else b""
        return encoder.tlv(_REVOKED, encoder.generalized_time(self.revoked_at) + reason)

    @classmethod
    def from_node(cls, node: reader.Node) -> Self:
        """Read one. Raises ``MalformedError``."""
        status = node.expect(_SEQUENCE)[1]
        revoked_at, reason = None, None
        if status.tag == _REVOKED:
            revoked_at = status[0].time()
            code = status.find(0xA0)
            reason = _reason(code[0].integer()) if code else None
        elif status.tag not in {_GOOD, _UNKNOWN}:
            raise MalformedError("An OCSP response has an unknown status", code="x509.ocsp.status")
        rest = {child.tag: child for child in node.children[3:]}
        next_update = rest[0xA0][0].time() if 0xA0 in rest else None
        if 0xA1 in rest and any(extension.critical for extension in ext.read_extensions(rest[0xA1][0])):
            raise MalformedError("An OCSP answer has an unknown critical extension", code="x509.ocsp.critical")
        names = {_GOOD: CertificateStatus.GOOD, _REVOKED: CertificateStatus.REVOKED}
        return cls(
            certificate_id=CertificateId.from_node(node[0]),
            status=names.get(status.tag, CertificateStatus.UNKNOWN),
            revoked_at=revoked_at,
            reason=reason,
            this_update=node[2].time(),
            next_update=next_update,
        )


def _reason(code: int) -> RevocationReason:
    try:
        return RevocationReason(code)
    except ValueError:
        raise MalformedError("An OCSP response has a reason that does not exist", code="x509.ocsp.reason") from None


def build_response(
    responses: Sequence[SingleResponse],
    *,
    responder: Certificate,
    signer: Signer,
    produced_at: datetime,
    nonce: bytes | None = None,
) -> bytes:
    """DER of a successful basic response that carries its responder's certificate, responder named by key.

    Args:
        responses: one for each certificate asked for.
        responder: certificate over the signer's key.
        signer: the responder's key.
        produced_at: when this response was made.
        nonce: the request's nonce as :attr:`OcspRequest.nonce` has it, echoed as it is.
    """
    extensions = encoder.explicit(1, ext.encode_extensions((_nonce_extension(nonce),))) if nonce is not None else b""
    data = encoder.sequence(
        encoder.explicit(2, encoder.octet_string(key_identifier(responder.public_key_der))),
        encoder.generalized_time(produced_at),
        encoder.sequence(*(response.der for response in responses)),
        extensions,
    )
    basic = encoder.sequence(
        data,
        signature_identifier(signer.algorithm),
        encoder.bit_string(signer.sign(data)),
        encoder.explicit(0, encoder.sequence(responder.der)),
    )
    content = encoder.sequence(encoder.oid(oids.OCSP_BASIC), encoder.octet_string(basic))
    status = encoder.tlv(_ENUMERATED, bytes((ResponseStatus.SUCCESSFUL,)))
    return encoder.sequence(status, encoder.explicit(0, content))


def error_response(status: ResponseStatus) -> bytes:
    """DER of an unsigned response that says why there is no answer (RFC 6960 §2.3)."""
    return encoder.sequence(encoder.tlv(_ENUMERATED, bytes((status,))))


@dataclass(frozen=True, slots=True, kw_only=True)
class OcspResponse:
    """A received successful response."""

    der: bytes = field(repr=False)
    data_der: bytes = field(repr=False, compare=False)
    """The ResponseData the signature covers, as received."""
    responder_name: DistinguishedName | None = field(compare=False)
    responder_key_hash: bytes | None = field(repr=False, compare=False)
    produced_at: datetime = field(compare=False)
    responses: tuple[SingleResponse, ...] = field(compare=False)
    nonce: bytes | None = field(compare=False)
    signature_algorithm_oid: str = field(compare=False)
    signature: bytes = field(repr=False, compare=False)
    certificates: tuple[Certificate, ...] = field(repr=False, compare=False)

    @classmethod
    def from_der(cls, der: bytes) -> Self:
        """Read a response.

        Raises:
            MalformedError: it cannot be read, or its status is not *successful* (``x509.ocsp.unsuccessful``).
        """
        node = reader.parse(der).expect(_SEQUENCE)
        status = node[0].integer()
        if status != ResponseStatus.SUCCESSFUL:
            raise MalformedError("The OCSP responder gave no answer", code="x509.ocsp.unsuccessful", status=status)
        content = node[1].expect(0xA0)[0].expect(_SEQUENCE)
        if content[0].oid() != oids.OCSP_BASIC:
            raise MalformedError("The OCSP response is not a basic one", code="x509.ocsp.type")
        basic = reader.parse(content[1].octets()).expect(_SEQUENCE)
        data = basic[0].expect(_SEQUENCE)
        first = 1 if data[0].tag == 0xA0 else 0
        responder, wrapped = data[first], next((c for c in data.children[first + 1 :] if c.tag == 0xA1), None)
        extensions = ext.read_extensions(wrapped[0]) if wrapped else ()
        if any(e.critical and e.oid != oids.OCSP_NONCE for e in extensions):
            raise MalformedError("The OCSP response has an unknown critical extension", code="x509.ocsp.critical")
        carried = basic.find(0xA0)
        return cls(
            der=node.raw,
            data_der=data.raw,
            responder_name=DistinguishedName.from_node(responder[0]) if responder.tag == 0xA1 else None,
            responder_key_hash=responder[0].octets() if responder.tag == 0xA2 else None,
            produced_at=data[first + 1].time(),
            responses=tuple(SingleResponse.from_node(item) for item in data[first + 2].expect(_SEQUENCE).children),
            nonce=next((e.value_der for e in extensions if e.oid == oids.OCSP_NONCE), None),
            signature_algorithm_oid=basic[1].expect(_SEQUENCE)[0].oid(),
            signature=basic[2].bit_string(),
            certificates=tuple(Certificate.from_node(item) for item in (carried[0].children if carried else ())),
        )

    def is_signed_for(self, issuer: Certificate) -> bool:
        """Whether the issuer itself or a responder it delegated signed this (RFC 6960 §4.2.2.2).

        A delegate's certificate comes with the response, was issued by ``issuer`` directly, has the OCSPSigning
        purpose and was valid when the response was made. Revocation of the delegate is not looked at; ours carry
        id-pkix-ocsp-nocheck.
        """
        return any(
            self._is_responder(candidate)
            and (candidate == issuer or self._is_delegate(candidate, issuer))
            and is_signed_by(candidate, self.signature_algorithm_oid, self.data_der, self.signature)
            for candidate in (issuer, *self.certificates)
        )

    def find(self, serial_number: int, issuer: Certificate) -> SingleResponse | None:
        """The answer about a certificate of ``issuer``."""
        for response in self.responses:
            asked = response.certificate_id
            if asked.serial_number == serial_number and asked.names(issuer):
                return response
        return None

    def _is_responder(self, candidate: Certificate) -> bool:
        if self.responder_name is not None:
            return self.responder_name.matches(candidate.subject)
        return self.responder_key_hash == key_identifier(candidate.public_key_der)

    def _is_delegate(self, candidate: Certificate, issuer: Certificate) -> bool:
        return (
            oids.PURPOSE_OCSP_SIGNING in candidate.extended_key_usage
            and candidate.not_before <= self.produced_at <= candidate.not_after
            and candidate.is_issued_by(issuer)
        )
