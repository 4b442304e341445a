"""Distinguished names: written strictly, compared as RFC 5280 §7.1 asks, printed as RFC 4514 text."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from trustcore.asn1 import encoder, reader
from trustcore.errors import MalformedError
from trustcore.x509 import oids

__all__ = ["Attribute", "DistinguishedName"]

_SHORT_NAMES = {
    "CN": oids.COMMON_NAME,
    "SN": "2.5.4.4",
    "serialNumber": "2.5.4.5",
    "C": oids.COUNTRY,
    "L": "2.5.4.7",
    "ST": "2.5.4.8",
    "STREET": "2.5.4.9",
    "O": "2.5.4.10",
    "OU": "2.5.4.11",
    "title": "2.5.4.12",
    "GN": "2.5.4.42",
    "organizationIdentifier": "2.5.4.97",
    "UID": "0.9.2342.19200300.100.1.1",
    "DC": "0.9.2342.19200300.100.1.25",
}
"""Descriptors of RFC 4514 §3 and of RFC 4519 that stand for an attribute type in text."""

_OIDS_BY_FOLDED_NAME = {name.casefold(): oid for name, oid in _SHORT_NAMES.items()}
_NAMES_BY_OID = {oid: name for name, oid in _SHORT_NAMES.items()}
_PRINTABLE_ONLY = {oids.COUNTRY, "2.5.4.5"}
"""X.520 allows only PrintableString for countryName and serialNumber."""
_IA5_ONLY = {"0.9.2342.19200300.100.1.25"}
_PRINTABLE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?")
_SPECIAL = frozenset(',+"\\<>;=')
_STRING_TAGS = frozenset({0x0C, 0x12, 0x13, 0x14, 0x16, 0x1A, 0x1C, 0x1E})
_MAX_VALUE_CHARACTERS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute of a relative distinguished name."""

    oid: str
    value: str
    """Text of a string type; ``#`` and lower-case hex of the whole DER value for any other type (RFC 4514 §2.4)."""


@dataclass(frozen=True, kw_only=True)
class DistinguishedName:
    """A name with its encoding. A name that was read keeps the bytes it came with."""

    der: bytes
    rdns: tuple[tuple[Attribute, ...], ...]
    """Relative names in the order of the encoding: country first, common name last."""

    @classmethod
    def of(cls, attributes: Mapping[str, str] | Iterable[tuple[str, str]]) -> Self:
        """A name of one attribute per RDN, in the order given, most general first.

        Args:
            attributes: short name (``C``, ``O``, ``CN`` …) or dotted OID, and value.

        Raises:
            MalformedError: ``x509.name.…`` for an unknown name, an empty or a forbidden value.
        """
        pairs = attributes.items() if isinstance(attributes, Mapping) else attributes
        return cls._from_rdns(tuple((_attribute(name, value),) for name, value in pairs))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read RFC 4514 text such as ``CN=根证书,O=某机构,C=CN`` (most specific first).

        Raises:
            MalformedError: ``x509.name.…``.
        """
        rdns = [tuple(_attribute(name, value) for name, value in rdn) for rdn in _split_text(text)]
        return cls._from_rdns(tuple(reversed(rdns)))

    @classmethod
    def from_der(cls, der: bytes) -> Self:
        """Read a DER Name. Raises ``MalformedError``."""
        return cls.from_node(reader.parse(der))

    @classmethod
    def from_node(cls, node: reader.Node) -> Self:
        """Read a Name that is part of something larger. Raises ``MalformedError``."""
        rdns = tuple(tuple(_read_attribute(pair) for pair in rdn.children) for rdn in node.children)
        return cls(der=node.raw, rdns=rdns)

    @classmethod
    def _from_rdns(cls, rdns: tuple[tuple[Attribute, ...], ...]) -> Self:
        encoded = [encoder.set_of(*(_encode_attribute(item) for item in rdn)) for rdn in rdns]
        return cls(der=encoder.sequence(*encoded), rdns=rdns)

    @cached_property
    def text(self) -> str:
        """RFC 4514 text, most specific RDN first."""
        return ",".join("+".join(_attribute_text(item) for item in rdn) for rdn in reversed(self.rdns))

    @property
    def common_name(self) -> str | None:
        """The most specific commonName."""
        return self.get("CN")

    def get(self, name: str) -> str | None:
        """The most specific value of an attribute named by short name or dotted OID."""
        wanted = _SHORT_NAMES.get(name, name)
        values = [item.value for rdn in self.rdns for item in rdn if item.oid == wanted]
        return values[-1] if values else None

    def matches(self, other: "DistinguishedName") -> bool:
        """Whether two names are the same: equal bytes, or equal after string preparation (RFC 5280 §7.1)."""
        return self.der == other.der or self.prepared == other.prepared

    @cached_property
    def prepared(self) -> tuple[frozenset[tuple[str, str]], ...]:
        """The name without insignificant differences: what two equal names have in common."""
        return tuple(frozenset((item.oid, _prepare(item.value)) for item in rdn) for rdn in self.rdns)

    def __str__(self) -> str:
        """The RFC 4514 text."""
        return self.text


def _prepare(value: str) -> str:
    """Insignificant differences removed: RFC 4518 §2.2–§2.6 (map, normalise, fold, squeeze spaces)."""
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())


def _attribute(name: str, value: str) -> Attribute:
    oid = _OIDS_BY_FOLDED_NAME.get(name.casefold(), name)
    if not oid[:1].isdigit() or not all(part.isdigit() for part in oid.split(".")) or "." not in oid:
        raise MalformedError(f"The name has an attribute type that is not known: {name!r}", code="x509.name.attribute")
    if not value or len(value) > _MAX_VALUE_CHARACTERS or any(unicodedata.category(c) in {"Cc", "Cs"} for c in value):
        raise MalformedError(
            f"The value of {name} is empty, too long or has control characters", code="x509.name.value"
        )
    if oid == oids.COUNTRY and not (len(value) == 2 and value.isascii() and value.isalpha()):
        raise MalformedError("A country is two letters of ISO 3166", code="x509.name.country")
    if oid in _PRINTABLE_ONLY and not _PRINTABLE.issuperset(value):
        raise MalformedError(f"The value of {name} must be a PrintableString", code="x509.name.printable")
    if oid in _IA5_ONLY and not value.isascii():
        raise MalformedError(f"The value of {name} must be an IA5String", code="x509.name.ia5")
    return Attribute(oid=oid, value=value)


def _encode_attribute(item: Attribute) -> bytes:
    if item.oid in _PRINTABLE_ONLY:
        value = encoder.printable_string(item.value)
    elif item.oid in _IA5_ONLY:
        value = encoder.ia5_string(item.value)
    else:
        value = encoder.utf8_string(item.value)
    return encoder.sequence(encoder.oid(item.oid), value)


def _read_attribute(pair: reader.Node) -> Attribute:
    if len(pair.children) != 2:
        raise MalformedError("An attribute of a name is not a type and a value", code="x509.name.structure")
    kind, value = pair.children
    text = value.text() if value.tag in _STRING_TAGS else "#" + value.raw.hex()
    return Attribute(oid=kind.oid(), value=text)


def _attribute_text(item: Attribute) -> str:
    name = _NAMES_BY_OID.get(item.oid)
    if name is None:
        # RFC 4514 §2.4: a dotted-decimal type goes with the hexadecimal form of the value.
        value = item.value if item.value.startswith("#") else "#" + encoder.utf8_string(item.value).hex()
        return f"{item.oid}={value}"
    return f"{name}={_escape(item.value)}"


def _escape(value: str) -> str:
    escaped = "".join("\\" + c if c in _SPECIAL else ("\\00" if c == "\0" else c) for c in value)
    if value.startswith((" ", "#")):
        escaped = "\\" + escaped
    if value.endswith(" ") and len(value) > 1:
        escaped = escaped[:-1] + "\\ "
    return escaped


def _split_text(text: str) -> Iterator[list[tuple[str, str]]]:
    """Split RFC 4514 text at unescaped ``,`` and ``+``."""
    rdn: list[tuple[str, str]] = []
    for part, separator in _unescaped_parts(text):
        name, found, value = part.partition("=")
        if not found:
            raise MalformedError("The text of a name has a part without '='", code="x509.name.text")
        rdn.append((name.strip(), _unescape(value)))
        if separator != "+":
            yield rdn
            rdn = []


def _unescaped_parts(text: str) -> Iterator[tuple[str, str]]:
    start, position = 0, 0
    while position < len(text):
        if text[position] == "\\":
            position += 2
            continue
        if text[position] in ",+":
            yield text[start:position], text[position]
            start = position + 1
        position += 1
    yield text[start:], ""


def _unescape(value: str) -> str:
    """Undo RFC 4514 §2.4 escapes; unescaped spaces around a value do not count."""
    raw, position = bytearray(), 0
    stripped = value.lstrip(" ")
    while stripped.endswith(" ") and not stripped.endswith("\\ "):
        stripped = stripped[:-1]
    if stripped.startswith("#"):
        raise MalformedError("Hexadecimal values are not accepted in the text of a name", code="x509.name.text")
    while position < len(stripped):
        character = stripped[position]
        if character != "\\":
            raw += character.encode("utf-8", "surrogatepass")
            position += 1
            continue
        escape = stripped[position + 1 : position + 3]
        if len(escape) == 2 and all(c in "0123456789abcdefABCDEF" for c in escape):
            raw.append(int(escape, 16))
            position += 3
        elif escape:
            raw += escape[0].encode("utf-8", "surrogatepass")
            position += 2
        else:
            raise MalformedError("The text of a name ends in a backslash", code="x509.name.text")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise MalformedError("The text of a name is not UTF-8", code="x509.name.text") from error
