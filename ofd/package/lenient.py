"""Reading what the standard does not allow but documents contain."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["ReadWarning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadWarning:
    """Something that was read although it should not stand so."""

    code: str
    zh: str
    en: str
    evidence: Mapping[str, str] = field(default_factory=dict)
