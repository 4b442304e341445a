from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, Request
from starlette.responses import HTMLResponse
from starlette.testclient import TestClient

from trustcore.errors import BusyError, InternalError, NotFoundError, TrustError, UnauthenticatedError
from trustcore.web import problem
from trustcore.web.auth import Principal, requires
from trustcore.web.limits import BodyLimit
from trustcore.web.pages import Pages


class _OneApplication:
    """Knows one application by its header."""

    def authenticate(self, authorization: str | None) -> Principal:
        if authorization != "Bearer right":
            raise UnauthenticatedError("who is asking?", code="auth.token.missing")
        return Principal(subject="app", kind="application", scopes=frozenset({"thing:read"}))


def _app() -> FastAPI:
    app = FastAPI()
    problem.install(app)
    pages = Pages()
    errors: dict[str, TrustError] = {
        "missing": NotFoundError("there is no such thing", code="test.missing", thing="x"),
        "busy": BusyError("come back later", code="test.busy"),
        "internal": InternalError("the secret is 42", code="test.internal"),
    }

    @app.get("/error/{name}")
    def _error(name: str) -> None:
        raise errors[name]

    @app.get("/crash")
    def _crash() -> None:
        raise RuntimeError("the secret is 42")

    @app.get("/reads")
    def _reads(caller: Annotated[Principal, Depends(requires(_OneApplication(), "thing:read"))]) -> str:
        return caller.subject

    @app.get("/writes")
    def _writes(caller: Annotated[Principal, Depends(requires(_OneApplication(), "thing:write"))]) -> str:
        return caller.subject

    @app.post("/body")
    async def _body(request: Request) -> int:
        return len(await request.body())

    @app.get("/page")
    def _page(request: Request) -> HTMLResponse:
        return pages.render(request, "error.html", {"heading": "<h>", "message": "m"})

    app.add_middleware(BodyLimit, max_bytes=100)
    return app


@pytest.fixture
def client() -> TestClient:
    return TestClient(_app(), raise_server_exceptions=False)


@pytest.mark.parametrize(("name", "status"), [("missing", 404), ("busy", 503), ("internal", 500)])
def test_an_error_becomes_a_problem_document(client: TestClient, name: str, status: int) -> None:
    answer = client.get(f"/error/{name}")

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == f"test.{name}"
    assert ("Retry-After" in answer.headers) is (name == "busy")


@pytest.mark.parametrize("path", ["/error/internal", "/crash"])
def test_internals_stay_inside(client: TestClient, path: str) -> None:
    assert "42" not in client.get(path).text


def test_a_caller_is_known_and_has_the_right(client: TestClient) -> None:
    right = {"Authorization": "Bearer right"}

    assert client.get("/reads", headers=right).json() == "app"
    assert client.get("/reads").status_code == 401
    assert client.get("/reads").headers["WWW-Authenticate"] == "Bearer"
    assert client.get("/writes", headers=right).status_code == 403


def test_a_body_is_bounded_with_and_without_a_declared_length(client: TestClient) -> None:
    assert client.post("/body", content=b"x" * 100).json() == 100
    assert client.post("/body", content=b"x" * 101).status_code == 413
    assert client.post("/body", content=(b"x" * 60 for _ in range(2))).status_code == 413


@pytest.mark.parametrize(
    ("query", "accept", "language"),
    [("", "", "zh-CN"), ("", "en-US,en;q=0.9", "en-GB"), ("?lang=zh", "en", "zh-CN"), ("?lang=xx", "fr", "zh-CN")],
)
def test_the_page_comes_in_the_readers_language(client: TestClient, query: str, accept: str, language: str) -> None:
    answer = client.get(f"/page{query}", headers={"Accept-Language": accept})
    assert answer.headers["Content-Language"] == language


def test_the_chosen_language_is_remembered(client: TestClient) -> None:
    client.get("/page?lang=en")
    assert client.get("/page").headers["Content-Language"] == "en-GB"


def test_a_page_allows_no_inline_script_and_escapes(client: TestClient) -> None:
    answer = client.get("/page")
    policy = answer.headers["Content-Security-Policy"]

    assert "unsafe-inline" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "&lt;h&gt;" in answer.text
