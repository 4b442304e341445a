"""Making keys and keeping the same keys in all machines.

Everything here can be killed at any point and done again: the intent is in the table before a machine acts, objects in
machines are found again by their random identifier, and the table says last what is true. The order for a key pair:

1. the request with a fresh identifier is written;
2. one machine makes the pair, extractable only under the wrapping key;
3. each other machine that answers gets its copy;
4. the table records the public key and the holders: from now on the key exists;
5. when every machine has it, it is made non-extractable everywhere.

A machine that is down at step 3 gets its copy from :meth:`KeyMaker.reconcile`, later.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from platform import node

from hsm.core.uri import key_uri
from hsm.errors import MachineDownError
from hsm.keys.wrapping import WrappingKeys
from hsm.machine import Machine, MachineKey
from hsm.pool import Pool
from hsm.store import keys as store
from hsm.store.keys import KeyRecord
from trustcore import audit
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.crypto.digests import sha256
from trustcore.database import Database
from trustcore.errors import BusyError, ConflictError, TrustError
from trustcore.locks import file_lock

__all__ = ["KeyMaker"]

_ACTOR = "hsm"
_KEY_ID_BYTES = 16
_ABANDONED_AFTER = timedelta(minutes=5)


class KeyMaker:
    """Makes keys in the machines of a pool.

    Args:
        database: where the intents are.
        pool: the machines.
        clock: aware UTC time.
        random: makes identifiers.
        lock: file that keeps two processes of this host from making keys at once.
    """

    def __init__(
        self,
        database: Database,
        pool: Pool,
        *,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        lock: Path,
    ) -> None:
        self._database = database
        self._pool = pool
        self._clock = clock
        self._random = random
        self._lock = lock
        self._wrapping = WrappingKeys(database, pool, clock=clock, random=random)
        self._replicates = len(pool.names) > 1 and all(pool.machine(name).replicates for name in pool.names)

    def generate(self, label: str, algorithm: KeyAlgorithm) -> KeyRecord:
        """Make a key pair in one machine and give it to the others, or go on where a dead process stopped.

        Raises:
            ConflictError: ``hsm.key.exists``.
            BusyError: ``hsm.machine.unavailable``; ``hsm.key.in-progress`` while another host makes it.
        """
        with file_lock(self._lock):
            record, resumed = self._request(label, algorithm)
            key, holders = self._place(record, algorithm, resumed=resumed)
            if self._replicates:
                holders = self._spread(key, holders)
            record = self._finish(key, holders)
            return self._seal_when_complete(record)

    def reconcile(self) -> tuple[str, ...]:
        """Give machines that were away what they missed; returns the labels of the keys that moved."""
        if not self._replicates:
            return ()
        with file_lock(self._lock):
            with self._database.transaction() as session:
                waiting = store.unsealed_records(session)
            moved = []
            for record in waiting:
                holders = self._spread(record.key, list(record.machines))
                for name in holders[len(record.machines) :]:
                    record = self._add_holder(record, name)  # noqa: PLW2901 - the record as it is now
                    moved.append(record.label)
                self._seal_when_complete(record)
            self._wrapping.complete()
            return tuple(moved)

    def _request(self, label: str, algorithm: KeyAlgorithm) -> tuple[KeyRecord, bool]:
        """The request for a key, and whether it was there before."""
        now, uri = self._clock(), key_uri(label)
        with self._database.transaction() as session:
            record = store.key_record(session, label)
            if record is None:
                audit.record(
                    session, at=now, actor=_ACTOR, action="hsm.key.requested", subject=uri,
                    facts={"algorithm": algorithm.value},
                )  # fmt: skip
                made = store.request(
                    session, label=label, key_id=self._random(_KEY_ID_BYTES), algorithm=algorithm.value, uri=uri,
                    at=now, host=node(),
                )  # fmt: skip
                return made, False
            _check_resumable(record, algorithm, now)
            return store.renew_request(session, label, at=now, host=node()), True

    def _place(self, record: KeyRecord, algorithm: KeyAlgorithm, *, resumed: bool) -> tuple[MachineKey, list[str]]:
        """Find or make the key pair; the machines that hold it."""
        if resumed:
            key, holders, asked_all = self._search(record, algorithm)
            if key is not None:
                return key, holders
            if not asked_all:
                # A machine that is down may hold the pair of the earlier attempt: it must never be taken for this one.
                record = self._rename(record)
        last: TrustError | None = None
        for name in self._pool.by_readiness():
            try:
                return self._make_pair(name, record, algorithm), [name]
            except MachineDownError as error:
                # It may have made the pair and lost the answer.
                last, record = error, self._rename(record)
        raise BusyError(
            "No encryption machine can make a key now; look at them with “xinyin hsm machines”.",
            code="hsm.machine.unavailable",
        ) from last

    def _search(self, record: KeyRecord, algorithm: KeyAlgorithm) -> tuple[MachineKey | None, list[str], bool]:
        """The pair that an earlier attempt left, who holds it, and whether all machines could be asked."""
        key: MachineKey | None = None
        holders: list[str] = []
        asked_all = True
        for name in self._pool.names:
            try:
                found = self._pool.ask(name, lambda machine: machine.find(record.reference, algorithm))
            except MachineDownError:
                asked_all = False
                continue
            if found is not None and (key is None or found.public_key_der == key.public_key_der):
                key = found
                holders.append(name)
        return key, holders, asked_all

    def _make_pair(self, name: str, record: KeyRecord, algorithm: KeyAlgorithm) -> MachineKey:
        def make(machine: Machine) -> MachineKey:
            machine.destroy(record.reference)
            return machine.generate(record.reference, algorithm, extractable=self._replicates)

        return self._pool.ask(name, make)

    def _rename(self, record: KeyRecord) -> KeyRecord:
        with self._database.transaction() as session:
            return store.renew_request(
                session, record.label, at=self._clock(), host=node(), key_id=self._random(_KEY_ID_BYTES)
            )

    def _spread(self, key: MachineKey, holders: list[str]) -> list[str]:
        """Copy a pair to every machine that answers and lacks it; all holders, the old ones first."""
        holders = list(holders)
        targets = [name for name in self._pool.by_readiness() if name not in holders]
        if not targets:
            return holders
        try:
            wrapping = self._wrapping.current()
        except BusyError:
            return holders
        for target in targets:
            if target not in wrapping.machines:
                continue
            try:
                self._copy(key, wrapping, holders, target)
            except BusyError:
                continue
            holders.append(target)
        return holders

    def _copy(self, key: MachineKey, wrapping: KeyRecord, holders: list[str], target: str) -> None:
        reference = key.reference
        there = self._pool.ask(target, lambda machine: machine.find(reference, key.algorithm))
        if there is not None and there.public_key_der == key.public_key_der:
            return
        sources = [name for name in holders if name in wrapping.machines]
        wrapped = self._pool.run(sources, lambda machine: machine.wrap(reference, wrapping.reference))
        # What is there now is one half of a copy that was interrupted.
        self._pool.ask(target, lambda machine: machine.destroy(reference))
        self._pool.ask(target, lambda machine: machine.unwrap(key, wrapping.reference, wrapped))

    def _finish(self, key: MachineKey, holders: list[str]) -> KeyRecord:
        now = self._clock()
        with self._database.transaction() as session:
            record = store.finish(
                session, key.reference.label, public_key_der=key.public_key_der, machines=holders, at=now
            )
            audit.record(
                session,
                at=now,
                actor=_ACTOR,
                action="hsm.key.generated",
                subject=record.uri,
                facts={
                    "algorithm": record.algorithm,
                    "machines": " ".join(holders),
                    "public-key-sha256": sha256(key.public_key_der).hex(),
                },
            )
            return record

    def _add_holder(self, record: KeyRecord, name: str) -> KeyRecord:
        with self._database.transaction() as session:
            audit.record(
                session, at=self._clock(), actor=_ACTOR, action="hsm.key.replicated", subject=record.uri,
                facts={"machine": name},
            )  # fmt: skip
            return store.add_holder(session, record.label, name)

    def _seal_when_complete(self, record: KeyRecord) -> KeyRecord:
        """Make a key non-extractable everywhere, once every machine that will get it has it."""
        if self._replicates and set(self._pool.names) - set(record.machines):
            return record
        try:
            for name in set(record.machines) & set(self._pool.names):
                self._pool.ask(name, lambda machine: machine.seal(record.reference))
        except MachineDownError:
            return record
        with self._database.transaction() as session:
            return store.seal(session, record.label, at=self._clock())


def _check_resumable(record: KeyRecord, algorithm: KeyAlgorithm, now: datetime) -> None:
    if record.created_at is not None:
        raise ConflictError(
            f"There is a key with the label {record.label} already.", code="hsm.key.exists", label=record.label
        )
    if record.requested_by != node() and now - record.requested_at < _ABANDONED_AFTER:
        raise BusyError(
            f"The key {record.label} is being made by another server; try again in some minutes.",
            code="hsm.key.in-progress",
            label=record.label,
        )
    if record.algorithm != algorithm.value:
        raise ConflictError(
            f"The key {record.label} was requested as {record.algorithm} before.",
            code="hsm.key.exists",
            label=record.label,
        )
