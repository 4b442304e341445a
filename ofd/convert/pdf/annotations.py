"""What annotations of a page look like (ISO 32000-2 §12.5). Links are read in :mod:`ofd.convert.pdf.navigation`."""

from collections.abc import Iterator
from dataclasses import dataclass

import pikepdf

from ofd.convert.pdf.encodings import clean_text
from ofd.convert.pdf.reading import Reading
from ofd.convert.pdf.streams import array, dictionary, matrix_of, name, number, numbers, text_of
from ofd.geometry import Box, Matrix

__all__ = ["Appearance", "appearances"]

_HIDDEN, _PRINT, _NO_VIEW = 2, 4, 32
_MOST = 20_000
_LONGEST = 4000
_MARKUPS = {
    "/Highlight": "Highlight",
    "/Underline": "Highlight",
    "/StrikeOut": "Highlight",
    "/Squiggly": "Highlight",
    "/Stamp": "Stamp",
    "/Watermark": "Watermark",
    "/Ink": "Path",
    "/Line": "Path",
    "/Square": "Path",
    "/Circle": "Path",
    "/Polygon": "Path",
    "/PolyLine": "Path",
    "/Caret": "Path",
    "/FreeText": "Path",
    "/Text": "Path",
}
"""What stays an annotation, and of which type of GB/T 33190-2016 §15; all else becomes part of the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """How an annotation shows."""

    form: pikepdf.Object
    matrix: Matrix
    """From the form's space to the page's user space (§12.5.5, algorithm 8.1)."""
    box: Box
    """In the page's user space."""
    kind: str
    """Type of the annotation in OFD; empty for what is part of the page, such as form fields."""
    subtype: str
    remark: str
    creator: str
    printed: bool


def appearances(reading: Reading, page: pikepdf.Object) -> Iterator[Appearance]:
    """Appearances of all annotations that show."""
    for item in (array(page.get("/Annots")) or [])[:_MOST]:
        annotation = dictionary(item)
        if annotation is None or name(annotation.get("/Subtype")) == "/Popup":
            continue
        flags = int(number(annotation.get("/F")))
        if flags & (_HIDDEN | _NO_VIEW) or reading.is_hidden(annotation.get("/OC")):
            continue
        form = _normal_appearance(annotation)
        rectangle = numbers(annotation.get("/Rect"), 4)
        bounds = numbers(form.get("/BBox"), 4) if form is not None else None
        if form is None or rectangle is None or bounds is None:
            continue
        shown = matrix_of(form.get("/Matrix")).box(Box.around([(bounds[0], bounds[1]), (bounds[2], bounds[3])]))
        target = Box.around([(rectangle[0], rectangle[1]), (rectangle[2], rectangle[3])])
        if min(shown.width, shown.height, target.width, target.height) <= 0:
            continue
        x, y = target.width / shown.width, target.height / shown.height
        subtype = name(annotation.get("/Subtype"))
        yield Appearance(
            form=form,
            matrix=Matrix(x, 0, 0, y, target.x - shown.x * x, target.y - shown.y * y),
            box=target,
            kind=_MARKUPS.get(subtype, ""),
            subtype=subtype[1:],
            remark=clean_text(text_of(annotation.get("/Contents")))[:_LONGEST],
            creator=clean_text(text_of(annotation.get("/T")))[:_LONGEST],
            printed=bool(flags & _PRINT),
        )


def _normal_appearance(annotation: pikepdf.Object) -> pikepdf.Object | None:
    states = dictionary(annotation.get("/AP"))
    normal = states.get("/N") if states is not None else None
    if isinstance(normal, pikepdf.Stream):
        return normal
    if isinstance(normal, pikepdf.Dictionary):
        chosen = normal.get(name(annotation.get("/AS")) or "/Off")
        return chosen if isinstance(chosen, pikepdf.Stream) else None
    return None
