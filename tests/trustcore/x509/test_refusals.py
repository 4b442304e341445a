"""Values that are well-formed and still say something that no certificate, list or answer may say."""

from collections.abc import Callable

import pytest

from trustcore.asn1 import encoder
from trustcore.asn1.reader import parse
from trustcore.crypto.algorithms import SM2_CURVE, KeyAlgorithm, SignatureAlgorithm
from trustcore.errors import MalformedError, RejectedError
from trustcore.x509 import extensions as ext
from trustcore.x509 import oids
from trustcore.x509.certificate import Certificate, decode_pem, encode_pem, load_pem_bundle
from trustcore.x509.crl import Crl, RevocationReason, RevokedEntry, load_crl
from trustcore.x509.names import DistinguishedName
from trustcore.x509.ocsp import CertificateId, CertificateStatus, OcspResponse, SingleResponse
from trustcore.x509.public_keys import PublicKeyInfo
from trustcore.x509.requests import build_request, parse_request
from trustcore.x509.tsp import TstInfo

from support.x509_workshop import EPOCH, Workshop, crl_of

CRITICAL = ext.Extension(oid="1.2.3", critical=True, value_der=b"")


@pytest.mark.parametrize("text", ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
def test_a_text_without_a_certificate(text: str) -> None:
    for read in (Certificate.from_pem, lambda t: load_pem_bundle(t.encode()), lambda t: load_crl(t.encode())):
        with pytest.raises(MalformedError):
            read(text)


@pytest.mark.parametrize("body", ["AAA", "****", "AAAA=AAAA", "文"])
def test_a_block_that_is_not_base64(body: str) -> None:
    """RFC 7468 §2: the text between the lines is base64 of RFC 4648 §4."""
    with pytest.raises(MalformedError) as refused:
        decode_pem(f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----".encode())
    assert refused.value.code == "x509.pem"


def test_blocks_of_other_kinds_are_passed_over(workshop: Workshop) -> None:
    root = workshop.ca("root")
    mixed = encode_pem("EC PARAMETERS", b"x") + root.certificate.pem + encode_pem("X509 CRL", crl_of(root))
    assert load_pem_bundle(mixed) == (root.certificate,)
    assert load_crl(mixed).is_signed_by(root.certificate)
    assert Certificate.from_pem(mixed.decode()) == root.certificate


def test_a_path_length_below_zero(workshop: Workshop) -> None:
    """RFC 5280 §4.2.1.9: pathLenConstraint INTEGER (0..MAX)."""
    value = encoder.sequence(encoder.boolean(True), encoder.integer(-1))
    with pytest.raises(MalformedError):
        workshop.entity("ca", None, ext.Extension(oid=oids.BASIC_CONSTRAINTS, critical=True, value_der=value))


@pytest.mark.parametrize(
    "oid",
    [
        oids.BASIC_CONSTRAINTS, oids.KEY_USAGE, oids.EXTENDED_KEY_USAGE, oids.CRL_DISTRIBUTION_POINTS,
        oids.AUTHORITY_INFORMATION_ACCESS, oids.AUTHORITY_KEY_IDENTIFIER, oids.SUBJECT_KEY_IDENTIFIER,
    ],
)  # fmt: skip
def test_an_extension_that_is_understood_has_to_be_readable(workshop: Workshop, oid: str) -> None:
    """What cannot be read must not be taken for absent."""
    with pytest.raises(MalformedError):
        workshop.entity("ca", None, ext.Extension(oid=oid, value_der=b"\x30\x05junk"))


def test_a_reason_that_does_not_exist(workshop: Workshop) -> None:
    """RFC 5280 §5.3.1: 7 is not used."""
    root = workshop.ca("root")
    der = crl_of(root, RevokedEntry(serial_number=5, at=EPOCH, reason=RevocationReason.AA_COMPROMISE))
    enumerated = encoder.tlv(0x0A, b"\x0a")
    assert der.count(enumerated) == 1
    with pytest.raises(MalformedError) as refused:
        Crl.from_der(der.replace(enumerated, encoder.tlv(0x0A, b"\x07")))
    assert refused.value.code == "x509.crl.reason"


def test_an_answer_with_a_reason_that_does_not_exist_or_a_critical_extension(workshop: Workshop) -> None:
    """RFC 6960 §4.4: no critical extension of an answer is known."""
    root = workshop.ca("root")
    answer = parse(
        SingleResponse(
            certificate_id=CertificateId.of(5, root.certificate),
            status=CertificateStatus.REVOKED,
            revoked_at=EPOCH,
            reason=RevocationReason.AA_COMPROMISE,
            this_update=EPOCH,
            next_update=EPOCH,
        ).der
    )
    enumerated = encoder.tlv(0x0A, b"\x0a")
    with pytest.raises(MalformedError) as refused:
        SingleResponse.from_node(parse(answer.raw.replace(enumerated, encoder.tlv(0x0A, b"\x07"))))
    assert refused.value.code == "x509.ocsp.reason"
    for extension, known in ((CRITICAL, False), (ext.Extension(oid="1.2.3", value_der=b""), True)):
        longer = encoder.sequence(answer.content, encoder.explicit(1, ext.encode_extensions([extension])))
        if known:
            assert SingleResponse.from_node(parse(longer)).next_update == EPOCH
            continue
        with pytest.raises(MalformedError) as refused:
            SingleResponse.from_node(parse(longer))
        assert refused.value.code == "x509.ocsp.critical"


def test_a_response_with_a_critical_extension_or_of_another_type() -> None:
    data = encoder.sequence(
        encoder.explicit(2, encoder.octet_string(bytes(20))),
        encoder.generalized_time(EPOCH),
        encoder.sequence(),
        encoder.explicit(1, ext.encode_extensions([CRITICAL])),
    )
    basic = encoder.sequence(data, encoder.sequence(encoder.oid("1.2.3")), encoder.bit_string(b""))

    def response(kind: str) -> bytes:
        content = encoder.sequence(encoder.oid(kind), encoder.octet_string(basic))
        return encoder.sequence(encoder.tlv(0x0A, b"\0"), encoder.explicit(0, content))

    codes = []
    for kind in (oids.OCSP_BASIC, "1.2.3"):
        with pytest.raises(MalformedError) as refused:
            OcspResponse.from_der(response(kind))
        codes.append(refused.value.code)
    assert codes == ["x509.ocsp.critical", "x509.ocsp.type"]


@pytest.mark.parametrize("critical", [True, False])
def test_a_time_stamp_with_an_extension(critical: bool) -> None:
    """RFC 3161 §2.4.2: a critical one that is not known makes the token unusable."""
    info = TstInfo(
        policy="1.2.3", imprint_der=encoder.sequence(), serial_number=1, gen_time=EPOCH, accuracy_seconds=None
    )
    extension = ext.Extension(oid="1.2.3", critical=critical, value_der=b"")
    der = encoder.sequence(parse(info.der).content, encoder.implicit(1, ext.encode_extensions([extension])))
    if critical:
        with pytest.raises(MalformedError):
            TstInfo.from_der(der)
    else:
        assert TstInfo.from_der(der) == info


def test_a_key_named_by_its_curve_alone_is_sm2(workshop: Workshop) -> None:
    """GM/T 0015-2023 certificates name sm2p256v1 as the algorithm; RFC 5480's form has it as the parameter."""
    bits = parse(workshop.key().public_key_der)[1].raw
    info = PublicKeyInfo.from_der(encoder.sequence(encoder.sequence(encoder.oid(SM2_CURVE)), bits))
    assert info.name == "SM2"
    assert info.serves(SignatureAlgorithm.SM2_SM3)
    unknown = PublicKeyInfo.from_der(encoder.sequence(encoder.sequence(encoder.oid("1.3.101.112")), bits))
    assert unknown.name == "1.3.101.112"
    assert not any(map(unknown.serves, SignatureAlgorithm))


@pytest.mark.parametrize("algorithm", [KeyAlgorithm.SM2, KeyAlgorithm.EC_P256])
def test_a_request_for_a_point_that_is_not_on_the_curve(workshop: Workshop, algorithm: KeyAlgorithm) -> None:
    """SP 800-56A §5.6.2.3: a public key is a point of the curve; an invalid one gives secrets away."""
    signer = workshop.key(algorithm)
    der = build_request(signer, DistinguishedName.of({"CN": "x"}))
    point = parse(signer.public_key_der)[1].bit_string()
    with pytest.raises((MalformedError, RejectedError)):
        parse_request(der.replace(point, point[:-1] + bytes((point[-1] ^ 1,))))


def test_a_request_signed_by_another_kind_of_algorithm(workshop: Workshop) -> None:
    signer = workshop.key(KeyAlgorithm.EC_P256)
    der = build_request(signer, DistinguishedName.of({"CN": "x"}))
    with pytest.raises(RejectedError) as refused:
        parse_request(der.replace(encoder.oid("1.2.840.10045.4.3.2"), encoder.oid("1.2.840.10045.4.3.4")))
    assert refused.value.code == "x509.request.algorithm"


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: DistinguishedName.of({"DC": "组织"}), "x509.name.ia5"),
        (lambda: DistinguishedName.from_text("CN=a\\"), "x509.name.text"),
    ],
)
def test_names_that_cannot_be_written(make: Callable[[], object], code: str) -> None:
    with pytest.raises(MalformedError) as refused:
        make()
    assert refused.value.code == code


def test_spaces_around_a_value_survive_the_text() -> None:
    """RFC 4514 §2.4: a space at the beginning or the end is escaped."""
    name = DistinguishedName.of({"CN": " a ", "O": "#b"})
    assert str(name) == r"O=\#b,CN=\ a\ "
    assert DistinguishedName.from_text(str(name)).der == name.der
    assert DistinguishedName.from_text("CN= a  ,O=b ").get("CN") == "a"
