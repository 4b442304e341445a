"""What the viewer answers, and whom its server lets in."""

import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from ofd.fonts.library import installed_fonts
from ofd.model.document import Document
from ofd.package.reader import Package
from ofd.verify.document import examine
from ofd.viewer.answer import Responder
from ofd.viewer.responding import responder
from ofd.viewer.server import LocalServer
from ofd.viewer.view import DocumentView

from support.ofd_samples import VERIFIED_AT, Pki


@pytest.fixture
def respond(sealed: bytes, pki: Pki) -> Iterator[Responder]:
    with Document.open(sealed) as document:
        view = DocumentView(
            document, fonts=installed_fonts(), examine=lambda: examine(Package(sealed), pki.policy())
        )  # fmt: skip
        yield responder(view)


@pytest.fixture
def unverified(document: bytes) -> Iterator[Responder]:
    with Document.open(document) as opened:
        yield responder(DocumentView(opened, fonts=installed_fonts()))


def _json(respond: Responder, path: str, **query: str) -> Any:
    answer = respond(path, query)
    assert answer.media_type.startswith("application/json")
    return json.loads(answer.body)


def test_a_page_comes_with_its_text_and_where_its_seal_is(respond: Responder) -> None:
    about, page = _json(respond, "document.json"), _json(respond, "pages/0.json")
    assert (about["title"], about["pages"], about["verified"]) == ("营业执照", 2, True)
    assert page["lines"][0]["text"] == "营业执照"
    assert page["stamps"] == [{"signature": "s001", "box": [150, 230, 42, 42]}]


def test_the_report_says_who_sealed_by_signature(respond: Responder) -> None:
    report = _json(respond, "report.json")
    assert report["verdict"] == "valid"
    assert report["signatures"][0]["facts"]["seal_name"] == "某市市场监督管理局"


def test_a_search_goes_on_from_page_to_page(respond: Responder) -> None:
    found = _json(respond, "search.json", q="第二页")
    assert [hit["page"] for hit in found["hits"]] == [1]
    assert found["next"] is None
    assert _json(respond, "search.json", q="第二页", **{"from": "999999999999"})["hits"] != []


@pytest.mark.parametrize(
    "path", ["pages/2.json", "pages/2.svg", "pages/2/coverage.svg", "no", "../view.py", "viewer.py"]
)
def test_what_is_not_there_is_not_found(respond: Responder, path: str) -> None:
    answer = respond(path, {})
    assert answer.status == 404
    assert json.loads(answer.body)["code"]


@pytest.mark.parametrize("keyword", ["", "   "])
def test_a_search_for_nothing_is_refused(respond: Responder, keyword: str) -> None:
    assert respond("search.json", {"q": keyword}).status == 422


def test_without_trust_nothing_is_said_of_seals(unverified: Responder) -> None:
    assert _json(unverified, "document.json")["verified"] is False
    for path in ("report.json", "pages/0/coverage.svg"):
        assert _json(unverified, path)["code"] == "ofd.viewer.not-verified"


@pytest.fixture
def server(respond: Responder) -> Iterator[LocalServer]:
    opened = LocalServer(respond)
    thread = threading.Thread(target=opened.serve)
    thread.start()
    yield opened
    opened.stop()
    thread.join()
    opened.close()


def _get(server: LocalServer, path: str, host: str | None = None) -> tuple[int, str | None, bytes]:
    place = urlsplit(server.address)
    assert place.hostname is not None
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=10)
    try:
        connection.request("GET", path, headers={} if host is None else {"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Security-Policy"), answer.read()
    finally:
        connection.close()


def test_the_server_answers_below_its_secret_path_only(server: LocalServer) -> None:
    secret = urlsplit(server.address).path
    assert _get(server, secret)[0] == 200
    assert _get(server, f"{secret}search.json?q={quote('营业')}")[0] == 200
    for path in ("/", "/document.json", secret[:-2] + "/document.json", secret[:-1]):
        assert _get(server, path)[0] == 404


def test_a_request_that_cannot_be_read_is_refused(server: LocalServer) -> None:
    many = "&".join(f"a{number}=1" for number in range(30))
    assert _get(server, f"{urlsplit(server.address).path}?{many}")[0] == 400


def test_a_name_turned_to_this_machine_gets_nothing(server: LocalServer) -> None:
    assert _get(server, urlsplit(server.address).path, host="attacker.example")[0] == 404


def test_every_answer_forbids_foreign_scripts(server: LocalServer) -> None:
    _, policy, _ = _get(server, urlsplit(server.address).path)
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


_VIEW = """
import sys
from datetime import datetime
from pathlib import Path
from ofd.cli.app import build_cli
build_cli(lambda: datetime.fromisoformat(sys.argv[1]))(sys.argv[2:])
"""


@pytest.mark.slow
def test_the_report_is_about_the_file_that_is_shown(sealed: bytes, pki: Pki, tmp_path: Path) -> None:
    """Somebody puts another document in the place of the one that was opened."""
    shown, trust = tmp_path / "shown.ofd", tmp_path / "root.pem"
    shown.write_bytes(Package(sealed).with_files({"Doc_0/PublicRes.xml": b"<changed/>"}))
    trust.write_bytes(pki.root.certificate.pem)
    options = [VERIFIED_AT.isoformat(), "view", str(shown), "--trust", str(trust), "--no-open"]
    with subprocess.Popen([sys.executable, "-c", _VIEW, *options], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            address = urlsplit(child.stdout.readline().split()[0])
            (tmp_path / "other.ofd").write_bytes(sealed)
            (tmp_path / "other.ofd").replace(shown)
            with closing(http.client.HTTPConnection(address.netloc, timeout=20)) as connection:
                connection.request("GET", f"{address.path}report.json")
                report = json.loads(connection.getresponse().read())
        finally:
            child.terminate()
    assert report["verdict"] == "invalid"
