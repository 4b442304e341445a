"""The authorization endpoint, item by item of single-sign-on.md §5.1."""

from urllib.parse import quote

import pytest

from sso.applications import Registration
from sso.core.errors import OAuthError, PageError
from sso.service import LoginNeeded, Redirect

from support.identity import World, answer

ISSUER = "http://localhost:8000/sso"


def test_a_good_request_of_somebody_who_is_logged_in_is_answered_with_a_code(world: World) -> None:
    got = answer(world.service.authorize(world.query(), cookie=world.cookie))
    assert got.keys() == {"code", "state", "iss"}
    assert got["state"] == "af0ifjsldkj"
    assert got["iss"] == ISSUER


def test_nobody_has_to_log_in_for_a_request_that_would_be_refused_anyway(world: World) -> None:
    assert isinstance(world.service.authorize(world.query(), cookie=None), LoginNeeded)
    assert answer(world.service.authorize(world.query(code_challenge=None), cookie=None))["error"] == "invalid_request"


BAD = [
    {},
    {"prompt": "unsupported"},
    {"response_type": "token"},
    {"scope": "nothing"},
    {"request": "eyJhbGciOiJub25lIn0.e30."},
    {"code_challenge": None},
    {"prompt": "none"},
    {"id_token_hint": "nonsense"},
]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(
    "target",
    [
        {"client_id": "unknown"},
        {"client_id": "unknown", "redirect_uri": "https://evil.example/"},
        {"client_id": None},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": None},
    ],
)
def test_unknown_client_or_uri_never_redirects(world: World, bad: dict[str, str], target: dict[str, str]) -> None:
    """“2. Unknown client or unmatched URI ⇒ HTML error, never a Location, for *every* error path (bad prompt, bad
    response_type, bad scope, bad request object)” (CVE-2026-44681)."""
    with pytest.raises(PageError):
        world.service.authorize(world.query(**(bad | target)), cookie=None)


def test_a_client_without_the_code_flow_is_unknown_here(world: World) -> None:
    registration = Registration(client_id="machine", name="M", scopes=frozenset({"seal:sign"}))
    world.service.applications.register(registration, actor="test")
    with pytest.raises(PageError):
        world.service.authorize(world.query(client_id="machine"), cookie=None)


@pytest.mark.parametrize("response_type", ["token", "id_token", "code id_token", "code token", "none", "CODE"])
def test_only_code(world: World, response_type: str) -> None:
    """“3. `code` only; implicit/hybrid/ROPC absent from discovery and refused”."""
    outcome = world.service.authorize(world.query(response_type=response_type), cookie=world.cookie)
    assert answer(outcome)["error"] == "unsupported_response_type"
    found = world.service.discovery()
    assert found["response_types_supported"] == ["code"]
    assert found["grant_types_supported"] == ["authorization_code", "client_credentials"]


@pytest.mark.parametrize(
    "changed",
    [
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},  # an omitted method means plain
        {"code_challenge_method": "s256"},
        {"code_challenge": None},  # CVE-2024-23647
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge": "short"},
        {"code_challenge": "a" * 44},
        {"code_challenge": "a" * 42 + "="},
    ],
)
def test_pkce_with_s256_is_required_of_every_client(world: World, changed: dict[str, str]) -> None:
    """“4. PKCE S256 required for all; plain/omitted method refused”."""
    got = answer(world.service.authorize(world.query(**changed), cookie=world.cookie))
    assert got["error"] == "invalid_request"
    assert "code" not in got


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"request": "x"}, "request_not_supported"),
        ({"request_uri": "https://evil.example/"}, "request_uri_not_supported"),
        ({"registration": "{}"}, "registration_not_supported"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"scope": None}, "invalid_scope"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"max_age": "٣"}, "invalid_request"),
        ({"max_age": "9" * 30}, "invalid_request"),
        ({"nonce": "n" * 3000}, "invalid_request"),
        ({"id_token_hint": "a.b.c"}, "invalid_request"),
    ],
)
def test_other_refusals_go_to_the_client_with_state_and_iss(world: World, changed: dict[str, str], error: str) -> None:
    """“12. … `request_uri` by URL off (SSRF)”, “13. iss in every authz response incl. errors”."""
    got = answer(world.service.authorize(world.query(**changed), cookie=world.cookie))
    assert got["error"] == error
    assert got["state"] == "af0ifjsldkj"
    assert got["iss"] == ISSUER
    assert "code" not in got


@pytest.mark.parametrize("prompt", ["none login", "login none", "consent", "select_account", "create"])
def test_prompts_that_are_not_supported_are_refused(world: World, prompt: str) -> None:
    """“17. … `none login` ⇒ invalid_request; unsupported prompt ⇒ error only after URI check”."""
    assert answer(world.service.authorize(world.query(prompt=prompt), cookie=None))["error"] == "invalid_request"


def test_prompt_none_without_session_is_login_required(world: World) -> None:
    """“17. prompt=none without session ⇒ login_required”."""
    assert answer(world.service.authorize(world.query(prompt="none"), cookie=None))["error"] == "login_required"
    assert answer(world.service.authorize(world.query(prompt="none"), cookie="forged"))["error"] == "login_required"
    assert "code" in answer(world.service.authorize(world.query(prompt="none"), cookie=world.cookie))


def test_prompt_login_asks_again_and_is_satisfied_by_a_fresh_login_only(world: World) -> None:
    cookie, query = world.cookie, world.query(prompt="login")
    assert isinstance(world.service.authorize(query, cookie=cookie), LoginNeeded)
    assert "code" in answer(world.service.authorize(query, cookie=cookie, is_fresh=True))


def test_max_age_is_honoured(world: World) -> None:
    """“17. … max_age honoured”."""
    cookie = world.cookie
    world.clock.advance(seconds=120)
    assert "code" in answer(world.service.authorize(world.query(max_age="120"), cookie=cookie))
    assert isinstance(world.service.authorize(world.query(max_age="119"), cookie=cookie), LoginNeeded)
    assert isinstance(world.service.authorize(world.query(max_age="0"), cookie=cookie), LoginNeeded)
    silent = world.service.authorize(world.query(max_age="119", prompt="none"), cookie=cookie)
    assert answer(silent)["error"] == "login_required"


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "state", "scope", "prompt", "unknown"])
def test_a_parameter_that_comes_twice_is_refused_without_redirect(world: World, name: str) -> None:
    """“16. Duplicate parameters ⇒ 400”."""
    query = f"{world.query()}&{name}=a&{name}=a"
    with pytest.raises(OAuthError) as caught:
        world.service.authorize(query, cookie=None)
    assert caught.value.code == "sso.parameters.duplicate"


@pytest.mark.parametrize("query", ["state=%FF%FE", "state=%0d%0aSet-Cookie:x", "a=b&" * 100, "a=" + "b" * 20_000])
def test_hostile_queries_are_refused(world: World, query: str) -> None:
    with pytest.raises(OAuthError):
        world.service.authorize(query, cookie=None)


def test_unknown_parameters_are_ignored_and_scopes_never_widen(world: World) -> None:
    """“16. … unknown parameters ignored”; rights to interfaces stay with applications."""
    query = world.query(scope="openid profile licence:issue offline_access address", ui_locales="zh", xyz="1")
    code = answer(world.service.authorize(query, cookie=world.cookie))["code"]
    assert world.redeem(code)["scope"] == "openid profile"


@pytest.mark.parametrize("state", ["a&b=c", "汉字", '"><script>', "a b+c%20", "s" * 2048])
def test_state_comes_back_as_it_was(world: World, state: str) -> None:
    outcome = world.service.authorize(world.query(state=state), cookie=world.cookie)
    assert answer(outcome)["state"] == state
    assert state in outcome.location or quote(state, safe="") not in ("", state)


def test_a_hint_of_another_person_asks_for_a_login_and_holds_whoever_comes_to_it(world: World) -> None:
    world.add_person("bob")
    bob = world.redeem(world.code(world.session("bob")))["id_token"]
    alice = world.cookie
    assert isinstance(world.service.authorize(world.query(id_token_hint=bob), cookie=alice), LoginNeeded)
    silent = world.service.authorize(world.query(id_token_hint=bob, prompt="none"), cookie=alice)
    assert answer(silent)["error"] == "login_required"
    wrong = world.service.authorize(world.query(id_token_hint=bob), cookie=alice, is_fresh=True)
    assert answer(wrong)["error"] == "login_required"


def test_an_access_token_is_no_hint(world: World) -> None:
    """“15. … an access token is never accepted as id_token_hint and vice versa”."""
    tokens = world.redeem(world.code(world.cookie))
    outcome = world.service.authorize(world.query(id_token_hint=tokens["access_token"]), cookie=None)
    assert answer(outcome)["error"] == "invalid_request"


@pytest.mark.parametrize("moment", ["idle", "absolute"])
def test_a_session_ends_by_itself(world: World, moment: str) -> None:
    """“23. … idle + absolute timeouts”."""
    cookie = world.cookie
    if moment == "idle":
        world.clock.advance(minutes=29, seconds=59)
        assert isinstance(world.service.authorize(world.query(), cookie=cookie), Redirect)
        world.clock.advance(minutes=30)
    else:
        for _ in range(23):
            world.clock.advance(minutes=20)
            assert isinstance(world.service.authorize(world.query(), cookie=cookie), Redirect)
        world.clock.advance(minutes=20)
    assert isinstance(world.service.authorize(world.query(), cookie=cookie), LoginNeeded)


def test_a_disabled_client_is_unknown(world: World) -> None:
    world.service.applications.disable("app", actor="test")
    with pytest.raises(PageError):
        world.service.authorize(world.query(), cookie=world.cookie)
