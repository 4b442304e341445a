"""The commands."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from licence_service.cli import build_cli
from licence_service.service import LicenceService

SAMPLES = Path(__file__).parents[2] / "samples" / "business-licences.csv"


@pytest.fixture
def run(service: LicenceService) -> Iterator[object]:
    @contextmanager
    def opened() -> Iterator[LicenceService]:
        yield service

    app = build_cli(opened)
    return lambda *arguments: CliRunner().invoke(app, [str(a) for a in arguments])  # type: ignore[return-value]


def _export(folder: Path, *, spoil: bool) -> Path:
    lines = SAMPLES.read_bytes().splitlines()[:4]
    if spoil:
        lines[2] = b"1" + lines[2]
    path = folder / "export.csv"
    path.write_bytes(b"\n".join(lines))
    return path


def test_a_file_is_issued_and_written(run: object, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("issue-batch", _export(tmp_path, spoil=False), "--out", out, "--json")  # type: ignore[operator]
    assert done.exit_code == 0
    answer = json.loads(done.stdout)
    assert len(answer["issued"]) == answer["total"] == 3
    assert len(list(out.glob("*.ofd"))) == 3
    assert len(list(out.glob("*-sm2.pdf"))) == 1


def test_a_bad_row_gives_one_sentence_and_status_one(run: object, tmp_path: Path) -> None:
    done = run("issue-batch", _export(tmp_path, spoil=True))  # type: ignore[operator]
    assert done.exit_code == 1
    assert "2 / 3" in done.stderr
    assert "Row 3, 统一社会信用代码: the code is not valid under GB 32100." in done.stderr.replace("\n", " ")


def test_a_licence_is_shown_suspended_and_cancelled(run: object, service: LicenceService, tmp_path: Path) -> None:
    run("issue-batch", _export(tmp_path, spoil=False))  # type: ignore[operator]
    licence = service.recent()[0]
    shown = json.loads(run("show", licence.identifier, "--json").stdout)  # type: ignore[operator]
    assert (shown["state"], shown["stands"]) == ("valid", True)
    assert licence.record.representative_id not in str(shown)
    for command, state in (("suspend", "suspended"), ("reinstate", "valid"), ("cancel", "cancelled")):
        assert run(command, licence.identifier, "--reason", "依申请").exit_code == 0  # type: ignore[operator]
        assert service.licence(licence.identifier).state == state
    exported = run("export", licence.identifier, "--form", "pdf", "--out", tmp_path)  # type: ignore[operator]
    assert (tmp_path / f"{licence.identifier}.pdf").read_bytes().startswith(b"%PDF")
    assert exported.exit_code == 0


def test_an_identifier_is_diagnosed(run: object) -> None:
    good = run("check-identifier", "1.2.156.3005.2.11100000000013338W032.11220000013544541J.2430599.001.F")  # type: ignore[operator]
    assert (good.exit_code, good.stdout.strip()) == (0, "standard")
    bad = run("check-identifier", "1.2.3")  # type: ignore[operator]
    assert (bad.exit_code, bad.stdout.strip()) == (1, "bad")
