"""``xinyin licence …``: issue a file of rows, show a licence, change its state."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from licence_service.batch import BatchResult
from licence_service.core.identifiers import Diagnosis, parse_identifier
from licence_service.core.licence import Form, Licence
from licence_service.core.states import LicenceState, stands
from licence_service.service import LicenceService
from trustcore.errors import MalformedError, NotFoundError

__all__ = ["build_cli"]

_ACTOR = "operator"


def build_cli(open_service: Callable[[], AbstractContextManager[LicenceService]]) -> typer.Typer:
    """The commands; ``open_service`` opens the service for the time of one command."""
    app = typer.Typer(help="E-licences 电子证照", no_args_is_help=True)
    _add_issuing(app, open_service)
    _add_looking(app, open_service)
    _add_states(app, open_service)
    return app


def _add_issuing(app: typer.Typer, open_service: Callable[[], AbstractContextManager[LicenceService]]) -> None:
    @app.command("issue-batch")
    def issue_batch(
        csv: Annotated[Path, typer.Argument(help="A department's export, see samples/README.md.")],
        out: Annotated[Path | None, typer.Option(help="Folder to write the sealed files to.")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    ) -> None:
        """Issue every good row of a CSV file; run it again to go on where it stopped."""
        data = _read(csv)
        console = Console(stderr=True)
        with open_service() as service, _progress(console) as bar:
            task = bar.add_task("签发证照 Issuing", total=None)
            result = service.issue_batch(
                data,
                name=csv.name,
                actor=_ACTOR,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
            if out is not None:
                _write_files(service, result.licences, out)
        _print_batch(result, as_json=as_json, console=console)
        if result.bad:
            raise typer.Exit(1)

    @app.command("resume")
    def resume() -> None:
        """Finish licences whose process died after their number was reserved."""
        with open_service() as service:
            for licence in service.resume_pending(actor=_ACTOR):
                print(licence.identifier)  # noqa: T201 - the answer of the command


def _add_looking(app: typer.Typer, open_service: Callable[[], AbstractContextManager[LicenceService]]) -> None:
    @app.command("show")
    def show(
        identifier: Annotated[str, typer.Argument(help="The licence's identifier.")],
        as_json: Annotated[bool, typer.Option("--json")] = False,
    ) -> None:
        """Show one licence."""
        with open_service() as service:
            _print_licence(service.licence(identifier), service, as_json=as_json)

    @app.command("export")
    def export(
        identifier: str,
        form: Annotated[Form, typer.Option(help="Which file.")] = Form.OFD,
        out: Annotated[Path, typer.Option(help="Folder to write it to.")] = Path(),
    ) -> None:
        """Write a sealed file of a licence."""
        with open_service() as service:
            data = service.document(identifier, form)
        path = out / f"{identifier}{form.suffix}"
        _write(path, data)
        print(path)  # noqa: T201 - the answer of the command

    @app.command("check-identifier")
    def check_identifier(text: str) -> None:
        """Say what a GB/T 36904 identifier is: standard, one of the known deviations, or bad."""
        parsed = parse_identifier(text)
        print(parsed.diagnosis)  # noqa: T201 - the answer of the command
        if parsed.diagnosis is not Diagnosis.STANDARD:
            raise typer.Exit(1)


def _add_states(app: typer.Typer, open_service: Callable[[], AbstractContextManager[LicenceService]]) -> None:
    def change(identifier: str, target: LicenceState, reason: str) -> None:
        with open_service() as service:
            licence = service.change_state(identifier, target, reason=reason, actor=_ACTOR)
            _print_licence(licence, service, as_json=False)

    reason_option = typer.Option(help="Why, for the record.")

    @app.command("cancel")
    def cancel(identifier: str, reason: Annotated[str, reason_option]) -> None:
        """Cancel a licence (注销)."""
        change(identifier, LicenceState.CANCELLED, reason)

    @app.command("suspend")
    def suspend(identifier: str, reason: Annotated[str, reason_option]) -> None:
        """Suspend a licence (暂扣)."""
        change(identifier, LicenceState.SUSPENDED, reason)

    @app.command("reinstate")
    def reinstate(identifier: str, reason: Annotated[str, reason_option]) -> None:
        """End the suspension of a licence (发还)."""
        change(identifier, LicenceState.VALID, reason)

    @app.command("void")
    def void(identifier: str, reason: Annotated[str, reason_option]) -> None:
        """Void a licence made in error (作废)."""
        change(identifier, LicenceState.VOID, reason)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotFoundError(f"There is no file {path.name}.", code="licence.csv.not-found") from error
    except OSError as error:
        raise MalformedError(f"The file {path.name} cannot be read.", code="licence.csv.unreadable") from error


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _write_files(service: LicenceService, licences: tuple[Licence, ...], out: Path) -> None:
    for licence in licences:
        for document in licence.documents:
            data = service.document(licence.identifier, document.form)
            _write(out / f"{licence.identifier}{document.form.suffix}", data)


def _print_batch(result: BatchResult, *, as_json: bool, console: Console) -> None:
    if as_json:
        answer = {
            "total": result.total,
            "issued": [{"identifier": one.identifier, "address": one.address} for one in result.licences],
            "bad_rows": [
                {"row": b.number, "column": b.column, "code": b.code, "en": b.sentence, "zh": b.sentence_zh}
                for b in result.bad
            ],
        }
        print(json.dumps(answer, ensure_ascii=False, indent=2))  # noqa: T201 - the answer of the command
        return
    console.print(f"{len(result.licences)} / {result.total} 已签发 issued")
    for bad in result.bad:
        console.print(f"[red]✘[/] {escape(bad.sentence)} {escape(bad.sentence_zh)}", highlight=False)


def _print_licence(licence: Licence, service: LicenceService, *, as_json: bool) -> None:
    state = licence.shown_state(service.clock())
    files = {str(d.form): d.sha256 for d in licence.documents}
    facts = {
        "identifier": licence.identifier,
        "holder": licence.record.name,
        "credit_code": licence.record.credit_code,
        "state": str(state),
        "stands": stands(state),
        "issued_at": licence.issued_at.isoformat() if licence.issued_at else None,
        "address": licence.address,
        "files": files,
    }
    if as_json:
        print(json.dumps(facts, ensure_ascii=False, indent=2))  # noqa: T201 - the answer of the command
        return
    table = Table(show_header=False, box=None)
    for name, value in facts.items():
        if name != "files":
            table.add_row(f"[dim]{name}[/]", escape(str(value)))
    for form, sha256 in files.items():
        table.add_row(f"[dim]{form}[/]", f"SHA-256 {sha256}")
    Console().print(table)
