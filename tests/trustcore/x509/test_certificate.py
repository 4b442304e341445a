import contextlib
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509 as pyca
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trustcore.asn1 import reader
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.errors import MalformedError, RejectedError
from trustcore.x509 import extensions as ext
from trustcore.x509 import oids
from trustcore.x509.build import CertificateTemplate, certificate_tbs
from trustcore.x509.certificate import Certificate, encode_pem, load_pem_bundle
from trustcore.x509.crl import Crl, RevocationReason, RevokedEntry, load_crl
from trustcore.x509.names import DistinguishedName
from trustcore.x509.requests import build_request, parse_request

from support.x509_workshop import EPOCH, Workshop, crl_of, flipped

ALGORITHMS = [KeyAlgorithm.SM2, KeyAlgorithm.EC_P256, KeyAlgorithm.RSA_2048]
DISTINGUISHED_ID = ("-vfyopt", "distid:1234567812345678")


def openssl(*arguments: str | Path) -> str:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    return f"{done.stdout}{done.stderr}" if done.returncode == 0 else f"FAILED {done.stdout}{done.stderr}"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_openssl_accepts_a_chain(workshop: Workshop, tmp_path: Path, algorithm: KeyAlgorithm) -> None:
    root = workshop.ca("root", algorithm=algorithm)
    issuing = workshop.ca("issuing", root, path_length=0, algorithm=algorithm)
    leaf = workshop.leaf("leaf", issuing, algorithm=algorithm)
    for name, entity in (("root", root), ("issuing", issuing), ("leaf", leaf)):
        (tmp_path / name).write_bytes(entity.certificate.pem)
    common = ["verify", "-x509_strict", "-attime", str(int(EPOCH.timestamp()))]
    if algorithm is KeyAlgorithm.SM2:
        # The command gives the identifier to the certificate it is asked about only: one link at a time.
        common += DISTINGUISHED_ID
        links = [
            ("-CAfile", tmp_path / "root", tmp_path / "issuing"),
            ("-partial_chain", "-trusted", tmp_path / "issuing", tmp_path / "leaf"),
        ]
    else:
        links = [("-CAfile", tmp_path / "root", "-untrusted", tmp_path / "issuing", tmp_path / "leaf")]
    for link in links:
        assert openssl(*common, *link).strip().endswith(": OK")


def test_the_encoding_is_that_of_another_builder(workshop: Workshop) -> None:
    """The TBSCertificate of cryptography's builder, octet for octet."""
    private = ec.generate_private_key(ec.SECP256R1())
    public = private.public_key()
    spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    key_id = pyca.SubjectKeyIdentifier.from_public_key(public)
    name = pyca.Name(
        [
            pyca.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            pyca.NameAttribute(NameOID.ORGANIZATION_NAME, "某机构"),
            pyca.NameAttribute(NameOID.COMMON_NAME, "证书"),
        ]
    )
    begin, end = datetime(2030, 1, 1, tzinfo=UTC), datetime(2051, 1, 1, tzinfo=UTC)
    url = pyca.UniformResourceIdentifier
    theirs = (
        pyca.CertificateBuilder(name, name, public, 2**120 + 7, begin, end)
        .add_extension(pyca.BasicConstraints(ca=True, path_length=3), critical=True)
        .add_extension(pyca.KeyUsage(True, True, False, False, False, True, True, False, False), critical=True)
        .add_extension(pyca.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        .add_extension(key_id, critical=False)
        .add_extension(pyca.AuthorityKeyIdentifier(key_id.digest, None, None), critical=False)
        .add_extension(
            pyca.CRLDistributionPoints([pyca.DistributionPoint([url("http://ca.test/a.crl")], None, None, None)]), False
        )
        .add_extension(
            pyca.AuthorityInformationAccess(
                [
                    pyca.AccessDescription(pyca.AuthorityInformationAccessOID.OCSP, url("http://ca.test/ocsp")),
                    pyca.AccessDescription(pyca.AuthorityInformationAccessOID.CA_ISSUERS, url("http://ca.test/a.cer")),
                ]
            ),
            critical=False,
        )
        .add_extension(
            pyca.CertificatePolicies([pyca.PolicyInformation(pyca.ObjectIdentifier("2.5.29.32.0"), None)]), False
        )
        .add_extension(pyca.OCSPNoCheck(), critical=False)
        .sign(private, hashes.SHA256())
    )
    ours = CertificateTemplate(
        serial_number=2**120 + 7,
        signature_algorithm=KeyAlgorithm.EC_P256.signature,
        issuer=DistinguishedName.of({"C": "CN", "O": "某机构", "CN": "证书"}),
        subject=DistinguishedName.of({"C": "CN", "O": "某机构", "CN": "证书"}),
        not_before=begin,
        not_after=end,
        public_key_der=spki,
        extensions=(
            ext.basic_constraints(ca=True, path_length=3),
            ext.key_usage("digitalSignature", "nonRepudiation", "keyCertSign", "cRLSign"),
            ext.extended_key_usage(oids.PURPOSE_TIME_STAMPING, critical=True),
            ext.subject_key_identifier(key_id.digest),
            ext.authority_key_identifier(key_id.digest),
            ext.crl_distribution_points("http://ca.test/a.crl"),
            ext.authority_information_access(ocsp=["http://ca.test/ocsp"], issuers=["http://ca.test/a.cer"]),
            ext.certificate_policies("2.5.29.32.0"),
            ext.ocsp_no_check(),
        ),
    )
    assert certificate_tbs(ours) == theirs.tbs_certificate_bytes
    read = Certificate.from_der(theirs.public_bytes(serialization.Encoding.DER))
    assert read.is_issued_by(read)
    assert read.key_usage == {"digitalSignature", "nonRepudiation", "keyCertSign", "cRLSign"}
    assert read.crl_urls == ("http://ca.test/a.crl",)
    assert (read.is_ca, read.path_length) == (True, 3)


@pytest.mark.parametrize("serial", [0, -1, 2**159])
def test_serial_numbers_rfc_5280_does_not_allow(workshop: Workshop, serial: int) -> None:
    """RFC 5280 §4.1.2.2: positive, "Conforming CAs MUST NOT use serialNumber values longer than 20 octets"."""
    with pytest.raises(RejectedError, match="serial number"):
        workshop.ca("root", serial_number=serial)


def test_one_flipped_bit_anywhere_is_refused(workshop: Workshop) -> None:
    root = workshop.ca("root", algorithm=KeyAlgorithm.EC_P256)
    leaf = workshop.leaf("leaf", root, algorithm=KeyAlgorithm.EC_P256).certificate
    accepted = []
    for position in range(len(leaf.der)):
        try:
            if Certificate.from_der(flipped(leaf.der, position)).is_issued_by(root.certificate):
                accepted.append(position)
        except MalformedError:
            continue
    assert accepted == []


CHANGES = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES, cut=st.integers(0, 20))
def test_mutated_bytes_raise_nothing_but_malformed(
    workshop: Workshop, changes: list[tuple[int, int]], cut: int
) -> None:
    root = workshop.ca("root")
    request = build_request(root.signer, root.certificate.subject, (ext.key_usage("digitalSignature"),))
    entry = RevokedEntry(serial_number=5, at=EPOCH, reason=RevocationReason.SUPERSEDED)
    for read, original in (
        (Certificate.from_der, root.certificate.der),
        (parse_request, request),
        (load_crl, crl_of(root, entry)),
    ):
        changed = bytearray(original)
        for position, octet in changes:
            changed[position % len(changed)] = octet
        with contextlib.suppress(MalformedError, RejectedError):
            read(bytes(changed[: len(changed) - cut]))  # type: ignore[operator]


def test_an_extension_that_stands_twice_is_refused(workshop: Workshop) -> None:
    """RFC 5280 §4.2: "A certificate MUST NOT include more than one instance of a particular extension"."""
    with pytest.raises(MalformedError, match="twice"):
        workshop.entity("odd", None, ext.key_usage("cRLSign"), ext.key_usage("keyCertSign"))


def test_a_bundle_keeps_order_and_refuses_a_file_without_certificates(workshop: Workshop) -> None:
    first, second = workshop.ca("a").certificate, workshop.ca("b").certificate
    assert load_pem_bundle(b"# trust\n" + first.pem + second.pem) == (first, second)
    assert load_pem_bundle(first.der) == (first,)
    with pytest.raises(MalformedError):
        load_pem_bundle(b"hello")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_openssl_accepts_a_request(workshop: Workshop, tmp_path: Path, algorithm: KeyAlgorithm) -> None:
    key = workshop.key(algorithm)
    der = build_request(key, DistinguishedName.of({"C": "CN", "CN": "某处"}), (ext.key_usage("digitalSignature"),))
    (tmp_path / "csr").write_bytes(encode_pem("CERTIFICATE REQUEST", der))
    options = DISTINGUISHED_ID if algorithm is KeyAlgorithm.SM2 else ()
    assert "verify OK" in openssl("req", "-verify", "-noout", "-in", tmp_path / "csr", *options)
    assert parse_request(der).public_key_der == key.public_key_der


def test_a_request_without_proof_of_possession_is_refused(workshop: Workshop) -> None:
    """RFC 2986 §4.2: the signature is by the private key of the key in the request."""
    mine, other = workshop.key(), workshop.key()
    der = build_request(mine, DistinguishedName.of({"CN": "x"}))
    forged = der.replace(mine.public_key_der, other.public_key_der)
    with pytest.raises(RejectedError) as refused:
        parse_request(forged)
    assert refused.value.code == "x509.request.signature"


def test_openssl_makes_requests_that_are_read(tmp_path: Path) -> None:
    openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", tmp_path / "key")
    openssl("req", "-new", "-key", tmp_path / "key", "-subj", "/C=CN/CN=some one", "-out", tmp_path / "csr")
    assert parse_request((tmp_path / "csr").read_bytes()).subject.text == "CN=some one,C=CN"


@pytest.mark.parametrize("bits", [1024, 2048])
def test_short_rsa_keys_are_refused(tmp_path: Path, bits: int) -> None:
    """GM/T 0054-2018 §5.1: RSA of at least 2048 bits."""
    openssl(
        "req", "-new", "-newkey", f"rsa:{bits}", "-nodes", "-keyout", tmp_path / "k", "-subj", "/CN=x",
        "-out", tmp_path / "csr",
    )  # fmt: skip
    data = (tmp_path / "csr").read_bytes()
    if bits < 2048:
        with pytest.raises(RejectedError):
            parse_request(data)
    else:
        assert parse_request(data).public_key.bits == bits


@pytest.mark.parametrize("algorithm", [KeyAlgorithm.EC_P256, KeyAlgorithm.RSA_2048])
def test_openssl_and_cryptography_read_a_crl(workshop: Workshop, tmp_path: Path, algorithm: KeyAlgorithm) -> None:
    root = workshop.ca("root", algorithm=algorithm)
    entry = RevokedEntry(serial_number=77, at=EPOCH, reason=RevocationReason.KEY_COMPROMISE)
    der = crl_of(root, entry, RevokedEntry(serial_number=5, at=EPOCH), number=300)
    (tmp_path / "root").write_bytes(root.certificate.pem)
    (tmp_path / "crl").write_bytes(der)
    assert "verify OK" in openssl(
        "crl", "-inform", "DER", "-in", tmp_path / "crl", "-CAfile", tmp_path / "root", "-noout"
    )
    theirs = pyca.load_der_x509_crl(der)
    found = theirs.get_revoked_certificate_by_serial_number(77)
    assert found is not None
    assert found.extensions.get_extension_for_class(pyca.CRLReason).value.reason is pyca.ReasonFlags.key_compromise
    assert theirs.extensions.get_extension_for_class(pyca.CRLNumber).value.crl_number == 300
    ours = Crl.from_der(der)
    assert ours.is_signed_by(root.certificate)
    assert ours.lookup(77) == entry
    assert (ours.number, ours.lookup(6)) == (300, None)


def test_an_empty_crl_has_no_list(workshop: Workshop) -> None:
    """RFC 5280 §5.1.2.6: "When there are no revoked certificates, the revoked certificates list MUST be absent"."""
    tbs = reader.parse(crl_of(workshop.ca("root")))[0]
    assert [child.tag for child in tbs.children] == [0x02, 0x30, 0x30, 0x17, 0x17, 0xA0]


def test_one_flipped_bit_in_a_crl_is_refused(workshop: Workshop) -> None:
    root = workshop.ca("root", algorithm=KeyAlgorithm.EC_P256)
    der = crl_of(root, RevokedEntry(serial_number=5, at=EPOCH))
    accepted = []
    for position in range(len(der)):
        try:
            if Crl.from_der(flipped(der, position)).is_signed_by(root.certificate):
                accepted.append(position)
        except MalformedError:
            continue
    assert accepted == []
