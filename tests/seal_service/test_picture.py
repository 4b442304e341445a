"""Pictures of round seals."""

import re
from io import BytesIO
from itertools import pairwise
from math import atan2, hypot, pi

import pytest
from lxml import etree
from PIL import Image

from ofd.fonts.faces import FontStack, find_fonts
from seal_service.core.outline import Outline
from seal_service.core.picture import SealPicture, SealText, draw_seal
from trustcore.errors import RejectedError

NAME = "青岚市行政审批服务局印章管理中心经济技术开发区自由贸易试验片区综合受理窗口第一分中心"
CODE = "3702000012345"


@pytest.fixture(scope="module")
def fonts() -> FontStack:
    return find_fonts()


def _draw(fonts: FontStack, length: int, code: str = CODE, diameter_mm: int = 42) -> SealPicture:
    return draw_seal(SealText(name=NAME[:length], code=code, diameter_mm=diameter_mm), fonts)


def _points(outline: Outline) -> list[tuple[float, float]]:
    return [point for contour in outline for point in contour.polygon()]


def _angles(outline: Outline) -> tuple[float, float]:
    """Smallest and largest clockwise angle from the top."""
    angles = [atan2(x, y) for x, y in _points(outline)]
    return min(angles), max(angles)


@pytest.mark.parametrize("length", range(4, 41, 3))
@pytest.mark.parametrize("diameter_mm", [38, 45])
def test_characters_of_a_name_keep_apart_from_each_other_the_star_the_code_and_the_ring(
    fonts: FontStack, length: int, diameter_mm: int
) -> None:
    outlines = _draw(fonts, length, diameter_mm=diameter_mm).outlines
    star, name, code = outlines[1], outlines[2 : 2 + length], outlines[2 + length :]
    assert len(code) == len(CODE)
    spans = [_angles(outline) for outline in name]
    assert all(left[1] < right[0] for left, right in pairwise(spans))
    inside = (diameter_mm / 2) * (1 - 1.2 / 21)
    assert max(hypot(*point) for outline in (*name, *code) for point in _points(outline)) < inside
    assert min(hypot(*point) for outline in name for point in _points(outline)) > max(
        hypot(*point) for point in _points(star)
    )
    code_reach = max(pi - abs(angle) for outline in code for angle in _angles(outline))
    assert max(abs(angle) for span in spans for angle in span) < pi - code_reach


def test_a_name_stands_symmetric_about_the_top_and_reads_from_left_to_right(fonts: FontStack) -> None:
    outlines = draw_seal(SealText(name="中中中中中", code=""), fonts).outlines[2:]
    middles = [sum(_angles(outline)) / 2 for outline in outlines]
    assert middles == sorted(middles)
    assert sum(middles) == pytest.approx(0, abs=0.1)


def test_the_code_reads_from_left_to_right_along_the_bottom(fonts: FontStack) -> None:
    code = _draw(fonts, 8, code="1234567").outlines[10:]
    middles = [sum(x for x, _ in _points(outline)) / len(_points(outline)) for outline in code]
    assert middles == sorted(middles)
    assert all(y < 0 for outline in code for _, y in _points(outline))


def test_the_svg_is_well_formed_and_needs_no_font(fonts: FontStack) -> None:
    root = etree.fromstring(_draw(fonts, 10).svg())
    assert root.get("width") == "42mm"
    tags = [etree.QName(element).localname for element in root.iter()]
    assert tags.count("path") == 2 + 10 + len(CODE)
    assert "text" not in tags
    numbers = [float(n) for path in root.iter("{*}path") for n in re.findall(r"-?\d+\.\d+", path.get("d", ""))]
    assert min(numbers) >= 0
    assert max(numbers) <= 42


@pytest.mark.parametrize("length", [4, 12, 40])
def test_the_png_is_a_small_palette_picture_clear_outside_the_strokes(fonts: FontStack, length: int) -> None:
    png = _draw(fonts, length).png()
    assert len(png) < 12_000
    picture = Image.open(BytesIO(png))
    assert (picture.mode, picture.size) == ("P", (300, 300))
    assert png[24] == 4  # bit depth in IHDR
    pixels = picture.convert("RGBA")
    assert pixels.getpixel((0, 0))[3] == 0
    assert pixels.getpixel((150, 150)) == (230, 0, 18, 255)  # the star
    assert pixels.getpixel((150, 4)) == (230, 0, 18, 255)  # the ring


def test_the_same_seal_is_drawn_with_the_same_bytes(fonts: FontStack) -> None:
    first, second = _draw(fonts, 9), _draw(fonts, 9)
    assert (first.svg(), first.png()) == (second.svg(), second.png())


def test_counters_of_glyphs_stay_open(fonts: FontStack) -> None:
    outline = draw_seal(SealText(name="口口口口", code=""), fonts)
    areas = []
    for shown in outline.outlines[2:]:
        alone = SealPicture(diameter_mm=42, outlines=(shown,))
        cover = Image.open(BytesIO(alone.png())).convert("RGBA").getchannel("A").histogram()
        areas.append(sum(cover[128:]))
    box = (0.9 * 5.6 * 300 / 42) ** 2
    assert all(area < box / 2 for area in areas)


def test_a_character_without_a_glyph_is_named(fonts: FontStack) -> None:
    with pytest.raises(RejectedError) as refused:
        draw_seal(SealText(name="青岚\U0003fffd局", code=""), fonts)
    assert refused.value.code == "seal.picture.glyph-missing"
    assert refused.value.facts == {"position": 3, "character": "U+3FFFD"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (SealText(name="三字局", code=""), "seal.picture.name-length"),
        (SealText(name="局" * 41, code=""), "seal.picture.name-length"),
        (SealText(name="青岚市局", code="", diameter_mm=60), "seal.picture.diameter"),
        (SealText(name="青岚市局", code="1" * 21), "seal.picture.code"),
        (SealText(name="青岚市局", code="12-4"), "seal.picture.code"),
        (SealText(name="青岚市局", code="\u0661"), "seal.picture.code"),
    ],
)
def test_a_text_outside_the_rules_is_refused(fonts: FontStack, text: SealText, code: str) -> None:
    with pytest.raises(RejectedError) as refused:
        draw_seal(text, fonts)
    assert refused.value.code == code
