"""The header contract with a real proxy: nginx ends mutual TLS in front of the gateway."""

import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi import FastAPI

from hsm.gateway.service import GatewayService
from hsm.sdk.xinyin_hsm import ForbiddenError, Gateway, UnauthenticatedError
from hsm.service import HsmService
from hsm.settings import GatewaySettings
from hsm.web.api import create_api
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.database import Database
from trustcore.x509.certificate import Certificate

from support.gateway import ALL_SCOPES, Names, grant
from support.loopback import serving
from support.serving import free_port

pytestmark = [
    pytest.mark.hsm,
    pytest.mark.interop,
    pytest.mark.skipif(not shutil.which("nginx"), reason="needs the package nginx"),
]

PAGE = Path(__file__).parents[2] / "docs" / "gateway.md"
SECRET = "open-sesame"
KINDS = {"rsa": ["-newkey", "rsa:2048"], "ecdsa": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]}


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root, a server, and clients with RSA and ECDSA; ``stranger`` is under no root."""
    folder = tmp_path_factory.mktemp("tls")
    request = ["req", "-x509", "-nodes", "-days", "2"]
    openssl(folder, *request, *KINDS["rsa"], "-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=root")
    server = ["-addext", "subjectAltName=IP:127.0.0.1", "-subj", "/CN=127.0.0.1"]
    openssl(folder, *request, *KINDS["ecdsa"], *server, "-keyout", "server.key", "-out", "server.pem")
    for kind, options in KINDS.items():
        openssl(
            folder, "req", "-nodes", *options, "-keyout", f"{kind}.key", "-out", f"{kind}.csr", "-subj", f"/CN={kind}"
        )
        openssl(
            folder, "x509", "-req", "-in", f"{kind}.csr", "-CA", "root.pem", "-CAkey", "root.key", "-days", "2",
            "-CAcreateserial", "-out", f"{kind}.pem",
        )  # fmt: skip
    openssl(folder, *request, *KINDS["rsa"], "-keyout", "stranger.key", "-out", "stranger.pem", "-subj", "/CN=stranger")
    return folder


@pytest.fixture
def gateway(database: Database, service: HsmService, tmp_path: Path) -> GatewayService:
    (tmp_path / "secret").write_text(SECRET)
    settings = GatewaySettings(trusted_proxies=("127.0.0.1",), proxy_secret_file=tmp_path / "secret")
    return GatewayService(database, service, lambda: datetime.now(UTC), settings)


@pytest.fixture
def direct(gateway: GatewayService, service: HsmService) -> Iterator[str]:
    app = FastAPI()
    app.mount("/hsm", create_api(service, gateway, Names({"office": ALL_SCOPES})))
    with serving(app) as url:
        yield url


@pytest.fixture
def proxy(direct: str, material: Path, tmp_path: Path) -> Iterator[str]:
    """nginx with the configuration of the page."""
    port = free_port()
    page = PAGE.read_text("utf-8")
    server = page.split("```nginx\n")[1].split("```")[0]
    for place, value in {
        "LISTEN": f"127.0.0.1:{port}",
        "SERVER_CERTIFICATE": material / "server.pem",
        "SERVER_KEY": material / "server.key",
        "CLIENT_ROOTS": material / "root.pem",
        "GATEWAY": direct,
        '"SECRET"': f'"{SECRET}"',
    }.items():
        assert f" {place};" in server or f" {place} " in server
        server = server.replace(f" {place}", f" {value}")
    bodies = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"daemon off; master_process off; pid {tmp_path}/nginx.pid; error_log {tmp_path}/error.log; "
        f"events {{}}\nhttp {{ access_log off; {bodies}\n{server}}}\n"
    )
    with subprocess.Popen(["nginx", "-p", tmp_path, "-c", config], stderr=subprocess.PIPE) as process:
        for _ in range(100):
            try:
                _get(f"https://127.0.0.1:{port}/hsm/v1/health", _context(material, None))
                break
            except OSError:
                assert process.poll() is None, (tmp_path / "error.log").read_text()
                time.sleep(0.1)
        yield f"https://127.0.0.1:{port}"
        process.terminate()


def _context(material: Path, client: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=material / "server.pem")
    if client is not None:
        context.load_cert_chain(material / f"{client}.pem", material / f"{client}.key")
    return context


def _get(url: str, context: ssl.SSLContext | None, **headers: str) -> int:
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310 - loopback
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture
def bind(gateway: GatewayService, material: Path) -> Callable[[str], None]:
    def bound(kind: str) -> None:
        certificate = Certificate.from_pem((material / f"{kind}.pem").read_bytes())
        gateway.grants.bind(certificate, application="office", scopes=["hsm:sign", "hsm:random"], actor="test")

    return bound


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_application_signs_with_its_certificate_alone(  # noqa: PLR0917 - fixtures
    proxy: str, material: Path, gateway: GatewayService, service: HsmService, bind: Callable[[str], None], kind: str
) -> None:
    bind(kind)
    key = service.signer(service.generate("letters", KeyAlgorithm.SM2))
    grant(gateway, "office", "letters")
    with Gateway(f"{proxy}/hsm", token="none", context=_context(material, kind)) as client:
        signature = client.sign("letters", b"message").octets
        assert sm2.verify(sm2.public_point(key.public_key_der), b"message", signature)
        with pytest.raises(ForbiddenError) as caught:
            client.encrypt(b"x", key="letters")
        assert caught.value.code == "auth.scope"


def test_a_certificate_that_is_not_bound_or_not_verified_is_refused(
    proxy: str, material: Path, bind: Callable[[str], None]
) -> None:
    bind("rsa")
    with Gateway(f"{proxy}/hsm", token="none", context=_context(material, "ecdsa")) as client:
        with pytest.raises(UnauthenticatedError) as caught:
            client.random(1)
        assert caught.value.code == "auth.certificate.unknown"
    assert _get(f"{proxy}/hsm/v1/health", _context(material, "stranger")) == 400


def test_headers_that_a_client_sends_itself_do_not_pass_the_proxy(
    proxy: str, material: Path, bind: Callable[[str], None]
) -> None:
    bind("rsa")
    pem = quote((material / "rsa.pem").read_bytes())
    forged = {
        "X_Xinyin_Client_Verify": "SUCCESS",
        "X_Xinyin_Client_Cert": pem,
        "X_Xinyin_Proxy_Secret": SECRET,
        "Client_Cert": ":AAAA:",
    }
    context = _context(material, None)
    assert _get(f"{proxy}/hsm/v1/public-keys/letters", context, **forged) == 401
    assert _get(f"{proxy}/hsm/v1/public-keys/letters", context, Authorization="Bearer office", **forged) == 404


def test_headers_sent_past_the_proxy_are_refused(
    direct: str, proxy: str, material: Path, bind: Callable[[str], None]
) -> None:
    bind("rsa")
    pem = quote((material / "rsa.pem").read_bytes())
    forged = {"X_Xinyin_Client_Verify": "SUCCESS", "X_Xinyin_Client_Cert": pem}
    url = f"{direct}/hsm/v1/public-keys/letters"
    assert _get(url, None, **forged) == 403
    assert _get(url, None, Authorization="Bearer office", **forged) == 403
    assert _get(url, None, X_Xinyin_Proxy_Secret="guess", **forged) == 403
    assert _get(url, None, Authorization="Bearer office") == 404
