"""Logging in at the portal as a person would."""

import html
import re

from starlette.testclient import TestClient

__all__ = ["form_token", "log_in"]

_PASSWORD = "correct horse battery staple"


def _fields(page: str) -> tuple[str, dict[str, str]]:
    action = re.search(r'<form class="form" method="post" action="([^"]+)"', page)
    assert action, page
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
    return html.unescape(action[1]), {name: html.unescape(value) for name, value in hidden.items()}


def log_in(browser: TestClient, passwords: dict[str, str], username: str, path: str = "/admin/") -> str:
    """Log in, choosing a password at the first time, and return the page that comes after."""
    answer = browser.get(path)
    action, fields = _fields(answer.text)
    first = passwords[username]
    answer = browser.post(action, data={**fields, "username": username, "password": first})
    if "new_password" in answer.text:
        action, fields = _fields(answer.text)
        new = {"new_password": _PASSWORD, "new_password_again": _PASSWORD}
        answer = browser.post(action, data={**fields, "username": username, "password": first, **new})
        passwords[username] = _PASSWORD
    assert answer.status_code == 200, answer.text
    return answer.text


def form_token(page: str) -> str:
    """The token that the page's forms send back."""
    found = re.search(r'name="form_token" value="([^"]+)"', page)
    assert found, page
    return html.unescape(found[1])
