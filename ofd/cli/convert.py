"""``xinyin ofd convert``: OFD to PDF, PDF to OFD."""

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from ofd.cli.output import replacing
from ofd.cli.render import chosen_pages
from ofd.cli.terminal import refusals, shown_progress, usage_error
from ofd.convert.ofd_to_pdf import ofd_to_pdf
from ofd.convert.pdf_to_ofd import write_pdf_as_ofd
from ofd.model.document import Document
from trustcore.console import printable

__all__ = ["add_to"]

_START = 1024
"""Octets in which the mark of a PDF must stand."""

_File = Annotated[Path, typer.Argument(metavar="FILE", help="OFD 或 PDF 文件 / an OFD or PDF file")]
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
        file: _File,
        out: _Out = None,
        force: _Force = False,
        pages: _Pages = None,
        seals: _Seals = True,
        attachments: _Attachments = True,
        password: _Password = False,
    ) -> None:
        """OFD 转 PDF,PDF 转 OFD / convert OFD to PDF, or PDF to OFD. What was signed is not signed afterwards."""
        with refusals(file):
            from_pdf = _is_pdf(file)
        target = out or file.with_suffix(".ofd" if from_pdf else ".pdf")
        if target.exists() and not force:
            raise usage_error(f"文件已存在,用 --force 覆盖 / the file exists, overwrite it with --force: {target}")
        secret = typer.prompt("口令 / password", hide_input=True, err=True) if password and from_pdf else ""
        with refusals(file), shown_progress("转换 / converting") as progress:
            if from_pdf:
                result = write_pdf_as_ofd(
                    file, target, doc_id=uuid4().hex, created=clock(), password=secret, progress=progress
                )
                warnings = [f"{item.page}: {item.sentence}" if item.page else item.sentence for item in result.warnings]
            else:
                with Document.open(file) as document, replacing(target) as written:
                    wanted = chosen_pages(pages, len(document.page_links))
                    warnings = list(
                        ofd_to_pdf(
                            document, written, pages=wanted, seals=seals, attachments=attachments, progress=progress
                        ).warnings
                    )
        _tell(warnings)


def _is_pdf(file: Path) -> bool:
    with file.open("rb") as opened:
        return b"%PDF-" in opened.read(_START)


def _tell(warnings: Iterable[str]) -> None:
    for warning in warnings:
        typer.echo(printable(f"! {warning}"), err=True)
