"""``xinyin ofd render``: pages as PNG, SVG, PDF or HTML."""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ofd.cli.output import replacing
from ofd.cli.terminal import refusals, shown_progress, usage_error
from ofd.convert.ofd_to_html import ofd_to_html
from ofd.convert.ofd_to_pdf import ofd_to_pdf
from ofd.draw.page import sealed_scene
from ofd.draw.png import WHITE, to_png
from ofd.draw.seals import Seals
from ofd.draw.svg import to_svg
from ofd.fonts.library import installed_fonts
from ofd.geometry import Box
from ofd.model.document import Document
from trustcore.console import printable

__all__ = ["add_to", "chosen_pages"]


class Format(StrEnum):
    """What pages are drawn as."""

    PNG = "png"
    SVG = "svg"
    PDF = "pdf"
    HTML = "html"


_WHOLE = {Format.PDF: ofd_to_pdf, Format.HTML: ofd_to_html}
"""Formats that hold all pages in one file."""

_File = Annotated[Path, typer.Argument(metavar="FILE", help="OFD 文件 / the document")]
_Out = Annotated[Path | None, typer.Option("--out", "-o", help="输出文件或目录 / file or folder to write")]
_Pages = Annotated[str | None, typer.Option(metavar="1,3-5", help="页码,默认全部 / pages, all by default")]
_Format = Annotated[
    Format | None, typer.Option("--format", "-f", help="格式,默认按输出文件名 / by --out's name if not given")
]
_Dpi = Annotated[float, typer.Option(min=1, max=2400, help="分辨率 / dots per inch")]
_Region = Annotated[str | None, typer.Option(metavar="X,Y,W,H", help="只画该区域(毫米) / only this part, millimetres")]
_Transparent = Annotated[bool, typer.Option("--transparent", help="透明背景 / see-through background")]
_Seals = Annotated[bool, typer.Option("--seals/--no-seals", help="绘制印章 / draw seals")]
_Annotations = Annotated[bool, typer.Option("--annotations/--no-annotations", help="绘制注释 / draw annotations")]


def add_to(app: typer.Typer, clock: Callable[[], datetime]) -> None:  # noqa: ARG001 - every command takes a clock
    """Add the command."""

    @app.command("render")
    def render_command(  # noqa: PLR0913, PLR0917 - one parameter for each option
        file: _File,
        out: _Out = None,
        pages: _Pages = None,
        form: _Format = None,
        dpi: _Dpi = 150,
        region: _Region = None,
        transparent: _Transparent = False,
        seals: _Seals = True,
        annotations: _Annotations = True,
    ) -> None:
        """把页面画成 PNG、SVG、PDF 或 HTML / draw pages as PNG, SVG, PDF or HTML."""
        kind = form or _format_of(out)
        part = None if region is None else _box(region)
        background = None if transparent else WHITE
        with refusals(file), ExitStack() as stack:
            document = stack.enter_context(Document.open(file))
            progress = stack.enter_context(shown_progress("绘制 / drawing"))
            wanted = chosen_pages(pages, len(document.page_links))
            if kind in _WHOLE:
                with replacing(out or Path(f"{file.stem}.{kind}")) as written:
                    done = _WHOLE[kind](
                        document, written, pages=wanted, seals=seals, annotations=annotations, progress=progress
                    )
                _tell(done.warnings)
                return
            fonts = installed_fonts()
            stamps = Seals(document, fonts=fonts) if seals else None
            warnings: dict[str, None] = {}
            for count, index in enumerate(wanted, 1):
                scene = sealed_scene(document, index, fonts=fonts, seals=stamps, annotations=annotations)
                warnings |= dict.fromkeys(scene.warnings)
                if kind is Format.SVG:
                    octets = to_svg(scene, title=document.info.title).encode()
                else:
                    octets = to_png(scene, dpi=dpi, background=background, region=part)
                with replacing(_target(out, file.stem, index, kind, alone=len(wanted) == 1)) as written:
                    written.write(octets)
                progress(count, len(wanted))
            if stamps:
                warnings |= dict.fromkeys(warning.en for warning in stamps.warnings)
            _tell(warnings)


def chosen_pages(text: str | None, count: int) -> list[int]:
    """Page numbers from 1, such as ``1,3-5,8-``, as indexes from 0; ends the command when one does not exist."""
    if text is None:
        return list(range(count))
    found: list[int] = []
    for piece in text.replace("，", ",").split(","):
        first, dash, last = piece.strip().partition("-")
        try:
            start = int(first or "1")
            end = int(last) if last else count if dash else start
        except ValueError as error:
            raise usage_error(f"页码不正确 / not page numbers: {text}") from error
        if not 1 <= start <= end <= count:
            raise usage_error(f"文档共 {count} 页 / the document has {count} pages: {text}")
        found += range(start - 1, end)
    return found


def _tell(warnings: "dict[str, None] | tuple[str, ...]") -> None:
    for warning in warnings:
        typer.echo(printable(f"! {warning}"), err=True)


def _format_of(out: Path | None) -> Format:
    suffix = "" if out is None or out.is_dir() else out.suffix.lower().lstrip(".")
    if suffix and suffix not in set(Format):
        raise usage_error(f"请用 --format 说明格式 / say the format with --format: {out}")
    return Format(suffix or Format.PNG)


def _target(out: Path | None, stem: str, index: int, kind: Format, *, alone: bool) -> Path:
    if out is not None and not out.is_dir():
        return out if alone else out.with_name(f"{out.stem}-{index + 1}{out.suffix or f'.{kind}'}")
    return (out or Path()) / f"{stem}-{index + 1}.{kind}"


def _box(text: str) -> Box:
    try:
        values = [float(piece) for piece in text.split(",")]
        box = Box(*values)
    except (ValueError, TypeError) as error:
        raise usage_error(f"区域不正确 / not a region: {text}") from error
    if not (box.width > 0 and box.height > 0):
        raise usage_error(f"区域不正确 / not a region: {text}")
    return box
