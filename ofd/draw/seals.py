"""Seals on pages: the stamps of all signatures, as readers draw them (GB/T 33190-2016 §18.2, GB/T 38540-2020 §6).

The picture comes from the seal inside SignedValue.dat; Seal.esl is only looked at when there is none, and never for a
signature without seal (``Type="Sign"``), which anybody may put beside the seal of another document. It is stretched
to the stamp's Boundary, whatever size the seal names, and shown inside its Clip. It is multiplied with the page, as ink
is and as other readers do: neither the white of a JPEG nor a seal made for it can hide what was signed.
Whether a seal is valid is not asked here, see :mod:`ofd.verify`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ofd.draw.images import PictureKind, picture_kind, picture_size
from ofd.draw.interpret import page_scene
from ofd.draw.scene import (
    BlendMode,
    Clip,
    ClipArea,
    Group,
    Image,
    ImageItem,
    Item,
    Origin,
    OriginKind,
    Scene,
)
from ofd.draw.svg_picture import svg_to_png
from ofd.draw.transform import transformed
from ofd.fonts.library import FontLibrary
from ofd.geometry import IDENTITY, Box, Matrix
from ofd.model.document import Document
from ofd.model.reading import Part, Warnings, same_id
from ofd.package.read_warning import ReadWarning
from ofd.ses.info import Picture
from ofd.ses.structure import Seal, SealSignature
from ofd.xmlio import Element
from trustcore.errors import NotFoundError, RejectedError, TrustError

__all__ = ["Seals", "Stamp", "place_picture", "prepare_picture"]

_MOST_STAMPS = 20_000
_MOST_SIGNATURES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """StampAnnot: a seal on a page."""

    id: str
    page: str
    """ID of the page."""
    box: Box
    """Boundary, millimetres on the page."""
    clip: Box | None
    """The part that is shown, from the corner of ``box``."""
    signature_id: str
    signature_part: str
    """Entry name of Signature.xml."""
    value_part: str
    """Entry name of SignedValue.dat; empty when it is missing."""
    seal_part: str
    """Entry name of Seal.esl; empty when there is none."""


class Seals:
    """The seals of a document. Lists are read when made, pictures when drawn first."""

    def __init__(self, document: Document, *, fonts: FontLibrary) -> None:
        """Read the list of signatures and their stamps.

        Args:
            document: what was sealed.
            fonts: for seals whose picture is a document of its own.
        """
        self._document = document
        self._fonts = fonts
        self._warnings = Warnings()
        self._pictures: dict[tuple[str, str], Scene | bytes | None] = {}
        self._stamps: dict[str, list[Stamp]] = {}
        for stamp in self._read():
            self._stamps.setdefault(same_id(stamp.page), []).append(stamp)

    @property
    def warnings(self) -> tuple[ReadWarning, ...]:
        """What could not be read or drawn so far."""
        return tuple(self._warnings)

    def stamps(self, page_id: str) -> tuple[Stamp, ...]:
        """The stamps on the page with an ID, in the order of the signatures."""
        return tuple(self._stamps.get(same_id(page_id), ()))

    def on_page(self, index: int) -> tuple[Group, ...]:
        """The seals of a page by index, from 0, to be painted above everything."""
        return tuple(
            group for stamp in self.stamps(self._document.page_links[index].id) if (group := self._draw(stamp))
        )

    def _draw(self, stamp: Stamp) -> Group | None:
        if stamp.box.width <= 0 or stamp.box.height <= 0:
            return None
        key = (stamp.value_part, stamp.seal_part)
        if key not in self._pictures:
            self._pictures[key] = self._prepare(stamp)
        picture = self._pictures[key]
        if picture is None:
            return None
        used = tuple(filter(None, (stamp.seal_part,)))
        part = stamp.value_part or stamp.seal_part
        origin = Origin(kind=OriginKind.SEAL, part=part, object_id=stamp.id, used=used)
        shown = [stamp.box]
        if stamp.clip:
            left, top, width, height = stamp.clip
            shown.append(Box(stamp.box.x + left, stamp.box.y + top, width, height))
        clips = tuple(Clip(areas=(ClipArea(path=box.path(), matrix=IDENTITY),)) for box in shown)
        items = place_picture(picture, stamp.box, origin=origin)
        return Group(items=items, clips=clips, blend=BlendMode.MULTIPLY, origin=origin)

    def _prepare(self, stamp: Stamp) -> Scene | bytes | None:
        picture = self._read_picture(stamp)
        if picture is None:
            return None
        try:
            return prepare_picture(picture.data, width_mm=stamp.box.width, fonts=self._fonts)
        except TrustError as error:
            part = stamp.value_part or stamp.seal_part
            self._warn(part, "ofd.draw.seal-picture", "印章图片无法绘制", "A seal's picture cannot be drawn", error)
            return None

    def _read_picture(self, stamp: Stamp) -> Picture | None:
        if stamp.value_part:
            try:
                value = self._document.files.read(stamp.value_part)
                return SealSignature.parse(value).to_be_signed.seal.info.picture
            except TrustError as error:
                if not stamp.seal_part:
                    # A signature without seal may still name a place: there is nothing to draw.
                    code, zh, en = (
                        "ofd.draw.no-seal",
                        "签名值中没有可读的印章",
                        "The signature holds no seal that can be read",
                    )
                    self._warn(stamp.value_part, code, zh, en, error)
        if stamp.seal_part:
            try:
                return Seal.parse(self._document.files.read(stamp.seal_part)).info.picture
            except TrustError as error:
                self._warn(stamp.seal_part, "ofd.draw.no-seal", "印章文件无法读取", "The seal cannot be read", error)
        elif not stamp.value_part:
            missing = NotFoundError("The signature value is missing.", code="ofd.package.entry-missing")
            self._warn(
                stamp.signature_part, "ofd.draw.no-seal", "签名值缺失", "The signature value is missing", missing
            )
        return None

    def _read(self) -> Iterable[Stamp]:
        name = self._document.body.signatures
        root = self._root(name)
        if name is None or root is None:
            return
        part = Part(name, self._warnings)
        count = 0
        for number, node in enumerate(part.children(root, "Signature")):
            location = part.string(node, "BaseLoc") or ""
            found = self._document.files.find(location, holder=name)
            if number >= _MOST_SIGNATURES:
                return
            if found is None:
                error = RejectedError(f"There is no {location}.", code="ofd.package.entry-missing")
                self._warn(name, "ofd.draw.signature", "签名文件缺失", "A signature's file is missing", error)
                continue
            has_seal = (part.string(node, "Type") or "Seal") != "Sign"
            for stamp in self._read_signature(part.string(node, "ID") or "", found, has_seal=has_seal):
                count += 1
                if count > _MOST_STAMPS:
                    return
                yield stamp

    def _read_signature(self, signature_id: str, name: str, *, has_seal: bool) -> Iterable[Stamp]:
        root = self._root(name)
        if root is None:
            return
        part = Part(name, self._warnings)
        info = part.child(root, "SignedInfo")
        value = self._document.files.find(part.child_text(root, "SignedValue"), holder=name)
        seal = part.child(info, "Seal")
        location = part.child_text(seal, "BaseLoc") or (part.string(seal, "BaseLoc") if seal is not None else "") or ""
        esl = self._document.files.find(location, holder=name) if location and has_seal else None
        for node in part.children(info, "StampAnnot"):
            box = part.box(node, "Boundary")
            if box is not None:
                yield Stamp(
                    id=part.string(node, "ID") or "",
                    page=part.string(node, "PageRef") or "",
                    box=box,
                    clip=part.box(node, "Clip"),
                    signature_id=signature_id,
                    signature_part=name,
                    value_part=value or "",
                    seal_part=esl or "",
                )

    def _root(self, name: str | None) -> Element | None:
        if name is None:
            return None
        try:
            return Part(name, self._warnings).root(self._document.files.read(name))
        except TrustError as error:
            self._warn(name, "ofd.draw.signature", "签名文件无法读取", "A signature's file cannot be read", error)
            return None

    def _warn(self, part: str, code: str, zh: str, en: str, error: TrustError) -> None:
        self._warnings.add(
            ReadWarning(code=code, zh=f"{zh}。", en=f"{en}.", evidence={"part": part, "fault": error.code})
        )


def prepare_picture(data: bytes, *, width_mm: float, fonts: FontLibrary) -> Scene | bytes:
    """A seal's picture of any type, made ready to be put on pages.

    Args:
        data: PNG, JPEG, GIF, BMP, TIFF, JBIG2, SVG, or an OFD document of which the first page is drawn.
        width_mm: how wide it will stand on the page.
        fonts: for documents.

    Raises:
        MalformedError: ``ofd.image.malformed`` and what the kind of picture brings.
        RejectedError: ``ofd.image.too-large``, ``ofd.image.format`` for what is no picture.
    """
    kind = picture_kind(data)
    if kind is PictureKind.OFD:
        with Document.open(data) as document:
            return page_scene(document, 0, fonts=fonts)
    if kind is PictureKind.SVG:
        return svg_to_png(data, width_mm=width_mm)
    if kind is None:
        raise RejectedError("The seal's picture is of no known kind.", code="ofd.image.format")
    picture_size(data)
    return data


def place_picture(picture: Scene | bytes, box: Box, *, origin: Origin) -> tuple[Item, ...]:
    """A prepared picture, stretched to a box in millimetres on the page.

    Args:
        picture: from :func:`prepare_picture`.
        box: where it stands.
        origin: what the items are said to come from.
    """
    name = f"{origin.part}#picture"
    if isinstance(picture, Scene):
        area = picture.area
        x, y = box.width / area.width, box.height / area.height
        matrix = Matrix(x, 0, 0, y, box.x - area.x * x, box.y - area.y * y)
        return transformed(picture.items, matrix, origin=origin, rename=lambda inner: f"{name}/{inner}")
    place = Matrix(box.width, 0, 0, box.height, box.x, box.y)
    return (ImageItem(image=Image(name=name, data=picture), matrix=place, origin=origin),)
