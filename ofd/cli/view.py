"""``xinyin ofd view``: show a document in the browser of this machine."""

import webbrowser
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ofd.cli.policy import read_policy
from ofd.cli.terminal import refusals, usage_error
from ofd.fonts.library import installed_fonts
from ofd.model.document import Document
from ofd.package.lenient import LenientPackage
from ofd.package.source import FileSource
from ofd.verify.document import Verification, examine
from ofd.viewer.responding import responder
from ofd.viewer.server import LocalServer
from ofd.viewer.view import DocumentView

__all__ = ["add_to"]

_File = Annotated[Path, typer.Argument(metavar="FILE", help="OFD 文件 / the document")]
_Trust = Annotated[
    list[Path] | None,
    typer.Option(metavar="PEM", help="受信任的根证书,不给则不验证 / trusted roots; without them nothing is verified"),
]
_Crl = Annotated[list[Path] | None, typer.Option(metavar="FILE", help="吊销列表 / certificate revocation list")]
_Port = Annotated[int, typer.Option(min=0, max=65535, help="端口,默认任意 / any free port by default")]
_Open = Annotated[bool, typer.Option("--open/--no-open", help="打开浏览器 / open the browser")]


def add_to(app: typer.Typer, clock: Callable[[], datetime]) -> None:
    """Add the command.

    Args:
        app: the commands on OFD files.
        clock: answers with the time, aware.
    """

    @app.command("view")
    def view_command(
        file: _File, trust: _Trust = None, crl: _Crl = None, port: _Port = 0, open_browser: _Open = True
    ) -> None:
        """在本机浏览器中查看,按 Ctrl-C 结束 / show it in this machine's browser until Ctrl-C."""
        policy = read_policy(trust, crl or [], clock()) if trust else None

        with refusals(file), closing(FileSource(file)) as source:

            def judge() -> Verification:
                assert policy is not None
                return examine(source, policy)  # the octets that are shown, whatever stands at the path by now

            document = Document.open(LenientPackage(source))
            view = DocumentView(document, fonts=installed_fonts(), examine=None if policy is None else judge)
            try:
                server = LocalServer(responder(view), port=port)
            except OSError as error:
                raise usage_error(f"端口不可用 / the port cannot be used: {error.strerror}") from error
            typer.echo(f"{server.address}  (Ctrl-C 结束 / ends)")
            if open_browser:
                webbrowser.open(server.address)
            try:
                server.serve()
            except KeyboardInterrupt:
                typer.echo()
            finally:
                server.close()
