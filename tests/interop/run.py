"""Lets software that is not ours judge what ``make demo`` made, and writes the answers to docs/conformance.md.

Exit status: 0 when every judge that is here agrees; 1 when one disagrees, or is missing while XINYIN_REQUIRE_JUDGES=1.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # the samples of the tests

import judge_bouncycastle
import judge_drawing
import judge_dss
import judge_gateway
import judge_gmssl
import judge_ofdrw
import judge_ofdrw_exchange
import judge_ofdrw_vault
import judge_openid
import judge_openssl
import judge_pdf
import judge_protocols
import judge_zbar
from exhibits import Exhibits
from rich.console import Console
from rich.table import Table
from verdict import JudgeMissingError, Verdict

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "conformance.md"

Judge = Callable[[Exhibits, Path], list[Verdict]]
JUDGES: tuple[tuple[str, Judge], ...] = (
    ("OpenSSL", judge_openssl.judge),
    ("BouncyCastle", judge_bouncycastle.judge),
    ("gmssl", judge_gmssl.judge),
    ("ofdrw", judge_ofdrw.judge),
    ("ofdrw, both ways", judge_ofdrw_exchange.judge),
    ("ofdrw's classes, encryption", judge_ofdrw_vault.judge),
    ("pdfsig", judge_pdf.judge_pdfsig),
    ("pyHanko", judge_pdf.judge_pyhanko),
    ("EU DSS", judge_dss.judge),
    ("ofdrw and poppler, drawing", judge_drawing.judge),
    ("zbar", judge_zbar.judge),
    ("OCSP and TSP", judge_protocols.judge),
    ("openid-client", judge_openid.judge),
    ("gateway", judge_gateway.judge),
)
"""In this order: zbar reads the page that ofdrw has drawn."""

HEADER = """# Conformance, as others judge it

Written by `make interop` from the files of `make demo`. Each judge is software that is not ours; it is shown the
genuine file and altered copies, and must accept the one and refuse the others. What each of them does not look at is
said in its line or left to another line. The sources are in [tests/interop](../tests/interop).

| judge | version | what it judged | verdict | altered copies shown to it | refused |
|---|---|---|---|---|---|
"""


def main() -> int:
    """Run the judges, print the table, write the document, and return the exit status."""
    options = _options()
    try:
        exhibits = Exhibits(options.demo)
    except FileNotFoundError as error:
        print(f"interop: {error}", file=sys.stderr)
        return 1
    chosen = [(name, judge) for name, judge in JUDGES if not options.only or name in options.only]
    verdicts, missing, broken = _hear(exhibits, chosen)
    _print(verdicts, missing, broken)
    if not options.only:
        DOCUMENT.write_text(_document(verdicts, missing), encoding="utf-8")
    required = os.environ.get("XINYIN_REQUIRE_JUDGES") == "1"
    disagreeing = [verdict for verdict in verdicts if not verdict.agrees]
    return 1 if disagreeing or broken or (missing and required) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path, default=ROOT / "demo", help="folder that `make demo` wrote")
    parser.add_argument("--only", action="append", choices=[name for name, _ in JUDGES], help="only this judge")
    return parser.parse_args()


def _hear(
    exhibits: Exhibits, judges: Iterable[tuple[str, Judge]]
) -> tuple[list[Verdict], dict[str, str], dict[str, str]]:
    """Verdicts; why a judge is missing; why a judge that is here could not judge."""
    verdicts: list[Verdict] = []
    missing: dict[str, str] = {}
    broken: dict[str, str] = {}
    for name, judge in judges:
        with tempfile.TemporaryDirectory(prefix=f"xinyin-{name}-") as scratch:
            try:
                verdicts += judge(exhibits, Path(scratch))
            except JudgeMissingError as error:
                missing[name] = str(error)
            except Exception as error:  # noqa: BLE001 - one judge that fails must not silence the others
                broken[name] = f"{type(error).__name__}: {error}"
    return verdicts, missing, broken


def _print(verdicts: list[Verdict], missing: dict[str, str], broken: dict[str, str]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 160)
    table = Table(title="What others say of demo/")
    for heading in ("judge", "version", "judged", "verdict", "altered copies"):
        table.add_column(heading, overflow="fold")
    for verdict in verdicts:
        answer = "[green]accepts[/]" if verdict.problem is None else "[red]REFUSES[/]"
        altered = "[green]refused[/]" if not verdict.tolerated else f"[red]ACCEPTED: {', '.join(verdict.tolerated)}[/]"
        table.add_row(
            verdict.judge, verdict.version, verdict.judged, answer, "—" if verdict.tampered == "—" else altered
        )
    for name, reason in missing.items():
        table.add_row(name, "", reason, "[yellow]missing[/]", "")
    for name in broken:
        table.add_row(name, "", "could not judge", "[red]FAILED[/]", "")
    console.print(table)
    for verdict in verdicts:
        if verdict.problem is not None:
            console.print(f"{verdict.judge}, {verdict.judged}: {verdict.problem}", style="red", markup=False)
    for name, reason in broken.items():
        console.print(f"{name}: {reason}", style="red", markup=False)
    agreeing = sum(verdict.agrees for verdict in verdicts)
    console.print(
        f"{agreeing} of {len(verdicts)} verdicts agree; {len(missing)} judges are missing; {len(broken)} failed."
    )


def _document(verdicts: list[Verdict], missing: dict[str, str]) -> str:
    lines = [
        f"| {verdict.judge} | {verdict.version} | {verdict.judged} | "
        f"{'accepts' if verdict.problem is None else '**refuses**'} | {verdict.tampered} | {_refused(verdict)} |"
        for verdict in verdicts
    ]
    lines += [f"| {name} | — | {reason} | missing | — | — |" for name, reason in missing.items()]
    return HEADER + "\n".join(lines) + "\n"


def _refused(verdict: Verdict) -> str:
    if verdict.tampered == "—":
        return "—"
    return "all" if not verdict.tolerated else f"**not {', '.join(verdict.tolerated)}**"


if __name__ == "__main__":
    sys.exit(main())
