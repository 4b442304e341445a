"""Pages drawn from the strict and from the lenient reading of the same package, compared.

Verification follows links strictly, drawing repairs them. For a document that verifies, both must draw the same.
"""

from dataclasses import fields, is_dataclass

from ofd.draw.interpret import page_scene
from ofd.draw.scene import Image
from ofd.fonts.faces import FontFace
from ofd.fonts.library import FontLibrary
from ofd.model.document import Document
from ofd.package.lenient import LenientPackage
from ofd.package.reader import Package
from ofd.progress import Progress, silent

__all__ = ["differing_pages"]


def differing_pages(package: Package, *, fonts: FontLibrary, progress: Progress = silent) -> tuple[int, ...]:
    """Indexes of the pages that look different when links are followed strictly and when they are repaired.

    Args:
        package: a sound package.
        fonts: for fonts that are not embedded.
        progress: told pages.

    Raises:
        TrustError: the document cannot be read at all.
    """
    strict, lenient = Document.strict(package), Document.open(LenientPackage(package))
    count = max(len(strict.pages), len(lenient.pages))
    if strict.part != lenient.part or len(strict.pages) != len(lenient.pages):
        return tuple(range(count))
    differing: list[int] = []
    for index in range(count):
        if _drawn(strict, index, fonts) != _drawn(lenient, index, fonts):
            differing.append(index)
        progress(index + 1, count)
    return tuple(differing)


def _drawn(document: Document, index: int, fonts: FontLibrary) -> object:
    """A page as plain values, equal for equal pages."""
    scene = page_scene(document, index, fonts=fonts)
    return scene.area, _plain(scene.items)


def _plain(value: object) -> object:
    """Faces and pictures are known by the entries in ``Origin.used``; what is left is compared by value."""
    if isinstance(value, FontFace):
        return value.glyph_count
    if isinstance(value, Image):
        return value.name
    if is_dataclass(value):
        return type(value).__name__, *(_plain(getattr(value, item.name)) for item in fields(value))
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    return value
