"""ID tokens: who logged in, when and how; nothing else about the person (OpenID Connect Core 1.0 §2)."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sso.core.jose import KeySet, TokenType, verify
from trustcore.errors import UnauthenticatedError

__all__ = ["PASSWORD_ACR", "PASSWORD_AMR", "check", "claims", "read_hint"]

PASSWORD_ACR = "urn:xinyin:acr:password"
PASSWORD_AMR = ("pwd",)
"""RFC 8176 §2."""
_CLOCK_SKEW = timedelta(seconds=30)


def claims(
    *,
    issuer: str,
    subject: str,
    client_id: str,
    sid: str,
    nonce: str | None,
    auth_time: datetime,
    now: datetime,
    lifetime: timedelta,
) -> dict[str, object]:
    """The claims of an ID token for one client."""
    content: dict[str, object] = {
        "iss": issuer,
        "sub": subject,
        "aud": client_id,
        "iat": int(now.timestamp()),
        "exp": int((now + lifetime).timestamp()),
        "auth_time": int(auth_time.timestamp()),
        "acr": PASSWORD_ACR,
        "amr": list(PASSWORD_AMR),
        "sid": sid,
    }
    return content if nonce is None else content | {"nonce": nonce}


def check(token: str, keys: KeySet, *, issuer: str, client_id: str, nonce: str, now: datetime) -> Mapping[str, object]:
    """The relying party's side: the claims of an ID token that is meant for it, now (OIDC Core 1.0 §3.1.3.7).

    Raises:
        UnauthenticatedError: ``sso.id-token.refused`` or what :func:`sso.core.jose.verify` raises.
    """
    found = verify(token, keys, typ=TokenType.ID_TOKEN)
    issued, expires = found.get("iat"), found.get("exp")
    if (
        found.get("iss") != issuer
        or found.get("aud") != client_id
        or found.get("nonce") != nonce
        or not isinstance(found.get("sub"), str)
        or not isinstance(issued, int)
        or not isinstance(expires, int)
        or now.timestamp() >= expires
        or issued > (now + _CLOCK_SKEW).timestamp()
    ):
        raise UnauthenticatedError("The ID token is not for this login.", code="sso.id-token.refused")
    return found


def read_hint(token: str, keys: KeySet, *, issuer: str) -> Mapping[str, object] | None:
    """The claims of an ``id_token_hint`` that we issued, expired or not; ``None`` for anything else."""
    try:
        found = verify(token, keys, typ=TokenType.ID_TOKEN)
    except UnauthenticatedError:
        return None
    right = found.get("iss") == issuer and all(isinstance(found.get(name), str) for name in ("sub", "aud", "sid"))
    return found if right else None
