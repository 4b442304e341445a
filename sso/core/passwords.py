"""Passwords: Argon2id (RFC 9106) with the parameters of the OWASP Password Storage Cheat Sheet, and the policy."""

import unicodedata
from base64 import b64encode
from dataclasses import dataclass

from argon2 import Parameters, Type, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from argon2.low_level import hash_secret, verify_secret

from trustcore.errors import InternalError, RejectedError

__all__ = [
    "MAX_LENGTH",
    "MIN_LENGTH",
    "SALT_BYTES",
    "UNMATCHED_BYTES",
    "HashParameters",
    "check_policy",
    "digest",
    "is_outdated",
    "unmatched",
    "verify",
]

MIN_LENGTH = 12
"""Characters."""
MAX_LENGTH = 256
"""Characters; longer input is refused, never cut."""
SALT_BYTES = 16
_DIGEST_BYTES = 32
UNMATCHED_BYTES = SALT_BYTES + _DIGEST_BYTES
_MIN_DIFFERENT = 5

_BLOCKED = (
    "password", "passw0rd", "qwertyuiop", "1234567890", "0123456789", "abcdefgh", "administrator", "letmein",
    "iloveyou", "woaini", "xinyin", "1qaz2wsx", "admin123",
)  # fmt: skip
"""Words around which the usual long bad passwords are built."""
_MIN_BESIDE_BLOCKED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class HashParameters:
    """Cost of one hash."""

    memory_kib: int = 19 * 1024
    passes: int = 2
    lanes: int = 1


def check_policy(password: str, *, username: str) -> None:
    """Refuse a new password that is too short, too long, or easy to guess; no rules of composition (ASVS 5.0 V6.2).

    Raises:
        RejectedError: ``sso.password.*``.
    """
    text = _normalised(password)
    if len(text) < MIN_LENGTH:
        raise RejectedError(f"A password has at least {MIN_LENGTH} characters.", code="sso.password.too-short")
    if len(text) > MAX_LENGTH:
        raise RejectedError(f"A password has at most {MAX_LENGTH} characters.", code="sso.password.too-long")
    folded = text.casefold()
    rest = folded
    for word in (*_BLOCKED, username.casefold()):
        rest = rest.replace(word, "")
    if len(set(folded)) < _MIN_DIFFERENT or (rest != folded and len(rest) < _MIN_BESIDE_BLOCKED):
        raise RejectedError("This password is easy to guess.", code="sso.password.guessable")


def digest(password: str, *, salt: bytes, parameters: HashParameters) -> str:
    """The encoded Argon2id hash of a password (PHC string format)."""
    return hash_secret(
        _octets(password),
        salt,
        time_cost=parameters.passes,
        memory_cost=parameters.memory_kib,
        parallelism=parameters.lanes,
        hash_len=_DIGEST_BYTES,
        type=Type.ID,
    ).decode("ascii")


def unmatched(*, random: bytes, parameters: HashParameters) -> str:
    """An encoded hash that takes as long to compare with as any other, and that no password has.

    Args:
        random: ``UNMATCHED_BYTES`` random octets; that they are the hash of a password is as likely as guessing them.
        parameters: of the hashes to be like.
    """
    salt, made_up = (b64encode(part).rstrip(b"=").decode() for part in (random[:SALT_BYTES], random[SALT_BYTES:]))
    cost = f"m={parameters.memory_kib},t={parameters.passes},p={parameters.lanes}"
    return f"$argon2id$v=19${cost}${salt}${made_up}"


def verify(encoded: str, password: str) -> bool:
    """Whether this is the password. Raises ``InternalError`` where the stored hash cannot be read."""
    try:
        return verify_secret(encoded.encode("ascii"), _octets(password), Type.ID)
    except VerifyMismatchError:
        return False
    except (VerificationError, InvalidHashError) as error:
        raise InternalError("A stored password hash cannot be read.", code="sso.password.hash-unreadable") from error


def is_outdated(encoded: str, parameters: HashParameters) -> bool:
    """Whether the hash was made with other parameters than today's."""
    found: Parameters = extract_parameters(encoded)
    return (found.memory_cost, found.time_cost, found.parallelism, found.type) != (
        parameters.memory_kib, parameters.passes, parameters.lanes, Type.ID,
    )  # fmt: skip


def _normalised(password: str) -> str:
    """One form for what looks the same on different keyboards (NIST SP 800-63B-4 §3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def _octets(password: str) -> bytes:
    """The octets that are hashed; input beyond the maximum is replaced by something that no password is."""
    text = _normalised(password[: MAX_LENGTH + 1])
    return text.encode("utf-8", "surrogatepass") if len(text) <= MAX_LENGTH else b"\xff"
