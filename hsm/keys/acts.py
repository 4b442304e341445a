"""What administrators do to keys that exist: activate, suspend, retire, destroy, bound, name, link to certificates.

Destruction is written down first and carried out then, machine by machine. One that is down confirms when it is back
(:meth:`KeyActs.complete_destructions`); until then its name stays with the key, and the key comes back to nobody.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from hsm.core.approvals import ApprovalAct
from hsm.core.lifecycle import MOST_USES, Act, KeyState, next_state
from hsm.errors import MachineDownError
from hsm.keys.approvals import Approvals
from hsm.keys.making import check_title
from hsm.keys.register import KeyRegister
from hsm.pool import Pool
from hsm.store import keys as store
from hsm.store import usage
from hsm.store.keys import WRAPPING_ALGORITHM, KeyRecord
from trustcore import audit
from trustcore.database import Database
from trustcore.errors import ConflictError, MalformedError, NotFoundError, RejectedError
from trustcore.locks import file_lock
from trustcore.signing import KeyPurpose

__all__ = ["KeyActs"]

_SYSTEM = "system"
_PAST = {Act.ACTIVATE: "activated", Act.SUSPEND: "suspended", Act.RETIRE: "retired", Act.DESTROY: "destroyed"}
_RESULTS = {Act.ACTIVATE: KeyState.ACTIVE, Act.SUSPEND: KeyState.SUSPENDED, Act.RETIRE: KeyState.RETIRED}


class KeyActs:
    """Acts on keys that exist. Every one is audited with who did it.

    Args:
        database: where the keys are.
        pool: the machines.
        register: what this process knows of the keys.
        approvals: of two persons, for the destruction of CA keys, and for making a key a CA's.
        clock: aware UTC time.
        lock: file that keeps two processes of this host from making or destroying keys at once.
    """

    def __init__(
        self,
        database: Database,
        pool: Pool,
        register: KeyRegister,
        *,
        approvals: Approvals,
        clock: Callable[[], datetime],
        lock: Path,
    ) -> None:
        self._database = database
        self._pool = pool
        self._register = register
        self._approvals = approvals
        self._clock = clock
        self._lock = lock

    def change(self, label: str, act: Act, *, actor: str) -> KeyRecord:
        """Activate, suspend or retire a key; nothing happens when it is so already.

        Raises ``ConflictError`` (``hsm.key.state``) where :data:`~hsm.core.lifecycle.TRANSITIONS` has no such act.
        """
        assert act is not Act.DESTROY
        now = self._clock()
        with self._database.transaction() as session:
            record = _existing(session, label)
            if record.state is not _RESULTS[act]:
                state = next_state(label, record.state, act)
                record = store.set_state(session, label, state, at=now)
                self._audit(session, record, _PAST[act], actor)
        self._register.remember(record)
        return record

    def destroy(self, label: str, *, actor: str) -> KeyRecord:
        """Destroy a key in every machine, those that are down as soon as they are back. There is no way back.

        Raises:
            ConflictError: ``hsm.key.state`` for one in use: retire or suspend it first.
            RejectedError: ``hsm.approval.needed`` for a CA key that two persons have not agreed to.
        """
        with file_lock(self._lock):
            with self._database.transaction() as session:
                record = _existing(session, label)
            if record.state is not KeyState.DESTROYED:
                record = self._decide_destruction(record, actor)
            self._register.remember(record)
            record = self._erase(record)
            self._register.remember(record)
            return record

    def complete_destructions(self) -> tuple[str, ...]:
        """Destroy what machines that were away still hold; labels of the keys that are now gone from some machine."""
        with file_lock(self._lock):
            with self._database.transaction() as session:
                waiting = store.undestroyed_records(session)
            return tuple(record.label for record in waiting if self._erase(record).machines != record.machines)

    def set_limit(self, label: str, limit: int | None, *, actor: str) -> KeyRecord:
        """Say how often a key may be used in its life; ``None`` for as often as wanted.

        A limit given when the key is made holds from its first use. One that is set later holds in other processes
        within two seconds. Raises ``RejectedError`` (``hsm.key.used``) when the key was used more often already.
        """
        if limit is not None and not 1 <= limit <= MOST_USES:
            raise MalformedError(f"The limit of a key's uses is 1 to {MOST_USES:,}.", code="hsm.key.limit-value")
        with self._database.transaction() as session:
            record = _alive(session, label)
            used = usage.set_limit(session, label, limit)
            if used is None:
                self._audit(session, record, "limited", actor, limit="none" if limit is None else str(limit))
                record = _existing(session, label)
        if used is not None:
            raise RejectedError(
                f"The key {label} was used {used} times already, which counts what processes hold on lease.",
                code="hsm.key.used", label=label, used=used,
            )  # fmt: skip
        self._register.remember(record)
        return record

    def rename(self, label: str, title: str | None, *, actor: str) -> KeyRecord:
        """Say what people call a key. Its label and URI stay, because others refer to them."""
        check_title(title)
        with self._database.transaction() as session:
            _existing(session, label)
            record = store.set_title(session, label, title)
            self._audit(session, record, "renamed", actor)
        self._register.remember(record)
        return record

    def assign(self, label: str, purpose: KeyPurpose, *, actor: str) -> KeyRecord:
        """Narrow what a key of the general purpose is for: keys that are older than purposes.

        Raises:
            ConflictError: ``hsm.key.purpose-set`` for a key that has a purpose already.
            RejectedError: ``hsm.approval.needed`` for a CA's purpose that two persons have not agreed to.
        """
        with self._database.transaction() as session:
            record = _assignable(session, label, purpose)
        if record.purpose is not purpose:
            agreed = {"key-id": record.key_id.hex(), "exportable": str(record.exportable).lower()}
            approval = self._approvals.demand(ApprovalAct.ASSIGN, purpose, label, agreed, actor=actor)
            with self._database.transaction() as session:
                _assignable(session, label, purpose)
                self._approvals.reserve(session, approval)
                record = store.set_purpose(session, label, purpose)
                self._audit(session, record, "assigned", actor, purpose=purpose.value)
                self._approvals.finish(session, approval, actor=actor)
        self._register.remember(record)
        return record

    def _decide_destruction(self, record: KeyRecord, actor: str) -> KeyRecord:
        next_state(record.label, record.state, Act.DESTROY)
        approval = self._approvals.demand(
            ApprovalAct.DESTROY, record.purpose, record.label, {"key-id": record.key_id.hex()}, actor=actor
        )
        with self._database.transaction() as session:
            now = _existing(session, record.label)
            next_state(now.label, now.state, Act.DESTROY)
            self._approvals.reserve(session, approval)
            # Any machine may hold a copy that was being made when its process died.
            machines = [*now.machines, *(name for name in self._pool.names if name not in now.machines)]
            record = store.set_state(session, now.label, KeyState.DESTROYED, at=self._clock(), machines=machines)
            self._audit(session, record, _PAST[Act.DESTROY], actor, machines=" ".join(machines))
            self._approvals.finish(session, approval, actor=actor)
            return record

    def _erase(self, record: KeyRecord) -> KeyRecord:
        erased = []
        for name in set(record.machines) & set(self._pool.names):
            try:
                self._pool.ask(name, lambda machine: machine.destroy(record.reference))
            except MachineDownError:
                continue
            erased.append(name)
        if not erased:
            return record
        with self._database.transaction() as session:
            gone = sorted(name for name in erased if self._pool.machine(name).erases)
            if gone:
                self._audit(session, record, "erased", _SYSTEM, machines=" ".join(gone))
            if left := sorted(set(erased) - set(gone)):
                # Its pair is in them until their vendor's console removes it.
                self._audit(session, record, "put-out-of-use", _SYSTEM, machines=" ".join(left))
            return store.remove_holders(session, record.label, erased)

    def _audit(self, session: Session, record: KeyRecord, what: str, actor: str, **facts: str) -> None:
        audit.record(session, at=self._clock(), actor=actor, action=f"hsm.key.{what}", subject=record.uri, facts=facts)


def _existing(session: Session, label: str) -> KeyRecord:
    record = store.key_record(session, label, lock=True)
    if record is None or record.created_at is None or record.algorithm == WRAPPING_ALGORITHM:
        raise NotFoundError(f"There is no key {label}.", code="hsm.key.not-found", label=label)
    return record


def _alive(session: Session, label: str) -> KeyRecord:
    record = _existing(session, label)
    if record.state is KeyState.DESTROYED:
        raise ConflictError(f"The key {label} is destroyed.", code="hsm.key.destroyed", label=label)
    return record


def _assignable(session: Session, label: str, purpose: KeyPurpose) -> KeyRecord:
    record = _alive(session, label)
    if record.purpose not in {purpose, KeyPurpose.SIGNING}:
        raise ConflictError(
            f"The key {label} is for {record.purpose} and stays so.", code="hsm.key.purpose-set", label=label
        )
    return record
