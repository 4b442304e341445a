"""What a comparison answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ofd.geometry import Box

__all__ = ["Comparison", "PageChange", "PageState", "PartChange", "PartState", "TextChange", "ValueChange"]


class PartState(StrEnum):
    """What happened to a file of the package."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartChange:
    """A file that is not the same."""

    name: str
    state: PartState
    kinds: tuple[str, ...] = ()
    """What the file is linked as, such as ``page`` or ``font``; nothing when no strict reader finds it."""
    old_size: int | None = None
    new_size: int | None = None
    """Octets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueChange:
    """Metadata that is not the same; ``None`` for what is not there."""

    name: str
    """``title``, ``author``, …, and ``custom.<name>`` for CustomDatas."""
    old: str | None
    new: str | None


class PageState(StrEnum):
    """What happened to a page."""

    SAME = "same"
    MOVED = "moved"
    """The same page elsewhere."""
    REWRITTEN = "rewritten"
    """Made of other objects, and looks the same."""
    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextChange:
    """Lines that are not the same; empty for what is not there."""

    old: tuple[str, ...]
    new: tuple[str, ...]
    old_boxes: tuple[Box, ...] = ()
    new_boxes: tuple[Box, ...] = ()
    """Where the lines stand, in millimetres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageChange:
    """One page, and what became of it."""

    state: PageState
    old: int | None
    """Index in the old document, from 0."""
    new: int | None
    """Index in the new document, from 0."""
    text: tuple[TextChange, ...] = ()
    regions: tuple[Box, ...] = ()
    """Where the page looks otherwise, in millimetres."""
    error: str = ""
    """Code of the error, when a page could not be drawn."""

    @property
    def is_same(self) -> bool:
        """Whether a reader sees the same page in the same place."""
        return self.state in {PageState.SAME, PageState.REWRITTEN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Everything two documents differ in."""

    parts: tuple[PartChange, ...]
    values: tuple[ValueChange, ...]
    pages: tuple[PageChange, ...]
    """In the order of the new document; removed pages where they were."""
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_same(self) -> bool:
        """Whether nothing at all differs."""
        return not self.parts and not self.values and all(page.state is PageState.SAME for page in self.pages)

    @property
    def looks_same(self) -> bool:
        """Whether readers see the same pages."""
        return all(page.is_same for page in self.pages)

    def as_json(self) -> dict[str, object]:
        """The comparison as JSON-ready data; pages that are the same are left out and counted."""
        changed = [page for page in self.pages if page.state is not PageState.SAME]
        return {
            "same": self.is_same,
            "looks_same": self.looks_same,
            "facts": dict(self.facts),
            "parts": [
                {
                    "name": part.name,
                    "state": str(part.state),
                    "kinds": list(part.kinds),
                    "old_size": part.old_size,
                    "new_size": part.new_size,
                }
                for part in self.parts
            ],
            "values": [{"name": value.name, "old": value.old, "new": value.new} for value in self.values],
            "same_pages": len(self.pages) - len(changed),
            "pages": [_page_json(page) for page in changed],
        }


def _page_json(page: PageChange) -> dict[str, object]:
    return {
        "state": str(page.state),
        "old_page": None if page.old is None else page.old + 1,
        "new_page": None if page.new is None else page.new + 1,
        "text": [{"old": list(change.old), "new": list(change.new)} for change in page.text],
        "regions_mm": [[round(value, 2) for value in box] for box in page.regions],
        **({"error": page.error} if page.error else {}),
    }
