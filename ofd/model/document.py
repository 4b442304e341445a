"""A document for drawing and reading text: everything by page, read when asked for, whatever can be understood.

Verification does not read through this module: see :mod:`ofd.structure`.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Self, TypeVar, overload

from ofd.fonts.library import FontLibrary, ResolvedFont
from ofd.geometry import Box
from ofd.model.actions import Action, read_actions
from ofd.model.annotations import Annotation, read_annotations
from ofd.model.attached import (
    Attachment,
    CustomTag,
    Extension,
    TagReference,
    Version,
    VersionContent,
    read_attachments,
    read_extensions,
    read_tag_file,
    read_tag_list,
    read_version,
)
from ofd.model.files import Files, StrictFiles
from ofd.model.info import Body, Info, Root, read_root
from ofd.model.lookup import Lookup
from ofd.model.navigation import (
    Bookmark,
    OutlineItem,
    Permissions,
    Preferences,
    read_bookmarks,
    read_outlines,
    read_permissions,
    read_preferences,
)
from ofd.model.pages import Page, PageArea, PageLink, TemplateLink, read_area, read_page
from ofd.model.reading import Part, Warnings, same_id
from ofd.model.resources import Font, Resources, read_resources
from ofd.package.lenient import LenientPackage
from ofd.package.read_warning import ReadWarning
from ofd.package.reader import Package
from ofd.structure import ROOT
from ofd.xmlio import Element
from trustcore.errors import NotFoundError, TrustError

__all__ = ["Document", "Pages"]

_A4 = Box(0, 0, 210, 297)
_KEPT_PAGES = 4
_KEPT_TEMPLATES = 16
_KEPT_RESOURCES = 16
_KEPT_FONTS = 256
_Kept = TypeVar("_Kept")
_Key = TypeVar("_Key")


class Pages(Sequence[Page]):
    """The pages of a document. Each is read when it is asked for, and a few are kept."""

    def __init__(self, document: "Document") -> None:
        """Give the pages of this document."""
        self._document = document

    def __len__(self) -> int:
        """How many pages there are."""
        return len(self._document.page_links)

    @overload
    def __getitem__(self, index: int) -> Page: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Page]: ...
    def __getitem__(self, index: int | slice) -> Page | Sequence[Page]:
        """A page by index, or several."""
        if isinstance(index, slice):
            return [self._document.page(item) for item in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(index)
        return self._document.page(place)

    def __iter__(self) -> Iterator[Page]:
        """One page after the other."""
        return (self._document.page(index) for index in range(len(self)))


class Document:
    """One document of a package (DocBody). Safe to share between threads."""

    def __init__(self, files: Files, *, body: int = 0, part: str | None = None) -> None:
        """Read OFD.xml and Document.xml.

        Args:
            files: what to read from.
            body: which document, from 0; packages have one as a rule.
            part: entry name of another Document.xml of it, such as a version has.

        Raises:
            NotFoundError: ``ofd.package.entry-missing`` without OFD.xml; ``ofd.model.no-document``.
            MalformedError: ``ofd.xml.…``, ``ofd.package.…``: a part that everything hangs on cannot be read.
        """
        self.files = files
        self._warnings = Warnings()
        self._lock = RLock()
        self._pages: OrderedDict[int, Page] = OrderedDict()
        self._templates: OrderedDict[str, Page] = OrderedDict()
        self._fonts: OrderedDict[tuple[str, str, bool, bool, int], ResolvedFont] = OrderedDict()
        self._page_resources: OrderedDict[str, Resources | None] = OrderedDict()
        self.root = self._read_root()
        if not 0 <= body < len(self.root.bodies):
            raise NotFoundError("OFD.xml names no such document.", code="ofd.model.no-document", body=body)
        self.body: Body = self.root.bodies[body]
        if self.body.document is None:
            raise NotFoundError("The document is not in the package.", code="ofd.model.no-document", body=body)
        self.part: str = part or self.body.document
        """Entry name of Document.xml."""
        self._read_document(Part(self.part, self._warnings))

    @classmethod
    def open(cls, source: bytes | Path | Package | LenientPackage, *, body: int = 0) -> Self:
        """Open a document leniently.

        Args:
            source: the octets of a file, its path (read piece by piece; close the document after use), or a package
                that is open already.
            body: which document, from 0.

        Raises:
            OSError: the file cannot be read.
            TrustError: as the constructor, and for what is no package at all.
        """
        if isinstance(source, LenientPackage):
            return cls(source, body=body)
        if not isinstance(source, Path):
            return cls(LenientPackage(source), body=body)
        package = LenientPackage.open(source)
        try:
            return cls(package, body=body)
        except BaseException:
            package.close()
            raise

    @classmethod
    def strict(cls, package: Package, *, body: int = 0) -> Self:
        """A document whose links are followed as verification follows them, without any repair.

        Raises:
            TrustError: as the constructor.
        """
        return cls(StrictFiles(package), body=body)

    def close(self) -> None:
        """Close the package."""
        self.files.close()

    def __enter__(self) -> Self:
        """The document."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the package."""
        self.close()

    @property
    def info(self) -> Info:
        """DocInfo."""
        return self.body.info

    @property
    def pages(self) -> Pages:
        """All pages, each read when asked for."""
        return Pages(self)

    @property
    def warnings(self) -> tuple[ReadWarning, ...]:
        """What had to be guessed in what was read so far."""
        found = Warnings(self.files.warnings)
        found.extend(self._warnings)
        return tuple(found)

    @cached_property
    def bookmarks_by_name(self) -> dict[str, Bookmark]:
        """The first bookmark of each name."""
        return {item.name: item for item in reversed(self.bookmarks)}

    def page(self, index: int) -> Page:
        """A page by index, from 0; empty, with a warning, when its file is missing or cannot be read.

        Raises:
            NotFoundError: ``ofd.model.no-page``.
        """
        if not 0 <= index < len(self.page_links):
            raise NotFoundError(
                f"The document has {len(self.page_links)} pages.", code="ofd.model.no-page", index=index
            )
        link = self.page_links[index]
        return self._keep(self._pages, index, _KEPT_PAGES, lambda: self._read_page(link.id, link.part, index))

    def page_index(self, page_id: str) -> int | None:
        """The index of the page with an ID."""
        return self._indexes.get(same_id(page_id))

    def template(self, template_id: str) -> tuple[TemplateLink, Page] | None:
        """A template by ID, and how Document.xml lists it."""
        link = next((item for item in self.template_links if same_id(item.id) == same_id(template_id)), None)
        if link is None:
            return None
        page = self._keep(self._templates, link.id, _KEPT_TEMPLATES, lambda: self._read_page(link.id, link.part, -1))
        return link, page

    def lookup(self, *pages: Page) -> Lookup:
        """Where the objects of a page find their resources: in its own files, DocumentRes, PublicRes.

        Args:
            pages: the page; a template's user may stand behind it, for documents that count on that.
        """
        own = [found for page in pages for name in page.resources if (found := self._resources_of(name)) is not None]
        return Lookup((*own, *self._document_resources))

    def physical_box(self, page: Page) -> Box:
        """PhysicalBox of a page: its own, or the document's, or A4.

        Its top left corner is the origin of the page's space, whatever it says (GB/T 33190-2016 §7.5): only its width
        and height count. A page that has none is as large as what it says is to be shown.
        """
        for area in (page.area, self.area):
            physical = None if area is None else area.physical
            if physical is not None and physical.width > 0 and physical.height > 0:
                return Box(0, 0, physical.width, physical.height)
            part = None if area is None else area.crop or area.application
            if part is not None and part.width > 0 and part.height > 0:
                return part
        return _A4

    def resolve_font(
        self, font: Font, library: FontLibrary, *, bold: bool = False, italic: bool = False
    ) -> ResolvedFont:
        """The face for a font of this document; the last ones are kept.

        Args:
            font: from a resource file.
            library: where fonts are found that are not embedded.
            bold: a text asks for more weight.
            italic: a text asks for a slant.

        Raises:
            NotFoundError: ``ofd.font.not-installed``.
        """
        return self._keep(
            self._fonts,
            (font.part, font.id, bold, italic, id(library)),
            _KEPT_FONTS,
            lambda: self._resolve_font(font, library, bold=bold, italic=italic),
        )

    def annotations(self, index: int) -> tuple[Annotation, ...]:
        """The annotations of a page by index, from 0."""
        found: tuple[Annotation, ...] = ()
        nothing: tuple[Annotation, ...] = ()
        for name in self._annotation_parts.get(same_id(self.page_links[index].id), ()):
            found += self._read(name, "PageAnnot", read_annotations, nothing)
        return found

    @cached_property
    def attachments(self) -> tuple[Attachment, ...]:
        """The attachments."""
        return self._read_linked("Attachments", "Attachments", read_attachments)

    @cached_property
    def custom_tags(self) -> tuple[CustomTag, ...]:
        """The tag files."""
        return self._read_linked("CustomTags", "CustomTags", read_tag_list)

    def tag_references(self, tag: CustomTag) -> tuple[TagReference, ...]:
        """What a tag file points to."""
        return () if tag.file is None else self._read(tag.file, "", read_tag_file, ())

    @cached_property
    def extensions(self) -> tuple[Extension, ...]:
        """The extensions."""
        return self._read_linked("Extensions", "Extensions", read_extensions)

    @property
    def versions(self) -> tuple[Version, ...]:
        """The versions that OFD.xml lists."""
        return self.body.versions

    def version_content(self, version: Version) -> VersionContent | None:
        """What belongs to a version."""
        name = version.part
        if name is None:
            return None
        return self._read(name, "DocVersion", lambda part, root: read_version(part, root, self._locator(part)), None)

    def at_version(self, version: Version) -> "Document | None":
        """The document as it was in a version; nothing when the version names no Document.xml that is there.

        Raises:
            TrustError: as the constructor.
        """
        content = self.version_content(version)
        if content is None or content.document is None:
            return None
        return Document(self.files, body=self.root.bodies.index(self.body), part=content.document)

    def _resolve_font(self, font: Font, library: FontLibrary, *, bold: bool, italic: bool) -> ResolvedFont:
        data = None
        if font.file is not None:
            try:
                data = self.files.read(font.file)
            except TrustError as error:
                Part(font.file, self._warnings).warn(
                    "ofd.model.unreadable", "部分无法读取", "A part cannot be read", fault=error.code
                )
        # An embedded face is bold or slanted already when its font is called so.
        own = data is None
        return library.resolve(
            font.name,
            font.family,
            data,
            bold=bold or (own and font.bold),
            italic=italic or (own and font.italic),
            serif=font.serif,
            fixed_width=font.fixed_width,
        )

    def _read_root(self) -> Root:
        part = Part(ROOT, self._warnings)
        return read_root(part, part.root(self.files.read(ROOT)), self._locator(part))

    def _read_document(self, part: Part) -> None:
        root = part.root(self.files.read(part.name))
        common = part.child(root, "CommonData")
        locate = self._locator(part)
        self.area: PageArea | None = read_area(part, part.child(common, "PageArea"))
        self.max_unit_id = part.child_text(common, "MaxUnitID")
        self.default_color_space: str | None = part.child_text(common, "DefaultCS") or None
        self.template_links = tuple(
            TemplateLink(
                id=part.string(node, "ID") or "",
                part=locate(part.string(node, "BaseLoc") or ""),
                name=part.string(node, "Name") or "",
                z_order=part.string(node, "ZOrder"),
            )
            for node in part.children(common, "TemplatePage")
        )
        self.page_links = tuple(
            PageLink(id=part.string(node, "ID") or "", part=locate(part.string(node, "BaseLoc") or ""))
            for node in part.children(part.child(root, "Pages"), "Page")
        )
        self._indexes = {same_id(link.id): index for index, link in reversed(list(enumerate(self.page_links)))}
        self.resource_parts = tuple(
            name
            for kind in ("DocumentRes", "PublicRes")
            for node in part.children(common, kind)
            if (name := locate(part.text(node))) is not None
        )
        self.outlines: tuple[OutlineItem, ...] = read_outlines(part, part.child(root, "Outlines"))
        self.bookmarks: tuple[Bookmark, ...] = read_bookmarks(part, part.child(root, "Bookmarks"))
        self.permissions: Permissions = read_permissions(part, part.child(root, "Permissions"))
        self.preferences: Preferences = read_preferences(part, part.child(root, "VPreferences"))
        self.actions: tuple[Action, ...] = read_actions(part, root)
        self.linked_parts = {
            name: found
            for name in ("Annotations", "CustomTags", "Attachments", "Extensions")
            if (location := part.child_text(root, name)) and (found := locate(location)) is not None
        }

    @cached_property
    def _document_resources(self) -> tuple[Resources, ...]:
        return tuple(found for name in self.resource_parts if (found := self._read_resources(name)) is not None)

    @cached_property
    def _annotation_parts(self) -> dict[str, tuple[str, ...]]:
        """Page ID to the entry names of its annotations."""
        name = self.linked_parts.get("Annotations")
        found: dict[str, tuple[str, ...]] = {}

        def read_list(part: Part, root: Element) -> None:
            for node in part.children(root, "Page"):
                entry = self._locator(part)(part.child_text(node, "FileLoc"))
                if entry is not None:
                    key = same_id(part.string(node, "PageID") or "")
                    found[key] = (*found.get(key, ()), entry)

        if name is not None:
            self._read(name, "Annotations", read_list, None)
        return found

    def _read_page(self, page_id: str, name: str | None, index: int) -> Page:
        blank = Page(id=page_id, index=index, part=name or "", readable=False)
        if name is None:
            return blank

        def read(part: Part, root: Element) -> Page:
            locate = self._locator(part)
            own = (locate(part.text(node)) for node in part.children(root, "PageRes"))
            resources = tuple(entry for entry in own if entry is not None)
            return read_page(part, root, page_id=page_id, index=index, resources=resources)

        return self._read(name, "Page", read, blank)

    def _resources_of(self, name: str) -> Resources | None:
        known = next((item for item in self._document_resources if item.part == name), None)
        return known or self._keep(self._page_resources, name, _KEPT_RESOURCES, lambda: self._read_resources(name))

    def _read_resources(self, name: str) -> Resources | None:
        def read(part: Part, root: Element) -> Resources:
            def locate(location: str, base: str) -> str | None:
                return self._find(part, location, base)

            return read_resources(part, root, locate)

        return self._read(name, "Res", read, None)

    def _read_linked(
        self,
        link: str,
        root_name: str,
        reader: Callable[[Part, Element, Callable[[str], str | None]], tuple[_Kept, ...]],
    ) -> tuple[_Kept, ...]:
        name = self.linked_parts.get(link)
        if name is None:
            return ()
        return self._read(name, root_name, lambda part, root: reader(part, root, self._locator(part)), ())

    def _read(self, name: str, root_name: str, reader: Callable[[Part, Element], _Kept], otherwise: _Kept) -> _Kept:
        """Read a part; one that cannot be read leaves a warning."""
        part = Part(name, self._warnings)
        try:
            root = part.root(self.files.read(name), foreign=not root_name)
        except TrustError as error:
            part.warn("ofd.model.unreadable", "部分无法读取", "A part cannot be read", fault=error.code)
            return otherwise
        if root_name and part.local(root) != root_name:
            part.warn("ofd.model.root", "根元素名称不符", "The root element has another name", expected=root_name)
        return reader(part, root)

    def _locator(self, part: Part) -> Callable[[str], str | None]:
        return lambda location: self._find(part, location, "")

    def _find(self, part: Part, location: str, base: str) -> str | None:
        found = self.files.find(location, holder=part.name, base=base) if location else None
        if found is None:
            part.warn(
                "ofd.model.missing",
                "引用的文件不在包内",
                "A linked file is not in the package",
                location=location[:200],
            )
        return found

    def _keep(self, kept: OrderedDict[_Key, _Kept], key: _Key, most: int, make: Callable[[], _Kept]) -> _Kept:
        """What was made last is kept."""
        with self._lock:
            if key in kept:
                kept.move_to_end(key)
                return kept[key]
        made = make()
        with self._lock:
            kept[key] = made
            while len(kept) > most:
                kept.popitem(last=False)
        return made
