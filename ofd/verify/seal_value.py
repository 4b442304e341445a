"""Steps (6) to (13) of :mod:`ofd.verify.document` for ``Type="Seal"``: SignedValue.dat is a SES_Signature."""

from dataclasses import dataclass

from ofd.package.loc import absolute
from ofd.ses.structure import SealSignature
from ofd.ses.verify import is_signed_by, note_unknown_extensions
from ofd.verify.case import Case, Evidence, add_error
from ofd.verify.seal_use import judge_seal_use
from ofd.verify.signing_time import SigningTime, establish_time, note_expiry
from trustcore.crypto.algorithms import DigestAlgorithm, signature_by_oid
from trustcore.crypto.digests import digest
from trustcore.errors import TrustError
from trustcore.report import Status
from trustcore.x509.certificate import Certificate
from trustcore.x509.chain import KeyPurpose, validate_chain
from trustcore.x509.tsp import verify_token

__all__ = ["SealedValue", "read_sealed_value", "verify_sealed_value"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedValue:
    """A SES_Signature and what it carries."""

    signature: SealSignature
    signer: Certificate
    evidence: Evidence


def read_sealed_value(data: bytes, evidence: Evidence) -> SealedValue:
    """Read SignedValue.dat of a seal.

    Args:
        data: the octets.
        evidence: from elsewhere; what the value carries is added.

    Raises:
        MalformedError: ``ofd.ses.…``, ``asn1.…`` or ``x509.…``.
    """
    signature = SealSignature.parse(data)
    tbs = signature.to_be_signed
    carried = Evidence(
        intermediates=tuple(map(Certificate.from_der, tbs.embedded_certificates)),
        crls=tbs.embedded_crls,
        ocsp_responses=tbs.embedded_ocsp_responses,
    )
    return SealedValue(
        signature=signature,
        signer=Certificate.from_der(signature.certificate_der),
        evidence=evidence.joined(carried),
    )


def verify_sealed_value(case: Case, value: SealedValue) -> tuple[bool, dict[str, str]]:
    """Append the steps; answers whether data hash and signature are right, and with the facts."""
    sound = _check_value(case, value)  # (6), (7), (8)
    time = _check_time(case, value)  # (9)
    _check_signer(case, value, time)  # (10), (11)
    _check_seal(case, value, time)  # (12), (13)
    info = value.signature.to_be_signed.seal.info
    return sound, {
        "signer": value.signer.common_name or value.signer.subject.text,
        "seal_name": info.name,
        "seal_code": info.seal_code,
        "signed_at": time.at.isoformat().replace("+00:00", "Z"),
        "signed_at_proven": "true" if time.proven else "false",
    }


def _check_value(case: Case, value: SealedValue) -> bool:
    """Steps (6), (7) and (8)."""
    signature, tbs = value.signature, value.signature.to_be_signed
    details = signature_by_oid(signature.signature_algorithm_oid)
    algorithm = DigestAlgorithm.SM3 if details is None else details.digest
    same_hash = tbs.data_hash == digest(algorithm, case.xml)
    case.check(
        same_hash,
        "ofd.signature.data-hash",
        ("签名描述文件未被改动", "Signature.xml is the one that was sealed")
        if same_hash
        else (f"签名描述文件 {case.name} 被改动", f"{case.name} was changed after it was sealed"),
        "GB/T 38540-2020 §7.3 e)",
        entry=case.name,
    )
    same_path = tbs.property_info == absolute(case.name)
    case.note(
        Status.PASSED if same_path else Status.WARNING,
        "ofd.signature.property-info",
        ("印章数据指明该签名描述文件", "The seal names this Signature.xml")
        if same_path
        else ("印章数据所指的签名描述文件路径不同", "The seal names another path of Signature.xml"),
        "GB/T 38540-2020 §7.1",
        property_info=tbs.property_info,
    )
    right = is_signed_by(
        value.signer, signature.signature_algorithm_oid, signature.to_be_signed_der, signature.signature
    )
    case.check(
        right,
        "ofd.signature.value",
        ("签名值正确", "The signature value is right")
        if right
        else (
            "签名值不正确:签章数据被改动或并非由该证书签署",
            "The signature value is wrong: altered, or not made with this certificate's key",
        ),
        "GB/T 38540-2020 §7.3 b)",
        entry=case.description.signed_value,
        signer=value.signer.subject.text,
    )
    note_unknown_extensions(case.report, tbs.extensions, "ofd.signature.extension")
    return same_hash and right


def _check_time(case: Case, value: SealedValue) -> SigningTime:
    """Step (9)."""
    time, steps = establish_time(
        value.signature,
        value.signer,
        policy=case.policy,
        intermediates=value.evidence.intermediates,
        crls=value.evidence.crls,
        ocsp_responses=value.evidence.ocsp_responses,
        judged_at=case.judged_at,
    )
    case.report.extend(steps)
    if value.signature.timestamp_token is not None:
        note_expiry(case.report, value.signature.timestamp_token, case.judged_at, code="ofd.timestamp.expired")
    if value.signature.to_be_signed.time_token is not None:
        _check_inner_token(case, value)
    return time


def _check_inner_token(case: Case, value: SealedValue) -> None:
    """GM/T 0031-2014 puts a time stamp under the signature: it can only say that the seal was not used before."""
    tbs = value.signature.to_be_signed
    found = [
        verify_token(
            tbs.time_token or b"",
            stamped,
            roots=case.policy.roots,
            intermediates=value.evidence.intermediates,
            crls=value.evidence.crls,
            ocsp_responses=value.evidence.ocsp_responses,
        )
        for stamped in (tbs.data_hash, case.xml)
    ]
    good = any(all(step.status not in {Status.FAILED, Status.INDETERMINATE} for step in item.steps) for item in found)
    case.note(
        Status.PASSED if good else Status.WARNING,
        "ofd.timestamp.inside",
        ("签名内的时间戳有效:签章不早于该时间", "The time stamp inside the signature is right: it was made no earlier")
        if good
        else ("签名内的时间戳无法证实,仅作为声明的时间", "The time stamp inside the signature proves nothing"),
        "GM/T 0031-2014 §7.1",
        signed_at=tbs.signed_at.isoformat(),
    )


def _check_signer(case: Case, value: SealedValue, time: SigningTime) -> None:
    """Steps (10) and (11)."""
    listed = value.signature.to_be_signed.seal.info.lists(value.signer.der)
    case.check(
        listed,
        "ofd.seal.signer-listed",
        ("签章人证书在印章的证书列表中", "The seal lists the signer's certificate")
        if listed
        else ("签章人证书不在印章的证书列表中", "The seal does not list the signer's certificate"),
        "GB/T 38540-2020 §7.3 c)",
        signer=value.signer.subject.text,
        entry=case.description.signed_value,
    )
    chain = validate_chain(
        value.signer,
        intermediates=value.evidence.intermediates,
        roots=case.policy.roots,
        crls=value.evidence.crls,
        ocsp_responses=value.evidence.ocsp_responses,
        at=time.at,
        purpose=KeyPurpose.SEAL_SIGNING,
        prefix="ofd.signer",
    )
    case.report.extend(chain.steps)


def _check_seal(case: Case, value: SealedValue, time: SigningTime) -> None:
    """Steps (12) and (13)."""
    seal = value.signature.to_be_signed.seal
    case.report.extend(
        judge_seal_use(
            seal,
            time,
            policy=case.policy,
            intermediates=value.evidence.intermediates,
            crls=value.evidence.crls,
            ocsp_responses=value.evidence.ocsp_responses,
            exists_since=case.exists_since,
        )
    )
    if case.description.seal is None:
        return
    try:
        same = case.package.read(case.description.seal) == seal.der
    except TrustError as error:
        add_error(case.report, error)
        return
    case.check(
        same,
        "ofd.seal.file",
        ("Seal.esl 与签章所用印章一致", "Seal.esl is the seal that signed")
        if same
        else ("Seal.esl 与签章所用印章不一致", "Seal.esl is not the seal that signed"),
        "GB/T 33190-2016 §18.2.3",
        entry=case.description.seal,
    )
