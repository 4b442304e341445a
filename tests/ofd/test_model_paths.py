"""AbbreviatedData becomes commands, arcs become curves."""

from math import hypot, isclose

import pytest

from ofd.geometry import Box
from ofd.model.path_data import parse_path


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("M 0 0 L 10 0 C", (("M", (0, 0)), ("L", (10, 0)), ("Z", ()))),
        ("S 1 2 L 3 4", (("M", (1, 2)), ("L", (3, 4)))),
        ("M0,0L10,0C", (("M", (0, 0)), ("L", (10, 0)), ("Z", ()))),
        ("M 0 0 Q 1 1 2 0", (("M", (0, 0)), ("Q", (1, 1, 2, 0)))),
        ("M 0 0 B 1 1 2 2 3 0", (("M", (0, 0)), ("C", (1, 1, 2, 2, 3, 0)))),
        ("M 0 0 L 1 0 CM 5 5 L 6 5", (("M", (0, 0)), ("L", (1, 0)), ("Z", ()), ("M", (5, 5)), ("L", (6, 5)))),
        ("M 0 0 L 1 0 2 0", (("M", (0, 0)), ("L", (1, 0)), ("L", (2, 0)))),
        ("M-1-2L3.5-.5", (("M", (-1, -2)), ("L", (3.5, -0.5)))),
        ("M 1e1 0 L 2E0 0", (("M", (10, 0)), ("L", (2, 0)))),
    ],
)
def test_operators_are_read_with_and_without_blanks(data: str, expected: object) -> None:
    commands, fault = parse_path(data)
    assert commands == expected
    assert not fault


def test_a_figure_without_a_start_begins_at_the_origin() -> None:
    assert parse_path("L 1 1")[0] == (("M", (0, 0)), ("L", (1, 1)))


def test_after_closing_a_figure_goes_on_where_it_began() -> None:
    commands, _ = parse_path("M 5 5 L 6 5 C L 7 7")
    assert commands[-2:] == (("M", (5, 5)), ("L", (7, 7)))


@pytest.mark.parametrize("data", ["M 0", "M 0 0 L 1", "X 1 2", "1 2", "M 0 0 L C", "M 0 0 C 5 5", "M 1e300 0"])
def test_what_follows_a_fault_is_left_out_and_the_fault_is_told(data: str) -> None:
    commands, fault = parse_path(data)
    assert fault
    assert len(commands) <= 2


@pytest.mark.parametrize("large", [0, 1])
@pytest.mark.parametrize("sweep", [0, 1])
def test_an_arc_stays_on_its_circle_and_ends_where_it_says(large: int, sweep: int) -> None:
    commands, _ = parse_path(f"M 10 0 A 10 10 0 {large} {sweep} 0 10")
    assert commands[-1][1][-2:] == (0, 10)
    # Both circles of radius 10 through both ends are about (0, 0) and (10, 10).
    centre = (0, 0) if large != sweep else (10, 10)
    assert all(isclose(hypot(v[-2] - centre[0], v[-1] - centre[1]), 10) for _, v in commands)
    assert len(commands) == (4 if large else 2)


def test_a_half_circle_goes_the_way_that_sweep_says() -> None:
    # On a page, where y goes downward, sweep 1 is clockwise: from the left end over the top.
    clockwise, _ = parse_path("M 0 0 A 5 5 0 0 1 10 0")
    box = Box.around([(v[i], v[i + 1]) for _, v in clockwise for i in range(0, len(v), 2)])
    assert isclose(box.y, -5)
    assert isclose(box.bottom, 0, abs_tol=1e-9)


def test_an_arc_that_cannot_reach_grows_and_one_without_radius_is_a_line() -> None:
    grown, _ = parse_path("M 0 0 A 1 1 0 0 1 10 0")
    assert isclose(min(v[-1] for _, v in grown), -5)
    assert parse_path("M 0 0 A 0 5 0 0 1 3 4")[0] == (("M", (0, 0)), ("L", (3, 4)))
    assert parse_path("M 3 4 A 5 5 0 0 1 3 4")[0] == (("M", (3, 4)),)
