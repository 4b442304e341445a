"""``xinyin hsm``: machines and the keys in them."""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hsm.cli.activation import OpenActivation, add_activation_commands
from hsm.cli.approvals import OpenApprovals, add_approval_commands
from hsm.cli.ceremony import add_ceremony_commands
from hsm.cli.data_keys import add_data_key_commands
from hsm.cli.gateway import OpenGrants, build_gateway_cli
from hsm.cli.keys import add_key_commands
from hsm.cli.machines import add_machine_commands
from hsm.service import HsmService, SelfTestResult

__all__ = ["build_cli"]

OpenService = Callable[[], AbstractContextManager[HsmService]]
AsJson = Annotated[bool, typer.Option("--json", help="以 JSON 输出 Print JSON.")]


def build_cli(
    open_service: OpenService,
    open_activation: OpenActivation | None = None,
    open_approvals: OpenApprovals | None = None,
    open_grants: OpenGrants | None = None,
    open_machines: OpenService | None = None,
) -> typer.Typer:
    """The commands, over a service that each of them opens and closes.

    Those that unlock machines are there when ``open_activation`` is given, which needs no machine; those that agree to
    acts on CA keys when ``open_approvals`` is; those of the gateway when ``open_grants`` is. Those that look at
    machines and put them right take ``open_machines``, which opens whatever state they are in. All leave with 0, or 1
    when a machine is down or a self-test fails.
    """
    app = typer.Typer(help="加密机与密钥 Encryption machines and the keys in them", no_args_is_help=True)

    add_machine_commands(app, open_machines or open_service)
    add_key_commands(app, open_service)
    add_approval_commands(app, open_service, open_approvals)
    add_ceremony_commands(app, open_service, open_approvals)
    add_data_key_commands(app, open_service)
    if open_activation is not None:
        add_activation_commands(app, open_activation)
    if open_grants is not None:
        app.add_typer(build_gateway_cli(open_grants), name="gateway")

    @app.command(help="用每台加密机的每个密钥签名并验证 Sign with every key in every machine, and verify.")
    def selftest(as_json: AsJson = False) -> None:
        with open_service() as service:
            results = service.self_test()
        if as_json:
            rows = [{"machine": r.machine, "label": r.label, "ok": r.ok, "reason": r.reason} for r in results]
            typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        else:
            _print_results(results)
        raise typer.Exit(0 if all(result.ok for result in results) else 1)

    @app.command(help="把密钥补到曾停机的加密机 Give machines that were away the keys they missed.")
    def reconcile() -> None:
        with open_service() as service:
            moved = service.reconcile()
        typer.echo(f"{len(moved)} keys copied" + "".join(f"\n{label}" for label in moved))

    return app


def _print_results(results: Sequence[SelfTestResult]) -> None:
    table = Table(title="自检 Self-test", title_justify="left")
    for heading in ("加密机 Machine", "密钥 Key", "结果 Result"):
        table.add_column(heading, overflow="fold")
    for result in results:
        mark = "[green]✔[/]" if result.ok else f"[red]✘[/] {escape(result.reason)}"
        table.add_row(escape(result.machine), escape(result.label), mark)
    Console().print(table)
