"""Steps (6) to (11) of :mod:`ofd.verify.document` for ``Type="Sign"``: a signature without a seal.

The standard leaves the form of SignedValue.dat open. Read are GB/T 35275 SignedData with attributes, with the digest or
the file itself as content, or detached; a bare signature value, whose certificate the policy has to name; and a
time-stamp token over Signature.xml, which archives everything before it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ofd import xmlio
from ofd.package.reader import Package
from ofd.sign.plain import PlainSignature, Shape
from ofd.sign.validation_data import ARCHIVE_FILE, read_validation_data
from ofd.verify.case import Case, Evidence, Proof
from ofd.verify.signing_time import Claim, judge_claim, note_expiry
from trustcore.crypto.algorithms import SIGNATURES
from trustcore.report import Status
from trustcore.x509.certificate import Certificate, is_signed_by
from trustcore.x509.chain import KeyPurpose, validate_chain
from trustcore.x509.tsp import verify_token

__all__ = [
    "ArchiveValue",
    "SignedValue",
    "archive_name",
    "archived_evidence",
    "read_signed_value",
    "verify_archive",
    "verify_signed_value",
]

_CLAUSE = "GB/T 35275-2017 §8"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedValue:
    """A digital signature, whatever its container."""

    plain: PlainSignature
    candidates: tuple[Certificate, ...]
    """Certificates whose key may have made it; at most one where the signature names it."""
    evidence: Evidence

    @property
    def variants(self) -> tuple[str, ...]:
        """What its form deviates in."""
        return (f"shape-{self.plain.shape}", *self.plain.variants)

    @property
    def claimed(self) -> datetime | None:
        """When the signer says that it signed, under the signature."""
        data = self.plain.signed_data
        return None if data is None else data.signing_time

    def is_made_by(self, certificate: Certificate, xml: bytes) -> bool:
        """Whether the key of this certificate made the signature value, and the signature does not name another."""
        plain, data = self.plain, self.plain.signed_data
        if plain.algorithm is None or (data is not None and data.names_certificate(certificate) is False):
            return False
        return is_signed_by(certificate, SIGNATURES[plain.algorithm].oid, plain.message(xml), plain.signature)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveValue:
    """An archive time stamp: a token over Signature.xml, which lists all that came before."""

    plain: PlainSignature
    evidence: Evidence
    """What was archived with it, and what is known besides."""

    @property
    def variants(self) -> tuple[str, ...]:
        """What its form deviates in."""
        return self.plain.variants


def read_signed_value(data: bytes, case: Case) -> SignedValue | ArchiveValue:
    """Read SignedValue.dat of a signature of type Sign.

    Raises:
        MalformedError: ``ofd.sign.…``, ``asn1.…`` or ``x509.…``.
    """
    plain = PlainSignature.parse(data, signature_method=case.description.signature_method)
    if plain.shape is Shape.TIME_STAMP:
        return ArchiveValue(plain=plain, evidence=case.evidence)
    carried = Evidence(intermediates=tuple(map(Certificate.from_der, plain.certificates)), crls=plain.crls)
    evidence = case.evidence.joined(carried)
    known = (*carried.intermediates, *case.policy.signers, *case.evidence.intermediates)
    named = plain.signed_data
    return SignedValue(
        plain=plain,
        candidates=case.policy.signers
        if named is None
        else tuple(item for item in known if named.is_made_by(item))[:1],
        evidence=evidence,
    )


def archived_evidence(package: Package, signature_name: str) -> Evidence:
    """The validation data in the folder of a signature; each part is signed by who issued it.

    Archive time stamps keep it there, and signatures that have no place for it in themselves.

    Raises:
        MalformedError: ``ofd.sign.validation-data``, ``asn1.…`` or ``x509.…``.
    """
    name = archive_name(signature_name)
    if name not in package:
        return Evidence()
    with xmlio.naming(name):
        data = read_validation_data(package.read(name))
        return Evidence(
            intermediates=tuple(map(Certificate.from_der, data.certificates)),
            crls=data.crls,
            ocsp_responses=data.ocsp_responses,
        )


def archive_name(signature_name: str) -> str:
    """Entry name of the validation data that is archived beside a Signature.xml."""
    return signature_name[: signature_name.rfind("/") + 1] + ARCHIVE_FILE


def verify_signed_value(case: Case, value: SignedValue) -> tuple[bool, dict[str, str]]:
    """Append the steps; answers whether data hash and signature are right, and with the facts."""
    # (6) what was signed
    is_over = value.plain.is_over(case.xml)
    case.check(
        is_over,
        "ofd.signature.data-hash",
        ("签名描述文件未被改动", "Signature.xml is the one that was signed")
        if is_over
        else (f"签名描述文件 {case.name} 被改动", f"{case.name} was changed after it was signed"),
        _CLAUSE,
        entry=case.name,
    )
    # (8) who signed it
    if not value.candidates:
        case.note(
            Status.INDETERMINATE,
            "ofd.sign.certificate",
            ("签名中没有签名者证书,无法判定", "The signature carries no certificate: who signed cannot be told"),
            _CLAUSE,
            entry=case.description.signed_value,
        )
        return False, {}
    signer = next((item for item in value.candidates if value.is_made_by(item, case.xml)), None)
    case.check(
        signer is not None,
        "ofd.signature.value",
        ("签名值正确", "The signature value is right")
        if signer
        else (
            "签名值不正确:签名数据被改动或并非由该证书签署",
            "The signature value is wrong: altered, or not made with this certificate's key",
        ),
        _CLAUSE,
        entry=case.description.signed_value,
        signer=(signer or value.candidates[0]).subject.text,
    )
    sound = is_over and signer is not None
    # (9) when, and (11) whether the certificate was good then
    signer = signer or value.candidates[0]
    token = value.plain.time_stamp_token
    claim = Claim(
        claimed=value.claimed,
        token=token,
        stamped=value.plain.time_stamped,
        purpose=KeyPurpose.DOCUMENT_SIGNING,
    )
    evidence = value.evidence
    time, steps = judge_claim(
        claim,
        signer,
        policy=case.policy,
        intermediates=evidence.intermediates,
        crls=evidence.crls,
        ocsp_responses=evidence.ocsp_responses,
        judged_at=case.judged_at,
    )
    case.report.extend(steps)
    if token is not None:
        note_expiry(case.report, token, case.judged_at, code="ofd.timestamp.expired")
    chain = validate_chain(
        signer,
        intermediates=evidence.intermediates,
        roots=case.policy.roots,
        crls=evidence.crls,
        ocsp_responses=evidence.ocsp_responses,
        at=time.at,
        purpose=KeyPurpose.DOCUMENT_SIGNING,
        prefix="ofd.signer",
    )
    case.report.extend(chain.steps)
    facts = {"signer": signer.common_name or signer.subject.text}
    if value.claimed is not None or time.proven:
        facts["signed_at"] = time.at.isoformat().replace("+00:00", "Z")
    facts["signed_at_proven"] = "true" if time.proven else "false"
    return sound, facts


def verify_archive(
    case: Case, value: ArchiveValue, *, intact: Iterable[str]
) -> tuple[bool, dict[str, str], Proof | None]:
    """Append the steps of an archive time stamp; answers with what it proves, if it is right.

    Args:
        case: the signature.
        value: its token.
        intact: the protected entries, when all are as they were stamped; none otherwise.
    """
    steps, at = verify_token(
        value.plain.der,
        case.xml,
        roots=case.policy.roots,
        intermediates=value.evidence.intermediates,
        crls=value.evidence.crls,
        ocsp_responses=value.evidence.ocsp_responses,
        prefix="ofd.archive",
    )
    case.report.extend(steps)
    problem = {Status.FAILED, Status.INDETERMINATE}
    good = at is not None and all(step.status not in problem for step in steps)
    sound = all(step.status is not Status.FAILED for step in steps)
    facts: dict[str, str] = {}
    if at is not None and good:
        _check_archive_time(case, at)
        facts = {"archived_at": at.isoformat().replace("+00:00", "Z")}
        note_expiry(case.report, value.plain.der, case.judged_at, code="ofd.archive.expired")
    entries = frozenset(intact)
    if not good or at is None or not entries or at > case.policy.at:
        return sound, facts, None
    covered = entries | {case.name, case.description.signed_value}
    return sound, facts, Proof(id=case.id, at=at, intact=covered, evidence=value.evidence)


def _check_archive_time(case: Case, at: datetime) -> None:
    future = at > case.policy.at
    case.check(
        not future,
        "ofd.time.future",
        ("存档时间不晚于验证时间", "The archive time stamp is not from the future")
        if not future
        else ("存档时间晚于验证时间", "The archive time stamp is from the future"),
        "RFC 3161 §2.4.2",
        archived_at=at.isoformat(),
        verified_at=case.policy.at.isoformat(),
    )
