"""``xinyin ofd sign``: with a key from a file, and in two phases with OpenSSL as the machine elsewhere."""

import json
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from typer.testing import CliRunner, Result

from ofd.cli.app import build_cli
from ofd.package.reader import Package
from ofd.ses.structure import Generation, SealSignature
from ofd.sign.parts import SignatureDescription, read_signature, read_signature_list
from ofd.sign.plain import PlainSignature, Shape
from ofd.verify.document import verify
from trustcore.crypto.key_files import load_signer
from trustcore.report import Verdict
from trustcore.x509.tsp import TimeStampRequest, TstInfo, build_token, granted, message_imprint

from support.ofd_holders import certified
from support.ofd_samples import SIGNED_AT, Holder, Pki, make_seal, make_token, unpack

SIGNS = "Doc_0/Signs/"
LATER = SIGNED_AT + timedelta(days=3)


def clock() -> datetime:
    return SIGNED_AT


def run(*arguments: object) -> Result:
    return CliRunner().invoke(build_cli(clock), ["sign", *map(str, arguments)])


def openssl(*arguments: object) -> bytes:
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=True).stdout


@pytest.fixture(scope="session")
def key_pem() -> bytes:
    return openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2")


@pytest.fixture(scope="session")
def holder(key_pem: bytes) -> Holder:
    return certified(load_signer(key_pem), serial=200)


@pytest.fixture
def folder(tmp_path: Path, pki: Pki, document: bytes, holder: Holder, key_pem: bytes) -> Path:
    """Everything that the commands read."""
    files = {
        "document.ofd": document,
        "seal.esl": make_seal(pki, signers=[holder]),
        "key.pem": key_pem,
        "signer.pem": holder.certificate.pem + pki.issuing.certificate.pem,
        "root.crl": pki.crls[0],
        "issuing.crl": pki.crls[1],
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def carried(folder: Path) -> list[object]:
    return ["--crl", folder / "root.crl", "--crl", folder / "issuing.crl"]


def seal(folder: Path, *arguments: object) -> Result:
    return run(
        "seal", folder / "document.ofd", "--seal", folder / "seal.esl", "--certificate", folder / "signer.pem",
        *carried(folder), *arguments,
    )  # fmt: skip


def with_key(folder: Path, out: str = "out.ofd") -> list[object]:
    return ["--key", folder / "key.pem", "--out", folder / out]


def described(file: Path, index: int = 0) -> SignatureDescription:
    name = f"{SIGNS}Sign_{index}/Signature.xml"
    return read_signature(unpack(file.read_bytes())[name], name=name)


def test_a_document_is_sealed_with_a_key_from_a_file(folder: Path, pki: Pki) -> None:
    result = seal(folder, *with_key(folder), "--at", "100,200", "--pages", "2")
    assert result.exit_code == 0, result.output
    out = folder / "out.ofd"
    report = verify(out.read_bytes(), pki.policy(at=LATER))
    assert report.verdict is Verdict.VALID, report.problems
    assert [stamp.boundary for stamp in described(out).stamps] == ["100 200 42 42"]


@pytest.mark.parametrize(
    ("options", "stamps"),
    [
        (["--anchor", "bottom-right"], [("148 235 42 42", None)]),
        (["--anchor", "centre", "--pages", "1-2", "--size", "20,10"], [("95 143.5 20 10", None)] * 2),
        (["--riding", "right"], [("189 127.5 42 42", "0 0 21 42"), ("168 127.5 42 42", "21 0 21 42")]),
        (["--facing", "--size", "40,40"], [("190 128.5 40 40", "0 0 20 40"), ("-20 128.5 40 40", "20 0 20 40")]),
    ],
    ids=["anchor", "pages", "riding", "facing"],
)
def test_seals_stand_where_the_options_say(folder: Path, options: list[str], stamps: list[tuple[str, str]]) -> None:
    assert seal(folder, *with_key(folder), *options).exit_code == 0
    assert [(stamp.boundary, stamp.clip) for stamp in described(folder / "out.ofd").stamps] == stamps


def test_a_seal_stands_over_a_keyword(folder: Path) -> None:
    assert seal(folder, *with_key(folder), "--keyword", "有限公司", "--hit", "1").exit_code == 0
    (stamp,) = described(folder / "out.ofd").stamps
    x, y, width, height = map(float, stamp.boundary.split())
    assert 20 < x + width / 2 < 100
    assert y + height / 2 == pytest.approx(60, abs=6)
    missing = seal(folder, *with_key(folder), "--keyword", "没有这个词")
    assert missing.exit_code == 1
    assert "ofd.seal.keyword" in missing.stderr


def test_two_phases_with_a_machine_elsewhere(folder: Path, pki: Pki, holder: Holder) -> None:
    prepared = seal(folder, "--prepare", folder / "prepared", "--at", "10,10")
    assert prepared.exit_code == 0, prepared.output
    openssl(
        "pkeyutl", "-sign", "-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678",
        "-inkey", folder / "key.pem", "-in", folder / "prepared.tbs", "-out", folder / "signature",
    )  # fmt: skip
    digest = bytes.fromhex(prepared.stdout.strip())
    assert len(digest) == 32
    complete = ["complete", folder / "document.ofd", folder / "prepared.json", "--certificate", folder / "signer.pem"]
    done = run(*complete, "--signature", folder / "signature", "--out", folder / "out.ofd")
    assert done.exit_code == 0, done.output
    assert verify((folder / "out.ofd").read_bytes(), pki.policy(at=LATER)).verdict is Verdict.VALID
    signature = holder.signer.sign_digest(digest)
    (folder / "signature").write_bytes(signature)
    (folder / "token").write_bytes(granted(make_token(pki, signature, at=SIGNED_AT)))
    stamped = run(*complete, "-s", folder / "signature", "--token", folder / "token", "-o", folder / "stamped.ofd")
    assert stamped.exit_code == 0, stamped.output
    report = verify((folder / "stamped.ofd").read_bytes(), pki.policy(at=LATER))
    assert report.facts["signed_at_proven"] == "true"
    other = run("complete", folder / "out.ofd", *complete[2:], "-s", folder / "signature", "-o", folder / "x.ofd")
    assert (other.exit_code, (folder / "x.ofd").exists()) == (1, False)


@pytest.mark.parametrize("shape", ["attributes", "digest"])
def test_a_document_is_signed_without_a_seal(folder: Path, shape: str) -> None:
    common = [folder / "document.ofd", "--certificate", folder / "signer.pem", "--shape", shape, "--continue"]
    result = run("plain", *common, *with_key(folder))
    assert result.exit_code == 0, result.output
    files = unpack((folder / "out.ofd").read_bytes())
    description = described(folder / "out.ofd")
    plain = PlainSignature.parse(files[description.signed_value], signature_method=description.signature_method)
    assert plain.shape is Shape(shape)
    assert plain.is_over(files[f"{SIGNS}Sign_0/Signature.xml"])
    assert len(plain.certificates) == 2
    prepared = run("plain", *common, "--prepare", folder / "prepared")
    assert prepared.exit_code == 0
    signer = load_signer((folder / "key.pem").read_bytes())
    (folder / "signature").write_bytes(signer.sign((folder / "prepared.tbs").read_bytes()))
    done = run(
        "complete", folder / "document.ofd", folder / "prepared.json", "-s", folder / "signature", "-o",
        folder / "elsewhere.ofd",
    )  # fmt: skip
    assert done.exit_code == 0, done.output


def test_a_newer_generation_is_asked_for(folder: Path) -> None:
    assert seal(folder, *with_key(folder), "--anchor", "centre", "--v5").exit_code == 0
    value = unpack((folder / "out.ofd").read_bytes())[f"{SIGNS}Sign_0/SignedValue.dat"]
    assert SealSignature.parse(value).generation is Generation.V5


# With a time-stamping authority


@pytest.fixture
def tsa(pki: Pki) -> Iterator[str]:
    """Address of an authority; below ``/stale`` it answers another request."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = TimeStampRequest.from_der(self.rfile.read(int(self.headers["Content-Length"])))
            assert request.algorithm is not None
            stale = message_imprint(request.algorithm, bytes(32))
            info = TstInfo(
                policy="1.2.3",
                imprint_der=stale if self.path == "/stale" else request.imprint_der,
                serial_number=1,
                gen_time=SIGNED_AT,
                accuracy_seconds=1,
                nonce_der=None if self.path == "/no-nonce" else request.nonce_der,
            )
            certificate = pki.tsa.certificate
            token = build_token(info, signer=pki.tsa.signer, certificate=certificate, certificates=[certificate.der])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(granted(token))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the library
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_authority_stamps_seals_and_signatures(folder: Path, pki: Pki, tsa: str) -> None:
    sealed = seal(folder, *with_key(folder), "--anchor", "centre", "--tsa", tsa)
    assert sealed.exit_code == 0, sealed.output
    report = verify((folder / "out.ofd").read_bytes(), pki.policy(at=LATER))
    assert report.verdict is Verdict.VALID, report.problems
    assert report.facts["signed_at_proven"] == "true"
    plain = run(
        "plain", folder / "document.ofd", "--certificate", folder / "signer.pem", *with_key(folder), "--tsa", tsa
    )
    assert plain.exit_code == 0, plain.output


@pytest.mark.parametrize("path", ["/stale", "/no-nonce"])
def test_an_answer_to_another_request_is_refused(folder: Path, tsa: str, path: str) -> None:
    result = seal(folder, *with_key(folder), "--anchor", "centre", "--tsa", tsa + path)
    assert result.exit_code == 1
    assert "ofd.seal.timestamp-wrong" in result.stderr
    assert not (folder / "out.ofd").exists()


def test_a_sealed_document_is_archived(folder: Path, pki: Pki, tsa: str) -> None:
    assert seal(folder, *with_key(folder, "sealed.ofd"), "--anchor", "centre", "--continue").exit_code == 0
    (folder / "chain.pem").write_bytes(pki.issuing.certificate.pem + pki.tsa.certificate.pem)
    common = ["archive", folder / "sealed.ofd", "--chain", folder / "chain.pem", *carried(folder)]
    result = run(*common, "--tsa", tsa, "--out", folder / "archived.ofd")
    assert result.exit_code == 0, result.output
    listed = read_signature_list(Package((folder / "archived.ofd").read_bytes()), f"{SIGNS}Signatures.xml")
    assert [item.relative for item in listed] == [None, "s001"]
    prepared = run(*common, "--prepare", folder / "prepared", "--relative", "s001")
    assert prepared.exit_code == 0, prepared.output
    request = TimeStampRequest.from_der((folder / "prepared.tbs").read_bytes())
    assert request.digest.hex() == prepared.stdout.strip()
    info = TstInfo(
        policy="1.2.3", imprint_der=request.imprint_der, serial_number=1, gen_time=SIGNED_AT, accuracy_seconds=1
    )
    token = build_token(info, signer=pki.tsa.signer, certificate=pki.tsa.certificate)
    (folder / "token").write_bytes(token)
    complete = ["complete", folder / "sealed.ofd", folder / "prepared.json", "--out", folder / "done.ofd"]
    assert run(*complete, "--token", folder / "token").exit_code == 0
    assert run(*complete).exit_code == 64
    assert run("archive", folder / "document.ofd", "--tsa", tsa, "--out", folder / "x.ofd").exit_code == 1


def test_wrong_usage_is_told(folder: Path) -> None:
    at = ["--at", "1,2"]
    key = with_key(folder)
    for arguments in (
        at,
        [*at, *key, "--prepare", folder / "p"],
        [*at, "--key", folder / "key.pem"],
        [*at, "--prepare", folder / "p", "--tsa", "http://127.0.0.1"],
        [*at, *key, "--tsa", "ftp://127.0.0.1"],
        [*at, *key, "--tsa", "http://127.0.0.1:1"],
        key,
        [*key, "--at", "1"],
        [*key, "--at", "1,x"],
        [*key, *at, "--size", "3"],
        [*key, *at, "--pages", "3"],
        [*key, "--keyword", "公司", "--hit", "0"],
        [*key, *at, "--time", "yesterday"],
        [*key, *at, "--chain", folder / "absent.pem"],
    ):
        result = seal(folder, *arguments)
        assert result.exit_code == 64, (arguments, result.output)
        assert not (folder / "out.ofd").exists()
    prepared = seal(folder, "--prepare", folder / "prepared", *at)
    assert prepared.exit_code == 0
    complete = ["complete", folder / "document.ofd", folder / "prepared.json", "--out", folder / "out.ofd"]
    assert run(*complete).exit_code == 64
    assert run(*complete, "--signature", folder / "key.pem").exit_code == 64
    assert run("archive", folder / "document.ofd").exit_code == 64


def test_refusals_are_told_with_their_code(folder: Path) -> None:
    stored = json.dumps({"format": "other"}).encode()
    (folder / "wrong.json").write_bytes(stored)
    (folder / "garbage").write_bytes(b"garbage")
    genuine = (folder / "seal.esl").read_bytes()
    (folder / "forged.esl").write_bytes(genuine.replace("某市".encode(), "某县".encode()))
    for arguments, code in (
        (["--at", "1,2", "--key", folder / "garbage"], "crypto.key-file"),
        (["--at", "1,2", "--key", folder / "key.pem", "--seal", folder / "garbage"], "asn1."),
        (["--at", "1,2", "--key", folder / "key.pem", "--time", "2050-01-01T00:00:00Z"], "ofd.seal.outside-period"),
        (["--at", "1,2", "--key", folder / "key.pem", "--seal", folder / "forged.esl"], "ofd.seal.forged"),
        (["--riding", "right", "--pages", "1", "--key", folder / "key.pem"], "ofd.seal.riding-pages"),
    ):
        result = seal(folder, *arguments, "--out", folder / "out.ofd")
        assert (result.exit_code, code in result.stderr) == (1, True), result.output
    result = run("complete", folder / "document.ofd", folder / "wrong.json", "--out", folder / "out.ofd")
    assert (result.exit_code, "ofd.sign.stored" in result.stderr) == (1, True)


def test_a_file_without_a_key_is_named(folder: Path) -> None:
    result = seal(folder, "--key", folder / "root.crl", "--out", folder / "out.ofd", "--at", "1,2")
    assert result.exit_code == 1
    assert result.stderr.startswith("root.crl: ")
