"""Statements about every request, and the examples of the standards."""

import hashlib
import json
from base64 import urlsafe_b64encode
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso.core import authorize, jose, parameters, pkce
from sso.core.clients import Client, GrantType, check_redirect_uri
from sso.core.errors import OAuthError, PageError
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.crypto.software import SoftwareKeys
from trustcore.errors import MalformedError

REGISTERED = "https://app.example.cn/callback"
CLIENT = Client(
    client_id="app",
    name="App",
    secret_digest=None,
    redirect_uris=(REGISTERED,),
    post_logout_redirect_uris=(),
    scopes=frozenset({"openid"}),
    grant_types=frozenset({GrantType.AUTHORIZATION_CODE}),
)

values = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=40) | st.sampled_from(
    [REGISTERED, "app", "code", "openid", "none", "login", "S256", pkce.challenge_of("v" * 43), "https://evil.example/"]
)
names = st.sampled_from([
    "client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "prompt", "max_age", "code_challenge",
    "code_challenge_method", "request", "request_uri", "response_mode", "id_token_hint", "registration",
])  # fmt: skip


GOOD = {
    "client_id": "app",
    "redirect_uri": REGISTERED,
    "response_type": "code",
    "scope": "openid",
    "code_challenge": pkce.challenge_of("v" * 43),
    "code_challenge_method": "S256",
}


@given(st.dictionaries(names, values, max_size=4), st.sets(names, max_size=2))
def test_whatever_is_asked_an_answer_goes_to_the_registered_uri_or_nowhere(
    changed: dict[str, str], left_out: set[str]
) -> None:
    sent = {name: value for name, value in (GOOD | changed).items() if name not in left_out}
    read = parameters.parse(urlencode(sent))
    client = CLIENT if read.get("client_id") == "app" else None
    try:
        target = authorize.resolve_target(client, read)
    except PageError:
        assert read.get("client_id") != "app" or read.get("redirect_uri") != REGISTERED
        return
    state = read.get("state")
    try:
        request = authorize.read_request(target, read, subject_hint=None)
    except OAuthError as error:
        location = authorize.error_location(target, error, state=state, issuer="https://trust.example.cn/sso")
    else:
        assert pkce.is_challenge(request.code_challenge)
        location = authorize.success_location(request, code="c", issuer="https://trust.example.cn/sso")
    assert location.startswith(f"{REGISTERED}?")
    answered = parse_qs(urlsplit(location).query, keep_blank_values=True)
    assert answered.get("state") == (None if state is None else [state])
    assert answered["iss"] == ["https://trust.example.cn/sso"]


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read = parameters.parse(text)
    except OAuthError:
        return
    assert all(read.values())


@given(st.text(max_size=60))
def test_any_text_is_a_good_redirect_uri_or_refused(text: str) -> None:
    for uri in (text, f"https://{text}", f"https://app.example.cn/{text}"):
        try:
            check_redirect_uri(uri, public=True, own_origin="https://trust.example.cn")
        except MalformedError:
            continue
        parts = urlsplit(uri)
        assert not parts.fragment
        assert "@" not in parts.netloc
        assert "*" not in uri


def test_the_example_of_rfc_7636_appendix_b() -> None:
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert pkce.challenge_of(verifier) == challenge
    assert pkce.matches(verifier, challenge)
    assert not pkce.matches(verifier[:-1] + "l", challenge)


@pytest.mark.parametrize("verifier", ["a" * 42, "a" * 129, "a" * 42 + "+", "汉" * 43, ""])
def test_what_is_no_verifier_never_matches(verifier: str) -> None:
    assert not pkce.is_verifier(verifier)
    assert not pkce.matches(verifier, pkce.challenge_of("a" * 43))


def test_the_key_identifier_is_the_thumbprint_of_rfc_7638() -> None:
    keys = SoftwareKeys()
    jwk = jose.public_jwk(keys.signer(keys.generate("k", KeyAlgorithm.EC_P256)).public_key_der)
    members = {name: jwk[name] for name in sorted(("crv", "kty", "x", "y"))}
    digest = hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest()
    assert jwk["kid"] == urlsafe_b64encode(digest).decode().rstrip("=")


def test_short_coordinates_and_signatures_keep_their_length() -> None:
    """RFC 7518 §3.4, §6.2.1.2: 32 octets each, leading zeros included."""
    signature = jose.compact(b"a.b", bytes.fromhex("3006020101020102")).split(".")[2]
    assert signature == urlsafe_b64encode(bytes(31) + b"\x01" + bytes(31) + b"\x02").decode().rstrip("=")
