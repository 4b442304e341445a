"""What a check found: rules as small objects, and what they say of one place in a document."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

__all__ = ["Finding", "Findings", "LintReport", "Rule", "Severity"]

_MOST_OF_A_RULE = 100
"""Findings of one rule that are told one by one; the rest is counted."""
_LONGEST_VALUE = 200
"""Characters of a value from the document that a finding repeats."""


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    """Against the standard, and readers differ or fail."""
    WARNING = "warning"
    """Against the standard or against what some readers need; most readers cope."""
    NOTE = "note"
    """Allowed, and worth knowing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One place where a document is not as a rule asks for."""

    code: str
    severity: Severity
    zh: str
    """One sentence in Chinese."""
    en: str
    """The same in English."""
    clause: str
    entry: str
    """Entry name of the file; empty for the package itself."""
    line: int = 0
    """Line of the XML file, from 1; 0 when it has none."""
    object_id: str = ""
    """``@ID`` of the element or of the nearest one around it."""
    reader: str = ""
    """The product that will refuse or misread the document, for findings that concern one."""
    repairable: bool = False
    """Whether :func:`ofd.lint.repair.repair` mends it; never in a signed document."""
    evidence: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """The finding as JSON-ready data."""
        return {
            "code": self.code,
            "severity": str(self.severity),
            "zh": self.zh,
            "en": self.en,
            "clause": self.clause,
            "entry": self.entry,
            "line": self.line,
            "object_id": self.object_id,
            "reader": self.reader,
            "repairable": self.repairable,
            "evidence": dict(self.evidence),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is asked for. ``zh`` and ``en`` name values of the place in braces."""

    code: str
    severity: Severity
    zh: str
    en: str
    clause: str
    reader: str = ""
    repairable: bool = False

    def found(self, entry: str = "", *, line: int = 0, object_id: str = "", **evidence: object) -> Finding:
        """A finding of this rule; ``evidence`` has the values that its sentences name."""
        shown = {name: _short(str(value)) for name, value in evidence.items()}
        return Finding(
            code=self.code,
            severity=self.severity,
            zh=self.zh.format_map(shown),
            en=self.en.format_map(shown),
            clause=self.clause,
            entry=entry,
            line=line,
            object_id=object_id,
            reader=self.reader,
            repairable=self.repairable,
            evidence=shown,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LintReport:
    """Everything that was found, worst first, then in the order of the document."""

    findings: tuple[Finding, ...]
    not_told: Mapping[str, int] = field(default_factory=dict)
    """Code to how many further findings of it there are."""
    is_signed: bool = False
    """Whether the document has signatures, which any repair would break."""

    def count(self, severity: Severity) -> int:
        """How many findings of this severity were told."""
        return sum(finding.severity is severity for finding in self.findings)

    @property
    def is_clean(self) -> bool:
        """Whether nothing is against the standard: notes do not count."""
        return all(finding.severity is Severity.NOTE for finding in self.findings)

    @property
    def codes(self) -> frozenset[str]:
        """The codes of all findings."""
        return frozenset(finding.code for finding in self.findings)

    def as_json(self) -> dict[str, object]:
        """The report as JSON-ready data."""
        return {
            "clean": self.is_clean,
            "signed": self.is_signed,
            "counts": {str(severity): self.count(severity) for severity in Severity},
            "findings": [finding.as_json() for finding in self.findings],
            "not_told": dict(self.not_told),
        }


class Findings:
    """Collects findings, each once, and not more of one rule than anybody reads."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], Finding] = {}
        self._counts: Counter[str] = Counter()

    def add(self, finding: Finding) -> None:
        """Take a finding."""
        key = (finding.code, finding.entry, finding.line, finding.object_id, finding.en)
        if key in self._found:
            return
        self._counts[finding.code] += 1
        if self._counts[finding.code] <= _MOST_OF_A_RULE:
            self._found[key] = finding

    def extend(self, findings: Iterable[Finding]) -> None:
        """Take several."""
        for finding in findings:
            self.add(finding)

    def report(self, *, is_signed: bool) -> LintReport:
        """Everything so far."""
        order = list(Severity)
        not_told = {code: count - _MOST_OF_A_RULE for code, count in self._counts.items() if count > _MOST_OF_A_RULE}
        found = sorted(self._found.values(), key=lambda finding: order.index(finding.severity))
        if is_signed:
            found = [replace(finding, repairable=False) for finding in found]
        return LintReport(findings=tuple(found), not_told=not_told, is_signed=is_signed)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
