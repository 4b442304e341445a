"""``xinyin ofd``: verify and describe OFD documents."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ofd.cli import info, render, text, view
from ofd.cli.policy import read_input, read_moment, read_policy
from ofd.verify.document import verify
from trustcore.console import print_report

__all__ = ["build_cli"]

_File = Annotated[Path, typer.Argument(metavar="FILE", help="OFD 文件 / the document")]
_Json = Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")]
_Trust = Annotated[list[Path], typer.Option(metavar="PEM", help="受信任的根证书 / trusted root certificates")]
_Crl = Annotated[list[Path] | None, typer.Option(metavar="FILE", help="吊销列表 / certificate revocation list")]
_At = Annotated[
    str | None, typer.Option(metavar="RFC3339", help="验证时刻,默认现在 / moment of verification, now by default")
]


_COMMANDS = (info, render, text, view)


def build_cli(clock: Callable[[], datetime]) -> typer.Typer:
    """The commands on OFD files, which need no installation.

    Args:
        clock: answers with the time, aware.
    """
    app = typer.Typer(no_args_is_help=True, help="OFD 文件:验证与查看 / OFD documents: verify and describe")

    @app.command("verify")
    def verify_command(file: _File, trust: _Trust, as_json: _Json = False, crl: _Crl = None, at: _At = None) -> None:
        """验证文件的电子印章 / verify the seals: exit 0 valid, 1 not valid, 2 cannot tell, 64 wrong usage."""
        policy = read_policy(trust, crl or [], clock() if at is None else read_moment(at))
        data = read_input(file)
        report = verify(data, policy)
        print_report(report, file_name=file.name, data=data, as_json=as_json)
        raise typer.Exit(report.verdict.exit_code)

    for command in _COMMANDS:
        command.add_to(app, clock)
    return app
