"""Secrets shared among k of n custodians, and the form in which a person keeps and types a share.

A. Shamir, “How to share a secret”, Communications of the ACM 22 (1979): every octet of the secret is the constant term
of a random polynomial of degree k − 1 over GF(2^8); a share is its value at x = 1 … n. Any k shares give the secret,
fewer give nothing: each secret is then as likely as any other.

The field is that of AES (x^8 + x^4 + x^3 + x + 1). Products are computed with masks, without tables and without
branches on the operands; Python itself promises no constant time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from trustcore.crypto.digests import sm3
from trustcore.errors import MalformedError, RejectedError

__all__ = ["MAX_SHARES", "SECRET_BYTES", "SET_ID_BYTES", "Share", "combine", "split"]

SECRET_BYTES = 16
"""Of a secret whose shares are written down: as strong as the SM4 key that is derived from it."""
SET_ID_BYTES = 4
MAX_SHARES = 32
_MIN_THRESHOLD = 2
_VERSION = 1
_CHECKSUM_BYTES = 4
_HEADER_BYTES = 3
_SHARE_BYTES = _HEADER_BYTES + SET_ID_BYTES + SECRET_BYTES + _CHECKSUM_BYTES
_DOMAIN = b"xinyin activation share"

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O, U, so that nothing is taken for a digit."""
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", " ": None, "-": None, "\t": None})
_DATA_PER_GROUP = 4
_GROUP = _DATA_PER_GROUP + 1
_GROUPS = -(-_SHARE_BYTES * 8 // (5 * _DATA_PER_GROUP))
_PADDING_BITS = _GROUPS * _DATA_PER_GROUP * 5 - _SHARE_BYTES * 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one custodian keeps."""

    set_id: bytes
    """4 random octets that all shares of one split have in common."""
    threshold: int
    """k: how many shares give the secret."""
    index: int
    """x: 1 … n."""
    value: bytes = field(repr=False)
    """As long as the secret."""

    def text(self) -> str:
        """Eleven groups of five characters: four of base 32 and one that checks them and their place."""
        number = int.from_bytes(self._octets()) << _PADDING_BITS
        digits = [number >> shift & 31 for shift in range((_GROUPS * _DATA_PER_GROUP - 1) * 5, -1, -5)]
        groups = [digits[at : at + _DATA_PER_GROUP] for at in range(0, len(digits), _DATA_PER_GROUP)]
        return "-".join(
            "".join(_ALPHABET[digit] for digit in (*group, _check_digit(group, place)))
            for place, group in enumerate(groups)
        )

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what a person typed; case, blanks and hyphens do not matter, O is 0, I and L are 1.

        Raises:
            MalformedError: ``hsm.share.length``, ``hsm.share.character``, ``hsm.share.mistyped`` (names the group),
                ``hsm.share.checksum``, ``hsm.share.version``. None of them repeats what was typed.
        """
        digits = _digits(text.upper().translate(_READ_AS))
        number = 0
        for place in range(_GROUPS):
            *group, check = digits[place * _GROUP : (place + 1) * _GROUP]
            if _check_digit(group, place) != check:
                raise MalformedError(
                    f"Group {place + 1} of the share is mistyped; compare it with the sheet.",
                    code="hsm.share.mistyped",
                    group=place + 1,
                )
            for digit in group:
                number = number << 5 | digit
        octets = (number >> _PADDING_BITS).to_bytes(_SHARE_BYTES)
        body, checksum = octets[:-_CHECKSUM_BYTES], octets[-_CHECKSUM_BYTES:]
        if _checksum(body) != checksum or number & ((1 << _PADDING_BITS) - 1):
            raise MalformedError(
                "The share is not what was printed on a sheet: its checksum does not fit.", code="hsm.share.checksum"
            )
        version, threshold, index = body[:_HEADER_BYTES]
        if version != _VERSION:
            raise MalformedError(
                "The share was made by another version of this program.", code="hsm.share.version", version=version
            )
        rest = body[_HEADER_BYTES:]
        return cls(set_id=rest[:SET_ID_BYTES], threshold=threshold, index=index, value=rest[SET_ID_BYTES:])

    def _octets(self) -> bytes:
        body = bytes((_VERSION, self.threshold, self.index)) + self.set_id + self.value
        return body + _checksum(body)


def split(secret: bytes, *, threshold: int, count: int, set_id: bytes, coefficients: bytes) -> tuple[Share, ...]:
    """Share a secret among ``count`` custodians.

    Args:
        secret: of any length; :data:`SECRET_BYTES` when shares are written down.
        threshold: k, at least 2.
        count: n, at least k and at most 32.
        set_id: 4 random octets.
        coefficients: ``(threshold − 1) × len(secret)`` random octets, never used for anything else.

    Raises:
        RejectedError: ``hsm.share.threshold``.
    """
    if not _MIN_THRESHOLD <= threshold <= count <= MAX_SHARES:
        raise RejectedError(
            f"A secret is shared among two to {MAX_SHARES} custodians; at least two of them are needed, at most all.",
            code="hsm.share.threshold",
        )
    if len(set_id) != SET_ID_BYTES or len(coefficients) != (threshold - 1) * len(secret):
        message = "a split takes 4 octets that name the set and k - 1 random octets for each octet of the secret"
        raise ValueError(message)
    size = len(secret)
    higher = [coefficients[at : at + size] for at in range(0, len(coefficients), size)] if size else []
    shares = []
    for x in range(1, count + 1):
        value = bytes(size)
        for terms in reversed([secret, *higher]):
            value = bytes(_multiply(y, x) ^ term for y, term in zip(value, terms, strict=True))
        shares.append(Share(set_id=set_id, threshold=threshold, index=x, value=value))
    return tuple(shares)


def combine(shares: Sequence[Share]) -> bytes:
    """The secret of k shares of one set; of more, the first k are used.

    Whether it is the right one only a check kept elsewhere can tell: shares of the right form that were never issued
    give another secret.

    Raises:
        RejectedError: ``hsm.share.other-set``, ``hsm.share.duplicate``, ``hsm.share.too-few``.
    """
    if len({(share.set_id, share.threshold, len(share.value)) for share in shares}) > 1:
        raise RejectedError(
            "The shares are not of one set: some belong to an earlier or another split.", code="hsm.share.other-set"
        )
    if len({share.index for share in shares}) < len(shares):
        raise RejectedError("The same share was given twice.", code="hsm.share.duplicate")
    if not shares or len(shares) < shares[0].threshold:
        needed = shares[0].threshold if shares else _MIN_THRESHOLD
        raise RejectedError(
            f"{len(shares)} of {needed} shares are not enough.", code="hsm.share.too-few",
            given=len(shares), needed=needed,
        )  # fmt: skip
    used = shares[: shares[0].threshold]
    secret = bytes(len(used[0].value))
    for share in used:
        weight = 1
        for other in used:
            if other.index != share.index:
                weight = _multiply(weight, _multiply(other.index, _inverse(other.index ^ share.index)))
        secret = bytes(known ^ _multiply(y, weight) for known, y in zip(secret, share.value, strict=True))
    return secret


def _multiply(a: int, b: int) -> int:
    """Product in GF(2^8)."""
    product = 0
    for _ in range(8):
        product ^= a & -(b & 1)
        a = (a << 1) ^ (0x11B & -(a >> 7))
        b >>= 1
    return product


def _inverse(a: int) -> int:
    """a^254, which is 1/a."""
    result = 1
    for _ in range(7):
        a = _multiply(a, a)
        result = _multiply(result, a)
    return result


def _checksum(body: bytes) -> bytes:
    return sm3(_DOMAIN + body)[:_CHECKSUM_BYTES]


def _digits(typed: str) -> list[int]:
    if len(typed) != _GROUPS * _GROUP:
        raise MalformedError(
            f"A share has {_GROUPS} groups of {_GROUP} characters; {len(typed)} characters were typed instead of "
            f"{_GROUPS * _GROUP}.",
            code="hsm.share.length",
            typed=len(typed),
        )
    digits = [_ALPHABET.find(character) for character in typed]
    if -1 in digits:
        group = digits.index(-1) // _GROUP + 1
        raise MalformedError(
            f"Group {group} of the share has a character that no share has; compare it with the sheet.",
            code="hsm.share.character",
            group=group,
        )
    return digits


def _check_digit(group: Sequence[int], place: int) -> int:
    """Over GF(2^5) with x^5 + x^2 + 1: finds one wrong character, any two exchanged, and groups out of their place."""
    total = place
    for weight, digit in enumerate(group, start=1):
        power = digit
        for _ in range(weight):
            power = (power << 1) ^ (0x25 & -(power >> 4))
        total ^= power
    return total
