"""Keys as an administrator sees them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from hsm.core.lifecycle import KeyState, SecretAlgorithm
from hsm.store.keys import KeyRecord
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.signing import KeyPurpose

__all__ = ["KeyStatus", "key_status"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStatus:
    """One key, as an administrator sees it."""

    label: str
    title: str | None
    """What people call it."""
    uri: str
    algorithm: KeyAlgorithm | SecretAlgorithm
    purpose: KeyPurpose
    state: KeyState
    public_key_der: bytes
    """SubjectPublicKeyInfo; empty for a secret key."""
    machines: tuple[str, ...]
    """Machines that hold it; of a destroyed key those that have not confirmed its destruction."""
    missing: tuple[str, ...]
    """Machines that are still to get it."""
    sealed: bool
    """It can leave no machine any more."""
    exportable: bool
    """It was made to leave the installation, wrapped."""
    created_at: datetime
    activated_at: datetime | None
    retired_at: datetime | None
    destroyed_at: datetime | None
    not_before: datetime | None
    not_after: datetime | None
    used: int
    """How often it was used. Of a limited key this counts what other processes hold on lease; of an unlimited one it
    may lack their last five seconds."""
    usage_limit: int | None


def key_status(record: KeyRecord, *, machines: Collection[str], unwritten: int) -> KeyStatus:
    """The status of a key that is made.

    Args:
        record: the key.
        machines: names of the machines that should hold it.
        unwritten: uses that this process has counted beyond the record.
    """
    assert record.created_at is not None
    destroyed = record.state is KeyState.DESTROYED
    return KeyStatus(
        label=record.label,
        title=record.title,
        uri=record.uri,
        algorithm=SecretAlgorithm.SM4 if record.is_secret else KeyAlgorithm(record.algorithm),
        purpose=record.purpose,
        state=record.state,
        public_key_der=record.public_key_der or b"",
        machines=record.machines,
        missing=() if destroyed else tuple(name for name in machines if name not in record.machines),
        sealed=record.sealed_at is not None,
        exportable=record.exportable,
        created_at=record.created_at,
        activated_at=record.activated_at,
        retired_at=record.retired_at,
        destroyed_at=record.destroyed_at,
        not_before=record.not_before,
        not_after=record.not_after,
        used=record.used + unwritten,
        usage_limit=record.usage_limit,
    )
