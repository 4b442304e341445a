"""Use cases of the gateway: what applications have done with keys that they never hold.

Each act is charged to the application's grant and stands in the audit trail, durably, before a machine is asked
(:mod:`hsm.gateway.journal`). What fails afterwards gets a second row.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from hsm.core import lifecycle
from hsm.core.profiles import CipherMode
from hsm.core.rights import Act, Operation
from hsm.gateway.content import Content, DigestMaker
from hsm.gateway.forms import (
    CipherForm,
    SignatureForm,
    cipher_from_der,
    cipher_to_der,
    digest_of_all,
    signature_from_der,
)
from hsm.gateway.grants import Grants
from hsm.gateway.journal import Journal
from hsm.gateway.judging import AnchorJudge
from hsm.gateway.keys import KeyDirectory, KeySource, facts_of
from hsm.gateway.verifying import Question, Verdict, Verifier
from hsm.keys.inventory import KeyStatus
from hsm.ports import CertificateJudge
from hsm.service import HsmService
from hsm.settings import GatewaySettings
from hsm.store.keys import KeyRecord, NewKey
from trustcore import audit
from trustcore.crypto import digests, sm2
from trustcore.crypto.algorithms import DigestAlgorithm, KeyAlgorithm, SignatureAlgorithm
from trustcore.database import Database
from trustcore.errors import MalformedError, RejectedError, TrustError
from trustcore.report import Report
from trustcore.signing import KeyPurpose

__all__ = ["GatewayService", "Sealed", "SignedBatch"]

_T = TypeVar("_T")
_IV_BYTES = {CipherMode.ECB: 0, CipherMode.CBC: 16, CipherMode.GCM: 12}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedBatch:
    """Signatures of a batch."""

    key: str
    """Label."""
    algorithm: SignatureAlgorithm
    results: tuple[bytes | TrustError, ...]
    """In the order of the items: a signature, or why this item has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """What SM4 made of a text."""

    iv: bytes
    ciphertext: bytes
    """With the 16-byte tag at its end for GCM."""


class GatewayService:
    """The gateway. Safe to share between threads.

    Args:
        database: where grants, keys and the audit trail are.
        hsm: the machines.
        clock: the present time.
        settings: ``[hsm.gateway]``.
        judge: of certificates; one over the roots of the settings where none is given.
    """

    def __init__(
        self, database: Database, hsm: HsmService, clock: Callable[[], datetime], settings: GatewaySettings, *,
        judge: CertificateJudge | None = None,
    ) -> None:  # fmt: skip
        self._hsm = hsm
        self.clock = clock
        self.settings = settings
        self.judge = judge or AnchorJudge(settings)
        self.journal = Journal(database, clock)
        self.grants = Grants(database, clock)
        self.directory = KeyDirectory(database, settings.closed_keys)
        self._verifier = Verifier(self.directory)

    # Signing and verifying

    def sign(
        self, application: str, key: str, content: Content, *, form: SignatureForm = SignatureForm.DER
    ) -> tuple[bytes, SignatureAlgorithm]:
        """A signature by the key with this label or URI, and its algorithm.

        Raises:
            NotFoundError: ``hsm.key.not-found``.
            MalformedError: ``hsm.content.…``, ``hsm.digest.length``.
            RejectedError: ``hsm.key.…`` when the key may not sign.
            ForbiddenError, LimitedError, BusyError: as :meth:`hsm.gateway.journal.Journal.enter`.
        """
        batch = self.sign_batch(application, key, [content], form=form)
        (result,) = batch.results
        if isinstance(result, TrustError):
            raise result
        return result, batch.algorithm

    def sign_batch(
        self, application: str, key: str, contents: Sequence[Content | TrustError], *,
        form: SignatureForm = SignatureForm.DER,
    ) -> SignedBatch:  # fmt: skip
        """Sign many contents with one key; items that cannot be signed do not hinder the others.

        Args:
            application: who asks.
            key: label or URI.
            contents: what to sign; an error stands for an item that could not be read.
            form: of the signatures.

        Raises:
            TrustError: as :meth:`sign`, for what concerns all items.
        """
        record = self._usable(key, lifecycle.Operation.SIGN)
        pair = _pair(record)
        maker = DigestMaker(pair.signature, record.public_key_der or b"")
        prepared = [content if isinstance(content, TrustError) else maker.prepare(content) for content in contents]
        todo = [item for item in prepared if isinstance(item, bytes)]
        signatures = self._act(application, Operation.SIGN, record, todo, self._signing(record)) if todo else []
        if form is not SignatureForm.DER:
            signatures = [signature_from_der(pair.signature, signature, form) for signature in signatures]
        rest = iter(signatures)
        results = tuple([next(rest) if isinstance(item, bytes) else item for item in prepared])
        return SignedBatch(key=record.label, algorithm=pair.signature, results=results)

    def _signing(self, record: KeyRecord) -> Callable[[Sequence[bytes]], list[bytes]]:
        def sign(todo: Sequence[bytes]) -> list[bytes]:
            signer = self._hsm.signer(record.uri)
            return [signer.sign_digest(todo[0])] if len(todo) == 1 else signer.sign_many(todo)

        return sign

    def verify(
        self, application: str, source: KeySource, questions: Sequence[Question | TrustError]
    ) -> tuple[Verdict | TrustError, ...]:
        """Whether signatures are right, in the order of the questions.

        Raises:
            MalformedError, RejectedError: ``hsm.source.…`` for a public key that is none.
            ForbiddenError, LimitedError, BusyError: as :meth:`sign`.
        """
        checker = self._verifier.checker(source)
        record = checker.record
        if record is not None:
            lifecycle.check_use(record.use, lifecycle.Operation.VERIFY, self.clock())
        asked = [question for question in questions if isinstance(question, Question)]
        if asked:
            self._enter(application, Operation.VERIFY, record, [question.signature for question in asked])
        return checker.answers(questions)

    # Encrypting and decrypting

    def encrypt(
        self, application: str, source: KeySource, plaintext: bytes, *, form: CipherForm = CipherForm.DER
    ) -> bytes:
        """Encrypt for the holder of an SM2 key (GB/T 32918.4-2016 §6.1).

        Raises:
            RejectedError: ``hsm.key.no-decryption`` for a key that is not SM2's.
        """
        public_key_der, record = self.directory.public_key(source)
        if record is not None:
            lifecycle.check_use(record.use, lifecycle.Operation.ENCRYPT, self.clock())
        point = _sm2_point(public_key_der)
        self._enter(application, Operation.ENCRYPT, record, [])
        return cipher_from_der(sm2.encrypt(point, plaintext), form)

    def decrypt(self, application: str, key: str, ciphertext: bytes, *, form: CipherForm = CipherForm.DER) -> bytes:
        """Decrypt with an SM2 key in the machines.

        Raises:
            MalformedError: ``hsm.cipher.invalid`` for a ciphertext that is not for this key or was changed.
        """
        record = self._usable(key, lifecycle.Operation.DECRYPT)
        if record.algorithm != KeyAlgorithm.SM2:
            raise _no_decryption(record)
        cipher_der = cipher_to_der(ciphertext, form)
        return self._act(
            application, Operation.DECRYPT, record, [cipher_der], lambda _: self._hsm.decrypt(record.uri, cipher_der)
        )

    def sm4_encrypt(
        self, application: str, key: str, mode: CipherMode, plaintext: bytes, *, iv: bytes | None = None,
        associated: bytes = b"",
    ) -> Sealed:  # fmt: skip
        """Encrypt with a named SM4 key; an initialization vector that is not given is drawn in a machine.

        Raises:
            MalformedError: ``hsm.cipher.iv``; ``hsm.cipher.blocks`` when ECB or CBC gets no whole blocks.
        """
        record = self._secret(key, lifecycle.Operation.ENCRYPT)
        if iv is None:
            iv = self._hsm.random(_IV_BYTES[mode]) if _IV_BYTES[mode] else b""
        _check_sm4(mode, plaintext, iv)
        vector = iv
        ciphertext = self._act(
            application, Operation.ENCRYPT, record, [],
            lambda _: self._hsm.sm4_encrypt(record.uri, mode, plaintext, iv=vector, associated=associated),
        )  # fmt: skip
        return Sealed(iv=iv, ciphertext=ciphertext)

    def sm4_decrypt(
        self, application: str, key: str, mode: CipherMode, ciphertext: bytes, *, iv: bytes, associated: bytes = b""
    ) -> bytes:
        """Decrypt with a named SM4 key.

        Raises:
            MalformedError: ``hsm.cipher.invalid`` when the tag does not fit; ``hsm.cipher.iv``, ``hsm.cipher.blocks``.
        """
        record = self._secret(key, lifecycle.Operation.DECRYPT)
        _check_sm4(mode, ciphertext, iv)
        return self._act(
            application, Operation.DECRYPT, record, [ciphertext],
            lambda _: self._hsm.sm4_decrypt(record.uri, mode, ciphertext, iv=iv, associated=associated),
        )  # fmt: skip

    # Without a key

    def digest(
        self, application: str, algorithm: DigestAlgorithm, data: bytes, *, source: KeySource | None = None,
        identifier: bytes = sm2.DEFAULT_ID,
    ) -> bytes:  # fmt: skip
        """The digest of ``data``; with a public key e = SM3(Z ‖ data) (GB/T 32918.2-2016 §6.1)."""
        if source is None:
            self._enter(application, Operation.DIGEST, None, [])
            return digests.digest(algorithm, data)
        if algorithm is not DigestAlgorithm.SM3:
            raise MalformedError("Z goes with SM3 and with no other hash.", code="hsm.content.identifier")
        point = _sm2_point(self.directory.public_key(source)[0])
        self._enter(application, Operation.DIGEST, None, [])
        return sm2.message_digest(point, data, identifier)

    def random(self, application: str, length: int) -> bytes:
        """Random octets from a machine. Raises ``MalformedError`` (``hsm.random.length``)."""
        if not 1 <= length <= self.settings.max_random:
            raise MalformedError(
                f"The gateway gives 1 to {self.settings.max_random} random bytes at once.", code="hsm.random.length"
            )
        return self._act(application, Operation.RANDOM, None, [b""], lambda _: self._hsm.random(length))

    def make_key(self, label: str, algorithm: KeyAlgorithm, *, purpose: KeyPurpose, actor: str) -> KeyStatus:
        """Make a key pair; whoever wants to use it needs a grant.

        Raises:
            ConflictError: ``hsm.key.exists``.
            ForbiddenError: ``hsm.key.closed`` for a label of the platform itself.
            RejectedError: ``hsm.approval.needed`` for a key that two persons have to agree to.
        """
        self.directory.check_open(label)
        return self._hsm.make(NewKey(label=label, algorithm=algorithm.value, purpose=purpose), actor=actor)

    def validate(self, certificate_der: bytes, *, at: datetime | None = None) -> Report:
        """Judge a certificate at a moment, now where none is given. Raises ``MalformedError`` for what is none."""
        return self.judge.validate(certificate_der, at or self.clock())

    # How an act is done

    def _usable(self, key: str, operation: lifecycle.Operation) -> KeyRecord:
        record = self.directory.find(key)
        lifecycle.check_use(record.use, operation, self.clock())
        return record

    def _secret(self, key: str, operation: lifecycle.Operation) -> KeyRecord:
        record = self._usable(key, operation)
        if not record.is_secret:
            raise RejectedError(
                f"The key {record.label} is not an SM4 key.", code="hsm.key.not-secret", label=record.label
            )
        return record

    def _enter(self, application: str, operation: Operation, record: KeyRecord | None, parts: Sequence[bytes]) -> None:
        self.journal.enter(
            Act(
                application=application,
                operation=operation,
                key=None if record is None else facts_of(record),
                count=max(1, len(parts)),
                digest=digest_of_all(parts) if parts else b"",
            )
        )

    def _act(
        self,
        application: str,
        operation: Operation,
        record: KeyRecord | None,
        parts: Sequence[bytes],
        do: Callable[[Sequence[bytes]], _T],
    ) -> _T:
        """Reserve, then ask a machine; a failure is written down as well."""
        self._enter(application, operation, record, parts)
        try:
            return do(parts)
        except TrustError as error:
            with suppress(TrustError):
                self.journal.note(
                    audit.Act(
                        at=self.clock(),
                        actor=f"client:{application}",
                        action="hsm.gateway.failed",
                        subject="" if record is None else record.label,
                        facts={"operation": operation.value, "code": error.code},
                    )
                )
            raise


def _pair(record: KeyRecord) -> KeyAlgorithm:
    if record.is_secret:
        raise RejectedError(
            f"The key {record.label} is secret and signs nothing.", code="hsm.key.secret", label=record.label
        )
    return KeyAlgorithm(record.algorithm)


def _sm2_point(public_key_der: bytes) -> bytes:
    try:
        return sm2.public_point(public_key_der)
    except MalformedError as error:
        raise RejectedError("The public key is not an SM2 key.", code="hsm.source.algorithm") from error


def _no_decryption(record: KeyRecord) -> RejectedError:
    return RejectedError(
        f"The key {record.label} is not an SM2 key and decrypts nothing.", code="hsm.key.no-decryption",
        label=record.label,
    )  # fmt: skip


def _check_sm4(mode: CipherMode, data: bytes, iv: bytes) -> None:
    if len(iv) != _IV_BYTES[mode]:
        raise MalformedError(
            f"The initialization vector of SM4-{mode} has {_IV_BYTES[mode]} bytes, not {len(iv)}.",
            code="hsm.cipher.iv",
        )
    if mode is not CipherMode.GCM and (not data or len(data) % 16):
        raise MalformedError(
            f"SM4-{mode} works on whole blocks of 16 bytes; pad the text first.", code="hsm.cipher.blocks"
        )
