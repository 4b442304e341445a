"""Key objects inside a token: finding, making and describing them."""
# ruff: noqa: ANN401 - python-pkcs11 makes the classes of objects at run time, from their attributes

from typing import Any

from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass, PKCS11Error, Session
from pkcs11.constants import DEFAULT

from hsm.core import encoding
from hsm.core.profiles import PointForm, VendorProfile
from hsm.core.proving import TRIAL_RSA, TRIAL_SM4_KEY
from hsm.machine import KeyReference
from trustcore.crypto.algorithms import KeyAlgorithm

__all__ = ["AES_BITS", "KeyObjects"]

AES_BITS = 256
_TRANSPORT_BITS = 3072
_RSA_BITS = {KeyAlgorithm.RSA_2048: 2048, KeyAlgorithm.RSA_3072: 3072}
_SM4_BITS = 128
_POINT_BYTES = 65
_WRAPPING = MechanismFlag.WRAP | MechanismFlag.UNWRAP
_ENCRYPTING = MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT
_MOVED: dict[Attribute, Any] = {Attribute.PRIVATE: True, Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: True}
"""What is true of a key that came in wrapped."""
_NOT_OF_PRIVATE_KEYS = {Attribute.ENCRYPT: DEFAULT, Attribute.VERIFY: DEFAULT, Attribute.WRAP: DEFAULT}
"""Attributes that python-pkcs11 puts into the template of every key it unwraps; ``DEFAULT`` takes them out again."""


def _capabilities(algorithm: KeyAlgorithm) -> MechanismFlag:
    flags = MechanismFlag.SIGN | MechanismFlag.VERIFY
    if algorithm is KeyAlgorithm.SM2:
        flags |= MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT
    return flags


class KeyObjects:
    """What one vendor's key objects look like."""

    def __init__(self, profile: VendorProfile) -> None:
        self._profile = profile

    def find_all(self, session: Session, reference: KeyReference, kind: ObjectClass) -> list[Any]:
        """Objects of one class with this label and identifier."""
        wanted = {Attribute.CLASS: kind, Attribute.LABEL: reference.label, Attribute.ID: reference.key_id}
        return list(session.get_objects(wanted))

    def key_type(self, algorithm: KeyAlgorithm) -> KeyType:
        """CKA_KEY_TYPE of keys of this kind."""
        if algorithm in _RSA_BITS:
            return KeyType.RSA
        if algorithm is KeyAlgorithm.SM2 and self._profile.sm2_key_type is not None:
            return KeyType(self._profile.sm2_key_type)
        return KeyType.EC

    def is_of_type(self, found: Any, algorithm: KeyAlgorithm) -> bool:
        """Whether a key object is of this kind. A machine that does not tell is believed: its signatures will not fit.

        SM2 keys that are CKK_EC and those of the vendor's own type are told apart by their curve.
        """
        try:
            key_type = found[Attribute.KEY_TYPE]
        except ValueError:
            return False  # a number that neither PKCS#11 nor a vendor's range has
        if key_type not in {self.key_type(algorithm), KeyType.EC if algorithm is KeyAlgorithm.SM2 else None}:
            return False
        if algorithm in _RSA_BITS:
            return True
        try:
            return bool(found[Attribute.EC_PARAMS] == encoding.curve_parameters(algorithm))
        except PKCS11Error:
            return True

    def generate(
        self,
        session: Session,
        reference: KeyReference,
        algorithm: KeyAlgorithm,
        *,
        extractable: bool,
        store: bool = True,
    ) -> tuple[Any, Any]:
        """Make a key pair: public and private object. Without ``store`` it lives as long as the session."""
        common: dict[str, Any] = {
            "id": reference.key_id,
            "label": reference.label,
            "store": store,
            "capabilities": _capabilities(algorithm),
            "private_template": {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: extractable},
        }
        if algorithm in _RSA_BITS:
            return session.generate_keypair(KeyType.RSA, _RSA_BITS[algorithm], **common)
        mechanism = Mechanism.EC_KEY_PAIR_GEN
        if algorithm is KeyAlgorithm.SM2 and self._profile.sm2_generate is not None:
            mechanism = Mechanism(self._profile.sm2_generate)
        common["public_template"] = {Attribute.EC_PARAMS: encoding.curve_parameters(algorithm)}
        return session.generate_keypair(self.key_type(algorithm), mechanism=mechanism, **common)

    def public_key_der(self, public: Any, algorithm: KeyAlgorithm) -> bytes:
        """SubjectPublicKeyInfo of a public key object."""
        if algorithm in _RSA_BITS:
            return encoding.rsa_public_key_der(public[Attribute.MODULUS], public[Attribute.PUBLIC_EXPONENT])
        return encoding.ec_public_key_der(algorithm, encoding.public_point(public[Attribute.EC_POINT]))

    def store_public(
        self, session: Session, reference: KeyReference, algorithm: KeyAlgorithm, public_key_der: bytes
    ) -> None:
        """Write a public key object."""
        template: dict[Attribute, Any] = {
            Attribute.CLASS: ObjectClass.PUBLIC_KEY,
            Attribute.KEY_TYPE: self.key_type(algorithm),
            Attribute.LABEL: reference.label,
            Attribute.ID: reference.key_id,
            Attribute.TOKEN: True,
            Attribute.VERIFY: True,
        }
        if algorithm in _RSA_BITS:
            template |= _rsa_numbers(public_key_der)
        else:
            point = public_key_der[-_POINT_BYTES:]
            template[Attribute.EC_PARAMS] = encoding.curve_parameters(algorithm)
            template[Attribute.EC_POINT] = self._written_point(algorithm, point)
            template[Attribute.ENCRYPT] = algorithm is KeyAlgorithm.SM2
        session.create_object(template)

    def unwrap_private(
        self,
        unwrapping_key: Any,
        reference: KeyReference,
        algorithm: KeyAlgorithm,
        wrapped: bytes,
        *,
        public_key_der: bytes,
        mechanism: Mechanism,
    ) -> Any:
        """Write the private key object that ``wrapped`` holds."""
        public: dict[Attribute, Any] = {}
        if algorithm is KeyAlgorithm.SM2 and self._profile.sm2_point_on_private:
            public[Attribute.EC_POINT] = self._written_point(algorithm, public_key_der[-_POINT_BYTES:])
        return unwrapping_key.unwrap_key(
            ObjectClass.PRIVATE_KEY,
            self.key_type(algorithm),
            wrapped,
            id=reference.key_id,
            label=reference.label,
            mechanism=mechanism,
            store=True,
            capabilities=_capabilities(algorithm),
            template=_NOT_OF_PRIVATE_KEYS | _MOVED | public,
        )

    @property
    def wrapping(self) -> Mechanism:
        """The mechanism that keys travel under."""
        assert self._profile.moving_wrap is not None
        return Mechanism(self._profile.moving_wrap)

    @property
    def envelope(self) -> Mechanism:
        """The mechanism that opens SM2EnvelopedKeys."""
        assert self._profile.moving_sm2_envelope is not None
        return Mechanism(self._profile.moving_sm2_envelope)

    @property
    def transport(self) -> Mechanism:
        """The mechanism that brings a wrapping key in."""
        assert self._profile.moving_transport is not None
        return Mechanism(self._profile.moving_transport)

    @property
    def sm4_type(self) -> KeyType:
        """CKA_KEY_TYPE of SM4 keys."""
        assert self._profile.sm4_key_type is not None
        return KeyType(self._profile.sm4_key_type)

    def generate_sm4(self, session: Session, reference: KeyReference, *, extractable: bool) -> None:
        """Make an SM4 key in the token."""
        assert self._profile.sm4_generate is not None
        session.generate_key(
            self.sm4_type,
            _SM4_BITS,
            id=reference.key_id,
            label=reference.label,
            store=True,
            capabilities=_ENCRYPTING,
            mechanism=Mechanism(self._profile.sm4_generate),
            template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: extractable},
        )

    def unwrap_sm4(self, unwrapping_key: Any, reference: KeyReference, wrapped: bytes) -> Any:
        """Write the SM4 key that ``wrapped`` holds."""
        return unwrapping_key.unwrap_key(
            ObjectClass.SECRET_KEY,
            self.sm4_type,
            wrapped,
            id=reference.key_id,
            label=reference.label,
            mechanism=self.wrapping,
            store=True,
            capabilities=_ENCRYPTING,
            template=_MOVED,
        )

    def import_trial_sm4(self, session: Session) -> Any:
        """The SM4 key of the standard's example, for this session."""
        template: dict[Attribute, Any] = {
            Attribute.CLASS: ObjectClass.SECRET_KEY,
            Attribute.KEY_TYPE: self.sm4_type,
            Attribute.TOKEN: False,
            Attribute.ENCRYPT: True,
            Attribute.DECRYPT: True,
            Attribute.VALUE: TRIAL_SM4_KEY,
        }
        return session.create_object(template)

    def import_trial_rsa(self, session: Session) -> Any:
        """An RSA key that everybody knows, for this session."""
        numbers = TRIAL_RSA
        template: dict[Attribute, Any] = {
            Attribute.CLASS: ObjectClass.PRIVATE_KEY,
            Attribute.KEY_TYPE: KeyType.RSA,
            Attribute.TOKEN: False,
            Attribute.SIGN: True,
            Attribute.MODULUS: numbers.modulus,
            Attribute.PUBLIC_EXPONENT: numbers.exponent,
            Attribute.PRIVATE_EXPONENT: numbers.private_exponent,
            Attribute.PRIME_1: numbers.prime_1,
            Attribute.PRIME_2: numbers.prime_2,
            Attribute.EXPONENT_1: numbers.exponent_1,
            Attribute.EXPONENT_2: numbers.exponent_2,
            Attribute.COEFFICIENT: numbers.coefficient,
        }
        return session.create_object(template)

    def _written_point(self, algorithm: KeyAlgorithm, point: bytes) -> bytes:
        bare = algorithm is KeyAlgorithm.SM2 and self._profile.sm2_point is PointForm.BARE
        return point if bare else b"\x04\x41" + point

    def generate_wrapping_key(self, session: Session, reference: KeyReference) -> None:
        """Make an AES key that wraps."""
        session.generate_key(
            KeyType.AES,
            AES_BITS,
            id=reference.key_id,
            label=reference.label,
            store=True,
            capabilities=_WRAPPING,
            template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: True},
        )

    def generate_transport_pair(self, session: Session) -> tuple[Any, Any]:
        """Make an RSA pair that lives as long as the session, to receive one wrapping key."""
        return session.generate_keypair(KeyType.RSA, _TRANSPORT_BITS, store=False, capabilities=_WRAPPING)

    def store_transport_pair(self, session: Session, reference: KeyReference, algorithm: KeyAlgorithm) -> Any:
        """Make a pair that stays, to receive keys; its public object."""
        common: dict[str, Any] = {
            "id": reference.key_id,
            "label": reference.label,
            "store": True,
            "capabilities": _WRAPPING,
            "private_template": {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
        }
        if algorithm is KeyAlgorithm.SM2:
            assert self._profile.sm2_generate is not None
            common["public_template"] = {Attribute.EC_PARAMS: encoding.curve_parameters(algorithm)}
            mechanism = Mechanism(self._profile.sm2_generate)
            public, _ = session.generate_keypair(self.key_type(algorithm), mechanism=mechanism, **common)
        else:
            public, _ = session.generate_keypair(KeyType.RSA, _TRANSPORT_BITS, **common)
        return public

    def transport_public_key(self, session: Session, public_key_der: bytes) -> Any:
        """The other machine's transport key as an object of this session."""
        template: dict[Attribute, Any] = {
            Attribute.CLASS: ObjectClass.PUBLIC_KEY,
            Attribute.KEY_TYPE: KeyType.RSA,
            Attribute.TOKEN: False,
            Attribute.WRAP: True,
        }
        return session.create_object(template | _rsa_numbers(public_key_der))

    def unwrap_wrapping_key(self, transport_private: Any, reference: KeyReference, wrapped: bytes) -> None:
        """Write the AES key that ``wrapped`` holds."""
        transport_private.unwrap_key(
            ObjectClass.SECRET_KEY,
            KeyType.AES,
            wrapped,
            id=reference.key_id,
            label=reference.label,
            mechanism=self.transport,
            store=True,
            capabilities=_WRAPPING,
            template=_MOVED,
        )


def _rsa_numbers(public_key_der: bytes) -> dict[Attribute, Any]:
    modulus, exponent = encoding.rsa_public_numbers(public_key_der)
    return {Attribute.MODULUS: modulus, Attribute.PUBLIC_EXPONENT: exponent}
