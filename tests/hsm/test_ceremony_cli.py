"""``xinyin hsm ceremony`` from the file to the judged transcript."""

import json
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from hsm.cli import build_cli
from hsm.core.ceremony import file_digest
from hsm.service import HsmService
from hsm.settings import HsmSettings
from trustcore.errors import RejectedError, TrustError, UnauthenticatedError

pytestmark = pytest.mark.hsm

SAMPLE = Path(__file__).parents[2] / "samples" / "ceremony" / "root-ca.toml"
OpenHsm = Callable[..., AbstractContextManager[HsmService]]


@pytest.fixture
def app(open_machines: OpenHsm) -> typer.Typer:
    return build_cli(open_machines)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The sample with its first key alone."""
    text = SAMPLE.read_text()
    copy = tmp_path / "ceremony.toml"
    copy.write_text(text[: text.rindex("[[key]]")])
    return copy


def run(app: typer.Typer, *words: object, typed: str = "") -> Result:
    return CliRunner().invoke(app, ["ceremony", *map(str, words)], input=typed)


def done(app: typer.Typer, *words: object, typed: str = "") -> str:
    result = run(app, *words, typed=typed)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def refused(app: typer.Typer, *words: object, typed: str = "") -> str:
    result = run(app, *words, typed=typed)
    assert isinstance(result.exception, TrustError), result.output
    return result.exception.code


def approve(app: typer.Typer, file: Path) -> None:
    digest = file_digest(file.read_bytes()).hex()
    assert "1 more to go" in done(app, "review", file, "--as", "赵明", "--digest", digest)
    assert "may begin" in done(app, "review", file, "--as", "李华", typed=digest[:8].upper() + "\n")


def test_from_the_file_to_the_judged_transcript(app: typer.Typer, file: Path, tmp_path: Path) -> None:
    digest = file_digest(file.read_bytes()).hex()
    assert digest in done(app, "check", file)
    assert json.loads(done(app, "check", file, "--json"))["sm3"] == digest
    approve(app, file)
    identifier = done(app, file, "--yes").split()[-1]
    assert "12/12" in done(app, "list")
    out = tmp_path / "out"
    files = done(app, "transcript", identifier, "--out", out).split("\n")
    assert {Path(name).suffix for name in files if name} == {".json", ".sig", ".pem", ".md", ".html"}
    transcript = out / f"{identifier}.json"
    key = tmp_path / "audit-key.pem"
    done(app, "audit-key", "--out", key)
    assert run(app, "verify", transcript).exit_code == 2, "nobody said whose key it is"
    report = json.loads(done(app, "verify", transcript, "--key", key, "--json"))
    assert report["verdict"] == "valid"
    said = subprocess.run(
        ["openssl", "dgst", "-sm3", "-verify", key, "-sigopt", "distid:1234567812345678", "-signature",
         transcript.with_suffix(".sig"), transcript], check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert said.stdout.strip() == "Verified OK"
    transcript.write_bytes(transcript.read_bytes().replace("孙立".encode(), "周立".encode()))
    assert run(app, "verify", transcript, "--key", key).exit_code == 1


def test_each_step_is_confirmed_by_a_person_and_an_interrupted_ceremony_goes_on(app: typer.Typer, file: Path) -> None:
    approve(app, file)
    first = run(app, "run", file, typed="赵明\n\n孙立\n")
    assert isinstance(first.exception, typer.Abort | SystemExit)
    second = done(app, "run", file, typed="\n" * 20)
    assert "4. " in second
    assert second.count("确认人") == 9, "the three confirmed ones are not asked for again"
    assert refused(app, "run", file) == "hsm.ceremony.finished"


def test_the_machines_are_printed_as_a_file_has_them_and_are_found_again(app: typer.Typer, file: Path) -> None:
    tables = done(app, "machines")
    assert [machine["name"] for machine in tomllib.loads(tables)["machine"]] == ["machine-1", "machine-2", "machine-3"]
    text = file.read_text()
    start, end = text.index("[[machine]]"), text.index("[before]")
    file.write_text(text[:start].replace("rehearsal = true\n", "") + tables + text[end:])
    approve(app, file)
    assert "Signed" in done(app, "run", file, typed="\n" * 20)


class OnePerson:
    """Knows one person and his password."""

    def verify(self, username: str, password: str) -> str:
        if (username, password) != ("zhao", "right"):
            raise UnauthenticatedError("The user name or the password is wrong.", code="test.credentials")
        return "user:zhao"


def test_a_reviewer_proves_who_he_is_by_his_password(open_machines: OpenHsm, file: Path) -> None:
    @contextmanager
    def open_approvals() -> Iterator[tuple[HsmService, OnePerson]]:
        with open_machines(HsmSettings(four_eyes=True)) as service:
            yield service, OnePerson()

    app = build_cli(lambda: open_machines(HsmSettings(four_eyes=True)), None, open_approvals)
    words = ("review", file, "--as", "赵明", "--digest", file_digest(file.read_bytes()).hex())
    assert refused(app, *words) == "hsm.approval.person"
    assert refused(app, *words, "--user", "zhao", typed="wrong\n") == "test.credentials"
    said = done(app, *words, "--user", "zhao", typed="right\n")
    assert "1 more to go" in said
    assert "right" not in said


def test_what_is_refused(app: typer.Typer, file: Path, tmp_path: Path) -> None:
    assert refused(app, "check", tmp_path / "nowhere.toml") == "hsm.ceremony.unreadable"
    assert refused(app, "review", file, "--as", "赵明", "--digest", "00000000") == "hsm.ceremony.digest"
    assert refused(app, "run", file, "--yes") == "hsm.ceremony.not-reviewed"
    approve(app, file)
    file.write_text(file.read_text() + "\n")
    assert refused(app, "run", file, "--yes") == "hsm.ceremony.changed"
    assert refused(app, "transcript", "20300101-00000000") == "hsm.ceremony.not-found"


def test_a_person_who_is_not_there_confirms_nothing(app: typer.Typer, file: Path) -> None:
    approve(app, file)
    result = run(app, "run", file, typed="Mallory\n")
    assert isinstance(result.exception, RejectedError)
    assert result.exception.code == "hsm.ceremony.person"
