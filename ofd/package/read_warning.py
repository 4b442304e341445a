"""What lenient reading had to guess."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = ["ReadWarning", "WarningList"]

_MOST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadWarning:
    """A place where a document breaks the standard and was read all the same.

    Other readers may have guessed otherwise: who verifies must not rely on it.
    """

    code: str
    """Stable: ``ofd.read.path-case``."""
    zh: str
    en: str
    evidence: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Entry names, locations and what was found instead."""


class WarningList:
    """Warnings in the order in which they came, each once, at most a thousand."""

    def __init__(self) -> None:
        """Start with none."""
        self._known: dict[tuple[str, tuple[tuple[str, str], ...]], ReadWarning] = {}

    def add(self, code: str, zh: str, en: str, **evidence: str) -> None:
        """Note a guess, unless it is known."""
        key = (code, tuple(evidence.items()))
        if len(self._known) < _MOST and key not in self._known:
            self._known[key] = ReadWarning(code=code, zh=zh, en=en, evidence=MappingProxyType(dict(evidence)))

    def __iter__(self) -> Iterator[ReadWarning]:
        """In the order found."""
        return iter(tuple(self._known.values()))

    def __len__(self) -> int:
        """How many."""
        return len(self._known)
