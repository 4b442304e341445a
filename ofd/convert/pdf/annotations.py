"""Annotations of a page (ISO 32000-2 §12.5): what they look like, and where their links lead."""

from collections.abc import Iterator

import pikepdf

from ofd.convert.pdf.reading import Reading
from ofd.convert.pdf.streams import array, dictionary, matrix_of, name, number, numbers
from ofd.geometry import Box, Matrix

__all__ = ["appearances"]

_HIDDEN, _NO_VIEW = 2, 32
_MOST = 20_000


def appearances(reading: Reading, page: pikepdf.Object) -> Iterator[tuple[pikepdf.Object, Matrix]]:
    """Appearance streams that show, each with the matrix that places it on the page (§12.5.5, algorithm 8.1)."""
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
        if shown.width > 0 and shown.height > 0 and target.width > 0 and target.height > 0:
            x, y = target.width / shown.width, target.height / shown.height
            yield form, Matrix(x, 0, 0, y, target.x - shown.x * x, target.y - shown.y * y)


def _normal_appearance(annotation: pikepdf.Object) -> pikepdf.Object | None:
    states = dictionary(annotation.get("/AP"))
    normal = states.get("/N") if states is not None else None
    if isinstance(normal, pikepdf.Stream):
        return normal
    if isinstance(normal, pikepdf.Dictionary):
        chosen = normal.get(name(annotation.get("/AS")) or "/Off")
        return chosen if isinstance(chosen, pikepdf.Stream) else None
    return None
