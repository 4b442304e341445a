"""The trials that a machine passes before it is used: with keys that live as long as one session.

A machine whose answers are wrong is refused. One that makes no trial keys, because its maker does not allow it, is let
in, and the first signature of each real key's algorithm is the trial instead.
"""
# ruff: noqa: ANN401 - python-pkcs11 makes the classes of objects at run time, from their attributes

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pkcs11
from pkcs11 import Mechanism, PKCS11Error, Token

from hsm.core import encoding, proving
from hsm.core.profiles import CipherMode, SignatureForm, VendorProfile
from hsm.core.proving import Trial
from hsm.errors import MachineUnfitError
from hsm.machine import KeyReference
from hsm.pkcs11.key_objects import KeyObjects
from hsm.pkcs11.sessions import Lane
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import KeyAlgorithm

__all__ = ["prove", "signing"]

_TRIAL = KeyReference("xinyin-trial", b"xinyin-trial")
_NOT_ALLOWED = (
    pkcs11.ArgumentsBad,
    pkcs11.AttributeReadOnly,
    pkcs11.AttributeTypeInvalid,
    pkcs11.AttributeValueInvalid,
    pkcs11.FunctionNotSupported,
    pkcs11.FunctionRejected,
    pkcs11.KeySizeRange,
    pkcs11.SessionReadOnly,
    pkcs11.TemplateIncomplete,
    pkcs11.TemplateInconsistent,
    pkcs11.TokenWriteProtected,
    pkcs11.UserNotLoggedIn,
    pkcs11.DeviceMemory,
)
"""Answers to the wish for a trial key that are the maker's policy, and no sign of a wrong number."""
_REFUSED = (
    pkcs11.ArgumentsBad,
    pkcs11.DataInvalid,
    pkcs11.DataLenRange,
    pkcs11.EncryptedDataInvalid,
    pkcs11.EncryptedDataLenRange,
)
"""Answers to something that the machine cannot make sense of."""
_CLUMSILY_REFUSED = (*_REFUSED, pkcs11.FunctionFailed, pkcs11.GeneralError)
"""The same from makers who have one code for everything."""
_WRONG_NUMBER = (
    pkcs11.FunctionRejected,
    pkcs11.KeyTypeInconsistent,
    pkcs11.MechanismInvalid,
    pkcs11.MechanismParamInvalid,
)
"""Answers to a mechanism that is not what the profile takes it for."""
_SM4_TRIALS = {CipherMode.ECB: Trial.SM4_ECB, CipherMode.CBC: Trial.SM4_CBC, CipherMode.GCM: Trial.SM4_GCM}


class _WrongAnswerError(Exception):
    """The end of a sentence that begins with "the machine"."""


def signing(profile: VendorProfile, algorithm: KeyAlgorithm) -> tuple[int, bytes, SignatureForm | None] | None:
    """How keys of a kind sign a digest: the mechanism, what stands before the digest, and the signature's form."""
    if algorithm is KeyAlgorithm.SM2:
        number = profile.sm2_sign_digest
        return None if number is None else (number, b"", profile.sm2_signature)
    if algorithm is KeyAlgorithm.EC_P256:
        return int(Mechanism.ECDSA), b"", profile.ecdsa_signature
    return int(Mechanism.RSA_PKCS), encoding.SHA256_DIGEST_INFO, None


def prove(
    machine: str, *, token: Token, lane: Lane, profile: VendorProfile, others: Iterable[VendorProfile]
) -> frozenset[str]:
    """Try what the profile says; the trials that the machine has passed.

    Args:
        machine: its name, for the sentence.
        token: logged in.
        lane: the session to try in.
        profile: to be proved.
        others: profiles of which one may fit better.

    Raises:
        MachineUnfitError: ``hsm.profile.unfit`` when an answer is wrong.
        PKCS11Error: when the machine fails.
    """
    offered = frozenset(int(number) for number in token.slot.get_mechanisms())
    trials = _Trials(lane, profile, offered)
    try:
        return frozenset(trial.value for trial in trials.run())
    except _WrongAnswerError as error:
        fitting = _fitting(lane, offered, (other for other in others if other.name != profile.name))
        remedy = (
            f"the profile {fitting} fits: name it in the settings"
            if fitting
            else "no known profile fits: ask its vendor for the header pkcs11.h and bring a profile of your own"
        )
        raise MachineUnfitError(
            machine,
            f"The encryption machine {machine} is refused: with the vendor profile {profile.name} it {error}; "
            f"{remedy}.",
            code="hsm.profile.unfit",
        ) from error


def _fitting(lane: Lane, offered: frozenset[int], profiles: Iterable[VendorProfile]) -> str:
    """The name of the profile that passes most trials, SM2 among them; empty when there is none."""
    passed: dict[str, int] = {}
    for profile in profiles:
        if profile.sm2_sign_digest is not None:
            with suppress(_WrongAnswerError, PKCS11Error):
                trials = _Trials(lane, profile, offered).vendors_own()
                passed[profile.name] = len(trials) if Trial.SM2_SIGN in trials else 0
    best = max(passed, key=lambda name: passed[name], default="")
    return best if passed.get(best) else ""


class _Trials:
    def __init__(self, lane: Lane, profile: VendorProfile, offered: frozenset[int]) -> None:
        self._lane = lane
        self._profile = profile
        self._offered = offered
        self._objects = KeyObjects(profile)

    def run(self) -> list[Trial]:
        passed = [*self.random()]
        if self._profile.proof_session_keys:
            passed += [*self.vendors_own(), *self.rsa(), *self.ecdsa()]
        return passed

    def vendors_own(self) -> list[Trial]:
        """What a profile has numbers for."""
        passed = self.sm2() if self._profile.sm2_sign_digest is not None else []
        return passed + (self.sm4() if self._profile.sm4_key_type is not None else [])

    def random(self) -> Iterator[Trial]:
        draws = [bytes(self._lane.session.generate_random(256)) for _ in range(2)]
        _demand(proving.judge_random(*draws))
        yield Trial.RANDOM

    def sm2(self) -> list[Trial]:
        """Signature and decryption with one pair."""
        self._offers("sign SM2", self._profile.sm2_sign_digest)
        with self._pair(KeyAlgorithm.SM2) as pair:
            if pair is None:
                return []
            public, private = pair
            public_key_der = self._public_key_der(public)
            self._sign(KeyAlgorithm.SM2, private.handle, public_key_der)
            if self._profile.sm2_encrypt is None:
                return [Trial.SM2_SIGN]
            self._offers("encrypt with SM2", self._profile.sm2_encrypt)
            self._decrypt(private.handle, public_key_der)
            return [Trial.SM2_SIGN, Trial.SM2_DECRYPT]

    def rsa(self) -> list[Trial]:
        """A signature with a key that is brought along: making one would take too long."""
        if Mechanism.RSA_PKCS not in self._offered:
            return []
        with self._imported(self._objects.import_trial_rsa) as private:
            if private is None:
                return []
            self._sign(KeyAlgorithm.RSA_2048, private.handle, proving.TRIAL_RSA.public_key_der)
            return [Trial.RSA_SIGN]

    def ecdsa(self) -> list[Trial]:
        if not {Mechanism.ECDSA, Mechanism.EC_KEY_PAIR_GEN} <= self._offered:
            return []
        with self._pair(KeyAlgorithm.EC_P256) as pair:
            if pair is None:
                return []
            public, private = pair
            public_key_der = self._objects.public_key_der(public, KeyAlgorithm.EC_P256)
            self._sign(KeyAlgorithm.EC_P256, private.handle, public_key_der)
            return [Trial.ECDSA_SIGN]

    def sm4(self) -> list[Trial]:
        """The known answers of every mode."""
        with self._imported(self._objects.import_trial_sm4) as key:
            if key is None:
                return []
            passed = []
            for mode, trial in _SM4_TRIALS.items():
                mechanism = self._profile.sm4_mechanism(mode)
                if mechanism is not None:
                    self._offers(f"encrypt with SM4-{mode.name}", mechanism)
                    self._sm4(mode, mechanism, key.handle)
                    passed.append(trial)
            return passed

    def _sm4(self, mode: CipherMode, mechanism: int, key: int) -> None:
        calls, iv = self._lane.calls, proving.TRIAL_IVS[mode]
        gcm = proving.TRIAL_ASSOCIATED[mode] if mode is CipherMode.GCM else None
        with self._by_number(f"encrypt with SM4-{mode.name}", mechanism):
            ciphertext = calls.encrypt(key, mechanism, proving.TRIAL_BLOCKS, iv=iv, gcm=gcm)
            decrypted = calls.decrypt(key, mechanism, ciphertext, iv=iv, gcm=gcm)
        _demand(proving.judge_sm4(mode, ciphertext, decrypted))

    def _sign(self, algorithm: KeyAlgorithm, private: int, public_key_der: bytes) -> None:
        how = signing(self._profile, algorithm)
        assert how is not None
        mechanism, prefix, form = how
        with self._by_number("sign", mechanism):
            answers = self._lane.calls.sign(private, mechanism, [prefix + digest for digest in proving.TRIAL_DIGESTS])
        _demand(proving.judge_signatures(algorithm, public_key_der, answers, form=form))

    def _decrypt(self, private: int, public_key_der: bytes) -> None:
        ciphertext_der = sm2.encrypt(sm2.public_point(public_key_der), proving.TRIAL_PLAINTEXT)
        whole = encoding.sm2_cipher(ciphertext_der, self._profile.sm2_cipher)
        # The last octet is of C2 or of C3, in any form: the check value C3 must notice.
        broken = whole[:-1] + bytes([whole[-1] ^ 1])
        mechanism = self._profile.sm2_encrypt
        assert mechanism is not None
        answer = changed = None
        with self._by_number("decrypt", mechanism):
            with suppress(*_REFUSED):
                answer = self._lane.calls.decrypt(private, mechanism, whole)
            with suppress(*_CLUMSILY_REFUSED):
                changed = self._lane.calls.decrypt(private, mechanism, broken)
        _demand(proving.judge_decryption(answer, changed))

    @contextmanager
    def _by_number(self, what: str, mechanism: int) -> Iterator[None]:
        try:
            yield
        except (*_WRONG_NUMBER, *_REFUSED) as error:
            message = f"does not {what} with mechanism 0x{mechanism:08X} ({type(error).__name__})"
            raise _WrongAnswerError(message) from error

    def _public_key_der(self, public: Any) -> bytes:
        try:
            return self._objects.public_key_der(public, KeyAlgorithm.SM2)
        except Exception as error:
            message = "shows a public key that is no point of the curve of SM2"
            raise _WrongAnswerError(message) from error

    def _offers(self, what: str, mechanism: int | None) -> None:
        if mechanism is not None and mechanism not in self._offered:
            message = f"has no mechanism 0x{mechanism:08X} to {what}"
            raise _WrongAnswerError(message)

    @contextmanager
    def _pair(self, algorithm: KeyAlgorithm) -> Iterator[tuple[Any, Any] | None]:
        """A pair for this session; nothing where the maker does not allow one."""
        made: tuple[Any, Any] | None = None
        try:
            made = self._objects.generate(self._lane.session, _TRIAL, algorithm, extractable=False, store=False)
        except pkcs11.MechanismInvalid as error:
            if algorithm is KeyAlgorithm.SM2 and self._profile.sm2_generate not in self._offered:
                message = f"has no mechanism 0x{self._profile.sm2_generate or 0:08X} to make SM2 keys"
                raise _WrongAnswerError(message) from error
        except pkcs11.KeyTypeInconsistent as error:
            message = f"does not know the key type 0x{int(self._objects.key_type(algorithm)):08X}"
            raise _WrongAnswerError(message) from error
        except _NOT_ALLOWED:
            pass
        try:
            yield made
        finally:
            for half in made or ():
                half.destroy()

    @contextmanager
    def _imported(self, bring: Callable[[Any], Any]) -> Iterator[Any]:
        """A known key for this session; nothing where the maker takes none in."""
        key = None
        with suppress(pkcs11.MechanismInvalid, pkcs11.KeyTypeInconsistent, *_NOT_ALLOWED):
            key = bring(self._lane.session)
        try:
            yield key
        finally:
            if key is not None:
                key.destroy()


def _demand(wrong: str) -> None:
    if wrong:
        raise _WrongAnswerError(wrong)
