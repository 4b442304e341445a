"""The relying party's side of a login, for the product's own pages.

Everything a login has to remember grows from one random value in a cookie of the browser that began it: ``state``,
``nonce`` and the PKCE verifier are keyed digests of it. So the answer is bound to that browser, not to a store that any
browser can reach (the mistake of CVE-2025-68158), and nothing has to be cleaned up.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from sso.core import pkce
from trustcore.errors import RejectedError

__all__ = ["Attempt", "authorization_url", "is_local_path", "read_answer"]

_MAX_PATH = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One login that a browser has begun."""

    secret: str = field(repr=False)
    """At least 128 random bits in base64url."""
    return_to: str
    """Local path to go to afterwards."""

    @property
    def state(self) -> str:
        """``state`` (RFC 6749 §10.12)."""
        return self._derived("state")

    @property
    def nonce(self) -> str:
        """``nonce`` (OpenID Connect Core 1.0 §3.1.2.1)."""
        return self._derived("nonce")

    @property
    def code_verifier(self) -> str:
        """The PKCE verifier."""
        return self._derived("code_verifier")

    @property
    def cookie_value(self) -> str:
        """What the browser keeps."""
        return f"{self.secret}.{urlsafe_b64encode(self.return_to.encode()).decode('ascii').rstrip('=')}"

    @classmethod
    def from_cookie(cls, value: str) -> "Attempt":
        """Read :attr:`cookie_value` back.

        Raises:
            RejectedError: ``sso.portal.login-unknown``.
        """
        secret, _, encoded = value.partition(".")
        try:
            return_to = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
        except ValueError as error:
            raise _unknown() from error
        return cls(secret=secret, return_to=return_to if is_local_path(return_to) else "/")

    def _derived(self, purpose: str) -> str:
        digest = hmac.digest(self.secret.encode(), f"xinyin portal login {purpose}".encode(), hashlib.sha256)
        return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def is_local_path(path: str) -> bool:
    """Whether a browser that is sent to ``path`` stays at this host."""
    return (
        path.startswith("/")
        and not path.startswith(("//", "/\\"))
        and len(path) <= _MAX_PATH
        and path.isascii()
        and path.isprintable()
        and "\\" not in path
        and " " not in path
    )


def authorization_url(attempt: Attempt, *, endpoint: str, client_id: str, redirect_uri: str, scope: str) -> str:
    """Where the browser goes to log in."""
    parameters = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": scope,
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge": pkce.challenge_of(attempt.code_verifier),
        "code_challenge_method": "S256",
    }
    return f"{endpoint}?{urlencode(parameters)}"


def read_answer(answer: Mapping[str, str], attempt: Attempt, *, issuer: str) -> str:
    """The code of an authorization response that answers ``attempt``.

    Raises:
        RejectedError: ``sso.portal.login-unknown``: it answers something else (RFC 6749 §10.12) or comes from someone
            else (RFC 9207 §2.4); ``sso.portal.login-refused``: the provider refused.
    """
    if not hmac.compare_digest(answer.get("state", "").encode(), attempt.state.encode()):
        raise _unknown()
    if answer.get("iss") != issuer:
        raise _unknown()
    if "error" in answer or "code" not in answer:
        raise RejectedError("The login was refused.", code="sso.portal.login-refused")
    return answer["code"]


def _unknown() -> RejectedError:
    return RejectedError("This login was not begun in this browser.", code="sso.portal.login-unknown")
