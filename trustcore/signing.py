"""The one port to private keys.

Nothing above :mod:`hsm` knows PKCS#11. Whoever signs holds a :class:`Signer`; whoever makes keys holds :class:`Keys`.
Keys are named by RFC 7512 URIs such as ``pkcs11:object=sm2-root;type=private``, which name a key and not a machine:
a pool may keep the same key in several machines and picks one for each call.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from trustcore.crypto.algorithms import KeyAlgorithm, SignatureAlgorithm
from trustcore.errors import ConflictError

__all__ = ["KeyPurpose", "Keys", "Signer", "ensure_key"]


class KeyPurpose(StrEnum):
    """What a key is for; a machine's keeper refuses anything else (NIST SP 800-57 Part 1 Rev. 5 §5.2)."""

    SIGNING = "signing"
    """An application's own key; it also decrypts, where its owner uses it so."""
    CA = "ca"
    """Signs certificates and revocation lists. Two persons make, export and destroy it."""
    SEAL = "seal"
    """Signs for the holder of a seal, or for its maker."""
    AUDIT = "audit"
    """Signs the checkpoints of the audit trail."""
    ENCRYPTION = "encryption"
    """Encrypts and decrypts; signs nothing."""


class Signer(Protocol):
    """A private key that signs. Safe to share between threads.

    Signatures have their X.509 form: DER ``SEQUENCE{r INTEGER, s INTEGER}`` for SM2 (GB/T 35276-2017 §7.3) and ECDSA
    (RFC 3279 §2.2.3), the octets of RFC 8017 §8.2 for RSA.

    All methods raise ``BusyError`` when no machine that holds the key can serve.
    """

    @property
    def algorithm(self) -> SignatureAlgorithm:
        """What ``sign`` computes."""

    @property
    def public_key_der(self) -> bytes:
        """DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7)."""

    @property
    def certificate(self) -> bytes | None:
        """DER certificate over ``public_key_der``, where one was given."""

    def sign(self, message: bytes) -> bytes:
        """Sign a message; for SM2 with Z of the default identifier (GB/T 32918.2-2016 §6.1)."""

    def sign_digest(self, message_digest: bytes) -> bytes:
        """Sign a digest of the algorithm's hash; for SM2 the 32-byte ``e = SM3(Z ‖ M)``."""

    def sign_many(self, digests: Sequence[bytes]) -> list[bytes]:
        """Sign many digests, answers in order."""


class Keys(Protocol):
    """Where private keys live. Safe to share between threads."""

    def generate(self, label: str, algorithm: KeyAlgorithm, *, purpose: KeyPurpose = KeyPurpose.SIGNING) -> str:
        """Make a key pair that never leaves the machines, and return its URI.

        Raises ``ConflictError`` (``hsm.key.exists``) when the label is taken, ``RejectedError``
        (``hsm.approval.needed``) when two persons have to agree first.
        """

    def find(self, label: str, *, purpose: KeyPurpose | None = None) -> str | None:
        """URI of the key with this label, or ``None``.

        Raises ``RejectedError`` (``hsm.key.purpose``) when there is one, and it is for another purpose than the one
        given: a key that one person may make is never taken for one that two persons agree to.
        """

    def signer(self, key_uri: str, *, certificate: bytes | None = None) -> Signer:
        """A signer with this key. Raises ``NotFoundError`` (``hsm.key.not-found``)."""

    def decrypt(self, key_uri: str, ciphertext_der: bytes) -> bytes:
        """Decrypt a GB/T 35276-2017 §7.2 ``SM2Cipher`` with an SM2 key inside a machine."""

    def random(self, length: int) -> bytes:
        """Random octets from a machine."""


def ensure_key(keys: Keys, label: str, algorithm: KeyAlgorithm, *, purpose: KeyPurpose = KeyPurpose.SIGNING) -> str:
    """URI of the key with this label, made when there is none; of two that ask at once both get the same key.

    Raises ``RejectedError`` (``hsm.key.purpose``) when the key with this label is for another purpose.
    """
    found = keys.find(label, purpose=purpose)
    if found is not None:
        return found
    try:
        return keys.generate(label, algorithm, purpose=purpose)
    except ConflictError:
        found = keys.find(label, purpose=purpose)
        if found is None:
            raise
        return found
