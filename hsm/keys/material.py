"""What a key is inside a machine: a pair, or one SM4 key. Both are made, found, wrapped and moved the same way."""

from dataclasses import dataclass

from hsm.machine import KeyReference, Machine, MachineKey
from hsm.store.keys import KeyRecord
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.signing import KeyPurpose

__all__ = ["Found", "find", "make", "unwrap"]


@dataclass(frozen=True, slots=True)
class Found:
    """What a machine holds."""

    public_key_der: bytes | None
    """Of a pair."""


def make(machine: Machine, record: KeyRecord, *, extractable: bool) -> Found:
    """Make the key anew; what an attempt that died left behind goes first."""
    machine.destroy(record.reference)
    if record.is_secret:
        machine.make_sm4_key(record.reference, extractable=extractable)
        return Found(None)
    made = machine.generate(
        record.reference,
        KeyAlgorithm(record.algorithm),
        extractable=extractable,
        decrypts=record.purpose is KeyPurpose.ENCRYPTION,
    )
    return Found(made.public_key_der)


def find(machine: Machine, record: KeyRecord) -> Found | None:
    """The key, if the machine holds the whole of it."""
    if record.is_secret:
        return Found(None) if machine.holds_sm4_key(record.reference) else None
    found = machine.find(record.reference, KeyAlgorithm(record.algorithm))
    return Found(found.public_key_der) if found is not None else None


def unwrap(machine: Machine, record: KeyRecord, wrapping_key: KeyReference, wrapped: bytes) -> None:
    """Take the key in, in place of whatever half of it is there. A pair is proved to belong together."""
    machine.destroy(record.reference)
    if record.is_secret:
        machine.unwrap_sm4(record.reference, wrapping_key, wrapped)
        return
    assert record.public_key_der is not None
    key = MachineKey(
        reference=record.reference, algorithm=KeyAlgorithm(record.algorithm), public_key_der=record.public_key_der
    )
    machine.unwrap(key, wrapping_key, wrapped)
