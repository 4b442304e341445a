"""Files that are no documents, or several: bombs, hidden entries, entities. Each is refused with its code."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable

import pytest

from ofd.package.reader import Package, write_package
from ofd.verify.document import examine
from trustcore.report import Report, Status, Verdict

from support.ofd_samples import Pki, sample_document, sample_pki, seal_document, sealed_sample


def codes(report: Report) -> set[str]:
    return {step.code for step in report.problems}


def zip_bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("OFD.xml", bytes(40 * 1024 * 1024))
    return buffer.getvalue()


def many_entries() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(20_001):
            archive.writestr(str(number), b"")
    return buffer.getvalue()


def overlapping() -> bytes:
    """Two entries over the same data: a bomb that no ratio shows, and two names for one content."""
    data = bytearray(write_package({"a": b"0" * 100, "b": b"1" * 100}))
    second = bytes(data).rindex(b"PK\x01\x02")
    struct.pack_into("<L", data, second + 42, 0)
    return bytes(data)


def duplicate_entries() -> bytes:
    placeholder, twin = "Doc_0/Dxcument.xml", "Doc_0/Document.xml"
    return Package(sealed_sample()).with_files({placeholder: b"evil"}).replace(placeholder.encode(), twin.encode())


def twin_by_case() -> bytes:
    placeholder, twin = "Doc_0/Dxcument.xml", "Doc_0/dOCUMENT.xml"
    return Package(sealed_sample()).with_files({placeholder: b"evil"}).replace(placeholder.encode(), twin.encode())


def entity_bomb() -> bytes:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "lol"}">' for n in range(10))
    root = f'<!DOCTYPE OFD [{entities}]><OFD xmlns="http://www.ofdspec.org/2016">&e9;</OFD>'
    return Package(sealed_sample()).with_files({"OFD.xml": root.encode()})


def external_entity() -> bytes:
    root = (
        '<!DOCTYPE OFD [<!ENTITY x SYSTEM "file:///etc/hostname">]><OFD xmlns="http://www.ofdspec.org/2016">&x;</OFD>'
    )
    return Package(sealed_sample()).with_files({"OFD.xml": root.encode()})


def deep_xml() -> bytes:
    return Package(sealed_sample()).with_files({"OFD.xml": b"<a>" * 5000 + b"</a>" * 5000})


def deep_page() -> bytes:
    page = b"<PageBlock>" * 300 + b"</PageBlock>" * 300
    xml = b'<Page xmlns="http://www.ofdspec.org/2016"><Content><Layer>' + page + b"</Layer></Content></Page>"
    document = Package(sample_document()).with_files({"Doc_0/Pages/Page_0/Content.xml": xml})
    return seal_document(sample_pki(), document)


def zip_slip() -> bytes:
    return Package(sealed_sample()).with_files({"Doc_0/xx/evil": b""}).replace(b"Doc_0/xx/evil", b"../../../evil")


def appended() -> bytes:
    return sealed_sample() + sealed_sample()


def wrong_crc() -> bytes:
    data = bytearray(sealed_sample())
    at = bytes(data).index(b"PK\x01\x02") + 16
    data[at : at + 4] = struct.pack("<L", zlib.crc32(b"evil"))
    return bytes(data)


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "zip bomb": (zip_bomb, "ofd.package.too-large"),
    "many entries": (many_entries, "ofd.package.too-many-entries"),
    "overlapping entries": (overlapping, "ofd.package."),
    "duplicate entries": (duplicate_entries, "ofd.package.duplicate"),
    "twin by case": (twin_by_case, "ofd.package.duplicate"),
    "entity bomb": (entity_bomb, "ofd.xml."),
    "external entity": (external_entity, "ofd.xml."),
    "deep XML": (deep_xml, "ofd.xml."),
    "deep page": (deep_page, "ofd.xml."),
    "zip slip": (zip_slip, "ofd.package.name"),
    "two packages": (appended, "ofd.package."),
    "wrong CRC": (wrong_crc, "ofd.package."),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_package_is_refused_with_its_code(pki: Pki, name: str) -> None:
    make, expected = HOSTILE[name]
    result = examine(make(), pki.policy())
    assert result.report.verdict is Verdict.INVALID
    assert any(code.startswith(expected) for code in codes(result.report)), codes(result.report)
    failed = [step for step in result.report.steps if step.status is Status.FAILED]
    assert all(step.zh and step.en and step.clause for step in failed)
