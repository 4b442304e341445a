"""ofdrw opens, draws and verifies a sealed OFD.

It is the only judge here that is not packaged by Debian: Maven builds it from ``ofdrw/pom.xml``, whose versions are
pinned. Its container for GB/T 38540-2020 checks the references, the seal beside the signature, ``dataHash`` and the
SM2 signature value; it checks no certificate path, which is BouncyCastle's part.
"""

import json
import re
from pathlib import Path

from exhibits import Exhibits, altered_member, flipped
from verdict import Verdict, need, run

JUDGE = "ofdrw"
PROJECT = Path(__file__).with_name("ofdrw")


def judge(exhibits: Exhibits, scratch: Path) -> list[Verdict]:
    """Open and draw the first licence, verify its seal, and show the judge altered packages."""
    java = _build()
    version_found = re.search(r"<ofdrw.version>([^<]+)<", (PROJECT / "pom.xml").read_text(encoding="utf-8"))
    version = version_found.group(1) if version_found else "unknown"
    licence = exhibits.licences[0]
    page = rendered_page(exhibits)
    page.parent.mkdir(parents=True, exist_ok=True)
    answer = _ask(java, licence.ofd, page)
    opened = answer.get("pages") == 1 and answer.get("rendered") is True and answer.get("stamps") == 1
    altered = {
        "page content": altered_member(
            licence.ofd, scratch / "page.ofd", "Content.xml", lambda data: flipped(data, -20)
        ),
        "seal": altered_member(licence.ofd, scratch / "seal.ofd", "Seal.esl", lambda data: flipped(data, -1)),
        "Signature.xml": altered_member(licence.ofd, scratch / "signature.ofd", "Signature.xml", _another_space),
        "signature value": altered_member(
            licence.ofd, scratch / "value.ofd", "SignedValue.dat", lambda data: flipped(data, len(data) // 3)
        ),
    }
    tolerated = tuple(name for name, path in altered.items() if _ask(java, path).get("seal_valid") is True)
    return [
        Verdict(
            judge=JUDGE,
            version=version,
            judged="OFD opens, has one page and one stamp, page 1 rendered to PNG",
            problem=None if opened else str(answer),
            tampered="—",
        ),
        Verdict(
            judge=JUDGE,
            version=version,
            judged="OFD seal: every reference's SM3, Seal.esl, dataHash, SM2 signature (OFDValidator, SES V4)",
            problem=None if answer.get("seal_valid") is True else str(answer.get("problem")),
            tampered=", ".join(altered),
            tolerated=tolerated,
        ),
    ]


def rendered_page(exhibits: Exhibits) -> Path:
    """Where the drawn first page of the first licence is kept; another judge reads its QR code."""
    return exhibits.root / "interop" / "ofdrw-page-1.png"


def _another_space(xml: bytes) -> bytes:
    """The same XML with a blank more after its last element: nothing but the digest can tell."""
    return xml.rstrip() + b"  \n"


def _build() -> list[str]:
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
    path = f"{classes}:{classpath.read_text(encoding='utf-8').strip()}"
    return [java, "-Djava.awt.headless=true", "-cp", path, "org.xinyin.interop.OfdJudge"]


def _ask(java: list[str], *arguments: Path) -> dict[str, object]:
    answer = run([*java, *arguments], timeout=180)
    lines = [line for line in answer.output.splitlines() if line.startswith("{")]
    if answer.status != 0 or not lines:
        return {"problem": answer.last_line()}
    found: dict[str, object] = json.loads(lines[-1])
    return found
