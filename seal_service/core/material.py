"""What a verifier needs beside the root: certificates of issuers and their CRLs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from trustcore.x509.certificate import Certificate
from trustcore.x509.crl import Crl

__all__ = ["ValidationMaterial", "validation_material"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationMaterial:
    """Travels inside a sealed document, so that the document and a root alone verify."""

    issuers: tuple[bytes, ...]
    """DER certificates of the issuing authorities, without roots: a verifier has those, and takes none from a file."""
    crls: tuple[bytes, ...]
    """DER CRLs, one of each authority on the way to the root."""
    fresh_until: datetime | None
    """When the first of the CRLs is out of date; ``None`` when none says."""


def validation_material(chain: Sequence[bytes], crls: Sequence[bytes]) -> ValidationMaterial:
    """Put material together.

    Args:
        chain: DER certificates of the authorities, issuing authority first, root last.
        crls: DER CRLs of these authorities.

    Raises:
        MalformedError: one of them cannot be read.
    """
    issuers = tuple(der for der in chain if not Certificate.from_der(der).is_self_issued)
    ends = [crl.next_update for crl in map(Crl.from_der, crls) if crl.next_update is not None]
    return ValidationMaterial(issuers=issuers, crls=tuple(crls), fresh_until=min(ends, default=None))
