"""Time stamps (RFC 3161 with RFC 5816, GB/T 20520-2006): requests, responses, tokens."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import NamedTuple, Self

from trustcore.asn1 import encoder, reader
from trustcore.crypto.algorithms import DIGESTS, DigestAlgorithm
from trustcore.crypto.digests import digest, digest_by_oid
from trustcore.errors import MalformedError
from trustcore.report import ReportBuilder, Status, Step
from trustcore.signing import Signer
from trustcore.x509 import oids
from trustcore.x509.build import digest_identifier
from trustcore.x509.certificate import Certificate
from trustcore.x509.chain import validate_chain
from trustcore.x509.cms import SignedData, sign
from trustcore.x509.cms_form import form_step
from trustcore.x509.cms_verify import verify_signer
from trustcore.x509.crl import Crl
from trustcore.x509.material import material_step
from trustcore.x509.ocsp import OcspResponse
from trustcore.x509.purposes import KeyPurpose

__all__ = [
    "FailureInfo",
    "PkiStatus",
    "TimeStampRequest",
    "TokenVerification",
    "TstInfo",
    "build_request",
    "build_token",
    "granted",
    "message_imprint",
    "parse_response",
    "rejection",
    "verify_token",
]

_SEQUENCE, _INTEGER, _OID, _BOOLEAN, _GENERALIZED_TIME = 0x30, 0x02, 0x06, 0x01, 0x18
MAX_NONCE_OCTETS = 128


class PkiStatus(IntEnum):
    """PKIStatus (RFC 3161 §2.4.2)."""

    GRANTED = 0
    GRANTED_WITH_MODS = 1
    REJECTION = 2


class FailureInfo(IntEnum):
    """PKIFailureInfo: numbers of bits (RFC 3161 §2.4.2)."""

    BAD_ALG = 0
    BAD_REQUEST = 2
    BAD_DATA_FORMAT = 5
    TIME_NOT_AVAILABLE = 14
    UNACCEPTED_POLICY = 15
    UNACCEPTED_EXTENSION = 16
    ADD_INFO_NOT_AVAILABLE = 17
    SYSTEM_FAILURE = 25


def message_imprint(algorithm: DigestAlgorithm, value: bytes) -> bytes:
    """DER MessageImprint of a digest (RFC 3161 §2.4.1)."""
    return encoder.sequence(digest_identifier(algorithm), encoder.octet_string(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeStampRequest:
    """A received TimeStampReq (RFC 3161 §2.4.1)."""

    imprint_der: bytes = field(repr=False)
    """MessageImprint as received; the token echoes it."""
    algorithm: DigestAlgorithm | None
    """``None`` when the hash function is not accepted."""
    digest: bytes
    policy: str | None
    nonce_der: bytes | None
    """The nonce's INTEGER as received; the token echoes it."""
    wants_certificate: bool
    has_extensions: bool

    @classmethod
    def from_der(cls, der: bytes) -> Self:
        """Read a request.

        Raises:
            MalformedError: also when the digest's length is not that of the algorithm (``x509.tsp.imprint``).
        """
        node = reader.parse(der).expect(_SEQUENCE)
        if node[0].expect(_INTEGER).integer() != 1:
            raise MalformedError("The time-stamp request is not of version 1", code="x509.tsp.version")
        imprint = node[1].expect(_SEQUENCE)
        algorithm, value = digest_by_oid(imprint[0].expect(_SEQUENCE)[0].oid()), imprint[1].octets()
        if algorithm and len(value) != DIGESTS[algorithm].size_bytes:
            raise MalformedError("The digest has not the length of its algorithm", code="x509.tsp.imprint")
        rest = {child.tag: child for child in node.children[2:]}
        nonce = rest.get(_INTEGER)
        if nonce is not None and not 0 < len(nonce.content) <= MAX_NONCE_OCTETS:
            raise MalformedError("The nonce of the time-stamp request is too long", code="x509.tsp.nonce")
        return cls(
            imprint_der=imprint.raw,
            algorithm=algorithm,
            digest=value,
            policy=rest[_OID].oid() if _OID in rest else None,
            nonce_der=nonce.raw if nonce else None,
            wants_certificate=_BOOLEAN in rest and rest[_BOOLEAN].boolean(),
            has_extensions=0xA0 in rest,
        )


def build_request(
    algorithm: DigestAlgorithm, value: bytes, *, nonce: int | None = None, certificate: bool = True
) -> bytes:
    """DER of a TimeStampReq for a digest.

    Args:
        algorithm: that made ``value``.
        value: the digest.
        nonce: random and large, to be found in the token again.
        certificate: whether the token shall carry its certificate.
    """
    return encoder.sequence(
        encoder.integer(1),
        message_imprint(algorithm, value),
        encoder.integer(nonce) if nonce is not None else b"",
        encoder.boolean(True) if certificate else b"",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TstInfo:
    """TSTInfo (RFC 3161 §2.4.2)."""

    policy: str
    imprint_der: bytes = field(repr=False)
    serial_number: int
    """Never used twice by one authority."""
    gen_time: datetime
    accuracy_seconds: int | None
    nonce_der: bytes | None = None

    @property
    def der(self) -> bytes:
        """Strict encoding; without ``ordering`` and ``tsa``, which are optional."""
        accuracy = b"" if self.accuracy_seconds is None else encoder.sequence(encoder.integer(self.accuracy_seconds))
        return encoder.sequence(
            encoder.integer(1),
            encoder.oid(self.policy),
            self.imprint_der,
            encoder.integer(self.serial_number),
            encoder.generalized_time(self.gen_time),
            accuracy,
            self.nonce_der or b"",
        )

    @classmethod
    def from_der(cls, der: bytes) -> Self:
        """Read one. Raises ``MalformedError``, also for a critical extension."""
        node = reader.parse(der).expect(_SEQUENCE)
        rest = {child.tag: child for child in node.children[5:]}
        accuracy = rest.get(_SEQUENCE)
        seconds = accuracy.find(_INTEGER) if accuracy else None
        for extension in rest[0xA1].children if 0xA1 in rest else ():
            critical = extension.expect(_SEQUENCE).find(_BOOLEAN)
            if critical is not None and critical.boolean():
                raise MalformedError("The time stamp has a critical extension", code="x509.tsp.critical")
        return cls(
            policy=node[1].oid(),
            imprint_der=node[2].expect(_SEQUENCE).raw,
            serial_number=node[3].integer(),
            gen_time=node[4].expect(_GENERALIZED_TIME).time(),
            accuracy_seconds=seconds.integer() if seconds else None,
            nonce_der=rest[_INTEGER].raw if _INTEGER in rest else None,
        )

    def is_over(self, message: bytes) -> bool:
        """Whether the imprint is the digest of ``message``."""
        imprint = reader.parse(self.imprint_der)
        algorithm = digest_by_oid(imprint[0].expect(_SEQUENCE)[0].oid())
        return algorithm is not None and digest(algorithm, message) == imprint[1].octets()


def build_token(
    info: TstInfo, *, signer: Signer, certificate: Certificate, certificates: Sequence[bytes] = ()
) -> bytes:
    """DER of the TimeStampToken: SignedData over TSTInfo, with signingCertificateV2 (RFC 5816).

    Args:
        info: what is attested.
        signer: the authority's key.
        certificate: the authority's, with the one purpose timeStamping.
        certificates: DER of the certificates to carry; none when the request did not ask.
    """
    return sign(
        info.der,
        signer=signer,
        certificate=certificate,
        content_type=oids.TST_INFO,
        signing_time=info.gen_time,
        certificates=certificates,
    )


def granted(token_der: bytes) -> bytes:
    """DER of a TimeStampResp that hands out a token."""
    return encoder.sequence(encoder.sequence(encoder.integer(PkiStatus.GRANTED)), token_der)


def rejection(failure: FailureInfo, text: str) -> bytes:
    """DER of a TimeStampResp that says why there is no token; ``text`` is one English sentence."""
    status = encoder.sequence(
        encoder.integer(PkiStatus.REJECTION),
        encoder.sequence(encoder.utf8_string(text)),
        encoder.named_bits({int(failure)}),
    )
    return encoder.sequence(status)


def parse_response(der: bytes) -> bytes:
    """The token in a TimeStampResp.

    Raises:
        MalformedError: it cannot be read, or no token was granted (``x509.tsp.rejected``).
    """
    node = reader.parse(der).expect(_SEQUENCE)
    status = node[0].expect(_SEQUENCE)[0].integer()
    if status not in {PkiStatus.GRANTED, PkiStatus.GRANTED_WITH_MODS}:
        raise MalformedError("The time-stamping authority granted no token", code="x509.tsp.rejected", status=status)
    return node[1].raw


class TokenVerification(NamedTuple):
    """What was found about a token."""

    steps: tuple[Step, ...]
    gen_time: datetime | None
    """The time that is attested; ``None`` when a step failed."""


def verify_token(
    token_der: bytes,
    imprint_of: bytes,
    *,
    roots: Sequence[Certificate],
    intermediates: Sequence[Certificate] = (),
    crls: Sequence[Crl | bytes] = (),
    ocsp_responses: Sequence[OcspResponse | bytes] = (),
    prefix: str = "tsp",
) -> TokenVerification:
    """Check a token: that it is over ``imprint_of``, its signature, and the authority's certificate at its time.

    Args:
        token_der: DER of a TimeStampToken.
        imprint_of: the message whose digest the token holds, such as the octets of a signature.
        roots: trusted root certificates.
        intermediates: CA certificates, besides those in the token.
        crls: revocation lists, besides those in the token.
        ocsp_responses: OCSP responses about the authority and its issuers.
        prefix: of the step codes: ``parse``, ``imprint``, those of CMS, and ``signer.…`` for the certificate.

    Answers with a failed ``parse`` step when the token cannot be read; raises nothing.
    """
    report = ReportBuilder(prefix)
    try:
        gen_time = _verify_token(report, token_der, imprint_of, roots, (intermediates, crls, ocsp_responses))
    except MalformedError as error:
        report.add(
            Status.FAILED,
            f"{prefix}.parse",
            zh="时间戳格式不正确",
            en="The time stamp cannot be read",
            clause="RFC 3161 §2.4.2",
            evidence={"reason": error.detail},
        )
        gen_time = None
    steps = report.build().steps
    failed = any(step.status is Status.FAILED for step in steps)
    return TokenVerification(steps=steps, gen_time=None if failed else gen_time)


def _verify_token(
    report: ReportBuilder,
    token_der: bytes,
    imprint_of: bytes,
    roots: Sequence[Certificate],
    evidence: tuple[Sequence[Certificate], Sequence[Crl | bytes], Sequence[OcspResponse | bytes]],
) -> datetime:
    prefix = report.build().subject
    signed_data = SignedData.from_der(token_der)
    if signed_data.content_type != oids.TST_INFO or signed_data.content is None or len(signed_data.signers) != 1:
        raise MalformedError("The token is not one signer's TSTInfo", code="x509.tsp.content")
    info = TstInfo.from_der(signed_data.content)
    matches = info.is_over(imprint_of)
    report.check(
        matches,
        f"{prefix}.imprint",
        zh="时间戳与被盖时间戳的数据一致" if matches else "时间戳不属于该数据",
        en="The time stamp is over this data" if matches else "The time stamp is over other data",
        clause="RFC 3161 §2.4.2",
        evidence={"gen_time": info.gen_time.isoformat(), "serial_number": f"{info.serial_number:x}"},
    )
    intermediates, crls, ocsp_responses = evidence
    issuers = (*intermediates, *roots)
    structure = form_step(f"{prefix}.structure", token_der, candidates=intermediates)
    material = material_step(f"{prefix}.material", signed_data.certificates, signed_data.crls, issuers=issuers)
    report.extend((structure, material))
    verification = verify_signer(
        signed_data,
        signed_data.signers[0],
        prefix=prefix,
        certificates=intermediates,
        require_signing_certificate=True,
    )
    report.extend(verification.steps)
    if verification.certificate is not None and verification.passed:
        chain = validate_chain(
            verification.certificate,
            intermediates=(*intermediates, *signed_data.certificates),
            roots=roots,
            crls=(*crls, *signed_data.crls),
            at=info.gen_time,
            purpose=KeyPurpose.TIME_STAMPING,
            prefix=f"{prefix}.signer",
            ocsp_responses=ocsp_responses,
        )
        report.extend(chain.steps)
    return info.gen_time
