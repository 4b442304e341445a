"""Verifying a seal itself: maker's signature and certificate, period, time stamp (GB/T 38540-2020 §6.3)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from ofd.ses.info import Extension
from ofd.ses.structure import CERT_VALUES, REVOCATION_VALUES, Seal
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import SIGNATURES, SignatureAlgorithm
from trustcore.errors import MalformedError
from trustcore.report import ReportBuilder, Status, Step
from trustcore.x509.certificate import Certificate
from trustcore.x509.certificate import is_signed_by as is_certificate_signature
from trustcore.x509.chain import KeyPurpose, validate_chain
from trustcore.x509.tsp import verify_token

__all__ = ["is_signed_by", "note_unknown_extensions", "seal_facts", "verify_seal"]

_SM2_SM3 = SIGNATURES[SignatureAlgorithm.SM2_SM3].oid
_MISSPELT_SM2_SM3 = "1.2.156.10197.501"
"""Written by some for 1.2.156.10197.1.501."""
_RAW_SM2_OCTETS = 64
_COMPROMISES = frozenset({"key-compromise", "ca-compromise"})
_TOLERANCE = timedelta(minutes=5)
"""How far the clocks of a seal maker and a time-stamping authority may be apart."""


def verify_seal(
    seal: Seal,
    *,
    roots: Sequence[Certificate],
    intermediates: Sequence[Certificate],
    crls: Sequence[bytes],
    ocsp_responses: Sequence[bytes] = (),
    at: datetime,
    existed_by: datetime | None = None,
    prefix: str = "ofd.seal",
) -> tuple[Step, ...]:
    """Verify a seal as of a moment.

    1. The maker signed the seal: step ``signature``; ``extension`` where a critical extension is not known.
    2. The maker's certificate was good when the seal was made: steps ``maker.…`` of the chain.
    3. The seal was made before, and its period includes, the moment: step ``validity``.
    4. The time stamp that a seal of GM/T 0031-2025 may bear is over the maker's signature, and not older than the seal:
       steps ``timestamp.…``.

    Args:
        seal: as parsed from the octets received.
        roots: trusted.
        intermediates: untrusted issuing certificates.
        crls: DER.
        ocsp_responses: DER.
        at: the moment of use.
        existed_by: when the seal is proven to have been used, if it is.
        prefix: of the step codes.
    """
    report = ReportBuilder("seal")
    facts = seal_facts(seal)
    try:
        maker = Certificate.from_der(seal.certificate_der)
    except MalformedError as error:
        report.add(
            Status.FAILED,
            f"{prefix}.signature",
            zh="制章者证书无法读取",
            en="The certificate of the seal's maker cannot be read",
            clause="GB/T 38540-2020 §6.3",
            evidence={**facts, "error": error.code},
        )
        return report.steps
    # (1) the maker's signature
    signed = is_signed_by(maker, seal.signature_algorithm_oid, seal.signed_der, seal.signature)
    report.check(
        signed,
        f"{prefix}.signature",
        zh="印章由制章者签名,未被改动" if signed else "印章的制章者签名不正确:印章被改动或是伪造的",
        en="The seal is as its maker signed it"
        if signed
        else "The signature of the seal's maker is wrong: the seal was altered or forged",
        clause="GB/T 38540-2020 §6.3 b)",
        evidence={**facts, "maker": maker.subject.text},
    )
    note_unknown_extensions(report, seal.info.extensions, f"{prefix}.extension")
    # (2) the maker's certificate
    chain = validate_chain(
        maker,
        intermediates=intermediates,
        roots=roots,
        crls=crls,
        ocsp_responses=ocsp_responses,
        at=seal.info.created,
        purpose=KeyPurpose.SEAL_MAKING,
        prefix=f"{prefix}.maker",
    )
    report.extend(chain.steps)
    # (3) the period of the seal
    _check_period(report, seal, at, prefix)
    # (4) the seal's own time stamp
    if seal.timestamp_token is not None:
        steps, stamped_at = verify_token(
            seal.timestamp_token,
            seal.signature,
            roots=roots,
            intermediates=intermediates,
            crls=crls,
            ocsp_responses=ocsp_responses,
            prefix=f"{prefix}.timestamp",
        )
        report.extend(steps)
        if stamped_at is not None:
            _check_stamp_order(report, seal, stamped_at, prefix)
            if all(step.status not in {Status.FAILED, Status.INDETERMINATE} for step in steps):
                existed_by = stamped_at if existed_by is None else min(stamped_at, existed_by)
    _check_compromise(report, chain.steps, existed_by, prefix)
    return report.steps


def is_signed_by(certificate: Certificate, algorithm_oid: str, message: bytes, signature: bytes) -> bool:
    """Whether the certificate's key made the signature; SM2 also as 64 raw octets and with a misspelt OID."""
    if algorithm_oid == _MISSPELT_SM2_SM3:
        algorithm_oid = _SM2_SM3
    if algorithm_oid == _SM2_SM3 and len(signature) == _RAW_SM2_OCTETS:
        signature = sm2.signature_to_der(signature)
    return is_certificate_signature(certificate, algorithm_oid, message, signature)


def note_unknown_extensions(report: ReportBuilder, extensions: Iterable[Extension], code: str) -> None:
    """Say that it cannot be told what a critical extension demands that is not known (GB/T 38540-2020 §6.2)."""
    unknown = [item.oid for item in extensions if item.critical and item.oid not in {CERT_VALUES, REVOCATION_VALUES}]
    if unknown:
        report.add(
            Status.INDETERMINATE,
            code,
            zh="含有不认识的关键扩展,无法判定",
            en="There is a critical extension that is not known",
            clause="GB/T 38540-2020 §6.2",
            evidence={"extensions": " ".join(unknown)},
        )


def seal_facts(seal: Seal) -> Mapping[str, str]:
    """What a report says of a seal."""
    info = seal.info
    return {
        "seal_code": info.seal_code,
        "seal_name": info.name,
        "valid_from": info.valid_from.isoformat(),
        "valid_until": info.valid_until.isoformat(),
        **({"variants": " ".join(seal.variants)} if seal.variants else {}),
    }


def _check_period(report: ReportBuilder, seal: Seal, at: datetime, prefix: str) -> None:
    info = seal.info
    inside = max(info.valid_from, info.created) <= at <= info.valid_until
    report.check(
        inside,
        f"{prefix}.validity",
        zh="签章时印章在有效期内" if inside else "签章时印章不在有效期内",
        en="The seal was valid when it was used" if inside else "The seal was not valid when it was used",
        clause="GB/T 38540-2020 §6.3 d)",
        evidence={
            "at": at.isoformat(),
            "created": info.created.isoformat(),
            "valid_from": info.valid_from.isoformat(),
            "valid_until": info.valid_until.isoformat(),
        },
    )


def _check_compromise(
    report: ReportBuilder, maker_steps: Sequence[Step], existed_by: datetime | None, prefix: str
) -> None:
    """Whoever got hold of the maker's key makes seals that say they are older: they count when that is proven."""
    for step in maker_steps:
        since = step.evidence.get("revoked_at")
        if step.status is not Status.WARNING or since is None or step.evidence.get("reason") not in _COMPROMISES:
            continue
        if existed_by is None or existed_by >= datetime.fromisoformat(since):
            report.add(
                Status.INDETERMINATE,
                f"{prefix}.maker.compromised",
                zh="制章者的密钥已经泄露,没有证据表明印章在此之前已存在",
                en="The key of the seal's maker was compromised, and nothing proves that the seal is older",
                clause="RFC 5280 §5.3.1; ETSI EN 319 102-1 §5.5.4",
                evidence={"revoked_at": since, "subject": step.evidence.get("subject", "")},
            )


def _check_stamp_order(report: ReportBuilder, seal: Seal, stamped_at: datetime, prefix: str) -> None:
    ordered = seal.info.created <= stamped_at + _TOLERANCE
    report.check(
        ordered,
        f"{prefix}.timestamp.order",
        zh="印章的制作时间不晚于其时间戳" if ordered else "印章的制作时间晚于其时间戳",
        en="The seal was made before its time stamp" if ordered else "The seal claims to be made after its time stamp",
        clause="GM/T 0031-2025 §6.3",
        evidence={"created": seal.info.created.isoformat(), "time_stamp": stamped_at.isoformat()},
    )
