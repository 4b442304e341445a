"""``xinyin pdf`` and ``xinyin seal``."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from ofd.ses.structure import Seal
from seal_service.cli import build_cli, build_pdf_cli
from seal_service.service import SealService

from support.seal_suite import Suite, make_pdf

RUNNER = CliRunner()


@pytest.fixture
def files(shared: Suite, tmp_path: Path) -> Path:
    sealed = shared.service.stamp_pdf(shared.seal.id, make_pdf(), form="pades")
    (tmp_path / "good.pdf").write_bytes(sealed)
    (tmp_path / "bad.pdf").write_bytes(sealed + b"more")
    (tmp_path / "plain.txt").write_bytes(b"text")
    for family in ("rsa", "sm2"):
        (tmp_path / f"{family}.pem").write_bytes(shared.ca.root(family).pem)
    (tmp_path / "list.crl").write_bytes(shared.ca.crl("rsa-issuing"))
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["good.pdf", "--trust", "rsa.pem"], 0),
        (["good.pdf", "--trust", "rsa.pem", "--crl", "list.crl", "--trust", "sm2.pem"], 0),
        (["bad.pdf", "--trust", "rsa.pem"], 1),
        (["good.pdf", "--trust", "sm2.pem"], 2),
        (["none.pdf", "--trust", "rsa.pem"], 64),
        (["good.pdf", "--trust", "plain.txt"], 64),
        (["good.pdf", "--trust", "rsa.pem", "--crl", "plain.txt"], 64),
        (["good.pdf", "--trust", "rsa.pem", "--at", "yesterday"], 64),
        (["good.pdf", "--trust", "rsa.pem", "--at", "2020-01-01T00:00:00Z"], 1),
    ],
    ids=range(9),
)
def test_the_exit_status_tells_the_verdict(shared: Suite, files: Path, arguments: list[str], status: int) -> None:
    paths = [str(files / word) if "." in word and not word.startswith("-") else word for word in arguments]
    result = RUNNER.invoke(build_pdf_cli(shared.clock), ["verify", *paths])
    assert result.exit_code == status, result.output


def test_the_report_is_printed_as_json(shared: Suite, files: Path) -> None:
    arguments = ["verify", "--json", "--trust", str(files / "rsa.pem"), str(files / "good.pdf")]
    report = json.loads(RUNNER.invoke(build_pdf_cli(shared.clock), arguments).stdout)
    assert (report["verdict"], report["file"]) == ("valid", "good.pdf")
    assert report["steps"][0]["code"] == "pdf.read"


@pytest.fixture
def seal_cli(suite: Suite) -> Typer:
    @contextmanager
    def opened() -> Iterator[SealService]:
        yield suite.service

    return build_cli(opened)


def test_seals_are_listed_shown_and_their_state_changed(suite: Suite, seal_cli: Typer, tmp_path: Path) -> None:
    listed = json.loads(RUNNER.invoke(seal_cli, ["list", "--json"]).stdout)
    assert [seal["id"] for seal in listed] == [suite.seal.id]
    assert RUNNER.invoke(seal_cli, ["show", suite.seal.id, "--out", str(tmp_path / "seal")]).exit_code == 0
    assert Seal.parse((tmp_path / "seal" / "seal.esl").read_bytes()).info.seal_code == suite.seal.id
    assert sorted(path.name for path in (tmp_path / "seal").iterdir()) == ["seal.esl", "seal.png", "seal.svg"]
    for verb, state in (("suspend", "suspended"), ("resume", "active"), ("revoke", "revoked")):
        assert RUNNER.invoke(seal_cli, [verb, suite.seal.id]).exit_code == 0
        assert suite.service.seal(suite.seal.id).state == state
