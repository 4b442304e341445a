"""Shorter and more orderly forms of a verification's report, as JSON-ready data.

As in ETSI EN 319 102-2 there are three: the *simple* form says for each signature who, when and whether; the *detailed*
form groups the steps by signature and by what they are about; the steps with all evidence are the report itself
(:meth:`trustcore.report.Report.as_json`).
"""

from collections.abc import Sequence

from ofd.verify.case import SignatureOutcome
from ofd.verify.changes import SignatureChanges
from ofd.verify.document import Verification
from ofd.verify.page_coverage import PageCoverage
from trustcore.report import Report, Status, Step

__all__ = ["BLOCKS", "coverage_form", "detailed_form", "simple_form"]

BLOCKS: dict[str, tuple[str, str]] = {
    "format": ("格式", "Format"),
    "integrity": ("完整性", "Integrity"),
    "time": ("时间", "Time"),
    "signer": ("签名人", "Signer"),
    "seal": ("印章", "Seal"),
    "appearance": ("显示", "Appearance"),
    "coverage": ("覆盖范围", "Coverage"),
    "changes": ("后续改动", "Later changes"),
}
"""What steps are about, in the order in which it is told; Chinese and English."""
_BLOCK_OF = (
    ("ofd.reference.", "integrity"),
    ("ofd.signature.data-hash", "integrity"),
    ("ofd.signature.value", "integrity"),
    ("ofd.signature.property-info", "integrity"),
    ("ofd.time.", "time"),
    ("ofd.timestamp.", "time"),
    ("ofd.archive.", "time"),
    ("ofd.signer.", "signer"),
    ("ofd.sign.", "signer"),
    ("ofd.seal.signer-listed", "signer"),
    ("ofd.seal.", "seal"),
    ("ofd.stamp.", "appearance"),
    ("ofd.coverage.", "coverage"),
    ("ofd.differential.", "coverage"),
    ("ofd.signature.list-open", "coverage"),
    ("ofd.change.", "changes"),
)
_RANK = (Status.FAILED, Status.INDETERMINATE, Status.WARNING, Status.PASSED, Status.SKIPPED)


def simple_form(verification: Verification) -> dict[str, object]:
    """Who signed, when, and whether it counts: a few lines for each signature."""
    report = verification.report
    changes = {item.id: item for item in verification.changes}
    return {
        "verdict": str(report.verdict),
        "title": report.facts.get("title", ""),
        "signatures": [_simple(item, report, changes.get(item.id)) for item in verification.signatures],
        "document": {
            "verdict": str(_part(report, _of_document(report)).verdict),
            "problems": [_sentence(step) for step in _of_document(report) if _is_problem(step)],
        },
    }


def detailed_form(verification: Verification) -> dict[str, object]:
    """All steps, for each signature by what they are about, and those about the document as a whole."""
    report = verification.report
    return {
        "verdict": str(report.verdict),
        "facts": dict(report.facts),
        "signatures": [
            {
                "id": item.id,
                "form": str(item.form),
                "verdict": str(_part(report, _of_signature(report, item.id)).verdict),
                "facts": dict(item.facts),
                "protects": len(item.protected),
                "blocks": _blocks(_of_signature(report, item.id)),
            }
            for item in verification.signatures
        ],
        "document": {
            "verdict": str(_part(report, _of_document(report)).verdict),
            "blocks": _blocks(_of_document(report)),
        },
    }


def coverage_form(coverage: PageCoverage) -> dict[str, object]:
    """What of one page is not signed; boxes are x, y, width and height in millimetres."""
    return {
        "page": coverage.index + 1,
        "covered": coverage.is_covered,
        "objects": coverage.objects,
        "open": list(coverage.open_chain),
        "marked": [
            {
                "cover": str(item.cover),
                "kind": str(item.kind),
                "part": item.part,
                "object": item.object_id,
                "because": list(item.because),
                "by": item.by,
                "box_mm": [round(value, 3) for value in item.box],
            }
            for item in coverage.marked
        ],
    }


def _simple(outcome: SignatureOutcome, report: Report, changes: SignatureChanges | None) -> dict[str, object]:
    steps = _of_signature(report, outcome.id)
    statuses = {step.code: step.status for step in steps}
    return {
        "id": outcome.id,
        "form": str(outcome.form),
        "verdict": str(_part(report, steps).verdict),
        **{name: outcome.facts[name] for name in _SIMPLE_FACTS if name in outcome.facts},
        "covers_all": statuses.get("ofd.coverage.shown") is Status.PASSED,
        "later_changes": [] if changes is None else sorted({str(item.kind) for item in changes.changes}),
        "problems": [_sentence(step) for step in steps if _is_problem(step)],
        "warnings": [_sentence(step) for step in steps if step.status is Status.WARNING],
    }


_SIMPLE_FACTS = ("signer", "seal_name", "seal_code", "signed_at", "signed_at_proven", "archived_at")


def _blocks(steps: Sequence[Step]) -> list[dict[str, object]]:
    found: dict[str, list[Step]] = {}
    for step in steps:
        found.setdefault(_block_of(step.code), []).append(step)
    return [
        {
            "block": name,
            "zh": zh,
            "en": en,
            "status": str(next(status for status in _RANK if any(step.status is status for step in found[name]))),
            "steps": [step.as_json() for step in found[name]],
        }
        for name, (zh, en) in BLOCKS.items()
        if name in found
    ]


def _block_of(code: str) -> str:
    return next((block for prefix, block in _BLOCK_OF if code.startswith(prefix)), "format")


def _of_signature(report: Report, identifier: str) -> tuple[Step, ...]:
    return tuple(step for step in report.steps if step.evidence.get("signature") == identifier)


def _of_document(report: Report) -> tuple[Step, ...]:
    return tuple(step for step in report.steps if "signature" not in step.evidence)


def _part(report: Report, steps: tuple[Step, ...]) -> Report:
    return Report(subject=report.subject, steps=steps)


def _is_problem(step: Step) -> bool:
    return step.status in {Status.FAILED, Status.INDETERMINATE}


def _sentence(step: Step) -> dict[str, str]:
    return {"code": step.code, "zh": step.zh, "en": step.en}
