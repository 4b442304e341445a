"""Runs one benchmark, or all: ``perf/run.py [licences] [--short]``."""

import argparse
import importlib
import sys
from pathlib import Path

from harness import save, show
from rich.console import Console

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent / "tests"
sys.path += [str(TESTS), str(TESTS / "interop")]  # the samples that tests seal, and the peers they are judged by


def main() -> int:
    """Measure, print a table for each benchmark and write ``perf/out/<bench>.json``."""
    names = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench", nargs="*", choices=[[], *names], metavar="BENCH", help=", ".join(names))
    parser.add_argument("--short", action="store_true", help="a few short rounds: shows that it runs, not how fast")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 170)
    for name in options.bench or names:
        result = importlib.import_module(f"bench_{name}").measure_all(short=options.short)
        show(result, console)
        console.print(f"{save(result, HERE / 'out').relative_to(HERE.parent)} holds the rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
