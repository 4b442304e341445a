"""Proof key for code exchange: S256 and nothing else (RFC 7636, RFC 9700 §2.1.1)."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode

__all__ = ["challenge_of", "is_challenge", "is_verifier", "matches"]

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def is_challenge(value: str) -> bool:
    """Whether this can be BASE64URL(SHA-256(…)) (RFC 7636 §4.2)."""
    return _CHALLENGE.fullmatch(value) is not None


def is_verifier(value: str) -> bool:
    """Whether this is 43 to 128 unreserved characters (RFC 7636 §4.1)."""
    return _VERIFIER.fullmatch(value) is not None


def challenge_of(verifier: str) -> str:
    """``code_challenge`` of a verifier under S256."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode("ascii")


def matches(verifier: str, challenge: str) -> bool:
    """Whether ``verifier`` is the one that ``challenge`` was made of (RFC 7636 §4.6)."""
    return is_verifier(verifier) and hmac.compare_digest(challenge_of(verifier), challenge)
