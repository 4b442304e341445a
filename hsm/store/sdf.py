"""Queries about the key pairs of SDF machines."""

from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from hsm.machine import KeyReference
from hsm.models import KeyRow, SdfPairRow
from trustcore.crypto.digests import sha256

__all__ = ["public_key", "release", "take"]


def take(session: Session, reference: KeyReference, public_key_der: bytes, *, at: datetime) -> bool:
    """Let a key have a pair, unless it has another one, or another key has it or had it once.

    Raises ``IntegrityError`` at the end of the transaction when another process takes the pair at the same time.
    """
    own = public_key(session, reference)
    if own is not None:
        return own == public_key_der
    fingerprint = sha256(public_key_der).hex()
    row = session.get(SdfPairRow, fingerprint)
    if row is not None and (row.released_at is not None or _is_known(session, row)):
        return False
    if session.scalar(select(exists().where(KeyRow.public_key_der == public_key_der))):
        return False
    if row is None:
        row = SdfPairRow(fingerprint=fingerprint, public_key_der=public_key_der)
        session.add(row)
    row.label, row.key_id, row.taken_at = reference.label, reference.key_id, at
    session.flush()
    return True


def public_key(session: Session, reference: KeyReference) -> bytes | None:
    """Public key of the pair that a key has."""
    row = session.scalar(
        select(SdfPairRow).where(SdfPairRow.key_id == reference.key_id, SdfPairRow.released_at.is_(None))
    )
    return row.public_key_der if row else None


def release(session: Session, reference: KeyReference, *, at: datetime) -> bool:
    """Take the pair away from a key; whether the key was in use, so that nobody may have the pair any more."""
    row = session.scalar(select(SdfPairRow).where(SdfPairRow.key_id == reference.key_id))
    if row is None:
        return False
    record = session.get(KeyRow, row.label)
    if record is not None and record.key_id == row.key_id and record.created_at is not None:
        row.released_at = row.released_at or at
        return True
    session.delete(row)
    return False


def _is_known(session: Session, row: SdfPairRow) -> bool:
    """Whether there is still a key, or the request for one, that the pair was taken for."""
    record = session.get(KeyRow, row.label)
    return record is not None and record.key_id == row.key_id
