"""``xinyin ofd``: verify and describe OFD documents."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ofd.package.reader import Package
from ofd.sign.parts import read_signature_list
from ofd.structure import page_names, read_bodies, read_part
from ofd.verify.document import VerificationPolicy, verify
from ofd.verify.reachable import find_reachable
from trustcore.console import EXIT_USAGE, print_report
from trustcore.errors import TrustError
from trustcore.x509.certificate import Certificate, load_pem_bundle
from trustcore.x509.crl import load_crl

__all__ = ["build_cli", "describe", "read_input", "read_policy"]

_File = Annotated[Path, typer.Argument(metavar="FILE", help="OFD 文件 / the document")]
_Json = Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")]
_Trust = Annotated[list[Path], typer.Option(metavar="PEM", help="受信任的根证书 / trusted root certificates")]
_Crl = Annotated[list[Path] | None, typer.Option(metavar="FILE", help="吊销列表 / certificate revocation list")]
_At = Annotated[
    str | None, typer.Option(metavar="RFC3339", help="验证时刻,默认现在 / moment of verification, now by default")
]


def build_cli(clock: Callable[[], datetime]) -> typer.Typer:
    """The commands on OFD files, which need no installation.

    Args:
        clock: answers with the time, aware.
    """
    app = typer.Typer(no_args_is_help=True, help="OFD 文件:验证与查看 / OFD documents: verify and describe")

    @app.command("verify")
    def verify_command(file: _File, trust: _Trust, as_json: _Json = False, crl: _Crl = None, at: _At = None) -> None:
        """验证文件的电子印章 / verify the seals: exit 0 valid, 1 not valid, 2 cannot tell, 64 wrong usage."""
        policy = read_policy(trust, crl or [], clock() if at is None else _moment(at))
        data = read_input(file)
        report = verify(data, policy)
        print_report(report, file_name=file.name, data=data, as_json=as_json)
        raise typer.Exit(report.verdict.exit_code)

    @app.command("info")
    def info_command(file: _File, as_json: _Json = False) -> None:
        """查看文件的内容,不验证 / describe a document without verifying it."""
        _print_description(file, as_json=as_json)

    return app


def _print_description(file: Path, *, as_json: bool) -> None:
    try:
        description = describe(read_input(file))
    except TrustError as error:
        typer.echo(f"{file.name}: {error.detail} ({error.code})", err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps(description, ensure_ascii=False, indent=2))
        return
    table = Table(show_header=False)
    for name, value in description.items():
        shown = "\n".join(f"{key}: {item}" for key, item in value.items()) if isinstance(value, dict) else str(value)
        table.add_row(name, escape(shown))
    Console().print(table)


def describe(data: bytes) -> dict[str, object]:
    """What a document says of itself, as JSON-ready data; nothing is verified.

    Raises:
        TrustError: the document cannot be read.
    """
    package = Package(data)
    body = read_bodies(package)[0]
    pages = page_names(read_part(package, body.document, "Document"), holder=body.document)
    signatures = () if body.signatures is None else read_signature_list(package, body.signatures)
    return {
        "title": body.title,
        "doc_id": body.doc_id,
        "pages": len(pages),
        "signatures": {item.id: item.type for item in signatures},
        "metadata": dict(body.metadata),
        "parts": {name: str(kind) for name, kind in find_reachable(package).parts.items()},
    }


def read_input(file: Path) -> bytes:
    """The octets of a file named on the command line; ends the command with 64 when it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise _usage_error(f"无法读取文件 / cannot read {file}: {error.strerror}") from error


def read_policy(trust: list[Path], crls: list[Path], at: datetime) -> VerificationPolicy:
    """The policy that the options of a verify command mean.

    Args:
        trust: PEM or DER files of trusted certificates. Each is trusted as a root.
        crls: PEM or DER revocation lists.
        at: moment of verification, aware.

    Raises:
        typer.Exit: with status 64 and a sentence on standard error, when a file cannot be read.
    """
    certificates: list[Certificate] = []
    for path in trust:
        try:
            certificates.extend(load_pem_bundle(read_input(path)))
        except TrustError as error:
            raise _usage_error(f"无法读取证书 / no certificate in {path}: {error.detail}") from error
    lists: list[bytes] = []
    for path in crls:
        try:
            lists.append(load_crl(read_input(path)).der)
        except TrustError as error:
            raise _usage_error(f"无法读取吊销列表 / no CRL in {path}: {error.detail}") from error
    return VerificationPolicy(roots=tuple(certificates), crls=tuple(lists), at=at)


def _usage_error(sentence: str) -> typer.Exit:
    """Say on standard error what was wrong with the command line."""
    typer.echo(sentence, err=True)
    return typer.Exit(EXIT_USAGE)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise _usage_error(f"时间格式不正确 / not an RFC 3339 time: {text}") from error
    if moment.tzinfo is None:
        raise _usage_error(f"时间缺少时区 / the time has no zone: {text}")
    return moment
