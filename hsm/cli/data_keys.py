"""``xinyin hsm data-keys list|rotate|rewrap``."""

import getpass
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hsm.service import HsmService
from trustcore.errors import NotFoundError
from trustcore.protection import FIELD_KEY

__all__ = ["add_data_key_commands"]

OpenService = Callable[[], AbstractContextManager[HsmService]]
Name = Annotated[str, typer.Argument(help="数据密钥名称 Name of the data key.")]


def add_data_key_commands(app: typer.Typer, open_service: OpenService) -> None:
    """Add ``data-keys`` to ``app``, over a service that its commands open and close."""
    keys = typer.Typer(help="静态数据的信封密钥 Envelope keys for data at rest", no_args_is_help=True)
    app.add_typer(keys, name="data-keys")

    @keys.command("list", help="列出各版本 List all versions.")
    def list_versions(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
        with open_service() as service:
            found = service.data_keys.versions()
        if as_json:
            rows = [
                {"name": v.name, "version": v.version, "current": v.current, "form": v.form, "key_uri": v.key_uri,
                 "created_at": v.created_at.isoformat().replace("+00:00", "Z")}
                for v in found
            ]  # fmt: skip
            typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
            return
        table = Table(title=f"数据密钥 Data keys: {len(found)}", title_justify="left")
        for heading in ("名称 Name", "版本 Version", "形式 Form", "外层密钥 Wrapped under", "创建 Created (UTC)"):
            table.add_column(heading, overflow="fold")
        for v in found:
            mark = " ✔" if v.current else ""
            table.add_row(
                escape(v.name), f"{v.version}{mark}", v.form, escape(v.key_uri), f"{v.created_at:%Y-%m-%d %H:%M:%S}"
            )
        Console().print(table)

    @keys.command(help="新数据改用新版本 Make a new version for new data; earlier ones go on to open theirs.")
    def rotate(name: Name = FIELD_KEY) -> None:
        with open_service() as service:
            _check_known(service, name)
            version = service.data_keys.rotate(name, actor=getpass.getuser())
        typer.echo(f"{name}: {version}")

    @keys.command(help="更换外层密钥 Bring all versions under a fresh key of the machines.")
    def rewrap(name: Name = FIELD_KEY) -> None:
        with open_service() as service:
            _check_known(service, name)
            count = service.data_keys.rewrap(name, actor=getpass.getuser())
        typer.echo(f"{name}: {count}")


def _check_known(service: HsmService, name: str) -> None:
    """Let pass a key that is there: a slip of the pen makes none."""
    known = {version.name for version in service.data_keys.versions()}
    if name not in known:
        there = ", ".join(sorted(known)) or "none"
        raise NotFoundError(f"There is no data key {name}; there are: {there}.", code="hsm.data-key.not-found")
