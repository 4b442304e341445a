"""Verifying signatures in software: no machine is asked."""

from dataclasses import dataclass
from enum import StrEnum

from hsm.gateway.content import Content, DigestMaker
from hsm.gateway.forms import SignatureForm, signature_to_der
from hsm.gateway.keys import KeyDirectory, KeySource, algorithm_of
from hsm.store.keys import KeyRecord
from trustcore.crypto import sm2, verify
from trustcore.crypto.algorithms import SignatureAlgorithm
from trustcore.errors import MalformedError, TrustError

__all__ = ["Checker", "Question", "Reason", "Verdict", "Verifier"]


class Reason(StrEnum):
    """Why a signature is not right."""

    NONE = ""
    WRONG = "signature.wrong"
    """It does not fit the message and the public key."""
    MALFORMED = "signature.malformed"
    """It is no signature of this algorithm at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A signature and what it should be over."""

    content: Content
    signature: bytes
    form: SignatureForm = SignatureForm.DER


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a signature is right."""

    valid: bool
    reason: Reason = Reason.NONE


class Checker:
    """Answers questions about one public key. Not shared between threads."""

    def __init__(self, public_key_der: bytes, algorithm: SignatureAlgorithm, record: KeyRecord | None) -> None:
        self._public_key_der = public_key_der
        self._maker = DigestMaker(algorithm, public_key_der)
        self.algorithm = algorithm
        self.record = record

    def answer(self, question: Question) -> Verdict | TrustError:
        """The verdict, or why there can be none: an unusable content or public key."""
        try:
            digest = self._maker.make(question.content)
            return self._check(digest, signature_to_der(self.algorithm, question.signature, question.form))
        except MalformedError as error:
            return error

    def _check(self, digest: bytes, signature: bytes) -> Verdict:
        if self.algorithm is SignatureAlgorithm.SM2_SM3:
            try:
                sm2.signature_to_raw(signature)
            except MalformedError:
                return Verdict(valid=False, reason=Reason.MALFORMED)
            right = sm2.verify_digest(sm2.public_point(self._public_key_der), digest, signature)
        else:
            right = verify.verify_digest(self._public_key_der, self.algorithm, digest, signature)
        return Verdict(valid=right, reason=Reason.NONE if right else Reason.WRONG)


class Verifier:
    """Makes checkers. Safe to share between threads."""

    def __init__(self, directory: KeyDirectory) -> None:
        self._directory = directory

    def checker(self, source: KeySource, algorithm: SignatureAlgorithm | None = None) -> Checker:
        """A checker for the public key that a caller means.

        Raises:
            MalformedError, RejectedError: ``hsm.source.…``.
        """
        public_key_der, record = self._directory.public_key(source)
        return Checker(public_key_der, algorithm_of(public_key_der, algorithm), record)
