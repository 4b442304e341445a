"""What commands print: reports as tables or JSON, and exit statuses.

0 done or valid, 1 not valid or refused, 2 cannot tell, 64 wrong usage (``EX_USAGE`` of sysexits).
"""

import json

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from trustcore.crypto.digests import sha256, sm3
from trustcore.report import Report, Status, Verdict

__all__ = ["EXIT_USAGE", "print_report", "printable", "report_json"]

EXIT_USAGE = 64

_MARKS = {
    Status.PASSED: "[green]✔[/]",
    Status.WARNING: "[yellow]![/]",
    Status.SKIPPED: "[dim]–[/]",
    Status.INDETERMINATE: "[yellow]?[/]",
    Status.FAILED: "[red]✘[/]",
}
_VERDICTS = {
    Verdict.VALID: "[bold green]有效 VALID[/]",
    Verdict.INVALID: "[bold red]无效 NOT VALID[/]",
    Verdict.INDETERMINATE: "[bold yellow]无法判定 CANNOT TELL[/]",
}


def report_json(report: Report, *, file_name: str, data: bytes) -> dict[str, object]:
    """The report with the name and digests (hex) of the file it speaks of."""
    digests = {"file": file_name, "sha256": sha256(data).hex(), "sm3": sm3(data).hex()}
    return {**digests, **report.as_json()}


def printable(text: str) -> str:
    """Text of unknown origin for a terminal: control characters, which could steer it, are shown as U+FFFD."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def print_report(report: Report, *, file_name: str, data: bytes, as_json: bool) -> None:
    """Print a report to standard output, as JSON or as a table in Chinese and English."""
    if as_json:
        print(json.dumps(report_json(report, file_name=file_name, data=data), ensure_ascii=False, indent=2))  # noqa: T201
        return
    console = Console()
    table = Table(
        title=f"{escape(printable(file_name))}  {_VERDICTS[report.verdict]}", title_justify="left", show_lines=False
    )
    for heading in ("", "", "步骤 Step", "依据 Clause"):
        table.add_column(heading, overflow="fold")
    for step in report.steps:
        table.add_row(
            str(step.number),
            _MARKS[step.status],
            escape(f"{printable(step.zh)}\n{printable(step.en)}"),
            escape(step.clause),
        )
    console.print(table)
    for name, value in report.facts.items():
        console.print(f"[dim]{escape(printable(name))}[/] {escape(printable(value))}", soft_wrap=True)
