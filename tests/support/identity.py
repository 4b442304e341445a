"""An identity provider with one person and one client, a browser before it, and a clock that is told the time."""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

from fastapi import FastAPI
from httpx2 import Response
from starlette.testclient import TestClient

from sso.applications import Registration
from sso.core import pkce
from sso.core.roles import Role
from sso.logins import Credentials
from sso.service import SsoService
from sso.web.api import create_api
from trustcore.crypto.software import SoftwareKeys
from trustcore.database import Database

PASSWORD = "correct horse battery staple"
REDIRECT_URI = "https://app.example.cn/callback"
GOODBYE = "https://app.example.cn/goodbye"
EPOCH = datetime(2030, 1, 15, 9, 30, tzinfo=UTC)
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


class Clock:
    """A time that stands still until it is told to move."""

    def __init__(self, start: datetime) -> None:
        self.now = start

    def __call__(self) -> datetime:
        """The present."""
        return self.now

    def advance(self, **duration: float) -> None:
        """Move on by a ``timedelta``."""
        self.now += timedelta(**duration)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A provider with a person (``alice``) and a confidential client (``app``)."""

    service: SsoService
    database: Database
    keys: SoftwareKeys
    clock: Clock
    secret: str
    registration: Registration
    cookie: str
    """Of a session that ``alice`` began at EPOCH."""

    def parameters(self, **changed: str | None) -> dict[str, str]:
        """A good authorization request, with some parameters changed or, by ``None``, left out."""
        good: dict[str, str | None] = {
            "response_type": "code",
            "client_id": "app",
            "redirect_uri": REDIRECT_URI,
            "scope": "openid profile roles",
            "state": "af0ifjsldkj",
            "nonce": "n-0S6_WzA2Mj",
            "code_challenge": pkce.challenge_of(VERIFIER),
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in (good | changed).items() if value is not None}

    def query(self, **changed: str | None) -> str:
        """As a query string."""
        return urlencode(self.parameters(**changed))

    def session(self, username: str = "alice", password: str = PASSWORD) -> str:
        """Log in; the cookie's value."""
        credentials = Credentials(username=username, password=password, address="192.0.2.1")
        return self.service.login(credentials, previous=None)

    def code(self, cookie: str, **changed: str | None) -> str:
        """A code for a session."""
        return answer(self.service.authorize(self.query(**changed), cookie=cookie))["code"]

    def redeem(self, code: str) -> Mapping[str, object]:
        """The tokens for a code."""
        return self.service.token(self.redemption(code), authorization=None)

    def redemption(self, code: str | None, **changed: str | None) -> str:
        """A good token request, with some parameters changed or left out."""
        good: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "client_id": "app",
            "client_secret": self.secret,
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": VERIFIER,
        }
        return urlencode({name: value for name, value in (good | changed).items() if value is not None})

    def add_person(self, username: str, *, role: Role = Role.OPERATOR) -> None:
        """A person whose password is PASSWORD."""
        once = self.service.accounts.add(username, display_name="王芳", roles=[role], actor="test")
        credentials = Credentials(username=username, password=once, new_password=PASSWORD, address="192.0.2.1")
        self.service.login(credentials, previous=None)


def answer(outcome: object) -> dict[str, str]:
    """Parameters of the authorization response that a redirect carries."""
    location = getattr(outcome, "location", None)
    assert isinstance(location, str), outcome
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


class Browser:
    """A browser in front of the provider, which is mounted as in the product."""

    def __init__(self, service: SsoService, base_url: str = "http://localhost:8000") -> None:
        app = FastAPI()
        app.mount("/sso", create_api(service))
        self.client = TestClient(app, base_url=base_url, follow_redirects=False)

    def get(self, path: str, **options: object) -> Response:
        return self.client.get(path, **options)  # type: ignore[arg-type]

    def post(self, path: str, **options: object) -> Response:
        return self.client.post(path, **options)  # type: ignore[arg-type]

    def login_page(self, query: str) -> Response:
        response = self.get(f"/sso/authorize?{query}")
        assert response.status_code == 303, response.text
        return self.get(response.headers["location"])

    def submit(self, page: Response, *, username: str = "alice", password: str = PASSWORD, **more: str) -> Response:
        fields = {"username": username, "password": password} | hidden_fields(page.text) | more
        return self.post("/sso/login", data=fields)

    def log_in(self, query: str) -> Response:
        return self.submit(self.login_page(query))


def hidden_fields(page: str) -> dict[str, str]:
    """Names and values of a page's hidden inputs."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)
    return {name: html.unescape(value) for name, value in found}
