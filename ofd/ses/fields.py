"""Reading the elements of a SEQUENCE one after another, and the times that deployed seals write."""

from datetime import UTC, datetime, timedelta, timezone

from trustcore.asn1.reader import Node
from trustcore.errors import MalformedError

__all__ = ["Fields", "read_small_integer", "read_time"]

_GENERALIZED_TIME = 0x18
_MAX_INTEGER = 0x7FFFFFFF
_CHINA = timezone(timedelta(hours=8))


class Fields:
    """A cursor over the elements of one SEQUENCE; raises ``MalformedError`` for missing and superfluous ones."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._position = 0

    def next(self, *tags: int) -> Node:
        """The next element, with one of ``tags`` when any are given."""
        node = self._node[self._position]
        self._position += 1
        return node.expect(*tags) if tags else node

    def optional(self, *tags: int) -> Node | None:
        """The next element if it is there and has one of ``tags``."""
        children = self._node.children
        if self._position < len(children) and children[self._position].tag in tags:
            return self.next()
        return None

    def end(self) -> None:
        """Refuse elements that were not read: what is not understood is not verified."""
        if self._position != len(self._node.children):
            raise MalformedError("A structure has more elements than the standard knows.", code="ofd.ses.surplus")


def read_small_integer(node: Node) -> int:
    """A version, kind or length: an INTEGER of at most 31 bits; ``MalformedError`` (``ofd.ses.integer``) above."""
    value = node.integer()
    if not 0 <= value <= _MAX_INTEGER:
        raise MalformedError("A version, kind or length is out of range.", code="ofd.ses.integer")
    return value


def read_time(node: Node, variants: list[str]) -> datetime:
    """A time as aware UTC.

    One without zone is local time (X.680 §46.3), which for seals is China Standard Time. Deviations from
    ``YYYYMMDDHHMMSSZ`` are added to ``variants``.
    """
    text = node.content
    if node.tag != _GENERALIZED_TIME:
        variants.append("time-type")
    elif len(text) != len("YYYYMMDDHHMMSSZ") or not text.endswith(b"Z"):
        variants.append("time-form")
    at = node.time()
    zoned = text.endswith(b"Z") or b"+" in text or b"-" in text
    return at if zoned else at.replace(tzinfo=_CHINA).astimezone(UTC)
