"""A bound on request bodies, for every route of an application."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trustcore.web.problem import problem

__all__ = ["BodyLimit"]


class BodyLimit:
    """ASGI middleware that answers 413 as soon as a body grows above the limit.

    Args:
        app: the application behind it.
        max_bytes: the largest body, in bytes, inclusive.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self._max_bytes:
            await self._refuse(scope, receive, send)
            return
        received = 0
        answered = False

        async def counting_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise _TooLargeError
            return message

        async def noting_send(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self._app(scope, counting_receive, noting_send)
        except _TooLargeError:
            if not answered:
                await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = f"the request is larger than {self._max_bytes} bytes"
        await problem(413, "request.too-large", detail, limit_bytes=self._max_bytes)(scope, receive, send)


class _TooLargeError(Exception):
    pass
