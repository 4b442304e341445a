"""The same key in every machine: copied under the wrapping key, sealed when all have it."""

from collections.abc import Callable, Collection
from datetime import datetime
from functools import partial

from hsm.core.lifecycle import KeyState
from hsm.errors import KeyMissingError, MachineCannotError, MachineDownError
from hsm.keys import material
from hsm.keys.wrapping import WrappingKeys
from hsm.pool import Pool
from hsm.store import keys as store
from hsm.store.keys import KeyRecord
from trustcore import audit
from trustcore.database import Database
from trustcore.errors import BusyError

__all__ = ["Copies"]

_ACTOR = "hsm"
_PAGE = 200


class Copies:
    """Brings keys to the machines of a pool that lack them. Call with the lock of key making held."""

    def __init__(
        self, database: Database, pool: Pool, wrapping: WrappingKeys, *, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._pool = pool
        self._wrapping = wrapping
        self._clock = clock
        self._replicating = wrapping.machines

    def leave(self, machine: str) -> bool:
        """Whether keys that this machine makes go to others: it gives and takes keys, and so does another one."""
        return machine in self._replicating and len(self._replicating) > 1

    def reach(self, holders: Collection[str]) -> tuple[str, ...]:
        """Machines that a key in ``holders`` is copied to; none when only a vendor's own tools move it."""
        return self._replicating if any(self.leave(name) for name in holders) else ()

    def spread(self, record: KeyRecord, holders: list[str]) -> list[str]:
        """Copy a key to every machine that answers and lacks it; all holders, the old ones first."""
        holders = list(holders)
        ready = self._pool.by_readiness()
        targets = [name for name in ready if name in self._replicating and name not in holders]
        if not targets or not any(self.leave(name) for name in holders):
            return holders
        try:
            wrapping = self._wrapping.current()
        except BusyError:
            return holders
        for target in targets:
            if target not in wrapping.machines:
                continue
            try:
                self._copy(record, wrapping, holders, target)
            except BusyError:
                continue
            holders.append(target)
        return holders

    def reconcile(self) -> tuple[str, ...]:
        """Give machines that were away what they missed; returns the labels of the keys that moved.

        Machines that neither give nor take keys are asked whether their vendors' tools brought them some.
        """
        return self._deliver() + self._adopt()

    def _deliver(self) -> tuple[str, ...]:
        with self._database.transaction() as session:
            waiting = store.unsealed_records(session)
        moved = []
        for record in waiting:
            holders = self.spread(record, list(record.machines))
            for name in holders[len(record.machines) :]:
                record = self._add_holder(record, name)  # noqa: PLW2901 - the record as it is now
                moved.append(record.label)
            self.seal_when_complete(record)
        if len(self._replicating) > 1:
            self._wrapping.complete()
        return tuple(moved)

    def _adopt(self) -> tuple[str, ...]:
        """Record the keys that vendors' tools cloned."""
        own = [name for name in self._pool.by_readiness() if name not in self._replicating]
        adopted: list[str] = []
        after = ""
        while own and len(self._pool.names) > 1:
            with self._database.transaction() as session:
                page = store.key_records(session, after=after, limit=_PAGE)
            adopted += [record.label for record in page for name in own if self._adopts(name, record)]
            if len(page) < _PAGE:
                break
            after = page[-1].label
        return tuple(adopted)

    def _adopts(self, name: str, record: KeyRecord) -> bool:
        if name in record.machines or record.is_secret or record.state is KeyState.DESTROYED:
            return False
        try:
            found = self._pool.ask(name, lambda machine: machine.adopt(record.key))
        except (BusyError, KeyMissingError, MachineCannotError):
            return False
        if found:
            self._add_holder(record, name)
        return found

    def seal_when_complete(self, record: KeyRecord) -> KeyRecord:
        """Make a key non-extractable everywhere, once every machine that will get it has it.

        A key that was made to be exported stays as it is.
        """
        leaves = any(self.leave(name) for name in record.machines)
        if record.exportable or (leaves and set(self._replicating) - set(record.machines)):
            return record
        try:
            for name in set(record.machines) & set(self._pool.names):
                self._pool.ask(name, lambda machine: machine.seal(record.reference))
        except MachineDownError:
            return record
        with self._database.transaction() as session:
            return store.seal(session, record.label, at=self._clock())

    def _copy(self, record: KeyRecord, wrapping: KeyRecord, holders: list[str], target: str) -> None:
        there = self._pool.ask(target, lambda machine: material.find(machine, record))
        if there is not None and there.public_key_der == record.public_key_der:
            return
        sources = [name for name in holders if name in wrapping.machines]
        wrapped = self._pool.run(sources, lambda machine: machine.wrap(record.reference, wrapping.reference))
        self._pool.ask(
            target,
            partial(material.unwrap, record=record, wrapping_key=wrapping.reference, wrapped=wrapped),
        )

    def _add_holder(self, record: KeyRecord, name: str) -> KeyRecord:
        with self._database.transaction() as session:
            audit.record(
                session, at=self._clock(), actor=_ACTOR, action="hsm.key.replicated", subject=record.uri,
                facts={"machine": name},
            )  # fmt: skip
            return store.add_holder(session, record.label, name)
