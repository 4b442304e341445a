"""Private keys from files: PKCS #8 and SEC 1, PEM or DER, of SM2, RSA and P-256; for a person's own key.

The product's keys live in machines and are never read from files. SM2 keys are read here, because the library that
reads the others does not know the curve; encrypted ones in PBES2 (RFC 8018 §6.2) with PBKDF2 and AES or SM4 in CBC.
"""

import base64
import binascii
import re
from collections.abc import Callable

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES, SM4
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from trustcore.asn1.reader import Node, parse
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import EC_PUBLIC_KEY, SM2_CURVE, SM4_CBC
from trustcore.crypto.software import SoftwareSigner
from trustcore.errors import MalformedError, RejectedError

__all__ = ["load_decryptor", "load_signer"]

_PEM = re.compile(rb"-----BEGIN ((?:EC |SM2 |RSA |ENCRYPTED )?PRIVATE KEY)-----\s(.*?)-----END \1-----", re.DOTALL)
_SEQUENCE, _INTEGER, _OCTETS, _OID = 0x30, 0x02, 0x04, 0x06
_PBES2, _PBKDF2 = "1.2.840.113549.1.5.13", "1.2.840.113549.1.5.12"
_PRFS: dict[str, hashes.HashAlgorithm] = {
    "1.2.840.113549.2.7": hashes.SHA1(),  # noqa: S303 - the default of PBKDF2; HMAC is not broken by collisions
    "1.2.840.113549.2.9": hashes.SHA256(),
    "1.2.840.113549.2.11": hashes.SHA512(),
    "1.2.156.10197.1.401.3.1": hashes.SM3(),
}
_CIPHERS: dict[str, tuple[type[AES | SM4], int]] = {
    "2.16.840.1.101.3.4.1.2": (AES, 16),
    "2.16.840.1.101.3.4.1.22": (AES, 24),
    "2.16.840.1.101.3.4.1.42": (AES, 32),
    SM4_CBC: (SM4, 16),
}
_MAX_ITERATIONS = 10_000_000
_SIZE = 32


def load_signer(data: bytes, *, password: bytes | None = None, certificate: bytes | None = None) -> SoftwareSigner:
    """A signer with the key in a file.

    Args:
        data: PEM (the first private key in it) or DER.
        password: of an encrypted key.
        certificate: DER certificate over the key, if there is one.

    Raises:
        MalformedError: ``crypto.key-file``: no private key that can be read.
        RejectedError: ``crypto.key-file.password``: the password is wrong or missing;
            ``crypto.key-file.algorithm``: a kind of key or encryption that the product does not use.
    """
    der = _der(data)
    try:
        private = _read_sm2(parse(der), password)
    except MalformedError as error:
        raise _unreadable() from error
    if private is not None:
        return SoftwareSigner(private, sm2.public_key_der(sm2.point_of(private)), certificate)
    try:
        key = serialization.load_der_private_key(der, password)
    except TypeError as error:  # a password is missing, or given for a key that has none
        raise _wrong_password() from error
    except ValueError as error:
        raise (_unreadable() if password is None else _wrong_password()) from error
    except UnsupportedAlgorithm as error:
        raise _unknown_algorithm() from error
    if isinstance(key, rsa.RSAPrivateKey) or (
        isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)
    ):
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return SoftwareSigner(key, key.public_key().public_bytes(serialization.Encoding.DER, form), certificate)
    raise _unknown_algorithm()


def load_decryptor(data: bytes, *, password: bytes | None = None) -> Callable[[bytes], bytes]:
    """What decrypts ``SM2Cipher`` values (GB/T 35276-2017 §7.2) with the SM2 key in a file.

    Args:
        data: PEM (the first private key in it) or DER.
        password: of an encrypted key.

    Raises:
        MalformedError: ``crypto.key-file``: no private key that can be read.
        RejectedError: ``crypto.key-file.password``; ``crypto.key-file.algorithm``: not an SM2 key.
    """
    try:
        private = _read_sm2(parse(_der(data)), password)
    except MalformedError as error:
        raise _unreadable() from error
    if private is None:
        raise _unknown_algorithm()
    return lambda ciphertext_der: sm2.decrypt(private, ciphertext_der)


def _der(data: bytes) -> bytes:
    match = _PEM.search(data)
    if match is None:
        return data
    try:
        return base64.b64decode(b"".join(match[2].split()), validate=True)
    except binascii.Error as error:
        raise _unreadable() from error


def _read_sm2(node: Node, password: bytes | None) -> bytes | None:
    """The private value of an SM2 key; nothing when it is another key."""
    first = node.expect(_SEQUENCE)[0]
    if first.tag == _SEQUENCE and first[0].oid() == _PBES2:
        plain = _decrypt(node, password)
        return None if plain is None else _read_sm2(parse(plain), None)
    if first.tag == _INTEGER and node[1].tag == _SEQUENCE:  # PrivateKeyInfo
        algorithm = node[1]
        names = [child.oid() for child in algorithm.children if child.tag == _OID]
        if names not in ([EC_PUBLIC_KEY, SM2_CURVE], [SM2_CURVE], [SM2_CURVE, SM2_CURVE]):
            return None
        return _value(node[2].within(0))
    if first.tag == _INTEGER and node[1].tag == _OCTETS:  # ECPrivateKey, which names its curve itself
        curve = node.find(0xA0)
        return _value(node) if curve is not None and curve[0].oid() == SM2_CURVE else None
    return None


def _value(node: Node) -> bytes:
    """``ECPrivateKey ::= SEQUENCE{ version, privateKey OCTET STRING, … }`` (RFC 5915 §3)."""
    return node.expect(_SEQUENCE)[1].octets().rjust(_SIZE, b"\0")


def _decrypt(node: Node, password: bytes | None) -> bytes | None:
    """What EncryptedPrivateKeyInfo hides; nothing when it uses what only the other library may know."""
    derivation, scheme = node[0][1][0], node[0][1][1]
    known = _CIPHERS.get(scheme[0].oid())
    if known is None or derivation[0].oid() != _PBKDF2:
        return None
    parameters = derivation[1]
    named = next((child for child in parameters.children[2:] if child.tag == _SEQUENCE), None)
    prf = hashes.SHA1() if named is None else _PRFS.get(named[0].oid())  # noqa: S303 - as above
    iterations = parameters[1].integer()
    if prf is None or not 0 < iterations <= _MAX_ITERATIONS:
        return None
    if password is None:
        raise _wrong_password()
    cipher, size = known
    key = PBKDF2HMAC(algorithm=prf, length=size, salt=parameters[0].octets(), iterations=iterations).derive(password)
    try:
        decryptor = Cipher(cipher(key), CBC(scheme[1].octets())).decryptor()
        padded = decryptor.update(node[1].octets()) + decryptor.finalize()
        unpadder = padding.PKCS7(128).unpadder()
        plain = unpadder.update(padded) + unpadder.finalize()
        parse(plain)
    except (ValueError, MalformedError) as error:
        raise _wrong_password() from error
    return plain


def _unreadable() -> MalformedError:
    return MalformedError("The file holds no private key that can be read.", code="crypto.key-file")


def _wrong_password() -> RejectedError:
    return RejectedError("The password of the private key is wrong or missing.", code="crypto.key-file.password")


def _unknown_algorithm() -> RejectedError:
    return RejectedError("The private key is of a kind that is not used.", code="crypto.key-file.algorithm")
