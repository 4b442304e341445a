"""What a verifier trusts and at which moment it asks."""

from dataclasses import dataclass
from datetime import datetime

from trustcore.x509.certificate import Certificate

__all__ = ["VerificationPolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationPolicy:
    """Trust and time of one verification."""

    roots: tuple[Certificate, ...]
    """Trusted root certificates."""
    crls: tuple[bytes, ...] = ()
    """DER CRLs, beside those that travel in the file."""
    intermediates: tuple[Certificate, ...] = ()
    """Issuing certificates, beside those that travel in the file."""
    at: datetime
    """Now, or the moment as of which the answer is wanted; aware."""
