"""An application served on a free port of the loopback address, inside this process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from support.serving import free_port

__all__ = ["serving"]

_WAIT_SECONDS = 20


@contextmanager
def serving(app: ASGIApp, *, port: int | None = None) -> Iterator[str]:
    """The address of ``app`` while it is served."""
    chosen = port or free_port()
    started = threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: object = None) -> None:
            await super().startup()
            started.set()

    server = Server(uvicorn.Config(app, host="127.0.0.1", port=chosen, log_config=None, proxy_headers=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert started.wait(_WAIT_SECONDS)
    try:
        yield f"http://127.0.0.1:{chosen}"
    finally:
        server.should_exit = True
        thread.join(_WAIT_SECONDS)
