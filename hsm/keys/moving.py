"""Keys that come in from elsewhere, and keys that leave, both wrapped.

The form is that of PKCS#11's CKM_RSA_AES_KEY_WRAP: an AES-256 key under RSA-OAEP (SHA-1, MGF1 with SHA-1, no label),
and after it the PKCS#8 PrivateKeyInfo under that AES key with padding (RFC 5649). So an installation of this product, a
vendor's tool or a few lines over OpenSSL can make and read it. An SM2 key may also come as the SM2EnvelopedKey of GB/T
35276-2017 §7.4, where a machine opens such envelopes.

In comes a key in two steps: a machine makes a transport key and gives its public half out; the other party wraps the
key under it. The key is proved with a signature against the public key that was told. Out goes only a key that was made
to be exported. No private value is ever in this process.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from sqlalchemy.orm import Session

from hsm.core.approvals import ApprovalAct
from hsm.core.lifecycle import KeyState, Operation, check_use
from hsm.core.uri import key_uri
from hsm.errors import MachineCannotError, MachineDownError
from hsm.keys import material
from hsm.keys.approvals import Approvals
from hsm.keys.making import KeyMaker, approved_parameters, check_new
from hsm.keys.register import KeyRegister
from hsm.machine import KeyReference, Machine
from hsm.pool import Pool
from hsm.store import key_imports as store
from hsm.store.key_imports import ImportForm, ImportOffer
from hsm.store.keys import SM4_ALGORITHM, KeyRecord, NewKey, key_record
from trustcore import audit
from trustcore.crypto.algorithms import KeyAlgorithm, SignatureAlgorithm
from trustcore.crypto.digests import sha256
from trustcore.database import Database
from trustcore.errors import BusyError, ConflictError, InternalError, MalformedError, NotFoundError, RejectedError
from trustcore.locks import file_lock
from trustcore.x509.public_keys import PublicKeyInfo

__all__ = ["ExportedKey", "KeyMoves"]

_T = TypeVar("_T")
_ID_BYTES = 16
_OPEN_FOR = timedelta(days=1)
_TRANSPORT_BYTES = 384
"""Of an RSA-3072 block."""
_WRAPPED_LIMIT_BYTES = 8192
_MIN_RECIPIENT_BITS = 3072
_RSA_BITS = {KeyAlgorithm.RSA_2048: 2048, KeyAlgorithm.RSA_3072: 3072}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedKey:
    """A key on its way out."""

    label: str
    algorithm: KeyAlgorithm
    public_key_der: bytes
    """SubjectPublicKeyInfo."""
    wrapped: bytes = field(repr=False)
    """RSA-OAEP block ‖ AES-KWP block; only the recipient can read it."""


class KeyMoves:
    """Imports and exports. Every one is audited with who did it.

    Args:
        database: where the offers are.
        pool: the machines.
        keymaker: records keys and gives them to the other machines.
        register: what this process knows of the keys.
        approvals: of two persons, for CA keys.
        clock: aware UTC time.
        random: makes identifiers.
        lock: file that keeps two processes of this host from moving keys at once.
    """

    def __init__(
        self,
        database: Database,
        pool: Pool,
        keymaker: KeyMaker,
        register: KeyRegister,
        *,
        approvals: Approvals,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        lock: Path,
    ) -> None:
        self._database = database
        self._pool = pool
        self._keymaker = keymaker
        self._register = register
        self._approvals = approvals
        self._clock = clock
        self._random = random
        self._lock = lock

    def begin_import(self, label: str, *, form: ImportForm = ImportForm.RSA_AES, actor: str) -> ImportOffer:
        """Make a transport key for a key that will have this label; the same one until a day has passed.

        Asking for another form ends the offer before.

        Raises:
            ConflictError: ``hsm.key.exists``.
            RejectedError: ``hsm.machine.cannot`` when no machine takes keys.
            BusyError: ``hsm.machine.unavailable``.
        """
        uri, now = key_uri(label), self._clock()
        with file_lock(self._lock):
            with self._database.transaction() as session:
                record, offer = key_record(session, label), store.offer(session, label)
            if record is not None and record.created_at is not None:
                raise _exists(label)
            if offer is not None and (now >= offer.expires_at or offer.form is not form):
                self._end(offer)
                offer = None
            if offer is None:
                with self._database.transaction() as session:
                    offer = store.begin(
                        session, label, form=form, transport_id=self._random(_ID_BYTES), machine=self._receiver(),
                        at=now, expires_at=now + _OPEN_FOR,
                    )  # fmt: skip
                    self._audit(session, "import-begun", uri, actor, machine=offer.machine or "")
            return offer if offer.transport_key_der is not None else self._make_transport_key(offer)

    def finish_import(self, new: NewKey, public_key_der: bytes, wrapped: bytes, *, actor: str) -> KeyRecord:
        """Take a wrapped key in, prove that it belongs to ``public_key_der``, and give it to all machines.

        Bringing the same key in again answers as before.

        Raises:
            NotFoundError: ``hsm.import.not-begun``; also when the transport key is older than a day.
            MalformedError: ``hsm.import.invalid`` for what cannot be unwrapped, ``hsm.import.other-key`` for a private
                key that does not belong to the public key, ``hsm.key.algorithm`` for a public key of another kind.
            ConflictError: ``hsm.key.exists``.
            RejectedError: ``hsm.approval.needed`` for a CA key that two persons have not agreed to.
        """
        check_new(new)
        _check_pair(new, public_key_der)
        with self._database.transaction() as session:
            record, offer = key_record(session, new.label), store.offer(session, new.label)
        if record is not None and record.created_at is not None:
            return self._already_in(record, public_key_der, offer)
        if offer is None or offer.transport_key_der is None or self._clock() >= offer.expires_at:
            raise NotFoundError(
                f"No transport key waits for the key {new.label}; begin the import, and wrap the key within a day.",
                code="hsm.import.not-begun",
                label=new.label,
            )

        _check_wrapped(new, offer.form, wrapped)

        def place(record: KeyRecord, resumed: bool) -> tuple[KeyRecord, list[str]]:  # noqa: ARG001 - done anew each time
            assert offer.machine is not None
            incoming = replace(record, public_key_der=public_key_der)
            self._take(offer, offer.machine, incoming, wrapped)
            return incoming, [offer.machine]

        agreed = approved_parameters(new) | {"public-key-sha256": sha256(public_key_der).hex()}
        made = self._keymaker.add(new, ApprovalAct.IMPORT, agreed, place, actor=actor)
        return self._already_in(made, public_key_der, offer)

    def export(self, label: str, recipient_key_der: bytes, *, actor: str) -> ExportedKey:
        """Wrap a key for a recipient outside; only one that was made to be exported.

        Args:
            label: the key.
            recipient_key_der: SubjectPublicKeyInfo of the recipient's RSA key of 3072 bits or more, such as the
                transport key that :meth:`begin_import` gives at another installation.
            actor: who asked.

        Raises:
            RejectedError: ``hsm.key.sealed`` for any other key; ``hsm.key.inactive``; ``hsm.approval.needed`` for a CA
                key that two persons have not agreed to.
            MalformedError: ``hsm.export.recipient``.
            BusyError: ``hsm.machine.unavailable``.
        """
        _check_recipient(recipient_key_der)
        recipient = sha256(recipient_key_der).hex()
        with file_lock(self._lock):
            self._register.forget(label)
            record = self._register.record(label)
            _check_exportable(record)
            check_use(record.use, Operation.EXPORT, self._clock())
            agreed = {"key-id": record.key_id.hex(), "recipient-sha256": recipient}
            approval = self._approvals.demand(ApprovalAct.EXPORT, record.purpose, label, agreed, actor=actor)
            with self._database.transaction() as session:
                self._approvals.reserve(session, approval)
                self._audit(session, "export-begun", record.uri, actor, recipient=recipient)
            machine, wrapped = self._wrap(record, recipient_key_der)
            with self._database.transaction() as session:
                self._approvals.finish(session, approval, actor=actor)
                self._audit(session, "exported", record.uri, actor, recipient=recipient, machine=machine)
        key = record.key
        return ExportedKey(label=label, algorithm=key.algorithm, public_key_der=key.public_key_der, wrapped=wrapped)

    def _already_in(self, record: KeyRecord, public_key_der: bytes, offer: ImportOffer | None) -> KeyRecord:
        """The answer to an import that is done, and the end of its transport key."""
        if record.public_key_der != public_key_der or record.state is KeyState.DESTROYED:
            raise _exists(record.label)
        if offer is not None:
            with file_lock(self._lock):
                self._end(offer)
        return record

    def _receiver(self) -> str:
        for name in self._pool.by_readiness():
            if self._pool.machine(name).replicates:
                return name
        raise MachineCannotError(
            ", ".join(self._pool.names), "take keys in from elsewhere", "bring them in with the vendor's own tools"
        )

    def _make_transport_key(self, offer: ImportOffer) -> ImportOffer:
        transport_key_der = self._ask(
            offer.machine, lambda machine: machine.make_transport_key(offer.transport, offer.form.transport)
        )
        with self._database.transaction() as session:
            return store.offered(session, offer.label, transport_key_der)

    def _take(self, offer: ImportOffer, name: str, record: KeyRecord, wrapped: bytes) -> None:
        block, body = wrapped[:_TRANSPORT_BYTES], wrapped[_TRANSPORT_BYTES:]

        def take(machine: Machine) -> None:
            if offer.form is ImportForm.SM2_ENVELOPE:
                machine.destroy(record.reference)
                machine.open_envelope(record.key, offer.transport, wrapped)
                return
            machine.destroy(offer.wrapping)
            machine.unwrap_wrapping_key(offer.wrapping, offer.transport, block)
            try:
                material.unwrap(machine, record, offer.wrapping, body)
            except BaseException:
                machine.destroy(record.reference)
                raise
            finally:
                machine.destroy(offer.wrapping)

        try:
            self._ask(name, take)
        except InternalError as error:
            if error.code != "hsm.key.damaged":
                raise
            raise MalformedError(
                f"The private key for {record.label} does not belong to the public key; it was removed.",
                code="hsm.import.other-key",
                label=record.label,
            ) from error

    def _wrap(self, record: KeyRecord, recipient_key_der: bytes) -> tuple[str, bytes]:
        passing = KeyReference("xinyin-export-wrapping", self._random(_ID_BYTES))

        def wrap(machine: Machine) -> bytes:
            machine.make_wrapping_key(passing)
            try:
                return machine.send_wrapping_key(passing, recipient_key_der) + machine.wrap(record.reference, passing)
            finally:
                machine.destroy(passing)

        last: MachineDownError | None = None
        for name in self._pool.by_readiness():
            if name in record.machines and self._pool.machine(name).replicates:
                try:
                    return name, self._pool.ask(name, wrap)
                except MachineDownError as error:
                    last = error
        raise BusyError(
            f"No encryption machine that holds the key {record.label} and gives keys out answers.",
            code="hsm.machine.unavailable",
        ) from last

    def _ask(self, name: str | None, call: Callable[[Machine], _T]) -> _T:
        if name not in self._pool.names:
            raise BusyError(
                f"The encryption machine {name} holds the transport key and is not in the settings now.",
                code="hsm.machine.unavailable",
            )
        return self._pool.ask(name, call)

    def _end(self, offer: ImportOffer) -> None:
        """Destroy the transport key; where the machine is down, it stays there and nothing refers to it."""
        if offer.machine in self._pool.names:
            with suppress(MachineDownError):
                self._pool.ask(offer.machine, lambda machine: machine.destroy(offer.transport))
        with self._database.transaction() as session:
            store.end(session, offer.label)

    def _audit(self, session: Session, what: str, uri: str, actor: str, **facts: str) -> None:
        audit.record(session, at=self._clock(), actor=actor, action=f"hsm.key.{what}", subject=uri, facts=facts)


def _exists(label: str) -> ConflictError:
    return ConflictError(
        f"There is a key with the label {label} already, or was one before.", code="hsm.key.exists", label=label
    )


def _check_pair(new: NewKey, public_key_der: bytes) -> None:
    if new.algorithm == SM4_ALGORITHM:
        raise MalformedError("Only key pairs are brought in.", code="hsm.key.algorithm")
    algorithm = KeyAlgorithm(new.algorithm)
    info = PublicKeyInfo.from_der(public_key_der)
    if not info.serves(algorithm.signature) or info.bits != _RSA_BITS.get(algorithm, info.bits):
        raise MalformedError(f"The public key is {info.name} and not {algorithm}.", code="hsm.key.algorithm")


def _check_wrapped(new: NewKey, form: ImportForm, wrapped: bytes) -> None:
    if form is ImportForm.SM2_ENVELOPE and new.algorithm != KeyAlgorithm.SM2:
        raise MalformedError("An SM2 envelope holds an SM2 key.", code="hsm.key.algorithm")
    least = 0 if form is ImportForm.SM2_ENVELOPE else _TRANSPORT_BYTES
    if not least < len(wrapped) <= _WRAPPED_LIMIT_BYTES:
        raise MalformedError(
            "A wrapped key is an SM2EnvelopedKey, or the 384-byte block for an RSA transport key and after it the key "
            "itself, as the import was begun.",
            code="hsm.import.invalid",
        )


def _check_recipient(recipient_key_der: bytes) -> None:
    info = PublicKeyInfo.from_der(recipient_key_der)
    if not info.serves(SignatureAlgorithm.RSA_SHA256) or info.bits < _MIN_RECIPIENT_BITS:
        raise MalformedError(
            f"The recipient's key is an RSA key of {_MIN_RECIPIENT_BITS} bits or more.", code="hsm.export.recipient"
        )


def _check_exportable(record: KeyRecord) -> None:
    if not record.exportable:
        raise RejectedError(
            f"The key {record.label} was not made to be exported, and no machine gives it away; clone a machine with "
            "its vendor's own tools, or make another key that is exportable.",
            code="hsm.key.sealed",
            label=record.label,
        )
