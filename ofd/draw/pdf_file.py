"""Writing a PDF file from beginning to end (ISO 32000-2 §7.3, §7.5): each object goes out as soon as it is known.

Nothing but the places of the objects stays in memory, so that a document of any length is written in the memory of its
largest page.
"""

import zlib
from collections.abc import Mapping, Sequence
from hashlib import md5
from math import isfinite
from typing import BinaryIO, NamedTuple

__all__ = ["Name", "PdfFile", "Ref", "Value", "number", "text_string"]

_LARGEST_NUMBER = 1e7


class Ref(NamedTuple):
    """An indirect object, by its number."""

    number: int


class Name(str):
    """A PDF name, without its slash."""

    __slots__ = ()


Value = None | bool | int | float | bytes | Name | Ref | Sequence["Value"] | Mapping[str, "Value"]
"""What a PDF object may be; ``bytes`` is a string, a mapping's keys are names."""


def number(value: float) -> str:
    """A number as PDF writes it: no exponent, at most five decimals; what is no number becomes 0."""
    if not isfinite(value):
        return "0"
    shown = f"{min(max(value, -_LARGEST_NUMBER), _LARGEST_NUMBER):.5f}".rstrip("0").rstrip(".")
    return "0" if shown in {"-0", ""} else shown


def text_string(text: str) -> bytes:
    """A text string: UTF-16 with byte order mark, or ASCII."""
    return text.encode() if text.isascii() else b"\xfe\xff" + text.encode("utf-16-be", "surrogatepass")


def _name(name: str) -> bytes:
    shown = bytearray(b"/")
    for octet in name.encode():
        plain = 0x21 <= octet <= 0x7E and octet not in b"#/()<>[]{}%"
        shown += bytes([octet]) if plain else b"#%02X" % octet
    return bytes(shown)


def serialise(value: Value) -> bytes:  # noqa: PLR0911 - one line for each kind of object
    """An object as it stands in a file."""
    match value:
        case None:
            return b"null"
        case bool():
            return b"true" if value else b"false"
        case int():
            return b"%d" % value
        case float():
            return number(value).encode()
        case Name():
            return _name(value)
        case Ref():
            return b"%d 0 R" % value.number
        case bytes():
            return b"<" + value.hex().encode() + b">"
        case Mapping():
            return b"<<" + b" ".join(_name(key) + b" " + serialise(item) for key, item in value.items()) + b">>"
        case _:
            return b"[" + b" ".join(serialise(item) for item in value) + b"]"


class PdfFile:
    """A file under construction. Call :meth:`finish` once, last."""

    def __init__(self, out: BinaryIO) -> None:
        """Begin a file; ``out`` is written from where it stands and never read or moved back."""
        self._out = out
        self._position = 0
        self._places: dict[int, int] = {}
        self._last = 0
        self._digest = md5(usedforsecurity=False)
        self._write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")

    def reserve(self) -> Ref:
        """The number of an object that is written later."""
        self._last += 1
        return Ref(self._last)

    def put(self, value: Value, ref: Ref | None = None) -> Ref:
        """Write an object; a reserved number is taken when given."""
        ref = ref or self.reserve()
        self._begin(ref)
        self._write(serialise(value) + b"\nendobj\n")
        return ref

    def stream(
        self, entries: Mapping[str, Value], data: bytes, ref: Ref | None = None, *, compress: bool = True
    ) -> Ref:
        """Write a stream; ``compress`` is for data that has no filter yet."""
        ref = ref or self.reserve()
        described = dict(entries)
        if compress:
            data = zlib.compress(data)
            described["Filter"] = Name("FlateDecode")
        described["Length"] = len(data)
        self._begin(ref)
        self._write(serialise(described) + b"\nstream\n")
        self._write(data)
        self._write(b"\nendstream\nendobj\n")
        return ref

    def finish(self, root: Ref, info: Ref | None = None) -> int:
        """Write the table of places and the trailer; returns how many octets the file has."""
        table_at = self._position
        rows = [b"xref\n0 %d\n0000000000 65535 f \n" % (self._last + 1)]
        for index in range(1, self._last + 1):
            place = self._places.get(index)
            rows.append(b"0000000000 00000 f \n" if place is None else b"%010d 00000 n \n" % place)
        self._write(b"".join(rows))
        identifier = self._digest.digest()
        trailer: dict[str, Value] = {"Size": self._last + 1, "Root": root, "ID": [identifier, identifier]}
        if info:
            trailer["Info"] = info
        self._write(b"trailer\n" + serialise(trailer) + b"\nstartxref\n%d\n%%%%EOF\n" % table_at)
        return self._position

    def _begin(self, ref: Ref) -> None:
        self._places[ref.number] = self._position
        self._write(b"%d 0 obj\n" % ref.number)

    def _write(self, octets: bytes) -> None:
        self._out.write(octets)
        self._digest.update(octets)
        self._position += len(octets)
