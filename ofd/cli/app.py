"""``xinyin ofd``: verify and describe OFD documents."""

from collections.abc import Callable
from datetime import datetime

import typer

from ofd.cli import convert, diff, info, lint, protect, render, repair, sign, text, verify, view

__all__ = ["build_cli"]

_COMMANDS = (convert, diff, info, lint, protect, render, repair, sign, text, verify, view)


def build_cli(clock: Callable[[], datetime]) -> typer.Typer:
    """The commands on OFD files, which need no installation.

    Args:
        clock: answers with the time, aware.
    """
    app = typer.Typer(no_args_is_help=True, help="OFD 文件:验证与查看 / OFD documents: verify and describe")

    for command in _COMMANDS:
        command.add_to(app, clock)
    return app
