"""Step (9) of :mod:`ofd.verify.document`: when was the document sealed, and what proves it?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ofd.ses.structure import SealSignature
from ofd.verify.policy import VerificationPolicy
from trustcore.report import ReportBuilder, Status, Step
from trustcore.x509.certificate import Certificate
from trustcore.x509.chain import KeyPurpose, validate_chain
from trustcore.x509.tsp import verify_token

__all__ = ["SigningTime", "establish_time"]

_CLAUSE = "GB/T 38540-2020 §7.3 d)"
_TOLERANCE = timedelta(minutes=5)
"""How far clocks may be apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningTime:
    """The time all certificates are judged by."""

    at: datetime
    proven: bool
    """By a time stamp that could be verified; else it is the signer's claim."""


def establish_time(
    signature: SealSignature,
    signer: Certificate,
    *,
    policy: VerificationPolicy,
    intermediates: Sequence[Certificate],
    crls: Sequence[bytes],
) -> tuple[SigningTime, tuple[Step, ...]]:
    """The time of signing, and the steps that lead to it.

    A time stamp that is right proves that the signature existed at its time. Without one there is the time the signer
    claims, and it is believed only while the certificate is still good: whoever holds the key of an expired or revoked
    certificate can claim any time (ETSI EN 319 102-1 §5.5).
    """
    report = ReportBuilder("time")
    claimed = signature.to_be_signed.signed_at
    proven = _proven_time(signature, policy, intermediates, crls, report)
    at = proven or claimed
    future = at > policy.at + _TOLERANCE
    report.check(
        not future,
        "ofd.time.future",
        zh="签章时间不晚于验证时间" if not future else "签章时间晚于验证时间",
        en="The time of signing is not in the future" if not future else "The time of signing is in the future",
        clause=_CLAUSE,
        evidence={"signed_at": at.isoformat(), "claimed": claimed.isoformat(), "verified_at": policy.at.isoformat()},
    )
    if proven is not None:
        _check_order(claimed, proven, report)
    else:
        chain = validate_chain(
            signer,
            intermediates=intermediates,
            roots=policy.roots,
            crls=crls,
            at=policy.at,
            purpose=KeyPurpose.SEAL_SIGNING,
            prefix="ofd.signer",
        )
        if chain.status is Status.FAILED:
            report.add(
                Status.INDETERMINATE,
                "ofd.time.unproven",
                zh="签章人证书现已失效,而签章时间没有时间戳证明",
                en="The signer's certificate is no longer good, and no time stamp proves that it signed before",
                clause="ETSI EN 319 102-1 §5.5.4",
                evidence={step.code: step.en for step in chain.steps if step.status is Status.FAILED},
            )
    return SigningTime(at=at.astimezone(UTC), proven=proven is not None), report.build().steps


def _proven_time(
    signature: SealSignature,
    policy: VerificationPolicy,
    intermediates: Sequence[Certificate],
    crls: Sequence[bytes],
    report: ReportBuilder,
) -> datetime | None:
    if signature.timestamp_token is None:
        report.add(
            Status.WARNING,
            "ofd.timestamp.absent",
            zh="没有时间戳,签章时间由签章人声明",
            en="There is no time stamp: the time of signing is what the signer claims",
            clause=_CLAUSE,
        )
        return None
    steps, at = verify_token(
        signature.timestamp_token,
        signature.signature,
        roots=policy.roots,
        intermediates=intermediates,
        crls=crls,
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
