"""Keys and approvals over HTTP and at the command line."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from hsm.cli import build_cli
from hsm.gateway.service import GatewayService
from hsm.ports import Persons
from hsm.service import HsmService
from hsm.settings import GatewaySettings, HsmSettings
from hsm.store.keys import NewKey
from hsm.web.api import create_api
from trustcore.crypto import verify
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.database import Database
from trustcore.errors import MalformedError, TrustError, UnauthenticatedError
from trustcore.signing import KeyPurpose
from trustcore.web.auth import Principal

pytestmark = pytest.mark.hsm

OpenHsm = Callable[..., AbstractContextManager[HsmService]]
READER, MANAGER = {"Authorization": "Bearer reader"}, {"Authorization": "Bearer manager"}
WANG, LI = {"Authorization": "Bearer wang"}, {"Authorization": "Bearer li"}
OAEP = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303 - what tokens do


class Callers:
    """Two applications, and two persons who may manage keys."""

    def authenticate(self, authorization: str | None) -> Principal:
        name = (authorization or "").removeprefix("Bearer ")
        if name not in {"reader", "manager", "wang", "li"}:
            raise UnauthenticatedError("Say who you are.", code="auth.token.missing")
        scopes = frozenset({"hsm:read"} if name == "reader" else {"hsm:read", "hsm:manage"})
        return Principal(subject=name, kind="person" if name in {"wang", "li"} else "application", scopes=scopes)


@pytest.fixture
def real(open_machines: OpenHsm) -> Iterator[HsmService]:
    """Machines where two persons are wanted."""
    with open_machines(HsmSettings(four_eyes=True)) as opened:
        yield opened


@pytest.fixture
def client(real: HsmService, database: Database, now: datetime) -> TestClient:
    gateway = GatewayService(database, real, lambda: now, GatewaySettings())
    return TestClient(create_api(real, gateway, Callers()))


def encode(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def wrapped_pair(transport_key_der: bytes) -> tuple[bytes, bytes]:
    """A pair of somebody else's, wrapped with software that is not ours, and its public key."""
    pair = ec.generate_private_key(ec.SECP256R1())
    private = pair.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    transport = serialization.load_der_public_key(transport_key_der)
    assert isinstance(transport, rsa.RSAPublicKey)
    wrapped = transport.encrypt(bytes(32), OAEP) + keywrap.aes_key_wrap_with_padding(bytes(32), private)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return wrapped, pair.public_key().public_bytes(serialization.Encoding.DER, form)


def test_a_keys_life_over_http(client: TestClient, real: HsmService) -> None:
    real.make(NewKey(label="key", algorithm="ec-p256", activate=False))
    assert client.get("/v1/keys/key", headers=READER).json()["state"] == "generated"
    for act, state in (("activate", "active"), ("suspend", "suspended"), ("activate", "active"), ("retire", "retired")):
        answer = client.post(f"/v1/keys/key/{act}", headers=MANAGER)
        assert (answer.status_code, answer.json()["state"]) == (200, state)
    assert client.post("/v1/keys/key/activate", headers=MANAGER).status_code == 409
    for _ in range(2):
        gone = client.delete("/v1/keys/key", headers=MANAGER)
        assert (gone.status_code, gone.json()["state"], gone.json()["machines"]) == (200, "destroyed", [])
    assert client.get("/v1/keys", params={"state": "active"}, headers=READER).json()["keys"] == []
    assert client.get("/v1/keys/nobody", headers=READER).status_code == 404


def test_bounds_titles_and_filters_over_http(client: TestClient, real: HsmService) -> None:
    real.generate("a", KeyAlgorithm.EC_P256, purpose=KeyPurpose.SEAL)
    real.generate("b", KeyAlgorithm.EC_P256)
    assert client.put("/v1/keys/a/limit", json={"usage_limit": 9}, headers=MANAGER).json()["usage_limit"] == 9
    assert client.put("/v1/keys/a/limit", json={"usage_limit": 0}, headers=MANAGER).status_code == 422
    assert client.put("/v1/keys/a/limit", json={"usage_limit": None}, headers=MANAGER).json()["usage_limit"] is None
    assert client.put("/v1/keys/a/title", json={"title": "公章"}, headers=MANAGER).json()["title"] == "公章"
    sealed = client.get("/v1/keys", params={"purpose": "seal", "machine": "machine-1"}, headers=READER).json()["keys"]
    assert [key["label"] for key in sealed] == ["a"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/keys/key/activate"), ("POST", "/v1/keys/key/suspend"), ("POST", "/v1/keys/key/retire"),
        ("DELETE", "/v1/keys/key"), ("POST", "/v1/keys/key/import"), ("POST", "/v1/approvals/1/approve"),
        ("POST", "/v1/approvals/1/refuse"),
    ],
)  # fmt: skip
def test_who_may_only_read_changes_nothing(client: TestClient, method: str, path: str) -> None:
    assert client.request(method, path).status_code == 401
    assert client.request(method, path, headers=READER).status_code == 403


def test_two_persons_agree_over_http_and_no_application_does(client: TestClient, real: HsmService) -> None:
    new = NewKey(label="ca", algorithm="sm2", purpose=KeyPurpose.CA)
    with pytest.raises(TrustError):
        real.make(new, actor="client:manager")
    (approval,) = client.get("/v1/approvals", headers=READER).json()["approvals"]
    assert (approval["act"], approval["label"], approval["parameters"]["algorithm"]) == ("generate", "ca", "sm2")
    path = f"/v1/approvals/{approval['id']}/approve"
    assert client.post(path, headers=MANAGER).status_code == 403
    assert client.post(path, headers=WANG).json()["state"] == "pending"
    assert client.post(path, headers=WANG).status_code == 409
    agreed = client.post(path, headers=LI).json()["approved_by"]
    assert {vote["person"] for vote in agreed} == {"user:wang", "user:li"}
    real.make(new)
    assert client.get("/v1/approvals", headers=READER).json()["approvals"] == []
    (used,) = client.get("/v1/approvals", params={"every": True}, headers=READER).json()["approvals"]
    assert used["state"] == "executed"
    assert client.post(f"/v1/approvals/{approval['id']}/refuse", headers=LI).status_code == 409


def test_a_key_comes_in_and_leaves_over_http(client: TestClient, real: HsmService) -> None:
    offer = client.post("/v1/keys/key/import", headers=MANAGER).json()
    wrapped, public_key_der = wrapped_pair(base64.b64decode(offer["transport_key_base64"]))
    body = {
        "algorithm": "ec-p256",
        "public_key_base64": encode(public_key_der),
        "wrapped_base64": encode(wrapped),
        "exportable": True,
    }
    for rubbish in ("AA", "AAAA", encode(bytes(500))):
        answer = client.put("/v1/keys/key/import", json=body | {"wrapped_base64": rubbish}, headers=MANAGER)
        assert answer.status_code == 400
    made = client.put("/v1/keys/key/import", json=body, headers=MANAGER)
    assert (made.status_code, made.json()["missing"]) == (201, [])
    assert client.put("/v1/keys/key/import", json=body, headers=MANAGER).json() == made.json()
    assert client.post("/v1/keys/key/import", headers=MANAGER).status_code == 409
    signer = real.signer(made.json()["uri"])
    assert verify.verify(public_key_der, signer.algorithm, b"message", signer.sign(b"message"))
    recipient = rsa.generate_private_key(65537, 3072)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    recipient_der = recipient.public_key().public_bytes(serialization.Encoding.DER, form)
    gone = client.post(
        "/v1/keys/key/export", json={"recipient_key_base64": encode(recipient_der)}, headers=MANAGER
    ).json()
    sent = base64.b64decode(gone["wrapped_base64"])
    private = keywrap.aes_key_unwrap_with_padding(recipient.decrypt(sent[:384], OAEP), sent[384:])
    key_bytes = 2 + private[1]  # SoftHSM counts its padding as part of the key
    assert not any(private[key_bytes:])
    loaded = serialization.load_der_private_key(private[:key_bytes], None)
    assert loaded.public_key().public_bytes(serialization.Encoding.DER, form) == public_key_der


# The command line


class Passwords(Persons):
    """Wang and Li, whose passwords are their names backwards."""

    def verify(self, username: str, password: str) -> str:
        if password != username[::-1]:
            raise UnauthenticatedError("The user name or the password is not right.", code="sso.login.refused")
        return f"user:{username}"


def test_the_command_line_keeps_keys(open_machines: OpenHsm, tmp_path: Path) -> None:
    app, run = build_cli(open_machines), CliRunner().invoke
    made = json.loads(
        run(app, ["key", "generate", "key", "--limit", "5", "--inactive", "--title", "公章", "--json"]).output
    )
    assert (made["state"], made["usage_limit"], made["title"]) == ("generated", 5, "公章")
    assert "启用 active" in run(app, ["key", "activate", "key"]).output
    assert "0 / 7" in run(app, ["key", "limit", "key", "7"]).output
    assert run(app, ["key", "limit", "key"]).exit_code == 2
    assert "停用 suspended" in run(app, ["key", "suspend", "key"]).output
    assert run(app, ["key", "retire", "key"], input="n\n").exit_code == 1
    assert "退役 retired" in run(app, ["key", "retire", "key", "--yes"]).output
    assert run(app, ["key", "destroy", "key"], input="other\n").exit_code == 1
    assert json.loads(run(app, ["keys", "--state", "retired", "--json"]).output)[0]["label"] == "key"
    assert "销毁 destroyed" in run(app, ["key", "destroy", "key"], input="key\n").output
    assert "destroyed" in run(app, ["key", "show", "key"]).output
    assert run(app, ["key", "generate", "other", "--algorithm", "des"]).exit_code == 2
    for title in ("", "长" * 201, "\x1b[31m"):
        assert isinstance(run(app, ["key", "generate", "other", "--title", title]).exception, MalformedError)
    label = "seal-4201140000018-F95A0C0E-rsa"
    run(app, ["key", "generate", label])
    assert label in run(app, ["keys"], env={"COLUMNS": "80"}).output, "it can be copied from a narrow terminal"
    pem = run(app, ["key", "import-begin", "imported"])
    assert pem.stdout.startswith("-----BEGIN PUBLIC KEY-----")
    transport = serialization.load_pem_public_key(pem.stdout.encode())
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    wrapped, public_key_der = wrapped_pair(transport.public_bytes(serialization.Encoding.DER, form))
    (tmp_path / "wrapped").write_bytes(wrapped)
    (tmp_path / "public.der").write_bytes(public_key_der)
    command = ["key", "import", "imported", str(tmp_path / "wrapped"), str(tmp_path / "public.der")]
    brought = run(app, [*command, "--algorithm", "ec-p256", "--exportable", "--json"])
    assert json.loads(brought.output)["public_key_der"] == public_key_der.hex()
    (tmp_path / "recipient.pem").write_text(pem.stdout)
    out = tmp_path / "out"
    leave = ["key", "export", "imported", str(tmp_path / "recipient.pem"), "--out", str(out)]
    assert run(app, leave, input="n\n").exit_code == 1
    assert not out.exists()
    assert run(app, [*leave, "--yes"]).exit_code == 0
    assert out.stat().st_mode & 0o777 == 0o600
    assert run(app, [*leave, "--yes"]).exit_code == 2, "no file is written over"


def test_two_persons_agree_at_the_command_line_with_their_passwords(open_machines: OpenHsm) -> None:
    @contextmanager
    def opened() -> Iterator[HsmService]:
        with open_machines(HsmSettings(four_eyes=True)) as service:
            yield service

    @contextmanager
    def with_persons() -> Iterator[tuple[HsmService, Persons]]:
        with opened() as service:
            yield service, Passwords()

    app, run = build_cli(opened, open_approvals=with_persons), CliRunner().invoke
    generate = ["key", "generate", "ca", "--purpose", "ca"]
    refused = run(app, generate)
    assert isinstance(refused.exception, TrustError)
    (approval,) = json.loads(run(app, ["approvals", "--json"]).output)
    assert approval["requested_by"].startswith("cli:")
    request = approval["id"]
    wrong = run(app, ["approve", request], input="wang\nwrong\ny\n")
    assert isinstance(wrong.exception, UnauthenticatedError)
    right = run(app, ["approve", request], input="wang\ngnaw\ny\n")
    assert "pending" in right.output
    assert "gnaw" not in right.output, "a password is not shown"
    assert run(app, ["approve", request], input="li\nil\nn\n").exit_code == 1, "and may think again"
    assert "approved" in run(app, ["approve", request], input="li\nil\ny\n").output
    assert run(app, generate).exit_code == 0
    assert "executed" in run(app, ["approvals", "--all"]).output
    assert "approve" not in run(build_cli(opened), ["--help"]).output.replace("approvals", "")
