"""single-sign-on.md §5.1: “1. redirect_uri compared as exact strings incl. port/query/case; no wildcard; fragment &
userinfo refused at registration”, and the patterns of §5.3."""

import pytest

from sso.applications import Registration
from sso.core.clients import Client, GrantType, PostLogoutTarget, RedirectTarget, check_redirect_uri
from sso.core.errors import PageError
from trustcore.errors import MalformedError

REGISTERED = "https://app.example.cn/callback"
CLIENT = Client(
    client_id="app",
    name="App",
    secret_digest=None,
    redirect_uris=(REGISTERED, "http://127.0.0.1:8123/callback?tenant=1"),
    post_logout_redirect_uris=("https://app.example.cn/goodbye",),
    scopes=frozenset({"openid"}),
    grant_types=frozenset({GrantType.AUTHORIZATION_CODE}),
)


@pytest.mark.parametrize("uri", CLIENT.redirect_uris)
def test_a_target_exists_for_each_registered_uri(uri: str) -> None:
    assert RedirectTarget(client=CLIENT, uri=uri).uri == uri


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example.cn/callback/",
        "https://app.example.cn/callback/more",  # CVE-2023-6291: prefix
        "https://app.example.cn/callback/..%2Fadmin",  # CVE-2024-1132
        "https://app.example.cn/callback/../admin",
        "https://app.example.cn/callback/..;/admin",  # CVE-2026-3872
        "https://app.example.cn/callback?x=1",
        "https://app.example.cn/callback#fragment",
        "https://app.example.cn:443/callback",
        "https://app.example.cn:8443/callback",
        "https://APP.example.cn/callback",  # CVE-2020-15234: case
        "HTTPS://app.example.cn/callback",
        "https://app.example.cn/Callback",
        "http://app.example.cn/callback",
        "https://app.example.cn@evil.example/callback",  # CVE-2024-8883
        "https://app.example.cn@app.example.cn@evil.example/callback",  # CVE-2026-7504
        "https://user@app.example.cn/callback",
        "https://app-example.cn/callback",  # CVE-2024-52289: a dot is a dot
        "https://app.example.cn.evil.example/callback",
        "https://evil.example/callback",
        "//app.example.cn/callback",
        " https://app.example.cn/callback",
        "https://app.example.cn/callback\n",
        "https://app.example.cn/callback%00",
        "https://*.example.cn/callback",
        "JAVASCRIPT:alert(1)",  # CVE-2026-9086
        "http://127.0.0.1:8124/callback?tenant=1",
        "http://127.0.0.1:8123/callback?tenant=2",
        "http://127.0.0.1:8123/callback",
        "",
    ],
)
def test_no_target_exists_for_anything_else(uri: str) -> None:
    with pytest.raises(PageError) as caught:
        RedirectTarget(client=CLIENT, uri=uri)
    assert caught.value.code == "sso.authorize.redirect-uri-mismatch"
    assert uri not in caught.value.detail or not uri


def test_a_login_uri_is_no_logout_uri() -> None:
    assert PostLogoutTarget(client=CLIENT, uri="https://app.example.cn/goodbye").location(None)
    with pytest.raises(PageError):
        PostLogoutTarget(client=CLIENT, uri=REGISTERED)


def test_response_parameters_join_a_query_that_is_there() -> None:
    target = RedirectTarget(client=CLIENT, uri="http://127.0.0.1:8123/callback?tenant=1")
    assert target.location({"code": "a b"}) == "http://127.0.0.1:8123/callback?tenant=1&code=a+b"


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example.cn/cb",
        "https://app.example.cn:8443/cb?x=1",
        "http://127.0.0.1:9000/cb",
        "http://localhost/cb",
        "http://[::1]:9000/cb",
        "http://trust.example.cn:8000/cb",
    ],
)
def test_these_uris_can_be_registered(uri: str) -> None:
    check_redirect_uri(uri, public=False, own_origin="http://trust.example.cn:8000")


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example.cn/cb#x",
        "https://user@app.example.cn/cb",
        "https://*.example.cn/cb",
        "https://app.example.cn/*",
        "https://app.example.cn",
        "https:///cb",
        "https:app.example.cn/cb",
        "https://app.example.cn/a/../cb",
        "https://app.example.cn/a/%2e%2E/cb",
        "https://app.example.cn/c b",
        "https://app.example.cn\\@evil.example/cb",
        "https://应用.cn/cb",
        "https://app.example.cn:99999/cb",
        "http://app.example.cn/cb",
        "http://localhost.evil.example/cb",
        "javascript:alert(1)",
        "data:text/html,x",
        "cn.example.app:/cb",
        "/cb",
        "",
        "https://app.example.cn/" + "a" * 2048,
    ],
)
def test_these_uris_cannot_be_registered(uri: str) -> None:
    with pytest.raises(MalformedError) as caught:
        check_redirect_uri(uri, public=False, own_origin="https://trust.example.cn")
    assert caught.value.code == "sso.client.redirect-uri-refused"


def test_a_private_use_scheme_is_for_public_clients() -> None:
    check_redirect_uri("cn.example.app:/cb", public=True, own_origin="https://trust.example.cn")
    for uri in ("javascript:alert(1)", "file:/cb", "myapp:/cb"):
        with pytest.raises(MalformedError):
            check_redirect_uri(uri, public=True, own_origin="https://trust.example.cn")


@pytest.mark.parametrize(
    ("registration", "code"),
    [
        (Registration(client_id="a b", name="A", scopes=frozenset({"seal:sign"})), "sso.client.id-malformed"),
        (Registration(client_id="a", name=" ", scopes=frozenset({"seal:sign"})), "sso.client.name-malformed"),
        (Registration(client_id="a", name="A"), "sso.client.useless"),
        (Registration(client_id="a", name="A", scopes=frozenset({"Seal:Sign"})), "sso.client.scope-malformed"),
        (Registration(client_id="a", name="A", redirect_uris=(REGISTERED,)), "sso.client.openid-missing"),
        (
            Registration(client_id="a", name="A", is_public=True, scopes=frozenset({"seal:sign"})),
            "sso.client.public-with-rights",
        ),
    ],
)
def test_a_registration_that_makes_no_sense_is_refused(registration: Registration, code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        registration.check(own_origin="https://trust.example.cn")
    assert caught.value.code == code


def test_neither_secret_nor_digest_is_shown() -> None:
    client = Client(
        client_id="app",
        name="App",
        secret_digest="c0ffee",
        redirect_uris=(),
        post_logout_redirect_uris=(),
        scopes=frozenset(),
        grant_types=frozenset(),
    )
    assert "c0ffee" not in repr(client)
