"""``xinyin demo``."""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Annotated, Self

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from trustapp.demo.job import DemoResult, run_demo
from trustapp.wiring import Suite
from trustcore.errors import NotFoundError

__all__ = ["add_demo"]

_DEFAULT_ROWS = Path("samples/business-licences.csv")
_LINE_EVERY = 20
"""Without a terminal, a line for every so many licences."""
_PASSWORDS = "administrator-passwords.txt"


def add_demo(app: typer.Typer, open_suite: Callable[[], AbstractContextManager[Suite]]) -> None:
    """Add the command to ``app``."""

    @app.command()
    def demo(
        out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("demo"),
        rows: Annotated[Path, typer.Option(help="A department's export, CSV.")] = _DEFAULT_ROWS,
    ) -> None:
        """演示主要流程。 Do the main job on embedded defaults: machines, CAs, a seal, licences, verification."""
        data = _read(rows)
        console = Console(stderr=True)
        with _Display(console) as display:
            display.step("软件加密机 Software encryption machines（仅供测试与演示 for tests and demonstration）")
            with open_suite() as suite:
                result = run_demo(suite, data, name=rows.name, out=out, progress=display)
                passwords = _store_passwords(suite.settings.data_dir / "secrets", result.passwords)
                machines = len(suite.hsm.machines())
        _print(result, machines=machines, passwords=passwords)
        if result.batch.bad:
            raise typer.Exit(1)


def _read(rows: Path) -> bytes:
    try:
        return rows.read_bytes()
    except OSError as error:
        raise NotFoundError(f"the export {rows} cannot be read: {error.strerror}", code="demo.rows") from error


class _Display:
    """Progress: on a terminal a line and a bar for each thing that is done, elsewhere lines of text."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Bars(
            SpinnerColumn(finished_text="[green]✔[/]"), TextColumn("{task.description}"), BarColumn(bar_width=30),
            MofNCompleteColumn(), TimeElapsedColumn(), console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._finish()
        self._bars.stop()

    def step(self, what: str) -> None:
        """Something begins; what came before is done."""
        self._finish()
        self._task = self._bars.add_task(escape(what), total=1)
        if not self._console.is_terminal:
            self._console.print(escape(what), highlight=False, soft_wrap=True)

    def advance(self, done: int, total: int) -> None:
        """So many parts of the present step are done."""
        if self._task is not None:
            self._bars.update(self._task, completed=done, total=total)
        if not self._console.is_terminal and done and (done == total or done % _LINE_EVERY == 0):
            self._console.print(f"  {done}/{total}", highlight=False)

    def _finish(self) -> None:
        if self._task is not None:
            total = self._bars.tasks[self._task].total
            self._bars.update(self._task, completed=total)


def _store_passwords(folder: Path, passwords: Mapping[str, str]) -> Path | None:
    """Append new one-time passwords to a file that its owner alone reads; where it is, or ``None``."""
    path = folder / _PASSWORDS
    if passwords:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.writelines(f"{name} {password}\n" for name, password in passwords.items())
    return path if path.is_file() else None


def _print(result: DemoResult, *, machines: int, passwords: Path | None) -> None:
    console = Console()
    table = Table(show_header=False, box=None, pad_edge=False)
    for label, value in (
        ("加密机 Machines", f"{machines} 台（软件，仅供演示 software, for demonstration）"),
        ("印章 Seal", f"{result.seal.name}  {result.seal.id}"),
        ("证照 Licences", f"{len(result.batch.licences)} / {result.batch.total} 行 rows"),
        ("文件 Files", f"{result.files}，全部验证有效 every one verified as valid"),
    ):
        table.add_row(f"[bold]{label}[/]", escape(value))
    console.print(table)
    for bad in result.batch.bad:
        console.print(f"[red]✘[/] {escape(bad.sentence_zh)} {escape(bad.sentence)}", highlight=False)
    if result.batch.licences:
        first = result.batch.licences[0]
        sample = f"{result.out}/licences/{first.identifier}.ofd"
        console.print("\n接下来 Next:", highlight=False)
        console.print(f"  {result.out}/report.json", highlight=False, soft_wrap=True)
        verify = f"  .venv/bin/xinyin ofd verify --trust {result.out}/trust/sm2-root.pem {sample}"
        console.print(verify, highlight=False, soft_wrap=True)
        console.print(f"  make serve  →  {first.address}", highlight=False, soft_wrap=True)
    if passwords is not None:
        console.print(
            f"  管理员一次性口令 administrators' one-time passwords: {passwords}", highlight=False, soft_wrap=True
        )
