"""The start page and the page for integrators."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from trustapp.wiring import Suite
from trustcore.web.pages import Pages

__all__ = ["build_portal_router"]

_INTERFACES = (
    ("licence", "电子证照", "E-licences"),
    ("seal", "电子印章与签名", "Seals and signatures"),
    ("ca", "证书、OCSP、时间戳", "Certificates, OCSP, time stamps"),
    ("sso", "统一登录（OpenID Connect）", "Single sign-on (OpenID Connect)"),
    ("hsm", "加密机", "Encryption machines"),
)


def build_portal_router(suite: Suite) -> APIRouter:
    """Routes of the pages that need no login."""
    router = APIRouter(include_in_schema=False)
    pages = Pages("trustapp.portal")

    @router.get("/")
    def index(request: Request) -> HTMLResponse:
        return pages.render(request, "index.html", {"authorities": suite.ca.authorities(), "interfaces": _INTERFACES})

    @router.get("/developers")
    def developers(request: Request) -> HTMLResponse:
        context = {"interfaces": _INTERFACES, "base": suite.settings.public_url, "issuer": suite.sso.issuer}
        return pages.render(request, "developers.html", context)

    return router
