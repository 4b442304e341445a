"""Checks of pictures: what they are, whatever they are called, and whether they can be decoded."""

import io
import warnings
from collections.abc import Iterator, Mapping

from PIL import Image, UnidentifiedImageError

from ofd.lint import rules_content as rules
from ofd.lint.finding import Finding
from ofd.lint.inspection import ElementCheck, Inspection, Place
from ofd.lint.walk import name_of
from trustcore.errors import TrustError

__all__ = ["PictureChecks", "picture_format"]

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"BM", "BMP"),
    (b"GIF8", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"\x97JB2\r\n\x1a\n", "JBIG2"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
)
_ALIASES = {
    "JPG": "JPEG",
    "JFIF": "JPEG",
    "TIF": "TIFF",
    "GBIG2": "JBIG2",
    "JB2": "JBIG2",
    "JP2": "JPEG2000",
}
"""Spellings of Format; ``GBIG2`` is ofdrw's."""
_NOT_DECODED = frozenset({"JBIG2"})
"""What the imaging library cannot decode."""
_MOST_PIXELS = 64_000_000
_JBIG2_SEGMENT = 11
"""Octets of the shortest JBIG2 segment header, for embedded streams without a file header."""


class PictureChecks:
    """Notes what pictures are declared as and judges the files at the end."""

    def __init__(self) -> None:
        """Begin with none."""
        self._declared: dict[tuple[str, str], str] = {}

    def checks(self) -> Mapping[str, tuple[ElementCheck, ...]]:
        """What to call for which element type."""
        return {"MultiMedia": (self._note,)}

    def judge(self, inspection: Inspection) -> Iterator[Finding]:
        """What the files are."""
        told = set[str]()
        for file in inspection.files:
            location = (file.holder, file.name.rsplit("/", 1)[-1])
            if file.kind == "media" and location in self._declared and file.name not in told:
                told.add(file.name)
                yield from _judge_file(inspection, file.name, file.holder, file.line, self._declared[location])

    def _note(self, place: Place) -> None:
        file = next((item for item in place.node.iterchildren("*") if name_of(item) == "MediaFile"), None)
        if file is not None and place.node.get("Type") == "Image":
            name = (file.text or "").strip().replace("\\", "/").rsplit("/", 1)[-1]
            self._declared[place.entry, name] = place.node.get("Format", "")


def picture_format(data: bytes) -> str | None:
    """``PNG``, ``JPEG``, ``BMP``, ``GIF``, ``TIFF``, ``JBIG2`` or ``JPEG2000`` by the first octets."""
    found = next((name for magic, name in _MAGIC if data.startswith(magic)), None)
    # A JBIG2 stream as PDF embeds it begins with segment 0, a page information or a dictionary.
    if found is None and len(data) > _JBIG2_SEGMENT and data[:4] == bytes(4) and data[4] & 0x3F in {0, 48}:
        return "JBIG2"
    return found


def _judge_file(inspection: Inspection, name: str, holder: str, line: int, declared: str) -> Iterator[Finding]:
    try:
        data = inspection.source.read(name)
    except TrustError:
        yield rules.PICTURE_BROKEN.found(name, name=name)
        return
    found = picture_format(data)
    if found is None:
        yield rules.PICTURE_UNKNOWN.found(name, name=name)
        return
    wanted = declared.upper()
    if wanted and _ALIASES.get(wanted, wanted) != found:
        yield rules.PICTURE_FORMAT.found(holder, line=line, name=name, declared=declared, found=found)
    if found not in _NOT_DECODED:
        yield from _decode(name, data)


def _decode(name: str, data: bytes) -> Iterator[Finding]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as picture:
                width, height = picture.size
                if width * height > _MOST_PIXELS:
                    yield rules.PICTURE_HUGE.found(name, name=name, width=width, height=height)
                    return
                picture.load()
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError):
        yield rules.PICTURE_BROKEN.found(name, name=name)
