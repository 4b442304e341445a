"""What our own pages need of an OpenID Connect provider; :class:`sso.service.SsoService` is one."""

from collections.abc import Mapping
from typing import Protocol

from sso.core.jose import KeySet

__all__ = ["Provider"]


class Provider(Protocol):
    """A provider as its relying party sees it: the endpoints of its metadata, however they are reached."""

    @property
    def issuer(self) -> str:
        """The issuer identifier."""

    @property
    def public_keys(self) -> KeySet:
        """What ``jwks_uri`` publishes."""

    def token(self, form: str, *, authorization: str | None) -> Mapping[str, object]:
        """The token endpoint: an ``application/x-www-form-urlencoded`` body in, the token response out.

        Raises ``sso.core.errors.OAuthError``.
        """

    def userinfo(self, authorization: str | None) -> Mapping[str, object]:
        """The userinfo endpoint. Raises ``UnauthenticatedError``."""
