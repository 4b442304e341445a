"""What the commands on documents share: files from the command line, refusals in a sentence, progress on a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import ofd.progress
from trustcore.console import EXIT_USAGE, printable
from trustcore.errors import TrustError

__all__ = ["refusals", "shown_progress", "usage_error"]


def usage_error(sentence: str) -> typer.Exit:
    """Say on standard error what was wrong with the command line; raise what comes back (status 64)."""
    typer.echo(printable(sentence), err=True)
    return typer.Exit(EXIT_USAGE)


@contextmanager
def refusals(file: Path) -> Iterator[None]:
    """Errors of the work on ``file`` as a line on standard error: status 64 when it cannot be read, else 1."""
    try:
        yield
    except TrustError as error:
        typer.echo(printable(f"{file.name}: {error.detail} ({error.code})"), err=True)
        raise typer.Exit(1) from error
    except BrokenPipeError:  # whoever read the output has had enough; typer ends the command quietly
        raise
    except OSError as error:
        name = error.filename or file
        raise usage_error(f"无法读写文件 / cannot read or write {name}: {error.strerror}") from error


@contextmanager
def shown_progress(title: str) -> Iterator[ofd.progress.Progress]:
    """A progress callback; a terminal on standard error shows a bar, anything else nothing.

    Args:
        title: what is being done, Chinese and English.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield ofd.progress.silent
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)

        def update(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield update
