"""Revocation lists, certificates, OCSP and time stamps: octets in, octets out, no login."""

import base64
import hashlib
from urllib.parse import unquote

from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from ca.service import CaService
from trustcore.x509.ocsp import ResponseStatus, error_response

__all__ = ["add_protocols"]

_CRL, _CERTIFICATE = "application/pkix-crl", "application/pkix-cert"
_OCSP_QUERY, _OCSP_REPLY = "application/ocsp-request", "application/ocsp-response"
_TSP_QUERY, _TSP_REPLY = "application/timestamp-query", "application/timestamp-reply"
_MAX_QUERY_BYTES = 16 * 1024
_CRL_SECONDS = 300


def add_protocols(app: FastAPI, service: CaService) -> None:
    """Add the routes to ``app``."""
    _add_publications(app, service)
    _add_ocsp(app, service)
    _add_timestamps(app, service)


def _add_publications(app: FastAPI, service: CaService) -> None:
    @app.get("/crl/{authority}.crl", summary="The CRL in force, DER (RFC 5280 §5)", response_class=Response)
    def crl(authority: str, request: Request) -> Response:
        return _cached(service.crl(authority), _CRL, request)

    @app.get("/certificates/{authority}.cer", summary="A CA's certificate, DER", response_class=Response)
    def certificate(authority: str, request: Request) -> Response:
        return _cached(service.chain(authority)[0], _CERTIFICATE, request)


def _cached(data: bytes, media_type: str, request: Request) -> Response:
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": f"public, max-age={_CRL_SECONDS}"}
    if etag in _entity_tags(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=media_type, headers=headers)


def _entity_tags(header: str) -> set[str]:
    """The tags of If-None-Match; a proxy that compresses makes them weak (RFC 9110 §13.1.2 compares weakly)."""
    return {item.strip().removeprefix("W/") for item in header.split(",")}


def _add_ocsp(app: FastAPI, service: CaService) -> None:
    @app.post("/ocsp", summary="OCSP (RFC 6960 appendix A)", response_class=Response)
    async def ocsp_post(request: Request) -> Response:
        body = await _body(request, _OCSP_QUERY)
        if body is None:
            return Response(error_response(ResponseStatus.MALFORMED_REQUEST), media_type=_OCSP_REPLY)
        return Response(await run_in_threadpool(service.ocsp, body), media_type=_OCSP_REPLY)

    @app.get("/ocsp/{query:path}", summary="OCSP by GET (RFC 6960 appendix A.1)", response_class=Response)
    def ocsp_get(query: str) -> Response:
        try:
            body = base64.b64decode(unquote(query), validate=True)
        except ValueError:
            return Response(error_response(ResponseStatus.MALFORMED_REQUEST), media_type=_OCSP_REPLY)
        return Response(service.ocsp(body), media_type=_OCSP_REPLY)


def _add_timestamps(app: FastAPI, service: CaService) -> None:
    @app.post("/tsa", summary="A time stamp (RFC 3161 §3.4)", response_class=Response)
    async def default_timestamp(request: Request) -> Response:
        return await timestamp(request, service.settings.default_timestamp_authority)

    @app.post("/tsa/{authority}", summary="A time stamp of one hierarchy", response_class=Response)
    async def timestamp(request: Request, authority: str) -> Response:
        body = await _body(request, _TSP_QUERY)
        answer = await run_in_threadpool(service.timestamp, body or b"", authority)
        return Response(answer, media_type=_TSP_REPLY)


async def _body(request: Request, media_type: str) -> bytes | None:
    """The body of a query; ``None`` when it is of another type or too long."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != media_type:
        return None
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_QUERY_BYTES:
            return None
    return body
