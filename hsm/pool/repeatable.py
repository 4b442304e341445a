"""What of a machine may be asked twice."""

from collections.abc import Sequence
from typing import Protocol

from hsm.core.profiles import CipherMode
from hsm.machine import KeyReference, MachineKey
from trustcore.crypto.algorithms import KeyAlgorithm

__all__ = ["RepeatableMachine"]


class RepeatableMachine(Protocol):
    """The calls of a :class:`hsm.machine.Machine` that leave nothing behind, so that a second one does no harm.

    Only they reach :meth:`hsm.pool.Pool.run`, which sends a call on to another machine when one fails or hangs.
    Whatever makes, moves or destroys a key is missing here on purpose: a machine may have done it and lost the answer.
    Such a call is made with :meth:`hsm.pool.Pool.ask`, once, and its maker finds out what became of it.
    """

    @property
    def name(self) -> str:
        """Name in the settings."""

    def sign_digest(self, key: MachineKey, digest: bytes) -> bytes:
        """Sign a digest; a second signature is as good as the first."""

    def sign_digests(self, key: MachineKey, digests: Sequence[bytes]) -> list[bytes]:
        """Sign many digests in one session, answers in order."""

    def decrypt(self, key: MachineKey, ciphertext_der: bytes) -> bytes:
        """Decrypt an SM2Cipher."""

    def random(self, length: int) -> bytes:
        """Random octets."""

    def find(self, reference: KeyReference, algorithm: KeyAlgorithm) -> MachineKey | None:
        """The key pair with this reference."""

    def holds_wrapping_key(self, reference: KeyReference) -> bool:
        """Whether the wrapping key is there."""

    def send_wrapping_key(self, reference: KeyReference, transport_public_key_der: bytes) -> bytes:
        """The wrapping key under another machine's transport key."""

    def wrap(self, key: KeyReference, wrapping_key: KeyReference) -> bytes:
        """A private or secret key under the wrapping key."""

    def holds_sm4_key(self, reference: KeyReference) -> bool:
        """Whether the SM4 key is there."""

    def sm4_encrypt(
        self, key: KeyReference, mode: CipherMode, data: bytes, *, iv: bytes, associated: bytes = b""
    ) -> bytes:
        """Encrypt; the caller gives the initial vector, so that a second answer is the same."""

    def sm4_decrypt(
        self, key: KeyReference, mode: CipherMode, data: bytes, *, iv: bytes, associated: bytes = b""
    ) -> bytes:
        """Decrypt."""
