"""What server processes report, put together for people and for Prometheus."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from platform import node
from typing import cast

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from hsm.core.fleet import ErrorReport, KeyReport, MachineCounts, MachineReport, ProcessReport, overview
from hsm.core.member import MemberState
from hsm.core.meters import LATENCY_BOUNDS, Histogram
from hsm.fleet import Fleet
from hsm.machine import Machine, SessionCounts
from hsm.metrics import MachineCollector
from hsm.pool import Pool
from hsm.store import fleet as store
from trustcore.database import Database


def latency(*seconds: float) -> tuple[int, ...]:
    histogram = Histogram()
    for value in seconds:
        histogram.add(value)
    return tuple(histogram.counts)


QUIET = MachineReport(
    name="machine-1",
    state=MemberState.UP,
    reason="",
    counts=MachineCounts(
        sessions_open=2,
        sessions_in_use=1,
        sessions_limit=8,
        waiting=3,
        queue_limit=256,
        in_flight=1,
        stuck=0,
        served=10,
        failed=1,
        refused=0,
        late=0,
    ),
    errors={"hsm.machine.down": 1},
    last_error=None,
    latency_counts=latency(0.001, 0.001),
    latency_seconds=0.002,
    tested_at=None,
    tested_well=False,
)


def process(name: str, now: datetime, *machines: MachineReport, keys: tuple[KeyReport, ...] = ()) -> ProcessReport:
    return ProcessReport(process=name, at=now, machines=machines, keys=keys)


def test_counts_of_all_processes_are_added(now: datetime) -> None:
    (machine,) = overview([process("a/1", now, QUIET), process("a/2", now, QUIET)]).machines
    counts = machine.counts
    assert (counts.served, counts.failed, counts.waiting, counts.sessions_open) == (20, 2, 6, 4)
    assert machine.errors == (("hsm.machine.down", 2),)
    assert (machine.processes, machine.processes_up) == (2, 2)


@pytest.mark.parametrize(
    ("states", "shown"),
    [
        ([MemberState.UP, MemberState.UP], MemberState.UP),
        ([MemberState.UP, MemberState.RESTING], MemberState.RESTING),
        ([MemberState.RESTING, MemberState.HANGING], MemberState.HANGING),
        ([MemberState.DRAINED, MemberState.DRAINING], MemberState.DRAINING),
        ([MemberState.DRAINED, MemberState.DRAINED], MemberState.DRAINED),
        ([MemberState.UP, MemberState.DRAINED], MemberState.DRAINED),
    ],
)
def test_the_worst_state_is_shown(now: datetime, states: list[MemberState], shown: MemberState) -> None:
    reports = [
        process(f"a/{number}", now, replace(QUIET, state=state, reason=str(state)))
        for number, state in enumerate(states)
    ]
    (machine,) = overview(reports).machines
    assert machine.state is shown
    assert machine.reason == str(shown)


def test_percentiles_are_of_all_calls_and_not_of_percentiles(now: datetime) -> None:
    fast = replace(QUIET, latency_counts=latency(*[0.001] * 98))
    slow = replace(QUIET, latency_counts=latency(2.0, 2.0))
    (machine,) = overview([process("a/1", now, fast), process("a/2", now, slow)]).machines
    assert machine.p50_seconds < 0.002
    assert machine.p95_seconds < 0.002
    assert machine.p99_seconds > 1


def test_the_last_error_and_the_last_test_are_the_latest_of_any_process(now: datetime) -> None:
    early, late = now - timedelta(minutes=1), now
    first = ErrorReport(at=early, code="hsm.machine.down", detail="Early.")
    second = ErrorReport(at=late, code="hsm.machine.down", detail="Late.")
    (machine,) = overview(
        [
            process("a/1", now, replace(QUIET, last_error=second, tested_at=early, tested_well=True)),
            process("a/2", now, replace(QUIET, last_error=first, tested_at=late, tested_well=False)),
            process("a/3", now, QUIET),
        ]
    ).machines
    assert machine.last_error == second
    assert (machine.tested_at, machine.tested_well) == (late, False)


def test_keys_are_added_over_machines_and_processes_the_busiest_first(now: datetime) -> None:
    keys = (
        KeyReport(machine="machine-1", label="slow", signatures=5, per_second=0.1),
        KeyReport(machine="machine-1", label="fast", signatures=7, per_second=40.0),
        KeyReport(machine="machine-2", label="fast", signatures=8, per_second=50.0),
    )
    fast, slow = overview([process("a/1", now, QUIET, keys=keys), process("a/2", now, QUIET, keys=keys[:1])]).keys
    assert (fast.label, fast.signatures, fast.per_second) == ("fast", 15, 90.0)
    assert (slow.label, slow.signatures) == ("slow", 10)


def test_no_process_is_no_machine(now: datetime) -> None:
    nothing = overview([])
    assert nothing.machines == nothing.keys == ()


class IdleMachine:
    """Has sessions, and answers random octets."""

    name = "machine-1"
    replicates = False
    sessions = SessionCounts(open=1, in_use=0, limit=8)

    def random(self, length: int) -> bytes:
        return bytes(length)

    def close(self) -> None:
        pass


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'test.db'}")
    opened.create_tables()
    yield opened
    opened.close()


@pytest.fixture
def fleets(database: Database, now: datetime) -> Callable[[str], Fleet]:
    """Processes by name, each with a pool of its own."""

    def fleet(name: str) -> Fleet:
        pool = Pool([cast("Machine", IdleMachine())], tends=False)
        pool.run(["machine-1"], lambda machine: machine.random(1))
        pool.close()
        return Fleet(database, pool, lambda: now, process=name)

    return fleet


def test_every_process_can_speak_for_all(fleets: Callable[[str], Fleet]) -> None:
    one, two = fleets("a/1"), fleets("a/2")
    two.publish()
    assert one.overview().processes == ("a/1", "a/2")
    assert one.overview().machines[0].counts.served == 2
    assert one.reports()[1] == two.own_report()
    two.withdraw()
    assert one.overview().processes == ("a/1",)


def test_a_process_that_was_killed_is_forgotten(
    fleets: Callable[[str], Fleet], database: Database, now: datetime
) -> None:
    one, two = fleets("a/1"), fleets("a/2")
    two.publish()
    later = Fleet(database, one._pool, lambda: now + timedelta(seconds=21), process="a/1")
    assert len(later.overview().processes) == 1


def test_a_report_of_another_release_is_left_out(
    fleets: Callable[[str], Fleet], database: Database, now: datetime
) -> None:
    one, two = fleets("a/1"), fleets("a/2")
    two.publish()
    with database.transaction() as session:
        good = store.reports_since(session, now - timedelta(seconds=1))[0]
    shorter = {**good, "machines": [{**good["machines"][0], "latency_counts": [1, 2]}]}
    for report in ({}, {**good, "machines": [{"name": "machine-1"}]}, shorter):
        with database.transaction() as session:
            store.put(session, process="a/2", at=now, report=report)
        assert one.overview().processes == ("a/1",)


def test_prometheus_gets_every_number_by_machine_and_process(now: datetime) -> None:
    key = KeyReport(machine="machine-1", label="seal-7", signatures=12, per_second=1.0)
    down = replace(QUIET, name="machine-2", state=MemberState.RESTING, tested_at=now, tested_well=True)
    reports = [
        process(f"{node()}/41", now, QUIET, down, keys=(key,)),
        process("elsewhere/42", now, QUIET),
    ]
    registry = CollectorRegistry()
    registry.register(MachineCollector(lambda: reports))
    text = generate_latest(registry).decode()
    assert 'xinyin_hsm_up{machine="machine-1",process="41"} 1.0' in text
    assert 'xinyin_hsm_up{machine="machine-2",process="41"} 0.0' in text
    assert 'xinyin_hsm_calls_total{machine="machine-1",process="41"} 10.0' in text
    assert 'xinyin_hsm_errors_total{code="hsm.machine.down",machine="machine-1",process="41"} 1.0' in text
    assert 'xinyin_hsm_signatures_total{key="seal-7",machine="machine-1",process="41"} 12.0' in text
    assert 'xinyin_hsm_call_seconds_count{machine="machine-1",process="41"} 2.0' in text
    assert 'le="+Inf"' in text
    assert 'xinyin_hsm_self_test_timestamp_seconds{machine="machine-2",process="41"} 1.8946998e+09' in text
    assert "elsewhere" not in text, "another host is scraped itself"
    assert text.count("xinyin_hsm_call_seconds_bucket{") == 2 * (len(LATENCY_BOUNDS) + 1)
