"""ofdrw as a program that can be asked."""

import json
from pathlib import Path

from maven import MavenProject
from verdict import run

PROJECT = MavenProject(folder=Path(__file__).with_name("ofdrw"), version_property="ofdrw.version")


def ask(*arguments: str | Path) -> dict[str, object]:
    """What ``OfdJudge`` says of a file; ``problem`` holds its last words when it says nothing."""
    answer = run([*PROJECT.command("OfdJudge"), *arguments], timeout=180)
    lines = [line for line in answer.output.splitlines() if line.startswith("{")]
    if answer.status != 0 or not lines:
        return {"problem": answer.last_line()}
    found: dict[str, object] = json.loads(lines[-1])
    return found
