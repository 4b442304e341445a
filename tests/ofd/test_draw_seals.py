import io
import zipfile
from datetime import timedelta

import pytest

from ofd.build.document import DocumentBuilder
from ofd.draw.page import sealed_scene
from ofd.draw.png import to_picture
from ofd.draw.scene import BlendMode, Group, ImageItem, OriginKind, PathItem, Scene
from ofd.draw.seals import Seals
from ofd.draw.svg import to_svg
from ofd.fonts.faces import find_fonts
from ofd.fonts.library import installed_fonts
from ofd.geometry import IDENTITY, Box
from ofd.model.document import Document
from ofd.ses.encode import encode_seal, encode_seal_info
from ofd.ses.structure import Picture
from ofd.sign.seal import prepare
from ofd.sign.stamps import StampAnnotation

from support.ofd_samples import SIGNED_AT, SM2_SM3, Pki, sample_document, unpack
from support.scenes import BLACK, difference, picture

SVG_SEAL = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 40">'
    b'<ellipse cx="30" cy="20" rx="25" ry="15" fill="#dd7070"/><path d="M0 0H15V10H0z" fill="#00a000"/></svg>'
)
STAMP = Box(100, 200, 60, 40)


def ofd_seal() -> bytes:
    """The same picture as a document of its own, with a font and an image inside."""
    builder = DocumentBuilder(
        doc_id="1" * 32, title="seal", created=SIGNED_AT, fonts=find_fonts(), page_size_mm=(30, 20)
    )
    page = builder.page()
    page.image(picture("PNG"), box_mm=(0, 0, 30, 20))
    page.text("印", x_mm=14, y_mm=11, size_mm=3)
    return builder.to_bytes()


PICTURES = {
    "PNG": picture("PNG"),
    "png": picture("PNG", "RGBA"),
    "JPG": picture("JPEG"),
    "GIF": picture("GIF", "P"),
    "BMP": picture("BMP"),
    "SVG": SVG_SEAL,
    "ofd": ofd_seal(),
}


def seal(pki: Pki, kind: str, data: bytes) -> bytes:
    info = encode_seal_info(
        vendor="Xinyin",
        seal_code="11010800000001",
        name="某市市场监督管理局",
        certificates=[pki.signer.certificate.der],
        created=SIGNED_AT,
        valid_from=SIGNED_AT,
        valid_until=SIGNED_AT + timedelta(days=300),
        picture=Picture(type=kind, data=data, width_mm=30, height_mm=20),
    )
    return encode_seal(
        info,
        certificate_der=pki.maker.certificate.der,
        signature_algorithm_oid=SM2_SM3,
        signature_der=pki.maker.signer.sign(info),
    )


def sealed_with(pki: Pki, kind: str, data: bytes, *, clip: tuple[float, float, float, float] | None = None) -> bytes:
    stamp = StampAnnotation(
        page=0, x_mm=STAMP.x, y_mm=STAMP.y, width_mm=STAMP.width, height_mm=STAMP.height, clip_mm=clip
    )
    prepared = prepare(
        sample_document(), seal_der=seal(pki, kind, data), stamps=[stamp], at=SIGNED_AT, certificates=[], crls=[]
    )
    return prepared.complete(pki.signer.signer.sign(prepared.to_be_signed), pki.signer.certificate.der)


def drawn(package: bytes, page: int = 0) -> tuple[Scene, Seals]:
    document = Document.open(package)
    seals = Seals(document, fonts=installed_fonts())
    return sealed_scene(document, page, fonts=installed_fonts(), seals=seals), seals


def seals_of(scene: Scene) -> list[Group]:
    return [item for item in scene.items if isinstance(item, Group) and item.origin.kind is OriginKind.SEAL]


@pytest.mark.parametrize("kind", list(PICTURES))
def test_a_seal_of_any_picture_stands_in_its_stamp(pki: Pki, kind: str) -> None:
    scene, seals = drawn(sealed_with(pki, kind, PICTURES[kind]))
    assert not seals.warnings
    (group,) = seals_of(scene)
    assert group is scene.items[-1], "above everything"
    assert group.origin.part == "Doc_0/Signs/Sign_0/SignedValue.dat"
    page = to_picture(Scene(area=STAMP, items=(group,)), dpi=50.8)
    expected, _ = drawn(sealed_with(pki, "PNG", picture("PNG")))
    same = to_picture(Scene(area=STAMP, items=tuple(seals_of(expected))), dpi=50.8)
    assert difference(page, same) < 8, "the same picture, however it is coded"
    red = page.getpixel((80, 20))
    assert isinstance(red, tuple)
    assert red[0] > 180
    assert red[1] < 140


def test_a_seal_is_clipped(pki: Pki) -> None:
    scene, _ = drawn(sealed_with(pki, "PNG", PICTURES["PNG"], clip=(0, 0, 15, 40)))
    shown = to_picture(Scene(area=STAMP, items=tuple(seals_of(scene))), dpi=25.4)
    assert shown.getpixel((5, 5)) == (0, 160, 0)
    assert shown.crop((16, 0, 60, 40)).convert("L").getextrema() == (255, 255)


def test_the_white_of_a_seal_hides_nothing(pki: Pki) -> None:
    scene, _ = drawn(sealed_with(pki, "BMP", picture("BMP")))
    (group,) = seals_of(scene)
    assert group.blend is BlendMode.MULTIPLY
    ink = PathItem(path=STAMP.path(), matrix=IDENTITY, fill=BLACK, origin=group.origin)
    covered = to_picture(Scene(area=STAMP, items=(ink, group)), dpi=25.4)
    assert covered.convert("L").getextrema() == (0, 0)


def test_pages_without_stamps_have_no_seals(pki: Pki) -> None:
    scene, _ = drawn(sealed_with(pki, "PNG", PICTURES["PNG"]), page=1)
    assert not seals_of(scene)


def test_a_seal_in_svg_pages_can_be_clicked(pki: Pki) -> None:
    scene, _ = drawn(sealed_with(pki, "ofd", PICTURES["ofd"]))
    assert to_svg(scene).count('data-kind="seal"') == 1


def test_the_pictures_of_a_document_inside_get_names_of_their_own(pki: Pki) -> None:
    scene, _ = drawn(sealed_with(pki, "ofd", PICTURES["ofd"]))
    names = {item.image.name for group in seals_of(scene) for item in _images(group)}
    assert names
    assert all(name.startswith("Doc_0/Signs/Sign_0/SignedValue.dat#picture/") for name in names)


@pytest.mark.parametrize("data", [b"no picture", b"PK\x03\x04nothing", SVG_SEAL[:40], picture("PNG")[:20]])
def test_a_picture_that_cannot_be_drawn_is_a_warning(pki: Pki, data: bytes) -> None:
    scene, seals = drawn(sealed_with(pki, "PNG", data))
    assert not seals_of(scene)
    assert [warning.code for warning in seals.warnings] == ["ofd.draw.seal-picture"]


@pytest.mark.parametrize("part", ["Signatures.xml", "Signature.xml", "SignedValue.dat"])
@pytest.mark.parametrize("damage", [b"", b"\x30\x03\x02\x01\x01", b"<a>", None])
def test_damaged_signatures_are_warnings(pki: Pki, part: str, damage: bytes | None) -> None:
    entries = unpack(sealed_with(pki, "PNG", PICTURES["PNG"]))
    for name in list(entries):
        if name.endswith(("/" + part, "Seal.esl")):
            del entries[name]
            if damage is not None and name.endswith(part):
                entries[name] = damage
    scene, seals = drawn(_packed(entries))
    assert not seals_of(scene)
    assert seals.warnings or part == "Signatures.xml"


def test_a_seal_file_stands_in_for_a_value_that_cannot_be_read(pki: Pki) -> None:
    entries = unpack(sealed_with(pki, "PNG", PICTURES["PNG"]))
    entries["Doc_0/Signs/Sign_0/SignedValue.dat"] = b"\x30\x00"
    scene, _ = drawn(_packed(entries))
    assert len(seals_of(scene)) == 1


def _images(group: Group) -> list[ImageItem]:
    found: list[ImageItem] = []
    for item in group.items:
        found += _images(item) if isinstance(item, Group) else [item] if isinstance(item, ImageItem) else []
    return found


def _packed(entries: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        for name, data in entries.items():
            package.writestr(name, data)
    return out.getvalue()
