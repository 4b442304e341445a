"""What the licence service needs from others."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from trustcore.errors import TrustError
from trustcore.report import Report

__all__ = ["Documents", "Seals", "Unsealed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsealed:
    """A document that waits for its seal."""

    form: str
    """``ofd``; or for a PDF ``pades`` (RSA, PAdES) or ``gm`` (SM2, ``GM.sm2seal``)."""
    data: bytes = field(repr=False)
    box_mm: tuple[float, float, float, float]
    """x, y, width, height of the seal's picture from the top left of the first page."""


class Seals(Protocol):
    """The department's seals. Safe to share between threads."""

    def stamp(self, seal_id: str, documents: Sequence[Unsealed]) -> tuple[bytes | TrustError, ...]:
        """Seal documents; an OFD package as a whole.

        Every document is answered in its place, sealed or with what kept it from being. After a failure that is not the
        document's own, such as ``BusyError`` when no machine can sign, the rest is answered with the same.

        Raises:
            NotFoundError: there is no such seal.
        """

    def verify(self, data: bytes) -> Report:
        """Verify a sealed OFD or PDF, found out from its content. Never raises for what the file holds."""


class Documents(Protocol):
    """Where sealed files are kept, by the SHA-256 of their octets. Safe to share between threads."""

    def put(self, data: bytes) -> str:
        """Keep a file and return its SHA-256 in lower-case hexadecimal; it survives a loss of power from then on.

        Raises:
            BusyError: ``licence.storage.full`` or ``licence.storage.unavailable``.
        """

    def get(self, sha256: str) -> bytes:
        """The file, its digest checked.

        Raises:
            NotFoundError: ``licence.storage.not-found``.
            InternalError: ``licence.storage.damaged`` when the octets are not those that were kept.
        """
