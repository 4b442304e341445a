import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from hsm.cli import build_cli
from hsm.gateway.service import GatewayService
from hsm.service import HsmService
from hsm.settings import GatewaySettings
from hsm.web.api import create_api
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.database import Database
from trustcore.errors import UnauthenticatedError
from trustcore.web.auth import Principal

pytestmark = pytest.mark.hsm

OpenHsm = Callable[..., AbstractContextManager[HsmService]]


@pytest.fixture(autouse=True)
def logs_beside_the_output() -> Iterator[None]:
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(file=sys.stderr))
    yield
    structlog.reset_defaults()


class TwoCallers:
    """``Bearer reader`` may read; ``Bearer stranger`` may nothing."""

    def authenticate(self, authorization: str | None) -> Principal:
        scopes = {"Bearer reader": frozenset({"hsm:read"}), "Bearer stranger": frozenset[str]()}
        if authorization not in scopes:
            raise UnauthenticatedError("Say who you are.", code="auth.token.missing")
        return Principal(subject="caller", kind="application", scopes=scopes[authorization])


@pytest.fixture
def client(service: HsmService, database: Database, now: datetime) -> TestClient:
    gateway = GatewayService(database, service, lambda: now, GatewaySettings())
    return TestClient(create_api(service, gateway, TwoCallers()))


READER = {"Authorization": "Bearer reader"}


def test_the_interface_shows_machines(client: TestClient) -> None:
    answer = client.get("/v1/machines", headers=READER)
    assert answer.status_code == 200
    machines = answer.json()["machines"]
    assert [machine["name"] for machine in machines] == ["machine-1", "machine-2", "machine-3"]
    assert all(machine["up"] and machine["demonstration"] for machine in machines)


def test_the_interface_pages_keys(client: TestClient, service: HsmService) -> None:
    for label in ("a", "b", "c"):
        service.generate(label, KeyAlgorithm.EC_P256)
    first = client.get("/v1/keys", params={"limit": 2}, headers=READER).json()
    assert [key["label"] for key in first["keys"]] == ["a", "b"]
    assert first["keys"][0]["sealed"] is True
    assert datetime.fromisoformat(first["keys"][0]["created_at"]).tzinfo == UTC
    rest = client.get("/v1/keys", params={"limit": 2, "cursor": first["next_cursor"]}, headers=READER).json()
    assert [key["label"] for key in rest["keys"]] == ["c"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize("path", ["/v1/machines", "/v1/keys"])
@pytest.mark.parametrize(("credentials", "status"), [({}, 401), ({"Authorization": "Bearer stranger"}, 403)])
def test_only_callers_with_the_right_read(
    client: TestClient, path: str, credentials: dict[str, str], status: int
) -> None:
    answer = client.get(path, headers=credentials)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_commands_show_machines_and_keys_as_tables_and_json(open_machines: OpenHsm) -> None:
    app = build_cli(open_machines)
    with open_machines() as service:
        service.generate("signing", KeyAlgorithm.SM2)
    run = CliRunner().invoke
    shown = run(app, ["machines"])
    assert shown.exit_code == 0
    assert "仅供测试与演示" in shown.output
    assert [row["name"] for row in json.loads(run(app, ["machines", "--json"]).output)] == [
        "machine-1",
        "machine-2",
        "machine-3",
    ]
    assert "signing" in run(app, ["keys"]).output
    (key,) = json.loads(run(app, ["keys", "--json"]).output)
    assert (key["label"], key["missing"], key["sealed"]) == ("signing", [], True)
    results = json.loads(run(app, ["selftest", "--json"]).output)
    assert [row["ok"] for row in results] == [True] * 3
    assert run(app, ["selftest"]).exit_code == 0
    assert "0 keys copied" in run(app, ["reconcile"]).output


def test_commands_leave_with_1_when_a_machine_is_down(faults: Path, open_machines: OpenHsm) -> None:
    app = build_cli(open_machines)
    with open_machines() as service:
        service.generate("signing", KeyAlgorithm.SM2)
    (faults / "xinyin-2").write_text("0x30")
    shown = CliRunner().invoke(app, ["machines"])
    assert shown.exit_code == 1
    assert "machine-2" in shown.output
    tested = CliRunner().invoke(app, ["selftest", "--json"])
    assert tested.exit_code == 1
    assert sorted(row["machine"] for row in json.loads(tested.output) if not row["ok"]) == ["machine-2"]
