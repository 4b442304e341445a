"""Pictures to OFD: each picture, and each page of a TIFF, a page of its own.

PNG, JPEG and JBIG2 are stored as they are; what OFD's readers cannot be counted on to draw (other formats, CMYK and
16-bit pictures) is stored as PNG. A picture taken with a turned camera is turned by the page, not by its pixels.
"""

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from PIL import ExifTags
from PIL import Image as Pillow

from ofd.build.document import DocumentBuilder
from ofd.draw.images import MOST_PIXELS, PictureKind, decode, picture_kind, picture_size, to_png
from ofd.draw.scene import Image, ImageItem, Origin, OriginKind
from ofd.geometry import IDENTITY, Matrix
from ofd.package.zip_write import PackageWriter
from ofd.progress import Progress, silent
from trustcore.errors import MalformedError, NotFoundError, RejectedError

__all__ = ["ImagePage", "images_to_ofd", "write_images_as_ofd"]

_INCH_MM = 25.4
_PLAUSIBLE_DPI = (20.0, 4800.0)
_ORIGIN = Origin(kind=OriginKind.PAGE, part="pictures")
_MOST_FRAMES = 5000
_DECODER_ERRORS = (OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, AttributeError)
_PLAIN_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA"})
_TURNS: dict[int, Matrix] = {
    2: Matrix(-1, 0, 0, 1, 1, 0),
    3: Matrix(-1, 0, 0, -1, 1, 1),
    4: Matrix(1, 0, 0, -1, 0, 1),
    5: Matrix(0, 1, 1, 0, 0, 0),
    6: Matrix(0, 1, -1, 0, 1, 0),
    7: Matrix(0, -1, -1, 0, 1, 1),
    8: Matrix(0, -1, 1, 0, 0, 1),
}
"""From the unit square as stored to the unit square as meant, by Exif's Orientation (Exif 2.32 §4.6.4 A)."""
_SIDEWAYS = 5
"""From this orientation on width and height change places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePage:
    """How pictures are put on pages."""

    size_mm: tuple[float, float] | None = None
    """Of all pages; each as large as its picture if left out. The page is turned for a picture that lies."""
    margin_mm: float = 0
    dpi: float = 0
    """Of pictures that do not say it, and of those that do when it is not 0; else 96."""


def images_to_ofd(
    images: Sequence[bytes | Path],
    *,
    doc_id: str,
    created: datetime,
    title: str = "",
    page: ImagePage | None = None,
    progress: Progress = silent,
) -> bytes:
    """A document of pictures.

    Args:
        images: the octets of files, or paths.
        doc_id: UUID as 32 hexadecimal digits.
        created: its date is written.
        title: title of the document.
        page: how they are put on pages.
        progress: told files.

    Raises:
        RejectedError: ``ofd.convert.no-image`` without any; ``ofd.image.too-large``; ``ofd.build.page-size`` when
            margins leave no space; ``ofd.build.doc-id``.
        MalformedError: ``ofd.image.malformed``.
        NotFoundError: ``ofd.convert.image-not-found``.
    """
    builder = DocumentBuilder(doc_id=doc_id, title=title, created=created)
    _place_all(builder, images, page or ImagePage(), progress, after=lambda: None)
    return builder.to_bytes()


def write_images_as_ofd(
    path: Path | str,
    images: Sequence[bytes | Path],
    *,
    doc_id: str,
    created: datetime,
    title: str = "",
    page: ImagePage | None = None,
    progress: Progress = silent,
) -> None:
    """As :func:`images_to_ofd`, into a file, with one picture in memory at a time.

    Raises:
        TrustError: as :func:`images_to_ofd`.
        OSError: the disk fails.
    """
    with PackageWriter(path) as writer:
        builder = DocumentBuilder(doc_id=doc_id, title=title, created=created, writer=writer)
        _place_all(builder, images, page or ImagePage(), progress, after=builder.flush)
        builder.finish()


def _place_all(
    builder: DocumentBuilder,
    images: Sequence[bytes | Path],
    page: ImagePage,
    progress: Progress,
    *,
    after: Callable[[], None],
) -> None:
    if not images:
        raise RejectedError("There is no picture to convert.", code="ofd.convert.no-image")
    for done, source in enumerate(images, start=1):
        for frame in _frames(_read(source)):
            _place(builder, frame, page)
            after()
        progress(done, len(images))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """One picture as it is stored."""

    data: bytes
    pixels: tuple[int, int]
    dpi: tuple[float, float] | None
    orientation: int = 1


def _place(builder: DocumentBuilder, frame: _Frame, page: ImagePage) -> None:
    across, down = _natural_size(frame, page.dpi)
    turn = _TURNS.get(frame.orientation, IDENTITY)
    if frame.orientation >= _SIDEWAYS:
        across, down = down, across
    sheet = page.size_mm or (across + 2 * page.margin_mm, down + 2 * page.margin_mm)
    if page.size_mm is not None and (across > down) != (sheet[0] > sheet[1]):
        sheet = (sheet[1], sheet[0])
    room = (sheet[0] - 2 * page.margin_mm, sheet[1] - 2 * page.margin_mm)
    if min(room) <= 0:
        raise RejectedError("The margins leave no space for a picture.", code="ofd.build.page-size")
    scale = 1.0 if page.size_mm is None else min(room[0] / across, room[1] / down)
    width, height = across * scale, down * scale
    place = Matrix(width, 0, 0, height, (sheet[0] - width) / 2, (sheet[1] - height) / 2)
    image = Image(name=f"picture {len(frame.data)}", data=frame.data)
    builder.page(size_mm=sheet).draw(ImageItem(image=image, matrix=turn.then(place), origin=_ORIGIN))


def _natural_size(frame: _Frame, dpi: float) -> tuple[float, float]:
    """Width and height in millimetres, as the file says or as asked for."""
    found = (dpi, dpi) if dpi > 0 else frame.dpi or (96.0, 96.0)
    return frame.pixels[0] / found[0] * _INCH_MM, frame.pixels[1] / found[1] * _INCH_MM


def _frames(data: bytes) -> Iterator[_Frame]:
    if picture_kind(data) is PictureKind.JBIG2:
        yield _Frame(data=data, pixels=picture_size(data), dpi=None)
        return
    with _opened(data) as image:
        dpi, orientation = _dpi(image), _orientation(image)
        if picture_kind(data) in {PictureKind.PNG, PictureKind.JPEG} and image.mode in _PLAIN_MODES:
            decode(data)
            yield _Frame(data=data, pixels=image.size, dpi=dpi, orientation=orientation)
            return
        count = _count_frames(image)
        if count > _MOST_FRAMES:
            raise RejectedError("The picture has too many pages.", code="ofd.image.too-large")
        for at in range(count):
            yield _frame(image, at)


def _frame(image: Pillow.Image, at: int) -> _Frame:
    """One page of a picture as PNG."""
    try:
        image.seek(at)
        if image.width * image.height > MOST_PIXELS:
            raise RejectedError("The picture has too many pixels.", code="ofd.image.too-large")
        orientation = _orientation(image)
        pixels = image.copy()
    except _DECODER_ERRORS as error:
        raise MalformedError("The picture cannot be read.", code="ofd.image.malformed") from error
    if pixels.mode == "I" or pixels.mode.startswith("I;16"):
        pixels = pixels.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    elif pixels.mode not in _PLAIN_MODES:
        pixels = pixels.convert("RGB")
    return _Frame(data=to_png(pixels), pixels=pixels.size, dpi=_dpi(image), orientation=orientation)


@contextmanager
def _opened(data: bytes) -> Iterator[Pillow.Image]:
    """A picture in any format that Pillow knows, within the limits."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Pillow.open(io.BytesIO(data))
    except Pillow.DecompressionBombError as error:
        raise RejectedError("The picture has too many pixels.", code="ofd.image.too-large") from error
    except _DECODER_ERRORS as error:
        raise MalformedError("The picture cannot be read.", code="ofd.image.malformed") from error
    with image:
        if image.width * image.height > MOST_PIXELS:
            raise RejectedError("The picture has too many pixels.", code="ofd.image.too-large")
        yield image


def _count_frames(image: Pillow.Image) -> int:
    try:
        return int(getattr(image, "n_frames", 1)) if image.format == "TIFF" else 1
    except _DECODER_ERRORS as error:
        raise MalformedError("The picture cannot be read.", code="ofd.image.malformed") from error


def _orientation(image: Pillow.Image) -> int:
    """How the picture is to be turned, if it says so in a way that can be read."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except _DECODER_ERRORS:
        return 1


def _dpi(image: Pillow.Image) -> tuple[float, float] | None:
    """Dots per inch as the file says them, if that can be."""
    try:
        across, down = (float(value) for value in image.info.get("dpi", ()))
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    low, high = _PLAUSIBLE_DPI
    return (across, down) if low <= across <= high and low <= down <= high else None


def _read(source: bytes | Path) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        return source.read_bytes()
    except OSError as error:
        raise NotFoundError(f"The picture {source.name} cannot be read.", code="ofd.convert.image-not-found") from error
