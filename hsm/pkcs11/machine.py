"""The driver of machines that speak PKCS#11."""
# ruff: noqa: ANN401 - python-pkcs11 makes the classes of objects at run time, from their attributes

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pkcs11
from pkcs11 import Attribute, Mechanism, ObjectClass, PKCS11Error

from hsm.core import encoding, proving
from hsm.core.profiles import CipherMode
from hsm.errors import KeyUnfitError, MachineCannotError, MachineUnfitError
from hsm.machine import KeyReference, MachineInfo, MachineKey, SessionCounts
from hsm.pkcs11.connection import Connection
from hsm.pkcs11.failures import STALE_HANDLE
from hsm.pkcs11.module import ModuleSource
from hsm.pkcs11.proof import signing
from hsm.pkcs11.sessions import Lane
from hsm.settings import HsmSettings, MachineSettings
from hsm.vendors import VendorBook
from trustcore.crypto import verify
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.errors import InternalError, MalformedError, TrustError

__all__ = ["Pkcs11Machine"]

_TRIAL_DIGEST = proving.TRIAL_DIGESTS[0]
"""Signed to prove that a key that came in belongs to its public key."""
_PRIVATE, _PUBLIC, _SECRET = ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY, ObjectClass.SECRET_KEY
_BLOCK_BYTES = 16
_IV_BYTES = {CipherMode.ECB: 0, CipherMode.CBC: 16, CipherMode.GCM: 12}
_TAG_BYTES = 16
_UNREADABLE = (
    pkcs11.DataInvalid,
    pkcs11.DataLenRange,
    pkcs11.EncryptedDataInvalid,
    pkcs11.EncryptedDataLenRange,
)
_UNREADABLE_IMPORTS = (*_UNREADABLE, pkcs11.WrappedKeyInvalid, pkcs11.WrappedKeyLenRange)
_ASK_THE_VENDOR = "ask its vendor, or use another machine"


class Pkcs11Machine:
    """A token behind a PKCS#11 module, as a :class:`hsm.machine.Machine`.

    Args:
        settings: the machine.
        pool: bounds that all machines share.
        vendors: the profiles to choose from.
        find_source: says what to load; called at the first connection, so that a missing module is one machine's error.
        start_lock: file that serialises loading and login over all processes of this host.
        is_full: whether the machine's store has no room, where that can be seen from here.
    """

    erases = True

    def __init__(
        self,
        settings: MachineSettings,
        *,
        pool: HsmSettings,
        vendors: VendorBook,
        find_source: Callable[[], ModuleSource],
        start_lock: Path,
        is_full: Callable[[], bool] = lambda: False,
    ) -> None:
        self.name = settings.name
        self._connection = Connection(
            settings, pool=pool, vendors=vendors, find_source=find_source, start_lock=start_lock, is_full=is_full
        )

    def __repr__(self) -> str:
        return f"Pkcs11Machine({self.name!r})"

    @property
    def replicates(self) -> bool:
        """Whether keys can be moved in and out, wrapped."""
        return self._connection.replicates

    @property
    def sessions(self) -> SessionCounts:
        """How many sessions there are."""
        return self._connection.counts

    def connect(self) -> MachineInfo:
        """Load the module, find the token, log in and prove the machine, if that is not done."""
        return self._connection.connect()

    def close_sessions(self) -> None:
        """End all sessions; those in use when their call is over."""
        self._connection.discard()

    def close(self) -> None:
        """Let the module go. No call may be in flight."""
        self._connection.close()

    def sign_digest(self, key: MachineKey, digest: bytes) -> bytes:
        """Sign a digest; for SM2 the 32-byte e."""
        return self.sign_digests(key, (digest,))[0]

    def sign_digests(self, key: MachineKey, digests: Sequence[bytes]) -> list[bytes]:
        """Sign many digests in one session."""
        lane = self._connection.take()
        try:
            try:
                signatures = self._sign(lane, self._private(lane, key), key.algorithm, digests)
            except STALE_HANDLE:
                lane.keys.clear()
                signatures = self._sign(lane, self._private(lane, key), key.algorithm, digests)
        except PKCS11Error as error:
            raise self._connection.failed(lane, error) from error
        finally:
            self._connection.give_back(lane)
        if digests and _TRIALS[key.algorithm] not in self._connection.proved:
            self._prove_with(key, digests[0], signatures[0])
        return signatures

    def decrypt(self, key: MachineKey, ciphertext_der: bytes) -> bytes:
        """Decrypt an SM2Cipher."""
        profile = self._connection.profile
        if key.algorithm is not KeyAlgorithm.SM2 or profile.sm2_encrypt is None:
            raise self._cannot(f"decrypt with the key {key.reference.label}")
        ciphertext, mechanism = encoding.sm2_cipher(ciphertext_der, profile.sm2_cipher), profile.sm2_encrypt

        def decrypt(lane: Lane) -> bytes:
            try:
                return lane.calls.decrypt(self._private(lane, key).handle, mechanism, ciphertext)
            except STALE_HANDLE:
                lane.keys.clear()
                return lane.calls.decrypt(self._private(lane, key).handle, mechanism, ciphertext)

        try:
            return self._connection.run(decrypt)
        except InternalError as error:
            raise _unreadable(error, "The ciphertext cannot be decrypted with this key.") from error

    def random(self, length: int) -> bytes:
        """Random octets."""
        if not length:
            return b""
        return self._connection.run(lambda lane: bytes(lane.session.generate_random(length * 8)))

    def generate(
        self, reference: KeyReference, algorithm: KeyAlgorithm, *, extractable: bool, decrypts: bool = False
    ) -> MachineKey:
        """Make a key pair."""
        self._demand_algorithm(algorithm)
        objects = self._connection.objects

        def make(lane: Lane) -> bytes:
            public, _ = objects.generate(lane.session, reference, algorithm, extractable=extractable)
            return objects.public_key_der(public, algorithm)

        return MachineKey(reference=reference, algorithm=algorithm, public_key_der=self._connection.run(make))

    def find(self, reference: KeyReference, algorithm: KeyAlgorithm) -> MachineKey | None:
        """The key pair with this reference, if both halves are there."""
        connection = self._connection

        def look(lane: Lane) -> MachineKey | None:
            publics = connection.find_all(lane, reference, _PUBLIC)
            if not publics or not connection.find_all(lane, reference, _PRIVATE):
                return None
            if not connection.objects.is_of_type(publics[0], algorithm):
                raise KeyUnfitError(self.name, reference.label, algorithm.value)
            public_key_der = connection.objects.public_key_der(publics[0], algorithm)
            return MachineKey(reference=reference, algorithm=algorithm, public_key_der=public_key_der)

        return connection.run(look)

    def expects(self, label: str) -> bool:
        """Never: a token takes keys of any label."""
        return False

    def adopt(self, key: MachineKey) -> bool:
        """Whether the vendor's own tools have brought this very key pair into the token, under the same name."""
        found = self.find(key.reference, key.algorithm)
        if found is None or found.public_key_der != key.public_key_der:
            return False
        signature = self.sign_digest(key, _TRIAL_DIGEST)
        return verify.verify_digest(key.public_key_der, key.algorithm.signature, _TRIAL_DIGEST, signature)

    def destroy(self, reference: KeyReference) -> None:
        """Remove whatever has this reference."""

        def remove(lane: Lane) -> None:
            for kind in (_PRIVATE, _PUBLIC, _SECRET):
                lane.keys.pop((kind, reference.label, reference.key_id), None)
                for found in self._connection.find_all(lane, reference, kind):
                    found.destroy()

        self._connection.run(remove)

    def seal(self, reference: KeyReference) -> None:
        """Make a key non-extractable for good."""

        def close_up(lane: Lane) -> None:
            for kind in (_PRIVATE, _SECRET):
                for found in self._connection.find_all(lane, reference, kind):
                    if found[Attribute.EXTRACTABLE]:
                        found[Attribute.EXTRACTABLE] = False

        self._connection.run(close_up)

    def make_wrapping_key(self, reference: KeyReference) -> None:
        """Make an AES-256 key that wraps other keys."""
        self._demand_moving()
        if not self.holds_wrapping_key(reference):
            self._connection.run(lambda lane: self._connection.objects.generate_wrapping_key(lane.session, reference))

    def holds_wrapping_key(self, reference: KeyReference) -> bool:
        """Whether the wrapping key is there."""
        return self._holds_secret(reference)

    def send_wrapping_key(self, reference: KeyReference, transport_public_key_der: bytes) -> bytes:
        """The wrapping key under another machine's RSA transport key."""
        self._demand_moving()
        objects = self._connection.objects

        def send(lane: Lane) -> bytes:
            secret = self._connection.key(lane, reference, _SECRET)
            transport = objects.transport_public_key(lane.session, transport_public_key_der)
            try:
                return bytes(transport.wrap_key(secret, mechanism=objects.transport))
            finally:
                transport.destroy()

        return self._connection.run(send)

    def receive_wrapping_key(self, reference: KeyReference, send: Callable[[bytes], bytes]) -> None:
        """Take a wrapping key in under a transport key made for this one time."""
        self._demand_moving()
        objects = self._connection.objects

        def receive(lane: Lane) -> None:
            public, private = objects.generate_transport_pair(lane.session)
            try:
                wrapped = send(objects.public_key_der(public, KeyAlgorithm.RSA_3072))
                objects.unwrap_wrapping_key(private, reference, wrapped)
            finally:
                private.destroy()
                public.destroy()

        self._connection.run(receive)

    def make_transport_key(self, reference: KeyReference, algorithm: KeyAlgorithm) -> bytes:
        """Make a pair that stays."""
        self._demand_moving()
        if algorithm is KeyAlgorithm.SM2:
            self._demand_envelopes()
        connection = self._connection

        def make(lane: Lane) -> bytes:
            found = connection.find_all(lane, reference, _PUBLIC)
            if not found or not connection.find_all(lane, reference, _PRIVATE):
                found = [connection.objects.store_transport_pair(lane.session, reference, algorithm)]
            return connection.objects.public_key_der(found[0], algorithm)

        return connection.run(make)

    def unwrap_wrapping_key(self, reference: KeyReference, transport: KeyReference, wrapped: bytes) -> None:
        """Take a wrapping key in that was sent under a transport key of this machine."""
        self._demand_moving()
        connection = self._connection
        with self._reading_an_import():
            connection.run(
                lambda lane: connection.objects.unwrap_wrapping_key(
                    connection.key(lane, transport, _PRIVATE), reference, wrapped
                )
            )

    def wrap(self, key: KeyReference, wrapping_key: KeyReference) -> bytes:
        """A private or secret key under the wrapping key."""
        self._demand_moving()
        connection = self._connection

        def wrap(lane: Lane) -> bytes:
            kind = _PRIVATE if connection.find_all(lane, key, _PRIVATE) else _SECRET
            secret = connection.key(lane, wrapping_key, _SECRET)
            return bytes(secret.wrap_key(connection.key(lane, key, kind), mechanism=connection.objects.wrapping))

        return connection.run(wrap)

    def unwrap(self, key: MachineKey, wrapping_key: KeyReference, wrapped: bytes) -> None:
        """Take a private key in, and prove that it belongs to the public key."""
        self._demand_moving()
        self._demand_algorithm(key.algorithm)
        objects = self._connection.objects
        self._bring_in(key, wrapped, lambda lane: (self._connection.key(lane, wrapping_key, _SECRET), objects.wrapping))

    def open_envelope(self, key: MachineKey, transport: KeyReference, envelope_der: bytes) -> None:
        """Take an SM2 key in, and prove that it belongs to the public key."""
        self._demand_moving()
        self._demand_envelopes()
        objects = self._connection.objects
        self._bring_in(
            key, envelope_der, lambda lane: (self._connection.key(lane, transport, _PRIVATE), objects.envelope)
        )

    def _bring_in(self, key: MachineKey, wrapped: bytes, under: Callable[[Lane], tuple[Any, Mechanism]]) -> None:
        """Unwrap a private key under the key, and by the mechanism, that ``under`` names."""
        objects = self._connection.objects

        def unwrap(lane: Lane) -> bytes:
            unwrapping_key, mechanism = under(lane)
            private = objects.unwrap_private(
                unwrapping_key, key.reference, key.algorithm, wrapped,
                public_key_der=key.public_key_der, mechanism=mechanism,
            )  # fmt: skip
            objects.store_public(lane.session, key.reference, key.algorithm, key.public_key_der)
            return self._sign(lane, private, key.algorithm, [_TRIAL_DIGEST])[0]

        with self._reading_an_import():
            signature = self._connection.run(unwrap)
        if not verify.verify_digest(key.public_key_der, key.algorithm.signature, _TRIAL_DIGEST, signature):
            self.destroy(key.reference)
            raise InternalError(
                f"The key {key.reference.label} came into the encryption machine {self.name} damaged; it was removed.",
                code="hsm.key.damaged",
                machine=self.name,
            )

    def unwrap_sm4(self, reference: KeyReference, wrapping_key: KeyReference, wrapped: bytes) -> None:
        """Take an SM4 key in, extractable until sealed."""
        self._demand_moving()
        if self._connection.profile.sm4_key_type is None:
            raise self._cannot("hold SM4 keys")
        self._connection.run(
            lambda lane: self._connection.objects.unwrap_sm4(
                self._connection.key(lane, wrapping_key, _SECRET), reference, wrapped
            )
        )

    def make_sm4_key(self, reference: KeyReference, *, extractable: bool) -> None:
        """Make an SM4 key."""
        profile = self._connection.profile
        if profile.sm4_key_type is None or profile.sm4_generate is None:
            raise self._cannot("make SM4 keys")
        if not self.holds_sm4_key(reference):
            objects = self._connection.objects
            self._connection.run(lambda lane: objects.generate_sm4(lane.session, reference, extractable=extractable))

    def holds_sm4_key(self, reference: KeyReference) -> bool:
        """Whether the SM4 key is there."""
        return self._holds_secret(reference)

    def sm4_encrypt(
        self, key: KeyReference, mode: CipherMode, data: bytes, *, iv: bytes, associated: bytes = b""
    ) -> bytes:
        """Encrypt with an SM4 key."""
        mechanism, gcm = self._cipher(mode, len(data), iv, associated)
        return self._connection.run_with(
            key,
            _SECRET,
            lambda lane, secret: lane.calls.encrypt(self._sm4(secret, key), mechanism, data, iv=iv, gcm=gcm),
        )

    def sm4_decrypt(
        self, key: KeyReference, mode: CipherMode, data: bytes, *, iv: bytes, associated: bytes = b""
    ) -> bytes:
        """Decrypt with an SM4 key."""
        if mode is CipherMode.GCM and len(data) < _TAG_BYTES:
            raise MalformedError("The ciphertext is shorter than its tag.", code="hsm.cipher.invalid")
        mechanism, gcm = self._cipher(mode, len(data), iv, associated)
        try:
            return self._connection.run_with(
                key,
                _SECRET,
                lambda lane, secret: lane.calls.decrypt(self._sm4(secret, key), mechanism, data, iv=iv, gcm=gcm),
            )
        except InternalError as error:
            raise _unreadable(error, "The ciphertext was changed, or is for another key.") from error

    def _sm4(self, secret: Any, reference: KeyReference) -> int:
        """The handle of an SM4 key."""
        if secret.key_type != self._connection.objects.sm4_type:
            raise KeyUnfitError(self.name, reference.label, "sm4")
        return int(secret.handle)

    def _cipher(self, mode: CipherMode, length: int, iv: bytes, associated: bytes) -> tuple[int, bytes | None]:
        """The mechanism of a mode, and the associated data where it takes some."""
        profile = self._connection.profile
        mechanism = profile.sm4_mechanism(mode)
        if mechanism is None or profile.sm4_key_type is None:
            raise self._cannot(f"encrypt with SM4-{mode.name}")
        if len(iv) != _IV_BYTES[mode]:
            raise MalformedError(
                f"SM4-{mode.name} takes an initial vector of {_IV_BYTES[mode]} bytes, not {len(iv)}.",
                code="hsm.cipher.length",
            )
        if mode is CipherMode.GCM:
            return mechanism, associated
        if associated or length % _BLOCK_BYTES:
            raise MalformedError(
                f"SM4-{mode.name} takes whole blocks of {_BLOCK_BYTES} bytes and no associated data.",
                code="hsm.cipher.length",
            )
        return mechanism, None

    def _sign(self, lane: Lane, private: Any, algorithm: KeyAlgorithm, digests: Sequence[bytes]) -> list[bytes]:
        how = signing(self._connection.profile, algorithm)
        if how is None:
            raise self._cannot("sign with SM2")
        mechanism, prefix, form = how
        inputs = [prefix + digest for digest in digests] if prefix else digests
        signatures = lane.calls.sign(private.handle, mechanism, inputs)
        return [proving.signature_der(each, form) for each in signatures] if form else signatures

    def _private(self, lane: Lane, key: MachineKey) -> Any:
        """The private key; its type is looked at when it is found, not at each use."""
        reference = key.reference
        place = (_PRIVATE, reference.label, reference.key_id)
        private = lane.keys.get(place)
        if private is None:
            private = self._connection.key(lane, reference, _PRIVATE)
            if not self._connection.objects.is_of_type(private, key.algorithm):
                lane.keys.pop(place, None)
                raise KeyUnfitError(self.name, reference.label, key.algorithm.value)
        return private

    def _prove_with(self, key: MachineKey, digest: bytes, signature: bytes) -> None:
        """The first signature of an algorithm that no trial key has proved is the trial."""
        if not verify.verify_digest(key.public_key_der, key.algorithm.signature, digest, signature):
            self._connection.discard()
            raise MachineUnfitError(
                self.name,
                f"The encryption machine {self.name} is refused: its first signature with the key "
                f"{key.reference.label} does not verify; does the vendor profile {self._connection.profile.name} fit?",
                code="hsm.profile.unfit",
            )
        self._connection.note_proved(_TRIALS[key.algorithm])

    def _holds_secret(self, reference: KeyReference) -> bool:
        return bool(self._connection.run(lambda lane: self._connection.find_all(lane, reference, _SECRET)))

    @contextmanager
    def _reading_an_import(self) -> Iterator[None]:
        """What comes in wrapped is somebody else's work: where the token cannot read it, that is no error of ours.

        SoftHSM, for one, then answers CKR_GENERAL_ERROR; whether that is the machine's own trouble shows by asking it
        for something else.
        """
        try:
            yield
        except TrustError as error:
            if isinstance(error.__cause__, pkcs11.GeneralError | pkcs11.FunctionFailed):
                self.random(1)
            elif not isinstance(error.__cause__, _UNREADABLE_IMPORTS):
                raise
            raise MalformedError(
                "What was sent cannot be unwrapped: it was changed, or is under another key.", code="hsm.import.invalid"
            ) from error

    def _demand_algorithm(self, algorithm: KeyAlgorithm) -> None:
        profile = self._connection.profile
        if algorithm is KeyAlgorithm.SM2 and (profile.sm2_generate is None or profile.sm2_sign_digest is None):
            raise self._cannot("make SM2 keys")

    def _demand_envelopes(self) -> None:
        if self._connection.profile.moving_sm2_envelope is None or self._connection.profile.sm2_generate is None:
            raise self._cannot("open SM2 envelopes with keys")

    def _demand_moving(self) -> None:
        if not self._connection.profile.replicates:
            raise MachineCannotError(
                self.name, "move keys under a wrapping key", "move them with its vendor's own tools"
            )

    def _cannot(self, what: str) -> MachineCannotError:
        return MachineCannotError(self.name, what, _ASK_THE_VENDOR)


_TRIALS = {
    KeyAlgorithm.SM2: proving.Trial.SM2_SIGN.value,
    KeyAlgorithm.RSA_2048: proving.Trial.RSA_SIGN.value,
    KeyAlgorithm.RSA_3072: proving.Trial.RSA_SIGN.value,
    KeyAlgorithm.EC_P256: proving.Trial.ECDSA_SIGN.value,
}


def _unreadable(error: InternalError, sentence: str) -> Exception:
    """The caller's fault, where the machine says that it is the ciphertext's."""
    if isinstance(error.__cause__, _UNREADABLE):
        return MalformedError(sentence, code="hsm.cipher.invalid")
    return error
