"""The driver of machines that speak SDF (GM/T 0018-2012).

What SDF has not, and how the driver does without:

* **Keys are made by the vendor's console**, never through the interface. :meth:`SdfMachine.generate` gives a label one
  of the key pairs that the console made at the declared indexes.
* **Keys have no labels.** A key is its public key: which index holds it is seen by reading the public keys of the
  machine at each connection, so keys may move to other indexes, and clones in other machines are recognised. Which key
  a pair became stands in the book of pairs (:mod:`hsm.sdf.pairs`).
* **Keys are not destroyed** through the interface. A key that is destroyed here is never used again, nor is its pair
  given to another label; the console has to remove it.
* **Nothing is wrapped or moved** between machines, nor are there SM4 keys: that is done with the vendor's backup.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import structlog

from hsm.core import sdf
from hsm.core.profiles import CipherMode
from hsm.errors import MachineFullError
from hsm.machine import KeyReference, MachineInfo, MachineKey, SessionCounts
from hsm.sdf.device import SdfDevice
from hsm.sdf.failures import ENCRYPTED_DATA_CODES, SdfError
from hsm.sdf.pairs import Pairs
from hsm.sdf.survey import Pair
from hsm.settings import HsmSettings, MachineSettings
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.errors import MalformedError

__all__ = ["SdfMachine"]

_RANDOM_BYTES = 8192
"""Asked for in one call: devices have bounds of their own."""
_SAY_HOW = "say in its settings how the vendor declares SDF_InternalDecrypt_ECC"
_BACKUP = "use the vendor's backup for that"
_log = structlog.get_logger(__name__)


class SdfMachine:
    """A device behind an SDF library, as a :class:`hsm.machine.Machine`.

    Args:
        settings: the machine; ``settings.sdf`` is there.
        pool: bounds that all machines share.
        find_library: says what to load; called at the first connection, so that a missing library is one machine's
            error.
        pairs: the book of pairs.
        monotonic: seconds that never go back.
    """

    replicates = False
    erases = False

    def __init__(
        self,
        settings: MachineSettings,
        *,
        pool: HsmSettings,
        find_library: Callable[[], Path],
        pairs: Pairs,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        assert settings.sdf is not None
        self.name = settings.name
        self._sdf = settings.sdf
        self._pairs = pairs
        self._device = SdfDevice(settings, pool=pool, find_library=find_library, monotonic=monotonic)

    def __repr__(self) -> str:
        return f"SdfMachine({self.name!r})"

    def connect(self) -> MachineInfo:
        """Load the library, open the device, read its public keys and try one key of each kind."""
        return self._device.connect()

    def close(self) -> None:
        """Close sessions and device. No call may be in flight."""
        self._device.close()

    @property
    def sessions(self) -> SessionCounts:
        """How many sessions there are."""
        return self._device.counts

    def close_sessions(self) -> None:
        """End all sessions; those in use when their call is over. The next call connects anew, and proves anew."""
        self._device.close()

    def sign_digest(self, key: MachineKey, digest: bytes) -> bytes:
        """Sign a digest; for SM2 the 32-byte e."""
        return self.sign_digests(key, (digest,))[0]

    def sign_digests(self, key: MachineKey, digests: Sequence[bytes]) -> list[bytes]:
        """Sign many digests in one session, answers in order."""
        with self._device.session() as lane:
            pair = self._device.pair(lane, key)
            signatures = [self._device.sign(lane, pair, digest) for digest in digests]
        if pair.algorithm is KeyAlgorithm.SM2:
            return [sm2.signature_to_der(signature) for signature in signatures]
        return signatures

    def decrypt(self, key: MachineKey, ciphertext_der: bytes) -> bytes:
        """Decrypt an SM2Cipher with the encryption pair of an index."""
        if self._sdf.decrypt is None:
            self._device.cannot("decrypt", _SAY_HOW)
        with self._device.session() as lane:
            pair = self._device.pair(lane, key, decrypts=True)
            cipher = sdf.cipher_structure(ciphertext_der, self._device.found.form)
            try:
                return self._device.decrypt(lane, pair, cipher)
            except SdfError as error:
                if error.code in ENCRYPTED_DATA_CODES:
                    raise MalformedError(
                        "The ciphertext cannot be decrypted with this key.", code="hsm.cipher.invalid"
                    ) from error
                raise

    def random(self, length: int) -> bytes:
        """Random octets."""
        with self._device.session() as lane:
            parts = [min(_RANDOM_BYTES, length - at) for at in range(0, length, _RANDOM_BYTES)]
            return b"".join(lane.library.random(lane.session, part) for part in parts)

    def expects(self, label: str) -> bool:
        """Whether the settings give an index to this label."""
        return label in self._sdf.keys or label in self._sdf.encryption_keys

    def generate(
        self, reference: KeyReference, algorithm: KeyAlgorithm, *, extractable: bool, decrypts: bool = False
    ) -> MachineKey:
        """Give the label a key pair that the console made: that of its index in the settings, or else the first free.

        One that decrypts is the encryption pair of an index.

        Raises:
            MachineCannotError: for keys that shall leave the machine, and algorithms that it has no indexes for.
            MachineFullError: no declared index has a pair that is free.
        """
        if extractable:
            self._device.cannot("let keys leave", _BACKUP)
        decrypts = decrypts or reference.label in self._sdf.encryption_keys
        if decrypts and self._sdf.decrypt is None:
            self._device.cannot("decrypt", _SAY_HOW)
        with self._device.session() as lane:
            self._device.look_again(lane)
            for pair in self._candidates(reference.label, algorithm, decrypts=decrypts):
                if self._pairs.take(reference, pair.public_key_der):
                    self._device.prove(lane, pair)
                    return MachineKey(reference=reference, algorithm=algorithm, public_key_der=pair.public_key_der)
        raise self._full(reference.label, algorithm)

    def find(self, reference: KeyReference, algorithm: KeyAlgorithm) -> MachineKey | None:
        """The key with this reference, if a declared index holds its pair."""
        public_key_der = self._pairs.public_key(reference)
        if public_key_der is None:
            return None
        key = MachineKey(reference=reference, algorithm=algorithm, public_key_der=public_key_der)
        with self._device.session() as lane:
            pair = self._device.look_for(lane, public_key_der)
        return key if pair is not None and pair.algorithm is algorithm else None

    def adopt(self, key: MachineKey) -> bool:
        """Whether a declared index holds this very pair, as it does after the vendor cloned the machine."""
        with self._device.session() as lane:
            pair = self._device.look_for(lane, key.public_key_der, patiently=True)
            if pair is None or pair.algorithm is not key.algorithm:
                return False
            self._device.prove(lane, pair)
        return True

    def destroy(self, reference: KeyReference) -> None:
        """Never use the key again. Its pair stays at its index until the vendor's console removes it."""
        public_key_der = self._pairs.public_key(reference)
        if self._pairs.release(reference) and public_key_der is not None:
            pair = self._device.known(public_key_der)
            _log.warning(
                "hsm.sdf.pair-remains",
                machine=self.name,
                label=reference.label,
                index=pair.index if pair else None,
                remedy="remove the key pair with the vendor's console",
            )

    def seal(self, reference: KeyReference) -> None:
        """Nothing to do: no key can leave through SDF."""

    def make_wrapping_key(self, reference: KeyReference) -> None:
        """Not with SDF."""
        self._device.cannot("make wrapping keys", _BACKUP)

    def holds_wrapping_key(self, reference: KeyReference) -> bool:
        """Never with SDF."""
        return False

    def send_wrapping_key(self, reference: KeyReference, transport_public_key_der: bytes) -> bytes:
        """Not with SDF."""
        self._device.cannot("send wrapping keys", _BACKUP)

    def receive_wrapping_key(self, reference: KeyReference, send: Callable[[bytes], bytes]) -> None:
        """Not with SDF."""
        self._device.cannot("receive wrapping keys", _BACKUP)

    def make_transport_key(self, reference: KeyReference, algorithm: KeyAlgorithm) -> bytes:
        """Not with SDF."""
        self._device.cannot("make transport keys", _BACKUP)

    def unwrap_wrapping_key(self, reference: KeyReference, transport: KeyReference, wrapped: bytes) -> None:
        """Not with SDF."""
        self._device.cannot("receive wrapping keys", _BACKUP)

    def open_envelope(self, key: MachineKey, transport: KeyReference, envelope_der: bytes) -> None:
        """Not with SDF."""
        self._device.cannot("open envelopes with keys", _BACKUP)

    def wrap(self, key: KeyReference, wrapping_key: KeyReference) -> bytes:
        """Not with SDF."""
        self._device.cannot("wrap keys", _BACKUP)

    def unwrap(self, key: MachineKey, wrapping_key: KeyReference, wrapped: bytes) -> None:
        """Not with SDF."""
        self._device.cannot("unwrap keys", _BACKUP)

    def unwrap_sm4(self, reference: KeyReference, wrapping_key: KeyReference, wrapped: bytes) -> None:
        """Not with SDF."""
        self._device.cannot("unwrap keys", _BACKUP)

    def make_sm4_key(self, reference: KeyReference, *, extractable: bool) -> None:
        """Not with SDF."""
        self._cannot_sm4()

    def holds_sm4_key(self, reference: KeyReference) -> bool:
        """Never with SDF."""
        return False

    def sm4_encrypt(
        self, key: KeyReference, mode: CipherMode, data: bytes, *, iv: bytes, associated: bytes = b""
    ) -> bytes:
        """Not with SDF."""
        self._cannot_sm4()

    def sm4_decrypt(
        self, key: KeyReference, mode: CipherMode, data: bytes, *, iv: bytes, associated: bytes = b""
    ) -> bytes:
        """Not with SDF."""
        self._cannot_sm4()

    def _candidates(self, label: str, algorithm: KeyAlgorithm, *, decrypts: bool) -> list[Pair]:
        """Pairs that the label may get, whether they are free or not."""
        indexes = {KeyAlgorithm.SM2: self._sdf.sm2, KeyAlgorithm.EC_P256: ()}.get(algorithm, self._sdf.rsa)
        if not indexes or (decrypts and algorithm is not KeyAlgorithm.SM2):
            what = f"have {algorithm.value} keys" + " that decrypt" * decrypts
            self._device.cannot(what, "make it elsewhere, or declare indexes of such keys")
        found = self._device.found
        pairs = found.encryption_pairs if decrypts else found.pairs
        fitting = [pair for pair in pairs.values() if pair.algorithm is algorithm]
        named = self._sdf.encryption_keys if decrypts else self._sdf.keys
        if label in named:
            return [pair for pair in fitting if pair.index == named[label]]
        free = (pair for pair in fitting if pair.index not in named.values())
        return sorted(free, key=lambda pair: indexes.index(pair.index))

    def _full(self, label: str, algorithm: KeyAlgorithm) -> MachineFullError:
        index = {**self._sdf.keys, **self._sdf.encryption_keys}.get(label)
        if index is not None:
            detail = (
                f"Index {index} of the encryption machine {self.name} has no {algorithm.value} key pair that is free "
                f"for {label}; make a new one there with the vendor's console."
            )
        else:
            detail = (
                f"The encryption machine {self.name} has no free {algorithm.value} key pair for {label}; make more "
                "with the vendor's console and declare their indexes in the settings."
            )
        return MachineFullError(self.name, detail=detail)

    def _cannot_sm4(self) -> NoReturn:
        self._device.cannot("keep SM4 keys", "put a machine with PKCS#11 beside it for them")
