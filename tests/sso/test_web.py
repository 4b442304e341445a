"""Endpoints and pages over HTTP."""

import re
from collections.abc import Callable
from html import unescape
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from httpx2 import Response

from sso.service import SsoService
from sso.settings import SsoSettings

from support.identity import GOODBYE, PASSWORD, REDIRECT_URI, Browser, World, hidden_fields

EVIL = "https://evil.example/"


def answer_of(response: Response) -> dict[str, str]:
    assert response.status_code == 303, response.text
    location = urlsplit(response.headers["location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == REDIRECT_URI
    return {name: values[0] for name, values in parse_qs(location.query).items()}


def redeem(browser: Browser, world: World, code: str) -> dict[str, str]:
    body = {name: values[0] for name, values in parse_qs(world.redemption(code)).items()}
    response = browser.post("/sso/token", data=body)
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_a_person_logs_in_and_the_application_learns_who(browser: Browser, world: World) -> None:
    got = answer_of(browser.log_in(world.query()))
    tokens = redeem(browser, world, got["code"])
    response = browser.get("/sso/userinfo", headers={"authorization": f"Bearer {tokens['access_token']}"})
    claims = response.json()
    assert claims.pop("sub")
    assert claims == {"name": "王芳", "preferred_username": "alice", "roles": ["operator"]}
    assert "code" in answer_of(browser.get(f"/sso/authorize?{world.query(prompt='none')}"))  # the session stays


def test_userinfo_tells_what_the_scopes_allow(browser: Browser, world: World) -> None:
    tokens = redeem(browser, world, answer_of(browser.log_in(world.query(scope="openid")))["code"])
    header = {"authorization": f"Bearer {tokens['access_token']}"}
    assert browser.post("/sso/userinfo", headers=header).json().keys() == {"sub"}


def test_discovery_names_the_configured_issuer_whatever_the_request_says(browser: Browser) -> None:
    """“13. … discovery issuer byte-equal; issuer never from Host/X-Forwarded-*”."""
    headers = {"host": "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-proto": "https"}
    found = browser.get("/sso/.well-known/openid-configuration", headers=headers).json()
    assert found["issuer"] == "http://localhost:8000/sso"
    assert "evil" not in str(found)
    for name, value in found.items():
        if name.endswith(("_endpoint", "_uri")):
            assert value.startswith("http://localhost:8000/sso/")
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["id_token_signing_alg_values_supported"] == ["ES256"]


def test_every_endpoint_that_discovery_names_is_there(browser: Browser) -> None:
    found = browser.get("/sso/.well-known/openid-configuration").json()
    for name in ("authorization_endpoint", "userinfo_endpoint", "jwks_uri", "end_session_endpoint"):
        assert browser.get(urlsplit(found[name]).path).status_code not in {404, 405, 500}
    assert browser.post(urlsplit(found["token_endpoint"]).path).status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        urlencode({"client_id": "unknown", "redirect_uri": EVIL, "request": "x", "prompt": "bad"}),
        urlencode({"client_id": "app", "redirect_uri": EVIL, "response_type": "token"}),
        urlencode({"client_id": "app", "redirect_uri": REDIRECT_URI}) + f"&redirect_uri={quote(EVIL)}",
        urlencode({"redirect_uri": EVIL}),
        "",
    ],
)
@pytest.mark.parametrize("path", ["/sso/authorize", "/sso/login"])
def test_what_is_wrong_before_the_client_is_known_gives_a_page(browser: Browser, path: str, query: str) -> None:
    """“2. … HTML error, never a Location”."""
    response = browser.get(f"{path}?{query}")
    assert response.status_code == 400
    assert "location" not in response.headers
    assert response.headers["content-type"].startswith("text/html")
    own = re.sub(r'href="\?[^"]*"', "", response.text)  # the same page in the other language
    assert "evil.example" not in own


def test_authorize_by_post_is_authorize_by_get(browser: Browser, world: World) -> None:
    """“16. … POST and GET authorize equal”."""
    response = browser.post("/sso/authorize", data=world.parameters())
    assert response.status_code == 303
    assert response.headers["location"] == f"/sso/authorize?{world.query()}"
    doubled = "client_id=app&client_id=app"
    response = browser.post("/sso/authorize", data=None, content=doubled, headers=FORM)
    assert browser.get(response.headers["location"]).status_code == 400


FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_login_page_is_safe_and_in_both_languages(browser: Browser, world: World, language: str) -> None:
    """“18. Referrer-Policy no-referrer, `frame-ancestors 'none'`, CSP form-action limited, … no-store”."""
    page = browser.login_page(world.query() + f"&lang={language}")
    assert page.status_code == 200
    assert "一网通办" in page.text
    assert ("Password" in page.text) is (language == "en")
    assert 'name="viewport"' in page.text
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    policy = page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' https://app.example.cn;" in policy  # Chromium applies it to the redirect as well
    assert "unsafe" not in policy


def test_what_comes_from_outside_is_text_on_the_page(browser: Browser, world: World) -> None:
    page = browser.login_page(world.query(login_hint='"><script>alert(1)</script>', state='"><img src=x>'))
    assert "<script>alert" not in page.text
    assert "<img src=x>" not in page.text
    assert hidden_fields(page.text)["request"]


def test_the_answer_to_a_form_is_a_303_that_leaks_nothing(browser: Browser, world: World) -> None:
    """“18. … 303 not 307 after POST, no-store on all token/PII replies”."""
    response = browser.log_in(world.query())
    assert response.status_code == 303
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["referrer-policy"] == "no-referrer"


def cookie_of(response: Response, name: str) -> str:
    (found,) = [line for line in response.headers.get_list("set-cookie") if line.startswith(f"{name}=")]
    return str(found)


def test_cookies_over_http_are_httponly_and_lax(browser: Browser, world: World) -> None:
    line = cookie_of(browser.log_in(world.query()), "xinyin-sso").lower()
    assert "httponly" in line
    assert "samesite=lax" in line
    assert "path=/;" in line + ";"
    assert "domain" not in line
    assert "max-age" not in line


def test_cookies_over_tls_are_secure_and_bound_to_the_host(world: World) -> None:
    """“23. … `__Host-` Secure HttpOnly SameSite=Lax”."""
    settings = SsoSettings(public_url="https://trust.example.cn")
    service = SsoService(world.database, world.keys, world.clock, world.service._random, settings)
    browser = Browser(service, base_url="https://trust.example.cn")
    response = browser.log_in(world.query())
    line = cookie_of(response, "__Host-xinyin-sso").lower()
    assert "secure" in line
    assert "httponly" in line
    assert "path=/" in line
    assert answer_of(response)["iss"] == "https://trust.example.cn/sso"


def test_a_login_form_of_another_site_logs_nobody_in(
    browser: Browser, world: World, new_browser: Callable[[], Browser]
) -> None:
    """“24. Login … CSRF-protected; **login CSRF**”: the token belongs to one browser."""
    attacker = new_browser()
    page = attacker.login_page(world.query())
    victim_posts = browser.submit(page)  # the attacker's page and token, sent by the victim's browser
    assert victim_posts.status_code == 400
    assert "xinyin-sso=" not in str(victim_posts.headers.get_list("set-cookie"))
    own_page = browser.login_page(world.query())
    assert browser.submit(own_page, csrf="").status_code == 400
    assert browser.submit(own_page, csrf="x" * 43).status_code == 400
    cross = {"username": "alice", "password": PASSWORD} | hidden_fields(own_page.text)
    for site in ("cross-site", "same-site"):
        response = browser.post("/sso/login", data=cross, headers={"sec-fetch-site": site})
        assert response.status_code == 400
    assert browser.submit(own_page).status_code == 303


@pytest.mark.parametrize(
    "request_field",
    [
        "",
        "client_id=unknown",
        urlencode({"client_id": "app", "redirect_uri": EVIL}),
        EVIL,
        "//evil.example",
    ],
)
def test_a_login_form_cannot_be_made_to_lead_elsewhere(browser: Browser, world: World, request_field: str) -> None:
    page = browser.login_page(world.query())
    response = browser.submit(page, request=request_field)
    assert response.status_code == 400
    assert "location" not in response.headers
    assert "set-cookie" not in response.headers


def test_a_wrong_password_shows_the_form_again_without_the_password(browser: Browser, world: World) -> None:
    page = browser.submit(browser.login_page(world.query()), password="wrong-secret")
    assert page.status_code == 400
    assert "用户名或密码不正确" in page.text
    assert 'value="alice"' in page.text
    assert "wrong-secret" not in page.text
    assert browser.submit(page).status_code == 303


def test_the_form_changes_its_language_even_after_a_wrong_password(browser: Browser, world: World) -> None:
    page = browser.submit(browser.login_page(world.query(state="a&b") + "&lang=zh"), password="wrong")
    (link,) = re.findall(r'href="(\?[^"]*)" hreflang', page.text)
    english = browser.get(f"/sso/login{unescape(link)}")
    assert english.status_code == 200
    assert "Password" in english.text
    assert answer_of(browser.submit(english))["state"] == "a&b"


def test_a_throttled_login_says_when_to_come_back(browser: Browser, world: World) -> None:
    page = browser.login_page(world.query())
    for _ in range(5):
        page = browser.submit(page, password="wrong")
    page = browser.submit(page)
    assert page.status_code == 429
    assert page.headers["retry-after"] == "3"
    assert "请稍后再试" in page.text


def test_a_one_time_password_leads_to_a_form_for_another_one(browser: Browser, world: World) -> None:
    once = world.service.accounts.add("carol", display_name="李雷", roles=[], actor="test")
    page = browser.submit(browser.login_page(world.query()), username="carol", password=once)
    assert 'name="new_password"' in page.text
    assert once not in page.text
    new = {"new_password": "not so easy to guess", "new_password_again": "something else"}
    page = browser.submit(page, username="carol", password=once, **new)
    assert "两次输入的新密码不一致" in page.text
    assert 'name="new_password"' in page.text
    new["new_password_again"] = new["new_password"]
    assert "code" in answer_of(browser.submit(page, username="carol", password=once, **new))


def test_the_session_changes_at_each_login(browser: Browser, world: World) -> None:
    """“22. New session id at login; old id dead”, through the browser."""
    browser.client.cookies.set("xinyin-sso", "planted-by-an-attacker", domain="localhost.local", path="/")
    first = cookie_of(browser.log_in(world.query()), "xinyin-sso").split(";")[0]
    again = browser.submit(browser.login_page(world.query(prompt="login")))
    second = cookie_of(again, "xinyin-sso").split(";")[0]
    assert first != second
    assert "planted" not in first
    query = world.query(prompt="none")
    stale = Browser(world.service).get(f"/sso/authorize?{query}", headers={"cookie": first})
    assert answer_of(stale)["error"] == "login_required"


@pytest.mark.parametrize(
    ("content", "headers", "status", "error"),
    [
        ("grant_type=client_credentials", {"content-type": "application/json"}, 400, "invalid_request"),
        ("grant_type=client_credentials", FORM, 401, "invalid_client"),
        ("a=" + "b" * 20_000, FORM, 400, "invalid_request"),
        (b"grant_type=\xff", FORM, 400, "invalid_request"),
        ("client_id=app&client_id=app", FORM, 400, "invalid_request"),
        ("", FORM, 401, "invalid_client"),
    ],
)
def test_the_token_endpoint_refuses_in_the_words_of_oauth(
    browser: Browser, content: str, headers: dict[str, str], status: int, error: str
) -> None:
    response = browser.post("/sso/token", content=content, headers=headers)
    assert response.status_code == status
    assert response.json().keys() == {"error", "error_description"}
    assert response.json()["error"] == error
    assert response.headers["cache-control"] == "no-store"
    assert ("www-authenticate" in response.headers) is (status == 401)


def test_tokens_are_kept_by_no_cache(browser: Browser, world: World) -> None:
    form = {"grant_type": "client_credentials"}
    response = browser.post("/sso/token", data=form, auth=("app", world.secret))
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        ({}, "Bearer"),
        ({"authorization": "Bearer nonsense"}, 'Bearer error="invalid_token"'),
    ],
)
def test_userinfo_without_a_good_token_is_refused(browser: Browser, headers: dict[str, str], challenge: str) -> None:
    response = browser.get("/sso/userinfo", headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == challenge


def test_scripts_of_other_origins_read_public_documents_only(browser: Browser, world: World) -> None:
    """“20. CORS only on discovery/JWKS/token/userinfo, never authorize”."""
    origin = {"origin": EVIL}
    for path in ("/sso/.well-known/openid-configuration", "/sso/jwks.json"):
        assert browser.get(path, headers=origin).headers["access-control-allow-origin"] == "*"
    for path in (f"/sso/authorize?{world.query()}", f"/sso/login?{world.query()}", "/sso/userinfo", "/sso/logout"):
        assert "access-control-allow-origin" not in browser.get(path, headers=origin).headers


def test_logout_with_an_id_token_ends_the_session_and_goes_back(browser: Browser, world: World) -> None:
    tokens = redeem(browser, world, answer_of(browser.log_in(world.query()))["code"])
    leaving = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": GOODBYE, "state": "s"}
    world.clock.advance(minutes=10)  # an expired ID token is as good a hint
    for _ in range(2):  # doing it twice is doing it once
        response = browser.get(f"/sso/logout?{urlencode(leaving)}")
        assert response.headers["location"] == f"{GOODBYE}?state=s"
    assert answer_of(browser.get(f"/sso/authorize?{world.query(prompt='none')}"))["error"] == "login_required"
    assert (
        browser.get("/sso/userinfo", headers={"authorization": f"Bearer {tokens['access_token']}"}).status_code == 401
    )


@pytest.mark.parametrize("hint", [None, "nonsense", "access token", "another person"])
def test_logout_without_a_good_hint_asks_and_leads_nowhere(browser: Browser, world: World, hint: str | None) -> None:
    """“25. … id_token_hint invalid/missing ⇒ confirmation page, no redirect”."""
    tokens = redeem(browser, world, answer_of(browser.log_in(world.query()))["code"])
    leaving = {"client_id": "app", "post_logout_redirect_uri": GOODBYE}
    if hint == "access token":
        leaving["id_token_hint"] = tokens["access_token"]
    elif hint == "another person":
        world.add_person("bob")
        leaving["id_token_hint"] = str(world.redeem(world.code(world.session("bob")))["id_token"])
    elif hint is not None:
        leaving["id_token_hint"] = hint
    page = browser.get(f"/sso/logout?{urlencode(leaving)}")
    assert page.status_code == 200
    assert "退出登录？" in page.text
    silent = f"/sso/authorize?{world.query(prompt='none')}"
    assert "code" in answer_of(browser.get(silent))
    forged = browser.post("/sso/logout", data={"csrf": "forged"})
    assert "退出登录？" in browser.get(forged.headers["location"]).text
    assert "code" in answer_of(browser.get(silent))
    done = browser.post("/sso/logout", data=hidden_fields(page.text))
    assert done.status_code == 200
    assert "已退出登录" in done.text
    assert answer_of(browser.get(silent))["error"] == "login_required"


def test_logout_never_redirects_to_what_is_not_registered(browser: Browser, world: World) -> None:
    tokens = redeem(browser, world, answer_of(browser.log_in(world.query()))["code"])
    for uri in (EVIL, f"{GOODBYE}/", REDIRECT_URI):
        leaving = urlencode({"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": uri})
        response = browser.get(f"/sso/logout?{leaving}")
        assert response.status_code == 400
        assert "location" not in response.headers
    assert "code" in answer_of(browser.get(f"/sso/authorize?{world.query(prompt='none')}"))


def test_a_logout_by_post_is_one_by_get(browser: Browser, world: World) -> None:
    """A POST from the application's site comes without our cookie, and must not pretend to have ended the session."""
    tokens = redeem(browser, world, answer_of(browser.log_in(world.query()))["code"])
    leaving = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": GOODBYE}
    without_cookie = Browser(world.service).post("/sso/logout", data=leaving)
    assert without_cookie.status_code == 303
    assert without_cookie.headers["location"] == f"/sso/logout?{urlencode(leaving)}"
    assert browser.get(without_cookie.headers["location"]).headers["location"] == GOODBYE
    assert answer_of(browser.get(f"/sso/authorize?{world.query(prompt='none')}"))["error"] == "login_required"


def test_a_logout_from_another_site_takes_no_cookie_away(browser: Browser) -> None:
    """What comes without our cookie is answered without deleting the one that the browser has."""
    response = browser.post("/sso/logout", content="", headers=FORM)
    assert "set-cookie" not in response.headers
    assert "set-cookie" not in browser.get(response.headers["location"]).headers


def test_the_openapi_document_describes_the_protocol(browser: Browser) -> None:
    paths = browser.get("/sso/openapi.json").json()["paths"]
    assert {"/token", "/userinfo", "/jwks.json", "/.well-known/openid-configuration"} == set(paths)


def test_pages_are_whole_html(browser: Browser, world: World) -> None:
    page = browser.login_page(world.query()).text
    assert re.search(r"<title>[^<]+</title>", page)
    assert unescape(hidden_fields(page)["request"]) == world.query()
    for name in ("username", "password"):
        assert f'<label for="{name}">' in page
