"""Java programs as judges: Maven builds them from their ``pom.xml``, whose versions are pinned."""

import re
from dataclasses import dataclass
from pathlib import Path

from verdict import need, run


@dataclass(frozen=True, slots=True, kw_only=True)
class MavenProject:
    """A folder with a ``pom.xml`` and programs in the package ``org.xinyin.interop``."""

    folder: Path
    version_property: str
    """The property of ``pom.xml`` that pins the judge."""

    def version(self) -> str:
        """The version of the judge."""
        pom = (self.folder / "pom.xml").read_text(encoding="utf-8")
        found = re.search(rf"<{re.escape(self.version_property)}>([^<]+)<", pom)
        return found.group(1) if found else "unknown"

    def command(self, program: str) -> list[str]:
        """How to run a class, built anew where a source is newer than what was built.

        Raises:
            JudgeMissingError: without Maven or a JDK.
            RuntimeError: Maven could not build it; the message has the end of what it printed.
        """
        maven, java = need("mvn", "maven"), need("java", "default-jdk-headless")
        need("javac", "default-jdk-headless")
        target = self.folder / "target"
        classpath = target / "classpath"
        sources = [self.folder / "pom.xml", *self.folder.rglob("*.java")]
        if not classpath.is_file() or any(source.stat().st_mtime > classpath.stat().st_mtime for source in sources):
            goals = ("compile", "dependency:build-classpath", "-Dmdep.outputFile=target/classpath")
            built = run([maven, "-B", "-q", *goals], cwd=self.folder, timeout=600)
            if built.status != 0:
                message = f"Maven could not build the judge: {built.output[-600:]}"
                raise RuntimeError(message)
            classpath.touch()
        path = f"{target / 'classes'}:{classpath.read_text(encoding='utf-8').strip()}"
        return [java, "-Djava.awt.headless=true", "-cp", path, f"org.xinyin.interop.{program}"]
