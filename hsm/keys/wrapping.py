"""The key that keys travel under, from machine to machine.

It is AES-256, made in one machine, brought to each other one once under an RSA-OAEP transport key that lives for that
one time, and non-extractable when all have it. When a machine joins afterwards, a new wrapping key is made for new
keys; what was sealed before cannot leave and is cloned by the vendor's own means.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from platform import node

from hsm.errors import MachineDownError
from hsm.machine import KeyReference, Machine
from hsm.pool import Pool
from hsm.store import keys as store
from hsm.store.keys import WRAPPING_ALGORITHM, KeyRecord, NewKey
from trustcore import audit
from trustcore.database import Database
from trustcore.errors import BusyError, TrustError

__all__ = ["WRAPPING_LABEL", "WrappingKeys"]

_ACTOR = "hsm"
_KEY_ID_BYTES = 16
WRAPPING_LABEL = "xinyin-wrapping-key"
"""How the labels of all wrapping keys begin."""


class WrappingKeys:
    """The wrapping keys of a pool. Call with the lock of key making held."""

    def __init__(
        self, database: Database, pool: Pool, *, clock: Callable[[], datetime], random: Callable[[int], bytes]
    ) -> None:
        self._database = database
        self._pool = pool
        self._clock = clock
        self._random = random
        self.machines = tuple(name for name in pool.names if pool.machine(name).replicates)
        """The machines that give and take keys; the others are cloned by their vendors' own means."""

    def current(self) -> KeyRecord:
        """The newest wrapping key, in every machine that answers."""
        with self._database.transaction() as session:
            records = store.wrapping_records(session)
        record = records[-1] if records else None
        if record is None or self._is_outgrown(record):
            record = self._request(len(records) + 1)
        if record.created_at is None:
            record = self._make(record)
        for name in self._ready():
            if name not in record.machines and record.sealed_at is None:
                try:
                    record = self._hand_over(record, name)
                except BusyError:
                    continue
        return self._seal_when_complete(record)

    def complete(self) -> None:
        """Bring the wrapping key to machines that were away; nothing when there is none, or no machine answers."""
        with self._database.transaction() as session:
            records = store.wrapping_records(session)
        if records and records[-1].sealed_at is None:
            with suppress(BusyError):
                self.current()

    def _is_outgrown(self, record: KeyRecord) -> bool:
        """Whether a machine has joined since the wrapping key was sealed."""
        return record.sealed_at is not None and bool(set(self._ready()) - set(record.machines))

    def _ready(self) -> tuple[str, ...]:
        return tuple(name for name in self._pool.by_readiness() if name in self.machines)

    def _request(self, number: int) -> KeyRecord:
        label = f"{WRAPPING_LABEL}-{number}"
        with self._database.transaction() as session:
            return store.request(
                session,
                NewKey(label=label, algorithm=WRAPPING_ALGORITHM),
                key_id=self._random(_KEY_ID_BYTES),
                uri=f"pkcs11:object={label};type=secret-key",
                at=self._clock(),
                host=node(),
            )

    def _make(self, record: KeyRecord) -> KeyRecord:
        last: TrustError | None = None
        for name in self._ready():
            # A value made under this identifier by an attempt that died must not live beside the new one.
            with self._database.transaction() as session:
                record = store.renew_request(
                    session, record.label, at=self._clock(), host=node(), key_id=self._random(_KEY_ID_BYTES)
                )
            reference = record.reference
            try:
                self._pool.ask(name, partial(_make_in, reference))
            except MachineDownError as error:
                last = error
                continue
            with self._database.transaction() as session:
                made = store.finish(session, record.label, public_key_der=None, machines=[name], at=self._clock())
                audit.record(
                    session, at=self._clock(), actor=_ACTOR, action="hsm.wrapping-key.generated", subject=made.uri,
                    facts={"machine": name},
                )  # fmt: skip
                return made
        raise BusyError("No encryption machine can make a wrapping key now.", code="hsm.machine.unavailable") from last

    def _hand_over(self, record: KeyRecord, target: str) -> KeyRecord:
        reference, holders = record.reference, record.machines

        def send(transport_public_key_der: bytes) -> bytes:
            return self._pool.run(
                holders, lambda machine: machine.send_wrapping_key(reference, transport_public_key_der)
            )

        if not self._pool.ask(target, lambda machine: machine.holds_wrapping_key(reference)):
            self._pool.ask(target, lambda machine: machine.receive_wrapping_key(reference, send))
        with self._database.transaction() as session:
            audit.record(
                session, at=self._clock(), actor=_ACTOR, action="hsm.wrapping-key.replicated", subject=record.uri,
                facts={"machine": target},
            )  # fmt: skip
            return store.add_holder(session, record.label, target)

    def _seal_when_complete(self, record: KeyRecord) -> KeyRecord:
        if record.sealed_at is not None or set(self.machines) - set(record.machines):
            return record
        try:
            for name in self.machines:
                self._pool.ask(name, lambda machine: machine.seal(record.reference))
        except MachineDownError:
            return record
        with self._database.transaction() as session:
            return store.seal(session, record.label, at=self._clock())


def _make_in(reference: KeyReference, machine: Machine) -> None:
    machine.make_wrapping_key(reference)
