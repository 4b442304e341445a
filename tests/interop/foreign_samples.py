"""Documents sealed and signed by the OFD library in every form, for software that is not ours to judge."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO

from PIL import Image, ImageDraw

from ofd.package.reader import Package
from ofd.sign.plain import Shape
from ofd.sign.seal import Protection, prepare
from ofd.sign.signature import prepare_signature
from ofd.sign.stamps import Side, StampAnnotation, opposite_pages, page_boxes, riding

from support.ofd_samples import SIGNED_AT, Pki, make_seal, sample_document, sample_pki
from support.ofd_signing import first_seal


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One document, and how it has to be asked about."""

    name: str
    says: str
    """What it is, for the table."""
    package: bytes
    container: str
    """Of ofdrw."""
    stamps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """What is exchanged."""

    unsealed: bytes
    picture: bytes
    """PNG of a red ring."""
    sealed: tuple[Sample, ...]


@cache
def sealed_samples() -> Samples:
    """All samples, made once."""
    pki, document = sample_pki(), sample_document()
    boxes = page_boxes(Package(document))
    size = (40.0, 40.0)
    corner = (StampAnnotation(page=0, x_mm=140, y_mm=220, width_mm=40, height_mm=40),)
    fourth, first = make_seal(pki), first_seal(pki)
    sides = [stamp for side in Side for stamp in riding(boxes, size_mm=size, side=side)]
    continued = _sealed(pki, document, fourth, corner, protection=Protection.CONTINUE)
    made = (
        ("v4", "seal of GB/T 38540-2020", _sealed(pki, document, fourth, corner), "v4", 1),
        ("v1", "seal of GM/T 0031-2014", _sealed(pki, document, first, corner), "v1", 1),
        ("twice", "two seals, continue mode", _sealed(pki, continued, fourth, corner), "v4", 2),
        ("riding", "riding seal on four sides", _sealed(pki, document, fourth, sides), "v4", len(sides)),
        (
            "opposite",
            "seal across opposite pages",
            _sealed(pki, document, fourth, opposite_pages(boxes, size_mm=size)),
            "v4",
            2,
        ),
        ("attributes", "Type=Sign, GB/T 35275 with attributes", _signed(pki, document, Shape.ATTRIBUTES), "35275", 0),
        ("digest", "Type=Sign, GB/T 35275 with the digest", _signed(pki, document, Shape.DIGEST), "35275", 0),
    )
    return Samples(
        unsealed=document,
        picture=_picture(),
        sealed=tuple(
            Sample(name=name, says=says, package=package, container=container, stamps=stamps)
            for name, says, package, container, stamps in made
        ),
    )


def _sealed(
    pki: Pki,
    document: bytes,
    seal_der: bytes,
    stamps: Sequence[StampAnnotation],
    protection: Protection = Protection.WHOLE,
) -> bytes:
    prepared = prepare(
        document,
        seal_der=seal_der,
        stamps=stamps,
        at=SIGNED_AT,
        certificates=[pki.issuing.certificate.der],
        crls=pki.crls,
        certificate_der=pki.signer.certificate.der,
        protection=protection,
    )
    return prepared.complete(pki.signer.signer.sign(prepared.to_be_signed), pki.signer.certificate.der)


def _signed(pki: Pki, document: bytes, shape: Shape) -> bytes:
    prepared = prepare_signature(
        document,
        certificate_der=pki.signer.certificate.der,
        at=SIGNED_AT,
        shape=shape,
        certificates=[pki.issuing.certificate.der],
        crls=pki.crls,
    )
    return prepared.complete(pki.signer.signer.sign(prepared.to_be_signed))


def _picture() -> bytes:
    image = Image.new("RGBA", (300, 300), (255, 255, 255, 0))
    ImageDraw.Draw(image).ellipse((6, 6, 294, 294), outline=(200, 16, 16, 255), width=10)
    written = BytesIO()
    image.save(written, "PNG")
    return written.getvalue()
