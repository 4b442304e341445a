"""Where the seal shows on the page, judged by a renderer."""

import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import copy_into_new_writer

from seal_service.core.placement import Placement
from seal_service.pdf.verify import verify_pdf
from trustcore.report import Verdict

from support.seal_suite import Suite, make_pdf

DPI = 36
PLACE = Placement(page=2, x_mm=30, y_mm=50, width_mm=42, height_mm=42)


def _with_page(pdf: bytes, **entries: generic.PdfObject) -> bytes:
    """The document with entries added to its second page."""
    writer = IncrementalPdfFileWriter(BytesIO(pdf))
    reference, _ = writer.find_page_for_modification(1)
    page = reference.get_object()
    for name, value in entries.items():
        page[generic.pdf_name(f"/{name}")] = value
    writer.mark_update(reference)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def _redness(pdf: bytes, folder: Path) -> Image.Image:
    """How red each pixel of the second page is."""
    folder.mkdir(exist_ok=True)
    (folder / "in.pdf").write_bytes(pdf)
    command = ["pdftoppm", "-r", str(DPI), "-f", "2", "-l", "2", "-cropbox", "-png", "in.pdf", "out"]
    subprocess.run(command, cwd=folder, check=True)
    red, green, _ = Image.open(next(folder.glob("out*.png"))).convert("RGB").split()
    return ImageChops.subtract(red, green)


def _red_box_mm(pdf: bytes, folder: Path) -> tuple[float, ...]:
    """Edges of all that is red on the second page: left, top, right, bottom."""
    box = _redness(pdf, folder).point(lambda value: 255 * (value > 60)).getbbox()
    assert box is not None
    return tuple(edge / DPI * 25.4 for edge in box)


def _unlikeness(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of two pictures of the seal, 0 to 255."""
    shown = [
        picture.crop(picture.point(lambda v: 255 * (v > 60)).getbbox()).resize((56, 56)) for picture in (one, other)
    ]
    return float(ImageStat.Stat(ImageChops.difference(*shown)).mean[0])


def _numbers(*values: float) -> generic.ArrayObject:
    return generic.ArrayObject(generic.FloatObject(value) for value in values)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("cropped", [False, True])
def test_the_seal_shows_upright_at_its_place_on_turned_and_cropped_pages(
    shared: Suite, tmp_path: Path, rotation: int, cropped: bool
) -> None:
    entries: dict[str, generic.PdfObject] = {"Rotate": generic.NumberObject(rotation)}
    if cropped:
        entries["CropBox"] = _numbers(60, 40, 500, 700)
    pdf = _with_page(make_pdf(pages=2), **entries)
    sealed = shared.service.stamp_pdf(shared.seal.id, pdf, form="pades", placement=PLACE)
    assert _red_box_mm(sealed, tmp_path / "turned") == pytest.approx((30, 50, 72, 92), abs=1.5)
    plain = shared.service.stamp_pdf(shared.seal.id, make_pdf(pages=2), form="pades", placement=PLACE)
    upright = _redness(plain, tmp_path / "plain")
    turned = _redness(sealed, tmp_path / "turned")
    assert _unlikeness(upright, turned) < _unlikeness(upright.rotate(90, expand=True), turned) / 2


def test_an_invisible_seal_shows_nowhere(shared: Suite, tmp_path: Path) -> None:
    sealed = shared.service.stamp_pdf(shared.seal.id, make_pdf(pages=2), form="pades", placement=None)
    with pytest.raises(AssertionError):
        _red_box_mm(sealed, tmp_path)


@pytest.mark.parametrize("form", ["pades", "gm"])
def test_a_document_with_object_streams_is_sealed_and_verified(shared: Suite, tmp_path: Path, form: str) -> None:
    writer = copy_into_new_writer(PdfFileReader(BytesIO(make_pdf(pages=2))))
    writer.stream_xrefs = True
    out = BytesIO()
    writer.write(out)
    assert b"/Type /XRef" in out.getvalue()
    sealed = shared.service.stamp_pdf(shared.seal.id, out.getvalue(), form=form, placement=PLACE)
    assert verify_pdf(sealed, shared.policy()).verdict is Verdict.VALID
    assert _red_box_mm(sealed, tmp_path) == pytest.approx((30, 50, 72, 92), abs=1.5)
