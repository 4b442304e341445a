"""One seal on many documents, by library and command line."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ofd.cli.app import build_cli
from ofd.package.reader import Package
from ofd.sign.batch import Outcome, Task, seal_many
from ofd.sign.seal import PreparedSeal, StampAnnotation, prepare
from ofd.verify.document import verify
from trustcore.crypto.key_files import load_signer
from trustcore.errors import BusyError, TrustError
from trustcore.report import Verdict
from trustcore.signing import Signer

from support.ofd_holders import certified
from support.ofd_samples import SIGNED_AT, Pki, make_seal


class CountingMachine:
    """A signer that counts its calls, and fails in the call of a number."""

    def __init__(self, signer: Signer, *, fails_at: int = 0) -> None:
        self._signer = signer
        self._fails_at = fails_at
        self.calls: list[int] = []

    @property
    def algorithm(self) -> object:
        return self._signer.algorithm

    @property
    def public_key_der(self) -> bytes:
        return self._signer.public_key_der

    @property
    def certificate(self) -> bytes | None:
        return self._signer.certificate

    def sign(self, message: bytes) -> bytes:
        return self._signer.sign(message)

    def sign_digest(self, message_digest: bytes) -> bytes:
        return self._signer.sign_digest(message_digest)

    def sign_many(self, digests: Sequence[bytes]) -> list[bytes]:
        self.calls.append(len(digests))
        if len(self.calls) == self._fails_at:
            raise BusyError("The machine does not answer.", code="hsm.machine.down")
        return self._signer.sign_many(digests)


@pytest.fixture
def tasks(tmp_path: Path, document: bytes) -> list[Task]:
    (tmp_path / "sealed").mkdir()
    made = [Task(source=tmp_path / f"{n}.ofd", target=tmp_path / "sealed" / f"{n}.ofd") for n in range(5)]
    for task in made:
        task.source.write_bytes(document)
    return made


def seal_all(pki: Pki, tasks: list[Task], machine: CountingMachine, *, together: int = 2) -> list[Outcome]:
    def prepared(package: Package, file: Path) -> PreparedSeal:
        return prepare(
            package,
            seal_der=make_seal(pki),
            stamps=[StampAnnotation(page=0, x_mm=150, y_mm=230)],
            at=SIGNED_AT,
            certificates=[pki.issuing.certificate.der],
            crls=pki.crls,
            certificate_der=pki.signer.certificate.der,
        )

    outcomes = seal_many(
        tasks,
        prepare=prepared,
        signer=machine,  # type: ignore[arg-type] # counts what a Signer is asked
        certificate_der=pki.signer.certificate.der,
        together=together,
    )
    return list(outcomes)


def test_a_group_is_signed_in_one_call_and_every_document_verifies(pki: Pki, tasks: list[Task]) -> None:
    machine = CountingMachine(pki.signer.signer)
    outcomes = seal_all(pki, tasks, machine)
    assert [(outcome.task, outcome.error) for outcome in outcomes] == [(task, None) for task in tasks]
    assert machine.calls == [2, 2, 1]
    for task in tasks:
        assert verify(task.target.read_bytes(), pki.policy()).verdict is Verdict.VALID


def test_a_document_that_cannot_be_sealed_does_not_hinder_the_others(pki: Pki, tasks: list[Task]) -> None:
    tasks[1].source.write_bytes(b"no package")
    tasks[2].source.unlink()
    outcomes = seal_all(pki, tasks, CountingMachine(pki.signer.signer), together=3)
    errors = [outcome.error for outcome in outcomes]
    assert [error is None for error in errors] == [True, False, False, True, True]
    assert isinstance(errors[1], TrustError)
    assert isinstance(errors[2], FileNotFoundError)
    assert [task.target.exists() for task in tasks] == [True, False, False, True, True]


def test_an_interrupted_batch_goes_on_where_it_stopped(pki: Pki, tasks: list[Task]) -> None:
    with pytest.raises(BusyError):
        seal_all(pki, tasks, CountingMachine(pki.signer.signer, fails_at=2))
    first = [task.target.read_bytes() for task in tasks[:2]]
    assert [task.target.exists() for task in tasks] == [True, True, False, False, False]
    machine = CountingMachine(pki.signer.signer)
    codes = [getattr(outcome.error, "code", None) for outcome in seal_all(pki, tasks, machine)]
    assert codes == ["ofd.batch.exists", "ofd.batch.exists", None, None, None]
    assert [task.target.read_bytes() for task in tasks[:2]] == first
    assert sum(machine.calls) == 3


def run(*arguments: object) -> Result:
    return CliRunner().invoke(build_cli(lambda: SIGNED_AT), [*map(str, arguments)])


@pytest.fixture
def options(tmp_path: Path, pki: Pki) -> list[object]:
    command = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2"]
    key = subprocess.run(command, capture_output=True, check=True).stdout
    holder = certified(load_signer(key), serial=300)
    files = {
        "key.pem": key,
        "signer.pem": holder.certificate.pem + pki.issuing.certificate.pem,
        "seal.esl": make_seal(pki, signers=[holder]),
        "root.pem": pki.root.certificate.pem,
        "0.crl": pki.crls[0],
        "1.crl": pki.crls[1],
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    given = {"--seal": "seal.esl", "-c": "signer.pem", "-k": "key.pem"}
    lists = [part for name in ("0.crl", "1.crl") for part in ("--crl", tmp_path / name)]
    return [*(part for name, file in given.items() for part in (name, tmp_path / file)), *lists, "--anchor", "centre"]


def test_the_command_line_seals_and_verifies_many(tmp_path: Path, tasks: list[Task], options: list[object]) -> None:
    sources, folder = [task.source for task in tasks], tmp_path / "sealed"
    done = run("sign", "batch", *sources, *options, "-o", folder)
    assert (done.exit_code, done.stdout.strip()) == (0, "5 / 5 已盖章 sealed")
    targets = [task.target for task in tasks]
    checked = run("verify", *targets, "--trust", tmp_path / "root.pem", "--form", "simple")
    assert checked.exit_code == 0
    assert "有效 VALID: 5" in checked.stdout
    targets[3].write_bytes(targets[3].read_bytes()[:-100])
    assert run("verify", *targets, "--trust", tmp_path / "root.pem", "--form", "simple").exit_code == 1
    again = run("sign", "batch", *sources, *options, "-o", folder)
    assert again.exit_code == 0
    assert again.stderr.count("已有结果") == 5


def test_a_batch_says_which_documents_failed(tmp_path: Path, tasks: list[Task], options: list[object]) -> None:
    tasks[2].source.write_bytes(b"no package")
    done = run("sign", "batch", *(task.source for task in tasks), *options, "-o", tmp_path / "sealed")
    assert done.exit_code == 1
    assert "2.ofd: " in done.stderr
    assert "ofd.package." in done.stderr
    assert "4 / 5" in done.stdout


def test_a_batch_never_overwrites_its_sources(tmp_path: Path, tasks: list[Task], options: list[object]) -> None:
    before = tasks[0].source.read_bytes()
    assert run("sign", "batch", tasks[0].source, *options, "-o", tmp_path).exit_code == 64
    assert run("sign", "batch", tasks[0].source, tasks[0].source, *options, "-o", tmp_path / "sealed").exit_code == 64
    assert tasks[0].source.read_bytes() == before
