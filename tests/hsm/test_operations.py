"""Maintenance, probes and events over real machines and a real table."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import structlog
from sqlalchemy import select
from typer.testing import CliRunner

from hsm.cli import build_cli
from hsm.core.events import Event, EventKind
from hsm.core.member import MemberState
from hsm.service import HsmService
from hsm.store import machines as store
from trustcore.audit import AuditRow
from trustcore.crypto import verify
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.database import Database
from trustcore.errors import BusyError, ConflictError, NotFoundError

pytestmark = pytest.mark.hsm

OpenHsm = Callable[..., AbstractContextManager[HsmService]]
MACHINES = ("machine-1", "machine-2", "machine-3")


@pytest.fixture(autouse=True)
def logs_beside_the_output() -> Iterator[None]:
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(file=sys.stderr))
    yield
    structlog.reset_defaults()


def states(service: HsmService) -> list[MemberState]:
    return [condition.numbers.state for condition in service.operations.status()]


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_drained_machine_serves_nobody_in_any_process_until_it_is_resumed(
    open_machines: OpenHsm, database: Database
) -> None:
    with open_machines() as one, open_machines() as other:
        signer = other.signer(one.generate("key", KeyAlgorithm.SM2))
        one.operations.drain("machine-2", "li")
        one.operations.drain("machine-2", "wang")
        wait_until(lambda: states(one)[1] is states(other)[1] is MemberState.DRAINED)
        served = other.machines()[1].served
        for _ in range(12):
            assert verify.verify(signer.public_key_der, signer.algorithm, b"message", signer.sign(b"message"))
        wait_until(lambda: one.operations.status()[1].numbers.sessions.open == 0)
        assert other.machines()[1].served == served
        drain = other.operations.status()[1].drain
        assert drain is not None
        assert drain.actor == "li", "the first who asked"
        other.operations.resume("machine-2", "wang")
        wait_until(lambda: states(one)[1] is states(other)[1] is MemberState.UP)
        assert all(result.ok for result in one.self_test())
        kinds = [(event.machine, event.kind) for _, event in reversed(one.operations.events(machine="machine-2"))]
        assert kinds[0] == ("machine-2", EventKind.DRAINED)
        assert (("machine-2", EventKind.RESUMED)) in kinds
    with database.transaction() as session:
        acts = session.execute(
            select(AuditRow.action, AuditRow.actor).where(AuditRow.subject == "machine-2").order_by(AuditRow.number)
        ).all()
    assert [tuple(act) for act in acts] == [("hsm.machine.drained", "li"), ("hsm.machine.resumed", "wang")]


def test_a_machine_that_was_drained_stays_so_over_a_start(open_machines: OpenHsm) -> None:
    with open_machines() as service:
        service.generate("key", KeyAlgorithm.SM2)
        service.operations.drain("machine-1", "li")
    with open_machines() as service:
        assert states(service) == [MemberState.DRAINED, MemberState.UP, MemberState.UP]
        assert "maintenance" in service.machines()[0].reason
        assert service.signer(service.generate("another", KeyAlgorithm.SM2)).sign(b"message")
        service.operations.resume("machine-1", "li")
        wait_until(lambda: states(service)[0] is MemberState.UP)
        assert service.reconcile() == ("another",), "it gets what it missed"


def test_the_last_machine_is_drained_only_when_somebody_insists(open_machines: OpenHsm) -> None:
    with open_machines() as service:
        for name in MACHINES[:2]:
            service.operations.drain(name, "li")
        with pytest.raises(ConflictError) as caught:
            service.operations.drain("machine-3", "li")
        assert caught.value.code == "hsm.machine.last"
        service.operations.drain("machine-3", "li", force=True)
        with pytest.raises(BusyError) as busy:
            service.random(8)
        assert int(busy.value.facts["retry_after"]) > 0
        with pytest.raises(NotFoundError):
            service.operations.drain("machine-4", "li")
    with open_machines() as service:
        for name in MACHINES:
            service.operations.resume(name, "li")
        wait_until(lambda: states(service) == [MemberState.UP] * 3)
        assert service.random(8)


def test_what_happens_is_kept_and_told_to_listeners(faults: Path, open_machines: OpenHsm) -> None:
    heard: list[Event] = []

    def fails(_: Event) -> None:
        raise ZeroDivisionError

    with open_machines() as service:
        service.operations.event_log.listen(fails)
        service.operations.event_log.listen(heard.append)
        (faults / "xinyin-3").write_text("0x30")
        for _ in range(3):
            service.random(8)
        (faults / "xinyin-3").unlink()
        wait_until(lambda: states(service)[2] is MemberState.UP)
        service.operations.event_log.flush()
    assert [(event.machine, event.kind) for event in heard] == [
        ("machine-3", EventKind.DOWN),
        ("machine-3", EventKind.UP),
    ]
    with open_machines() as service:
        numbered = service.operations.events()
        assert [event for _, event in reversed(numbered)] == heard
        (older,) = service.operations.events(before=numbered[0][0])
        assert older == numbered[1]


def test_only_the_newest_events_are_kept(database: Database, open_machines: OpenHsm) -> None:
    with open_machines() as service:
        for number in range(5):
            service.operations.event_log.of_key(EventKind.KEY_LIMIT_NEAR, f"The key {number} is nearly used up.")
        (_, event), *_ = service.operations.events()
        with database.transaction() as session:
            store.add_events(session, [event], keep=2)
        assert len(service.operations.events()) == 2


def test_commands_take_a_machine_out_and_give_it_back(faults: Path, open_machines: OpenHsm) -> None:
    app = build_cli(open_machines)
    run = CliRunner().invoke
    assert run(app, ["drain", "machine-2"]).exit_code == 0
    shown = run(app, ["machines", "--json"])
    assert shown.exit_code == 0, "a machine that somebody has taken out is no alarm"
    row = json.loads(shown.stdout)[1]
    assert (row["state"], row["up"], row["drained_by"][:4]) == ("drained", False, "cli:")
    assert "drained" in run(app, ["machines"]).stdout
    assert run(app, ["resume", "machine-2"]).exit_code == 0
    assert run(app, ["probe", "machine-2"]).exit_code == 0
    (faults / "xinyin-2").write_text("0x30")
    assert run(app, ["probe", "machine-2"]).exit_code == 1
    kinds = [event["kind"] for event in json.loads(run(app, ["events", "--json", "--machine", "machine-2"]).stdout)]
    assert {"machine.drained", "machine.resumed", "machine.down"} <= set(kinds)
    assert "machine.drained" in run(app, ["events"], env={"COLUMNS": "200"}).stdout
