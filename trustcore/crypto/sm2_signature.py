"""The two forms of an SM2 signature: raw r ‖ s, and DER ``SEQUENCE{r, s}`` (GB/T 35276-2017 §7.3)."""

from trustcore.asn1 import encoder
from trustcore.asn1.reader import parse
from trustcore.errors import MalformedError

__all__ = ["ORDER", "signature_to_der", "signature_to_raw", "strictly_raw"]

ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
"""n, the order of the base point (GB/T 32918.5-2017 §2)."""
_SIZE = 32
_ORDER_OCTETS = ORDER.to_bytes(_SIZE, "big")
_LONGEST_DER = 72
"""In octets: two integers of 33 and their heads."""


def _scalars(signature_der: bytes) -> tuple[int, int]:
    try:
        node = parse(signature_der).expect(0x30)
        r, s = (child.integer() for child in node.children)
    except ValueError as error:
        raise MalformedError("an SM2 signature is a SEQUENCE of two integers", code="crypto.sm2.signature") from error
    return r, s


def signature_to_raw(signature_der: bytes) -> bytes:
    """64 bytes r ‖ s. Raises ``MalformedError`` for anything but two integers in range."""
    r, s = _scalars(signature_der)
    if not (0 < r < ORDER and 0 < s < ORDER):
        raise MalformedError("r or s of an SM2 signature is out of range", code="crypto.sm2.signature")
    return r.to_bytes(_SIZE, "big") + s.to_bytes(_SIZE, "big")


def signature_to_der(signature_raw: bytes) -> bytes:
    """DER of 64 bytes r ‖ s, as machines answer them."""
    if len(signature_raw) != 2 * _SIZE:
        raise MalformedError("a raw SM2 signature is 64 bytes", code="crypto.sm2.signature")
    r, s = (int.from_bytes(part, "big") for part in (signature_raw[:_SIZE], signature_raw[_SIZE:]))
    return encoder.sequence(encoder.integer(r), encoder.integer(s))


def strictly_raw(signature_der: bytes) -> bytes | None:
    """64 bytes r ‖ s, or nothing unless the octets are the one DER form of two integers in [1, n−1].

    Where the integers lie is read without care, because what is found must then encode to the very octets.
    """
    if len(signature_der) > _LONGEST_DER or len(signature_der) < 4:
        return None
    end = 4 + signature_der[3]
    r, s = (part[-_SIZE:].rjust(_SIZE, b"\x00") for part in (signature_der[4:end], signature_der[end + 2 :]))
    if not all(bytes(_SIZE) < number < _ORDER_OCTETS for number in (r, s)):
        return None
    content = _der_integer(r) + _der_integer(s)
    return r + s if signature_der == bytes((0x30, len(content))) + content else None


def _der_integer(positive: bytes) -> bytes:
    shortest = positive.lstrip(b"\x00")
    if shortest[0] & 0x80:
        shortest = b"\x00" + shortest
    return bytes((0x02, len(shortest))) + shortest
