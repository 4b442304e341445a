"""Step (9) of :mod:`ofd.verify.document`: when was the document signed, and what proves it?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ofd.ses.structure import SealSignature
from ofd.verify.policy import VerificationPolicy
from trustcore.errors import MalformedError
from trustcore.report import ReportBuilder, Status, Step
from trustcore.x509.certificate import Certificate
from trustcore.x509.chain import ChainResult, KeyPurpose, validate_chain
from trustcore.x509.cms import SignedData
from trustcore.x509.tsp import verify_token

__all__ = ["Claim", "SigningTime", "establish_time", "judge_claim", "note_expiry"]

_CLAUSE = "GB/T 38540-2020 §7.3 d)"
_TOLERANCE = timedelta(minutes=5)
"""How far clocks may be apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningTime:
    """The time all certificates are judged by."""

    at: datetime
    proven: bool
    """By a time stamp that could be verified; else it is the signer's claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a signature says of its time."""

    claimed: datetime | None
    """``None`` when the signer says nothing."""
    token: bytes | None
    """RFC 3161 TimeStampToken."""
    stamped: bytes
    """The octets that the token has to be over: those of the signature value."""
    purpose: KeyPurpose = KeyPurpose.SEAL_SIGNING


def establish_time(
    signature: SealSignature,
    signer: Certificate,
    *,
    policy: VerificationPolicy,
    intermediates: Sequence[Certificate],
    crls: Sequence[bytes],
    ocsp_responses: Sequence[bytes] = (),
    judged_at: datetime | None = None,
) -> tuple[SigningTime, tuple[Step, ...]]:
    """The time a seal was used, and the steps that lead to it; see :func:`judge_claim`."""
    claim = Claim(
        claimed=signature.to_be_signed.signed_at, token=signature.timestamp_token, stamped=signature.signature
    )
    return judge_claim(
        claim,
        signer,
        policy=policy,
        intermediates=intermediates,
        crls=crls,
        ocsp_responses=ocsp_responses,
        judged_at=judged_at,
    )


def judge_claim(
    claim: Claim,
    signer: Certificate,
    *,
    policy: VerificationPolicy,
    intermediates: Sequence[Certificate],
    crls: Sequence[bytes],
    ocsp_responses: Sequence[bytes] = (),
    judged_at: datetime | None = None,
) -> tuple[SigningTime, tuple[Step, ...]]:
    """The time of signing, and the steps that lead to it.

    A time stamp that is right proves that the signature existed at its time. Without one there is the time the signer
    claims, and it is believed only while the certificate is known to be good still: whoever holds the key of an expired
    or revoked certificate can claim any time (ETSI EN 319 102-1 §5.5). An archive time stamp moves that moment: the
    certificate has to have been good when the signature was archived.

    Args:
        claim: what the signature says.
        signer: whose certificate has to be good.
        policy: trust.
        intermediates: untrusted issuing certificates.
        crls: DER.
        ocsp_responses: DER.
        judged_at: when the certificate still has to be good without a time stamp; the policy's moment if left out.
    """
    report = ReportBuilder("time")

    def validated(moment: datetime) -> ChainResult:
        return validate_chain(
            signer,
            intermediates=intermediates,
            roots=policy.roots,
            crls=crls,
            ocsp_responses=ocsp_responses,
            at=moment,
            purpose=claim.purpose,
            prefix="ofd.signer",
        )

    proven = _proven_time(claim, policy, (intermediates, crls, ocsp_responses), report)
    judged_at = policy.at if judged_at is None else judged_at
    at = proven or claim.claimed or judged_at
    future = at > policy.at + _TOLERANCE
    times = {"signed_at": at.isoformat(), "verified_at": policy.at.isoformat()}
    report.check(
        not future,
        "ofd.time.future",
        zh="签章时间不晚于验证时间" if not future else "签章时间晚于验证时间",
        en="The time of signing is not in the future" if not future else "The time of signing is in the future",
        clause=_CLAUSE,
        evidence=times | ({"claimed": claim.claimed.isoformat()} if claim.claimed else {}),
    )
    if judged_at < policy.at and at > judged_at + _TOLERANCE:
        report.add(
            Status.FAILED,
            "ofd.archive.order",
            zh="签章时间晚于存档时间",
            en="The time of signing is later than that of the archive, in which the signature was already",
            clause=_CLAUSE,
            evidence={"signed_at": at.isoformat(), "archived_at": judged_at.isoformat()},
        )
    if proven is not None:
        if claim.claimed is not None:
            _check_order(claim.claimed, proven, report)
    else:
        _check_still_good(report, validated, at, judged_at)
    return SigningTime(at=at.astimezone(UTC), proven=proven is not None), report.steps


def _check_still_good(
    report: ReportBuilder, validated: Callable[[datetime], ChainResult], claimed: datetime, judged_at: datetime
) -> None:
    """A claimed time counts while the certificate is good; where that is not known, an old list would hide a theft."""
    chain = validated(judged_at)
    if chain.status is Status.PASSED or (chain.status is validated(claimed).status is Status.INDETERMINATE):
        return
    ended = chain.status is Status.FAILED
    report.add(
        Status.INDETERMINATE,
        "ofd.time.unproven",
        zh="签章人证书现已失效,而签章时间没有时间戳证明"
        if ended
        else "不能确定签章人证书现在是否有效,而签章时间没有时间戳证明",
        en="The signer's certificate is no longer good, and no time stamp proves that it signed before"
        if ended
        else "Whether the signer's certificate is good still cannot be told, and no time stamp proves the time",
        clause="ETSI EN 319 102-1 §5.5.4",
        evidence={step.code: step.en for step in chain.steps if step.status is chain.status}
        | {"judged_at": judged_at.isoformat()},
    )


def note_expiry(report: ReportBuilder, token: bytes, at: datetime, *, code: str) -> None:
    """Warn when a time stamp is older than its authority's certificate lasted: it should have been renewed by then."""
    try:
        signed_data = SignedData.from_der(token)
    except MalformedError:
        return
    for certificate in signed_data.certificates:
        if signed_data.signers and signed_data.signers[0].is_made_by(certificate) and certificate.not_after < at:
            report.add(
                Status.WARNING,
                code,
                zh="时间戳机构的证书已过期,时间戳应当已经续期",
                en="The time-stamping authority's certificate has expired; the time stamp should have been renewed",
                clause="ETSI EN 319 102-1 §5.6.3",
                evidence={"authority": certificate.subject.text, "not_after": certificate.not_after.isoformat()},
            )


def _proven_time(
    claim: Claim,
    policy: VerificationPolicy,
    evidence: tuple[Sequence[Certificate], Sequence[bytes], Sequence[bytes]],
    report: ReportBuilder,
) -> datetime | None:
    if claim.token is None:
        report.add(
            Status.WARNING,
            "ofd.timestamp.absent",
            zh="没有时间戳,签章时间由签章人声明",
            en="There is no time stamp: the time of signing is what the signer claims",
            clause=_CLAUSE,
        )
        return None
    intermediates, crls, ocsp_responses = evidence
    steps, at = verify_token(
        claim.token,
        claim.stamped,
        roots=policy.roots,
        intermediates=intermediates,
        crls=crls,
        ocsp_responses=ocsp_responses,
        prefix="ofd.timestamp",
    )
    report.extend(steps)
    good = all(step.status not in {Status.FAILED, Status.INDETERMINATE} for step in steps)
    return at if good else None


def _check_order(claimed: datetime, proven: datetime, report: ReportBuilder) -> None:
    """A signature cannot be older than what it contains: the claimed time may not be later than the time stamp's."""
    ordered = claimed <= proven + _TOLERANCE
    report.check(
        ordered,
        "ofd.timestamp.order",
        zh="声明的签章时间不晚于时间戳" if ordered else "声明的签章时间晚于时间戳",
        en="The claimed time is not later than the time stamp"
        if ordered
        else "The claimed time is later than the time stamp",
        clause=_CLAUSE,
        evidence={"claimed": claimed.isoformat(), "time_stamp": proven.isoformat()},
    )
