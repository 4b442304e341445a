"""Fonts and images of a document under construction: numbered once, stored once, written as resource files."""

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass

from ofd.build.numbers import number
from ofd.fonts.faces import FontFace, OutlineKind
from ofd.xmlio import Element, element, serialise
from trustcore.crypto.digests import sha256
from trustcore.errors import RejectedError

__all__ = ["ResourceTable"]

_LEAST_IMAGE = 13
"""Octets that any picture's header has."""
_IMAGE_FORMATS = (
    (b"\x89PNG\r\n\x1a\n", "PNG", "png"),
    (b"\xff\xd8\xff", "JPEG", "jpg"),
    (b"GIF8", "GIF", "gif"),
    (b"BM", "BMP", "bmp"),
    (b"II*\0", "TIFF", "tif"),
    (b"MM\0*", "TIFF", "tif"),
    (b"\x97JB2\r\n\x1a\n", "GBIG2", "jb2"),
)
"""How files start, the name of the format as OFD's readers know it, the suffix of the stored file."""


@dataclass(slots=True)
class _Font:
    id: int
    face: FontFace
    characters: set[str]
    named: set[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Image:
    id: int
    format: str
    suffix: str
    data: bytes


class ResourceTable:
    """What pages refer to by ID. Fonts go to PublicRes.xml, images and composites to DocumentRes.xml."""

    def __init__(self, next_id: Callable[[], int]) -> None:
        self._next_id = next_id
        self._fonts: dict[int, _Font] = {}
        self._images: dict[bytes, _Image] = {}
        self._composites: list[Element] = []

    def font(self, face: FontFace, text: str, named: Iterable[int] = ()) -> int:
        """The ID of a face.

        Args:
            face: is embedded as a subset.
            text: characters that the subset has to know.
            named: glyphs that pages name by number; the subset then keeps the numbers of the face.
        """
        entry = self._fonts.get(id(face))
        if entry is None:
            entry = self._fonts[id(face)] = _Font(self._next_id(), face, set(), set())
        entry.characters.update(text)
        entry.named.update(named)
        return entry.id

    def image(self, data: bytes) -> int:
        """The ID of an image; the same octets are stored once.

        Raises:
            RejectedError: ``ofd.image.format`` when it is not PNG, JPEG, GIF, BMP, TIFF or JBIG2.
        """
        key = sha256(data)
        if key not in self._images:
            for magic, name, suffix in _IMAGE_FORMATS:
                if data.startswith(magic) and len(data) >= _LEAST_IMAGE:
                    self._images[key] = _Image(id=self._next_id(), format=name, suffix=suffix, data=data)
                    break
            else:
                raise RejectedError(
                    "Only PNG, JPEG, GIF, BMP, TIFF and JBIG2 images can be placed.", code="ofd.image.format"
                )
        return self._images[key].id

    def composite(self, content: Element, *, width: float, height: float) -> int:
        """The ID of a new composite.

        Args:
            content: its Content, whose origin is the composite's top left corner.
            width: millimetres.
            height: millimetres.
        """
        resource_id = self._next_id()
        size = {"ID": str(resource_id), "Width": number(width), "Height": number(height)}
        unit = element(None, "CompositeGraphicUnit", attributes=size)
        unit.append(content)
        self._composites.append(unit)
        return resource_id

    @property
    def has_fonts(self) -> bool:
        """Whether PublicRes.xml is needed."""
        return bool(self._fonts)

    @property
    def has_document_resources(self) -> bool:
        """Whether DocumentRes.xml is needed."""
        return bool(self._images or self._composites)

    def public_files(self) -> Iterator[tuple[str, bytes]]:
        """PublicRes.xml and the font files, by their paths below the document's folder."""
        root = element(None, "Res", attributes={"BaseLoc": "Res"})
        fonts = element(root, "Fonts")
        for font in self._fonts.values():
            names = {"ID": str(font.id), "FontName": font.face.postscript_name, "FamilyName": font.face.family}
            element(element(fonts, "Font", attributes=names), "FontFile", _font_file(font))
        yield "PublicRes.xml", serialise(root)
        for font in self._fonts.values():
            wanted: tuple[str | int, ...] = (*sorted(font.characters), *sorted(font.named))
            yield f"Res/{_font_file(font)}", font.face.subset(wanted, retain=bool(font.named))

    def document_files(self) -> Iterator[tuple[str, bytes]]:
        """DocumentRes.xml and the image files, by their paths below the document's folder."""
        root = element(None, "Res", attributes={"BaseLoc": "Res"})
        if self._images:
            media = element(root, "MultiMedias")
            for image in self._images.values():
                attributes = {"ID": str(image.id), "Type": "Image", "Format": image.format}
                element(element(media, "MultiMedia", attributes=attributes), "MediaFile", _image_file(image))
        if self._composites:
            units = element(root, "CompositeGraphicUnits")
            for unit in self._composites:
                units.append(deepcopy(unit))
        yield "DocumentRes.xml", serialise(root)
        for image in self._images.values():
            yield f"Res/{_image_file(image)}", image.data


def _font_file(font: _Font) -> str:
    return f"font_{font.id}.{'otf' if font.face.outlines is OutlineKind.CFF else 'ttf'}"


def _image_file(image: _Image) -> str:
    return f"image_{image.id}.{image.suffix}"
