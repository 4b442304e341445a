"""Login for the product's own pages, to be mounted by whoever owns them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from sso.core.relying_party import Attempt
from sso.portal import Portal, PortalUser
from sso.settings import SsoSettings
from sso.web import errors
from sso.web.cookies import PORTAL, Cookies
from trustcore.errors import RejectedError, TrustError
from trustcore.web.pages import Pages

__all__ = ["PortalLogin", "build_login_router"]

_SEE_OTHER = 303
_ATTEMPT_LIFETIME = timedelta(minutes=15)
_STATE_PREFIX = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalLogin:
    """What the pages need."""

    router: APIRouter
    """``GET /login?return_to=/path``, ``GET /callback``, ``POST /logout``."""
    current_user: Callable[[Request], PortalUser | None]
    """Who is logged in; ``None`` for nobody."""


def build_login_router(portal: Portal, settings: SsoSettings) -> PortalLogin:
    """Routes and a look-up for pages that people log in to through OpenID Connect.

    Args:
        portal: whose client has ``<public_url>/callback`` for its redirect URI.
        settings: decide about the cookies.
    """
    views = _Views(portal, Cookies(settings))
    router = APIRouter(include_in_schema=False)
    router.add_api_route("/login", views.login, methods=["GET"], response_model=None)
    router.add_api_route("/callback", views.callback, methods=["GET"], response_model=None)
    router.add_api_route("/logout", views.logout, methods=["POST"], response_model=None)
    return PortalLogin(router=router, current_user=views.current_user)


class _Views:
    def __init__(self, portal: Portal, cookies: Cookies) -> None:
        self._portal = portal
        self._cookies = cookies
        self._pages = Pages("sso.web")

    def current_user(self, request: Request) -> PortalUser | None:
        """Who is logged in."""
        return self._portal.current(self._cookies.read(request, PORTAL))

    def login(self, return_to: Annotated[str, Query()] = "/") -> Response:
        """Send the browser to the provider."""
        url, attempt = self._portal.begin(return_to)
        response = _redirect(url)
        self._cookies.write(response, _cookie_name(attempt.state), attempt.cookie_value, max_age=_ATTEMPT_LIFETIME)
        return response

    def callback(self, request: Request, state: Annotated[str, Query()] = "") -> Response:
        """Take the provider's answer."""
        name = _cookie_name(state)
        try:
            kept = self._cookies.read(request, name)
            if kept is None:
                raise RejectedError("This login was not begun in this browser.", code="sso.portal.login-unknown")
            done = self._portal.finish(
                request.url.query,
                attempt=Attempt.from_cookie(kept),
                previous=self._cookies.read(request, PORTAL),
            )
        except TrustError as error:
            return errors.page(error, request, self._pages)
        response = _redirect(done.return_to)
        self._cookies.clear(response, name)
        self._cookies.write(response, PORTAL, done.cookie)
        return response

    def logout(self, request: Request) -> Response:
        """End the session here, then at the provider. By POST, with which other sites cannot send our cookie."""
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return errors.page(
                RejectedError("Log out on the page itself.", code="sso.portal.logout-cross-site"), request, self._pages
            )
        cookie = self._cookies.read(request, PORTAL)
        response = _redirect(self._portal.end(cookie))
        if cookie is not None:
            self._cookies.clear(response, PORTAL)
        return response


def _cookie_name(state: str) -> str:
    """One cookie per login, so that two tabs do not take each other's."""
    readable = "".join(character for character in state if character.isascii() and character.isalnum())
    return f"xinyin-login-{readable[:_STATE_PREFIX]}"


def _redirect(location: str) -> RedirectResponse:
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return RedirectResponse(location, _SEE_OTHER, headers)
