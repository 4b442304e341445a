"""Requests for approval: made, agreed to or refused by persons, used once."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from platform import node

from sqlalchemy.orm import Session

from hsm.core.approvals import (
    Approval,
    ApprovalAct,
    ApprovalState,
    asked_by,
    check_open,
    check_person,
    check_vote,
    parameters_digest,
)
from hsm.store import approvals as store
from trustcore import audit
from trustcore.database import Database
from trustcore.errors import BusyError, ConflictError, NotFoundError, RejectedError
from trustcore.signing import KeyPurpose

__all__ = ["Approvals"]

_ID_BYTES = 8
_OPEN_FOR = timedelta(days=7)
_COUNTS = {2: "Two", 3: "Three"}


class Approvals:
    """The approvals of an installation. Safe to share between threads.

    Args:
        database: where they are.
        clock: aware UTC time.
        random: makes identifiers.
        four_eyes: whether acts on CA keys need them at all.
        three_persons: whether the one who asks cannot be one of the two who agree.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        four_eyes: bool,
        three_persons: bool,
    ) -> None:
        self._database = database
        self._clock = clock
        self._random = random
        self._three_persons = three_persons
        self.four_eyes = four_eyes

    def now(self) -> datetime:
        """The present, which requests expire by."""
        return self._clock()

    def request(self, act: ApprovalAct, subject: str, parameters: Mapping[str, str], *, actor: str) -> Approval:
        """Ask for an approval; the open request when the same was asked for before."""
        now = self._clock()
        parameters = asked_by(actor, parameters, three_persons=self._three_persons)
        digest = parameters_digest(act, subject, parameters)
        identifier = self._random(_ID_BYTES).hex()
        with self._database.transaction() as session:
            for known in store.find(session, digest):
                if known.state(now) is not ApprovalState.EXPIRED:
                    return known
            made = Approval(
                id=identifier,
                act=act,
                subject=subject,
                parameters=parameters,
                requested_by=actor,
                requested_at=now,
                expires_at=now + _OPEN_FOR,
            )
            store.request(session, made)
            self._audit(session, made, "requested", actor)
            return made

    def approve(self, identifier: str, person: str) -> Approval:
        """One person agrees. Agreeing twice, too late or without being a person is refused."""
        now = self._clock()
        with self._database.transaction() as session:
            approval = self._get(session, identifier)
            check_vote(approval, person, now, three_persons=self._three_persons)
            store.vote(session, identifier, person, at=now)
            self._audit(session, approval, "approved", person)
            return self._get(session, identifier)

    def refuse(self, identifier: str, person: str) -> Approval:
        """One person refuses, which closes the request."""
        now = self._clock()
        check_person(person)
        with self._database.transaction() as session:
            approval = self._get(session, identifier)
            check_open(approval, now)
            store.refuse(session, identifier, person, at=now)
            self._audit(session, approval, "refused", person)
            return self._get(session, identifier)

    def get(self, identifier: str) -> Approval:
        """One request. Raises ``NotFoundError`` (``hsm.approval.not-found``)."""
        with self._database.transaction() as session:
            return self._get(session, identifier)

    def list(self, *, only_open: bool = True, limit: int = 200) -> tuple[Approval, ...]:
        """Requests, the newest first."""
        with self._database.transaction() as session:
            return tuple(store.approvals(session, only_open=only_open, now=self._clock(), limit=limit))

    def demand(
        self, act: ApprovalAct, purpose: KeyPurpose, subject: str, parameters: Mapping[str, str], *, actor: str
    ) -> str | None:
        """The approval that an act may use; ``None`` for an act that needs none.

        Raises:
            RejectedError: ``hsm.approval.needed``; the request is made and named.
            BusyError: ``hsm.approval.in-use`` while another server does it.
        """
        if not self.four_eyes or purpose is not KeyPurpose.CA:
            return None
        now = self._clock()
        digest = parameters_digest(act, subject, asked_by(actor, parameters, three_persons=self._three_persons))
        with self._database.transaction() as session:
            known = store.find(session, digest)
        for approval in known:
            if approval.may_begin(now, node()):
                return approval.id
        if any(approval.state(now) is ApprovalState.BEGUN for approval in known):
            raise _in_use(subject)
        approval = self.request(act, subject, parameters, actor=actor)
        raise RejectedError(
            f"{_COUNTS[approval.needed]} persons have to agree before the CA key {subject} can undergo this ({act}): "
            "“xinyin hsm approve "
            f"{approval.id}”, each of them; then give the same command again.",
            code="hsm.approval.needed", request=approval.id, label=subject, act=act.value,
        )  # fmt: skip

    def reserve(self, session: Session, identifier: str | None) -> None:
        """Begin the act, in the transaction that writes its intent; it may be taken up again until it is done."""
        if identifier is None:
            return
        now = self._clock()
        approval = self._get(session, identifier)
        if not approval.may_begin(now, node()):
            if approval.state(now) is ApprovalState.BEGUN:
                raise _in_use(approval.subject)
            raise ConflictError(
                f"The approval {identifier} cannot be used: it is {approval.state(now)}.",
                code="hsm.approval.closed", id=identifier, state=approval.state(now).value,
            )  # fmt: skip
        store.reserve(session, identifier, at=now, host=node())

    def finish(self, session: Session, identifier: str | None, *, actor: str) -> None:
        """Use the approval up, in the transaction that records the result."""
        if identifier is not None:
            store.execute(session, identifier, at=self._clock())
            self._audit(session, self._get(session, identifier), "used", actor)

    def _get(self, session: Session, identifier: str) -> Approval:
        approval = store.approval(session, identifier)
        if approval is None:
            raise NotFoundError(f"There is no request {identifier}.", code="hsm.approval.not-found", id=identifier)
        return approval

    def _audit(self, session: Session, approval: Approval, what: str, actor: str) -> None:
        audit.record(
            session, at=self._clock(), actor=actor, action=f"hsm.approval.{what}", subject=approval.id,
            facts={"act": approval.act.value, "key": approval.subject, **approval.parameters},
        )  # fmt: skip


def _in_use(subject: str) -> BusyError:
    return BusyError(
        f"Another server is carrying out what was approved for the key {subject}; try again in some minutes.",
        code="hsm.approval.in-use", label=subject,
    )  # fmt: skip
