"""Whatever this library writes breaks no rule of the standard, and can be archived."""

from datetime import UTC, datetime

import pytest

from ofd.build.document import DocumentBuilder
from ofd.convert.pdf_to_ofd import pdf_to_ofd
from ofd.fonts.faces import find_fonts
from ofd.lint.archive_convert import to_archive
from ofd.lint.run import lint

from support import pdf_samples
from support.scenes import everything

CREATED = datetime(2026, 1, 1, tzinfo=UTC)
SAMPLES = (
    "paths", "clips", "colors", "gradients", "tilings", "images", "transparency", "standard_fonts", "compact_fonts",
    "type3_fonts", "named_fonts", "vertical_text", "annotations",
)  # fmt: skip


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_converted_pdf_breaks_no_rule(sample: str) -> None:
    data = pdf_to_ofd(getattr(pdf_samples, sample)(), doc_id="0" * 32, created=CREATED).data
    assert lint(data).is_clean, lint(data).findings


def test_every_item_of_a_scene_is_written_without_breaking_a_rule() -> None:
    builder = DocumentBuilder(doc_id="0" * 32, title="x", created=CREATED, fonts=find_fonts())
    page = builder.page()
    for item in everything().items:
        page.draw(item)
    data = builder.to_bytes()
    assert lint(data).is_clean, lint(data).findings
    archived = to_archive(data)
    assert archived.left.is_clean, archived.left.findings
    assert lint(archived.data).is_clean
