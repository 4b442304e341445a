"""Commands for the operator: migrate, check the audit trail, look at the settings."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from trustapp import housekeeping, schema
from trustapp.demo.output import OutputFolder
from trustapp.settings import Settings
from trustapp.settings_sample import sample
from trustapp.wiring import Suite, make_private_folder
from trustcore import audit
from trustcore.checkpoint import Checkpoint, last_row, make_checkpoint, read_checkpoint, verify_checkpoint
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.database import Database
from trustcore.errors import MalformedError
from trustcore.signing import KeyPurpose, Signer, ensure_key

__all__ = ["add_maintenance"]

_AUDIT_KEY = "xinyin-audit"
_LAST_ROW = 2**63 - 1


def add_maintenance(
    app: typer.Typer,
    settings: Callable[[], Settings],
    open_suite: Callable[[], AbstractContextManager[Suite]],
) -> None:
    """Add the commands to ``app``."""

    @app.command()
    def migrate() -> None:
        """升级数据库结构。 Bring the database to this version's revision."""
        loaded = settings()
        make_private_folder(loaded.data_dir)
        database = Database(loaded.database_url)
        try:
            database.ping()
            schema.upgrade(database)
        finally:
            database.close()
        Console().print("数据库已是最新 The database is up to date")

    @app.command("housekeeping")
    def run_housekeeping() -> None:
        """执行一次日常维护。 Do once what the server does every quarter of an hour."""
        with open_suite() as suite:
            for task, result in housekeeping.run_once(suite).items():
                print(f"{task}: {result}")  # noqa: T201 - the answer of the command

    audit_app = typer.Typer(help="The audit trail. 审计。", no_args_is_help=True)
    config_app = typer.Typer(help="Settings. 设置。", no_args_is_help=True)
    app.add_typer(audit_app, name="audit")
    app.add_typer(config_app, name="config")
    _add_audit(audit_app, open_suite)
    _add_config(config_app, settings, open_suite)


def _add_audit(app: typer.Typer, open_suite: Callable[[], AbstractContextManager[Suite]]) -> None:
    @app.command()
    def verify(
        checkpoint: Annotated[Path | None, typer.Option(help="A checkpoint kept from earlier.")] = None,
    ) -> None:
        """检查审计链。 Recompute the whole chain; exit 1 when it is broken or was cut off."""
        earlier = None if checkpoint is None else _read_checkpoint(checkpoint)
        with open_suite() as suite:
            key = None if earlier is None else _audit_signer(suite).public_key_der
            with suite.database.transaction() as session:
                if earlier is None or key is None:
                    report = audit.verify_chain(session)
                else:
                    report = verify_checkpoint(session, earlier, public_key_der=key)
        for step in report.steps:
            Console().print(f"{step.zh}\n{step.en}", highlight=False)
        raise typer.Exit(report.verdict.exit_code)

    @app.command()
    def checkpoint(out: Annotated[Path, typer.Option(help="File to write; keep it elsewhere.")]) -> None:
        """签署审计检查点。 Sign the state of the trail, so that rows cut off later are noticed."""
        with open_suite() as suite:
            with suite.database.transaction() as session:
                last = last_row(session)
            made = make_checkpoint(last, _audit_signer(suite), at=suite.clock())
        OutputFolder(out.parent).write_json(out.name, made.as_json())
        Console().print(f"{out}: {last.number}", highlight=False, soft_wrap=True)

    @app.command("list")
    def list_rows(
        limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
        before: Annotated[
            int | None, typer.Option(min=1, max=_LAST_ROW, help="Number of the last row of the page before.")
        ] = None,
    ) -> None:
        """列出审计记录。 Print rows as JSON lines, newest first."""
        with open_suite() as suite, suite.database.transaction() as session:
            for row in audit.rows(session, before=before, limit=limit):
                line = {
                    "number": row.number, "at": row.at.isoformat(), "actor": row.actor, "action": row.action,
                    "subject": row.subject, "facts": row.facts, "digest": row.digest.hex(),
                }  # fmt: skip
                print(json.dumps(line, ensure_ascii=False))  # noqa: T201 - the answer of the command


def _audit_signer(suite: Suite) -> Signer:
    return suite.hsm.signer(ensure_key(suite.hsm, _AUDIT_KEY, KeyAlgorithm.SM2, purpose=KeyPurpose.AUDIT))


def _read_checkpoint(path: Path) -> Checkpoint:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise MalformedError(f"the checkpoint {path} cannot be read", code="audit.checkpoint.file") from error
    if not isinstance(content, dict):
        raise MalformedError("The file is not an audit checkpoint.", code="audit.checkpoint.form")
    return read_checkpoint(content)


def _add_config(
    app: typer.Typer,
    settings: Callable[[], Settings],
    open_suite: Callable[[], AbstractContextManager[Suite]],
) -> None:
    @app.command("sample")
    def print_sample() -> None:
        """打印设置样例。 Print a settings file with every setting, its manual and its default."""
        print(sample(), end="")  # noqa: T201 - the answer of the command

    @app.command()
    def check() -> None:
        """检查设置、数据库与加密机。 Read the settings and ask the database and every machine."""
        settings()
        with open_suite() as suite:
            suite.database.ping()
            suite.hsm.health()
        Console().print("设置、数据库、加密机均正常 Settings, database and machines are in order")
