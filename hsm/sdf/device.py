"""An SDF device with the key pairs that it holds: what the driver's calls come down to."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, TypeVar

from hsm.core import proving, sdf
from hsm.core.encoding import SHA256_DIGEST_INFO
from hsm.core.profiles import SignatureForm
from hsm.core.proving import Trial
from hsm.errors import KeyMissingError, MachineCannotError, MachineUnfitError
from hsm.machine import MachineInfo, MachineKey, SessionCounts
from hsm.sdf.failures import ENCRYPTED_DATA_CODES, KEY_MISSING, NO_RIGHT, SdfError, translate
from hsm.sdf.library import SdfLibrary
from hsm.sdf.sessions import Lane, SdfSessions
from hsm.sdf.survey import Pair, Survey, survey
from hsm.settings import HsmSettings, MachineSettings
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import KeyAlgorithm

__all__ = ["SdfDevice"]

_T = TypeVar("_T")
_TRIAL_RANDOM_BYTES = 32
_FRESH_SECONDS = 5.0
"""For so long a pair that was not there is not looked for again when many keys are asked for in turn."""


class SdfDevice:
    """A device. Safe to share between threads; arguments as of :class:`hsm.sdf.machine.SdfMachine`."""

    def __init__(
        self,
        settings: MachineSettings,
        *,
        pool: HsmSettings,
        find_library: Callable[[], Path],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        assert settings.sdf is not None
        self.name = settings.name
        self.settings = settings.sdf
        self.found = Survey()
        """The key pairs that it held when they were last looked at."""
        self._find_library = find_library
        self._monotonic = monotonic
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

    def connect(self) -> MachineInfo:
        """Load the library, open the device, read its public keys and try one key of each kind."""
        self._sessions.connect()
        assert self._info is not None
        return self._info

    def close(self) -> None:
        """End all sessions; those in use when their call is over."""
        self._sessions.close()

    @property
    def counts(self) -> SessionCounts:
        """How many sessions there are."""
        return self._sessions.counts

    @contextmanager
    def session(self) -> Iterator[Lane]:
        """A session for the time of the block; see :meth:`SdfSessions.borrow`."""
        with self._sessions.borrow() as lane:
            yield lane

    # What it holds

    def look_again(self, lane: Lane) -> None:
        """Read the public keys anew: the console may have made more, or replaced some."""
        before, found = self.found.places(), survey(self.name, lane, self.settings)
        if any(before.get(place, public_key_der) != public_key_der for place, public_key_der in found.places().items()):
            self._sessions.forget_rights()
        self.found = found
        self._looked_at = self._monotonic()

    def known(self, public_key_der: bytes) -> Pair | None:
        """The pair with this public key, if it was found."""
        return self.found.pairs.get(public_key_der) or self.found.encryption_pairs.get(public_key_der)

    def look_for(self, lane: Lane, public_key_der: bytes, *, patiently: bool = False) -> Pair | None:
        """The pair with this public key; where it is not known, look again.

        Args:
            lane: a session.
            public_key_der: SubjectPublicKeyInfo.
            patiently: be content with what was found some seconds ago.
        """
        if self.known(public_key_der) is None and not (
            patiently and self._monotonic() < self._looked_at + _FRESH_SECONDS
        ):
            self.look_again(lane)
        return self.known(public_key_der)

    def pair(self, lane: Lane, key: MachineKey, *, decrypts: bool = False) -> Pair:
        """The pair of a key, tried once in this connection. Raises ``KeyMissingError``."""
        self.look_for(lane, key.public_key_der)
        pairs = self.found.encryption_pairs if decrypts else self.found.pairs
        pair = pairs.get(key.public_key_der)
        if pair is not None:
            if pair.public_key_der not in self._proved:
                self.prove(lane, pair)
            return pair
        if self.known(key.public_key_der) is not None:
            self.cannot(
                f"{'decrypt' if decrypts else 'sign'} with the key {key.reference.label}",
                "the signature pair of an index signs, and its encryption pair decrypts",
            )
        raise KeyMissingError(
            self.name,
            key.reference.label,
            detail=f"No declared index of the encryption machine {self.name} holds the key pair of "
            f"{key.reference.label}; restore it from the vendor's backup, or declare its index in the settings.",
        )

    # What is done with a pair

    def sign(self, lane: Lane, pair: Pair, digest: bytes) -> bytes:
        """The signature: r ‖ s, or that of RSA."""

        def use() -> bytes:
            if pair.algorithm is KeyAlgorithm.SM2:
                return sdf.signature_raw(lane.library.sign_ecc(lane.session, pair.index, digest), self.found.form)
            bits = int(pair.algorithm.value.rpartition("-")[2])
            block = sdf.pkcs1_block(SHA256_DIGEST_INFO + digest, bits // 8)
            return lane.library.private_operation_rsa(lane.session, pair.index, block)

        return self._with_right(lane, pair.index, use)

    def decrypt(self, lane: Lane, pair: Pair, cipher: bytes) -> bytes:
        """The plaintext of an ECCCipher."""
        return self._with_right(lane, pair.index, lambda: lane.library.decrypt_ecc(lane.session, pair.index, cipher))

    def prove(self, lane: Lane, pair: Pair) -> None:
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

    def cannot(self, what: str, remedy: str) -> NoReturn:
        """Raise ``MachineCannotError``."""
        raise MachineCannotError(self.name, what, remedy)

    def _with_right(self, lane: Lane, index: int, use: Callable[[], _T]) -> _T:
        """Use a private key; a right that the machine has forgotten is asked for once more."""
        had_right = index in lane.rights
        self._sessions.grant(lane, index)
        try:
            return use()
        except SdfError as error:
            if error.code == KEY_MISSING:
                self.found = Survey(form=self.found.form)
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

    def _judge_signatures(self, lane: Lane, pair: Pair) -> str:
        answers = [self.sign(lane, pair, digest) for digest in proving.TRIAL_DIGESTS]
        form = SignatureForm.RAW if pair.algorithm is KeyAlgorithm.SM2 else None
        return proving.judge_signatures(pair.algorithm, pair.public_key_der, answers, form=form)

    def _judge_decryption(self, lane: Lane, pair: Pair) -> str:
        point = sm2.public_point(pair.public_key_der)
        cipher = sdf.cipher_structure(sm2.encrypt(point, proving.TRIAL_PLAINTEXT), self.found.form)
        check_value = 2 * self.found.form.field_bytes
        changed = cipher[:check_value] + bytes([cipher[check_value] ^ 1]) + cipher[check_value + 1 :]
        answers: list[bytes | None] = []
        for trial in (cipher, changed):
            try:
                answers.append(self.decrypt(lane, pair, trial))
            except SdfError as error:
                if error.code not in ENCRYPTED_DATA_CODES:
                    raise
                answers.append(None)
        return proving.judge_decryption(*answers)

    def _load(self) -> SdfLibrary:
        return SdfLibrary(
            self.name,
            self._find_library(),
            environment=self.settings.environment,
            sm2=bool(self.settings.sm2),
            rsa=bool(self.settings.rsa),
            decrypt=self.settings.decrypt,
        )

    def _prove_connection(self, lane: Lane) -> None:
        """Read the public keys, and try one key of each kind."""
        try:
            info = sdf.device_info(lane.library.device_info(lane.session))
            self.look_again(lane)
            tried: dict[Trial, Pair] = {}
            for pair in self.found.all():
                tried.setdefault(_trial(pair), pair)
            with self._lock:
                self._proved.clear()
            self._prove_random(lane)
            for pair in tried.values():
                self.prove(lane, pair)
        except SdfError as error:
            raise translate(self.name, error) from error
        self._info = MachineInfo(
            manufacturer=info.issuer,
            model=info.name,
            serial=info.serial,
            library=f"GM/T 0018, device version {info.version}",
            profile=f"sdf-{self.found.form}",
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


def _trial(pair: Pair) -> Trial:
    if pair.decrypts:
        return Trial.SM2_DECRYPT
    return Trial.SM2_SIGN if pair.algorithm is KeyAlgorithm.SM2 else Trial.RSA_SIGN
