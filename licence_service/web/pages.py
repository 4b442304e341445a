"""The citizens' pages under ``/v``: what the QR code leads to, and verification of any file. No login."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated
from urllib.parse import quote

import structlog
from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from licence_service.core.licence import Form, Licence, Verification
from licence_service.core.masking import mask_holder
from licence_service.core.record import LONG_TERM, Until
from licence_service.core.register import STATE_WORDS
from licence_service.core.states import LicenceState, stands
from licence_service.service import LicenceService
from licence_service.web.uploads import uploaded_file
from trustcore.errors import InternalError, Kind, NotFoundError, TrustError
from trustcore.report import Report, Status, Verdict
from trustcore.web.pages import Pages
from trustcore.web.problem import STATUS

__all__ = ["create_pages"]

_log = structlog.get_logger(__name__)

_MARKS = {
    Status.PASSED: "✓",
    Status.WARNING: "!",
    Status.SKIPPED: "–",
    Status.INDETERMINATE: "?",
    Status.FAILED: "✗",
}
_UNDECIDED = (LicenceState.PENDING_SEAL, LicenceState.NOT_ACTIVE, LicenceState.SUSPENDED)
_REFUSALS = {
    "licence.upload.missing": ("没有收到文件，请先选择一个文件", "No file was sent; choose one first"),
    "licence.upload.too-large": ("文件过大", "The file is too large"),
    "licence.upload.form": ("无法读取上传内容", "The upload cannot be read"),
    "licence.upload.incomplete": ("文件没有传完，请重试", "The file came only in part; try again"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _LicenceView:
    """What a stranger may see of a licence."""

    identifier: str
    token: str
    type_zh: str
    type_en: str
    holder: str
    code: str
    company_type: str
    representative_label: str
    representative: str
    established_on: date
    valid_from: date
    valid_until: Until
    is_long_term: bool
    issuer: str
    issued_at: datetime | None
    state: LicenceState
    state_words: tuple[str, str]
    state_changed_at: datetime
    stands: bool
    look: str
    """Class of the verdict: ``valid``, ``invalid`` or ``unknown``."""


def create_pages(service: LicenceService) -> FastAPI:
    """The application to be mounted at ``/v``. Owns nothing."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    pages = Pages("licence_service.web")
    _add_errors(app, pages)
    _add_licence(app, service, pages)
    _add_upload(app, service, pages)
    return app


def _add_licence(app: FastAPI, service: LicenceService, pages: Pages) -> None:
    def show(request: Request, token: str, *, again: bool) -> HTMLResponse:
        licence = service.licence_by_token(token)
        verification, damaged = None, False
        if again:
            try:
                verification = service.verify_issued(licence)
            except InternalError as error:
                if error.code != "licence.storage.damaged":
                    raise
                _log.error("licence.file-damaged", identifier=licence.identifier)
                damaged = True
        report = verification.report if verification else _report_at_issue(licence)
        context = {
            "licence": _view(licence, service),
            "report": report,
            "sealed_at": _sealed_at(report) if report else None,
            "marks": _MARKS,
            "checked_again": verification is not None,
            "checked_at": service.clock(),
            "damaged": damaged or (verification is not None and _file_is_bad(verification)),
        }
        return pages.render(request, "licence.html", context)

    @app.get("/{token}")
    def licence_page(request: Request, token: str) -> HTMLResponse:
        return show(request, token, again=False)

    @app.get("/{token}/check")
    @app.get("/{token}/file")
    def back(request: Request, token: str) -> RedirectResponse:
        """What a reload or the language link asks for after a form was sent."""
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"/v/{quote(token)}{query}", status_code=303)

    @app.post("/{token}/check")
    def check_again(request: Request, token: str) -> HTMLResponse:
        return show(request, token, again=True)


def _add_upload(app: FastAPI, service: LicenceService, pages: Pages) -> None:
    file = Depends(uploaded_file(service.settings.max_upload_bytes))

    def result(request: Request, data: bytes, expected: Licence | None) -> HTMLResponse:
        verification = service.verify(data)
        licence = verification.licence
        other = expected is not None and (licence is None or licence.identifier != expected.identifier)
        context = {
            "report": verification.report,
            "sealed_at": _sealed_at(verification.report),
            "verdict": str(verification.report.verdict),
            "marks": _MARKS,
            "licence": _view(licence, service) if licence else None,
            "expected": _view(expected, service) if expected else None,
            "is_other_file": other,
            "checked_at": service.clock(),
        }
        return pages.render(request, "result.html", context)

    @app.get("/")
    def upload_page(request: Request) -> HTMLResponse:
        return pages.render(request, "upload.html", {"limit_mb": service.settings.max_upload_bytes // 1_000_000})

    @app.post("/")
    def upload(request: Request, data: Annotated[bytes, file]) -> HTMLResponse:
        return result(request, data, None)

    @app.post("/{token}/file")
    def upload_for(request: Request, token: str, data: Annotated[bytes, file]) -> HTMLResponse:
        return result(request, data, service.licence_by_token(token))


def _add_errors(app: FastAPI, pages: Pages) -> None:
    def refuse(request: Request, error: Exception) -> Response:
        if isinstance(error, NotFoundError):
            return pages.render(request, "unknown.html", status=404)
        kind = error.kind if isinstance(error, TrustError) else Kind.INTERNAL
        code = error.code if isinstance(error, TrustError) else ""
        if kind is Kind.INTERNAL:
            _log.error("licence.page-failed", code=code, path=request.url.path, exc_info=error)
        zh, en = _REFUSALS.get(code, ("现在无法查验，请稍后再试", "This cannot be verified now; try again later"))
        return pages.render(request, "refused.html", {"zh": zh, "en": en}, status=STATUS[kind])

    def not_found(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        return pages.render(request, "unknown.html", status=status)

    app.add_exception_handler(TrustError, refuse)
    app.add_exception_handler(HTTPException, not_found)
    app.add_exception_handler(Exception, refuse)


def _view(licence: Licence, service: LicenceService) -> _LicenceView:
    record = licence.record
    state = licence.shown_state(service.clock())
    return _LicenceView(
        identifier=licence.identifier,
        token=licence.token,
        type_zh=record.licence_type.name_zh,
        type_en=record.licence_type.name_en,
        holder=mask_holder(record.name),
        code=record.credit_code,
        company_type=record.company_type,
        representative_label=record.family.representative_label,
        representative=mask_holder(record.representative),
        established_on=record.established_on,
        valid_from=record.valid_from,
        valid_until=record.valid_until,
        is_long_term=record.valid_until is LONG_TERM,
        issuer=licence.issuer,
        issued_at=licence.issued_at,
        state=state,
        state_words=STATE_WORDS[state],
        state_changed_at=licence.state_changed_at,
        stands=stands(state),
        look="valid" if stands(state) else "unknown" if state in _UNDECIDED else "invalid",
    )


def _report_at_issue(licence: Licence) -> Report | None:
    info = licence.document(Form.OFD) or next(iter(licence.documents), None)
    return info.report if info else None


def _sealed_at(report: Report) -> datetime | None:
    try:
        moment = datetime.fromisoformat(report.facts.get("signed_at", ""))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _file_is_bad(verification: Verification) -> bool:
    """Whether the checks of the file itself fail, whatever the register says of the licence."""
    own = [s for s in verification.report.steps if not s.code.startswith("licence.register.")]
    return Report(subject="file", steps=tuple(own)).verdict is Verdict.INVALID
