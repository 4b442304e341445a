"""What a machine must answer before it is believed, and what its wrong answers mean.

A trial key signs two fixed digests; software verifies both, and that neither signature fits the other digest or another
key. The rest is told from the answers: their form, a digest that was hashed once more, a random number that was used
twice. The driver brings the answers; everything here is computed from them.

Each ``judge_…`` returns what is wrong as the end of a sentence that begins with "the machine", or nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB

from hsm.core import encoding
from hsm.core.profiles import CipherMode, SignatureForm
from trustcore.asn1.reader import parse
from trustcore.crypto import sm2, sm4, verify
from trustcore.crypto.algorithms import KeyAlgorithm, SignatureAlgorithm
from trustcore.crypto.digests import sm3
from trustcore.errors import MalformedError

__all__ = [
    "TRIAL_ASSOCIATED",
    "TRIAL_BLOCKS",
    "TRIAL_DIGESTS",
    "TRIAL_IVS",
    "TRIAL_PLAINTEXT",
    "TRIAL_RSA",
    "TRIAL_SM4_KEY",
    "RsaNumbers",
    "Trial",
    "judge_decryption",
    "judge_random",
    "judge_signatures",
    "judge_sm4",
    "signature_der",
]


class Trial(StrEnum):
    """What is tried."""

    RANDOM = "random"
    SM2_SIGN = "sm2-sign"
    SM2_DECRYPT = "sm2-decrypt"
    RSA_SIGN = "rsa-sign"
    ECDSA_SIGN = "ecdsa-sign"
    SM4_ECB = "sm4-ecb"
    SM4_CBC = "sm4-cbc"
    SM4_GCM = "sm4-gcm"


TRIAL_DIGESTS = (bytes(range(32)), bytes(range(255, 223, -1)))
TRIAL_PLAINTEXT = b"xinyin proves its machines"
TRIAL_BLOCKS = bytes.fromhex("0123456789abcdeffedcba9876543210") * 2
TRIAL_SM4_KEY = bytes.fromhex("0123456789abcdeffedcba9876543210")
"""Of the example in GB/T 32907-2016, annex A."""
TRIAL_IVS = {CipherMode.ECB: b"", CipherMode.CBC: bytes(range(16)), CipherMode.GCM: bytes(range(12))}
TRIAL_ASSOCIATED = {CipherMode.ECB: b"", CipherMode.CBC: b"", CipherMode.GCM: b"associated"}
_ANOTHER_POINT = bytes.fromhex(
    "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
"""The public key of the example in GB/T 32918.5-2017, annex A: surely not the machine's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RsaNumbers:
    """An RSA key as PKCS#11 stores it: numbers big-endian, without leading zeros."""

    modulus: bytes
    exponent: bytes
    private_exponent: bytes
    prime_1: bytes
    prime_2: bytes
    exponent_1: bytes
    exponent_2: bytes
    coefficient: bytes

    @property
    def public_key_der(self) -> bytes:
        """SubjectPublicKeyInfo."""
        return encoding.rsa_public_key_der(self.modulus, self.exponent)


def _rsa_numbers(p: int, q: int, e: int) -> RsaNumbers:
    d = pow(e, -1, (p - 1) * (q - 1))
    numbers = (p * q, e, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p))
    octets = tuple(number.to_bytes((number.bit_length() + 7) // 8, "big") for number in numbers)
    return RsaNumbers(
        modulus=octets[0],
        exponent=octets[1],
        private_exponent=octets[2],
        prime_1=octets[3],
        prime_2=octets[4],
        exponent_1=octets[5],
        exponent_2=octets[6],
        coefficient=octets[7],
    )


TRIAL_RSA = _rsa_numbers(
    int(
        "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
        "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
        "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF",
        16,
    ),
    int(
        "EEAF0AB9ADB38DD69C33F80AFA8FC5E86072618775FF3C0B9EA2314C9C256576D674DF7496EA81D3383B4813D692C6E0"
        "E0D5D8E250B98BE48E495C1D6089DAD15DC7D7B46154D6B6CE8EF4AD69B15D4982559B297BCF1885C529F566660E57EC"
        "68EDBC3C05726CC02FD4CBF4976EAA9AFD5138FE8376435B9FC61D2FC0EB06E3",
        16,
    ),
    65537,
)
"""A key that protects nothing: its factors are the primes of RFC 2409 §6.2 and RFC 5054 appendix A."""


def signature_der(signature: bytes, form: SignatureForm) -> bytes:
    """``SEQUENCE{r, s}`` of a machine's SM2 or ECDSA signature. Raises ``MalformedError``."""
    if form is SignatureForm.RAW:
        return encoding.ecdsa_signature_der(signature)
    return signature


def judge_signatures(
    algorithm: KeyAlgorithm, public_key_der: bytes, answers: Sequence[bytes], *, form: SignatureForm | None
) -> str:
    """Whether a trial key's signatures over :data:`TRIAL_DIGESTS` are right.

    Args:
        algorithm: the key's.
        public_key_der: the key's.
        answers: as the machine gave them.
        form: which the profile says they have; ``None`` for RSA.
    """
    if form is None:
        return "" if _fit(algorithm, public_key_der, answers) else "gives signatures that do not verify"
    read = [_read(answer, form) for answer in answers]
    if _fit(algorithm, public_key_der, read):
        return _judge_randomness(algorithm, read)
    other = SignatureForm.DER if form is SignatureForm.RAW else SignatureForm.RAW
    if _fit(algorithm, public_key_der, [_read(answer, other) for answer in answers]):
        return f"answers with {_name(other)} where the profile says {_name(form)}"
    if algorithm is KeyAlgorithm.SM2:
        for candidate in (read, [_read(answer, other) for answer in answers]):
            if _hashed_again(public_key_der, candidate):
                return "hashes the digest once more instead of signing it"
    return "gives signatures that do not verify"


def _read(answer: bytes, form: SignatureForm) -> bytes:
    """The signature as DER; empty when it has not this form."""
    try:
        return signature_der(answer, form) if form is SignatureForm.DER or len(answer) == 64 else b""
    except MalformedError:
        return b""


def _fit(algorithm: KeyAlgorithm, public_key_der: bytes, signatures: Sequence[bytes]) -> bool:
    """Whether each fits its own digest and this key, and nothing else."""
    first, second = TRIAL_DIGESTS
    kind = algorithm.signature
    right = all(
        verify.verify_digest(public_key_der, kind, digest, signature)
        for digest, signature in zip(TRIAL_DIGESTS, signatures, strict=True)
    )
    if not right:
        return False
    crossed = verify.verify_digest(public_key_der, kind, second, signatures[0])
    crossed |= verify.verify_digest(public_key_der, kind, first, signatures[1])
    if kind is SignatureAlgorithm.SM2_SM3:
        crossed |= sm2.verify_digest(_ANOTHER_POINT, first, signatures[0])
    return not crossed


def _judge_randomness(algorithm: KeyAlgorithm, signatures: Sequence[bytes]) -> str:
    """Two signatures with one random number give the private key away: r - e is its x for SM2, r for ECDSA."""
    points = []
    for digest, signature in zip(TRIAL_DIGESTS, signatures, strict=True):
        r = parse(signature).children[0].integer()
        points.append((r - int.from_bytes(digest, "big")) % sm2.ORDER if algorithm is KeyAlgorithm.SM2 else r)
    if len(set(points)) < len(points):
        return "uses one random number for two signatures, which gives the private key away"
    return ""


def _hashed_again(public_key_der: bytes, signatures: Sequence[bytes]) -> bool:
    z = sm2.z_value(sm2.public_point(public_key_der))
    digest, signature = TRIAL_DIGESTS[0], signatures[0]
    return any(
        verify.verify_digest(public_key_der, SignatureAlgorithm.SM2_SM3, sm3(prefix + digest), signature)
        for prefix in (z, b"")
    )


def _name(form: SignatureForm) -> str:
    return "r ‖ s" if form is SignatureForm.RAW else "DER"


def judge_decryption(answer: bytes | None, changed: bytes | None) -> str:
    """Whether :data:`TRIAL_PLAINTEXT` came back, and nothing from a ciphertext that was changed.

    Args:
        answer: what the machine made of the ciphertext; ``None`` when it refused it.
        changed: what it made of the same with one bit of C3 changed; ``None`` when it refused it.
    """
    if answer is None:
        return "refuses a ciphertext in the form that the profile says"
    if answer != TRIAL_PLAINTEXT:
        return "decrypts to something else"
    if changed is not None:
        return "decrypts a ciphertext that was changed"
    return ""


def judge_random(first: bytes, second: bytes) -> str:
    """Whether two draws of random octets are no constant."""
    if first == second or len(set(first)) == 1 or len(set(second)) == 1:
        return "gives random numbers that are not random"
    return ""


def judge_sm4(mode: CipherMode, ciphertext: bytes, decrypted: bytes) -> str:
    """Whether the trial key made of :data:`TRIAL_BLOCKS` what software makes of it, and back."""
    if ciphertext != _expected(mode):
        return f"encrypts with SM4-{mode.name} otherwise than the standard"
    if decrypted != TRIAL_BLOCKS:
        return f"does not decrypt what it encrypted with SM4-{mode.name}"
    return ""


def _expected(mode: CipherMode) -> bytes:
    iv = TRIAL_IVS[mode]
    if mode is CipherMode.GCM:
        return sm4.seal(TRIAL_SM4_KEY, iv, TRIAL_BLOCKS, TRIAL_ASSOCIATED[mode])[len(iv) :]
    encryptor = Cipher(SM4(TRIAL_SM4_KEY), CBC(iv) if mode is CipherMode.CBC else ECB()).encryptor()  # noqa: S305
    return encryptor.update(TRIAL_BLOCKS) + encryptor.finalize()
