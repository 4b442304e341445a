"""Step (12) of :mod:`ofd.verify.document`: may the seal be believed, as it was used, whatever it was put on?"""

from collections.abc import Sequence
from datetime import datetime

from ofd.ses.structure import Seal
from ofd.ses.verify import verify_seal
from ofd.verify.policy import VerificationPolicy
from ofd.verify.signing_time import SigningTime
from trustcore.report import ReportBuilder, Status, Step
from trustcore.x509.certificate import Certificate

__all__ = ["judge_seal_use"]


def judge_seal_use(
    seal: Seal,
    time: SigningTime,
    *,
    policy: VerificationPolicy,
    intermediates: Sequence[Certificate],
    crls: Sequence[bytes],
    ocsp_responses: Sequence[bytes] = (),
    exists_since: datetime | None = None,
) -> tuple[Step, ...]:
    """Verify a seal as of when it was used, and judge whether that time can be believed.

    Args:
        seal: as parsed from the octets received.
        time: when it was used.
        policy: trust, moment of verification, seals that were withdrawn.
        intermediates: untrusted issuing certificates.
        crls: DER.
        ocsp_responses: DER.
        exists_since: earliest time at which an archive time stamp proves that the signature was there.

    Returns:
        The steps of :func:`ofd.ses.verify.verify_seal`; ``ofd.time.unproven`` when the seal has ended since and the
        time is only claimed; ``ofd.seal.revocation`` when the policy knows that it was withdrawn.
    """
    report = ReportBuilder("seal")
    steps = verify_seal(
        seal,
        roots=policy.roots,
        intermediates=intermediates,
        crls=crls,
        ocsp_responses=ocsp_responses,
        at=time.at,
        existed_by=time.at if time.proven else exists_since,
    )
    report.extend(steps)
    judged_at = policy.at if exists_since is None else min(exists_since, policy.at)
    _check_lapsed(report, seal, time, judged_at)
    _check_withdrawn(report, seal, time, policy, judged_at)
    return report.steps


def _check_lapsed(report: ReportBuilder, seal: Seal, time: SigningTime, judged_at: datetime) -> None:
    """Whoever holds a seal that has ended can claim any time before, as with a certificate."""
    until = seal.info.valid_until
    if not time.proven and time.at <= until < judged_at:
        report.add(
            Status.INDETERMINATE,
            "ofd.time.unproven",
            zh="印章现已过期,而签章时间没有时间戳证明",
            en="The seal has ended, and no time stamp proves that it was used before",
            clause="ETSI EN 319 102-1 §5.5.4",
            evidence={"valid_until": until.isoformat(), "judged_at": judged_at.isoformat()},
        )


def _check_withdrawn(
    report: ReportBuilder, seal: Seal, time: SigningTime, policy: VerificationPolicy, judged_at: datetime
) -> None:
    """A seal that its maker withdrew must not be used from then on; only where the policy knows of such seals."""
    known = [
        item
        for item in policy.revoked_seals
        if item.seal_code == seal.info.seal_code and item.maker_certificate_der in {None, seal.certificate_der}
    ]
    if not known:
        return
    since = min(item.at for item in known)
    if since <= time.at:
        status = Status.FAILED
        zh, en = "签章时印章已被撤销", "The seal had been withdrawn when it was used"
    elif not time.proven and since <= judged_at:
        status = Status.INDETERMINATE
        zh = "印章已被撤销,而没有时间戳证明签章在此之前"
        en = "The seal was withdrawn, and no time stamp proves that it was used before"
    else:
        status = Status.WARNING
        zh, en = "印章在签章之后被撤销", "The seal was withdrawn after it was used"
    report.add(
        status,
        "ofd.seal.revocation",
        zh=zh,
        en=en,
        clause="GM/T 0031-2014 §6.3",
        evidence={"seal_code": seal.info.seal_code, "revoked_at": since.isoformat(), "at": time.at.isoformat()},
    )
