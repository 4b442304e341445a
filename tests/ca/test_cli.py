"""``xinyin ca …``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from ca.cli import build_cli
from ca.service import CaService
from trustcore.errors import NotFoundError, RejectedError
from trustcore.x509.certificate import Certificate
from trustcore.x509.crl import load_crl

from support.authority import Office, serial


@pytest.fixture
def cli(office: Office) -> Typer:
    @contextmanager
    def opened() -> Iterator[CaService]:
        yield office.another_process()

    return build_cli(opened)


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")


def run(cli: Typer, *arguments: str | Path) -> str:
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_the_same_file_gives_the_same_certificate(cli: Typer, office: Office, tmp_path: Path) -> None:
    (tmp_path / "csr").write_bytes(office.request())
    first = run(cli, "issue", tmp_path / "csr")
    certificate = Certificate.from_pem(first)
    assert certificate.is_issued_by(office.authority("sm2-issuing"))
    assert run(cli, "issue", tmp_path / "csr") == first
    other = run(cli, "issue", tmp_path / "csr", "--authority", "rsa-issuing", "--profile", "seal-maker")
    assert Certificate.from_pem(other).is_issued_by(office.authority("rsa-issuing"))


def test_a_file_that_cannot_be_read_or_used_is_named(cli: Typer, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as refused:
        run(cli, "issue", tmp_path / "none.csr")
    assert refused.value.code == "ca.csr.file"
    assert "none.csr" in refused.value.detail


def test_lists_show_authorities_and_certificates(cli: Typer, office: Office) -> None:
    certificate = office.issue()
    authorities = run(cli, "authorities")
    assert all(name in authorities for name in ("sm2-root", "sm2-issuing", "rsa-root", "rsa-issuing"))
    listed = run(cli, "list", "--limit", "1")
    assert serial(certificate) in listed
    assert "document-signer" in listed
    view = office.service.certificates(limit=1)[0]
    assert serial(certificate) not in run(cli, "list", "--before", str(view.id))


def test_revoking_publishes_a_list_that_names_the_certificate(cli: Typer, office: Office, tmp_path: Path) -> None:
    certificate = office.issue()
    run(cli, "revoke", "sm2-issuing", serial(certificate).upper(), "--reason", "4")
    run(cli, "crl", "sm2-issuing", "--out", tmp_path / "list.crl")
    entry = load_crl((tmp_path / "list.crl").read_bytes()).lookup(certificate.serial_number)
    assert entry is not None
    assert entry.reason == 4
    assert "revoked" in run(cli, "list", "--limit", "1")


@pytest.mark.parametrize("reason", ["7", "11", "-1", "x"])
def test_a_reason_that_does_not_exist_is_wrong_usage(cli: Typer, office: Office, reason: str) -> None:
    result = CliRunner().invoke(cli, ["revoke", "sm2-issuing", serial(office.issue()), "--reason", reason])
    assert result.exit_code == 2
    assert office.service.certificates(limit=1)[0].state == "good"


def test_a_hold_is_refused(cli: Typer, office: Office) -> None:
    with pytest.raises(RejectedError):
        run(cli, "revoke", "sm2-issuing", serial(office.issue()), "--reason", "6")


def test_a_list_that_cannot_be_written_is_named(cli: Typer, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as refused:
        run(cli, "crl", "sm2-issuing", "--out", tmp_path / "no" / "list.crl")
    assert refused.value.code == "ca.crl.file"
