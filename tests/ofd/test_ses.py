from datetime import UTC, datetime, timedelta

import pytest

from ofd.ses.encode import (
    encode_seal,
    encode_seal_info,
    encode_signature,
    encode_to_be_signed,
    validation_material,
)
from ofd.ses.structure import CertificateDigest, Extension, Picture, Seal, SealSignature
from ofd.ses.verify import verify_seal
from trustcore.asn1 import encoder
from trustcore.asn1.reader import parse
from trustcore.crypto import sm2
from trustcore.crypto.digests import sha256, sm3
from trustcore.errors import MalformedError
from trustcore.report import Status, Step
from trustcore.x509.crl import RevokedEntry

from support.ofd_samples import SIGNED_AT, SM2_SM3, Pki, make_crl, make_seal, sample_png, sealed_sample, unpack

CERTIFICATE = b"\x30\x03\x02\x01\x01"
PICTURE = Picture(type="PNG", data=sample_png(), width_mm=42, height_mm=30)
LATER = SIGNED_AT + timedelta(days=365)


def seal_info(**options: object) -> bytes:
    given = {
        "vendor": "Xinyin",
        "seal_code": "11010800000001",
        "name": "某局",
        "certificates": [CERTIFICATE],
        "created": SIGNED_AT,
        "valid_from": SIGNED_AT,
        "valid_until": LATER,
        "picture": PICTURE,
    }
    return encode_seal_info(**given | options)  # type: ignore[arg-type] # a table of keyword arguments


def seal(info_der: bytes, signature: bytes = b"signature") -> bytes:
    return encode_seal(info_der, certificate_der=CERTIFICATE, signature_algorithm_oid=SM2_SM3, signature_der=signature)


def statuses(steps: tuple[Step, ...]) -> dict[str, Status]:
    return {step.code: step.status for step in steps}


def test_a_seal_is_read_as_it_was_written() -> None:
    extension = Extension(oid="1.2.156.10197.6.7.2.2.1", critical=True, value=b"2.1")
    info_der = seal_info(extensions=[extension])
    read = Seal.parse(seal(info_der))
    assert read.info_der == info_der
    assert (read.certificate_der, read.signature_algorithm_oid, read.signature) == (CERTIFICATE, SM2_SM3, b"signature")
    info = read.info
    assert (info.version, info.vendor, info.seal_code, info.type, info.name) == (
        4,
        "Xinyin",
        "11010800000001",
        1,
        "某局",
    )
    assert (info.created, info.valid_from, info.valid_until) == (SIGNED_AT, SIGNED_AT, LATER)
    assert (info.picture, info.extensions, info.certificates) == (PICTURE, (extension,), (CERTIFICATE,))
    assert read.variants == ()


def test_a_signature_is_read_as_it_was_written() -> None:
    seal_der = seal(seal_info())
    extensions = validation_material([b"\x30\x01\x00", b"\x30\x01\x00", b"\x30\x01\x01"], [b"\x30\x01\x02"])
    tbs = encode_to_be_signed(
        seal_der=seal_der, at=SIGNED_AT, data_hash=sm3(b""), property_info="/a/Signature.xml", extensions=extensions
    )
    der = encode_signature(
        tbs,
        certificate_der=CERTIFICATE,
        signature_algorithm_oid=SM2_SM3,
        signature_der=b"value",
        timestamp_token=b"token",
    )
    read = SealSignature.parse(der)
    assert (read.to_be_signed_der, read.certificate_der, read.signature) == (tbs, CERTIFICATE, b"value")
    assert (read.timestamp_token, read.signature_algorithm_oid, read.variants) == (b"token", SM2_SM3, ())
    inner = read.to_be_signed
    assert (inner.version, inner.seal.der, inner.signed_at) == (4, seal_der, SIGNED_AT)
    assert (inner.data_hash, inner.property_info) == (sm3(b""), "/a/Signature.xml")
    assert inner.embedded_certificates == (b"\x30\x01\x00", b"\x30\x01\x01")
    assert inner.embedded_crls == (b"\x30\x01\x02",)


def test_signers_are_listed_by_certificate_or_by_digest() -> None:
    by_certificate = Seal.parse(seal(seal_info())).info
    assert by_certificate.lists(CERTIFICATE)
    assert not by_certificate.lists(CERTIFICATE + b"\x00")
    for kind, value in (
        ("SM3", sm3(CERTIFICATE)),
        ("1.2.156.10197.1.401", sm3(CERTIFICATE)),
        ("SHA-256", sha256(CERTIFICATE)),
    ):
        digest = CertificateDigest(type=kind, value=value)
        by_digest = Seal.parse(seal(seal_info(certificates=[], certificate_digests=[digest]))).info
        assert by_digest.lists(CERTIFICATE)
        assert not by_digest.lists(b"other")
    assert not CertificateDigest(type="MD5", value=b"").matches(CERTIFICATE)


def test_a_default_is_written_and_may_be_left_out() -> None:
    written = seal_info(extensions=[Extension(oid="1.2.3", value=b"v")])
    assert encoder.boolean(False) in written
    assert Seal.parse(seal(written)).variants == ()
    left_out = encoder.sequence(encoder.oid("1.2.3"), encoder.octet_string(b"v"))
    info = parse(seal_info())
    crafted = encoder.sequence(*(child.raw for child in info.children), encoder.sequence(left_out))
    read = Seal.parse(seal(crafted))
    assert read.info.extensions == (Extension(oid="1.2.3", value=b"v"),)
    assert read.info_der == crafted
    assert read.variants == ("default-left-out",)


def test_extensions_are_read_with_either_tagging() -> None:
    parts = (encoder.oid("1.2.3"), encoder.boolean(False), encoder.octet_string(b"v"))
    item = encoder.sequence(encoder.sequence(*parts))
    tagged = encoder.sequence(*(child.raw for child in parse(seal_info()).children), encoder.explicit(0, item))
    read = Seal.parse(seal(tagged))
    assert (read.info.extensions[0].value, read.variants) == (b"v", ("extension-tagging",))
    tbs = parse(encode_to_be_signed(seal_der=seal(seal_info()), at=SIGNED_AT, data_hash=b"", property_info="p"))
    for implicit, count in ((encoder.implicit(0, item), 1), (encoder.tlv(0xA0, b""), 0)):
        odd = encoder.sequence(*(child.raw for child in tbs.children), implicit)
        value = encode_signature(
            odd, certificate_der=CERTIFICATE, signature_algorithm_oid=SM2_SM3, signature_der=b"value"
        )
        signature = SealSignature.parse(value)
        assert len(signature.to_be_signed.extensions) == count
        assert signature.variants == ("extension-tagging",)
    untagged = encoder.sequence(*(child.raw for child in tbs.children), item)
    signature = SealSignature.parse(
        encode_signature(untagged, certificate_der=CERTIFICATE, signature_algorithm_oid=SM2_SM3, signature_der=b"value")
    )
    assert (signature.to_be_signed.extensions[0].value, signature.variants) == (b"v", ("extension-tagging",))


@pytest.mark.parametrize(
    ("text", "at"),
    [
        (b"20300115093000Z", SIGNED_AT),
        (b"20300115093000.5Z", SIGNED_AT + timedelta(milliseconds=500)),
        (b"203001150930Z", SIGNED_AT),
        (b"20300115173000+0800", SIGNED_AT),
        (b"20300115173000", SIGNED_AT),
    ],
)
def test_times_of_every_form_are_read(text: bytes, at: datetime) -> None:
    written = encoder.generalized_time(SIGNED_AT)
    crafted = seal_info(created=datetime(2000, 1, 1, tzinfo=UTC))
    info = parse(crafted)
    properties = info[2]
    parts = [child.raw for child in properties.children]
    assert parts[5] == written
    parts[5] = encoder.tlv(0x18, text)
    other = encoder.sequence(info[0].raw, info[1].raw, encoder.sequence(*parts), info[3].raw)
    read = Seal.parse(seal(other))
    assert read.info.valid_from == at
    assert read.variants == (() if text == b"20300115093000Z" else ("time-form",))


def test_structures_that_are_not_understood_are_refused() -> None:
    info = parse(seal_info())
    wrong_header = encoder.sequence(encoder.ia5_string("XX"), encoder.integer(4), encoder.ia5_string("v"))
    first_generation = encoder.sequence(encoder.ia5_string("ES"), encoder.integer(1), encoder.ia5_string("v"))
    rest = [child.raw for child in info.children[1:]]
    table = {
        "ofd.ses.header": seal(encoder.sequence(wrong_header, *rest)),
        "ofd.ses.version": seal(encoder.sequence(first_generation, *rest)),
        "ofd.ses.surplus": seal(encoder.sequence(*(child.raw for child in info.children), encoder.null())),
        "asn1.tag": encoder.sequence(encoder.null(), encoder.null(), encoder.null()),
        "asn1.missing": encoder.sequence(info.raw),
        "asn1.trailing": seal(seal_info()) + b"\x00",
    }
    for code, der in table.items():
        with pytest.raises(MalformedError) as caught:
            Seal.parse(der)
        assert caught.value.code == code


def test_a_seal_of_a_trusted_maker_is_valid(pki: Pki) -> None:
    steps = verify_seal(
        Seal.parse(make_seal(pki)),
        roots=[pki.root.certificate],
        intermediates=[pki.issuing.certificate],
        crls=pki.crls,
        at=SIGNED_AT,
    )
    assert set(statuses(steps).values()) == {Status.PASSED}
    assert {"ofd.seal.signature", "ofd.seal.maker.path", "ofd.seal.maker.revocation", "ofd.seal.validity"} <= set(
        statuses(steps)
    )


def test_a_raw_signature_is_read(pki: Pki) -> None:
    made = Seal.parse(make_seal(pki))
    raw = sm2.signature_to_raw(made.signature)
    crafted = encode_seal(
        made.info_der,
        certificate_der=made.certificate_der,
        signature_algorithm_oid="1.2.156.10197.501",
        signature_der=raw,
    )
    read = Seal.parse(crafted)
    assert read.variants == ("raw-signature",)
    steps = verify_seal(read, roots=[], intermediates=[], crls=[], at=SIGNED_AT)
    assert statuses(steps)["ofd.seal.signature"] is Status.PASSED


@pytest.mark.parametrize("days", [-11, 301])
def test_a_seal_outside_its_period_is_refused(pki: Pki, days: int) -> None:
    at = SIGNED_AT + timedelta(days=days)
    steps = verify_seal(Seal.parse(make_seal(pki)), roots=[], intermediates=[], crls=[], at=at)
    assert statuses(steps)["ofd.seal.validity"] is Status.FAILED


def test_a_seal_of_a_revoked_maker_is_refused(pki: Pki) -> None:
    revoked = RevokedEntry(serial_number=3, at=SIGNED_AT - timedelta(days=20))
    steps = verify_seal(
        Seal.parse(make_seal(pki)),
        roots=[pki.root.certificate],
        intermediates=[pki.issuing.certificate],
        crls=[pki.crls[0], make_crl(pki.issuing, revoked)],
        at=SIGNED_AT,
    )
    assert Status.FAILED in {step.status for step in steps if step.code == "ofd.seal.maker.revocation"}


def test_a_seal_made_by_who_may_only_use_it_is_told_apart(pki: Pki) -> None:
    forged = make_seal(pki, maker=pki.stranger)
    seal_read = Seal.parse(forged)
    altered = encode_seal(
        seal_read.info_der,
        certificate_der=pki.maker.certificate.der,
        signature_algorithm_oid=SM2_SM3,
        signature_der=seal_read.signature,
    )
    steps = verify_seal(Seal.parse(altered), roots=[], intermediates=[], crls=[], at=SIGNED_AT)
    assert statuses(steps)["ofd.seal.signature"] is Status.FAILED


def test_a_flipped_byte_anywhere_in_a_seal_is_found(pki: Pki) -> None:
    original = make_seal(pki)
    policy = pki.policy()
    evidence = {"intermediates": [pki.issuing.certificate], "crls": pki.crls, "at": SIGNED_AT}
    for position in range(0, len(original), 5):
        data = bytearray(original)
        data[position] ^= 0x02
        try:
            read = Seal.parse(bytes(data))
        except MalformedError:
            continue
        steps = verify_seal(read, roots=policy.roots, **evidence)  # type: ignore[arg-type] # a table of evidence
        assert {step.status for step in steps} != {Status.PASSED}, position


def test_the_sample_has_no_variants() -> None:
    value = unpack(sealed_sample())["Doc_0/Signs/Sign_0/SignedValue.dat"]
    assert SealSignature.parse(value).variants == ()


def test_numbers_without_bound_are_refused() -> None:
    huge = encoder.tlv(0x02, b"\x01" + bytes(4000))
    header = encoder.sequence(encoder.ia5_string("ES"), huge, encoder.ia5_string("v"))
    crafted = encoder.sequence(header, *(child.raw for child in parse(seal_info()).children[1:]))
    with pytest.raises(MalformedError) as caught:
        Seal.parse(seal(crafted))
    assert caught.value.code == "ofd.ses.integer"


def test_validation_material_is_bounded() -> None:
    many = [encoder.integer(number) for number in range(33)]
    for material in (validation_material(many, []), validation_material([], many)):
        tbs = encode_to_be_signed(
            seal_der=seal(seal_info()), at=SIGNED_AT, data_hash=b"", property_info="p", extensions=material
        )
        read = SealSignature.parse(
            encode_signature(tbs, certificate_der=CERTIFICATE, signature_algorithm_oid=SM2_SM3, signature_der=b"v")
        ).to_be_signed
        with pytest.raises(MalformedError, match="too much"):
            _ = read.embedded_certificates, read.embedded_crls
