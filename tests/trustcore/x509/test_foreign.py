"""What OpenSSL signs is verified here: CMS, time stamps, OCSP answers and revocation lists that are not of our making.

OpenSSL takes the present from the machine, so the certificates of these tests are good for a century.
"""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.crypto.software import SoftwareKeys
from trustcore.report import Status
from trustcore.x509 import extensions as ext
from trustcore.x509 import oids, tsp
from trustcore.x509.chain import KeyPurpose, validate_chain
from trustcore.x509.cms import SignedData
from trustcore.x509.cms_form import form_step
from trustcore.x509.cms_verify import verify_signer
from trustcore.x509.crl import RevocationReason, load_crl
from trustcore.x509.ocsp import CertificateId, CertificateStatus, OcspResponse, build_request

from support.x509_workshop import Entity, Workshop, crl_of, flipped

MESSAGE = b"what was signed elsewhere\n"
CENTURY = {"not_before": datetime(2000, 1, 1, tzinfo=UTC), "not_after": datetime(2099, 12, 31, tzinfo=UTC)}
RSA = {"algorithm": KeyAlgorithm.RSA_2048} | CENTURY
CONFIGURATION = """
[tsa]
default_tsa = own
[own]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384
certs = root.pem
ess_cert_id_chain = no
{more}
[ca]
default_ca = one
[one]
database = index
crlnumber = serial
default_md = sha256
crl_extensions = list
[list]
authorityKeyIdentifier = keyid
"""


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Entity]]:
    """A folder with keys and certificates for OpenSSL, and the same for us."""
    folder, workshop = tmp_path_factory.mktemp("foreign"), Workshop(SoftwareKeys())
    root = workshop.ca("root", **RSA)
    purposes = ext.extended_key_usage(oids.PURPOSE_TIME_STAMPING, critical=True)
    entities = {
        "root": root,
        "signer": workshop.leaf("signer", root, **RSA),
        "tsa": workshop.leaf("tsa", root, purposes, usage=("digitalSignature",), **RSA),
        "ocsp": workshop.leaf("ocsp", root, ext.extended_key_usage(oids.PURPOSE_OCSP_SIGNING), **RSA),
    }
    for name, entity in entities.items():
        (folder / f"{name}.pem").write_bytes(entity.certificate.pem)
        (folder / f"{name}.key").write_bytes(
            entity.signer._key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    (folder / "data").write_bytes(MESSAGE)
    (folder / "configuration").write_text(CONFIGURATION.format(more=""))
    return folder, entities


def openssl(folder: Path, *arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "options",
    ["-cades", "-keyid", "-md sha384", "-md sha512 -keyid -cades", "-noattr", "-nodetach", "-stream -nodetach"],
)
def test_cms(office: tuple[Path, dict[str, Entity]], options: str) -> None:
    """RSA named as rsaEncryption, the signer by key identifier, no signed attributes, BER of unknown length."""
    folder, entities = office
    openssl(
        folder, "cms", "-sign", "-binary", "-in", "data", "-signer", "signer.pem", "-inkey", "signer.key",
        "-outform", "DER", "-out", "cms", *options.split(),
    )  # fmt: skip
    der = (folder / "cms").read_bytes()
    signed_data = SignedData.from_der(der)
    verification = verify_signer(signed_data, signed_data.signers[0], content=MESSAGE)
    assert {step.status for step in verification.steps} == {Status.PASSED}
    assert verification.certificate == entities["signer"].certificate
    if "-noattr" not in options and "-stream" not in options:
        assert form_step("x", der, candidates=[]).status is Status.PASSED
    named = verify_signer(
        signed_data, signed_data.signers[0], content=MESSAGE, require_signing_certificate=True
    ).passed  # fmt: skip
    assert named is ("-cades" in options)
    assert not verify_signer(signed_data, signed_data.signers[0], content=MESSAGE + b"?").passed
    changed = SignedData.from_der(flipped(der, len(der) - (3 if "-stream" not in options else 20)))
    assert not verify_signer(changed, changed.signers[0], content=MESSAGE).passed


@pytest.mark.parametrize(
    "more", ["", "ess_cert_id_alg = sha1", "accuracy = secs:1, millisecs:500\nordering = yes\ntsa_name = yes"]
)
@pytest.mark.parametrize("digest", ["sha256", "sha384"])
def test_time_stamps(office: tuple[Path, dict[str, Entity]], more: str, digest: str) -> None:
    """Also with the older signingCertificate attribute, whose certificate hash is SHA-1 (RFC 2634 §5.4)."""
    folder, entities = office
    (folder / "serial").write_text("0A\n")
    (folder / "tsa.cnf").write_text(CONFIGURATION.format(more=more))
    openssl(folder, "ts", "-query", "-data", "data", f"-{digest}", "-cert", "-out", "query")
    openssl(folder, "ts", "-reply", "-config", "tsa.cnf", "-section", "own", "-queryfile", "query", "-out", "reply")
    token = tsp.parse_response((folder / "reply").read_bytes())
    root = entities["root"]
    lists = [crl_of(root, this_update=CENTURY["not_before"], next_update=CENTURY["not_after"])]
    verification = tsp.verify_token(token, MESSAGE, roots=[root.certificate], crls=lists)
    assert {step.code: step.status for step in verification.steps if step.status is not Status.PASSED} == {}
    assert verification.gen_time is not None
    assert tsp.verify_token(token, MESSAGE + b"?", roots=[root.certificate], crls=lists).gen_time is None


@pytest.mark.parametrize("by_key", [False, True])
@pytest.mark.parametrize("responder", ["ocsp", "root"])
def test_ocsp_answers(office: tuple[Path, dict[str, Entity]], responder: str, by_key: bool) -> None:
    """A responder named by name or by key; a delegate, or the authority itself."""
    folder, entities = office
    root, signer, tsa = (entities[name].certificate for name in ("root", "signer", "tsa"))
    (folder / "index").write_text(
        f"V\t991231000000Z\t\t{signer.serial_number:X}\tunknown\t/CN=signer\n"
        f"R\t991231000000Z\t200101000000Z,superseded\t{tsa.serial_number:X}\tunknown\t/CN=tsa\n"
    )
    ids = [CertificateId.of(number, root) for number in (signer.serial_number, tsa.serial_number, 77)]
    (folder / "request").write_bytes(build_request(ids, b"n" * 16))
    openssl(
        folder, "ocsp", "-index", "index", "-rsigner", f"{responder}.pem", "-rkey", f"{responder}.key",
        "-CA", "root.pem", "-reqin", "request", "-respout", "response", "-ndays", "7",
        *(["-resp_key_id"] if by_key else []),
    )  # fmt: skip
    response = OcspResponse.from_der((folder / "response").read_bytes())
    assert response.is_signed_for(root)
    assert not response.is_signed_for(signer)
    assert [r.status for r in response.responses] == list(CertificateStatus)
    assert response.responses[1].reason is RevocationReason.SUPERSEDED
    cases = (
        (signer, KeyPurpose.DOCUMENT_SIGNING, Status.PASSED),
        (tsa, KeyPurpose.TIME_STAMPING, Status.FAILED),
    )
    for certificate, purpose, expected in cases:
        result = validate_chain(
            certificate, intermediates=[], roots=[root], crls=[], ocsp_responses=[response.der, b"junk"],
            at=response.produced_at, purpose=purpose,
        )  # fmt: skip
        assert result.status is expected


def test_revocation_lists(office: tuple[Path, dict[str, Entity]]) -> None:
    """PEM, UTCTime and GeneralizedTime, an entry with a reason and an invalidity date."""
    folder, entities = office
    root, signer = entities["root"].certificate, entities["signer"].certificate
    (folder / "serial").write_text("1F\n")
    (folder / "index").write_text(
        f"R\t991231000000Z\t300101000000Z,keyTime,20291231000000Z\t{signer.serial_number:X}\tunknown\t/CN=signer\n"
    )
    openssl(
        folder, "ca", "-gencrl", "-config", "configuration", "-cert", "root.pem", "-keyfile", "root.key",
        "-crl_lastupdate", "20300101000000Z", "-crl_nextupdate", "20510101000000Z", "-out", "list.pem",
    )  # fmt: skip
    crl = load_crl((folder / "list.pem").read_bytes())
    assert crl.is_signed_by(root)
    assert crl.covers(signer)
    assert (crl.number, crl.next_update) == (0x1F, datetime(2051, 1, 1, tzinfo=UTC))
    entry = crl.lookup(signer.serial_number)
    assert entry is not None
    assert (entry.at, entry.reason) == (datetime(2030, 1, 1, tzinfo=UTC), RevocationReason.KEY_COMPROMISE)
