"""Scopes: what a token is good for."""

import re

from trustcore.errors import MalformedError

__all__ = ["OPENID", "PROFILE", "ROLES", "USER_SCOPES", "api_scopes", "check_scope", "split"]

OPENID = "openid"
PROFILE = "profile"
"""``name`` and ``preferred_username`` at userinfo (OpenID Connect Core 1.0 §5.4)."""
ROLES = "roles"
"""``roles`` at userinfo."""

USER_SCOPES = frozenset({OPENID, PROFILE, ROLES})
"""Scopes of the code flow. Rights to the APIs belong to applications and never travel in a person's token."""

_API_SCOPE = re.compile(r"[a-z]{1,32}:[a-z-]{1,32}")


def check_scope(scope: str) -> None:
    """Refuse what is neither a scope of the code flow nor of the form ``service:verb``, such as ``licence:issue``."""
    if scope not in USER_SCOPES and not _API_SCOPE.fullmatch(scope):
        raise MalformedError(
            "A scope is openid, profile, roles, or has the form service:verb.", code="sso.client.scope-malformed"
        )


def api_scopes(scopes: frozenset[str]) -> frozenset[str]:
    """Those of ``scopes`` that belong to the APIs."""
    return scopes - USER_SCOPES


def split(value: str) -> frozenset[str]:
    """The scopes of a space-delimited list (RFC 6749 §3.3)."""
    return frozenset(part for part in value.split(" ") if part)
