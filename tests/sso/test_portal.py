"""The product's own pages as an ordinary client of the provider."""

import os
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from sso.core.relying_party import Attempt, is_local_path
from sso.core.roles import Role
from sso.portal import Portal, PortalClient
from sso.service import SsoService
from sso.settings import SsoSettings
from sso.web.api import create_api
from sso.web.relying_party import build_login_router
from trustcore.audit import rows
from trustcore.errors import ConflictError, UnauthenticatedError

from support.identity import PASSWORD, World, hidden_fields

CLIENT = PortalClient(
    client_id="portal",
    redirect_uri="http://localhost:8000/callback",
    post_logout_redirect_uri="http://localhost:8000/",
)


def site(world: World, provider: object = None) -> TestClient:
    """The product's pages beside the provider, in one more browser."""
    world.service.ensure_portal_client("portal", redirect_paths=["/callback"], logout_paths=["/"])
    portal = Portal(world.database, provider or world.service, world.clock, os.urandom, world.service.settings, CLIENT)
    login = build_login_router(portal, world.service.settings)
    app = FastAPI()
    app.mount("/sso", create_api(world.service))
    app.include_router(login.router)

    @app.get("/admin")
    def admin(request: Request) -> dict[str, object]:
        user = login.current_user(request)
        return {"user": user and user.username, "roles": sorted(user.roles) if user else []}

    return TestClient(app, base_url="http://localhost:8000", follow_redirects=False)


def to_callback(browser: TestClient, return_to: str = "/admin", username: str = "alice") -> str:
    """Log in up to the provider's answer; the callback's address."""
    response = browser.get("/login", params={"return_to": return_to})
    page = browser.get(browser.get(response.headers["location"]).headers["location"])
    fields = {"username": username, "password": PASSWORD} | hidden_fields(page.text)
    return str(browser.post("/sso/login", data=fields).headers["location"])


def test_a_person_logs_in_to_the_pages_and_out_again(world: World) -> None:
    browser = site(world)
    assert browser.get("/admin").json()["user"] is None
    response = browser.get(to_callback(browser))
    assert response.headers["location"] == "/admin"
    assert browser.get("/admin").json() == {"user": "alice", "roles": ["operator"]}
    leaving = browser.post("/logout").headers["location"]
    assert browser.get("/admin").json()["user"] is None
    assert browser.get(leaving).headers["location"] == "http://localhost:8000/"
    silent = world.service.authorize(world.query(), cookie=browser.cookies.get("xinyin-sso"))
    assert not hasattr(silent, "location")


def test_the_answer_is_bound_to_the_browser_that_began(world: World) -> None:
    """“24. … **login CSRF**: upstream callback `state` bound to browser cookie, not only to cache”."""
    attacker, victim = site(world), site(world)
    callback = to_callback(attacker)
    response = victim.get(callback)
    assert response.status_code == 400
    assert victim.get("/admin").json()["user"] is None
    to_callback(victim)  # having begun a login of one's own changes nothing
    assert victim.get(callback).status_code == 400
    assert attacker.get(callback).status_code == 303


def test_two_tabs_log_in_at_once(world: World) -> None:
    browser = site(world)
    first = browser.get("/login", params={"return_to": "/one"}).headers["location"]
    second = to_callback(browser, "/two")
    assert browser.get(second).headers["location"] == "/two"
    assert browser.get(browser.get(first).headers["location"]).headers["location"] == "/one"


@pytest.mark.parametrize("change", ["state", "iss", "code", "no code", "error", "twice", "empty"])
def test_an_answer_that_is_not_quite_right_opens_nothing(world: World, change: str) -> None:
    browser = site(world)
    callback = to_callback(browser)
    path, query = callback.split("?")
    fields = {name: values[0] for name, values in parse_qs(query).items()}
    if change in {"state", "iss", "code"}:
        fields[change] = fields[change][:-1] + "x"
    elif change == "no code":
        del fields["code"]
    elif change == "error":
        fields["error"] = "access_denied"
    elif change == "empty":
        fields = {}
    changed = f"{path}?{urlencode(fields)}" + ("&code=other" if change == "twice" else "")
    response = browser.get(changed)
    assert response.status_code == 400
    assert browser.get("/admin").json()["user"] is None
    assert "xinyin-portal" not in str(response.headers.get_list("set-cookie"))


def test_a_callback_works_once(world: World) -> None:
    browser = site(world)
    callback = to_callback(browser)
    kept = dict(browser.cookies.items())
    assert browser.get(callback).status_code == 303
    for name, value in kept.items():
        browser.cookies.set(name, value)
    assert browser.get(callback).status_code == 400


@pytest.mark.parametrize(
    "path",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "\\/evil.example", "/a\r\nSet-Cookie: x=y", "/a b",
     "javascript:alert(1)", "", "/" + "a" * 2000, "/\t/evil.example", "/汉"],
)  # fmt: skip
def test_a_login_never_leads_away_from_the_pages(world: World, path: str) -> None:
    assert not is_local_path(path)
    browser = site(world)
    assert browser.get(to_callback(browser, path)).headers["location"] == "/"


def test_a_tampered_cookie_never_leads_away_either() -> None:
    tampered = Attempt(secret="s" * 43, return_to="https://evil.example/").cookie_value
    assert Attempt.from_cookie(tampered).return_to == "/"


def test_what_a_login_remembers_is_different_for_each_purpose() -> None:
    attempt = Attempt(secret="s" * 43, return_to="/")
    assert len({attempt.state, attempt.nonce, attempt.code_verifier, attempt.secret}) == 4
    assert len(attempt.code_verifier) == 43
    assert "sss" not in repr(attempt)


def test_logging_out_at_the_provider_logs_out_of_the_pages(world: World) -> None:
    browser = site(world)
    browser.get(to_callback(browser))
    world.service.logout("", cookie=browser.cookies.get("xinyin-sso"), is_confirmed=True)
    assert browser.get("/admin").json()["user"] is None


def test_a_stopped_person_is_out_of_the_pages_at_once(world: World) -> None:
    browser = site(world)
    browser.get(to_callback(browser))
    world.service.accounts.disable("alice", actor="test")
    assert browser.get("/admin").json()["user"] is None


def test_a_session_of_the_pages_ends_by_itself(world: World) -> None:
    browser = site(world)
    browser.get(to_callback(browser))
    for _ in range(23):
        world.clock.advance(minutes=20)
        assert browser.get("/admin").json()["user"] == "alice"
    world.clock.advance(minutes=20)
    assert browser.get("/admin").json()["user"] is None


def test_a_new_login_ends_the_session_before(world: World) -> None:
    browser = site(world)
    browser.get(to_callback(browser))
    old = browser.cookies.get("xinyin-portal")
    again = browser.get("/login").headers["location"]
    browser.get(browser.get(again).headers["location"])
    assert browser.cookies.get("xinyin-portal") != old
    fresh = site(world)
    assert fresh.get("/admin", headers={"cookie": f"xinyin-portal={old}"}).json()["user"] is None


def test_another_site_cannot_log_anybody_out(world: World) -> None:
    browser = site(world)
    browser.get(to_callback(browser))
    response = browser.post("/logout", headers={"sec-fetch-site": "cross-site"})
    assert response.status_code == 400
    assert browser.get("/admin").json()["user"] == "alice"
    assert "set-cookie" not in site(world).post("/logout").headers


class _Altering:
    """A provider between which and the pages somebody stands."""

    def __init__(self, world: World, **altered: object) -> None:
        self._real = world.service
        self._altered = altered
        self.issuer = world.service.issuer
        self.public_keys = world.service.public_keys

    def token(self, form: str, *, authorization: str | None) -> Mapping[str, object]:
        response = dict(self._real.token(form, authorization=authorization))
        if self._altered.get("id_token"):
            head, _, signature = str(response["id_token"]).rpartition(".")
            response["id_token"] = f"{head}.{signature[:-4]}AAAA"
        return response

    def userinfo(self, authorization: str | None) -> Mapping[str, object]:
        claims = dict(self._real.userinfo(authorization))
        return claims | ({"sub": "somebody-else"} if self._altered.get("sub") else {})


@pytest.mark.parametrize("altered", ["id_token", "sub"])
def test_a_tampered_id_token_or_other_subject_opens_nothing(world: World, altered: str) -> None:
    browser = site(world, _Altering(world, **{altered: True}))
    assert browser.get(to_callback(browser)).status_code == 401
    assert browser.get("/admin").json()["user"] is None


def test_the_same_code_path_without_alteration_logs_in(world: World) -> None:
    browser = site(world, _Altering(world))
    assert browser.get(to_callback(browser)).status_code == 303


def test_an_application_token_is_nobodys_login(world: World) -> None:
    form = f"grant_type=client_credentials&client_id=app&client_secret={world.secret}"
    token = world.service.token(form, authorization=None)["access_token"]
    with pytest.raises(UnauthenticatedError):
        world.service.userinfo(f"Bearer {token}")


def test_the_roles_of_an_administrator_reach_the_pages(world: World) -> None:
    world.add_person("zhang", role=Role.SYSTEM_ADMINISTRATOR)
    browser = site(world)
    browser.get(to_callback(browser, username="zhang"))
    assert browser.get("/admin").json()["roles"] == ["system-administrator"]


def test_the_client_of_the_pages_is_registered_once_and_moves_with_the_installation(world: World) -> None:
    def actions() -> list[str]:
        with world.database.transaction() as session:
            return [row.action for row in rows(session, limit=500) if row.subject == "portal"]

    for _ in range(2):
        world.service.ensure_portal_client("portal", redirect_paths=["/callback"], logout_paths=["/"])
    assert actions() == ["sso.client.added"]
    settings = SsoSettings(public_url="https://trust.example.cn")
    moved = SsoService(world.database, world.keys, world.clock, os.urandom, settings)
    moved.ensure_portal_client("portal", redirect_paths=["/callback"], logout_paths=["/"])
    assert moved.applications.find("portal").redirect_uris == ("https://trust.example.cn/callback",)
    assert actions() == ["sso.client.changed", "sso.client.added"]


def test_a_client_of_others_is_never_changed_by_registering_it_again(world: World) -> None:
    assert world.service.ensure_client(world.registration) is None
    with pytest.raises(ConflictError):
        world.service.ensure_client(replace(world.registration, redirect_uris=("https://evil.example/cb",)))


def test_the_request_of_the_pages_is_a_good_one(world: World) -> None:
    location = site(world).get("/login").headers["location"]
    sent = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
    assert sent["response_type"] == "code"
    assert sent["code_challenge_method"] == "S256"
    assert len({sent["state"], sent["nonce"], sent["code_challenge"]}) == 3
