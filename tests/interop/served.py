"""A running ``xinyin serve`` for judges that speak to it."""

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from verdict import run

ROOT = Path(__file__).resolve().parents[2]
XINYIN = ROOT / ".venv" / "bin" / "xinyin"
START_SECONDS = 60


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def environment(port: int) -> dict[str, str]:
    """The settings under which the installation is reached at this port."""
    return {"XINYIN_PUBLIC_URL": f"http://127.0.0.1:{port}"}


def command(arguments: list[str], port: int) -> str:
    """Run ``xinyin`` and return the last line it printed, where it puts what is secret."""
    answer = run([XINYIN, *arguments], cwd=ROOT, env=environment(port))
    if answer.status != 0:
        message = f"xinyin {' '.join(arguments[:3])} failed: {answer.last_line()}"
        raise RuntimeError(message)
    return answer.printed.strip().splitlines()[-1]


@contextmanager
def served(port: int, log: Path) -> Iterator[str]:
    """The address of ``xinyin serve`` until the block ends; it is stopped by its own process id."""
    with log.open("wb") as output:
        server = subprocess.Popen(
            [XINYIN, "serve", "--host", "127.0.0.1", "--port", str(port)],
            cwd=ROOT,
            env={**os.environ, **environment(port)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_it_answers(server, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_until_it_answers(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    message = f"xinyin serve did not answer: {said[-1] if said else 'it said nothing'}"
    raise RuntimeError(message)
