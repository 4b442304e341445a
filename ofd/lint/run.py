"""Linting a document: everything that the rules find, told with rule, place and clause."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ofd.lint import rules_readers
from ofd.lint import rules_structure as rules
from ofd.lint.content import ContentChecks
from ofd.lint.finding import Finding, Findings, LintReport
from ofd.lint.fonts import FontChecks
from ofd.lint.inspection import ElementCheck, Inspection, inspect
from ofd.lint.pictures import PictureChecks
from ofd.lint.readers import ReaderChecks
from ofd.lint.signatures import SignatureChecks
from ofd.package.lenient import LenientPackage
from ofd.package.reader import Package
from trustcore.errors import TrustError

__all__ = ["combine", "lint", "opened_leniently"]

_ENCRYPTIONS = "Encryptions.xml"
_INTEGRITY = frozenset({"OFDEntries.xml", "signedvalue.dat"})
_OF_LOCATIONS = frozenset(
    {"ofd.read.path-normalised", "ofd.read.path-case", "ofd.read.path-root", "ofd.read.base-location"}
)
"""Warnings of lenient reading that the findings on links tell better."""


def lint(source: bytes | Path | Package | LenientPackage, *, readers: bool = True) -> LintReport:
    """Check a document against GB/T 33190-2016 and, if wanted, against what single readers need.

    Never raises for what a file holds; a file that is no package at all has one finding. ``OSError`` when a path
    cannot be read.

    Args:
        source: the document.
        readers: whether to tell what single products will refuse or misread.
    """
    findings = Findings()
    try:
        with opened_leniently(source) as package:
            report = _lint(package, findings)
    except TrustError as error:
        findings.add(rules.PACKAGE_HOPELESS.found(reason=f"{error.detail} ({error.code})"))
        return findings.report(is_signed=False)
    return report if readers else _without_readers(report)


def _lint(package: LenientPackage, findings: Findings) -> LintReport:
    content, fonts, pictures = ContentChecks(), FontChecks(), PictureChecks()
    signatures, products = SignatureChecks(), ReaderChecks()
    collected = combine(item.checks() for item in (content, fonts, pictures, signatures, products))
    if _ENCRYPTIONS in package and "OFD.xml" not in package:
        findings.extend((rules.PACKAGE_ENCRYPTED.found(), rules_readers.ENCRYPTED.found()))
        return findings.report(is_signed=False)
    inspection = inspect(package, findings, collected)
    findings.extend(fonts.judge(inspection, content.fonts))
    findings.extend(pictures.judge(inspection))
    findings.extend(signatures.judge(inspection))
    findings.extend(products.judge(inspection))
    findings.extend(_judge_package(package, inspection))
    return findings.report(is_signed=signatures.count > 0)


@contextmanager
def opened_leniently(source: bytes | Path | Package | LenientPackage) -> Iterator[LenientPackage]:
    """The package for reading that copes with much, closed afterwards if it was opened here.

    Raises:
        TrustError: nothing helps.
        OSError: the file cannot be read.
    """
    if isinstance(source, Path):
        with LenientPackage.open(source) as package:
            yield package
    else:
        yield source if isinstance(source, LenientPackage) else LenientPackage(source)


def combine(several: Iterator[Mapping[str, Sequence[ElementCheck]]]) -> Mapping[str, Sequence[ElementCheck]]:
    """The checks of all, by element type."""
    collected: dict[str, list[ElementCheck]] = defaultdict(list)
    for checks in several:
        for name, found in checks.items():
            collected[name].extend(found)
    return collected


def _judge_package(package: LenientPackage, inspection: Inspection) -> Iterator[Finding]:
    if package.refusal is not None:
        yield rules.PACKAGE_UNREADABLE.found(reason=f"{package.refusal.detail} ({package.refusal.code})")
    for warning in package.warnings:
        if warning.code not in _OF_LOCATIONS:
            entry = warning.evidence.get("entry", "")
            yield rules.PACKAGE_LENIENT.found(entry, zh=warning.zh, en=warning.en, warning=warning.code)
    for name in package.names:
        if name not in inspection.reached and name not in _INTEGRITY:
            yield rules.PACKAGE_UNLINKED.found(name, name=name)


def _without_readers(report: LintReport) -> LintReport:
    kept = tuple(finding for finding in report.findings if not finding.reader)
    return LintReport(findings=kept, not_told=report.not_told, is_signed=report.is_signed)
