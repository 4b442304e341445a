"""Pages of the encryption machines: what they do, and taking one out for maintenance."""

from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel
from starlette.responses import Response

from hsm.core.fleet import MachineOverview, ProcessReport
from hsm.core.member import MemberState
from hsm.service import MachineStatus
from sso.portal import PortalUser
from trustapp.portal.desk import Desk, FormToken, Notice, see
from trustapp.portal.tables import event_cell
from trustapp.wiring import Suite
from trustcore.errors import NotFoundError, TrustError

__all__ = ["build_machine_router"]

_STATE_WORDS = {
    MemberState.UP: ("正常", "up", "valid"),
    MemberState.RESTING: ("故障", "down", "invalid"),
    MemberState.HANGING: ("无响应", "not answering", "invalid"),
    MemberState.DRAINING: ("正在停用", "draining", "unknown"),
    MemberState.DRAINED: ("维护中", "in maintenance", "unknown"),
}
_BUSIEST_KEYS = 20
_LAST_EVENTS = 10


class _Act(StrEnum):
    DRAIN = "drain"
    RESUME = "resume"
    PROBE = "probe"


class _ActForm(BaseModel):
    act: _Act
    force: bool = False
    form_token: FormToken


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """One machine for a template."""

    settings: MachineStatus
    numbers: MachineOverview
    words: tuple[str, str, str]

    @property
    def in_maintenance(self) -> bool:
        return self.numbers.state.is_maintenance


def build_machine_router(suite: Suite, desk: Desk) -> APIRouter:
    """Routes below ``/machines``."""
    router = APIRouter(prefix="/machines", include_in_schema=False)

    def detail(request: Request, user: PortalUser, name: str, notice: Notice | None = None) -> Response:
        reports = suite.hsm.operations.fleet.reports()
        shown = {machine.numbers.name: machine for machine in _machines(suite)}.get(name)
        if shown is None:
            raise NotFoundError(f"There is no encryption machine {name}.", code="hsm.machine.not-found", machine=name)
        information = None
        if shown.numbers.state is MemberState.UP:
            with suppress(TrustError):
                information = suite.hsm.operations.describe(name)
        context = {
            "machine": shown,
            "information": information,
            "processes": _by_process(reports, name),
            "events": _events(suite, name),
            "notice": notice,
        }
        return desk.page(request, user, "admin_machine.html", context)

    @router.get("", response_model=None)
    def machines(request: Request, user: PortalUser = desk.visitor) -> Response:
        overview = suite.hsm.operations.fleet.overview()
        context = {
            "machines": _machines(suite),
            "processes": overview.processes,
            "keys": overview.keys[:_BUSIEST_KEYS],
            "events": _events(suite, None),
        }
        return desk.page(request, user, "admin_machines.html", context)

    @router.get("/{name}", response_model=None)
    def machine(request: Request, name: str, user: PortalUser = desk.visitor) -> Response:
        return detail(request, user, name)

    @router.post("/{name}", response_model=None)
    def act(
        request: Request, name: str, form: Annotated[_ActForm, Form()], user: PortalUser = desk.visitor
    ) -> Response:
        desk.check_form(user, form.form_token)
        operations, actor = suite.hsm.operations, f"user:{user.subject}"
        try:
            if form.act is _Act.DRAIN:
                operations.drain(name, actor, force=form.force)
            elif form.act is _Act.RESUME:
                operations.resume(name, actor)
            else:
                operations.probe(name)
                passed = Notice(kind="", zh="自检通过", en="The self-test passed.")
                return detail(request, user, name, passed)
        except NotFoundError:
            raise
        except TrustError as error:
            failed = Notice(kind="error", zh=f"未能完成：{error.detail}", en=error.detail)
            return detail(request, user, name, failed)
        return see(f"/admin/machines/{quote(name)}")

    return router


def _machines(suite: Suite) -> list[_Shown]:
    settings = {machine.name: machine for machine in suite.hsm.machines()}
    return [
        _Shown(settings=settings[numbers.name], numbers=numbers, words=_STATE_WORDS[numbers.state])
        for numbers in suite.hsm.operations.fleet.overview().machines
        if numbers.name in settings
    ]


def _by_process(reports: tuple[ProcessReport, ...], name: str) -> list[dict[str, object]]:
    return [
        {"process": report.process, "numbers": machine, "words": _STATE_WORDS[machine.state]}
        for report in reports
        for machine in report.machines
        if machine.name == name
    ]


def _events(suite: Suite, machine: str | None) -> list[dict[str, object]]:
    found = suite.hsm.operations.events(machine=machine, limit=_LAST_EVENTS)
    return [{"at": event.at, "cell": event_cell(event.kind), "detail": event.detail} for _, event in found]
