"""Making keys.

Everything here can be killed at any point and done again: the intent is in the table before a machine acts, objects in
machines are found again by their random identifier, and the table says last what is true. The order for a key:

1. the request with a fresh identifier is written, and the approval, where one is needed, is reserved for it;
2. one machine makes the key, extractable only under the wrapping key;
3. each other machine that answers gets its copy;
4. the table records the public key and the holders: from now on the key exists, and the approval is used up;
5. when every machine has it, it is made non-extractable everywhere.

A machine that is down at step 3 gets its copy from :meth:`KeyMaker.reconcile`, later.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from platform import node

from hsm.core.approvals import ApprovalAct
from hsm.core.lifecycle import MOST_USES, SecretAlgorithm
from hsm.core.uri import key_uri, secret_key_uri
from hsm.errors import MachineCannotError, MachineDownError, MachineFullError
from hsm.keys import material
from hsm.keys.approvals import Approvals
from hsm.keys.copies import Copies
from hsm.keys.wrapping import WRAPPING_LABEL, WrappingKeys
from hsm.pool import Pool
from hsm.store import keys as store
from hsm.store.keys import SM4_ALGORITHM, KeyRecord, NewKey
from trustcore import audit
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.crypto.digests import sha256
from trustcore.database import Database
from trustcore.errors import BusyError, ConflictError, MalformedError, RejectedError, TrustError
from trustcore.locks import file_lock
from trustcore.signing import KeyPurpose

__all__ = ["SYSTEM", "KeyMaker", "Place", "approved_parameters", "check_new"]

SYSTEM = "system"
"""Who acts when no person is named."""
_KEY_ID_BYTES = 16
_DONE = {ApprovalAct.GENERATE: "hsm.key.generated", ApprovalAct.IMPORT: "hsm.key.imported"}

Place = Callable[[KeyRecord, bool], tuple[KeyRecord, list[str]]]
"""Puts a key that was requested, perhaps by an attempt that died, into a machine: its record with the public key, and
the machines that hold it."""

_TITLE_LIMIT = 200
_ABANDONED_AFTER = timedelta(minutes=5)


class KeyMaker:
    """Makes keys in the machines of a pool.

    Args:
        database: where the intents are.
        pool: the machines.
        approvals: of two persons, for CA keys.
        clock: aware UTC time.
        random: makes identifiers.
        lock: file that keeps two processes of this host from making keys at once.
    """

    def __init__(
        self,
        database: Database,
        pool: Pool,
        *,
        approvals: Approvals,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        lock: Path,
    ) -> None:
        self._database = database
        self._pool = pool
        self._approvals = approvals
        self._clock = clock
        self._random = random
        self._lock = lock
        self._wrapping = WrappingKeys(database, pool, clock=clock, random=random)
        self.copies = Copies(database, pool, self._wrapping, clock=clock)

    def generate(self, new: NewKey, *, actor: str = SYSTEM) -> KeyRecord:
        """Make a key in one machine and give it to the others, or go on where a dead process stopped.

        Raises:
            ConflictError: ``hsm.key.exists``.
            RejectedError: ``hsm.approval.needed`` for a CA key that two persons have not agreed to.
            BusyError: ``hsm.machine.unavailable``; ``hsm.key.in-progress`` while another host makes it.
        """
        agreed = approved_parameters(new)
        return self.add(new, ApprovalAct.GENERATE, agreed, self._place, actor=actor)

    def add(self, new: NewKey, act: ApprovalAct, agreed: Mapping[str, str], place: Place, *, actor: str) -> KeyRecord:
        """Bring a key about in one machine and give it to the others; see :meth:`generate` for what is raised.

        Args:
            new: the key.
            act: what two persons have to agree to, for a CA key.
            agreed: exactly what they agree to.
            place: puts the key into a machine.
            actor: who asked.
        """
        check_new(new)
        with file_lock(self._lock):
            self._check_free(new)
            approval = self._approvals.demand(act, new.purpose, new.label, agreed, actor=actor)
            record, resumed = self._request(new, approval, actor)
            try:
                record, holders = place(record, resumed)
            except MalformedError:
                self._forget(record)
                raise
            holders = self.copies.spread(record, holders)
            return self.copies.seal_when_complete(self._finish(record, holders, approval, _DONE[act], actor))

    def reconcile(self) -> tuple[str, ...]:
        """Give machines that were away what they missed; returns the labels of the keys that moved."""
        with file_lock(self._lock):
            return self.copies.reconcile()

    def _check_free(self, new: NewKey) -> None:
        with self._database.transaction() as session:
            record = store.key_record(session, new.label)
        if record is not None:
            _check_resumable(record, new, self._clock())

    def _request(self, new: NewKey, approval: str | None, actor: str) -> tuple[KeyRecord, bool]:
        """The request for a key, and whether it was there before."""
        now, uri = self._clock(), _uri(new)
        with self._database.transaction() as session:
            record = store.key_record(session, new.label)
            if record is not None:
                _check_resumable(record, new, now)
            self._approvals.reserve(session, approval)
            if record is not None:
                return store.renew_request(session, new.label, at=now, host=node(), new=new), True
            audit.record(
                session, at=now, actor=actor, action="hsm.key.requested", subject=uri,
                facts={"algorithm": new.algorithm, "purpose": new.purpose.value},
            )  # fmt: skip
            key_id = self._random(_KEY_ID_BYTES)
            return store.request(session, new, key_id=key_id, uri=uri, at=now, host=node()), False

    def _forget(self, record: KeyRecord) -> None:
        """Give the label back: what was to come in under it is no key."""
        with self._database.transaction() as session:
            store.forget(session, record.label)

    def _place(self, record: KeyRecord, resumed: bool) -> tuple[KeyRecord, list[str]]:
        """Find or make the key; its record with the public key, and the machines that hold it."""
        if resumed:
            found, holders, asked_all = self._search(record)
            if holders:
                return replace(record, public_key_der=found), holders
            if not asked_all:
                # A machine that is down may hold the key of the earlier attempt: it must never be taken for this one.
                record = self._rename(record)
        last: TrustError | None = None
        cannot: RejectedError | None = None
        for name in self._candidates(record.label):
            make = partial(material.make, record=record, extractable=self.copies.leave(name) or record.exportable)
            try:
                made = self._pool.ask(name, make)
            except MachineDownError as error:
                # It may have made the key and lost the answer.
                last, record = error, self._rename(record)
            except MachineFullError as error:
                last = error
            except MachineCannotError as error:
                cannot = error
            else:
                return replace(record, public_key_der=made.public_key_der), [name]
        if last is None and cannot is not None:
            raise cannot
        if isinstance(last, MachineFullError):
            raise last
        raise BusyError(
            "No encryption machine can make a key now; look at them with “xinyin hsm machines”.",
            code="hsm.machine.unavailable",
        ) from last

    def _candidates(self, label: str) -> tuple[str, ...]:
        """Machines to make a key in, the best first; only those that were set up for it, where some were.

        The best are those that give copies of it to others, and of these the least busy.
        """
        ready = self._pool.by_readiness()
        expecting = tuple(name for name in ready if self._pool.machine(name).expects(label))
        if expecting or not any(self._pool.machine(name).expects(label) for name in self._pool.names):
            return expecting or tuple(sorted(ready, key=lambda name: not self.copies.leave(name)))
        return ()

    def _search(self, record: KeyRecord) -> tuple[bytes | None, list[str], bool]:
        """The public key that an earlier attempt left, who holds the key, and whether all machines could be asked."""
        public_key_der: bytes | None = None
        holders: list[str] = []
        asked_all = True
        for name in self._pool.names:
            try:
                found = self._pool.ask(name, lambda machine: material.find(machine, record))
            except MachineDownError:
                asked_all = False
                continue
            if found is not None and (not holders or found.public_key_der == public_key_der):
                public_key_der = found.public_key_der
                holders.append(name)
        return public_key_der, holders, asked_all

    def _rename(self, record: KeyRecord) -> KeyRecord:
        with self._database.transaction() as session:
            return store.renew_request(
                session, record.label, at=self._clock(), host=node(), key_id=self._random(_KEY_ID_BYTES)
            )

    def _finish(
        self, record: KeyRecord, holders: list[str], approval: str | None, action: str, actor: str
    ) -> KeyRecord:
        now = self._clock()
        public_key_der = record.public_key_der
        facts = {"algorithm": record.algorithm, "purpose": record.purpose.value, "machines": " ".join(holders)}
        if public_key_der is not None:
            facts["public-key-sha256"] = sha256(public_key_der).hex()
        with self._database.transaction() as session:
            record = store.finish(session, record.label, public_key_der=public_key_der, machines=holders, at=now)
            audit.record(session, at=now, actor=actor, action=action, subject=record.uri, facts=facts)
            self._approvals.finish(session, approval, actor=actor)
            return record


def approved_parameters(new: NewKey) -> dict[str, str]:
    """Everything about a new key that two persons agree to."""
    parameters = {
        "algorithm": new.algorithm,
        "purpose": new.purpose.value,
        "activate": str(new.activate).lower(),
        "exportable": str(new.exportable).lower(),
    }
    bounds = {"usage-limit": new.usage_limit, "not-before": new.not_before, "not-after": new.not_after}
    return parameters | {name: str(value) for name, value in bounds.items() if value is not None}


def check_new(new: NewKey) -> None:
    """Let pass a key that could be used.

    Raises ``MalformedError``: ``hsm.key.label``, ``hsm.key.title``, ``hsm.key.algorithm``, ``hsm.key.bounds``.
    """
    check_title(new.title)
    if new.label.startswith(WRAPPING_LABEL):
        raise MalformedError(
            f"Labels that begin with {WRAPPING_LABEL} are those of the keys that keys travel under.",
            code="hsm.key.label",
        )
    if new.algorithm not in {*KeyAlgorithm, *SecretAlgorithm}:
        raise MalformedError(f"There are no keys of the algorithm {new.algorithm}.", code="hsm.key.algorithm")
    if new.algorithm == SM4_ALGORITHM and new.exportable:
        raise MalformedError("An SM4 key is not made to be exported.", code="hsm.key.algorithm")
    if new.algorithm == SM4_ALGORITHM and new.purpose not in {KeyPurpose.SIGNING, KeyPurpose.ENCRYPTION}:
        raise MalformedError(f"An SM4 key signs nothing and cannot be for {new.purpose}.", code="hsm.key.algorithm")
    ends_early = new.not_before is not None and new.not_after is not None and new.not_after < new.not_before
    if ends_early or (new.usage_limit is not None and not 1 <= new.usage_limit <= MOST_USES):
        raise MalformedError(
            f"No use of the key would lie inside its bounds; a limit is 1 to {MOST_USES:,}.", code="hsm.key.bounds"
        )


def check_title(title: str | None) -> None:
    """Let pass what people may call a key. Raises ``MalformedError`` (``hsm.key.title``)."""
    if title is not None and (not 1 <= len(title) <= _TITLE_LIMIT or not title.isprintable()):
        raise MalformedError(f"A title has 1 to {_TITLE_LIMIT} printable characters.", code="hsm.key.title")


def _uri(new: NewKey) -> str:
    return secret_key_uri(new.label) if new.algorithm == SM4_ALGORITHM else key_uri(new.label)


def _check_resumable(record: KeyRecord, new: NewKey, now: datetime) -> None:
    if record.created_at is not None:
        raise ConflictError(
            f"There is a key with the label {record.label} already, or was one before.",
            code="hsm.key.exists",
            label=record.label,
        )
    if record.requested_by != node() and now - record.requested_at < _ABANDONED_AFTER:
        raise BusyError(
            f"The key {record.label} is being made by another server; try again in some minutes.",
            code="hsm.key.in-progress",
            label=record.label,
        )
    # What two persons agreed to is finished as that and as nothing else.
    of_ca = {record.purpose is KeyPurpose.CA, new.purpose is KeyPurpose.CA}
    if record.algorithm != new.algorithm or len(of_ca) > 1:
        raise ConflictError(
            f"The key {record.label} was requested as {record.algorithm} for {record.purpose} before.",
            code="hsm.key.exists",
            label=record.label,
        )
