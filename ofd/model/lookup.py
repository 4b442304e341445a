"""Finding resources by ID: the page's own first, then the document's, then the public ones."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from ofd.model.objects import ColorSpace
from ofd.model.reading import same_id
from ofd.model.resources import Composite, DrawParam, Font, Media, Resources

__all__ = ["Lookup"]

_Found = TypeVar("_Found")
_LONGEST_CHAIN = 32
"""Draw parameters relative to one another; every object goes through them all."""


class Lookup:
    """Resource files in the order in which an ID is looked up."""

    def __init__(self, chain: Sequence[Resources]) -> None:
        """Look in these files, the first one first."""
        self.chain = tuple(chain)

    def font(self, identifier: str | None) -> Font | None:
        """A font."""
        return _find([item.fonts for item in self.chain], identifier)

    def color_space(self, identifier: str | None) -> ColorSpace | None:
        """A colour space."""
        return _find([item.color_spaces for item in self.chain], identifier)

    def draw_param(self, identifier: str | None) -> DrawParam | None:
        """A draw parameter."""
        return _find([item.draw_params for item in self.chain], identifier)

    def media(self, identifier: str | None) -> Media | None:
        """A picture, sound or film."""
        return _find([item.media for item in self.chain], identifier)

    def composite(self, identifier: str | None) -> Composite | None:
        """A composite."""
        return _find([item.composites for item in self.chain], identifier)

    def draw_params(self, identifier: str | None) -> tuple[DrawParam, ...]:
        """A draw parameter and those it is relative to, the nearest 32 first; a circle ends where it closes."""
        found: list[DrawParam] = []
        while len(found) < _LONGEST_CHAIN and (item := self.draw_param(identifier)) is not None and item not in found:
            found.append(item)
            identifier = item.relative
        return tuple(found)


def _find(tables: Sequence[Mapping[str, _Found]], identifier: str | None) -> _Found | None:
    if not identifier:
        return None
    key = same_id(identifier)
    return next((table[key] for table in tables if key in table), None)
