"""``xinyin ofd convert``: OFD to PDF or HTML, PDF and pictures to OFD."""

from collections.abc import Callable, Iterable
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from ofd.cli.output import replacing
from ofd.cli.render import chosen_pages
from ofd.cli.terminal import refusals, shown_progress, usage_error
from ofd.convert.images_to_ofd import write_images_as_ofd
from ofd.convert.ofd_to_html import ofd_to_html
from ofd.convert.ofd_to_pdf import ofd_to_pdf
from ofd.convert.pdf_to_ofd import write_pdf_as_ofd
from ofd.draw.images import PictureKind, picture_kind
from ofd.model.document import Document
from trustcore.console import printable

__all__ = ["add_to"]

_START = 65536
"""Octets in which a file shows what it is."""
_PDF_START = 1024
_HTML = {".html", ".htm"}
"""Names of a target that is not to be a PDF."""

_Files = Annotated[
    list[Path], typer.Argument(metavar="FILE…", help="一个 OFD 或 PDF,或若干图片 / one OFD or PDF, or pictures")
]
_Out = Annotated[Path | None, typer.Option("--out", "-o", help="输出文件 / file to write")]
_Force = Annotated[bool, typer.Option("--force", help="覆盖已有文件 / overwrite an existing file")]
_Pages = Annotated[
    str | None, typer.Option(metavar="1,3-5", help="OFD 的页码,默认全部 / pages of an OFD, all by default")
]
_Seals = Annotated[bool, typer.Option("--seals/--no-seals", help="绘制印章 / draw seals")]
_Attachments = Annotated[bool, typer.Option("--attachments/--no-attachments", help="带上附件 / take attachments along")]
_Password = Annotated[bool, typer.Option("--password", help="询问 PDF 的口令 / ask for the password of a PDF")]


def add_to(app: typer.Typer, clock: Callable[[], datetime]) -> None:
    """Add the command.

    Args:
        app: the commands on OFD files.
        clock: answers with the time, aware.
    """

    @app.command("convert")
    def convert_command(  # noqa: PLR0917 - one parameter for each option
        files: _Files,
        out: _Out = None,
        force: _Force = False,
        pages: _Pages = None,
        seals: _Seals = True,
        attachments: _Attachments = True,
        password: _Password = False,
    ) -> None:
        """OFD 转 PDF 或 HTML,PDF 或图片转 OFD / OFD to PDF or HTML, PDF or pictures to OFD, without signatures."""
        file = files[0]
        with refusals(file):
            kinds = {_kind(path) for path in files}
        kind = kinds.pop()
        if kinds or (kind is not _Kind.PICTURE and len(files) > 1):
            raise usage_error("一次只能转换一个文档,或若干图片 / one document at a time, or pictures")
        target = out or file.with_suffix(".pdf" if kind is _Kind.OFD else ".ofd")
        if target.exists() and not force:
            raise usage_error(f"文件已存在,用 --force 覆盖 / the file exists, overwrite it with --force: {target}")
        secret = typer.prompt("口令 / password", hide_input=True, err=True) if password and kind is _Kind.PDF else ""
        warnings: Iterable[str] = ()
        with refusals(file), shown_progress("转换 / converting") as progress:
            match kind:
                case _Kind.OFD:
                    with Document.open(file) as document, replacing(target) as written:
                        wanted = chosen_pages(pages, len(document.page_links))
                        if target.suffix.lower() in _HTML:
                            done = ofd_to_html(document, written, pages=wanted, seals=seals, progress=progress)
                        else:
                            done = ofd_to_pdf(
                                document, written, pages=wanted, seals=seals, attachments=attachments, progress=progress
                            )
                        warnings = done.warnings
                case _Kind.PDF:
                    result = write_pdf_as_ofd(
                        file, target, doc_id=uuid4().hex, created=clock(), password=secret, progress=progress
                    )
                    warnings = [f"{item.page}: {item.sentence}".removeprefix("0: ") for item in result.warnings]
                case _Kind.PICTURE:
                    write_images_as_ofd(
                        target, files, doc_id=uuid4().hex, created=clock(), title=file.stem, progress=progress
                    )
        for warning in warnings:
            typer.echo(printable(f"! {warning}"), err=True)


class _Kind(Enum):
    OFD = "ofd"
    PDF = "pdf"
    PICTURE = "picture"


def _kind(file: Path) -> _Kind:
    """What a file is, by its octets; what is nothing known counts as a damaged OFD."""
    with file.open("rb") as opened:
        start = opened.read(_START)
    if b"%PDF-" in start[:_PDF_START]:
        return _Kind.PDF
    return _Kind.PICTURE if picture_kind(start) not in {None, PictureKind.OFD} else _Kind.OFD
