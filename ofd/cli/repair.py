"""``xinyin ofd repair``: mend an unsigned document, or turn it into the archive profile."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from ofd.cli.lint import print_findings
from ofd.cli.output import replacing
from ofd.cli.policy import read_input
from ofd.cli.terminal import refusals, usage_error
from ofd.lint.archive_convert import to_archive
from ofd.lint.finding import LintReport, Severity
from ofd.lint.part_repair import Repair
from ofd.lint.repair import repair
from trustcore.console import printable

__all__ = ["add_to"]

_File = Annotated[Path, typer.Argument(metavar="FILE", help="OFD 文件 / the document")]
_Out = Annotated[Path, typer.Option("--out", "-o", help="输出文件 / file to write")]
_Archive = Annotated[bool, typer.Option("--archive", help="转换为归档格式 OFD-A / turn into the archive profile OFD-A")]
_Seals = Annotated[
    bool, typer.Option("--annotate-seals", help="归档已签章的文件:印章转为注释 / seals become annotations")
]
_MovedOut = Annotated[
    Path | None, typer.Option("--moved-out", metavar="FOLDER", help="存放移出的附件等 / where to put what is taken out")
]
_Json = Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")]


def add_to(app: typer.Typer, clock: Callable[[], datetime]) -> None:
    """Add the command.

    Args:
        app: the commands on OFD files.
        clock: answers with the time, aware.
    """

    @app.command("repair")
    def repair_command(  # noqa: PLR0917 - one parameter for each option
        file: _File,
        out: _Out,
        archive: _Archive = False,
        annotate_seals: _Seals = False,
        moved_out: _MovedOut = None,
        as_json: _Json = False,
    ) -> None:
        """修复未签名的文件,页面不变 / mend an unsigned document, pages stay: exit 0 clean, 1 findings are left."""
        if annotate_seals and not archive:
            raise usage_error("--annotate-seals 只与 --archive 同用 / --annotate-seals goes with --archive only")
        with refusals(file):
            data = read_input(file)
            if archive:
                archived = to_archive(data, annotate_seals=clock().date() if annotate_seals else None)
                result, done, left, files = archived.data, archived.done, archived.left, archived.moved_out
            else:
                mended = repair(data)
                result, done, left, files = mended.data, mended.done, mended.left, {}
            if files and moved_out is None:
                raise usage_error(
                    f"有 {len(files)} 个文件将被移出,请用 --moved-out 指定目录 / files would be lost: give --moved-out"
                )
            if moved_out is not None:
                _keep(files, moved_out)
            with replacing(out) as written:
                written.write(result)
        _tell(file, done, left, as_json=as_json)
        raise typer.Exit(0 if left.is_clean else 1)


def _keep(files: Mapping[str, bytes], folder: Path) -> None:
    """Write what was taken out; names of packages are plain paths that do not leave their folder."""
    for name, content in files.items():
        target = folder.joinpath(*PurePosixPath(name).parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as written:
            written.write(content)


def _tell(file: Path, done: tuple[Repair, ...], left: LintReport, *, as_json: bool) -> None:
    if as_json:
        answer = {"file": file.name, "done": [item.as_json() for item in done], "left": left.as_json()}
        typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        return
    for item in done:
        place = item.entry + (f":{item.line}" if item.line else "")
        typer.echo(printable(f"⚒ {item.code}  {place}  {item.before} → {item.after or '–'}"))
    if not done:
        typer.echo("没有需要修复的内容 / nothing to mend")
    print_findings(file.name, left, Severity.WARNING)
