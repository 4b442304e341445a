"""Whatever is changed after sealing is found and named."""

import io
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from ofd.package.reader import Package, write_package
from ofd.package.zip_format import Limits
from ofd.package.zip_read import read_directory
from ofd.sign.parts import SignatureDescription
from ofd.verify.document import verify
from trustcore.report import Report, Status, Verdict

from support.ofd_samples import (
    Pki,
    make_seal,
    sample_document,
    sample_pki,
    seal_by_force,
    seal_document,
    sealed_sample,
    unpack,
)

SIGNS = "Doc_0/Signs/"
SIGNATURE = f"{SIGNS}Sign_0/Signature.xml"
SIGNED_VALUE = f"{SIGNS}Sign_0/SignedValue.dat"
SEAL = f"{SIGNS}Sign_0/Seal.esl"
NAMES = tuple(unpack(sealed_sample()))


def codes(report: Report) -> set[str]:
    return {step.code for step in report.steps if step.status is Status.FAILED}


def named(report: Report) -> set[str]:
    """Everything that the failed steps name."""
    failed = (step for step in report.steps if step.status is Status.FAILED)
    return {text for step in failed for item in step.evidence.items() for text in item}


def tampered(change: Callable[[dict[str, bytes]], None]) -> Report:
    files = unpack(sealed_sample())
    change(files)
    return verify(write_package(files), sample_pki().policy())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("position", [0.0, 0.3, 0.5, 0.7, 1.0])
def test_a_flipped_byte_in_any_file_is_found_and_named(name: str, position: float) -> None:
    def flip(files: dict[str, bytes]) -> None:
        data = bytearray(files[name])
        data[round(position * (len(data) - 1))] ^= 0x04
        files[name] = bytes(data)

    report = tampered(flip)
    assert report.verdict is Verdict.INVALID
    assert name in named(report)


@pytest.mark.parametrize("name", NAMES)
def test_a_flipped_byte_in_packed_data_is_found_and_named(pki: Pki, sealed: bytes, name: str) -> None:
    record = next(item for item in read_directory(sealed, Limits()).records if item.name == name)
    data = bytearray(sealed)
    data[record.data_offset + record.compressed_size // 2] ^= 0x10
    report = verify(bytes(data), pki.policy())
    assert report.verdict is Verdict.INVALID
    assert name in named(report)


@pytest.mark.parametrize("name", NAMES)
def test_a_removed_file_is_found_and_named(name: str) -> None:
    report = tampered(lambda files: files.__delitem__(name))
    assert report.verdict is Verdict.INVALID
    assert name in named(report)


@pytest.mark.parametrize("name", NAMES)
def test_a_renamed_file_is_found_and_named(name: str) -> None:
    def rename(files: dict[str, bytes]) -> None:
        files[f"{name}x"] = files.pop(name)

    report = tampered(rename)
    assert report.verdict is Verdict.INVALID
    assert name in named(report)


@pytest.mark.parametrize("name", ["Doc_0/Res/evil.ttf", "evil.xml", f"{SIGNS}Sign_0/other.dat", "META-INF/x"])
def test_an_added_file_is_found_and_named(name: str) -> None:
    report = tampered(lambda files: files.__setitem__(name, b"evil"))
    assert codes(report) == {"ofd.coverage.smuggled"}
    assert name in named(report)


def test_an_added_folder_is_found_and_named(pki: Pki, sealed: bytes) -> None:
    buffer = io.BytesIO(sealed)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("Doc_0/", b"")
        archive.writestr("Doc_0/Evil/", b"")
    report = verify(buffer.getvalue(), pki.policy())
    assert codes(report) == {"ofd.coverage.smuggled"}
    assert "Doc_0/Evil/" in named(report)
    assert "Doc_0/" not in named(report)


def test_a_case_twin_is_refused(pki: Pki, sealed: bytes) -> None:
    placeholder, twin = "Doc_0/Dxcument.xml", "Doc_0/dOCUMENT.xml"
    data = Package(sealed).with_files({placeholder: b"evil"}).replace(placeholder.encode(), twin.encode())
    report = verify(data, pki.policy())
    assert codes(report) == {"ofd.package.duplicate"}
    assert twin in named(report)


def test_a_duplicate_is_refused(pki: Pki, sealed: bytes) -> None:
    placeholder, twin = "Doc_0/Dxcument.xml", "Doc_0/Document.xml"
    data = Package(sealed).with_files({placeholder: b"evil"}).replace(placeholder.encode(), twin.encode())
    assert codes(verify(data, pki.policy())) == {"ofd.package.duplicate"}


def test_a_swapped_file_is_found() -> None:
    def swap(files: dict[str, bytes]) -> None:
        first, second = "Doc_0/Pages/Page_0/Content.xml", "Doc_0/Pages/Page_1/Content.xml"
        files[first], files[second] = files[second], files[first]

    assert codes(tampered(swap)) == {"ofd.reference.digest"}


def redirect(files: dict[str, bytes]) -> None:
    """DocRoot turned to other pages, all signed ones left in place."""
    for name in [name for name in files if name.startswith("Doc_0/") and not name.startswith(SIGNS)]:
        files[name.replace("Doc_0/", "Doc_1/", 1)] = files[name]
    files["Doc_1/Pages/Page_0/Content.xml"] = files["Doc_0/Pages/Page_1/Content.xml"]
    files["OFD.xml"] = files["OFD.xml"].replace(b"Doc_0/Document.xml", b"Doc_1/Document.xml")


def test_a_redirected_document_root_is_refused() -> None:
    report = tampered(redirect)
    assert codes(report) >= {"ofd.reference.digest", "ofd.coverage.shown"}
    assert {"OFD.xml", "Doc_1/Document.xml", "Doc_1/Pages/Page_0/Content.xml"} <= named(report)


@pytest.mark.parametrize("before", [True, False])
def test_a_second_document_is_refused(before: bool) -> None:
    def add(files: dict[str, bytes]) -> None:
        root = files["OFD.xml"]
        body = root[root.index(b"<ofd:DocBody>") : root.index(b"</ofd:OFD>")]
        other = body.replace(b"Doc_0/Document.xml", b"Doc_1/Document.xml")
        other = other.replace(b"<ofd:Signatures>/Doc_0/Signs/Signatures.xml</ofd:Signatures>", b"")
        files["OFD.xml"] = root.replace(body, other + body if before else body + other)
        files["Doc_1/Document.xml"] = files["Doc_0/Document.xml"]

    assert codes(tampered(add)) >= {"ofd.reference.digest", "ofd.coverage.shown"}


def leave_out(*names: str) -> Callable[[SignatureDescription], SignatureDescription]:
    def change(description: SignatureDescription) -> SignatureDescription:
        kept = tuple(item for item in description.references if item.name not in names)
        assert len(kept) == len(description.references) - len(names)
        return replace(description, references=kept)

    return change


@pytest.mark.parametrize(
    "name",
    [
        "Doc_0/Document.xml",
        "Doc_0/Tpls/Tpl_0/Content.xml",
        "Doc_0/Pages/Page_1/Content.xml",
        "Doc_0/PublicRes.xml",
        "Doc_0/DocumentRes.xml",
        *(name for name in NAMES if name.endswith((".ttf", ".png"))),
    ],
)
def test_a_shown_file_that_is_not_signed_is_refused(pki: Pki, document: bytes, name: str) -> None:
    report = verify(seal_by_force(pki, document, change=leave_out(name)), pki.policy())
    assert codes(report) == {"ofd.coverage.shown"}
    assert name in named(report)


@pytest.mark.parametrize("name", [name for name in NAMES if "/Attachs/" in name or "/Tags/" in name])
def test_an_attached_file_that_is_not_signed_is_told(pki: Pki, document: bytes, name: str) -> None:
    report = verify(seal_by_force(pki, document, change=leave_out(name)), pki.policy())
    assert report.verdict is Verdict.VALID
    assert any(step.code == "ofd.coverage.attached" and name in step.evidence for step in report.steps)


def test_metadata_that_is_not_signed_is_not_a_fact(pki: Pki, document: bytes) -> None:
    report = verify(seal_by_force(pki, document, change=leave_out("OFD.xml")), pki.policy())
    assert report.verdict is Verdict.VALID
    assert "ofd.coverage.metadata" in {step.code for step in report.steps}
    assert not {"title", "metadata.ZZMC"} & set(report.facts)


def test_an_unsigned_root_that_leads_elsewhere_is_refused(pki: Pki, document: bytes) -> None:
    files = unpack(seal_by_force(pki, document, change=leave_out("OFD.xml")))
    redirect(files)
    assert codes(verify(write_package(files), pki.policy())) >= {"ofd.coverage.redirected", "ofd.coverage.shown"}


def test_an_unsigned_root_with_two_documents_is_refused(pki: Pki, document: bytes) -> None:
    files = unpack(seal_by_force(pki, document, change=leave_out("OFD.xml")))
    root = files["OFD.xml"]
    body = root[root.index(b"<ofd:DocBody>") : root.index(b"</ofd:OFD>")]
    copy = body.replace(b"<ofd:Signatures>/Doc_0/Signs/Signatures.xml</ofd:Signatures>", b"")
    files["OFD.xml"] = root.replace(body, copy + body)
    assert codes(verify(write_package(files), pki.policy())) == {"ofd.coverage.several-documents"}


def test_a_link_to_a_file_that_is_not_there_is_refused(pki: Pki, document: bytes) -> None:
    files = unpack(document)
    del files["Doc_0/Attachs/attachment_1.xml"]
    report = verify(seal_document(pki, write_package(files)), pki.policy())
    assert codes(report) == {"ofd.coverage.missing"}


def test_a_seal_of_another_document_is_refused() -> None:
    other = unpack(seal_document(sample_pki(), sample_document("许可证")))

    def transplant(files: dict[str, bytes]) -> None:
        files[SIGNED_VALUE] = other[SIGNED_VALUE]

    report = tampered(transplant)
    assert codes(report) == {"ofd.signature.data-hash", "ofd.seal.file"}
    assert "title" not in report.facts


def test_another_seal_file_is_refused() -> None:
    report = tampered(lambda files: files.__setitem__(SEAL, make_seal(sample_pki(), code="9")))
    assert codes(report) == {"ofd.reference.digest", "ofd.seal.file"}


def test_a_swapped_picture_is_refused() -> None:
    def swap(files: dict[str, bytes]) -> None:
        value = files[SIGNED_VALUE]
        start = value.index(b"\x89PNG")
        files[SIGNED_VALUE] = value[: start + 50] + bytes([value[start + 50] ^ 1]) + value[start + 51 :]

    assert codes(tampered(swap)) >= {"ofd.signature.value", "ofd.seal.signature", "ofd.seal.file"}


def test_a_removed_seal_leaves_a_document_that_is_not_sealed() -> None:
    def remove(files: dict[str, bytes]) -> None:
        for name in [name for name in files if name.startswith(SIGNS)]:
            del files[name]
        link = b"<ofd:Signatures>/Doc_0/Signs/Signatures.xml</ofd:Signatures>"
        files["OFD.xml"] = files["OFD.xml"].replace(link, b"")

    assert codes(tampered(remove)) == {"ofd.signature.none"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "stride"), [("OFD.xml", 3), (f"{SIGNS}Signatures.xml", 2), (SIGNATURE, 23), (SIGNED_VALUE, 37), (SEAL, 11)]
)
def test_flipped_bytes_in_the_files_that_hold_the_seal_are_always_named(pki: Pki, name: str, stride: int) -> None:
    files = unpack(sealed_sample())
    for position in range(0, len(files[name]), stride):
        data = bytearray(files[name])
        data[position] ^= 1 << position % 7
        report = verify(write_package({**files, name: bytes(data)}), pki.policy())
        assert report.verdict is Verdict.INVALID, position
        assert any(name in text for text in named(report)), position


@pytest.mark.slow
def test_no_flipped_byte_of_the_whole_file_raises_or_changes_what_is_shown(pki: Pki, sealed: bytes) -> None:
    good = unpack(sealed)
    for position in range(0, len(sealed), 7):
        data = bytearray(sealed)
        data[position] ^= 1 << (zlib.crc32(bytes([position % 256])) % 8)
        report = verify(bytes(data), pki.policy())
        if report.verdict is Verdict.VALID:
            assert unpack(bytes(data)) == good, f"a change at {position} was not found"


def test_the_same_content_packed_anew_is_still_valid(pki: Pki, sealed: bytes) -> None:
    assert verify(write_package(unpack(sealed)), pki.policy()).verdict is Verdict.VALID
    assert Package(sealed).names == NAMES
