"""Faults of the software machines: what a test may write into a fault file, and what the machine does then."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pkcs11
import pytest
from pkcs11 import Session

from hsm import software
from hsm.pkcs11.module import LoadedModule

pytestmark = pytest.mark.hsm
PATIENCE_SECONDS = 30
TOKEN = "xinyin-1"


OpenToken = Callable[[str], Session]


@pytest.fixture
def open_token(data_dir: Path, faults: Path) -> Iterator[OpenToken]:
    module = LoadedModule(software.machine_source(data_dir))
    pin = (data_dir / "secrets" / "hsm_pin").read_text().strip()
    yield lambda label: module.library.get_token(token_label=label).open(rw=True, user_pin=pin)
    module.close()


@pytest.fixture
def session(open_token: OpenToken) -> Session:
    return open_token(TOKEN)


@pytest.fixture
def fault(faults: Path) -> Path:
    """The fault file of the first machine."""
    return faults / TOKEN


def answers(session: Session, calls: int) -> list[bool]:
    """For each of so many calls whether the machine answered well."""
    seen = []
    for _ in range(calls):
        try:
            session.generate_random(64)
            seen.append(True)
        except pkcs11.PKCS11Error:
            seen.append(False)
    return seen


def test_a_fault_begins_after_so_many_calls(session: Session, fault: Path) -> None:
    fault.write_text("0x30 after 3\n")
    assert answers(session, 6) == [True, True, True, False, False, False]


def test_a_fault_comes_every_so_many_calls(session: Session, fault: Path) -> None:
    fault.write_text("0x30 every 3")
    assert answers(session, 7) == [True, True, False, True, True, False, True]


def test_calls_are_counted_anew_when_the_file_changes(session: Session, fault: Path) -> None:
    fault.write_text("0x30 after 2")
    assert answers(session, 3) == [True, True, False]
    fault.write_text("0x30 after 1")
    assert answers(session, 2) == [True, False]
    fault.unlink()
    assert answers(session, 2) == [True, True]


@pytest.mark.parametrize("text", ["nonsense", "0x3g", "0x30 after", "0x30 every 0", "0x30 after x", "hangs", "delay x"])
def test_a_file_that_says_nothing_known_is_no_quiet_pass(session: Session, fault: Path, text: str) -> None:
    fault.write_text(text)
    with pytest.raises(pkcs11.GeneralError):
        session.generate_random(64)


def test_a_call_that_hangs_comes_back_when_the_file_goes(session: Session, fault: Path) -> None:
    fault.write_text("hang after 1")
    assert answers(session, 1) == [True]
    done = threading.Event()
    outcome: list[bool] = []

    def call() -> None:
        outcome.extend(answers(session, 1))
        done.set()

    thread = threading.Thread(target=call)
    thread.start()
    assert not done.wait(0.3), "it hangs"
    fault.unlink()
    thread.join(PATIENCE_SECONDS)
    assert outcome == [True]


def test_a_call_that_hangs_fails_when_the_file_says_so(session: Session, fault: Path) -> None:
    fault.write_text("hang")
    outcome: list[bool] = []
    thread = threading.Thread(target=lambda: outcome.extend(answers(session, 1)))
    thread.start()
    time.sleep(0.1)
    replacement = fault.with_name("next")
    replacement.write_text("0x30")
    replacement.replace(fault)
    thread.join(PATIENCE_SECONDS)
    assert outcome == [False]


def test_other_machines_go_on_while_one_hangs(open_token: OpenToken, session: Session, fault: Path) -> None:
    fault.write_text("hang")
    thread = threading.Thread(target=lambda: answers(session, 1))
    thread.start()
    other = open_token("xinyin-2")
    assert answers(other, 5) == [True] * 5
    assert thread.is_alive()
    fault.unlink()
    thread.join(PATIENCE_SECONDS)


def test_a_crash_ends_the_process_at_the_call_that_was_named(data_dir: Path, faults: Path) -> None:
    program = """
import sys
from pathlib import Path
from hsm import software
from hsm.pkcs11.module import LoadedModule
data_dir, fault = Path(sys.argv[1]), Path(sys.argv[2])
module = LoadedModule(software.machine_source(data_dir))
pin = (data_dir / "secrets" / "hsm_pin").read_text().strip()
session = module.library.get_token(token_label=fault.name).open(user_pin=pin)
fault.write_text("crash after 2")
for number in range(5):
    session.generate_random(64)
    print(number, flush=True)
"""
    command = [sys.executable, "-c", program, str(data_dir), str(faults / TOKEN)]
    root = Path(software.__file__).parent.parent
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=root, env={**os.environ, "PYTHONFAULTHANDLER": ""}
    )
    assert done.returncode == -signal.SIGABRT
    assert done.stdout.split() == ["0", "1"]
