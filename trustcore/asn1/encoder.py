"""Strict DER encoding (ITU-T X.690 §8, §10, §11): small functions that make one value each.

Structures are written as the standard writes them, ``sequence(integer(1), oid(…), …)``, and nothing is ever decoded
in order to be encoded again.
"""

from datetime import UTC, datetime

__all__ = [
    "bit_string",
    "boolean",
    "explicit",
    "generalized_time",
    "ia5_string",
    "implicit",
    "integer",
    "named_bits",
    "null",
    "octet_string",
    "oid",
    "printable_string",
    "sequence",
    "set_of",
    "tlv",
    "utc_time",
    "utf8_string",
]

_LONG_FORM = 0x80
_CONSTRUCTED = 0x20
_CONTEXT = 0x80
_LAST_UTC_TIME_YEAR = 2049
_FIRST_UTC_TIME_YEAR = 1950


def tlv(tag: int, content: bytes) -> bytes:
    """One value: identifier octet ``tag``, shortest definite length, ``content``."""
    length = len(content)
    if length < _LONG_FORM:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG_FORM | len(octets))) + octets + content


def sequence(*parts: bytes) -> bytes:
    """SEQUENCE of already encoded parts."""
    return tlv(0x30, b"".join(parts))


def set_of(*parts: bytes) -> bytes:
    """SET OF already encoded parts, in the order X.690 §11.6 asks for."""
    return tlv(0x31, b"".join(sorted(parts)))


def integer(value: int) -> bytes:
    """INTEGER in two's complement, shortest form."""
    length = (value + (value < 0)).bit_length() // 8 + 1
    return tlv(0x02, value.to_bytes(length, "big", signed=True))


def boolean(value: bool) -> bytes:
    """BOOLEAN; TRUE is FF (X.690 §11.1)."""
    return b"\x01\x01\xff" if value else b"\x01\x01\x00"


def null() -> bytes:
    """NULL."""
    return b"\x05\x00"


def _base128(arc: int) -> bytes:
    octets = bytearray([arc & 0x7F])
    while arc := arc >> 7:
        octets.insert(0, 0x80 | arc & 0x7F)
    return bytes(octets)


def oid(dotted: str) -> bytes:
    """OBJECT IDENTIFIER from its dotted form."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    return tlv(0x06, b"".join(_base128(arc) for arc in (first * 40 + second, *rest)))


def octet_string(data: bytes) -> bytes:
    """OCTET STRING."""
    return tlv(0x04, data)


def bit_string(data: bytes) -> bytes:
    """BIT STRING of whole octets."""
    return tlv(0x03, b"\x00" + data)


def named_bits(bits: set[int] | frozenset[int]) -> bytes:
    """BIT STRING of a named bit list, trailing zero bits removed (X.690 §11.2.2)."""
    if not bits:
        return tlv(0x03, b"\x00")
    last = max(bits)
    octets = bytearray(last // 8 + 1)
    for bit in bits:
        octets[bit // 8] |= 0x80 >> bit % 8
    return tlv(0x03, bytes((7 - last % 8,)) + bytes(octets))


def utf8_string(text: str) -> bytes:
    """UTF8String."""
    return tlv(0x0C, text.encode())


def printable_string(text: str) -> bytes:
    """PrintableString; raises ``UnicodeEncodeError`` for anything outside ASCII."""
    return tlv(0x13, text.encode("ascii"))


def ia5_string(text: str) -> bytes:
    """IA5String; raises ``UnicodeEncodeError`` for anything outside ASCII."""
    return tlv(0x16, text.encode("ascii"))


def utc_time(at: datetime) -> bytes:
    """UTCTime ``YYMMDDHHMMSSZ`` (RFC 5280 §4.1.2.5.1) for 1950 to 2049; ``ValueError`` outside."""
    utc = at.astimezone(UTC)
    if not _FIRST_UTC_TIME_YEAR <= utc.year <= _LAST_UTC_TIME_YEAR:
        message = f"UTCTime cannot hold the year {utc.year}"
        raise ValueError(message)
    return tlv(0x17, utc.strftime("%y%m%d%H%M%SZ").encode())


def generalized_time(at: datetime) -> bytes:
    """GeneralizedTime ``YYYYMMDDHHMMSSZ`` in whole seconds (RFC 5280 §4.1.2.5.2)."""
    utc = at.astimezone(UTC)
    return tlv(0x18, f"{utc.year:04d}{utc:%m%d%H%M%S}Z".encode())


def explicit(number: int, part: bytes) -> bytes:
    """``[number] EXPLICIT`` around an encoded value."""
    return tlv(_CONTEXT | _CONSTRUCTED | number, part)


def implicit(number: int, part: bytes) -> bytes:
    """``[number] IMPLICIT``: the encoded value with its tag replaced, constructed bit kept."""
    return bytes((_CONTEXT | part[0] & _CONSTRUCTED | number,)) + part[1:]
