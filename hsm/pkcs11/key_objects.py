"""Key objects inside a token: finding, making and describing them."""
# ruff: noqa: ANN401 - python-pkcs11 makes the classes of objects at run time, from their attributes

from typing import Any

from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass, Session
from pkcs11.constants import DEFAULT

from hsm.core import encoding
from hsm.core.profiles import VendorProfile
from hsm.machine import KeyReference
from trustcore.crypto.algorithms import KeyAlgorithm

__all__ = ["AES_BITS", "KeyObjects"]

AES_BITS = 256
_TRANSPORT_BITS = 3072
_RSA_BITS = {KeyAlgorithm.RSA_2048: 2048, KeyAlgorithm.RSA_3072: 3072}
_WRAPPING = MechanismFlag.WRAP | MechanismFlag.UNWRAP
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

    def generate(
        self, session: Session, reference: KeyReference, algorithm: KeyAlgorithm, *, extractable: bool
    ) -> tuple[Any, Any]:
        """Make a key pair in the token: public and private object."""
        common: dict[str, Any] = {
            "id": reference.key_id,
            "label": reference.label,
            "store": True,
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
            point = public_key_der[-65:]
            template[Attribute.EC_PARAMS] = encoding.curve_parameters(algorithm)
            template[Attribute.EC_POINT] = b"\x04\x41" + point
            template[Attribute.ENCRYPT] = algorithm is KeyAlgorithm.SM2
        session.create_object(template)

    def unwrap_private(
        self,
        unwrapping_key: Any,
        reference: KeyReference,
        algorithm: KeyAlgorithm,
        wrapped: bytes,
    ) -> Any:
        """Write the private key object that ``wrapped`` holds."""
        return unwrapping_key.unwrap_key(
            ObjectClass.PRIVATE_KEY,
            self.key_type(algorithm),
            wrapped,
            id=reference.key_id,
            label=reference.label,
            mechanism=Mechanism.AES_KEY_WRAP_PAD,
            store=True,
            capabilities=_capabilities(algorithm),
            template=_NOT_OF_PRIVATE_KEYS
            | {Attribute.PRIVATE: True, Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: True},
        )

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
            mechanism=Mechanism.RSA_PKCS_OAEP,
            store=True,
            capabilities=_WRAPPING,
            template={Attribute.PRIVATE: True, Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: True},
        )


def _rsa_numbers(public_key_der: bytes) -> dict[Attribute, Any]:
    modulus, exponent = encoding.rsa_public_numbers(public_key_der)
    return {Attribute.MODULUS: modulus, Attribute.PUBLIC_EXPONENT: exponent}
