"""The port to one encryption machine."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from trustcore.crypto.algorithms import KeyAlgorithm

__all__ = ["KeyReference", "Machine", "MachineInfo", "MachineKey"]


@dataclass(frozen=True, slots=True)
class KeyReference:
    """Name of a key inside a machine."""

    label: str
    """CKA_LABEL."""
    key_id: bytes
    """CKA_ID, random. Both must match: a label alone may be that of an abandoned attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineKey:
    """A key pair that a machine holds."""

    reference: KeyReference
    algorithm: KeyAlgorithm
    public_key_der: bytes
    """SubjectPublicKeyInfo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineInfo:
    """What a machine says of itself."""

    manufacturer: str
    model: str
    serial: str
    library: str
    """Description of its PKCS#11 module."""


class Machine(Protocol):
    """One encryption machine. Safe to share between threads; blocks while the machine works.

    Every method may raise ``MachineDownError``, when the machine failed, and those that name a key
    ``KeyMissingError``. Signatures have their X.509 form.
    """

    @property
    def name(self) -> str:
        """Name in the settings."""

    @property
    def replicates(self) -> bool:
        """Whether keys can be moved in and out, wrapped."""

    def connect(self) -> MachineInfo:
        """Load the module, find the token and log in, if that is not done.

        Raises errors that name the remedy: ``hsm.module.…``, ``hsm.token.missing``, ``hsm.pin.…``. A refused PIN is
        not tried again until its file has changed, so that the token does not lock.
        """

    def close(self) -> None:
        """Let the module go. No call may be in flight."""

    def sign_digest(self, key: MachineKey, digest: bytes) -> bytes:
        """Sign a digest of the algorithm's hash; for SM2 the 32-byte e."""

    def decrypt(self, key: MachineKey, ciphertext_der: bytes) -> bytes:
        """Decrypt an SM2Cipher (GB/T 35276-2017 §7.2). Raises ``MalformedError`` (``hsm.cipher.invalid``)."""

    def random(self, length: int) -> bytes:
        """Random octets."""

    def generate(self, reference: KeyReference, algorithm: KeyAlgorithm, *, extractable: bool) -> MachineKey:
        """Make a key pair. Extractable means: may leave wrapped, until :meth:`seal`."""

    def find(self, reference: KeyReference, algorithm: KeyAlgorithm) -> MachineKey | None:
        """The key pair with this reference, if both halves are there."""

    def destroy(self, reference: KeyReference) -> None:
        """Remove whatever has this reference."""

    def seal(self, reference: KeyReference) -> None:
        """Make a key non-extractable for good. Sealing twice is no error."""

    def make_wrapping_key(self, reference: KeyReference) -> None:
        """Make an AES-256 key that wraps other keys; extractable until sealed. Kept when it is there already."""

    def holds_wrapping_key(self, reference: KeyReference) -> bool:
        """Whether the wrapping key is there."""

    def send_wrapping_key(self, reference: KeyReference, transport_public_key_der: bytes) -> bytes:
        """The wrapping key under another machine's RSA transport key (CKM_RSA_PKCS_OAEP)."""

    def receive_wrapping_key(self, reference: KeyReference, send: Callable[[bytes], bytes]) -> None:
        """Take a wrapping key in under a transport key made for this one time; ``send`` wraps it."""

    def wrap(self, key: KeyReference, wrapping_key: KeyReference) -> bytes:
        """A private key under the wrapping key (CKM_AES_KEY_WRAP_PAD)."""

    def unwrap(self, key: MachineKey, wrapping_key: KeyReference, wrapped: bytes) -> None:
        """Take a private key in, extractable until sealed, and prove that it belongs to the public key."""
