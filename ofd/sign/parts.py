"""Signatures.xml and Signature.xml (GB/T 33190-2016 §18): reading and writing them."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from ofd import xmlio
from ofd.package.loc import absolute, resolve
from ofd.package.reader import Package
from ofd.structure import read_part
from ofd.xmlio import Element, element, serialise
from trustcore.errors import MalformedError, RejectedError

__all__ = [
    "MAX_SIGNATURES",
    "ListedSignature",
    "Reference",
    "SignatureDescription",
    "StampRecord",
    "linked_root",
    "next_signature_number",
    "read_signature",
    "read_signature_list",
    "with_signature",
    "write_signature",
]

_PROVIDER = "Xinyin"
_PROVIDER_VERSION = "1.0"
_MAX_ID_DIGITS = 9
"""Longer ones (times, UUIDs) are no counters; a new ID cannot meet them."""
_NO_XML = re.compile(r"[^\t\n\r -\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]").search
"""What XML 1.0 §2.2 does not allow."""
_IS_PLAIN = re.compile(r"[ !#-%'-;=?-~\u4E00-\u9FFF]*").fullmatch
"""What stands in XML as it is."""
MAX_SIGNATURES = 64
"""Each costs a verifier some ten signature checks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSignature:
    """One entry of Signatures.xml."""

    id: str
    type: str
    """``Seal`` (also when the attribute is absent) or ``Sign``."""
    name: str
    """Entry name of Signature.xml."""
    relative: str | None = None
    """ID of the signature that this one builds on (GM/T 0099-2020; drafts of the next GB/T 33190)."""


class Reference(NamedTuple):
    """A protected file and its digest; a tuple, because there are thousands in a long document."""

    name: str
    """Entry name."""
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StampRecord:
    """StampAnnot: where a seal is shown."""

    id: str
    page_id: str
    boundary: str
    """x, y, width and height in millimetres, blank between them."""
    clip: str | None = None
    """The part of the seal shown, in millimetres from the corner of ``boundary``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureDescription:
    """Signature.xml: what a signature protects and how."""

    signature_method: str
    """OID."""
    date_time: str
    """Free text; never evidence of time."""
    check_method: str
    """Digest of the references as written: an OID or name, MD5 by default."""
    references: tuple[Reference, ...]
    stamps: tuple[StampRecord, ...]
    seal: str | None
    """Entry name of Seal.esl."""
    signed_value: str
    """Entry name of SignedValue.dat."""


def read_signature_list(package: Package, name: str) -> tuple[ListedSignature, ...]:
    """The signatures that Signatures.xml lists.

    Raises:
        MalformedError: ``ofd.structure.signature-id`` when an ID or a file is listed twice,
            ``ofd.structure.too-many-signatures``, ``ofd.xml.…``.
        NotFoundError: ``ofd.package.entry-missing``.
    """
    root = read_part(package, name, "Signatures")
    with xmlio.naming(name):
        listed = tuple(
            ListedSignature(
                id=xmlio.attribute(node, "ID"),
                type=node.get("Type", "Seal"),
                name=resolve(xmlio.attribute(node, "BaseLoc"), holder=name),
                relative=node.get("Relative"),
            )
            for node in xmlio.children(root, "Signature")
        )
    if len(listed) > MAX_SIGNATURES:
        raise MalformedError(
            f"The document has more than {MAX_SIGNATURES} signatures.", code="ofd.structure.too-many-signatures"
        )
    if len({item.id for item in listed}) != len(listed) or len({item.name for item in listed}) != len(listed):
        raise MalformedError("A signature is listed twice.", code="ofd.structure.signature-id", entry=name)
    return listed


def read_signature(data: bytes, *, name: str) -> SignatureDescription:
    """What a Signature.xml says; ``name`` is its entry name.

    Raises:
        MalformedError: ``ofd.reference.malformed`` for a digest that is not base64; ``ofd.xml.…``; ``ofd.loc.…``.
    """
    root = xmlio.parse(data, part=name)
    if xmlio.local_name(root) != "Signature":
        raise MalformedError(f"The root element of {name} is not Signature.", code="ofd.structure.root", entry=name)
    parts = xmlio.Members(root)
    info = xmlio.Members(parts.required("SignedInfo"))
    references = info.required("References")
    seal = info.one("Seal")
    date_time = info.one("SignatureDateTime")
    return SignatureDescription(
        signature_method=xmlio.text(info.required("SignatureMethod")),
        date_time="" if date_time is None else xmlio.text(date_time),
        check_method=references.get("CheckMethod", "MD5"),
        references=tuple([_reference(node, name) for node in xmlio.children(references, "Reference")]),
        stamps=tuple([_stamp(node) for node in info.all("StampAnnot")]),
        seal=None if seal is None else resolve(_seal_location(seal), holder=name),
        signed_value=resolve(xmlio.text(parts.required("SignedValue")), holder=name),
    )


def write_signature(description: SignatureDescription) -> bytes:
    """Signature.xml in the order of the schema, all locations from the root of the package.

    Raises:
        RejectedError: ``ofd.xml.characters`` for text that XML cannot hold.
    """
    # Written as text: there is one element for each of thousands of files, and each seal writes them anew.
    references = "".join(
        f"<ofd:Reference FileRef={_quoted(absolute(item.name))}>"
        f"<ofd:CheckValue>{binascii.b2a_base64(item.digest, newline=False).decode()}</ofd:CheckValue></ofd:Reference>"
        for item in description.references
    )
    stamps = "".join(
        f"<ofd:StampAnnot ID={_quoted(stamp.id)} PageRef={_quoted(stamp.page_id)} Boundary={_quoted(stamp.boundary)}"
        f"{'' if stamp.clip is None else f' Clip={_quoted(stamp.clip)}'}/>"
        for stamp in description.stamps
    )
    seal = "" if description.seal is None else f"<ofd:Seal>{_element('BaseLoc', absolute(description.seal))}</ofd:Seal>"
    return (
        f"<?xml version='1.0' encoding='UTF-8'?>\n<ofd:Signature xmlns:ofd=\"{xmlio.NAMESPACE}\"><ofd:SignedInfo>"
        f'<ofd:Provider ProviderName="{_PROVIDER}" Version="{_PROVIDER_VERSION}" Company="{_PROVIDER}"/>'
        f"{_element('SignatureMethod', description.signature_method)}"
        f"{_element('SignatureDateTime', description.date_time)}"
        f"<ofd:References CheckMethod={_quoted(description.check_method)}>{references}</ofd:References>"
        f"{stamps}{seal}</ofd:SignedInfo>"
        f"{_element('SignedValue', absolute(description.signed_value))}</ofd:Signature>"
    ).encode()


def with_signature(existing: Element | None, signature: ListedSignature, *, last_number: int) -> bytes:
    """Signatures.xml with one more entry, and ``last_number`` as MaxSignId; ``existing`` is changed."""
    root = element(None, "Signatures") if existing is None else existing
    for node in xmlio.children(root, "MaxSignId"):
        root.remove(node)
    maximum = _child_of(root, "MaxSignId")
    maximum.text = str(last_number)
    root.insert(0, maximum)
    entry = _child_of(root, "Signature")
    entry.set("ID", signature.id)
    entry.set("Type", signature.type)
    entry.set("BaseLoc", absolute(signature.name))
    if signature.relative is not None:
        entry.set("Relative", signature.relative)
    return serialise(root)


def linked_root(root: Element, list_name: str) -> bytes:
    """OFD.xml with the link to Signatures.xml, which comes last in the only DocBody; ``root`` is changed."""
    _child_of(xmlio.required(root, "DocBody"), "Signatures").text = absolute(list_name)
    return serialise(root)


def next_signature_number(existing: Element | None, descriptions: Sequence[SignatureDescription]) -> int:
    """The first number free for signatures and stamps: above MaxSignId and the digits of every ID in use."""
    if existing is None:
        return 1
    used = [xmlio.text(node) for node in xmlio.children(existing, "MaxSignId")]
    used += [xmlio.attribute(node, "ID") for node in xmlio.children(existing, "Signature")]
    used += [stamp.id for description in descriptions for stamp in description.stamps]
    numbers = ("".join(re.findall(r"[0-9]", text)) for text in used)
    return 1 + max((int(number) for number in numbers if 0 < len(number) <= _MAX_ID_DIGITS), default=0)


def _child_of(parent: Element, name: str) -> Element:
    """A new last child in the namespace of its parent: one document does not mix the old namespace and the new."""
    namespace = etree.QName(parent).namespace or ""
    return etree.SubElement(parent, f"{{{namespace}}}{name}" if namespace else name)


def _element(name: str, content: str) -> str:
    text = content if _IS_PLAIN(content) else escape(_checked(content))
    return f"<ofd:{name}>{text}</ofd:{name}>"


def _quoted(value: str) -> str:
    return f'"{value}"' if _IS_PLAIN(value) else quoteattr(_checked(value))


def _checked(value: str) -> str:
    if _NO_XML(value):
        raise RejectedError("A name has control characters.", code="ofd.xml.characters")
    return value


def _reference(node: Element, holder: str) -> Reference:
    value = xmlio.text(xmlio.required(node, "CheckValue"))
    location = xmlio.attribute(node, "FileRef")
    try:
        digest = base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError(
            f"The digest of {location} is not base64.", code="ofd.reference.malformed", entry=location
        ) from error
    return Reference(resolve(location, holder=holder), digest)


def _stamp(node: Element) -> StampRecord:
    return StampRecord(
        id=xmlio.attribute(node, "ID"),
        page_id=xmlio.attribute(node, "PageRef"),
        boundary=xmlio.attribute(node, "Boundary"),
        clip=node.get("Clip"),
    )


def _seal_location(seal: Element) -> str:
    """``Seal/BaseLoc`` is an element in the standard's schema and an attribute in some writers."""
    location = xmlio.child(seal, "BaseLoc")
    return xmlio.text(location) if location is not None else xmlio.attribute(seal, "BaseLoc")
