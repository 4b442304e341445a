"""OFD-A: what the archive profile forbids is found, and a conversion takes it out without changing a page."""

import base64
import io
from collections.abc import Callable
from datetime import date

import pytest
from PIL import Image

from ofd.compare.document import compare
from ofd.lint.archive import check_archive
from ofd.lint.archive_convert import Archived, to_archive
from ofd.lint.catalogue import RULES
from ofd.lint.run import lint
from ofd.model.document import Document
from ofd.package.reader import write_package
from ofd.sign.seal import Protection
from trustcore.crypto.digests import sm3
from trustcore.errors import ConflictError, RejectedError

from support.ofd_samples import Pki, sample_document, seal_document, sealed_sample, unpack

DOCUMENT = "Doc_0/Document.xml"
PAGE = "Doc_0/Pages/Page_1/Content.xml"
RESOURCES = "Doc_0/DocumentRes.xml"


def sample(**changes: Callable[[bytes], bytes]) -> dict[str, bytes]:
    names = {"root": "OFD.xml", "document": DOCUMENT, "page": PAGE, "resources": RESOURCES}
    files = unpack(sample_document())
    for key, change in changes.items():
        before = files[names[key]]
        files[names[key]] = change(before)
        assert files[names[key]] != before
    return files


def before(marker: str, text: str) -> Callable[[bytes], bytes]:
    return lambda data: data.replace(marker.encode(), (text + marker).encode(), 1)


def media(kind: str, name: str, *, number: int = 900) -> str:
    return f'<ofd:MultiMedia ID="{number}" Type="{kind}"><ofd:MediaFile>{name}</ofd:MediaFile></ofd:MultiMedia>'


def gif() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 30, 30)).save(stream, "GIF")
    return stream.getvalue()


def with_gif() -> dict[str, bytes]:
    picture = '<ofd:ImageObject ID="901" Boundary="20 100 20 20" ResourceID="900"/>'
    files = sample(
        page=before("</ofd:Layer>", picture), resources=before("</ofd:MultiMedias>", media("Image", "a.gif"))
    )
    return files | {"Doc_0/Res/a.gif": gif()}


def with_annotation(attributes: str = "", inner: str = "") -> dict[str, bytes]:
    files = sample(document=before("</ofd:Document>", "")) if False else unpack(sample_document())
    if b"<ofd:Annotations>" not in files[DOCUMENT]:
        mark = b"<ofd:CustomTags>"
        files[DOCUMENT] = files[DOCUMENT].replace(mark, b"<ofd:Annotations>Annots.xml</ofd:Annotations>" + mark)
    page_id = files[DOCUMENT].split(b'<ofd:Page ID="')[1].split(b'"')[0].decode()
    space = 'xmlns:ofd="http://www.ofdspec.org/2016"'
    files["Doc_0/Annots.xml"] = (
        f'<ofd:Annotations {space}><ofd:Page PageID="{page_id}"><ofd:FileLoc>A.xml</ofd:FileLoc></ofd:Page>'
        "</ofd:Annotations>"
    ).encode()
    files["Doc_0/A.xml"] = (
        f'<ofd:PageAnnot {space}><ofd:Annot ID="950" Type="Path" Creator="a" LastModDate="2026-01-01" {attributes}>'
        f'<ofd:Appearance Boundary="10 10 30 30">{inner}<ofd:PathObject ID="951" Boundary="0 0 9 9">'
        "<ofd:AbbreviatedData>M 0 0 L 9 9</ofd:AbbreviatedData></ofd:PathObject></ofd:Appearance></ofd:Annot>"
        "</ofd:PageAnnot>"
    ).encode()
    return files


NESTED = "".join(f'<ofd:PageBlock ID="{n}">' for n in range(910, 915)) + (
    '<ofd:PathObject ID="920" Boundary="20 120 20 20"><ofd:AbbreviatedData>M 0 0 L 20 20</ofd:AbbreviatedData>'
    "</ofd:PathObject>"
)
ACTION = '<ofd:Actions><ofd:Action Event="CLICK"><ofd:URI URI="http://example.org"/></ofd:Action></ofd:Actions>'
CASES: dict[str, Callable[[], dict[str, bytes]]] = {
    "ofd.archive.doc-type": sample,
    "ofd.archive.permissions": lambda: sample(
        document=before("<ofd:CustomTags>", "<ofd:Permissions><ofd:Edit>false</ofd:Edit></ofd:Permissions>")
    ),
    "ofd.archive.preferences": lambda: sample(
        document=before(
            "<ofd:CustomTags>", "<ofd:VPreferences><ofd:HideMenubar>true</ofd:HideMenubar></ofd:VPreferences>"
        )
    ),
    "ofd.archive.extension": lambda: (
        sample(document=before("</ofd:Document>", "<ofd:Extensions>E.xml</ofd:Extensions>"))
        | {
            "Doc_0/E.xml": b'<ofd:Extensions xmlns:ofd="http://www.ofdspec.org/2016">'
            b'<ofd:Extension AppName="a" RefId="1"/></ofd:Extensions>'
        }
    ),
    "ofd.archive.action": lambda: sample(page=before("</ofd:Page>", ACTION)),
    "ofd.archive.media": lambda: (
        sample(resources=before("</ofd:MultiMedias>", media("Audio", "a.mp3"))) | {"Doc_0/Res/a.mp3": b"ID3"}
    ),
    "ofd.archive.picture": with_gif,
    "ofd.archive.picture-extension": lambda: sample(
        resources=lambda data: data.replace(b"</ofd:MultiMedia>", b'<x:y xmlns:x="urn:x"/></ofd:MultiMedia>', 1)
    ),
    "ofd.archive.block-depth": lambda: sample(page=before("</ofd:Layer>", NESTED + "</ofd:PageBlock>" * 5)),
    "ofd.archive.annotation": lambda: with_annotation('ReadOnly="false"'),
    "ofd.archive.annotation-block": lambda: with_annotation(
        'NoZoom="true" NoRotate="true"', '<ofd:PageBlock ID="960"/>'
    ),
    "ofd.archive.attachment": lambda: {
        name: data.replace(b'Format="xml"', b'Format="docx"') for name, data in unpack(sample_document()).items()
    },
    "ofd.archive.font": lambda: {
        name: data.replace(b"<ofd:Font ", b'<ofd:Font ID="930" FontName="\xe5\xae\x8b\xe4\xbd\x93"/><ofd:Font ', 1)
        if name.endswith("PublicRes.xml")
        else data
        for name, data in unpack(sample_document()).items()
    },
}


def archived(files: dict[str, bytes]) -> Archived:
    data = write_package(files)
    result = to_archive(data)
    assert compare(data, result.data).looks_same
    assert lint(result.data).is_clean, lint(result.data).findings
    again = to_archive(result.data)
    assert again.done == ()
    assert again.data == result.data
    return result


@pytest.mark.parametrize("code", CASES)
def test_what_the_profile_forbids_is_found_and_taken_out(code: str) -> None:
    files = CASES[code]()
    told = [finding for finding in check_archive(write_package(files)).findings if finding.code == code]
    assert told
    assert told[0].severity is RULES[code].severity
    assert "{" not in told[0].zh + told[0].en
    result = archived(files)
    assert code in {item.code for item in result.done}
    assert code not in result.left.codes
    assert result.left.is_clean, result.left.findings


def test_what_is_taken_out_is_handed_back() -> None:
    result = archived(CASES["ofd.archive.attachment"]())
    assert list(result.moved_out.values()) == [b"<metadata/>"]
    sound = archived(CASES["ofd.archive.media"]())
    assert sound.moved_out == {"Doc_0/Res/a.mp3": b"ID3"}


def test_a_picture_of_another_format_looks_the_same_as_png() -> None:
    result = to_archive(write_package(with_gif()))
    files = unpack(result.data)
    assert files["Doc_0/Res/a_archive.png"].startswith(b"\x89PNG")
    assert "Doc_0/Res/a.gif" not in files
    assert "Doc_0/Res/a.gif" in result.moved_out


def test_a_jump_stays_when_other_actions_go() -> None:
    jump = '<ofd:Action Event="CLICK"><ofd:Goto><ofd:Bookmark Name="a"/></ofd:Goto></ofd:Action>'
    files = sample(page=before("</ofd:Page>", ACTION.replace("</ofd:Actions>", jump + "</ofd:Actions>")))
    page = unpack(archived(files).data)[PAGE]
    assert b"<ofd:Goto>" in page
    assert b"example.org" not in page


def test_what_cannot_be_converted_is_found_all_the_same() -> None:
    stretched = sample(page=lambda data: data.replace(b"<ofd:TextObject ", b'<ofd:TextObject CTM="0.8 0 0 1 0 0" ', 1))
    assert "ofd.archive.text-stretched" in check_archive(write_package(stretched)).codes
    assert {"ofd.archive.signature", "ofd.archive.doc-type"} <= check_archive(sealed_sample()).codes
    body = unpack(sample_document())["OFD.xml"].decode().split("<ofd:DocBody>", 1)[1].split("</ofd:DocBody>")[0]
    two = sample(root=before("</ofd:OFD>", f"<ofd:DocBody>{body}</ofd:DocBody>"))
    assert "ofd.archive.several-documents" in check_archive(write_package(two)).codes
    with pytest.raises(RejectedError) as caught:
        to_archive(write_package(two))
    assert caught.value.code == "ofd.archive.several-documents"
    public = unpack(sample_document())
    extra = b'<ofd:DrawParams><ofd:DrawParam ID="940"/></ofd:DrawParams></ofd:Res>'
    public["Doc_0/PublicRes.xml"] = public["Doc_0/PublicRes.xml"].replace(b"</ofd:Res>", extra)
    assert "ofd.archive.resource-place" in check_archive(write_package(public)).codes


def test_signed_documents_are_not_converted() -> None:
    with pytest.raises(ConflictError) as caught:
        to_archive(sealed_sample())
    assert caught.value.code == "ofd.repair.signed"


def test_seals_become_annotations_that_look_the_same(pki: Pki) -> None:
    first = seal_document(pki, sample_document(), protection=Protection.CONTINUE)
    data = seal_document(pki, first, protection=Protection.CONTINUE)
    result = to_archive(data, annotate_seals=date(2030, 2, 1))
    assert compare(data, result.data).looks_same
    assert not lint(result.data).is_signed
    assert lint(result.data).is_clean
    assert result.left.is_clean
    assert set(result.moved_out) == {name for name in unpack(data) if name.startswith("Doc_0/Signs/")}
    with Document.open(result.data) as document:
        annotations = document.annotations(0)
    assert [item.type for item in annotations] == ["Stamp", "Stamp"]
    facts = annotations[0].parameters
    value = result.moved_out["Doc_0/Signs/Sign_0/SignedValue.dat"]
    assert facts["SignedValueDigest"] == f"SM3:{sm3(value).hex()}"
    assert (facts["Signer"], facts["SealName"]) == ("Department", "某市市场监督管理局")
    assert base64.b64decode(facts["SignerCertificate"]) == pki.signer.certificate.der


def test_a_document_without_signatures_is_archived_as_ever() -> None:
    plain = to_archive(sample_document())
    assert to_archive(sample_document(), annotate_seals=date(2030, 2, 1)).data == plain.data


@pytest.mark.parametrize("data", [b"", b"PK\x05\x06" + bytes(18), b"%PDF"])
def test_what_is_no_document_is_told(data: bytes) -> None:
    assert check_archive(data).codes == {"ofd.lint.package.hopeless"}
