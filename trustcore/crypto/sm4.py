"""SM4-GCM for data at rest (GB/T 32907-2016, GB/T 36624-2018 §5.7)."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import GCM

from trustcore.errors import MalformedError

__all__ = ["NONCE_BYTES", "TAG_BYTES", "open_sealed", "seal"]

NONCE_BYTES = 12
TAG_BYTES = 16


def seal(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes = b"") -> bytes:
    """Encrypt and authenticate: nonce ‖ ciphertext ‖ tag.

    Args:
        key: 16 bytes.
        nonce: 12 random bytes, never used twice with the same key.
        plaintext: of any length.
        associated: authenticated with the text, not encrypted.
    """
    encryptor = Cipher(SM4(key), GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(associated)
    return nonce + encryptor.update(plaintext) + encryptor.finalize() + encryptor.tag


def open_sealed(key: bytes, sealed: bytes, associated: bytes = b"") -> bytes:
    """The plaintext of :func:`seal`. ``MalformedError`` (``crypto.sm4.tag``) when anything was changed."""
    if len(sealed) < NONCE_BYTES + TAG_BYTES:
        raise MalformedError("the encrypted value is cut short", code="crypto.sm4.tag")
    nonce, body, tag = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:-TAG_BYTES], sealed[-TAG_BYTES:]
    decryptor = Cipher(SM4(key), GCM(nonce, tag)).decryptor()
    decryptor.authenticate_additional_data(associated)
    try:
        return decryptor.update(body) + decryptor.finalize()
    except InvalidTag as error:
        raise MalformedError("the encrypted value was changed or the key is another", code="crypto.sm4.tag") from error
