"""Documents too large for memory, and what is done to them, each step in a process of its own that tells its memory.

``python -m support.large_documents STEP FILE …`` takes one step and prints JSON: seconds, and by how many octets the
most memory that the process ever had in use exceeds what a bare interpreter has. What a step needs is imported by it
alone, since code takes memory too.
"""
# ruff: noqa: PLC0415

import io
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
KEYWORD = "盖章处"
_NOISE_OCTETS_PER_PIXEL = 0.917
"""What a pixel of noise takes as JPEG of quality 90."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """How a step went."""

    step: str
    seconds: float
    peak_octets: int
    """Resident memory at the most, above that of a bare interpreter."""
    answer: object
    """What the step found."""


def take(step: str, *arguments: object) -> Measured:
    """Take a step in a new process.

    Raises:
        CalledProcessError: the step failed; it said why on standard error.
    """
    command = [sys.executable, "-m", "support.large_documents", step, *map(str, arguments)]
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PATH": "/usr/bin:/bin", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
    answer = json.loads(done.stdout)
    return Measured(
        step=step,
        seconds=answer["seconds"],
        peak_octets=answer["peak"] - _bare_interpreter(),
        answer=answer["answer"],
    )


def most_resident() -> int:
    """The most memory that was ever resident in this process, octets (Linux).

    ``getrusage`` is no good for that: a new process inherits the figure of the one that started it.
    """
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024


def _bare_interpreter() -> int:
    """The same of an interpreter that does nothing."""
    code = "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM:')).split()[1])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return int(done.stdout) * 1024


def build(file: str, pages: str, octets: str) -> object:
    """A document of so many pages, each with text, and one picture of noise on each: so many octets together."""
    from ofd.build.document import DocumentBuilder
    from ofd.fonts.faces import find_fonts
    from ofd.package.reader import PackageWriter

    from support.ofd_samples import SIGNED_AT

    count = int(pages)
    rng = random.Random(4)  # noqa: S311 - noise
    side = max(int((int(octets) / count / _NOISE_OCTETS_PER_PIXEL) ** 0.5), 8)
    with PackageWriter(file) as writer:
        builder = DocumentBuilder(
            doc_id="0123456789abcdef0123456789abcdef",
            title="长文档",
            created=SIGNED_AT,
            fonts=find_fonts(),
            writer=writer,
        )
        for number in range(1, count + 1):
            page = builder.page()
            page.text(f"第 {number} 页，共 {count} 页", x_mm=20, y_mm=20, size_mm=5)
            for line in range(30):
                page.text(f"第 {line} 行：本页的内容受电子印章保护。", x_mm=20, y_mm=30 + 4 * line, size_mm=3.5)
            if number == count:
                page.text(KEYWORD, x_mm=120, y_mm=280, size_mm=5)
            picture = io.BytesIO()
            Image.frombytes("RGB", (side, side), rng.randbytes(3 * side * side)).save(picture, "JPEG", quality=90)
            page.image(picture.getvalue(), box_mm=(20, 160, 100, 100))
            builder.flush()
        builder.finish()
    return Path(file).stat().st_size


def look(file: str) -> object:
    """Open the document and count its pages."""
    from ofd.model.document import Document

    with Document.open(Path(file)) as document:
        return len(document.pages)


def find(file: str) -> object:
    """Search all pages for the keyword."""
    from ofd.model.document import Document
    from ofd.text.search import search

    with Document.open(Path(file)) as document:
        return [[hit.page, hit.text] for hit in search(document, KEYWORD)]


def render(file: str, page: str) -> object:
    """Draw one page."""
    from ofd.draw.interpret import page_scene
    from ofd.draw.png import to_png
    from ofd.fonts.library import installed_fonts
    from ofd.model.document import Document

    with Document.open(Path(file)) as document:
        png = to_png(page_scene(document, int(page), fonts=installed_fonts()), dpi=96)
    with Image.open(io.BytesIO(png)) as image:
        return image.size


def seal(file: str, target: str) -> object:
    """Seal the document into another file."""
    from ofd.package.reader import Package
    from ofd.sign.seal import prepare
    from ofd.sign.stamps import StampAnnotation

    from support.ofd_samples import SIGNED_AT, make_seal, sample_pki

    pki = sample_pki()
    with Package.open(file) as package:
        prepared = prepare(
            package,
            seal_der=make_seal(pki),
            stamps=[StampAnnotation(page=0, x_mm=150, y_mm=230)],
            at=SIGNED_AT,
            certificates=[pki.issuing.certificate.der],
            crls=pki.crls,
        )
        prepared.complete_to(target, pki.signer.signer.sign(prepared.to_be_signed), pki.signer.certificate.der)
    # The keys live as long as the process: what is to be verified elsewhere needs the root.
    Path(f"{target}.root").write_bytes(pki.root.certificate.pem)
    return Path(target).stat().st_size


def verify(file: str) -> object:
    """Verify the sealed document; answers with the verdict and the codes of what is not in order."""
    from ofd.package.reader import Package
    from ofd.verify.document import VerificationPolicy
    from ofd.verify.document import verify as verify_document
    from trustcore.report import Status
    from trustcore.x509.certificate import load_pem_bundle

    from support.ofd_samples import SIGNED_AT

    roots = load_pem_bundle(Path(f"{file}.root").read_bytes())
    with Package.open(file) as package:
        report = verify_document(package, VerificationPolicy(roots=roots, at=SIGNED_AT + timedelta(days=1)))
    return [report.verdict, sorted({step.code for step in report.steps if step.status is not Status.PASSED})]


def change(file: str, target: str) -> object:
    """Write the document with one more small file."""
    from ofd.package.reader import Limits, Package

    with Package.open(file, limits=Limits(total_bytes=4 * 1024**3, entry_bytes=2 * 1024**3)) as package:
        package.write_to(target, {"Doc_0/note.txt": b"small"})
    return Path(target).stat().st_size


def convert(file: str, target: str) -> object:
    """Write the document as PDF."""
    from ofd.convert.ofd_to_pdf import ofd_to_pdf

    with Path(target).open("wb") as out:
        ofd_to_pdf(Path(file), out)
    return Path(target).stat().st_size


STEPS: dict[str, Callable[..., object]] = {
    step.__name__: step for step in (build, look, find, render, seal, verify, change, convert)
}


def main(step: str, *arguments: str) -> None:
    """Take a step and print what it took."""
    started = time.perf_counter()
    answer = STEPS[step](*arguments)
    peak = most_resident()
    json.dump({"seconds": time.perf_counter() - started, "peak": peak, "answer": answer}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
