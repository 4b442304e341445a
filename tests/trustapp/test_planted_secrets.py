"""No PIN, key or identity number gets out: the product is used and misused, and all it said is searched for them."""

import base64
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from support.portal import form_token, log_in
from support.serving import served
from support.workplace import Workplace

pytestmark = [pytest.mark.hsm, pytest.mark.slow]

_PLANTED_PIN = "Planted-PIN-7391-must-stay-inside"
_PLANTED_TEXT = b"planted letter 5820, for its reader's eyes alone"
_PAGES = {
    "admin": ["machines", "machines/machine-1", "machines/machine-2", "keys", "approvals", "events", "certificates"],
    "security": ["keys", "applications", "seals", "events"],
    "auditor": ["audit", "audit?after=check", "events"],
    "operator": ["licences", "seals"],
}
_ACTS = ("sign", "encrypt", "decrypt")
_READ_PRIVATE_VALUES = """
import sys, pkcs11
from pkcs11 import Attribute, ObjectClass
token_pin = sys.stdin.read().strip()
for token in pkcs11.lib(sys.argv[1]).get_tokens():
    if token.label.startswith("xinyin-"):
        session = token.open(user_pin=token_pin)
        for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.SECRET_KEY):
            for key in session.get_objects({Attribute.CLASS: kind}):
                try:
                    print(kind.name, key[Attribute.VALUE].hex())
                except pkcs11.PKCS11Error:
                    pass
"""
"""What whoever has the PIN and the files of a software token can do; the product's module hides these values."""


def _values(workplace: Workplace, pin: str, kind: str) -> set[bytes]:
    done = subprocess.run(
        [sys.executable, "-c", _READ_PRIVATE_VALUES, "/usr/lib/softhsm/libsofthsm2.so"],
        env={**os.environ, "SOFTHSM2_CONF": str(workplace.data / "tokens" / "softhsm2.conf")},
        input=pin, capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = [line.split() for line in done.stdout.splitlines()]
    return {bytes.fromhex(value) for found, value in lines if found == kind}


def _forms(secret: bytes) -> Iterator[bytes]:
    """How a secret could be written."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    yield repr(secret)[2:-1].encode()
    for shift in range(3):
        # The middle of its base64, wherever it stands in a longer text.
        encoded = base64.b64encode(bytes(shift) + secret)
        yield encoded[4:-4]
        yield encoded[4:-4].translate(bytes.maketrans(b"+/", b"-_"))
    if len(secret) >= 16:
        yield str(int.from_bytes(secret, "big")).encode()


def _found(secrets: dict[str, set[bytes]], places: dict[str, bytes]) -> list[tuple[str, str]]:
    return [
        (kind, place)
        for kind, values in secrets.items()
        for value in values
        for form in _forms(value)
        for place, content in places.items()
        if form in content
    ]


def test_the_search_finds_what_is_there() -> None:
    secret = bytes(range(100, 132))
    for form in _forms(secret):
        assert _found({"key": {secret}}, {"log": b"before " + form + b" after"})
    text = base64.b64encode(b"x" + secret + b"yz")
    assert _found({"key": {secret}}, {"log": text})
    assert not _found({"key": {secret}}, {"log": b"nothing of the kind"})


def test_no_secret_is_said_anywhere(workplace: Workplace, export: Callable[[int], Path], tmp_path: Path) -> None:
    rows = export(4)
    places: dict[str, bytes] = {}
    faults = tmp_path / "faults"
    faults.mkdir()
    workplace.environment |= {"XINYIN_LOG__LEVEL": "DEBUG", "SOFTGM_FAULTS": str(faults)}

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = workplace.run(*arguments)
        places[" ".join(arguments)] = (done.stdout + done.stderr).encode()
        return done

    assert command("demo", "--rows", str(rows), "--out", "demo").returncode == 0
    registered = ("sso", "client", "add", "planted", "--name", "planted")
    client_secret = workplace.run(*registered, *(f"--scope=hsm:{act}" for act in _ACTS)).stdout.split()[0]
    for algorithm in ("sm2", "sm4"):
        assert command("hsm", "key", "generate", f"planted-{algorithm}", "--algorithm", algorithm).returncode == 0
    grant = ("hsm", "gateway", "grant", "planted", "--keys", "planted-*")
    assert command(*grant, *(f"--operation={act}" for act in _ACTS)).returncode == 0
    with (tmp_path / "serve.log").open("w") as log, served(workplace, log=log) as address:
        for person, pages in _PAGES.items():
            _visit(workplace, address, person, pages, places)
        token = _use_the_gateway(address, client_secret, places)
        for path in ("/metrics", "/hsm/v1/machines", "/hsm/openapi.json", "/v/nothing", "/nothing"):
            places[path] = httpx2.get(f"{address}{path}").content
        (faults / "xinyin-2").write_text("0x30")
        for _ in range(3):
            places["/readyz with a machine down"] = httpx2.get(f"{address}/readyz", timeout=60).content
    for arguments in (["hsm", "machines"], ["hsm", "keys", "--json"], ["hsm", "selftest", "--json"], ["audit", "list"]):
        command(*arguments)
    (faults / "xinyin-2").unlink()

    pin_file = workplace.data / "secrets" / "hsm_pin"
    pin = pin_file.read_text().strip()
    pin_file.write_text(_PLANTED_PIN)
    assert command("hsm", "machines").returncode == 1
    refused = command("hsm", "selftest")
    assert refused.returncode == 1
    assert "hsm.pin.wrong" in refused.stderr
    command("--version")
    pin_file.write_text(pin)

    places["server log"] = (tmp_path / "serve.log").read_bytes()
    for file in workplace.data.glob("xinyin.db*"):
        places[file.name] = file.read_bytes()
    places["report"] = (workplace.out / "report.json").read_bytes()

    secrets = {
        "PIN": {pin.encode(), _PLANTED_PIN.encode()},
        "SM2 private value": _values(workplace, pin, "PRIVATE_KEY"),
        "SM4 key": _values(workplace, pin, "SECRET_KEY"),
        "client secret": {client_secret.encode()},
        "token": {token.encode()},
        "text": {_PLANTED_TEXT},
        "identity number": {number.encode() for number in _identity_numbers(rows)},
        "one-time password": set(_one_time_passwords(workplace).values()),
    }
    assert len(secrets["SM2 private value"]) >= 4
    assert len(secrets["identity number"]) == 4
    assert all(secrets.values())
    assert len(places["xinyin.db"]) > 100_000
    assert b"machine-2" in places["/metrics"]
    assert not _found(secrets, places)


def _use_the_gateway(address: str, client_secret: str, places: dict[str, bytes]) -> str:
    """Encrypt, decrypt and sign the planted text, rightly and wrongly; returns the token."""
    form = {"grant_type": "client_credentials"}
    granted = httpx2.post(f"{address}/sso/token", data=form, auth=("planted", client_secret))
    token = str(granted.json()["access_token"])
    headers = {"Authorization": f"Bearer {token}"}
    text = base64.b64encode(_PLANTED_TEXT).decode()

    def post(path: str, body: dict[str, object], *, status: int = 200) -> dict[str, str]:
        answer = httpx2.post(f"{address}/hsm/v1/{path}", json=body, headers=headers, timeout=60)
        assert answer.status_code == status, answer.text
        if "decrypt" not in path:
            places[f"{path} {len(places)}"] = answer.content
        answered: dict[str, str] = answer.json()
        return answered

    post("sign", {"key": "planted-sm2", "message_base64": text})
    sealed = post("encrypt", {"key": "planted-sm2", "plaintext_base64": text})["ciphertext_base64"]
    assert post("decrypt", {"key": "planted-sm2", "ciphertext_base64": sealed})["plaintext_base64"] == text
    sealed_sm4 = post("sm4/encrypt", {"key": "planted-sm4", "plaintext_base64": text})
    assert post("sm4/decrypt", {"key": "planted-sm4", **sealed_sm4})["plaintext_base64"] == text
    post("sign", {"key": "planted-sm2", "message_base64": f"{text}!"}, status=400)
    post("sign", {"key": "planted-sm2", "message_base64": [text]}, status=422)
    post("sign", {"key": "planted-sm2", "message": _PLANTED_TEXT.decode()}, status=422)
    post("sm4/encrypt", {"key": "planted-sm4", "plaintext_base64": text, "iv_base64": "AAAA"}, status=400)
    post("encrypt", {"key": "planted-nothing", "plaintext_base64": text}, status=404)
    return token


def _visit(workplace: Workplace, address: str, person: str, pages: list[str], places: dict[str, bytes]) -> None:
    passwords = {name: value.decode() for name, value in _one_time_passwords(workplace).items()}
    with httpx2.Client(base_url=address, headers={"Accept": "text/html"}, follow_redirects=True, timeout=60) as browser:
        log_in(browser, passwords, person)
        for page in pages:
            answer = browser.get(f"/admin/{page}")
            assert answer.status_code == 200
            places[f"{person} {page}"] = answer.content
        if person == "admin":
            token = form_token(browser.get("/admin/machines/machine-1").text)
            form = {"act": "probe", "form_token": token}
            places["probe"] = browser.post("/admin/machines/machine-1", data=form).content


def _identity_numbers(rows: Path) -> list[str]:
    return re.findall(r"(?<!\d)\d{17}[\dX](?!\d)", rows.read_text("utf-8"))


def _one_time_passwords(workplace: Workplace) -> dict[str, bytes]:
    text = (workplace.data / "secrets" / "administrator-passwords.txt").read_text()
    return {
        name: value.encode()
        for name, value in re.findall(r"^(admin|security|auditor|operator)\s+(\S+)", text, re.MULTILINE)
    }
