"""Fonts and images of a document under construction: numbered once, stored once, written as resource files."""

from collections.abc import Callable, Iterator, Mapping

from ofd.fonts.faces import FontFace
from ofd.xmlio import Element, element, serialise
from trustcore.errors import RejectedError

__all__ = ["ResourceTable"]

_IMAGE_FORMATS = ((b"\x89PNG\r\n\x1a\n", "PNG", "png"), (b"\xff\xd8\xff", "JPEG", "jpg"))


class ResourceTable:
    """What pages refer to by ID. Fonts go to PublicRes.xml, images to DocumentRes.xml."""

    def __init__(self, next_id: Callable[[], int]) -> None:
        self._next_id = next_id
        self._fonts: dict[int, tuple[int, FontFace, set[str]]] = {}
        self._images: dict[bytes, tuple[int, str, str]] = {}
        self._awaited: list[tuple[FontFace, str, Element]] = []

    def font(self, face: FontFace, text: str) -> int:
        """The ID of a face; its subset will hold the characters of ``text``."""
        entry = self._fonts.get(id(face))
        if entry is None:
            entry = (self._next_id(), face, set())
            self._fonts[id(face)] = entry
        entry[2].update(text)
        return entry[0]

    def await_glyph(self, face: FontFace, char: str, glyphs: Element) -> None:
        """Have the glyph number of a character in the subset written into ``glyphs`` when the subset is made."""
        self._awaited.append((face, char, glyphs))

    def make_subsets(self) -> dict[int, bytes]:
        """The embedded fonts by ID; fills in the glyph numbers that are awaited. Ask before pages are written."""
        subsets = {font_id: face.subset(characters) for font_id, face, characters in self._fonts.values()}
        opened: dict[int, FontFace] = {}
        for face, char, glyphs in self._awaited:
            font_id = self._fonts[id(face)][0]
            if font_id not in opened:
                opened[font_id] = FontFace(subsets[font_id])
            glyphs.text = str(opened[font_id].glyph(char))
        return subsets

    def image(self, data: bytes) -> int:
        """The ID of an image.

        Raises:
            RejectedError: ``ofd.image.format`` when it is neither PNG nor JPEG.
        """
        if data not in self._images:
            for magic, name, suffix in _IMAGE_FORMATS:
                if data.startswith(magic):
                    self._images[data] = (self._next_id(), name, suffix)
                    break
            else:
                raise RejectedError("Only PNG and JPEG images can be placed.", code="ofd.image.format")
        return self._images[data][0]

    @property
    def has_fonts(self) -> bool:
        """Whether PublicRes.xml is needed."""
        return bool(self._fonts)

    @property
    def has_images(self) -> bool:
        """Whether DocumentRes.xml is needed."""
        return bool(self._images)

    def public_files(self, subsets: Mapping[int, bytes]) -> Iterator[tuple[str, bytes]]:
        """PublicRes.xml and the font files, by their paths below the document's folder."""
        root = element(None, "Res", attributes={"BaseLoc": "Res"})
        fonts = element(root, "Fonts")
        for font_id, face, _ in self._fonts.values():
            names = {"ID": str(font_id), "FontName": face.postscript_name, "FamilyName": face.family}
            element(element(fonts, "Font", attributes=names), "FontFile", f"font_{font_id}.ttf")
        yield "PublicRes.xml", serialise(root)
        for font_id, subset in subsets.items():
            yield f"Res/font_{font_id}.ttf", subset

    def document_files(self) -> Iterator[tuple[str, bytes]]:
        """DocumentRes.xml and the image files, by their paths below the document's folder."""
        root = element(None, "Res", attributes={"BaseLoc": "Res"})
        media = element(root, "MultiMedias")
        for image_id, image_format, suffix in self._images.values():
            attributes = {"ID": str(image_id), "Type": "Image", "Format": image_format}
            element(element(media, "MultiMedia", attributes=attributes), "MediaFile", f"image_{image_id}.{suffix}")
        yield "DocumentRes.xml", serialise(root)
        for data, (image_id, _, suffix) in self._images.items():
            yield f"Res/image_{image_id}.{suffix}", data
