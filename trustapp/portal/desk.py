"""What every page of the administration does first and last: who is it, may they, is the form ours, the frame."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, TypeAlias
from urllib.parse import quote

from fastapi import Depends, FastAPI, Request
from pydantic import Field
from starlette.responses import HTMLResponse, RedirectResponse, Response

from sso.portal import PortalUser
from trustapp.portal.menu import MENU, menu_for
from trustcore.errors import ForbiddenError
from trustcore.protection import FieldCipher
from trustcore.web.pages import Pages

__all__ = ["Desk", "FormToken", "Notice", "install", "see"]

_SEE_OTHER = 303
FormToken: TypeAlias = Annotated[str, Field(max_length=200)]
"""The hidden field ``form_token`` of every form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A line above a page; ``kind`` is empty, ``error`` or ``warning``."""

    kind: str
    zh: str
    en: str


class _LoginNeededError(Exception):
    """Nobody is logged in; the login leads back to ``path``."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Desk:
    """The administration's frame.

    Args:
        cipher: makes the tokens of forms.
        current_user: who is logged in.
    """

    def __init__(self, cipher: FieldCipher, current_user: Callable[[Request], PortalUser | None]) -> None:
        self._cipher = cipher
        self._current_user = current_user
        self._pages = Pages("trustapp.portal")
        self.visitor = Depends(self._visitor)
        """Default of a view's parameter: the person whose roles open the page. Others get the login, or 403."""

    def _visitor(self, request: Request) -> PortalUser:
        user = self._current_user(request)
        if user is None:
            raise _LoginNeededError(request.url.path)
        section = next(item for item in reversed(MENU) if request.url.path.startswith(item.path))
        if not section.roles.intersection(user.roles):
            raise ForbiddenError("Your roles do not open this page.", code="admin.role")
        return user

    def check_form(self, user: PortalUser, form_token: str) -> None:
        """Raise ``ForbiddenError`` (``admin.form-token``) for a form that did not come from a page of this session."""
        if not hmac.compare_digest(form_token.encode(), self._form_token(user).encode()):
            raise ForbiddenError("The form is not of this session; open the page again.", code="admin.form-token")

    def _form_token(self, user: PortalUser) -> str:
        return self._cipher.lookup(f"form:{user.subject}:{user.auth_time.isoformat()}")

    def page(self, request: Request, user: PortalUser, template: str, context: Mapping[str, object]) -> HTMLResponse:
        """A page with the person's menu; its forms send ``form_token`` back."""
        frame = {"user": user, "menu": menu_for(user.roles), "form_token": self._form_token(user), "notice": None}
        return self._pages.render(request, template, {**frame, **context})


def see(path: str) -> RedirectResponse:
    """After a form was done: the page to look at, so that reloading it does nothing twice."""
    return RedirectResponse(path, _SEE_OTHER)


def install(app: FastAPI) -> None:
    """Lead people who are not logged in to the login and back."""

    @app.exception_handler(_LoginNeededError)
    def to_login(_request: Request, error: _LoginNeededError) -> Response:
        return see(f"/login?return_to={quote(error.path)}")
