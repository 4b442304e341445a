"""A PDF opened for conversion: its pages as scenes, and what it says of itself."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Self

import pikepdf

from ofd.convert.pdf.annotations import Appearance, appearances
from ofd.convert.pdf.interpreter import Interpreter
from ofd.convert.pdf.noting import note_strings
from ofd.convert.pdf.reading import Reading
from ofd.convert.pdf.state import Sink
from ofd.convert.pdf.streams import Limits, array, content_stream, dictionary, number, numbers, read_stream
from ofd.convert.pdf.type3 import traced
from ofd.draw.scene import Item, Origin, OriginKind, Scene
from ofd.fonts.library import FontLibrary, installed_fonts
from ofd.geometry import Box, Matrix
from trustcore.errors import MalformedError, RejectedError, TrustError

__all__ = ["PdfDocument"]

_POINT_MM = 25.4 / 72
_A4 = (0.0, 0.0, 595.276, 841.89)
_LARGEST_MM = 20_000.0
_START = b"%PDF-"
_START_WITHIN = 4096


class PdfDocument:
    """A PDF whose pages can be had as scenes. Not shared between threads; close it, or use it in a ``with``."""

    def __init__(self, document: pikepdf.Pdf, *, limits: Limits, library: FontLibrary) -> None:
        """Take an open document. Use :meth:`open`."""
        self.document = document
        """The document itself."""
        self._limits = limits
        self._reading = Reading(document, limits=limits, library=library)
        self._reading.trace = partial(traced, self._reading)
        self._noted: set[int] = set()

    @classmethod
    def open(
        cls,
        source: bytes | Path,
        *,
        password: str = "",
        limits: Limits | None = None,
        library: FontLibrary | None = None,
    ) -> "PdfDocument":
        """Open a PDF; a damaged one is mended as far as that goes.

        Args:
            source: the octets, or a file, of which only what is needed comes into memory.
            password: to open an encrypted document with.
            limits: what a page may cost.
            library: fonts that stand in for missing ones; those installed when left out.

        Raises:
            MalformedError: ``ofd.convert.pdf-damaged``, not a PDF or beyond mending.
            RejectedError: ``ofd.convert.pdf-password``, another password is needed.
            RejectedError: ``ofd.convert.pdf-no-pages`` or ``ofd.convert.pdf-too-many-pages``.
        """
        limits = limits or Limits()
        if isinstance(source, bytes) and _START not in source[:_START_WITHIN]:
            raise MalformedError("The file is not a PDF.", code="ofd.convert.pdf-damaged")
        try:
            document = pikepdf.open(BytesIO(source) if isinstance(source, bytes) else source, password=password)
        except pikepdf.PasswordError as error:
            raise RejectedError(
                "The PDF is encrypted and needs a password.", code="ofd.convert.pdf-password"
            ) from error
        except (pikepdf.PdfError, OSError, ValueError, RecursionError) as error:
            raise MalformedError("The file is not a PDF, or is damaged.", code="ofd.convert.pdf-damaged") from error
        try:
            count = len(document.pages)
        except (pikepdf.PdfError, ValueError, TypeError, RuntimeError) as error:
            document.close()
            raise MalformedError("The pages of the PDF cannot be found.", code="ofd.convert.pdf-damaged") from error
        if not 0 < count <= limits.pages:
            document.close()
            if count:
                raise RejectedError(
                    f"The PDF has {count} pages, more than {limits.pages}.", code="ofd.convert.pdf-too-many-pages"
                )
            raise RejectedError("The PDF has no pages.", code="ofd.convert.pdf-no-pages")
        _complete_forms(document)
        return cls(document, limits=limits, library=library or installed_fonts())

    def close(self) -> None:
        """Let go of the file."""
        self.document.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def page_count(self) -> int:
        """How many pages there are."""
        return len(self.document.pages)

    @property
    def limits(self) -> Limits:
        """What a page may cost."""
        return self._limits

    def page_matrix(self, index: int) -> tuple[Matrix, Box]:
        """From a page's user space to millimetres from its top left corner, and the page's area there.

        CropBox, Rotate and UserUnit are followed (ISO 32000-2 §7.7.3.3).
        """
        page = self.document.pages[index]
        crop = numbers(_inherited(page.obj, "/CropBox"), 4)
        media = numbers(_inherited(page.obj, "/MediaBox"), 4) or _A4
        left, bottom, right, top = _box(media)
        if crop is not None:
            inner = _box(crop)
            cut = (max(left, inner[0]), max(bottom, inner[1]), min(right, inner[2]), min(top, inner[3]))
            if cut[0] < cut[2] and cut[1] < cut[3]:
                left, bottom, right, top = cut
        if left >= right or bottom >= top:
            left, bottom, right, top = _A4
        k = _POINT_MM * min(max(number(page.obj.get("/UserUnit"), 1), 0.01), 1000)
        k = min(k, _LARGEST_MM / max(right - left, top - bottom))
        width, height = (right - left) * k, (top - bottom) * k
        turn = int(number(_inherited(page.obj, "/Rotate"))) // 90 % 4
        if turn == 1:
            return Matrix(0, k, k, 0, -bottom * k, -left * k), Box(0, 0, height, width)
        if turn == 2:
            return Matrix(-k, 0, 0, k, right * k, -bottom * k), Box(0, 0, width, height)
        if turn == 3:
            return Matrix(0, -k, -k, 0, top * k, right * k), Box(0, 0, height, width)
        return Matrix(k, 0, 0, -k, -left * k, top * k), Box(0, 0, width, height)

    def note(self, indexes: Sequence[int]) -> Iterator[int]:
        """Read which glyphs pages use, so that each font becomes one face; yields each page when it is done."""
        for index in indexes:
            if index not in self._noted:
                self._noted.add(index)
                page = self.document.pages[index]
                self._reading.begin_page()
                with suppress(TrustError, ValueError, TypeError, pikepdf.PdfError):  # drawing the page will tell
                    note_strings(self._reading, page.obj, self._content(page.obj))
            yield index

    def scene(self, index: int, *, markups: bool = True) -> Scene:
        """One page, with the appearances of its annotations.

        Args:
            index: from 0.
            markups: also those that can stay annotations: highlights, stamps, drawings and notes.

        Raises:
            RejectedError: ``ofd.convert.pdf-too-complex`` or ``ofd.convert.pdf-too-big``.
        """
        for _ in self.note([index]):
            pass
        page = self.document.pages[index]
        matrix, area = self.page_matrix(index)
        self._reading.begin_page()
        origin = Origin(kind=OriginKind.PAGE, part=f"page {index + 1}")
        sink = Sink(area, origin)
        reader = Interpreter(self._reading, sink, origin, base=matrix)
        reader.run(self._content(page.obj), dictionary(_inherited(page.obj, "/Resources")))
        for appearance in appearances(self._reading, page.obj):
            if markups or not appearance.kind:
                self._draw(appearance, sink, matrix)
        return Scene(area=area, items=sink.items(), warnings=tuple(self._reading.warnings))

    def markups(self, index: int) -> Iterator[tuple[Appearance, Box, tuple[Item, ...]]]:
        """Annotations of a page that are no part of it, each with its box on the page and what it shows there.

        Raises:
            RejectedError: ``ofd.convert.pdf-too-complex`` or ``ofd.convert.pdf-too-big``.
        """
        matrix, area = self.page_matrix(index)
        origin = Origin(kind=OriginKind.ANNOTATION, part=f"page {index + 1}")
        for appearance in appearances(self._reading, self.document.pages[index].obj):
            box = matrix.box(appearance.box)
            if appearance.kind and box.intersects(area):
                sink = Sink(box.union(area), origin)
                self._draw(appearance, sink, matrix)
                if items := sink.items():
                    yield appearance, box, items

    def _draw(self, appearance: Appearance, sink: Sink, matrix: Matrix) -> None:
        drawn = Interpreter(self._reading, sink, sink.origin, base=matrix, depth=1)
        drawn.state.matrix = appearance.matrix.then(matrix)
        drawn.form(appearance.form)

    def _content(self, page: pikepdf.Object) -> pikepdf.Object:
        """All content streams of a page as one, within the limits."""
        contents = page.get("/Contents")
        parts = array(contents) if not isinstance(contents, pikepdf.Stream) else [contents]
        octets: list[bytes] = []
        total = 0
        for part in parts or []:
            octets.append(read_stream(part, self._limits))
            total += len(octets[-1])
            if total > self._limits.stream_octets:
                raise RejectedError("A page of the PDF is too big.", code="ofd.convert.pdf-too-big")
        return content_stream(self.document, b"\n".join(octets), self._limits)


def _complete_forms(document: pikepdf.Pdf) -> None:
    """Have form fields drawn that ask for it (ISO 32000-2 §12.7.3, NeedAppearances)."""
    form = dictionary(document.Root.get("/AcroForm"))
    if form is not None and bool(form.get("/NeedAppearances", False)):
        with suppress(pikepdf.PdfError, ValueError, TypeError, RuntimeError):
            document.generate_appearance_streams()


def _inherited(page: pikepdf.Object, key: str) -> pikepdf.Object | None:
    node: pikepdf.Object | None = page
    for _ in range(64):
        if node is None:
            return None
        found = node.get(key)
        if found is not None:
            return found
        node = dictionary(node.get("/Parent"))
    return None


def _box(values: Sequence[float]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = values
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
