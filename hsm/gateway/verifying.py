"""Verifying signatures in software: no machine is asked."""

from collections.abc import Sequence
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

    def answers(self, questions: Sequence[Question | TrustError]) -> tuple[Verdict | TrustError, ...]:
        """Verdicts in the order of the questions; an error stands for what could not be read, or not be asked.

        Raises:
            MalformedError: ``crypto.…`` for a public key that is none.
        """
        prepared = [
            question if isinstance(question, TrustError) else self._maker.prepare(question.content)
            for question in questions
        ]
        asked = [
            (digest, signature_to_der(self.algorithm, question.signature, question.form))
            for digest, question in zip(prepared, questions, strict=True)
            if isinstance(digest, bytes) and isinstance(question, Question)
        ]
        verdicts = iter(self._check(asked))
        return tuple(item if isinstance(item, TrustError) else next(verdicts) for item in prepared)

    def _check(self, asked: Sequence[tuple[bytes, bytes]]) -> list[Verdict]:
        """Verdicts on pairs of digest and signature."""
        if self.algorithm is not SignatureAlgorithm.SM2_SM3:
            key, algorithm = self._public_key_der, self.algorithm
            return [_verdict(verify.verify_digest(key, algorithm, *pair)) for pair in asked]
        point = sm2.public_point(self._public_key_der)
        right = sm2.verify_digests([sm2.Signed(point, *pair) for pair in asked])
        return [
            _verdict(ok) if ok or _is_pair(signature) else Verdict(valid=False, reason=Reason.MALFORMED)
            for ok, (_, signature) in zip(right, asked, strict=True)
        ]


def _verdict(right: bool) -> Verdict:
    return Verdict(valid=right, reason=Reason.NONE if right else Reason.WRONG)


def _is_pair(signature_der: bytes) -> bool:
    """Whether this is an SM2 signature at all."""
    try:
        sm2.signature_to_raw(signature_der)
    except MalformedError:
        return False
    return True


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
