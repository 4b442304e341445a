"""Use cases of the encryption machines; :class:`HsmService` is the product's :class:`trustcore.signing.Keys`."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hsm import software
from hsm.core.uri import key_uri, label_of
from hsm.keys.making import KeyMaker
from hsm.machine import MachineInfo
from hsm.pkcs11.opening import pkcs11_machine
from hsm.pool import Pool
from hsm.settings import HsmSettings, MachineSettings
from hsm.signer import PoolSigner
from hsm.store import keys as store
from hsm.store.keys import KeyRecord
from trustcore.crypto import verify
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.crypto.digests import sha256
from trustcore.database import Database
from trustcore.errors import BusyError, MalformedError, NotFoundError, RejectedError, TrustError
from trustcore.signing import Signer

__all__ = ["HsmService", "KeyStatus", "MachineStatus", "SelfTestResult", "open_hsm"]

_RECORD_SECONDS = 60.0
_RANDOM_LIMIT_BYTES = 1024 * 1024
_PROBE_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineStatus:
    """One machine, as an administrator sees it."""

    name: str
    token: str
    profile: str
    demonstration: bool
    """A software machine: for tests and demonstration only."""
    up: bool
    reason: str
    """One sentence: why it is down; empty while it is up."""
    in_flight: int
    served: int
    """Calls it answered since this process started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStatus:
    """One key pair, as an administrator sees it."""

    label: str
    uri: str
    algorithm: KeyAlgorithm
    public_key_der: bytes
    machines: tuple[str, ...]
    missing: tuple[str, ...]
    """Configured machines that do not hold it."""
    sealed: bool
    """It can leave no machine any more."""
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTestResult:
    """Whether one machine signs rightly with one key."""

    machine: str
    label: str
    ok: bool
    reason: str
    """One sentence when not ``ok``."""


class HsmService:
    """The encryption machines of an installation. Safe to share between threads.

    Args:
        database: where ``hsm_key`` is.
        pool: the machines.
        settings: the same machines, in the same order.
        keymaker: makes keys.
    """

    def __init__(self, database: Database, pool: Pool, settings: Sequence[MachineSettings], keymaker: KeyMaker) -> None:
        self._database = database
        self._pool = pool
        self._settings = tuple(settings)
        self._keymaker = keymaker
        self._records: dict[str, tuple[float, KeyRecord]] = {}
        self._lock = threading.Lock()

    # trustcore.signing.Keys

    def generate(self, label: str, algorithm: KeyAlgorithm) -> str:
        """Make a key pair that never leaves the machines, in all of them, and return its URI.

        A call that was cut off is finished by the next one. Raises ``ConflictError`` (``hsm.key.exists``) when the
        label is taken, ``BusyError`` (``hsm.machine.unavailable``) when no machine answers.
        """
        record = self._keymaker.generate(label, algorithm)
        self._remember(record)
        return record.uri

    def find(self, label: str) -> str | None:
        """URI of the key with this label, or ``None``."""
        key_uri(label)
        record = self._lookup(label)
        return record.uri if record else None

    def signer(self, key_uri: str, *, certificate: bytes | None = None) -> Signer:
        """A signer with this key. Raises ``NotFoundError`` (``hsm.key.not-found``)."""
        record = self._by_uri(key_uri)
        return PoolSigner(self._pool, record.key, lambda: self._holders(record.label), certificate)

    def decrypt(self, key_uri: str, ciphertext_der: bytes) -> bytes:
        """Decrypt an ``SM2Cipher`` (GB/T 35276-2017 §7.2) inside a machine.

        Raises ``MalformedError`` (``hsm.cipher.invalid``) for one that is not for this key or was changed.
        """
        record = self._by_uri(key_uri)
        if record.algorithm != KeyAlgorithm.SM2:
            raise RejectedError(
                f"The key {record.label} is not an SM2 key and decrypts nothing.", code="hsm.key.no-decryption"
            )
        return self._pool.run(record.machines, lambda machine: machine.decrypt(record.key, ciphertext_der))

    def random(self, length: int) -> bytes:
        """Random octets from a machine, at most 1 MiB."""
        if not 0 <= length <= _RANDOM_LIMIT_BYTES:
            raise MalformedError(
                f"A machine gives 0 to {_RANDOM_LIMIT_BYTES} random bytes at once.", code="hsm.random.length"
            )
        return self._pool.run(self._pool.names, lambda machine: machine.random(length))

    # Administration

    def machines(self) -> tuple[MachineStatus, ...]:
        """All machines as the last calls found them."""
        states = {state.name: state for state in self._pool.states()}
        return tuple(
            MachineStatus(
                name=settings.name,
                token=settings.token,
                profile=settings.profile,
                demonstration=settings.module == "softgm",
                up=states[settings.name].up,
                reason=states[settings.name].reason,
                in_flight=states[settings.name].in_flight,
                served=states[settings.name].served,
            )
            for settings in self._settings
        )

    def health(self) -> tuple[MachineStatus, ...]:
        """Ask every machine for random octets, and say which answered.

        Raises ``BusyError`` (``hsm.machine.unavailable``) when none did.
        """
        for name in self._pool.names:
            if not self._pool.is_hanging(name):
                with suppress(TrustError):
                    self._pool.ask(name, lambda machine: machine.random(_PROBE_BYTES))
        states = self.machines()
        if not any(state.up for state in states):
            raise _nobody(state.reason for state in states)
        return states

    def keys(self, *, after: str = "", limit: int = 100) -> tuple[KeyStatus, ...]:
        """Key pairs by label, the page after the label ``after``."""
        with self._database.transaction() as session:
            records = store.key_records(session, after=after, limit=limit)
        return tuple(self._status(record) for record in records)

    def reconcile(self) -> tuple[str, ...]:
        """Give machines that were away the keys that were made meanwhile; the labels of those that moved."""
        moved = self._keymaker.reconcile()
        with self._lock:
            for label in moved:
                self._records.pop(label, None)
        return moved

    def self_test(self) -> tuple[SelfTestResult, ...]:
        """Sign with every key in every machine that should hold it, and verify in software."""
        results: list[SelfTestResult] = []
        after = ""
        while page := self.keys(after=after):
            for status in page:
                record = self._by_uri(status.uri)
                results += [self._try_key(name, record) for name in status.machines if name in self._pool.names]
            after = page[-1].label
        return tuple(results)

    def _try_key(self, name: str, record: KeyRecord) -> SelfTestResult:
        digest = sha256(record.uri.encode())
        try:
            signature = self._pool.ask(name, lambda machine: machine.sign_digest(record.key, digest))
        except TrustError as error:
            return SelfTestResult(machine=name, label=record.label, ok=False, reason=error.detail)
        ok = verify.verify_digest(record.key.public_key_der, record.key.algorithm.signature, digest, signature)
        reason = "" if ok else "The signature does not fit the public key; does the vendor profile fit?"
        return SelfTestResult(machine=name, label=record.label, ok=ok, reason=reason)

    def _status(self, record: KeyRecord) -> KeyStatus:
        assert record.created_at is not None
        return KeyStatus(
            label=record.label,
            uri=record.uri,
            algorithm=record.key.algorithm,
            public_key_der=record.key.public_key_der,
            machines=record.machines,
            missing=tuple(name for name in self._pool.names if name not in record.machines),
            sealed=record.sealed_at is not None,
            created_at=record.created_at,
        )

    def _by_uri(self, uri: str) -> KeyRecord:
        record = self._lookup(label_of(uri))
        if record is None:
            raise NotFoundError(f"There is no key {uri}.", code="hsm.key.not-found", uri=uri)
        return record

    def _holders(self, label: str) -> tuple[str, ...]:
        record = self._lookup(label)
        return record.machines if record else ()

    def _lookup(self, label: str) -> KeyRecord | None:
        """The record of a key that is ready.

        One that some machine still waits for is read again after a while, because another process may copy it; a
        sealed one never changes.
        """
        with self._lock:
            known = self._records.get(label)
        if known is not None and (known[1].sealed_at or time.monotonic() - known[0] < _RECORD_SECONDS):
            return known[1]
        with self._database.transaction() as session:
            record = store.key_record(session, label)
        if record is None or record.public_key_der is None:
            return None
        self._remember(record)
        return record

    def _remember(self, record: KeyRecord) -> None:
        with self._lock:
            self._records[record.label] = (time.monotonic(), record)


@contextmanager
def open_hsm(
    settings: HsmSettings, *, data_dir: Path, database: Database, clock: Callable[[], datetime]
) -> Iterator[HsmService]:
    """The service over open machines, for the time of the block.

    Without machines in the settings, three software machines are made in ``data_dir``: for tests and demonstration
    only. Call it in the process that uses it, never before a fork.

    Raises:
        RejectedError: ``hsm.pin.…`` when a machine refuses its PIN; it is not tried again.
        BusyError: ``hsm.machine.unavailable`` when no machine answers.
        TrustError: the machine's own error (``hsm.module.…``, ``hsm.token.missing``) when all have the same kind.
    """
    machines = settings.machines or software.prepare(data_dir)
    pool = Pool([pkcs11_machine(machine, settings, data_dir) for machine in machines])
    try:
        _check(pool.connect())
        keymaker = KeyMaker(
            database,
            pool,
            clock=clock,
            random=lambda length: pool.run(pool.names, lambda machine: machine.random(length)),
            lock=data_dir / "hsm-keys.lock",
        )
        with suppress(BusyError):
            keymaker.reconcile()
        yield HsmService(database, pool, machines, keymaker)
    finally:
        pool.close()


def _check(answers: Sequence[tuple[str, MachineInfo | TrustError]]) -> None:
    """Let pass when a machine answers and none refused its PIN: that one is the operator's mistake, and urgent."""
    errors = [answer for _, answer in answers if isinstance(answer, TrustError)]
    for error in errors:
        if error.code.startswith("hsm.pin."):
            raise error
    if len(errors) == len(answers):
        if len({error.code for error in errors}) == 1:
            raise errors[0]
        raise _nobody(error.detail for error in errors)


def _nobody(reasons: Iterator[str]) -> BusyError:
    return BusyError(f"No encryption machine answers. {' '.join(reasons)}", code="hsm.machine.unavailable")
