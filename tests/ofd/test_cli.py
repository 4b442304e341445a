import json
from datetime import datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ofd.cli.app import build_cli
from trustcore.crypto.digests import sha256, sm3

from support.ofd_samples import VERIFIED_AT, Pki


def clock() -> datetime:
    return VERIFIED_AT


@pytest.fixture
def root(tmp_path: Path, pki: Pki) -> Path:
    path = tmp_path / "root.pem"
    path.write_bytes(pki.root.certificate.pem)
    return path


@pytest.fixture
def file(tmp_path: Path, sealed: bytes) -> Path:
    path = tmp_path / "licence.ofd"
    path.write_bytes(sealed)
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(build_cli(clock), [str(argument) for argument in arguments])


def test_a_valid_document_exits_with_zero_and_a_report(root: Path, file: Path, sealed: bytes) -> None:
    result = run("verify", "--json", "--trust", root, file)
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert report["verdict"] == "valid"
    assert (report["file"], report["sha256"], report["sm3"]) == (
        "licence.ofd",
        sha256(sealed).hex(),
        sm3(sealed).hex(),
    )
    assert report["facts"]["seal_name"] == "某市市场监督管理局"


def test_a_changed_document_exits_with_one(root: Path, file: Path, document: bytes) -> None:
    file.write_bytes(document)
    result = run("verify", "--trust", root, file)
    assert result.exit_code == 1
    assert "无效 NOT VALID" in result.stdout


def test_a_document_without_known_root_exits_with_two(tmp_path: Path, file: Path, pki: Pki) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(pki.stranger.certificate.pem)
    assert run("verify", "--trust", other, file).exit_code == 2


def test_the_moment_may_be_given(root: Path, file: Path) -> None:
    assert run("verify", "--trust", root, "--at", "2030-01-16T00:00:00Z", file).exit_code == 0
    assert run("verify", "--trust", root, "--at", "2030-01-14T00:00:00+08:00", file).exit_code == 1


def test_revocation_lists_may_be_given(tmp_path: Path, root: Path, file: Path, pki: Pki) -> None:
    crl = tmp_path / "issuing.crl"
    crl.write_bytes(pki.crls[1])
    assert run("verify", "--trust", root, "--crl", crl, file).exit_code == 0


def test_wrong_usage_is_told_in_a_sentence(tmp_path: Path, root: Path, file: Path) -> None:
    for arguments in (
        ("--trust", root, tmp_path / "none.ofd"),
        ("--trust", tmp_path / "none.pem", file),
        ("--trust", file, file),
        ("--trust", root, "--crl", file, file),
        ("--trust", root, "--at", "yesterday", file),
        ("--trust", root, "--at", "2030-01-16T00:00:00", file),
        ("--trust", root, tmp_path),
    ):
        result = run("verify", *arguments)
        assert result.exit_code == 64, arguments
        assert len(result.stderr.strip().splitlines()) == 1


def test_a_document_is_described(file: Path) -> None:
    result = run("info", "--json", file)
    assert result.exit_code == 0
    description = json.loads(result.stdout)
    assert (description["title"], description["pages"]) == ("营业执照", 2)
    assert description["signatures"] == {"s001": "Seal"}
    assert "营业执照" in run("info", file).stdout


def test_what_cannot_be_described_is_told(root: Path) -> None:
    result = run("info", root)
    assert result.exit_code == 1
    assert "ofd.package.not-zip" in result.stderr
