"""Registered clients, and the only value a browser may be redirected to."""

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlencode, urlsplit

from sso.core.errors import PageError
from trustcore.errors import MalformedError

__all__ = [
    "Client",
    "GrantType",
    "PostLogoutTarget",
    "RedirectTarget",
    "check_client_id",
    "check_redirect_uri",
    "origin_of",
    "secret_digest",
]

_CLIENT_ID = re.compile(r"[A-Za-z0-9._~-]{1,64}")
_URI = re.compile(r"[A-Za-z0-9._~:/?\[\]!$&'()+,;=%-]+")
"""RFC 3986 without ``#`` (fragment), ``@`` (userinfo) and ``*`` (what others read as a wildcard)."""
_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")
"""A reversed domain name (RFC 8252 §7.1): never ``javascript``, ``data`` or ``file``."""
_MAX_URI_LENGTH = 2048


class GrantType(StrEnum):
    """Grants of RFC 6749 that exist here; implicit, hybrid and password do not (RFC 9700 §2.1.2, §2.4)."""

    AUTHORIZATION_CODE = "authorization_code"
    CLIENT_CREDENTIALS = "client_credentials"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """An application that is registered with us."""

    client_id: str
    name: str
    """What people are shown."""
    secret_digest: str | None = field(repr=False)
    """:func:`secret_digest` of the secret; ``None`` for a public client (RFC 6749 §2.1)."""
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...]
    scopes: frozenset[str]
    """All that the client may ask for."""
    grant_types: frozenset[GrantType]

    @property
    def is_public(self) -> bool:
        """Whether the client cannot keep a secret."""
        return self.secret_digest is None

    def accepts(self, secret: str) -> bool:
        """Whether this is the client's secret, in time that does not depend on it."""
        return hmac.compare_digest(self.secret_digest or "", secret_digest(secret))


@dataclass(frozen=True, slots=True, kw_only=True)
class RedirectTarget:
    """Where an authorization response goes.

    An instance exists only for a URI that its client registered, compared as strings (RFC 9700 §2.1), so code that
    holds one cannot make an open redirect.
    """

    client: Client
    uri: str

    def __post_init__(self) -> None:
        """Refuse any URI that the client did not register."""
        if self.uri not in self.client.redirect_uris:
            raise PageError(
                "The application asked for an answer at an address that it has not registered.",
                code="sso.authorize.redirect-uri-mismatch",
            )

    def location(self, parameters: Mapping[str, str]) -> str:
        """The URI with response parameters; parameters that it has already stay (RFC 6749 §3.1.2)."""
        return _with_query(self.uri, parameters)

    @property
    def form_action_source(self) -> str:
        """What Content-Security-Policy ``form-action`` must allow, as Chromium applies it to redirects too."""
        return _form_action_source(self.uri)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostLogoutTarget:
    """Where a browser goes after logout (OpenID Connect RP-Initiated Logout 1.0 §3). Exists only if registered."""

    client: Client
    uri: str

    def __post_init__(self) -> None:
        """Refuse any URI that the client did not register for this purpose."""
        if self.uri not in self.client.post_logout_redirect_uris:
            raise PageError(
                "The application asked to return to an address that it has not registered.",
                code="sso.logout.redirect-uri-mismatch",
            )

    def location(self, state: str | None) -> str:
        """The URI, with ``state`` where the client gave one."""
        return _with_query(self.uri, {"state": state}) if state else self.uri


def _with_query(uri: str, parameters: Mapping[str, str]) -> str:
    separator = "&" if "?" in uri else "?"
    return f"{uri}{separator}{urlencode(parameters)}"


def _form_action_source(uri: str) -> str:
    """The origin; for an IPv6 host the scheme, because the policy's grammar has no such hosts (CSP Level 3 §2.3.1)."""
    origin = origin_of(uri)
    return f"{urlsplit(uri).scheme}:" if "[" in origin else origin


def secret_digest(secret: str) -> str:
    """SHA-256 of a client secret, hexadecimal.

    Secrets are 256 random bits, so there is nothing that a slow hash would protect.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def origin_of(uri: str) -> str:
    """Scheme, host and port of a web URI; for any other scheme, ``scheme:``."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in {"http", "https"} else f"{parts.scheme}:"


def check_client_id(client_id: str) -> None:
    """Refuse identifiers that need quoting somewhere."""
    if not _CLIENT_ID.fullmatch(client_id):
        raise MalformedError(
            "A client identifier is 1 to 64 letters, digits or any of . _ ~ -.", code="sso.client.id-malformed"
        )


def check_redirect_uri(uri: str, *, public: bool, own_origin: str) -> None:
    """Refuse a redirect URI that must not be registered (RFC 9700 §2.1, RFC 8252 §7).

    ``https`` anywhere; ``http`` on a loopback address or at ``own_origin``, the origin of this installation; for a
    public client a private-use scheme as well.
    """
    if len(uri) > _MAX_URI_LENGTH or not _URI.fullmatch(uri):
        raise _refused("It holds a fragment, user information, a wildcard or a character outside RFC 3986.")
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise _refused("It cannot be read as a URI.") from error
    if any(segment in {".", ".."} for segment in re.sub("%2[eE]", ".", parts.path).split("/")):
        raise _refused("Its path has dot segments.")
    scheme = uri.split(":", 1)[0]
    if scheme in {"http", "https"}:
        if not host or not uri.startswith(f"{scheme}://{parts.netloc}/"):
            raise _refused("It needs a host and a path.")
        if scheme == "http" and not _is_loopback(host) and origin_of(uri) != own_origin:
            raise _refused("Plain http is for loopback addresses only.")
    elif not (public and _PRIVATE_SCHEME.fullmatch(scheme)):
        raise _refused("Its scheme is neither https nor, for a public client, a reversed domain name.")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refused(reason: str) -> MalformedError:
    return MalformedError(f"This redirect URI cannot be registered. {reason}", code="sso.client.redirect-uri-refused")
