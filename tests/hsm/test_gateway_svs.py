from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from fastapi.testclient import TestClient

from hsm.gateway.service import GatewayService
from hsm.service import HsmService
from hsm.settings import GatewaySettings
from hsm.web.api import create_api
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.crypto.software import SoftwareKeys
from trustcore.database import Database
from trustcore.x509 import extensions as ext
from trustcore.x509.build import certificate_tbs, signed
from trustcore.x509.certificate import Certificate, encode_pem
from trustcore.x509.cms import SignedData
from trustcore.x509.cms_verify import verify_signer
from trustcore.x509.crl import RevokedEntry

from support.gateway import ALL_SCOPES, Names, b64, bearer, grant, unb64
from support.x509_workshop import Entity, Workshop, crl_of

pytestmark = pytest.mark.hsm

SM3_SM2 = 0x20201
MESSAGE = "关于核发营业执照的决定".encode()


@dataclass(frozen=True)
class Server:
    client: TestClient
    certificate: Certificate
    root: Entity
    crl: Path

    def json(self, operation: str, **values: Any) -> dict[str, Any]:
        answer = self.client.post(f"/v1/svs/{operation}", json=values, headers=bearer("office"))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def form(self, operation: str, **values: Any) -> dict[str, str]:
        headers = bearer("office") | {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self.client.post(f"/v1/svs/{operation}", content=urlencode(values), headers=headers)
        assert answer.status_code == 200, answer.text
        return dict(parse_qsl(answer.text))


@pytest.fixture
def workshop(software_keys: SoftwareKeys) -> Workshop:
    return Workshop(software_keys)


@pytest.fixture
def server(
    database: Database, service: HsmService, workshop: Workshop, now: datetime, tmp_path: Path
) -> Iterator[Server]:
    root = workshop.ca("根")
    key = service.signer(service.generate("letters", KeyAlgorithm.SM2))
    usage = (ext.basic_constraints(ca=False), ext.key_usage("digitalSignature", "nonRepudiation"))
    template = workshop.template("晴川市印章", key, root, *usage)
    certificate = Certificate.from_der(signed(certificate_tbs(template), root.signer))
    service.link_certificate("letters", certificate.der)
    anchors, crl = tmp_path / "roots.pem", tmp_path / "root.crl"
    anchors.write_bytes(encode_pem("CERTIFICATE", root.certificate.der))
    crl.write_bytes(crl_of(root))
    settings = GatewaySettings(svs_keys=("letters", "nobody"), trust_anchors=(anchors,), crls=(crl,))
    gateway = GatewayService(database, service, lambda: now, settings)
    grant(gateway, "office", "letters")
    names = Names({"office": ALL_SCOPES, "reader": frozenset({"hsm:read"})})
    with TestClient(create_api(service, gateway, names)) as client:
        yield Server(client, certificate, root, crl)


def signed_data(server: Server, data: bytes = MESSAGE) -> str:
    answer = server.json("SignData", signMethod=SM3_SM2, keyIndex=1, keyValue="", inDataLen=len(data), inData=b64(data))
    assert answer["respValue"] == 0
    return str(answer["signature"])


def test_data_is_signed_by_index_and_verified_by_certificate(server: Server) -> None:
    signature = signed_data(server)
    assert sm2.verify(sm2.public_point(server.certificate.public_key_der), MESSAGE, unb64(signature))
    asked = {"type": 1, "cert": b64(server.certificate.der), "inData": b64(MESSAGE), "signature": signature}
    for level in (0, 1, 2):
        assert server.json("VerifySignedData", **asked, verifyLevel=level) == {"respValue": 0}
    serial = f"{server.certificate.serial_number:X}"
    by_serial = {"type": 2, "certSN": serial, "inData": b64(MESSAGE), "signature": signature}
    assert server.json("VerifySignedData", **by_serial) == {"respValue": 0}
    assert server.json("VerifySignedData", **(asked | {"inData": b64(b"else")})) == {"respValue": 0x0400000C}


def test_forms_are_answered_with_forms(server: Server) -> None:
    answer = server.form("SignData", signMethod=str(SM3_SM2), keyIndex="1", inDataLen="4", inData=b64(b"data"))
    assert answer["respValue"] == "0"
    point = sm2.public_point(server.certificate.public_key_der)
    assert sm2.verify(point, b"data", unb64(answer["signature"]))


@pytest.mark.parametrize(
    ("operation", "values", "code"),
    [
        ("SignData", {"signMethod": SM3_SM2, "keyIndex": 3, "inData": ""}, 0x04000005),
        ("SignData", {"signMethod": SM3_SM2, "keyIndex": 0, "inData": ""}, 0x04000005),
        ("SignData", {"signMethod": SM3_SM2, "keyIndex": 2, "inData": ""}, 0x04000005),
        ("SignData", {"signMethod": 0x10002, "keyIndex": 1, "inData": ""}, 0x04000004),
        ("SignData", {"signMethod": "x", "keyIndex": 1, "inData": ""}, 0x04000010),
        ("SignData", {"signMethod": SM3_SM2, "keyIndex": 1}, 0x04000010),
        ("SignData", {"signMethod": SM3_SM2, "keyIndex": 1, "inData": "?"}, 0x0400000D),
        ("SignData", {"signMethod": SM3_SM2, "keyIndex": 1, "inData": "AAAA", "inDataLen": 4}, 0x04000010),
        ("ExportCert", {"identification": "nobody"}, 0x04000001),
        ("ExportCert", {"identification": "²"}, 0x04000001),
        ("ExportCert", {"identification": "9" * 5000}, 0x04000001),
        ("ParseCert", {"cert": "AAAA", "infoType": 1}, 0x04000008),
        ("ValidateCert", {"cert": "AAAA"}, 0x04000008),
        ("SignDataUpdate", {"signMethod": SM3_SM2, "hashValue": "AAAA", "inData": ""}, 0x0400000D),
        ("SignDataInit", {"signMethod": SM3_SM2, "inData": b64(bytes(65_537))}, 0x04000010),
        ("SignMessage", {"signMethod": SM3_SM2, "keyIndex": 1, "inData": "", "hashFlag": "TRUE"}, 0x04000010),
        ("VerifySignedMessage", {"signedMessage": "AAAA"}, 0x0400000D),
    ],
)
def test_what_is_wrong_has_its_response_code(server: Server, operation: str, values: dict[str, Any], code: int) -> None:
    assert server.json(operation, **values) == {"respValue": code}


def test_rights_are_asked_for_before_parameters(server: Server) -> None:
    for body in ({}, {"signMethod": SM3_SM2, "keyIndex": 1, "inData": ""}):
        assert server.client.post("/v1/svs/SignData", json=body, headers=bearer("reader")).status_code == 403
    twice = server.client.post(
        "/v1/svs/SignData",
        content="keyIndex=1&keyIndex=2",
        headers=bearer("office") | {"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert (twice.status_code, twice.json()["code"]) == (400, "hsm.svs.request")
    nested = server.client.post("/v1/svs/SignData", content=b"[" * 100_000, headers=bearer("office"))
    assert nested.status_code == 400


def test_packets_give_the_same_as_the_whole(server: Server) -> None:
    key = b64(sm2.public_point(server.certificate.public_key_der))
    begun = server.json("SignDataInit", signMethod=SM3_SM2, signerPublicKey=key, inData=b64(MESSAGE[:10]))
    gone_on = server.json("SignDataUpdate", signMethod=SM3_SM2, hashValue=begun["hashValue"], inData=b64(MESSAGE[10:]))
    ended = server.json("SignDataFinal", signMethod=SM3_SM2, keyIndex=1, hashValue=gone_on["hashValue"])
    point = sm2.public_point(server.certificate.public_key_der)
    assert sm2.verify(point, MESSAGE, unb64(ended["signature"]))
    verified = server.json(
        "VerifySignedDataFinal",
        cert=b64(server.certificate.der),
        hashValue=gone_on["hashValue"],
        signature=ended["signature"],
    )
    assert verified == {"respValue": 0}
    message = server.json("SignMessageFinal", signMethod=SM3_SM2, keyIndex=1, hashValue=gone_on["hashValue"])
    read = SignedData.from_der(unb64(message["signedMessage"]))
    assert read.content is None
    assert verify_signer(read, read.signers[0], content=MESSAGE).passed
    whole = server.json("VerifySignedMessage", signedMessage=message["signedMessage"], inData=b64(MESSAGE))
    assert whole == {"respValue": 0}


@pytest.mark.parametrize("attributes", ["TRUE", "FALSE"])
@pytest.mark.parametrize("attached", ["TRUE", "FALSE"])
def test_messages_are_signed_in_the_form_of_gm_t_0010(server: Server, attached: str, attributes: str) -> None:
    made = server.json(
        "SignMessage", signMethod=SM3_SM2, keyIndex=1, inData=b64(MESSAGE), originalText=attached,
        authenticationAttributes=attributes, crl="TRUE",
    )  # fmt: skip
    read = SignedData.from_der(unb64(made["signedMessage"]))
    assert (read.content is not None) is (attached == "TRUE")
    assert read.certificates == (server.certificate,)
    assert len(read.crls) == 1
    assert verify_signer(read, read.signers[0], content=MESSAGE).passed
    verified = server.json(
        "VerifySignedMessage", signedMessage=made["signedMessage"], inData=b64(MESSAGE), verifyLevel=2
    )
    assert verified == {"respValue": 0}
    other = server.json("VerifySignedMessage", signedMessage=made["signedMessage"], inData=b64(b"else"))
    assert other == {"respValue": 0x0400000C}


def test_a_detached_message_alone_is_not_enough(server: Server) -> None:
    made = server.json("SignMessage", signMethod=SM3_SM2, keyIndex=1, inData=b64(MESSAGE))
    assert server.json("VerifySignedMessage", signedMessage=made["signedMessage"]) == {"respValue": 0x04000010}


def test_certificates_are_exported_parsed_and_judged(server: Server) -> None:
    serial = f"{server.certificate.serial_number:X}"
    for identification in ("1", "letters", serial):
        assert unb64(server.json("ExportCert", identification=identification)["cert"]) == server.certificate.der
    certificate = b64(server.certificate.der)
    assert server.json("ParseCert", cert=certificate, infoType=2)["info"] == serial
    assert server.json("ParseCert", cert=certificate, infoType="0x31")["info"] == "晴川市印章"
    assert server.json("ParseCert", cert=certificate, infoType=99) == {"respValue": 0x04000010}
    assert server.json("ValidateCert", cert=certificate, ocsp="FALSE") == {"respValue": 0, "state": 0}


def test_a_revoked_signer_is_noticed_at_once(server: Server, now: datetime) -> None:
    signature = signed_data(server)
    revoked = RevokedEntry(serial_number=server.certificate.serial_number, at=now - timedelta(hours=1))
    server.crl.write_bytes(crl_of(server.root, revoked, this_update=now - timedelta(minutes=1), number=2))
    certificate = b64(server.certificate.der)
    assert server.json("ValidateCert", cert=certificate) == {"respValue": 0, "state": 1}
    asked = {"cert": certificate, "inData": b64(MESSAGE), "signature": signature}
    assert server.json("VerifySignedData", **asked, verifyLevel=2) == {"respValue": 0x0400000B}
    assert server.json("VerifySignedData", **asked, verifyLevel=1) == {"respValue": 0}


def test_a_stranger_under_another_root_is_not_accepted(server: Server, workshop: Workshop) -> None:
    stranger = workshop.leaf("陌生人", workshop.ca("别的根"))
    signature = b64(stranger.signer.sign(MESSAGE))
    asked = {"cert": b64(stranger.certificate.der), "inData": b64(MESSAGE), "signature": signature}
    assert server.json("VerifySignedData", **asked, verifyLevel=0) == {"respValue": 0}
    assert server.json("VerifySignedData", **asked, verifyLevel=1) == {"respValue": 0x04000007}
    assert server.json("ValidateCert", cert=asked["cert"])["state"] == 2


def test_an_expired_signer_is_told_from_one_that_is_not_yet(server: Server, workshop: Workshop, now: datetime) -> None:
    root = workshop.ca("根二")
    make: Callable[..., Entity] = workshop.leaf
    for changes, code in (({"not_after": now - timedelta(days=1)}, 9), ({"not_before": now + timedelta(days=1)}, 0xA)):
        entity = make("某人", root, **changes)
        asked = {"cert": b64(entity.certificate.der), "inData": "", "signature": b64(entity.signer.sign(b""))}
        assert server.json("VerifySignedData", **asked, verifyLevel=0) == {"respValue": 0x04000000 + code}
