"""The JSON interface of e-licences. Problems are RFC 9457 documents, times RFC 3339 UTC, names snake_case."""

import hashlib
from datetime import datetime
from typing import Annotated

from fastapi import Depends, FastAPI, Header, Response
from pydantic import BaseModel, ConfigDict, Field

from licence_service.core.licence import Form, Licence, Verification
from licence_service.core.masking import mask_holder
from licence_service.core.record import LicenceRecord
from licence_service.core.request import DEFAULT_FORMS
from licence_service.core.states import LicenceState, stands
from licence_service.service import LicenceService
from licence_service.web.uploads import uploaded_file
from trustcore.report import Verdict
from trustcore.web import problem
from trustcore.web.auth import Authenticator, Principal, requires

__all__ = ["create_api"]

ISSUE = "licence:issue"
READ = "licence:read"
STATE = "licence:state"


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class RecordBody(_Body):
    """What stands on a business licence."""

    credit_code: str = Field(max_length=18, examples=["91420103MAXK7Q2FX7"])
    """统一社会信用代码, GB 32100-2015."""
    name: str = Field(max_length=200)
    company_type: str = Field(max_length=60, examples=["有限责任公司(自然人独资)"])
    representative: str = Field(max_length=120)
    representative_id: str = Field(max_length=18)
    """公民身份号码, GB 11643-1999; kept encrypted, never returned."""
    registered_capital: str | None = Field(default=None, max_length=60, examples=["500万元人民币"])
    established_on: str = Field(max_length=20, examples=["2019-05-08"])
    valid_from: str | None = Field(default=None, max_length=20)
    valid_until: str = Field(max_length=20, examples=["2049-05-07", "长期"])
    domicile: str = Field(max_length=240)
    scope: str = Field(max_length=2400)
    registration_authority: str = Field(max_length=60)
    approved_on: str = Field(max_length=20)


class IssueBody(_Body):
    """A licence to issue."""

    record: RecordBody
    forms: tuple[Form, ...] = Field(default=DEFAULT_FORMS, min_length=1, max_length=len(Form))


class StateBody(_Body):
    """A change in the life of a licence."""

    state: LicenceState
    """``suspended``, ``valid`` again, ``superseded``, ``cancelled``, ``withdrawn``, ``revoked`` or ``void``."""
    reason: str = Field(min_length=1, max_length=300)


class DocumentAnswer(BaseModel):
    """One sealed file."""

    form: Form
    media_type: str
    file_name: str
    href: str
    sha256: str
    sm3: str
    size_bytes: int
    verdict: Verdict | None
    """What the verifier said right after sealing."""


class LicenceAnswer(BaseModel):
    """One licence."""

    identifier: str
    token: str
    verification_address: str
    state: LicenceState
    stands: bool
    state_reason: str
    state_changed_at: datetime
    issued_at: datetime | None
    record: dict[str, str | None]
    """Without the ID number."""
    documents: tuple[DocumentAnswer, ...]


class RegisterAnswer(BaseModel):
    """What the register says of a file."""

    known: bool
    """Whether this very file was issued here."""
    identifier: str | None
    holder: str | None
    """Masked."""
    state: LicenceState | None
    stands: bool | None


class VerificationAnswer(BaseModel):
    """What is known of a file."""

    verdict: Verdict
    register_entry: RegisterAnswer
    report: dict[str, object]


def create_api(service: LicenceService, authenticator: Authenticator) -> FastAPI:
    """The application to be mounted at ``/licence``. Owns nothing."""
    app = FastAPI(title="Xinyin e-licences 电子证照", version="1", docs_url=None, redoc_url=None)
    problem.install(app)
    _add_issuing(app, service, authenticator)
    _add_reading(app, service, authenticator)
    _add_verification(app, service)
    return app


def _add_issuing(app: FastAPI, service: LicenceService, authenticator: Authenticator) -> None:
    issuer = Depends(requires(authenticator, ISSUE))
    registrar = Depends(requires(authenticator, STATE))

    @app.post("/v1/licences", status_code=201, summary="Issue a licence")
    def issue(
        body: IssueBody,
        response: Response,
        idempotency_key: Annotated[str, Header(min_length=1, max_length=200)],
        caller: Annotated[Principal, issuer],
    ) -> LicenceAnswer:
        """Issue one licence. The same ``Idempotency-Key`` with the same body answers with the same licence."""
        fields = body.record.model_dump()
        record = LicenceRecord.from_json(fields, representative_id=fields.pop("representative_id"))
        licence = service.issue(
            record, request_id=_request_id(caller, idempotency_key), forms=body.forms, actor=caller.subject
        )
        answer = _answer(licence, service)
        response.headers["Location"] = f"/licence/v1/licences/{licence.identifier}"
        return answer

    @app.post("/v1/licences/{identifier}/state", summary="Suspend, resume, cancel … a licence")
    def change_state(identifier: str, body: StateBody, caller: Annotated[Principal, registrar]) -> LicenceAnswer:
        """Change where a licence stands in its life, from now on."""
        licence = service.change_state(identifier, body.state, reason=body.reason, actor=caller.subject)
        return _answer(licence, service)


def _add_reading(app: FastAPI, service: LicenceService, authenticator: Authenticator) -> None:
    reader = Depends(requires(authenticator, READ))

    @app.get("/v1/licences/{identifier}", summary="One licence", dependencies=[reader])
    def licence(identifier: str) -> LicenceAnswer:
        return _answer(service.licence(identifier), service)

    @app.get("/v1/licences/{identifier}/documents/{form}", summary="A sealed file", dependencies=[reader])
    def document(identifier: str, form: Form) -> Response:
        """The file, octet by octet as it was issued."""
        data = service.document(identifier, form)
        headers = {
            "Content-Disposition": f'attachment; filename="{identifier}{form.suffix}"',
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-store",
        }
        return Response(data, media_type=form.media_type, headers=headers)


def _add_verification(app: FastAPI, service: LicenceService) -> None:
    file = Depends(uploaded_file(service.settings.max_upload_bytes))
    content = {"schema": {"type": "string", "format": "binary"}}
    form = {"schema": {"type": "object", "properties": {"file": content["schema"]}, "required": ["file"]}}

    @app.post(
        "/v1/verify",
        summary="Verify a file",
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/octet-stream": content, "multipart/form-data": form},
            }
        },
    )
    def verify(data: Annotated[bytes, file]) -> VerificationAnswer:
        """Verify a sealed OFD or PDF, sent as the body or in the form field ``file``. Open to everyone."""
        return _verification(service.verify(data))


def _request_id(caller: Principal, key: str) -> str:
    """Keys of different callers never meet."""
    return "api:" + hashlib.sha256(f"{len(caller.subject)}:{caller.subject}:{key}".encode()).hexdigest()


def _answer(licence: Licence, service: LicenceService) -> LicenceAnswer:
    state = licence.shown_state(service.clock())
    return LicenceAnswer(
        identifier=licence.identifier,
        token=licence.token,
        verification_address=licence.address,
        state=state,
        stands=stands(state),
        state_reason=licence.state_reason,
        state_changed_at=licence.state_changed_at,
        issued_at=licence.issued_at,
        record=licence.record.as_json(),
        documents=tuple(
            DocumentAnswer(
                form=d.form,
                media_type=d.form.media_type,
                file_name=licence.identifier + d.form.suffix,
                href=f"/licence/v1/licences/{licence.identifier}/documents/{d.form}",
                sha256=d.sha256,
                sm3=d.sm3,
                size_bytes=d.size_bytes,
                verdict=d.report.verdict if d.report else None,
            )
            for d in licence.documents
        ),
    )


def _verification(verification: Verification) -> VerificationAnswer:
    licence, state = verification.licence, verification.state
    return VerificationAnswer(
        verdict=verification.report.verdict,
        register_entry=RegisterAnswer(
            known=licence is not None,
            identifier=licence.identifier if licence else None,
            holder=mask_holder(licence.record.name) if licence else None,
            state=state,
            stands=stands(state) if state else None,
        ),
        report=verification.report.as_json(),
    )
