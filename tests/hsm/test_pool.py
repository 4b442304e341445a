"""The pool's choices, with simulated machines and a clock in hand."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from hsm.errors import KeyMissingError, MachineDownError
from hsm.machine import Machine
from hsm.pool import Pool
from trustcore.errors import BusyError, MalformedError, NotFoundError, RejectedError, TrustError


@dataclass
class SimulatedMachine:
    """Answers its name, or fails as a test says."""

    name: str
    error: TrustError | None = None
    calls: int = 0
    replicates: bool = True
    before: Callable[[], None] = field(default=lambda: None)

    def random(self, length: int) -> bytes:
        self.calls += 1
        self.before()
        if self.error:
            raise self.error
        return self.name.encode()


class Site:
    def __init__(self) -> None:
        self.now = 0.0
        self.machines = [SimulatedMachine(name) for name in "abc"]
        self.pool = Pool([cast("Machine", machine) for machine in self.machines], clock=lambda: self.now)

    def call(self, holders: str = "abc") -> str:
        return self.pool.run(tuple(holders), lambda machine: machine.random(1)).decode()


@pytest.fixture
def site() -> Site:
    return Site()


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


def test_a_failing_machine_is_left_alone_until_its_pause_is_over(site: Site) -> None:
    site.machines[1].error = down("b")
    assert "b" not in [site.call() for _ in range(9)]
    assert site.machines[1].calls == 1
    assert [state.up for state in site.pool.states()] == [True, False, True]
    site.now = 0.5
    assert "b" not in [site.call() for _ in range(9)]
    assert site.machines[1].calls == 2, "one call tried it, and went on to another machine"
    site.machines[1].error = None
    site.now = 1.4
    assert "b" not in [site.call() for _ in range(9)]
    site.now = 1.5
    assert "b" in [site.call() for _ in range(9)]
    assert all(state.up for state in site.pool.states())


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
    def bug(_: Machine) -> Any:
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


def test_a_machine_that_hangs_gets_no_more_calls_until_it_answers(site: Site) -> None:
    seen: list[str] = []

    def hang() -> None:
        site.machines[0].before = lambda: None
        site.now += 11
        seen.extend(site.call() for _ in range(6))
        state = site.pool.states()[0]
        assert not state.up
        assert "has not answered" in state.reason
        assert site.call("a") == "a", "when no other holds the key, it is still tried"

    site.machines[0].before = hang
    assert site.call("a") == "a"
    assert set(seen) == {"b", "c"}
    assert site.pool.states()[0].up
