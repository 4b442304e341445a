import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsm.core.running_digest import RunningDigest
from trustcore.errors import MalformedError


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_packets_give_the_digest_of_the_whole(packets: list[bytes]) -> None:
    digest = RunningDigest()
    for packet in packets:
        digest = RunningDigest.from_state(digest.update(packet).state)
    assert digest.digest() == hashlib.new("sm3", b"".join(packets)).digest()


@pytest.mark.parametrize("length", [0, 1, 55, 56, 63, 64, 65, 119, 120, 128])
def test_lengths_around_the_block_are_padded_right(length: int) -> None:
    data = bytes(range(256))[:length]
    assert RunningDigest().update(data).digest() == hashlib.new("sm3", data).digest()


def test_the_example_of_the_standard_comes_out() -> None:
    # GB/T 32905-2016 A.1
    expected = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert RunningDigest().update(b"abc").digest().hex() == expected


def test_a_state_that_is_none_is_refused() -> None:
    state = RunningDigest().update(b"abc").state
    endless = state[:33] + (2**64 - 61).to_bytes(8, "big") + state[41:]
    for wrong in (state[:-1], state + b"x", b"\x02" + state[1:], b"", endless):
        with pytest.raises(MalformedError):
            RunningDigest.from_state(wrong)
