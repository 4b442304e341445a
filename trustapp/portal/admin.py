"""The administration under ``/admin``: pages behind the product's own OpenID Connect login, one menu per role."""

from collections.abc import Callable

from fastapi import APIRouter, Request
from starlette.responses import Response

from sso.portal import PortalUser
from trustapp.portal import tables
from trustapp.portal.desk import Desk
from trustapp.portal.keys import build_approval_router, build_key_router
from trustapp.portal.licences import build_licence_router
from trustapp.portal.machines import build_machine_router
from trustapp.portal.menu import ROLE_NAMES
from trustapp.portal.tables import Table
from trustapp.wiring import Suite

__all__ = ["build_admin_router"]

_CURSOR_LIMIT = 100
_TABLES: tuple[tuple[str, Callable[[Suite, str | None], Table]], ...] = (
    ("/certificates", tables.certificates),
    ("/applications", tables.applications),
    ("/seals", tables.seals),
    ("/licences", tables.licences),
    ("/audit", tables.audit_trail),
    ("/events", tables.events),
)


def build_admin_router(suite: Suite, current_user: Callable[[Request], PortalUser | None]) -> APIRouter:
    """Routes of the administration.

    Args:
        suite: the open services.
        current_user: who is logged in.
    """
    desk = Desk(suite.cipher, current_user)
    router = APIRouter(prefix="/admin", include_in_schema=False)

    @router.get("", response_model=None)
    @router.get("/", response_model=None)
    def home(request: Request, user: PortalUser = desk.visitor) -> Response:
        names = [ROLE_NAMES[role] for role in sorted(user.roles)]
        return desk.page(request, user, "admin_home.html", {"roles": names})

    for path, load in _TABLES:
        router.add_api_route(path, _table_view(suite, desk, load), response_model=None)
    router.include_router(build_licence_router(suite, desk))
    router.include_router(build_machine_router(suite, desk))
    router.include_router(build_key_router(suite, desk))
    router.include_router(build_approval_router(suite, desk))
    return router


def _table_view(
    suite: Suite, desk: Desk, load: Callable[[Suite, str | None], Table]
) -> Callable[[Request, PortalUser], Response]:
    """A page that lists something."""

    def view(request: Request, user: PortalUser = desk.visitor) -> Response:
        after = request.query_params.get("after")
        table = load(suite, after if after and len(after) <= _CURSOR_LIMIT else None)
        context = {
            "heading": table.heading, "columns": table.columns, "rows": table.rows,
            "next_page": table.next_page, "notice": table.notice, "action": table.action,
        }  # fmt: skip
        return desk.page(request, user, "admin_table.html", context)

    return view
