"""A fuzzer of fixed length: numbered cases, each made from its number alone, run in a child with limits of its own.

``python -m support.ofd_fuzz FIRST COUNT [KIND]`` runs cases and prints a line of JSON for each; a child that hangs dies
with a traceback after :data:`SECONDS`, one that wants more than :data:`OCTETS` gets a ``MemoryError``, and one that
crashes is seen by :func:`run`, which goes on behind the case. ``python -m support.ofd_fuzz replay TARGET FILE`` takes
what :func:`run` left behind.
"""

import faulthandler
import json
import os
import resource
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from trustcore.errors import TrustError

from support.ofd_fuzz_targets import TARGETS, Target, make_input

__all__ = ["Fault", "run"]

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 30
"""Longest time for one case, also on a busy machine; the usual is some milliseconds."""
OCTETS = 3 << 30
"""Address space of a child; libraries alone take 700 MB of it."""
_WEIGHTS = {"part": 10, "package": 3, "der": 3, "font": 2, "picture": 2, "pdf": 2}
"""How often there is something wrong with each kind of input."""
_SILENT = frozenset({"verify"})
"""What raises nothing at all, not even errors of the product."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A case that went wrong."""

    case: int
    target: str
    told: str
    """Traceback, or how the child died."""
    file: Path
    """The octets that did it."""


def run(first: int, count: int, *, folder: Path, kind: str = "") -> tuple[int, list[Fault]]:
    """Run cases ``first`` to ``first + count``, each in order.

    Args:
        first: number of the first case.
        count: how many.
        folder: where the octets of faults are left.
        kind: of input; all by default.

    Returns:
        How many cases ran, and those that went wrong.
    """
    faults: list[Fault] = []
    done, end = 0, first + count
    while first < end:
        last: dict[str, object] = {}
        for answer in _child(first, end - first, folder, kind):
            last = answer
            if "told" in answer:
                faults.append(_fault(answer, folder))
            done += "finished" in answer
        if "finished" in last and int(str(last["case"])) == end - 1:
            break
        # It died in the middle of a case, or at once.
        last = last or {"case": first, "target": "start"}
        faults.append(_fault({**last, "told": f"died: {_last_words(folder)}"}, folder))
        first = int(str(last["case"])) + 1
    return done, faults


def _fault(answer: dict[str, object], folder: Path) -> Fault:
    case = int(str(answer["case"]))
    return Fault(case=case, target=str(answer["target"]), told=str(answer["told"]), file=folder / f"{case}.bin")


def _child(first: int, count: int, folder: Path, kind: str) -> Iterator[dict[str, object]]:
    command = [sys.executable, "-m", "support.ofd_fuzz", str(first), str(count), str(folder), *([kind] if kind else [])]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PYTHONWARNINGS": "ignore"}
    with (
        (folder / "stderr").open("wb") as complaints,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints, cwd=ROOT, env=environment) as child,
    ):
        assert child.stdout is not None
        for line in child.stdout:
            yield json.loads(line)


def _last_words(folder: Path) -> str:
    return (folder / "stderr").read_text(errors="replace")[-3000:]


def _say(**answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _pick(case: int, kind: str) -> tuple[str, str, Target, bytes]:
    chance = Random(f"{kind}-{case}")  # noqa: S311 - the same cases every time
    kind = kind or chance.choices(list(_WEIGHTS), weights=list(_WEIGHTS.values()))[0]
    target = chance.choice(list(TARGETS[kind]))
    return kind, target, TARGETS[kind][target], make_input(kind, chance)


def _attempt(target: str, act: Target, data: bytes) -> str:
    """What went wrong; empty when nothing did."""
    started = time.process_time()
    try:
        act(data)
    except TrustError:
        if target in _SILENT:
            return traceback.format_exc()
    except (Exception, RecursionError, MemoryError):  # noqa: BLE001 - whatever it is, it is a fault
        return traceback.format_exc()
    spent = time.process_time() - started
    return f"took {spent:.1f} seconds of processor time" if spent > SECONDS / 3 else ""


def _run_here(first: int, count: int, folder: Path, kind: str) -> None:
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (OCTETS, OCTETS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _pick(first, kind)
    for case in range(first, first + count):
        picked, target, act, data = _pick(case, kind)
        (folder / f"{case}.bin").write_bytes(data)
        _say(case=case, target=f"{picked}: {target}")
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        told = _attempt(target, act, data)
        faulthandler.cancel_dump_traceback_later()
        if told:
            _say(case=case, target=f"{picked}: {target}", told=told, finished=True)
        else:
            (folder / f"{case}.bin").unlink()
            _say(case=case, target=target, finished=True)


def main() -> None:
    """Run cases, or one again."""
    faulthandler.enable()
    if sys.argv[1] == "replay":
        target, file = sys.argv[2:4]
        kind, _, name = target.partition(": ")
        warnings.simplefilter("ignore")
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        TARGETS[kind][name](Path(file).read_bytes())
        return
    first, count, folder, *kind = sys.argv[1:]
    _run_here(int(first), int(count), Path(folder), kind[0] if kind else "")


if __name__ == "__main__":
    main()
