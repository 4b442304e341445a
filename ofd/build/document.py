"""Making OFD documents (GB/T 33190-2016): pages, templates, annotations, attachments, navigation, metadata, indexes.

The parts are written in the order of the standard's schema, and the same calls give the same octets. A document is
collected in memory and written at the end, or written into a file while it is drawn (:meth:`DocumentBuilder.flush`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from string import hexdigits
from typing import Literal

from ofd.build.annotations import AnnotationTable, AnnotationType, Remarks
from ofd.build.canvas import Canvas, ObjectRef
from ofd.build.colors import AnyColor, ColorSpaceType, write_color
from ofd.build.drawing import stroke_attributes
from ofd.build.parts import (
    AttachedFile,
    Navigation,
    NewVersion,
    Placement,
    TagIndex,
    attachment_files,
    check_format,
    check_size,
    content_part,
    destination,
    document_part,
    extension_files,
    root_part,
    tag_files,
    version_part,
)
from ofd.build.resources import ResourceTable
from ofd.build.watermarks import Watermark
from ofd.draw.scene import Stroke
from ofd.fonts.faces import FontStack
from ofd.geometry import Box, Point
from ofd.model.actions import Act, Action
from ofd.model.attached import Extension
from ofd.model.info import Info
from ofd.model.navigation import Bookmark, OutlineItem, Permissions, Preferences
from ofd.model.pages import PageArea
from ofd.package.reader import write_package
from ofd.package.zip_write import Content, PackageWriter
from ofd.xmlio import Element, element
from trustcore.errors import ConflictError, RejectedError

__all__ = ["Canvas", "DocumentBuilder", "ObjectRef", "Placement", "destination"]

_FOLDER = "Doc_0"
_UUID_LENGTH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    canvas: Canvas
    templates: tuple[tuple[Canvas, Placement], ...]
    area: PageArea | None


class DocumentBuilder:
    r"""Collects what a document shows and holds, then writes it. Not shared between threads.

    Example:
        >>> from datetime import UTC
        >>> from ofd.fonts.faces import find_fonts
        >>> builder = DocumentBuilder(
        ...     doc_id="0" * 32, title="营业执照", created=datetime(2026, 1, 31, tzinfo=UTC), fonts=find_fonts()
        ... )
        >>> _ = builder.page().text("营业执照", x_mm=105, y_mm=40, size_mm=9, align="center")
        >>> builder.to_bytes()[:4]
        b'PK\x03\x04'
    """

    def __init__(  # noqa: PLR0913 - one argument per property of a document
        self,
        *,
        doc_id: str,
        title: str,
        created: datetime,
        fonts: FontStack | None = None,
        page_size_mm: tuple[float, float] = (210, 297),
        metadata: Mapping[str, str] | None = None,
        author: str = "",
        subject: str = "",
        abstract: str = "",
        keywords: Sequence[str] = (),
        modified: datetime | None = None,
        usage: str = "",
        creator: str = "Xinyin",
        creator_version: str = "",
        writer: PackageWriter | None = None,
    ) -> None:
        """Start a document.

        Args:
            doc_id: UUID as 32 hexadecimal digits.
            title: of the document.
            created: its date is written, in the zone of the value given.
            fonts: what text is set in, if any is set otherwise than by :meth:`Canvas.draw`.
            page_size_mm: width and height of every page that says nothing else.
            metadata: CustomDatas of DocInfo, name to value, in order: where GB/T 36905 keeps a licence's metadata.
            author: who made the content.
            subject: what it is about.
            abstract: what it says, in short.
            keywords: to find it by.
            modified: when it was last changed.
            usage: DocUsage: Normal, EBook, ENewsPaper or EMagzine (so spelled).
            creator: the software.
            creator_version: its version.
            writer: writes into a file while the document is drawn, see :meth:`flush` and :meth:`finish`.

        Raises:
            RejectedError: ``ofd.build.doc-id`` or ``ofd.build.page-size``.
        """
        if len(doc_id) != _UUID_LENGTH or any(char not in hexdigits for char in doc_id):
            raise RejectedError("A document ID has 32 hexadecimal digits.", code="ofd.build.doc-id")
        check_size(page_size_mm)
        self._info = Info(
            doc_id=doc_id,
            title=title,
            author=author,
            subject=subject,
            abstract=abstract,
            created=created.date().isoformat(),
            modified="" if modified is None else modified.date().isoformat(),
            usage=usage,
            keywords=tuple(keywords),
            creator=creator,
            creator_version=creator_version,
            custom=dict(metadata or {}),
        )
        self._created = created.date()
        self._size_mm = page_size_mm
        self.fonts = fonts
        """What text is set in."""
        self._writer = writer
        self._last_id = 0
        store = None if writer is None else self._put
        self._resources = ResourceTable(self._next_id, store=store)
        self._names: list[str] = []
        self._templates: list[Canvas] = []
        self._pages: list[_Page] = []
        self._flushed = 0
        self._annotations = AnnotationTable()
        self._attachments: list[AttachedFile] = []
        self._tags: list[TagIndex] = []
        self._extensions: list[tuple[Extension, Mapping[str, bytes]]] = []
        self._versions: list[NewVersion] = []
        self._cover: tuple[str, bytes] | None = None
        self.outlines: tuple[OutlineItem, ...] = ()
        """The table of contents that readers show."""
        self.bookmarks: tuple[Bookmark, ...] = ()
        """Places with names."""
        self.permissions: Permissions | None = None
        """What may be done with the document; everything when nothing is said."""
        self.preferences: Preferences | None = None
        """How readers open the document."""
        self.actions: tuple[Action, ...] = ()
        """What happens when the document is opened (``DO``)."""

    @property
    def streams(self) -> bool:
        """Whether the document is written while it is drawn."""
        return self._writer is not None

    def page(
        self,
        *,
        templates: Sequence[tuple[Canvas, Placement]] = (),
        size_mm: tuple[float, float] | None = None,
        area: PageArea | None = None,
    ) -> Canvas:
        """Add a page and return it to draw on.

        Args:
            templates: are shown on it.
            size_mm: width and height, where they are not the document's.
            area: its areas in full, where the page does not begin at 0, 0 or has more than a physical box.

        Raises:
            RejectedError: ``ofd.build.page-size``.
        """
        if area is None and size_mm is not None and size_mm != self._size_mm:
            area = PageArea(physical=Box(0, 0, *size_mm))
        size = self._size_mm
        if area is not None and area.physical is not None:
            size = (area.physical.width, area.physical.height)
        check_size(size)
        canvas = self._canvas(size)
        self._pages.append(_Page(canvas=canvas, templates=tuple(templates), area=area))
        return canvas

    def template(self) -> Canvas:
        """Add a template page that pages may show, and return it to draw on."""
        canvas = self._canvas(self._size_mm)
        self._templates.append(canvas)
        return canvas

    def composite(self, *, width_mm: float, height_mm: float) -> Canvas:
        """Add a composite, drawn once and placed as often as wanted (:meth:`Canvas.place`); return it to draw on."""
        check_size((width_mm, height_mm))
        content = element(None, "Content")
        composite_id = self._resources.composite(content, width=width_mm, height=height_mm, complete=False)
        return self._canvas((width_mm, height_mm), canvas_id=composite_id, target=content)

    def color_space(
        self,
        kind: ColorSpaceType,
        *,
        bits: int = 8,
        palette: Sequence[Sequence[float]] = (),
        profile: bytes | None = None,
    ) -> int:
        """Add a colour space and return its ID for :class:`ofd.build.colors.SpaceColor`.

        ``bits`` are those of each component, ``palette`` the colours an index means, ``profile`` is an ICC profile.

        Raises:
            RejectedError: ``ofd.build.color-space``.
        """
        return self._resources.color_space(kind, bits=bits, palette=palette, profile=profile)

    def draw_param(
        self,
        *,
        pen: Stroke | None = None,
        stroke: AnyColor | None = None,
        fill: AnyColor | None = None,
        relative: int | None = None,
    ) -> int:
        """Add draw parameters and return their ID for :meth:`Canvas.layer`.

        ``pen`` says all but the colour of lines, ``relative`` names draw parameters that say what these do not.
        """
        attributes = {} if relative is None else {"Relative": str(relative)}
        node = element(None, "DrawParam", attributes=attributes | ({} if pen is None else stroke_attributes(pen, 4)))
        if fill is not None:
            write_color(node, "FillColor", fill)
        if stroke is not None:
            write_color(node, "StrokeColor", stroke)
        return self._resources.draw_param(node)

    def media(self, data: bytes, *, kind: Literal["Audio", "Video"], format: str) -> int:  # noqa: A002 - OFD's word
        """Add a sound or film and return its ID for :class:`ofd.model.actions.SoundAction` and ``MovieAction``.

        Raises:
            RejectedError: ``ofd.build.attachment`` when the format is not alphanumeric.
        """
        check_format(format)
        return self._resources.media(data, type_name=kind, format_name=format.upper(), suffix=format.lower())

    def annotate(
        self,
        page: Canvas,
        kind: AnnotationType,
        *,
        box_mm: tuple[float, float, float, float],
        remarks: Remarks | None = None,
    ) -> Canvas:
        """Add an annotation to a page and return it to draw its look on, in millimetres of the page.

        Args:
            page: of this document.
            kind: Link, Path, Highlight, Stamp or Watermark.
            box_mm: x, y, width and height of the appearance, outside of which nothing shows.
            remarks: what is known of it beside its look.

        Raises:
            RejectedError: ``ofd.object.box`` without a width and a height.
        """
        box = Box(*box_mm)
        if box.width <= 0 or box.height <= 0:
            raise RejectedError("An object needs a width and a height.", code="ofd.object.box")
        appearance = self._annotations.add(
            page.id, self._next_id(), kind, box, remarks=remarks or Remarks(), modified=self._created
        )
        return self._canvas(page.size_mm, canvas_id=page.id, target=appearance, offset=Point(box.x, box.y))

    def add_watermark(self, watermark: Watermark, page: Canvas) -> None:
        """Put a watermark over a page, as an annotation.

        Raises:
            RejectedError: ``ofd.watermark.size``; ``ofd.font.missing-glyph``.
        """
        canvas = self.annotate(page, AnnotationType.WATERMARK, box_mm=(0, 0, *page.size_mm))
        watermark.draw(canvas, size_mm=page.size_mm, fonts=canvas.fonts)

    def link(self, page: Canvas, act: Act, *, box_mm: tuple[float, float, float, float]) -> ObjectRef:
        """Have a click on a part of a page do something: go to a place, open an address or an attachment."""
        canvas = self.annotate(page, AnnotationType.LINK, box_mm=box_mm)
        return canvas.area((Action(event="CLICK", act=act),), box_mm=box_mm)

    def attach(
        self,
        name: str,
        data: bytes | Path,
        *,
        format: str,  # noqa: A002 - OFD's word
        usage: str = "none",
        visible: bool = True,
    ) -> str:
        """Attach a file.

        Args:
            name: what readers show.
            data: the octets, or a file that is read when the document is written.
            format: short and alphanumeric, such as ``xml``; also the suffix of the stored file.
            usage: what it is for.
            visible: whether readers list it.

        Returns:
            The ID for :class:`ofd.model.actions.GotoAttachmentAction`.

        Raises:
            RejectedError: ``ofd.build.attachment`` when the format is not alphanumeric.
        """
        check_format(format)
        item = AttachedFile(
            id=f"A{len(self._attachments) + 1}", name=name, data=data, format=format, usage=usage, visible=visible
        )
        self._attachments.append(item)
        return item.id

    def tag(self, namespace: str, entries: Sequence[tuple[str, ObjectRef]]) -> None:
        """Index data elements: say which object of a page shows each (CustomTags, GB/T 33190-2016 §16).

        Args:
            namespace: of the elements.
            entries: element name (an XML name) and the object; a name may stand several times.
        """
        self._tags.append(TagIndex(namespace=namespace, entries=tuple(entries)))

    def extend(self, extension: Extension, files: Mapping[str, bytes] | None = None) -> None:
        """Add an extension: what an application knows of an object (GB/T 33190-2016 §17).

        Args:
            extension: ``ref_id`` is the object's; its ``files`` do not count.
            files: ExtendData by name.
        """
        self._extensions.append((extension, dict(files or {})))

    def record_version(self, number: str, name: str, *, current: bool = True) -> None:
        """Record the document as a version (GB/T 33190-2016 §19): its files are listed when it is written."""
        self._versions.append(NewVersion(number=number, name=name, current=current))

    def cover(self, data: bytes, *, suffix: str) -> None:
        """Give the document a cover picture, which stands in its folder with this suffix."""
        check_format(suffix)
        self._cover = (f"Cover.{suffix}", data)

    def to_bytes(self) -> bytes:
        """The document as a package.

        Raises:
            RejectedError: ``ofd.build.empty`` without pages; ``ofd.xml.characters`` for text that XML cannot hold.
            ConflictError: ``ofd.build.written`` when the builder writes into a file.
        """
        if self._writer is not None:
            raise ConflictError("The document is being written into a file.", code="ofd.build.written")
        return write_package(
            {
                name: content if isinstance(content, bytes) else b"".join(content)
                for name, content in self._parts(root_first=True)
            }
        )

    def write_to(self, path: Path | str) -> None:
        """Write the document into a file, which appears when all is written; attached files are read in pieces.

        Raises:
            RejectedError: as :meth:`to_bytes`.
        """
        with PackageWriter(path) as writer:
            self._write(writer, root_first=True)

    def flush(self) -> None:
        """Write the pages drawn so far and forget them: nothing more can be drawn on them.

        This keeps memory small however many pages there are; pictures are written as they are placed.

        Raises:
            ConflictError: ``ofd.build.no-writer`` without a writer.
        """
        if self._writer is None:
            raise ConflictError("The document is not written before its end.", code="ofd.build.no-writer")
        for index in range(self._flushed, len(self._pages)):
            page = self._pages[index]
            self._put(f"Pages/Page_{index}/Content.xml", content_part(page.canvas, page.templates, page.area))
            page.canvas.close()
            self._pages[index] = replace(page, templates=(), area=None)
        self._flushed = len(self._pages)

    def finish(self) -> None:
        """Write all that is left through the writer; the package is complete when the writer is closed.

        Raises:
            RejectedError: as :meth:`to_bytes`; ConflictError: ``ofd.build.no-writer``.
        """
        self.flush()
        if self._writer is not None:
            self._write(self._writer, root_first=False)

    def _write(self, writer: PackageWriter, *, root_first: bool) -> None:
        for name, content in self._parts(root_first=root_first):
            writer.add(name, content)

    def _parts(self, *, root_first: bool) -> Iterator[tuple[str, Content]]:
        """All parts that are not written yet."""
        if not self._pages:
            raise RejectedError("A document has at least one page.", code="ofd.build.empty")
        info = self._info
        if self._cover is not None:
            info = replace(info, cover=f"{_FOLDER}/{self._cover[0]}")
        root = root_part(info, document=f"{_FOLDER}/Document.xml", versions=self._versions)
        if root_first:
            yield "OFD.xml", root
        names = list(self._names)
        for name, content in self._document_parts():
            names.append(f"{_FOLDER}/{name}")
            yield names[-1], content
        for index, version in enumerate(self._versions):
            part = version_part(version, index, created=info.created, document=f"{_FOLDER}/Document.xml", names=names)
            yield f"{_FOLDER}/Versions/Version_{index}.xml", part
        if not root_first:
            yield "OFD.xml", root

    def _document_parts(self) -> Iterator[tuple[str, Content]]:
        yield "Document.xml", self._document()
        yield from self._resources.files()
        for index, template in enumerate(self._templates):
            yield f"Tpls/Tpl_{index}/Content.xml", content_part(template, (), None)
        for index in range(self._flushed, len(self._pages)):
            page = self._pages[index]
            yield f"Pages/Page_{index}/Content.xml", content_part(page.canvas, page.templates, page.area)
        if self._annotations:
            yield from self._annotations.files()
        yield from attachment_files(self._attachments, created=self._info.created)
        yield from tag_files(self._tags)
        yield from extension_files(self._extensions)
        if self._cover is not None:
            yield self._cover

    def _put(self, name: str, content: Content) -> None:
        assert self._writer is not None
        self._writer.add(f"{_FOLDER}/{name}", content)
        self._names.append(f"{_FOLDER}/{name}")

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _canvas(
        self,
        size_mm: tuple[float, float],
        *,
        canvas_id: int | None = None,
        target: Element | None = None,
        offset: Point = Point(0, 0),  # noqa: B008 - a tuple
    ) -> Canvas:
        return Canvas(
            self._next_id() if canvas_id is None else canvas_id,
            size_mm=size_mm,
            fonts=self.fonts,
            resources=self._resources,
            next_id=self._next_id,
            target=target,
            offset=offset,
        )

    def _document(self) -> bytes:
        return document_part(
            max_id=self._last_id,
            area=PageArea(physical=Box(0, 0, *self._size_mm)),
            resources=self._resources,
            templates=[template.id for template in self._templates],
            pages=[page.canvas.id for page in self._pages],
            navigation=Navigation(
                outlines=self.outlines,
                permissions=self.permissions,
                actions=self.actions,
                preferences=self.preferences,
                bookmarks=self.bookmarks,
            ),
            links={
                "Annotations": "Annots/Annotations.xml" if self._annotations else "",
                "CustomTags": "Tags/CustomTags.xml" if self._tags else "",
                "Attachments": "Attachs/Attachments.xml" if self._attachments else "",
                "Extensions": "Extensions.xml" if self._extensions else "",
            },
        )
