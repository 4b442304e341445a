"""Pages look as they did when they were reviewed, beside ofdrw's drawings of the same files.

The pictures are in ``reference``, with what was looked at in its README.md. Two measures, both of 255: the average
difference of all pixels, and the largest of any square of 8 by 8 pixels (2.8 mm), which notices what is small.
``XINYIN_WRITE_REFERENCES=1`` writes the pictures anew and fails, so that somebody looks at them.
"""

import os
from functools import cache
from pathlib import Path

import pytest
from PIL import Image as Pillow
from PIL import ImageChops

from support.reference_pages import DOCUMENTS, drawn
from support.scenes import difference

REFERENCE = Path(__file__).parent / "reference"
AVERAGE = 1.5
SQUARE = 40
LARGEST_FILE = 40_000


@cache
def document(name: str) -> bytes:
    return DOCUMENTS[name]()


def square_difference(first: Pillow.Image, second: Pillow.Image) -> float:
    """The largest average difference of a square of 8 by 8 pixels in one colour."""
    pixels = ImageChops.difference(first, second).reduce(8)
    return float(max(high for _, high in pixels.getextrema()))  # type: ignore[misc] # pairs: RGB has three bands


def reviewed(name: str) -> Pillow.Image:
    with Pillow.open(REFERENCE / f"{name}.png") as picture:
        return picture.convert("RGB")


@pytest.mark.parametrize("name", list(DOCUMENTS))
def test_a_page_looks_as_it_was_reviewed(name: str) -> None:
    picture = drawn(document(name))
    if os.environ.get("XINYIN_WRITE_REFERENCES"):
        picture.quantize(256, kmeans=8, dither=Pillow.Dither.NONE).save(REFERENCE / f"{name}.png", optimize=True)
        pytest.fail("the picture was written; look at it before it is committed")
    expected = reviewed(name)
    assert picture.size == expected.size
    assert difference(picture, expected) < AVERAGE
    assert square_difference(picture, expected) < SQUARE


def test_every_reviewed_picture_is_small_and_in_use() -> None:
    pictures = {path.stem: path.stat().st_size for path in REFERENCE.glob("*.png")}
    assert set(pictures) == {*DOCUMENTS, "everything"}
    assert max(pictures.values()) <= LARGEST_FILE


def test_a_missing_seal_and_a_spot_are_noticed() -> None:
    without = drawn(document("seals"), sealed=False)
    assert square_difference(without, reviewed("seals")) > SQUARE
    spotted = drawn(document("text"))
    spotted.paste((0, 0, 0), (20, 298, 24, 302))
    assert square_difference(spotted, reviewed("text")) > SQUARE
