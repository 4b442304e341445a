"""What a viewer answers to a request, whatever server stands before it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

__all__ = ["Answer", "Responder", "json_answer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer to a GET request."""

    status: int = HTTPStatus.OK
    media_type: str
    body: bytes


Responder = Callable[[str, Mapping[str, str]], Answer]
"""Path below the viewer's own address, without leading slash, and query parameters."""


def json_answer(value: object, status: int = HTTPStatus.OK) -> Answer:
    """JSON-ready data as an answer."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status=status, media_type="application/json; charset=utf-8", body=body)
