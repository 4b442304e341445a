"""A running ``xinyin serve`` on a free port of the loopback address, stopped by its own process id."""

import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from support.workplace import Workplace

__all__ = ["free_port", "served"]

_POLLS = 600
_POLL_SECONDS = 0.1


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def served(workplace: Workplace, *options: str, log: IO[str] | None = None) -> Iterator[str]:
    """The address of the installation of ``workplace`` while it is served; what the server says goes to ``log``."""
    port = free_port()
    address = f"http://localhost:{port}"
    workplace.environment["XINYIN_PUBLIC_URL"] = address
    process = workplace.start("serve", "--port", str(port), *options, log=log)
    try:
        for _ in range(_POLLS):
            if process.poll() is not None or _is_ready(port):
                break
            time.sleep(_POLL_SECONDS)
        yield address
    finally:
        process.terminate()
        process.communicate(timeout=60)


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
