"""Changing a document that exists and is not signed: pages, templates, blanks, annotations, watermarks, attachments.

What is not changed is copied byte for byte. New fonts and pictures stand in resource files of their own. A signed
document is refused: every change would break its signatures.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from math import inf, isfinite
from pathlib import Path

from ofd import xmlio
from ofd.build.annotations import AnnotationType, Remarks, write_annotation
from ofd.build.blanks import Blank, blanks_of, block_for
from ofd.build.canvas import Canvas, ObjectRef
from ofd.build.existing import highest_id, insert, linked, open_part, page_parts, refuse_signed, the_body
from ofd.build.navigation import write_bookmarks, write_outlines
from ofd.build.numbers import number
from ofd.build.parts import AttachedFile, Placement, check_format, check_size, content_part
from ofd.build.resources import ResourceTable
from ofd.build.watermarks import Watermark
from ofd.fonts.faces import FontStack
from ofd.geometry import Box, Point
from ofd.model.actions import Act, Action
from ofd.model.navigation import Bookmark, OutlineItem
from ofd.model.pages import PageArea
from ofd.model.reading import same_id
from ofd.package.loc import absolute, resolve
from ofd.package.reader import Package
from ofd.package.zip_write import Content
from ofd.progress import Progress, silent
from ofd.xmlio import Element, element, serialise
from trustcore.errors import MalformedError, NotFoundError, RejectedError

__all__ = ["DocumentEditor"]


class DocumentEditor:
    """Collects changes to a document, then writes it with them. Not shared between threads."""

    def __init__(self, source: bytes | Package, *, fonts: FontStack, today: date, body: int = 0) -> None:
        """Read a document strictly.

        Args:
            source: the octets of the package, or the package, which has to stay open.
            fonts: what new text is set in.
            today: the date that annotations and attachments bear.
            body: which document of the package, from 0.

        Raises:
            ConflictError: ``ofd.edit.signed``.
            NotFoundError: ``ofd.package.entry-missing``, ``ofd.model.no-document``.
            MalformedError: ``ofd.package.…``, ``ofd.xml.…``, ``ofd.loc.…``, ``ofd.structure.…``: repair it first.
        """
        self._package = source if isinstance(source, Package) else Package(source)
        refuse_signed(self._package)
        self.fonts = fonts
        """What new text is set in."""
        self._today = today
        self._holder = the_body(self._package, body).document
        self._folder = self._holder.rpartition("/")[0] + "/" if "/" in self._holder else ""
        self._document = open_part(self._package, self._holder, "Document")
        self._last_id = highest_id(self._package, self._document, self._folder)
        self._prefix = self._free_prefix()
        self._resources = ResourceTable(self._next_id, prefix=self._prefix)
        self._page_parts = page_parts(self._document, holder=self._holder)
        """Page ID to entry name, of the pages that were there."""
        self._new_pages: dict[int, tuple[Canvas, PageArea, tuple[tuple[Canvas, Placement], ...]]] = {}
        self._templates: list[Canvas] = []
        self._changed: dict[str, Element] = {}
        """Parts that are there and change, by entry name."""
        self._annotations: dict[str, Element] = {}
        """Annotations of a page, by its ID."""
        self._attachments: list[AttachedFile] = []

    @property
    def page_ids(self) -> tuple[str, ...]:
        """IDs of the pages as they are now, in order."""
        return tuple(same_id(xmlio.attribute(node, "ID")) for node in self._page_nodes())

    def add_page(
        self,
        *,
        at: int | None = None,
        size_mm: tuple[float, float] | None = None,
        templates: Sequence[tuple[Canvas, Placement]] = (),
    ) -> Canvas:
        """Add a page and return it to draw on.

        Args:
            at: index before which it stands; at the end if left out.
            size_mm: width and height; those of the document if left out.
            templates: new ones that it shows.

        Raises:
            RejectedError: ``ofd.build.page-size``; ``ofd.edit.page`` for an index that is not there.
        """
        nodes = self._page_nodes()
        place = len(nodes) if at is None else at
        if not 0 <= place <= len(nodes):
            raise RejectedError("There is no such page.", code="ofd.edit.page", page=place)
        size = size_mm or self._size()
        check_size(size)
        canvas = self._canvas(size)
        location = absolute(f"{self._folder}Pages/{self._prefix}{canvas.id}/Content.xml")
        pages = xmlio.required(self._document, "Pages")
        node = element(pages, "Page", attributes={"ID": str(canvas.id), "BaseLoc": location})
        if place < len(nodes):
            nodes[place].addprevious(node)
        self._new_pages[canvas.id] = (canvas, PageArea(physical=Box(0, 0, *size)), tuple(templates))
        return canvas

    def remove_page(self, index: int) -> None:
        """Take a page out of the document; its files go too.

        Raises:
            RejectedError: ``ofd.edit.page`` for an index that is not there, or the last page.
        """
        nodes = self._page_nodes()
        if not 0 <= index < len(nodes) or len(nodes) == 1:
            raise RejectedError("There is no such page, or no other.", code="ofd.edit.page", page=index)
        page_id = self._page_id(index)
        self._new_pages.pop(int(page_id), None)
        self._annotations.pop(page_id, None)
        xmlio.required(self._document, "Pages").remove(nodes[index])
        for node in xmlio.descendants(self._document, "Dest"):
            if same_id(xmlio.attribute(node, "PageID")) == page_id:
                _remove_with(node, "Bookmark", "Action")

    def move_page(self, index: int, to: int) -> None:
        """Put a page elsewhere.

        Args:
            index: where it is.
            to: where it is afterwards.

        Raises:
            RejectedError: ``ofd.edit.page``.
        """
        nodes = self._page_nodes()
        if not (0 <= index < len(nodes) and 0 <= to < len(nodes)):
            raise RejectedError("There is no such page.", code="ofd.edit.page", page=index)
        order = [node for at, node in enumerate(nodes) if at != index]
        order.insert(to, nodes[index])
        holder = xmlio.required(self._document, "Pages")
        for node in order:
            holder.append(node)

    def add_template(self) -> Canvas:
        """Add a template page and return it to draw on; :meth:`use_template` puts it on pages."""
        canvas = self._canvas(self._size())
        location = absolute(f"{self._folder}Tpls/{self._prefix}{canvas.id}/Content.xml")
        node = element(None, "TemplatePage", attributes={"ID": str(canvas.id), "BaseLoc": location})
        insert(xmlio.required(self._document, "CommonData"), node)
        self._templates.append(canvas)
        return canvas

    def use_template(self, template: Canvas, index: int, placement: Placement = Placement.BACKGROUND) -> None:
        """Show a new template on a page that was there.

        Raises:
            RejectedError: ``ofd.edit.page``.
        """
        name = self._page_parts.get(self._page_id(index))
        if name is None:
            raise RejectedError("New pages are given their templates when they are added.", code="ofd.edit.page")
        attributes = {"TemplateID": str(template.id), "ZOrder": str(placement)}
        insert(self._part(name, "Page"), element(None, "Template", attributes=attributes))

    def blanks(self) -> tuple[Blank, ...]:
        """The named places that are still to be filled, of the pages that were there, in their order."""
        return tuple(blank for page_id in self.page_ids for blank, _ in self._blanks_of(page_id))

    def fill(self, name: str) -> tuple[Canvas, ...]:
        """Fill the blanks of a name: a canvas for each, to draw on in millimetres from its own top left corner.

        Raises:
            NotFoundError: ``ofd.edit.blank``.
        """
        found: list[Canvas] = []
        for page_id in self.page_ids:
            if all(blank.name != name for blank, _ in self._blanks_of(page_id)):
                continue
            root = self._part(self._page_parts[page_id], "Page")
            for blank, node in [each for each in blanks_of(root, page_id) if each[0].name == name]:
                box, canvas_id = blank.box, int(page_id)
                size, offset = (box.width, box.height), Point(-box.x, -box.y)
                found.append(self._canvas(size, canvas_id=canvas_id, target=block_for(node), offset=offset))
        if not found:
            raise NotFoundError("The document has no blank of this name.", code="ofd.edit.blank")
        return tuple(found)

    def annotate(
        self,
        index: int,
        kind: AnnotationType,
        *,
        box_mm: tuple[float, float, float, float],
        remarks: Remarks | None = None,
    ) -> Canvas:
        """Add an annotation to a page and return it to draw its look on, in millimetres of the page.

        Raises:
            RejectedError: ``ofd.object.box`` without a width and a height; ``ofd.edit.page``.
        """
        box = Box(*box_mm)
        return self._appearance(index, kind, box, remarks or Remarks(), offset=Point(box.x, box.y))

    def link(self, index: int, act: Act, *, box_mm: tuple[float, float, float, float]) -> ObjectRef:
        """Have a click on a part of a page do something."""
        canvas = self.annotate(index, AnnotationType.LINK, box_mm=box_mm)
        return canvas.area((Action(event="CLICK", act=act),), box_mm=box_mm)

    def add_watermark(self, watermark: Watermark, *, pages: Sequence[int] | None = None) -> None:
        """Put a watermark over pages, all of them if left out, as an annotation.

        Raises:
            RejectedError: ``ofd.watermark.size``; ``ofd.edit.page``; ``ofd.font.missing-glyph``.
        """
        for index in range(len(self.page_ids)) if pages is None else pages:
            box = self.page_box(index)
            canvas = self._appearance(index, AnnotationType.WATERMARK, box, Remarks(), offset=Point(0, 0))
            watermark.draw(canvas, size_mm=(box.width, box.height), fonts=self.fonts)

    def attach(self, name: str, data: bytes | Path, *, format: str, usage: str = "none") -> str:  # noqa: A002 - OFD's word
        """Attach a file and return its ID.

        Raises:
            RejectedError: ``ofd.build.attachment`` when the format is not alphanumeric.
        """
        check_format(format)
        item = AttachedFile(id=f"A{self._next_id()}", name=name, data=data, format=format, usage=usage)
        self._attachments.append(item)
        return item.id

    def set_outlines(self, items: Sequence[OutlineItem]) -> None:
        """Replace the outline; destinations name pages by :attr:`page_ids`."""
        self._replace_child("Outlines", lambda holder: write_outlines(holder, items))

    def set_bookmarks(self, items: Sequence[Bookmark]) -> None:
        """Replace the bookmarks."""
        self._replace_child("Bookmarks", lambda holder: write_bookmarks(holder, items))

    def page_box(self, index: int) -> Box:
        """PhysicalBox of a page.

        Raises:
            RejectedError: ``ofd.edit.page``.
        """
        page_id = self._page_id(index)
        if page_id.isdigit() and int(page_id) in self._new_pages:
            area = self._new_pages[int(page_id)][1]
            assert area.physical is not None
            return area.physical
        name = self._page_parts[page_id]
        root = self._changed.get(name)
        own = _physical(open_part(self._package, name, "Page") if root is None else root, "Area")
        return own or Box(0, 0, *self._size())

    def to_bytes(self) -> bytes:
        """The package with the changes.

        Raises:
            RejectedError: ``ofd.xml.characters`` for text that XML cannot hold.
        """
        changes = {
            name: content if isinstance(content, bytes) else b"".join(content) for name, content in self._changes()
        }
        return self._package.changed(changes, removed=self._removed()).to_bytes()

    def write_to(self, path: Path | str, *, progress: Progress = silent) -> None:
        """Write the package with the changes into a file, which may be the one that is read.

        Raises:
            RejectedError: as :meth:`to_bytes`.
            OSError: the disk fails.
        """
        self._package.write_to(path, dict(self._changes()), removed=self._removed(), progress=progress)

    def _blanks_of(self, page_id: str) -> tuple[tuple[Blank, Element], ...]:
        name = self._page_parts.get(page_id)
        if name is None:
            return ()
        root = self._changed.get(name)
        return tuple(blanks_of(open_part(self._package, name, "Page") if root is None else root, page_id))

    def _appearance(self, index: int, kind: AnnotationType, box: Box, remarks: Remarks, *, offset: Point) -> Canvas:
        if box.width <= 0 or box.height <= 0:
            raise RejectedError("An object needs a width and a height.", code="ofd.object.box")
        page_id = self._page_id(index)
        page = self._page_annotations(page_id)
        appearance = write_annotation(page, self._next_id(), kind, box, remarks=remarks, modified=self._today)
        size = (box.width, box.height)
        return self._canvas(size, canvas_id=int(page_id), target=appearance, offset=offset)

    def _changes(self) -> Iterator[tuple[str, Content]]:
        for canvas in self._templates:
            yield f"{self._folder}Tpls/{self._prefix}{canvas.id}/Content.xml", content_part(canvas, (), None)
        for canvas, area, templates in self._new_pages.values():
            name = f"{self._folder}Pages/{self._prefix}{canvas.id}/Content.xml"
            yield name, content_part(canvas, templates, area)
        yield from self._annotation_files()
        yield from self._attachment_files()
        common = xmlio.required(self._document, "CommonData")
        for kind, part in self._resources.parts:
            location = absolute(f"{self._folder}{part}")
            if all(xmlio.text(node) != location for node in xmlio.children(common, kind)):
                insert(common, element(None, kind, location))
        for name, content in self._resources.files():
            yield f"{self._folder}{name}", content
        for name, root in self._changed.items():
            yield name, serialise(root)
        xmlio.required(common, "MaxUnitID").text = str(self._last_id)
        yield self._holder, serialise(self._document)

    @property
    def _gone(self) -> frozenset[str]:
        """IDs of pages that were there and are not any more."""
        return frozenset(self._page_parts) - frozenset(self.page_ids)

    def _removed(self) -> tuple[str, ...]:
        """Entries of pages that are gone: their content, resources and annotations."""
        gone = self._gone
        if not gone:
            return ()
        names = {self._page_parts[page_id] for page_id in gone}
        kept = {name for page_id, name in self._page_parts.items() if page_id not in gone}
        if resources := {entry for name in names for entry in self._own_resources(name)}:
            names |= resources.difference(*(self._own_resources(name) for name in kept))
        listing = linked(self._package, self._document, "Annotations", holder=self._holder)
        if listing is not None:
            listed = self._listed_annotations(open_part(self._package, listing, "Annotations"), listing)
            names |= {entry for page_id, entry in listed.items() if page_id in gone}
        return tuple(name for name in self._package.names if name in names - kept)

    def _own_resources(self, name: str) -> set[str]:
        """Resource files of one page."""
        page = open_part(self._package, name, "Page")
        return {resolve(xmlio.text(node), holder=name) for node in xmlio.children(page, "PageRes")}

    def _annotation_files(self) -> Iterator[tuple[str, Content]]:
        name = linked(self._package, self._document, "Annotations", holder=self._holder)
        if not self._annotations and (name is None or not self._gone):
            return
        if name is None:
            name = f"{self._folder}Annots/{self._prefix}Annotations.xml"
            self._replace_child("Annotations", lambda holder: element(holder, "Annotations", absolute(name)))
            root = element(None, "Annotations")
        else:
            root = open_part(self._package, name, "Annotations")
        listed = self._listed_annotations(root, name)
        for node in xmlio.children(root, "Page"):
            if same_id(xmlio.attribute(node, "PageID")) in self._gone:
                root.remove(node)
        for page_id, page in self._annotations.items():
            entry = listed.get(page_id)
            if entry is None:
                entry = f"{self._folder}Annots/{self._prefix}{page_id}/Annotation.xml"
                node = element(root, "Page", attributes={"PageID": page_id})
                element(node, "FileLoc", absolute(entry))
            yield entry, serialise(page)
        yield name, serialise(root)

    def _attachment_files(self) -> Iterator[tuple[str, Content]]:
        if not self._attachments:
            return
        name = linked(self._package, self._document, "Attachments", holder=self._holder)
        if name is None:
            name = f"{self._folder}Attachs/{self._prefix}Attachments.xml"
            self._replace_child("Attachments", lambda holder: element(holder, "Attachments", absolute(name)))
            root = element(None, "Attachments")
        else:
            root = open_part(self._package, name, "Attachments")
        for item in self._attachments:
            entry = f"{self._folder}Attachs/{self._prefix}{item.id}.{item.format}"
            attributes = {
                "ID": item.id,
                "Name": item.name,
                "Format": item.format,
                "CreationDate": self._today.isoformat(),
                "Size": number(item.size / 1024),
                "Usage": item.usage,
            }
            element(element(root, "Attachment", attributes=attributes), "FileLoc", absolute(entry))
            yield entry, item.content
        yield name, serialise(root)

    def _page_annotations(self, page_id: str) -> Element:
        """The annotations of a page, to which new ones are added."""
        if page_id not in self._annotations:
            page: Element | None = None
            name = linked(self._package, self._document, "Annotations", holder=self._holder)
            if name is not None:
                entry = self._listed_annotations(open_part(self._package, name, "Annotations"), name).get(page_id)
                page = None if entry is None else open_part(self._package, entry, "PageAnnot")
            self._annotations[page_id] = element(None, "PageAnnot") if page is None else page
        return self._annotations[page_id]

    def _listed_annotations(self, root: Element, name: str) -> Mapping[str, str]:
        """Page ID to the entry of its annotations."""
        found: dict[str, str] = {}
        for node in xmlio.children(root, "Page"):
            entry = resolve(xmlio.text(xmlio.required(node, "FileLoc")), holder=name)
            if entry not in self._package:
                continue
            found.setdefault(same_id(xmlio.attribute(node, "PageID")), entry)
        return found

    def _replace_child(self, name: str, write: Callable[[Element], object]) -> None:
        for node in xmlio.children(self._document, name):
            self._document.remove(node)
        holder = element(None, "Document")
        write(holder)
        for node in list(holder):
            insert(self._document, node)

    def _part(self, name: str, root: str) -> Element:
        if name not in self._changed:
            self._changed[name] = open_part(self._package, name, root)
        return self._changed[name]

    def _page_nodes(self) -> tuple[Element, ...]:
        return xmlio.children(xmlio.required(self._document, "Pages"), "Page")

    def _page_id(self, index: int) -> str:
        ids = self.page_ids
        if not 0 <= index < len(ids):
            raise RejectedError("There is no such page.", code="ofd.edit.page", page=index)
        return ids[index]

    def _size(self) -> tuple[float, float]:
        common = xmlio.required(self._document, "CommonData")
        box = _physical(common, "PageArea")
        return (210.0, 297.0) if box is None else (box.width, box.height)

    def _free_prefix(self) -> str:
        """Of names that no entry has yet."""
        lowered = {name.lower() for name in self._package.names}
        at = 1
        while any(f"/edit{at}_" in f"/{name}" for name in lowered):
            at += 1
        return f"Edit{at}_"

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


def _physical(holder: Element, name: str) -> Box | None:
    """PhysicalBox of an area; its corner is the origin of the page (GB/T 33190-2016 §7.5), whatever it says."""
    area = xmlio.child(holder, name)
    node = None if area is None else xmlio.child(area, "PhysicalBox")
    if node is None:
        return None
    try:
        x, y, width, height = (float(value) for value in xmlio.text(node).split())
    except ValueError as error:
        raise MalformedError("A PhysicalBox is not four numbers.", code="ofd.edit.box") from error
    if not (all(map(isfinite, (x, y))) and 0 < width < inf and 0 < height < inf):
        raise MalformedError("A PhysicalBox is no box.", code="ofd.edit.box")
    return Box(0, 0, width, height)


def _remove_with(node: Element, *names: str) -> None:
    """Remove the nearest element around a node that has one of these names."""
    around: Element | None = node
    while around is not None and xmlio.local_name(around) not in names:
        around = around.getparent()
    parent = None if around is None else around.getparent()
    if around is not None and parent is not None:
        parent.remove(around)
