"""CMaps: from the octets of a string to codes, CIDs and Unicode (ISO 32000-2 §9.7.5, §9.10.3)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pikepdf

from ofd.convert.pdf.streams import Limits, dictionary, name, number, read_stream

__all__ = ["CMap", "read_cmap", "read_to_unicode"]

_TOKEN = re.compile(
    rb"<<|>>|<([0-9A-Fa-f\s]*)>|(/[^\s<>\[\]()/{}%]*)|([\[\]])"
    rb"|\((?:\\.|[^\\)])*\)|([^\s<>\[\]()/{}%]+)|%[^\r\n]*"
)
_MOST_ENTRIES = 200_000
_JIS = "jis"
"""JIS X 0208 in two octets of seven bits."""
_DEPTH = 4

_HALF_WIDTH = (
    ("GB-EUC", 814),
    ("GBK-EUC", 814),
    ("GBK2K", 814),
    ("90ms-RKSJ", 231),
    ("EUC-", 231),
    ("ETen-B5", 13648),
    ("KSC-EUC", 8094),
    ("KSCms-UHC-HW", 8094),
)
"""Predefined CMaps whose ASCII has half the width of a Chinese character: CID of the space."""
_CODECS = (
    ("UCS2", "utf-16-be"),
    ("UTF16", "utf-16-be"),
    ("GBK2K", "gb18030"),
    ("GBKp", "gbk"),
    ("GBK", "gbk"),
    ("GB-", "gb2312"),
    ("GBpc", "gb2312"),
    ("ETenms", "cp950"),
    ("ETen-B5", "cp950"),
    ("B5pc", "big5"),
    ("HKscs", "big5hkscs"),
    ("90ms", "cp932"),
    ("90pv", "cp932"),
    ("RKSJ", "shift_jis"),
    ("EUC-H", "euc_jp"),
    ("EUC-V", "euc_jp"),
    ("KSCms", "cp949"),
    ("KSC-EUC", "euc_kr"),
    ("KSCpc", "euc_kr"),
)
"""How the codes of predefined CMaps read as text, by a part of the CMap's name (ISO 32000-2 table 116)."""


@dataclass(slots=True, kw_only=True)
class CMap:
    """One CMap, as far as pages need it."""

    vertical: bool = False
    code_lengths: list[tuple[int, int, int]] = field(default_factory=list)
    """Octets, first and last code of each code space range."""
    cids: dict[tuple[int, int], int] = field(default_factory=dict)
    """(octets, code) to CID, single ones."""
    ranges: list[tuple[int, int, int, int]] = field(default_factory=list)
    """Octets, first code, last code, CID of the first."""
    text: dict[int, str] = field(default_factory=dict)
    """Code to Unicode."""
    codec: str = ""
    """Python's name of the encoding that the codes of a predefined CMap are in."""
    first_ascii: int = 1
    """CID of the space in a predefined CMap."""
    written: int = 0
    """How many characters ranges have been taken apart into."""
    identity: bool = False
    """Two octets, and the CID is the code."""

    def codes(self, data: bytes) -> Iterator[tuple[int, int]]:
        """A string's codes, each with its number of octets."""
        place = 0
        while place < len(data):
            length = self._length_at(data, place)
            yield length, int.from_bytes(data[place : place + length])
            place += length

    def _length_at(self, data: bytes, place: int) -> int:
        if self.codec == _JIS:
            return min(2, len(data) - place)
        if self.codec:
            if self.codec == "utf-16-be":
                return 4 if 0xD8 <= data[place] <= 0xDB and len(data) - place >= 4 else 2
            first = data[place]
            single = first < 0x81 or first > 0xFE or (self.codec in {"cp932", "shift_jis"} and 0xA0 <= first <= 0xDF)
            return 1 if single else min(2, len(data) - place)
        for length, low, high in self.code_lengths:
            if place + length <= len(data) and _in_space(data[place : place + length], low, high, length):
                return length
        shortest = min((length for length, _, _ in self.code_lengths), default=2)
        return min(shortest, len(data) - place) or 1

    def cid(self, length: int, code: int) -> int | None:
        """The CID of a code; None when the CMap has none."""
        if self.identity:
            return code
        found = self.cids.get((length, code))
        if found is not None:
            return found
        for octets, low, high, first in self.ranges:
            if octets == length and low <= code <= high:
                return first + code - low
        return None

    def ascii_cid(self, length: int, code: int) -> int:
        """The CID of a code of a predefined CMap that stands for an ASCII character; 0 for others.

        The character collections of Adobe have proportional ASCII from CID 1, and the half-width one elsewhere.
        """
        text = self.unicode(length, code)
        return self.first_ascii + ord(text) - 0x20 if len(text) == 1 and " " <= text <= "~" else 0

    def unicode(self, length: int, code: int) -> str:
        """What a code means by the predefined CMap's own encoding; empty when that is not known."""
        if not self.codec:
            return ""
        try:
            if self.codec == _JIS:
                return (code | 0x8080).to_bytes(2).decode("euc_jp")
            return code.to_bytes(length).decode(self.codec)
        except (UnicodeDecodeError, OverflowError):
            return ""


def _in_space(octets: bytes, low: int, high: int, length: int) -> bool:
    """Each octet of a code lies between the same octets of the range's ends (ISO 32000-2 §9.7.6.2)."""
    return all(a <= octet <= b for octet, a, b in zip(octets, low.to_bytes(length), high.to_bytes(length), strict=True))


def read_cmap(value: object, limits: Limits, depth: int = 0) -> CMap:
    """The ``Encoding`` of a composite font; Identity-H when it cannot be understood."""
    if plain := name(value)[1:]:
        if plain.startswith("Identity"):
            return CMap(vertical=plain.endswith("V"), identity=True)
        for part, codec in _CODECS:
            if part in plain:
                first = next((cid for start, cid in _HALF_WIDTH if plain.startswith(start)), 1)
                return CMap(vertical=plain.endswith("V"), codec=codec, first_ascii=first)
        if plain in {"H", "V"}:
            return CMap(vertical=plain == "V", codec=_JIS)
        return CMap(vertical=plain.endswith("-V"), identity=True)
    stream = dictionary(value)
    if not isinstance(stream, pikepdf.Stream) or depth > _DEPTH:
        return CMap(identity=True)
    cmap = _parse(read_stream(stream, limits))
    cmap.vertical = number(stream.get("/WMode")) == 1
    base = stream.get("/UseCMap")
    if base is not None:
        _inherit(cmap, read_cmap(base, limits, depth + 1))
    if not cmap.code_lengths and not cmap.cids and not cmap.ranges:
        cmap.identity = True
    return cmap


def _inherit(cmap: CMap, base: CMap) -> None:
    if base.identity:
        base.code_lengths, base.ranges = [(2, 0, 0xFFFF)], [(2, 0, 0xFFFF, 0)]
    cmap.code_lengths.extend(base.code_lengths)
    cmap.ranges.extend(base.ranges)
    for key, cid in base.cids.items():
        cmap.cids.setdefault(key, cid)


def read_to_unicode(value: object, limits: Limits) -> dict[int, str]:
    """What codes mean by a ``ToUnicode`` CMap."""
    if not isinstance(value, pikepdf.Stream):
        return {}
    return _parse(read_stream(value, limits)).text


def _parse(data: bytes) -> CMap:
    cmap = CMap()
    section = ""
    operands: list[_Operand] = []
    listed: list[bytes] | None = None
    entries = 0
    for match in _TOKEN.finditer(data):
        code, _, bracket, word = match.groups()
        if listed is not None and code is not None:
            listed.append(_hex(code))
        elif bracket == b"[":
            listed = []
        elif bracket == b"]" and listed is not None:
            operands.append(listed)
            listed = None
        elif word is not None and word.startswith((b"begin", b"end")):
            section = word[5:].decode("latin-1") if word.startswith(b"begin") else ""
            operands = []
        else:
            operands.extend(_operand(match))
        if len(operands) == _SECTIONS.get(section):
            entries += 1
            if entries > _MOST_ENTRIES:
                break
            _store(cmap, section, operands)
            operands = []
    return cmap


def _operand(match: re.Match[bytes]) -> Iterator["_Operand"]:
    code, plain, _, word = match.groups()
    if code is not None:
        yield _hex(code)
    elif plain is not None:
        yield plain.decode("latin-1")
    elif word is not None and word.decode("latin-1").removeprefix("-").isdecimal():
        yield int(word[:12])


_Operand = bytes | int | str | list[bytes]
_SECTIONS = {"codespacerange": 2, "cidchar": 2, "cidrange": 3, "bfchar": 2, "bfrange": 3}


def _hex(digits: bytes) -> bytes:
    clean = bytes(digit for digit in digits if digit not in b" \t\r\n\f\x00")
    return bytes.fromhex((clean + b"0" * (len(clean) % 2)).decode("ascii"))


def _store(cmap: CMap, section: str, operands: list[_Operand]) -> None:
    first, *others = operands
    if not isinstance(first, bytes) or not 0 < len(first) <= 4 or len(cmap.text) > _MOST_ENTRIES:
        return
    low = int.from_bytes(first)
    if section == "bfchar":
        if isinstance(others[0], bytes):
            cmap.text[low] = _utf16(others[0])
        return
    if section == "cidchar":
        if isinstance(others[0], int):
            cmap.cids[len(first), low] = others[0]
        return
    if not isinstance(others[0], bytes):
        return
    high = int.from_bytes(others[0])
    if section == "codespacerange":
        cmap.code_lengths.append((len(first), low, high))
    elif section == "cidrange" and isinstance(others[1], int):
        cmap.ranges.append((len(first), low, high, others[1]))
    elif section == "bfrange":
        high = min(high, low + _MOST_ENTRIES - cmap.written - 1)
        cmap.written += max(high - low + 1, 0)
        _store_text_range(cmap, low, high, others[1])


def _store_text_range(cmap: CMap, low: int, high: int, target: _Operand) -> None:
    if isinstance(target, list):
        for code, item in zip(range(low, high + 1), target, strict=False):
            cmap.text[code] = _utf16(item)
    elif isinstance(target, bytes) and target:
        base = _utf16(target)
        for code in range(low, high + 1):
            last = ord(base[-1]) + code - low if base else 0
            cmap.text[code] = base[:-1] + chr(last) if 0 < last < 0x110000 else ""


def _utf16(data: bytes) -> str:
    if len(data) == 1:
        return chr(data[0])
    return data.decode("utf-16-be", errors="ignore")
