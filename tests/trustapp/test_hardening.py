"""No memory of the product's processes reaches a core file."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.workplace import Workplace

_PROBE = """
import ctypes, resource, {imports}
{act}
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


def _probe(imports: str, act: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _PROBE.format(imports=imports, act=act)], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_process_is_undumpable_after_the_call_and_dumpable_before() -> None:
    assert _probe("trustapp.hardening", "").endswith(" 1")
    assert _probe("trustapp.hardening", "trustapp.hardening.forbid_core_dumps()") == "(0, 0) 0"


@pytest.mark.hsm
def test_every_command_forbids_core_dumps(workplace: Workplace) -> None:
    with workplace.start("serve", "--port", "0") as process:
        try:
            limits = _when_limited(process.pid)
        finally:
            process.terminate()
            process.communicate(timeout=60)
    assert limits.split()[4:6] == ["0", "0"]


def _when_limited(pid: int) -> str:
    """The line of the process's core limit, once it has set it or has had time to."""
    line = ""
    for _ in range(200):
        text = Path(f"/proc/{pid}/limits").read_text()
        line = next(line for line in text.splitlines() if line.startswith("Max core file size"))
        if line.split()[4:6] == ["0", "0"]:
            break
        time.sleep(0.05)
    return line
