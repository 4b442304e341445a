"""How long work tells how far it is."""

from collections.abc import Callable

__all__ = ["Progress", "silent"]

Progress = Callable[[int, int], None]
"""Called with what is done and what there is to do, in the unit that the function names (pages, octets, files)."""


def silent(done: int, total: int) -> None:
    """Tells nobody."""
