"""``xinyin hsm approvals``, ``approve`` and ``refuse``: two persons for what must not be one person's act."""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hsm.core.approvals import Approval, ApprovalAct, ApprovalState
from hsm.ports import Persons
from hsm.service import HsmService
from trustcore.console import printable

__all__ = ["OpenApprovals", "add_approval_commands", "approval_json"]

_ACTS = {
    ApprovalAct.GENERATE: "生成 generate",
    ApprovalAct.IMPORT: "导入 import",
    ApprovalAct.EXPORT: "导出 export",
    ApprovalAct.DESTROY: "销毁 destroy",
    ApprovalAct.ASSIGN: "定为CA密钥 assign",
}
_STATES = {
    ApprovalState.PENDING: "待批准 pending",
    ApprovalState.APPROVED: "[green]已批准 approved[/]",
    ApprovalState.BEGUN: "[yellow]执行中 begun[/]",
    ApprovalState.EXECUTED: "已执行 executed",
    ApprovalState.REFUSED: "[red]已拒绝 refused[/]",
    ApprovalState.EXPIRED: "已过期 expired",
}

OpenService = Callable[[], AbstractContextManager[HsmService]]
OpenApprovals = Callable[[], AbstractContextManager[tuple[HsmService, Persons]]]
Request = Annotated[str, typer.Argument(metavar="REQUEST", help="申请编号 Number of the request.")]


def add_approval_commands(app: typer.Typer, open_service: OpenService, open_approvals: OpenApprovals | None) -> None:
    """Add the commands to ``app``; those that decide are there when persons can be known."""

    @app.command(help="列出待批准的操作 List the acts that wait for two persons.")
    def approvals(
        every: Annotated[bool, typer.Option("--all", help="包括已结束的 Those that are over, too.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="以 JSON 输出 Print JSON.")] = False,
    ) -> None:
        with open_service() as service:
            found, now = service.pending(only_open=not every), service.now()
        if as_json:
            typer.echo(json.dumps([approval_json(item, now) for item in found], ensure_ascii=False, indent=2))
        else:
            _print(found, now)

    if open_approvals is not None:
        _add_decisions(app, open_approvals)


def approval_json(approval: Approval, now: datetime) -> dict[str, object]:
    """A request as JSON-ready data; times are RFC 3339."""
    return {
        "id": approval.id,
        "act": approval.act.value,
        "label": approval.subject,
        "parameters": dict(approval.parameters),
        "state": approval.state(now).value,
        "requested_by": approval.requested_by,
        "requested_at": _rfc3339(approval.requested_at),
        "expires_at": _rfc3339(approval.expires_at),
        "approved_by": [{"person": item.person, "at": _rfc3339(item.at)} for item in approval.consents],
        "refused_by": approval.refused_by,
        "executed_at": None if approval.executed_at is None else _rfc3339(approval.executed_at),
    }


def _add_decisions(app: typer.Typer, open_approvals: OpenApprovals) -> None:
    def decide(request: str, question: str, vote: Callable[[HsmService], Callable[[str, str], Approval]]) -> None:
        with open_approvals() as (service, persons):
            approval = service.approval(request)
            _print((approval,), service.now())
            for name, value in approval.parameters.items():
                typer.echo(printable(f"  {name}: {value}"))
            username = typer.prompt("用户名 User name")
            password = typer.prompt("口令 Password", hide_input=True)
            person = persons.verify(username, password)
            typer.confirm(question, abort=True)
            state = vote(service)(request, person).state(service.now())
        Console().print(f"{escape(request)}: {_STATES[state]}", soft_wrap=True)

    @app.command(help="批准 Agree to an act; the person proves who he is with his password.")
    def approve(request: Request) -> None:
        decide(request, "批准以上操作？ Agree to exactly this?", lambda service: service.approve)

    @app.command(help="拒绝 Refuse an act, which closes the request.")
    def refuse(request: Request) -> None:
        decide(request, "拒绝以上操作？ Refuse this?", lambda service: service.refuse)


def _print(found: Sequence[Approval], now: datetime) -> None:
    table = Table(title=f"审批 Approvals: {len(found)}", title_justify="left")
    for heading in (
        "编号 Request", "操作 Act", "密钥 Key", "申请 Requested by", "批准 Approved by", "状态 State",
        "截止 Until (UTC)",
    ):  # fmt: skip
        table.add_column(heading, overflow="fold")
    for item in found:
        agreed = ", ".join(consent.person for consent in item.consents)
        table.add_row(
            item.id, _ACTS[item.act], escape(item.subject), escape(item.requested_by),
            f"{len(item.consents)}/{item.needed} {escape(agreed)}", _STATES[item.state(now)],
            f"{item.expires_at:%Y-%m-%d %H:%M}",
        )  # fmt: skip
    Console().print(table)


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
