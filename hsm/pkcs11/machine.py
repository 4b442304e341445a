"""The driver of machines that speak PKCS#11."""
# ruff: noqa: ANN401 - python-pkcs11 makes the classes of objects at run time, from their attributes

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pkcs11
from pkcs11 import Attribute, Mechanism, ObjectClass, PKCS11Error, Token

from hsm.core import encoding
from hsm.core.profiles import CipherForm, SignatureForm, VendorProfile
from hsm.errors import KeyMissingError
from hsm.machine import KeyReference, MachineInfo, MachineKey
from hsm.pkcs11.failures import SESSION_LOST, STALE_HANDLE, translate
from hsm.pkcs11.key_objects import KeyObjects
from hsm.pkcs11.module import LoadedModule, ModuleSource
from hsm.pkcs11.sessions import Lane, SessionPool
from hsm.settings import HsmSettings, MachineSettings
from trustcore.crypto import verify
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.errors import InternalError, MalformedError, RejectedError

__all__ = ["Pkcs11Machine"]

_T = TypeVar("_T")
_TRIAL_DIGEST = bytes(range(32))
"""Signed to prove that a key that came in belongs to its public key."""
_PRIVATE, _PUBLIC, _SECRET = ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY, ObjectClass.SECRET_KEY


class Pkcs11Machine:
    """A token behind a PKCS#11 module, as a :class:`hsm.machine.Machine`.

    Args:
        settings: the machine.
        pool: bounds that all machines share.
        profile: what its vendor calls things.
        find_source: says what to load; called at the first connection, so that a missing module is one machine's error.
        start_lock: file that serialises loading and login over all processes of this host.
    """

    def __init__(
        self,
        settings: MachineSettings,
        *,
        pool: HsmSettings,
        profile: VendorProfile,
        find_source: Callable[[], ModuleSource],
        start_lock: Path,
    ) -> None:
        self.name = settings.name
        self.replicates = profile.replicates and profile.rsa_oaep_transport
        self._profile = profile
        self._token_label = settings.token
        self._find_source = find_source
        self._module: LoadedModule | None = None
        self._loading = threading.Lock()
        self._objects = KeyObjects(profile)
        self._sessions = SessionPool(
            settings.name,
            find_token=self._find_token,
            pin_file=settings.pin_file,
            pin_shares=settings.pin_shares,
            start_lock=start_lock,
            limit=pool.sessions_per_machine,
            wait_seconds=pool.session_wait.total_seconds(),
        )

    def __repr__(self) -> str:
        return f"Pkcs11Machine({self.name!r})"

    def connect(self) -> MachineInfo:
        """Load the module, find the token and log in, if that is not done."""
        token = self._sessions.connect()
        assert self._module is not None
        return MachineInfo(
            manufacturer=token.manufacturer_id,
            model=token.model,
            serial=token.serial.decode(errors="replace"),
            library=self._module.library.library_description,
        )

    def close(self) -> None:
        """Let the module go. No call may be in flight."""
        self._sessions.discard()
        with self._loading:
            if self._module is not None:
                self._module.close()
                self._module = None

    def sign_digest(self, key: MachineKey, digest: bytes) -> bytes:
        """Sign a digest; for SM2 the 32-byte e."""
        return self._with_key(key.reference, lambda private: self._sign(private, key.algorithm, digest))

    def decrypt(self, key: MachineKey, ciphertext_der: bytes) -> bytes:
        """Decrypt an SM2Cipher."""
        if key.algorithm is not KeyAlgorithm.SM2 or self._profile.sm2_decrypt is None:
            raise RejectedError(
                f"The encryption machine {self.name} does not decrypt with the key {key.reference.label}.",
                code="hsm.key.no-decryption",
                machine=self.name,
            )
        raw = self._profile.sm2_cipher is CipherForm.RAW
        ciphertext = encoding.sm2_cipher_raw(ciphertext_der) if raw else ciphertext_der
        mechanism = Mechanism(self._profile.sm2_decrypt)
        try:
            return self._with_key(
                key.reference, lambda private: bytes(private.decrypt(ciphertext, mechanism=mechanism))
            )
        except InternalError as error:
            if isinstance(error.__cause__, pkcs11.EncryptedDataInvalid | pkcs11.EncryptedDataLenRange):
                raise MalformedError(
                    "The ciphertext cannot be decrypted with this key.", code="hsm.cipher.invalid"
                ) from error
            raise

    def random(self, length: int) -> bytes:
        """Random octets."""
        return self._run(lambda lane: bytes(lane.session.generate_random(length * 8))) if length else b""

    def generate(self, reference: KeyReference, algorithm: KeyAlgorithm, *, extractable: bool) -> MachineKey:
        """Make a key pair."""
        if algorithm is KeyAlgorithm.SM2 and self._profile.sm2_generate is None:
            raise RejectedError(
                f"The encryption machine {self.name} makes no SM2 keys.", code="hsm.key.algorithm", machine=self.name
            )

        def make(lane: Lane) -> bytes:
            public, _ = self._objects.generate(lane.session, reference, algorithm, extractable=extractable)
            return self._objects.public_key_der(public, algorithm)

        return MachineKey(reference=reference, algorithm=algorithm, public_key_der=self._run(make))

    def find(self, reference: KeyReference, algorithm: KeyAlgorithm) -> MachineKey | None:
        """The key pair with this reference, if both halves are there."""

        def look(lane: Lane) -> MachineKey | None:
            publics = self._find_all(lane, reference, _PUBLIC)
            if not publics or not self._find_all(lane, reference, _PRIVATE):
                return None
            public_key_der = self._objects.public_key_der(publics[0], algorithm)
            return MachineKey(reference=reference, algorithm=algorithm, public_key_der=public_key_der)

        return self._run(look)

    def destroy(self, reference: KeyReference) -> None:
        """Remove whatever has this reference."""

        def remove(lane: Lane) -> None:
            for kind in (_PRIVATE, _PUBLIC, _SECRET):
                for found in self._find_all(lane, reference, kind):
                    found.destroy()

        self._run(remove)

    def seal(self, reference: KeyReference) -> None:
        """Make a key non-extractable for good."""

        def close_up(lane: Lane) -> None:
            for kind in (_PRIVATE, _SECRET):
                for found in self._find_all(lane, reference, kind):
                    if found[Attribute.EXTRACTABLE]:
                        found[Attribute.EXTRACTABLE] = False

        self._run(close_up)

    def make_wrapping_key(self, reference: KeyReference) -> None:
        """Make an AES-256 key that wraps other keys."""
        if not self.holds_wrapping_key(reference):
            self._run(lambda lane: self._objects.generate_wrapping_key(lane.session, reference))

    def holds_wrapping_key(self, reference: KeyReference) -> bool:
        """Whether the wrapping key is there."""
        return bool(self._run(lambda lane: self._find_all(lane, reference, _SECRET)))

    def send_wrapping_key(self, reference: KeyReference, transport_public_key_der: bytes) -> bytes:
        """The wrapping key under another machine's RSA transport key."""

        def send(lane: Lane) -> bytes:
            secret = self._the_key(lane, reference, _SECRET)
            transport = self._objects.transport_public_key(lane.session, transport_public_key_der)
            try:
                return bytes(transport.wrap_key(secret, mechanism=Mechanism.RSA_PKCS_OAEP))
            finally:
                transport.destroy()

        return self._run(send)

    def receive_wrapping_key(self, reference: KeyReference, send: Callable[[bytes], bytes]) -> None:
        """Take a wrapping key in under a transport key made for this one time."""

        def receive(lane: Lane) -> None:
            public, private = self._objects.generate_transport_pair(lane.session)
            try:
                wrapped = send(self._objects.public_key_der(public, KeyAlgorithm.RSA_3072))
                self._objects.unwrap_wrapping_key(private, reference, wrapped)
            finally:
                private.destroy()
                public.destroy()

        self._run(receive)

    def wrap(self, key: KeyReference, wrapping_key: KeyReference) -> bytes:
        """A private key under the wrapping key."""

        def wrap(lane: Lane) -> bytes:
            private = self._the_key(lane, key, _PRIVATE)
            secret = self._the_key(lane, wrapping_key, _SECRET)
            return bytes(secret.wrap_key(private, mechanism=Mechanism.AES_KEY_WRAP_PAD))

        return self._run(wrap)

    def unwrap(self, key: MachineKey, wrapping_key: KeyReference, wrapped: bytes) -> None:
        """Take a private key in, and prove that it belongs to the public key."""

        def unwrap(lane: Lane) -> bytes:
            secret = self._the_key(lane, wrapping_key, _SECRET)
            private = self._objects.unwrap_private(secret, key.reference, key.algorithm, wrapped)
            self._objects.store_public(lane.session, key.reference, key.algorithm, key.public_key_der)
            return self._sign(private, key.algorithm, _TRIAL_DIGEST)

        signature = self._run(unwrap)
        if not verify.verify_digest(key.public_key_der, key.algorithm.signature, _TRIAL_DIGEST, signature):
            self.destroy(key.reference)
            raise InternalError(
                f"The key {key.reference.label} came into the encryption machine {self.name} damaged; it was removed.",
                code="hsm.key.damaged",
                machine=self.name,
            )

    def _sign(self, private: Any, algorithm: KeyAlgorithm, digest: bytes) -> bytes:
        if algorithm is KeyAlgorithm.SM2:
            if self._profile.sm2_sign_digest is None:
                raise RejectedError(
                    f"The encryption machine {self.name} makes no SM2 signatures.",
                    code="hsm.key.algorithm",
                    machine=self.name,
                )
            signature = bytes(private.sign(digest, mechanism=Mechanism(self._profile.sm2_sign_digest)))
            raw = self._profile.sm2_signature is SignatureForm.RAW
            return encoding.ecdsa_signature_der(signature) if raw else signature
        if algorithm is KeyAlgorithm.EC_P256:
            return encoding.ecdsa_signature_der(bytes(private.sign(digest, mechanism=Mechanism.ECDSA)))
        return bytes(private.sign(encoding.SHA256_DIGEST_INFO + digest, mechanism=Mechanism.RSA_PKCS))

    def _find_token(self) -> Token:
        with self._loading:
            if self._module is None:
                self._module = LoadedModule(self._find_source())
            return self._module.library.get_token(token_label=self._token_label)

    def _find_all(self, lane: Lane, reference: KeyReference, kind: ObjectClass) -> list[Any]:
        try:
            return self._objects.find_all(lane.session, reference, kind)
        except PKCS11Error:
            # python-pkcs11 0.10 keeps the session's lock when C_FindObjectsInit fails: the next user would wait.
            lane.usable = False
            raise

    def _the_key(self, lane: Lane, reference: KeyReference, kind: ObjectClass) -> Any:
        """The object, from the session's cache or else searched for."""
        key = lane.keys.get(reference.key_id)
        if key is None:
            found = self._find_all(lane, reference, kind)
            if not found:
                raise KeyMissingError(self.name, reference.label)
            key = lane.keys[reference.key_id] = found[0]
        return key

    def _with_key(self, reference: KeyReference, use: Callable[[Any], _T]) -> _T:
        """Use a private key; a handle that went stale is looked up once more."""

        def once(lane: Lane) -> _T:
            try:
                return use(self._the_key(lane, reference, _PRIVATE))
            except STALE_HANDLE:
                lane.keys.pop(reference.key_id, None)
                return use(self._the_key(lane, reference, _PRIVATE))

        return self._run(once)

    def _run(self, act: Callable[[Lane], _T]) -> _T:
        with self._sessions.borrow() as lane, self._translated(lane):
            return act(lane)

    @contextmanager
    def _translated(self, lane: Lane) -> Iterator[None]:
        try:
            yield
        except PKCS11Error as error:
            lane.keys.clear()
            if isinstance(error, SESSION_LOST):
                self._sessions.discard()
            elif isinstance(error, pkcs11.OperationActive):
                lane.usable = False
            raise translate(self.name, error) from error
