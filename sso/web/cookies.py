"""Cookies: HttpOnly, SameSite=Lax, and over TLS Secure with the ``__Host-`` prefix (RFC 6265bis §4.1.3.2)."""

import hmac
import secrets
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from sso.settings import SsoSettings

__all__ = ["CSRF", "PORTAL", "PROVIDER", "Cookies", "csrf_token", "is_same_browser"]

PROVIDER = "xinyin-sso"
"""The session at the provider."""
PORTAL = "xinyin-portal"
"""The session at our own pages."""
CSRF = "xinyin-csrf"
_CSRF_BYTES = 32


class Cookies:
    """Reads and writes cookies as the settings ask."""

    def __init__(self, settings: SsoSettings) -> None:
        self._is_secure = settings.is_https

    def read(self, request: Request, name: str) -> str | None:
        """The value, where the browser sent one."""
        return request.cookies.get(self._full(name))

    def write(self, response: Response, name: str, value: str, *, max_age: timedelta | None = None) -> None:
        """Set a cookie, until the browser closes or for ``max_age``."""
        response.set_cookie(
            self._full(name),
            value,
            max_age=None if max_age is None else int(max_age.total_seconds()),
            path="/",
            secure=self._is_secure,
            httponly=True,
            samesite="lax",
        )

    def clear(self, response: Response, name: str) -> None:
        """Take a cookie back."""
        response.delete_cookie(self._full(name), path="/", secure=self._is_secure, httponly=True, samesite="lax")

    def _full(self, name: str) -> str:
        return f"__Host-{name}" if self._is_secure else name


def csrf_token(request: Request, cookies: Cookies) -> str:
    """The token for a form: the browser's, or a new one that the response has to set."""
    return cookies.read(request, CSRF) or secrets.token_urlsafe(_CSRF_BYTES)


def is_same_browser(request: Request, cookies: Cookies, token: str | None) -> bool:
    """Whether a form comes from a page that we gave to this browser.

    The token in the form must be the one in the cookie. ``Origin`` says nothing here: under ``Referrer-Policy:
    no-referrer`` browsers send ``null`` even from our own pages; ``Sec-Fetch-Site`` does, where it is sent.
    """
    expected = cookies.read(request, CSRF)
    if expected is None or token is None or request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    return hmac.compare_digest(expected.encode(), token.encode())
