"""``xinyin ofd``: verify and describe OFD documents."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ofd.cli import info
from ofd.verify.document import VerificationPolicy, verify
from trustcore.console import EXIT_USAGE, print_report
from trustcore.errors import TrustError
from trustcore.x509.certificate import Certificate, load_pem_bundle
from trustcore.x509.crl import load_crl

__all__ = ["build_cli", "read_input", "read_policy"]

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

    info.add_to(app, clock)
    return app


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
