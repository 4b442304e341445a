"""Lenient, offset-preserving reading of DER and BER.

A signature covers the bytes that were received, so a node keeps its place in them: :attr:`Node.raw` is what came over
the wire, never something encoded again. Deployed seals and certificates break DER in many ways (explicit ``FALSE``,
long-form lengths, indefinite length, odd string types); this reader accepts them and lets the caller judge. What it
does not accept is what cannot be bounded: truncated values, more than :data:`MAX_DEPTH` levels, input above
:data:`MAX_BYTES`.
"""

from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from trustcore.errors import MalformedError

__all__ = ["MAX_BYTES", "MAX_DEPTH", "Node", "parse", "parse_prefix"]

MAX_BYTES = 64 * 1024 * 1024
"""Largest input that is read, in bytes; CRLs of a province stay below it."""
MAX_DEPTH = 64
"""Deepest nesting that is read; the deepest structure in use (a token in a seal in a signature) needs about 20."""

_CONSTRUCTED = 0x20
_HIGH_TAG = 0x1F
_INDEFINITE = 0x80
_MAX_LENGTH_OCTETS = 4
_MAX_OID_OCTETS = 256
"""Far above any in use; the time to print a number grows with the square of its length."""
_STRING_ENCODINGS = {0x0C: "utf-8", 0x13: "ascii", 0x16: "ascii", 0x1A: "ascii", 0x1C: "utf-32-be", 0x1E: "utf-16-be"}
_LAST_CENTURY = 50


def _malformed(detail: str, reason: str, offset: int) -> MalformedError:
    return MalformedError(f"{detail} at offset {offset}", code=f"asn1.{reason}", offset=offset)


class Node:
    """One value in a buffer. Nobody changes it; it shares the buffer with its relatives."""

    __slots__ = ("_children", "buffer", "content_end", "content_offset", "depth", "end", "offset")

    def __init__(  # noqa: PLR0917 - made by the thousand, and here alone
        self, buffer: bytes, offset: int, content_offset: int, content_end: int, end: int, depth: int
    ) -> None:
        self.buffer = buffer
        self.offset = offset
        """Where the identifier octet stands in ``buffer``."""
        self.content_offset = content_offset
        self.content_end = content_end
        """End of the content, exclusive."""
        self.end = end
        """End of the value including end-of-contents octets, exclusive."""
        self.depth = depth
        self._children: tuple[Node, ...] | None = None

    @property
    def tag(self) -> int:
        """The identifier octet: class, constructed bit, number (0x30 for SEQUENCE, 0xA0 for ``[0]`` constructed)."""
        return self.buffer[self.offset]

    @property
    def raw(self) -> bytes:
        """The whole value exactly as received."""
        return self.buffer[self.offset : self.end]

    @property
    def content(self) -> bytes:
        """The value octets."""
        return self.buffer[self.content_offset : self.content_end]

    @property
    def constructed(self) -> bool:
        """Whether the value is made of other values."""
        return bool(self.tag & _CONSTRUCTED)

    @property
    def children(self) -> tuple["Node", ...]:
        """The values inside a constructed one, in order; empty for a primitive one."""
        if self._children is None:
            self._children = _read_all(self) if self.constructed else ()
        return self._children

    def __getitem__(self, index: int) -> "Node":
        """The child at ``index``; ``MalformedError`` (``asn1.missing``) when there is none."""
        try:
            return self.children[index]
        except IndexError:
            detail = f"a value with at least {index + 1} parts was expected"
            raise _malformed(detail, "missing", self.offset) from None

    def expect(self, *tags: int) -> "Node":
        """This node, if its identifier octet is one of ``tags``; else ``MalformedError`` (``asn1.tag``)."""
        if self.tag not in tags:
            wanted = " or ".join(f"{tag:#04x}" for tag in tags)
            raise _malformed(f"tag {self.tag:#04x} where {wanted} was expected", "tag", self.offset)
        return self

    def find(self, tag: int) -> "Node | None":
        """The first child with this identifier octet."""
        return next((child for child in self.children if child.tag == tag), None)

    def within(self, offset: int) -> "Node":
        """Read a value that an OCTET or BIT STRING wraps, ``offset`` octets into its content."""
        node = _read(self.buffer, self.content_offset + offset, self.content_end, self.depth + 1)
        if node.end != self.content_end:
            raise _malformed("bytes follow the wrapped value", "trailing", node.end)
        return node

    def oid(self) -> str:
        """An OBJECT IDENTIFIER in dotted form."""
        content = self.expect(0x06).content
        if not content or content[-1] & 0x80 or len(content) > _MAX_OID_OCTETS:
            raise _malformed("an object identifier is cut short or too long", "oid", self.offset)
        return _dotted(content)

    def integer(self) -> int:
        """An INTEGER or ENUMERATED."""
        content = self.expect(0x02, 0x0A).content
        if not content:
            raise _malformed("an integer without octets", "integer", self.offset)
        return int.from_bytes(content, "big", signed=True)

    def boolean(self) -> bool:
        """A BOOLEAN; any octet but 00 is true (X.690 §8.2.2)."""
        return any(self.expect(0x01).content)

    def octets(self) -> bytes:
        """An OCTET STRING, also in BER's constructed form."""
        if self.tag == 0x24:
            return b"".join(child.octets() for child in self.children)
        return self.expect(0x04).content

    def bit_string(self) -> bytes:
        """A BIT STRING of whole octets."""
        content = self.expect(0x03).content
        if not content or content[0] != 0:
            raise _malformed("a bit string that is not whole octets", "bit-string", self.offset)
        return content[1:]

    def named_bits(self) -> frozenset[int]:
        """The numbers of the set bits of a BIT STRING."""
        content = self.expect(0x03).content
        if not content or content[0] > 7:
            raise _malformed("a bit string with a wrong count of unused bits", "bit-string", self.offset)
        return frozenset(8 * i + b for i, octet in enumerate(content[1:]) for b in range(8) if octet & 0x80 >> b)

    def text(self) -> str:
        """A character string of any type; T61 and unknown bytes are tried as UTF-8, then GB 18030."""
        encoding = _STRING_ENCODINGS.get(self.tag)
        for candidate in (encoding,) if encoding in {"utf-32-be", "utf-16-be"} else ("utf-8", "gb18030"):
            try:
                return self.content.decode(candidate)
            except UnicodeDecodeError:
                continue
        raise _malformed("a character string that cannot be read", "text", self.offset)

    def time(self) -> datetime:
        """A UTCTime or GeneralizedTime as aware UTC; a missing zone is taken as UTC, missing seconds as zero."""
        text = self.expect(0x17, 0x18).content
        try:
            return _time(text.decode("ascii"), short_year=self.tag == 0x17)
        except (ValueError, OverflowError):
            raise _malformed("a time that cannot be read", "time", self.offset) from None


@lru_cache(maxsize=512)
def _dotted(content: bytes) -> str:
    arcs: list[int] = []
    arc = 0
    for octet in content:
        arc = arc << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in (first, arcs[0] - first * 40, *arcs[1:]))


def _time(text: str, *, short_year: bool) -> datetime:
    zone = UTC
    if text.endswith("Z"):
        text = text[:-1]
    elif len(text) > 5 and text[-5] in "+-":
        sign = -1 if text[-5] == "-" else 1
        offset = sign * timedelta(hours=int(text[-4:-2]), minutes=int(text[-2:]))
        zone = timezone(offset)
        text = text[:-5]
    text, _, fraction = text.replace(",", ".").partition(".")
    year_digits = 2 if short_year else 4
    year = int(text[:year_digits])
    if short_year:
        year += 1900 if year >= _LAST_CENTURY else 2000
    rest = text[year_digits:]
    if len(rest) not in {6, 8, 10} or not rest.isdigit():
        raise ValueError(text)
    month, day, hour, minute, second = (int(rest[i : i + 2] or "0") for i in range(0, 10, 2))
    microsecond = int((fraction + "000000")[:6]) if fraction else 0
    return datetime(year, month, day, hour, minute, second, microsecond, tzinfo=zone).astimezone(UTC)


def _read_all(node: Node) -> tuple[Node, ...]:
    """The values that follow each other in a constructed one."""
    nodes: list[Node] = []
    position = node.content_offset
    while position < node.content_end:
        child = _read(node.buffer, position, node.content_end, node.depth + 1)
        nodes.append(child)
        position = child.end
    return tuple(nodes)


def _read(buffer: bytes, offset: int, limit: int, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise _malformed(f"more than {MAX_DEPTH} levels of nesting", "depth", offset)
    if limit - offset < 2:
        raise _malformed("a value is cut short", "truncated", offset)
    tag = buffer[offset]
    if tag & _HIGH_TAG == _HIGH_TAG:
        raise _malformed("a tag number above 30", "tag", offset)
    length = buffer[offset + 1]
    start = offset + 2
    if length == _INDEFINITE:
        if not tag & _CONSTRUCTED:
            raise _malformed("indefinite length on a primitive value", "length", offset)
        return _read_indefinite(buffer, offset, limit, depth)
    if length > _INDEFINITE:
        count = length & 0x7F
        if count > _MAX_LENGTH_OCTETS or start + count > limit:
            raise _malformed("a length that cannot be read", "length", offset)
        length = int.from_bytes(buffer[start : start + count], "big")
        start += count
    if start + length > limit:
        raise _malformed("a value is cut short", "truncated", offset)
    return Node(buffer, offset, start, start + length, start + length, depth)


def _read_indefinite(buffer: bytes, offset: int, limit: int, depth: int) -> Node:
    position = offset + 2
    while buffer[position : position + 2] != b"\x00\x00":
        position = _read(buffer, position, limit, depth + 1).end
    if position + 2 > limit:
        raise _malformed("a value is cut short", "truncated", offset)
    return Node(buffer, offset, offset + 2, position, position + 2, depth)


def parse_prefix(data: bytes) -> Node:
    """The first value in ``data``; what follows it is the caller's affair.

    Raises:
        MalformedError: ``asn1.…``, with the offset, when the bytes are not a value within the limits.
    """
    if len(data) > MAX_BYTES:
        raise MalformedError(f"input above {MAX_BYTES} bytes", code="asn1.size", limit_bytes=MAX_BYTES)
    return _read(data, 0, len(data), 0)


def parse(data: bytes) -> Node:
    """The one value that ``data`` is.

    Raises:
        MalformedError: ``asn1.…``, with the offset; also when bytes follow the value (``asn1.trailing``).
    """
    node = parse_prefix(data)
    if node.end != len(data):
        raise _malformed("bytes follow the value", "trailing", node.end)
    return node
