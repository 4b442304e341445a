"""Where one service's words are another's: small classes that translate between ports."""

from collections.abc import Sequence

from licence_service.ports import Unsealed
from ofd.seal import StampAnnotation
from seal_service.core.placement import Placement
from seal_service.documents import OfdOrder, PdfOrder, StampOrder
from seal_service.service import SealService
from trustcore.errors import TrustError
from trustcore.report import Report

__all__ = ["LicenceSeals"]


class LicenceSeals:
    """The seal service as the licence service's ``Seals``.

    A seal is named by its identifier or by the request under which it was made, so that settings can name the seal
    of a department before it exists.
    """

    def __init__(self, seals: SealService) -> None:
        self._seals = seals

    def stamp(self, seal_id: str, documents: Sequence[Unsealed]) -> tuple[bytes | TrustError, ...]:
        """Seal documents; the picture goes onto the first page."""
        return self._seals.stamp_many(self._resolve(seal_id), [_order(document) for document in documents])

    def verify(self, data: bytes) -> Report:
        """Verify a sealed OFD or PDF."""
        return self._seals.verify(data)

    def _resolve(self, seal_id: str) -> str:
        return self._seals.find_made_for(seal_id) or seal_id


def _order(document: Unsealed) -> StampOrder:
    x_mm, y_mm, width_mm, height_mm = document.box_mm
    if document.form == "ofd":
        stamp = StampAnnotation(x_mm=x_mm, y_mm=y_mm, width_mm=width_mm, height_mm=height_mm)
        return OfdOrder(package=document.data, stamps=(stamp,))
    placement = Placement(page=1, x_mm=x_mm, y_mm=y_mm, width_mm=width_mm, height_mm=height_mm)
    return PdfOrder(pdf=document.data, form=document.form, placement=placement)
