"""Where commands run in tests: a folder of its own with three software machines, and short exports."""

import csv
import io
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

__all__ = ["SAMPLES", "Workplace", "sample_rows", "write_rows"]

SAMPLES = Path(__file__).parents[2] / "samples" / "business-licences.csv"
_COMMAND = Path(sys.executable).with_name("xinyin")
_TIMEOUT_SECONDS = 300


@dataclass
class Workplace:
    """Where commands run, and how."""

    path: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.path / "var"

    @property
    def out(self) -> Path:
        return self.path / "demo"

    @property
    def report(self) -> dict[str, Any]:
        """What the last demonstration wrote."""
        content: dict[str, Any] = json.loads((self.out / "report.json").read_text("utf-8"))
        return content

    def start(self, *arguments: str, log: IO[str] | None = None) -> subprocess.Popen[str]:
        """A command that runs; the caller waits for it or kills it. What it says goes to ``log``, where given."""
        environment = {**os.environ, "XINYIN_DATA_DIR": str(self.data), "COLUMNS": "200", **self.environment}
        return subprocess.Popen(
            [_COMMAND, *arguments],
            cwd=self.path, env=environment, text=True, stdout=log or subprocess.PIPE, stderr=log or subprocess.PIPE,
        )  # fmt: skip

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command that has ended."""
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=_TIMEOUT_SECONDS)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def program(
        self, command: list[str], *, cwd: Path, environment: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Another program that has ended."""
        return subprocess.run(
            command, cwd=cwd, env={**os.environ, **environment}, check=False, capture_output=True, text=True,
            timeout=_TIMEOUT_SECONDS,
        )  # fmt: skip

    def demo(self, rows: Path) -> subprocess.CompletedProcess[str]:
        """The main job over an export."""
        return self.run("demo", "--rows", str(rows), "--out", "demo")

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of the installation's database."""
        with closing(sqlite3.connect(self.data / "xinyin.db")) as connection:
            return connection.execute(statement).fetchall()


def sample_rows(count: int) -> list[dict[str, str]]:
    """The first rows of the sample export."""
    text = SAMPLES.read_text("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))[:count]


def write_rows(path: Path, rows: list[dict[str, str]]) -> Path:
    """A CSV file of these rows."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(stream.getvalue(), "utf-8")
    return path
