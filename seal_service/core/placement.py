"""Where on a page a seal goes."""

from dataclasses import dataclass

__all__ = ["Placement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A rectangle on a page as the reader sees it, rotation and cropping applied."""

    page: int
    """From 1."""
    x_mm: float
    """Left edge, from the left edge of the page."""
    y_mm: float
    """Upper edge, from the upper edge of the page (downwards, as in GB/T 33190-2016 §7.3)."""
    width_mm: float
    height_mm: float
