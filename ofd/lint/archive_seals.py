"""Seals as archives keep them (GB/T 42133-2022 §6.13): their look as annotations, their data beside the document.

The signatures themselves cannot stay: what is done to a document for the archive breaks them. Verify them before, and
keep the signed document, or at least what is handed back here.
"""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from ofd import xmlio
from ofd.build.annotations import AnnotationType, Remarks
from ofd.build.editing import DocumentEditor
from ofd.draw.scene import Group
from ofd.draw.seals import Seals, Stamp
from ofd.fonts.faces import find_fonts
from ofd.fonts.library import FontLibrary
from ofd.lint import rules_archive as rules
from ofd.lint.finding import Findings
from ofd.lint.inspection import inspect
from ofd.lint.part_repair import Repair
from ofd.lint.walk import name_of
from ofd.model.document import Document
from ofd.package.lenient import LenientPackage
from ofd.package.reader import Package
from ofd.ses.structure import SealSignature
from ofd.sign.parts import SignatureDescription, read_signature
from ofd.sign.plain import PlainSignature
from trustcore.crypto.digests import sm3
from trustcore.errors import TrustError
from trustcore.x509.certificate import Certificate

__all__ = ["Unsigned", "seals_as_annotations"]

_TYPES = frozenset({"Signatures", "Signature", "signed-value", "seal"})
_ROOT = "OFD.xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsigned:
    """A document that was signed."""

    data: bytes
    done: tuple[Repair, ...]
    taken_out: Mapping[str, bytes]
    """The files of the signatures, by entry name."""


def seals_as_annotations(data: bytes, *, fonts: FontLibrary, today: date) -> Unsigned:
    """The document without its signatures, each seal an annotation of type Stamp in its place.

    Args:
        data: the document; its signatures are not verified.
        fonts: for seals whose picture is a document of its own.
        today: the date that the annotations bear.

    Raises:
        TrustError: the document cannot be read strictly.
    """
    package = Package(data)
    with Document.open(data) as document:
        seals = Seals(document, fonts=fonts)
        stamped = [
            (index, stamp, group)
            for index, link in enumerate(document.page_links)
            for stamp, group in _pairs(seals, index, link.id)
        ]
    reached = inspect(LenientPackage(package), Findings(), {}).reached
    own = sorted(name for name, kinds in reached.items() if kinds & _TYPES)
    taken_out = {name: package.read(name) for name in own}
    editor = DocumentEditor(_without_signatures(package, own), fonts=find_fonts(), today=today)
    done: list[Repair] = []
    for index, stamp, group in stamped:
        facts = _facts(package, stamp)
        remarks = Remarks(
            creator=facts.get("Signer", "") or "?",
            subtype="Seal",
            remark=facts.get("SealName", ""),
            parameters=facts,
            no_zoom=True,
            no_rotate=True,
        )
        box = (stamp.box.x, stamp.box.y, stamp.box.width, stamp.box.height)
        editor.annotate(index, AnnotationType.STAMP, box_mm=box, remarks=remarks).draw(group)
        done.append(_repair(stamp.signature_part, stamp.signature_id, f"annotation on page {index + 1}"))
    shown = {stamp.signature_part for _, stamp, _ in stamped}
    signatures = [name for name in own if "Signature" in reached[name]]
    done.extend(_repair(name, "", "taken out") for name in signatures if name not in shown)
    result = editor.to_bytes() if stamped else _without_signatures(package, own)
    return Unsigned(data=result, done=tuple(done), taken_out=taken_out)


def _pairs(seals: Seals, index: int, page_id: str) -> Iterator[tuple[Stamp, Group]]:
    """The stamps of a page that can be drawn."""
    groups = {group.origin.object_id: group for group in seals.on_page(index)}
    for stamp in seals.stamps(page_id):
        if stamp.id in groups:
            yield stamp, groups[stamp.id]


def _without_signatures(package: Package, own: list[str]) -> bytes:
    root = xmlio.parse(package.read(_ROOT), part=_ROOT)
    for node in [item for item in root.iter("*") if name_of(item) == "Signatures"]:
        parent = node.getparent()
        if parent is not None:
            parent.remove(node)
    return package.changed({_ROOT: xmlio.serialise(root)}, removed=own).to_bytes()


def _facts(package: Package, stamp: Stamp) -> dict[str, str]:
    """What is known of a signature, as far as it can be read: signer, certificate, time, digest."""
    facts = {"SignatureID": stamp.signature_id}
    try:
        xml = package.read(stamp.signature_part)
        description = read_signature(xml, name=stamp.signature_part)
        value = package.read(description.signed_value)
    except TrustError:
        return facts
    facts |= {"SignatureDateTime": description.date_time, "SignatureMethod": description.signature_method}
    facts |= {"SignatureDigest": f"SM3:{sm3(xml).hex()}", "SignedValueDigest": f"SM3:{sm3(value).hex()}"}
    try:
        return {name: text for name, text in (facts | _signer(value, description)).items() if text}
    except TrustError:
        return facts


def _signer(value: bytes, description: SignatureDescription) -> dict[str, str]:
    try:
        signature = SealSignature.parse(value)
    except TrustError:
        certificates = PlainSignature.parse(value, signature_method=description.signature_method).certificates
        return {} if not certificates else _named(certificates[0])
    info = signature.to_be_signed.seal.info
    return _named(signature.certificate_der) | {"SealName": info.name, "SealCode": info.seal_code}


def _named(certificate_der: bytes) -> dict[str, str]:
    certificate = Certificate.from_der(certificate_der)
    name = certificate.common_name or certificate.subject.text
    return {"Signer": name, "SignerCertificate": base64.b64encode(certificate_der).decode()}


def _repair(entry: str, identifier: str, after: str) -> Repair:
    return Repair(code=rules.SIGNATURE.code, entry=entry, line=0, object_id=identifier, before="signature", after=after)
