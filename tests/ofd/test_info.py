"""``xinyin ofd info``."""

import json
from pathlib import Path

import typer
from typer.testing import CliRunner, Result

from ofd.cli import info
from ofd.cli.info import describe
from ofd.package.reader import Package, write_package

from support.ofd_samples import SIGNED_AT, unpack


def run(*arguments: object) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    info.add_to(app, lambda: SIGNED_AT)
    return CliRunner().invoke(app, ["info", *map(str, arguments)])


def test_a_document_is_described(tmp_path: Path, sealed: bytes) -> None:
    file = tmp_path / "a.ofd"
    file.write_bytes(sealed)
    result = run("--json", file)
    assert result.exit_code == 0
    description = json.loads(result.stdout)
    assert description == describe(sealed) == describe(Package(sealed))
    assert description["title"] == "营业执照"
    assert description["pages"] == 2
    assert description["page_sizes_mm"] == {"210 × 297": 2}
    assert set(description["fonts"].values()) == {"embedded"}
    assert description["signatures"] == {"s001": "Seal"}
    assert description["metadata"] == {"ZZMC": "营业执照", "CYZ": "某某有限公司"}
    assert description["attachments"] == {"metadata.xml": "none"}
    assert description["package"]["files"] == len(Package(sealed).names)
    assert description["parts"]["Doc_0/Pages/Page_0/Content.xml"] == "page"
    assert "warnings" not in description
    assert "营业执照" in run(file).stdout


def test_what_had_to_be_guessed_is_told(tmp_path: Path, sealed: bytes) -> None:
    files = unpack(sealed)
    files["OFD.xml"] = files["OFD.xml"].replace(b"Doc_0/Document.xml", b"doc_0\\Document.xml")
    file = tmp_path / "a.ofd"
    file.write_bytes(b"junk" + write_package(files))
    description = json.loads(run("--json", file).stdout)
    assert description["pages"] == 2
    assert description["package"]["refused_strictly"] == "ofd.package.not-zip"
    assert {item["code"] for item in description["warnings"]} == {"ofd.read.prefix", "ofd.read.path-case"}
    assert "ofd.read.prefix" in " ".join(run(file).stdout.split())


def test_names_cannot_steer_the_terminal(tmp_path: Path, document: bytes) -> None:
    files = unpack(document)
    files["OFD.xml"] = files["OFD.xml"].replace("营业执照".encode(), "\u202e\u009b2J".encode())
    file = tmp_path / "a.ofd"
    file.write_bytes(write_package(files))
    result = run(file)
    assert result.exit_code == 0
    assert "\u009b" not in result.stdout
    assert "\u202e" not in result.stdout


def test_what_cannot_be_described_is_told(tmp_path: Path, document: bytes) -> None:
    garbage = tmp_path / "a.ofd"
    garbage.write_bytes(b"%PDF-1.7")
    result = run(garbage)
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "ofd.package.not-zip" in result.stderr
    files = unpack(document)
    del files["OFD.xml"]
    garbage.write_bytes(write_package(files))
    assert run(garbage).exit_code == 1
    assert run(tmp_path / "none.ofd").exit_code == 64
    assert run(tmp_path).exit_code == 64
