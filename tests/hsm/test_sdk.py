"""The SDK as a business system has it: one file, a bare interpreter, a server on the loopback address."""

import ast
import http.client
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI

import hsm.sdk.xinyin_hsm as sdk
import sso.web.api
from hsm.gateway.service import GatewayService
from hsm.service import HsmService
from hsm.settings import GatewaySettings
from hsm.web.api import create_api
from sso.applications import Registration
from sso.service import SsoService
from sso.settings import SsoSettings
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.crypto.software import SoftwareKeys
from trustcore.database import Database

from support.gateway import grant
from support.loopback import serving
from support.serving import free_port

SOURCE = Path(sdk.__file__)
_SCOPES = frozenset(f"hsm:{act}" for act in ("sign", "verify", "encrypt", "decrypt", "digest", "random", "read"))


# A server that answers as it is told, for what a real one does rarely.


@contextmanager
def scripted(
    *answers: tuple[int, dict[str, str], Any],
) -> Iterator[tuple[str, list[tuple[str, dict[str, str], bytes]]]]:
    """A server that gives these answers in turn (the last for ever), and what it was asked."""
    asked: list[tuple[str, dict[str, str], bytes]] = []
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.append((self.path, dict(self.headers), body))
            status, headers, answer = left.pop(0) if len(left) > 1 else left[0]
            if status == 0:
                self.close_connection = True
                return
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST  # noqa: N815 - the library's names

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


RANDOM = (200, {}, {"random_base64": "AAAA"})
TOKEN = (200, {}, {"access_token": "t", "expires_in": 3600})


def problem(status: int, code: str, retry_after: str | None = None) -> tuple[int, dict[str, str], Any]:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return status, headers, {"code": code, "detail": "No.", "facts": {"limit": 1}}


def test_what_is_busy_is_asked_again_until_it_answers() -> None:
    with scripted(problem(503, "a", "0"), problem(502, "b"), RANDOM) as (url, asked):
        with sdk.Gateway(url, token="t") as gateway:
            assert gateway.random(3) == bytes(3)
        assert len(asked) == 3


def test_a_broken_connection_is_made_anew() -> None:
    with scripted(RANDOM, (0, {}, b""), RANDOM) as (url, asked), sdk.Gateway(url, token="t") as gateway:
        assert gateway.random(3) == gateway.random(3) == bytes(3)
        assert len(asked) == 3


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (problem(400, "hsm.base64"), sdk.RefusedError),
        (problem(422, "hsm.key.inactive"), sdk.RefusedError),
        (problem(403, "hsm.right.missing"), sdk.ForbiddenError),
        (problem(404, "hsm.key.not-found"), sdk.NotFoundError),
        (problem(409, "hsm.key.exists"), sdk.ConflictError),
        (problem(401, "auth.token.missing"), sdk.UnauthenticatedError),
        (problem(429, "hsm.quota.day", "3600"), sdk.LimitedError),
        ((500, {}, {"code": "internal"}), sdk.BusyError),
        ((200, {}, b"no JSON"), sdk.RefusedError),
        ((418, {}, b""), sdk.RefusedError),
    ],
)
def test_a_refusal_has_its_class_and_is_not_repeated(answer: Any, kind: type[sdk.GatewayError]) -> None:
    with scripted(answer) as (url, asked):
        with sdk.Gateway(url, token="t", timeout=5) as gateway, pytest.raises(kind) as caught:
            gateway.random(3)
        assert len(asked) == 1
        assert type(caught.value) is kind
        assert caught.value.status == answer[0]


def test_a_wait_that_the_deadline_allows_is_waited() -> None:
    with scripted(problem(429, "hsm.quota.second", "1"), RANDOM) as (url, asked):
        with sdk.Gateway(url, token="t", timeout=10) as gateway:
            assert gateway.random(3) == bytes(3)
        assert len(asked) == 2


def test_the_deadline_holds_for_everything_inside_it() -> None:
    with scripted(problem(503, "hsm.machine.unavailable")) as (url, asked):
        with sdk.Gateway(url, token="t", timeout=60) as gateway:
            with pytest.raises(sdk.BusyError) as caught, gateway.within(0.5):
                gateway.random(3)
            assert caught.value.code == "hsm.machine.unavailable"
        assert 1 <= len(asked) <= 6


def test_a_token_is_obtained_once_and_renewed_when_it_is_refused() -> None:
    answers = (TOKEN, RANDOM, RANDOM, problem(401, "auth.token.revoked"), TOKEN, RANDOM)
    with scripted(*answers) as (url, asked):
        with sdk.Gateway(url, token_url=f"{url}/token", client_id="a b", client_secret="s%") as gateway:
            for _ in range(3):
                gateway.random(3)
        assert [path for path, _, _ in asked] == [
            "/token", "/v1/random", "/v1/random", "/v1/random", "/token", "/v1/random",
        ]  # fmt: skip
        assert asked[0][1]["Authorization"] == "Basic YSUyMGI6cyUyNQ=="
        assert b"grant_type=client_credentials" in asked[0][2]


def test_a_token_that_runs_out_is_renewed_before_it_does() -> None:
    brief = (200, {}, {"access_token": "t", "expires_in": 0})
    with scripted(brief, RANDOM, brief, RANDOM) as (url, asked):
        with sdk.Gateway(url, token_url=f"{url}/token", client_id="a", client_secret="s") as gateway:
            gateway.random(3)
            gateway._token_until = 0.0
            gateway.random(3)
        assert [path for path, _, _ in asked].count("/token") == 2


def test_wrong_credentials_are_said_once() -> None:
    refused = (401, {}, {"error": "invalid_client", "error_description": "Unknown."})
    with scripted(refused) as (url, asked):
        gateway = sdk.Gateway(url, token_url=f"{url}/token", client_id="a", client_secret="s")
        with gateway, pytest.raises(sdk.UnauthenticatedError) as caught:
            gateway.random(3)
        assert (caught.value.code, len(asked)) == ("oauth.invalid_client", 1)


def test_secrets_stand_in_no_text_of_the_client() -> None:
    gateway = sdk.Gateway("http://127.0.0.1:9/hsm", client_id="a", client_secret="hunter2", token="bearer2")
    assert "hunter2" not in repr(gateway)
    assert "bearer2" not in repr(gateway)


def test_addresses_and_arguments_that_cannot_be_meant_are_refused() -> None:
    for url in ("ftp://x", "trust.example", "file:///etc/passwd"):
        with pytest.raises(ValueError, match="https"):
            sdk.Gateway(url)
    gateway = sdk.Gateway("http://127.0.0.1:9", token="t")
    for wrong in (lambda: gateway.sign("k"), lambda: gateway.verify(b"", b""), lambda: gateway.sign_many("k")):
        with pytest.raises(ValueError, match="give"):
            wrong()


def test_a_connection_in_the_clear_never_serves_a_request_for_tls() -> None:
    gateway = sdk.Gateway("https://trust.example/hsm", token_url="http://trust.example/token", client_id="a")
    clear = http.client.HTTPConnection("trust.example")
    gateway._keep(urlsplit("http://trust.example/token"), clear, reusable=True)
    made, _ = gateway._connection(urlsplit("https://trust.example/hsm"), fresh=False)
    assert isinstance(made, http.client.HTTPSConnection)
    assert gateway._connection(urlsplit("http://trust.example/token"), fresh=False) == (clear, True)


def test_the_file_is_python_3_8_and_needs_nothing_but_the_standard_library() -> None:
    tree = ast.parse(SOURCE.read_text("utf-8"), feature_version=(3, 8))
    imported = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {str(node.module).split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= sys.stdlib_module_names | {"__future__"}
    newer = {"removeprefix", "removesuffix", "is_relative_to", "file_digest", "bit_count", "pairwise"}
    assert not {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & newer


# Against real machines and the real identity service, from a bare interpreter.

PROGRAM = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from xinyin_hsm import ForbiddenError, Gateway, GatewayError, NotFoundError
url, secret, folder = sys.argv[2], sys.argv[3], Path(sys.argv[4])
with Gateway(url + "/hsm", token_url=url + "/sso/token", client_id="approvals", client_secret=secret) as gateway:
    signature = gateway.sign("letters", b"approved")
    assert gateway.verify(b"approved", signature.octets, key="letters").valid
    assert not gateway.verify(b"refused", signature.octets, key="letters").valid
    named = gateway.sign("letters", b"approved", sm2_id="me", form="raw")
    assert len(named.octets) == 64
    assert gateway.verify(b"approved", named.octets, key="letters", sm2_id="me", form="raw").valid
    messages = [b"%d" % number for number in range(1003)]
    signatures = gateway.sign_many("letters", messages)
    verdicts = gateway.verify_many(zip(messages, [s.octets for s in signatures]), key="letters")
    assert len(verdicts) == 1003 and all(verdict.valid for verdict in verdicts)
    mixed = gateway.sign_many("letters", digests=[bytes(32), bytes(3)])
    assert isinstance(mixed[1], GatewayError) and mixed[1].code == "hsm.digest.length"
    big = folder / "big"
    big.write_bytes(bytes(range(256)) * 20_000)
    over = gateway.sign_file("letters", big)
    assert gateway.verify_file(big, over.octets, key="letters").valid
    new, hashlib.new = hashlib.new, None
    def no_sm3(name, *rest):
        if name == "sm3":
            raise ValueError(name)
        return new(name, *rest)
    hashlib.new = no_sm3
    small = folder / "small"
    small.write_bytes(b"small")
    travelled = gateway.sign_file("letters", small)
    hashlib.new = new
    assert gateway.verify_file(small, travelled.octets, key="letters").valid
    sealed = gateway.encrypt(b"secret", key="letters", form="c1c3c2")
    assert gateway.decrypt("letters", sealed, form="c1c3c2") == b"secret"
    packed = gateway.sm4_encrypt("records", b"row", associated=b"7")
    assert gateway.sm4_decrypt("records", packed.ciphertext, packed.iv, associated=b"7") == b"row"
    assert len(gateway.random(40)) == 40
    assert gateway.digest(b"abc").hex().startswith("66c7f0f4")
    assert gateway.certificates("letters") == []
    assert gateway.health()["status"] == "ok"
    for key, kind in (("nobody", NotFoundError), ("contracts", ForbiddenError)):
        try:
            gateway.sign(key, b"")
        except kind:
            continue
        raise AssertionError(key)
    (folder / "signature").write_bytes(signature.octets)
print("all well", "site" in sys.modules)
"""


@pytest.mark.hsm
def test_a_bare_interpreter_signs_with_the_copied_file(
    database: Database, service: HsmService, software_keys: SoftwareKeys, now: datetime, tmp_path: Path
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    clock: Callable[[], datetime] = lambda: now  # noqa: E731 - a clock that stands still
    identity = SsoService(database, software_keys, clock, software_keys.random, SsoSettings(public_url=url))
    registration = Registration(client_id="approvals", name="审批", scopes=_SCOPES)
    secret = identity.applications.register(registration, actor="test")
    gateway = GatewayService(database, service, clock, GatewaySettings())
    key = service.signer(service.generate("letters", KeyAlgorithm.SM2))
    service.generate("contracts", KeyAlgorithm.SM2)
    service.generate_sm4("records")
    grant(gateway, "approvals", "letters")
    grant(gateway, "approvals", "records")
    app = FastAPI()
    app.mount("/hsm", create_api(service, gateway, identity))
    app.mount("/sso", sso.web.api.create_api(identity))
    copied = tmp_path / "copied"
    copied.mkdir()
    shutil.copy(SOURCE, copied)
    with serving(app, port=port):
        said = subprocess.run(
            [sys.executable, "-I", "-S", "-W", "error", "-c", PROGRAM, copied, url, str(secret), tmp_path],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert (said.stdout, said.stderr, said.returncode) == ("all well False\n", "", 0)
    assert sm2.verify(sm2.public_point(key.public_key_der), b"approved", (tmp_path / "signature").read_bytes())
