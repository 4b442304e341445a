"""Reading the elements of a SEQUENCE one after another, and the odd forms that deployed seals give them.

Whatever is read in another form than the standard's is named in ``variants``, so that a report can tell it.
"""

import re
from datetime import UTC, datetime, timedelta, timezone

from trustcore.asn1.reader import Node, parse
from trustcore.errors import MalformedError

__all__ = [
    "Fields",
    "read_bits",
    "read_certificate",
    "read_signature",
    "read_small_integer",
    "read_time",
    "read_time_text",
    "read_token",
]

BIT_STRING, OCTET_STRING, SEQUENCE = 0x03, 0x04, 0x30
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
_CONSTRUCTED_OCTETS = 0x24
_PRIMITIVE_0 = 0x80
_MAX_INTEGER = 0x7FFFFFFF
_RAW_SM2_OCTETS = 64
_CHINA = timezone(timedelta(hours=8))
_TIME_TEXT = re.compile(
    r"(\d{4})[-/.]?(\d{2})[-/.]?(\d{2})[ T]?(\d{2}):?(\d{2}):?(\d{2})?(?:[.,]\d+)?(Z|[+-]\d{2}:?\d{2})?", re.ASCII
)


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


def read_time(node: Node, variants: list[str], *, tag: int = GENERALIZED_TIME) -> datetime:
    """A time as aware UTC.

    One without zone is local time (X.680 §46.3), which for seals is China Standard Time.

    Args:
        node: UTCTime or GeneralizedTime.
        variants: gets ``time-type`` for another type than ``tag``, ``time-form`` for another form than
            ``YYYYMMDDHHMMSSZ`` and ``YYMMDDHHMMSSZ``.
        tag: what the standard asks for; GM/T 0031-2014 wrote UTCTime.
    """
    text = node.content
    if node.tag != tag:
        variants.append("time-type")
    elif len(text) != (15 if tag == GENERALIZED_TIME else 13) or not text.endswith(b"Z"):
        variants.append("time-form")
    at = node.time()
    zoned = text.endswith(b"Z") or b"+" in text or b"-" in text
    return at if zoned else at.replace(tzinfo=_CHINA).astimezone(UTC)


def read_time_text(text: str) -> datetime:
    """A time written as text, ``20200305112131Z`` or ``2020-03-05 11:21:31``; without zone China Standard Time.

    Raises:
        MalformedError: ``ofd.ses.time``.
    """
    match = _TIME_TEXT.fullmatch(text.strip())
    if match is None:
        raise MalformedError("The time in a seal's signature cannot be read.", code="ofd.ses.time")
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    zone = match.group(7)
    try:
        tz = _CHINA if zone is None else datetime.strptime(zone, "%z").tzinfo
        return datetime(year, month, day, hour, minute, second, tzinfo=tz).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise MalformedError("The time in a seal's signature cannot be read.", code="ofd.ses.time") from error


def read_certificate(node: Node, variants: list[str]) -> bytes:
    """A DER certificate in an OCTET STRING; also bare, or in a character string, as ``certificate-type``."""
    if node.tag in {OCTET_STRING, _CONSTRUCTED_OCTETS}:
        return node.octets()
    variants.append("certificate-type")
    if node.tag == SEQUENCE:
        return node.raw
    return parse(node.expect(0x0C, 0x13, 0x16).content).raw


def read_bits(node: Node, variants: list[str]) -> bytes:
    """A BIT STRING of whole octets; an OCTET STRING in its place is ``bits-type``."""
    if node.tag == BIT_STRING:
        return node.bit_string()
    variants.append("bits-type")
    return node.octets()


def read_signature(node: Node, variants: list[str]) -> bytes:
    """The octets of a signature; 64 raw ones are told as ``raw-signature``."""
    value = read_bits(node, variants)
    if len(value) == _RAW_SM2_OCTETS:
        variants.append("raw-signature")
    return value


def read_token(node: Node | None, variants: list[str]) -> bytes | None:
    """``timeStamp [0] EXPLICIT BIT STRING``; other ways to wrap the token are told as ``time-stamp-type``."""
    if node is None:
        return None
    if node.tag == _PRIMITIVE_0:
        variants.append("time-stamp-type")
        return node.content[1:] if node.content[:1] == b"\0" else node.content
    inner = node[0]
    if len(node.children) != 1:
        raise MalformedError("A structure has more elements than the standard knows.", code="ofd.ses.surplus")
    if inner.tag == BIT_STRING:
        return inner.bit_string()
    variants.append("time-stamp-type")
    return inner.raw if inner.tag == SEQUENCE else inner.octets()
