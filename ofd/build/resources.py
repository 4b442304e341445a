"""Resources of a document under construction: numbered once, stored once, written as resource files."""

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass

from lxml import etree

from ofd.build.colors import ColorSpaceType, write_color_space
from ofd.build.numbers import number
from ofd.fonts.faces import FontFace, OutlineKind
from ofd.package.zip_write import Content
from ofd.xmlio import Element, child, element, serialise
from trustcore.crypto.digests import sha256
from trustcore.errors import RejectedError

__all__ = ["ResourceTable", "Store"]

Store = Callable[[str, bytes], None]
"""Takes the octets of a file, by its path below the document's folder, as soon as they are known."""

_MOST_OCTETS = 16 * 1024 * 1024
"""Of composites in one resource file: readers take no files of any size."""
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

    @property
    def file(self) -> str:
        return f"font_{self.id}.{'otf' if self.face.outlines is OutlineKind.CFF else 'ttf'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Media:
    id: int
    type: str
    format: str
    file: str
    data: bytes | None
    """Nothing once it is stored."""


class ResourceTable:
    """What pages refer to by ID: fonts and colour spaces in PublicRes.xml, all else in DocumentRes.xml."""

    def __init__(self, next_id: Callable[[], int], *, prefix: str = "", store: Store | None = None) -> None:
        """Start without resources.

        Args:
            next_id: gives the next free ID of the document.
            prefix: of the names of all files, so that they do not meet those of others.
            store: takes pictures at once, which are else kept until the end.
        """
        self._next_id = next_id
        self._prefix = prefix
        self._store = store
        self._fonts: dict[int, _Font] = {}
        self._media: dict[bytes, _Media] = {}
        self._composites: list[Element] = []
        self._packed: list[list[bytes]] = []
        """Composites that are complete, compressed, by the resource file they go to."""
        self._packed_octets = 0
        self._spaces: list[Element] = []
        self._space_files: dict[str, bytes] = {}
        self._draw_params: list[Element] = []

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
        for magic, name, suffix in _IMAGE_FORMATS:
            if data.startswith(magic) and len(data) >= _LEAST_IMAGE:
                return self.media(data, type_name="Image", format_name=name, suffix=suffix)
        raise RejectedError("Only PNG, JPEG, GIF, BMP, TIFF and JBIG2 images can be placed.", code="ofd.image.format")

    def media(self, data: bytes, *, type_name: str, format_name: str, suffix: str) -> int:
        """The ID of a MultiMedia resource; the same octets are stored once.

        Args:
            data: the octets.
            type_name: Image, Audio or Video.
            format_name: such as ``MP3``.
            suffix: of the stored file.
        """
        key = sha256(data)
        found = self._media.get(key)
        if found is None:
            number_ = self._next_id()
            file = f"{self._prefix}{type_name.lower()}_{number_}.{suffix}"
            kept = data if self._store is None else None
            if self._store is not None:
                self._store(f"Res/{file}", data)
            found = self._media[key] = _Media(id=number_, type=type_name, format=format_name, file=file, data=kept)
        return found.id

    def composite(self, content: Element, *, width: float, height: float, complete: bool) -> int:
        """The ID of a new composite.

        Args:
            content: its Content, whose origin is the composite's top left corner.
            width: millimetres.
            height: millimetres.
            complete: nothing more is drawn into it.
        """
        resource_id = self._next_id()
        size = {"ID": str(resource_id), "Width": number(width), "Height": number(height)}
        unit = element(None, "CompositeGraphicUnit", attributes=size)
        unit.append(content)
        if not complete:
            self._composites.append(unit)
            return resource_id
        octets = etree.tostring(unit, encoding="UTF-8")
        if not self._packed or self._packed_octets + len(octets) > _MOST_OCTETS:
            self._packed.append([])
            self._packed_octets = 0
        self._packed[-1].append(zlib.compress(octets, 1))
        self._packed_octets += len(octets)
        return resource_id

    def color_space(
        self,
        kind: ColorSpaceType,
        *,
        bits: int = 8,
        palette: Sequence[Sequence[float]] = (),
        profile: bytes | None = None,
    ) -> int:
        """The ID of a new colour space; the profile is an ICC profile.

        Raises:
            RejectedError: ``ofd.build.color-space``.
        """
        space_id = self._next_id()
        file = "" if profile is None else f"{self._prefix}profile_{space_id}.icc"
        holder = element(None, "ColorSpaces")
        write_color_space(holder, space_id, kind, bits=bits, palette=palette, profile=file)
        if profile is not None:
            self._space_files[f"Res/{file}"] = profile
        self._spaces.append(holder[0])
        return space_id

    def draw_param(self, node: Element) -> int:
        """The ID of new draw parameters, written as an element ``DrawParam`` without ID."""
        param_id = self._next_id()
        node.set("ID", str(param_id))
        self._draw_params.append(node)
        return param_id

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """The resource files there are: which element of CommonData links each, and its name."""
        found = [("PublicRes", f"{self._prefix}PublicRes.xml")] if self._fonts or self._spaces else []
        if self._media or self._composites or self._draw_params or self._packed:
            found.append(("DocumentRes", f"{self._prefix}DocumentRes.xml"))
        further = range(1, len(self._packed))
        return (*found, *(("DocumentRes", f"{self._prefix}DocumentRes_{at}.xml") for at in further))

    def files(self) -> Iterator[tuple[str, Content]]:
        """The resource files and what they name, by their paths below the document's folder."""
        if self._fonts or self._spaces:
            yield from self._public_files()
        if self._media or self._composites or self._draw_params or self._packed:
            yield from self._document_files()

    def _public_files(self) -> Iterator[tuple[str, Content]]:
        """PublicRes.xml and its files, by their paths below the document's folder."""
        root = element(None, "Res", attributes={"BaseLoc": "Res"})
        _append_all(root, "ColorSpaces", self._spaces)
        fonts = element(root, "Fonts") if self._fonts else root
        for font in self._fonts.values():
            names = {"ID": str(font.id), "FontName": font.face.postscript_name, "FamilyName": font.face.family}
            element(element(fonts, "Font", attributes=names), "FontFile", f"{self._prefix}{font.file}")
        yield f"{self._prefix}PublicRes.xml", serialise(root)
        yield from self._space_files.items()
        for font in self._fonts.values():
            wanted: tuple[str | int, ...] = (*sorted(font.characters), *sorted(font.named))
            yield f"Res/{self._prefix}{font.file}", font.face.subset(wanted, retain=bool(font.named))

    def _document_files(self) -> Iterator[tuple[str, Content]]:
        """DocumentRes.xml and the media files not stored yet, by their paths below the document's folder."""
        root = element(None, "Res", attributes={"BaseLoc": "Res"})
        _append_all(root, "DrawParams", self._draw_params)
        if self._media:
            holder = element(root, "MultiMedias")
            for media in self._media.values():
                attributes = {"ID": str(media.id), "Type": media.type, "Format": media.format}
                element(element(holder, "MultiMedia", attributes=attributes), "MediaFile", media.file)
        _append_all(root, "CompositeGraphicUnits", self._composites)
        _append_packed(root, self._packed[0] if self._packed else ())
        yield f"{self._prefix}DocumentRes.xml", serialise(root)
        for at, batch in enumerate(self._packed[1:], start=1):
            further = element(None, "Res", attributes={"BaseLoc": "Res"})
            _append_packed(further, batch)
            yield f"{self._prefix}DocumentRes_{at}.xml", serialise(further)
        for media in self._media.values():
            if media.data is not None:
                yield f"Res/{media.file}", media.data


def _append_all(root: Element, name: str, items: Sequence[Element]) -> None:
    if items:
        holder = element(root, name)
        for item in items:
            holder.append(deepcopy(item))


def _append_packed(root: Element, packed: Sequence[bytes]) -> None:
    if packed:
        found = child(root, "CompositeGraphicUnits")
        holder = element(root, "CompositeGraphicUnits") if found is None else found
        for octets in packed:
            holder.append(etree.fromstring(zlib.decompress(octets)))
