"""What a verification answers: a report of numbered steps, not a boolean.

“Not valid” and “cannot tell” are different answers (ETSI EN 319 102-1 §5.1.3: TOTAL-PASSED, TOTAL-FAILED,
INDETERMINATE). Every step has a stable code, a sentence in Chinese and in English, the clause it follows and the
evidence it looked at. A report never holds secrets; evidence may hold names that stand in the verified file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

__all__ = ["Report", "ReportBuilder", "Status", "Step", "Verdict"]


class Status(StrEnum):
    """Outcome of one step."""

    PASSED = "passed"
    WARNING = "warning"
    """Worth telling, does not change the verdict."""
    SKIPPED = "skipped"
    """Could not be reached because an earlier step failed, or does not apply."""
    INDETERMINATE = "indeterminate"
    """Evidence is missing: the step could neither be confirmed nor refuted."""
    FAILED = "failed"


class Verdict(StrEnum):
    """Answer of the whole report."""

    VALID = "valid"
    INVALID = "invalid"
    INDETERMINATE = "indeterminate"

    @property
    def exit_code(self) -> int:
        """Exit status of a command that prints this verdict: 0 valid, 1 not valid, 2 cannot tell."""
        return {Verdict.VALID: 0, Verdict.INVALID: 1, Verdict.INDETERMINATE: 2}[self]


class Step(NamedTuple):
    """One check.

    A tuple, because each document makes dozens and they are numbered anew in each report.
    """

    number: int
    code: str
    """Stable and dotted: ``ofd.reference.digest``."""
    status: Status
    zh: str
    """One sentence in Chinese."""
    en: str
    """The same sentence in English."""
    clause: str
    """The rule this step follows: ``GB/T 38540-2020 §7.2``."""
    evidence: Mapping[str, str] = MappingProxyType({})

    def as_json(self) -> dict[str, object]:
        """The step as JSON-ready data."""
        return {
            "number": self.number,
            "code": self.code,
            "status": str(self.status),
            "zh": self.zh,
            "en": self.en,
            "clause": self.clause,
            "evidence": dict(self.evidence),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that was checked, in order."""

    subject: str
    """What was verified: ``ofd``, ``pdf``, ``seal`` …"""
    steps: tuple[Step, ...]
    facts: Mapping[str, str] = field(default_factory=dict)
    """What the file says of itself and was found under the signature: signer, seal name, signing time (RFC 3339)."""

    @property
    def verdict(self) -> Verdict:
        """FAILED anywhere is invalid; else INDETERMINATE anywhere (or nothing passed) cannot be told; else valid."""
        statuses = {step.status for step in self.steps}
        if Status.FAILED in statuses:
            return Verdict.INVALID
        if Status.INDETERMINATE in statuses or Status.PASSED not in statuses:
            return Verdict.INDETERMINATE
        return Verdict.VALID

    @property
    def problems(self) -> tuple[Step, ...]:
        """The steps that keep this report from being valid."""
        return tuple(s for s in self.steps if s.status in {Status.FAILED, Status.INDETERMINATE})

    def as_json(self) -> dict[str, object]:
        """The report as JSON-ready data."""
        return {
            "subject": self.subject,
            "verdict": str(self.verdict),
            "facts": dict(self.facts),
            "steps": [step.as_json() for step in self.steps],
        }


class ReportBuilder:
    """Collects steps and numbers them. Not shared between threads.

    Example:
        >>> report = ReportBuilder("seal")
        >>> _ = report.add(Status.PASSED, "seal.parse", zh="结构正确", en="Well-formed", clause="GB/T 38540-2020 §6")
        >>> report.build().verdict
        <Verdict.VALID: 'valid'>
    """

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._steps: list[Step] = []
        self.facts: dict[str, str] = {}

    def add(
        self, status: Status, code: str, *, zh: str, en: str, clause: str, evidence: Mapping[str, str] | None = None
    ) -> Status:
        """Append a step and return its status, so that a caller can branch on it."""
        number = len(self._steps) + 1
        self._steps.append(Step(number, code, status, zh, en, clause, dict(evidence or {})))
        return status

    def check(
        self, ok: bool, code: str, *, zh: str, en: str, clause: str, evidence: Mapping[str, str] | None = None
    ) -> bool:
        """Append a step that passed or failed, and return whether it passed."""
        self.add(Status.PASSED if ok else Status.FAILED, code, zh=zh, en=en, clause=clause, evidence=evidence)
        return ok

    def extend(self, steps: Iterable[Step], *, evidence: Mapping[str, str] | None = None) -> None:
        """Append steps made elsewhere; the report numbers them anew.

        Args:
            steps: in order, whatever their numbers.
            evidence: added to that of each of them, where it has none of the same name.
        """
        start = len(self._steps) + 1
        self._steps.extend(
            [_numbered(step, number, evidence) for number, step in enumerate(steps, start)] if evidence else steps
        )

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps so far, not numbered: to be appended to another report."""
        return tuple(self._steps)

    def build(self) -> Report:
        """The report of all steps so far."""
        steps = [
            step if step.number == number else _numbered(step, number) for number, step in enumerate(self._steps, 1)
        ]
        return Report(subject=self._subject, steps=tuple(steps), facts=dict(self.facts))


def _numbered(step: Step, number: int, more: Mapping[str, str] | None = None) -> Step:
    """The step with another number, and with more evidence where it has none of the same name."""
    _, code, status, zh, en, clause, evidence = step
    return Step(number, code, status, zh, en, clause, {**more, **evidence} if more else evidence)
