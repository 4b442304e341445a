"""Was a certificate revoked at a moment? Answered from CRLs and OCSP responses that come from anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from trustcore.x509.certificate import Certificate
from trustcore.x509.crl import Crl, RevocationReason
from trustcore.x509.ocsp import CertificateStatus, OcspResponse

__all__ = ["Finding", "Revocation", "find_revocation"]


class Finding(StrEnum):
    """What the evidence says of a certificate at a moment."""

    GOOD = "good"
    REVOKED = "revoked"
    """Revoked at or before the moment."""
    REVOKED_LATER = "revoked-later"
    """Good at the moment, revoked after it."""
    UNKNOWN = "unknown"
    """There is no evidence that counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """The finding and what it rests on."""

    finding: Finding
    source: str = ""
    """``crl`` or ``ocsp``; empty without evidence."""
    evidence_time: datetime | None = None
    """When the evidence was made (thisUpdate)."""
    revoked_at: datetime | None = None
    reason: RevocationReason | None = None


def find_revocation(
    certificate: Certificate,
    issuer: Certificate,
    *,
    at: datetime,
    crls: Sequence[Crl],
    ocsp_responses: Sequence[OcspResponse] = (),
) -> Revocation:
    """Look the certificate up in all evidence its issuer signed; the worst finding counts.

    A CRL says that a certificate was good at ``at`` when ``thisUpdate ≤ at ≤ nextUpdate`` (RFC 5280 §6.3.3), and also
    when it is younger than ``at`` and was made while the certificate had not expired, so that its entry could not yet
    have been dropped (RFC 5280 §3.3). A younger list that names it decides by the revocation date.
    """
    findings = [_in_crl(certificate, crl, at) for crl in crls if crl.covers(certificate) and crl.is_signed_by(issuer)]
    findings += [
        _in_response(certificate, issuer, response, at) for response in ocsp_responses if response.is_signed_for(issuer)
    ]
    for finding in (Finding.REVOKED, Finding.REVOKED_LATER, Finding.GOOD):
        fitting = [item for item in findings if item.finding is finding]
        if fitting:
            return fitting[-1]
    return Revocation(finding=Finding.UNKNOWN)


def _in_crl(certificate: Certificate, crl: Crl, at: datetime) -> Revocation:
    entry = crl.lookup(certificate.serial_number)
    if entry is not None:
        finding = Finding.REVOKED if entry.at <= at else Finding.REVOKED_LATER
        return Revocation(
            finding=finding, source="crl", evidence_time=crl.this_update, revoked_at=entry.at, reason=entry.reason
        )
    current = crl.this_update <= at and crl.next_update is not None and at <= crl.next_update
    younger = at < crl.this_update <= certificate.not_after
    finding = Finding.GOOD if current or younger else Finding.UNKNOWN
    return Revocation(finding=finding, source="crl", evidence_time=crl.this_update)


def _in_response(certificate: Certificate, issuer: Certificate, response: OcspResponse, at: datetime) -> Revocation:
    single = response.find(certificate.serial_number, issuer)
    if single is None or single.status is CertificateStatus.UNKNOWN:
        return Revocation(finding=Finding.UNKNOWN)
    if single.status is CertificateStatus.REVOKED and single.revoked_at is not None:
        return Revocation(
            finding=Finding.REVOKED if single.revoked_at <= at else Finding.REVOKED_LATER,
            source="ocsp",
            evidence_time=single.this_update,
            revoked_at=single.revoked_at,
            reason=single.reason,
        )
    finding = Finding.GOOD if single.holds_at(at, certificate.not_after) else Finding.UNKNOWN
    return Revocation(finding=finding, source="ocsp", evidence_time=single.this_update)
