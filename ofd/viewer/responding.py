"""The viewer's addresses: from a request to what a :class:`ofd.viewer.view.DocumentView` shows."""

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus

from ofd.viewer.answer import Answer, Responder, json_answer
from ofd.viewer.view import DocumentView, static_file
from trustcore.errors import Kind, TrustError

__all__ = ["responder"]

_PAGE = re.compile(r"pages/(\d{1,7})(\.json|\.svg|/coverage\.svg)")
_LONGEST_QUERY = 200
_STATUSES = {Kind.NOT_FOUND: HTTPStatus.NOT_FOUND, Kind.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR}


def responder(view: DocumentView) -> Responder:
    """What answers requests for a document.

    ``document.json``, ``report.json``, ``search.json?q=…&from=…``, ``pages/N.json``, ``pages/N.svg``,
    ``pages/N/coverage.svg`` with pages from 0, and the page with its module and style sheet. Errors of the product are
    answered with ``{code, detail}``; anything else that goes wrong is the server's to handle.
    """

    def respond(path: str, query: Mapping[str, str]) -> Answer:
        try:
            return _respond(view, path, query)
        except TrustError as error:
            status = _STATUSES.get(error.kind, HTTPStatus.UNPROCESSABLE_ENTITY)
            return json_answer({"code": error.code, "detail": error.detail}, status)

    return respond


def _respond(view: DocumentView, path: str, query: Mapping[str, str]) -> Answer:
    page = _PAGE.fullmatch(path)
    if page is not None:
        return _PARTS[page[2]](view, int(page[1]))
    known = static_file(path)
    if known is not None:
        body, media_type = known
        return Answer(media_type=media_type, body=body)
    if path == "document.json":
        return json_answer(view.about())
    if path == "search.json":
        start = query.get("from", "0")
        keyword = query.get("q", "")[:_LONGEST_QUERY]
        return json_answer(view.search(keyword, start=int(start) if start.isdecimal() and len(start) < 8 else 0))
    if path == "report.json":
        return json_answer(view.report())
    return json_answer({"code": "ofd.viewer.not-found", "detail": "There is nothing here."}, HTTPStatus.NOT_FOUND)


def _picture(svg: str) -> Answer:
    return Answer(media_type="image/svg+xml; charset=utf-8", body=svg.encode())


_PARTS: dict[str, Callable[[DocumentView, int], Answer]] = {
    ".json": lambda view, index: json_answer(view.page(index)),
    ".svg": lambda view, index: _picture(view.svg(index)),
    "/coverage.svg": lambda view, index: _picture(view.coverage_svg(index)),
}
