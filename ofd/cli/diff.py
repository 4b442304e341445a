"""``xinyin ofd diff``: what two documents differ in, or a document from what one of its signatures signed."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from ofd.cli.output import replacing
from ofd.cli.terminal import refusals, shown_progress, usage_error
from ofd.compare.changes import Comparison, PageChange, PageState, PartState
from ofd.compare.document import Comparing, since_signature
from ofd.model.document import Document
from ofd.package.reader import Package
from trustcore.console import printable

__all__ = ["add_to"]

_Old = Annotated[Path, typer.Argument(metavar="OLD", help="旧文件,或已签名的文件 / the one before, or a signed one")]
_New = Annotated[Path | None, typer.Argument(metavar="NEW", help="新文件 / the document now")]
_Since = Annotated[
    str | None,
    typer.Option("--since", metavar="ID", help="与该签名所签的内容比较 / from what a signature signed"),
]
_Pictures = Annotated[
    Path | None, typer.Option("--pictures", metavar="FOLDER", help="把差异画成图 / draw what differs into a folder")
]
_Parts = Annotated[bool, typer.Option("--parts-only", help="只比较文件与元数据 / compare files and metadata only")]
_Dpi = Annotated[float, typer.Option(min=1, max=1200, help="差异图的分辨率 / dots per inch of pictures")]
_Json = Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")]
_MARKS = {PartState.ADDED: "[blue]+[/]", PartState.REMOVED: "[red]-[/]", PartState.CHANGED: "[yellow]~[/]"}
_STATES = {
    PageState.SAME: ("相同", "same"),
    PageState.MOVED: ("移动", "moved"),
    PageState.REWRITTEN: ("写法不同,外观相同", "made otherwise, looks the same"),
    PageState.CHANGED: ("改变", "changed"),
    PageState.ADDED: ("新增", "added"),
    PageState.REMOVED: ("删除", "removed"),
}


def add_to(app: typer.Typer, clock: Callable[[], datetime]) -> None:  # noqa: ARG001 - every command takes a clock
    """Add the command."""

    @app.command("diff")
    def diff_command(  # noqa: PLR0917 - one parameter for each option
        old: _Old,
        new: _New = None,
        since: _Since = None,
        pictures: _Pictures = None,
        parts_only: _Parts = False,
        dpi: _Dpi = 150,
        as_json: _Json = False,
    ) -> None:
        """比较两个文件,或与签名时的内容比较 / compare: exit 0 the same, 1 differences."""
        if (new is None) == (since is None):
            raise usage_error("请给出第二个文件或 --since / give a second document, or --since")
        with ExitStack() as stack:
            stack.enter_context(refusals(old if new is None else new))
            notes: list[str] = []
            if since is not None:
                package = stack.enter_context(Package.open(old))
                answer = since_signature(package, since, pages=False)
                notes += [f"签名后被改动 / altered after it was signed: {name}" for name in answer.altered]
                notes += [f"签名后被移除 / removed after it was signed: {name}" for name in answer.missing]
                before, after = Document.open(answer.signed), Document.open(package)
            else:
                before = stack.enter_context(Document.open(old))
                after = stack.enter_context(Document.open(new or old))
            comparing = Comparing(before, after)
            with shown_progress("比较页面 / comparing pages") as progress:
                found = comparing.compare(pages=not parts_only, progress=progress)
            drawn = [] if pictures is None else _draw(comparing, found, pictures, dpi)
        _tell(found, notes, drawn, as_json=as_json)
        raise typer.Exit(0 if found.is_same and not notes else 1)


def _draw(comparing: Comparing, found: Comparison, folder: Path, dpi: float) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    for number, page in enumerate(found.pages):
        if page.is_same or page.state is PageState.MOVED or page.error:
            continue
        name = f"page_{_page_number(page)}.png"
        with replacing(folder / name) as written:
            written.write(comparing.picture(found, number, dpi=dpi))
        names.append(name)
    return names


def _page_number(page: PageChange) -> str:
    return f"{page.new + 1}" if page.new is not None else f"{(page.old or 0) + 1}_removed"


def _tell(found: Comparison, notes: list[str], drawn: list[str], *, as_json: bool) -> None:
    if as_json:
        answer = found.as_json() | {"notes": notes, "pictures": drawn}
        typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        return
    console = Console(highlight=False, soft_wrap=True)
    for note in notes:
        console.print(f"[red]![/] {escape(printable(note))}")
    for part in found.parts:
        kinds = f" [dim]({', '.join(part.kinds)})[/]" if part.kinds else ""
        console.print(f"{_MARKS[part.state]} {escape(printable(part.name))}{kinds}")
    for value in found.values:
        console.print(f"[yellow]~[/] {escape(printable(f'{value.name}: {value.old} → {value.new}'))}")
    for page in found.pages:
        if page.state is not PageState.SAME:
            _print_page(console, page)
    if found.is_same and not notes:
        console.print("文件相同 / the documents are the same")


def _print_page(console: Console, page: PageChange) -> None:
    zh, en = _STATES[page.state]
    old, new = ("–" if index is None else str(index + 1) for index in (page.old, page.new))
    error = f" {escape(page.error)}" if page.error else ""
    console.print(f"[bold]第 {old} → {new} 页 / page {old} → {new}[/]: {zh} / {en}{error}")
    for change in page.text:
        for line in change.old:
            console.print(f"  [red]- {escape(printable(line))}[/]")
        for line in change.new:
            console.print(f"  [blue]+ {escape(printable(line))}[/]")
    for box in page.regions:
        console.print(f"  [dim]{box.x:.1f}, {box.y:.1f}, {box.width:.1f} × {box.height:.1f} mm[/]")
