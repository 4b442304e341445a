"""One signature while it is verified, and what the verification of the whole document needs to know of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from ofd.package.reader import Package
from ofd.progress import Progress, silent
from ofd.sign.parts import ListedSignature, SignatureDescription
from ofd.structure import DocumentBody
from ofd.verify.policy import VerificationPolicy
from ofd.xmlio import Element
from trustcore.errors import TrustError
from trustcore.report import ReportBuilder, Status, Step
from trustcore.x509.certificate import Certificate

__all__ = ["Case", "Evidence", "Proof", "SignatureForm", "SignatureOutcome", "add_error"]

_T = TypeVar("_T")
_MOST_EVIDENCE = 512
"""Certificates, lists or responses together: many signatures that each carry many could keep a verifier busy."""
_ABOUT_FILES = ("ofd.reference.", "ofd.stamp.")
_NOT_JUDGED = frozenset({"ofd.ses.version"})
"""Codes of errors that say the product does not know a form, not that the form is wrong."""


class SignatureForm(StrEnum):
    """What kind of signature it is."""

    SEAL = "seal"
    """``Type="Seal"`` with a SES_Signature."""
    SIGN = "sign"
    """``Type="Sign"`` with a GB/T 35275 object or a bare signature value."""
    ARCHIVE = "archive"
    """``Type="Sign"`` with a time stamp over everything before it."""
    UNKNOWN = "unknown"
    """It cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What may help to judge certificates; all of it untrusted until its own signature was found right."""

    intermediates: tuple[Certificate, ...] = ()
    crls: tuple[bytes, ...] = ()
    ocsp_responses: tuple[bytes, ...] = ()

    def joined(self, other: "Evidence") -> "Evidence":
        """Both together, each thing once, and no more than a verifier looks at: what comes first counts."""
        return Evidence(
            intermediates=_once(self.intermediates, other.intermediates),
            crls=_once(self.crls, other.crls),
            ocsp_responses=_once(self.ocsp_responses, other.ocsp_responses),
        )


def _once(first: tuple[_T, ...], second: tuple[_T, ...]) -> tuple[_T, ...]:
    if not first or not second:
        return first or second
    return tuple(dict.fromkeys((*first, *second)))[:_MOST_EVIDENCE]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """An archive time stamp that was found right: what it covers existed at its time."""

    id: str
    at: datetime
    intact: frozenset[str]
    """Entries that are as they were stamped."""
    evidence: Evidence
    """The validation data that was archived with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureOutcome:
    """What the coverage needs to know of a signature."""

    id: str
    form: SignatureForm
    is_sound: bool = False
    """Whether data hash and signature value are right."""
    protected: frozenset[str] = frozenset()
    """Entries whose content this signature fixes; a change of one of them fails step (5)."""
    intact: frozenset[str] = frozenset()
    """Those that are as they were sealed."""
    changed: frozenset[str] = frozenset()
    """Those that are not, or are not there any more."""
    own: frozenset[str] = frozenset()
    """Signature.xml, SignedValue.dat, Seal.esl and archived validation data."""
    facts: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[Step, ...]
    """(4) to (14) of this signature alone, not numbered."""
    proof: Proof | None = None
    """Of an archive time stamp."""

    @property
    def is_readable(self) -> bool:
        """Whether it could be verified at all."""
        return self.form is not SignatureForm.UNKNOWN

    @property
    def is_trusted(self) -> bool:
        """Whether somebody known signed: anybody makes a sound signature with a key of their own, and time stamps.

        Files that were changed since do not count here.
        """
        return (
            self.is_sound
            and self.form in {SignatureForm.SEAL, SignatureForm.SIGN}
            and not any(
                (step.status is Status.FAILED and not step.code.startswith(_ABOUT_FILES))
                or (step.status is Status.INDETERMINATE and step.code.endswith(".path"))
                for step in self.steps
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One signature while it is verified."""

    listed: ListedSignature
    package: Package
    body: DocumentBody
    document: Element
    """Root element of Document.xml; nobody changes it."""
    policy: VerificationPolicy
    report: ReportBuilder
    xml: bytes
    """Signature.xml as received."""
    description: SignatureDescription
    evidence: Evidence
    """From the policy and from archive time stamps; what the signature itself carries is added to it."""
    progress: Progress = silent
    exists_since: datetime | None = None
    """Earliest time at which an archive time stamp proves that this signature was there."""

    @property
    def id(self) -> str:
        """ID in Signatures.xml."""
        return self.listed.id

    @property
    def name(self) -> str:
        """Entry name of Signature.xml."""
        return self.listed.name

    @property
    def judged_at(self) -> datetime:
        """The latest moment at which certificates have to be good still: now, or when it was archived."""
        return self.policy.at if self.exists_since is None else min(self.exists_since, self.policy.at)

    def check(self, ok: bool, code: str, texts: tuple[str, str], clause: str, **evidence: str) -> bool:
        """Append a step, its texts Chinese then English."""
        zh, en = texts
        return self.report.check(ok, code, zh=zh, en=en, clause=clause, evidence=evidence)

    def note(self, status: Status, code: str, texts: tuple[str, str], clause: str, **evidence: str) -> None:
        """Append a step with a status of its own."""
        zh, en = texts
        self.report.add(status, code, zh=zh, en=en, clause=clause, evidence=evidence)


def add_error(report: ReportBuilder, error: TrustError, **evidence: str) -> None:
    """Append the step that an unreadable input fails, under the code of the error."""
    facts = {name: str(value) for name, value in error.facts.items()}
    place = {**evidence, **facts}.get("entry", "")
    entry = f"({place})" if place else ""
    unknown = error.code in _NOT_JUDGED
    report.add(
        Status.INDETERMINATE if unknown else Status.FAILED,
        error.code,
        zh=f"文件的形式不受支持,无法判定{entry}" if unknown else f"文件的结构不正确,不能读取{entry}",
        en=error.detail,
        clause="GB/T 33190-2016 §6; GB/T 38540-2020 §7",
        evidence={**evidence, **facts},
    )
