"""Two persons for what must not be one person's act (四眼原则); rules without a clock and without a database.

An approval names an act, its subject and every parameter, and allows exactly that, once. Two distinct persons give it;
the one who asked may be one of them, unless the installation wants three.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from trustcore.crypto.digests import sm3
from trustcore.errors import ConflictError, ForbiddenError

__all__ = [
    "PERSONS_NEEDED",
    "Approval",
    "ApprovalAct",
    "ApprovalState",
    "Consent",
    "asked_by",
    "check_open",
    "check_person",
    "check_vote",
    "parameters_digest",
]

PERSONS_NEEDED = 2
_PERSONS = "persons"
"""Parameter of a request that more persons have to agree to."""
_PERSON = "user:"
_ABANDONED_AFTER = timedelta(minutes=5)
"""An act that another host began and has not finished by then may be taken up by this one."""


class ApprovalAct(StrEnum):
    """What two persons agree to."""

    GENERATE = "generate"
    IMPORT = "import"
    EXPORT = "export"
    DESTROY = "destroy"
    ASSIGN = "assign"
    """Making a key of the general purpose a CA's."""


class ApprovalState(StrEnum):
    """Where a request for approval is."""

    PENDING = "pending"
    APPROVED = "approved"
    """Enough persons agreed; the act may begin."""
    BEGUN = "begun"
    """The act began and has not ended."""
    EXECUTED = "executed"
    """Used up."""
    REFUSED = "refused"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """One person's yes."""

    person: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A request for approval and what became of it."""

    id: str
    act: ApprovalAct
    subject: str
    """Label of the key."""
    parameters: Mapping[str, str]
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    consents: tuple[Consent, ...] = ()
    refused_by: str | None = None
    refused_at: datetime | None = None
    reserved_at: datetime | None = None
    reserved_by: str | None = None
    executed_at: datetime | None = None

    @property
    def needed(self) -> int:
        """How many persons have to agree."""
        return int(self.parameters.get(_PERSONS, PERSONS_NEEDED))

    def state(self, now: datetime) -> ApprovalState:
        """Where it is at ``now``. What began in time may end later."""
        if self.executed_at is not None:
            return ApprovalState.EXECUTED
        if self.refused_at is not None:
            return ApprovalState.REFUSED
        if self.reserved_at is not None:
            return ApprovalState.BEGUN
        if now >= self.expires_at:
            return ApprovalState.EXPIRED
        return ApprovalState.APPROVED if len(self.consents) >= self.needed else ApprovalState.PENDING

    def may_begin(self, now: datetime, host: str) -> bool:
        """Whether ``host`` may begin the act, or take it up again where a crash cut it off."""
        state = self.state(now)
        if state is ApprovalState.BEGUN:
            assert self.reserved_at is not None
            return self.reserved_by == host or now - self.reserved_at >= _ABANDONED_AFTER
        return state is ApprovalState.APPROVED


def asked_by(actor: str, parameters: Mapping[str, str], *, three_persons: bool) -> dict[str, str]:
    """The parameters of a request by this actor.

    Where three persons are wanted and nobody knows which person asks (a command, a program), three have to agree: one
    of them may be the one who asked.
    """
    unknown = three_persons and not actor.startswith(_PERSON)
    return {**parameters, _PERSONS: str(PERSONS_NEEDED + 1)} if unknown else dict(parameters)


def parameters_digest(act: ApprovalAct, subject: str, parameters: Mapping[str, str]) -> bytes:
    """SM3 over the canonical JSON of what is agreed to."""
    content = [act.value, subject, dict(parameters)]
    return sm3(json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode())


def check_person(person: str) -> None:
    """Let pass a person who was authenticated. Raises ``ForbiddenError`` (``hsm.approval.person``)."""
    if not person.startswith(_PERSON) or person == _PERSON:
        raise ForbiddenError(
            "Only a person who proved who he is can approve or refuse: no program, and no account of the operating "
            "system.",
            code="hsm.approval.person",
        )


def check_open(approval: Approval, now: datetime) -> None:
    """Let pass a request that can still be refused. Raises ``ConflictError`` (``hsm.approval.closed``)."""
    state = approval.state(now)
    if state not in {ApprovalState.PENDING, ApprovalState.APPROVED}:
        raise ConflictError(
            f"The request {approval.id} is {state} and can be decided no more.",
            code="hsm.approval.closed", id=approval.id, state=state.value,
        )  # fmt: skip


def check_vote(approval: Approval, person: str, now: datetime, *, three_persons: bool) -> None:
    """Let pass a person who may agree to this request.

    Raises:
        ForbiddenError: ``hsm.approval.person``; ``hsm.approval.requester`` where three persons are wanted.
        ConflictError: ``hsm.approval.closed``; ``hsm.approval.twice`` when this person agreed before.
    """
    check_person(person)
    check_open(approval, now)
    if any(consent.person == person for consent in approval.consents):
        raise ConflictError(
            f"The same person cannot agree to the request {approval.id} twice; it needs another one.",
            code="hsm.approval.twice", id=approval.id,
        )  # fmt: skip
    if three_persons and person == approval.requested_by:
        raise ForbiddenError(
            f"Whoever made the request {approval.id} cannot agree to it here: two others have to.",
            code="hsm.approval.requester", id=approval.id,
        )  # fmt: skip
