"""The port to one encryption machine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from hsm.core.profiles import CipherMode
from trustcore.crypto.algorithms import KeyAlgorithm

__all__ = ["KeyReference", "Machine", "MachineInfo", "MachineKey", "SessionCounts"]


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
    """Description of its PKCS#11 module, or of its SDF library."""
    profile: str = ""
    """The vendor profile in use."""
    algorithms: tuple[str, ...] = ()
    """What was tried when it was connected, and verified in software: ``sm2-sign``, ``sm2-decrypt``, ``rsa-sign``,
    ``ecdsa-sign``, ``sm4-cbc``, ``sm4-gcm``, ``random``. An algorithm that is missing here is tried with the first key
    that uses it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCounts:
    """The sessions with one machine."""

    open: int
    """Opened and not yet closed."""
    in_use: int
    """Working on a call now."""
    limit: int
    """The most there may be."""


class Machine(Protocol):
    """One encryption machine. Safe to share between threads; blocks while the machine works.

    Every method may raise ``MachineDownError``, when the machine failed, and ``MachineCannotError``
    (``hsm.machine.cannot``) for what its kind does not do; those that name a key ``KeyMissingError``, or its
    ``KeyUnfitError`` (``hsm.key.unfit``), when an object of another type has that name. Whatever stores a key may raise
    ``MachineFullError`` (``hsm.machine.full``); the machine goes on to use the keys it has. Signatures have their X.509
    form.
    """

    @property
    def name(self) -> str:
        """Name in the settings."""

    @property
    def replicates(self) -> bool:
        """Whether keys can be moved in and out, wrapped."""

    @property
    def erases(self) -> bool:
        """Whether :meth:`destroy` takes keys out of the machine, and not only out of use."""

    def connect(self) -> MachineInfo:
        """Load the module, find the token and log in, if that is not done.

        A new connection is proved before it is used: trial keys sign and decrypt, and software checks the answers.

        Raises errors that name the remedy: ``hsm.module.…``, ``hsm.token.missing``, ``hsm.pin.…``, and
        ``hsm.profile.…`` when the answers are wrong. A refused PIN is not tried again until its file has changed, so
        that the token does not lock.
        """

    def close(self) -> None:
        """Let the module go. No call may be in flight."""

    @property
    def sessions(self) -> SessionCounts:
        """How many sessions there are."""

    def close_sessions(self) -> None:
        """End all sessions; those in use when their call is over. The next call connects anew, and proves anew."""

    def sign_digest(self, key: MachineKey, digest: bytes) -> bytes:
        """Sign a digest of the algorithm's hash; for SM2 the 32-byte e."""

    def sign_digests(self, key: MachineKey, digests: Sequence[bytes]) -> list[bytes]:
        """Sign many digests in one session, answers in order."""

    def decrypt(self, key: MachineKey, ciphertext_der: bytes) -> bytes:
        """Decrypt an SM2Cipher (GB/T 35276-2017 §7.2). Raises ``MalformedError`` (``hsm.cipher.invalid``)."""

    def random(self, length: int) -> bytes:
        """Random octets."""

    def generate(
        self, reference: KeyReference, algorithm: KeyAlgorithm, *, extractable: bool, decrypts: bool = False
    ) -> MachineKey:
        """Make a key pair. Extractable means: may leave wrapped, until :meth:`seal`.

        ``decrypts`` says that it is made to decrypt and signs nothing, which matters where a machine keeps pairs of
        both kinds apart.
        """

    def find(self, reference: KeyReference, algorithm: KeyAlgorithm) -> MachineKey | None:
        """The key pair with this reference, if both halves are there."""

    def expects(self, label: str) -> bool:
        """Whether the settings put the key of this label into this machine: it is made here and nowhere else."""

    def adopt(self, key: MachineKey) -> bool:
        """Whether this very key pair is in the machine, brought there by the vendor's own tools; then it is used here.

        What is found is proved with a signature. Asked of machines that do not replicate.
        """

    def destroy(self, reference: KeyReference) -> None:
        """Remove whatever has this reference; where only the vendor's console removes keys, never use it again."""

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

    def make_transport_key(self, reference: KeyReference, algorithm: KeyAlgorithm) -> bytes:
        """Make a pair that stays, under which something comes in from elsewhere later. Kept when it is there already.

        Args:
            reference: name of the pair.
            algorithm: RSA-3072 for :meth:`unwrap_wrapping_key`, SM2 for :meth:`open_envelope`.

        Returns:
            Its SubjectPublicKeyInfo.
        """

    def open_envelope(self, key: MachineKey, transport: KeyReference, envelope_der: bytes) -> None:
        """Take an SM2 key in that an SM2EnvelopedKey (GB/T 35276-2017 §7.4) holds for a transport key of this machine.

        It is extractable until sealed, and proved as by :meth:`unwrap`, with the same errors.
        """

    def unwrap_wrapping_key(self, reference: KeyReference, transport: KeyReference, wrapped: bytes) -> None:
        """Take a wrapping key in that was sent under a transport key of this machine.

        Raises ``MalformedError`` (``hsm.import.invalid``) for one that was not.
        """

    def wrap(self, key: KeyReference, wrapping_key: KeyReference) -> bytes:
        """A private key, or an SM4 key, under the wrapping key (CKM_AES_KEY_WRAP_PAD)."""

    def unwrap(self, key: MachineKey, wrapping_key: KeyReference, wrapped: bytes) -> None:
        """Take a private key in, extractable until sealed, and prove that it belongs to the public key.

        Raises ``MalformedError`` (``hsm.import.invalid``) for what is no key under the wrapping key, and
        ``InternalError`` (``hsm.key.damaged``) for another key than that; nothing stays in the machine then.
        """

    def unwrap_sm4(self, reference: KeyReference, wrapping_key: KeyReference, wrapped: bytes) -> None:
        """Take an SM4 key in, extractable until sealed."""

    def make_sm4_key(self, reference: KeyReference, *, extractable: bool) -> None:
        """Make an SM4 key. Kept when it is there already."""

    def holds_sm4_key(self, reference: KeyReference) -> bool:
        """Whether the SM4 key is there."""

    def sm4_encrypt(
        self, key: KeyReference, mode: CipherMode, data: bytes, *, iv: bytes, associated: bytes = b""
    ) -> bytes:
        """Encrypt with an SM4 key; see :class:`CipherMode` for lengths.

        Raises ``MalformedError`` (``hsm.cipher.length``) for data or ``iv`` of a length that the mode does not take.
        """

    def sm4_decrypt(
        self, key: KeyReference, mode: CipherMode, data: bytes, *, iv: bytes, associated: bytes = b""
    ) -> bytes:
        """Decrypt with an SM4 key.

        Raises ``MalformedError``: ``hsm.cipher.length`` as above, ``hsm.cipher.invalid`` for a tag that does not fit.
        """
