"""What the value of a signature without seal looks like."""

import base64
from collections.abc import Callable, Sequence

import pytest

from ofd.sign.plain import PlainSignature, Shape
from trustcore.asn1 import encoder
from trustcore.asn1.reader import parse
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import KeyAlgorithm, SignatureAlgorithm
from trustcore.crypto.digests import sha256, sm3
from trustcore.crypto.verify import verify
from trustcore.errors import MalformedError
from trustcore.x509 import oids
from trustcore.x509.certificate import Certificate
from trustcore.x509.gm_signed_data import (
    GmSignedData,
    build_gm_signed_data,
    gm_signed_attributes,
    time_stamp_attribute,
)

from support.ofd_samples import SIGNED_AT, SM2_SM3, Pki, make_keys, make_token

XML = b"<Signature/>"
SM2 = SignatureAlgorithm.SM2_SM3
RSA_SHA256 = "1.2.840.113549.1.1.11"


def with_attributes(pki: Pki, *, content: bytes | None = None, unsigned: Sequence[bytes] = ()) -> bytes:
    attributes = gm_signed_attributes(
        message_digest=sm3(XML), algorithm=SM2, signing_time=SIGNED_AT, certificate_der=pki.signer.certificate.der
    )
    return build_gm_signed_data(
        content=content,
        signed_attributes_der=attributes,
        algorithm=SM2,
        signature=pki.signer.signer.sign(attributes),
        certificate=pki.signer.certificate,
        certificates=[pki.issuing.certificate.der],
        crls=pki.crls,
        unsigned_attributes=unsigned,
    )


def over_content(pki: Pki, content: bytes, *, detached: bool = False, signature: bytes | None = None) -> bytes:
    return build_gm_signed_data(
        content=None if detached else content,
        signed_attributes_der=None,
        algorithm=SM2,
        signature=signature or pki.signer.signer.sign(content),
        certificate=pki.signer.certificate,
    )


def read(value: bytes, method: str = SM2_SM3) -> PlainSignature:
    return PlainSignature.parse(value, signature_method=method)


def is_right(pki: Pki, plain: PlainSignature, xml: bytes = XML) -> bool:
    assert plain.algorithm is not None
    key = pki.signer.certificate.public_key_der
    return plain.is_over(xml) and verify(key, plain.algorithm, plain.message(xml), plain.signature)


def test_a_signature_over_attributes_is_read(pki: Pki) -> None:
    plain = read(with_attributes(pki))
    data = plain.signed_data
    assert data is not None
    assert (plain.shape, plain.algorithm, plain.variants) == (Shape.ATTRIBUTES, SM2, ())
    assert is_right(pki, plain)
    assert not is_right(pki, plain, XML + b" ")
    assert (data.signing_time, data.message_digest, data.content) == (SIGNED_AT, sm3(XML), None)
    assert plain.certificates == tuple(sorted((pki.signer.certificate.der, pki.issuing.certificate.der)))
    assert plain.crls == tuple(sorted(pki.crls))
    assert data.is_made_by(pki.signer.certificate)
    assert data.names_certificate(pki.signer.certificate) is True
    assert data.names_certificate(pki.maker.certificate) is False
    assert not data.is_made_by(pki.maker.certificate)
    assert is_right(pki, read(with_attributes(pki, content=sm3(XML))))


def test_the_time_stamp_is_over_the_signature_as_it_stands(pki: Pki) -> None:
    bare = read(with_attributes(pki))
    token = make_token(pki, bare.signature, at=SIGNED_AT)
    plain = read(with_attributes(pki, unsigned=[time_stamp_attribute(token)]))
    assert (plain.time_stamp_token, bare.time_stamp_token) == (token, None)
    assert len(plain.time_stamped) in range(70, 73)


@pytest.mark.parametrize(
    "content",
    [sm3(XML), base64.b64encode(sm3(XML)), XML],
    ids=["digest", "base64", "whole"],
)
def test_a_signature_over_an_attached_digest_is_read(pki: Pki, content: bytes) -> None:
    plain = read(over_content(pki, content))
    assert (plain.shape, plain.variants) == (Shape.DIGEST, ())
    assert is_right(pki, plain)
    assert not is_right(pki, plain, XML + b" ")


def test_a_signature_over_another_digest_is_told(pki: Pki) -> None:
    plain = read(over_content(pki, sm3(b"other")))
    assert not plain.is_over(XML)
    assert not is_right(pki, plain)


def test_a_detached_signature_is_over_the_file_itself(pki: Pki) -> None:
    plain = read(over_content(pki, XML, detached=True))
    assert plain.shape is Shape.DETACHED
    assert is_right(pki, plain)
    assert not is_right(pki, plain, b"other")


def test_a_bare_signature_is_read_in_its_forms(pki: Pki) -> None:
    value = pki.signer.signer.sign(XML)
    for octets, variants in ((value, ()), (sm2.signature_to_raw(value), ("raw-signature",))):
        plain = read(octets)
        assert (plain.shape, plain.algorithm, plain.variants) == (Shape.BARE, SM2, variants)
        assert is_right(pki, plain)
        assert (plain.certificates, plain.crls, plain.time_stamp_token) == ((), (), None)
        assert plain.time_stamped == value
    assert read(value, oids.SM2_SIGNATURE).algorithm is SM2
    assert read(value, "1.2.3").algorithm is None


def test_a_bare_rsa_signature_is_known_by_the_method() -> None:
    keys = make_keys()
    signer = keys.signer(keys.generate("rsa", KeyAlgorithm.RSA_2048))
    value = signer.sign(XML)
    plain = read(value, RSA_SHA256)
    assert (plain.shape, plain.algorithm, plain.signature) == (Shape.BARE, SignatureAlgorithm.RSA_SHA256, value)
    with pytest.raises(MalformedError, match="no known form"):
        read(value)
    assert read(b"\x30" + value[1:], RSA_SHA256).shape is Shape.BARE


def test_a_time_stamp_over_the_file_is_known(pki: Pki) -> None:
    token = make_token(pki, XML, at=SIGNED_AT)
    plain = read(token)
    assert (plain.shape, plain.algorithm, plain.signature) == (Shape.TIME_STAMP, None, token)
    assert plain.message(XML) == XML


def replaced(der: bytes, path: tuple[int, ...], change: Callable[[bytes], bytes]) -> bytes:
    if not path:
        return change(der)
    node = parse(der)
    index, *rest = path
    parts = [child.raw for child in node.children]
    parts[index] = replaced(parts[index], tuple(rest), change)
    return encoder.tlv(node.tag, b"".join(parts))


def null_parameters(der: bytes) -> bytes:
    return encoder.sequence(parse(der)[0].raw, encoder.null())


def combined(_: bytes) -> bytes:
    return encoder.sequence(encoder.oid(SM2_SM3))


def keyless(_: bytes) -> bytes:
    return encoder.sequence(encoder.oid("1.2.156.10197.1.401.1"))


def raw(der: bytes) -> bytes:
    return encoder.octet_string(sm2.signature_to_raw(parse(der).content))


def in_parts(der: bytes) -> bytes:
    content = parse(der).content
    return encoder.tlv(0x24, b"".join(encoder.octet_string(content[i : i + 20]) for i in range(0, len(content), 20)))


ODD_FORMS = {
    "raw": ((1, 0, 4, 0, 4), raw, "raw-signature"),
    "501": ((1, 0, 4, 0, 3), combined, None),
    "501-null": ((1, 0, 4, 0, 3), lambda der: null_parameters(combined(der)), None),
    "null": ((1, 0, 4, 0, 2), null_parameters, None),
    "set-of-501": ((1, 0, 1, 0), combined, "digest-algorithms"),
    "empty-set": ((1, 0, 1), lambda _: encoder.set_of(), "digest-algorithms"),
    "digest-501": ((1, 0, 4, 0, 2), combined, "digest-algorithm"),
    "digest-401.1": ((1, 0, 4, 0, 2), keyless, "digest-algorithms"),
    "pkcs7-type": ((1, 0, 2, 0), lambda _: encoder.oid(oids.CMS_DATA), "content-types"),
    "pkcs7-outer": ((0,), lambda _: encoder.oid(oids.CMS_SIGNED_DATA), "content-types"),
    "version-3": ((1, 0, 0), lambda _: encoder.integer(3), "version"),
    "signer-version-3": ((1, 0, 4, 0, 0), lambda _: encoder.integer(3), "version"),
    "odd-parameters": (
        (1, 0, 4, 0, 3),
        lambda _: encoder.sequence(encoder.oid(SM2_SM3), encoder.oid("1.2.156.10197.1.301")),
        "algorithm-parameters",
    ),
    "bare-content": ((1, 0, 2, 1, 0), lambda der: encoder.utf8_string(parse(der).content.decode()), "content-form"),
    "indefinite": ((), lambda der: b"\x30\x80" + parse(der).content + b"\0\0", "indefinite-length"),
    "indefinite-signed-data": ((1, 0), lambda der: b"\x30\x80" + parse(der).content + b"\0\0", "indefinite-length"),
    "content-in-parts": (
        (1, 0, 2, 1, 0),
        in_parts,
        None,
    ),
}


@pytest.mark.parametrize(("path", "change", "variant"), ODD_FORMS.values(), ids=ODD_FORMS.keys())
def test_deployed_forms_are_read_and_told(
    pki: Pki, path: tuple[int, ...], change: Callable[[bytes], bytes], variant: str | None
) -> None:
    value = replaced(over_content(pki, base64.b64encode(sm3(XML))), path[:3], lambda der: der)
    # the signed data of these samples has certificates, no CRLs: version, digests, content, certificates, signers
    plain = read(replaced(value, path, change))
    assert is_right(pki, plain)
    found = set(plain.variants) - ({"digest-algorithms"} if variant == "digest-algorithm" else set())
    assert found == (set() if variant is None else {variant})


def test_attributes_of_indefinite_length_are_covered_in_definite_form(pki: Pki) -> None:
    def indefinite(der: bytes) -> bytes:
        return b"\xa0\x80" + parse(der).content + b"\0\0"

    plain = read(replaced(with_attributes(pki), (1, 0, 5, 0, 3), indefinite))
    assert is_right(pki, plain)
    assert plain.variants == ("indefinite-length",)


def test_what_is_no_signature_is_refused(pki: Pki) -> None:
    value = with_attributes(pki)
    twice = encoder.set_of(*[parse(value)[1][0][5][0].raw] * 2)
    attributes = parse(value)[1][0][5][0][3]
    doubled = encoder.tlv(0xA0, attributes.content * 2)
    for code, octets in {
        "ofd.sign.value": b"",
        "x509.gm.signers": replaced(value, (1, 0, 5), lambda _: twice),
        "x509.gm.attribute": replaced(value, (1, 0, 5, 0, 3), lambda _: doubled),
    }.items():
        with pytest.raises(MalformedError) as caught:
            read(octets)
        assert caught.value.code == code
    for octets in (b"\x30\x00", b"\x00" * 64, encoder.sequence(encoder.oid("1.2.3"))):
        if len(octets) == 64:
            assert read(octets).shape is Shape.BARE
            continue
        with pytest.raises(MalformedError):
            read(octets)
    many = encoder.implicit(0, encoder.set_of(*[encoder.sequence(encoder.integer(n)) for n in range(65)]))
    with pytest.raises(MalformedError) as caught:
        read(replaced(value, (1, 0, 3), lambda _: many))
    assert caught.value.code == "x509.gm.carried"
    with pytest.raises(MalformedError):
        GmSignedData.parse(encoder.sequence(encoder.oid("1.2.3")))


def test_a_flipped_byte_never_crashes_and_never_passes_unnoticed(pki: Pki) -> None:
    value = over_content(pki, sm3(XML))
    unnoticed = 0
    for position in range(len(value)):
        data = bytearray(value)
        data[position] ^= 0x04
        try:
            plain = read(bytes(data))
            found = plain.algorithm is not None and is_right(pki, plain) and not plain.variants
        except MalformedError:
            continue
        unnoticed += found and plain.certificates == (pki.signer.certificate.der,)
        if found and plain.certificates == (pki.signer.certificate.der,):
            assert plain.signed_data is not None
            assert not plain.signed_data.is_made_by(Certificate.from_der(plain.certificates[0])), position
    assert unnoticed < len(pki.signer.certificate.issuer_der) + 20


def test_other_keys_write_the_content_types_of_pkcs7(pki: Pki) -> None:
    keys = make_keys()
    signer = keys.signer(keys.generate("p256", KeyAlgorithm.EC_P256))
    algorithm = SignatureAlgorithm.ECDSA_SHA256
    attributes = gm_signed_attributes(message_digest=sha256(XML), algorithm=algorithm, signing_time=SIGNED_AT)
    value = build_gm_signed_data(
        content=None,
        signed_attributes_der=attributes,
        algorithm=algorithm,
        signature=signer.sign(attributes),
        certificate=pki.signer.certificate,
    )
    plain = read(value)
    assert (plain.algorithm, plain.variants, plain.is_over(XML)) == (algorithm, (), True)
    assert plain.signed_data is not None
    assert plain.signed_data.names_certificate(pki.signer.certificate) is None
    assert verify(signer.public_key_der, algorithm, plain.message(XML), plain.signature)
