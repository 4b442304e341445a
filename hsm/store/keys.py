"""All queries of the encryption machine service."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hsm.machine import KeyReference, MachineKey
from hsm.models import KeyRow
from trustcore.crypto.algorithms import KeyAlgorithm

__all__ = [
    "WRAPPING_ALGORITHM",
    "KeyRecord",
    "add_holder",
    "finish",
    "key_record",
    "key_records",
    "renew_request",
    "request",
    "seal",
    "unsealed_records",
    "wrapping_records",
]

WRAPPING_ALGORITHM = "aes-256"
"""``algorithm`` of the keys that other keys travel under."""


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
    )


def key_record(session: Session, label: str) -> KeyRecord | None:
    """The key with this label, made or only requested."""
    row = session.get(KeyRow, label)
    return _record(row) if row else None


def key_records(session: Session, *, after: str = "", limit: int = 100) -> list[KeyRecord]:
    """Key pairs that are ready, by label; the page after the label ``after``."""
    query = (
        select(KeyRow)
        .where(KeyRow.created_at.is_not(None), KeyRow.algorithm != WRAPPING_ALGORITHM, KeyRow.label > after)
        .order_by(KeyRow.label)
        .limit(limit)
    )
    return [_record(row) for row in session.scalars(query)]


def unsealed_records(session: Session) -> list[KeyRecord]:
    """Key pairs that some machine still waits for."""
    query = select(KeyRow).where(
        KeyRow.created_at.is_not(None), KeyRow.sealed_at.is_(None), KeyRow.algorithm != WRAPPING_ALGORITHM
    )
    return [_record(row) for row in session.scalars(query.order_by(KeyRow.label))]


def wrapping_records(session: Session) -> list[KeyRecord]:
    """The wrapping keys, oldest first; few, one for each change of the machines."""
    query = select(KeyRow).where(KeyRow.algorithm == WRAPPING_ALGORITHM).order_by(KeyRow.requested_at, KeyRow.label)
    return [_record(row) for row in session.scalars(query)]


def request(
    session: Session, *, label: str, key_id: bytes, algorithm: str, uri: str, at: datetime, host: str
) -> KeyRecord:
    """Write the intent to make a key."""
    row = KeyRow(
        label=label, key_id=key_id, algorithm=algorithm, uri=uri, machines=[], requested_at=at, requested_by=host
    )
    session.add(row)
    session.flush()
    return _record(row)


def renew_request(session: Session, label: str, *, at: datetime, host: str, key_id: bytes | None = None) -> KeyRecord:
    """Take over a request, or go on with it under another identifier."""
    row = session.get_one(KeyRow, label)
    row.requested_at, row.requested_by = at, host
    if key_id is not None:
        row.key_id = key_id
    session.flush()
    return _record(row)


def finish(
    session: Session, label: str, *, public_key_der: bytes | None, machines: Collection[str], at: datetime
) -> KeyRecord:
    """Record that a key is ready, and where."""
    row = session.get_one(KeyRow, label)
    row.public_key_der, row.machines, row.created_at = public_key_der, list(machines), at
    session.flush()
    return _record(row)


def add_holder(session: Session, label: str, machine: str) -> KeyRecord:
    """Record that one more machine holds a key."""
    row = session.get_one(KeyRow, label)
    if machine not in row.machines:
        row.machines = [*row.machines, machine]
    session.flush()
    return _record(row)


def seal(session: Session, label: str, *, at: datetime) -> KeyRecord:
    """Record that a key can leave no machine any more."""
    row = session.get_one(KeyRow, label)
    row.sealed_at = at
    session.flush()
    return _record(row)
