"""Wrong octets that know what they spoil: packages, XML, DER, fonts, pictures and PDFs, the same for the same seed."""

import re
import struct
import zlib
from collections.abc import Callable
from random import Random

from lxml import etree

__all__ = ["mutate_any", "mutate_der", "mutate_font", "mutate_package", "mutate_pdf", "mutate_picture", "mutate_xml"]

_WORDS = (
    "", " ", "0", "-1", "-0", "1", "2", "1e308", "-1e308", "1e-308", "1e-9", "1e999", "NaN", "inf", "9" * 40, "1e6",
    "2147483648", "-2147483649", "18446744073709551616", "0x10", "٣", "1,5", "true", "#", "../../x", "/", "\\", "中",
    "0 0 0 0 0 0", "1e-9 0 0 1e-9 0 0", "1e9 1e9 1e9 1e9 1e9 1e9", "0 0 1e6 1e6", "0 0 1e-9 1e-9", "-5 -5 -5 -5",
    "g 999999999 1", "g 99999 1", "g 5", "g g g", "g -1 1", "M", "C", "M 0 0 A 1e9 1e-9 0 1 1 1e9 1", "M 0 0 B 1 2 3",
    "M 0 0 L 1e9 1e9 C", "Q 1 2 3 4", "1e-9 1e-9", "0 0", "1 2 3 4 5 6 7 8 9", "Doc_0/Document.xml", "OFD.xml",
    "/Doc_0/Pages/Page_0/Content.xml", "2016-02-30", "0000-00-00T99:99:99Z", "1" * 400, "\ufeff", "\u202e",
)  # fmt: skip
"""What attributes and texts are replaced by."""
_SPACES = ("http://www.ofdspec.org/2016", "http://www.ofdspec.org", "urn:x", "")
_SIZES_16 = (0, 1, 2, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)
_SIZES_32 = (0, 1, 2, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def mutate_any(data: bytes, chance: Random) -> bytes:
    """Octets or a stretch of them changed, removed, doubled, moved or cut."""
    if not data:
        return chance.randbytes(20)
    place = chance.randrange(len(data))
    length = chance.choice((1, 1, 2, 4, 16, 200))
    stretch = data[place : place + length]
    match chance.randrange(8):
        case 0 | 1:
            new = bytes((stretch[0] ^ 1 << chance.randrange(8),)) + stretch[1:]
        case 2:
            new = b""
        case 3:
            new = stretch * chance.choice((2, 2, 50))
        case 4:
            new = chance.randbytes(len(stretch))
        case 5:
            new = bytes((chance.choice((0, 0x7F, 0x80, 0xFF)),)) * len(stretch)
        case 6:
            return data[:place]
        case _:
            other = chance.randrange(len(data))
            new = data[other : other + length]
    return data[:place] + new + data[place + length :]


def _number(data: bytes, place: int, chance: Random, order: str) -> bytes:
    if chance.random() < 0.5:
        new = struct.pack(order + "H", chance.choice((*_SIZES_16, chance.randrange(1 << 16))))
    else:
        new = struct.pack(order + "L", chance.choice((*_SIZES_32, len(data), len(data) - 1)))
    return data[:place] + new + data[place + len(new) :]


def mutate_package(data: bytes, chance: Random) -> bytes:
    """A field of a header, of the directory or of its end; or any octets."""
    places = [match.start() for match in re.finditer(rb"PK(?:\x01\x02|\x03\x04|\x05\x06|\x07\x08)", data)]
    match chance.randrange(6):
        case 0 | 1 | 2 if places:
            return _number(data, chance.choice(places) + chance.randrange(4, 46), chance, "<")
        case 3 if places:
            first, second = chance.choice(places), chance.choice(places)
            return data[:first] + data[second : second + chance.randrange(200)] + data[first:]
        case 4:
            return chance.choice((b"KG", b"PK\x05\x06" + bytes(18), data, b"\0" * 999)) + data
        case _:
            return mutate_any(data, chance)


def mutate_xml(data: bytes, chance: Random) -> bytes:
    """An element or attribute removed, doubled, moved, renamed, nested or with another value; or wild syntax."""
    if chance.random() < 0.12:
        return _wild_syntax(data, chance)
    try:
        root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
    except (etree.XMLSyntaxError, ValueError):
        return mutate_any(data, chance)
    elements = [element for element in root.iter() if isinstance(element.tag, str)]
    for _ in range(chance.choice((1, 1, 2, 3))):
        _mutate_element(chance.choice(elements), chance.choice(elements), chance)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _mutate_element(element: etree._Element, other: etree._Element, chance: Random) -> None:
    parent = element.getparent()
    match chance.randrange(11):
        case 0 | 1 | 2 if element.attrib:
            name = chance.choice(sorted(element.attrib))
            element.set(name, _value(str(element.attrib[name]), chance))
        case 3 | 4 if element.text and element.text.strip():
            element.text = _value(element.text, chance)
        case 5 if parent is not None:
            parent.remove(element)
        case 6 if parent is not None:
            written = etree.tostring(element)
            if len(written) < 20_000:
                for _ in range(chance.choice((1, 1, 3, 30))):
                    parent.append(etree.fromstring(written))
        case 7 if element not in other.iterancestors() and element is not other and parent is not None:
            other.append(element)
        case 8 if parent is not None:
            _nest(element, chance.choice((2, 20, 200)))
        case 9:
            local = etree.QName(element if chance.random() < 0.5 else other).localname
            element.tag = etree.QName(chance.choice(_SPACES) or None, local).text
        case _:
            for name, value in other.attrib.items():
                element.set(name, value)


def _value(old: str, chance: Random) -> str:
    found = list(_NUMBER.finditer(old))
    if found and chance.random() < 0.5:
        match = chance.choice(found)
        word = chance.choice([word for word in _WORDS if " " not in word])
        return old[: match.start()] + word + old[match.end() :]
    return old * 300 if chance.random() < 0.05 and len(old) < 2000 else chance.choice(_WORDS)


def _nest(element: etree._Element, depth: int) -> None:
    inner = etree.fromstring(etree.tostring(element))
    for _ in range(depth):
        outer = etree.SubElement(element, element.tag, dict(element.attrib))
        element = outer
    element.append(inner)


def _wild_syntax(data: bytes, chance: Random) -> bytes:  # noqa: PLR0911 - one for each kind
    head, _, rest = data.partition(b"?>")
    bomb = b"".join(b'<!ENTITY e%d "%s">' % (n, b"&e%d;" % (n - 1) * 10 if n else b"lol") for n in range(9))
    match chance.randrange(7):
        case 0:
            return head + b"?><!DOCTYPE x [" + bomb + b"]>" + rest.replace(b">", b">&e8;", 3)
        case 1:
            return head + b'?><!DOCTYPE x SYSTEM "file:///etc/passwd">' + rest
        case 2:
            return data.replace(b"UTF-8", chance.choice((b"UTF-16", b"GB18030", b"UTF-7", b"x", b"EBCDIC-CP-US")))
        case 3:
            return data.decode(errors="replace").encode(chance.choice(("utf-16", "gb18030", "utf-32", "utf-8-sig")))
        case 4:
            return head + b"?>" + b"<a>" * 100_000 + rest
        case 5:
            return data.replace(b">", b"><!-- --><?x y?><![CDATA[ ]]>")
        case _:
            return data + data


_Tree = tuple[int, "list[_Tree] | bytes"]


def mutate_der(data: bytes, chance: Random) -> bytes:
    """A value removed, doubled, replaced, nested or tagged otherwise, lengths kept right; or lengths made wrong."""
    tree = _read_der(data, 0)
    if tree is None or chance.random() < 0.15:
        return mutate_any(data, chance)
    for _ in range(chance.choice((1, 1, 2))):
        tree = _mutate_tree(tree, chance)
    written = _write_der(tree, chance, wrong=chance.random() < 0.2)
    return written if chance.random() < 0.95 else b"\x30\x80" * chance.choice((5, 5000)) + written


def _read_der(data: bytes, depth: int) -> _Tree | None:
    read = _read_all(data, depth)
    return read[0] if read and len(read) == 1 else None


def _read_all(data: bytes, depth: int) -> list[_Tree] | None:
    found: list[_Tree] = []
    while data:
        if len(data) < 2 or depth > 40:
            return None
        tag, length, start = data[0], data[1], 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(data[2:start])
        content = data[start : start + length]
        if len(content) != length or tag & 0x1F == 0x1F:
            return None
        inner = _read_all(content, depth + 1) if tag & 0x20 else None
        found.append((tag, content if inner is None else inner))
        data = data[start + length :]
    return found


def _mutate_tree(tree: _Tree, chance: Random) -> _Tree:  # noqa: PLR0911 - one for each kind
    tag, content = tree
    if isinstance(content, list) and content and chance.random() < 0.85:
        place = chance.randrange(len(content))
        return tag, [*content[:place], _mutate_tree(content[place], chance), *content[place + 1 :]]
    match chance.randrange(8):
        case 0:
            return chance.choice(
                (2, 3, 4, 5, 6, 12, 0x17, 0x18, 0x30, 0x31, 0x80, 0xA0, 0xA1, 0x24, chance.randrange(256))
            ), content
        case 1 if isinstance(content, list):
            return tag, content * chance.choice((2, 2, 500)) if len(content) < 9 else content[::-1]
        case 2:
            return tag, b"" if isinstance(content, bytes) else []
        case 3 if isinstance(content, list):
            chance.shuffle(content)
            return tag, content[: chance.randrange(len(content) + 1)]
        case 4:
            for _ in range(chance.choice((1, 3, 60))):
                tree = (chance.choice((0x30, 0xA0, 0x24, tag | 0x20)), [tree])
            return tree
        case 5 if isinstance(content, bytes):
            return tag, content * chance.choice((2, 1000)) if len(content) < 200 else content[:1]
        case 6 if isinstance(content, bytes):
            odd = (b"\xff" * 9, b"\x80", b"\0" * 40, b"\x7f" * 300, b"99991231235959Z", b"203013012500Z", b"\xe4\xb8")
            return tag, chance.choice(odd)
        case _:
            return tag, mutate_any(content, chance) if isinstance(content, bytes) else [*content, (5, b"")]


def _write_der(tree: _Tree, chance: Random, *, wrong: bool) -> bytes:
    tag, content = tree
    body = (
        content if isinstance(content, bytes) else b"".join(_write_der(item, chance, wrong=wrong) for item in content)
    )
    size = len(body)
    if wrong and chance.random() < 0.1:
        if tag & 0x20 and chance.random() < 0.5:
            return bytes((tag, 0x80)) + body + b"\0\0"
        size = chance.choice((0, size + 1, max(size - 1, 0), 0x7FFFFFFF, 1 << 62))
    if size < 0x80:
        return bytes((tag, size)) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(octets))) + octets + body


def mutate_font(data: bytes, chance: Random) -> bytes:
    """The directory of tables, or numbers within one table."""
    count = int.from_bytes(data[4:6])
    tables = [12 + 16 * index for index in range(count) if 28 + 16 * index <= len(data)]
    if not tables or chance.random() < 0.1:
        return mutate_any(data, chance)
    record = chance.choice(tables)
    offset, length = struct.unpack_from(">2L", data, record + 8)
    match chance.randrange(7):
        case 0:
            return _number(data, record + chance.choice((8, 10, 12, 14)), chance, ">")
        case 1:
            return data[:record] + chance.choice((b"glyf", b"loca", b"cmap", b"CFF ", b"xxxx")) + data[record + 4 :]
        case 2:
            other = chance.choice(tables)
            return data[: record + 8] + data[other + 8 : other + 16] + data[record + 16 :]
        case _:
            for _ in range(chance.choice((1, 1, 4, 30))):
                # The beginning of a table says how the rest is to be read.
                place = offset + min(chance.randrange(max(length, 1)), chance.choice((8, 40, 1 << 30)))
                data = _number(data, place, chance, ">")[: len(data)]
            return data


def mutate_picture(data: bytes, chance: Random) -> bytes:
    """Numbers of the header, with checksums made right; or any octets."""
    if chance.random() < 0.5:
        order = chance.choice("<>")
        return _right_checksums(_number(data, chance.randrange(2, min(80, max(len(data), 3))), chance, order))
    return _right_checksums(mutate_any(data, chance))


def _right_checksums(data: bytes) -> bytes:
    if not data.startswith(b"\x89PNG"):
        return data
    place, fixed = 8, bytearray(data)
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4])
        end = place + 8 + length
        fixed[end : end + 4] = struct.pack(">L", zlib.crc32(data[place + 4 : end]))[: max(len(data) - end, 0)]
        place = end + 4
    return bytes(fixed)


_PDF_NUMBER = re.compile(rb"(?<=[ \[\n])-?\d+(?:\.\d+)?(?=[ \]\n])")
_PDF_NAME = re.compile(rb"/[A-Za-z0-9]+")
_PDF_WORDS = (
    b"0",
    b"-1",
    b"1e9",
    b"99999999999",
    b"0.0000001",
    b"null",
    b"[]",
    b"<<>>",
    b"(x)",
    b"1 0 R",
    b"3 0 R",
    b"true",
)


def mutate_pdf(data: bytes, chance: Random) -> bytes:
    """Numbers and names of an unpacked PDF; or any octets."""
    kinds: tuple[Callable[[], bytes], ...] = (
        lambda: _replace(data, _PDF_NUMBER, chance.choice(_PDF_WORDS), chance),
        lambda: _replace(data, _PDF_NAME, chance.choice(_PDF_NAME.findall(data) or [b"/X"]), chance),
        lambda: mutate_any(data, chance),
    )
    return chance.choice(kinds)()


def _replace(data: bytes, pattern: re.Pattern[bytes], word: bytes, chance: Random) -> bytes:
    found = list(pattern.finditer(data))
    if not found:
        return data
    match = chance.choice(found)
    return data[: match.start()] + word + data[match.end() :]
