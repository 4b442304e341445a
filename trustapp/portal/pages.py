"""The start page and the page for integrators."""

from importlib.resources import files

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from trustapp.wiring import Suite
from trustcore.web.pages import Pages

__all__ = ["build_portal_router"]

_SDK = "xinyin_hsm.py"
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

    @router.get(f"/developers/{_SDK}")
    def sdk() -> Response:
        headers = {"Content-Disposition": f'attachment; filename="{_SDK}"', "X-Content-Type-Options": "nosniff"}
        return Response(files("hsm.sdk").joinpath(_SDK).read_bytes(), media_type="text/x-python", headers=headers)

    return router
