"""PDF to OFD: pages with real, searchable text in embedded fonts; outlines, links, attached files and metadata."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from ofd.build.annotations import AnnotationType, Remarks
from ofd.build.canvas import Canvas
from ofd.build.document import DocumentBuilder
from ofd.convert.pdf.about import read_about
from ofd.convert.pdf.document import PdfDocument
from ofd.convert.pdf.navigation import Entry, Navigation, Place
from ofd.convert.pdf.streams import Limits, array, dictionary
from ofd.fonts.faces import FontStack
from ofd.fonts.library import FontLibrary, installed_fonts
from ofd.geometry import Box, Matrix
from ofd.model.actions import Act, Action, Destination, GotoAction, UriAction
from ofd.model.navigation import OutlineItem
from ofd.package.zip_write import PackageWriter
from ofd.progress import Progress, silent
from trustcore.errors import RejectedError

__all__ = ["Conversion", "Limits", "PageWarning", "pdf_to_ofd", "write_pdf_as_ofd"]

_FIT = "Fit"
_MOST_FORMAT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PageWarning:
    """What of a page is not shown as the PDF says."""

    page: int
    """Counted from 1; 0 for the document."""
    sentence: str
    """English."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """What has been converted."""

    pages: int
    warnings: tuple[PageWarning, ...]
    data: bytes = b""
    """The OFD package; empty when it was written into a file."""


def pdf_to_ofd(
    source: bytes | Path,
    *,
    doc_id: str,
    created: datetime,
    password: str = "",
    pages: Sequence[int] | None = None,
    limits: Limits | None = None,
    library: FontLibrary | None = None,
    progress: Progress = silent,
) -> Conversion:
    """Convert a PDF into an OFD package in memory.

    Args:
        source: the PDF, or the file it is in.
        doc_id: DocID of the new document: a UUID as 32 hexadecimal digits.
        created: when the new document is made; the date of creation, where the PDF does not say its own.
        password: to open an encrypted PDF with.
        pages: indexes of the pages to take, in this order; all when left out.
        limits: what a page may cost.
        library: fonts that stand in for those that are not embedded; those installed when left out.
        progress: told in pages: each page counts twice, once for its fonts and once for its content.

    Raises:
        MalformedError: ``ofd.convert.pdf-damaged``, not a PDF or beyond mending.
        RejectedError: ``ofd.convert.pdf-password``; ``ofd.convert.pdf-no-pages``, ``ofd.convert.pdf-no-such-page``;
            ``ofd.convert.pdf-too-many-pages``, ``ofd.convert.pdf-too-complex`` or ``ofd.convert.pdf-too-big``.
    """
    with PdfDocument.open(source, password=password, limits=limits, library=library) as document:
        work = _Work(document, doc_id=doc_id, created=created, pages=pages, writer=None)
        work.run(progress)
        return Conversion(pages=work.count, warnings=tuple(work.warnings), data=work.builder.to_bytes())


def write_pdf_as_ofd(  # noqa: PLR0913 - one argument per choice
    source: bytes | Path,
    target: Path,
    *,
    doc_id: str,
    created: datetime,
    password: str = "",
    pages: Sequence[int] | None = None,
    limits: Limits | None = None,
    library: FontLibrary | None = None,
    progress: Progress = silent,
) -> Conversion:
    """Convert a PDF into an OFD file, page by page in bounded memory; the file appears when all is written.

    Arguments and errors are those of :func:`pdf_to_ofd`, and ``OSError`` when the disk fails.
    """
    with PdfDocument.open(source, password=password, limits=limits, library=library) as document:
        with PackageWriter(target) as writer:
            work = _Work(document, doc_id=doc_id, created=created, pages=pages, writer=writer)
            work.run(progress)
            work.builder.finish()
        return Conversion(pages=work.count, warnings=tuple(work.warnings))


class _Work:
    """One conversion."""

    def __init__(
        self,
        document: PdfDocument,
        *,
        doc_id: str,
        created: datetime,
        pages: Sequence[int] | None,
        writer: PackageWriter | None,
    ) -> None:
        self._document = document
        self._indexes = list(range(document.page_count)) if pages is None else list(pages)
        if not self._indexes or not all(0 <= index < document.page_count for index in self._indexes):
            raise RejectedError("The PDF has no such page.", code="ofd.convert.pdf-no-such-page")
        self._writer = writer
        self.count = len(self._indexes)
        self.warnings: list[PageWarning] = []
        about = read_about(document.document)
        self.builder = DocumentBuilder(
            doc_id=doc_id,
            title=about.title,
            author=about.author,
            subject=about.subject,
            keywords=about.keywords,
            created=about.created or created,
            modified=about.modified,
            fonts=FontStack([installed_fonts().resolve("Serif").face]),
            page_size_mm=_size(document.page_matrix(self._indexes[0])[1]),
            writer=writer,
        )
        self._canvases: dict[int, Canvas] = {}
        self._matrices: dict[int, tuple[Matrix, Box]] = {}

    def run(self, progress: Progress) -> None:
        total = 2 * self.count
        for done, _ in enumerate(self._document.note(self._indexes), start=1):
            progress(done, total)
        for done, index in enumerate(self._indexes, start=self.count + 1):
            self._page(index)
            progress(done, total)
        navigation = Navigation(self._document.document, self._document.limits)
        for index in dict.fromkeys(self._indexes):
            self._links(index, navigation)
        self.builder.outlines = tuple(map(self._outline, navigation.outlines()))
        for file in navigation.files():
            suffix = PurePosixPath(file.file_name).suffix[1:].lower()[:_MOST_FORMAT]
            usable = suffix.isascii() and suffix.isalnum()
            self.builder.attach(file.file_name, file.data, format=suffix if usable else "bin")
        if _is_signed(self._document):
            self.warnings.append(
                PageWarning(
                    page=0, sentence="The signatures of the PDF are drawn, but do not hold for the OFD document."
                )
            )

    def _page(self, index: int) -> None:
        scene = self._document.scene(index, markups=False)
        canvas = self.builder.page(size_mm=_size(scene.area))
        self._canvases.setdefault(index, canvas)
        self._matrices[index] = self._document.page_matrix(index)
        for item in scene.items:
            canvas.draw(item)
        for markup, box, items in self._document.markups(index):
            remarks = Remarks(
                creator=markup.creator or "PDF", subtype=markup.subtype, remark=markup.remark, printed=markup.printed
            )
            appearance = self.builder.annotate(
                canvas, AnnotationType(markup.kind), box_mm=(box.x, box.y, box.width, box.height), remarks=remarks
            )
            for item in items:
                appearance.draw(item)
        self.warnings.extend(PageWarning(page=index + 1, sentence=sentence) for sentence in scene.warnings)
        if self._writer is not None:
            self.builder.flush()

    def _links(self, index: int, navigation: Navigation) -> None:
        matrix, area = self._matrices[index]
        for link in navigation.links(self._document.document.pages[index].obj):
            act = self._act(link.target)
            box = matrix.box(link.box)
            if act is not None and box.intersects(area):
                self.builder.link(self._canvases[index], act, box_mm=(box.x, box.y, box.width, box.height))

    def _outline(self, entry: Entry) -> OutlineItem:
        act = None if entry.target is None else self._act(entry.target)
        return OutlineItem(
            title=entry.title,
            expanded=entry.expanded,
            actions=() if act is None else (Action(event="CLICK", act=act),),
            children=tuple(map(self._outline, entry.children)),
        )

    def _act(self, target: Place | str) -> Act | None:
        if isinstance(target, str):
            return UriAction(uri=target)
        canvas = self._canvases.get(target.page)
        if canvas is None:
            return None
        return GotoAction(destination=_destination(target, str(canvas.id), self._matrices[target.page][0]))


def _destination(place: Place, page: str, matrix: Matrix) -> Destination:
    """A place in millimetres of its page."""
    values = [*place.values, None, None, None, None]

    def point(x: float | None, y: float | None) -> tuple[float | None, float | None]:
        shown = matrix.apply(x or 0, y or 0)
        turned = matrix.a == 0
        known_x, known_y = (y, x) if turned else (x, y)
        return (None if known_x is None else shown.x), (None if known_y is None else shown.y)

    if place.kind == "XYZ":
        left, top = point(values[0], values[1])
        return Destination(type="XYZ", page=page, left=left, top=top, zoom=values[2] or None)
    if place.kind in {"FitH", "FitBH"}:
        return Destination(type="FitH", page=page, top=point(None, values[0])[1])
    if place.kind in {"FitV", "FitBV"}:
        return Destination(type="FitV", page=page, left=point(values[0], None)[0])
    if place.kind == "FitR" and all(value is not None for value in values[:4]):
        corners = [matrix.apply(values[i] or 0, values[i + 1] or 0) for i in (0, 2)]
        box = Box.around(corners)
        return Destination(type="FitR", page=page, left=box.x, top=box.y, right=box.right, bottom=box.bottom)
    return Destination(type=_FIT, page=page)


def _size(area: Box) -> tuple[float, float]:
    return round(area.width, 4), round(area.height, 4)


def _is_signed(document: PdfDocument) -> bool:
    """Whether a form field holds a signature."""
    form = dictionary(document.document.Root.get("/AcroForm"))
    fields = array(form.get("/Fields")) if form is not None else None
    found = [dictionary(field) for field in fields or []]
    return any(field is not None and str(field.get("/FT")) == "/Sig" and "/V" in field for field in found)
