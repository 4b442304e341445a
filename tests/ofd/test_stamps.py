"""Where seals are shown."""

from dataclasses import dataclass
from itertools import pairwise

import pytest

from ofd.geometry import Box
from ofd.package.reader import Package
from ofd.ses.structure import Picture
from ofd.sign.stamps import (
    Anchor,
    Side,
    StampAnnotation,
    at_keyword,
    on_pages,
    opposite_pages,
    page_boxes,
    riding,
    stamp_records,
)
from trustcore.errors import MalformedError, RejectedError

from support.ofd_samples import unpack

A4 = Box(0, 0, 210, 297)
A3 = Box(0, 0, 420, 297)
SIZE = (40.0, 40.0)


@dataclass(frozen=True)
class Found:
    page: int
    box: Box


def refused(code: str) -> "pytest.RaisesExc[RejectedError]":
    return pytest.raises(RejectedError, check=lambda error: error.code == code)


def written(stamps: tuple[StampAnnotation, ...]) -> list[tuple[str, str, str | None]]:
    ids = [str(number) for number in range(20)]
    records = stamp_records(stamps, picture=None, page_ids=ids, number_before=1)
    return [(record.page_id, record.boundary, record.clip) for record in records]


def shown_part(stamp: StampAnnotation) -> tuple[float, float, float, float]:
    """What of the page the stamp covers."""
    assert stamp.clip_mm is not None
    x, y, width, height = stamp.clip_mm
    return stamp.x_mm + x, stamp.y_mm + y, width, height


def test_a_riding_seal_lies_across_the_right_edge() -> None:
    assert written(riding([A4] * 5, size_mm=SIZE, offset_mm=40)) == [
        ("0", "202 40 40 40", "0 0 8 40"),
        ("1", "194 40 40 40", "8 0 8 40"),
        ("2", "186 40 40 40", "16 0 8 40"),
        ("3", "178 40 40 40", "24 0 8 40"),
        ("4", "170 40 40 40", "32 0 8 40"),
    ]


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("margin", [0.0, 2.5])
def test_every_strip_touches_the_edge_and_all_make_up_the_seal(side: Side, margin: float) -> None:
    boxes = [A4, A3, A4, A4]
    stamps = riding(boxes, size_mm=(40, 30), side=side, margin_mm=margin)
    length = 40 if side.is_upright else 30
    for stamp, box in zip(stamps, boxes, strict=True):
        x, y, width, height = shown_part(stamp)
        edge = {
            Side.RIGHT: box.right - (x + width),
            Side.LEFT: x,
            Side.TOP: y,
            Side.BOTTOM: box.bottom - (y + height),
        }[side]
        assert edge == pytest.approx(margin)
        assert (width if side.is_upright else height) == pytest.approx(length / 4)
        assert (stamp.width_mm, stamp.height_mm) == (40, 30)
        middle = y + height / 2 if side.is_upright else x + width / 2
        assert middle == pytest.approx(box.height / 2 if side.is_upright else box.width / 2)
    parts = sorted(stamp.clip_mm[0 if side.is_upright else 1] for stamp in stamps if stamp.clip_mm)
    assert parts == pytest.approx([length * k / 4 for k in range(4)])


def test_pages_of_a_riding_seal_come_in_groups_and_none_is_alone() -> None:
    def clips(count: int, group: int) -> list[float]:
        return [stamp.clip_mm[2] for stamp in riding([A4] * count, size_mm=SIZE, group=group) if stamp.clip_mm]

    assert clips(6, 3) == pytest.approx([40 / 3] * 6)
    assert clips(5, 3) == pytest.approx([40 / 3] * 3 + [20] * 2)
    assert clips(7, 3) == pytest.approx([40 / 3] * 3 + [10] * 4)
    assert clips(2, 9) == pytest.approx([20, 20])
    for side in Side:
        starts = [
            stamp.clip_mm[0 if side.is_upright else 1]
            for stamp in riding([A4] * 6, size_mm=(40, 30), side=side, group=3)
            if stamp.clip_mm
        ]
        assert starts[:3] == pytest.approx(starts[3:])
        assert len({round(b - a, 6) for a, b in pairwise(starts[:3])}) == 1


def test_chosen_pages_of_their_own_size_ride() -> None:
    stamps = riding([A4, A3, Box(10, 20, 100, 100)], size_mm=SIZE, pages=[2, 1])
    assert [(stamp.page, stamp.x_mm, stamp.y_mm) for stamp in stamps] == [(2, 90, 50), (1, 380, 128.5)]


def test_what_cannot_ride_is_refused() -> None:
    with refused("ofd.seal.riding-pages"):
        riding([A4], size_mm=SIZE)
    with refused("ofd.seal.riding-pages"):
        riding([A4] * 3, size_mm=SIZE, pages=[1])
    with refused("ofd.seal.riding-group"):
        riding([A4] * 3, size_mm=SIZE, group=1)
    with refused("ofd.seal.page"):
        riding([A4] * 3, size_mm=SIZE, pages=[1, 3])


def test_facing_pages_bear_one_half_each() -> None:
    stamps = opposite_pages([A4, A3, A4, A4, A4], size_mm=SIZE, offset_mm=100)
    assert written(stamps) == [
        ("0", "190 100 40 40", "0 0 20 40"),
        ("1", "-20 100 40 40", "20 0 20 40"),
        ("2", "190 100 40 40", "0 0 20 40"),
        ("3", "-20 100 40 40", "20 0 20 40"),
    ]


def test_facing_pages_may_be_chosen_and_turn_over_any_edge() -> None:
    assert written(opposite_pages([A4] * 3, size_mm=SIZE, pairs=[(1, 2)], side=Side.BOTTOM, margin_mm=5)) == [
        ("1", "85 272 40 40", "0 0 40 20"),
        ("2", "85 -15 40 40", "0 20 40 20"),
    ]
    left, right = opposite_pages([A4] * 2, size_mm=SIZE, side=Side.LEFT)
    assert (shown_part(left)[0], shown_part(right)[0]) == (0, 190)
    with refused("ofd.seal.riding-pages"):
        opposite_pages([A4], size_mm=SIZE)
    with refused("ofd.seal.page"):
        opposite_pages([A4], size_mm=SIZE, pairs=[(0, 1)])


def test_a_seal_stands_at_the_same_corner_of_several_pages() -> None:
    boxes = [A4, A3, Box(5, 5, 100, 100)]
    assert written(on_pages(boxes, [0, 1, 2], size_mm=SIZE)) == [
        ("0", "150 237 40 40", None),
        ("1", "360 237 40 40", None),
        ("2", "45 45 40 40", None),
    ]
    corners = {anchor: on_pages([A4], [0], size_mm=SIZE, anchor=anchor, margin_mm=10)[0] for anchor in Anchor}
    assert {anchor: (stamp.x_mm, stamp.y_mm) for anchor, stamp in corners.items()} == {
        Anchor.TOP_LEFT: (10, 10),
        Anchor.TOP_RIGHT: (160, 10),
        Anchor.BOTTOM_LEFT: (10, 247),
        Anchor.BOTTOM_RIGHT: (160, 247),
        Anchor.CENTRE: (85, 128.5),
    }
    with refused("ofd.seal.page"):
        on_pages([A4], [-1], size_mm=SIZE)


def test_a_seal_stands_over_a_keyword() -> None:
    hits = [Found(0, Box(100, 200, 20, 5)), Found(2, Box(50, 50, 10, 4))]
    assert written(at_keyword(hits, size_mm=SIZE)) == [
        ("0", "90 182.5 40 40", None),
        ("2", "35 32 40 40", None),
    ]
    assert written(at_keyword(hits, size_mm=SIZE, only=-1, shift_mm=(10, -2))) == [("2", "45 30 40 40", None)]
    with refused("ofd.seal.keyword"):
        at_keyword([], size_mm=SIZE)
    with refused("ofd.seal.keyword"):
        at_keyword(hits, size_mm=SIZE, only=2)


def test_pages_have_their_own_size_or_that_of_the_document(document: bytes) -> None:
    assert page_boxes(Package(document)) == (A4, A4)
    files = unpack(document)
    name = next(name for name in files if name.endswith("Page_1/Content.xml"))
    content = files[name]
    place = content.index(b"<ofd:Content>")

    def sized(box: bytes) -> Package:
        area = b"<ofd:Area><ofd:PhysicalBox>" + box + b"</ofd:PhysicalBox></ofd:Area>"
        return Package(Package(document).with_files({name: content[:place] + area + content[place:]}))

    assert page_boxes(sized(b"1 2 300.5 100")) == (A4, Box(0, 0, 300.5, 100)), "the corner is the origin"
    for wrong in (b"", b"0 0 210", b"0 0 0 297", b"0 0 nan 297", b"0 0 1e999 297", b"a b c d"):
        with pytest.raises(MalformedError) as caught:
            page_boxes(sized(wrong))
        assert caught.value.code == "ofd.structure.page-box"


def test_a_document_without_any_page_size_is_told(document: bytes) -> None:
    files = unpack(document)
    whole = files["Doc_0/Document.xml"]
    start, end = whole.index(b"<ofd:PageArea>"), whole.index(b"</ofd:PageArea>") + len(b"</ofd:PageArea>")
    with pytest.raises(MalformedError) as caught:
        page_boxes(Package(Package(document).with_files({"Doc_0/Document.xml": whole[:start] + whole[end:]})))
    assert caught.value.code == "ofd.structure.page-box"


def test_stamps_have_a_place_a_size_and_a_part_of_the_seal() -> None:
    def one(**options: object) -> list[tuple[str, str, str | None]]:
        stamp = StampAnnotation(**{"x_mm": 1.0, "y_mm": 2.0, "width_mm": 40.0, "height_mm": 40.0} | options)  # type: ignore[arg-type] # a table
        return written((stamp,))

    assert one(clip_mm=(0, 0, 40, 40)) == [("0", "1 2 40 40", "0 0 40 40")]
    for wrong in (
        {"x_mm": float("nan")},
        {"y_mm": float("inf")},
        {"width_mm": -1.0},
        {"height_mm": None},
        {"x_mm": 1e9},
    ):
        with refused("ofd.seal.stamp-size"):
            one(**wrong)
    for clip in ((0, 0, 41, 40), (-1, 0, 5, 5), (0, 0, 0, 40), (0, 39, 40, 2), (0, 0, float("nan"), 1)):
        with refused("ofd.seal.stamp-clip"):
            one(clip_mm=clip)
    for page in (-1, 20):
        with refused("ofd.seal.page"):
            one(page=page)
    picture = Picture(type="PNG", data=b"x", width_mm=42, height_mm=30)
    stamp = StampAnnotation(x_mm=0, y_mm=0, width_mm=20)
    (record,) = stamp_records([stamp], picture=picture, page_ids=["7"], number_before=4)
    assert (record.id, record.page_id, record.boundary) == ("s005", "7", "0 0 20 30")
