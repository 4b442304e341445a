"""The pool's choices, deadlines and maintenance, with simulated machines and a clock in hand."""

import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from hsm.core.events import EventKind
from hsm.core.member import MemberState
from hsm.errors import KeyMissingError, MachineCannotError, MachineDownError
from hsm.machine import KeyReference, Machine, MachineKey, SessionCounts
from hsm.pool import Pool, RepeatableMachine
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.errors import BusyError, InternalError, MalformedError, NotFoundError, RejectedError, TrustError

KEY = MachineKey(reference=KeyReference("key", b"id"), algorithm=KeyAlgorithm.SM2, public_key_der=b"")


@dataclass
class SimulatedMachine:
    """Answers its name, or fails as a test says."""

    name: str
    error: TrustError | None = None
    calls: int = 0
    replicates: bool = True
    before: Callable[[], None] = field(default=lambda: None)
    sessions: SessionCounts = field(default_factory=lambda: SessionCounts(open=1, in_use=0, limit=8))
    sessions_closed: int = 0
    closed: bool = False

    def random(self, length: int) -> bytes:
        self.calls += 1
        self.before()
        if self.error:
            raise self.error
        return self.name.encode()

    def close_sessions(self) -> None:
        self.sessions_closed += 1

    def close(self) -> None:
        self.closed = True


class Site:
    """A pool whose probes are sent when a test says so."""

    def __init__(self, **arguments: Any) -> None:
        self.now = 0.0
        self.events: list[tuple[str, EventKind]] = []
        self.machines = [SimulatedMachine(name) for name in "abc"]
        self.pool = Pool(
            [cast("Machine", machine) for machine in self.machines],
            clock=lambda: self.now,
            **{
                "tends": False,
                "listener": lambda name, kind, _detail: self.events.append((name, kind)),
                **arguments,
            },
        )

    def call(self, holders: str = "abc", deadline: float | None = None) -> str:
        answer = self.pool.run(tuple(holders), lambda machine: machine.random(1), deadline_seconds=deadline)
        return answer.decode()

    def tend(self) -> None:
        """Send the probes that are due now, and wait for them."""
        before = sum(machine.calls for machine in self.machines)
        due = sum(crew.member.probe_due(self.now) for crew in self.pool._crews.values())
        self.pool.tend()
        wait_until(lambda: sum(machine.calls for machine in self.machines) == before + due)
        wait_until(lambda: not any(crew.member.running for crew in self.pool._crews.values()))
        self.pool.tend()


class Gate:
    """Holds calls until a test opens it."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self.entered = threading.Semaphore(0)

    def __call__(self) -> None:
        self.entered.release()
        assert self._open.wait(20)

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.pool.close()


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open()


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def down(name: str) -> MachineDownError:
    return MachineDownError(name, "DeviceError")


def test_idle_machines_take_turns(site: Site) -> None:
    assert sorted(site.call() for _ in range(6)) == ["a", "a", "b", "b", "c", "c"]


def test_the_least_busy_machine_is_chosen(site: Site) -> None:
    inner: list[str] = []
    site.machines[0].before = lambda: inner.extend(site.call("ab") for _ in range(3))
    assert site.call("a") == "a"
    assert inner == ["b", "b", "b"]


def test_only_holders_are_asked(site: Site) -> None:
    assert {site.call("b") for _ in range(4)} == {"b"}
    assert {site.call("bx") for _ in range(4)} == {"b"}, "a machine that was removed from the settings counts no more"


def test_a_failing_machine_is_left_alone_until_a_probe_has_shown_that_it_works(site: Site) -> None:
    site.machines[1].error = down("b")
    assert "b" not in [site.call() for _ in range(9)]
    assert site.machines[1].calls == 1
    assert [state.up for state in site.pool.states()] == [True, False, True]
    site.now = 0.5
    site.tend()
    assert "b" not in [site.call() for _ in range(9)]
    assert site.machines[1].calls == 2, "a probe tried it, and no caller did"
    site.machines[1].error = None
    site.now = 1.4
    site.tend()
    assert "b" not in [site.call() for _ in range(9)]
    site.now = 1.5
    site.tend()
    assert "b" in [site.call() for _ in range(9)]
    assert all(state.up for state in site.pool.states())
    assert site.events == [("b", EventKind.DOWN), ("b", EventKind.UP)]


def test_a_machine_returns_by_itself_without_any_call() -> None:
    site = Site(tends=True)
    try:
        site.machines[1].error = down("b")
        for _ in range(3):
            site.call()
        site.machines[1].error = None
        site.now = 0.5
        wait_until(lambda: all(state.up for state in site.pool.states()))
        wait_until(lambda: site.pool._tender is None)
    finally:
        site.pool.close()


def test_when_all_rest_the_caller_is_still_served_if_one_can(site: Site) -> None:
    for machine in site.machines:
        machine.error = down(machine.name)
    with pytest.raises(BusyError) as caught:
        site.call()
    assert caught.value.code == "hsm.machine.unavailable"
    site.machines[2].error = None
    assert site.call() == "c"


def test_an_error_of_the_request_is_not_tried_elsewhere(site: Site) -> None:
    for machine in site.machines:
        machine.error = MalformedError("The request is wrong.", code="hsm.cipher.invalid")
    with pytest.raises(MalformedError):
        site.call()
    assert sum(machine.calls for machine in site.machines) == 1
    assert all(state.up for state in site.pool.states())


def test_a_machine_that_lacks_the_key_is_passed_over_and_stays_up(site: Site) -> None:
    for machine in site.machines[:2]:
        machine.error = KeyMissingError(machine.name, "key")
    assert {site.call() for _ in range(4)} == {"c"}
    assert all(state.up for state in site.pool.states())
    site.machines[2].error = KeyMissingError("c", "key")
    with pytest.raises(NotFoundError) as caught:
        site.call()
    assert caught.value.code == "hsm.key.not-found"


def test_a_busy_machine_is_passed_over_and_stays_up(site: Site) -> None:
    site.machines[0].error = BusyError("All sessions are in use.", code="hsm.machine.busy")
    assert {site.call() for _ in range(4)} == {"b", "c"}
    assert all(state.up for state in site.pool.states())


@pytest.mark.parametrize("code", ["hsm.pin.wrong", "hsm.token.missing", "hsm.module.missing"])
def test_a_machine_that_cannot_be_opened_is_down_and_says_why(site: Site, code: str) -> None:
    site.machines[0].error = RejectedError("The encryption machine a refuses.", code=code)
    assert {site.call() for _ in range(4)} == {"b", "c"}
    assert site.pool.states()[0].reason == "The encryption machine a refuses."
    with pytest.raises(MachineDownError):
        site.pool.ask("a", lambda machine: machine.random(1))


def test_a_bug_is_not_taken_for_a_machine_that_is_down(site: Site) -> None:
    def bug(_: RepeatableMachine) -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        site.pool.run(site.pool.names, bug)
    assert all(state.up and not state.in_flight for state in site.pool.states())


def test_readiness_puts_resting_machines_out_and_all_back_when_none_is_left(site: Site) -> None:
    site.machines[0].error = down("a")
    for _ in range(3):
        site.call()
    assert sorted(site.pool.by_readiness()) == ["b", "c"]
    for machine in site.machines:
        machine.error = down(machine.name)
    with pytest.raises(BusyError):
        site.call()
    assert sorted(site.pool.by_readiness()) == ["a", "b", "c"]


def test_calls_that_fail_together_are_one_failure(site: Site) -> None:
    machine = site.machines[1]
    machine.error = down("b")

    def another_call_at_the_same_time() -> None:
        machine.before = lambda: None
        with pytest.raises(BusyError):
            site.call("b")

    machine.before = another_call_at_the_same_time
    with pytest.raises(BusyError):
        site.call("b")
    machine.error = None
    site.now = 0.5
    site.tend()
    assert "b" in [site.call() for _ in range(3)], "it rested for the first pause, not for the second"


def test_the_last_answer_before_a_failure_is_no_return(site: Site) -> None:
    machine = site.machines[1]

    def the_machine_goes_down() -> None:
        machine.before = lambda: None
        machine.error = down("b")
        with pytest.raises(BusyError):
            site.call("b")
        machine.error = None

    machine.before = the_machine_goes_down
    assert site.call("b") == "b"
    assert not site.pool.states()[1].up


# Deadlines


def test_a_caller_leaves_a_machine_that_hangs_and_is_served_by_another(site: Site, gate: Gate) -> None:
    site.machines[0].before = gate
    answers = [site.call(deadline=0.05) for _ in range(9)]
    assert set(answers) == {"b", "c"}
    assert site.machines[0].calls == 1, "one call was lost in it, and then it was avoided"
    state = site.pool.states()[0]
    assert state.state is MemberState.HANGING
    assert "has not answered" in state.reason
    assert site.pool.is_hanging("a")
    assert site.events == [("a", EventKind.HANGING)]


def test_a_machine_that_hung_is_probed_when_its_call_has_ended_and_the_late_answer_is_dropped(
    site: Site, gate: Gate
) -> None:
    machine = site.machines[0]
    machine.before = gate
    with pytest.raises(BusyError) as caught:
        site.call("a", deadline=0.05)
    assert caught.value.code == "hsm.machine.unavailable"
    machine.before = lambda: None
    gate.open()
    wait_until(lambda: site.pool.snapshot().machines[0].late == 1)
    assert not site.pool.states()[0].up, "an end tells nothing"
    site.tend()
    assert site.pool.states()[0].up
    assert site.call("a") == "a"
    (numbers, *_) = site.pool.snapshot().machines
    assert (numbers.stuck, numbers.in_flight, numbers.failed) == (0, 0, 1)


def test_a_call_that_is_lost_for_good_does_not_cost_the_machine(site: Site, gate: Gate) -> None:
    machine = site.machines[0]
    machine.before = gate
    assert site.call(deadline=0.05) != "a" or site.call(deadline=0.05) != "a"
    assert site.pool.snapshot().machines[0].stuck == 1
    machine.before = lambda: None
    site.now = 0.5
    site.tend()
    assert site.pool.states()[0].up, "a probe in another session was answered"
    assert {site.call() for _ in range(6)} == {"a", "b", "c"}
    assert site.pool.snapshot().machines[0].stuck == 1


def test_no_more_calls_hang_in_a_machine_than_it_has_threads(gate: Gate) -> None:
    site = Site(workers=2, spare=1)
    try:
        site.machines[0].before = gate
        for _ in range(9):
            with pytest.raises(TrustError):
                site.call("a", deadline=0.02)
        for _ in range(5):
            site.now += 60
            site.pool.tend()
        assert site.machines[0].calls <= 3
        assert sum(thread.name.startswith("hsm-a") for thread in threading.enumerate()) <= 3
    finally:
        gate.open()
        site.pool.close()


def test_a_call_that_has_not_begun_by_its_deadline_never_does(site: Site, gate: Gate) -> None:
    site = Site(workers=1, spare=0)
    try:
        site.machines[0].before = gate
        first = threading.Thread(target=lambda: site.call("a", deadline=10))
        first.start()
        gate.entered.acquire()
        assert site.call("ab") == "b", "the idle one is chosen"
        with pytest.raises(BusyError) as caught:
            site.call("a", deadline=0.05)
        assert caught.value.code == "hsm.machine.unavailable"
        assert site.pool.states()[0].up, "a line is no failure"
        gate.open()
        first.join()
        assert site.machines[0].calls == 1
    finally:
        gate.open()
        site.pool.close()


def test_full_lines_are_refused_with_the_seconds_to_wait(gate: Gate) -> None:
    site = Site(workers=1, spare=0, queue_limit=2)
    try:
        site.machines[0].before = gate
        callers = [threading.Thread(target=lambda: site.call("a")) for _ in range(3)]
        callers[0].start()
        gate.entered.acquire()
        for caller in callers[1:]:
            caller.start()
        wait_until(lambda: site.pool.snapshot().machines[0].waiting == 2)
        with pytest.raises(BusyError) as caught:
            site.call("a")
        assert caught.value.code == "hsm.pool.full"
        assert int(caught.value.facts["retry_after"]) >= 1
        assert site.call("ab") == "b", "a full machine is passed over"
        assert site.pool.snapshot().machines[0].refused == 1
        gate.open()
        for caller in callers:
            caller.join()
        assert site.call("a") == "a"
    finally:
        gate.open()
        site.pool.close()


def test_a_call_that_is_made_once_is_never_sent_again(site: Site, gate: Gate) -> None:
    made: list[str] = []

    def make(machine: Machine) -> None:
        made.append(machine.name)
        raise down(machine.name)

    with pytest.raises(MachineDownError):
        site.pool.ask("a", make)

    def make_and_hang(machine: Machine) -> None:
        made.append(machine.name)
        gate()

    with pytest.raises(MachineDownError):
        site.pool.ask("b", make_and_hang, deadline_seconds=0.05)
    gate.open()
    wait_until(lambda: site.pool.snapshot().machines[1].late == 1)
    for _ in range(3):
        site.now += 60
        site.tend()
    assert made == ["a", "b"]


def test_a_listener_that_fails_costs_nobody_an_answer() -> None:
    def fails(_name: str, _kind: EventKind, _detail: str) -> None:
        raise ValueError

    site = Site(listener=fails)
    try:
        site.machines[1].error = down("b")
        assert "b" not in [site.call(deadline=5) for _ in range(9)]
        site.machines[1].error = None
        site.now = 0.5
        site.tend()
        assert all(state.up for state in site.pool.states())
    finally:
        site.pool.close()


def test_threads_that_took_the_place_of_others_go_and_enough_stay(gate: Gate) -> None:
    site = Site(workers=2, spare=2)
    try:
        machine = site.machines[0]
        machine.before = gate
        for _ in range(2):
            with pytest.raises(TrustError):
                site.call("a", deadline=0.05)
        machine.before = lambda: None
        site.now = 0.5
        site.tend()
        gate.open()
        wait_until(lambda: site.pool.snapshot().machines[0].late == 2)
        for _ in range(20):
            assert site.call("a", deadline=5) == "a"
        assert len(site.pool._crews["a"]._threads) <= 2
    finally:
        site.pool.close()


# Many calls


def test_many_calls_go_to_all_machines_and_answer_in_order(site: Site) -> None:
    names: set[str] = set()

    def numbered(number: int) -> Callable[[Any], int]:
        def act(machine: Any) -> int:
            names.add(machine.random(1).decode())
            return number

        return act

    assert site.pool.run_all("abc", [(numbered(number), 1) for number in range(40)], key=KEY) == list(range(40))
    assert names == {"a", "b", "c"}
    assert sum(key.signatures for key in site.pool.snapshot().keys) == 40


def test_many_calls_survive_a_machine_that_fails_and_one_that_is_full(gate: Gate) -> None:
    site = Site(workers=1, spare=0, queue_limit=1)
    try:
        site.machines[1].error = down("b")
        answers = site.pool.run_all("abc", [(lambda machine: machine.random(1), 1)] * 50)
        assert len(answers) == 50
        assert set(answers) == {b"a", b"c"}
    finally:
        site.pool.close()


def test_the_first_error_of_a_request_ends_many_calls(site: Site) -> None:
    done: list[int] = []

    def act(_: Any) -> None:
        done.append(1)
        raise MalformedError("The request is wrong.", code="hsm.cipher.invalid")

    with pytest.raises(MalformedError):
        site.pool.run_all("a", [(act, 0)] * 200)
    wait_until(lambda: not site.pool.states()[0].in_flight)
    assert len(done) < 200
    assert site.pool.snapshot().machines[0].waiting == 0


# Maintenance


def test_a_drained_machine_ends_what_it_has_and_gets_nothing_new(site: Site, gate: Gate) -> None:
    machine = site.machines[0]
    machine.before = gate
    answers: list[str] = []
    running = threading.Thread(target=lambda: answers.append(site.call("a")))
    running.start()
    gate.entered.acquire()
    site.pool.drain("a")
    site.pool.tend()
    assert site.pool.states()[0].state is MemberState.DRAINING
    assert machine.sessions_closed == 0
    assert {site.call() for _ in range(6)} == {"b", "c"}
    with pytest.raises(BusyError):
        site.call("a")
    gate.open()
    running.join()
    assert answers == ["a"]
    site.pool.tend()
    wait_until(lambda: machine.sessions_closed == 1 and site.pool.states()[0].state is MemberState.DRAINED)
    site.pool.tend()
    assert machine.sessions_closed == 1
    with pytest.raises(MachineDownError):
        site.pool.ask("a", lambda asked: asked.random(1))
    assert site.pool.by_readiness() == ("b", "c") or site.pool.by_readiness() == ("c", "b")


def test_a_resumed_machine_is_proved_before_it_is_used(site: Site) -> None:
    site.pool.drain("a")
    site.pool.drain("a")
    site.tend()
    site.pool.resume("a")
    assert site.pool.states()[0].state is MemberState.RESTING
    site.machines[0].error = down("a")
    site.tend()
    assert not site.pool.states()[0].up
    site.machines[0].error = None
    site.now = 1.0
    site.tend()
    assert site.pool.states()[0].up
    site.pool.resume("a")
    assert site.pool.states()[0].up, "resuming twice is no harm"


def test_closing_the_sessions_of_a_machine_does_not_prove_it(site: Site, gate: Gate) -> None:
    site.machines[0].close_sessions = gate  # type: ignore[method-assign]
    site.pool.drain("a")
    site.pool.tend()
    assert gate.entered.acquire(timeout=20)
    site.pool.resume("a")
    gate.open()
    wait_until(lambda: not any(crew.member.running for crew in site.pool._crews.values()))
    assert site.pool.states()[0].state is MemberState.RESTING
    site.tend()
    assert site.pool.states()[0].up


def test_connections_and_probes_are_not_among_the_latencies(site: Site) -> None:
    site.machines[0].error = down("a")
    with pytest.raises(BusyError):
        site.call("a")
    before = sum(site.pool.snapshot().machines[0].latency.counts)
    site.machines[0].error, site.now = None, 1.0
    site.tend()
    assert site.pool.states()[0].up
    assert sum(site.pool.snapshot().machines[0].latency.counts) == before


def test_a_wrong_signature_keeps_a_machine_out(site: Site) -> None:
    def signs_wrongly(machine: Any) -> None:
        machine.sign_digest = lambda _key, _digest: b"wrong"

    site.pool.run("a", signs_wrongly, key=KEY, signatures=1)
    with pytest.raises(MachineDownError) as caught:
        site.pool.probe("a")
    assert "wrong signatures" in caught.value.detail
    assert not site.pool.states()[0].up
    assert site.events == [("a", EventKind.REFUSED)]


def test_what_a_machine_cannot_do_another_may(site: Site) -> None:
    site.machines[0].error = MachineCannotError("a", "sign with SM2", "use another one")
    assert {site.call() for _ in range(6)} == {"b", "c"}
    assert site.pool.states()[0].up
    with pytest.raises(MachineCannotError):
        site.call("a")


def test_what_one_make_of_machine_refuses_another_may_take(site: Site) -> None:
    refusal = InternalError("The encryption machine a refuses the request.", code="hsm.machine.refused")
    site.machines[0].error = refusal
    assert {site.call() for _ in range(6)} == {"b", "c"}
    assert site.pool.states()[0].up
    with pytest.raises(InternalError):
        site.call("a")
    with pytest.raises(InternalError):
        site.pool.ask("a", lambda machine: machine.random(1))


@pytest.mark.parametrize(
    "name", ["generate", "destroy", "seal", "make_wrapping_key", "receive_wrapping_key", "unwrap", "make_sm4_key"]
)
def test_calls_that_change_a_machine_are_no_calls_that_may_be_repeated(name: str) -> None:
    assert hasattr(Machine, name)
    assert not hasattr(RepeatableMachine, name)


def test_numbers_tell_what_happened(site: Site) -> None:
    for _ in range(30):
        site.pool.run("a", lambda machine: machine.random(1), key=KEY, signatures=2)
    site.machines[0].error = down("a")
    with pytest.raises(BusyError):
        site.call("a")
    snapshot = site.pool.snapshot()
    numbers = snapshot.machines[0]
    assert (numbers.served, numbers.failed, numbers.errors) == (30, 1, (("hsm.machine.down", 1),))
    assert numbers.last_error is not None
    assert sum(numbers.latency.counts) == 31
    assert numbers.next_probe_at == 0.5
    assert [(key.machine, key.label, key.signatures) for key in snapshot.keys] == [("a", "key", 60)]
    assert snapshot.keys[0].per_second == 60


def test_a_closed_pool_has_no_threads_and_says_so() -> None:
    others = set(threading.enumerate())
    site = Site(tends=True)
    for _ in range(9):
        site.call()
    site.pool.close()
    assert all(machine.closed for machine in site.machines)
    with pytest.raises(BusyError) as caught:
        site.call()
    assert caught.value.code == "hsm.pool.closed"
    assert set(threading.enumerate()) <= others


def test_a_child_of_a_fork_starts_its_own_threads(site: Site) -> None:
    site.call()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # of Python 3.12: the parent has threads, which is the point
        child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if {site.call(deadline=5) for _ in range(6)} == {"a", "b", "c"} else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert site.call()
