"""``xinyin ofd lint``: what in a document is against the standard, and what single readers will not take."""

import json
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from ofd.cli.terminal import refusals
from ofd.lint.archive import check_archive
from ofd.lint.catalogue import RULES
from ofd.lint.finding import Finding, LintReport, Severity
from ofd.lint.rules_structure import PACKAGE_HOPELESS
from ofd.lint.run import lint
from trustcore.console import printable

__all__ = ["Profile", "add_to", "print_findings"]


class Profile(StrEnum):
    """What is asked of the document."""

    OFD = "ofd"
    OFD_A = "ofd-a"


_File = Annotated[Path | None, typer.Argument(metavar="FILE", help="OFD 文件 / the document")]
_Profile = Annotated[Profile, typer.Option(help="ofd:GB/T 33190;ofd-a:GB/T 42133 / the format, or the archive profile")]
_Readers = Annotated[
    bool, typer.Option("--readers/--no-readers", help="是否检查各阅读器的限制 / tell what single readers refuse")
]
_Least = Annotated[Severity, typer.Option("--least", help="显示的最低级别 / the least severity that is shown")]
_Json = Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")]
_Rules = Annotated[bool, typer.Option("--rules", help="列出全部规则 / list all rules")]
_SEVERITIES = {Severity.ERROR: "错误 error", Severity.WARNING: "警告 warning", Severity.NOTE: "提示 note"}
_COLORS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


def add_to(app: typer.Typer, clock: Callable[[], datetime]) -> None:  # noqa: ARG001 - every command takes a clock
    """Add the command."""

    @app.command("lint")
    def lint_command(  # noqa: PLR0917 - one parameter for each option
        file: _File = None,
        profile: _Profile = Profile.OFD,
        readers: _Readers = True,
        least: _Least = Severity.NOTE,
        as_json: _Json = False,
        rules: _Rules = False,
    ) -> None:
        """检查文件是否合乎标准 / check against the standard: exit 0 nothing found, 1 findings, 2 not readable."""
        if rules or file is None:
            _print_rules()
            raise typer.Exit(0 if rules else 64)
        with refusals(file):
            report = check_archive(file) if profile is Profile.OFD_A else lint(file, readers=readers)
        if as_json:
            typer.echo(json.dumps({"file": file.name, **report.as_json()}, ensure_ascii=False, indent=2))
        else:
            print_findings(file.name, report, least)
        hopeless = PACKAGE_HOPELESS.code in report.codes
        raise typer.Exit(2 if hopeless else 0 if report.is_clean else 1)


def print_findings(name: str, report: LintReport, least: Severity = Severity.NOTE) -> None:
    """Print findings to standard output, in Chinese and English, with where they are."""
    console = Console()
    shown = list(Severity)[: list(Severity).index(least) + 1]
    for finding in report.findings:
        if finding.severity in shown:
            _print_finding(console, finding)
    for code, count in report.not_told.items():
        console.print(f"[dim]… {escape(code)} +{count}[/]")
    counts = ", ".join(f"{_SEVERITIES[severity]} {report.count(severity)}" for severity in Severity)
    console.print(f"[bold]{escape(printable(name))}[/]: {counts}", soft_wrap=True)


def _print_finding(console: Console, finding: Finding) -> None:
    place = finding.entry + (f":{finding.line}" if finding.line else "")
    place += f" #{finding.object_id}" if finding.object_id else ""
    color = _COLORS[finding.severity]
    mark = " ⚒" if finding.repairable else ""
    console.print(
        f"[{color}]{finding.severity:7}[/] {escape(printable(finding.zh))}{mark}\n"
        f"        {escape(printable(finding.en))}\n"
        f"        [dim]{escape(printable(place))}  {escape(finding.code)}  {escape(finding.clause)}[/]",
        soft_wrap=True,
        highlight=False,
    )


def _print_rules() -> None:
    for rule in RULES.values():
        typer.echo(f"{rule.severity:7}  {rule.code:44} {rule.clause}")
