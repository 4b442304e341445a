"""Who calls an interface, and what that one may do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Protocol

from fastapi import Header

from trustcore.errors import ForbiddenError

__all__ = ["Authenticator", "Principal", "requires"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An application or a person that was authenticated."""

    subject: str
    """Stable identifier: a client id or a user id."""
    kind: str
    """``application`` or ``person``."""
    scopes: frozenset[str]
    """Rights such as ``licence:issue``."""

    def require(self, scope: str) -> None:
        """Raise ``ForbiddenError`` (``auth.scope``) unless this one has the right."""
        if scope not in self.scopes:
            raise ForbiddenError(f"the caller has no right to {scope}", code="auth.scope", scope=scope)


class Authenticator(Protocol):
    """Turns credentials into a principal; implemented by the identity service."""

    def authenticate(self, authorization: str | None) -> Principal:
        """The principal behind an ``Authorization`` header.

        Raises ``UnauthenticatedError`` (``auth.token.…``) when it is missing, expired or not ours.
        """


def requires(authenticator: Authenticator, scope: str) -> Callable[..., Principal]:
    """A dependency for FastAPI: the caller, who has the right ``scope``.

    Example:
        ``Caller = Annotated[Principal, Depends(requires(authenticator, "seal:sign"))]``
    """

    def caller(authorization: Annotated[str | None, Header()] = None) -> Principal:
        principal = authenticator.authenticate(authorization)
        principal.require(scope)
        return principal

    return caller
