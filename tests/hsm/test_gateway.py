import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event, select, text

from hsm.core.rights import Act, Operation
from hsm.gateway.service import GatewayService
from hsm.service import HsmService
from hsm.settings import GatewaySettings
from hsm.web.api import create_api
from trustcore.audit import AuditRow
from trustcore.crypto import sm2, verify
from trustcore.crypto.algorithms import KeyAlgorithm, SignatureAlgorithm
from trustcore.crypto.digests import sha256, sm3
from trustcore.database import Database

from support.gateway import ALL_SCOPES, Names, b64, bearer, codes, grant, unb64
from support.threads import at_once

pytestmark = pytest.mark.hsm

OFFICE = bearer("office")
MESSAGE = b"approved"


@pytest.fixture
def gateway(database: Database, service: HsmService, now: Any) -> GatewayService:
    return GatewayService(database, service, lambda: now, GatewaySettings(max_message=4096))


@pytest.fixture
def client(service: HsmService, gateway: GatewayService) -> Iterator[TestClient]:
    names = Names({"office": ALL_SCOPES, "reader": frozenset({"hsm:read"}), "verifier": frozenset({"hsm:verify"})})
    with TestClient(create_api(service, gateway, names)) as opened:
        yield opened


@pytest.fixture
def sm2_key(service: HsmService, gateway: GatewayService) -> bytes:
    """The public half of a key ``letters`` that ``office`` may use."""
    uri = service.generate("letters", KeyAlgorithm.SM2)
    grant(gateway, "office", "letters")
    return service.signer(uri).public_key_der


def rows(database: Database, action: str) -> list[AuditRow]:
    with database.transaction() as session:
        return list(session.scalars(select(AuditRow).where(AuditRow.action == action).order_by(AuditRow.number)))


def test_a_message_is_signed_and_openssl_agrees(client: TestClient, sm2_key: bytes, tmp_path: Path) -> None:
    for identifier in (None, "ALICE123@YAHOO.COM"):
        body = {"key": "letters", "message_base64": b64(MESSAGE)} | ({"sm2_id": identifier} if identifier else {})
        answer = client.post("/v1/sign", json=body, headers=OFFICE)
        assert answer.status_code == 200
        assert answer.json()["algorithm"] == "sm2-with-sm3"
        (tmp_path / "signature").write_bytes(unb64(answer.json()["signature_base64"]))
        (tmp_path / "message").write_bytes(MESSAGE)
        (tmp_path / "key.der").write_bytes(sm2_key)
        said = subprocess.run(
            ["openssl", "dgst", "-sm3", "-keyform", "DER", "-verify", "key.der",
             "-sigopt", f"distid:{identifier or '1234567812345678'}", "-signature", "signature", "message"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "Verified OK" in said.stdout


@pytest.mark.parametrize("algorithm", [KeyAlgorithm.RSA_2048, KeyAlgorithm.EC_P256])
def test_the_algorithm_is_the_keys(
    client: TestClient, service: HsmService, gateway: GatewayService, tmp_path: Path, algorithm: KeyAlgorithm
) -> None:
    uri = service.generate("other", algorithm)
    grant(gateway, "office", "other")
    answer = client.post("/v1/sign", json={"key": uri, "digest_base64": b64(sha256(MESSAGE))}, headers=OFFICE).json()
    (tmp_path / "signature").write_bytes(unb64(answer["signature_base64"]))
    (tmp_path / "message").write_bytes(MESSAGE)
    (tmp_path / "key.der").write_bytes(service.signer(uri).public_key_der)
    said = subprocess.run(
        ["openssl", "dgst", "-sha256", "-keyform", "DER", "-verify", "key.der", "-signature", "signature", "message"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Verified OK" in said.stdout


def test_a_raw_signature_has_64_bytes_and_means_the_same(client: TestClient, sm2_key: bytes) -> None:
    body = {"key": "letters", "message_base64": b64(MESSAGE), "form": "raw"}
    raw = unb64(client.post("/v1/sign", json=body, headers=OFFICE).json()["signature_base64"])
    assert len(raw) == 64
    assert sm2.verify(sm2.public_point(sm2_key), MESSAGE, sm2.signature_to_der(raw))
    asked = {"key": "letters", "message_base64": b64(MESSAGE), "signature_base64": b64(raw), "form": "raw"}
    assert client.post("/v1/verify", json=asked, headers=OFFICE).json() == {"valid": True, "reason": ""}


def test_a_batch_keeps_its_order_and_bad_items_hinder_nobody(
    client: TestClient, sm2_key: bytes, database: Database
) -> None:
    messages = [f"letter {number}".encode() for number in range(7)]
    items: list[dict[str, str]] = [{"message_base64": b64(message)} for message in messages]
    items[1] = {"message_base64": "no base64!"}
    items[2] = {"digest_base64": b64(b"too short")}
    items[4] = {}
    items[5] = {"message_base64": b64(bytes(4097))}
    answer = client.post("/v1/sign/batch", json={"key": "letters", "items": items}, headers=OFFICE)
    assert answer.status_code == 200
    results = answer.json()["results"]
    point = sm2.public_point(sm2_key)
    for number in (0, 3, 6):
        assert sm2.verify(point, messages[number], unb64(results[number]["signature_base64"]))
    found = {number: results[number]["error"]["code"] for number in (1, 2, 4, 5)}
    assert found == {1: "hsm.base64", 2: "hsm.digest.length", 4: "hsm.content.ambiguous", 5: "hsm.too-long"}
    assert answer.json()["signed"] == 3
    (row,) = rows(database, "hsm.gateway.sign")
    digests = b"".join(sm2.message_digest(point, messages[number]) for number in (0, 3, 6))
    assert row.facts == {"items": "3", "sm3": sm3(digests).hex(), "grant": "1"}
    assert (row.actor, row.subject) == ("client:office", "letters")


def test_a_batch_of_a_thousand_is_signed_in_one_act(client: TestClient, sm2_key: bytes, database: Database) -> None:
    digests = [sm3(str(number).encode()) for number in range(1000)]
    body = {"key": "letters", "items": [{"digest_base64": b64(digest)} for digest in digests], "form": "der"}
    answer = client.post("/v1/sign/batch", json=body, headers=OFFICE).json()
    assert answer["signed"] == 1000
    point = sm2.public_point(sm2_key)
    for number in (0, 499, 999):
        assert sm2.verify_digest(point, digests[number], unb64(answer["results"][number]["signature_base64"]))
    assert len(rows(database, "hsm.gateway.sign")) == 1
    body["items"] = [*body["items"], {"digest_base64": b64(digests[0])}]  # type: ignore[misc]
    assert codes(client, "/v1/sign/batch", [body, {"key": "letters", "items": []}], "office") == [
        (400, "hsm.batch.size"),
        (422, "request.invalid"),
    ]


def test_a_batch_of_bad_items_asks_no_machine_and_uses_no_quota(
    client: TestClient, sm2_key: bytes, database: Database
) -> None:
    body = {"key": "letters", "items": [{"digest_base64": "AA=="}]}
    answer = client.post("/v1/sign/batch", json=body, headers=OFFICE).json()
    assert answer["signed"] == 0
    assert rows(database, "hsm.gateway.sign") == []


def test_verification_says_why_not(client: TestClient, sm2_key: bytes) -> None:
    signed = client.post("/v1/sign", json={"key": "letters", "message_base64": b64(MESSAGE)}, headers=OFFICE).json()
    right = {"public_key_base64": b64(sm2_key), "signature_base64": signed["signature_base64"]}
    asked: list[dict[str, object]] = [
        right | {"message_base64": b64(MESSAGE)},
        right | {"message_base64": b64(b"rejected")},
        right | {"message_base64": b64(MESSAGE), "sm2_id": "somebody"},
        right | {"message_base64": b64(MESSAGE), "signature_base64": b64(b"0000")},
        right | {"message_base64": b64(MESSAGE), "signature_base64": ""},
    ]
    verdicts = [client.post("/v1/verify", json=body, headers=OFFICE).json() for body in asked]
    assert verdicts == [
        {"valid": True, "reason": ""},
        {"valid": False, "reason": "signature.wrong"},
        {"valid": False, "reason": "signature.wrong"},
        {"valid": False, "reason": "signature.malformed"},
        {"valid": False, "reason": "signature.malformed"},
    ]


def test_a_public_key_that_is_none_is_an_error(client: TestClient, sm2_key: bytes) -> None:
    off_curve = sm2_key[:-1] + bytes([sm2_key[-1] ^ 1])
    signature = client.post("/v1/sign", json={"key": "letters", "message_base64": ""}, headers=OFFICE).json()
    rest = {"message_base64": "", "signature_base64": signature["signature_base64"]}
    asked: list[dict[str, object]] = [
        rest | {"public_key_base64": b64(b"junk")},
        rest | {"certificate_base64": b64(sm2_key)},
        rest | {"public_key_base64": b64(off_curve)},
        rest | {"public_key_base64": b64(sm2_key), "key": "letters"},
        rest,
        rest | {"key": "nobody"},
    ]
    assert codes(client, "/v1/verify", asked, "office") == [
        (400, "hsm.source.unreadable"),
        (400, "hsm.source.unreadable"),
        (400, "crypto.sm2.key"),
        (400, "hsm.source.ambiguous"),
        (400, "hsm.source.ambiguous"),
        (404, "hsm.key.not-found"),
    ]


def test_a_batch_is_verified_item_by_item(client: TestClient, sm2_key: bytes) -> None:
    items = [{"message_base64": b64(text)} for text in (b"a", b"b")]
    signed = client.post("/v1/sign/batch", json={"key": "letters", "items": items}, headers=OFFICE).json()["results"]
    asked = [
        {"message_base64": b64(b"a"), "signature_base64": signed[0]["signature_base64"]},
        {"message_base64": b64(b"a"), "signature_base64": signed[1]["signature_base64"]},
        {"message_base64": "?", "signature_base64": ""},
    ]
    body = {"public_key_base64": b64(sm2_key), "items": asked}
    results = client.post("/v1/verify/batch", json=body, headers=bearer("verifier")).json()["results"]
    assert [result.get("valid") for result in results] == [True, False, None]
    assert results[2]["error"]["code"] == "hsm.base64"


@pytest.mark.parametrize("form", ["der", "c1c3c2", "c1c2c3"])
def test_sm2_texts_come_back_in_every_form(client: TestClient, sm2_key: bytes, form: str) -> None:
    body = {"public_key_base64": b64(sm2_key), "plaintext_base64": b64(b"secret"), "form": form}
    sealed = client.post("/v1/encrypt", json=body, headers=OFFICE).json()["ciphertext_base64"]
    assert (unb64(sealed)[0] == 4) is (form != "der")
    opened = client.post(
        "/v1/decrypt", json={"key": "letters", "ciphertext_base64": sealed, "form": form}, headers=OFFICE
    )
    assert unb64(opened.json()["plaintext_base64"]) == b"secret"
    changed = bytearray(unb64(sealed))
    changed[-1] ^= 1
    bad: list[dict[str, object]] = [
        {"key": "letters", "ciphertext_base64": b64(bytes(changed)), "form": form},
        {"key": "letters", "ciphertext_base64": b64(b"junk"), "form": form},
    ]
    assert {code for _, code in codes(client, "/v1/decrypt", bad, "office")} == {"hsm.cipher.invalid"}


@pytest.mark.parametrize(("mode", "text"), [("gcm", b"secret"), ("cbc", bytes(32)), ("ecb", bytes(16))])
def test_sm4_texts_come_back(
    client: TestClient, service: HsmService, gateway: GatewayService, mode: str, text: bytes
) -> None:
    service.generate_sm4("records")
    grant(gateway, "office", "rec*")
    extra = {"associated_base64": b64(b"row 7")} if mode == "gcm" else {}
    body = {"key": "records", "plaintext_base64": b64(text), "mode": mode, **extra}
    sealed = client.post("/v1/sm4/encrypt", json=body, headers=OFFICE).json()
    back = {"key": "records", "mode": mode, **sealed, **extra}
    opened = client.post("/v1/sm4/decrypt", json=back, headers=OFFICE)
    assert unb64(opened.json()["plaintext_base64"]) == text
    if mode == "gcm":
        bad: list[dict[str, object]] = [
            back | {"associated_base64": b64(b"row 8")},
            back | {"iv_base64": b64(b"short")},
        ]
        assert codes(client, "/v1/sm4/decrypt", bad, "office") == [(400, "hsm.cipher.invalid"), (400, "hsm.cipher.iv")]
    else:
        odd = body | {"plaintext_base64": b64(b"odd")}
        assert codes(client, "/v1/sm4/encrypt", [odd], "office") == [(400, "hsm.cipher.blocks")]


def test_an_sm4_key_signs_nothing_and_a_pair_encrypts_no_blocks(
    client: TestClient, service: HsmService, gateway: GatewayService, sm2_key: bytes
) -> None:
    service.generate_sm4("records")
    grant(gateway, "office", "records")
    (signing,) = codes(client, "/v1/sign", [{"key": "records", "message_base64": ""}], "office")
    (sealing,) = codes(client, "/v1/sm4/encrypt", [{"key": "letters", "plaintext_base64": ""}], "office")
    assert signing[0] == sealing[0] == 422
    assert sealing[1] == "hsm.key.not-secret"


def test_digests_and_e_are_those_of_the_standard(client: TestClient, sm2_key: bytes) -> None:
    plain = client.post("/v1/digest", json={"data_base64": b64(b"abc")}, headers=OFFICE).json()
    assert unb64(plain["digest_base64"]).hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    body = {"data_base64": b64(MESSAGE), "key": "letters", "sm2_id": "me"}
    e = unb64(client.post("/v1/digest", json=body, headers=OFFICE).json()["digest_base64"])
    assert e == sm2.message_digest(sm2.public_point(sm2_key), MESSAGE, b"me")
    assert codes(client, "/v1/digest", [body | {"algorithm": "sha256"}], "office") == [(400, "hsm.content.identifier")]


def test_random_octets_differ_and_have_a_bound(client: TestClient) -> None:
    drawn = {client.post("/v1/random", json={"length": 32}, headers=OFFICE).json()["random_base64"] for _ in range(3)}
    assert len(drawn) == 3
    assert codes(client, "/v1/random", [{"length": 65_537}, {"length": 0}], "office") == [
        (400, "hsm.random.length"),
        (422, "request.invalid"),
    ]


def test_hostile_requests_end_in_clear_problems(client: TestClient, sm2_key: bytes) -> None:
    message = b64(MESSAGE)
    bodies: list[dict[str, object]] = [
        {"key": "letters", "message_base64": "5L+h5Y2w\n"},
        {"key": "letters", "message_base64": "5L-h5Y2w"},
        {"key": "letters", "message_base64": "5L+h5Y2"},
        {"key": "letters", "message_base64": b64(bytes(4097))},
        {"key": "letters", "message_base64": "A" * 100_000},
        {"key": "letters", "digest_base64": b64(bytes(31))},
        {"key": "letters", "digest_base64": b64(bytes(32)), "sm2_id": "me"},
        {"key": "letters", "message_base64": message, "sm2_id": "x" * 8192},
        {"key": "letters", "message_base64": message, "digest_base64": b64(bytes(32))},
        {"key": "letters"},
        {"key": "nobody", "message_base64": message},
        {"key": "pkcs11:token=x;object=letters", "message_base64": message},
        {"key": "x" * 65, "message_base64": message},
        {"key": "letters", "message_base64": message, "unknown": 1},
        {"key": "letters", "message_base64": 7},
        {"key": "sso-es256", "message_base64": message},
    ]
    assert codes(client, "/v1/sign", bodies, "office") == [
        (400, "hsm.base64"),
        (400, "hsm.base64"),
        (400, "hsm.base64"),
        (400, "hsm.too-long"),
        (400, "hsm.too-long"),
        (400, "hsm.digest.length"),
        (400, "hsm.content.identifier"),
        (400, "hsm.content.identifier"),
        (400, "hsm.content.ambiguous"),
        (400, "hsm.content.ambiguous"),
        (404, "hsm.key.not-found"),
        (400, "hsm.key.uri"),
        (400, "hsm.key.label"),
        (422, "request.invalid"),
        (422, "request.invalid"),
        (403, "hsm.key.closed"),
    ]
    assert client.post("/v1/sign", content=b"{", headers=OFFICE).status_code == 422
    huge = client.post("/v1/sign", content=b"x" * (17 * 1024 * 1024), headers=OFFICE)
    assert (huge.status_code, huge.json()["code"]) == (413, "request.too-large")


def test_without_a_grant_nothing_is_signed_and_the_attempt_is_written_down(
    client: TestClient, service: HsmService, sm2_key: bytes, database: Database
) -> None:
    service.generate("contracts", KeyAlgorithm.SM2)
    body = {"key": "contracts", "message_base64": ""}
    assert codes(client, "/v1/sign", [body], "office") == [(403, "hsm.right.missing")]
    (row,) = rows(database, "hsm.gateway.refused")
    assert (row.actor, row.subject, row.facts) == ("client:office", "contracts", {"operation": "sign"})
    assert codes(client, "/v1/sign", [body], "reader") == [(403, "auth.scope")]
    assert codes(client, "/v1/sign", [body], "stranger") == [(401, "auth.token.missing")]


def test_a_retired_key_signs_no_more(client: TestClient, service: HsmService, sm2_key: bytes) -> None:
    sealed = {"key": "letters", "ciphertext_base64": b64(sm2.encrypt(sm2.public_point(sm2_key), b"kept"))}
    service.retire("letters", actor="test")
    assert codes(client, "/v1/sign", [{"key": "letters", "message_base64": ""}], "office") == [
        (422, "hsm.key.inactive")
    ]
    opened = client.post("/v1/decrypt", json=sealed, headers=OFFICE)
    assert unb64(opened.json()["plaintext_base64"]) == b"kept"


def test_when_all_machines_are_down_the_caller_hears_when_to_come_again(
    faults: Path, client: TestClient, sm2_key: bytes, database: Database
) -> None:
    for number in (1, 2, 3):
        (faults / f"xinyin-{number}").write_text("0x30")
    answer = client.post("/v1/sign", json={"key": "letters", "message_base64": ""}, headers=OFFICE)
    assert (answer.status_code, answer.json()["code"]) == (503, "hsm.machine.unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert len(rows(database, "hsm.gateway.sign")) == 1
    (failed,) = rows(database, "hsm.gateway.failed")
    assert failed.facts == {"operation": "sign", "code": "hsm.machine.unavailable"}


def test_what_cannot_be_written_down_is_not_signed(client: TestClient, sm2_key: bytes, database: Database) -> None:
    client.post("/v1/sign", json={"key": "letters", "message_base64": ""}, headers=OFFICE)
    with database.transaction() as session:
        session.execute(text("CREATE TRIGGER full BEFORE INSERT ON core_audit BEGIN SELECT RAISE(ABORT, 'full'); END"))
    answer = client.post("/v1/sign", json={"key": "letters", "message_base64": ""}, headers=OFFICE)
    assert (answer.status_code, answer.json()["code"]) == (500, "hsm.journal.failed")


def test_health_needs_no_token_and_names_no_machine(client: TestClient) -> None:
    answer = client.get("/v1/health")
    assert answer.json() == {"status": "ok", "machines_up": 3, "machines": 3}


def test_certificates_of_a_key_are_given(client: TestClient, sm2_key: bytes) -> None:
    assert client.get("/v1/certificates/letters", headers=OFFICE).json() == {"key": "letters", "certificates": []}
    assert client.get("/v1/certificates/nobody", headers=OFFICE).status_code == 404


def test_rsa_signatures_verify_with_other_hashes_refused(client: TestClient, service: HsmService) -> None:
    uri = service.generate("rsa", KeyAlgorithm.RSA_2048)
    key = service.signer(uri)
    signature = key.sign(MESSAGE)
    assert verify.verify(key.public_key_der, SignatureAlgorithm.RSA_SHA256, MESSAGE, signature)
    body = {"public_key_base64": b64(key.public_key_der), "message_base64": b64(MESSAGE)}
    assert client.post("/v1/verify", json=body | {"signature_base64": b64(signature)}, headers=OFFICE).json()["valid"]
    cut = client.post("/v1/verify", json=body | {"signature_base64": b64(signature[:-1])}, headers=OFFICE).json()
    assert cut == {"valid": False, "reason": "signature.wrong"}


def test_single_requests_share_transactions(gateway: GatewayService, database: Database) -> None:
    act = Act(application="office", operation=Operation.RANDOM, key=None, count=1, digest=b"")
    commits: list[object] = []
    event.listen(database.engine, "commit", commits.append)
    at_once(24, lambda _: gateway.journal.enter(act))
    assert len(rows(database, "hsm.gateway.random")) == 24
    assert len(commits) < 24
