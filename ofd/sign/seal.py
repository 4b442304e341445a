"""Sealing a document in two phases, so that the private key may be anywhere.

:func:`prepare` puts everything into the package that the seal protects and answers with the octets to be signed;
:meth:`PreparedSeal.complete` puts the signature in. The chain of protection is: certificate → signature → TBS_Sign →
dataHash → Signature.xml → digest of every file (GB/T 33190-2016 §18, GB/T 38540-2020 §7). Files that were in the
package stay as they are, byte for byte; OFD.xml alone is written anew, and only by the first signature.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from ofd import xmlio
from ofd.build.canvas import number
from ofd.package.loc import absolute
from ofd.package.reader import Package
from ofd.ses.encode import encode_signature, encode_to_be_signed, validation_material
from ofd.ses.structure import Seal
from ofd.sign.parts import (
    ListedSignature,
    Reference,
    SignatureDescription,
    StampRecord,
    next_signature_number,
    read_signature,
    read_signature_list,
    with_signature,
    write_signature,
)
from ofd.structure import ROOT, DocumentBody, page_names, permits_signing, read_bodies, read_part
from trustcore.asn1.reader import parse
from trustcore.crypto.algorithms import DIGESTS, SIGNATURES, DigestAlgorithm, SignatureAlgorithm
from trustcore.crypto.digests import digest
from trustcore.crypto.verify import verify
from trustcore.errors import ConflictError, RejectedError
from trustcore.x509.certificate import Certificate

__all__ = ["PreparedSeal", "Protection", "StampAnnotation", "prepare"]


class Protection(StrEnum):
    """What may be added after the seal."""

    WHOLE = "whole"
    """Nothing: Signatures.xml is protected too."""
    CONTINUE = "continue"
    """Further signatures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StampAnnotation:
    """Where the seal is shown on a page."""

    page: int = 0
    """Index of the page, from 0."""
    x_mm: float
    y_mm: float
    """Top left corner, from the top left corner of the page."""
    width_mm: float | None = None
    height_mm: float | None = None
    """Size; that of the seal's picture when left out."""
    clip_mm: tuple[float, float, float, float] | None = None
    """x, y, width, height of the part shown, from the corner of the seal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedSeal:
    """A package that waits for its signature. Plain data: it can be stored until the signature comes."""

    to_be_signed: bytes
    """DER TBS_Sign: sign these octets."""
    signature_algorithm: SignatureAlgorithm
    package: bytes
    """Everything the seal protects."""
    signature_name: str
    """Entry name of Signature.xml."""
    signature_xml: bytes
    signed_value_name: str
    """Entry name of SignedValue.dat."""

    def complete(self, signature_der: bytes, certificate_der: bytes, timestamp_token: bytes | None = None) -> bytes:
        """The sealed package.

        Args:
            signature_der: signature over ``to_be_signed``, in its X.509 form.
            certificate_der: of the signer; the seal has to list it.
            timestamp_token: RFC 3161 TimeStampToken over SM3 of ``signature_der``.

        Raises:
            RejectedError: ``ofd.seal.signer-not-listed`` when the seal is not for this signer, and
                ``ofd.seal.signature-wrong`` when the signature is not the certificate's over ``to_be_signed``.
        """
        public_key_der = Certificate.from_der(certificate_der).public_key_der
        if not verify(public_key_der, self.signature_algorithm, self.to_be_signed, signature_der):
            raise RejectedError("The signature does not belong to the certificate.", code="ofd.seal.signature-wrong")
        if not self._seal().info.lists(certificate_der):
            raise RejectedError("The seal does not list this signer.", code="ofd.seal.signer-not-listed")
        signed_value = encode_signature(
            self.to_be_signed,
            certificate_der=certificate_der,
            signature_algorithm_oid=SIGNATURES[self.signature_algorithm].oid,
            signature_der=signature_der,
            timestamp_token=timestamp_token,
        )
        files = {self.signature_name: self.signature_xml, self.signed_value_name: signed_value}
        return Package(self.package).with_files(files)

    def _seal(self) -> Seal:
        return Seal.parse(parse(self.to_be_signed)[1].raw)


def prepare(
    package: bytes,
    *,
    seal_der: bytes,
    stamps: Sequence[StampAnnotation],
    at: datetime,
    certificates: Sequence[bytes] = (),
    crls: Sequence[bytes] = (),
    signature_algorithm: SignatureAlgorithm = SignatureAlgorithm.SM2_SM3,
    protection: Protection = Protection.WHOLE,
) -> PreparedSeal:
    """Put a seal into a document, all but the signature.

    Args:
        package: the document.
        seal_der: SESeal exactly as its maker issued it.
        stamps: where it is shown; at least one place.
        at: signing time.
        certificates: DER certificates of the issuers of signer and seal maker, carried along for verifiers.
        crls: DER CRLs of those issuers, likewise.
        signature_algorithm: of the signer's key; its digest protects the files.
        protection: whether further signatures may follow.

    Raises:
        MalformedError: the document or the seal cannot be read.
        ConflictError: ``ofd.seal.closed``, an earlier signature protects the list of signatures.
        RejectedError: ``ofd.seal.…``: no permission, several documents, no such page, seal outside its period.
    """
    seal = Seal.parse(seal_der)
    if not seal.info.valid_from <= at <= seal.info.valid_until:
        raise RejectedError("The seal is not valid at the signing time.", code="ofd.seal.outside-period")
    source = Package(package)
    place = _find_place(source)
    details = SIGNATURES[signature_algorithm]
    prepared = source.with_files(_added_files(source, place, seal_der, last_number=place.number + len(stamps)))
    excluded = {place.list_name} if protection is Protection.CONTINUE else set()
    description = SignatureDescription(
        signature_method=details.oid,
        date_time=f"{at.astimezone(UTC):%Y%m%d%H%M%S}Z",
        check_method=DIGESTS[details.digest].oid,
        references=_references(Package(prepared), excluded, details.digest),
        stamps=_stamp_records(stamps, seal, place),
        seal=f"{place.folder}Seal.esl",
        signed_value=f"{place.folder}SignedValue.dat",
    )
    signature_xml = write_signature(description)
    to_be_signed = encode_to_be_signed(
        seal_der=seal_der,
        at=at,
        data_hash=digest(details.digest, signature_xml),
        property_info=absolute(place.signature_name),
        extensions=validation_material(certificates, crls),
    )
    return PreparedSeal(
        to_be_signed=to_be_signed,
        signature_algorithm=signature_algorithm,
        package=prepared,
        signature_name=place.signature_name,
        signature_xml=signature_xml,
        signed_value_name=description.signed_value,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a new signature goes."""

    number: int
    """Of the signature; its stamps follow."""
    list_name: str
    """Entry name of Signatures.xml."""
    is_first: bool
    """Whether Signatures.xml has to be made and linked."""
    folder: str
    """Of the new signature's files, with the slash."""
    page_ids: tuple[str, ...]

    @property
    def signature_name(self) -> str:
        return f"{self.folder}Signature.xml"


def _find_place(package: Package) -> _Place:
    body, document = _only_document(package)
    existing = _existing_signatures(package, body)
    list_name = body.signatures or f"{_folder(body.document)}Signs/Signatures.xml"
    if body.signatures is None and list_name in package:
        raise RejectedError(f"{list_name} is there and not linked.", code="ofd.seal.list-exists", entry=list_name)
    list_root = None if body.signatures is None else read_part(package, body.signatures, "Signatures")
    return _Place(
        number=next_signature_number(list_root, existing),
        list_name=list_name,
        is_first=body.signatures is None,
        folder=_free_folder(package, list_name),
        page_ids=tuple(page_names(document, holder=body.document)),
    )


def _added_files(package: Package, place: _Place, seal_der: bytes, *, last_number: int) -> dict[str, bytes]:
    """The new Signatures.xml and Seal.esl, and OFD.xml where it has to link to the list."""
    list_root = None if place.is_first else read_part(package, place.list_name, "Signatures")
    listed = ListedSignature(id=f"s{place.number:03d}", type="Seal", name=place.signature_name)
    files = {
        place.list_name: with_signature(list_root, listed, last_number=last_number),
        f"{place.folder}Seal.esl": seal_der,
    }
    if place.is_first:
        files[ROOT] = _linked_root(package, place.list_name)
    return files


def _references(package: Package, excluded: Collection[str], algorithm: DigestAlgorithm) -> tuple[Reference, ...]:
    return tuple(
        Reference(name=name, digest=package.digest(name, algorithm))
        for name in sorted(package.names)
        if name not in excluded
    )


def _only_document(package: Package) -> tuple[DocumentBody, xmlio.Element]:
    bodies = read_bodies(package)
    if len(bodies) != 1:
        raise RejectedError("A package with several documents cannot be sealed.", code="ofd.seal.several-documents")
    document = read_part(package, bodies[0].document, "Document")
    if not permits_signing(document):
        raise RejectedError("The document does not permit signatures.", code="ofd.seal.permission")
    return bodies[0], document


def _existing_signatures(package: Package, body: DocumentBody) -> tuple[SignatureDescription, ...]:
    """The signatures there are; refuses when one of them closed the list.

    Names are compared without case: whoever meant to close the list, closed it.
    """
    if body.signatures is None:
        return ()
    descriptions = tuple(
        read_signature(package.read(item.name), name=item.name)
        for item in read_signature_list(package, body.signatures)
    )
    closed = body.signatures.casefold()
    if any(reference.name.casefold() == closed for item in descriptions for reference in item.references):
        raise ConflictError("An earlier signature closed the list of signatures.", code="ofd.seal.closed")
    return descriptions


def _free_folder(package: Package, list_name: str) -> str:
    base = _folder(list_name)
    taken = {name.casefold() for name in package.names}
    index = 0
    while any(name.startswith(f"{base}Sign_{index}/".casefold()) for name in taken):
        index += 1
    return f"{base}Sign_{index}/"


def _folder(name: str) -> str:
    return name[: name.rfind("/") + 1]


def _linked_root(package: Package, list_name: str) -> bytes:
    """OFD.xml with the link to Signatures.xml, which comes last in DocBody."""
    root = read_part(package, ROOT, "OFD")
    xmlio.element(xmlio.required(root, "DocBody"), "Signatures", absolute(list_name))
    return xmlio.serialise(root)


def _stamp_records(stamps: Sequence[StampAnnotation], seal: Seal, place: _Place) -> tuple[StampRecord, ...]:
    if not stamps:
        raise RejectedError("A seal is shown in at least one place.", code="ofd.seal.no-stamp")
    picture = seal.info.picture
    records: list[StampRecord] = []
    for index, stamp in enumerate(stamps, start=1):
        if not 0 <= stamp.page < len(place.page_ids):
            raise RejectedError(
                f"The document has {len(place.page_ids)} pages; there is none with index {stamp.page}.",
                code="ofd.seal.page",
            )
        box = (stamp.x_mm, stamp.y_mm, stamp.width_mm or picture.width_mm, stamp.height_mm or picture.height_mm)
        clip = stamp.clip_mm
        records.append(
            StampRecord(
                id=f"s{place.number + index:03d}",
                page_id=place.page_ids[stamp.page],
                boundary=" ".join(number(value) for value in box),
                clip=None if clip is None else " ".join(number(value) for value in clip),
            )
        )
    return tuple(records)
