"""Pages of one licence: what it is, its files, and the change of its state."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from licence_service.core.licence import Form as DocumentForm
from licence_service.core.register import STATE_WORDS
from licence_service.core.states import LicenceState, allowed, stands
from sso.portal import PortalUser
from trustapp.portal.desk import Desk, FormToken, Notice, see
from trustapp.wiring import Suite
from trustcore.errors import TrustError

__all__ = ["build_licence_router"]

_ACTIONS = {
    LicenceState.SUSPENDED: ("暂扣", "Suspend"),
    LicenceState.VALID: ("发还（恢复有效）", "Reinstate"),
    LicenceState.CANCELLED: ("注销", "Cancel"),
    LicenceState.WITHDRAWN: ("撤销", "Withdraw"),
    LicenceState.REVOKED: ("吊销", "Revoke"),
    LicenceState.VOID: ("作废", "Void"),
}


class _ChangeForm(BaseModel):
    target: LicenceState
    reason: str = Field(min_length=1, max_length=200)
    form_token: FormToken


def build_licence_router(suite: Suite, desk: Desk) -> APIRouter:
    """Routes below ``/licences/{identifier}``."""
    router = APIRouter(prefix="/licences", include_in_schema=False)

    def shown(request: Request, user: PortalUser, identifier: str, notice: Notice | None = None) -> Response:
        licence = suite.licences.licence(identifier)
        state = licence.shown_state(suite.clock())
        actions = [
            {"target": str(target), "zh": _ACTIONS[target][0], "en": _ACTIONS[target][1]}
            for target in allowed(licence.state)
            if target in _ACTIONS
        ]
        context = {
            "licence": licence,
            "words": STATE_WORDS[state],
            "stands": stands(state),
            "actions": actions,
            "notice": notice,
        }
        return desk.page(request, user, "admin_licence.html", context)

    @router.get("/{identifier}", response_model=None)
    def licence(request: Request, identifier: str, user: PortalUser = desk.visitor) -> Response:
        return shown(request, user, identifier)

    @router.post("/{identifier}", response_model=None)
    def change_licence(
        request: Request,
        identifier: str,
        form: Annotated[_ChangeForm, Form()],
        user: PortalUser = desk.visitor,
    ) -> Response:
        desk.check_form(user, form.form_token)
        try:
            suite.licences.change_state(identifier, form.target, reason=form.reason, actor=f"user:{user.subject}")
        except TrustError as error:
            notice = Notice(kind="error", zh="未能变更状态：该状态不允许此操作", en=error.detail)
            return shown(request, user, identifier, notice)
        return see(f"/admin/licences/{quote(identifier)}")

    @router.get("/{identifier}/{form}", response_model=None)
    def document(identifier: str, form: DocumentForm, _user: PortalUser = desk.visitor) -> Response:
        data = suite.licences.document(identifier, form)
        headers = {
            "Content-Disposition": f'attachment; filename="{identifier}{form.suffix}"',
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }
        return Response(data, media_type=form.media_type, headers=headers)

    return router
