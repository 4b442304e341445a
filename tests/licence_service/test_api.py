"""The JSON interface."""

from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from licence_service.core.licence import Form
from licence_service.core.record import LicenceRecord
from licence_service.service import LicenceService
from licence_service.web.api import create_api
from trustcore.errors import UnauthenticatedError
from trustcore.web.auth import Principal

CITIZEN_NUMBER = "11010519491231002X"


class KnownCallers:
    """Access tokens are names; what each may do stands here."""

    RIGHTS = {  # noqa: RUF012 - a table
        "clerk": frozenset({"licence:issue", "licence:read", "licence:state"}),
        "other": frozenset({"licence:issue"}),
        "reader": frozenset({"licence:read"}),
    }

    def authenticate(self, authorization: str | None) -> Principal:
        name = (authorization or "").removeprefix("Bearer ")
        if name not in self.RIGHTS:
            raise UnauthenticatedError("an access token is needed", code="auth.token.missing")
        return Principal(subject=name, kind="application", scopes=self.RIGHTS[name])


@pytest.fixture
def client(service: LicenceService) -> Iterator[TestClient]:
    with TestClient(create_api(service, KnownCallers()), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def body(make_record: Callable[..., LicenceRecord]) -> dict[str, object]:
    return {"record": {**make_record().as_json(), "representative_id": CITIZEN_NUMBER}}


def _as(name: str, key: str = "k1") -> dict[str, str]:
    return {"Authorization": f"Bearer {name}", "Idempotency-Key": key}


def test_a_licence_is_issued_and_can_be_read_and_fetched(client: TestClient, body: dict[str, object]) -> None:
    created = client.post("/v1/licences", json=body, headers=_as("clerk"))
    assert created.status_code == 201
    answer = created.json()
    assert answer["state"] == "valid"
    assert answer["stands"] is True
    assert answer["verification_address"].endswith(f"/v/{answer['token']}")
    assert created.headers["location"] == f"/licence/v1/licences/{answer['identifier']}"
    read = client.get(f"/v1/licences/{answer['identifier']}", headers=_as("reader"))
    assert read.json() == answer
    for document in answer["documents"]:
        got = client.get(document["href"].removeprefix("/licence"), headers=_as("reader"))
        assert got.headers["content-type"] == document["media_type"]
        assert len(got.content) == document["size_bytes"]
        assert document["file_name"] in got.headers["content-disposition"]


def test_the_id_number_is_never_answered(client: TestClient, body: dict[str, object]) -> None:
    created = client.post("/v1/licences", json=body, headers=_as("clerk"))
    assert CITIZEN_NUMBER not in created.text
    wrong = {"record": {**body["record"], "scope": ""}}  # type: ignore[dict-item]
    refused = client.post("/v1/licences", json=wrong, headers=_as("clerk", "k2"))
    assert refused.status_code == 400
    assert CITIZEN_NUMBER not in refused.text
    invalid = {"record": {**body["record"], "representative_id": CITIZEN_NUMBER + "0"}}  # type: ignore[dict-item]
    refused = client.post("/v1/licences", json=invalid, headers=_as("clerk", "k3"))
    assert refused.status_code == 422
    assert CITIZEN_NUMBER not in refused.text


def test_the_same_key_answers_the_same_and_another_body_conflicts(client: TestClient, body: dict[str, object]) -> None:
    first = client.post("/v1/licences", json=body, headers=_as("clerk"))
    assert client.post("/v1/licences", json=body, headers=_as("clerk")).json() == first.json()
    other = {"record": {**body["record"], "name": "晴川市样例有限公司"}}  # type: ignore[dict-item]
    conflict = client.post("/v1/licences", json=other, headers=_as("clerk"))
    assert (conflict.status_code, conflict.json()["code"]) == (409, "licence.request.other-body")
    more = client.post("/v1/licences", json={**body, "forms": ["ofd", "sm2-pdf"]}, headers=_as("clerk"))
    assert more.status_code == 409


def test_keys_of_two_callers_do_not_meet(client: TestClient, body: dict[str, object]) -> None:
    first = client.post("/v1/licences", json=body, headers=_as("clerk"))
    second = client.post("/v1/licences", json=body, headers=_as("other"))
    assert second.status_code == 201
    assert second.json()["identifier"] != first.json()["identifier"]


@pytest.mark.parametrize(
    ("method", "path", "caller", "status"),
    [
        ("POST", "/v1/licences", "nobody", 401),
        ("POST", "/v1/licences", "reader", 403),
        ("GET", "/v1/licences/1.2.3", "nobody", 401),
        ("GET", "/v1/licences/1.2.3", "other", 403),
        ("GET", "/v1/licences/1.2.3", "reader", 404),
        ("GET", "/v1/licences/1.2.3/documents/ofd", "other", 403),
        ("GET", "/v1/licences/1.2.3/documents/exe", "reader", 422),
        ("POST", "/v1/licences/1.2.3/state", "other", 403),
        ("POST", "/v1/licences/1.2.3/state", "clerk", 404),
    ],
)
def test_callers_without_the_right_are_refused(  # noqa: PLR0917 - parametrized
    client: TestClient, body: dict[str, object], method: str, path: str, caller: str, status: int
) -> None:
    content = {"state": "suspended", "reason": "核查"} if path.endswith("state") else body
    answer = client.request(method, path, json=content if method == "POST" else None, headers=_as(caller))
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer clerk"}, _as("clerk", ""), _as("clerk", "k" * 201)])
def test_a_creating_call_needs_a_sensible_key(
    client: TestClient, body: dict[str, object], headers: dict[str, str]
) -> None:
    assert client.post("/v1/licences", json=body, headers=headers).status_code == 422


@pytest.mark.parametrize(
    "change", [{"unknown": 1}, {"record": None}, {"forms": []}, {"forms": ["docx"]}, {"record": {"name": "x"}}]
)
def test_a_body_of_another_shape_is_refused(
    client: TestClient, body: dict[str, object], change: dict[str, object]
) -> None:
    assert client.post("/v1/licences", json={**body, **change}, headers=_as("clerk")).status_code == 422


def test_a_state_is_changed_and_a_wrong_change_refused(client: TestClient, body: dict[str, object]) -> None:
    identifier = client.post("/v1/licences", json=body, headers=_as("clerk")).json()["identifier"]
    address = f"/v1/licences/{identifier}/state"
    changed = client.post(address, json={"state": "cancelled", "reason": "依申请"}, headers=_as("clerk"))
    assert (changed.json()["state"], changed.json()["stands"]) == ("cancelled", False)
    again = client.post(address, json={"state": "valid", "reason": "误操作"}, headers=_as("clerk"))
    assert (again.status_code, again.json()["code"]) == (409, "licence.state.transition")
    assert client.post(address, json={"state": "void", "reason": ""}, headers=_as("clerk")).status_code == 422


@pytest.mark.parametrize("as_form", [True, False])
def test_anybody_may_verify_a_file(
    client: TestClient, body: dict[str, object], service: LicenceService, as_form: bool
) -> None:
    identifier = client.post("/v1/licences", json=body, headers=_as("clerk")).json()["identifier"]
    data = service.document(identifier, Form.PDF)

    def verify(data: bytes) -> dict[str, object]:
        if as_form:
            answer = client.post("/v1/verify", files={"file": ("a.pdf", data, "application/pdf")})
        else:
            answer = client.post("/v1/verify", content=data, headers={"Content-Type": "application/pdf"})
        assert answer.status_code == 200
        result: dict[str, object] = answer.json()
        return result

    good = verify(data)
    assert good["verdict"] == "valid"
    assert good["register_entry"] == {
        "known": True, "identifier": identifier, "holder": "晴川市示*******有限公司", "state": "valid", "stands": True,
    }  # fmt: skip
    bad = verify(data[:-1] + bytes([data[-1] ^ 1]))
    assert bad["verdict"] == "invalid"
    assert bad["register_entry"]["known"] is False  # type: ignore[index]


def test_nothing_and_too_much_are_refused(open_service: Callable[..., LicenceService]) -> None:
    service = open_service()
    small = open_service(settings=service.settings.model_copy(update={"max_upload_bytes": 1000}))
    client = TestClient(create_api(small, KnownCallers()))
    assert client.post("/v1/verify", content=b"").json()["code"] == "licence.upload.missing"
    assert client.post("/v1/verify", files={"other": b"x"}).json()["code"] == "licence.upload.missing"
    assert client.post("/v1/verify", content=bytes(200_000)).json()["code"] == "licence.upload.too-large"
    broken = client.post("/v1/verify", content=b"--x", headers={"Content-Type": "multipart/form-data"})
    assert broken.json()["code"] == "licence.upload.form"


def test_the_interface_describes_itself(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) == {
        "/v1/licences",
        "/v1/licences/{identifier}",
        "/v1/licences/{identifier}/documents/{form}",
        "/v1/licences/{identifier}/state",
        "/v1/verify",
    }
