"""The state of one machine, without a machine, a thread or a clock."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hsm.core.member
from hsm.core.events import EventKind
from hsm.core.member import Member, MemberState
from hsm.core.meters import LATENCY_BOUNDS, Histogram, MachineMeter, RateMeter

STEPS = st.lists(
    st.sampled_from(["queue", "begin", "leave", "end", "fail", "withdraw", "drain", "resume", "tend"]), max_size=60
)


def member() -> Member:
    return Member(workers=2, spare=1, queue_limit=4)


def take_step(machine: Member, step: str, number: int, now: float) -> None:
    """Do what is possible of a step; ``number`` is that of a call which begins."""
    calls = [*machine.running, *machine.stuck]
    if step == "queue" and not machine.is_full:
        machine.queue()
    elif step == "begin" and machine.waiting:
        machine.begin(number, now)
    elif step == "leave" and machine.running:
        machine.leave(next(iter(machine.running)), now, "no answer")
    elif step in {"end", "fail"} and calls:
        machine.end(min(calls), now, None if step == "end" else "it failed")
    elif step == "withdraw" and machine.waiting:
        machine.withdraw()
    elif step == "tend" and machine.probe_due(now) and not machine.is_full:
        machine.probe_sent()
        machine.queue()
    elif step == "resume":
        machine.resume(now)
    elif step == "drain":
        machine.drain()


def test_the_example_of_the_module_holds() -> None:
    assert doctest.testmod(hsm.core.member).failed == 0


@given(STEPS)
def test_whatever_happens_the_books_stay_right_and_the_machine_can_come_back(steps: list[str]) -> None:
    machine, now, number = member(), 0.0, 0
    for step in steps:
        now, number = now + 0.7, number + 1
        take_step(machine, step, number, now)
        assert machine.waiting >= 0
        assert not set(machine.running) & machine.stuck
        assert machine.serves is (machine.state is MemberState.UP)
    for which in [*machine.running, *machine.stuck]:
        machine.end(which, now, None)
    machine.waiting = 0
    machine.resume(now)
    now += 31
    if not machine.serves:
        if machine.breaker.probing:
            machine.probe_lost(now, "no thread was free")
            now += 31
        assert machine.probe_due(now)
        machine.probe_sent()
        assert not machine.probe_due(now), "one probe at a time"
        machine.queue()
        machine.begin(number + 1, now)
        assert machine.end(number + 1, now, None) is EventKind.UP
    assert machine.state is MemberState.UP


def test_threads_are_started_for_calls_that_wait_and_for_those_that_hang() -> None:
    machine = member()
    assert not machine.may_start_worker(0)
    machine.queue()
    assert machine.may_start_worker(0)
    assert not machine.may_start_worker(1), "it has one that is idle"
    machine.begin(1, 0.0)
    machine.leave(1, 10.0, "no answer")
    machine.queue()
    machine.queue()
    machine.queue()
    assert machine.may_start_worker(2), "one of two hangs"
    assert not machine.may_start_worker(3), "and there is one spare thread"
    assert not machine.has_surplus(3)
    machine.end(1, 11.0, None)
    assert machine.has_surplus(3), "the lost one is back"


def test_wrong_answers_are_news_even_from_a_machine_that_is_down() -> None:
    machine = member()
    for number, (failure, kind, news) in enumerate(
        [
            ("It failed.", EventKind.DOWN, EventKind.DOWN),
            ("It failed.", EventKind.DOWN, None),
            ("It is wrong.", EventKind.REFUSED, EventKind.REFUSED),
            ("It is wrong.", EventKind.REFUSED, None),
        ]
    ):
        machine.queue()
        machine.begin(number, 0.0)
        assert machine.end(number, 0.0, failure, kind) is news


def test_an_old_call_makes_a_machine_the_last_choice() -> None:
    machine = member()
    machine.queue()
    machine.begin(1, 0.0)
    assert not machine.is_overdue(1.0)
    assert machine.is_overdue(1.1)


def test_percentiles_come_from_buckets() -> None:
    histogram = Histogram()
    assert histogram.percentile(50) == 0
    for number in range(1, 1001):
        histogram.add(number / 1000)
    assert histogram.count == 1000
    for percent in (50, 95, 99):
        assert histogram.percentile(percent) == pytest.approx(percent / 100, rel=2**0.5 - 1)
    histogram.add(1000)
    assert histogram.percentile(100) == LATENCY_BOUNDS[-1]
    assert len(histogram.counts) == len(LATENCY_BOUNDS) + 1


def test_a_rate_is_that_of_the_last_minute() -> None:
    meter = RateMeter(0.0)
    for second in range(120):
        meter.add(10, float(second))
    assert meter.per_second(120.0) == pytest.approx(10, rel=0.05)
    assert meter.total == 1200
    assert meter.per_second(1000.0) == 0


def test_an_unknown_number_of_codes_does_not_fill_the_memory() -> None:
    meter = MachineMeter()
    for number in range(1000):
        meter.count_error(f"code.{number}", "Something.", 0.0)
    assert len(meter.errors) == 65
    assert meter.errors["other"] == 936
