"""The main job: machines, hierarchies, seal, licences, verification, results. Cut off anywhere, it goes on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from licence_service.batch import BatchResult
from licence_service.core.licence import Licence
from ofd.verify.policy import VerificationPolicy
from seal_service.service import SealView
from seal_service.verifying import verify_document
from trustapp.demo.founding import HIERARCHIES, create_administrators, found_hierarchies, make_department_seal
from trustapp.demo.output import OutputFolder
from trustapp.wiring import Suite
from trustcore.console import report_json
from trustcore.errors import InternalError
from trustcore.report import Report, Verdict
from trustcore.x509.certificate import Certificate

__all__ = ["DemoResult", "Progress", "run_demo"]


class Progress(Protocol):
    """Is told how far the job is."""

    def step(self, what: str) -> None:
        """Something begins."""

    def advance(self, done: int, total: int) -> None:
        """``done`` of ``total`` parts of what was begun last are there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """What came of it."""

    batch: BatchResult
    seal: SealView
    files: int
    """Sealed files, each verified."""
    passwords: dict[str, str]
    """One-time passwords of administrators made by this run."""
    out: Path


def run_demo(suite: Suite, rows_csv: bytes, *, name: str, out: Path, progress: Progress) -> DemoResult:
    """Do the whole job.

    Args:
        suite: the open services; their machines are running.
        rows_csv: a department's export.
        name: file name of the export, for the record.
        out: folder for the results.
        progress: is told how far it is.

    Raises:
        InternalError: ``demo.verification`` when a sealed file is not valid from itself and the roots alone.
        BusyError: a machine, the disk or the database cannot serve; the same call goes on where it stopped.
        MalformedError: the export cannot be read at all.
    """
    folder = OutputFolder(out)
    progress.step("证书体系 Hierarchies")
    found_hierarchies(suite, progress.step)
    progress.step("部门公章 Department seal")
    seal = make_department_seal(suite)
    passwords = create_administrators(suite)
    _write_trust(suite, folder)
    _write_seal(suite, folder, seal)

    progress.step("签发证照 Issuing licences")
    batch = suite.licences.issue_batch(rows_csv, name=name, actor="demo", progress=progress.advance)

    progress.step("验证文件 Verifying files")
    entries = list(_verified(suite, folder, batch.licences, progress))
    _write_report(suite, folder, batch, entries)
    files = sum(len(licence.documents) for licence in batch.licences)
    return DemoResult(batch=batch, seal=seal, files=files, passwords=passwords, out=out)


def _write_trust(suite: Suite, folder: OutputFolder) -> None:
    for name in HIERARCHIES:
        for level in ("root", "issuing"):
            authority = f"{name}-{level}"
            certificate = Certificate.from_der(suite.ca.chain(authority)[0])
            folder.write(f"trust/{authority}.pem", certificate.pem)
            folder.write(f"trust/{authority}.crl", suite.ca.crl(authority))


def _write_seal(suite: Suite, folder: OutputFolder, seal: SealView) -> None:
    pictures = suite.seals.pictures(seal.id)
    folder.write("seal/seal.esl", suite.seals.seal_der(seal.id))
    folder.write("seal/seal.png", pictures.png)
    folder.write("seal/seal.svg", pictures.svg)


def _verified(
    suite: Suite, folder: OutputFolder, licences: Sequence[Licence], progress: Progress
) -> Iterator[dict[str, object]]:
    """Write every file and verify what was written, knowing nothing but the roots."""
    roots = tuple(Certificate.from_der(suite.ca.chain(f"{name}-root")[0]) for name in HIERARCHIES)
    policy = VerificationPolicy(roots=roots, at=suite.clock())
    for number, licence in enumerate(licences, 1):
        files = []
        for document in licence.documents:
            name = f"licences/{licence.identifier}{document.form.suffix}"
            written = folder.write(name, suite.licences.document(licence.identifier, document.form)).read_bytes()
            report = verify_document(written, policy)
            _require_valid(report, name)
            files.append({"form": str(document.form), **report_json(report, file_name=name, data=written)})
        yield {
            "identifier": licence.identifier,
            "holder": licence.record.name,
            "verification_address": licence.address,
            "files": files,
        }
        progress.advance(number, len(licences))


def _require_valid(report: Report, name: str) -> None:
    if report.verdict is not Verdict.VALID:
        problem = report.problems[0]
        raise InternalError(
            f"{name} is {report.verdict}: {problem.en} [{problem.code}]", code="demo.verification", file=name
        )


def _write_report(suite: Suite, folder: OutputFolder, batch: BatchResult, entries: Sequence[dict[str, object]]) -> None:
    folder.write_json(
        "report.json",
        {
            "generated_at": suite.clock().isoformat(),
            "issuer": suite.settings.licence.issuer_name,
            "rows": batch.total,
            "licences": list(entries),
            "bad_rows": [
                {"row": bad.number, "column": bad.column, "code": bad.code, "zh": bad.sentence_zh, "en": bad.sentence}
                for bad in batch.bad
            ],
        },
    )
