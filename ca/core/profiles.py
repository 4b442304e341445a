"""Certificate profiles, as data: what each kind of certificate says and for how long."""

from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from trustcore.errors import NotFoundError
from trustcore.x509 import oids

__all__ = ["AUTHORITY_PROFILES", "PROFILES", "Profile", "end_entity_profile"]

_SIGNING = ("digitalSignature", "nonRepudiation")
_CERTIFYING = ("keyCertSign", "cRLSign")
_YEARS = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One kind of certificate."""

    name: str
    clause: str
    """Where its rules come from."""
    key_usage: tuple[str, ...]
    """Bits of KeyUsage, critical (RFC 5280 §4.2.1.3)."""
    purposes: tuple[str, ...] = ()
    """OIDs of ExtendedKeyUsage; none leaves the extension out."""
    purposes_critical: bool = False
    is_ca: bool = False
    path_length: int | None = None
    """CAs that may follow, for a CA."""
    lifetime: timedelta
    """The usual and longest lifetime."""
    ocsp_no_check: bool = False
    """A responder's certificate is trusted for its lifetime (RFC 6960 §4.2.2.2.1)."""


PROFILES = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            Profile(
                name="root", clause="RFC 5280 §4.2.1.9; GB/T 20518-2018 §5.2.4", key_usage=_CERTIFYING, is_ca=True,
                lifetime=30 * _YEARS,
            ),
            Profile(
                name="issuing", clause="RFC 5280 §4.2.1.9; GB/T 20518-2018 §5.2.4", key_usage=_CERTIFYING, is_ca=True,
                path_length=0, lifetime=15 * _YEARS,
            ),
            Profile(
                name="seal-maker", clause="GB/T 38540-2020 §6; GB/T 20518-2018 §5.2.4.2.3", key_usage=_SIGNING,
                lifetime=10 * _YEARS,
            ),
            Profile(
                name="seal-signer", clause="GB/T 38540-2020 §7; GB/T 20518-2018 §5.2.4.2.3; RFC 9336 §3.2",
                key_usage=_SIGNING, purposes=(oids.PURPOSE_DOCUMENT_SIGNING,), lifetime=5 * _YEARS,
            ),
            Profile(
                # PDF readers built on NSS trust a signer only with emailProtection beside documentSigning.
                name="document-signer", clause="RFC 9336 §3.2", key_usage=_SIGNING,
                purposes=(oids.PURPOSE_DOCUMENT_SIGNING, oids.PURPOSE_EMAIL_PROTECTION), lifetime=5 * _YEARS,
            ),
            Profile(
                name="time-stamping", clause="RFC 3161 §2.3", key_usage=("digitalSignature",),
                purposes=(oids.PURPOSE_TIME_STAMPING,), purposes_critical=True, lifetime=9 * _YEARS,
            ),
            Profile(
                name="ocsp-responder", clause="RFC 6960 §4.2.2.2", key_usage=("digitalSignature",),
                purposes=(oids.PURPOSE_OCSP_SIGNING,), ocsp_no_check=True, lifetime=1 * _YEARS,
            ),
        )
    }
)  # fmt: skip
"""Every profile, by name."""

AUTHORITY_PROFILES = ("root", "issuing")
"""Profiles of CAs; they are used when an authority is founded and never for a request."""


def end_entity_profile(name: str) -> Profile:
    """The profile with this name. Raises ``NotFoundError`` (``ca.profile.unknown``), also for those of CAs."""
    if name in AUTHORITY_PROFILES or name not in PROFILES:
        known = ", ".join(sorted(set(PROFILES) - set(AUTHORITY_PROFILES)))
        raise NotFoundError(f"There is no certificate profile {name}; there are {known}.", code="ca.profile.unknown")
    return PROFILES[name]
