"""The page about the gateway is true: its commands are run and what they print is compared."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.serving import served
from support.workplace import Workplace

pytestmark = [pytest.mark.hsm, pytest.mark.slow]

PAGE = Path(__file__).parents[2] / "docs" / "gateway.md"
_MARK = "@@end@@"


def examples(page: str) -> Iterator[tuple[str, str]]:
    """Commands of the page, each with what it prints."""
    for block in re.findall(r"^```console\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        lines = block.splitlines()
        while lines:
            command = [lines.pop(0).removeprefix("$ ")]
            while command[-1].endswith("\\"):
                command.append(lines.pop(0))
            printed: list[str] = []
            while lines and not lines[0].startswith("$ "):
                printed.append(lines.pop(0))
            yield "\n".join(command), "\n".join(printed)


def fits(expected: str, printed: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in expected.split("…"))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


def test_every_command_of_the_page_prints_what_the_page_says(workplace: Workplace) -> None:
    page = PAGE.read_text("utf-8")
    commands = list(examples(page))
    assert len(commands) > 40
    workplace.environment["XINYIN_HSM__GATEWAY__SVS_KEYS"] = '["letters"]'
    with served(workplace) as address:
        environment = {**workplace.environment, "XINYIN_DATA_DIR": str(workplace.data), "COLUMNS": "200"}
        shell = subprocess.Popen(
            ["bash", "--norc"], cwd=workplace.path, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env={**os.environ, **environment},
        )  # fmt: skip
        assert shell.stdin is not None
        assert shell.stdout is not None
        wrong: list[str] = []
        step = workplace.path / "step.sh"
        for command, expected in commands:
            here = command.replace("http://localhost:8000", address)
            here = here.replace(".venv/bin/xinyin", str(Path(sys.executable).with_name("xinyin")))
            step.write_text(f"{here}\n", "utf-8")
            shell.stdin.write(f". {step} < /dev/null; printf '\\n{_MARK}\\n'\n")
            shell.stdin.flush()
            printed = "".join(iter(shell.stdout.readline, f"{_MARK}\n"))
            if not fits(expected, printed):
                wrong.append(f"$ {command}\n{printed}")
        shell.stdin.close()
        shell.wait(timeout=10)
        shell.stdout.close()
    assert wrong == []
