"""``xinyin hsm machines``, ``drain``, ``resume``, ``probe`` and ``events``."""

import getpass
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hsm.core.events import Event
from hsm.core.member import MemberState
from hsm.operations import MachineCondition
from hsm.service import HsmService, MachineStatus

__all__ = ["add_machine_commands"]

_DEMONSTRATION = "软件加密机，仅供测试与演示 Software machines: for tests and demonstration only"
_STATES = {
    MemberState.UP: "[green]✔ 在用 up[/]",
    MemberState.RESTING: "[red]✘ 停用 resting[/]",
    MemberState.HANGING: "[red]✘ 无响应 hanging[/]",
    MemberState.DRAINING: "[yellow]正在退出 draining[/]",
    MemberState.DRAINED: "[yellow]维护中 drained[/]",
}

OpenService = Callable[[], AbstractContextManager[HsmService]]
Name = Annotated[str, typer.Argument(help="加密机名称 Name of the machine in the settings.")]
AsJson = Annotated[bool, typer.Option("--json", help="以 JSON 输出 Print JSON.")]


def add_machine_commands(app: typer.Typer, open_service: OpenService) -> None:
    """Add the commands to ``app``, over a service that each of them opens and closes.

    ``machines`` leaves with 1 when a machine is down that nobody has taken out, or when all are taken out.
    """

    @app.command(help="逐台探测加密机 Ask every machine, and show which answers.")
    def machines(as_json: AsJson = False) -> None:
        with open_service() as service:
            states = service.ask_machines()
            conditions = service.operations.status()
        if as_json:
            rows = [_json(state, condition) for state, condition in zip(states, conditions, strict=True)]
            typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        else:
            _print_machines(states, conditions)
        fine = all(state.up or condition.drain for state, condition in zip(states, conditions, strict=True))
        raise typer.Exit(0 if fine and any(state.up for state in states) else 1)

    @app.command(help="退出服务以便维护 Take a machine out for maintenance.")
    def drain(
        name: Name,
        force: Annotated[bool, typer.Option(help="即使没有其他加密机可用 Even if no other machine answers.")] = False,
    ) -> None:
        with open_service() as service:
            service.operations.drain(name, _actor(), force=force)
        typer.echo(f"{name}: 维护中 drained; 各进程数秒内生效 every server process follows within seconds")

    @app.command(help="维护后恢复加密机 Give a machine back after maintenance; it is proved before it is used.")
    def resume(name: Name) -> None:
        with open_service() as service:
            service.operations.resume(name, _actor())
        typer.echo(f"{name}: 恢复 resumed; 各进程自检后启用 every server process uses it when it is proved")

    @app.command(help="立即自检一台加密机 Prove one machine now.")
    def probe(name: Name) -> None:
        with open_service() as service:
            service.operations.probe(name)
        typer.echo(f"{name}: ✔")

    @app.command(help="加密机与密钥的事件 What happened to machines and keys, the newest first.")
    def events(
        machine: Annotated[str | None, typer.Option(help="只看一台 Only this machine.")] = None,
        limit: Annotated[int, typer.Option(min=1, max=1000, help="条数 How many.")] = 50,
        as_json: AsJson = False,
    ) -> None:
        with open_service() as service:
            found = service.operations.events(machine=machine, limit=limit)
        if as_json:
            typer.echo(
                json.dumps([_event_json(number, event) for number, event in found], ensure_ascii=False, indent=2)
            )
        else:
            _print_events([event for _, event in found])


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


def _json(state: MachineStatus, condition: MachineCondition) -> dict[str, object]:
    numbers, drain = condition.numbers, condition.drain
    return {
        "name": state.name,
        "token": state.token,
        "profile": state.profile,
        "demonstration": state.demonstration,
        "up": state.up,
        "state": numbers.state.value,
        "reason": state.reason,
        "in_flight": state.in_flight,
        "served": state.served,
        "drained_at": _time(drain.since) if drain else None,
        "drained_by": drain.actor if drain else None,
        "tested_at": _time(condition.tested_at) if condition.tested_at else None,
        "tested_well": numbers.tested_well,
    }


def _event_json(number: int, event: Event) -> dict[str, object]:
    return {
        "number": number,
        "at": _time(event.at),
        "machine": event.machine,
        "kind": event.kind.value,
        "detail": event.detail,
    }


def _time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _print_machines(states: Sequence[MachineStatus], conditions: Sequence[MachineCondition]) -> None:
    note = _DEMONSTRATION if any(state.demonstration for state in states) else None
    table = Table(title="加密机 Encryption machines", title_justify="left", caption=note, caption_justify="left")
    for heading in ("名称 Name", "令牌 Token", "厂商配置 Profile", "状态 State", "说明 Reason"):
        table.add_column(heading, overflow="fold")
    for state, condition in zip(states, conditions, strict=True):
        drain = condition.drain
        reason = f"{drain.actor}, {drain.since:%Y-%m-%d %H:%M} UTC" if drain else state.reason
        table.add_row(
            escape(state.name),
            escape(state.token),
            state.profile,
            _STATES[condition.numbers.state],
            escape(reason),
        )
    Console().print(table)


def _print_events(found: Sequence[Event]) -> None:
    table = Table(title="事件 Events", title_justify="left")
    for heading in ("时间 Time (UTC)", "加密机 Machine", "事件 Event", "说明 Detail"):
        table.add_column(heading, overflow="fold")
    for event in found:
        mark = "[red]" if event.kind.is_alarm else "[green]"
        table.add_row(
            f"{event.at:%Y-%m-%d %H:%M:%S}", escape(event.machine), f"{mark}{event.kind.value}[/]", escape(event.detail)
        )
    Console().print(table)
