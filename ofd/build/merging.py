"""Putting documents together, and taking pages out of one as a document of their own.

Pages, templates, annotations, outlines, bookmarks and attachments go along, and of the resources those that are used.
Signatures do not: they hold for the document that was signed, and a signed document is refused unless it is said that
they may be lost. Indexes and extensions stay behind, since they speak of the whole document.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

from ofd import xmlio
from ofd.build.existing import highest_id, linked, open_part, page_parts, refuse_signed, the_body
from ofd.build.parts import root_part
from ofd.build.renumbering import references, renumber
from ofd.model.info import Info
from ofd.model.reading import same_id
from ofd.package.loc import resolve
from ofd.package.reader import Package, write_package
from ofd.package.zip_write import Content, PackageWriter
from ofd.progress import Progress, silent
from ofd.xmlio import Element, element, serialise
from trustcore.errors import MalformedError, NotFoundError, RejectedError

__all__ = ["Selection", "merge", "merge_to", "split"]

_FOLDER = "Doc_0"
_COLORS = ("FillColor", "StrokeColor", "Color", "BackColor", "BorderColor")
_GROUPS = {
    "ColorSpaces": "ColorSpace",
    "DrawParams": "DrawParam",
    "Fonts": "Font",
    "MultiMedias": "MultiMedia",
    "CompositeGraphicUnits": "CompositeGraphicUnit",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Pages of a document."""

    source: bytes | Package
    """A package stays open until all is written."""
    pages: tuple[int, ...] | None = None
    """Indexes from 0, in the order wanted, each once; all of them if left out."""
    attachments: bool = True
    """Whether the attachments go along."""
    body: int = 0
    """Which document of the package."""


def merge(selections: Sequence[Selection], info: Info, *, drop_signatures: bool = False) -> bytes:
    """One document with the pages of several, in order.

    Args:
        selections: which pages of which documents.
        info: what the new document says of itself; ``doc_id`` and ``created`` are obligatory.
        drop_signatures: take pages of signed documents too, without their signatures.

    Raises:
        ConflictError: ``ofd.edit.signed``.
        RejectedError: ``ofd.merge.pages`` without pages, or for pages that are not there or asked for twice.
        NotFoundError: ``ofd.package.entry-missing`` for a part or file that is used and is not there.
        MalformedError: ``ofd.package.…``, ``ofd.xml.…``, ``ofd.loc.…``, ``ofd.structure.…``: repair it first.
    """
    parts = _merged(selections, info, drop_signatures=drop_signatures, progress=silent)
    return write_package(
        {name: content if isinstance(content, bytes) else b"".join(content) for name, content in parts}
    )


def merge_to(
    path: Path | str,
    selections: Sequence[Selection],
    info: Info,
    *,
    drop_signatures: bool = False,
    progress: Progress = silent,
) -> None:
    """As :func:`merge`, into a file, in bounded memory; ``progress`` is told pages.

    Raises:
        TrustError: as :func:`merge`.
        OSError: the disk fails.
    """
    with PackageWriter(path) as writer:
        for name, content in _merged(selections, info, drop_signatures=drop_signatures, progress=progress):
            writer.add(name, content)


def split(
    source: bytes | Package, groups: Sequence[Sequence[int]], infos: Sequence[Info], *, drop_signatures: bool = False
) -> Iterator[bytes]:
    """A document for each group of pages.

    Args:
        source: the document.
        groups: indexes of pages.
        infos: what each new document says of itself.
        drop_signatures: as for :func:`merge`.

    Raises:
        TrustError: as :func:`merge`.
    """
    package = source if isinstance(source, Package) else Package(source)
    for pages, info in zip(groups, infos, strict=True):
        chosen = Selection(source=package, pages=tuple(pages), attachments=False)
        yield merge([chosen], info, drop_signatures=drop_signatures)


@dataclass(slots=True, kw_only=True)
class _Target:
    """Document.xml of the new document while it grows."""

    common: Element
    pages: Element
    outlines: Element
    bookmarks: Element
    annotations: Element
    attachments: Element
    area: str
    """PageArea as text, to tell whether a page needs its own."""
    last_id: int = 0
    page_count: int = 0
    names: set[str] = field(default_factory=set)


def _merged(
    selections: Sequence[Selection], info: Info, *, drop_signatures: bool, progress: Progress
) -> Iterator[tuple[str, Content]]:
    sources = [_Source(selection, at, drop_signatures=drop_signatures) for at, selection in enumerate(selections)]
    total = sum(len(source.chosen) for source in sources)
    if not total:
        raise RejectedError("No page is asked for.", code="ofd.merge.pages")
    yield "OFD.xml", root_part(info, document=f"{_FOLDER}/Document.xml")
    names = ("CommonData", "Pages", "Outlines", "Bookmarks", "Annotations", "Attachments")
    common, pages, outlines, bookmarks, annotations, attachments = (element(None, name) for name in names)
    first = sources[0]
    target = _Target(
        common=common,
        pages=pages,
        outlines=outlines,
        bookmarks=bookmarks,
        annotations=annotations,
        attachments=attachments,
        area=first.area_text,
    )
    element(common, "MaxUnitID", "0")
    common.append(deepcopy(first.area))
    for source in sources:
        yield from source.parts(target, lambda: progress(target.page_count, total))
        target.last_id += source.highest
    yield from _finish(target)


def _finish(target: _Target) -> Iterator[tuple[str, Content]]:
    root = element(None, "Document")
    xmlio.required(target.common, "MaxUnitID").text = str(target.last_id)
    order = ("MaxUnitID", "PageArea", "PublicRes", "TemplatePage")
    target.common[:] = sorted(target.common, key=lambda node: order.index(xmlio.local_name(node)))
    root.append(target.common)
    root.append(target.pages)
    for node in (target.outlines, target.bookmarks):
        if len(node):
            root.append(node)
    for node, location in (
        (target.annotations, "Annots/Annotations.xml"),
        (target.attachments, "Attachs/Attachments.xml"),
    ):
        if len(node):
            element(root, xmlio.local_name(node), location)
            yield f"{_FOLDER}/{location}", serialise(node)
    yield f"{_FOLDER}/Document.xml", serialise(root)


class _Source:
    """One of the documents that are put together."""

    def __init__(self, selection: Selection, number: int, *, drop_signatures: bool) -> None:
        self._package = selection.source if isinstance(selection.source, Package) else Package(selection.source)
        if not drop_signatures:
            refuse_signed(self._package)
        self._number = number
        self._attachments = selection.attachments
        self._holder = the_body(self._package, selection.body).document
        self._document = open_part(self._package, self._holder, "Document")
        folder = self._holder.rpartition("/")[0]
        self.highest = highest_id(self._package, self._document, f"{folder}/" if folder else "")
        parts = list(page_parts(self._document, holder=self._holder).items())
        wanted = range(len(parts)) if selection.pages is None else selection.pages
        if len(set(wanted)) != len(wanted) or any(not 0 <= at < len(parts) for at in wanted):
            raise RejectedError("Pages that are not there, or twice, are asked for.", code="ofd.merge.pages")
        self.chosen = [parts[at] for at in wanted]
        """Page ID and entry name of the pages that are taken."""
        self.area = xmlio.required(xmlio.required(self._document, "CommonData"), "PageArea")
        default = xmlio.child(xmlio.required(self._document, "CommonData"), "DefaultCS")
        self._default_space = None if default is None else xmlio.text(default)
        self._offset = 0
        self._defined = self._definitions()

    @property
    def area_text(self) -> str:
        """PageArea, to be compared."""
        return "|".join(f"{xmlio.local_name(node)}={xmlio.text(node)}" for node in self.area)

    def parts(self, target: _Target, told: Callable[[], None]) -> Iterator[tuple[str, Content]]:
        """The parts of this document under their new names, with their new IDs."""
        self._offset = target.last_id
        used: set[str] = set()
        templates: dict[str, None] = {}
        for page_id, name in self.chosen:
            page = self._content(name, used, target)
            templates.update((same_id(node.get("TemplateID", "")), None) for node in xmlio.children(page, "Template"))
            place = f"Pages/Page_{target.page_count}/Content.xml"
            element(target.pages, "Page", attributes={"ID": self._new(page_id), "BaseLoc": place})
            annotations = self._annotations_of(page_id)
            if annotations is not None:
                self._name_space(annotations)
                used.update(references(annotations))
                entry = f"Annots/Page_{target.page_count}/Annotation.xml"
                listed = element(target.annotations, "Page", attributes={"PageID": self._new(page_id)})
                element(listed, "FileLoc", f"/{_FOLDER}/{entry}")
                yield f"{_FOLDER}/{entry}", self._serialised(annotations)
            yield f"{_FOLDER}/{place}", self._serialised(page)
            target.page_count += 1
            told()
        yield from self._templates(templates, used, target)
        yield from self._resources(used, target)
        yield from self._attached(target)
        self._navigation(target)

    def _content(self, name: str, used: set[str], target: _Target) -> Element:
        """The content of a page or template, for which the used IDs are noted."""
        page = open_part(self._package, name, "Page")
        self._name_space(page)
        used.update(references(page))
        for node in xmlio.children(page, "PageRes"):
            page.remove(node)
        if xmlio.child(page, "Area") is None and self.area_text != target.area:
            area = element(None, "Area")
            area.extend([deepcopy(node) for node in self.area])
            before = xmlio.children(page, "Template")
            page.insert(page.index(before[-1]) + 1 if before else 0, area)
        return page

    def _templates(self, wanted: Mapping[str, None], used: set[str], target: _Target) -> Iterator[tuple[str, Content]]:
        for at, node in enumerate(xmlio.children(xmlio.required(self._document, "CommonData"), "TemplatePage")):
            template_id = same_id(xmlio.attribute(node, "ID"))
            if template_id not in wanted:
                continue
            content = self._content(resolve(xmlio.attribute(node, "BaseLoc"), holder=self._holder), used, target)
            place = f"Tpls/Tpl_{self._number}_{at}/Content.xml"
            listed = deepcopy(node)
            listed.set("ID", self._new(template_id))
            listed.set("BaseLoc", place)
            target.common.append(listed)
            yield f"{_FOLDER}/{place}", self._serialised(content)

    def _resources(self, used: set[str], target: _Target) -> Iterator[tuple[str, Content]]:
        """The resources that pages need, and those that these need, in one file."""
        needed: dict[str, Element] = {}
        waiting = sorted(used)
        while waiting:
            resource_id = waiting.pop()
            if resource_id in needed or resource_id not in self._defined:
                continue
            needed[resource_id] = deepcopy(self._defined[resource_id][0])
            self._name_space(needed[resource_id])
            waiting.extend(references(needed[resource_id]))
        if not needed:
            return
        root = element(None, "Res", attributes={"BaseLoc": "Res"})
        files: dict[str, str] = {}
        for group, kind in _GROUPS.items():
            members = [
                (key, node) for key in self._defined if (node := needed.get(key)) is not None and _is(node, kind)
            ]
            holder = element(root, group) if members else root
            for key, node in members:
                self._relocate(node, self._defined[key][1:], key, files)
                holder.append(node)
        place = f"Res_{self._number}.xml"
        element(target.common, "PublicRes", place)
        yield f"{_FOLDER}/{place}", self._serialised(root)
        for name, entry in files.items():
            yield f"{_FOLDER}/Res/{name}", self._package.chunks(entry)

    def _relocate(self, node: Element, place: tuple[str, str], key: str, files: dict[str, str]) -> None:
        """Give the files of a resource names of the new document."""
        holder, base = place
        for name in ("FontFile", "MediaFile"):
            link = xmlio.child(node, name)
            if link is not None:
                link.text = self._file(resolve(xmlio.text(link), holder=holder, base=base), key, files)
        if node.get("Profile"):
            node.set("Profile", self._file(resolve(node.get("Profile", ""), holder=holder, base=base), key, files))

    def _file(self, entry: str, key: str, files: dict[str, str]) -> str:
        if entry not in self._package:
            raise NotFoundError(f"The package has no entry {entry!r}.", code="ofd.package.entry-missing", entry=entry)
        suffix = entry.rpartition("/")[2].rpartition(".")[2] if "." in entry.rpartition("/")[2] else "bin"
        name = f"file_{self._new(key)}.{suffix}"
        files[name] = entry
        return name

    def _definitions(self) -> dict[str, tuple[Element, str, str]]:
        """Resources by ID, with the file that defines each and its BaseLoc; page resources come before others."""
        common = xmlio.required(self._document, "CommonData")
        own: dict[str, None] = {}
        pages = [name for _, name in self.chosen]
        pages += [
            resolve(xmlio.attribute(node, "BaseLoc"), holder=self._holder)
            for node in xmlio.children(common, "TemplatePage")
        ]
        for name in pages:
            page = open_part(self._package, name, "Page")
            own.update((resolve(xmlio.text(node), holder=name), None) for node in xmlio.children(page, "PageRes"))
        shared = [node for kind in ("DocumentRes", "PublicRes") for node in xmlio.children(common, kind)]
        names = own | {resolve(xmlio.text(node), holder=self._holder): None for node in shared}
        found: dict[str, tuple[Element, str, str]] = {}
        for name in names:
            root = open_part(self._package, name, "Res")
            base = root.get("BaseLoc", "")
            for group, kind in _GROUPS.items():
                for holder in xmlio.children(root, group):
                    for node in xmlio.children(holder, kind):
                        key = same_id(xmlio.attribute(node, "ID"))
                        known = found.setdefault(key, (node, name, base))
                        if known[0] is not node and known[1] in own and serialise(known[0]) != serialise(node):
                            raise MalformedError(f"The ID {key} means two resources.", code="ofd.merge.ambiguous-id")
        return found

    def _annotations_of(self, page_id: str) -> Element | None:
        """All annotations of a page as one part."""
        name = linked(self._package, self._document, "Annotations", holder=self._holder)
        if name is None:
            return None
        merged: Element | None = None
        for node in xmlio.children(open_part(self._package, name, "Annotations"), "Page"):
            if same_id(xmlio.attribute(node, "PageID")) != page_id:
                continue
            entry = resolve(xmlio.text(xmlio.required(node, "FileLoc")), holder=name)
            found = open_part(self._package, entry, "PageAnnot")
            if merged is None:
                merged = found
            else:
                merged.extend(list(found))
        return merged

    def _attached(self, target: _Target) -> Iterator[tuple[str, Content]]:
        name = linked(self._package, self._document, "Attachments", holder=self._holder)
        if name is None or not self._attachments:
            return
        for at, node in enumerate(xmlio.children(open_part(self._package, name, "Attachments"), "Attachment")):
            link = xmlio.required(node, "FileLoc")
            entry = resolve(xmlio.text(link), holder=name)
            plain = entry.rpartition("/")[2]
            file = f"{self._number}_{at}_{plain if plain.isascii() else 'attachment'}"
            link.text = file
            node.set("ID", f"D{self._number}{xmlio.attribute(node, 'ID')}")
            target.attachments.append(node)
            yield f"{_FOLDER}/Attachs/{file}", self._package.chunks(entry)

    def _navigation(self, target: _Target) -> None:
        """Outlines and bookmarks, those left out whose place was not taken along."""
        kept = {page_id for page_id, _ in self.chosen}
        for name, holder in (("Outlines", target.outlines), ("Bookmarks", target.bookmarks)):
            found = xmlio.child(self._document, name)
            if found is None:
                continue
            for node in xmlio.descendants(found, "Dest"):
                if same_id(node.get("PageID", "")) not in kept:
                    _drop(node)
            for bookmark in xmlio.children(found, "Bookmark"):
                if not len(bookmark) or bookmark.get("Name") in target.names:
                    found.remove(bookmark)
                else:
                    target.names.add(bookmark.get("Name", ""))
            if name == "Outlines":
                _prune(found)
            self._renumbered(found)
            holder.extend(list(found))

    def _name_space(self, root: Element) -> None:
        """Have colours name the colour space that this document means where they name none."""
        for node in xmlio.descendants(root, *_COLORS) if self._default_space else ():
            if node.get("ColorSpace") is None and (node.get("Value") or node.get("Index")):
                node.set("ColorSpace", self._default_space or "")

    def _serialised(self, root: Element) -> bytes:
        self._renumbered(root)
        return serialise(root)

    def _renumbered(self, root: Element) -> None:
        renumber(root, self._new)
        for node in xmlio.descendants(root, "GotoA"):
            node.set("AttachID", f"D{self._number}{node.get('AttachID', '')}")

    def _new(self, old: str) -> str:
        return str(int(old) + self._offset)


def _is(node: Element, kind: str) -> bool:
    return xmlio.local_name(node) == kind


def _drop(destination: Element) -> None:
    """Take out a destination, with the action around it if there is one."""
    node: Element = destination
    while (parent := node.getparent()) is not None:
        if xmlio.local_name(node) in {"Action", "Dest"} and xmlio.local_name(parent) in {"Actions", "Bookmark"}:
            parent.remove(node)
            return
        node = parent


def _prune(holder: Element) -> None:
    """Leave out entries of the outline that lead nowhere and hold none that do."""
    for item in xmlio.children(holder, "OutlineElem"):
        _prune(item)
        actions = xmlio.child(item, "Actions")
        if actions is not None and not len(actions):
            item.remove(actions)
            actions = None
        below = xmlio.children(item, "OutlineElem")
        if actions is None and not below:
            holder.remove(item)
        elif item.get("Count") is not None:
            item.set("Count", str(len(xmlio.descendants(item, "OutlineElem")) - 1))
