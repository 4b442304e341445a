"""Request bodies as the protocol has them: one form, read once, of bounded length."""

from typing import Annotated

from fastapi import Depends, Request

from sso.core.errors import OAuthError, OAuthErrorCode
from sso.core.parameters import MAX_LENGTH

__all__ = ["Form", "form_of"]


async def form_of(request: Request) -> str:
    """The body of an ``application/x-www-form-urlencoded`` request (RFC 6749 appendix B).

    Raises:
        OAuthError: ``invalid_request`` for another media type, too much, or what is not ASCII.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise _invalid("The body must be application/x-www-form-urlencoded.", "media-type")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_LENGTH:
            raise _invalid("The body is too long.", "too-long")
    try:
        return body.decode("ascii")
    except UnicodeDecodeError as error:
        raise _invalid("The body is not form-encoded.", "unreadable") from error


def _invalid(detail: str, reason: str) -> OAuthError:
    return OAuthError(OAuthErrorCode.INVALID_REQUEST, detail, code=f"sso.parameters.{reason}")


Form = Annotated[str, Depends(form_of)]
