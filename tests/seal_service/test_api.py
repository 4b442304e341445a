"""The JSON interface of the seal service."""

import base64
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from seal_service.service import SealService
from seal_service.web.api import create_api
from trustcore.crypto.algorithms import SignatureAlgorithm
from trustcore.crypto.verify import verify
from trustcore.errors import UnauthenticatedError
from trustcore.report import Verdict
from trustcore.web.auth import Principal
from trustcore.x509.certificate import Certificate

from support.ofd_samples import sample_document
from support.seal_suite import Suite, make_pdf

SCOPES = {"Bearer signer": {"seal:sign", "seal:read"}, "Bearer other": {"seal:sign"}, "Bearer reader": {"seal:read"}}


class Callers:
    """Knows three applications by their tokens."""

    def authenticate(self, authorization: str | None) -> Principal:
        if authorization not in SCOPES:
            raise UnauthenticatedError("Who is asking?", code="auth.token.missing")
        name = authorization.removeprefix("Bearer ")
        return Principal(subject=name, kind="application", scopes=frozenset(SCOPES[authorization]))


@pytest.fixture
def api(shared: Suite) -> Iterator[TestClient]:
    with TestClient(create_api(shared.service, Callers())) as client:
        client.headers["Authorization"] = "Bearer signer"
        yield client


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _post_document(
    client: TestClient, suite: Suite, document: bytes, *, key: str | None = None, **fields: str
) -> Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    form = {"seal_id": suite.seal.id, **fields}
    return client.post("/v1/documents", files={"file": ("document", document)}, data=form, headers=headers)


def test_a_message_is_signed(api: TestClient, shared: Suite) -> None:
    answer = api.post("/v1/signatures", json={"seal_id": shared.seal.id, "message_base64": _text(b"hello")})
    assert answer.status_code == 201
    body = answer.json()
    assert body["signed_at"] == "2030-01-15T09:30:00Z"
    key = Certificate.from_der(base64.b64decode(body["certificate_base64"])).public_key_der
    assert verify(key, SignatureAlgorithm.SM2_SM3, b"hello", base64.b64decode(body["signature_base64"]))


def test_the_same_key_gets_the_same_signature_and_never_that_of_another_caller(api: TestClient, shared: Suite) -> None:
    def ask(message: bytes, caller: str = "signer") -> tuple[int, object]:
        body = {"seal_id": shared.seal.id, "message_base64": _text(message)}
        headers = {"Idempotency-Key": "k1", "Authorization": f"Bearer {caller}"}
        answer = api.post("/v1/signatures", json=body, headers=headers)
        return answer.status_code, answer.json().get("signature_base64", answer.json().get("code"))

    first = ask(b"one")
    assert ask(b"one") == first
    assert ask(b"two") == (409, "seal.request.other-body")
    assert ask(b"one", caller="other") != first


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "seal.sign.input"),
        ({"message_base64": "YQ==", "digest_base64": "YQ=="}, 400, "seal.sign.digest-algorithm"),
        ({"digest_base64": _text(bytes(32))}, 400, "seal.sign.digest-algorithm"),
        ({"digest_base64": _text(bytes(32)), "digest_algorithm": "sha256"}, 400, "seal.sign.digest-algorithm"),
        ({"digest_base64": _text(bytes(31)), "digest_algorithm": "sm3"}, 400, "seal.sign.digest"),
        ({"message_base64": "***"}, 400, "seal.sign.base64"),
        ({"message_base64": "YQ==", "unknown": 1}, 422, "request.invalid"),
        ({"message_base64": "YQ==", "algorithm": "md5"}, 422, "request.invalid"),
        ({"message_base64": "YQ==", "seal_id": "nothing"}, 404, "seal.not-found"),
    ],
    ids=range(9),
)
def test_a_wrong_request_gets_a_problem_document(
    api: TestClient, shared: Suite, body: dict[str, object], status: int, code: str
) -> None:
    answer = api.post("/v1/signatures", json={"seal_id": shared.seal.id, **body})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(("token", "status"), [("reader", 403), ("nobody", 401)])
def test_only_who_may_sign_signs(api: TestClient, shared: Suite, token: str, status: int) -> None:
    api.headers["Authorization"] = f"Bearer {token}"
    body = {"seal_id": shared.seal.id, "message_base64": "YQ=="}
    assert api.post("/v1/signatures", json=body).status_code == status
    assert _post_document(api, shared, make_pdf()).status_code == status


@pytest.mark.parametrize("form", ["pades", "gm"])
def test_a_pdf_is_sealed_and_verified_by_anybody(api: TestClient, shared: Suite, form: str) -> None:
    sealed = _post_document(api, shared, make_pdf(), form=form, x_mm="100", y_mm="100")
    assert (sealed.status_code, sealed.headers["content-type"]) == (201, "application/pdf")
    report = api.post("/v1/verifications", files={"file": ("a.pdf", sealed.content)}, headers={"Authorization": ""})
    assert report.status_code == 200
    assert (report.json()["subject"], report.json()["verdict"]) == ("pdf", Verdict.VALID)


def test_an_ofd_is_sealed_and_verified(api: TestClient, shared: Suite) -> None:
    sealed = _post_document(api, shared, sample_document())
    assert (sealed.status_code, sealed.headers["content-type"]) == (201, "application/ofd")
    report = api.post("/v1/verifications", files={"file": ("a.ofd", sealed.content)}).json()
    assert (report["subject"], report["verdict"]) == ("ofd", Verdict.VALID)


def test_a_document_sealed_twice_under_one_key_is_the_same(api: TestClient, shared: Suite) -> None:
    first = _post_document(api, shared, make_pdf(), key="d1")
    assert _post_document(api, shared, make_pdf(), key="d1").content == first.content
    assert _post_document(api, shared, make_pdf(text="other"), key="d1").status_code == 409


def test_a_document_that_is_neither_is_answered_in_words(api: TestClient, shared: Suite) -> None:
    answer = _post_document(api, shared, b"GIF89a")
    assert (answer.status_code, answer.json()["code"]) == (400, "seal.pdf.unreadable")
    report = api.post("/v1/verifications", files={"file": ("a.gif", b"GIF89a")})
    assert (report.status_code, report.json()["verdict"]) == (200, Verdict.INVALID)


def test_a_body_over_the_limit_is_refused(suite: Suite) -> None:
    settings = suite.service.settings.model_copy(update={"max_document": 1000})
    service = SealService(suite.database, suite.ca.keys, suite.ca, suite.ca, clock=suite.clock, settings=settings)
    client = TestClient(create_api(service, Callers()))
    answer = client.post("/v1/verifications", files={"file": ("a.pdf", bytes(200_000))})
    assert answer.status_code == 413


def test_seals_are_listed_by_pages_and_shown_as_pictures(api: TestClient, shared: Suite) -> None:
    page = api.get("/v1/seals", params={"limit": 1}).json()
    assert len(page["seals"]) == 1
    seal = api.get(f"/v1/seals/{shared.seal.id}").json()
    assert (seal["name"], seal["state"]) == (shared.seal.name, "active")
    svg = api.get(f"/v1/seals/{shared.seal.id}/picture.svg")
    assert (svg.headers["content-type"], svg.content[:4]) == ("image/svg+xml", b"<svg")
    png = api.get(f"/v1/seals/{shared.seal.id}/picture.png")
    assert (png.headers["content-type"], png.content[1:4]) == ("image/png", b"PNG")
    assert api.get("/v1/seals/none/picture.png").status_code == 404
    assert api.get("/v1/seals", headers={"Authorization": "Bearer other"}).status_code == 403


def test_the_interface_describes_itself(api: TestClient) -> None:
    paths = api.get("/openapi.json").json()["paths"]
    assert {"/v1/signatures", "/v1/documents", "/v1/verifications", "/v1/seals"} <= set(paths)
