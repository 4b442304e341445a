"""Signatures.xml and Signature.xml (GB/T 33190-2016 §18): reading and writing them."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ofd import xmlio
from ofd.package.loc import absolute, resolve
from ofd.package.reader import Package
from ofd.structure import read_part
from ofd.xmlio import Element, element, serialise
from trustcore.errors import MalformedError

__all__ = [
    "ListedSignature",
    "Reference",
    "SignatureDescription",
    "StampRecord",
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
_MAX_SIGNATURES = 64
"""Each costs a verifier some ten signature checks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSignature:
    """One entry of Signatures.xml."""

    id: str
    type: str
    """``Seal`` (also when the attribute is absent) or ``Sign``."""
    name: str
    """Entry name of Signature.xml."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A protected file and its digest."""

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
            )
            for node in xmlio.children(root, "Signature")
        )
    if len(listed) > _MAX_SIGNATURES:
        raise MalformedError(
            f"The document has more than {_MAX_SIGNATURES} signatures.", code="ofd.structure.too-many-signatures"
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
    info = xmlio.required(root, "SignedInfo")
    references = xmlio.required(info, "References")
    seal = xmlio.child(info, "Seal")
    date_time = xmlio.child(info, "SignatureDateTime")
    return SignatureDescription(
        signature_method=xmlio.text(xmlio.required(info, "SignatureMethod")),
        date_time="" if date_time is None else xmlio.text(date_time),
        check_method=references.get("CheckMethod", "MD5"),
        references=tuple(_reference(node, name) for node in xmlio.children(references, "Reference")),
        stamps=tuple(_stamp(node) for node in xmlio.children(info, "StampAnnot")),
        seal=None if seal is None else resolve(_seal_location(seal), holder=name),
        signed_value=resolve(xmlio.text(xmlio.required(root, "SignedValue")), holder=name),
    )


def write_signature(description: SignatureDescription) -> bytes:
    """Signature.xml in the order of the schema, all locations from the root of the package."""
    root = element(None, "Signature")
    info = element(root, "SignedInfo")
    provider = {"ProviderName": _PROVIDER, "Version": _PROVIDER_VERSION, "Company": _PROVIDER}
    element(info, "Provider", attributes=provider)
    element(info, "SignatureMethod", description.signature_method)
    element(info, "SignatureDateTime", description.date_time)
    references = element(info, "References", attributes={"CheckMethod": description.check_method})
    for item in description.references:
        node = element(references, "Reference", attributes={"FileRef": absolute(item.name)})
        element(node, "CheckValue", base64.b64encode(item.digest).decode())
    for stamp in description.stamps:
        attributes = {"ID": stamp.id, "PageRef": stamp.page_id, "Boundary": stamp.boundary}
        if stamp.clip is not None:
            attributes["Clip"] = stamp.clip
        element(info, "StampAnnot", attributes=attributes)
    if description.seal is not None:
        element(element(info, "Seal"), "BaseLoc", absolute(description.seal))
    element(root, "SignedValue", absolute(description.signed_value))
    return serialise(root)


def with_signature(existing: Element | None, signature: ListedSignature, *, last_number: int) -> bytes:
    """Signatures.xml with one more entry, and ``last_number`` as MaxSignId."""
    root = element(None, "Signatures") if existing is None else existing
    for node in xmlio.children(root, "MaxSignId"):
        root.remove(node)
    maximum = element(root, "MaxSignId", str(last_number))
    root.insert(0, maximum)
    attributes = {"ID": signature.id, "Type": signature.type, "BaseLoc": absolute(signature.name)}
    element(root, "Signature", attributes=attributes)
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


def _reference(node: Element, holder: str) -> Reference:
    value = xmlio.text(xmlio.required(node, "CheckValue"))
    location = xmlio.attribute(node, "FileRef")
    try:
        digest = base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError(
            f"The digest of {location} is not base64.", code="ofd.reference.malformed", entry=location
        ) from error
    return Reference(name=resolve(location, holder=holder), digest=digest)


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
