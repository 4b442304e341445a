"""ofdrw as a program that can be asked: Maven builds it from ``ofdrw/pom.xml``, whose versions are pinned."""

import json
import re
from pathlib import Path

from verdict import need, run

PROJECT = Path(__file__).with_name("ofdrw")


def version() -> str:
    """The version of ofdrw that is pinned."""
    found = re.search(r"<ofdrw.version>([^<]+)<", (PROJECT / "pom.xml").read_text(encoding="utf-8"))
    return found.group(1) if found else "unknown"


def command(program: str) -> list[str]:
    """How to run a class of ``org.xinyin.interop``, built anew where its sources are newer.

    Raises:
        JudgeMissingError: without Maven or a JDK.
        RuntimeError: Maven could not build it; the message has the end of what it printed.
    """
    maven, java = need("mvn", "maven"), need("java", "default-jdk-headless")
    need("javac", "default-jdk-headless")
    classpath, classes = PROJECT / "target" / "classpath", PROJECT / "target" / "classes"
    sources = [PROJECT / "pom.xml", *PROJECT.rglob("*.java")]
    if not classpath.is_file() or any(source.stat().st_mtime > classpath.stat().st_mtime for source in sources):
        goals = ("compile", "dependency:build-classpath", "-Dmdep.outputFile=target/classpath")
        built = run([maven, "-B", "-q", *goals], cwd=PROJECT, timeout=600)
        if built.status != 0:
            message = f"Maven could not build the judge: {built.output[-600:]}"
            raise RuntimeError(message)
        classpath.touch()
    path = f"{classes}:{classpath.read_text(encoding='utf-8').strip()}"
    return [java, "-Djava.awt.headless=true", "-cp", path, f"org.xinyin.interop.{program}"]


def ask(*arguments: str | Path) -> dict[str, object]:
    """What ``OfdJudge`` says of a file; ``problem`` holds its last words when it says nothing."""
    answer = run([*command("OfdJudge"), *arguments], timeout=180)
    lines = [line for line in answer.output.splitlines() if line.startswith("{")]
    if answer.status != 0 or not lines:
        return {"problem": answer.last_line()}
    found: dict[str, object] = json.loads(lines[-1])
    return found
