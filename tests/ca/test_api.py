"""The CA over HTTP."""

import base64
from collections.abc import Iterator
from itertools import count
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from ca.web.api import create_api
from trustcore.asn1 import encoder
from trustcore.asn1.reader import parse
from trustcore.crypto.algorithms import DigestAlgorithm
from trustcore.crypto.digests import sm3
from trustcore.errors import UnauthenticatedError
from trustcore.web.auth import Principal
from trustcore.x509 import extensions as ext
from trustcore.x509.certificate import Certificate, encode_pem, load_pem_bundle
from trustcore.x509.crl import Crl, RevocationReason
from trustcore.x509.names import DistinguishedName
from trustcore.x509.ocsp import CertificateId, CertificateStatus, OcspResponse
from trustcore.x509.ocsp import build_request as ocsp_request
from trustcore.x509.tsp import build_request as timestamp_request
from trustcore.x509.tsp import parse_response

from support.authority import Office, serial

OCSP = {"Content-Type": "application/ocsp-request"}
TSP = {"Content-Type": "application/timestamp-query"}
TEN = 10 * 1024


class Doorman:
    """Knows two applications, of which one may issue."""

    def authenticate(self, authorization: str | None) -> Principal:
        scopes = {"Bearer gov": {"ca:issue"}, "Bearer other": {"ca:issue"}, "Bearer reader": {"hsm:read"}}
        if authorization not in scopes:
            raise UnauthenticatedError("no token of ours", code="auth.token.missing")
        name = authorization.removeprefix("Bearer ")
        return Principal(subject=name, kind="application", scopes=frozenset(scopes[authorization]))


@pytest.fixture
def client(office: Office) -> Iterator[TestClient]:
    app = FastAPI()
    app.mount("/ca", create_api(office.service, Doorman()))
    with TestClient(app, headers={"Authorization": "Bearer gov"}) as client:
        yield client


def body(office: Office, **changes: str) -> dict[str, str]:
    csr = encode_pem("CERTIFICATE REQUEST", office.request()).decode()
    return {"authority": "sm2-issuing", "profile": "document-signer", "csr": csr} | changes


def test_a_certificate_comes_with_its_chain(client: TestClient, office: Office) -> None:
    answer = client.post("/ca/v1/certificates", json=body(office))
    assert answer.status_code == 201
    told = answer.json()
    certificate = Certificate.from_pem(told["certificate"])
    chain = load_pem_bundle("".join(told["chain"]).encode())
    assert told["serial_number"] == serial(certificate)
    assert told["subject"] == "CN=签署人,O=某市市场监督管理局,C=CN"
    assert told["not_before"] == "2030-01-15T09:25:00Z"
    assert [c.common_name for c in chain] == ["sm2-issuing", "sm2-root"]
    assert certificate.is_issued_by(chain[0])


def test_a_request_may_be_base64_of_der(client: TestClient, office: Office) -> None:
    csr = base64.b64encode(office.request()).decode()
    assert client.post("/ca/v1/certificates", json=body(office, csr=csr)).status_code == 201


def test_an_idempotency_key_belongs_to_its_caller_and_to_one_body(client: TestClient, office: Office) -> None:
    first, other = body(office), body(office)
    key = {"Idempotency-Key": "k1"}
    answers = [client.post("/ca/v1/certificates", json=first, headers=key) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    refused = client.post("/ca/v1/certificates", json=other, headers=key)
    assert (refused.status_code, refused.json()["code"]) == (409, "ca.request.other-body")
    elsewhere = client.post("/ca/v1/certificates", json=first, headers=key | {"Authorization": "Bearer other"})
    assert elsewhere.status_code == 201
    assert elsewhere.json()["serial_number"] != answers[0].json()["serial_number"]
    without = [client.post("/ca/v1/certificates", json=first).json()["serial_number"] for _ in range(2)]
    assert without[0] != without[1]


@pytest.mark.parametrize(("token", "status"), [(None, 401), ("Bearer forged", 401), ("Bearer reader", 403)])
def test_who_may_not_issue_reads_and_changes_nothing(
    client: TestClient, office: Office, token: str | None, status: int
) -> None:
    del client.headers["Authorization"]
    headers = {"Authorization": token} if token else {}
    number = serial(office.issue())
    answers = [
        client.post("/ca/v1/certificates", json=body(office), headers=headers),
        client.get("/ca/v1/certificates", headers=headers),
        client.post(
            f"/ca/v1/authorities/sm2-issuing/certificates/{number}/revocation", json={}, headers=headers
        ),
    ]  # fmt: skip
    assert {answer.status_code for answer in answers} == {status}
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}
    assert all(("www-authenticate" in answer.headers) is (status == 401) for answer in answers)
    assert office.service.certificates(limit=1)[0].state == "good"


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"authority": "nobody"}, 404, "ca.authority.unknown"),
        ({"profile": "issuing"}, 404, "ca.profile.unknown"),
        ({"csr": "***"}, 400, "ca.csr.encoding"),
        ({"csr": "文"}, 400, "ca.csr.encoding"),
        ({"csr": "AAAA"}, 400, "x509.request.form"),
        ({"csr": "x" * (64 * 1024 + 1)}, 422, "request.invalid"),
        ({"lifetime": "P99Y"}, 422, "request.invalid"),
    ],
)
def test_a_bad_request_is_refused_by_name(
    client: TestClient, office: Office, changes: dict[str, str], status: int, code: str
) -> None:
    answer = client.post("/ca/v1/certificates", json=body(office, **changes))
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_subject_a_lint_refuses_is_unprocessable(client: TestClient, office: Office) -> None:
    csr = base64.b64encode(office.request(DistinguishedName.of({"O": "nameless"}))).decode()
    answer = client.post("/ca/v1/certificates", json=body(office, csr=csr))
    assert (answer.status_code, answer.json()["code"]) == (422, "ca.lint.subject-present")


def test_a_certificate_is_revoked_and_listed(client: TestClient, office: Office) -> None:
    certificate = office.issue()
    path = f"/ca/v1/authorities/sm2-issuing/certificates/{serial(certificate)}/revocation"
    assert client.post(path, json={"reason": "hold"}).status_code == 422
    for _ in range(2):
        answer = client.post(path, json={"reason": "superseded"})
        assert (answer.status_code, answer.content) == (204, b"")
    entry = Crl.from_der(client.get("/ca/crl/sm2-issuing.crl").content).lookup(certificate.serial_number)
    assert entry is not None
    assert entry.reason is RevocationReason.SUPERSEDED
    missing = client.post("/ca/v1/authorities/sm2-issuing/certificates/abcdef/revocation", json={})
    assert (missing.status_code, missing.json()["code"]) == (404, "ca.certificate.unknown")


def test_the_list_is_paged_to_its_end(client: TestClient, office: Office) -> None:
    everything = [view.serial_number for view in office.service.certificates(limit=500)]
    found: list[str] = []
    cursor: int | None = None
    for _ in range(20):
        page = client.get("/ca/v1/certificates", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        found += [item["serial_number"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == everything
    assert len(found) >= 8
    for bad in ({"limit": 0}, {"limit": 201}, {"cursor": 0}, {"cursor": "x"}):
        assert client.get("/ca/v1/certificates", params=bad).status_code == 422


@pytest.mark.parametrize(
    ("path", "media_type"),
    [("/ca/crl/sm2-issuing.crl", "application/pkix-crl"), ("/ca/certificates/rsa-root.cer", "application/pkix-cert")],
)
def test_publications_are_cached_by_their_tag(client: TestClient, path: str, media_type: str) -> None:
    first = client.get(path)
    assert (first.status_code, first.headers["content-type"]) == (200, media_type)
    assert "max-age" in first.headers["cache-control"]
    tag = first.headers["etag"]
    for header in (tag, f"W/{tag}", f'"other", {tag}'):
        again = client.get(path, headers={"If-None-Match": header})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get(path, headers={"If-None-Match": '"other"'}).content == first.content


@pytest.mark.parametrize("path", ["/ca/crl/nobody.crl", "/ca/certificates/nobody.cer", "/ca/crl/..%2fx.crl"])
def test_what_nobody_publishes_is_not_found(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_ocsp_by_post_and_by_get(client: TestClient, office: Office) -> None:
    """RFC 6960 appendix A.1; base64 with ``/`` and ``+``, as it is and percent-encoded."""
    certificate, issuer = office.issue(), office.authority("sm2-issuing")
    asked = CertificateId.of(certificate.serial_number, issuer)
    query = next(
        text
        for number in count()
        if {"+", "/"} <= set(text := base64.b64encode(ocsp_request([asked], number.to_bytes(20))).decode())
    )
    answers = [
        client.post("/ca/ocsp", content=base64.b64decode(query), headers=OCSP),
        client.post(
            "/ca/ocsp", content=base64.b64decode(query), headers={"Content-Type": OCSP["Content-Type"] + "; x=y"}
        ),
        client.get(f"/ca/ocsp/{query}"),
        client.get(f"/ca/ocsp/{quote(query, safe='')}"),
    ]
    for answer in answers:
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/ocsp-response")
        response = OcspResponse.from_der(answer.content)
        assert response.is_signed_for(issuer)
        assert [r.status for r in response.responses] == [CertificateStatus.GOOD]


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"", "application/ocsp-request"),
        (b"hello", "application/ocsp-request"),
        (bytes(2 * TEN), "application/ocsp-request"),
        (b"\x30\x00", "text/plain"),
    ],
    ids=["empty", "text", "too-large", "other-type"],
)
def test_what_is_no_ocsp_request_gets_malformed_request(client: TestClient, content: bytes, media_type: str) -> None:
    answer = client.post("/ca/ocsp", content=content, headers={"Content-Type": media_type})
    assert (answer.status_code, answer.content) == (200, bytes.fromhex("30030a0101"))


def test_a_request_above_16_kib_is_not_read(client: TestClient, office: Office) -> None:
    """The same request with padding in an extension that means nothing, below and above the limit."""
    request = parse(ocsp_request([CertificateId.of(1, office.authority("sm2-issuing"))]))[0][0].raw
    answers = []
    for length in (1000, 17_000):
        padding = ext.encode_extensions([ext.Extension(oid="1.2.3", value_der=bytes(length))])
        query = encoder.sequence(encoder.sequence(request, encoder.explicit(2, padding)))
        answers.append(client.post("/ca/ocsp", content=query, headers=OCSP).content)
    assert OcspResponse.from_der(answers[0])
    assert answers[1] == bytes.fromhex("30030a0101")


@pytest.mark.parametrize("query", ["x", "文", "AAAA", "%25%25", "A" * 20000])
def test_what_is_no_ocsp_request_by_get_gets_malformed_request(client: TestClient, query: str) -> None:
    assert client.get(f"/ca/ocsp/{query}").content == bytes.fromhex("30030a0101")


@pytest.mark.parametrize("path", ["/ca/tsa", "/ca/tsa/sm2-issuing", "/ca/tsa/rsa-issuing"])
def test_time_stamps_of_the_default_and_of_a_named_hierarchy(client: TestClient, path: str) -> None:
    query = timestamp_request(DigestAlgorithm.SM3, sm3(b"data"), nonce=7)
    answer = client.post(path, content=query, headers=TSP)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/timestamp-reply")
    assert parse_response(answer.content)


@pytest.mark.parametrize("authority", ["nobody", "sm2-root"])
def test_no_time_stamps_of_a_root_or_of_nobody(client: TestClient, authority: str) -> None:
    query = timestamp_request(DigestAlgorithm.SM3, sm3(b"data"))
    assert client.post(f"/ca/tsa/{authority}", content=query, headers=TSP).status_code == 404


@pytest.mark.parametrize(
    ("content", "media_type"),
    [(b"", TSP["Content-Type"]), (bytes(2 * TEN), TSP["Content-Type"]), (b"\x30\x00", "text/plain")],
    ids=["empty", "too-large", "other-type"],
)
def test_what_is_no_time_stamp_request_is_rejected(client: TestClient, content: bytes, media_type: str) -> None:
    answer = client.post("/ca/tsa", content=content, headers={"Content-Type": media_type})
    assert answer.status_code == 200
    assert answer.content[4:7] == bytes.fromhex("020102")  # PKIStatus rejection


def test_the_interface_describes_itself(client: TestClient) -> None:
    document = client.get("/ca/openapi.json").json()
    assert {"/v1/certificates", "/ocsp", "/tsa", "/crl/{authority}.crl"} <= set(document["paths"])
