"""Keys in memory, for unit tests. No setting can choose them, and they warn when made."""

import secrets
import warnings
from collections.abc import Sequence

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from trustcore.crypto import sm2
from trustcore.crypto.algorithms import SIGNATURES, KeyAlgorithm, SignatureAlgorithm
from trustcore.crypto.digests import digest
from trustcore.errors import ConflictError, NotFoundError, RejectedError
from trustcore.signing import KeyPurpose, Signer

__all__ = ["SoftwareKeyWarning", "SoftwareKeys", "SoftwareSigner"]

_PyCaKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class SoftwareKeyWarning(UserWarning):
    """Private keys are in this process's memory."""


class SoftwareSigner:
    """A :class:`~trustcore.signing.Signer` over a key in memory."""

    def __init__(self, key: bytes | _PyCaKey, public_key_der: bytes, certificate: bytes | None = None) -> None:
        self._key = key
        self.public_key_der = public_key_der
        self.certificate = certificate
        if isinstance(key, bytes):
            self.algorithm = SignatureAlgorithm.SM2_SM3
        elif isinstance(key, rsa.RSAPrivateKey):
            self.algorithm = SignatureAlgorithm.RSA_SHA256
        else:
            self.algorithm = SignatureAlgorithm.ECDSA_SHA256

    def sign(self, message: bytes) -> bytes:
        """Sign a message."""
        if self.algorithm is SignatureAlgorithm.SM2_SM3:
            return self.sign_digest(sm2.message_digest(sm2.public_point(self.public_key_der), message))
        return self.sign_digest(digest(SIGNATURES[self.algorithm].digest, message))

    def sign_digest(self, message_digest: bytes) -> bytes:
        """Sign a digest; for SM2 e."""
        if isinstance(self._key, bytes):
            return sm2.sign_digest(self._key, message_digest)
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(message_digest, padding.PKCS1v15(), Prehashed(hashes.SHA256()))
        return self._key.sign(message_digest, ec.ECDSA(Prehashed(hashes.SHA256())))

    def sign_many(self, digests: Sequence[bytes]) -> list[bytes]:
        """Sign many digests, answers in order."""
        return [self.sign_digest(item) for item in digests]


class SoftwareKeys:
    """A :class:`~trustcore.signing.Keys` whose keys are gone when the process ends."""

    def __init__(self) -> None:
        warnings.warn("private keys are kept in memory: for unit tests only", SoftwareKeyWarning, stacklevel=2)
        self._keys: dict[str, tuple[bytes | _PyCaKey, bytes]] = {}
        self._purposes: dict[str, KeyPurpose] = {}

    def generate(self, label: str, algorithm: KeyAlgorithm, *, purpose: KeyPurpose = KeyPurpose.SIGNING) -> str:
        """Make a key pair and return its URI."""
        uri = f"pkcs11:object={label};type=private"
        if uri in self._keys:
            raise ConflictError(f"there is a key with the label {label} already", code="hsm.key.exists", label=label)
        self._keys[uri], self._purposes[uri] = _generate(algorithm), purpose
        return uri

    def find(self, label: str, *, purpose: KeyPurpose | None = None) -> str | None:
        """URI of the key with this label, or ``None``."""
        uri = f"pkcs11:object={label};type=private"
        if uri not in self._keys:
            return None
        if purpose not in {None, self._purposes[uri]}:
            raise RejectedError(f"the key {label} is for {self._purposes[uri]}", code="hsm.key.purpose", label=label)
        return uri

    def signer(self, key_uri: str, *, certificate: bytes | None = None) -> Signer:
        """A signer with this key."""
        key, public_key_der = self._lookup(key_uri)
        return SoftwareSigner(key, public_key_der, certificate)

    def decrypt(self, key_uri: str, ciphertext_der: bytes) -> bytes:
        """Decrypt an ``SM2Cipher``."""
        key, _ = self._lookup(key_uri)
        if not isinstance(key, bytes):
            raise NotFoundError("the key is not an SM2 key", code="hsm.key.not-found")
        return sm2.decrypt(key, ciphertext_der)

    def random(self, length: int) -> bytes:
        """Random octets."""
        return secrets.token_bytes(length)

    def _lookup(self, key_uri: str) -> tuple[bytes | _PyCaKey, bytes]:
        try:
            return self._keys[key_uri]
        except KeyError:
            raise NotFoundError(f"there is no key {key_uri}", code="hsm.key.not-found", uri=key_uri) from None


def _generate(algorithm: KeyAlgorithm) -> tuple[bytes | _PyCaKey, bytes]:
    if algorithm is KeyAlgorithm.SM2:
        private, point = sm2.generate()
        return private, sm2.public_key_der(point)
    key: _PyCaKey
    if algorithm is KeyAlgorithm.EC_P256:
        key = ec.generate_private_key(ec.SECP256R1())
    else:
        key = rsa.generate_private_key(65537, {KeyAlgorithm.RSA_2048: 2048, KeyAlgorithm.RSA_3072: 3072}[algorithm])
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key, key.public_key().public_bytes(serialization.Encoding.DER, form)
