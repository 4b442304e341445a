"""The same page as OFD and as PDF."""

import hashlib
import io
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from lxml import etree
from pyhanko.pdf_utils.reader import PdfFileReader

from licence_service.core.identifiers import build_identifier
from licence_service.core.layout import Box
from licence_service.core.metadata import ELEMENTS, NameForm, licence_metadata, metadata_xml
from licence_service.core.record import LicenceRecord
from licence_service.render_ofd import DATA_INDEX_NAMESPACE, render_ofd
from licence_service.render_pdf import render_pdf
from licence_service.rendering import LicenceDocument, qr_boxes
from ofd.fonts.faces import FontStack

OFD = "{http://www.ofdspec.org/2016}"
NAME = "晴川市示例𬭸𫘧汽车<&>有限公司"


@pytest.fixture
def document(make_record: Callable[..., LicenceRecord], fonts: FontStack, now: datetime) -> LicenceDocument:
    return LicenceDocument(
        record=make_record(name=NAME),
        identifier=build_identifier(
            type_code="11100000MB0143028R001", issuer_code="11420100MB1QC26X58", serial="0000000007"
        ),
        issuer="晴川市市场监督管理局",
        address="http://localhost:8000/v/ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        created_at=now,
        fonts=fonts,
    )


@pytest.mark.parametrize("render", [render_ofd, render_pdf])
def test_the_same_licence_gives_the_same_octets(
    render: Callable[[LicenceDocument], bytes], document: LicenceDocument
) -> None:
    assert hashlib.sha256(render(document)).digest() == hashlib.sha256(render(document)).digest()


@pytest.mark.parametrize("render", [render_ofd, render_pdf])
def test_no_file_holds_the_id_number(render: Callable[[LicenceDocument], bytes], document: LicenceDocument) -> None:
    data = render(document)
    number = document.record.representative_id.encode()
    assert number not in data
    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            assert all(number not in package.read(name) for name in package.namelist())


def test_the_ofd_carries_metadata_index_and_attachment(document: LicenceDocument) -> None:
    with zipfile.ZipFile(io.BytesIO(render_ofd(document))) as package:
        root = etree.fromstring(package.read("OFD.xml"))
        index = etree.fromstring(package.read("Doc_0/Tags/Tag_1.xml"))
        attachment = etree.fromstring(package.read("Doc_0/Attachs/attachment_1.xml"))
        page = package.read("Doc_0/Pages/Page_0/Content.xml")
    datas = {node.get("Name"): node.text for node in root.iter(f"{OFD}CustomData")}
    assert datas["ZZBS"] == str(document.identifier)
    assert datas["CZZT"] == datas["KZ_MC"] == NAME
    assert datas["ZZYXQJZRQ"] == "长期"
    assert {node.get("Name"): node.text for node in attachment.iter(f"{OFD}CustomData")} == datas
    shown = {node.tag.removeprefix(f"{{{DATA_INDEX_NAMESPACE}}}") for node in index}
    assert {"KZ_MC", "KZ_TYSHXYDM", "KZ_JYFW", "ZZBS", "ZZBFJG", "ZZBFRQ"} <= shown
    for reference in index.iter(f"{OFD}ObjectRef"):
        assert f'ID="{reference.text}"'.encode() in page


def test_the_pdf_is_well_formed_and_says_what_it_is(document: LicenceDocument) -> None:
    reader = PdfFileReader(io.BytesIO(render_pdf(document)), strict=True)
    assert reader.root["/Pages"]["/Count"] == 1
    xmp = reader.root["/Metadata"].data.decode()
    assert f"<zz:ZZBS>{document.identifier}</zz:ZZBS>" in xmp
    assert "<zz:KZ_MC>晴川市示例𬭸𫘧汽车&lt;&amp;&gt;有限公司</zz:KZ_MC>" in xmp
    assert etree.fromstring(xmp.encode()).tag == "{adobe:ns:meta/}xmpmeta"
    assert reader.trailer["/Info"]["/Title"] == document.title


@pytest.mark.interop
@pytest.mark.skipif(not shutil.which("pdftotext"), reason="poppler-utils is not installed")
def test_poppler_reads_the_text_of_the_pdf(document: LicenceDocument, tmp_path: Path) -> None:
    path = tmp_path / "licence.pdf"
    path.write_bytes(render_pdf(document))
    done = subprocess.run(["pdftotext", path, "-"], capture_output=True, check=True)
    assert done.stderr == b""
    assert NAME in done.stdout.decode()
    assert str(document.identifier) in done.stdout.decode()


def test_metadata_has_three_kinds_of_names(document: LicenceDocument, now: datetime) -> None:
    values = licence_metadata(document.record, document.identifier, issuer=document.issuer, created_at=now)
    assert {value.element.pinyin for value in values} >= set(ELEMENTS)
    english = metadata_xml(values, NameForm.ENGLISH).decode()
    assert f'Name="CertificateIdentifier" Title="证照标识">{document.identifier}<' in english
    assert 'Name="certificate_identifier"' in metadata_xml(values, NameForm.SNAKE).decode()


def test_metadata_is_escaped(document: LicenceDocument) -> None:
    root = etree.fromstring(metadata_xml(document.metadata))
    assert {node.get("Name"): node.text for node in root}["KZ_MC"] == NAME


def test_the_qr_code_keeps_its_quiet_zone() -> None:
    place = Box(x_mm=100, y_mm=50, width_mm=30, height_mm=30)
    boxes = qr_boxes(place, "http://localhost:8000/v/ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    module = min(box.height_mm for box in boxes)
    assert min(box.x_mm for box in boxes) == pytest.approx(100 + 2 * module)
    assert max(box.y_mm + box.height_mm for box in boxes) == pytest.approx(80 - 2 * module)
