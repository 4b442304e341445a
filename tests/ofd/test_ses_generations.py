"""Seals and signatures of GM/T 0031-2014 and GM/T 0031-2025, and the odd forms in which they are deployed."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from ofd.ses.encode import encode_seal, encode_seal_info, encode_signature, encode_to_be_signed
from ofd.ses.encode_first import (
    encode_first_seal,
    encode_first_seal_info,
    encode_first_seal_message,
    encode_first_signature,
    encode_first_to_be_signed,
)
from ofd.ses.structure import Extension, Generation, Picture, Seal, SealSignature
from ofd.ses.verify import verify_seal
from trustcore.asn1 import encoder
from trustcore.asn1.reader import parse
from trustcore.crypto.digests import sm3
from trustcore.errors import MalformedError, RejectedError
from trustcore.report import Status
from trustcore.x509.tsp import granted

from support.ofd_samples import SIGNED_AT, SM2_SM3, Pki, make_token, sample_png

PICTURE = Picture(type="PNG", data=sample_png(), width_mm=42, height_mm=30)
LATER = SIGNED_AT + timedelta(days=365)
PATH = "/Doc_0/Signs/Sign_0/Signature.xml"


def first_info(pki: Pki, **options: object) -> bytes:
    given = {
        "vendor": "Xinyin",
        "seal_code": "1",
        "name": "某局",
        "certificates": [pki.signer.certificate.der],
        "created": SIGNED_AT,
        "valid_from": SIGNED_AT,
        "valid_until": LATER,
        "picture": PICTURE,
    }
    return encode_first_seal_info(**given | options)  # type: ignore[arg-type] # a table of keyword arguments


def first_seal(pki: Pki, info: bytes) -> bytes:
    maker = pki.maker.certificate.der
    message = encode_first_seal_message(info, certificate_der=maker, signature_algorithm_oid=SM2_SM3)
    return encode_first_seal(
        info, certificate_der=maker, signature_algorithm_oid=SM2_SM3, signature_der=pki.maker.signer.sign(message)
    )


def first_tbs(pki: Pki, **options: object) -> bytes:
    given = {
        "seal_der": first_seal(pki, first_info(pki)),
        "at": SIGNED_AT,
        "data_hash": sm3(b"xml"),
        "property_info": PATH,
        "certificate_der": pki.signer.certificate.der,
        "signature_algorithm_oid": SM2_SM3,
    }
    return encode_first_to_be_signed(**given | options)  # type: ignore[arg-type] # a table of keyword arguments


def replaced(der: bytes, path: tuple[int, ...], change: Callable[[bytes], bytes]) -> bytes:
    """``der`` with the value at ``path`` changed, all lengths above it written anew."""
    if not path:
        return change(der)
    node = parse(der)
    index, *rest = path
    parts = [child.raw for child in node.children]
    parts[index] = replaced(parts[index], tuple(rest), change)
    return encoder.tlv(node.tag, b"".join(parts))


def test_a_first_generation_seal_is_read_as_it_was_written(pki: Pki) -> None:
    extension = Extension(oid="1.2.3", critical=True, value=b"v")
    info_der = first_info(pki, extensions=[extension])
    der = first_seal(pki, info_der)
    read = Seal.parse(der)
    assert (read.generation, read.info.version, read.variants) == (Generation.V1, 1, ())
    assert (read.der, read.info_der, read.certificate_der) == (der, info_der, pki.maker.certificate.der)
    info = read.info
    assert (info.name, info.seal_code, info.type, info.picture) == ("某局", "1", 1, PICTURE)
    assert (info.created, info.valid_from, info.valid_until) == (SIGNED_AT, SIGNED_AT, LATER)
    assert info.certificates == (pki.signer.certificate.der,)
    assert info.extensions == (extension,)


def test_the_maker_of_a_first_generation_seal_signs_certificate_and_algorithm_too(pki: Pki) -> None:
    read = Seal.parse(first_seal(pki, first_info(pki)))
    evidence = {"roots": [], "intermediates": [], "crls": [], "at": SIGNED_AT}
    found = {step.code: step.status for step in verify_seal(read, **evidence)}  # type: ignore[arg-type] # a table
    assert found["ofd.seal.signature"] is Status.PASSED
    over_info_alone = encode_first_seal(
        read.info_der,
        certificate_der=read.certificate_der,
        signature_algorithm_oid=SM2_SM3,
        signature_der=pki.maker.signer.sign(read.info_der),
    )
    steps = verify_seal(Seal.parse(over_info_alone), **evidence)  # type: ignore[arg-type] # a table
    assert {step.code: step.status for step in steps}["ofd.seal.signature"] is Status.FAILED


def test_a_first_generation_signature_is_read_as_it_was_written(pki: Pki) -> None:
    tbs = first_tbs(pki)
    read = SealSignature.parse(encode_first_signature(tbs, signature_der=b"value"))
    assert (read.generation, read.to_be_signed_der, read.signature, read.variants) == (Generation.V1, tbs, b"value", ())
    assert (read.certificate_der, read.signature_algorithm_oid) == (pki.signer.certificate.der, SM2_SM3)
    assert read.timestamp_token is None
    inner = read.to_be_signed
    assert (inner.version, inner.signed_at, inner.data_hash) == (1, SIGNED_AT, sm3(b"xml"))
    assert (inner.property_info, inner.time_token, inner.extensions) == (PATH, None, ())
    assert (inner.embedded_certificates, inner.embedded_crls) == ((), ())


def test_a_time_stamp_may_stand_as_the_signing_time(pki: Pki) -> None:
    at = SIGNED_AT + timedelta(seconds=7)
    token = make_token(pki, sm3(b"xml"), at=at)
    for written in (token, granted(token)):
        tbs = first_tbs(pki, time_token=written)
        inner = SealSignature.parse(encode_first_signature(tbs, signature_der=b"value")).to_be_signed
        assert (inner.signed_at, inner.time_token) == (at, token)


@pytest.mark.parametrize(
    ("text", "variants"),
    [
        (encoder.generalized_time(SIGNED_AT), ()),
        (b"20300115093000Z", ("time-form",)),
        (b"20300115173000", ("time-form",)),
        (b"2030-01-15 17:30:00", ("time-form",)),
        (b"2030-01-15T17:30:00+08:00", ("time-form",)),
        (b"20300115093000.125Z", ("time-form",)),
        (b"203001150930Z", ("time-form",)),
    ],
)
def test_signing_times_of_every_form_are_read(pki: Pki, text: bytes, variants: tuple[str, ...]) -> None:
    tbs = replaced(first_tbs(pki), (2,), lambda _: encoder.bit_string(text))
    read = SealSignature.parse(encode_first_signature(tbs, signature_der=b"value"))
    assert (read.to_be_signed.signed_at, read.variants) == (SIGNED_AT, variants)


@pytest.mark.parametrize("text", [b"", b"soon", b"20301315093000Z", b"2030-01-15T17:30:00+99:99", b"\xff\xfe"])
def test_a_signing_time_that_is_none_is_refused(pki: Pki, text: bytes) -> None:
    tbs = replaced(first_tbs(pki), (2,), lambda _: encoder.bit_string(text))
    with pytest.raises(MalformedError, match="time"):
        SealSignature.parse(encode_first_signature(tbs, signature_der=b"value"))


def test_a_time_stamp_without_content_is_no_signing_time(pki: Pki) -> None:
    token = replaced(make_token(pki, b"x", at=SIGNED_AT), (1, 0, 2), lambda der: encoder.sequence(parse(der)[0].raw))
    with pytest.raises(MalformedError, match="empty"):
        SealSignature.parse(encode_first_signature(first_tbs(pki, time_token=token), signature_der=b"value"))


def test_generations_are_named_after_their_standards() -> None:
    assert [generation.standard for generation in Generation] == [
        "GM/T 0031-2014",
        "GB/T 38540-2020",
        "GM/T 0031-2025",
    ]


def ia5(der: bytes) -> bytes:
    return encoder.tlv(0x16, parse(der).content)


@pytest.mark.parametrize(
    ("path", "change", "variant"),
    [
        ((1, 0, 2, 2, 0), ia5, "certificate-type"),
        ((1, 0, 2, 2, 0), lambda der: parse(der).content, "certificate-type"),
        ((1, 0, 2, 3), lambda _: encoder.generalized_time(SIGNED_AT), "time-type"),
        ((1, 1), encoder.bit_string, "sign-info-type"),
        ((2,), lambda der: encoder.octet_string(parse(der).bit_string()), "bits-type"),
        ((3,), lambda der: encoder.octet_string(parse(der).bit_string()), "bits-type"),
        ((2,), lambda _: encoder.utc_time(SIGNED_AT), "time-type"),
        ((1, 0, 2, 2), lambda der: encoder.integer(1) + der, "certificate-list-type"),
    ],
)
def test_deployed_forms_of_the_first_generation_are_read_and_told(
    pki: Pki, path: tuple[int, ...], change: Callable[[bytes], bytes], variant: str
) -> None:
    tbs = replaced(first_tbs(pki), path, change)
    plain = SealSignature.parse(encode_first_signature(first_tbs(pki), signature_der=b"value")).to_be_signed
    read = SealSignature.parse(encode_first_signature(tbs, signature_der=b"value"))
    assert read.variants == (variant,)
    assert read.to_be_signed_der == tbs
    inner = read.to_be_signed
    assert (inner.signed_at, inner.data_hash, inner.seal.info) == (plain.signed_at, plain.data_hash, plain.seal.info)


@pytest.mark.parametrize("version", [1, 2, 3, 11])
def test_a_first_generation_seal_may_bear_any_version(pki: Pki, version: int) -> None:
    info = replaced(first_info(pki), (0, 1), lambda _: encoder.integer(version))
    read = Seal.parse(first_seal(pki, info))
    assert (read.generation, read.info.version) == (Generation.V1, version)


def test_the_third_generation_stamps_the_time_of_the_seal(pki: Pki) -> None:
    info = encode_seal_info(
        vendor="Xinyin",
        seal_code="1",
        name="某局",
        certificates=[pki.signer.certificate.der],
        created=SIGNED_AT,
        valid_from=SIGNED_AT,
        valid_until=LATER,
        picture=PICTURE,
        generation=Generation.V5,
    )
    signature = pki.maker.signer.sign(info)
    token = make_token(pki, signature, at=SIGNED_AT)
    seal_der = encode_seal(
        info,
        certificate_der=pki.maker.certificate.der,
        signature_algorithm_oid=SM2_SM3,
        signature_der=signature,
        timestamp_token=token,
    )
    seal = Seal.parse(seal_der)
    assert (seal.generation, seal.info.version, seal.timestamp_token) == (Generation.V5, 5, token)
    tbs = encode_to_be_signed(
        seal_der=seal_der, at=SIGNED_AT, data_hash=sm3(b""), property_info=PATH, generation=Generation.V5
    )
    read = SealSignature.parse(
        encode_signature(
            tbs,
            certificate_der=pki.signer.certificate.der,
            signature_algorithm_oid=SM2_SM3,
            signature_der=b"value",
            timestamp_token=token,
        )
    )
    assert (read.generation, read.to_be_signed.version, read.timestamp_token) == (Generation.V5, 5, token)
    assert read.variants == ()


WRAPPINGS = {
    "octet-string": lambda token: encoder.explicit(0, encoder.octet_string(token)),
    "bare": lambda token: encoder.explicit(0, token),
    "implicit": lambda token: encoder.tlv(0x80, b"\0" + token),
    "implicit-octets": lambda token: encoder.tlv(0x80, token),
}


@pytest.mark.parametrize("change", WRAPPINGS.values(), ids=WRAPPINGS.keys())
def test_time_stamps_are_read_however_they_are_wrapped(pki: Pki, change: Callable[[bytes], bytes]) -> None:
    token = make_token(pki, b"value", at=SIGNED_AT)
    parts = (
        encode_to_be_signed(
            seal_der=first_seal(pki, first_info(pki)), at=SIGNED_AT, data_hash=sm3(b""), property_info=PATH
        ),
        encoder.octet_string(pki.signer.certificate.der),
        encoder.oid(SM2_SM3),
        encoder.bit_string(b"value"),
    )
    read = SealSignature.parse(encoder.sequence(*parts, change(token)))
    assert read.timestamp_token == token
    assert read.variants == ("seal-generation", "time-stamp-type")


def test_what_a_first_generation_seal_cannot_say_is_refused(pki: Pki) -> None:
    for wrong in (
        {"certificates": []},
        {"valid_until": SIGNED_AT},
        {"seal_code": "章"},
        {"valid_until": SIGNED_AT.replace(year=2050)},
        {"picture": Picture(type="PNG", data=b"", width_mm=1, height_mm=1)},
    ):
        with pytest.raises(RejectedError, match=r"seal"):
            first_info(pki, **wrong)
    with pytest.raises(RejectedError, match="first generation"):
        encode_to_be_signed(seal_der=b"", at=SIGNED_AT, data_hash=b"", property_info=PATH, generation=Generation.V1)
