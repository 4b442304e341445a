"""Documents of every kind in one shape: prepared, waiting for a signature."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeAlias

from ofd.ses.structure import Seal
from ofd.sign import seal as ofd_seal
from seal_service.certified_keys import CertifiedKey
from seal_service.core.material import ValidationMaterial
from seal_service.core.placement import Placement
from seal_service.pdf.embedding import Form, StampPicture
from seal_service.pdf.gm_seal import prepare_gm_seal
from seal_service.pdf.pades import prepare_pades
from trustcore.crypto.digests import sm3

__all__ = [
    "OfdOrder",
    "PdfOrder",
    "Preparation",
    "PreparedDocument",
    "SealMaterial",
    "StampOrder",
    "ofd_preparation",
    "pdf_preparation",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfdOrder:
    """An OFD document to be sealed."""

    package: bytes = field(repr=False)
    stamps: tuple[ofd_seal.StampAnnotation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PdfOrder:
    """A PDF to be sealed; without ``placement`` invisibly."""

    pdf: bytes = field(repr=False)
    form: Form | str
    placement: Placement | None = None


StampOrder: TypeAlias = OfdOrder | PdfOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class SealMaterial:
    """What of a finished seal never changes."""

    seal: Seal
    sm2: CertifiedKey
    rsa: CertifiedKey


class PreparedDocument(Protocol):
    """A document that waits for its signature."""

    @property
    def to_be_signed(self) -> bytes:
        """The message to sign."""

    def imprint(self, signature: bytes, /) -> bytes:
        """Digest that the time stamp is about."""

    def complete(self, signature: bytes, /, *, timestamp_token: bytes | None) -> bytes:
        """The sealed document."""


Preparation = Callable[[SealMaterial, ValidationMaterial, datetime], PreparedDocument]
"""Prepares one document for a seal, with what travels in it, as of a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _PreparedOfd:
    """An OFD package in the shape of the prepared PDFs."""

    seal: ofd_seal.PreparedSeal
    certificate_der: bytes

    @property
    def to_be_signed(self) -> bytes:
        return self.seal.to_be_signed

    def imprint(self, signature: bytes) -> bytes:
        return sm3(signature)

    def complete(self, signature: bytes, *, timestamp_token: bytes | None) -> bytes:
        return self.seal.complete(signature, self.certificate_der, timestamp_token)


def ofd_preparation(package: bytes, stamps: Sequence[ofd_seal.StampAnnotation]) -> Preparation:
    """How to prepare an OFD package."""

    def prepare(held: SealMaterial, travels: ValidationMaterial, at: datetime) -> PreparedDocument:
        prepared = ofd_seal.prepare(
            package,
            seal_der=held.seal.der,
            stamps=stamps,
            at=at,
            certificates=travels.issuers,
            crls=travels.crls,
        )
        return _PreparedOfd(seal=prepared, certificate_der=held.sm2.certificate.der)

    return prepare


def pdf_preparation(pdf: bytes, form: Form, placement: Placement | None) -> Preparation:
    """How to prepare a PDF; without ``placement`` the signature is invisible."""

    def picture(held: SealMaterial) -> StampPicture | None:
        return None if placement is None else StampPicture(png=held.seal.info.picture.data, placement=placement)

    def prepare_gm(held: SealMaterial, travels: ValidationMaterial, at: datetime) -> PreparedDocument:
        certificate = held.sm2.certificate
        return prepare_gm_seal(
            pdf, seal=held.seal, certificate=certificate, material=travels, at=at, picture=picture(held)
        )

    def prepare_rsa(held: SealMaterial, travels: ValidationMaterial, at: datetime) -> PreparedDocument:
        return prepare_pades(
            pdf,
            certificate=held.rsa.certificate,
            algorithm=held.rsa.signer.algorithm,
            material=travels,
            at=at,
            picture=picture(held),
        )

    return prepare_gm if form is Form.GM else prepare_rsa
