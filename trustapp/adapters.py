"""Where one service's words are another's: small classes that translate between ports."""

from ofd.seal import StampAnnotation
from seal_service.core.placement import Placement
from seal_service.service import SealService
from trustcore.report import Report

__all__ = ["LicenceSeals"]


class LicenceSeals:
    """The seal service as the licence service's ``Seals``.

    A seal is named by its identifier or by the request under which it was made, so that settings can name the seal
    of a department before it exists.
    """

    def __init__(self, seals: SealService) -> None:
        self._seals = seals

    def stamp_ofd(self, seal_id: str, package: bytes, *, box_mm: tuple[float, float, float, float]) -> bytes:
        """Seal a whole OFD package; the picture goes onto the first page."""
        x_mm, y_mm, width_mm, height_mm = box_mm
        stamp = StampAnnotation(x_mm=x_mm, y_mm=y_mm, width_mm=width_mm, height_mm=height_mm)
        return self._seals.stamp_ofd(self._resolve(seal_id), package, [stamp])

    def stamp_pdf(self, seal_id: str, pdf: bytes, *, form: str, box_mm: tuple[float, float, float, float]) -> bytes:
        """Seal a PDF; the picture goes onto the first page."""
        x_mm, y_mm, width_mm, height_mm = box_mm
        placement = Placement(page=1, x_mm=x_mm, y_mm=y_mm, width_mm=width_mm, height_mm=height_mm)
        return self._seals.stamp_pdf(self._resolve(seal_id), pdf, form=form, placement=placement)

    def verify(self, data: bytes) -> Report:
        """Verify a sealed OFD or PDF."""
        return self._seals.verify(data)

    def _resolve(self, seal_id: str) -> str:
        return self._seals.find_made_for(seal_id) or seal_id
