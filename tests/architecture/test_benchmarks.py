"""The benchmarks' harness: what it writes, and that its ratios point the right way."""

import importlib.util
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROW = ["name", "per_second", "floor", "floor_per_second", "times_floor", "peer", "peer_per_second", "times_peer"]


@pytest.fixture
def harness(root: Path) -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("harness_under_test", root / "perf" / "harness.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def _waits(seconds: float) -> object:
    return lambda operations: [time.sleep(seconds) for _ in range(operations)]


def test_rows_say_how_many_floors_an_operation_takes_and_how_much_faster_than_the_peer_it_is(
    harness: ModuleType, tmp_path: Path
) -> None:
    result = harness.measure(
        "waiting",
        [
            harness.Contender(name="ours", run=_waits(0.004), floor="floor", peer="peer"),
            harness.Contender(name="floor", run=_waits(0.001)),
            harness.Contender(name="peer", run=_waits(0.016)),
        ],
        rounds=3,
        turn_seconds=0.03,
    )
    document = json.loads(harness.save(result, tmp_path).read_text(encoding="utf-8"))
    assert [list(row) for row in document["rows"]] == [ROW] * 3
    ours = document["rows"][0]
    assert ours["times_floor"] > 2
    assert ours["times_peer"] > 2
    assert ours["per_second"] < ours["floor_per_second"]
    assert document["rows"][1]["floor"] is None
    assert {"processor", "cores", "python", "system"} <= document["machine"].keys()
