"""Pages drawn from the strict and from the lenient reading of the same package, compared.

Verification follows links strictly, drawing repairs them. For a document that verifies, both must draw the same.
"""

from dataclasses import fields, is_dataclass, replace

from ofd.draw.interpret import page_scene
from ofd.draw.scene import Image
from ofd.fonts.faces import FontFace
from ofd.fonts.library import FontLibrary
from ofd.model.document import Document
from ofd.package.lenient import LenientPackage
from ofd.package.reader import Package
from ofd.progress import Progress, silent
from ofd.verify.document import Verification
from trustcore.errors import TrustError
from trustcore.report import ReportBuilder

__all__ = ["differing_pages", "with_pages_compared"]

_NAMED = 100
"""How many pages a step names at most; it says how many there are."""


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


def with_pages_compared(verification: Verification, *, fonts: FontLibrary, progress: Progress = silent) -> Verification:
    """The verification with one step more: whether readers that repair links draw the same pages.

    Args:
        verification: of :func:`ofd.verify.document.examine`, its package still open.
        fonts: for fonts that are not embedded.
        progress: told pages.
    """
    if verification.package is None:
        return verification
    try:
        differing = differing_pages(verification.package, fonts=fonts, progress=progress)
    except TrustError:
        return verification  # what cannot be read has failed its own step
    report = ReportBuilder(verification.report.subject)
    report.extend(verification.report.steps)
    report.facts.update(verification.report.facts)
    pages = " ".join(str(index + 1) for index in differing[:_NAMED])
    report.check(
        not differing,
        "ofd.differential.pages",
        zh="严格与宽松的阅读器显示相同的页面" if not differing else f"有 {len(differing)} 页因阅读器而异",
        en="Strict and lenient readers show the same pages"
        if not differing
        else f"{len(differing)} pages look different in readers that repair links",
        clause="GB/T 33190-2016 §7.1",
        evidence={"pages": pages} if differing else {},
    )
    return replace(verification, report=report.build())


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
