"""single-sign-on.md §5.1: “15. JWS verify: alg allow-list per key, kid only from own JWKS, jku/x5u/jwk ignored, crit
refused, typ checked (at+jwt, logout+jwt, dpop+jwt)”."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from sso.core import access_token, id_token, jose
from sso.core.jose import TokenType
from sso.keyring import Keyring
from sso.settings import SsoSettings
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.crypto.software import SoftwareKeys
from trustcore.errors import InternalError, UnauthenticatedError

from support.identity import World


def encoded(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def application_token(world: World) -> str:
    form = f"grant_type=client_credentials&client_id=app&client_secret={world.secret}"
    return str(world.service.token(form, authorization=None)["access_token"])


def with_header(token: str, **changed: object) -> str:
    header, rest = token.split(".", 1)
    content = json.loads(urlsafe_b64decode(header + "==")) | changed
    return f"{encoded({name: value for name, value in content.items() if value is not None})}.{rest}"


def resigned(world: World, token: str, **changed: object) -> str:
    """The token as our own key would have signed it with another header."""
    header, payload, _ = with_header(token, **changed).split(".")
    uri = world.keys.find("sso-es256")
    assert uri is not None
    signed = f"{header}.{payload}".encode()
    return jose.compact(signed, world.keys.signer(uri).sign(signed))


def test_another_library_verifies_our_signature_with_our_published_key(world: World) -> None:
    keys = KeySet.import_key_set(json.loads(json.dumps(world.service.jwks())))
    decoded = jwt.decode(application_token(world), keys, algorithms=["ES256"])
    assert decoded.claims["client_id"] == "app"
    assert decoded.header["kid"] == ECKey.import_key(dict(world.service.public_keys.jwks[0])).thumbprint()


def test_only_public_parts_are_published(world: World) -> None:
    (jwk,) = world.service.public_keys.jwks
    assert jwk.keys() == {"kty", "crv", "x", "y", "use", "alg", "kid"}


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "RS256", "ES384", "ES256K", "", 1])
def test_other_algorithms_are_refused(world: World, alg: object) -> None:
    token = application_token(world)
    header, payload, _ = with_header(token, alg=alg).split(".")
    for signature in ("", token.split(".")[2]):
        with pytest.raises(UnauthenticatedError):
            world.service.authenticate(f"Bearer {header}.{payload}.{signature}")


def test_a_mac_with_our_public_key_is_no_signature(world: World) -> None:
    """The classical confusion: HS256 keyed with what everybody can read."""
    header, payload, _ = with_header(application_token(world), alg="HS256").split(".")
    public = json.dumps(dict(world.service.public_keys.jwks[0])).encode()
    mac = hmac.digest(public, f"{header}.{payload}".encode(), hashlib.sha256)
    with pytest.raises(UnauthenticatedError):
        world.service.authenticate(f"Bearer {header}.{payload}.{encoded(mac)}")


@pytest.mark.parametrize(
    "changed",
    [
        {"typ": "JWT"},
        {"typ": "AT+JWT"},
        {"typ": None},
        {"kid": "unknown"},
        {"kid": None},
        {"kid": ["a"]},
        {"crit": ["exp"]},
        {"jku": "https://evil.example/jwks"},
        {"x5u": "https://evil.example/cert"},
        {"jwk": {"kty": "EC"}},
        {"b64": False, "crit": ["b64"]},
    ],
)
def test_a_header_that_is_not_ours_is_refused_even_when_our_key_signed_it(
    world: World, changed: dict[str, object]
) -> None:
    token = application_token(world)
    assert world.service.authenticate(f"Bearer {resigned(world, token)}")  # the same, unchanged, is accepted
    with pytest.raises(UnauthenticatedError) as caught:
        world.service.authenticate(f"Bearer {resigned(world, token, **changed)}")
    assert caught.value.code in {"auth.token.header", "auth.token.key-unknown", "auth.token.malformed"}


def test_a_key_of_somebody_else_is_refused(world: World) -> None:
    other = SoftwareKeys()
    signer = other.signer(other.generate("sso-es256", KeyAlgorithm.EC_P256))
    header, payload, _ = application_token(world).split(".")
    signed = f"{header}.{payload}".encode()
    with pytest.raises(UnauthenticatedError) as caught:
        world.service.authenticate(f"Bearer {jose.compact(signed, signer.sign(signed))}")
    assert caught.value.code == "auth.token.signature"


def test_every_flipped_bit_of_a_token_is_found(world: World) -> None:
    token = application_token(world)
    keys = world.service.public_keys
    assert jose.verify(token, keys, typ=TokenType.ACCESS_TOKEN)
    header, payload, signature = token.split(".")
    for index, part in enumerate((header, payload, signature)):
        octets = bytearray(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        for position in range(0, len(octets), 3):
            octets[position] ^= 1
            parts = [header, payload, signature]
            parts[index] = encoded(bytes(octets))
            octets[position] ^= 1
            with pytest.raises(UnauthenticatedError):
                jose.verify(".".join(parts), keys, typ=TokenType.ACCESS_TOKEN)


@pytest.mark.parametrize(
    "token", ["", ".", "..", "a.b", "a.b.c.d", "汉.字.x", "e30.e30.", "x" * 10_000, "\x00.\x00.\x00"]
)
def test_what_is_no_token_is_refused(world: World, token: str) -> None:
    with pytest.raises(UnauthenticatedError):
        jose.verify(token, world.service.public_keys, typ=TokenType.ACCESS_TOKEN)
    with pytest.raises(UnauthenticatedError):
        world.service.authenticate(f"Bearer {token}")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Token x"])
def test_without_a_bearer_token_nobody_is_authenticated(world: World, header: str | None) -> None:
    with pytest.raises(UnauthenticatedError) as caught:
        world.service.authenticate(header)
    assert caught.value.code == "auth.token.missing"


def test_a_token_of_one_kind_is_never_one_of_another(world: World) -> None:
    tokens = world.redeem(world.code(world.cookie))
    with pytest.raises(UnauthenticatedError):
        world.service.userinfo(f"Bearer {tokens['id_token']}")
    with pytest.raises(UnauthenticatedError):
        world.service.authenticate(f"Bearer {tokens['id_token']}")
    assert (
        id_token.read_hint(str(tokens["access_token"]), world.service.public_keys, issuer=world.service.issuer) is None
    )


def test_a_token_counts_for_its_audience_only(world: World) -> None:
    tokens = world.redeem(world.code(world.cookie))
    with pytest.raises(UnauthenticatedError) as caught:
        world.service.authenticate(f"Bearer {tokens['access_token']}")
    assert caught.value.code == "auth.token.audience"
    with pytest.raises(UnauthenticatedError):
        world.service.userinfo(f"Bearer {application_token(world)}")


def test_a_token_of_another_issuer_is_refused(world: World) -> None:
    token = application_token(world)
    with pytest.raises(UnauthenticatedError):
        access_token.read(
            token,
            world.service.public_keys,
            issuer="https://other.example/sso",
            audience="http://localhost:8000",
            now=world.clock.now,
        )


def test_a_token_expires_to_the_second(world: World) -> None:
    bearer = f"Bearer {application_token(world)}"
    world.clock.advance(minutes=59, seconds=59)
    assert world.service.authenticate(bearer)
    world.clock.advance(seconds=1)
    with pytest.raises(UnauthenticatedError) as caught:
        world.service.authenticate(bearer)
    assert caught.value.code == "auth.token.expired"


def test_a_clock_may_be_half_a_minute_behind_and_not_more(world: World) -> None:
    bearer = f"Bearer {application_token(world)}"
    world.clock.advance(seconds=-30)
    assert world.service.authenticate(bearer)
    world.clock.advance(seconds=-1)
    with pytest.raises(UnauthenticatedError) as caught:
        world.service.authenticate(bearer)
    assert caught.value.code == "auth.token.times"


@pytest.mark.parametrize(
    "claims",
    [{"exp": "4000000000"}, {"exp": None}, {"iat": None}, {"iat": 1.5}, {"jti": 1}, {"scope": None}, {"sub": ["app"]}],
)
def test_claims_of_a_wrong_type_are_refused(world: World, claims: dict[str, object]) -> None:
    good = access_token.claims(
        issuer=world.service.issuer,
        audience="http://localhost:8000",
        subject="app",
        client_id="app",
        scopes=frozenset({"seal:sign"}),
        jti="x",
        now=world.clock.now,
        lifetime=timedelta(hours=1),
    )
    (token,) = world.service._keyring.sign((TokenType.ACCESS_TOKEN, good | claims))
    with pytest.raises(UnauthenticatedError) as caught:
        world.service.authenticate(f"Bearer {token}")
    assert caught.value.code in {"auth.token.claims", "auth.token.times"}


def test_a_token_that_was_signed_but_never_recorded_counts_for_nothing(world: World) -> None:
    good = access_token.claims(
        issuer=world.service.issuer,
        audience="http://localhost:8000",
        subject="app",
        client_id="app",
        scopes=frozenset({"seal:sign"}),
        jti="never-reserved",
        now=world.clock.now,
        lifetime=timedelta(hours=1),
    )
    (token,) = world.service._keyring.sign((TokenType.ACCESS_TOKEN, good))
    with pytest.raises(UnauthenticatedError) as caught:
        world.service.authenticate(f"Bearer {token}")
    assert caught.value.code == "auth.token.revoked"


def test_a_stopped_client_loses_its_tokens_at_once(world: World) -> None:
    bearer = f"Bearer {application_token(world)}"
    world.service.applications.disable("app", actor="test")
    with pytest.raises(UnauthenticatedError):
        world.service.authenticate(bearer)


def test_previous_keys_stay_published_and_verify_but_do_not_sign(world: World) -> None:
    old = application_token(world)
    ring = Keyring(world.keys, label="sso-es256-2", previous_labels=(SsoSettings().signing_key_label,))
    assert len(ring.public_keys.jwks) == 2
    assert jose.verify(old, ring.public_keys, typ=TokenType.ACCESS_TOKEN)
    (new,) = ring.sign((TokenType.ACCESS_TOKEN, {"a": 1}))
    with pytest.raises(UnauthenticatedError):
        jose.verify(new, world.service.public_keys, typ=TokenType.ACCESS_TOKEN)


def test_a_key_of_the_wrong_kind_is_a_fault_of_the_installation() -> None:
    keys = SoftwareKeys()
    keys.generate("sso-es256", KeyAlgorithm.SM2)
    with pytest.raises(InternalError):
        assert Keyring(keys, label="sso-es256").public_keys
    with pytest.raises(InternalError):
        assert Keyring(SoftwareKeys(), label="a", previous_labels=("gone",)).public_keys


def test_a_relying_party_refuses_an_id_token_that_is_not_for_this_login(world: World) -> None:
    token = str(world.redeem(world.code(world.cookie))["id_token"])
    keys, now = world.service.public_keys, world.clock.now
    good = {"issuer": world.service.issuer, "client_id": "app", "nonce": "n-0S6_WzA2Mj"}
    assert id_token.check(token, keys, now=now, **good)["aud"] == "app"
    for wrong in ({"issuer": "https://other.example"}, {"client_id": "other"}, {"nonce": "other"}):
        with pytest.raises(UnauthenticatedError):
            id_token.check(token, keys, now=now, **(good | wrong))
    for moment in (now + timedelta(minutes=5), now - timedelta(seconds=31)):
        with pytest.raises(UnauthenticatedError):
            id_token.check(token, keys, now=moment, **good)
