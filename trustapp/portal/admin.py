"""The administration under ``/admin``: pages behind the product's own OpenID Connect login, one menu per role."""

import hmac
from collections.abc import Callable, Mapping
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from licence_service.core.licence import Form as DocumentForm
from licence_service.core.register import STATE_WORDS
from licence_service.core.states import LicenceState, allowed, stands
from sso.portal import PortalUser
from trustapp.portal import tables
from trustapp.portal.menu import MENU, ROLE_NAMES, menu_for
from trustapp.portal.tables import Notice, Table
from trustapp.wiring import Suite
from trustcore.errors import ForbiddenError, TrustError
from trustcore.web.pages import Pages

__all__ = ["build_admin_router"]

_SEE_OTHER = 303
_ACTIONS = {
    LicenceState.SUSPENDED: ("暂扣", "Suspend"),
    LicenceState.VALID: ("发还（恢复有效）", "Reinstate"),
    LicenceState.CANCELLED: ("注销", "Cancel"),
    LicenceState.WITHDRAWN: ("撤销", "Withdraw"),
    LicenceState.REVOKED: ("吊销", "Revoke"),
    LicenceState.VOID: ("作废", "Void"),
}


def build_admin_router(suite: Suite, current_user: Callable[[Request], PortalUser | None]) -> APIRouter:
    """Routes of the administration.

    Args:
        suite: the open services.
        current_user: who is logged in.
    """
    views = _Views(suite, current_user)
    router = APIRouter(prefix="/admin", include_in_schema=False)
    router.add_api_route("", views.home, methods=["GET"], response_model=None)
    router.add_api_route("/", views.home, methods=["GET"], response_model=None)
    router.add_api_route("/machines", views.table(lambda _after: tables.machines(suite)), response_model=None)
    for path, table in (
        ("/certificates", tables.certificates),
        ("/applications", tables.applications),
        ("/seals", tables.seals),
        ("/licences", tables.licences),
        ("/audit", tables.audit_trail),
    ):
        router.add_api_route(path, views.table(_with_suite(table, suite)), response_model=None)
    router.add_api_route("/licences/{identifier}", views.licence, methods=["GET"], response_model=None)
    router.add_api_route("/licences/{identifier}", views.change_licence, methods=["POST"], response_model=None)
    router.add_api_route("/licences/{identifier}/{form}", views.document, methods=["GET"], response_model=None)
    return router


def _with_suite(table: Callable[[Suite, str | None], Table], suite: Suite) -> Callable[[str | None], Table]:
    return lambda after: table(suite, after)


class _Views:
    def __init__(self, suite: Suite, current_user: Callable[[Request], PortalUser | None]) -> None:
        self._suite = suite
        self._current_user = current_user
        self._pages = Pages("trustapp.portal")

    def home(self, request: Request) -> Response:
        """What the person may do here."""
        user = self._current_user(request)
        if user is None:
            return _to_login(request)
        names = [ROLE_NAMES[role] for role in sorted(user.roles)]
        return self._render(request, user, "admin_home.html", {"roles": names})

    def table(self, load: Callable[[str | None], Table]) -> Callable[[Request], Response]:
        """A page that lists something."""

        def view(request: Request) -> Response:
            user = self._allowed(request)
            if user is None:
                return _to_login(request)
            after = request.query_params.get("after")
            table = load(after if after and len(after) <= 100 else None)
            context = {
                "heading": table.heading, "columns": table.columns, "rows": table.rows,
                "next_page": table.next_page, "notice": table.notice, "action": table.action,
            }  # fmt: skip
            return self._render(request, user, "admin_table.html", context)

        return view

    def licence(self, request: Request, identifier: str, notice: Notice | None = None) -> Response:
        """One licence, and what can be done with it."""
        user = self._allowed(request)
        if user is None:
            return _to_login(request)
        licence = self._suite.licences.licence(identifier)
        state = licence.shown_state(self._suite.clock())
        actions = [
            {"target": str(target), "zh": _ACTIONS[target][0], "en": _ACTIONS[target][1]}
            for target in allowed(licence.state)
            if target in _ACTIONS
        ]
        context = {
            "licence": licence, "words": STATE_WORDS[state], "stands": stands(state), "actions": actions,
            "form_token": self._form_token(user), "notice": notice,
        }  # fmt: skip
        return self._render(request, user, "admin_licence.html", context)

    def change_licence(
        self,
        request: Request,
        identifier: str,
        target: Annotated[LicenceState, Form()],
        reason: Annotated[str, Form(min_length=1, max_length=200)],
        form_token: Annotated[str, Form()],
    ) -> Response:
        """Suspend, reinstate, cancel …; the form's token shows that it came from our own page."""
        user = self._allowed(request)
        if user is None:
            return _to_login(request)
        if not hmac.compare_digest(form_token.encode(), self._form_token(user).encode()):
            raise ForbiddenError("The form is not of this session; open the page again.", code="admin.form-token")
        try:
            self._suite.licences.change_state(identifier, target, reason=reason, actor=f"user:{user.subject}")
        except TrustError as error:
            notice = Notice(kind="error", zh="未能变更状态：该状态不允许此操作", en=error.detail)
            return self.licence(request, identifier, notice)
        return RedirectResponse(f"/admin/licences/{quote(identifier)}", _SEE_OTHER)

    def document(self, request: Request, identifier: str, form: DocumentForm) -> Response:
        """A sealed file of a licence."""
        user = self._allowed(request)
        if user is None:
            return _to_login(request)
        data = self._suite.licences.document(identifier, form)
        headers = {
            "Content-Disposition": f'attachment; filename="{identifier}{form.suffix}"',
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }
        return Response(data, media_type=form.media_type, headers=headers)

    def _allowed(self, request: Request) -> PortalUser | None:
        """Who is logged in; ``ForbiddenError`` when the roles do not open this page."""
        user = self._current_user(request)
        if user is None:
            return None
        section = next(item for item in reversed(MENU) if request.url.path.startswith(item.path))
        if not section.roles.intersection(user.roles):
            raise ForbiddenError("Your roles do not open this page.", code="admin.role")
        return user

    def _form_token(self, user: PortalUser) -> str:
        return self._suite.cipher.lookup(f"form:{user.subject}:{user.auth_time.isoformat()}")

    def _render(self, request: Request, user: PortalUser, template: str, context: Mapping[str, object]) -> HTMLResponse:
        return self._pages.render(request, template, {"user": user, "menu": menu_for(user.roles), **context})


def _to_login(request: Request) -> RedirectResponse:
    return RedirectResponse(f"/login?return_to={quote(request.url.path)}", _SEE_OTHER)
