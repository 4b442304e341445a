"""Signing without a seal, and archiving."""

import base64
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ofd.package.reader import Package
from ofd.ses.structure import REVOCATION_VALUES, Extension, SealSignature
from ofd.sign.archive import PreparedArchive, ValidationData, prepare_archive, read_validation_data
from ofd.sign.parts import read_signature, read_signature_list
from ofd.sign.plain import PlainSignature, Shape
from ofd.sign.seal import PreparedSeal, Protection, StampAnnotation, prepare
from ofd.sign.signature import PreparedSignature, prepare_signature
from ofd.sign.validation_data import encode_validation_data
from ofd.verify.document import verify as judge
from trustcore.asn1 import encoder
from trustcore.asn1.reader import parse
from trustcore.crypto.algorithms import SIGNATURES, DigestAlgorithm, KeyAlgorithm, SignatureAlgorithm
from trustcore.crypto.digests import digest, sha256
from trustcore.crypto.verify import verify, verify_digest
from trustcore.errors import ConflictError, MalformedError, RejectedError
from trustcore.report import Verdict
from trustcore.x509.ocsp import CertificateId, CertificateStatus, SingleResponse, build_response
from trustcore.x509.tsp import TimeStampRequest, TstInfo, build_token

from support.ofd_holders import holder_of
from support.ofd_samples import SIGNED_AT, Pki, make_seal, make_token, prepare_seal, seal_document, sm3_imprint, unpack

SIGNS = "Doc_0/Signs/"
SHAPES = (Shape.ATTRIBUTES, Shape.DIGEST)


def prepared_by(pki: Pki, document: bytes | Package, **options: object) -> PreparedSignature:
    given = {
        "certificate_der": pki.signer.certificate.der,
        "at": SIGNED_AT,
        "certificates": [pki.issuing.certificate.der],
        "crls": pki.crls,
    }
    return prepare_signature(document, **given | options)  # type: ignore[arg-type] # a table of keyword arguments


def signed_by(pki: Pki, prepared: PreparedSignature) -> bytes:
    return prepared.complete(pki.signer.signer.sign(prepared.to_be_signed))


def value_of(package: bytes, folder: str = "Sign_0") -> PlainSignature:
    files = unpack(package)
    name = f"{SIGNS}{folder}/Signature.xml"
    description = read_signature(files[name], name=name)
    return PlainSignature.parse(files[description.signed_value], signature_method=description.signature_method)


def xml_of(package: bytes, folder: str = "Sign_0") -> bytes:
    return unpack(package)[f"{SIGNS}{folder}/Signature.xml"]


def assert_protected(package: bytes, folder: str, *, but: set[str], algorithm: DigestAlgorithm) -> None:
    files = unpack(package)
    name = f"{SIGNS}{folder}/Signature.xml"
    description = read_signature(files[name], name=name)
    own = {name, description.signed_value}
    expected = {item: digest(algorithm, data) for item, data in files.items() if item not in own | but}
    assert {reference.name: reference.digest for reference in description.references} == expected


@pytest.mark.parametrize("shape", SHAPES)
def test_a_signature_without_seal_protects_everything(pki: Pki, document: bytes, shape: Shape) -> None:
    signed = signed_by(pki, prepared_by(pki, document, shape=shape))
    plain, xml = value_of(signed), xml_of(signed)
    assert (plain.shape, plain.variants, plain.is_over(xml)) == (shape, (), True)
    assert plain.algorithm is SignatureAlgorithm.SM2_SM3
    assert verify(pki.signer.certificate.public_key_der, plain.algorithm, plain.message(xml), plain.signature)
    assert set(plain.certificates) == {pki.signer.certificate.der, pki.issuing.certificate.der}
    assert set(plain.crls) == set(pki.crls)
    assert_protected(signed, "Sign_0", but=set(), algorithm=DigestAlgorithm.SM3)
    report = judge(signed, pki.policy())
    assert report.verdict is Verdict.VALID, report.problems
    (listed,) = read_signature_list(Package(signed), f"{SIGNS}Signatures.xml")
    assert (listed.id, listed.type, listed.relative) == ("s001", "Sign", None)
    assert f"{SIGNS}Sign_0/Seal.esl" not in unpack(signed)


def test_the_attributes_name_time_and_certificate(pki: Pki, document: bytes) -> None:
    data = value_of(signed_by(pki, prepared_by(pki, document))).signed_data
    assert data is not None
    assert (data.signing_time, data.names_certificate(pki.signer.certificate)) == (SIGNED_AT, True)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_digest_alone_can_be_signed(pki: Pki, document: bytes, shape: Shape) -> None:
    prepared = prepared_by(pki, document, shape=shape)
    assert len(prepared.digest_to_sign) == 32
    signature = pki.signer.signer.sign_digest(prepared.digest_to_sign)
    assert value_of(prepared.complete(signature)).is_over(prepared.draft.signature_xml)
    assert verify_digest(
        pki.signer.certificate.public_key_der, SignatureAlgorithm.SM2_SM3, prepared.digest_to_sign, signature
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_a_signature_is_stamped_with_the_time(pki: Pki, document: bytes, shape: Shape) -> None:
    prepared = prepared_by(pki, document, shape=shape)
    signature = pki.signer.signer.sign(prepared.to_be_signed)
    token = make_token(pki, signature, at=SIGNED_AT)
    plain = value_of(prepared.complete(signature, token))
    assert (plain.time_stamp_token, plain.time_stamped) == (token, signature)
    with pytest.raises(RejectedError) as caught:
        prepared.complete(signature, make_token(pki, b"other", at=SIGNED_AT))
    assert caught.value.code == "ofd.seal.timestamp-wrong"


def test_other_keys_sign_with_their_own_hash(pki: Pki, document: bytes) -> None:
    for holder in map(holder_of, (KeyAlgorithm.RSA_2048, KeyAlgorithm.EC_P256)):
        algorithm = holder.signer.algorithm
        prepared = prepared_by(
            pki, document, certificate_der=holder.certificate.der, signature_algorithm=algorithm, stamps=[]
        )
        signed = prepared.complete(holder.signer.sign(prepared.to_be_signed))
        plain = value_of(signed)
        assert (plain.algorithm, plain.variants, plain.is_over(xml_of(signed))) == (algorithm, (), True)
        report = judge(signed, pki.policy())
        assert report.verdict is Verdict.VALID, report.problems
        assert prepared.digest_to_sign == sha256(prepared.to_be_signed)
        assert_protected(signed, "Sign_0", but=set(), algorithm=DigestAlgorithm.SHA256)
        name = f"{SIGNS}Sign_0/Signature.xml"
        assert read_signature(xml_of(signed), name=name).signature_method == SIGNATURES[algorithm].oid


def test_a_signature_may_be_shown(pki: Pki, document: bytes) -> None:
    stamp = StampAnnotation(page=1, x_mm=10, y_mm=20, width_mm=30, height_mm=12.5)
    signed = signed_by(pki, prepared_by(pki, document, stamps=[stamp]))
    description = read_signature(xml_of(signed), name=f"{SIGNS}Sign_0/Signature.xml")
    assert [(item.id, item.boundary) for item in description.stamps] == [("s002", "10 20 30 12.5")]
    with pytest.raises(RejectedError) as caught:
        prepared_by(pki, document, stamps=[StampAnnotation(x_mm=0, y_mm=0)])
    assert caught.value.code == "ofd.seal.stamp-size"


def test_a_wrong_signature_is_refused(pki: Pki, document: bytes) -> None:
    prepared = prepared_by(pki, document)
    for signature in (b"", pki.stranger.signer.sign(prepared.to_be_signed), pki.signer.signer.sign(b"other")):
        with pytest.raises(RejectedError) as caught:
            prepared.complete(signature)
        assert caught.value.code == "ofd.seal.signature-wrong"
    with pytest.raises(RejectedError) as caught:
        prepared_by(pki, document, shape=Shape.BARE)
    assert caught.value.code == "ofd.sign.shape"
    with pytest.raises(RejectedError) as caught:
        prepared_by(pki, document, signature_algorithm=SignatureAlgorithm.RSA_SHA256)
    assert caught.value.code == "ofd.seal.signature-wrong"


def test_a_prepared_signature_is_stored_and_restored(pki: Pki, document: bytes) -> None:
    for shape in SHAPES:
        prepared = prepared_by(pki, document, shape=shape)
        stored = prepared.to_json()
        assert len(stored) < 40_000
        restored = PreparedSignature.from_json(stored, document)
        assert restored == prepared
        signature = pki.signer.signer.sign(prepared.to_be_signed)
        assert restored.complete(signature) == prepared.complete(signature)


def test_stored_signatures_of_another_document_are_refused(pki: Pki, document: bytes) -> None:
    stored = prepared_by(pki, document, protection=Protection.CONTINUE).to_json()
    signed = signed_by(pki, prepared_by(pki, document, protection=Protection.CONTINUE))
    files = unpack(document)
    for other in (
        signed,  # it was signed meanwhile
        Package(document).with_files({"Doc_0/new.xml": b"<a/>"}),
        Package(document).with_files({"Doc_0/Document.xml": files["Doc_0/Document.xml"].replace(b" ", b"  ", 1)}),
    ):
        with pytest.raises(ConflictError) as caught:
            PreparedSignature.from_json(stored, other)
        assert caught.value.code == "ofd.sign.other-document"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "seal"),
        ("version", 2),
        ("format", "x"),
        ("shape", "bare"),
        ("shape", "round"),
        ("signature_algorithm", "rot13"),
        ("digest", "md5"),
        ("to_be_signed", ""),
        ("to_be_signed", "%%%"),
        ("to_be_signed", "MAA="),
        ("added", []),
        ("added", {"Doc_0/Signs/Signatures.xml": 1}),
        ("certificates", "x"),
        ("unprotected", [1]),
        ("signature_xml", None),
    ],
)
def test_altered_stores_are_refused(pki: Pki, document: bytes, name: str, value: object) -> None:
    content = json.loads(prepared_by(pki, document).to_json())
    content[name] = value
    with pytest.raises(MalformedError):
        PreparedSignature.from_json(json.dumps(content).encode(), document)


def test_altered_lists_of_signatures_are_refused(pki: Pki, document: bytes) -> None:
    prepared = prepared_by(pki, document, protection=Protection.CONTINUE)
    list_name = prepared.draft.list_name
    for wrong in (b"<Signatures/>", prepared.draft.added[list_name].replace(b"s001", b"s009"), b"<"):
        stored = prepared.draft.added | {list_name: wrong}  # type: ignore[operator] # it is a dict
        changed = json.loads(prepared.to_json())
        changed["added"] = {name: base64.b64encode(data).decode() for name, data in stored.items()}
        with pytest.raises(ConflictError):
            PreparedSignature.from_json(json.dumps(changed).encode(), document)


def test_no_octets_are_a_store(document: bytes) -> None:
    for data in (b"", b"[]", b"{}", b"[" * 100_000, b"\xff"):
        with pytest.raises(MalformedError) as caught:
            PreparedSeal.from_json(data, document)
        assert caught.value.code == "ofd.sign.stored"


# Archiving


def validation(pki: Pki) -> ValidationData:
    return ValidationData(certificates=(pki.issuing.certificate.der, pki.tsa.certificate.der), crls=pki.crls)


def archived(pki: Pki, package: bytes, **options: object) -> bytes:
    prepared = prepare_archive(package, at=SIGNED_AT, validation=validation(pki), **options)  # type: ignore[arg-type] # a table
    return prepared.complete(make_token(pki, prepared.to_be_stamped, at=SIGNED_AT + timedelta(days=1)))


def test_an_archive_keeps_what_verifies_the_signatures_before_it(pki: Pki, document: bytes) -> None:
    sealed = seal_document(pki, document, protection=Protection.CONTINUE)
    kept = archived(pki, sealed)
    before, after = unpack(sealed), unpack(kept)
    assert {name for name in before if before[name] != after[name]} == {f"{SIGNS}Signatures.xml"}
    assert set(after) - set(before) == {
        f"{SIGNS}Sign_1/{name}" for name in ("Signature.xml", "SignedValue.dat", "ValidationData.dat")
    }
    assert_protected(kept, "Sign_1", but={f"{SIGNS}Signatures.xml"}, algorithm=DigestAlgorithm.SM3)
    data = read_validation_data(after[f"{SIGNS}Sign_1/ValidationData.dat"])
    assert set(data.certificates) == set(validation(pki).certificates)
    assert set(data.crls) == set(pki.crls)
    plain = value_of(kept, "Sign_1")
    assert plain.shape is Shape.TIME_STAMP
    listed = read_signature_list(Package(kept), f"{SIGNS}Signatures.xml")
    assert [(item.id, item.type, item.relative) for item in listed] == [
        ("s001", "Seal", None),
        ("s003", "Sign", "s001"),
    ]


def test_an_archive_is_renewed_before_its_time_stamp_ends(pki: Pki, document: bytes) -> None:
    once = archived(pki, seal_document(pki, document, protection=Protection.CONTINUE))
    twice = archived(pki, once)
    assert_protected(twice, "Sign_2", but={f"{SIGNS}Signatures.xml"}, algorithm=DigestAlgorithm.SM3)
    listed = read_signature_list(Package(twice), f"{SIGNS}Signatures.xml")
    assert [item.relative for item in listed] == [None, "s001", "s003"]
    named = archived(pki, twice, relative="s001")
    assert read_signature_list(Package(named), f"{SIGNS}Signatures.xml")[-1].relative == "s001"


def test_the_request_asks_for_a_stamp_over_the_description(pki: Pki, document: bytes) -> None:
    sealed = seal_document(pki, document, protection=Protection.CONTINUE)
    prepared = prepare_archive(
        sealed, at=SIGNED_AT, validation=validation(pki), digest_algorithm=DigestAlgorithm.SHA512
    )
    request = TimeStampRequest.from_der(prepared.request(nonce=5))
    assert (request.algorithm, request.digest) == (DigestAlgorithm.SHA512, prepared.imprint)
    assert request.wants_certificate
    info = TstInfo(
        policy="1.2.3", imprint_der=request.imprint_der, serial_number=1, gen_time=SIGNED_AT, accuracy_seconds=None
    )
    token = build_token(info, signer=pki.tsa.signer, certificate=pki.tsa.certificate)
    assert_protected(
        prepared.complete(token), "Sign_1", but={f"{SIGNS}Signatures.xml"}, algorithm=DigestAlgorithm.SHA512
    )


def test_what_cannot_be_archived_is_refused(pki: Pki, document: bytes, sealed: bytes) -> None:
    with pytest.raises(RejectedError) as caught:
        archived(pki, document)
    assert caught.value.code == "ofd.sign.nothing-to-archive"
    with pytest.raises(RejectedError):
        archived(pki, seal_document(pki, document, protection=Protection.CONTINUE), relative="s009")
    with pytest.raises(ConflictError) as conflict:
        archived(pki, sealed)
    assert conflict.value.code == "ofd.seal.closed"
    prepared = prepare_archive(
        seal_document(pki, document, protection=Protection.CONTINUE), at=SIGNED_AT, validation=validation(pki)
    )
    with pytest.raises(RejectedError) as caught:
        prepared.complete(make_token(pki, b"other", at=SIGNED_AT))
    assert caught.value.code == "ofd.seal.timestamp-wrong"
    with pytest.raises(MalformedError):
        prepared.complete(b"")


def test_a_prepared_archive_is_stored_and_restored(pki: Pki, document: bytes) -> None:
    sealed = seal_document(pki, document, protection=Protection.CONTINUE)
    prepared = prepare_archive(sealed, at=SIGNED_AT, validation=validation(pki))
    restored = PreparedArchive.from_json(prepared.to_json(), sealed)
    assert restored == prepared
    token = make_token(pki, prepared.to_be_stamped, at=SIGNED_AT)
    assert restored.complete(token) == prepared.complete(token)
    with pytest.raises(ConflictError):
        PreparedArchive.from_json(prepared.to_json(), seal_document(pki, document, protection=Protection.CONTINUE))


def test_archives_and_signatures_are_written_into_files(pki: Pki, document: bytes, tmp_path: Path) -> None:
    path = tmp_path / "document.ofd"
    path.write_bytes(document)
    with Package.open(path) as package:
        prepared = prepared_by(pki, package, protection=Protection.CONTINUE)
        signature = pki.signer.signer.sign(prepared.to_be_signed)
        prepared.complete_to(path, signature)
    assert path.read_bytes() == prepared_by(pki, document, protection=Protection.CONTINUE).complete(signature)
    with Package.open(path) as package:
        archive = prepare_archive(package, at=SIGNED_AT, validation=validation(pki))
        archive.complete_to(path, make_token(pki, archive.to_be_stamped, at=SIGNED_AT))
    assert value_of(path.read_bytes(), "Sign_1").shape is Shape.TIME_STAMP


def test_validation_data_is_read_as_it_was_written(pki: Pki) -> None:
    certificates = (pki.issuing.certificate.der, pki.tsa.certificate.der)
    response = b"\x30\x03\x0a\x01\x00"
    data = encode_validation_data((*certificates, certificates[0]), pki.crls, [response])
    read = read_validation_data(data)
    assert sorted(read.certificates) == sorted(certificates)
    assert sorted(read.crls) == sorted(pki.crls)
    assert read.ocsp_responses == (response,)
    assert not read_validation_data(encode_validation_data(()))
    assert ValidationData(crls=(b"x",))
    for wrong in (b"", b"\x30\x00", sm3_imprint(b"")):
        with pytest.raises(MalformedError):
            read_validation_data(wrong)
    with pytest.raises(RejectedError):
        encode_validation_data([bytes((0x30, 0))] * 257)
    items = b"".join(encoder.sequence(encoder.integer(number)) for number in range(257))
    signed_data = [child.raw for child in parse(data)[1][0].children]
    signed_data[3] = encoder.tlv(0xA0, items)
    crowded = encoder.sequence(parse(data)[0].raw, encoder.explicit(0, encoder.sequence(*signed_data)))
    other_type = encoder.sequence(encoder.oid("1.2.3"), encoder.explicit(0, encoder.sequence()))
    for wrong in (crowded, other_type):
        with pytest.raises(MalformedError) as caught:
            read_validation_data(wrong)
        assert caught.value.code == "ofd.sign.validation-data"


def test_ocsp_responses_travel_in_seals_and_beside_signatures(pki: Pki, document: bytes) -> None:
    single = SingleResponse(
        certificate_id=CertificateId.of(4, pki.issuing.certificate),
        status=CertificateStatus.GOOD,
        this_update=SIGNED_AT,
        next_update=SIGNED_AT + timedelta(days=1),
    )
    response = build_response(
        [single], responder=pki.issuing.certificate, signer=pki.issuing.signer, produced_at=SIGNED_AT
    )
    seal = prepare(
        document,
        seal_der=make_seal(pki),
        stamps=[StampAnnotation(x_mm=1, y_mm=1)],
        at=SIGNED_AT,
        certificates=[pki.issuing.certificate.der],
        crls=pki.crls[:1],
        ocsp_responses=[response, response],
    )
    sealed = seal.complete(pki.signer.signer.sign(seal.to_be_signed), pki.signer.certificate.der)
    tbs = SealSignature.parse(unpack(sealed)[f"{SIGNS}Sign_0/SignedValue.dat"]).to_be_signed
    assert (tbs.embedded_ocsp_responses, tbs.embedded_crls) == ((response,), pki.crls[:1])
    whole = encoder.sequence(encoder.explicit(1, encoder.sequence(response)))
    wild = replace(tbs, extensions=(Extension(oid=REVOCATION_VALUES, value=whole),))
    assert (wild.embedded_ocsp_responses, wild.embedded_crls) == ((response,), ())
    signed = unpack(signed_by(pki, prepared_by(pki, document, ocsp_responses=[response])))
    data = read_validation_data(signed[f"{SIGNS}Sign_0/ValidationData.dat"])
    assert data == ValidationData(ocsp_responses=(response,))
    with pytest.raises(MalformedError):
        prepare(
            document,
            seal_der=make_seal(pki),
            stamps=[StampAnnotation(x_mm=1, y_mm=1)],
            at=SIGNED_AT,
            ocsp_responses=[b"\x30\x00"],
        )


def test_prepared_seals_and_signatures_are_not_taken_for_each_other(pki: Pki, document: bytes) -> None:
    seal, signature = prepare_seal(pki, document), prepared_by(pki, document)
    with pytest.raises(MalformedError):
        PreparedSignature.from_json(seal.to_json(), document)
    with pytest.raises(MalformedError):
        PreparedSeal.from_json(signature.to_json(), document)
