"""Long work leaves nothing behind; counted in operations, not in time.

``XINYIN_MARATHON=2000000`` makes it half an hour's worth for three machines of 400 signatures a second.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from hsm.service import HsmService
from trustcore.crypto.algorithms import KeyAlgorithm

pytestmark = [pytest.mark.hsm, pytest.mark.slow, pytest.mark.timeout(7200)]

OpenHsm = Callable[..., AbstractContextManager[HsmService]]
ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests" / "support" / "hsm_marathon.py"
MARK = "holds "
THREADS = 8
OPERATIONS = int(os.environ.get("XINYIN_MARATHON", "200000"))
SLICES = 10
MOST_GROWTH_KIB = 6 * 1024
MOST_OBJECTS = 6000
"""Caches fill up with errors that happen rarely; a leak of one object for each operation would be far above it."""
DATABASE_CONNECTIONS = 5
"""Kept by the pool of the database, each with a file and its log; opened when two threads happen to write at once."""


def test_memory_sessions_threads_and_files_stay_the_same(data_dir: Path, faults: Path, open_machines: OpenHsm) -> None:
    with open_machines() as service:
        service.generate("sm2", KeyAlgorithm.SM2)
        service.generate("rsa", KeyAlgorithm.RSA_2048)
    (faults / "xinyin-1").write_text("0x30 every 5000")
    (faults / "xinyin-2").write_text("0xB3 every 7000")
    program = subprocess.run(
        [sys.executable, PROGRAM, str(data_dir), str(THREADS), str(OPERATIONS), str(SLICES)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        check=False,
    )
    assert program.returncode == 0, program.stderr
    slices: list[dict[str, Any]] = [
        json.loads(line.removeprefix(MARK)) for line in program.stdout.splitlines() if line.startswith(MARK)
    ]
    report = "\n".join(map(str, slices))
    sys.stdout.write(report + "\n")
    assert len(slices) == SLICES
    warm, end = slices[0], slices[-1]
    assert sum(item["operations"] for item in slices) >= OPERATIONS * 0.9, report
    assert all(end["failed"][number] > warm["failed"][number] for number in (0, 1)), "machines failed all the time"
    assert end["resident_kib"] - warm["resident_kib"] < MOST_GROWTH_KIB, report
    assert abs(end["objects"] - warm["objects"]) < MOST_OBJECTS, report
    assert end["threads"] <= warm["threads"] + 1, "the thread that watches over a failing machine comes and goes"
    assert end["files"] <= warm["files"] + 2 * DATABASE_CONNECTIONS, report
    assert all(count <= 8 for item in slices for count in item["sessions"]), report
