"""OFD to HTML: all pages one below the other in a file that needs no other file, no network and no script.

Each page is an SVG picture with its text over it, to be searched, selected and read out; seals are drawn, links lead
where they lead in the document. The file grows page by page. It carries no signature.
"""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from html import escape
from pathlib import Path
from typing import BinaryIO

from ofd.convert.ofd_to_pdf import Converted
from ofd.draw.page import sealed_scene
from ofd.draw.scene import Scene
from ofd.draw.seals import Seals
from ofd.draw.svg import to_svg
from ofd.fonts.library import FontLibrary, installed_fonts
from ofd.model.document import Document
from ofd.model.links import page_links
from ofd.progress import Progress, silent
from trustcore.errors import RejectedError

__all__ = ["ofd_to_html"]

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""For browsers: whatever a document says, nothing is fetched and nothing runs."""
_STYLE = (
    "body{margin:0;background:#777}"
    "main{display:flex;flex-direction:column;align-items:center;gap:5mm;padding:5mm}"
    "section{position:relative;background:#fff;max-width:100%;box-shadow:0 0 2mm #333}"
    "section>svg{display:block;max-width:100%;height:auto}"
    "section>a{position:absolute}"
    "@media print{body{background:none}main{display:block;padding:0}"
    "section{box-shadow:none;break-after:page;break-inside:avoid}}"
)


def ofd_to_html(
    source: bytes | Path | Document,
    out: BinaryIO,
    *,
    pages: Sequence[int] | None = None,
    fonts: FontLibrary | None = None,
    seals: bool = True,
    annotations: bool = True,
    progress: Progress = silent,
) -> Converted:
    """Write a document as one HTML file.

    Args:
        source: the document; a path is read piece by piece.
        out: takes the file as it grows.
        pages: which pages, from 0, in this order; all by default.
        fonts: where fonts are found that are not embedded; those installed by default.
        seals: whether seals are drawn.
        annotations: whether annotations are drawn.
        progress: told of pages.

    Raises:
        RejectedError: ``ofd.convert.no-pages``.
        NotFoundError: ``ofd.model.no-page``; ``ofd.font.not-installed`` without any font on this machine.
        TrustError: the document cannot be read at all.
    """
    with nullcontext(source) if isinstance(source, Document) else Document.open(source) as document:
        chosen = range(len(document.page_links)) if pages is None else pages
        if not chosen:
            raise RejectedError("The document has no pages.", code="ofd.convert.no-pages")
        known = fonts or installed_fonts()
        stamps = Seals(document, fonts=known) if seals else None
        warnings: dict[str, None] = {}
        places = {index: place for place, index in reversed(list(enumerate(chosen, 1)))}
        out.write(_head(document.info.title or "").encode())
        for place, index in enumerate(chosen, 1):
            scene = sealed_scene(document, index, fonts=known, seals=stamps, annotations=annotations)
            warnings |= dict.fromkeys(scene.warnings)
            links = "".join(_links(document, index, scene, places, annotations=annotations))
            picture = to_svg(scene, prefix=f"p{place}-")
            out.write(f'<section id="page-{place}" aria-label="{index + 1}">{picture}{links}</section>\n'.encode())
            progress(place, len(chosen))
        out.write(b"</main></body></html>\n")
        told = (*document.warnings, *(stamps.warnings if stamps else ()))
        return Converted(pages=len(chosen), warnings=tuple(warnings | dict.fromkeys(item.en for item in told)))


def _head(title: str) -> str:
    return (
        '<!DOCTYPE html>\n<html><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>\n"
    )


def _links(document: Document, index: int, scene: Scene, places: dict[int, int], *, annotations: bool) -> Iterator[str]:
    area = scene.area
    for link in page_links(document, index, annotations=annotations):
        if isinstance(link.target, str):
            address, where = link.target, ' target="_blank" rel="noopener noreferrer"'
        else:
            page = document.page_index(link.target.page)
            if page not in places:
                continue
            address, where = f"#page-{places[page]}", ""
        shares = (
            ("left", (link.box.x - area.x) / area.width),
            ("top", (link.box.y - area.y) / area.height),
            ("width", link.box.width / area.width),
            ("height", link.box.height / area.height),
        )
        style = ";".join(f"{name}:{100 * share:.4f}%" for name, share in shares)
        shown = escape(address)
        yield f'<a href="{shown}"{where} style="{style}" aria-label="{shown}"></a>'
