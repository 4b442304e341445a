"""What both renderers need: the composed page, the metadata, and the code that leads to the verification page."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import groupby

import segno

from licence_service.core.identifiers import LicenceIdentifier
from licence_service.core.layout import Box, Page, compose
from licence_service.core.metadata import MetadataValue, licence_metadata
from licence_service.core.record import LicenceRecord
from ofd.fonts import FontStack

__all__ = ["LicenceDocument", "qr_boxes"]

_QUIET_ZONE_MODULES = 2
_MASK = 2
"""One mask for all codes (ISO/IEC 18004 §7.8): a reader takes any, and trying all eight costs most of the making."""


@dataclass(frozen=True, kw_only=True)
class LicenceDocument:
    """One licence, ready to be rendered; the same values give the same file, octet by octet."""

    record: LicenceRecord
    identifier: LicenceIdentifier
    issuer: str
    """Name of the issuing authority."""
    address: str
    """What the QR code says: the verification address, with nothing personal in it."""
    created_at: datetime
    fonts: FontStack

    @property
    def title(self) -> str:
        """Title of the file: type and holder."""
        return f"{self.record.licence_type.name_zh} {self.record.name}"

    @cached_property
    def page(self) -> Page:
        """The page. Raises ``RejectedError`` for a text that does not fit or a character without a glyph."""
        return compose(self.record, identifier=str(self.identifier), issuer=self.issuer, advance=self.fonts.advance)

    @cached_property
    def metadata(self) -> tuple[MetadataValue, ...]:
        """GB/T 36903 metadata."""
        return licence_metadata(self.record, self.identifier, issuer=self.issuer, created_at=self.created_at)


def qr_boxes(place: Box, address: str) -> tuple[Box, ...]:
    """A QR code (ISO/IEC 18004, level M): one rectangle for each run of dark modules in a row.

    Two modules of the quiet zone are inside ``place``; the form leaves more than the other two blank around it.
    """
    code = segno.make(address, error="m", micro=False, mask=_MASK)
    rows = [[bool(module) for module in row] for row in code.matrix_iter(border=_QUIET_ZONE_MODULES)]
    size_mm = place.width_mm / len(rows)
    boxes = []
    for number, row in enumerate(rows):
        column = 0
        for dark, run in groupby(row):
            count = len(list(run))
            if dark:
                x_mm, y_mm = place.x_mm + column * size_mm, place.y_mm + number * size_mm
                boxes.append(Box(x_mm=x_mm, y_mm=y_mm, width_mm=count * size_mm, height_mm=size_mm))
            column += count
    return tuple(boxes)
