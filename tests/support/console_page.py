"""Pages of ``docs/`` are true: their commands are run in one shell, and what they print is compared."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["DOCS", "wrong_commands"]

DOCS = Path(__file__).parents[2] / "docs"
_MARK = "@@end@@"


def wrong_commands(page: str, *, folder: Path, environment: Mapping[str, str], replace: Mapping[str, str]) -> list[str]:
    """The commands of a page's ``console`` blocks that print something else than the page says.

    Args:
        page: Markdown; a command begins with ``$``, goes on after a backslash, and what it prints follows; ``…`` is
            anything.
        folder: where the commands run.
        environment: beside this process's own.
        replace: what stands differently in the page and here; ``.venv/bin/xinyin`` is known.
    """
    here = {".venv/bin/xinyin": str(Path(sys.executable).with_name("xinyin")), **replace}
    shell = subprocess.Popen(
        ["bash", "--norc"], cwd=folder, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, env={**os.environ, **environment},
    )  # fmt: skip
    assert shell.stdin is not None
    assert shell.stdout is not None
    wrong: list[str] = []
    step = folder / "step.sh"
    for command, expected in _examples(page):
        told = command
        for name, value in here.items():
            told = told.replace(name, value)
        step.write_text(f"{told}\n", "utf-8")
        shell.stdin.write(f". {step} < /dev/null; printf '\\n{_MARK}\\n'\n")
        shell.stdin.flush()
        printed = "".join(iter(shell.stdout.readline, f"{_MARK}\n"))
        if not _fits(expected, printed):
            wrong.append(f"$ {command}\n{printed}")
    shell.stdin.close()
    shell.wait(timeout=10)
    shell.stdout.close()
    return wrong


def _examples(page: str) -> Iterator[tuple[str, str]]:
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


def _fits(expected: str, printed: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in expected.split("…"))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None
