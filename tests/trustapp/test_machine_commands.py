"""What an operator types when machines are out or down."""

import json
from pathlib import Path

import pytest

from support.workplace import Workplace

pytestmark = pytest.mark.hsm

MACHINES = ("machine-1", "machine-2", "machine-3")


def _states(workplace: Workplace) -> list[str]:
    shown = workplace.run("hsm", "machines", "--json")
    assert shown.returncode == 1, shown.stderr
    return [row["state"] for row in json.loads(shown.stdout)]


def test_machines_that_are_all_taken_out_are_shown_and_come_back(workplace: Workplace) -> None:
    for name in MACHINES:
        assert workplace.run("hsm", "drain", name, "--force").returncode == 0

    assert set(_states(workplace)) <= {"draining", "drained"}, "what was asked when it opened may just be ending"
    assert "machine.drained" in workplace.run("hsm", "events").stdout
    assert workplace.run("hsm", "resume", "machine-2").returncode == 0
    assert workplace.run("hsm", "machines").returncode == 0
    assert workplace.run("config", "check").returncode == 0


def test_machines_that_are_all_down_are_shown_with_the_reason(workplace: Workplace, tmp_path: Path) -> None:
    assert workplace.run("hsm", "machines").returncode == 0
    faults = tmp_path / "faults"
    faults.mkdir()
    for number in (1, 2, 3):
        (faults / f"xinyin-{number}").write_text("0x30")
    workplace.environment["SOFTGM_FAULTS"] = str(faults)

    assert _states(workplace) == ["resting"] * 3
    assert "machine-3" in workplace.run("hsm", "machines").stdout


def test_a_refused_pin_is_shown_beside_the_machine(workplace: Workplace) -> None:
    assert workplace.run("hsm", "machines").returncode == 0
    (workplace.data / "secrets" / "hsm_pin").write_text("not the PIN")

    shown = workplace.run("hsm", "machines")

    assert shown.returncode == 1
    assert "PIN" in shown.stdout
    assert "not the PIN" not in shown.stdout
