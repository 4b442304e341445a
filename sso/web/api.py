"""The protocol's endpoints, to be mounted at the path of the issuer."""

from typing import Annotated

from fastapi import APIRouter, FastAPI, Header
from fastapi.responses import JSONResponse

from sso.service import SsoService
from sso.web import errors, pages
from sso.web.bodies import Form
from trustcore.web.pages import Pages

__all__ = ["create_api"]

_PUBLIC = {"Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*"}
"""For documents that are the same for everyone; no other endpoint lets scripts of other origins read it."""
_PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}

Authorization = Annotated[str | None, Header()]


def create_api(service: SsoService) -> FastAPI:
    """The OpenID Connect provider as an application with its own OpenAPI document."""
    app = FastAPI(title="Xinyin single sign-on", version="1", docs_url=None, redoc_url=None)
    templates = Pages("sso.web")
    app.include_router(_build_router(service))
    app.include_router(pages.build_router(service, templates))
    errors.install(app, templates)
    return app


def _build_router(service: SsoService) -> APIRouter:
    router = APIRouter(tags=["OpenID Connect"])

    @router.get("/.well-known/openid-configuration", summary="OpenID Connect Discovery 1.0 §4")
    def discovery() -> JSONResponse:
        return JSONResponse(service.discovery(), headers=_PUBLIC)

    @router.get("/jwks.json", summary="RFC 7517 §5")
    def jwks() -> JSONResponse:
        return JSONResponse(service.jwks(), headers=_PUBLIC)

    @router.post("/token", summary="RFC 6749 §3.2")
    def token(form: Form, authorization: Authorization = None) -> JSONResponse:
        return JSONResponse(service.token(form, authorization=authorization), headers=_PRIVATE)

    @router.get("/userinfo", summary="OpenID Connect Core 1.0 §5.3")
    @router.post("/userinfo", summary="OpenID Connect Core 1.0 §5.3", operation_id="userinfo_post")
    def userinfo(authorization: Authorization = None) -> JSONResponse:
        return JSONResponse(service.userinfo(authorization), headers=_PRIVATE)

    return router
