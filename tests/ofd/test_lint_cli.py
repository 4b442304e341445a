"""The commands lint, repair, diff and protect."""

import json
from datetime import datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from ofd.cli import diff, lint, protect, repair
from ofd.package.reader import write_package
from ofd.sign.seal import Protection
from trustcore.asn1 import encoder
from trustcore.crypto import sm2
from trustcore.crypto.software import SoftwareSigner

from support.ofd_samples import SIGNED_AT, VERIFIED_AT, Pki, issue, make_keys, sample_document, seal_document, unpack


def clock() -> datetime:
    return VERIFIED_AT


def run(*arguments: object) -> Result:
    app = typer.Typer()
    for command in (lint, repair, diff, protect):
        command.add_to(app, clock)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.ofd"
    path.write_bytes(sample_document())
    return path


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A document that only lenient readers read."""
    path = tmp_path / "odd.ofd"
    files = unpack(sample_document())
    name = "Doc_0/Document.xml"
    files[name] = (
        files[name].replace(b"Pages/Page_0", rb"Pages\Page_0").replace(b"<ofd:MaxUnitID>", b"<ofd:MaxUnitID>0")
    )
    path.write_bytes(write_package(files))
    return path


def key_file(path: Path, private: bytes) -> Path:
    """An SM2 key as ECPrivateKey (RFC 5915)."""
    curve = encoder.explicit(0, encoder.oid("1.2.156.10197.1.301"))
    der = encoder.sequence(encoder.integer(1), encoder.octet_string(private), curve)
    path.write_bytes(der)
    return path


@pytest.fixture
def person(tmp_path: Path, pki: Pki) -> tuple[Path, Path]:
    """Certificate and key files of somebody who can decrypt."""
    keys = make_keys()
    holder = issue(keys, "Reader", issuer=pki.issuing, serial=61, usages=("keyEncipherment", "digitalSignature"))
    signer = holder.signer
    assert isinstance(signer, SoftwareSigner)
    assert isinstance(signer._key, bytes)
    certificate = tmp_path / "reader.pem"
    certificate.write_bytes(holder.certificate.pem + pki.issuing.certificate.pem)
    assert sm2.public_point(holder.certificate.public_key_der)
    return certificate, key_file(tmp_path / "reader.key", signer._key)


def test_lint_answers_with_its_exit_status(file: Path, odd: Path, tmp_path: Path) -> None:
    assert run("lint", file).exit_code == 0
    found = run("lint", odd)
    assert found.exit_code == 1
    assert "ofd.lint.link.lenient" in found.stdout
    report = json.loads(run("lint", "--json", odd).stdout)
    assert {item["code"] for item in report["findings"]} == {"ofd.lint.link.lenient"}
    (tmp_path / "none").write_bytes(b"no package")
    assert run("lint", tmp_path / "none").exit_code == 2
    assert run("lint", tmp_path / "missing").exit_code == 64
    assert run("lint").exit_code == 64
    assert "ofd.archive.font" in run("lint", "--rules").stdout
    assert "ofd.archive.doc-type" in run("lint", "--profile", "ofd-a", file).stdout


def test_repair_writes_a_document_that_lint_likes(odd: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.ofd"
    mended = run("repair", odd, "--out", out)
    assert mended.exit_code == 0, mended.output
    assert "ofd.lint.link.lenient" in mended.stdout
    assert run("lint", out).exit_code == 0
    assert json.loads(run("repair", out, "--out", out, "--json").stdout)["done"] == []


def test_repair_for_the_archive_keeps_what_it_takes_out(tmp_path: Path) -> None:
    files = {name: data.replace(b'Format="xml"', b'Format="doc"') for name, data in unpack(sample_document()).items()}
    source, out, beside = tmp_path / "a.ofd", tmp_path / "b.ofd", tmp_path / "beside"
    source.write_bytes(write_package(files))
    assert run("repair", source, "--archive", "--out", out).exit_code == 64
    assert not out.exists()
    assert run("repair", source, "--archive", "--out", out, "--moved-out", beside).exit_code == 0
    assert [path.read_bytes() for path in beside.rglob("*") if path.is_file()] == [b"<metadata/>"]
    assert run("lint", "--profile", "ofd-a", out).exit_code == 0


def test_repair_refuses_a_sealed_document(tmp_path: Path, sealed: bytes) -> None:
    source, out = tmp_path / "a.ofd", tmp_path / "b.ofd"
    source.write_bytes(sealed)
    result = run("repair", source, "--out", out)
    assert result.exit_code == 1
    assert "ofd.repair.signed" in result.output
    assert not out.exists()
    assert run("repair", source, "--out", out, "--annotate-seals").exit_code == 64
    beside = tmp_path / "beside"
    options = ("--archive", "--annotate-seals", "--moved-out", beside)
    assert run("repair", source, "--out", out, *options).exit_code == 0
    assert (beside / "Doc_0/Signs/Sign_0/SignedValue.dat").exists()
    assert run("lint", "--profile", "ofd-a", out).exit_code == 0


def test_diff_tells_and_draws_what_differs(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "b.ofd"
    other.write_bytes(sample_document("另一个标题"))
    assert run("diff", file, file).exit_code == 0
    result = run("diff", file, other, "--pictures", tmp_path / "pictures", "--dpi", 50)
    assert result.exit_code == 1
    assert "营业执照" in result.stdout
    assert "另一个标题" in result.stdout
    assert (tmp_path / "pictures" / "page_1.png").read_bytes().startswith(b"\x89PNG")
    answer = json.loads(run("diff", "--json", "--parts-only", file, other).stdout)
    assert not answer["same"]
    assert run("diff", file).exit_code == 64


def test_diff_since_a_signature_shows_what_came_later(tmp_path: Path, pki: Pki) -> None:
    first = seal_document(pki, sample_document(), protection=Protection.CONTINUE)
    path = tmp_path / "a.ofd"
    path.write_bytes(first)
    assert run("diff", path, "--since", "s001").exit_code == 0
    path.write_bytes(seal_document(pki, first, protection=Protection.CONTINUE))
    later = run("diff", path, "--since", "s001")
    assert later.exit_code == 1
    assert "Doc_0/Signs/Sign_1/Signature.xml" in later.stdout
    assert run("diff", path, "--since", "s999").exit_code == 1


def test_encrypted_for_a_certificate_and_back(file: Path, tmp_path: Path, person: tuple[Path, Path]) -> None:
    certificate, key = person
    hidden, shown = tmp_path / "hidden.ofd", tmp_path / "shown.ofd"
    assert run("protect", "encrypt", file, "--to", certificate, "--out", hidden).exit_code == 0
    assert run("protect", "recipients", hidden).stdout == "Reader\n"
    options = ("--certificate", certificate, "--key", key)
    assert run("protect", "decrypt", hidden, "--out", shown, *options).exit_code == 0
    assert unpack(shown.read_bytes()) == unpack(sample_document())
    other = key_file(tmp_path / "other.key", sm2.generate()[0])
    wrong = run("protect", "decrypt", hidden, "--out", shown, "--certificate", certificate, "--key", other)
    assert wrong.exit_code == 1
    assert "ofd.encryption.wrong-key" in wrong.output
    assert run("protect", "encrypt", file, "--out", hidden).exit_code == 64


def test_encrypted_by_a_password_and_back(file: Path, tmp_path: Path) -> None:
    hidden, shown, secret = tmp_path / "hidden.ofd", tmp_path / "shown.ofd", tmp_path / "secret"
    secret.write_text("口令 12345\n")
    assert run("protect", "encrypt", file, "--weak-password-file", secret, "--out", hidden).exit_code == 0
    assert run("protect", "decrypt", hidden, "--document-password-file", secret, "--out", shown).exit_code == 0
    assert unpack(shown.read_bytes()) == unpack(sample_document())


def test_the_list_of_files_is_written_and_verified(
    file: Path, tmp_path: Path, person: tuple[Path, Path], pki: Pki
) -> None:
    certificate, key = person
    listed, root = tmp_path / "listed.ofd", tmp_path / "root.pem"
    root.write_bytes(pki.root.certificate.pem)
    options = ("--certificate", certificate, "--key", key)
    assert run("protect", "list", file, "--out", listed, *options).exit_code == 0
    crls = []
    for number, crl in enumerate(pki.crls):
        path = tmp_path / f"{number}.crl"
        path.write_bytes(crl)
        crls += ["--crl", path]
    result = run("protect", "check", listed, "--trust", root, *crls)
    assert result.exit_code == 0, result.output
    listed.write_bytes(write_package(unpack(listed.read_bytes()) | {"more.txt": b"?"}))
    assert run("protect", "check", listed, "--trust", root, *crls).exit_code == 1
    assert SIGNED_AT < VERIFIED_AT
