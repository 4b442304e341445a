"""Settings of the seal service."""

from datetime import timedelta

from pydantic import ByteSize

from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.settings import Section

__all__ = ["SealSettings"]


class SealSettings(Section):
    """E-seals: who certifies them, and how large documents may be."""

    sm2_authorities: tuple[str, ...] = ("sm2-issuing", "sm2-root")
    """Authorities of the SM2 hierarchy, issuing first: certificates and CRLs of seals for OFD and GM PDF."""
    rsa_authorities: tuple[str, ...] = ("rsa-issuing", "rsa-root")
    """Authorities of the RSA hierarchy, issuing first: certificates and CRLs for PAdES."""
    rsa_key: KeyAlgorithm = KeyAlgorithm.RSA_2048
    """Kind of the key that signs PAdES."""
    maker_organization: str = "信印电子印章中心"
    """Organisation in the certificate of the seal maker 制章人."""
    refresh_after: timedelta = timedelta(minutes=10)
    """Chains and CRLs that travel in documents are asked for again after this time."""
    refresh_before: timedelta = timedelta(hours=1)
    """They are also asked for again when a CRL has less than this left."""
    max_document: ByteSize = ByteSize(64 * 1024 * 1024)
    """Largest document that is sealed or verified."""
