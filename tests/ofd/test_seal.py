import pickle
from datetime import timedelta

import pytest
from lxml import etree

from ofd.package.reader import Package, write_package
from ofd.ses.encode import encode_seal_info
from ofd.ses.structure import CertificateDigest, Picture, SealSignature
from ofd.sign.parts import read_signature
from ofd.sign.seal import Protection, StampAnnotation, prepare
from ofd.verify.document import verify
from trustcore.crypto.digests import sm3
from trustcore.errors import ConflictError, RejectedError
from trustcore.report import Verdict

from support.ofd_samples import (
    SIGNED_AT,
    SM2_SM3,
    VERIFIED_AT,
    Pki,
    make_seal,
    make_token,
    prepare_seal,
    sample_png,
    seal_document,
    unpack,
)

SIGNS = "Doc_0/Signs/"


def test_a_sealed_document_is_valid_from_the_file_and_the_root_alone(pki: Pki, sealed: bytes) -> None:
    report = verify(sealed, pki.policy())
    assert report.verdict is Verdict.VALID, report.problems


def test_the_report_tells_who_sealed_what_and_when(pki: Pki, sealed: bytes) -> None:
    assert verify(sealed, pki.policy()).facts == {
        "signer": "Department",
        "seal_name": "某市市场监督管理局",
        "seal_code": "11010800000001",
        "signed_at": "2030-01-15T09:30:00Z",
        "signed_at_proven": "false",
        "title": "营业执照",
        "doc_id": "0123456789abcdef0123456789abcdef",
        "metadata.ZZMC": "营业执照",
        "metadata.CYZ": "某某有限公司",
    }


def test_every_file_is_protected_with_its_digest(sealed: bytes) -> None:
    files = unpack(sealed)
    description = read_signature(files[f"{SIGNS}Sign_0/Signature.xml"], name=f"{SIGNS}Sign_0/Signature.xml")
    digests = {reference.name: reference.digest for reference in description.references}
    unprotected = {f"{SIGNS}Sign_0/Signature.xml", f"{SIGNS}Sign_0/SignedValue.dat"}
    assert digests == {name: sm3(data) for name, data in files.items() if name not in unprotected}
    assert description.signature_method == SM2_SM3


def test_only_ofd_xml_is_written_anew(document: bytes, sealed: bytes) -> None:
    before, after = unpack(document), unpack(sealed)
    assert {name for name, data in before.items() if after[name] != data} == {"OFD.xml"}
    inserted = b"<ofd:Signatures>/Doc_0/Signs/Signatures.xml</ofd:Signatures>"
    assert after["OFD.xml"].replace(inserted, b"") == before["OFD.xml"]


def test_the_seal_signature_names_the_document(sealed: bytes) -> None:
    files = unpack(sealed)
    signature = SealSignature.parse(files[f"{SIGNS}Sign_0/SignedValue.dat"])
    tbs = signature.to_be_signed
    assert tbs.property_info == "/Doc_0/Signs/Sign_0/Signature.xml"
    assert tbs.data_hash == sm3(files[f"{SIGNS}Sign_0/Signature.xml"])
    assert tbs.seal.der == files[f"{SIGNS}Sign_0/Seal.esl"]
    assert tbs.signed_at == SIGNED_AT


def test_what_waits_for_its_signature_can_be_stored(pki: Pki, document: bytes) -> None:
    prepared = prepare_seal(pki, document)
    stored = pickle.loads(pickle.dumps(prepared))  # noqa: S301 - our own octets
    sealed = stored.complete(pki.signer.signer.sign(stored.to_be_signed), pki.signer.certificate.der)
    assert verify(sealed, pki.policy()).verdict is Verdict.VALID


def test_preparing_twice_gives_the_same_octets_to_sign(pki: Pki, document: bytes) -> None:
    seal_der = make_seal(pki)
    first, second = (prepare_seal(pki, document, seal_der=seal_der) for _ in range(2))
    assert first == second


def test_a_time_stamp_proves_the_time(pki: Pki, document: bytes) -> None:
    prepared = prepare_seal(pki, document)
    signature = pki.signer.signer.sign(prepared.to_be_signed)
    token = make_token(pki, signature, at=SIGNED_AT + timedelta(seconds=30))
    sealed = prepared.complete(signature, pki.signer.certificate.der, token)
    report = verify(sealed, pki.policy())
    assert report.verdict is Verdict.VALID, report.problems
    assert report.facts["signed_at"] == "2030-01-15T09:30:30Z"
    assert report.facts["signed_at_proven"] == "true"


def test_a_whole_seal_closes_the_document(pki: Pki, sealed: bytes) -> None:
    with pytest.raises(ConflictError) as caught:
        prepare_seal(pki, sealed)
    assert caught.value.code == "ofd.seal.closed"


def test_seals_follow_each_other_where_the_list_is_open(pki: Pki, document: bytes) -> None:
    once = seal_document(pki, document, protection=Protection.CONTINUE)
    twice = seal_document(pki, once, seal_der=make_seal(pki, code="2"), protection=Protection.WHOLE)
    report = verify(twice, pki.policy())
    assert report.verdict is Verdict.VALID, report.problems
    assert (report.facts["seal_code"], report.facts["2.seal_code"]) == ("11010800000001", "2")
    assert {name: data for name, data in unpack(once).items() if "Signatures.xml" not in name}.items() <= unpack(
        twice
    ).items()
    ids = etree.fromstring(unpack(twice)[f"{SIGNS}Signatures.xml"]).xpath("//@ID")
    assert ids == ["s001", "s003"]


def test_an_open_list_is_told(pki: Pki, document: bytes) -> None:
    report = verify(seal_document(pki, document, protection=Protection.CONTINUE), pki.policy())
    assert report.verdict is Verdict.VALID
    assert "ofd.signature.list-open" in {step.code for step in report.steps}


def test_a_seal_is_shown_where_it_was_put(pki: Pki, document: bytes) -> None:
    stamps = [
        StampAnnotation(page=1, x_mm=100.5, y_mm=200),
        StampAnnotation(page=0, x_mm=202, y_mm=40, width_mm=40, height_mm=40, clip_mm=(0, 0, 8, 40)),
    ]
    prepared = prepare(document, seal_der=make_seal(pki), stamps=stamps, at=SIGNED_AT)
    records = read_signature(prepared.signature_xml, name=prepared.signature_name).stamps
    assert [(item.id, item.boundary, item.clip) for item in records] == [
        ("s002", "100.5 200 42 42", None),
        ("s003", "202 40 40 40", "0 0 8 40"),
    ]
    assert records[0].page_id != records[1].page_id


def test_sealing_refuses_what_would_not_be_valid(pki: Pki, document: bytes, sealed: bytes) -> None:
    prepared = prepare_seal(pki, document)
    signature = pki.signer.signer.sign(prepared.to_be_signed)
    stranger = pki.stranger

    def refused(code: str) -> "pytest.RaisesExc[RejectedError]":
        return pytest.raises(RejectedError, check=lambda error: error.code == code)

    with refused("ofd.seal.signature-wrong"):
        prepared.complete(pki.signer.signer.sign(b"other"), pki.signer.certificate.der)
    with refused("ofd.seal.signature-wrong"):
        prepared.complete(signature, stranger.certificate.der)
    with refused("ofd.seal.signer-not-listed"):
        prepared.complete(stranger.signer.sign(prepared.to_be_signed), stranger.certificate.der)
    with refused("ofd.seal.outside-period"):
        prepare_seal(pki, document, at=SIGNED_AT + timedelta(days=301))
    with refused("ofd.seal.page"):
        prepare(document, seal_der=make_seal(pki), stamps=[StampAnnotation(page=2, x_mm=0, y_mm=0)], at=SIGNED_AT)
    with refused("ofd.seal.no-stamp"):
        prepare(document, seal_der=make_seal(pki), stamps=[], at=SIGNED_AT)
    files = unpack(document)
    forbidding = b"<ofd:Permissions><ofd:Signature>false</ofd:Signature></ofd:Permissions></ofd:Document>"
    files["Doc_0/Document.xml"] = files["Doc_0/Document.xml"].replace(b"</ofd:Document>", forbidding)
    with refused("ofd.seal.permission"):
        prepare_seal(pki, write_package(files))
    files = unpack(document)
    body = files["OFD.xml"][files["OFD.xml"].index(b"<ofd:DocBody>") : files["OFD.xml"].index(b"</ofd:OFD>")]
    files["OFD.xml"] = files["OFD.xml"].replace(body, body * 2)
    with refused("ofd.seal.several-documents"):
        prepare_seal(pki, write_package(files))
    with refused("ofd.seal.list-exists"):
        prepare_seal(pki, Package(document).with_files({f"{SIGNS}Signatures.xml": b"<Signatures/>"}))


def test_a_seal_lists_certificates_or_digests_for_a_period() -> None:
    good = {
        "vendor": "Xinyin",
        "seal_code": "1",
        "name": "章",
        "certificates": [b"\x30\x00"],
        "created": SIGNED_AT,
        "valid_from": SIGNED_AT,
        "valid_until": VERIFIED_AT,
        "picture": Picture(type="PNG", data=sample_png(), width_mm=1, height_mm=1),
    }
    assert encode_seal_info(**good)  # type: ignore[arg-type] # a table of keyword arguments
    for wrong in (
        {"certificates": []},
        {"certificate_digests": [CertificateDigest(type="SM3", value=b"")]},
        {"valid_until": SIGNED_AT},
        {"seal_code": ""},
        {"seal_code": "章"},
        {"picture": Picture(type="PNG", data=b"", width_mm=1, height_mm=1)},
    ):
        with pytest.raises(RejectedError):
            encode_seal_info(**good | wrong)  # type: ignore[arg-type] # a table of keyword arguments


def test_ids_that_are_no_counters_do_not_count(pki: Pki, document: bytes) -> None:
    once = seal_document(pki, document, protection=Protection.CONTINUE)
    files = unpack(once)
    name = f"{SIGNS}Signatures.xml"
    files[name] = files[name].replace(b'ID="s001"', b'ID="' + b"9" * 5000 + b'"')
    twice = unpack(seal_document(pki, write_package(files), protection=Protection.CONTINUE))
    assert b'ID="s003"' in twice[name]
