"""The token endpoint, step by step: who is the client, what does it hold, may it have the token."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import unquote_plus

from sso.core import pkce, scopes
from sso.core.clients import Client, GrantType
from sso.core.errors import OAuthError, OAuthErrorCode

__all__ = [
    "CodeRedemption",
    "IssuedCode",
    "PresentedClient",
    "authenticate_client",
    "check_redemption",
    "client_scopes",
    "presented_client",
    "read_grant_type",
    "read_redemption",
]

_UNKNOWN = Client(
    client_id="unknown", name="", secret_digest="0" * 64, redirect_uris=(), post_logout_redirect_uris=(),
    scopes=frozenset(), grant_types=frozenset(),
)  # fmt: skip
"""Compared with when there is no such client, so that the answer takes the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedClient:
    """What a request says of its client, not yet believed."""

    client_id: str
    secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRedemption:
    """What a client presents for tokens (RFC 6749 §4.1.3)."""

    code: str = field(repr=False)
    redirect_uri: str
    code_verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCode:
    """What we remember of a code that we issued."""

    client_id: str
    redirect_uri: str
    code_challenge: str
    subject: str
    sid: str
    scopes: frozenset[str]
    nonce: str | None = field(repr=False)
    auth_time: datetime
    expires_at: datetime
    """Exclusive."""
    used_at: datetime | None


def presented_client(authorization: str | None, parameters: Mapping[str, str]) -> PresentedClient:
    """Read ``client_secret_basic``, ``client_secret_post`` or a bare ``client_id`` (RFC 6749 §2.3.1).

    Raises:
        OAuthError: ``invalid_request`` where more than one method is used, ``invalid_client`` where none can be read.
    """
    in_body = parameters.get("client_id"), parameters.get("client_secret")
    if authorization is None:
        client_id, secret = in_body
        if client_id is None:
            raise _invalid_client()
        return PresentedClient(client_id=client_id, secret=secret)
    client_id, secret = _basic(authorization)
    if in_body[1] is not None or in_body[0] not in {None, client_id}:
        raise OAuthError(
            OAuthErrorCode.INVALID_REQUEST,
            "A client authenticates in one way only.",
            code="sso.token.two-authentications",
        )
    return PresentedClient(client_id=client_id, secret=secret)


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, credentials = authorization.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise _invalid_client()
        client_id, colon, secret = base64.b64decode(credentials.strip(), validate=True).decode("utf-8").partition(":")
        if not colon or not unquote_plus(client_id).isprintable():
            raise _invalid_client()
        return unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise _invalid_client() from error


def authenticate_client(client: Client | None, presented: PresentedClient) -> Client:
    """The client, where it proved to be itself: by its secret, or by having none to prove (a public client).

    Raises:
        OAuthError: ``invalid_client``, the same for an unknown client, a wrong, a missing and a superfluous secret.
    """
    proved = (client or _UNKNOWN).accepts(presented.secret or "")
    if client is None or proved is client.is_public or (client.is_public and presented.secret is not None):
        raise _invalid_client()
    return client


def read_grant_type(client: Client, parameters: Mapping[str, str]) -> GrantType:
    """``grant_type``, where it exists and the client may use it."""
    value = parameters.get("grant_type")
    if value is None:
        raise OAuthError(OAuthErrorCode.INVALID_REQUEST, "grant_type is required.", code="sso.token.grant-type-missing")
    if value not in set(GrantType):
        raise OAuthError(
            OAuthErrorCode.UNSUPPORTED_GRANT_TYPE, "This grant type does not exist here.", code="sso.token.grant-type"
        )
    grant_type = GrantType(value)
    if grant_type not in client.grant_types:
        raise OAuthError(
            OAuthErrorCode.UNAUTHORIZED_CLIENT,
            "The client may not use this grant type.",
            code="sso.token.grant-type-forbidden",
        )
    return grant_type


def read_redemption(parameters: Mapping[str, str]) -> CodeRedemption:
    """The parameters of a code redemption, all of them required here."""
    try:
        return CodeRedemption(
            code=parameters["code"],
            redirect_uri=parameters["redirect_uri"],
            code_verifier=parameters["code_verifier"],
        )
    except KeyError as error:
        raise OAuthError(
            OAuthErrorCode.INVALID_REQUEST,
            "code, redirect_uri and code_verifier are required.",
            code="sso.token.parameter-missing",
        ) from error


def check_redemption(
    issued: IssuedCode | None, redemption: CodeRedemption, *, client: Client, now: datetime
) -> IssuedCode:
    """The issued code, where this client may redeem it now. That it is unused is the store's to decide, atomically.

    Raises:
        OAuthError: ``invalid_grant``, with one sentence for all reasons: which one it was helps only an attacker.
    """
    if (
        issued is None
        or issued.client_id != client.client_id
        or issued.redirect_uri != redemption.redirect_uri
        or not pkce.matches(redemption.code_verifier, issued.code_challenge)
        or now >= issued.expires_at
    ):
        raise OAuthError(OAuthErrorCode.INVALID_GRANT, "The code cannot be redeemed.", code="sso.token.code-refused")
    return issued


def client_scopes(client: Client, parameters: Mapping[str, str]) -> frozenset[str]:
    """What a ``client_credentials`` token may do: what is asked for, or all the API scopes of the client.

    Raises:
        OAuthError: ``invalid_scope`` where more is asked for than is registered.
    """
    registered = scopes.api_scopes(client.scopes)
    asked = scopes.split(parameters.get("scope", "")) or registered
    if not asked <= registered:
        raise OAuthError(
            OAuthErrorCode.INVALID_SCOPE, "The client may not have this scope.", code="sso.token.scope-forbidden"
        )
    return asked


def _invalid_client() -> OAuthError:
    return OAuthError(
        OAuthErrorCode.INVALID_CLIENT, "Client authentication failed.", code="sso.token.client-authentication"
    )
