"""Sessions: when they end, and what the cookie's value is to the store."""

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta

__all__ = ["TOKEN_BYTES", "Lifetime", "is_live", "opaque", "stored_form"]

TOKEN_BYTES = 32
"""Random octets of a session identifier or code (at least 128 bits: ASVS 5.0 V7.2.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """How long a session lives."""

    idle: timedelta
    """Since it was last used."""
    absolute: timedelta
    """Since the login."""


def is_live(
    *, auth_time: datetime, last_seen_at: datetime, ended_at: datetime | None, lifetime: Lifetime, now: datetime
) -> bool:
    """Whether a session counts at ``now``. Both limits are exclusive."""
    return ended_at is None and now - last_seen_at < lifetime.idle and now - auth_time < lifetime.absolute


def opaque(random: bytes) -> str:
    """Random octets as a value for a cookie, code or secret."""
    return urlsafe_b64encode(random).rstrip(b"=").decode("ascii")


def stored_form(value: str) -> str:
    """What the database keeps of an opaque value: its SHA-256, so that a stolen copy opens nothing."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
