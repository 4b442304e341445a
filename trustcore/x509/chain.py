"""Certification paths: build them to a trusted root and validate them at a moment (RFC 5280 §6.1).

Verdicts follow ETSI EN 319 102-1 §5.2.6: what contradicts a rule fails, what lacks evidence (no path to a trusted root,
no revocation information) is indeterminate. All certificates of a path have to be valid at the one moment asked about
(shell model). Evidence comes as arguments; nothing is fetched.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from itertools import islice, pairwise
from typing import NamedTuple

from trustcore.crypto.algorithms import SignatureAlgorithm, signature_by_oid
from trustcore.errors import MalformedError
from trustcore.report import ReportBuilder, Status, Step
from trustcore.x509 import oids
from trustcore.x509.certificate import Certificate
from trustcore.x509.crl import Crl, RevocationReason
from trustcore.x509.ocsp import OcspResponse
from trustcore.x509.purposes import RULES, KeyPurpose, purpose_problem
from trustcore.x509.revocation import Finding, Revocation, find_revocation

__all__ = ["ChainResult", "KeyPurpose", "validate_chain"]

MAX_PATH_LENGTH = 8
"""Most certificates in a path, root included."""
MAX_PATHS = 16
"""Most paths that are tried; a forest of cross-certificates cannot keep a verifier busy."""
MAX_SIGNATURE_CHECKS = 64
_LONGEST_REMEMBERED = 65_536
"""Octets of the CRLs and OCSP responses up to which an answer is remembered, so that little memory is held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainResult:
    """What was found about one certificate."""

    steps: tuple[Step, ...]
    path: tuple[Certificate, ...]
    """The certificate first, the trusted root last; what was found of it when no path is complete."""

    @property
    def status(self) -> Status:
        """FAILED, INDETERMINATE or PASSED: the worst of the steps."""
        statuses = {step.status for step in self.steps}
        return next((s for s in (Status.FAILED, Status.INDETERMINATE) if s in statuses), Status.PASSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What is asked of a path."""

    at: datetime
    purpose: KeyPurpose
    prefix: str
    crls: tuple[Crl, ...]
    ocsp_responses: tuple[OcspResponse, ...]


def validate_chain(
    certificate: Certificate,
    *,
    intermediates: Sequence[Certificate],
    roots: Sequence[Certificate],
    crls: Sequence[Crl | bytes],
    at: datetime,
    purpose: KeyPurpose,
    prefix: str = "x509",
    ocsp_responses: Sequence[OcspResponse | bytes] = (),
) -> ChainResult:
    """Build paths to a trusted root and validate them; the best one is reported.

    Args:
        certificate: the one in question.
        intermediates: CA certificates that may stand between; untrusted.
        roots: trusted; neither their own signature nor revocation is looked at.
        crls: DER or read; those that cannot be read do not count.
        at: the moment in question, aware.
        purpose: what the key was used for.
        prefix: of the step codes ``path``, ``algorithm``, ``validity``, ``constraints``, ``key-usage`` and
            ``revocation``.
        ocsp_responses: DER or read; those that cannot be read do not count.

    The answer depends on the arguments alone; the last few hundred are remembered.
    """
    evidence = _Evidence(
        certificate, tuple(intermediates), tuple(roots), tuple(crls), tuple(ocsp_responses), at, purpose, prefix
    )
    octets = sum(len(item if isinstance(item, bytes) else item.der) for item in (*crls, *ocsp_responses))
    return _validated_once(evidence) if octets <= _LONGEST_REMEMBERED else _validated(evidence)


class _Evidence(NamedTuple):
    """The arguments of :func:`validate_chain`, equal where they are."""

    certificate: Certificate
    intermediates: tuple[Certificate, ...]
    roots: tuple[Certificate, ...]
    crls: tuple[Crl | bytes, ...]
    ocsp_responses: tuple[OcspResponse | bytes, ...]
    at: datetime
    purpose: KeyPurpose
    prefix: str


def _validated(evidence: _Evidence) -> ChainResult:
    certificate, intermediates, roots, crls, ocsp_responses, at, purpose, prefix = evidence
    question = _Question(
        at=at,
        purpose=purpose,
        prefix=prefix,
        crls=tuple(_readable_crls(crls)),
        ocsp_responses=tuple(_readable_responses(ocsp_responses)),
    )
    search = _search(certificate, intermediates, roots)
    best: ChainResult | None = None
    for path in search.paths:
        result = _validate_path(path, question)
        if best is None or _rank(result) < _rank(best):
            best = result
        if best.status is Status.PASSED:
            break
    return best or _no_path(certificate, search, question)


_validated_once = lru_cache(maxsize=256)(_validated)


def _rank(result: ChainResult) -> int:
    return {Status.FAILED: 2, Status.INDETERMINATE: 1}.get(result.status, 0)


def _readable_crls(items: Sequence[Crl | bytes]) -> Iterator[Crl]:
    for item in items:
        try:
            yield Crl.from_der(item) if isinstance(item, bytes) else item
        except MalformedError:
            continue


def _readable_responses(items: Sequence[OcspResponse | bytes]) -> Iterator[OcspResponse]:
    for item in items:
        try:
            yield OcspResponse.from_der(item) if isinstance(item, bytes) else item
        except MalformedError:
            continue


class _Search:
    """Depth-first search for paths, bounded in depth, number of paths and number of signature checks."""

    def __init__(
        self, certificate: Certificate, intermediates: Sequence[Certificate], roots: Sequence[Certificate]
    ) -> None:
        self._roots = tuple(dict.fromkeys(roots))
        self._candidates = tuple(dict.fromkeys((*roots, *intermediates)))
        self._checks_left = MAX_SIGNATURE_CHECKS
        self.wrong_signature = False
        """Whether a certificate named an issuer that was at hand and did not sign it."""
        self.longest: tuple[Certificate, ...] = ()
        self.paths = tuple(islice(self._extend((certificate,)), MAX_PATHS))
        """Complete paths whose names chain and whose signatures are right."""

    def _extend(self, path: tuple[Certificate, ...]) -> Iterator[tuple[Certificate, ...]]:
        if len(path) > len(self.longest):
            self.longest = path
        if path[-1] in self._roots:
            yield path
            return
        if len(path) == MAX_PATH_LENGTH:
            return
        for issuer in self._candidates:
            if self._checks_left == 0 or not _may_issue(issuer, path[-1]) or _stands_in(path, issuer):
                continue
            self._checks_left -= 1
            if path[-1].is_issued_by(issuer):
                yield from self._extend((*path, issuer))
            else:
                self.wrong_signature = True


_search = lru_cache(maxsize=256)(_Search)
"""What leads to a root does not depend on the moment; an answer is not changed once it is made."""


def _stands_in(path: tuple[Certificate, ...], issuer: Certificate) -> bool:
    """Whether this authority is in the path already, by another certificate too (RFC 4158 §2.4.2)."""
    return any(
        item.public_key_der == issuer.public_key_der and item.subject.matches(issuer.subject) for item in path
    )  # fmt: skip


def _may_issue(issuer: Certificate, certificate: Certificate) -> bool:
    """Names chain, and key identifiers agree where both are given (RFC 5280 §4.2.1.1)."""
    if not certificate.issuer.matches(issuer.subject):
        return False
    named, known = certificate.authority_key_identifier, issuer.subject_key_identifier
    return named is None or known is None or named == known


def _no_path(certificate: Certificate, search: _Search, question: _Question) -> ChainResult:
    report = ReportBuilder("chain")
    if search.wrong_signature:
        status, zh, en = (
            Status.FAILED,
            "证书链中有签名不正确的证书",
            "A certificate of the chain does not bear the signature of its issuer",
        )
    else:
        status, zh, en = (
            Status.INDETERMINATE,
            "找不到通向受信任根证书的证书链",
            "There is no path to a trusted root certificate",
        )
    last = search.longest[-1] if search.longest else certificate
    evidence = {"subject": certificate.subject.text, "missing_issuer": last.issuer.text}
    clause = "RFC 5280 §6.1.3"
    report.add(status, f"{question.prefix}.path", zh=zh, en=en, clause=clause, evidence=evidence)
    return ChainResult(steps=report.build().steps, path=search.longest)


def _validate_path(path: tuple[Certificate, ...], question: _Question) -> ChainResult:
    """Validate a path whose names chain and whose signatures are right.

    1. path, 2. algorithms, 3. validity, 4. constraints of CAs and critical extensions, 5. purpose of the first key,
    6. revocation of each certificate but the root.
    """
    report = ReportBuilder("chain")
    report.add(
        Status.PASSED,
        f"{question.prefix}.path",
        zh=f"证书链完整,止于受信任的根证书({len(path)} 级)",
        en=f"The chain of {len(path)} certificates leads to a trusted root",
        clause="RFC 5280 §6.1.3 (a)(1), (a)(4)",
        evidence={str(i): item.subject.text for i, item in enumerate(path)},
    )
    _check_algorithms(report, path, question)
    _check_validity(report, path, question)
    _check_constraints(report, path, question)
    _check_purpose(report, path[0], question)
    _check_revocation(report, path, question)
    return ChainResult(steps=report.build().steps, path=path)


def _check_algorithms(report: ReportBuilder, path: tuple[Certificate, ...], question: _Question) -> None:
    weak = [item for item in path if not any(map(item.public_key.serves, SignatureAlgorithm))]
    used = [d.algorithm if (d := signature_by_oid(item.signature_algorithm_oid)) else None for item in path[:-1]]
    ok = not weak and None not in used
    report.check(
        ok,
        f"{question.prefix}.algorithm",
        zh="证书链的密钥与签名算法均可接受" if ok else "证书链中有不可接受的密钥或签名算法",
        en="Keys and signature algorithms of the chain are accepted ones"
        if ok
        else "The chain has a key or a signature algorithm that is not accepted",
        clause="GM/T 0054-2018 §6; NIST SP 800-131A §3",
        evidence={item.subject.text: item.public_key.name for item in (weak or path)},
    )


def _check_validity(report: ReportBuilder, path: tuple[Certificate, ...], question: _Question) -> None:
    outside = [item for item in path if not item.not_before <= question.at <= item.not_after]
    shown = outside or [path[0]]
    report.check(
        not outside,
        f"{question.prefix}.validity",
        zh="在该时刻证书链上的证书均在有效期内" if not outside else "在该时刻有证书不在有效期内",
        en="Each certificate was within its period of validity"
        if not outside
        else "A certificate was outside its period of validity",
        clause="RFC 5280 §6.1.3 (a)(2)",
        evidence={"at": question.at.isoformat()}
        | {item.subject.text: f"{item.not_before.isoformat()}/{item.not_after.isoformat()}" for item in shown},
    )


def _check_constraints(report: ReportBuilder, path: tuple[Certificate, ...], question: _Question) -> None:
    problems = list(_constraint_problems(path))
    report.check(
        not problems,
        f"{question.prefix}.constraints",
        zh="证书链符合基本约束、路径长度与关键扩展的规则"
        if not problems
        else "证书链违反基本约束、路径长度或关键扩展的规则",
        en="Basic constraints, path lengths and critical extensions are respected" if not problems else problems[0],
        clause="RFC 5280 §6.1.4 (k)–(n), §4.2",
        evidence={str(i): problem for i, problem in enumerate(problems)},
    )


def _constraint_problems(path: tuple[Certificate, ...]) -> Iterator[str]:
    for item in path:
        yield from _unknown_critical(item)
    below = 0
    for item in path[1:]:
        if not item.is_ca:
            yield f"{item.subject.text} issued a certificate and is not a CA"
        if item.has_key_usage and "keyCertSign" not in item.key_usage:
            yield f"{item.subject.text} may not sign certificates"
        if item.path_length is not None and below > item.path_length:
            yield f"{item.subject.text} allows {item.path_length} CA certificates below it, there are {below}"
        if not item.is_self_issued:
            below += 1


def _unknown_critical(certificate: Certificate) -> Iterator[str]:
    for extension in certificate.extensions:
        if extension.oid == oids.NAME_CONSTRAINTS:
            # RFC 5280 §4.2.1.10: an application that cannot process name constraints must refuse the certificate.
            yield f"{certificate.subject.text} has name constraints, which are not supported"
        elif extension.critical and extension.oid not in _UNDERSTOOD:
            yield f"{certificate.subject.text} has the critical extension {extension.oid}, which is not known"


_UNDERSTOOD = {
    oids.BASIC_CONSTRAINTS,
    oids.KEY_USAGE,
    oids.EXTENDED_KEY_USAGE,
    oids.SUBJECT_KEY_IDENTIFIER,
    oids.AUTHORITY_KEY_IDENTIFIER,
    oids.SUBJECT_ALTERNATIVE_NAME,
    oids.CRL_DISTRIBUTION_POINTS,
    oids.CERTIFICATE_POLICIES,
    oids.AUTHORITY_INFORMATION_ACCESS,
}
"""Extensions that may be critical: processed here, or without bearing on the path under any-policy."""


def _check_purpose(report: ReportBuilder, certificate: Certificate, question: _Question) -> None:
    rule = RULES[question.purpose]
    problem = purpose_problem(certificate, question.purpose)
    report.check(
        not problem,
        f"{question.prefix}.key-usage",
        zh=f"密钥用途允许{rule.zh}" if not problem else f"密钥用途不允许{rule.zh}",
        en=f"The key may be used for {rule.en}" if not problem else f"The key may not be used for {rule.en}: {problem}",
        clause=rule.clause,
        evidence={
            "key_usage": " ".join(sorted(certificate.key_usage)),
            "extended_key_usage": " ".join(sorted(certificate.extended_key_usage)),
        },
    )


def _check_revocation(report: ReportBuilder, path: tuple[Certificate, ...], question: _Question) -> None:
    for level, (certificate, issuer) in enumerate(pairwise(path)):
        found = find_revocation(
            certificate, issuer, at=question.at, crls=question.crls, ocsp_responses=question.ocsp_responses
        )
        # Of an authority above, only what is said to be a compromise.
        ends_all = found.reason in _COMPROMISES or (level == 0 and found.reason not in _HARMLESS_REASONS)
        if question.purpose is KeyPurpose.TIME_STAMPING and found.finding is Finding.REVOKED_LATER and ends_all:
            # RFC 3161 §4.1: after a compromise no token of that key can be trusted, whenever it says it was made.
            found = replace(found, finding=Finding.REVOKED)
        status, zh, en = _REVOCATION_SENTENCES[found.finding]
        report.add(
            status,
            f"{question.prefix}.revocation",
            zh=zh,
            en=en,
            clause="RFC 5280 §6.3; RFC 6960 §2.2",
            evidence={"subject": certificate.subject.text} | _revocation_evidence(found),
        )


_COMPROMISES = {RevocationReason.KEY_COMPROMISE, RevocationReason.CA_COMPROMISE}
_HARMLESS_REASONS = {
    RevocationReason.UNSPECIFIED,
    RevocationReason.AFFILIATION_CHANGED,
    RevocationReason.SUPERSEDED,
    RevocationReason.CESSATION_OF_OPERATION,
}
_REVOCATION_SENTENCES = {
    Finding.GOOD: (Status.PASSED, "在该时刻证书未被撤销", "The certificate was not revoked"),
    Finding.REVOKED: (Status.FAILED, "证书已被撤销", "The certificate was revoked"),
    Finding.REVOKED_LATER: (
        Status.WARNING,
        "在该时刻证书未被撤销,之后被撤销",
        "The certificate was not revoked then; it was later",
    ),
    Finding.UNKNOWN: (
        Status.INDETERMINATE,
        "缺少该时刻的撤销信息,无法判断证书是否被撤销",
        "There is no revocation information for that moment, so it cannot be told whether the certificate was revoked",
    ),
}


def _revocation_evidence(found: Revocation) -> dict[str, str]:
    evidence = {"source": found.source} if found.source else {}
    if found.evidence_time is not None:
        evidence["evidence_time"] = found.evidence_time.isoformat()
    if found.revoked_at is not None:
        evidence["revoked_at"] = found.revoked_at.isoformat()
    if found.reason is not None:
        evidence["reason"] = found.reason.name.lower().replace("_", "-")
    return evidence
