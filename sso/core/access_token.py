"""Access tokens in the JWT profile of RFC 9068."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sso.core.jose import KeySet, TokenType, verify
from trustcore.errors import UnauthenticatedError

__all__ = ["AccessToken", "claims", "read"]

_CLOCK_SKEW = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """What a verified access token says."""

    subject: str
    client_id: str
    jti: str
    scopes: frozenset[str]


def claims(  # noqa: PLR0913 - one argument per claim
    *,
    issuer: str,
    audience: str,
    subject: str,
    client_id: str,
    scopes: frozenset[str],
    jti: str,
    now: datetime,
    lifetime: timedelta,
    sid: str | None = None,
    auth_time: datetime | None = None,
) -> dict[str, object]:
    """The claims of an access token (RFC 9068 §2.2). One token has one audience (RFC 9068 §3)."""
    content: dict[str, object] = {
        "iss": issuer,
        "sub": subject,
        "aud": audience,
        "client_id": client_id,
        "scope": " ".join(sorted(scopes)),
        "jti": jti,
        "iat": int(now.timestamp()),
        "exp": int((now + lifetime).timestamp()),
    }
    if sid is not None:
        content["sid"] = sid
    if auth_time is not None:
        content["auth_time"] = int(auth_time.timestamp())
    return content


def read(token: str, keys: KeySet, *, issuer: str, audience: str, now: datetime) -> AccessToken:
    """Verify a token for one audience (RFC 9068 §4). Whether it has been revoked is the store's to say.

    Raises:
        UnauthenticatedError: ``auth.token.*``; the sentence does not tell which check failed.
    """
    found = verify(token, keys, typ=TokenType.ACCESS_TOKEN)
    texts = {name: found.get(name) for name in ("sub", "client_id", "jti", "scope")}
    _check_claims(found, texts, issuer=issuer, audience=audience, now=now)
    return AccessToken(
        subject=str(texts["sub"]),
        client_id=str(texts["client_id"]),
        jti=str(texts["jti"]),
        scopes=frozenset(str(texts["scope"]).split()),
    )


def _check_claims(
    found: Mapping[str, object], texts: Mapping[str, object], *, issuer: str, audience: str, now: datetime
) -> None:
    issued, expires = found.get("iat"), found.get("exp")
    if found.get("iss") != issuer or found.get("aud") != audience:
        raise _refused("audience")
    if not all(isinstance(text, str) for text in texts.values()):
        raise _refused("claims")
    if not isinstance(issued, int) or not isinstance(expires, int) or issued > (now + _CLOCK_SKEW).timestamp():
        raise _refused("times")
    if now.timestamp() >= expires:
        raise _refused("expired")


def _refused(reason: str) -> UnauthenticatedError:
    return UnauthenticatedError("The access token is not valid here.", code=f"auth.token.{reason}")
