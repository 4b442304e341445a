import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select
from typer.testing import CliRunner

from hsm.cli.gateway import build_gateway_cli
from hsm.core.rights import Act, KeyFacts, Operation
from hsm.gateway.grants import Grants
from hsm.gateway.journal import Journal
from hsm.gateway.service import GatewayService
from hsm.service import HsmService
from hsm.settings import GatewaySettings
from hsm.web.api import create_api
from trustcore.audit import AuditRow
from trustcore.crypto.software import SoftwareKeys
from trustcore.database import Database
from trustcore.signing import KeyPurpose
from trustcore.x509.certificate import encode_pem

from support.gateway import Names, bearer, codes
from support.x509_workshop import Workshop

pytestmark = pytest.mark.hsm

ADMIN = bearer("admin")
BODY = {"application": "office", "keys": "letters", "operations": ["sign", "verify"], "per_second": 5, "per_day": 100}


@pytest.fixture
def client(database: Database, service: HsmService, now: datetime) -> Iterator[TestClient]:
    names = Names({"admin": frozenset({"hsm:manage", "hsm:generate"}), "office": frozenset({"hsm:random"})})
    gateway = GatewayService(database, service, lambda: now, GatewaySettings())
    app: FastAPI = create_api(service, gateway, names)
    with TestClient(app) as opened:
        yield opened


def test_grants_are_given_listed_and_taken_back(client: TestClient, database: Database) -> None:
    given = client.post("/v1/grants", json=BODY, headers=ADMIN)
    assert given.status_code == 201
    number = given.json()["id"]
    assert given.json()["operations"] == ["sign", "verify"]
    for _ in range(2):
        revoked = client.delete(f"/v1/grants/{number}", headers=ADMIN).json()
    assert revoked["revoked_by"] == "client:admin"
    listed = client.get("/v1/grants", params={"application": "office"}, headers=ADMIN).json()
    assert [grant["revoked_at"] is not None for grant in listed["grants"]] == [True]
    assert client.delete("/v1/grants/99", headers=ADMIN).status_code == 404
    with database.transaction() as session:
        acts = session.scalars(select(AuditRow.action).where(AuditRow.subject == str(number))).all()
    assert acts == ["hsm.grant.given", "hsm.grant.revoked"]


def test_the_same_request_gives_one_grant(client: TestClient) -> None:
    key = ADMIN | {"Idempotency-Key": "case-7"}
    first, again = (client.post("/v1/grants", json=BODY, headers=key) for _ in range(2))
    assert first.json() == again.json()
    other = client.post("/v1/grants", json=BODY | {"per_day": 7}, headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "hsm.grant.request")
    assert len(client.get("/v1/grants", headers=ADMIN).json()["grants"]) == 1


def test_grants_come_in_pages(client: TestClient) -> None:
    numbers = [client.post("/v1/grants", json=BODY, headers=ADMIN).json()["id"] for _ in range(3)]
    first = client.get("/v1/grants", params={"limit": 2}, headers=ADMIN).json()
    rest = client.get("/v1/grants", params={"limit": 2, "cursor": first["next_cursor"]}, headers=ADMIN).json()
    assert [grant["id"] for grant in first["grants"] + rest["grants"]] == numbers
    assert rest["next_cursor"] is None


def test_what_cannot_be_granted_is_refused(client: TestClient) -> None:
    bodies: list[dict[str, object]] = [
        BODY | {"keys": "*"},
        BODY | {"keys": "purpose:ca"},
        BODY | {"operations": []},
        BODY | {"operations": ["rule"]},
        BODY | {"per_day": 0},
        BODY | {"not_after": "2030-01-15T09:30:00"},
        BODY | {"not_before": "2030-02-01T00:00:00Z", "not_after": "2030-01-01T00:00:00Z"},
    ]
    assert [status for status, _ in codes(client, "/v1/grants", bodies, "admin")] == [400, 400, 422, 422, 422, 400, 400]
    assert codes(client, "/v1/grants", [BODY], "office") == [(403, "auth.scope")]


def test_keys_are_made_by_those_who_may(client: TestClient) -> None:
    body: dict[str, object] = {"label": "office-1", "algorithm": "sm2"}
    made = client.post("/v1/keys", json=body, headers=ADMIN)
    assert (made.status_code, made.json()["uri"]) == (201, "pkcs11:object=office-1;type=private")
    assert codes(client, "/v1/keys", [body, body | {"label": "sso-x"}, body | {"algorithm": "dsa"}], "admin") == [
        (409, "hsm.key.exists"),
        (403, "hsm.key.closed"),
        (422, "request.invalid"),
    ]
    assert codes(client, "/v1/keys", [body], "office") == [(403, "auth.scope")]


@pytest.mark.parametrize("label", ["ca-root", "time-stamping-sm2-issuing", "ocsp-responder-sm2-issuing-1"])
def test_nobody_makes_a_key_that_an_authority_would_take_for_its_own(client: TestClient, label: str) -> None:
    body: dict[str, object] = {"label": label, "algorithm": "sm2"}
    assert codes(client, "/v1/keys", [body], "admin") == [(403, "hsm.key.closed")]


def test_numbers_that_no_database_holds_are_refused(client: TestClient) -> None:
    assert codes(client, "/v1/grants", [BODY | {"per_day": 2**31}], "admin") == [(400, "hsm.grant.quota")]
    for path in (f"/v1/grants?cursor={2**63}", f"/v1/grants?cursor={-1}"):
        assert client.get(path, headers=ADMIN).status_code == 422
    assert client.delete(f"/v1/grants/{2**63}", headers=ADMIN).status_code == 422
    limit = client.put("/v1/keys/letters/limit", json={"usage_limit": 2**63}, headers=ADMIN)
    assert limit.status_code == 422


def test_use_is_shown_by_day(client: TestClient, database: Database, now: datetime) -> None:
    client.post("/v1/grants", json=BODY, headers=ADMIN)
    key = KeyFacts(label="letters", purpose=KeyPurpose.SIGNING)
    act = Act(application="office", operation=Operation.SIGN, key=key, count=4, digest=b"")
    journal = Journal(database, lambda: now)
    journal.enter(act)
    (day,) = client.get("/v1/usage", headers=ADMIN).json()["usage"]
    assert (day["day"], day["requests"], day["items"], day["refused"]) == ("2030-01-15", 1, 4, 0)
    none = client.get("/v1/usage", params={"last": "2030-01-14"}, headers=ADMIN).json()
    assert none == {"usage": []}


def test_the_commands_do_the_same(
    database: Database, now: datetime, software_keys: SoftwareKeys, tmp_path: Path
) -> None:
    @contextmanager
    def opened() -> Iterator[Grants]:
        yield Grants(database, lambda: now)

    app = build_gateway_cli(opened)

    def run(*words: str) -> str:
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
        return result.output.strip()

    number = run(
        "grant", "office", "--keys", "letters", "--operation", "sign", "--per-day", "9", "--until", "2031-01-01"
    )
    (grant,) = json.loads(run("grants", "--json"))
    assert (str(grant["id"]), grant["not_after"], grant["per_day"]) == (number, "2031-01-01T00:00:00Z", 9)
    assert "letters" in run("grants")
    assert CliRunner().invoke(app, ["revoke", "9" * 30]).exit_code == 2
    run("revoke", number)
    assert json.loads(run("grants", "--json"))[0]["revoked_at"] is not None
    assert json.loads(run("usage", "--json", "--first", "2030-01-01", "--last", "2030-01-31")) == []
    workshop = Workshop(software_keys)
    entity = workshop.leaf("office", workshop.ca("root"))
    (tmp_path / "office.pem").write_bytes(encode_pem("CERTIFICATE", entity.certificate.der))
    fingerprint = run("bind", "office", str(tmp_path / "office.pem"), "--scope", "hsm:sign")
    assert fingerprint == entity.certificate.fingerprint_sha256
    run("unbind", fingerprint)
    (bound,) = json.loads(run("certificates", "--json"))
    assert datetime.fromisoformat(bound["revoked_at"]).tzinfo == UTC
    assert "office" in run("certificates")
