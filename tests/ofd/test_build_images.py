"""Pictures become documents that look like them."""

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image as Pillow

from ofd.convert.images_to_ofd import ImagePage, images_to_ofd, write_images_as_ofd
from ofd.draw.interpret import page_scene
from ofd.draw.png import to_png
from ofd.fonts.library import FontLibrary
from ofd.model.document import Document
from trustcore.errors import MalformedError, NotFoundError, RejectedError

from support.ofd_samples import unpack

NAMED = {"doc_id": "2" * 32, "created": datetime(2030, 1, 1, tzinfo=UTC)}
RED, GREEN, BLUE, WHITE = (220, 0, 0), (0, 200, 0), (0, 0, 220), (255, 255, 255)


@pytest.fixture(scope="module")
def library() -> FontLibrary:
    return FontLibrary()


def corners(size: tuple[int, int] = (80, 40)) -> Pillow.Image:
    """A picture whose corners differ: red, green, blue, white, clockwise from the top left."""
    image = Pillow.new("RGB", size)
    width, height = size[0] // 2, size[1] // 2
    for colour, place in ((RED, (0, 0)), (GREEN, (width, 0)), (BLUE, (width, height)), (WHITE, (0, height))):
        image.paste(colour, (*place, place[0] + width, place[1] + height))
    return image


def saved(image: Pillow.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)  # type: ignore[arg-type] # handed on as they are
    return out.getvalue()


def drawn(package: bytes, library: FontLibrary, index: int = 0, dpi: float = 96) -> Pillow.Image:
    scene = page_scene(Document.open(package), index, fonts=library)
    assert not scene.warnings
    return Pillow.open(io.BytesIO(to_png(scene, dpi=dpi))).convert("RGB")


def colours(image: Pillow.Image) -> list[tuple[int, int, int]]:
    """Of the four quarters, clockwise from the top left."""
    width, height = image.size
    places = [(width // 4, height // 4), (width * 3 // 4, height // 4)]
    places += [(width * 3 // 4, height * 3 // 4), (width // 4, height * 3 // 4)]
    return [image.getpixel(place) for place in places]  # type: ignore[misc] # three values


def near(found: list[tuple[int, int, int]], expected: list[tuple[int, int, int]]) -> bool:
    return all(
        abs(a - b) < 12 for one, other in zip(found, expected, strict=True) for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM"])
def test_a_picture_of_any_kind_looks_the_same_on_its_page(kind: str, library: FontLibrary) -> None:
    package = images_to_ofd([saved(corners(), kind)], **NAMED)  # type: ignore[arg-type]
    page = drawn(package, library)
    assert page.size == (80, 40)
    assert near(colours(page), [RED, GREEN, BLUE, WHITE])


def test_png_and_jpeg_are_stored_as_they_are() -> None:
    given = [saved(corners(), "PNG"), saved(corners(), "JPEG")]
    parts = unpack(images_to_ofd(given, **NAMED))  # type: ignore[arg-type]
    assert [data for name, data in parts.items() if "/image_" in name] == given


def test_cmyk_and_sixteen_bits_are_stored_as_plain_png(library: FontLibrary) -> None:
    cmyk = saved(corners().convert("CMYK"), "JPEG", quality=95)
    deep = Pillow.new("I;16", (40, 40), 0x8000)
    package = images_to_ofd([cmyk, saved(deep, "PNG")], **NAMED)  # type: ignore[arg-type]
    assert near(colours(drawn(package, library)), [RED, GREEN, BLUE, WHITE])
    assert near(colours(drawn(package, library, 1)), [(128, 128, 128)] * 4)
    assert all(name.endswith((".png", ".xml")) for name in unpack(package))


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, [RED, GREEN, BLUE, WHITE]),
        (2, [GREEN, RED, WHITE, BLUE]),
        (3, [BLUE, WHITE, RED, GREEN]),
        (4, [WHITE, BLUE, GREEN, RED]),
        (5, [RED, WHITE, BLUE, GREEN]),
        (6, [WHITE, RED, GREEN, BLUE]),
        (7, [BLUE, GREEN, RED, WHITE]),
        (8, [GREEN, BLUE, WHITE, RED]),
    ],
)
def test_a_picture_of_a_turned_camera_is_turned(
    orientation: int, expected: list[tuple[int, int, int]], library: FontLibrary
) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    taken = saved(corners(), "JPEG", exif=exif, quality=95)
    package = images_to_ofd([taken], page=ImagePage(dpi=96), **NAMED)  # type: ignore[arg-type]
    page = drawn(package, library)
    assert page.size == ((80, 40) if orientation < 5 else (40, 80))
    assert near(colours(page), expected)


def test_each_page_of_a_tiff_is_a_page(library: FontLibrary) -> None:
    others = [Pillow.new("1", (30, 30), 1), Pillow.new("RGB", (20, 50), GREEN)]
    data = saved(corners(), "TIFF", save_all=True, append_images=others)
    package = images_to_ofd([data], **NAMED)  # type: ignore[arg-type]
    assert [drawn(package, library, index).size for index in range(3)] == [(80, 40), (30, 30), (20, 50)]


def test_the_resolution_of_the_file_counts_and_an_impossible_one_does_not(library: FontLibrary) -> None:
    given = [saved(corners(), "PNG", dpi=(48, 48)), saved(corners(), "PNG", dpi=(1, 1))]
    package = images_to_ofd(given, **NAMED)  # type: ignore[arg-type]
    assert [drawn(package, library, index).size for index in (0, 1)] == [(160, 80), (80, 40)]


def test_pictures_fit_the_page_that_is_asked_for(library: FontLibrary) -> None:
    setup = ImagePage(size_mm=(210, 297), margin_mm=10)
    tall = corners((40, 80))
    package = images_to_ofd([saved(corners(), "PNG"), saved(tall, "PNG")], page=setup, **NAMED)  # type: ignore[arg-type]
    assert [drawn(package, library, index, dpi=25.4).size for index in (0, 1)] == [(297, 210), (210, 297)]
    margin = drawn(package, library, dpi=25.4).getpixel((4, 105))
    assert margin == WHITE
    with pytest.raises(RejectedError, match="no space"):
        images_to_ofd([saved(tall, "PNG")], page=ImagePage(size_mm=(10, 10), margin_mm=5), **NAMED)  # type: ignore[arg-type]


def test_a_file_is_written_picture_by_picture(tmp_path: Path) -> None:
    paths = []
    for number in range(4):
        paths.append(tmp_path / f"{number}.png")
        paths[-1].write_bytes(saved(corners((80, 40 + 2 * number)), "PNG"))
    told: list[tuple[int, int]] = []
    out = tmp_path / "o.ofd"
    write_images_as_ofd(out, paths, progress=lambda done, total: told.append((done, total)), **NAMED)  # type: ignore[arg-type]
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert len(Document.open(out.read_bytes()).pages) == 4


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "o.ofd"
    for data in (b"", b"not a picture", saved(corners(), "PNG")[:40], saved(corners(), "TIFF")[:60]):
        with pytest.raises(MalformedError):
            write_images_as_ofd(out, [data], **NAMED)  # type: ignore[arg-type]
    with pytest.raises(NotFoundError, match="cannot be read"):
        write_images_as_ofd(out, [tmp_path / "absent.png"], **NAMED)  # type: ignore[arg-type]
    with pytest.raises(RejectedError, match="no picture"):
        write_images_as_ofd(out, [], **NAMED)  # type: ignore[arg-type]
    assert not out.exists()


def test_a_picture_bomb_is_refused() -> None:
    bomb = saved(Pillow.new("1", (20_000, 20_000)), "PNG")
    with pytest.raises(RejectedError, match="too many pixels"):
        images_to_ofd([bomb], **NAMED)  # type: ignore[arg-type]
