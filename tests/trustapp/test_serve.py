"""``xinyin serve`` on an installation that is new, as a process of its own on loopback."""

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.workplace import Workplace

pytestmark = pytest.mark.hsm

_POLLS = 600
_POLL_SECONDS = 0.1


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def _served(workplace: Workplace, *options: str) -> Iterator[int]:
    port = _free_port()
    workplace.environment["XINYIN_PUBLIC_URL"] = f"http://localhost:{port}"
    process = workplace.start("serve", "--port", str(port), *options)
    try:
        for _ in range(_POLLS):
            if process.poll() is not None or _answers(port):
                break
            time.sleep(_POLL_SECONDS)
        yield port
    finally:
        process.terminate()
        process.communicate(timeout=60)


def _answers(port: int) -> bool:
    try:
        return _get(port, "/readyz")[0] == 200
    except OSError:
        return False


def _get(port: int, path: str, data: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_a_new_installation_has_pages_and_cannot_tell_of_files(workplace: Workplace, tmp_path: Path) -> None:
    with _served(workplace, "--workers", "2") as port:
        assert "尚未建立证书体系" in _get(port, "/", **{"Accept-Language": "zh"})[1].decode()
        assert _get(port, "/ca/crl/sm2-issuing.crl")[0] == 404

        status, body = _get(port, "/licence/v1/verify", b"no licence", **{"Content-Type": "application/octet-stream"})
        assert status == 200
        assert json.loads(body)["verdict"] in {"invalid", "indeterminate"}

        taken = workplace.run("serve", "--port", str(port))
        assert taken.returncode == 1
        assert "serve.port" in taken.stderr
        assert "Ctrl" not in taken.stderr


def test_an_unknown_service_is_named(workplace: Workplace) -> None:
    refused = workplace.run("serve", "--only", "nothing")
    assert refused.returncode == 1
    assert "nothing" in refused.stderr
