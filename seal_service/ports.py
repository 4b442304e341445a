"""What the seal service needs from others; keys come through :mod:`trustcore.signing`."""

from typing import Protocol

from trustcore.crypto.algorithms import DigestAlgorithm

__all__ = ["Certificates", "Timestamps"]


class Certificates(Protocol):
    """A certification authority. Safe to share between threads."""

    def issue(self, authority: str, csr_der: bytes, *, profile: str, request_id: str) -> bytes:
        """DER certificate; the same request id gives the same certificate."""

    def chain(self, authority: str) -> tuple[bytes, ...]:
        """DER certificates, the authority's first, the root's last."""

    def crl(self, authority: str) -> bytes:
        """The DER CRL in force that the authority signed."""


class Timestamps(Protocol):
    """A time-stamping authority. Safe to share between threads."""

    def timestamp_token(self, authority: str, digest_algorithm: DigestAlgorithm, digest: bytes) -> bytes:
        """DER TimeStampToken (RFC 3161 §2.4.2) over a digest, chained to the root of ``authority``."""
