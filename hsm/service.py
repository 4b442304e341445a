"""Use cases of the encryption machines; :class:`HsmService` is the product's :class:`trustcore.signing.Keys`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from hsm import software
from hsm.core.approvals import Approval, ApprovalAct
from hsm.core.lifecycle import Act, KeyState, Operation
from hsm.core.profiles import CipherMode
from hsm.events import EventLog
from hsm.keys.activation import sharing_facts
from hsm.keys.approvals import Approvals
from hsm.keys.ceremony import Ceremonies
from hsm.keys.ceremony_acts import CeremonyActs
from hsm.keys.ceremony_signing import AUDIT_KEY, AuditSigner
from hsm.keys.ceremony_states import new_key
from hsm.keys.envelope import DataKeys
from hsm.keys.inventory import KeyStatus, key_status
from hsm.keys.keeping import KeyKeeping
from hsm.keys.making import SYSTEM, KeyMaker
from hsm.keys.moving import ExportedKey
from hsm.keys.trial import SelfTestResult, try_key
from hsm.machine import MachineInfo
from hsm.opening import open_machine
from hsm.operations import MachineOperations
from hsm.pool import Pool
from hsm.sdf.pairs import KeptPairs
from hsm.settings import HsmSettings, MachineSettings
from hsm.signer import PoolSigner
from hsm.store import keys as store
from hsm.store.key_imports import ImportForm, ImportOffer
from hsm.store.keys import SM4_ALGORITHM, KeyFilter, KeyRecord, NewKey
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.database import Database
from trustcore.errors import BusyError, MalformedError, RejectedError, TrustError
from trustcore.signing import KeyPurpose, Signer

__all__ = ["HsmService", "KeyStatus", "MachineStatus", "SelfTestResult", "open_hsm"]

_RANDOM_LIMIT_BYTES = 1024 * 1024
_PROBE_BYTES = 16
_PAGE = 200


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


class HsmService:
    """The encryption machines of an installation. Safe to share between threads.

    Args:
        database: where ``hsm_key`` is.
        pool: the machines.
        settings: the same machines, in the same order.
        keymaker: makes keys.
        keeping: what is known, counted, approved and linked.
        operations: maintenance, probes and events of the machines.
    """

    ceremonies: Ceremonies
    """Key ceremonies; put there by :func:`open_hsm`, because they use this service."""
    data_keys: DataKeys
    """Keys for data at rest; likewise."""

    def __init__(
        self, database: Database, pool: Pool, settings: Sequence[MachineSettings], keymaker: KeyMaker,
        keeping: KeyKeeping, *, operations: MachineOperations,
    ) -> None:  # fmt: skip
        self._database = database
        self._pool = pool
        self._settings = tuple(settings)
        self._keymaker = keymaker
        self._register = keeping.register
        self._meter = keeping.meter
        self._acts = keeping.acts
        self._certificates = keeping.certificates
        self._moves = keeping.moves
        self._approvals = keeping.approvals
        self.operations = operations

    # trustcore.signing.Keys

    def generate(self, label: str, algorithm: KeyAlgorithm, *, purpose: KeyPurpose = KeyPurpose.SIGNING) -> str:
        """Make a key pair that never leaves the machines, in all of them, and return its URI.

        A call that was cut off is finished by the next one. Raises ``ConflictError`` (``hsm.key.exists``) when the
        label is taken, ``RejectedError`` (``hsm.approval.needed``) for a CA key that two persons have not agreed to,
        ``BusyError`` (``hsm.machine.unavailable``) when no machine answers.
        """
        return self.make(NewKey(label=label, algorithm=algorithm.value, purpose=purpose)).uri

    def find(self, label: str, *, purpose: KeyPurpose | None = None) -> str | None:
        """URI of the key with this label, or ``None``; a destroyed key is not found.

        Raises ``RejectedError`` (``hsm.key.purpose``) for one that is for another purpose than the one given.
        """
        record = self._register.find(label)
        if record is None:
            return None
        if purpose not in {None, record.purpose}:
            raise RejectedError(
                f"The key {label} is for {record.purpose} and not for {purpose}; find out who made it. A key of the "
                f"general purpose becomes one for {purpose} by “xinyin hsm key purpose”.",
                code="hsm.key.purpose", label=label,
            )  # fmt: skip
        return record.uri

    def signer(self, key_uri: str, *, certificate: bytes | None = None) -> Signer:
        """A signer with this key. Raises ``NotFoundError`` (``hsm.key.not-found``).

        Each signature asks anew whether the key may sign (``RejectedError`` ``hsm.key.inactive``, ``hsm.key.purpose``,
        ``hsm.key.expired``, ``hsm.key.limit``).
        """
        record = self._pair(key_uri)
        if certificate is not None:
            self._certificates.note(record.label, certificate)
        return PoolSigner(
            self._pool,
            record.key,
            partial(self._register.holders, record.label),
            certificate,
            spend=partial(self._meter.spend, record.label),
        )

    def decrypt(self, key_uri: str, ciphertext_der: bytes) -> bytes:
        """Decrypt an ``SM2Cipher`` (GB/T 35276-2017 §7.2) inside a machine.

        Raises ``MalformedError`` (``hsm.cipher.invalid``) for one that is not for this key or was changed.
        """
        record = self._pair(key_uri)
        if record.algorithm != KeyAlgorithm.SM2:
            raise RejectedError(
                f"The key {record.label} is not an SM2 key and decrypts nothing.", code="hsm.key.no-decryption"
            )
        self._meter.spend(record.label, 1, Operation.DECRYPT)
        return self._pool.run(record.machines, lambda machine: machine.decrypt(record.key, ciphertext_der))

    # Secret keys

    def generate_sm4(self, label: str, *, purpose: KeyPurpose = KeyPurpose.ENCRYPTION) -> str:
        """Make an SM4 key that never leaves the machines, in all of them, and return its URI; see :meth:`generate`."""
        return self.make(NewKey(label=label, algorithm=SM4_ALGORITHM, purpose=purpose)).uri

    def sm4_encrypt(self, key_uri: str, mode: CipherMode, data: bytes, *, iv: bytes, associated: bytes = b"") -> bytes:
        """Encrypt with an SM4 key inside a machine; see :class:`~hsm.core.profiles.CipherMode` for lengths."""
        record = self._secret(key_uri)
        self._meter.spend(record.label, 1, Operation.ENCRYPT)
        return self._pool.run(
            record.machines,
            lambda machine: machine.sm4_encrypt(record.reference, mode, data, iv=iv, associated=associated),
        )

    def sm4_decrypt(self, key_uri: str, mode: CipherMode, data: bytes, *, iv: bytes, associated: bytes = b"") -> bytes:
        """Decrypt with an SM4 key. Raises ``MalformedError`` (``hsm.cipher.invalid``) for a tag that does not fit."""
        record = self._secret(key_uri)
        self._meter.spend(record.label, 1, Operation.DECRYPT)
        return self._pool.run(
            record.machines,
            lambda machine: machine.sm4_decrypt(record.reference, mode, data, iv=iv, associated=associated),
        )

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
                profile=settings.profile if settings.driver == "pkcs11" else settings.driver,
                demonstration=settings.demonstration,
                up=states[settings.name].up,
                reason=states[settings.name].reason,
                in_flight=states[settings.name].in_flight,
                served=states[settings.name].served,
            )
            for settings in self._settings
        )

    def health(self) -> tuple[MachineStatus, ...]:
        """As :meth:`ask_machines`. Raises ``BusyError`` (``hsm.machine.unavailable``) when none answered."""
        states = self.ask_machines()
        if not any(state.up for state in states):
            raise _nobody(state.reason for state in states)
        return states

    def ask_machines(self) -> tuple[MachineStatus, ...]:
        """Ask every machine for random octets, and say which answered."""
        for name in self._pool.names:
            if not self._pool.is_hanging(name):
                with suppress(TrustError):
                    self._pool.ask(name, lambda machine: machine.random(_PROBE_BYTES))
        return self.machines()

    def keys(self, *, after: str = "", limit: int = 100, wanted: KeyFilter | None = None) -> tuple[KeyStatus, ...]:
        """Keys by label, the page after the label ``after``; destroyed ones too, unless ``wanted`` says otherwise."""
        with self._database.transaction() as session:
            records = store.key_records(session, after=after, limit=limit, wanted=wanted)
        return tuple(self._status(record) for record in records)

    def key(self, label: str) -> KeyStatus:
        """One key. Raises ``NotFoundError`` (``hsm.key.not-found``)."""
        self._register.forget(label)
        return self._status(self._register.record(label))

    def make(self, new: NewKey, *, actor: str = SYSTEM) -> KeyStatus:
        """Make a key as asked: of any purpose, active at once or later, bounded in number or time.

        Raises as :meth:`generate`; ``MalformedError`` (``hsm.key.bounds``) for bounds that no use fits.
        """
        record = self._keymaker.generate(new, actor=actor)
        self._register.remember(record)
        return self._status(record)

    def activate(self, label: str, *, actor: str) -> KeyStatus:
        """Take a key into use, or into use again. Raises ``ConflictError`` (``hsm.key.state``)."""
        return self._status(self._acts.change(label, Act.ACTIVATE, actor=actor))

    def suspend(self, label: str, *, actor: str) -> KeyStatus:
        """Stop a key for a while; other processes stop within two seconds. Raises ``ConflictError``."""
        return self._status(self._acts.change(label, Act.SUSPEND, actor=actor))

    def retire(self, label: str, *, actor: str) -> KeyStatus:
        """End a key's signing for good; it still decrypts. Raises ``ConflictError`` (``hsm.key.state``)."""
        return self._status(self._acts.change(label, Act.RETIRE, actor=actor))

    def destroy(self, label: str, *, actor: str) -> KeyStatus:
        """Destroy a key everywhere, for good; in machines that are down when they are back.

        Raises ``ConflictError`` (``hsm.key.state``) for one in use, ``RejectedError`` (``hsm.approval.needed``) for a
        CA key that two persons have not agreed to.
        """
        return self._status(self._acts.destroy(label, actor=actor))

    def request_approval(self, act: ApprovalAct, label: str, parameters: Mapping[str, str], *, actor: str) -> Approval:
        """Ask two persons to agree to an act on a key, exactly as ``parameters`` say; an act asks by itself, too."""
        return self._approvals.request(act, label, parameters, actor=actor)

    def approve(self, request: str, person: str) -> Approval:
        """One person, who proved who he is (``user:…``), agrees; see :meth:`hsm.keys.approvals.Approvals.approve`."""
        return self._approvals.approve(request, person)

    def refuse(self, request: str, person: str) -> Approval:
        """One person refuses, which closes the request."""
        return self._approvals.refuse(request, person)

    def now(self) -> datetime:
        """The present by the installation's clock, which approvals expire by."""
        return self._approvals.now()

    def approval(self, request: str) -> Approval:
        """One request. Raises ``NotFoundError`` (``hsm.approval.not-found``)."""
        return self._approvals.get(request)

    def pending(self, *, only_open: bool = True) -> tuple[Approval, ...]:
        """Requests that wait for persons or for the act, the newest first; or all of them."""
        return self._approvals.list(only_open=only_open)

    def set_limit(self, label: str, limit: int | None, *, actor: str) -> KeyStatus:
        """Say how often a key may be used; see :meth:`hsm.keys.acts.KeyActs.set_limit`."""
        self._meter.write_counts()
        return self._status(self._acts.set_limit(label, limit, actor=actor))

    def rename(self, label: str, title: str | None, *, actor: str) -> KeyStatus:
        """Say what people call a key; its label and URI stay."""
        return self._status(self._acts.rename(label, title, actor=actor))

    def assign(self, label: str, purpose: KeyPurpose, *, actor: str) -> KeyStatus:
        """Say what a key of the general purpose is for from now on; for a CA once two persons have agreed."""
        return self._status(self._acts.assign(label, purpose, actor=actor))

    def begin_import(self, label: str, *, form: ImportForm = ImportForm.RSA_AES, actor: str) -> ImportOffer:
        """A transport key for a key from elsewhere; see :meth:`hsm.keys.moving.KeyMoves.begin_import`."""
        return self._moves.begin_import(label, form=form, actor=actor)

    def finish_import(self, new: NewKey, public_key_der: bytes, wrapped: bytes, *, actor: str) -> KeyStatus:
        """Take a wrapped key pair in and prove it; see :meth:`hsm.keys.moving.KeyMoves.finish_import`."""
        record = self._moves.finish_import(new, public_key_der, wrapped, actor=actor)
        self._register.remember(record)
        return self._status(record)

    def export(self, label: str, recipient_key_der: bytes, *, actor: str) -> ExportedKey:
        """Wrap an exportable key for a recipient's RSA key; see :meth:`hsm.keys.moving.KeyMoves.export`."""
        return self._moves.export(label, recipient_key_der, actor=actor)

    def link_certificate(self, label: str, certificate_der: bytes, *, actor: str = SYSTEM) -> None:
        """Record a certificate over a key; see :meth:`hsm.keys.certificates.KeyCertificates.link`."""
        self._certificates.link(label, certificate_der, actor=actor)

    def certificates(self, label: str) -> tuple[bytes, ...]:
        """DER certificates over a key, oldest first."""
        return self._certificates.of(label)

    def reconcile(self) -> tuple[str, ...]:
        """Give machines that were away the keys that were made meanwhile, and destroy in them what was destroyed.

        Returns:
            The labels of the keys that moved.
        """
        moved = self._keymaker.reconcile()
        for label in moved + self._acts.complete_destructions():
            self._register.forget(label)
        return moved

    def self_test(self) -> tuple[SelfTestResult, ...]:
        """Sign with every key in every machine that should hold it, and verify in software."""
        results: list[SelfTestResult] = []
        after = ""
        while True:
            with self._database.transaction() as session:
                records = store.key_records(session, after=after, limit=_PAGE)
            for record in records:
                if record.state is not KeyState.DESTROYED:
                    names = [name for name in record.machines if name in self._pool.names]
                    results += [try_key(self._pool, name, record) for name in names]
            if len(records) < _PAGE:
                return tuple(results)
            after = records[-1].label

    def _status(self, record: KeyRecord) -> KeyStatus:
        unwritten = self._meter.unwritten(record.label)
        return key_status(record, machines=self._keymaker.copies.reach(record.machines), unwritten=unwritten)

    def _pair(self, uri: str) -> KeyRecord:
        record = self._register.by_uri(uri)
        if record.is_secret:
            raise RejectedError(f"The key {record.label} is not a key pair.", code="hsm.key.kind", label=record.label)
        return record

    def _secret(self, uri: str) -> KeyRecord:
        record = self._register.by_uri(uri)
        if not record.is_secret:
            raise RejectedError(f"The key {record.label} is not an SM4 key.", code="hsm.key.kind", label=record.label)
        return record


@contextmanager
def open_hsm(
    settings: HsmSettings,
    *,
    data_dir: Path,
    database: Database,
    clock: Callable[[], datetime],
    on_locked: Callable[[TrustError], None] | None = None,
    anyway: bool = False,
) -> Iterator[HsmService]:
    """The service over open machines, for the time of the block.

    Without machines in the settings, three software machines are made in ``data_dir``: for tests and demonstration
    only. Call it in the process that uses it, never before a fork.

    Args:
        settings: the machines.
        data_dir: where software machines and locks are.
        database: where keys are recorded.
        clock: aware UTC time.
        on_locked: called again and again while every machine waits for its custodians, so that a server can wait for
            them; without it that is an error.
        anyway: open it though no machine answers, for whoever looks at machines and puts them right.

    Raises:
        RejectedError: ``hsm.pin.…`` when a machine refuses its PIN; it is not tried again.
        BusyError: ``hsm.machine.unavailable`` when no machine answers.
        TrustError: the machine's own error (``hsm.module.…``, ``hsm.token.missing``) when all have the same kind.
    """
    machines = settings.machines or software.prepare(data_dir)
    events = EventLog(database, clock)
    pairs = KeptPairs(database, clock=clock)
    spare = settings.sessions_per_machine // 4
    pool = Pool(
        [open_machine(machine, settings, data_dir, pairs=pairs) for machine in machines],
        workers=settings.sessions_per_machine - spare,
        spare=spare,
        queue_limit=settings.queue_per_machine,
        deadline_seconds=settings.call_deadline.total_seconds(),
        listener=events.of_machine,
    )
    operations = MachineOperations(database, pool, clock, events)
    try:
        drained = operations.adopt()
        answers = [(name, answer) for name, answer in pool.connect() if name not in drained]
        while on_locked is not None and (locked := _locked(answers)) is not None:
            on_locked(locked)
            answers = [(name, answer) for name, answer in pool.connect() if name not in drained]
        if not anyway:
            _check(answers)
        lock = data_dir / "hsm-keys.lock"

        def random(length: int) -> bytes:
            return pool.run(pool.names, lambda machine: machine.random(length))

        approvals = Approvals(
            database,
            clock=clock,
            random=random,
            four_eyes=settings.wants_four_eyes,
            three_persons=settings.three_persons,
        )
        keymaker = KeyMaker(database, pool, approvals=approvals, clock=clock, random=random, lock=lock)
        keeping = KeyKeeping(
            database,
            pool,
            keymaker,
            approvals=approvals,
            clock=clock,
            random=random,
            lock=lock,
            announce=events.of_key,
        )
        service = HsmService(database, pool, machines, keymaker, keeping, operations=operations)
        service.data_keys = DataKeys(database, service, clock=clock)
        service.ceremonies = Ceremonies(
            database,
            acts=CeremonyActs(
                database,
                pool,
                service,
                make_key=lambda key, actor: service.make(new_key(key), actor=actor),
                sharing=lambda: sharing_facts(settings, data_dir),
                software=[machine.name for machine in machines if machine.demonstration],
            ),
            audit_signer=AuditSigner(
                service, certificate=lambda: next(reversed(service.certificates(AUDIT_KEY)), None), clock=clock
            ),
            random=random,
            four_eyes=settings.wants_four_eyes,
            clock=clock,
        )
        if not anyway:
            with suppress(BusyError):
                service.reconcile()
        try:
            with operations.running():
                yield service
        finally:
            keeping.close()
    finally:
        pool.close()


def _locked(answers: Sequence[tuple[str, MachineInfo | TrustError]]) -> TrustError | None:
    """What a machine says, when every one waits for its custodians."""
    errors = [answer for _, answer in answers if isinstance(answer, TrustError)]
    waiting = [error for error in errors if error.code == "hsm.activation.needed"]
    return waiting[0] if waiting and len(waiting) == len(answers) else None


def _check(answers: Sequence[tuple[str, MachineInfo | TrustError]]) -> None:
    """Let pass when a machine answers and none refused its PIN: that one is the operator's mistake, and urgent."""
    errors = [answer for _, answer in answers if isinstance(answer, TrustError)]
    for error in errors:
        if error.code.startswith("hsm.pin."):
            raise error
    if errors and len(errors) == len(answers):
        if len({error.code for error in errors}) == 1:
            raise errors[0]
        raise _nobody(error.detail for error in errors)


def _nobody(reasons: Iterator[str]) -> BusyError:
    return BusyError(f"No encryption machine answers. {' '.join(reasons)}", code="hsm.machine.unavailable")
