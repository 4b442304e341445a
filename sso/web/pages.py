"""Pages for people: logging in and out."""

from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from sso.core import parameters
from sso.core.errors import PageError
from sso.logins import Credentials
from sso.service import LoginNeeded, LogoutQuestion, Redirect, SsoService
from sso.web import errors
from sso.web.bodies import Form
from sso.web.cookies import CSRF, PROVIDER, Cookies, csrf_token, is_same_browser
from trustcore.errors import RejectedError, TrustError
from trustcore.web.pages import Language, Pages, language_of

__all__ = ["build_router"]

_SEE_OTHER = 303
"""Never 307: it would send the password on to the client (RFC 9700 §4.12)."""


def build_router(service: SsoService, pages: Pages) -> APIRouter:
    """``/authorize``, ``/login`` and ``/logout``."""
    views = _Views(service, pages)
    router = APIRouter(include_in_schema=False)
    router.add_api_route("/authorize", views.authorize, methods=["GET"], response_model=None)
    router.add_api_route("/authorize", views.authorize_post, methods=["POST"], response_model=None)
    router.add_api_route("/login", views.login_form, methods=["GET"], response_model=None)
    router.add_api_route("/login", views.login, methods=["POST"], response_model=None)
    router.add_api_route("/logout", views.logout, methods=["GET"], response_model=None)
    router.add_api_route("/logout", views.logout_post, methods=["POST"], response_model=None)
    return router


class _Views:
    def __init__(self, service: SsoService, pages: Pages) -> None:
        self._service = service
        self._pages = pages
        self._cookies = Cookies(service.settings)
        self._base = urlsplit(service.issuer).path

    def authorize(self, request: Request) -> Response:
        """The authorization endpoint (RFC 6749 §3.1)."""
        query = request.url.query
        outcome = self._service.authorize(query, cookie=self._cookies.read(request, PROVIDER))
        if isinstance(outcome, Redirect):
            return _redirect(outcome.location)
        return _redirect(f"{self._base}/login?{query}")

    def authorize_post(self, form: Form) -> Response:
        """The same by POST (OpenID Connect Core 1.0 §3.1.2.1), turned into GET.

        A browser does not send a SameSite=Lax cookie with a POST from another site, and does with the GET after it.
        """
        return _redirect(f"{self._base}/authorize?{form}")

    def login_form(self, request: Request) -> Response:
        """The page on which a person logs in to answer an authorization request, which is the page's query."""
        query = request.url.query
        outcome = self._service.authorize(query, cookie=self._cookies.read(request, PROVIDER))
        if isinstance(outcome, Redirect):
            return _redirect(outcome.location)
        return self._login_page(request, outcome, query, username=outcome.username_hint)

    def login(self, request: Request, form: Form) -> Response:
        """Take the form: log in and answer the authorization request at once."""
        fields = parameters.parse(form)
        query = fields.get("request", "")
        outcome = self._service.authorize(query, cookie=None)
        if isinstance(outcome, Redirect):
            return _redirect(outcome.location)
        username = fields.get("username", "")
        try:
            if not is_same_browser(request, self._cookies, fields.get("csrf")):
                raise RejectedError("The page has expired; fill it in again.", code="sso.login.form-expired")
            if fields.get("new_password") != fields.get("new_password_again"):
                raise RejectedError("The new passwords differ.", code="sso.password.repeated-differently")
            credentials = Credentials(
                username=username,
                password=fields.get("password", ""),
                new_password=fields.get("new_password"),
                address=request.client.host if request.client else "",
            )
            cookie = self._service.login(credentials, previous=self._cookies.read(request, PROVIDER))
        except TrustError as error:
            wants_new = error.code.startswith("sso.password.") or error.code == "sso.login.password-change-required"
            return self._login_page(request, outcome, query, username=username, error=error, wants_new=wants_new)
        answered = self._service.authorize(query, cookie=cookie, is_fresh=True)
        if not isinstance(answered, Redirect):
            raise PageError("The login ended before it could be used.", code="sso.login.ended")
        response = _redirect(answered.location)
        self._cookies.write(response, PROVIDER, cookie)
        self._cookies.clear(response, CSRF)
        return response

    def logout(self, request: Request) -> Response:
        """The end-session endpoint (OpenID Connect RP-Initiated Logout 1.0 §2)."""
        return self._logout(request, request.url.query, is_confirmed=False)

    def logout_post(self, request: Request, form: Form) -> Response:
        """The answer to our own question, which carries our token; anything else is the same as by GET.

        It is turned into GET because a POST from another site comes without the session's cookie, and would seem to
        have logged the person out.
        """
        if is_same_browser(request, self._cookies, parameters.parse(form).get("csrf")):
            return self._logout(request, form, is_confirmed=True)
        return _redirect(f"{self._base}/logout?{form}")

    def _logout(self, request: Request, query: str, *, is_confirmed: bool) -> Response:
        cookie = self._cookies.read(request, PROVIDER)
        outcome = self._service.logout(query, cookie=cookie, is_confirmed=is_confirmed)
        if isinstance(outcome, LogoutQuestion):
            token = csrf_token(request, self._cookies)
            response: Response = self._pages.render(
                request, "logout.html", {"action": f"{self._base}/logout", "csrf": token}
            )
            self._cookies.write(response, CSRF, token)
            return response
        response = self._pages.render(request, "logged_out.html") if outcome is None else _redirect(outcome.location)
        if cookie is not None:  # else another site could take the cookie from the browser
            self._cookies.clear(response, PROVIDER)
        return response

    def _login_page(
        self, request: Request, needed: LoginNeeded, query: str, *, username: str, error: TrustError | None = None,
        wants_new: bool = False,
    ) -> Response:  # fmt: skip
        token = csrf_token(request, self._cookies)
        context = {
            "action": f"{self._base}/login",
            "application": needed.target.client.name,
            "csrf": token,
            "request_query": query,
            "username": username,
            "message": None if error is None else errors.message(error, request),
            "wants_new": wants_new,
            "other_language": _in_other_language(query, language_of(request)),
        }
        response = self._pages.render(
            request,
            "login.html",
            context,
            status=200 if error is None else errors.status_of(error),
            form_targets=[needed.target.form_action_source],
        )
        if error is not None and "retry_after_seconds" in error.facts:
            response.headers["Retry-After"] = str(error.facts["retry_after_seconds"])
        self._cookies.write(response, CSRF, token)
        return response


def _in_other_language(query: str, language: Language) -> str:
    """The page's query in the other language; a form that was sent has left it behind."""
    others = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name != "lang"]
    return "?" + urlencode([*others, ("lang", "en" if language == "zh" else "zh")])


def _redirect(location: str) -> RedirectResponse:
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return RedirectResponse(location, _SEE_OTHER, headers)
