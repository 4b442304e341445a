"""A fuzzer of fixed length: whatever octets come in, every entry ends in good time with an answer or a known error."""

import os
from pathlib import Path

import pytest

from support.ofd_fuzz import Fault, run
from support.ofd_fuzz_targets import TARGETS, documents, values

LONG = int(os.environ.get("XINYIN_FUZZ_CASES", "250"))
"""Cases of the long run, of which a processor does about ten a second."""


def told(faults: list[Fault]) -> str:
    return "\n\n".join(f"case {fault.case}, {fault.target}, {fault.file}:\n{fault.told}" for fault in faults)


def test_a_few_wrong_inputs_are_answered_or_refused(tmp_path: Path) -> None:
    done, faults = run(0, 60, folder=tmp_path)
    assert not faults, told(faults)
    assert done == 60


@pytest.mark.slow
def test_many_wrong_inputs_are_answered_or_refused(tmp_path: Path) -> None:
    done, faults = run(10_000, LONG, folder=tmp_path)
    assert not faults, told(faults)
    assert done == LONG


def test_what_is_fuzzed_is_right_before_it_is_made_wrong() -> None:
    for name, data in documents().items():
        targets = (
            ("read", "decrypt") if name == "encrypted" else ("read", "draw", "paint", "verify", "cover", "convert")
        )
        for target in targets:
            TARGETS["part"][target](data)
    assert len(values()) >= 8


def test_children_that_die_are_seen_and_the_next_case_runs(tmp_path: Path) -> None:
    done, faults = run(0, 4, folder=tmp_path, kind="sabotage")
    assert [fault.case for fault in faults] == list(range(4))
    died = [fault.told.startswith("died") for fault in faults]
    assert any(died)
    assert done == died.count(False) > 0
    assert all(fault.file.exists() for fault in faults)
