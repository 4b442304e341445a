"""ofdrw and poppler draw the pages that we draw: the pictures have to agree.

ofdrw draws the OFD; poppler draws the PDF that ``ofd.convert.ofd_to_pdf`` makes of it. Both pictures are brought down
to cells of two millimetres, in which the smoothing of edges is gone, and the average difference of all cells is taken:
0 the same, 255 the opposite. The same drawing makes 0.4 to 0.6, one without the seal at least 1.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import ofdrw_peer
from exhibits import Exhibits
from PIL import Image, ImageChops, ImageStat
from verdict import Verdict, need, run

from ofd.convert.ofd_to_pdf import ofd_to_pdf
from ofd.draw.page import sealed_scene
from ofd.draw.png import to_picture
from ofd.draw.scene import Scene
from ofd.draw.seals import Seals
from ofd.fonts.library import installed_fonts
from ofd.model.document import Document

TOLERANCE = 0.8
CELL = 16
"""Pixels of two millimetres."""
EACH = 30
"""One licence of so many is drawn."""
DOTS_PER_INCH = 8 * 25.4


def judge(exhibits: Exhibits, scratch: Path) -> list[Verdict]:
    """Compare the drawings of the first page of some licences."""
    return [_ofdrw(exhibits, scratch), _poppler(exhibits, scratch)]


def _ofdrw(exhibits: Exhibits, scratch: Path) -> Verdict:
    worst, tolerated = 0.0, set[str]()
    for licence in exhibits.licences[::EACH]:
        page = scratch / f"{licence.identifier}.png"
        answer = ofdrw_peer.ask(licence.ofd, "v4", page)
        if answer.get("rendered") is not True:
            return _verdict("ofdrw", ofdrw_peer.PROJECT.version(), str(answer), ())
        found, missed = _compare(licence.ofd.read_bytes(), page)
        worst = max(worst, found)
        tolerated |= missed
    problem = None if worst <= TOLERANCE else f"the drawings differ by {worst:.2f}"
    return _verdict("ofdrw", ofdrw_peer.PROJECT.version(), problem, sorted(tolerated))


def _poppler(exhibits: Exhibits, scratch: Path) -> Verdict:
    program = need("pdftoppm", "poppler-utils")
    version = run([program, "-v"]).output.splitlines()[0].removeprefix("pdftoppm version ")
    worst, tolerated = 0.0, set[str]()
    for licence in exhibits.licences[::EACH]:
        pdf = io.BytesIO()
        ofd_to_pdf(licence.ofd, pdf, pages=[0])
        source, target = scratch / "page.pdf", scratch / "page"
        source.write_bytes(pdf.getvalue())
        answer = run([program, "-r", str(DOTS_PER_INCH), "-png", "-singlefile", source, target])
        if answer.status != 0 or answer.complaints.strip():
            return _verdict("poppler", version, answer.last_line(), ())
        found, missed = _compare(licence.ofd.read_bytes(), target.with_suffix(".png"))
        worst = max(worst, found)
        tolerated |= missed
    problem = None if worst <= TOLERANCE else f"the drawings differ by {worst:.2f}"
    return _verdict("poppler", version, problem, sorted(tolerated))


def _compare(package: bytes, theirs: Path) -> tuple[float, set[str]]:
    """How far our drawing is from theirs, and which altered drawings are as near."""
    fonts = installed_fonts()
    document = Document.open(package)
    scene = sealed_scene(document, 0, fonts=fonts, seals=Seals(document, fonts=fonts))
    bare = sealed_scene(document, 0, fonts=fonts, seals=None)
    drawings = {
        "seal missing": bare,
        "moved by 1 mm": Scene(area=scene.area._replace(x=scene.area.x + 1), items=scene.items),
    }
    with Image.open(theirs) as opened:
        page = opened.convert("RGB")
    missed = {name for name, altered in drawings.items() if _difference(altered, page) <= TOLERANCE}
    return _difference(scene, page), missed


def _difference(scene: Scene, page: Image.Image) -> float:
    drawn = to_picture(scene, dpi=DOTS_PER_INCH)
    if abs(drawn.width - page.width) > 1 or abs(drawn.height - page.height) > 1:
        return 255.0
    size = (min(drawn.width, page.width), min(drawn.height, page.height))
    ours, theirs = (picture.crop((0, 0, *size)).reduce(CELL) for picture in (drawn.convert("RGB"), page))
    difference = ImageChops.difference(ours, theirs)
    return sum(ImageStat.Stat(difference).mean) / 3


def _verdict(judge_name: str, version: str, problem: str | None, tolerated: Sequence[str]) -> Verdict:
    source = "the OFD" if judge_name == "ofdrw" else "the PDF made of the OFD"
    return Verdict(
        judge=judge_name,
        version=version,
        judged=f"page 1 of some licences, drawn from {source}, beside our PNG: difference ≤ {TOLERANCE} of 255",
        problem=problem,
        tampered="seal missing, moved by 1 mm",
        tolerated=tuple(tolerated),
    )
