"""What a document too large for memory costs: ``perf/large_document.py [--pages 1000] [--megabytes 500]``.

Each step is a process of its own; its memory is the most that was resident, above that of an interpreter that does
nothing, so code and libraries count. Writes ``perf/out/large_document.json``.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "tests"))

from support.large_documents import Measured, take  # noqa: E402 - found by the line above

_TITLES = {
    "build": "laid out and written, page by page",
    "look": "opened, pages counted",
    "find": "searched for a keyword, all pages",
    "render": "one page drawn as PNG",
    "seal": "sealed, written to another file",
    "verify": "verified",
    "change": "copied with one small file more",
    "convert": "converted to PDF",
}


def main() -> int:
    """Take all steps and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--megabytes", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        done = _steps(Path(folder), options.pages, options.megabytes * 1000**2)
    table = Table(title=f"{options.pages} pages, {options.megabytes} MB")
    for heading in ("step", "seconds", "memory above a bare interpreter, MB"):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    for step in done:
        table.add_row(_TITLES[step.step], f"{step.seconds:.2f}", f"{step.peak_octets / 1000**2:.0f}")
    Console().print(table)
    (HERE / "out").mkdir(exist_ok=True)
    rows = [asdict(step) for step in done]
    text = json.dumps(
        {"pages": options.pages, "megabytes": options.megabytes, "rows": rows}, ensure_ascii=False, indent=2
    )
    (HERE / "out" / "large_document.json").write_text(text + "\n", encoding="utf-8")
    return 0


def _steps(folder: Path, pages: int, octets: int) -> list[Measured]:
    document, sealed = folder / "a.ofd", folder / "sealed.ofd"
    return [
        take("build", document, pages, octets),
        take("look", document),
        take("find", document),
        take("render", document, pages - 1),
        take("seal", document, sealed),
        take("verify", sealed),
        take("change", document, folder / "changed.ofd"),
        take("convert", document, folder / "a.pdf"),
    ]


if __name__ == "__main__":
    sys.exit(main())
