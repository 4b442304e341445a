"""Keys of encrypted documents: SM4-CBC over files, and wrapping the key for certificates or a password.

GM/T 0099-2020 annex A: one key and one initial vector for all files of a document, PKCS #7 padding, no
authentication. Whoever can write the file can therefore change what is decrypted: sign the document too. The password
form derives its key by one pass of SM3, without salt: passwords are guessed at the speed of a hash.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from ofd.gmt0099.parts import CASE_CERTIFICATE, CASE_PASSWORD, User
from trustcore.asn1 import encoder
from trustcore.crypto import sm2
from trustcore.crypto.digests import sm3
from trustcore.errors import MalformedError, RejectedError, TrustError
from trustcore.x509.certificate import Certificate

__all__ = [
    "KEY_BYTES",
    "CertificateOpener",
    "CertificateRecipient",
    "Opener",
    "PasswordOpener",
    "PasswordRecipient",
    "Recipient",
    "decrypted",
    "encrypted",
]

KEY_BYTES = 16
"""Of an SM4 key, and of the initial vector."""
_BLOCK_BITS = 128
_COORDINATE = 32
_UNCOMPRESSED = 4
_ENCIPHERMENT = frozenset({"keyEncipherment", "dataEncipherment", "keyAgreement"})


def encrypted(pieces: Iterable[bytes], key: bytes, iv: bytes) -> Iterator[bytes]:
    """The ciphertext of a file, piece by piece."""
    padder = PKCS7(_BLOCK_BITS).padder()
    cipher = Cipher(SM4(key), CBC(iv)).encryptor()
    for piece in pieces:
        yield cipher.update(padder.update(piece))
    yield cipher.update(padder.finalize()) + cipher.finalize()


def decrypted(pieces: Iterable[bytes], key: bytes, iv: bytes) -> Iterator[bytes]:
    """The content of a file, piece by piece.

    Raises:
        MalformedError: ``ofd.encryption.damaged`` when the padding is wrong, at the end: what came before is worthless.
    """
    unpadder = PKCS7(_BLOCK_BITS).unpadder()
    cipher = Cipher(SM4(key), CBC(iv)).decryptor()
    try:
        for piece in pieces:
            yield unpadder.update(cipher.update(piece))
        yield unpadder.update(cipher.finalize()) + unpadder.finalize()
    except ValueError as error:
        raise MalformedError(
            "The encrypted file is damaged, or the key is another.", code="ofd.encryption.damaged"
        ) from error


class Recipient(Protocol):
    """Somebody a document is encrypted for."""

    @property
    def case_id(self) -> str:
        """The scheme of GM/T 0099 annex A."""

    def wrap(self, key: bytes, iv: bytes, *, at: datetime) -> User:
        """The document's key, for this person only."""


class Opener(Protocol):
    """Somebody who opens a document."""

    @property
    def case_id(self) -> str:
        """The scheme of GM/T 0099 annex A."""

    def concerns(self, user: User) -> bool:
        """Whether an entry may be this person's."""

    def unwrap(self, user: User) -> bytes:
        """The document's key; raises ``MalformedError`` when the entry is for somebody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRecipient:
    """Encrypts to an SM2 certificate."""

    name: str
    certificate: Certificate
    is_owner: bool = False
    """Document manager instead of plain user; readers may grant more to the former."""

    @property
    def case_id(self) -> str:
        """Certificate."""
        return CASE_CERTIFICATE

    def wrap(self, key: bytes, iv: bytes, *, at: datetime) -> User:
        """The key encrypted by SM2.

        Raises:
            RejectedError: ``ofd.encryption.not-sm2``, ``ofd.encryption.key-usage`` (a certificate for signing only),
                ``ofd.encryption.expired``.
        """
        certificate = self.certificate
        if certificate.has_key_usage and not certificate.key_usage & _ENCIPHERMENT:
            raise _refused("The certificate is for signing, not for encryption.", "key-usage", self.name)
        if not certificate.not_before <= at <= certificate.not_after:
            raise _refused("The certificate is not valid now.", "expired", self.name)
        try:
            point = sm2.public_point(certificate.public_key_der)
        except TrustError as error:
            raise _refused("The certificate has no SM2 key.", "not-sm2", self.name) from error
        return User(
            name=self.name,
            is_owner=self.is_owner,
            certificate_der=certificate.der,
            wrapped_key=sm2.encrypt(point, key),
            iv=iv,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordRecipient:
    """Encrypts to a password: weak by the standard's design, see the module."""

    name: str
    password: str = field(repr=False)
    is_owner: bool = False

    @property
    def case_id(self) -> str:
        """Password."""
        return CASE_PASSWORD

    def wrap(self, key: bytes, iv: bytes, *, at: datetime) -> User:
        """The key encrypted by SM4 with a key made of the password; ``RejectedError`` for an empty one."""
        if not self.password:
            raise _refused("The password is empty.", "password", self.name)
        wrapped = b"".join(encrypted([key], _password_key(self.password), iv))
        return User(name=self.name, is_owner=self.is_owner, certificate_der=None, wrapped_key=wrapped, iv=iv)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateOpener:
    """Opens with the private key of a certificate, wherever that key is."""

    certificate: Certificate
    decrypt: Callable[[bytes], bytes] = field(repr=False)
    """From DER SM2Cipher to plaintext, such as ``trustcore.signing.Keys.decrypt`` of a key; raises ``TrustError``."""

    @property
    def case_id(self) -> str:
        """Certificate."""
        return CASE_CERTIFICATE

    def concerns(self, user: User) -> bool:
        """Whether the entry is for this certificate, or for one it does not name."""
        return user.certificate_der is None or user.certificate_der == self.certificate.der

    def unwrap(self, user: User) -> bytes:
        """The document's key."""
        key = self.decrypt(_cipher_der(user.wrapped_key))
        return _checked_key(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordOpener:
    """Opens with a password."""

    password: str = field(repr=False)
    name: str | None = None
    """Whose password; every entry is tried without it."""

    @property
    def case_id(self) -> str:
        """Password."""
        return CASE_PASSWORD

    def concerns(self, user: User) -> bool:
        """Whether the entry is for this name."""
        return user.certificate_der is None and self.name in {None, user.name}

    def unwrap(self, user: User) -> bytes:
        """The document's key."""
        return _checked_key(b"".join(decrypted([user.wrapped_key], _password_key(self.password), user.iv)))


def _password_key(password: str) -> bytes:
    """KDF of GB/T 32918.3-2016 §5.4.3 for 16 octets: its first block, cut."""
    return sm3(password.encode() + (1).to_bytes(4, "big"))[:KEY_BYTES]


def _checked_key(key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise MalformedError("The wrapped key is not an SM4 key.", code="ofd.encryption.key")
    return key


def _cipher_der(wrapped: bytes) -> bytes:
    """DER SM2Cipher; of raw octets ``[04] C1 C3 C2`` it is made."""
    raw = wrapped[1:] if wrapped[:1] == bytes((_UNCOMPRESSED,)) else wrapped
    if len(raw) != 3 * _COORDINATE + KEY_BYTES or wrapped[:1] == b"\x30":
        return wrapped
    x, y = raw[:_COORDINATE], raw[_COORDINATE : 2 * _COORDINATE]
    check, text = raw[2 * _COORDINATE : 3 * _COORDINATE], raw[3 * _COORDINATE :]
    numbers = (encoder.integer(int.from_bytes(value)) for value in (x, y))
    return encoder.sequence(*numbers, encoder.octet_string(check), encoder.octet_string(text))


def _refused(detail: str, reason: str, name: str) -> RejectedError:
    return RejectedError(detail, code=f"ofd.encryption.{reason}", recipient=name)
