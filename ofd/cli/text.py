"""``xinyin ofd text``: the text of a document, and the places of a keyword."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ofd.cli.terminal import refusals, shown_progress, usage_error
from ofd.geometry import Box
from ofd.model.document import Document
from ofd.text.page import PageText
from ofd.text.search import Hit, document_text, search
from trustcore.console import printable

__all__ = ["add_to", "page_indexes"]

_File = Annotated[Path, typer.Argument(metavar="FILE", help="OFD 文件 / the document")]
_Pages = Annotated[str | None, typer.Option("--pages", metavar="1,3-5", help="页码,默认全部 / pages, all by default")]
_Keyword = Annotated[
    str | None, typer.Option("--search", metavar="KEYWORD", help="查找关键字的位置 / find a keyword's places")
]
_Case = Annotated[bool, typer.Option("--ignore-case", help="不区分大小写 / upper and lower case are the same")]
_Json = Annotated[bool, typer.Option("--json", help="输出 JSON,含坐标(毫米)/ print JSON with boxes in millimetres")]
_RANGE = re.compile(r"(\d+)(-(\d*))?")


def add_to(app: typer.Typer, clock: Callable[[], datetime]) -> None:  # noqa: ARG001 - all commands are added alike
    """Add the command.

    Args:
        app: the commands on OFD files.
        clock: not needed.
    """

    @app.command("text")
    def text_command(
        file: _File,
        pages: _Pages = None,
        keyword: _Keyword = None,
        ignore_case: _Case = False,
        as_json: _Json = False,
    ) -> None:
        """提取文字或查找关键字 / print the text, or where a keyword is: exit 0 done, 1 not found or unreadable."""
        with refusals(file), Document.open(file) as document:
            chosen = page_indexes(pages, len(document.page_links))
            if keyword is None:
                _print_text(document, chosen, as_json=as_json)
            elif not _print_hits(document, chosen, keyword, ignore_case=ignore_case, as_json=as_json):
                raise typer.Exit(1)


def page_indexes(pages: str | None, count: int) -> tuple[int, ...]:
    """Page numbers from the command line (``1,3-5``, ``7-``) as indexes from 0.

    Args:
        pages: what was given; nothing means all.
        count: how many pages there are.

    Raises:
        typer.Exit: with status 64 and a sentence on standard error, when a number is wrong.
    """
    if pages is None:
        return tuple(range(count))
    found: list[int] = []
    for item in pages.split(","):
        match = _RANGE.fullmatch(item.strip())
        first = int(match.group(1)) if match else 0
        last = first if not match or match.group(2) is None else int(match.group(3) or count)
        if not 1 <= first <= last <= count:
            raise usage_error(f"页码不正确 / no such pages: {item.strip()} (1-{count})")
        found += range(first - 1, last)
    return tuple(found)


def _print_text(document: Document, pages: tuple[int, ...], *, as_json: bool) -> None:
    with shown_progress("读取文字 / reading text") as progress:
        for index, text in document_text(document, pages=pages, progress=progress):
            if as_json:
                typer.echo(json.dumps(_page_data(index, text), ensure_ascii=False))
            else:
                typer.echo(f"--- {index + 1} ---\n{_lines(text)}")


def _lines(text: PageText) -> str:
    return "\n".join(printable(line) for line in text.text.split("\n"))


def _print_hits(document: Document, pages: tuple[int, ...], keyword: str, *, ignore_case: bool, as_json: bool) -> int:
    count = 0
    with shown_progress("查找 / searching") as progress:
        for hit in search(document, keyword, pages=pages, ignore_case=ignore_case, progress=progress):
            count += 1
            if as_json:
                typer.echo(json.dumps(_hit_data(hit), ensure_ascii=False))
            else:
                typer.echo(printable(f"{hit.page + 1}: {hit.text}  {_shown(hit.box)}"))
    return count


def _page_data(index: int, text: PageText) -> dict[str, object]:
    return {
        "page": index + 1,
        "lines": [
            {
                "text": line.text,
                "box": _numbers(line.box),
                "words": [{"text": word.text, "box": _numbers(word.box)} for word in line.words],
            }
            for line in text.lines
        ],
    }


def _hit_data(hit: Hit) -> dict[str, object]:
    return {
        "page": hit.page + 1,
        "text": hit.text,
        "box": _numbers(hit.box),
        "boxes": [_numbers(box) for box in hit.boxes],
    }


def _numbers(box: Box) -> list[float]:
    return [round(value, 3) for value in box]


def _shown(box: Box) -> str:
    return " ".join(f"{value:.2f}" for value in box)
