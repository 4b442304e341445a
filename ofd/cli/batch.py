"""``xinyin ofd sign batch``: one seal on many documents."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ofd.cli.placing import Placing
from ofd.cli.sealing import read_sealing
from ofd.cli.signing import load_key, read_time
from ofd.cli.signing_options import (
    AnchorOption,
    AtPlace,
    CertificateFile,
    ChainFiles,
    CrlFiles,
    FacingPages,
    KeepOpen,
    MarginMm,
    OcspFiles,
    OverKeyword,
    PageNumbers,
    PasswordFile,
    RidingGroup,
    RidingSide,
    SealFile,
    SigningTime,
    SizeMm,
    TsaAddress,
)
from ofd.cli.terminal import refusals, shown_progress, usage_error
from ofd.cli.tsa import stamp
from ofd.sign.batch import Outcome, Task, seal_many
from trustcore.console import printable
from trustcore.errors import TrustError

__all__ = ["add_to"]

_Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="OFD 文件 / the documents")]
_Key = Annotated[Path, typer.Option("--key", "-k", metavar="PEM", help="私钥文件 / file with the private key")]
_Folder = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="输出目录 / folder for the sealed documents")]


def add_to(app: typer.Typer, clock: Callable[[], datetime]) -> None:
    """Add the command.

    Args:
        app: the commands that sign.
        clock: answers with the time, aware.
    """

    @app.command("batch")
    def batch_command(  # noqa: PLR0913, PLR0917 - one parameter for each option
        files: _Files,
        seal: SealFile,
        certificate: CertificateFile,
        key: _Key,
        out: _Folder,
        password_file: PasswordFile = None,
        at: AtPlace = None,
        anchor: AnchorOption = None,
        margin: MarginMm = 20,
        keyword: OverKeyword = None,
        riding: RidingSide = None,
        group: RidingGroup = None,
        facing: FacingPages = False,
        pages: PageNumbers = None,
        size: SizeMm = None,
        chain: ChainFiles = None,
        crl: CrlFiles = None,
        ocsp: OcspFiles = None,
        tsa: TsaAddress = None,
        moment: SigningTime = None,
        keep_open: KeepOpen = False,
    ) -> None:
        """批量盖章,已有的结果不动 / seal many, what is there stays: exit 0 all done, 1 some not, 64 wrong usage."""
        placing = Placing(
            at=at, anchor=anchor, margin_mm=margin, keyword=keyword, riding=riding, group=group, facing=facing,
            pages=pages, size=size,
        )  # fmt: skip
        tasks = _tasks(files, out)
        sealing = read_sealing(
            seal=seal, certificate=certificate, placing=placing, chain=chain, crl=crl, ocsp=ocsp,
            at=read_time(moment, clock), keep_open=keep_open,
        )  # fmt: skip
        signer = load_key(key, password_file)
        stamper = None if tsa is None else lambda signature: stamp(tsa, signature)
        with refusals(out):
            out.mkdir(parents=True, exist_ok=True)
            with shown_progress("盖章 / sealing") as progress:
                failed = 0
                outcomes = seal_many(
                    tasks,
                    prepare=sealing.prepared,
                    signer=signer,
                    certificate_der=sealing.signer.der,
                    stamp=stamper,
                )
                for done, outcome in enumerate(outcomes, 1):
                    failed += _tell(outcome)
                    progress(done, len(tasks))
        typer.echo(f"{len(tasks) - failed} / {len(tasks)} 已盖章 sealed")
        raise typer.Exit(1 if failed else 0)


def _tasks(files: Sequence[Path], out: Path) -> list[Task]:
    tasks = [Task(source=file, target=out / file.name) for file in files]
    names = {task.target.name.casefold() for task in tasks}
    if len(names) != len(tasks):
        raise usage_error("文件名有重复 / two of the documents have the same name")
    if any(task.target.resolve() == task.source.resolve() for task in tasks):
        raise usage_error("输出目录即文件所在目录 / the documents lie in the folder for the sealed ones")
    return tasks


def _tell(outcome: Outcome) -> bool:
    """Say why a document was not sealed; whether it was not."""
    error = outcome.error
    if error is None:
        return False
    if isinstance(error, TrustError):
        if error.code == "ofd.batch.exists":
            typer.echo(
                printable(f"{outcome.task.source.name}: 已有结果,未改动 / there already, left as it is"), err=True
            )
            return False
        typer.echo(printable(f"{outcome.task.source.name}: {error.detail} ({error.code})"), err=True)
    else:
        name = outcome.task.source.name
        typer.echo(printable(f"{name}: 无法读写文件 / cannot read or write: {error.strerror}"), err=True)
    return True
