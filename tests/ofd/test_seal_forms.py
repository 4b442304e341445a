"""Seals of every generation and key, in memory and in files, protecting all or a part, stored in between."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from ofd.package.reader import Package, write_package
from ofd.ses.encode import encode_seal, encode_seal_info
from ofd.ses.encode_first import encode_first_seal, encode_first_seal_info, encode_first_seal_message
from ofd.ses.structure import Generation, Picture, Seal, SealSignature
from ofd.ses.verify import is_signed_by
from ofd.sign.parts import MAX_SIGNATURES, read_signature, read_signature_list
from ofd.sign.seal import PreparedSeal, Protection, StampAnnotation, prepare
from ofd.sign.signature import prepare_signature
from ofd.sign.validation_data import read_validation_data
from ofd.verify.document import verify
from trustcore.crypto.algorithms import DIGESTS, SIGNATURES, KeyAlgorithm
from trustcore.crypto.digests import digest
from trustcore.errors import ConflictError, MalformedError, RejectedError
from trustcore.report import Verdict

from support.ofd_holders import holder_of
from support.ofd_samples import (
    SIGNED_AT,
    Holder,
    Pki,
    issue,
    make_keys,
    make_seal,
    make_token,
    prepare_seal,
    sample_png,
    unpack,
)

SIGNS = "Doc_0/Signs/"
STAMP = StampAnnotation(x_mm=150, y_mm=230)
KEYS = (KeyAlgorithm.SM2, KeyAlgorithm.RSA_2048, KeyAlgorithm.EC_P256)


def holders(pki: Pki, key: KeyAlgorithm) -> tuple[Holder, Holder]:
    """Maker and signer."""
    if key is KeyAlgorithm.SM2:
        return pki.maker, pki.signer
    return holder_of(key, serial=101), holder_of(key, serial=102)


def seal_of(pki: Pki, generation: Generation, key: KeyAlgorithm = KeyAlgorithm.SM2) -> bytes:
    maker, signer = holders(pki, key)
    oid = SIGNATURES[maker.signer.algorithm].oid
    facts = {
        "vendor": "Xinyin",
        "seal_code": "7",
        "name": "某局",
        "certificates": [signer.certificate.der],
        "created": SIGNED_AT - timedelta(days=10),
        "valid_from": SIGNED_AT - timedelta(days=10),
        "valid_until": SIGNED_AT + timedelta(days=300),
        "picture": Picture(type="PNG", data=sample_png(), width_mm=42, height_mm=42),
    }
    der = maker.certificate.der
    if generation is Generation.V1:
        info = encode_first_seal_info(**facts)  # type: ignore[arg-type] # a table of keyword arguments
        message = encode_first_seal_message(info, certificate_der=der, signature_algorithm_oid=oid)
        return encode_first_seal(
            info, certificate_der=der, signature_algorithm_oid=oid, signature_der=maker.signer.sign(message)
        )
    info = encode_seal_info(**facts, generation=generation)  # type: ignore[arg-type] # a table of keyword arguments
    signature = maker.signer.sign(info)
    token = make_token(pki, signature, at=SIGNED_AT - timedelta(days=9)) if generation is Generation.V5 else None
    return encode_seal(
        info, certificate_der=der, signature_algorithm_oid=oid, signature_der=signature, timestamp_token=token
    )


def prepared_with(
    pki: Pki,
    package: bytes | Package,
    seal: Generation,
    key: KeyAlgorithm = KeyAlgorithm.SM2,
    **options: object,
) -> PreparedSeal:
    signer = holders(pki, key)[1]
    given = {
        "seal_der": seal_of(pki, seal, key),
        "stamps": [STAMP],
        "at": SIGNED_AT,
        "certificates": [pki.issuing.certificate.der],
        "crls": pki.crls,
        "signature_algorithm": signer.signer.algorithm,
        "certificate_der": signer.certificate.der,
    }
    return prepare(package, **given | options)  # type: ignore[arg-type] # a table of keyword arguments


def completed(pki: Pki, prepared: PreparedSeal, key: KeyAlgorithm = KeyAlgorithm.SM2) -> bytes:
    signer = holders(pki, key)[1]
    return prepared.complete(signer.signer.sign(prepared.to_be_signed), signer.certificate.der)


def signature_in(package: bytes, folder: str = "Sign_0") -> SealSignature:
    return SealSignature.parse(unpack(package)[f"{SIGNS}{folder}/SignedValue.dat"])


def refused(code: str) -> "pytest.RaisesExc[RejectedError]":
    return pytest.raises(RejectedError, check=lambda error: error.code == code)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("generation", Generation)
def test_every_generation_and_key_seals(pki: Pki, document: bytes, generation: Generation, key: KeyAlgorithm) -> None:
    signer = holders(pki, key)[1]
    sealed = completed(pki, prepared_with(pki, document, generation, key), key)
    read = signature_in(sealed)
    details = SIGNATURES[signer.signer.algorithm]
    assert (read.generation, read.to_be_signed.version, read.to_be_signed.seal.generation) == (
        generation,
        generation,
        generation,
    )
    assert read.signature_algorithm_oid == details.oid
    assert is_signed_by(signer.certificate, read.signature_algorithm_oid, read.to_be_signed_der, read.signature)
    files = unpack(sealed)
    xml = files[f"{SIGNS}Sign_0/Signature.xml"]
    assert read.to_be_signed.data_hash == digest(details.digest, xml)
    assert (read.to_be_signed.signed_at, read.variants) == (SIGNED_AT, ())
    description = read_signature(xml, name=f"{SIGNS}Sign_0/Signature.xml")
    assert (description.signature_method, description.check_method) == (details.oid, DIGESTS[details.digest].oid)
    report = verify(sealed, pki.policy())
    assert report.verdict is Verdict.VALID, report.problems
    own = {f"{SIGNS}Sign_0/Signature.xml", f"{SIGNS}Sign_0/SignedValue.dat"}
    assert {item.name: item.digest for item in description.references} == {
        name: digest(details.digest, data) for name, data in files.items() if name not in own
    }


def test_a_first_generation_seal_takes_its_validation_data_along_in_a_file(pki: Pki, document: bytes) -> None:
    sealed = completed(pki, prepared_with(pki, document, Generation.V1))
    data = read_validation_data(unpack(sealed)[f"{SIGNS}Sign_0/ValidationData.dat"])
    assert (data.certificates, set(data.crls)) == ((pki.issuing.certificate.der,), set(pki.crls))
    bare = completed(pki, prepared_with(pki, document, Generation.V1, certificates=(), crls=()))
    assert f"{SIGNS}Sign_0/ValidationData.dat" not in unpack(bare)
    later = completed(pki, prepared_with(pki, document, Generation.V4))
    assert f"{SIGNS}Sign_0/ValidationData.dat" not in unpack(later)


def test_a_first_generation_signature_may_have_a_time_stamp_as_its_time(pki: Pki, document: bytes) -> None:
    token = make_token(pki, b"anything", at=SIGNED_AT + timedelta(minutes=1))
    tbs = signature_in(completed(pki, prepared_with(pki, document, Generation.V1, time_token=token))).to_be_signed
    assert (tbs.time_token, tbs.signed_at) == (token, SIGNED_AT + timedelta(minutes=1))


def test_generations_go_together_or_are_refused(pki: Pki, document: bytes) -> None:
    newer = completed(pki, prepared_with(pki, document, Generation.V4, generation=Generation.V5))
    read = signature_in(newer)
    assert (read.generation, read.to_be_signed.seal.generation, read.variants) == (Generation.V5, Generation.V4, ())
    for seal, wanted in (
        (Generation.V5, Generation.V4),
        (Generation.V4, Generation.V1),
        (Generation.V1, Generation.V4),
    ):
        with refused("ofd.seal.generation"):
            prepared_with(pki, document, seal, generation=wanted)
    with refused("ofd.seal.certificate"):
        prepared_with(pki, document, Generation.V1, certificate_der=None)
    token = make_token(pki, b"x", at=SIGNED_AT)
    with refused("ofd.seal.timestamp-wrong"):
        prepared_with(pki, document, Generation.V4, time_token=token)
    prepared = prepared_with(pki, document, Generation.V1)
    signature = pki.signer.signer.sign(prepared.to_be_signed)
    with refused("ofd.seal.timestamp-wrong"):
        prepared.complete(signature, pki.signer.certificate.der, make_token(pki, signature, at=SIGNED_AT))


def test_a_signer_that_the_seal_does_not_list_is_refused_at_once(pki: Pki, document: bytes) -> None:
    with refused("ofd.seal.signer-not-listed"):
        prepared_with(pki, document, Generation.V4, certificate_der=pki.stranger.certificate.der)


def test_certificates_that_sign_no_documents_then_are_refused(pki: Pki, document: bytes) -> None:
    keys = make_keys()
    encryption = issue(keys, "Encryption", issuer=pki.issuing, serial=300, usages=("keyEncipherment",))
    expired = issue(keys, "Expired", issuer=pki.issuing, serial=301, not_after=SIGNED_AT - timedelta(days=1))
    for holder, code in ((encryption, "ofd.seal.key-usage"), (expired, "ofd.seal.certificate-period")):
        prepared = prepare_seal(pki, document, seal_der=make_seal(pki, signers=[holder]))
        with refused(code):
            prepared.complete(holder.signer.sign(prepared.to_be_signed), holder.certificate.der)
        with refused(code):
            prepare(
                document,
                seal_der=make_seal(pki, signers=[holder]),
                stamps=[STAMP],
                at=SIGNED_AT,
                certificate_der=holder.certificate.der,
            )
        with refused(code):
            prepare_signature(document, certificate_der=holder.certificate.der, at=SIGNED_AT)


def test_a_first_generation_signature_is_bound_to_its_certificate(pki: Pki, document: bytes) -> None:
    seal = make_two_signers(pki)
    prepared = prepared_with(pki, document, Generation.V1, seal_der=seal)
    with refused("ofd.seal.signature-wrong"):
        prepared.complete(pki.stranger.signer.sign(prepared.to_be_signed), pki.stranger.certificate.der)


def make_two_signers(pki: Pki) -> bytes:
    der, oid = pki.maker.certificate.der, SIGNATURES[pki.maker.signer.algorithm].oid
    info = encode_first_seal_info(
        vendor="Xinyin",
        seal_code="8",
        name="某局",
        certificates=[pki.signer.certificate.der, pki.stranger.certificate.der],
        created=SIGNED_AT,
        valid_from=SIGNED_AT,
        valid_until=SIGNED_AT + timedelta(days=1),
        picture=Picture(type="PNG", data=sample_png(), width_mm=1, height_mm=1),
    )
    message = encode_first_seal_message(info, certificate_der=der, signature_algorithm_oid=oid)
    signature = pki.maker.signer.sign(message)
    return encode_first_seal(info, certificate_der=der, signature_algorithm_oid=oid, signature_der=signature)


@pytest.mark.parametrize("key", KEYS)
def test_a_machine_may_sign_the_digest_alone(pki: Pki, document: bytes, key: KeyAlgorithm) -> None:
    signer = holders(pki, key)[1]
    prepared = prepared_with(pki, document, Generation.V4, key)
    to_sign = prepared.digest_to_sign(signer.certificate.der)
    assert len(to_sign) == 32
    assert prepared.complete(signer.signer.sign_digest(to_sign), signer.certificate.der)


def test_a_wrong_time_stamp_is_refused(pki: Pki, document: bytes) -> None:
    prepared = prepare_seal(pki, document)
    signature = pki.signer.signer.sign(prepared.to_be_signed)
    with refused("ofd.seal.timestamp-wrong"):
        prepared.complete(signature, pki.signer.certificate.der, make_token(pki, b"other", at=SIGNED_AT))
    with pytest.raises(MalformedError):
        prepared.complete(signature, pki.signer.certificate.der, b"token")


# Stored between the two phases


@pytest.mark.parametrize("generation", Generation)
def test_a_stored_seal_is_completed_with_the_same_document(pki: Pki, document: bytes, generation: Generation) -> None:
    prepared = prepared_with(pki, document, generation)
    restored = PreparedSeal.from_json(prepared.to_json(), document)
    assert restored == prepared
    signature = pki.signer.signer.sign(prepared.to_be_signed)
    certificate = pki.signer.certificate.der
    assert restored.complete(signature, certificate) == prepared.complete(signature, certificate)
    assert PreparedSeal.from_json(restored.to_json(), Package(document)).to_json() == prepared.to_json()


def test_prepared_seals_are_not_mixed_up(pki: Pki, document: bytes) -> None:
    other = Package(document).with_files({"Doc_0/extra.xml": b"<a/>"})
    first, second = prepare_seal(pki, document), prepare_seal(pki, other)
    signature = pki.signer.signer.sign(first.to_be_signed)
    with refused("ofd.seal.signature-wrong"):
        second.complete(signature, pki.signer.certificate.der)
    for data, package in ((first.to_json(), other), (second.to_json(), document)):
        with pytest.raises(ConflictError) as caught:
            PreparedSeal.from_json(data, package)
        assert caught.value.code == "ofd.sign.other-document"


def test_a_stored_seal_is_of_no_use_once_the_document_was_sealed(pki: Pki, document: bytes) -> None:
    prepared = prepare_seal(pki, document, protection=Protection.CONTINUE)
    stored = prepared.to_json()
    sealed = completed(pki, prepared)
    with pytest.raises(ConflictError):
        PreparedSeal.from_json(stored, sealed)


def test_parts_of_several_stored_seals_do_not_make_one(pki: Pki, document: bytes) -> None:
    one = json.loads(prepare_seal(pki, document).to_json())
    two = json.loads(prepare_seal(pki, document, seal_der=make_seal(pki, code="2")).to_json())
    for name in ("to_be_signed", "signature_xml", "added"):
        assert one[name] != two[name]
        with pytest.raises((ConflictError, MalformedError)):
            PreparedSeal.from_json(json.dumps(one | {name: two[name]}).encode(), document)
    for wrong in (
        {"signature_algorithm": "rot13"},
        {"signature_algorithm": "rsa-with-sha256"},
        {"certificate": one["to_be_signed"]},
    ):
        with pytest.raises(MalformedError):
            PreparedSeal.from_json(json.dumps(one | wrong).encode(), document)


# In files


def test_a_document_in_a_file_is_sealed_where_it_is(pki: Pki, document: bytes, tmp_path: Path) -> None:
    path, target = tmp_path / "document.ofd", tmp_path / "sealed.ofd"
    path.write_bytes(document)
    told: list[tuple[int, int]] = []
    with Package.open(path) as package:
        prepared = prepare_seal(pki, document, seal_der=make_seal(pki))
        in_file = prepare(
            package,
            seal_der=prepared.seal.der,
            stamps=[STAMP],
            at=SIGNED_AT,
            certificates=[pki.issuing.certificate.der],
            crls=pki.crls,
            progress=lambda done, total: told.append((done, total)),
        )
        assert in_file.to_be_signed == prepared.to_be_signed
        signature = pki.signer.signer.sign(in_file.to_be_signed)
        in_file.complete_to(target, signature, pki.signer.certificate.der)
    assert target.read_bytes() == prepared.complete(signature, pki.signer.certificate.der)
    assert told[0][0] == 0
    assert told[-1] == (len(Package(prepared.package).names), len(Package(prepared.package).names))
    assert path.read_bytes() == document


def test_a_document_that_changes_meanwhile_is_not_sealed(pki: Pki, document: bytes, tmp_path: Path) -> None:
    path = tmp_path / "document.ofd"
    path.write_bytes(document)
    with Package.open(path) as package:
        prepared = prepare(package, seal_der=make_seal(pki), stamps=[STAMP], at=SIGNED_AT)
        signature = pki.signer.signer.sign(prepared.to_be_signed)
        path.write_bytes(document + b" ")
        with pytest.raises(ConflictError):
            prepared.complete_to(tmp_path / "sealed.ofd", signature, pki.signer.certificate.der)
    assert not (tmp_path / "sealed.ofd").exists()


# What is protected


def test_parts_are_left_open_only_when_asked_for(pki: Pki, document: bytes) -> None:
    name = next(name for name in Package(document).names if name.endswith("Attachments.xml"))
    options = {"seal_der": make_seal(pki), "stamps": [STAMP], "at": SIGNED_AT}
    prepared = prepare(document, protection=Protection.PARTIAL, unprotected=[name], **options)  # type: ignore[arg-type] # a table
    description = read_signature(prepared.signature_xml, name=prepared.signature_name)
    assert set(Package(prepared.package).names) - {item.name for item in description.references} == {
        name,
        f"{SIGNS}Signatures.xml",
    }
    assert PreparedSeal.from_json(prepared.to_json(), document) == prepared
    for protection, unprotected in (
        (Protection.WHOLE, [name]),
        (Protection.CONTINUE, [name]),
        (Protection.PARTIAL, []),
        (Protection.PARTIAL, ["OFD.xml"]),
        (Protection.PARTIAL, ["Doc_0/absent.xml"]),
    ):
        with refused("ofd.sign.partial"):
            prepare(document, protection=protection, unprotected=unprotected, **options)  # type: ignore[arg-type] # a table


def test_several_seals_stand_in_one_document(pki: Pki, document: bytes) -> None:
    sealed = document
    for code in ("1", "2", "3"):
        sealed = completed(
            pki,
            prepare_seal(pki, sealed, seal_der=make_seal(pki, code=code), protection=Protection.CONTINUE),
        )
    report = verify(sealed, pki.policy())
    assert report.verdict is Verdict.VALID, report.problems
    assert [report.facts[name] for name in ("seal_code", "2.seal_code", "3.seal_code")] == ["1", "2", "3"]
    ids = [item.id for item in read_signature_list(Package(sealed), f"{SIGNS}Signatures.xml")]
    assert ids == ["s001", "s003", "s005"]


def test_a_document_has_no_more_signatures_than_are_read(pki: Pki, document: bytes) -> None:
    sealed = completed(pki, prepare_seal(pki, document, protection=Protection.CONTINUE))
    files = unpack(sealed)
    listed = f"{SIGNS}Signatures.xml"
    entries = b""
    for number in range(1, MAX_SIGNATURES):
        name = f"{SIGNS}Sign_{number}/Signature.xml"
        files[name] = files[f"{SIGNS}Sign_0/Signature.xml"]
        entries += f'<ofd:Signature ID="s{number * 2 + 1:03d}" BaseLoc="/{name}"/>'.encode()
    files[listed] = files[listed].replace(b"</ofd:Signatures>", entries + b"</ofd:Signatures>")
    with refused("ofd.sign.too-many"):
        prepare_seal(pki, write_package(files))


def test_a_document_of_the_old_namespace_keeps_it(pki: Pki, document: bytes) -> None:
    files = {
        name: data.replace(b"http://www.ofdspec.org/2016", b"http://www.ofdspec.org")
        for name, data in unpack(document).items()
    }
    sealed = completed(pki, prepare_seal(pki, write_package(files), protection=Protection.CONTINUE))
    root = unpack(sealed)["OFD.xml"]
    assert b"/2016" not in root
    assert b"<ofd:Signatures>/Doc_0/Signs/Signatures.xml</ofd:Signatures></ofd:DocBody>" in root
    files = unpack(sealed)
    listed = f"{SIGNS}Signatures.xml"
    files[listed] = files[listed].replace(b"http://www.ofdspec.org/2016", b"http://www.ofdspec.org")
    again = completed(pki, prepare_seal(pki, write_package(files), seal_der=make_seal(pki, code="2")))
    assert b"/2016" not in unpack(again)[listed]
    assert len(read_signature_list(Package(again), listed)) == 2


def test_names_with_markup_stay_names(pki: Pki, document: bytes) -> None:
    name = "Doc_0/a&b'<\">.xml"
    prepared = prepare_seal(pki, Package(document).with_files({name: b"<a/>"}))
    description = read_signature(prepared.signature_xml, name=prepared.signature_name)
    assert name in {item.name for item in description.references}


def test_a_seal_is_read_once_however_often_it_is_used(pki: Pki) -> None:
    der = seal_of(pki, Generation.V4)
    assert Seal.parse(der) is Seal.parse(bytes(bytearray(der)))
