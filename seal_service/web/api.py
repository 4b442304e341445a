"""JSON interface of the seal service, to be mounted at ``/seal``."""

import base64
import binascii
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, File, Form, Header, Query, Response, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from ofd.sign.seal import StampAnnotation
from seal_service.core.seal import SealState
from seal_service.service import SealService, SealView
from trustcore.crypto.algorithms import SIGNATURES, DigestAlgorithm, SignatureAlgorithm
from trustcore.errors import MalformedError
from trustcore.web import problem
from trustcore.web.auth import Authenticator, Principal, requires
from trustcore.web.limits import BodyLimit

__all__ = ["create_api"]

_PDF, _OFD = "application/pdf", "application/ofd"
_FORM_OVERHEAD_BYTES = 64 * 1024
"""What multipart/form-data may add to a document."""
_LARGEST_MESSAGE_CHARACTERS = 8 * 1024 * 1024

IdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=150, description="The same key: the same answer."),
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class SignatureRequest(_Body):
    """What to sign with the key of a seal: a message or its digest."""

    seal_id: str = Field(max_length=40)
    message_base64: str | None = Field(default=None, max_length=_LARGEST_MESSAGE_CHARACTERS)
    """Octets to sign."""
    digest_base64: str | None = Field(default=None, max_length=200)
    """Digest to sign; for SM2 the 32 octets e = SM3(Z ‖ M) of GB/T 32918.2-2016 §6.1."""
    digest_algorithm: DigestAlgorithm | None = None
    """Of the digest; has to be that of the signature algorithm."""
    algorithm: SignatureAlgorithm = SignatureAlgorithm.SM2_SM3


class SignatureAnswer(_Body):
    """A signature."""

    signature_base64: str
    """DER SEQUENCE{r, s} for SM2, octets of RFC 8017 §8.2 for RSA."""
    algorithm: SignatureAlgorithm
    certificate_base64: str
    """DER."""
    signed_at: datetime


class SealAnswer(_Body):
    """A seal."""

    id: str
    code: str
    name: str
    organization_code: str
    state: SealState
    valid_from: datetime | None
    valid_until: datetime | None
    created_at: datetime


class SealPage(_Body):
    """Some seals, in the order of their identifiers."""

    seals: tuple[SealAnswer, ...]
    next_cursor: str | None
    """Give it as ``cursor`` to go on."""


def create_api(service: SealService, authenticator: Authenticator) -> FastAPI:
    """The interface of an open service."""
    app = FastAPI(title="Xinyin e-seals 电子印章", version="1", docs_url=None, redoc_url=None)
    problem.install(app)
    app.add_middleware(BodyLimit, max_bytes=int(service.settings.max_document) + _FORM_OVERHEAD_BYTES)
    signing = requires(authenticator, "seal:sign")
    _add_signatures(app, service, signing)
    _add_documents(app, service, signing)
    _add_verifications(app, service)
    _add_seals(app, service, requires(authenticator, "seal:read"))
    return app


def _add_signatures(app: FastAPI, service: SealService, signing: Callable[..., Principal]) -> None:
    @app.post("/v1/signatures", status_code=201)
    def create_signature(
        body: SignatureRequest,
        caller: Annotated[Principal, Depends(signing)],
        idempotency_key: IdempotencyKey = None,
    ) -> SignatureAnswer:
        """Sign a message or a digest with the key of a seal."""
        message, digest = _decode(body.message_base64), _decode(body.digest_base64)
        wanted = SIGNATURES[body.algorithm].digest
        if digest is not None and body.digest_algorithm is not wanted:
            raise MalformedError(
                f"With {body.algorithm} the digest_algorithm is {wanted}.", code="seal.sign.digest-algorithm"
            )
        made = service.sign(
            body.seal_id,
            message=message,
            digest=digest,
            algorithm=body.algorithm,
            request_id=_own(caller, idempotency_key),
            actor=caller.subject,
        )
        return SignatureAnswer(
            signature_base64=base64.b64encode(made.signature).decode(),
            algorithm=made.algorithm,
            certificate_base64=base64.b64encode(made.certificate_der).decode(),
            signed_at=made.at,
        )


def _add_documents(app: FastAPI, service: SealService, signing: Callable[..., Principal]) -> None:
    @app.post(
        "/v1/documents",
        status_code=201,
        response_class=Response,
        responses={201: {"content": {_PDF: {}, _OFD: {}}, "description": "The sealed document."}},
    )
    def seal_document(  # noqa: PLR0917 - the fields of a form
        file: Annotated[UploadFile, File(description="An OFD or a PDF.")],
        seal_id: Annotated[str, Form(max_length=40)],
        caller: Annotated[Principal, Depends(signing)],
        page: Annotated[int, Form(ge=1, le=100_000)] = 1,
        x_mm: Annotated[float, Form(ge=0, le=10_000)] = 120.0,
        y_mm: Annotated[float, Form(ge=0, le=10_000)] = 200.0,
        form: Annotated[Literal["pades", "gm"], Form(description="Form of a sealed PDF.")] = "pades",
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        """Seal a document: OFD with SM2, PDF as PAdES (RSA) or GM.sm2seal (SM2)."""
        data = file.file.read()
        request_id = _own(caller, idempotency_key)
        if data.startswith(b"PK"):
            stamp = StampAnnotation(page=page - 1, x_mm=x_mm, y_mm=y_mm)
            sealed = service.stamp_ofd(seal_id, data, [stamp], request_id=request_id, actor=caller.subject)
            return Response(sealed, 201, media_type=_OFD)
        placement = service.placement(seal_id, page=page, x_mm=x_mm, y_mm=y_mm)
        sealed = service.stamp_pdf(
            seal_id, data, form=form, placement=placement, request_id=request_id, actor=caller.subject
        )
        return Response(sealed, 201, media_type=_PDF)


def _add_verifications(app: FastAPI, service: SealService) -> None:
    @app.post("/v1/verifications")
    def verify(file: Annotated[UploadFile, File(description="A sealed OFD or PDF.")]) -> dict[str, object]:
        """Verify a sealed document, without an account; the answer is a report of numbered steps."""
        return service.verify(file.file.read()).as_json()


def _add_seals(app: FastAPI, service: SealService, reading: Callable[..., Principal]) -> None:
    @app.get("/v1/seals", dependencies=[Depends(reading)])
    def list_seals(
        cursor: Annotated[str | None, Query(max_length=40)] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> SealPage:
        """Seals in the order of their identifiers."""
        seals = service.seals(after=cursor, limit=limit + 1)
        shown = seals[:limit]
        return SealPage(
            seals=tuple(map(_answer, shown)), next_cursor=shown[-1].id if len(seals) > limit and shown else None
        )

    @app.get("/v1/seals/{seal_id}", dependencies=[Depends(reading)])
    def show_seal(seal_id: str) -> SealAnswer:
        """One seal."""
        return _answer(service.seal(seal_id))

    @app.get("/v1/seals/{seal_id}/picture.svg", response_class=Response)
    def picture_svg(seal_id: str) -> Response:
        """The seal as paths."""
        headers = {"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff"}
        return Response(service.pictures(seal_id).svg, media_type="image/svg+xml", headers=headers)

    @app.get("/v1/seals/{seal_id}/picture.png", response_class=Response)
    def picture_png(seal_id: str) -> Response:
        """The seal as pixels."""
        headers = {"X-Content-Type-Options": "nosniff"}
        return Response(service.pictures(seal_id).png, media_type="image/png", headers=headers)


def _answer(seal: SealView) -> SealAnswer:
    return SealAnswer(
        id=seal.id,
        code=seal.code,
        name=seal.name,
        organization_code=seal.organization_code,
        state=seal.state,
        valid_from=seal.valid_from,
        valid_until=seal.valid_until,
        created_at=seal.created_at,
    )


def _decode(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError("A field is not base64.", code="seal.sign.base64") from error


def _own(caller: Principal, key: str | None) -> str | None:
    """A request id that no other caller can hit."""
    return None if key is None else f"{caller.subject}:{key}"
