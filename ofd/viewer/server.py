"""A server for one viewer on this machine, for the one who started it.

It listens on the loopback interface only. Other users and other pages of the same browser are kept out by a path that
cannot be guessed, and by the ``Host`` header, which a name that was turned to 127.0.0.1 does not have.
"""

import secrets
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from ofd.viewer.answer import Answer, Responder

__all__ = ["LocalServer"]

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_LONGEST_WAIT_SECONDS = 30


class LocalServer:
    """Serves a responder at an address of its own until it is closed.

    Example:
        >>> from ofd.viewer.answer import Answer
        >>> server = LocalServer(lambda path, query: Answer(media_type="text/plain", body=path.encode()))
        >>> server.address.startswith("http://127.0.0.1:")
        True
        >>> server.close()
    """

    def __init__(self, responder: Responder, *, port: int = 0) -> None:
        """Listen; requests wait until :meth:`serve`.

        Args:
            responder: answers requests; called from several threads at once.
            port: 0 for any that is free.

        Raises:
            OSError: the port is taken.
        """
        self._secret = secrets.token_urlsafe(24)
        hosts: set[str] = set()
        own = {"responder": staticmethod(responder), "prefix": f"/{self._secret}/", "hosts": hosts}
        handler = type("Handler", (_Handler,), own)
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        hosts |= {f"{name}:{self._server.server_port}" for name in ("127.0.0.1", "localhost")}

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://127.0.0.1:{self._server.server_port}/{self._secret}/"

    def serve(self) -> None:
        """Answer requests until :meth:`close` is called from another thread, or an exception ends it."""
        self._server.serve_forever()

    def close(self) -> None:
        """Stop listening."""
        self._server.server_close()

    def stop(self) -> None:
        """Make :meth:`serve` return, from another thread."""
        self._server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    responder: Responder
    prefix: str
    hosts: set[str]
    """What the ``Host`` header may say."""
    protocol_version = "HTTP/1.1"
    timeout = _LONGEST_WAIT_SECONDS
    server_version = "Xinyin"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer a request for something below the secret path."""
        try:
            asked = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(asked.query, max_num_fields=20).items()}
        except ValueError:
            self._send(Answer(status=HTTPStatus.BAD_REQUEST, media_type="text/plain", body=b"bad request\n"))
            return
        if self.headers.get("Host") not in self.hosts or not asked.path.startswith(self.prefix):
            self._send(Answer(status=HTTPStatus.NOT_FOUND, media_type="text/plain", body=b"not found\n"))
            return
        self._send(self.responder(asked.path.removeprefix(self.prefix), query))

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name in http.server
        """Log nothing: paths hold the secret, queries what somebody looks for."""

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", answer.media_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)
