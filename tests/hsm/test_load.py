"""The machines under load while one fails, one hangs and a process is killed; counted in operations, not in time."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from hsm.service import HsmService
from trustcore.crypto.algorithms import KeyAlgorithm

pytestmark = [pytest.mark.hsm, pytest.mark.slow, pytest.mark.timeout(600)]

OpenHsm = Callable[..., AbstractContextManager[HsmService]]
ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests" / "support" / "hsm_load.py"
DONE, END = b"\x01", b"\x02"
THREADS = 8
OPERATIONS = 120
"""For each thread."""
DEADLINE_SECONDS = 2


class Process:
    """One process of the program, whose operations are counted while it works."""

    def __init__(self, folder: Path) -> None:
        arguments = [folder, THREADS, OPERATIONS, DEADLINE_SECONDS]
        self.process = subprocess.Popen(
            [sys.executable, PROGRAM, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            cwd=ROOT,
        )
        self._said = b""
        self.allowed = 0
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while text := os.read(self.process.stdout.fileno(), 4096):
            self._said += text

    def allow(self, operations: int) -> None:
        """Let it make so many more."""
        assert self.process.stdin is not None
        self.allowed += operations
        self.process.stdin.write(f"{operations}\n".encode())
        self.process.stdin.flush()

    @property
    def done(self) -> int:
        """Operations that ended well."""
        return self._said.count(DONE)

    def report(self) -> dict[str, Any]:
        """What it says at its end, when it has made all its operations."""
        self.allow(THREADS * OPERATIONS - self.allowed)
        assert self.process.stderr is not None
        errors = self.process.stderr.read().decode()
        self._reader.join()
        assert self.process.wait() == 0, errors
        document: dict[str, Any] = json.loads(self._said.partition(END)[2])
        return document

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


@contextmanager
def processes(folder: Path) -> Iterator[Callable[[], Process]]:
    """Starts processes; none of them outlives the block."""
    started: list[Process] = []

    def start() -> Process:
        started.append(Process(folder))
        return started[-1]

    try:
        yield start
    finally:
        for one in started:
            one.kill()


def reach(count: int, *counted: Process) -> None:
    """Wait until each of these processes has made so many operations."""
    deadline = time.monotonic() + 120
    while any(one.done < count for one in counted):
        assert time.monotonic() < deadline, [one.done for one in counted]
        assert all(one.process.poll() is None for one in counted), "a process ended early"
        time.sleep(0.005)


def make(count: int, *processes: Process) -> None:
    """Let each of these processes make so many operations more, and wait for them."""
    for one in processes:
        one.allow(count)
    for one in processes:
        reach(one.allowed, one)


@pytest.fixture
def keys(open_machines: OpenHsm) -> None:
    with open_machines() as service:
        service.generate("sm2", KeyAlgorithm.SM2)
        service.generate("sm2-too", KeyAlgorithm.SM2)
        service.generate("rsa", KeyAlgorithm.RSA_2048)


@pytest.mark.usefixtures("keys")
def test_nobody_notices_a_machine_that_fails_one_that_hangs_and_a_process_that_is_killed(
    data_dir: Path, faults: Path
) -> None:
    with processes(data_dir) as start:
        survivor, victim = start(), start()
        make(100, survivor, victim)
        (faults / "xinyin-1").write_text("0x30")
        make(150, survivor, victim)
        (faults / "xinyin-2").write_text("hang")
        make(150, survivor, victim)
        survivor.allow(150)
        victim.allow(300)
        reach(victim.allowed - 250, victim)
        victim.kill()
        successor = start()
        make(100, survivor)
        (faults / "xinyin-1").unlink()
        make(100, survivor, successor)
        (faults / "xinyin-2").unlink()
        reports = [survivor.report(), successor.report()]
    for report in reports:
        assert report["failures"] == []
        assert report["wrong"] == 0
        assert report["back"], "every machine is used again, and nobody asked for it"
    assert reports[0]["machines"]["machine-1"]["failed"] > 0, "it did fail"
    assert reports[0]["machines"]["machine-2"]["failed"] > 0, "it did hang"
    assert {"machine.down", "machine.hanging", "machine.up"} <= set(reports[1]["events"])
    assert survivor.done == successor.done == THREADS * OPERATIONS
