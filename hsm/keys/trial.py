"""Whether one machine works rightly with one key."""

from dataclasses import dataclass

from hsm.core.profiles import CipherMode
from hsm.machine import Machine
from hsm.pool import Pool
from hsm.store.keys import KeyRecord
from trustcore.crypto import sm2, verify
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.crypto.digests import sha256
from trustcore.errors import TrustError
from trustcore.signing import KeyPurpose

__all__ = ["SelfTestResult", "try_key"]

_BLOCK = bytes(range(16))


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTestResult:
    """Whether one machine works rightly with one key."""

    machine: str
    label: str
    ok: bool
    reason: str
    """One sentence when not ``ok``."""


def try_key(pool: Pool, name: str, record: KeyRecord) -> SelfTestResult:
    """Sign in one machine and verify in software; decrypt, with a key that is made for it. No use is counted."""
    try:
        reason = pool.ask(name, lambda machine: _try(machine, record))
    except TrustError as error:
        reason = error.detail
    return SelfTestResult(machine=name, label=record.label, ok=not reason, reason=reason)


def _try(machine: Machine, record: KeyRecord) -> str:
    if record.is_secret:
        ciphertext = machine.sm4_encrypt(record.reference, CipherMode.ECB, _BLOCK, iv=b"")
        plaintext = machine.sm4_decrypt(record.reference, CipherMode.ECB, ciphertext, iv=b"")
        return "" if ciphertext != _BLOCK and plaintext == _BLOCK else "What it encrypts it decrypts to something else."
    if record.purpose is KeyPurpose.ENCRYPTION and record.key.algorithm is KeyAlgorithm.SM2:
        ciphertext = sm2.encrypt(sm2.public_point(record.key.public_key_der), _BLOCK)
        right = machine.decrypt(record.key, ciphertext) == _BLOCK
        return "" if right else "What is encrypted to its public key it decrypts to something else."
    key, digest = record.key, sha256(record.uri.encode())
    signature = machine.sign_digest(key, digest)
    if verify.verify_digest(key.public_key_der, key.algorithm.signature, digest, signature):
        return ""
    return "The signature does not fit the public key; does the vendor profile fit?"
