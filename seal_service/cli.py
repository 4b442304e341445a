"""``xinyin pdf verify`` and ``xinyin seal list|show|suspend|resume|revoke``."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ofd.cli.policy import read_input, read_policy
from seal_service.pdf.verify import verify_pdf
from seal_service.service import SealService, SealView
from trustcore.console import EXIT_USAGE, print_report

__all__ = ["OpenService", "build_cli", "build_pdf_cli"]

_ACTOR = "operator"
_PAGE = 500

OpenService = Callable[[], AbstractContextManager[SealService]]


def build_pdf_cli(clock: Callable[[], datetime]) -> typer.Typer:
    """The commands on PDF files, which need no installation; options as of ``xinyin ofd``.

    Args:
        clock: answers with the time, aware.
    """
    app = typer.Typer(help="PDF 签章:验证 / seals on PDF: verify", no_args_is_help=True)

    @app.callback()
    def pdf() -> None:
        """PDF 签章:验证 / seals on PDF: verify."""

    @app.command()
    def verify(
        file: Annotated[Path, typer.Argument(metavar="FILE", help="PDF 文件 / the document")],
        trust: Annotated[list[Path], typer.Option(metavar="PEM", help="受信任的根证书 / trusted root certificates")],
        as_json: Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")] = False,
        crl: Annotated[
            list[Path] | None, typer.Option(metavar="FILE", help="吊销列表 / certificate revocation list")
        ] = None,
        at: Annotated[
            str | None, typer.Option(metavar="RFC3339", help="验证时刻,默认现在 / moment, now by default")
        ] = None,
    ) -> None:
        """验证 PDF 的电子签章 / verify the seals of a PDF.

        Exit status: 0 valid, 1 not valid, 2 cannot tell, 64 wrong usage.
        """
        policy = read_policy(trust, crl or [], clock() if at is None else _moment(at))
        data = read_input(file)
        report = verify_pdf(data, policy)
        print_report(report, file_name=file.name, data=data, as_json=as_json)
        raise typer.Exit(report.verdict.exit_code)

    return app


def build_cli(open_service: OpenService) -> typer.Typer:
    """The commands on seals; ``open_service`` opens the service for the time of one command."""
    app = typer.Typer(help="电子印章 E-seals", no_args_is_help=True)

    @app.command("list")
    def list_seals(
        after: Annotated[str | None, typer.Option(help="Go on after this identifier.")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    ) -> None:
        """列出印章 List seals in the order of their identifiers."""
        with open_service() as service:
            _print(service.seals(after=after, limit=_PAGE), as_json=as_json)

    @app.command()
    def show(
        seal_id: Annotated[str, typer.Argument(help="印章标识 Identifier of the seal.")],
        out: Annotated[Path | None, typer.Option(help="Folder for seal.esl, seal.svg and seal.png.")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    ) -> None:
        """显示印章 Show a seal, and write its files where asked."""
        with open_service() as service:
            _print((service.seal(seal_id),), as_json=as_json)
            if out is not None:
                _write(service, seal_id, out)

    _add_states(app, open_service)
    return app


def _add_states(app: typer.Typer, open_service: OpenService) -> None:
    seal_argument = typer.Argument(help="印章标识 Identifier of the seal.")

    @app.command()
    def suspend(seal_id: Annotated[str, seal_argument]) -> None:
        """停用印章 Forbid the use of a seal for now."""
        with open_service() as service:
            _print((service.suspend(seal_id, actor=_ACTOR),), as_json=False)

    @app.command()
    def resume(seal_id: Annotated[str, seal_argument]) -> None:
        """恢复印章 Allow the use of a suspended seal again."""
        with open_service() as service:
            _print((service.resume(seal_id, actor=_ACTOR),), as_json=False)

    @app.command()
    def revoke(seal_id: Annotated[str, seal_argument]) -> None:
        """注销印章 Forbid the use of a seal for ever."""
        with open_service() as service:
            _print((service.revoke(seal_id, actor=_ACTOR),), as_json=False)


def _print(seals: tuple[SealView, ...], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([_as_json(seal) for seal in seals], ensure_ascii=False, indent=2))
        return
    table = Table()
    for heading in ("标识 Identifier", "名称 Name", "状态 State", "有效期至 Valid until"):
        table.add_column(heading, overflow="fold")
    for seal in seals:
        until = seal.valid_until.isoformat() if seal.valid_until else ""
        table.add_row(seal.id, escape(seal.name), str(seal.state), until)
    Console().print(table)


def _as_json(seal: SealView) -> dict[str, object]:
    return {
        name: value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
        for name, value in asdict(seal).items()
    }


def _write(service: SealService, seal_id: str, folder: Path) -> None:
    pictures = service.pictures(seal_id)
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in (
        ("seal.esl", service.seal_der(seal_id)),
        ("seal.svg", pictures.svg),
        ("seal.png", pictures.png),
    ):
        (folder / name).write_bytes(data)


def _moment(text: str) -> datetime:
    """A time given on the command line; ends the command with 64 when it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise _usage_error(f"时间格式不正确 / not an RFC 3339 time: {text}") from error
    if moment.tzinfo is None:
        raise _usage_error(f"时间缺少时区 / the time has no zone: {text}")
    return moment


def _usage_error(sentence: str) -> typer.Exit:
    typer.echo(sentence, err=True)
    return typer.Exit(EXIT_USAGE)
