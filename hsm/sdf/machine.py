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

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn, TypeVar

import structlog

from hsm.core import proving, sdf
from hsm.core.encoding import SHA256_DIGEST_INFO
from hsm.core.profiles import CipherMode, SignatureForm
from hsm.core.proving import Trial
from hsm.errors import KeyMissingError, MachineCannotError, MachineFullError, MachineUnfitError
from hsm.machine import KeyReference, MachineInfo, MachineKey, SessionCounts
from hsm.sdf.failures import ENCRYPTED_DATA_CODES, KEY_MISSING, NO_RIGHT, SdfError, translate
from hsm.sdf.library import SdfLibrary
from hsm.sdf.pairs import Pairs
from hsm.sdf.sessions import Lane, SdfSessions
from hsm.sdf.survey import Pair, Survey, survey
from hsm.settings import HsmSettings, MachineSettings
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.errors import MalformedError

__all__ = ["SdfMachine"]

_T = TypeVar("_T")
_TRIAL_RANDOM_BYTES = 32
_FRESH_SECONDS = 5.0
"""For so long a pair that was not there is not looked for again when many keys are asked for in turn."""
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
        self._find_library = find_library
        self._pairs = pairs
        self._monotonic = monotonic
        self._survey = Survey()
        self._looked_at = -_FRESH_SECONDS
        self._proved: set[bytes] = set()
        self._lock = threading.Lock()
        self._info: MachineInfo | None = None
        self._sessions = SdfSessions(
            settings.name,
            load=self._load,
            prove=self._prove_connection,
            pin_file=settings.pin_file,
            pin_shares=settings.pin_shares,
            limit=pool.sessions_per_machine,
            wait_seconds=pool.session_wait.total_seconds(),
        )

    def __repr__(self) -> str:
        return f"SdfMachine({self.name!r})"

    def connect(self) -> MachineInfo:
        """Load the library, open the device, read its public keys and try one key of each kind."""
        self._sessions.connect()
        assert self._info is not None
        return self._info

    def close(self) -> None:
        """Close sessions and device. No call may be in flight."""
        self._sessions.close()

    @property
    def sessions(self) -> SessionCounts:
        """How many sessions there are."""
        return self._sessions.counts

    def close_sessions(self) -> None:
        """End all sessions; those in use when their call is over. The next call connects anew, and proves anew."""
        self._sessions.close()

    def sign_digest(self, key: MachineKey, digest: bytes) -> bytes:
        """Sign a digest; for SM2 the 32-byte e."""
        return self.sign_digests(key, (digest,))[0]

    def sign_digests(self, key: MachineKey, digests: Sequence[bytes]) -> list[bytes]:
        """Sign many digests in one session, answers in order."""
        with self._sessions.borrow() as lane:
            pair = self._pair(lane, key)
            if pair.public_key_der not in self._proved:
                self._prove(lane, pair)
            signatures = [self._sign(lane, pair, digest) for digest in digests]
        if pair.algorithm is KeyAlgorithm.SM2:
            return [sm2.signature_to_der(signature) for signature in signatures]
        return signatures

    def decrypt(self, key: MachineKey, ciphertext_der: bytes) -> bytes:
        """Decrypt an SM2Cipher with the encryption pair of an index."""
        if self._sdf.decrypt is None:
            self._cannot("decrypt", "say in its settings how the vendor declares SDF_InternalDecrypt_ECC")
        with self._sessions.borrow() as lane:
            pair = self._pair(lane, key, decrypts=True)
            try:
                return self._decrypt(lane, pair, sdf.cipher_structure(ciphertext_der, self._survey.form))
            except SdfError as error:
                if error.code in ENCRYPTED_DATA_CODES:
                    raise MalformedError(
                        "The ciphertext cannot be decrypted with this key.", code="hsm.cipher.invalid"
                    ) from error
                raise

    def random(self, length: int) -> bytes:
        """Random octets."""
        with self._sessions.borrow() as lane:
            return lane.library.random(lane.session, length) if length else b""

    def expects(self, label: str) -> bool:
        """Whether the settings give an index to this label."""
        return label in self._sdf.keys or label in self._sdf.encryption_keys

    def generate(self, reference: KeyReference, algorithm: KeyAlgorithm, *, extractable: bool) -> MachineKey:
        """Give the label a key pair that the console made: that of its index in the settings, or else the first free.

        Raises:
            MachineCannotError: for keys that shall leave the machine, and algorithms that it has no indexes for.
            MachineFullError: no declared index has a pair that is free.
        """
        if extractable:
            self._cannot("let keys leave", _BACKUP)
        with self._sessions.borrow() as lane:
            self._look_again(lane)
            for pair in self._candidates(reference.label, algorithm):
                if self._pairs.take(reference, pair.public_key_der):
                    self._prove(lane, pair)
                    return MachineKey(reference=reference, algorithm=algorithm, public_key_der=pair.public_key_der)
        raise self._full(reference.label, algorithm)

    def find(self, reference: KeyReference, algorithm: KeyAlgorithm) -> MachineKey | None:
        """The key with this reference, if a declared index holds its pair."""
        public_key_der = self._pairs.public_key(reference)
        if public_key_der is None:
            return None
        key = MachineKey(reference=reference, algorithm=algorithm, public_key_der=public_key_der)
        with self._sessions.borrow() as lane:
            if self._known(public_key_der) is None:
                self._look_again(lane)
            pair = self._known(public_key_der)
        return key if pair is not None and pair.algorithm is algorithm else None

    def adopt(self, key: MachineKey) -> bool:
        """Whether a declared index holds this very pair, as it does after the vendor cloned the machine."""
        with self._sessions.borrow() as lane:
            if self._known(key.public_key_der) is None and self._monotonic() > self._looked_at + _FRESH_SECONDS:
                self._look_again(lane)
            pair = self._known(key.public_key_der)
            if pair is None or pair.algorithm is not key.algorithm:
                return False
            self._prove(lane, pair)
        return True

    def destroy(self, reference: KeyReference) -> None:
        """Never use the key again. Its pair stays at its index until the vendor's console removes it."""
        public_key_der = self._pairs.public_key(reference)
        if self._pairs.release(reference) and public_key_der is not None:
            pair = self._known(public_key_der)
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
        self._cannot("make wrapping keys", _BACKUP)

    def holds_wrapping_key(self, reference: KeyReference) -> bool:
        """Never with SDF."""
        return False

    def send_wrapping_key(self, reference: KeyReference, transport_public_key_der: bytes) -> bytes:
        """Not with SDF."""
        self._cannot("send wrapping keys", _BACKUP)

    def receive_wrapping_key(self, reference: KeyReference, send: Callable[[bytes], bytes]) -> None:
        """Not with SDF."""
        self._cannot("receive wrapping keys", _BACKUP)

    def make_transport_key(self, reference: KeyReference) -> bytes:
        """Not with SDF."""
        self._cannot("make transport keys", _BACKUP)

    def unwrap_wrapping_key(self, reference: KeyReference, transport: KeyReference, wrapped: bytes) -> None:
        """Not with SDF."""
        self._cannot("receive wrapping keys", _BACKUP)

    def wrap(self, key: KeyReference, wrapping_key: KeyReference) -> bytes:
        """Not with SDF."""
        self._cannot("wrap keys", _BACKUP)

    def unwrap(self, key: MachineKey, wrapping_key: KeyReference, wrapped: bytes) -> None:
        """Not with SDF."""
        self._cannot("unwrap keys", _BACKUP)

    def unwrap_sm4(self, reference: KeyReference, wrapping_key: KeyReference, wrapped: bytes) -> None:
        """Not with SDF."""
        self._cannot("unwrap keys", _BACKUP)

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

    # What the device holds

    def _load(self) -> SdfLibrary:
        return SdfLibrary(
            self.name,
            self._find_library(),
            environment=self._sdf.environment,
            sm2=bool(self._sdf.sm2),
            rsa=bool(self._sdf.rsa),
            decrypt=self._sdf.decrypt,
        )

    def _prove_connection(self, lane: Lane) -> None:
        """Read the public keys, and try one key of each kind."""
        try:
            info = sdf.device_info(lane.library.device_info(lane.session))
            self._look_again(lane)
            tried: dict[Trial, Pair] = {}
            for pair in self._survey.all():
                tried.setdefault(_trial(pair), pair)
            with self._lock:
                self._proved.clear()
            self._prove_random(lane)
            for pair in tried.values():
                self._prove(lane, pair)
        except SdfError as error:
            raise translate(self.name, error) from error
        self._info = MachineInfo(
            manufacturer=info.issuer,
            model=info.name,
            serial=info.serial,
            library=f"GM/T 0018, device version {info.version}",
            profile=f"sdf-{self._survey.form}",
            algorithms=(Trial.RANDOM.value, *(trial.value for trial in tried)),
        )

    def _prove_random(self, lane: Lane) -> None:
        fault = proving.judge_random(*(lane.library.random(lane.session, _TRIAL_RANDOM_BYTES) for _ in range(2)))
        if fault:
            raise MachineUnfitError(
                self.name,
                f"The encryption machine {self.name} is refused: it {fault}; have it repaired.",
                code="hsm.profile.unfit",
            )

    def _look_again(self, lane: Lane) -> None:
        """Read the public keys anew: the console may have made more, or replaced some."""
        before, found = self._survey.places(), survey(self.name, lane, self._sdf)
        if any(before.get(place, public_key_der) != public_key_der for place, public_key_der in found.places().items()):
            self._sessions.forget_rights()
        self._survey = found
        self._looked_at = self._monotonic()

    def _known(self, public_key_der: bytes) -> Pair | None:
        found = self._survey
        return found.pairs.get(public_key_der) or found.encryption_pairs.get(public_key_der)

    def _pair(self, lane: Lane, key: MachineKey, *, decrypts: bool = False) -> Pair:
        """The pair of a key. Raises ``KeyMissingError``."""
        if self._known(key.public_key_der) is None:
            self._look_again(lane)
        pairs = self._survey.encryption_pairs if decrypts else self._survey.pairs
        pair = pairs.get(key.public_key_der)
        if pair is not None:
            return pair
        if self._known(key.public_key_der) is not None:
            self._cannot(
                f"{'decrypt' if decrypts else 'sign'} with the key {key.reference.label}",
                "the signature pair of an index signs, and its encryption pair decrypts",
            )
        raise KeyMissingError(
            self.name,
            key.reference.label,
            detail=f"No declared index of the encryption machine {self.name} holds the key pair of "
            f"{key.reference.label}; restore it from the vendor's backup, or declare its index in the settings.",
        )

    def _candidates(self, label: str, algorithm: KeyAlgorithm) -> list[Pair]:
        """Pairs that the label may get, whether they are free or not."""
        indexes = {KeyAlgorithm.SM2: self._sdf.sm2, KeyAlgorithm.EC_P256: ()}.get(algorithm, self._sdf.rsa)
        if not indexes:
            self._cannot(f"have {algorithm.value} keys", "make it elsewhere, or declare indexes of such keys")
        found = self._survey
        if label in self._sdf.encryption_keys:
            return _at(self._sdf.encryption_keys[label], found.encryption_pairs, algorithm)
        if label in self._sdf.keys:
            return _at(self._sdf.keys[label], found.pairs, algorithm)
        named = set(self._sdf.keys.values())
        free = (pair for pair in found.pairs.values() if pair.algorithm is algorithm and pair.index not in named)
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

    # What is done with a pair

    def _with_right(self, lane: Lane, index: int, use: Callable[[], _T]) -> _T:
        """Use a private key; a right that the machine has forgotten is asked for once more."""
        had_right = index in lane.rights
        self._sessions.grant(lane, index)
        try:
            return use()
        except SdfError as error:
            if error.code == KEY_MISSING:
                self._survey = Survey()
                raise self._gone(index) from error
            if error.code != NO_RIGHT or not had_right:
                raise
        lane.rights.discard(index)
        self._sessions.grant(lane, index)
        return use()

    def _gone(self, index: int) -> KeyMissingError:
        return KeyMissingError(
            self.name,
            f"at index {index}",
            detail=f"The encryption machine {self.name} has no private key at index {index} any more; restore it from "
            "the vendor's backup.",
        )

    def _sign(self, lane: Lane, pair: Pair, digest: bytes) -> bytes:
        """The signature: r ‖ s, or that of RSA."""

        def use() -> bytes:
            if pair.algorithm is KeyAlgorithm.SM2:
                return sdf.signature_raw(lane.library.sign_ecc(lane.session, pair.index, digest), self._survey.form)
            bits = int(pair.algorithm.value.rpartition("-")[2])
            block = sdf.pkcs1_block(SHA256_DIGEST_INFO + digest, bits // 8)
            return lane.library.private_operation_rsa(lane.session, pair.index, block)

        return self._with_right(lane, pair.index, use)

    def _decrypt(self, lane: Lane, pair: Pair, cipher: bytes) -> bytes:
        """The plaintext of an ECCCipher."""
        return self._with_right(lane, pair.index, lambda: lane.library.decrypt_ecc(lane.session, pair.index, cipher))

    def _prove(self, lane: Lane, pair: Pair) -> None:
        """Try a key pair, and verify in software. Raises ``MachineUnfitError`` (``hsm.profile.unfit``)."""
        fault = self._judge_decryption(lane, pair) if pair.decrypts else self._judge_signatures(lane, pair)
        if fault:
            raise MachineUnfitError(
                self.name,
                f"The encryption machine {self.name} is refused: with the key pair at index {pair.index} it {fault}; "
                "is its library one of GM/T 0018-2012, and the key pair whole?",
                code="hsm.profile.unfit",
            )
        with self._lock:
            self._proved.add(pair.public_key_der)

    def _judge_signatures(self, lane: Lane, pair: Pair) -> str:
        answers = [self._sign(lane, pair, digest) for digest in proving.TRIAL_DIGESTS]
        form = SignatureForm.RAW if pair.algorithm is KeyAlgorithm.SM2 else None
        return proving.judge_signatures(pair.algorithm, pair.public_key_der, answers, form=form)

    def _judge_decryption(self, lane: Lane, pair: Pair) -> str:
        point = sm2.public_point(pair.public_key_der)
        cipher = sdf.cipher_structure(sm2.encrypt(point, proving.TRIAL_PLAINTEXT), self._survey.form)
        check_value = 2 * self._survey.form.field_bytes
        changed = cipher[:check_value] + bytes([cipher[check_value] ^ 1]) + cipher[check_value + 1 :]
        answers: list[bytes | None] = []
        for trial in (cipher, changed):
            try:
                answers.append(self._decrypt(lane, pair, trial))
            except SdfError as error:
                if error.code not in ENCRYPTED_DATA_CODES:
                    raise
                answers.append(None)
        return proving.judge_decryption(*answers)

    def _cannot(self, what: str, remedy: str) -> NoReturn:
        raise MachineCannotError(self.name, what, remedy)

    def _cannot_sm4(self) -> NoReturn:
        self._cannot("keep SM4 keys", "put a machine with PKCS#11 beside it for them")


def _at(index: int, pairs: Mapping[bytes, Pair], algorithm: KeyAlgorithm) -> list[Pair]:
    return [pair for pair in pairs.values() if (pair.index, pair.algorithm) == (index, algorithm)]


def _trial(pair: Pair) -> Trial:
    if pair.decrypts:
        return Trial.SM2_DECRYPT
    return Trial.SM2_SIGN if pair.algorithm is KeyAlgorithm.SM2 else Trial.RSA_SIGN
