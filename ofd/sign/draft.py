"""Everything of a new signature but its value: where it goes, what it protects, Signature.xml.

Seals, signatures without seal and archive time stamps are all drafted here; they differ in what is signed and in
SignedValue.dat. Files that were in the package stay as they are, byte for byte; OFD.xml alone is written anew, and only
by the first signature (GB/T 33190-2016 §18).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from ofd.package.reader import Package
from ofd.progress import Progress, silent
from ofd.ses.structure import Picture
from ofd.sign.parts import (
    MAX_SIGNATURES,
    ListedSignature,
    Reference,
    SignatureDescription,
    linked_root,
    next_signature_number,
    read_signature,
    read_signature_list,
    with_signature,
    write_signature,
)
from ofd.sign.stamps import StampAnnotation, stamp_records
from ofd.structure import ROOT, bodies_of, page_names, permits_signing, read_part
from ofd.xmlio import Element
from trustcore.crypto.algorithms import DIGESTS, DigestAlgorithm
from trustcore.errors import ConflictError, RejectedError

__all__ = ["SEAL_FILE", "Draft", "Order", "Protection", "SignatureType", "draft", "restore_draft"]

SEAL_FILE = "Seal.esl"
"""Its name in the folder of the signature."""
_SIGNATURE_FILE = "Signature.xml"
_VALUE_FILE = "SignedValue.dat"


class Protection(StrEnum):
    """What may be added or changed after the signature."""

    WHOLE = "whole"
    """Nothing: Signatures.xml is protected too."""
    CONTINUE = "continue"
    """Further signatures."""
    PARTIAL = "partial"
    """Further signatures, and the files that are named as not protected. Verifiers say that coverage is incomplete."""


class SignatureType(StrEnum):
    """Type of an entry in Signatures.xml."""

    SEAL = "Seal"
    SIGN = "Sign"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a signature shall be."""

    type: SignatureType
    stamps: tuple[StampAnnotation, ...] = ()
    picture: Picture | None = None
    """Of the seal."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Further files for the folder of the signature, by their names in it."""
    signature_method: str
    """OID."""
    digest: DigestAlgorithm
    """Of the files."""
    at: datetime
    protection: Protection = Protection.WHOLE
    unprotected: frozenset[str] = frozenset()
    """Entry names that are not protected; for :attr:`Protection.PARTIAL` alone."""
    relative: str | None = None
    """ID of the signature that this one builds on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A package that waits for the value of its new signature."""

    prepared: Package = field(repr=False, compare=False)
    """The document with :attr:`added`, everything the signature may protect; must stay open when it is in a file."""
    added: Mapping[str, bytes] = field(repr=False)
    """Files that the signature adds or replaces, all but Signature.xml and SignedValue.dat."""
    listed: ListedSignature
    """The entry in Signatures.xml."""
    signature_xml: bytes = field(repr=False)
    signed_value_name: str
    """Entry name of SignedValue.dat."""
    list_name: str
    """Entry name of Signatures.xml."""
    unprotected: frozenset[str]
    """Names of the files that Signature.xml does not list, Signature.xml and SignedValue.dat aside."""

    @property
    def signature_name(self) -> str:
        """Entry name of Signature.xml."""
        return self.listed.name

    def with_value(self, signed_value: bytes) -> Package:
        """The signed package."""
        files = {self.signature_name: self.signature_xml, self.signed_value_name: signed_value}
        return self.prepared.changed(files)


def draft(package: bytes | Package, order: Order, *, progress: Progress = silent) -> Draft:
    """Put a signature into a document, all but its value.

    Args:
        package: the document.
        order: what the signature shall be.
        progress: told the files that were hashed.

    Raises:
        MalformedError: the document cannot be read.
        ConflictError: ``ofd.seal.closed``, an earlier signature protects the list of signatures.
        RejectedError: ``ofd.seal.…``: no permission, several documents, no such page, a stamp that is none;
            ``ofd.sign.too-many``; ``ofd.sign.partial`` for files that would be left out without being asked for, or do
            not exist.
    """
    source = Package(package) if isinstance(package, bytes) else package
    place = _find_place(source)
    _check_protection(order, source, place.list_name)
    stamps = stamp_records(order.stamps, picture=order.picture, page_ids=place.page_ids, number_before=place.number)
    listed = place.entry(order.type, order.relative)
    added = {place.list_name: with_signature(place.list_root, listed, last_number=place.number + len(stamps))}
    added.update((place.folder + name, content) for name, content in order.files.items())
    if place.ofd_root is not None:
        added[ROOT] = linked_root(place.ofd_root, place.list_name)
    prepared = source.changed(dict(sorted(added.items())))
    unprotected = order.unprotected
    if order.protection is not Protection.WHOLE:
        unprotected |= {place.list_name}
    description = SignatureDescription(
        signature_method=order.signature_method,
        date_time=f"{order.at.astimezone(UTC):%Y%m%d%H%M%S}Z",
        check_method=DIGESTS[order.digest].oid,
        references=_references(prepared, unprotected, order.digest, progress),
        stamps=stamps,
        seal=place.folder + SEAL_FILE if SEAL_FILE in order.files else None,
        signed_value=place.folder + _VALUE_FILE,
    )
    return Draft(
        prepared=prepared,
        added=added,
        listed=listed,
        signature_xml=write_signature(description),
        signed_value_name=description.signed_value,
        list_name=place.list_name,
        unprotected=unprotected,
    )


def restore_draft(
    package: bytes | Package,
    *,
    added: Mapping[str, bytes],
    type: SignatureType,  # noqa: A002 - the standard's word
    relative: str | None,
    signature_xml: bytes,
    unprotected: Collection[str],
    digest: DigestAlgorithm,
) -> Draft:
    """A draft that was stored, with the document it was made for.

    The document has to be that very one, with not one file more, and the list of signatures the one that the draft
    would make of it now.

    Raises:
        ConflictError: ``ofd.sign.other-document``: it is another document, or was signed or changed since.
        MalformedError: the document or the draft cannot be read.
    """
    source = Package(package) if isinstance(package, bytes) else package
    place = _find_place(source)
    listed = place.entry(type, relative)
    description = read_signature(signature_xml, name=listed.name)
    prepared = source.changed(dict(sorted(added.items())))
    result = Draft(
        prepared=prepared,
        added=added,
        listed=listed,
        signature_xml=signature_xml,
        signed_value_name=description.signed_value,
        list_name=place.list_name,
        unprotected=frozenset(unprotected),
    )
    last_number = place.number + len(description.stamps)
    expected = {reference.name: reference.digest for reference in description.references}
    same = (
        description.signed_value == place.folder + _VALUE_FILE
        and added.get(place.list_name) == with_signature(place.list_root, listed, last_number=last_number)
        and (place.ofd_root is None or added.get(ROOT) == linked_root(place.ofd_root, place.list_name))
        and expected.keys() == set(prepared.names) - result.unprotected
        and all(prepared.digest(name, digest) == value for name, value in expected.items())
    )
    if not same:
        raise ConflictError("This is not the document that was prepared.", code="ofd.sign.other-document")
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a new signature goes."""

    number: int
    """Of the signature; its stamps follow."""
    list_name: str
    """Entry name of Signatures.xml."""
    list_root: Element | None
    """Signatures.xml, if there is one."""
    ofd_root: Element | None
    """OFD.xml, if it has to be linked to Signatures.xml."""
    folder: str
    """Of the new signature's files, with the slash."""
    page_ids: tuple[str, ...]

    def entry(self, type: SignatureType, relative: str | None) -> ListedSignature:  # noqa: A002 - the standard's word
        """The entry of the new signature in Signatures.xml."""
        name = self.folder + _SIGNATURE_FILE
        return ListedSignature(id=f"s{self.number:03d}", type=type, name=name, relative=relative)


def _find_place(package: Package) -> _Place:
    ofd_root = read_part(package, ROOT, "OFD")
    bodies = bodies_of(ofd_root)
    if len(bodies) != 1:
        raise RejectedError("A package with several documents cannot be sealed.", code="ofd.seal.several-documents")
    body = bodies[0]
    document = read_part(package, body.document, "Document")
    if not permits_signing(document):
        raise RejectedError("The document does not permit signatures.", code="ofd.seal.permission")
    page_ids = tuple(page_names(document, holder=body.document))
    if body.signatures is None:
        list_name = f"{_folder(body.document)}Signs/Signatures.xml"
        if list_name in package:
            raise RejectedError(f"{list_name} is there and not linked.", code="ofd.seal.list-exists", entry=list_name)
        return _Place(
            number=1,
            list_name=list_name,
            list_root=None,
            ofd_root=ofd_root,
            folder=_free_folder(package, list_name),
            page_ids=page_ids,
        )
    existing = _existing_signatures(package, body.signatures)
    list_root = read_part(package, body.signatures, "Signatures")
    return _Place(
        number=next_signature_number(list_root, existing),
        list_name=body.signatures,
        list_root=list_root,
        ofd_root=None,
        folder=_free_folder(package, body.signatures),
        page_ids=page_ids,
    )


def _existing_signatures(package: Package, list_name: str) -> tuple[SignatureDescription, ...]:
    """The signatures there are; refuses when one of them closed the list.

    Names are compared without case: whoever meant to close the list, closed it.
    """
    descriptions = tuple(
        read_signature(package.read(item.name), name=item.name) for item in read_signature_list(package, list_name)
    )
    if len(descriptions) >= MAX_SIGNATURES:
        raise RejectedError(
            f"The document has {MAX_SIGNATURES} signatures; no verifier reads more.", code="ofd.sign.too-many"
        )
    closed = list_name.casefold()
    if any(reference.name.casefold() == closed for item in descriptions for reference in item.references):
        raise ConflictError("An earlier signature closed the list of signatures.", code="ofd.seal.closed")
    return descriptions


def _check_protection(order: Order, package: Package, list_name: str) -> None:
    if bool(order.unprotected) != (order.protection is Protection.PARTIAL):
        raise RejectedError(
            "Files are left out of the protection when partial protection is asked for, and then at least one.",
            code="ofd.sign.partial",
        )
    lost = order.unprotected - set(package.names) - {list_name}
    if lost or ROOT in order.unprotected:
        raise RejectedError(
            "What is left out of the protection is a file of the document, and not OFD.xml.",
            code="ofd.sign.partial",
            entry=min(lost, default=ROOT),
        )


def _references(
    package: Package, unprotected: Collection[str], algorithm: DigestAlgorithm, progress: Progress
) -> tuple[Reference, ...]:
    names = sorted(set(package.names) - set(unprotected))
    references: list[Reference] = []
    for done, name in enumerate(names):
        progress(done, len(names))
        references.append(Reference(name=name, digest=package.digest(name, algorithm)))
    progress(len(names), len(names))
    return tuple(references)


def _free_folder(package: Package, list_name: str) -> str:
    base = _folder(list_name)
    start = f"{base}Sign_".casefold()
    taken = {
        name[len(start) :].partition("/")[0] for name in map(str.casefold, package.names) if name.startswith(start)
    }
    index = next(index for index in range(len(taken) + 1) if str(index) not in taken)
    return f"{base}Sign_{index}/"


def _folder(name: str) -> str:
    return name[: name.rfind("/") + 1]
