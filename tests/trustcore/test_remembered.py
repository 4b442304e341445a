"""Values that are kept by the octets they were read from."""

from trustcore.remembered import Remembered


def test_a_value_is_found_by_its_whole_octets() -> None:
    kept: Remembered[str] = Remembered(count=2, longest=8)
    assert kept.put(b"one", "1") == "1"
    assert kept.get(b"one") == "1"
    assert kept.get(b"ont") is None


def test_the_one_not_asked_for_the_longest_goes_first() -> None:
    kept: Remembered[int] = Remembered(count=2, longest=8)
    kept.put(b"a", 1)
    kept.put(b"b", 2)
    kept.get(b"a")
    kept.put(b"c", 3)
    assert [kept.get(octets) for octets in (b"a", b"b", b"c")] == [1, None, 3]


def test_long_octets_are_not_kept() -> None:
    kept: Remembered[int] = Remembered(count=2, longest=8)
    assert kept.put(b"123456789", 1) == 1
    assert kept.get(b"123456789") is None
