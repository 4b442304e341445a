"""Queries about keys: their life, their place, their certificates."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import String, cast, select
from sqlalchemy.orm import Session

from hsm.core.lifecycle import KeyState, KeyUse, SecretAlgorithm
from hsm.machine import KeyReference, MachineKey
from hsm.models import KeyCertificateRow, KeyRow
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.signing import KeyPurpose

__all__ = [
    "SM4_ALGORITHM",
    "WRAPPING_ALGORITHM",
    "KeyFilter",
    "KeyRecord",
    "NewKey",
    "add_holder",
    "certificates",
    "finish",
    "forget",
    "key_record",
    "key_records",
    "link_certificate",
    "remove_holders",
    "renew_request",
    "request",
    "seal",
    "set_purpose",
    "set_state",
    "set_title",
    "undestroyed_records",
    "unsealed_records",
    "wrapping_records",
]

WRAPPING_ALGORITHM = "aes-256"
"""``algorithm`` of the keys that other keys travel under."""
SM4_ALGORITHM = SecretAlgorithm.SM4.value
"""``algorithm`` of secret keys for data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """A row of ``hsm_key``, out of its session."""

    label: str
    key_id: bytes
    algorithm: str
    uri: str
    public_key_der: bytes | None
    machines: tuple[str, ...]
    requested_at: datetime
    requested_by: str
    created_at: datetime | None
    sealed_at: datetime | None
    purpose: KeyPurpose = KeyPurpose.SIGNING
    state: KeyState = KeyState.ACTIVE
    title: str | None = None
    exportable: bool = False
    activated_at: datetime | None = None
    retired_at: datetime | None = None
    destroyed_at: datetime | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    usage_limit: int | None = None
    used: int = 0

    @property
    def reference(self) -> KeyReference:
        """Its name inside the machines."""
        return KeyReference(self.label, self.key_id)

    @property
    def key(self) -> MachineKey:
        """The key pair; only of records with a public key."""
        assert self.public_key_der is not None
        algorithm = KeyAlgorithm(self.algorithm)
        return MachineKey(reference=self.reference, algorithm=algorithm, public_key_der=self.public_key_der)

    @property
    def is_secret(self) -> bool:
        """Whether it is one secret key and not a pair."""
        return self.algorithm == SM4_ALGORITHM

    @property
    def use(self) -> KeyUse:
        """What decides whether it may be used."""
        return KeyUse(
            label=self.label,
            state=self.state,
            purpose=self.purpose,
            not_before=self.not_before,
            not_after=self.not_after,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """What is asked for when a key is made or comes in."""

    label: str
    algorithm: str
    """A ``KeyAlgorithm``, ``sm4``, or ``aes-256`` for a wrapping key."""
    purpose: KeyPurpose = KeyPurpose.SIGNING
    activate: bool = True
    """Whether it may be used as soon as it is made."""
    exportable: bool = False
    usage_limit: int | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFilter:
    """Which keys of the inventory; ``None`` stands for all."""

    state: KeyState | None = None
    purpose: KeyPurpose | None = None
    algorithm: str | None = None
    machine: str | None = None


def _record(row: KeyRow) -> KeyRecord:
    return KeyRecord(
        label=row.label,
        key_id=row.key_id,
        algorithm=row.algorithm,
        uri=row.uri,
        public_key_der=row.public_key_der,
        machines=tuple(row.machines),
        requested_at=row.requested_at,
        requested_by=row.requested_by,
        created_at=row.created_at,
        sealed_at=row.sealed_at,
        purpose=KeyPurpose(row.purpose),
        state=KeyState(row.state),
        title=row.title,
        exportable=bool(row.exportable),
        activated_at=row.activated_at,
        retired_at=row.retired_at,
        destroyed_at=row.destroyed_at,
        not_before=row.not_before,
        not_after=row.not_after,
        usage_limit=row.usage_limit,
        used=row.used,
    )


def key_record(session: Session, label: str, *, lock: bool = False) -> KeyRecord | None:
    """The key with this label, made or only requested; nobody else changes a locked one in the meantime."""
    row = session.get(KeyRow, label, with_for_update=lock or None)
    return _record(row) if row else None


def key_records(
    session: Session, *, after: str = "", limit: int = 100, wanted: KeyFilter | None = None
) -> list[KeyRecord]:
    """Keys that are made, by label; the page after the label ``after``. Wrapping keys are not among them."""
    query = select(KeyRow).where(
        KeyRow.created_at.is_not(None), KeyRow.algorithm != WRAPPING_ALGORITHM, KeyRow.label > after
    )
    wanted = wanted or KeyFilter()
    if wanted.state is not None:
        query = query.where(KeyRow.state == wanted.state.value)
    if wanted.purpose is not None:
        query = query.where(KeyRow.purpose == wanted.purpose.value)
    if wanted.algorithm is not None:
        query = query.where(KeyRow.algorithm == wanted.algorithm)
    if wanted.machine is not None:
        # Names of machines are made of a-z, 0-9 and hyphens, so they stand in the JSON as they are.
        query = query.where(cast(KeyRow.machines, String).contains(f'"{wanted.machine}"', autoescape=True))
    return [_record(row) for row in session.scalars(query.order_by(KeyRow.label).limit(limit))]


def unsealed_records(session: Session) -> list[KeyRecord]:
    """Keys that some machine still waits for, or that stay extractable."""
    query = select(KeyRow).where(
        KeyRow.created_at.is_not(None),
        KeyRow.sealed_at.is_(None),
        KeyRow.algorithm != WRAPPING_ALGORITHM,
        KeyRow.state != KeyState.DESTROYED.value,
    )
    return [_record(row) for row in session.scalars(query.order_by(KeyRow.label))]


def undestroyed_records(session: Session) -> list[KeyRecord]:
    """Keys whose destruction some machine has not confirmed."""
    query = select(KeyRow).where(KeyRow.state == KeyState.DESTROYED.value).order_by(KeyRow.label)
    return [_record(row) for row in session.scalars(query) if row.machines]


def wrapping_records(session: Session) -> list[KeyRecord]:
    """The wrapping keys, oldest first; few, one for each change of the machines."""
    query = select(KeyRow).where(KeyRow.algorithm == WRAPPING_ALGORITHM).order_by(KeyRow.requested_at, KeyRow.label)
    return [_record(row) for row in session.scalars(query)]


def request(session: Session, new: NewKey, *, key_id: bytes, uri: str, at: datetime, host: str) -> KeyRecord:
    """Write the intent to make a key."""
    row = KeyRow(
        label=new.label,
        key_id=key_id,
        algorithm=new.algorithm,
        uri=uri,
        machines=[],
        requested_at=at,
        requested_by=host,
        used=0,
    )
    _describe(row, new)
    session.add(row)
    session.flush()
    return _record(row)


def _describe(row: KeyRow, new: NewKey) -> None:
    row.purpose = new.purpose.value
    row.state = (KeyState.ACTIVE if new.activate else KeyState.GENERATED).value
    row.title, row.exportable, row.usage_limit = new.title, new.exportable, new.usage_limit
    row.not_before, row.not_after = new.not_before, new.not_after


def renew_request(
    session: Session, label: str, *, at: datetime, host: str, key_id: bytes | None = None, new: NewKey | None = None
) -> KeyRecord:
    """Take over a request, for what is asked now, or go on with it under another identifier."""
    row = session.get_one(KeyRow, label)
    row.requested_at, row.requested_by = at, host
    if new is not None:
        _describe(row, new)
    if key_id is not None:
        row.key_id = key_id
    session.flush()
    return _record(row)


def forget(session: Session, label: str) -> None:
    """Take a request back that became no key."""
    row = session.get_one(KeyRow, label)
    assert row.created_at is None
    session.delete(row)
    session.flush()


def finish(
    session: Session, label: str, *, public_key_der: bytes | None, machines: Collection[str], at: datetime
) -> KeyRecord:
    """Record that a key is ready, and where."""
    row = session.get_one(KeyRow, label)
    row.public_key_der, row.machines, row.created_at = public_key_der, list(machines), at
    if row.state == KeyState.ACTIVE.value:
        row.activated_at = at
    session.flush()
    return _record(row)


def add_holder(session: Session, label: str, machine: str) -> KeyRecord:
    """Record that one more machine holds a key."""
    row = session.get_one(KeyRow, label, with_for_update=True)
    if machine not in row.machines and row.state != KeyState.DESTROYED.value:
        row.machines = [*row.machines, machine]
    session.flush()
    return _record(row)


def remove_holders(session: Session, label: str, machines: Collection[str]) -> KeyRecord:
    """Record that machines hold a key no more."""
    row = session.get_one(KeyRow, label, with_for_update=True)
    row.machines = [name for name in row.machines if name not in machines]
    session.flush()
    return _record(row)


def seal(session: Session, label: str, *, at: datetime) -> KeyRecord:
    """Record that a key can leave no machine any more."""
    row = session.get_one(KeyRow, label)
    row.sealed_at = at
    session.flush()
    return _record(row)


def set_state(
    session: Session, label: str, state: KeyState, *, at: datetime, machines: Collection[str] | None = None
) -> KeyRecord:
    """Record a key's new state; for a destroyed one ``machines`` are those that have to confirm it."""
    row = session.get_one(KeyRow, label, with_for_update=True)
    row.state = state.value
    if state is KeyState.ACTIVE and row.activated_at is None:
        row.activated_at = at
    elif state is KeyState.RETIRED:
        row.retired_at = at
    elif state is KeyState.DESTROYED:
        row.destroyed_at = at
    if machines is not None:
        row.machines = list(machines)
    session.flush()
    return _record(row)


def set_title(session: Session, label: str, title: str | None) -> KeyRecord:
    """Record what people call a key."""
    row = session.get_one(KeyRow, label)
    row.title = title
    session.flush()
    return _record(row)


def set_purpose(session: Session, label: str, purpose: KeyPurpose) -> KeyRecord:
    """Record what a key is for."""
    row = session.get_one(KeyRow, label)
    row.purpose = purpose.value
    session.flush()
    return _record(row)


def link_certificate(session: Session, label: str, *, fingerprint: str, certificate_der: bytes, at: datetime) -> bool:
    """Keep a certificate over a key; ``False`` when it was known."""
    if session.get(KeyCertificateRow, (label, fingerprint)) is not None:
        return False
    row = KeyCertificateRow(label=label, fingerprint=fingerprint, certificate_der=certificate_der, linked_at=at)
    session.add(row)
    session.flush()
    return True


def certificates(session: Session, label: str) -> tuple[bytes, ...]:
    """The certificates over a key, oldest first."""
    query = (
        select(KeyCertificateRow.certificate_der)
        .where(KeyCertificateRow.label == label)
        .order_by(KeyCertificateRow.linked_at, KeyCertificateRow.fingerprint)
    )
    return tuple(session.scalars(query))
