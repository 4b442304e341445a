"""The main job as an operator runs it: by the command, in a folder of its own, with real software machines."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.disks import MountForbiddenError, small_disk
from support.workplace import Workplace, sample_rows, write_rows

pytestmark = pytest.mark.hsm

_POLL_SECONDS = 0.05
_POLLS = 3000


def _identifiers(workplace: Workplace) -> list[str]:
    return [licence["identifier"] for licence in workplace.report["licences"]]


def _serials(workplace: Workplace) -> list[int]:
    return sorted(int(identifier.split(".")[-3]) for (identifier,) in workplace.query(
        "SELECT identifier FROM licence_licence"))  # fmt: skip


def test_the_job_leaves_what_it_promises_and_says_the_same_again(
    workplace: Workplace, export: Callable[[int], Path]
) -> None:
    rows = export(2)
    first = workplace.demo(rows)
    assert first.returncode == 0, first.stderr
    files = {str(path.relative_to(workplace.out)): path.read_bytes() for path in workplace.out.rglob("*.*")}
    names = set(files)
    for hierarchy in ("sm2", "rsa"):
        assert {f"trust/{hierarchy}-root.pem", f"trust/{hierarchy}-issuing.pem"} <= names
        assert f"trust/{hierarchy}-issuing.crl" in names
    assert {"seal/seal.esl", "seal/seal.png", "seal/seal.svg", "report.json"} <= names
    one, two = _identifiers(workplace)
    assert {f"licences/{one}.ofd", f"licences/{one}.pdf", f"licences/{one}-sm2.pdf"} <= names
    assert {f"licences/{two}.ofd", f"licences/{two}.pdf"} <= names

    again = workplace.demo(rows)
    assert again.returncode == 0, again.stderr
    assert _identifiers(workplace) == [one, two]
    for name, content in files.items():
        if name.startswith(("licences/", "seal/", "trust/")) and not name.endswith(".crl"):
            assert (workplace.out / name).read_bytes() == content, name


def test_every_file_is_verified_by_the_command_from_itself_and_the_root(
    workplace: Workplace, export: Callable[[int], Path]
) -> None:
    assert workplace.demo(export(1)).returncode == 0
    for form, root in (("ofd", "sm2"), ("pdf", "rsa"), ("sm2-pdf", "sm2")):
        entry = next(file for file in workplace.report["licences"][0]["files"] if file["form"] == form)
        command, trust = form.split("-")[-1], f"demo/trust/{root}-root.pem"
        good = workplace.run(command, "verify", "--json", "--trust", trust, f"demo/{entry['file']}")
        assert good.returncode == 0, good.stdout
        assert json.loads(good.stdout)["sha256"] == entry["sha256"]

        stranger = "rsa" if root == "sm2" else "sm2"
        path = f"demo/trust/{stranger}-root.pem"
        other = workplace.run(command, "verify", "--json", "--trust", path, f"demo/{entry['file']}")
        assert other.returncode in {1, 2}

        changed = bytearray((workplace.out / entry["file"]).read_bytes())
        changed[len(changed) // 2] ^= 1
        (workplace.path / "changed").write_bytes(changed)
        bad = workplace.run(command, "verify", "--json", "--trust", trust, "changed")
        assert bad.returncode == 1, bad.stdout
        assert workplace.run(command, "verify", "--trust", "no-such.pem", f"demo/{entry['file']}").returncode == 64
        assert workplace.run(command, "verify", "--no-such-option").returncode == 64


@pytest.mark.slow
def test_a_job_that_is_killed_goes_on_and_uses_no_number_twice(
    workplace: Workplace, export: Callable[[int], Path]
) -> None:
    rows = export(8)
    kept: list[str] = []
    for documents in (1, 6, 11):
        process = workplace.start("demo", "--rows", str(rows), "--out", "demo")
        for _ in range(_POLLS):
            made = len(list((workplace.data / "documents").rglob("*")))
            if made >= documents or process.poll() is not None:
                break
            time.sleep(_POLL_SECONDS)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        issued = [row[0] for row in workplace.query("SELECT identifier FROM licence_licence ORDER BY id")]
        assert issued[: len(kept)] == kept
        kept = issued

    finished = workplace.demo(rows)
    assert finished.returncode == 0, finished.stderr
    identifiers = _identifiers(workplace)
    assert identifiers[: len(kept)] == kept
    assert len(set(identifiers)) == 8
    assert _serials(workplace) == list(range(1, 9))
    assert workplace.run("audit", "verify").returncode == 0


def test_a_bad_row_is_named_and_the_others_are_issued(workplace: Workplace) -> None:
    rows = sample_rows(3)
    code = rows[1]["统一社会信用代码"]
    rows[1]["统一社会信用代码"] = code[:-1] + ("0" if code[-1] != "0" else "1")
    id_number = rows[1]["法定代表人身份证号"]
    done = workplace.demo(write_rows(workplace.path / "rows.csv", rows))

    assert done.returncode == 1
    assert "3" in done.stdout
    assert "统一社会信用代码" in done.stdout
    assert id_number not in done.stdout + done.stderr
    assert len(_identifiers(workplace)) == 2
    assert [bad["row"] for bad in workplace.report["bad_rows"]] == [3]


def test_an_export_that_is_no_csv_is_refused_before_anything_is_issued(workplace: Workplace) -> None:
    path = workplace.path / "rows.csv"
    path.write_bytes(b"\x00\xff\xfe" * 50)
    done = workplace.demo(path)

    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()[-1]) > 10
    assert "Traceback" not in done.stderr


def test_a_wrong_pin_is_said_in_one_sentence_and_costs_nothing(
    workplace: Workplace, export: Callable[[int], Path]
) -> None:
    rows = export(1)
    assert workplace.demo(rows).returncode == 0
    pin_file = workplace.data / "secrets" / "hsm_pin"
    pin = pin_file.read_text()
    pin_file.write_text("000000000000")
    wrong = workplace.demo(rows)
    pin_file.write_text(pin)

    assert wrong.returncode == 1
    assert "hsm.pin.wrong" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    assert pin not in wrong.stderr
    assert workplace.demo(rows).returncode == 0


def test_with_one_machine_down_the_others_do_the_job(workplace: Workplace, export: Callable[[int], Path]) -> None:
    rows = export(1)
    assert workplace.demo(rows).returncode == 0
    faults = workplace.path / "faults"
    faults.mkdir()
    (faults / "xinyin-2").write_text("0x30")
    workplace.environment["SOFTGM_FAULTS"] = str(faults)
    done = workplace.demo(write_rows(workplace.path / "more.csv", sample_rows(2)))

    assert done.returncode == 0, done.stderr
    assert len(_identifiers(workplace)) == 2


def test_with_all_machines_down_it_is_said_in_one_sentence_and_the_job_goes_on_later(
    workplace: Workplace, export: Callable[[int], Path]
) -> None:
    assert workplace.demo(export(1)).returncode == 0
    faults = workplace.path / "faults"
    faults.mkdir()
    for number in (1, 2, 3):
        (faults / f"xinyin-{number}").write_text("0x30")
    workplace.environment["SOFTGM_FAULTS"] = str(faults)
    more = write_rows(workplace.path / "more.csv", sample_rows(2))
    down = workplace.demo(more)
    assert down.returncode == 1
    assert "hsm." in down.stderr.strip().splitlines()[-1]
    assert "Traceback" not in down.stderr

    del workplace.environment["SOFTGM_FAULTS"]
    done = workplace.demo(more)
    assert done.returncode == 0, done.stderr
    assert _serials(workplace) == [1, 2]


def test_a_full_disk_is_said_in_one_sentence_and_the_job_goes_on_later(
    workplace: Workplace, export: Callable[[int], Path]
) -> None:
    rows = export(2)
    assert workplace.demo(export(1)).returncode == 0
    try:
        with small_disk(workplace.path / "small", 64 * 1024):
            full = workplace.run("demo", "--rows", str(rows), "--out", "small/demo")
    except MountForbiddenError as error:
        pytest.skip(f"no file system can be mounted here: {error}")

    assert full.returncode == 1
    assert "full" in full.stderr
    assert "Traceback" not in full.stderr
    done = workplace.demo(export(2))
    assert done.returncode == 0, done.stderr
    assert _serials(workplace) == [1, 2]


@pytest.mark.slow
def test_two_jobs_at_once_share_everything(workplace: Workplace, export: Callable[[int], Path]) -> None:
    rows = export(4)
    first, second = (workplace.start("demo", "--rows", str(rows), "--out", f"demo-{number}") for number in (1, 2))
    for process in (first, second):
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err

    assert _serials(workplace) == [1, 2, 3, 4]
    for table, count in (("seal_seal", 1), ("ca_authority", 4)):
        assert workplace.query(f"SELECT count(*) FROM {table}") == [(count,)]  # noqa: S608 - names of tables
    reports = [(workplace.path / f"demo-{number}" / "report.json").read_text("utf-8") for number in (1, 2)]
    ours, theirs = ([licence["identifier"] for licence in json.loads(text)["licences"]] for text in reports)
    assert ours == theirs
