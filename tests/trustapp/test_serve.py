"""``xinyin serve`` on an installation that is new, as a process of its own on loopback."""

import json
import urllib.error
import urllib.request

import pytest

from support.serving import served
from support.workplace import Workplace

pytestmark = pytest.mark.hsm


def _get(address: str, path: str, data: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(f"{address}{path}", data, headers)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_a_new_installation_has_pages_and_cannot_tell_of_files(workplace: Workplace) -> None:
    with served(workplace, "--workers", "2") as address:
        assert "尚未建立证书体系" in _get(address, "/", **{"Accept-Language": "zh"})[1].decode()
        assert _get(address, "/ca/crl/sm2-issuing.crl")[0] == 404

        status, body = _get(
            address, "/licence/v1/verify", b"no licence", **{"Content-Type": "application/octet-stream"}
        )
        assert status == 200
        assert json.loads(body)["verdict"] in {"invalid", "indeterminate"}

        taken = workplace.run("serve", "--port", address.rsplit(":", 1)[-1])
        assert taken.returncode == 1
        assert "serve.port" in taken.stderr
        assert "Ctrl" not in taken.stderr


def test_an_unknown_service_is_named(workplace: Workplace) -> None:
    refused = workplace.run("serve", "--only", "nothing")
    assert refused.returncode == 1
    assert "nothing" in refused.stderr
