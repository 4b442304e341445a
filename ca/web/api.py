"""The CA over HTTP: JSON for departments, the protocols of RFC 5280, RFC 6960 and RFC 3161 for everybody."""

import base64
import uuid
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Header, Query
from pydantic import BaseModel, ConfigDict, Field

from ca.service import CaService
from ca.web.protocols import add_protocols
from trustcore.errors import MalformedError
from trustcore.web import problem
from trustcore.web.auth import Authenticator, Principal, requires
from trustcore.x509.certificate import Certificate
from trustcore.x509.crl import RevocationReason

__all__ = ["create_api"]

_Reason = Literal["unspecified", "key-compromise", "affiliation-changed", "superseded", "cessation-of-operation"]
_REASONS: dict[str, RevocationReason] = {
    "unspecified": RevocationReason(0),
    "key-compromise": RevocationReason(1),
    "affiliation-changed": RevocationReason(3),
    "superseded": RevocationReason(4),
    "cessation-of-operation": RevocationReason(5),
}
_MAX_CSR = 64 * 1024


class CertificateRequestBody(BaseModel):
    """A request for a certificate."""

    model_config = ConfigDict(extra="forbid")

    authority: str = Field(max_length=64, examples=["sm2-issuing"])
    profile: str = Field(max_length=40, examples=["document-signer"])
    csr: str = Field(max_length=_MAX_CSR, description="PKCS #10, PEM or base64 of DER.")


class CertificateAnswer(BaseModel):
    """An issued certificate and those above it."""

    serial_number: str
    subject: str
    not_before: datetime
    not_after: datetime
    certificate: str = Field(description="PEM.")
    chain: list[str] = Field(description="PEM, the issuing CA first, the root last.")


class RevocationBody(BaseModel):
    """A request to revoke."""

    model_config = ConfigDict(extra="forbid")

    reason: _Reason = "unspecified"


class CertificateItem(BaseModel):
    """A line of the list."""

    id: int
    authority: str
    serial_number: str
    subject: str
    profile: str
    not_after: datetime
    state: str


class CertificatePage(BaseModel):
    """A page of the list."""

    items: list[CertificateItem]
    next_cursor: int | None = Field(description="``cursor`` of the next page; null on the last one.")


def create_api(service: CaService, authenticator: Authenticator) -> FastAPI:
    """The application, with its own OpenAPI document."""
    app = FastAPI(title="Xinyin certification authority", version="1", docs_url=None, redoc_url=None)
    problem.install(app)
    _add_certificates(app, service, authenticator)
    add_protocols(app, service)
    return app


def _add_certificates(app: FastAPI, service: CaService, authenticator: Authenticator) -> None:
    issuer = Depends(requires(authenticator, "ca:issue"))

    @app.post("/v1/certificates", status_code=201, summary="Issue a certificate over the key of a request")
    def issue(
        body: CertificateRequestBody,
        caller: Annotated[Principal, issuer],
        idempotency_key: Annotated[str | None, Header(max_length=128)] = None,
    ) -> CertificateAnswer:
        request_id = f"api:{caller.subject}:{idempotency_key or uuid.uuid4()}"
        der = service.issue(
            body.authority, _csr(body.csr), profile=body.profile, request_id=request_id, actor=f"app:{caller.subject}"
        )
        return _answer(Certificate.from_der(der), service.chain(body.authority))

    @app.get("/v1/certificates", summary="Certificates, newest first")
    def certificates(
        _caller: Annotated[Principal, issuer],
        cursor: Annotated[int | None, Query(ge=1)] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> CertificatePage:
        views = service.certificates(before=cursor, limit=limit)
        items = [
            CertificateItem(
                id=v.id, authority=v.authority, serial_number=v.serial_number, subject=v.subject, profile=v.profile,
                not_after=v.not_after, state=v.state,
            )
            for v in views
        ]  # fmt: skip
        return CertificatePage(items=items, next_cursor=views[-1].id if len(views) == limit else None)

    @app.post(
        "/v1/authorities/{authority}/certificates/{serial_number}/revocation",
        status_code=204,
        summary="Revoke a certificate and publish a new CRL",
    )
    def revoke(authority: str, serial_number: str, body: RevocationBody, caller: Annotated[Principal, issuer]) -> None:
        service.revoke(authority, serial_number, reason=_REASONS[body.reason], actor=f"app:{caller.subject}")


def _csr(text: str) -> bytes:
    if "-----BEGIN" in text:
        return text.encode()
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise MalformedError("The request is neither PEM nor base64.", code="ca.csr.encoding") from error


def _answer(certificate: Certificate, chain: tuple[bytes, ...]) -> CertificateAnswer:
    return CertificateAnswer(
        serial_number=f"{certificate.serial_number:x}",
        subject=certificate.subject.text,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        certificate=certificate.pem.decode(),
        chain=[Certificate.from_der(der).pem.decode() for der in chain],
    )
