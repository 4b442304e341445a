"""What a judge says, and how one is run."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class JudgeMissingError(Exception):
    """The judge's software is not on this machine; the message names what would bring it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One judge's answer about one kind of thing."""

    judge: str
    version: str
    judged: str
    """What was judged, precisely enough to know what was not."""
    problem: str | None
    """Why the judge does not accept it; ``None`` when it does."""
    tampered: str
    """Which altered copies were shown to it."""
    tolerated: tuple[str, ...] = ()
    """The altered copies that it accepted; none should be here."""

    @property
    def agrees(self) -> bool:
        """Whether the judge accepts what is right and refuses all that was altered."""
        return self.problem is None and not self.tolerated


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program printed and how it ended."""

    status: int
    printed: str
    """Standard output."""
    complaints: str = ""
    """Standard error."""

    @property
    def output(self) -> str:
        """All that it said, standard output first."""
        return self.printed + self.complaints

    def last_line(self) -> str:
        """The last line that says something, cut to a table's width."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        return lines[-1][:300] if lines else f"ended with {self.status} and said nothing"


def need(command: str, package: str) -> str:
    """Path of a command. Raises ``JudgeMissingError`` naming the package that has it."""
    found = shutil.which(command)
    if found is None:
        message = f"{command} is not installed (Debian package {package})"
        raise JudgeMissingError(message)
    return found


def run(
    arguments: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    timeout: float = 120,
    env: Mapping[str, str] | None = None,
) -> Answer:
    """Run a program to its end without input; a program that does not end in time is an answer with status 124."""
    try:
        done = subprocess.run(
            [str(argument) for argument in arguments],
            cwd=cwd,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
        )
    except subprocess.TimeoutExpired:
        return Answer(124, f"did not end within {timeout:g} s")
    printed, complaints = (stream.decode("utf-8", errors="replace") for stream in (done.stdout, done.stderr))
    return Answer(done.returncode, printed, complaints)
