"""OFD to PDF: pages with real text, seals, annotations, links, outlines, bookmarks, attachments and metadata.

Page by page, straight into the file: a document of any length takes the memory of its largest page. What OFD can say
and PDF cannot (sound and film behind a click, actions when a page opens) is left out.
"""

import mimetypes
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from ofd.draw import pdf
from ofd.draw.page import sealed_scene
from ofd.draw.pdf import PdfWriter
from ofd.draw.seals import Seals
from ofd.fonts.library import FontLibrary, installed_fonts
from ofd.model.actions import Destination
from ofd.model.document import Document
from ofd.model.links import link_target, page_links
from ofd.model.navigation import OutlineItem
from ofd.progress import Progress, silent
from trustcore.errors import RejectedError, TrustError

__all__ = ["Converted", "ofd_to_pdf"]

_PAGE_MODES = {
    "FullScreen": "FullScreen",
    "UseOutlines": "UseOutlines",
    "UseThumbs": "UseThumbs",
    "UseLayers": "UseOC",
    "UseAttatchs": "UseAttachments",
    "UseBookmarks": "UseOutlines",
}
_PAGE_LAYOUTS = {
    "OnePage": "SinglePage",
    "OneColumn": "OneColumn",
    "TwoPageL": "TwoPageLeft",
    "TwoColumnL": "TwoColumnLeft",
    "TwoPageR": "TwoPageRight",
    "TwoColumnR": "TwoColumnRight",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What became of a document."""

    pages: int
    warnings: tuple[str, ...]
    """What is not as in the document, one English sentence each, every one once."""


def ofd_to_pdf(
    source: bytes | Path | Document,
    out: BinaryIO,
    *,
    pages: Sequence[int] | None = None,
    fonts: FontLibrary | None = None,
    seals: bool = True,
    annotations: bool = True,
    attachments: bool = True,
    progress: Progress = silent,
) -> Converted:
    """Write a document as PDF.

    Args:
        source: the document; a path is read piece by piece.
        out: takes the PDF as it grows; when an error is raised, what was written is no PDF.
        pages: which pages, from 0, in this order; all by default.
        fonts: where fonts are found that are not embedded; those installed by default.
        seals: whether seals are drawn. The PDF carries no signature.
        annotations: whether annotations are drawn.
        attachments: whether attachments come along.
        progress: told of pages.

    Raises:
        RejectedError: ``ofd.convert.no-pages``.
        NotFoundError: ``ofd.model.no-page``; ``ofd.font.not-installed`` without any font on this machine.
        TrustError: the document cannot be read at all.
    """
    if isinstance(source, Document):
        return _Conversion(source, fonts or installed_fonts()).run(
            out, pages, seals=seals, annotations=annotations, attachments=attachments, progress=progress
        )
    with Document.open(source) as document:
        return _Conversion(document, fonts or installed_fonts()).run(
            out, pages, seals=seals, annotations=annotations, attachments=attachments, progress=progress
        )


class _Conversion:
    def __init__(self, document: Document, fonts: FontLibrary) -> None:
        self._document = document
        self._fonts = fonts
        self._warnings: dict[str, None] = {}
        self._places: dict[int, int] = {}

    def run(
        self,
        out: BinaryIO,
        pages: Sequence[int] | None,
        *,
        seals: bool,
        annotations: bool,
        attachments: bool,
        progress: Progress,
    ) -> Converted:
        document = self._document
        chosen = range(len(document.page_links)) if pages is None else pages
        if not chosen:
            raise RejectedError("The document has no pages.", code="ofd.convert.no-pages")
        for place, index in enumerate(chosen):
            self._places.setdefault(index, place)
        writer = PdfWriter(out, info=self._info())
        stamps = Seals(document, fonts=self._fonts) if seals else None
        progress(0, len(chosen))
        for done, index in enumerate(chosen, 1):
            scene = sealed_scene(document, index, fonts=self._fonts, seals=stamps, annotations=annotations)
            self._warn(scene.warnings)
            writer.add_page(scene, links=tuple(self._links(index, annotations=annotations)))
            progress(done, len(chosen))
        if attachments:
            self._attach(writer)
        self._finish(writer)
        self._warn(writer.warnings)
        self._warn(warning.en for warning in (*document.warnings, *(stamps.warnings if stamps else ())))
        return Converted(pages=len(chosen), warnings=tuple(self._warnings))

    def _warn(self, sentences: Iterable[str]) -> None:
        self._warnings.update(dict.fromkeys(sentences))

    def _finish(self, writer: PdfWriter) -> None:
        document = self._document
        wishes = document.preferences
        hidden = {
            "HideToolbar": wishes.hide_toolbar,
            "HideMenubar": wishes.hide_menubar,
            "HideWindowUI": wishes.hide_window_ui,
        }
        bookmarks = {item.name: place for item in document.bookmarks if (place := self._destination(item.destination))}
        writer.finish(
            outline=self._outline(document.outlines),
            bookmarks=bookmarks,
            page_mode=_PAGE_MODES.get(wishes.page_mode or ""),
            page_layout=_PAGE_LAYOUTS.get(wishes.page_layout or ""),
            hidden=[name for name, wish in hidden.items() if wish],
        )

    def _info(self) -> pdf.DocumentInfo:
        info = self._document.info
        return pdf.DocumentInfo(
            title=info.title,
            author=info.author,
            subject=info.subject or info.abstract,
            keywords=info.keywords,
            creator=" ".join(filter(None, (info.creator, info.creator_version))),
            created=_moment(info.created),
            modified=_moment(info.modified),
        )

    def _attach(self, writer: PdfWriter) -> None:
        for attachment in self._document.attachments:
            if attachment.file is None:
                self._warn([f"The attachment {attachment.name} is missing."])
                continue
            try:
                data = self._document.files.read(attachment.file)
            except TrustError as error:
                self._warn([f"The attachment {attachment.name} cannot be read: {error.detail}"])
                continue
            name = attachment.name or attachment.file.rpartition("/")[2]
            media_type = mimetypes.guess_type(name)[0] or mimetypes.guess_type(attachment.file)[0]
            writer.attach(pdf.Attachment(name=name, data=data, media_type=media_type or "application/octet-stream"))

    # Places and links

    def _destination(self, place: Destination | None) -> pdf.Destination | None:
        index = None if place is None else self._document.page_index(place.page)
        if place is None or index is None or index not in self._places:
            return None
        return pdf.Destination(
            page=self._places[index],
            fit=place.type,
            left=place.left,
            top=place.top,
            right=place.right,
            bottom=place.bottom,
            zoom=place.zoom,
        )

    def _led_to(self, target: Destination | str | None) -> pdf.Destination | str | None:
        return target if isinstance(target, str) else self._destination(target)

    def _outline(self, items: Sequence[OutlineItem]) -> tuple[pdf.OutlineEntry, ...]:
        return tuple(
            pdf.OutlineEntry(
                title=item.title,
                target=self._led_to(link_target(self._document, item.actions)),
                children=self._outline(item.children),
                expanded=item.expanded,
            )
            for item in items
        )

    def _links(self, index: int, *, annotations: bool) -> Iterator[pdf.Link]:
        for link in page_links(self._document, index, annotations=annotations):
            target = self._led_to(link.target)
            if target is not None:
                yield pdf.Link(box=link.box, target=target)


def _moment(text: str) -> datetime | None:
    """A date as documents write it; nothing when it cannot be understood."""
    plain = re.sub(r"^D:(\d{4})(\d\d)(\d\d).*$", r"\1-\2-\3", text.strip())
    try:
        moment = datetime.fromisoformat(plain)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
