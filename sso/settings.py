"""The ``[sso]`` table of the settings."""

from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from sso.core.sessions import Lifetime
from trustcore.settings import Section

__all__ = ["SsoSettings"]

_SECOND = timedelta(seconds=1)
_Short = Annotated[timedelta, Field(ge=_SECOND, le=timedelta(seconds=60))]
_UpToTenMinutes = Annotated[timedelta, Field(ge=_SECOND, le=timedelta(minutes=10))]
_UpToADay = Annotated[timedelta, Field(ge=timedelta(minutes=1), le=timedelta(days=1))]


class SsoSettings(Section):
    """Single sign-on."""

    public_url: str = "http://localhost:8000"
    """Where browsers and applications reach this installation: scheme, host and port, without a path. The issuer of
    all tokens is this with ``/sso``; it is never taken from a request."""

    signing_key_label: str = "sso-es256"
    """Key in the encryption machines that signs tokens (P-256); made when it does not exist."""

    previous_signing_key_labels: tuple[str, ...] = ()
    """Keys that signed before; published for verification until their tokens have expired."""

    code_lifetime: _Short = timedelta(seconds=60)
    """How long an authorization code can be redeemed, at most 60 seconds."""

    id_token_lifetime: _UpToTenMinutes = timedelta(minutes=5)
    """How long an ID token can be presented to its application."""

    access_token_lifetime: _UpToTenMinutes = timedelta(minutes=10)
    """Life of a person's access token."""

    application_token_lifetime: _UpToADay = timedelta(hours=1)
    """Life of an application's access token (client credentials)."""

    session_idle: _UpToADay = timedelta(minutes=30)
    """A login ends when it has not been used for this long."""

    session_absolute: _UpToADay = timedelta(hours=8)
    """A login ends this long after the password was given."""

    one_time_password_lifetime: Annotated[timedelta, Field(ge=timedelta(minutes=1), le=timedelta(days=7))] = timedelta(
        hours=72
    )
    """How long a password that an administrator gave out lets its owner choose a new one."""

    concurrent_password_hashes: Annotated[int, Field(ge=1, le=64)] = 2
    """How many passwords are checked at once; each takes 19 MiB and one core for some 25 ms."""

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or value != f"{parts.scheme}://{parts.netloc}":
            message = "public_url is scheme, host and port only, such as https://trust.example.cn"
            raise ValueError(message)
        return value

    @property
    def issuer(self) -> str:
        """The issuer identifier (OpenID Connect Core 1.0 §2)."""
        return f"{self.public_url}/sso"

    @property
    def audience(self) -> str:
        """``aud`` of access tokens for the interfaces of this installation."""
        return self.public_url

    @property
    def is_https(self) -> bool:
        """Whether browsers come over TLS, so that cookies are ``Secure`` and ``__Host-``."""
        return self.public_url.startswith("https:")

    @property
    def session_lifetime(self) -> Lifetime:
        """Both limits of a session."""
        return Lifetime(idle=self.session_idle, absolute=self.session_absolute)
