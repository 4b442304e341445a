"""What of a page is signed, object by object, and the picture that marks the rest."""

import io
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
from PIL import Image

from ofd.draw.png import to_png
from ofd.draw.scene import OriginKind
from ofd.fonts.library import FontLibrary
from ofd.model.document import Document
from ofd.package.reader import write_package
from ofd.sign.parts import SignatureDescription
from ofd.verify.coverage_picture import marked_scene
from ofd.verify.document import examine
from ofd.verify.page_coverage import Cover, PageCoverage, page_coverage

from support.ofd_samples import SIGNED_AT, Pki, issue, make_keys, sample_document, seal_by_force, unpack
from support.ofd_signing import archive_value, attributes_value, seal_value, sign_anyhow

PAGE = "Doc_0/Pages/Page_0/Content.xml"
TEMPLATE = "Doc_0/Tpls/Tpl_0/Content.xml"


@cache
def fonts() -> FontLibrary:
    return FontLibrary()


def covered(pki: Pki, data: bytes, index: int = 0, *, signature: str | None = None) -> PageCoverage:
    result = examine(data, pki.policy())
    return page_coverage(Document.open(data), index, result, fonts=fonts(), signature=signature)


def left_out(*names: str) -> Callable[[SignatureDescription], SignatureDescription]:
    return lambda description: replace(
        description, references=tuple(item for item in description.references if item.name not in names)
    )


def color_at(coverage: PageCoverage, x_mm: float, y_mm: float) -> tuple[int, int, int]:
    dpi = 50
    picture = Image.open(io.BytesIO(to_png(marked_scene(coverage), dpi=dpi))).convert("RGB")
    pixel = picture.getpixel((round(x_mm * dpi / 25.4), round(y_mm * dpi / 25.4)))
    assert isinstance(pixel, tuple)
    return pixel[0], pixel[1], pixel[2]


def is_reddish(color: tuple[int, int, int]) -> bool:
    return color[0] > color[1] + 40 and color[0] > color[2] + 40


def is_greenish(color: tuple[int, int, int]) -> bool:
    return color[1] > color[0] + 30 and color[1] > color[2] + 15


def test_a_page_that_is_signed_has_no_mark_and_a_green_frame(pki: Pki, sealed: bytes) -> None:
    for index in (0, 1):
        coverage = covered(pki, sealed, index)
        assert coverage.is_covered
        assert coverage.marked == ()
        assert coverage.objects > 0
        assert is_greenish(color_at(coverage, 0.6, 100))


def test_the_objects_of_an_unsigned_template_are_marked_and_no_others(pki: Pki) -> None:
    coverage = covered(pki, seal_by_force(pki, sample_document(), change=left_out(TEMPLATE)))
    assert {(item.kind, item.part, item.cover) for item in coverage.marked} == {
        (OriginKind.TEMPLATE, TEMPLATE, Cover.UNSIGNED)
    }
    assert all(item.because == (TEMPLATE,) for item in coverage.marked)
    line = coverage.marked[0].box
    assert line.x == pytest.approx(10, abs=1)
    assert line.y == pytest.approx(10, abs=1)
    assert line.width == pytest.approx(190, abs=2)
    assert is_reddish(color_at(coverage, 100, 9.7))
    assert color_at(coverage, 100, 150) == (255, 255, 255)
    assert is_reddish(color_at(coverage, 0.6, 100))


def test_an_unsigned_picture_and_an_unsigned_font_are_marked_where_they_are_used(pki: Pki) -> None:
    names = unpack(sample_document())
    picture = next(name for name in names if name.endswith(".png"))
    coverage = covered(pki, seal_by_force(pki, sample_document(), change=left_out(picture)))
    (image,) = coverage.marked
    assert image.because == (picture,)
    assert (image.box.x, image.box.y) == (pytest.approx(150, abs=0.1), pytest.approx(200, abs=0.1))
    font = next(name for name in names if name.endswith(".ttf"))
    coverage = covered(pki, seal_by_force(pki, sample_document(), change=left_out(font)))
    assert coverage.marked
    assert all(item.because == (font,) and item.part == PAGE for item in coverage.marked)


def test_a_page_that_was_changed_is_red_as_a_whole(pki: Pki, sealed: bytes) -> None:
    files = unpack(sealed)
    files[PAGE] += b" "
    coverage = covered(pki, write_package(files))
    assert not coverage.is_covered
    assert coverage.open_chain == (PAGE,)
    assert is_reddish(color_at(coverage, 100, 150))
    assert covered(pki, write_package(files), 1).is_covered


def test_a_seal_that_is_sound_is_signed_by_itself(pki: Pki, sealed: bytes) -> None:
    coverage = covered(pki, sealed)
    kinds = {item.origin.kind for item in coverage.scene.items}
    assert OriginKind.SEAL in kinds
    assert coverage.is_covered


def test_what_a_later_signature_added_is_amber_for_the_first_and_signed_for_the_last(pki: Pki, document: bytes) -> None:
    first = sign_anyhow(document, seal_value(pki), closed=False, left_out=[TEMPLATE])
    data = sign_anyhow(first, seal_value(pki))
    by_first = covered(pki, data, signature="s001")
    assert {(item.kind, item.cover, item.by) for item in by_first.marked} == {
        (OriginKind.TEMPLATE, Cover.LATER, "s011"),
        (OriginKind.SEAL, Cover.LATER, "s011"),
    }
    red, green, blue = color_at(by_first, 0.6, 100)
    assert red > green > blue
    assert covered(pki, data, signature="s011").is_covered


def test_without_a_sound_signature_nothing_is_signed(pki: Pki, document: bytes, sealed: bytes) -> None:
    assert not covered(pki, document).is_covered
    files = unpack(sealed)
    files["Doc_0/Signs/Sign_0/Signature.xml"] += b" "
    assert covered(pki, write_package(files)).open_chain == ("Doc_0/Document.xml", PAGE)
    assert covered(pki, sealed, signature="unknown").open_chain == ("Doc_0/Document.xml", PAGE)


def test_what_a_pattern_is_made_of_is_marked_where_the_pattern_is(pki: Pki) -> None:
    files = unpack(sample_document())
    found = re.search(rb'ImageObject[^>]* ResourceID="(\d+)"', files[PAGE])
    assert found is not None
    figure = (
        b'<ofd:PathObject ID="900" Boundary="20 100 30 30" Fill="true" Stroke="false"><ofd:FillColor>'
        b'<ofd:Pattern Width="5" Height="5"><ofd:CellContent><ofd:ImageObject ID="901" Boundary="0 0 4 4" '
        b'ResourceID="%s"/></ofd:CellContent></ofd:Pattern></ofd:FillColor>'
        b"<ofd:AbbreviatedData>M 0 0 L 30 0 L 30 30 L 0 30 C</ofd:AbbreviatedData></ofd:PathObject></ofd:Layer>"
    ) % found[1]
    files[PAGE] = files[PAGE].replace(b"</ofd:Layer>", figure, 1)
    picture = next(name for name in files if name.endswith(".png"))
    data = seal_by_force(pki, write_package(files), change=left_out(picture))
    marked = {item.object_id: item.because for item in covered(pki, data).marked}
    assert marked["900"] == (picture,)


def test_a_signature_of_nobody_known_signs_nothing(pki: Pki, document: bytes) -> None:
    """Whoever made another document of it may sign that with a key of their own, and have it time-stamped."""
    keys = make_keys()
    authority = issue(keys, "Own Root", issuer=None, serial=1, ca=True)
    own = replace(pki, issuing=authority, signer=issue(keys, "Own", issuer=authority, serial=2))
    for value in (attributes_value(own), archive_value(pki.tsa, at=SIGNED_AT)):
        data = sign_anyhow(document, value, kind="Sign")
        coverage = covered(pki, data)
        assert not coverage.is_covered
        assert is_reddish(color_at(coverage, 100, 150))
    assert covered(pki, sign_anyhow(document, attributes_value(pki), kind="Sign")).is_covered
