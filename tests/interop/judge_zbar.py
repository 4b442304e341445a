"""zbar reads the QR code from licences drawn by poppler and by ofdrw."""

from collections.abc import Callable
from pathlib import Path

from exhibits import Exhibits
from judge_ofdrw import rendered_page
from PIL import Image, ImageDraw
from verdict import Verdict, need, run

JUDGE = "zbar"


def judge(exhibits: Exhibits, scratch: Path) -> list[Verdict]:
    """Read the code from the PDF page, from the OFD page, and from what is left when the code is covered."""
    zbarimg, pdftoppm = need("zbarimg", "zbar-tools"), need("pdftoppm", "poppler-utils")
    version = run([zbarimg, "--version"]).printed.strip()
    first, second = exhibits.licences[0], exhibits.licences[1]

    def drawn(pdf: Path, name: str) -> Path:
        run([pdftoppm, "-r", "200", "-png", "-singlefile", pdf, scratch / name])
        return scratch / f"{name}.png"

    def read(picture: Path) -> tuple[str, ...]:
        answer = run([zbarimg, "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", picture])
        return tuple(line for line in answer.printed.splitlines() if line)

    def verdict(judged: str, picture: Path) -> Verdict:
        found = read(picture) if picture.is_file() else ()
        tolerated = []
        if found and read(_covered(picture, scratch / f"{picture.stem}-covered.png", read)):
            tolerated.append("a covered code")
        if read(drawn(second.pdf, "other")) != (second.address,):
            tolerated.append("the code of another licence")
        return Verdict(
            judge=JUDGE,
            version=version,
            judged=judged,
            problem=None if found == (first.address,) else f"read {found or 'nothing'}, wanted {first.address}",
            tampered="a code half covered; the code of another licence reads as the other's",
            tolerated=tuple(tolerated),
        )

    return [
        verdict("QR code of the PDF page drawn by poppler is the verification address", drawn(first.pdf, "first")),
        verdict("QR code of the OFD page drawn by ofdrw is the verification address", rendered_page(exhibits)),
    ]


def _covered(picture: Path, to: Path, read: Callable[[Path], tuple[str, ...]]) -> Path:
    """A copy of the picture with the middle of its QR code painted over."""
    with Image.open(picture) as opened:
        page = opened.convert("L")
    trial = to.with_suffix(".trial.png")

    def readable(box: tuple[int, int, int, int]) -> bool:
        page.crop(box).save(trial)
        return bool(read(trial))

    left, top, right, bottom = _bounds(page.size, readable)
    width, height = right - left, bottom - top
    middle = (left + width // 4, top + height // 4, right - width // 4, bottom - height // 4)
    ImageDraw.Draw(page).rectangle(middle, fill=255)
    page.save(to)
    return to


def _bounds(size: tuple[int, int], readable: Callable[[tuple[int, int, int, int]], bool]) -> tuple[int, int, int, int]:
    """The smallest box, to a few pixels, that can still be read: each edge is moved inwards by bisection."""
    box = [0, 0, *size]
    for edge in range(4):
        kept, lost = box[edge], box[(edge + 2) % 4]
        while abs(lost - kept) > max(size) // 200:
            middle = (kept + lost) // 2
            trial = [*box[:edge], middle, *box[edge + 1 :]]
            if readable((trial[0], trial[1], trial[2], trial[3])):
                kept = middle
            else:
                lost = middle
        box[edge] = kept
    return box[0], box[1], box[2], box[3]
