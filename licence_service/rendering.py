"""What both renderers need: the composed page, the metadata, and the code that leads to the verification page."""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache

from licence_service.core.identifiers import LicenceIdentifier
from licence_service.core.layout import Box, Page, compose
from licence_service.core.metadata import MetadataValue, licence_metadata
from licence_service.core.qr import modules
from licence_service.core.record import LicenceRecord
from ofd.fonts.faces import FontStack

__all__ = ["LicenceDocument", "qr_boxes"]

_QUIET_ZONE_MODULES = 2
_DARK_RUN = re.compile("1+")


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


@lru_cache(maxsize=32)
def qr_boxes(place: Box, address: str) -> tuple[Box, ...]:
    """A QR code (ISO/IEC 18004, level M): one rectangle for each run of dark modules in a row.

    Two modules of the quiet zone are inside ``place``; the form leaves more than the other two blank around it.
    """
    rows = modules(address)
    size_mm = place.width_mm / (len(rows) + 2 * _QUIET_ZONE_MODULES)
    left_mm, top_mm = place.x_mm + _QUIET_ZONE_MODULES * size_mm, place.y_mm + _QUIET_ZONE_MODULES * size_mm
    return tuple(
        Box(
            x_mm=left_mm + run.start() * size_mm,
            y_mm=top_mm + number * size_mm,
            width_mm=(run.end() - run.start()) * size_mm,
            height_mm=size_mm,
        )
        for number, row in enumerate(rows)
        for run in _DARK_RUN.finditer(row)
    )
