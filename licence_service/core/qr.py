"""QR codes of addresses (ISO/IEC 18004:2015), quickly: everything that depends only on the length is worked out once.

Codes of texts of one length have the same version, level, finder patterns and format information; these are taken from
a code that segno makes. What is left for each text is the bit stream, its Reed–Solomon octets and putting the bits in
their places. One mask serves all codes: readers take any, and choosing the fairest costs more than all the rest.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain, zip_longest
from typing import Any

import segno
from segno import consts

__all__ = ["modules"]

_MASK = 2
"""Modules in every third column are turned over (§7.8.2, condition 010)."""
_BYTE_MODE = 0b0100
_PADDING = (0xEC, 0x11)
_FIELD_POLYNOMIAL = 0x11D
"""x⁸ + x⁴ + x³ + x² + 1 (§7.5.2)."""
_LONG_COUNT_FROM = 10
"""Versions from this one count characters with 16 bits (§7.4.1, table 3)."""
_DATA = frozenset({consts.TYPE_DATA_DARK, consts.TYPE_DATA_LIGHT})


def modules(text: str) -> tuple[str, ...]:
    """The rows of a code of level M or better, without quiet zone: ``1`` dark, ``0`` light.

    Raises:
        segno.DataOverflowError: the text is too long for any code.
    """
    if not text.isascii() or not text:
        code = segno.make(text, error="m", micro=False, mask=_MASK)
        return tuple("".join("1" if module else "0" for module in row) for row in code.matrix)
    plan = _plan(len(text))
    rows = [bytearray(row) for row in plan.rows]
    for (row, column, turned), bit in zip(plan.places, _bits(text.encode(), plan), strict=False):
        rows[row][column] = bit ^ turned
    return tuple(row.decode("ascii") for row in rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What codes of texts of one length have in common."""

    rows: tuple[bytes, ...]
    """``0`` and ``1`` in ASCII; places of data have what a 0 becomes under the mask."""
    places: tuple[tuple[int, int, int], ...]
    """Row, column and mask of the modules of data, in the order they are filled (§7.7.3)."""
    count_bits: int
    blocks: tuple[tuple[int, int], ...]
    """Data octets and error correction octets of each block (§7.5.1)."""


@lru_cache(maxsize=32)
def _plan(length: int) -> _Plan:
    code = segno.make("a" * length, error="m", micro=False, mask=_MASK)
    version = int(code.version)
    kinds = [list(row) for row in code.matrix_iter(border=0, verbose=True)]
    size = len(kinds)
    # segno's map has one module too many for the copy of the format information at the right.
    also = (8, size - 9)
    places = tuple(
        (row, column, int(column % 3 == 0))
        for row, column in _zigzag(size)
        if kinds[row][column] in _DATA or (row, column) == also
    )
    blocks: Any = consts.ECC[version]
    rows = [bytearray(48 + bool(module) for module in row) for row in code.matrix]
    for row, column, turned in places:
        rows[row][column] = 48 + turned
    return _Plan(
        rows=tuple(map(bytes, rows)),
        places=places,
        count_bits=16 if version >= _LONG_COUNT_FROM else 8,
        blocks=tuple(
            (info.num_data, info.num_total - info.num_data)
            for info in blocks[consts.ERROR_MAPPING[code.error]]
            for _ in range(info.num_blocks)
        ),
    )


def _zigzag(size: int) -> Iterator[tuple[int, int]]:
    """Two columns at a time from the right, upwards and downwards in turn, the vertical timing pattern left out."""
    upwards = True
    for right in (*range(size - 1, 6, -2), 5, 3, 1):
        for row in range(size - 1, -1, -1) if upwards else range(size):
            yield row, right
            yield row, right - 1
        upwards = not upwards


def _bits(data: bytes, plan: _Plan) -> Iterator[int]:
    """The final message as ``0`` and ``1`` in ASCII: blocks, each with its error correction, interleaved (§7.6)."""
    stream = _octets(data, plan)
    blocks: list[bytes] = []
    corrections: list[bytes] = []
    start = 0
    for size, correction in plan.blocks:
        block = stream[start : start + size]
        blocks.append(block)
        corrections.append(_correction(block, correction))
        start += size
    message = bytes(
        octet for octet in chain(*zip_longest(*blocks), *zip_longest(*corrections)) if octet is not None
    )  # fmt: skip
    return iter(f"{int.from_bytes(message, 'big'):0{8 * len(message)}b}".encode("ascii"))


def _octets(data: bytes, plan: _Plan) -> bytes:
    """Mode, count, text, terminator and padding (§7.4)."""
    capacity = sum(size for size, _ in plan.blocks)
    value = (_BYTE_MODE << plan.count_bits | len(data)) << 8 * len(data) | int.from_bytes(data, "big")
    used = 4 + plan.count_bits + 8 * len(data)
    room = min(4, 8 * capacity - used)
    spare = -(used + room) % 8
    octets = (value << room + spare).to_bytes((used + room + spare) // 8, "big")
    return octets + bytes(_PADDING[number % 2] for number in range(capacity - len(octets)))


def _correction(block: Sequence[int], count: int) -> bytes:
    """The remainder of the block divided by the generator polynomial (§7.5.2)."""
    multiples = _multiples(count)
    top, below = 8 * (count - 1), (1 << 8 * (count - 1)) - 1
    remainder = 0
    for octet in block:
        remainder = (remainder & below) << 8 ^ multiples[remainder >> top ^ octet]
    return remainder.to_bytes(count, "big")


@cache
def _multiples(count: int) -> tuple[int, ...]:
    """The generator polynomial of a degree, without its leading term, times every element of the field."""
    generator, root = [1], 1
    for _ in range(count):
        generator = [a ^ _times(b, root) for a, b in zip([*generator, 0], [0, *generator], strict=True)]
        root = _times(root, 2)
    return tuple(
        int.from_bytes(bytes(_times(coefficient, factor) for coefficient in generator[1:]), "big")
        for factor in range(256)
    )


def _times(a: int, b: int) -> int:
    """Product in GF(2⁸)."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = a << 1 ^ (_FIELD_POLYNOMIAL if a & 0x80 else 0)
        b >>= 1
    return product
