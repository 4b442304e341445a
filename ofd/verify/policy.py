"""What a verifier trusts and at which moment it asks."""

from dataclasses import dataclass
from datetime import datetime

from trustcore.x509.certificate import Certificate

__all__ = ["RevokedSeal", "VerificationPolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedSeal:
    """A seal that its maker or owner withdrew. No standard has a list of these: whoever keeps one hands it over."""

    seal_code: str
    """esID of the seal."""
    at: datetime
    """From then on it may not be used; aware."""
    maker_certificate_der: bytes | None = None
    """Of the maker whose seal is meant; codes of other makers' seals may be alike. ``None`` means any maker's."""


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
    ocsp_responses: tuple[bytes, ...] = ()
    """DER OCSP responses, beside those that travel in the file."""
    signers: tuple[Certificate, ...] = ()
    """Certificates that may have made a signature which carries none (a bare SM2 value of ``Type="Sign"``)."""
    revoked_seals: tuple[RevokedSeal, ...] = ()
    """Seals that were withdrawn."""
    seal_required: bool = False
    """Whether a document that is signed without any seal fails."""
