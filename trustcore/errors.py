"""One family of errors for the whole product.

An error says *what kind* of refusal it is (:class:`Kind`), carries a *stable code* that clients may branch on, one
English sentence in ``detail``, and ``facts`` from which pages build the sentence in the reader's language. Each
protocol maps the kind to its own wire form in exactly one place (RFC 9457 in :mod:`trustcore.web.problem`, OCSP and
TSP statuses in ``ca.web``, OAuth errors in ``sso.web``). ``detail`` and ``facts`` leave the house, so they never hold
secrets, personal data or internals; the cause goes in ``raise … from``.
"""

from enum import StrEnum
from typing import ClassVar

__all__ = [
    "BusyError",
    "ConflictError",
    "ForbiddenError",
    "InternalError",
    "Kind",
    "LimitedError",
    "MalformedError",
    "NotFoundError",
    "RejectedError",
    "TrustError",
    "UnauthenticatedError",
]


class Kind(StrEnum):
    """What a caller can do about an error."""

    MALFORMED = "malformed"
    """The input cannot be understood; sending it again will not help."""
    UNAUTHENTICATED = "unauthenticated"
    """We do not know who is asking."""
    FORBIDDEN = "forbidden"
    """We know who is asking, and that one may not."""
    NOT_FOUND = "not-found"
    CONFLICT = "conflict"
    """The state of the thing does not allow it (exists already, other body under the same key)."""
    REJECTED = "rejected"
    """Understood, well-formed, and refused by a rule that ``code`` names."""
    BUSY = "busy"
    """A resource is down or full for now; the same request may succeed later."""
    LIMITED = "limited"
    """The caller has used up a quota; the fact ``retry_after`` says in how many seconds it may ask again."""
    INTERNAL = "internal"


class TrustError(Exception):
    """Root of the family.

    Args:
        detail: one English sentence, without secrets or personal data.
        code: stable, dotted, lower case: ``ca.csr.bad-signature``.
        facts: values the sentence speaks of, for translation and for machines.
    """

    kind: ClassVar[Kind] = Kind.INTERNAL

    def __init__(self, detail: str, *, code: str, **facts: str | int) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.facts = facts


class MalformedError(TrustError):
    """The input cannot be understood."""

    kind = Kind.MALFORMED


class UnauthenticatedError(TrustError):
    """Nobody known is asking."""

    kind = Kind.UNAUTHENTICATED


class ForbiddenError(TrustError):
    """The caller has no right to this."""

    kind = Kind.FORBIDDEN


class NotFoundError(TrustError):
    """There is no such thing."""

    kind = Kind.NOT_FOUND


class ConflictError(TrustError):
    """The state of the thing does not allow it."""

    kind = Kind.CONFLICT


class RejectedError(TrustError):
    """A rule refuses a request that was understood."""

    kind = Kind.REJECTED


class BusyError(TrustError):
    """A machine, disk or queue cannot serve now; try again later."""

    kind = Kind.BUSY


class LimitedError(TrustError):
    """A quota of the caller is used up; the fact ``retry_after`` is in seconds."""

    kind = Kind.LIMITED


class InternalError(TrustError):
    """Something of ours is broken."""

    kind = Kind.INTERNAL
