"""The web application: every service under its prefix, the portal at the root.

:func:`build` is what each server process calls after it was started, so that every process opens the encryption
machines itself (a PKCS#11 library does not survive a fork).
"""

import gc
import json
import os
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import ExitStack, asynccontextmanager
from typing import Final

from fastapi import FastAPI, Request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

import ca.web.api
import hsm.web.api
import licence_service.web.api
import licence_service.web.pages
import seal_service.web.api
import sso.web.api
from hsm.metrics import MachineCollector
from trustapp import housekeeping
from trustapp.hardening import forbid_core_dumps
from trustapp.portal import desk
from trustapp.portal.admin import build_admin_router
from trustapp.portal.pages import build_portal_router
from trustapp.portal.session import build_login
from trustapp.settings import load_settings
from trustapp.version import VERSION
from trustapp.wiring import Suite, open_suite, wait_for_custodians
from trustcore import logs
from trustcore.errors import TrustError
from trustcore.web import problem
from trustcore.web.limits import BodyLimit
from trustcore.web.pages import Pages, language_of, static_files

__all__ = ["SERVICES", "build", "create_app"]

SERVICES: Final = ("hsm", "ca", "seal", "licence", "sso", "portal")
"""What can be served alone."""

_ONLY_VARIABLE = "XINYIN_ONLY"


def build() -> FastAPI:
    """The application of this process, from the settings; closes what it opened when the server stops."""
    forbid_core_dumps()
    settings = load_settings()
    logs.configure(level=settings.log.level, form=settings.log.form)
    stack = ExitStack()
    suite = stack.enter_context(open_suite(settings, on_locked=wait_for_custodians))
    stack.enter_context(housekeeping.running(suite))
    stack.enter_context(suite.hsm.operations.fleet.reporting())
    only = tuple(filter(None, os.environ.get(_ONLY_VARIABLE, "").split(",")))
    app = create_app(suite, only=only or SERVICES, on_close=stack.close)
    # What was made until here lives as long as the process: full collections need not look at it while callers wait.
    gc.collect()
    gc.freeze()
    return app


def create_app(
    suite: Suite, *, only: Collection[str] = SERVICES, on_close: Callable[[], None] | None = None
) -> FastAPI:
    """The application over an open suite.

    Args:
        suite: the services.
        only: which of :data:`SERVICES` to serve.
        on_close: called when the server stops.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        if on_close is not None:
            on_close()

    app = FastAPI(title="Xinyin", version=VERSION, openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan)
    for name, service_app in _service_apps(suite).items():
        if name in only:
            app.mount(f"/{name}", service_app)
    if "licence" in only:
        app.mount("/v", licence_service.web.pages.create_pages(suite.licences))
    app.mount("/static", static_files())
    if "portal" in only:
        login = build_login(suite)
        desk.install(app)
        app.include_router(login.router)
        app.include_router(build_admin_router(suite, login.current_user))
        app.include_router(build_portal_router(suite))
    _add_probes(app, suite)
    _install_errors(app)
    app.add_middleware(BodyLimit, max_bytes=suite.settings.web.max_body_bytes)
    return app


def _service_apps(suite: Suite) -> Mapping[str, FastAPI]:
    return {
        "hsm": hsm.web.api.create_api(suite.hsm, suite.gateway, suite.sso),
        "ca": ca.web.api.create_api(suite.ca, suite.sso),
        "seal": seal_service.web.api.create_api(suite.seals, suite.sso),
        "licence": licence_service.web.api.create_api(suite.licences, suite.sso),
        "sso": sso.web.api.create_api(suite.sso),
    }


def _add_probes(app: FastAPI, suite: Suite) -> None:
    @app.get("/healthz")
    def healthz() -> JSONResponse:
        return JSONResponse({"status": "ok", "version": VERSION})

    @app.get("/readyz")
    def readyz() -> JSONResponse:
        suite.database.ping()
        suite.hsm.health()
        return JSONResponse({"status": "ready"})

    machines = CollectorRegistry()
    machines.register(MachineCollector(suite.hsm.operations.fleet.reports))

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest() + generate_latest(machines), media_type=CONTENT_TYPE_LATEST)


def _install_errors(app: FastAPI) -> None:
    """People get a page, programs a problem document."""
    problem.install(app)
    pages = Pages()

    def page(request: Request, status: int, zh: str, en: str) -> Response:
        chinese = language_of(request) == "zh"
        context = {"heading": zh if chinese else en, "message": zh if chinese else en}
        return pages.render(request, "error.html", context, status=status)

    @app.exception_handler(HTTPException)
    def http_exception(request: Request, error: HTTPException) -> Response:
        if not _wants_page(request):
            return problem.problem(error.status_code, f"http.{error.status_code}", str(error.detail))
        return page(request, error.status_code, "没有这个页面", "There is no such page")

    @app.exception_handler(TrustError)
    def trust_error(request: Request, error: TrustError) -> Response:
        answer = problem.answer(request, error)
        if not _wants_page(request):
            return answer
        english = json.loads(bytes(answer.body))["detail"]
        return page(request, answer.status_code, _REASONS.get(answer.status_code, "无法完成"), english)


_REASONS = {
    403: "您没有打开此页面的权限",
    404: "没有找到",
    503: "服务暂时不可用，请稍后再试",
}


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")
