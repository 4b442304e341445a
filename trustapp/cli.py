"""The command ``xinyin``.

Commands parse, call one use case and print. Exit status: 0 done or valid, 1 refused or not valid, 2 cannot tell,
64 wrong usage, 130 interrupted.
"""

import errno
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

import ca.cli
import hsm.cli
import licence_service.cli
import ofd.cli.app
import seal_service.cli
import sso.cli
from hsm.gateway.grants import Grants
from hsm.keys.activation import Activation
from hsm.service import HsmService
from trustapp.adapters import KeyPersons
from trustapp.demo.command import add_demo
from trustapp.hardening import forbid_core_dumps
from trustapp.maintenance import add_maintenance
from trustapp.serve import LOOPBACK, data_environment, run_server
from trustapp.settings import Settings, load_settings
from trustapp.version import VERSION
from trustapp.wiring import Suite, now, open_database, open_machines, open_suite, wait_for_custodians
from trustcore import logs
from trustcore.console import EXIT_USAGE
from trustcore.errors import TrustError

__all__ = ["build_app", "main"]

_LIBRARY_USAGE = 2
"""The status that the command-line library itself gives to wrong usage; here it means “cannot tell”."""
_REFUSED = 1
_INTERRUPTED = 130
_SERVICE = TypeVar("_SERVICE")


class _Invocation:
    """The options before the command, for the commands."""

    def __init__(self) -> None:
        self.config: Path | None = None
        self.data: Path | None = None

    def settings(self) -> Settings:
        loaded = load_settings(self.config, data_dir=self.data)
        logs.configure(level=loaded.log.level if loaded.log.level != "INFO" else "WARNING", form=loaded.log.form)
        return loaded

    @contextmanager
    def suite(self, *, on_locked: Callable[[TrustError], None] | None = None) -> Iterator[Suite]:
        with open_suite(self.settings(), on_locked=on_locked) as opened:
            yield opened

    @contextmanager
    def activation(self) -> Iterator[Activation]:
        """What unlocks the machines, which are closed yet."""
        loaded = self.settings()
        with open_database(loaded) as database:
            yield Activation(
                loaded.hsm, data_dir=loaded.data_dir, database=database, clock=now, random=secrets.token_bytes
            )

    @contextmanager
    def machines(self) -> Iterator[HsmService]:
        """The machines, whatever state they are in."""
        with open_machines(self.settings()) as opened:
            yield opened

    @contextmanager
    def grants(self) -> Iterator[Grants]:
        with open_database(self.settings()) as database:
            yield Grants(database, now)

    def service(self, choose: Callable[[Suite], _SERVICE]) -> Callable[[], AbstractContextManager[_SERVICE]]:
        @contextmanager
        def opened() -> Iterator[_SERVICE]:
            with self.suite() as suite:
                yield choose(suite)

        return opened


def build_app() -> typer.Typer:
    """The command with all its sub-commands."""
    invocation = _Invocation()
    app = typer.Typer(
        name="xinyin",
        help="信印 Xinyin: PKI and trust services. 加密机、证书认证、电子印章、电子证照、单点登录。",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    _add_options(app, invocation)
    add_demo(app, invocation.suite)
    _add_serve(app, invocation)
    add_maintenance(app, invocation.settings, invocation.suite)
    app.add_typer(ofd.cli.app.build_cli(now), name="ofd")
    app.add_typer(seal_service.cli.build_pdf_cli(now), name="pdf")
    app.add_typer(
        hsm.cli.build_cli(
            invocation.service(lambda suite: suite.hsm),
            invocation.activation,
            invocation.service(lambda suite: (suite.hsm, KeyPersons(suite.sso))),
            invocation.grants,
            invocation.machines,
        ),
        name="hsm",
    )
    app.add_typer(ca.cli.build_cli(invocation.service(lambda suite: suite.ca)), name="ca")
    app.add_typer(seal_service.cli.build_cli(invocation.service(lambda suite: suite.seals)), name="seal")
    app.add_typer(licence_service.cli.build_cli(invocation.service(lambda suite: suite.licences)), name="licence")
    app.add_typer(sso.cli.build_cli(invocation.service(lambda suite: suite.sso)), name="sso")
    return app


def _add_options(app: typer.Typer, invocation: _Invocation) -> None:
    def print_version(wanted: bool) -> None:
        if wanted:
            print(f"xinyin {VERSION}")  # noqa: T201 - the answer of --version
            raise typer.Exit

    @app.callback()
    def options(
        config: Annotated[Path | None, typer.Option(help="Settings file; xinyin.toml of this folder if any.")] = None,
        data: Annotated[Path | None, typer.Option(help="Folder of the installation's data; var by default.")] = None,
        version: Annotated[  # noqa: ARG001 - answered by its callback
            bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")
        ] = False,
    ) -> None:
        invocation.config, invocation.data = config, data


def _add_serve(app: typer.Typer, invocation: _Invocation) -> None:
    @app.command()
    def serve(
        host: Annotated[
            list[str] | None, typer.Option(help="Address to listen on, may be repeated; this machine only by default.")
        ] = None,
        port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
        workers: Annotated[int, typer.Option(min=1, max=64, help="Server processes.")] = 1,
        only: Annotated[str, typer.Option(help="Services to serve, separated by commas; all by default.")] = "",
    ) -> None:
        """启动门户与全部接口。 Serve the portal and all interfaces."""
        with invocation.suite(on_locked=wait_for_custodians) as suite:
            address = suite.settings.public_url

        def announce() -> None:
            console = Console(stderr=True)
            console.print(f"信印 Xinyin {VERSION}: {address}  (Ctrl+C 停止 stops)", highlight=False)

        run_server(
            tuple(host or LOOPBACK),
            port,
            workers=workers,
            only=tuple(filter(None, only.split(","))),
            environment=data_environment(invocation.config, invocation.data),
            announce=announce,
        )


def main() -> None:
    """Run the command and exit with its status."""
    forbid_core_dumps()
    sys.exit(_run())


def _run() -> int:
    try:
        return int(build_app()(standalone_mode=False) or 0)
    except typer.TyperException as error:
        show = getattr(error, "show", None)
        if show is not None:
            show()
        status = getattr(error, "exit_code", _REFUSED)
        return EXIT_USAGE if status == _LIBRARY_USAGE else int(status)
    except (typer.Abort, KeyboardInterrupt):
        _complain("interrupted; the same command goes on where it stopped")
        return _INTERRUPTED
    except TrustError as error:
        _complain(f"{error.detail.rstrip('.')} [{error.code}]")
        return _REFUSED
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        _complain("the disk is full; make room and run the same command again to go on [disk.full]")
        return _REFUSED


def _complain(sentence: str) -> None:
    console = Console(stderr=True)
    console.print(f"[red]xinyin:[/] {escape(sentence)}", highlight=False, soft_wrap=True)
