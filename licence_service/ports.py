"""What the licence service needs from others."""

from typing import Protocol

from trustcore.report import Report

__all__ = ["Documents", "Seals"]


class Seals(Protocol):
    """The department's seals. Safe to share between threads."""

    def stamp_ofd(self, seal_id: str, package: bytes, *, box_mm: tuple[float, float, float, float]) -> bytes:
        """Seal a whole OFD package; the picture goes onto the first page.

        Args:
            seal_id: which seal.
            package: an OFD without signature.
            box_mm: x, y, width, height of the picture from the top left of the page.

        Raises:
            NotFoundError: there is no such seal.
            BusyError: no machine can sign now.
        """

    def stamp_pdf(self, seal_id: str, pdf: bytes, *, form: str, box_mm: tuple[float, float, float, float]) -> bytes:
        """Seal a PDF; ``form`` is ``pades`` (RSA, PAdES) or ``gm`` (SM2, ``GM.sm2seal``), the rest as ``stamp_ofd``."""

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
