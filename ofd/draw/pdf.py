"""Scenes as a PDF file: a page each, with real text, links, outlines, attachments and the document's own data.

Example:
    >>> with open("out.pdf", "wb") as out:
    ...     writer = PdfWriter(out)
    ...     for scene in scenes:
    ...         writer.add_page(scene)
    ...     writer.finish()
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from ofd.draw.pdf_content import Content, Shared
from ofd.draw.pdf_file import Name, PdfFile, Ref, Value, text_string
from ofd.draw.pdf_fonts import PdfFonts
from ofd.draw.scene import Scene
from ofd.geometry import Box, Matrix

__all__ = ["POINTS_PER_MM", "Attachment", "Destination", "DocumentInfo", "Link", "OutlineEntry", "PdfWriter"]

POINTS_PER_MM = 72 / 25.4
_LARGEST_SIDE = 14_400.0
"""Points; what readers show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A place in the document."""

    page: int
    """From 0."""
    fit: str = "XYZ"
    """``XYZ``, ``Fit``, ``FitH``, ``FitV`` or ``FitR``, as in CT_Dest (GB/T 33190-2016 §7.5)."""
    left: float | None = None
    """Millimetres on the page, as OFD counts them."""
    top: float | None = None
    right: float | None = None
    bottom: float | None = None
    zoom: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A part of a page that leads elsewhere."""

    box: Box
    target: Destination | str
    """A place, or an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineEntry:
    """A line of the table of contents beside the pages."""

    title: str
    target: Destination | str | None = None
    children: "tuple[OutlineEntry, ...]" = ()
    expanded: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file inside the file."""

    name: str
    data: bytes
    media_type: str = "application/octet-stream"
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentInfo:
    """What a document says of itself."""

    title: str = ""
    author: str = ""
    subject: str = ""
    keywords: tuple[str, ...] = ()
    creator: str = ""
    created: datetime | None = None
    modified: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Page:
    ref: Ref
    area: Box
    links: tuple[Link, ...]
    annotations: Ref | None


class PdfWriter:
    """A PDF under construction. Add the pages in order, then call :meth:`finish` once."""

    def __init__(self, out: BinaryIO | None = None, *, info: DocumentInfo | None = None, dot_mm: float = 0) -> None:
        """Begin.

        Args:
            out: takes the file as it grows; without it the file is kept in memory and returned by :meth:`finish`.
            info: what the document says of itself.
            dot_mm: side of a dot when the file is only made to be drawn as a picture.
        """
        self._memory = io.BytesIO() if out is None else None
        self._file = PdfFile(out if out is not None else self._memory)  # type: ignore[arg-type]
        self._shared = Shared(self._file, PdfFonts(self._file), dot_mm=dot_mm)
        self._info = info
        self._tree = self._file.reserve()
        self._pages: list[_Page] = []
        self._attached: list[tuple[str, Value]] = []

    @property
    def warnings(self) -> Sequence[str]:
        """What could not be painted, one English sentence each."""
        return self._shared.warnings

    def add_page(self, scene: Scene, *, links: Sequence[Link] = ()) -> None:
        """Paint a scene on a page of its own."""
        area = scene.area
        scale = POINTS_PER_MM
        base = Matrix(scale, 0, 0, -scale, -area.x * scale, area.bottom * scale)
        content = Content(self._shared, base=base, box=area)
        content.draw(scene.items)
        page = self._file.reserve()
        annotations = self._file.reserve() if links else None
        entries: dict[str, Value] = {
            "Type": Name("Page"),
            "Parent": self._tree,
            "MediaBox": [0, 0, *(min(max(side * scale, 1.0), _LARGEST_SIDE) for side in (area.width, area.height))],
            "Resources": content.resources,
            "Contents": self._file.stream({}, content.data),
            "Group": {"S": Name("Transparency"), "CS": Name("DeviceRGB")},
        }
        if annotations:
            entries["Annots"] = annotations
        self._file.put(entries, page)
        self._pages.append(_Page(page, area, tuple(links), annotations))

    def attach(self, attachment: Attachment) -> None:
        """Put a file into the file."""
        embedded = self._file.stream(
            {
                "Type": Name("EmbeddedFile"),
                "Subtype": Name(attachment.media_type),
                "Params": {"Size": len(attachment.data)},
            },
            attachment.data,
        )
        names: dict[str, Value] = {"F": text_string(attachment.name), "UF": text_string(attachment.name)}
        described: dict[str, Value] = {"Desc": text_string(attachment.description)} if attachment.description else {}
        entry: Value = {"Type": Name("Filespec"), **names, **described, "EF": {"F": embedded, "UF": embedded}}
        self._attached.append((attachment.name, self._file.put(entry)))

    def finish(
        self,
        *,
        outline: Sequence[OutlineEntry] = (),
        bookmarks: Mapping[str, Destination] | None = None,
        page_labels: Sequence[str] = (),
        page_mode: str | None = None,
        page_layout: str | None = None,
        hidden: Sequence[str] = (),
    ) -> bytes:
        """Write what is left.

        Args:
            outline: the table of contents.
            bookmarks: places by name.
            page_labels: a name for each page; none by default.
            page_mode: PDF's ``PageMode``, such as ``UseOutlines``.
            page_layout: PDF's ``PageLayout``, such as ``SinglePage``.
            hidden: PDF viewer preferences that are set, such as ``HideToolbar``.

        Returns:
            The file when it was kept in memory, else nothing.
        """
        self._shared.fonts.write()
        for page in self._pages:
            if page.annotations:
                self._file.put([self._link(page, link) for link in page.links], page.annotations)
        kids: Value = [page.ref for page in self._pages]
        self._file.put({"Type": Name("Pages"), "Kids": kids, "Count": len(self._pages)}, self._tree)
        catalog: dict[str, Value] = {"Type": Name("Catalog"), "Pages": self._tree}
        if outline:
            catalog["Outlines"] = self._outline(outline)
        if page_labels:
            numbers: list[Value] = []
            for index, label in enumerate(page_labels[: len(self._pages)]):
                numbers += [index, {"P": text_string(label)}]
            catalog["PageLabels"] = {"Nums": numbers}
        named = {name: self._target(place).get("Dest") for name, place in (bookmarks or {}).items()}
        trees = {"EmbeddedFiles": self._attached, "Dests": [item for item in named.items() if item[1]]}
        if any(trees.values()):
            catalog["Names"] = {kind: _name_tree(entries) for kind, entries in trees.items() if entries}
        if page_mode:
            catalog["PageMode"] = Name(page_mode)
        if page_layout:
            catalog["PageLayout"] = Name(page_layout)
        preferences: dict[str, Value] = dict.fromkeys(hidden, True)
        if self._info and self._info.title:
            preferences["DisplayDocTitle"] = True
        if preferences:
            catalog["ViewerPreferences"] = preferences
        self._file.finish(self._file.put(catalog), self._put_info())
        return self._memory.getvalue() if self._memory else b""

    def _put_info(self) -> Ref:
        info = self._info or DocumentInfo()
        texts = {
            "Title": info.title,
            "Author": info.author,
            "Subject": info.subject,
            "Keywords": ", ".join(info.keywords),
            "Creator": info.creator,
            "Producer": "Xinyin",
        }
        entries: dict[str, Value] = {key: text_string(text) for key, text in texts.items() if text}
        for key, moment in (("CreationDate", info.created), ("ModDate", info.modified)):
            if moment:
                zone = moment.strftime("%z")
                shown = moment.strftime("D:%Y%m%d%H%M%S") + (f"{zone[:3]}'{zone[3:5]}'" if zone else "")
                entries[key] = shown.encode()
        return self._file.put(entries)

    def _link(self, page: _Page, link: Link) -> Ref:
        first, last = (_on_page(page.area, x, y) for x, y in (link.box[:2], (link.box.right, link.box.bottom)))
        entries: dict[str, Value] = {
            "Type": Name("Annot"),
            "Subtype": Name("Link"),
            "Rect": [first[0], last[1], last[0], first[1]],
            "Border": [0, 0, 0],
            "F": 4,
            **self._target(link.target),
        }
        return self._file.put(entries)

    def _target(self, target: Destination | str | None) -> dict[str, Value]:
        if isinstance(target, str):
            return {"A": {"S": Name("URI"), "URI": target.encode()}}
        if target is None or not 0 <= target.page < len(self._pages):
            return {}
        page = self._pages[target.page]
        left, top = _on_page(page.area, target.left or 0.0, target.top or 0.0)
        right, bottom = _on_page(page.area, target.right or page.area.right, target.bottom or page.area.bottom)
        x = None if target.left is None else left
        y = None if target.top is None else top
        match target.fit:
            case "FitH":
                rest: list[Value] = [y]
            case "FitV":
                rest = [x]
            case "FitR":
                rest = [left, bottom, right, top]
            case "Fit":
                rest = []
            case _:
                rest = [x, y, target.zoom or None]
        fit = target.fit if target.fit in {"Fit", "FitH", "FitV", "FitR"} else "XYZ"
        return {"Dest": [page.ref, Name(fit), *rest]}

    def _outline(self, entries: Sequence[OutlineEntry]) -> Ref:
        root = self._file.reserve()
        first, last, shown = self._outline_level(entries, root, depth=0)
        self._file.put({"Type": Name("Outlines"), "First": first, "Last": last, "Count": shown}, root)
        return root

    def _outline_level(self, entries: Sequence[OutlineEntry], parent: Ref, *, depth: int) -> tuple[Ref, Ref, int]:
        refs = [self._file.reserve() for _ in entries]
        visible = len(entries)
        for index, entry in enumerate(entries):
            line: dict[str, Value] = {"Title": text_string(entry.title), "Parent": parent}
            if index:
                line["Prev"] = refs[index - 1]
            if index + 1 < len(refs):
                line["Next"] = refs[index + 1]
            if entry.children and depth < 32:
                first, last, below = self._outline_level(entry.children, refs[index], depth=depth + 1)
                line |= {"First": first, "Last": last, "Count": below if entry.expanded else -below}
                visible += below if entry.expanded else 0
            line |= self._target(entry.target)
            self._file.put(line, refs[index])
        return refs[0], refs[-1], visible


def _name_tree(entries: Sequence[tuple[str, Value]]) -> Value:
    names: list[Value] = []
    for key, value in sorted((text_string(name), value) for name, value in entries):
        names += [key, value]
    return {"Names": names}


def _on_page(area: Box, x: float, y: float) -> tuple[float, float]:
    """Where a place in millimetres lies on the PDF page."""
    return (x - area.x) * POINTS_PER_MM, (area.bottom - y) * POINTS_PER_MM
