"""The token endpoint, item by item of single-sign-on.md §5.1."""

import base64
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlencode

import pytest

from sso import store
from sso.applications import Registration
from sso.core import access_token, sessions
from sso.core.errors import OAuthError
from sso.core.jose import TokenType
from trustcore.audit import rows, verify_chain
from trustcore.errors import BusyError, UnauthenticatedError
from trustcore.report import Verdict
from trustcore.signing import Signer

from support.identity import World

OTHER_VERIFIER = "x" * 43


def claims(token: object) -> dict[str, Any]:
    body = str(token).split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(body + "==")))


def refused(world: World, form: str, authorization: str | None = None) -> str:
    with pytest.raises(OAuthError) as caught:
        world.service.token(form, authorization=authorization)
    return str(caught.value.error)


def basic(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()).decode()


def test_a_code_gives_an_access_token_and_an_id_token(world: World) -> None:
    tokens = world.redeem(world.code(world.cookie))
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 600
    assert tokens["scope"] == "openid profile roles"
    header = json.loads(base64.urlsafe_b64decode(str(tokens["access_token"]).split(".")[0] + "=="))
    assert header["typ"] == "at+jwt"
    assert header["alg"] == "ES256"


def test_the_id_token_says_who_when_and_how_and_nothing_else(world: World) -> None:
    """“14. id_token: aud=client, … nonce echoed, auth_time/acr/amr true, exp ≤10 min; no ID number/phone in it”."""
    cookie = world.cookie
    logged_in = int(world.clock.now.timestamp())
    world.clock.advance(seconds=90)
    tokens = world.service.token(world.redemption(world.code(cookie)), authorization=None)
    found = claims(tokens["id_token"])
    assert found.keys() == {"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid"}
    assert found["iss"] == "http://localhost:8000/sso"
    assert found["aud"] == "app"
    assert found["nonce"] == "n-0S6_WzA2Mj"
    assert found["auth_time"] == logged_in
    assert found["iat"] == logged_in + 90
    assert found["exp"] - found["iat"] <= 600
    assert found["amr"] == ["pwd"]
    assert "alice" not in json.dumps(found)


@pytest.mark.parametrize(
    "changed",
    [
        {"redirect_uri": "http://127.0.0.1:8123/callback?tenant=1"},
        {"redirect_uri": "https://app.example.cn/callback/"},
        {"code_verifier": OTHER_VERIFIER},
        {"code_verifier": "short"},
        {"code_verifier": "汉" * 43},
        {"code": "unknown"},
    ],
)
def test_a_code_is_bound_to_redirect_uri_and_challenge(world: World, changed: dict[str, str]) -> None:
    """“5. Code … bound to client+redirect_uri+challenge”."""
    code = changed.get("code", world.code(world.cookie))
    others = {name: value for name, value in changed.items() if name != "code"}
    assert refused(world, world.redemption(code, **others)) == "invalid_grant"


@pytest.mark.parametrize("name", ["code", "redirect_uri", "code_verifier"])
def test_nothing_may_be_left_out(world: World, name: str) -> None:
    """“4. … challenge without verifier refused” (CVE-2023-48228); redirect_uri may not be omitted."""
    form = parse_qs(world.redemption(world.code(world.cookie)))
    del form[name]
    assert refused(world, urlencode(form, doseq=True)) == "invalid_request"


def test_a_code_is_bound_to_its_client(world: World) -> None:
    other = Registration(
        client_id="other", name="O", redirect_uris=world.registration.redirect_uris, scopes=frozenset({"openid"})
    )
    secret = world.service.applications.register(other, actor="test")
    code = world.code(world.cookie)
    assert refused(world, world.redemption(code, client_id="other", client_secret=secret)) == "invalid_grant"
    assert world.redeem(code)["id_token"]  # it did not burn the code


def test_a_code_lives_sixty_seconds(world: World) -> None:
    """“5. Code ≤60 s”."""
    cookie = world.cookie
    code, late = world.code(cookie), world.code(cookie)
    world.clock.advance(seconds=59.9)
    assert world.redeem(code)
    world.clock.advance(seconds=0.1)
    assert refused(world, world.redemption(late)) == "invalid_grant"


def test_a_code_that_comes_twice_gives_nothing_and_revokes_what_it_gave(world: World) -> None:
    """“5. … single use …; reuse ⇒ error **and** tokens revoked”."""
    code = world.code(world.cookie)
    tokens = world.redeem(code)
    bearer = f"Bearer {tokens['access_token']}"
    assert world.service.userinfo(bearer)["preferred_username"] == "alice"
    assert refused(world, world.redemption(code, code_verifier=OTHER_VERIFIER)) == "invalid_grant"
    with pytest.raises(UnauthenticatedError):
        world.service.userinfo(bearer)
    with world.database.transaction() as session:
        assert "sso.code.reused" in {row.action for row in rows(session)}


def test_of_32_parallel_redemptions_one_succeeds(world: World) -> None:
    """“6. 32 parallel redemptions ⇒ one success”."""
    form = world.redemption(world.code(world.cookie))
    start = Barrier(32)

    def redeem(_: int) -> str:
        start.wait()
        try:
            world.service.token(form, authorization=None)
        except OAuthError as error:
            return str(error.error)
        return "redeemed"

    with ThreadPoolExecutor(32) as pool:
        outcomes = Counter(pool.map(redeem, range(32)))
    assert outcomes == {"redeemed": 1, "invalid_grant": 31}
    with world.database.transaction() as session:
        assert verify_chain(session).verdict is Verdict.VALID


def test_a_code_dies_with_its_session(world: World) -> None:
    cookie = world.cookie
    code = world.code(cookie)
    world.service.logout("", cookie=cookie, is_confirmed=True)
    assert refused(world, world.redemption(code)) == "invalid_grant"


def test_client_secret_basic_and_post_both_work_but_not_together(world: World) -> None:
    cookie = world.cookie
    header = basic("app", world.secret)
    form = world.redemption(world.code(cookie), client_id=None, client_secret=None)
    assert world.service.token(form, authorization=header)
    form = world.redemption(world.code(cookie), client_secret=None)
    assert world.service.token(form, authorization=header.replace("Basic", "bAsIc"))
    assert refused(world, world.redemption(world.code(cookie)), header) == "invalid_request"
    form = world.redemption(world.code(cookie), client_id="other", client_secret=None)
    assert refused(world, form, header) == "invalid_request"


@pytest.mark.parametrize(
    ("client_id", "secret"),
    [
        ("app", "wrong"),
        ("app", None),
        ("app", ""),
        ("unknown", "wrong"),
        ("unknown", None),
        (None, None),
        ("app", "汉"),
    ],
)
def test_a_client_that_does_not_prove_itself_is_refused_in_one_way(
    world: World, client_id: str | None, secret: str | None
) -> None:
    form = world.redemption(world.code(world.cookie), client_id=client_id, client_secret=secret)
    assert refused(world, form) == "invalid_client"


@pytest.mark.parametrize("header", ["Bearer x", "Basic", "Basic !!!", "Basic YXBw", "Basic //79", "Basic YXBwOiVGRg=="])
def test_unreadable_credentials_are_refused(world: World, header: str) -> None:
    assert refused(world, "grant_type=client_credentials", header) == "invalid_client"


def test_the_digest_of_a_secret_is_no_secret(world: World) -> None:
    with world.database.transaction() as session:
        digest = store.client_by_id(session, "app").secret_digest
    assert digest != world.secret
    assert refused(world, "grant_type=client_credentials", basic("app", digest)) == "invalid_client"


def test_a_public_client_has_pkce_and_no_secret(world: World) -> None:
    public = Registration(
        client_id="spa",
        name="SPA",
        is_public=True,
        redirect_uris=world.registration.redirect_uris,
        scopes=frozenset({"openid"}),
    )
    assert world.service.applications.register(public, actor="test") is None
    cookie = world.cookie
    form = world.redemption(world.code(cookie, client_id="spa"), client_id="spa", client_secret=None)
    assert world.service.token(form, authorization=None)["id_token"]
    form = world.redemption(world.code(cookie, client_id="spa"), client_id="spa", client_secret="anything")
    assert refused(world, form) == "invalid_client"
    form = urlencode({"grant_type": "client_credentials", "client_id": "spa"})
    assert refused(world, form) == "unauthorized_client"


@pytest.mark.parametrize("grant_type", ["password", "implicit", "refresh_token", "urn:ietf:params:oauth:grant-type:x"])
def test_other_grants_do_not_exist(world: World, grant_type: str) -> None:
    """“3. … implicit/hybrid/ROPC … refused”."""
    form = urlencode({"grant_type": grant_type, "username": "alice", "password": "x"})
    assert refused(world, form, basic("app", world.secret)) == "unsupported_grant_type"


def test_an_application_gets_the_rights_it_has(world: World) -> None:
    header = basic("app", world.secret)
    tokens = world.service.token("grant_type=client_credentials", authorization=header)
    assert tokens["scope"] == "licence:issue seal:sign"
    assert "id_token" not in tokens
    principal = world.service.authenticate(f"Bearer {tokens['access_token']}")
    assert principal.subject == "app"
    assert principal.kind == "application"
    assert principal.scopes == {"licence:issue", "seal:sign"}
    found = claims(tokens["access_token"])
    assert found["aud"] == "http://localhost:8000"
    assert found["sub"] == found["client_id"] == "app"
    one = world.service.token("grant_type=client_credentials&scope=seal:sign", authorization=header)
    assert world.service.authenticate(f"Bearer {one['access_token']}").scopes == {"seal:sign"}


@pytest.mark.parametrize("scope", ["ca:issue", "seal:sign ca:issue", "openid", "seal:sign openid"])
def test_an_application_gets_no_other_rights(world: World, scope: str) -> None:
    """“8. Scope/resource cannot widen”."""
    form = urlencode({"grant_type": "client_credentials", "scope": scope})
    assert refused(world, form, basic("app", world.secret)) == "invalid_scope"


def test_duplicate_parameters_are_refused(world: World) -> None:
    """“16. Duplicate parameters ⇒ 400”."""
    form = world.redemption(world.code(world.cookie))
    assert refused(world, f"{form}&redirect_uri=https%3A%2F%2Fevil.example%2F") == "invalid_request"


def test_refusals_echo_nothing(world: World) -> None:
    code = world.code(world.cookie)
    with pytest.raises(OAuthError) as caught:
        world.service.token(world.redemption(code, code_verifier=OTHER_VERIFIER), authorization=None)
    said = f"{caught.value} {caught.value.facts}"
    assert code not in said
    assert OTHER_VERIFIER not in said


class _DeadMachine:
    """A signer whose machine has gone down."""

    def __init__(self, real: Signer) -> None:
        self.public_key_der = real.public_key_der

    def sign_many(self, digests: object) -> list[bytes]:
        raise BusyError("no machine can sign", code="hsm.machine.down")


def test_a_code_stays_used_when_the_machine_dies_and_no_token_is_issued(world: World) -> None:
    """Reserve → sign → record: what was reserved and not signed is known, and counts for nothing."""
    code = world.code(world.cookie)
    ring = world.service._keyring
    signer, public = ring._open()
    ring._opened = _DeadMachine(signer), public
    with pytest.raises(BusyError):
        world.redeem(code)
    ring._opened = signer, public
    with world.database.transaction() as session:
        actions = [row.action for row in rows(session, limit=2)]
    assert actions[0] == "sso.token.reserved"
    assert refused(world, world.redemption(code)) == "invalid_grant"


def test_a_token_that_was_signed_when_the_process_died_counts_for_nothing(world: World) -> None:
    ring = world.service._keyring
    signer, public = ring._open()
    ring._opened = _DeadMachine(signer), public
    with pytest.raises(BusyError):
        world.service.token("grant_type=client_credentials", authorization=basic("app", world.secret))
    ring._opened = signer, public
    with world.database.transaction() as session:
        (reserved,) = rows(session, limit=1)
    content = access_token.claims(
        issuer=world.service.issuer,
        audience="http://localhost:8000",
        subject="app",
        client_id="app",
        scopes=frozenset({"seal:sign"}),
        jti=reserved.subject,
        now=world.clock.now,
        lifetime=timedelta(hours=1),
    )
    (token,) = ring.sign((TokenType.ACCESS_TOKEN, content))
    with pytest.raises(UnauthenticatedError) as caught:
        world.service.authenticate(f"Bearer {token}")
    assert caught.value.code == "auth.token.revoked"
    with world.database.transaction() as session:
        store.mark_token_issued(session, reserved.subject, now=world.clock.now)
    assert world.service.authenticate(f"Bearer {token}")


def test_a_code_is_claimed_once(world: World) -> None:
    digest = sessions.stored_form(world.code(world.cookie))
    with world.database.transaction() as session:
        assert store.claim_code(session, digest, now=world.clock.now)
        assert not store.claim_code(session, digest, now=world.clock.now)
        assert not store.claim_code(session, "unknown", now=world.clock.now)
