"""What a fuzzer feeds (documents, seals, fonts, pictures, PDFs), and what it feeds it to: every public entry of ofd."""

import io
import os
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from random import Random

import pikepdf

from ofd.build.annotations import AnnotationType
from ofd.build.document import DocumentBuilder, Placement, destination
from ofd.build.editing import DocumentEditor
from ofd.build.merging import Selection, merge
from ofd.build.watermarks import Watermark
from ofd.cli.info import describe
from ofd.compare.document import compare, since_signature
from ofd.convert.images_to_ofd import images_to_ofd
from ofd.convert.ofd_to_pdf import ofd_to_pdf
from ofd.convert.pdf_to_ofd import pdf_to_ofd
from ofd.draw.images import decode, picture_kind, picture_size, web_picture
from ofd.draw.page import sealed_scene
from ofd.draw.png import to_png
from ofd.draw.scene import Scene
from ofd.draw.seals import Seals
from ofd.draw.svg import to_svg
from ofd.fonts.faces import FontFace, find_fonts
from ofd.fonts.library import installed_fonts
from ofd.gmt0099.encryption import decrypt, encrypt, is_encrypted
from ofd.gmt0099.integrity import verify_list
from ofd.gmt0099.keys import PasswordOpener, PasswordRecipient
from ofd.lint.archive import check_archive
from ofd.lint.archive_convert import to_archive
from ofd.lint.repair import repair
from ofd.lint.run import lint
from ofd.model.actions import Action, GotoAction, UriAction
from ofd.model.document import Document
from ofd.model.info import Info
from ofd.model.navigation import Bookmark, OutlineItem
from ofd.package.differential import find_differences
from ofd.package.reader import Package, write_package
from ofd.ses.structure import Seal, SealSignature
from ofd.ses.verify import seal_facts
from ofd.sign.plain import PlainSignature
from ofd.text.extract import page_text
from ofd.text.search import search
from ofd.verify.coverage_picture import marked_scene
from ofd.verify.document import Verification, examine
from ofd.verify.forms import coverage_form, detailed_form, simple_form
from ofd.verify.page_coverage import page_coverage
from ofd.viewer.responding import responder
from ofd.viewer.view import DocumentView
from trustcore.errors import TrustError
from trustcore.x509.gm_signed_data import GmSignedData

from support import ofd_mutations as mutations
from support import pdf_samples, scenes
from support.ofd_pages import HandMade
from support.ofd_samples import (
    SIGNED_AT,
    SM2_SM3,
    make_token,
    prepare_seal,
    sample_document,
    sample_pki,
    sample_png,
    unpack,
)
from support.ofd_signing import (
    archive_value,
    attributes_value,
    content_value,
    first_seal_value,
    seal_value,
    sign_anyhow,
)

__all__ = ["TARGETS", "Target", "make_input"]

Target = Callable[[bytes], object]
_DOC_ID = "0" * 32
_PASSWORD = "correct horse"
_LIMIT = 3
"""Pages of a mutated document that are looked at."""


@cache
def documents() -> Mapping[str, bytes]:
    """Documents that use everything, plain, sealed in every form, and encrypted."""
    pki, plain, rich = sample_pki(), sample_document(), _rich()

    def token(signature: bytes) -> bytes:
        return make_token(pki, signature, at=SIGNED_AT)

    sealed = prepare_seal(pki, rich)
    return {
        "plain": plain,
        "rich": rich,
        "rich again": rich,
        "by hand": _by_hand(),
        "by hand again": _by_hand(),
        "sealed": sealed.complete(pki.signer.signer.sign(sealed.to_be_signed), pki.signer.certificate.der),
        "first generation": sign_anyhow(plain, first_seal_value(pki)),
        "time stamp": sign_anyhow(plain, seal_value(pki, token=token)),
        "attributes": sign_anyhow(plain, attributes_value(pki, token=token), kind="Sign"),
        "digest": sign_anyhow(plain, content_value(pki), kind="Sign"),
        "archive": sign_anyhow(
            sign_anyhow(plain, seal_value(pki), closed=False),
            archive_value(pki.tsa, at=SIGNED_AT),
            kind="Sign",
            attributes=' Relative="s001"',
        ),
        "encrypted": encrypt(
            plain, recipients=[PasswordRecipient(name="a", password=_PASSWORD)], at=SIGNED_AT, allow_passwords=True
        ),
    }


def _rich() -> bytes:
    made = DocumentBuilder(doc_id=_DOC_ID, title="题", created=SIGNED_AT, fonts=find_fonts())
    template = made.template()
    template.line((10, 10), (200, 10), color=(200, 0, 0))
    first = made.page(templates=[(template, Placement.BACKGROUND)])
    for item in scenes.everything().items:
        first.draw(item)
    second = made.page(templates=[(template, Placement.FOREGROUND)])
    second.text("第二页 𠮷 ABC", x_mm=20, y_mm=40, size_mm=5)
    stamp = made.composite(width_mm=20, height_mm=10)
    stamp.image(sample_png(), box_mm=(0, 0, 20, 10))
    second.place(stamp, box_mm=(5, 5, 20, 10))
    made.annotate(second, AnnotationType.PATH, box_mm=(9, 9, 9, 9)).line((0, 0), (9, 9))
    made.link(second, UriAction(uri="urn:x"), box_mm=(20, 24, 18, 8))
    made.add_watermark(Watermark(text="样", gap_mm=(60, 60)), second)
    made.attach("a", b"1", format="txt")
    made.bookmarks = (Bookmark(name="b", destination=destination(second)),)
    act = GotoAction(destination=destination(first, box_mm=(0, 30, 0, 0)))
    made.outlines = (OutlineItem(title="一", actions=(Action(event="CLICK", act=act),)),)
    return made.to_bytes()


def _by_hand() -> bytes:
    """What readers understand and the builder does not write as such."""
    segments = '<Segment Position="0"><Color Value="1 2 3"/></Segment><Segment><Color Value="9 9 9"/></Segment>'
    figure = '<PathObject ID="8" Boundary="0 0 9 9"><AbbreviatedData>M 0 0 L 1 1</AbbreviatedData></PathObject>'
    points = '<Point X="0" Y="1" EdgeFlag="0"><Color Value="255 0 0"/></Point>' * 4
    radial = 'EndPoint="5 5" MapType="Reflect" MapUnit="3" StartRadius="1" EndRadius="2" Angle="9"'
    cell = f"<CellContent>{figure}</CellContent>"
    colors = (
        f'<AxialShd StartPoint="0 0" EndPoint="5 5" MapType="Repeat" MapUnit="2" Extend="3">{segments}</AxialShd>',
        f'<RadialShd StartPoint="0 0" {radial}>{segments}</RadialShd>',
        f"<GouraudShd>{points}</GouraudShd>",
        f'<LaGouraudShd VerticesPerRow="2">{points}</LaGouraudShd>',
        f'<Pattern Width="4" Height="5" XStep="6" YStep="7" ReflectMethod="Row" CTM="1 0 0 1 2 3">{cell}</Pattern>',
    )
    shapes = "".join(
        '<PathObject ID="9" Boundary="10 10 90 90" CTM="1 0 0 1 2 3" LineWidth="2" DashPattern="3 1" DashOffset="1"'
        ' Fill="true" DrawParam="5" Alpha="100" MiterLimit="4"><Clips><Clip><Area CTM="1 0 0 1 0 0">'
        '<Path Boundary="0 0 80 80"><AbbreviatedData>M 0 0 L 80 0 L 80 80 C</AbbreviatedData></Path></Area></Clip>'
        f"</Clips><StrokeColor>{color}</StrokeColor><FillColor>{color}</FillColor><AbbreviatedData>"
        "M 0 0 L 40 9 A 20 30 20 0 1 60 60 B 1 2 30 40 5 60 Q 1 20 30 4 C</AbbreviatedData></PathObject>"
        for color in colors
    )
    text = (
        '<TextObject ID="21" Boundary="1 2 99 40" Font="3" Size="4" HScale="0.5" CharDirection="90" ReadDirection="0"'
        ' Weight="700" Italic="true" Stroke="true"><CGTransform CodePosition="0" CodeCount="2" GlyphCount="1">'
        '<Glyphs>3 4</Glyphs></CGTransform><TextCode X="1" Y="2" DeltaX="g 2 1.5 3" DeltaY="0 1">中𠮷文AB</TextCode>'
        '</TextObject><ImageObject ID="22" Boundary="1 2 30 40" CTM="30 0 0 40 0 0" ResourceID="7" ImageMask="7">'
        '<Border LineWidth="1" HorizonalCornerRadius="1" VerticalCornerRadius="2" DashPattern="1 1"/></ImageObject>'
        '<PageBlock ID="31"><CompositeObject ID="23" Boundary="1 2 30 40" ResourceID="10"/></PageBlock>'
    )
    public = (
        '<ColorSpaces><ColorSpace ID="4" Type="CMYK" BitsPerComponent="8"><Palette><CV>1 2 3 4</CV></Palette>'
        '</ColorSpace></ColorSpaces><DrawParams><DrawParam ID="5" Relative="6" LineWidth="1" Join="Round"/>'
        '<DrawParam ID="6" Cap="Round"><FillColor ColorSpace="4" Index="0"/></DrawParam></DrawParams>'
        '<Fonts><Font ID="3" FontName="Test" FamilyName="宋体"><FontFile>f.ttf</FontFile></Font></Fonts>'
        '<MultiMedias><MultiMedia ID="7" Type="Image"><MediaFile>a.png</MediaFile></MultiMedia></MultiMedias>'
        f'<CompositeGraphicUnits><CompositeGraphicUnit ID="10" Width="9" Height="9"><Content>{figure}</Content>'
        '</CompositeGraphicUnit><CompositeGraphicUnit ID="11" Width="9" Height="9"><Content><CompositeObject'
        ' ID="24" Boundary="0 0 5 5" ResourceID="10"/></Content></CompositeGraphicUnit></CompositeGraphicUnits>'
    )
    files = {
        "Doc_0/Res/f.ttf": find_fonts().faces[0].subset("中文AB"),
        "Doc_0/Res/a.png": scenes.picture("PNG", "RGBA"),
    }
    return HandMade(pages=(shapes + text, text), public=public, files=files).to_bytes()


@cache
def values() -> tuple[bytes, ...]:
    """SignedValue.dat, Seal.esl and certificates of every form."""
    found = []
    for data in documents().values():
        files = unpack(data)
        found += [files[name] for name in sorted(files) if name.endswith((".dat", ".esl")) and "/Signs/" in name]
    return tuple(found)


@cache
def fonts() -> tuple[bytes, ...]:
    """A TrueType and a CFF subset, and what is embedded in documents."""
    found = [face.subset("中文营AB") for face in find_fonts().faces]
    embedded = unpack(documents()["rich"])
    return (*found, *(embedded[name] for name in sorted(embedded) if name.endswith((".ttf", ".otf"))))


@cache
def pictures() -> tuple[bytes, ...]:
    """One of each kind."""
    kinds = (
        ("PNG", "RGBA"),
        ("PNG", "P"),
        ("JPEG", "RGB"),
        ("JPEG", "CMYK"),
        ("BMP", "RGB"),
        ("GIF", "P"),
        ("TIFF", "RGB"),
    )
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><rect width="5" height="5"/></svg>'
    return (*(scenes.picture(form, mode) for form, mode in kinds), scenes.jbig2_picture(), svg)


@cache
def pdfs() -> tuple[bytes, ...]:
    """PDFs of every kind, unpacked so that mutations meet what is inside."""
    found = []
    for make in pdf_samples.SAMPLES.values():
        out = io.BytesIO()
        with pikepdf.open(io.BytesIO(make())) as document:
            document.save(
                out,
                object_stream_mode=pikepdf.ObjectStreamMode.disable,
                stream_decode_level=pikepdf.StreamDecodeLevel.generalized,
                compress_streams=False,
                deterministic_id=True,
            )
        found.append(out.getvalue())
    return tuple(found)


def make_input(kind: str, chance: Random) -> bytes:  # noqa: PLR0911 - one for each kind
    """Wrong octets for targets of this kind."""
    match kind:
        case "package":
            return mutations.mutate_package(_any_document(chance), chance)
        case "der":
            return mutations.mutate_der(chance.choice(values()), chance)
        case "font":
            return mutations.mutate_font(chance.choice(fonts()), chance)
        case "picture":
            return mutations.mutate_picture(chance.choice(pictures()), chance)
        case "sabotage":
            return bytes(chance.randrange(10))
        case "pdf":
            data = chance.choice(pdfs())
            for _ in range(chance.choice((1, 2, 6))):
                data = mutations.mutate_pdf(data, chance)
            return data
        case _:
            return _mutated_part(_any_document(chance), chance)


def _any_document(chance: Random) -> bytes:
    known = documents()
    return known[chance.choice(sorted(known))]


def _mutated_part(data: bytes, chance: Random) -> bytes:
    files = unpack(data)
    names = sorted(files)
    for _ in range(chance.choice((1, 1, 2, 5))):
        name = chance.choice([name for name in names if name.endswith(".xml")] if chance.random() < 0.8 else names)
        files[name] = _mutator(name)(files[name], chance)
    return write_package(files)


def _mutator(name: str) -> Callable[[bytes, Random], bytes]:
    suffix = name.rpartition(".")[2]
    return {
        "xml": mutations.mutate_xml,
        "dat": mutations.mutate_der,
        "esl": mutations.mutate_der,
        "ttf": mutations.mutate_font,
        "otf": mutations.mutate_font,
    }.get(suffix, mutations.mutate_picture)


def _verified(data: bytes) -> Verification:
    return examine(data, sample_pki().policy())


def _verify(data: bytes) -> None:
    """Nothing may be raised."""
    found = _verified(data)
    simple_form(found)
    detailed_form(found)
    verify_list(data, sample_pki().policy())


def _cover(data: bytes) -> None:
    found = _verified(data)
    with Document.open(data) as document:
        for index in range(min(len(document.pages), _LIMIT)):
            coverage = page_coverage(document, index, found, fonts=installed_fonts())
            coverage_form(coverage)
            to_svg(marked_scene(coverage))


def _scenes(data: bytes) -> list[Scene]:
    with Document.open(data) as document:
        seals = Seals(document, fonts=installed_fonts())
        pages = range(min(len(document.pages), _LIMIT))
        return [sealed_scene(document, index, fonts=installed_fonts(), seals=seals) for index in pages]


def _draw(data: bytes) -> None:
    for scene in _scenes(data):
        to_svg(scene)
        to_svg(scene, text=False)
        page_text(scene)


def _paint(data: bytes) -> None:
    for scene in _scenes(data):
        to_png(scene, dpi=40)


def _read(data: bytes) -> None:
    find_differences(data)
    package = Package(data)
    write_package({name: package.read(name) for name in package.names})


def _search(data: bytes) -> None:
    with Document.open(data) as document:
        list(search(document, "第二", pages=range(min(len(document.pages), _LIMIT)), ignore_case=True))


def _repair(data: bytes) -> None:
    lint(repair(data).data)


def _since(data: bytes) -> None:
    for signature in _verified(data).signatures:
        since_signature(data, signature.id)


def _view(data: bytes) -> None:
    with Document.open(data) as document:
        view = DocumentView(document, fonts=installed_fonts(), examine=lambda: _verified(data))
        respond = responder(view)
        for path in ("document.json", "report.json", "pages/0.json", "pages/0.svg", "pages/0/coverage.svg"):
            assert respond(path, {}).status < 500, path
        assert respond("search.json", {"q": "第二"}).status < 500


def _edit(data: bytes) -> None:
    editor = DocumentEditor(data, fonts=find_fonts(), today=date(2030, 3, 1))
    editor.add_page(at=0)
    editor.add_watermark(Watermark(text="样", gap_mm=(60, 60)))
    editor.attach("b", b"2", format="txt")
    editor.remove_page(1)
    editor.to_bytes()


def _merge(data: bytes) -> None:
    info = Info(doc_id="1" * 32, created="2030-01-01")
    merge([Selection(source=data), Selection(source=sample_document())], info, drop_signatures=True)


def _decrypt(data: bytes) -> None:
    if is_encrypted(Package(data)):
        decrypt(data, PasswordOpener(password=_PASSWORD))
    else:
        decrypt(data if data.startswith(b"PK") else documents()["encrypted"], PasswordOpener(password=_PASSWORD))


def _plain(data: bytes) -> None:
    value = PlainSignature.parse(data, signature_method=SM2_SM3)
    value.is_over(b"x")
    value.message(b"x")
    assert value.certificates is not None
    assert value.crls is not None
    assert value.time_stamp_token is None or value.time_stamped


def _seal_signature(data: bytes) -> None:
    tbs = SealSignature.parse(data).to_be_signed
    assert tbs.embedded_certificates is not None
    assert tbs.embedded_crls is not None
    assert tbs.embedded_ocsp_responses is not None


def _signed_value(data: bytes) -> None:
    """In its place in a document, drawn and verified."""
    for name in ("sealed", "first generation", "attributes", "archive"):
        files = unpack(documents()[name])
        for part in files:
            if part.endswith(("SignedValue.dat", ".esl")):
                files[part] = data
        package = write_package(files)
        _verify(package)
        _draw(package)


def _font(data: bytes) -> None:
    face = FontFace(data)
    assert face.family is not None
    assert face.postscript_name is not None
    assert face.characters is not None
    for char in "中A":
        if face.covers(char):
            face.outline(char)
            face.advance(char)
    for index in range(min(face.glyph_count, 8)):
        face.outline(index)
        face.extents(index)
    face.subset(range(min(face.glyph_count, 4)), retain=True)


def _embedded(name: str) -> Target:
    def draw(data: bytes) -> None:
        files = unpack(documents()["by hand"])
        package = write_package({**files, f"Doc_0/Res/{name}": data})
        _draw(package)
        _paint(package)

    return draw


def _convert(data: bytes) -> None:
    ofd_to_pdf(data, io.BytesIO())


def _picture(data: bytes) -> None:
    picture_kind(data)
    for act in (picture_size, decode, web_picture):
        _tried(act, data)
    images_to_ofd([data], doc_id=_DOC_ID, created=SIGNED_AT)


def _tried(act: Callable[[bytes], object], data: bytes) -> None:
    try:
        act(data)
    except TrustError as error:
        assert error.code  # noqa: PT017 - refused, as it should be


def _from_pdf(data: bytes) -> None:
    converted = pdf_to_ofd(data, doc_id=_DOC_ID, created=SIGNED_AT)
    _draw(converted.data)


_DOCUMENT: dict[str, Target] = {
    "read": _read,
    "draw": _draw,
    "paint": _paint,
    "search": _search,
    "verify": _verify,
    "cover": _cover,
    "lint": lint,
    "check archive": check_archive,
    "repair": _repair,
    "to archive": to_archive,
    "compare": lambda data: compare(documents()["rich"], data),
    "since signature": _since,
    "convert": _convert,
    "view": _view,
    "describe": describe,
    "edit": _edit,
    "merge": _merge,
    "decrypt": _decrypt,
    "seal": lambda data: prepare_seal(sample_pki(), data),
}


def _die(data: bytes) -> None:
    if len(data) % 2:
        os.abort()
    raise ArithmeticError


TARGETS: dict[str, dict[str, Target]] = {
    "part": _DOCUMENT,
    "package": _DOCUMENT,
    "der": {
        "seal signature": _seal_signature,
        "seal": lambda data: seal_facts(Seal.parse(data)),
        "signed data": GmSignedData.parse,
        "plain signature": _plain,
        "signed value": _signed_value,
    },
    "font": {"face": _font, "embedded font": _embedded("f.ttf")},
    "picture": {"picture": _picture, "embedded picture": _embedded("a.png")},
    "pdf": {"from pdf": _from_pdf},
    "sabotage": {"die": _die},
}
"""By kind of input, what takes it; each may raise errors of the product only, and verification none.

``sabotage`` is there to try out the fuzzer.
"""
