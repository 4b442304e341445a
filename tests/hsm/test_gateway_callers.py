"""Who asks: tokens, and certificates that a trusted proxy verified."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from hsm.core.rights import Operation
from hsm.gateway.grants import Grants
from hsm.settings import GatewaySettings
from hsm.web.gateway_callers import Callers
from trustcore.crypto.software import SoftwareKeys
from trustcore.database import Database
from trustcore.web import problem
from trustcore.x509.certificate import encode_pem

from support.gateway import Names, b64, bearer
from support.x509_workshop import Entity, Workshop

PROXY = ("10.1.2.3", 4711)
Open = Callable[..., TestClient]


@pytest.fixture
def workshop(software_keys: SoftwareKeys) -> Workshop:
    return Workshop(software_keys)


@pytest.fixture
def office(workshop: Workshop, database: Database, now: datetime) -> Entity:
    """An application whose certificate is bound."""
    entity = workshop.leaf("office", workshop.ca("root"))
    grants = Grants(database, lambda: now)
    grants.bind(entity.certificate, application="office", scopes=["hsm:random"], actor="test")
    return entity


@pytest.fixture
def names() -> Names:
    return Names({"office": frozenset({"hsm:random"}), "person": frozenset({"hsm:random"})})


@pytest.fixture
def open_client(database: Database, now: datetime, names: Names) -> Open:
    def opened(
        *, peer: tuple[str, int] = PROXY, proxies: tuple[str, ...] = ("10.0.0.0/8",), secret: Path | None = None
    ) -> TestClient:
        settings = GatewaySettings(trusted_proxies=proxies, proxy_secret_file=secret)
        callers = Callers(names, Grants(database, lambda: now).principal, settings)
        app = FastAPI()
        problem.install(app)

        @app.get("/who")
        def who(request: Request) -> str:
            return callers.admit(request, Operation.RANDOM).subject

        return TestClient(app, client=peer)

    return opened


def shown(entity: Entity, verify: str = "SUCCESS") -> dict[str, str]:
    pem = encode_pem("CERTIFICATE", entity.certificate.der)
    return {"X-Xinyin-Client-Verify": verify, "X-Xinyin-Client-Cert": quote(pem)}


def standard(entity: Entity) -> dict[str, str]:
    return {"Client-Cert": f":{b64(entity.certificate.der)}:"}


def ask(client: TestClient, headers: dict[str, str]) -> tuple[int, str]:
    answer = client.get("/who", headers=headers)
    body = answer.json()
    return answer.status_code, body if isinstance(body, str) else body["code"]


def test_a_trusted_proxy_says_who_asks_in_either_form(open_client: Open, office: Entity) -> None:
    client = open_client()
    assert ask(client, shown(office)) == (200, "office")
    assert ask(client, standard(office)) == (200, "office")


@pytest.mark.parametrize(
    ("peer", "proxies"),
    [
        (("192.0.2.1", 1), ("10.0.0.0/8",)),
        (PROXY, ()),
        (PROXY, ("unix",)),
        (("testclient", 1), ("0.0.0.0/0",)),
        (("::1", 1), ("127.0.0.1",)),
    ],
)
def test_a_client_that_plays_the_proxy_is_refused(
    open_client: Open, office: Entity, peer: tuple[str, int], proxies: tuple[str, ...]
) -> None:
    client = open_client(peer=peer, proxies=proxies)
    for headers in (shown(office), standard(office), shown(office, "NONE"), {"X-Xinyin-Proxy-Secret": "x"}):
        assert ask(client, headers) == (403, "auth.proxy.untrusted")
        assert ask(client, headers | bearer("office")) == (403, "auth.proxy.untrusted")
    assert ask(client, bearer("office")) == (200, "office")


def test_an_address_of_ipv4_inside_ipv6_is_the_same_proxy(open_client: Open, office: Entity) -> None:
    assert ask(open_client(peer=("::ffff:10.1.2.3", 1)), shown(office)) == (200, "office")


def test_the_secret_of_the_proxy_is_asked_for_where_there_is_one(
    open_client: Open, office: Entity, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("open sesame\n")
    client = open_client(secret=tmp_path / "secret")
    assert ask(client, shown(office) | {"X-Xinyin-Proxy-Secret": "open sesame"}) == (200, "office")
    assert ask(client, shown(office) | {"X-Xinyin-Proxy-Secret": "open"}) == (403, "auth.proxy.secret")
    assert ask(client, shown(office)) == (403, "auth.proxy.secret")


def test_what_was_not_verified_counts_for_nothing(open_client: Open, office: Entity) -> None:
    client = open_client()
    for verify in ("NONE", "FAILED:unable to verify", "success", ""):
        assert ask(client, shown(office, verify)) == (401, "auth.certificate.verify")
    unshown = {"X-Xinyin-Client-Verify": "NONE", "X-Xinyin-Client-Cert": ""}
    assert ask(client, unshown) == (401, "auth.token.missing")
    assert ask(client, unshown | bearer("office")) == (200, "office")


@pytest.mark.parametrize("value", ["::", ":AAAA:", "AAAA", ":?:", ":" + "A" * 20_000 + ":"])
def test_headers_that_hold_no_certificate_are_refused(open_client: Open, value: str) -> None:
    status, code = ask(open_client(), {"Client-Cert": value})
    assert (status, code.startswith("auth.certificate.")) == (401, True)


def test_a_header_that_stands_twice_is_refused(open_client: Open, office: Entity, workshop: Workshop) -> None:
    other = workshop.leaf("other", workshop.ca("root 2"))
    headers = [*shown(other).items(), *shown(office).items()]
    answer = open_client().get("/who", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "auth.certificate.header")


def test_the_fingerprint_of_a_certificate_just_seen_is_no_credential(open_client: Open, office: Entity) -> None:
    client = open_client()
    assert ask(client, shown(office)) == (200, "office")
    fingerprint = office.certificate.fingerprint_sha256
    for forged in (fingerprint, f"certificate\0{fingerprint}".encode().hex(), f"Bearer {fingerprint}"):
        assert ask(client, {"Authorization": forged})[0] == 401


def test_the_form_of_headers_that_the_proxy_does_not_speak_names_nobody(open_client: Open, office: Entity) -> None:
    client = open_client()
    for spoken in (
        {"X-Xinyin-Client-Verify": "NONE"},
        {"X-Xinyin-Client-Verify": "NONE", "X-Xinyin-Client-Cert": ""},
        shown(office),
    ):
        assert ask(client, spoken | standard(office)) == (401, "auth.certificate.header")


def test_certificates_that_stand_for_nobody_are_refused(
    open_client: Open, workshop: Workshop, database: Database, now: datetime
) -> None:
    root = workshop.ca("root")
    assert ask(open_client(), shown(workshop.leaf("x", root))) == (401, "auth.certificate.unknown")
    bound = workshop.leaf("y", root)
    grants = Grants(database, lambda: now)
    fingerprint = grants.bind(bound.certificate, application="y", scopes=["hsm:random"], actor="test").fingerprint
    grants.unbind(fingerprint, actor="test")
    assert ask(open_client(), shown(bound)) == (401, "auth.certificate.unknown")
    early = workshop.leaf("z", root, not_before=now + timedelta(days=1))
    grants.bind(early.certificate, application="z", scopes=["hsm:random"], actor="test")
    assert ask(open_client(), shown(early)) == (401, "auth.certificate.expired")


def test_a_certificate_has_the_scopes_it_was_bound_with(
    open_client: Open, workshop: Workshop, database: Database, now: datetime
) -> None:
    entity = workshop.leaf("signer", workshop.ca("root"))
    Grants(database, lambda: now).bind(entity.certificate, application="s", scopes=["hsm:sign"], actor="test")
    assert ask(open_client(), shown(entity)) == (403, "auth.scope")


def test_a_token_is_asked_about_once_in_a_while(open_client: Open, names: Names) -> None:
    client = open_client()
    for _ in range(5):
        assert ask(client, bearer("office")) == (200, "office")
    assert names.asked == 1
    for _ in range(2):
        assert ask(client, bearer("stranger")) == (401, "auth.token.missing")
    assert names.asked == 3
