"""Steps (6) to (11) of :mod:`ofd.verify.document` for ``Type="Sign"``: a signature without a seal.

The standard leaves the form of SignedValue.dat open. Read are GB/T 35275 SignedData with attributes, with the digest or
the file itself as content, or detached; a bare signature value, whose certificate the policy has to name; and a
time-stamp token over Signature.xml, which archives everything before it.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ofd.ses.verify import is_signed_by
from ofd.verify.case import Case, Evidence, Proof
from ofd.verify.signing_time import Claim, judge_claim, note_expiry
from trustcore.asn1.reader import parse
from trustcore.crypto.algorithms import SIGNATURES, DigestAlgorithm
from trustcore.crypto.digests import digest
from trustcore.errors import MalformedError
from trustcore.report import Status
from trustcore.x509 import oids
from trustcore.x509.certificate import Certificate
from trustcore.x509.chain import KeyPurpose, validate_chain
from trustcore.x509.cms import SignedData, SignerInfo
from trustcore.x509.tsp import verify_token

__all__ = ["ArchiveValue", "SignedValue", "read_signed_value", "verify_archive", "verify_signed_value"]

_CLAUSE = "GB/T 35275-2017 §8"
_SEQUENCE, _INTEGER = 0x30, 0x02
_RAW_SM2_OCTETS = 64
_MAX_MATERIAL = 64
"""Certificates, and lists, that a signature may carry: each may cost a signature check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedValue:
    """A digital signature, whatever its container."""

    candidates: tuple[Certificate, ...]
    """Certificates whose key may have made it; one where the signature names it."""
    message: bytes | None
    """The octets that were signed; ``None`` when they cannot be told."""
    is_over_description: bool
    """Whether these are, or hold, or are the digest of, this Signature.xml."""
    algorithm_oid: str
    """``""`` when the product does not accept it."""
    signature: bytes
    claimed: datetime | None
    token: bytes | None
    """Time stamp over ``signature``."""
    variants: tuple[str, ...]
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveValue:
    """An archive time stamp: a token over Signature.xml, which lists all that came before."""

    token: bytes
    variants: tuple[str, ...]
    evidence: Evidence
    """What was archived with it, and what is known besides."""


def read_signed_value(data: bytes, case: Case) -> SignedValue | ArchiveValue:
    """Read SignedValue.dat of a signature of type Sign.

    Raises:
        MalformedError: ``ofd.sign.…``, ``asn1.…`` or ``x509.…``.
    """
    if _is_bare(data):
        return SignedValue(
            candidates=case.policy.signers,
            message=case.xml,
            is_over_description=True,
            algorithm_oid=case.description.signature_method.removeprefix("urn:oid:"),
            signature=data,
            claimed=None,
            token=None,
            variants=("bare-signature",),
            evidence=case.evidence,
        )
    signed_data = SignedData.from_der(data)
    if len(signed_data.certificates) > _MAX_MATERIAL or len(signed_data.crls) > _MAX_MATERIAL:
        raise MalformedError("The signature carries too much validation material.", code="ofd.sign.material")
    carried = Evidence(intermediates=signed_data.certificates, crls=signed_data.crls)
    if signed_data.content_type == oids.TST_INFO:
        return ArchiveValue(token=data, variants=(), evidence=case.evidence.joined(carried))
    if len(signed_data.signers) != 1:
        raise MalformedError("The signature has not exactly one signer.", code="ofd.sign.signers")
    return _of_signer(signed_data, signed_data.signers[0], case, carried)


def verify_signed_value(case: Case, value: SignedValue) -> tuple[bool, dict[str, str]]:
    """Append the steps; answers whether data hash and signature are right, and with the facts."""
    # (6) what was signed
    case.check(
        value.is_over_description,
        "ofd.signature.data-hash",
        ("签名描述文件未被改动", "Signature.xml is the one that was signed")
        if value.is_over_description
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
    signer = next((item for item in value.candidates if _is_made_by(value, item)), None)
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
    # (9) when, and (11) whether the certificate was good then
    signer = signer or value.candidates[0]
    claim = Claim(
        claimed=value.claimed, token=value.token, stamped=value.signature, purpose=KeyPurpose.DOCUMENT_SIGNING
    )  # fmt: skip
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
    if value.token is not None:
        note_expiry(case.report, value.token, case.judged_at, code="ofd.timestamp.expired")
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
    return value.is_over_description and _is_made_by(value, signer), facts


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
        value.token,
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
        note_expiry(case.report, value.token, case.judged_at, code="ofd.archive.expired")
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


def _of_signer(signed_data: SignedData, signer: SignerInfo, case: Case, carried: Evidence) -> SignedValue:
    variants: list[str] = []
    algorithm = signer.digest_algorithm or DigestAlgorithm.SM3
    message, over = _message(signed_data, signer, case.xml, algorithm, variants)
    known = (*signed_data.certificates, *case.policy.signers, *case.evidence.intermediates)
    accepted = signer.signature_algorithm
    return SignedValue(
        candidates=tuple(item for item in known if signer.is_made_by(item))[:1],
        message=message,
        is_over_description=over,
        algorithm_oid="" if accepted is None else SIGNATURES[accepted].oid,
        signature=signer.signature,
        claimed=signer.signing_time,
        token=signer.time_stamp_token,
        variants=tuple(variants),
        evidence=case.evidence.joined(carried),
    )


def _message(
    signed_data: SignedData, signer: SignerInfo, xml: bytes, algorithm: DigestAlgorithm, variants: list[str]
) -> tuple[bytes | None, bool]:
    """What the signature is over, and whether that is this Signature.xml.

    With attributes they are signed, and messageDigest is the digest of the content; without, the content itself is.
    The content is Signature.xml, its digest, or the digest in base64.
    """
    content = signed_data.content
    right = _contents(xml, algorithm)
    over = content is None or content in right
    if content is not None and over:
        variants.append(f"content-{right[content]}")
    if signer.signed_attributes_der is None:
        return xml if content is None else content, over
    covered = xml if content is None else content
    return signer.signed_attributes_der, over and signer.message_digest == digest(algorithm, covered)


def _contents(xml: bytes, algorithm: DigestAlgorithm) -> dict[bytes, str]:
    value = digest(algorithm, xml)
    return {value: "digest", base64.b64encode(value): "base64-digest", xml: "file"}


def _is_made_by(value: SignedValue, certificate: Certificate) -> bool:
    return value.message is not None and is_signed_by(
        certificate, value.algorithm_oid, value.message, value.signature
    )  # fmt: skip


def _is_bare(data: bytes) -> bool:
    """Whether this is a signature value and nothing around it: SEQUENCE{ r, s }, or 64 raw octets."""
    if len(data) == _RAW_SM2_OCTETS:
        return True
    try:
        node = parse(data)
    except MalformedError:
        return False
    return node.tag == _SEQUENCE and [child.tag for child in node.children] == [_INTEGER, _INTEGER]
