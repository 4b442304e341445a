"""The probe: what a machine has to do before it is used again."""

from collections.abc import Callable

from hsm.errors import KeyMissingError
from hsm.machine import Machine, MachineKey
from trustcore.crypto import verify
from trustcore.crypto.digests import sha256
from trustcore.errors import InternalError

__all__ = ["prove"]

_OCTETS = 32


def prove(machine: Machine, *, key: MachineKey | None, done: Callable[..., None]) -> None:
    """Ask for random octets, and sign them where a key is known; software verifies the signature.

    Args:
        machine: the machine.
        key: one that it signed with before; when it does not hold it any more, random octets are enough.
        done: told whether it went ``well``.

    Raises:
        MachineDownError: when the machine fails.
        InternalError: ``hsm.profile.wrong-signature``.
    """
    done(well=False)
    octets = machine.random(_OCTETS)
    if key is not None:
        digest = sha256(octets)
        try:
            signature = machine.sign_digest(key, digest)
        except KeyMissingError:
            signature = None
        if signature is not None and not verify.verify_digest(
            key.public_key_der, key.algorithm.signature, digest, signature
        ):
            raise InternalError(
                f"The encryption machine {machine.name} makes wrong signatures with the key {key.reference.label}; it "
                "is not used until it is put right.",
                code="hsm.profile.wrong-signature",
                machine=machine.name,
            )
    done(well=True)
