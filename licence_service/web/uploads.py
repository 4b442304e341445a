"""Reading a file that somebody sends: as a form's field or as the bare body, never more than the limit."""

from collections.abc import AsyncGenerator, Awaitable, Callable

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from trustcore.errors import MalformedError, RejectedError

__all__ = ["uploaded_file"]


def uploaded_file(max_bytes: int) -> Callable[[Request], Awaitable[bytes]]:
    """A dependency for FastAPI: the octets of the file.

    ``multipart/form-data`` has it in the field ``file``; any other content type is the file itself. The dependency
    raises ``MalformedError`` (``licence.upload.…``) without a file, ``RejectedError`` (``licence.upload.too-large``)
    above ``max_bytes``.
    """

    async def read(request: Request) -> bytes:
        body = await _limited_body(request, max_bytes)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "multipart/form-data":
            body = await _form_file(request, body)
        if not body:
            raise MalformedError("No file was sent.", code="licence.upload.missing")
        return body

    return read


async def _limited_body(request: Request, max_bytes: int) -> bytes:
    limit = max_bytes + 64 * 1024  # the parts of a form around the file
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise RejectedError(
                    f"The file is larger than {max_bytes} bytes.", code="licence.upload.too-large",
                    limit_bytes=max_bytes,
                )  # fmt: skip
    except ClientDisconnect as error:
        raise MalformedError("The file came only in part.", code="licence.upload.incomplete") from error
    return bytes(body)


async def _form_file(request: Request, body: bytes) -> bytes:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        form = await MultiPartParser(request.headers, stream(), max_files=1, max_fields=4).parse()
    except MultiPartException as error:
        raise MalformedError("The form cannot be read.", code="licence.upload.form") from error
    try:
        field = form.get("file")
        if not isinstance(field, UploadFile):
            raise MalformedError("The form has no file in the field “file”.", code="licence.upload.missing")
        return await field.read()
    finally:
        await form.close()
