"""RFC 9457 problem documents: the one place where errors become HTTP for JSON interfaces."""

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from trustcore.errors import Kind, TrustError

__all__ = ["STATUS", "answer", "install", "problem"]

STATUS = {
    Kind.MALFORMED: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.REJECTED: 422,
    Kind.BUSY: 503,
    Kind.LIMITED: 429,
    Kind.INTERNAL: 500,
}
"""HTTP status of each kind of error."""

_RETRY_AFTER_SECONDS = 5
_log = structlog.get_logger(__name__)


def problem(
    status: int, code: str, detail: str, *, retry_after: int = _RETRY_AFTER_SECONDS, **extra: object
) -> JSONResponse:
    """A problem document; ``code`` is also its ``type`` as a URN.

    Args:
        status: HTTP status.
        code: of the error.
        detail: one English sentence.
        retry_after: seconds, for the header of 429 and 503 (RFC 9110 §10.2.3).
        extra: further members.
    """
    body = {"type": f"urn:xinyin:error:{code}", "status": status, "code": code, "detail": detail, **extra}
    headers = {"Cache-Control": "no-store"}
    if status in {STATUS[Kind.BUSY], STATUS[Kind.LIMITED]}:
        headers["Retry-After"] = str(retry_after)
    if status == STATUS[Kind.UNAUTHENTICATED]:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def answer(request: Request, error: TrustError) -> JSONResponse:
    """The problem document of an error; what is internal goes to the log and not into the answer."""
    status = STATUS[error.kind]
    if error.kind is Kind.INTERNAL:
        _log.error("request.internal-error", code=error.code, path=request.url.path, exc_info=error)
        return problem(status, error.code, "The server could not do this; its operator finds the cause in the log.")
    wait = int(error.facts.get("retry_after", _RETRY_AFTER_SECONDS))
    facts = {"facts": error.facts} if error.facts else {}
    return problem(status, error.code, error.detail, retry_after=wait, **facts)


def _trust_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TrustError)
    return answer(request, error)


def _validation_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    fields = [{"field": ".".join(str(p) for p in e["loc"]), "problem": e["msg"]} for e in error.errors()]
    return problem(422, "request.invalid", "The request does not have the form that the interface asks for.",
                   fields=fields)  # fmt: skip


def _http_exception(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, f"http.{error.status_code}", str(error.detail))


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    _log.error("request.failed", path=request.url.path, exc_info=error)
    return problem(500, "internal", "The server could not do this; its operator finds the cause in the log.")


def install(app: FastAPI) -> None:
    """Answer every error of ``app`` with a problem document."""
    app.add_exception_handler(TrustError, _trust_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(Exception, _unexpected)
