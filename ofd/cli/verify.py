"""``xinyin ofd verify``: the report on a document's seals and signatures, and pictures of what is not signed."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ofd.cli.policy import read_moment, read_policy
from ofd.cli.terminal import refusals, shown_progress, usage_error
from ofd.draw.png import to_png
from ofd.draw.seals import Seals
from ofd.fonts.library import FontLibrary
from ofd.model.document import Document
from ofd.package.source import FileSource
from ofd.verify.changes import ChangeKind
from ofd.verify.coverage_picture import marked_scene
from ofd.verify.document import Verification, examine
from ofd.verify.drawn import with_pages_compared
from ofd.verify.forms import coverage_form, detailed_form, simple_form
from ofd.verify.page_coverage import page_coverage
from trustcore.console import print_report, printable
from trustcore.errors import TrustError
from trustcore.report import Status, Verdict

__all__ = ["add_to"]

_LABELS = {
    "signer": "签名人 Signer",
    "seal_name": "印章 Seal",
    "seal_code": "印章编码 Seal code",
    "signed_at": "签名时间 Signed at",
    "signed_at_proven": "有时间戳证明 Proven by a time stamp",
    "archived_at": "存档时间 Archived at",
    "covers_all": "保护全部显示内容 Covers all that is shown",
    "later_changes": "之后的改动 Later changes",
    "problems": "问题 Problem",
    "warnings": "提示 Warning",
    "protects": "受保护文件数 Protected files",
}
_VERDICTS = {
    Verdict.VALID: "有效 VALID",
    Verdict.INVALID: "无效 NOT VALID",
    Verdict.INDETERMINATE: "无法判定 CANNOT TELL",
}
_STATUSES = {
    Status.PASSED: "通过 passed",
    Status.WARNING: "警告 warning",
    Status.SKIPPED: "略过 skipped",
    Status.INDETERMINATE: "无法判定 cannot tell",
    Status.FAILED: "未通过 failed",
}
_CHANGES = {
    ChangeKind.SIGNATURE: "追加了签名 a signature was added",
    ChangeKind.LIST: "签名列表已扩展 the list of signatures was extended",
    ChangeKind.OPEN: "有后加或未受保护的文件 files were added or left open",
    ChangeKind.CHANGED: "有文件被修改 files were changed",
    ChangeKind.REMOVED: "有文件被删除 files were removed",
}
_NONE, _YES, _NO = "无 none", "是 yes", "否 no"
_WORDS: dict[str, str] = {
    str(key): word for words in (_VERDICTS, _STATUSES, _CHANGES) for key, word in words.items()
} | {"true": _YES, "false": _NO}
_CHUNK = 1 << 20
_PICTURE_DPI = 100


class Form(StrEnum):
    """How much is told."""

    SIMPLE = "simple"
    DETAILED = "detailed"
    FULL = "full"


_Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="OFD 文件 / the documents")]
_Json = Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")]
_Trust = Annotated[list[Path], typer.Option(metavar="PEM", help="受信任的根证书 / trusted root certificates")]
_Crl = Annotated[list[Path] | None, typer.Option(metavar="FILE", help="吊销列表 / certificate revocation list")]
_Ocsp = Annotated[list[Path] | None, typer.Option(metavar="FILE", help="OCSP 响应 / OCSP response, DER")]
_Chain = Annotated[list[Path] | None, typer.Option(metavar="PEM", help="中间证书 / issuing certificates")]
_Signer = Annotated[
    list[Path] | None,
    typer.Option(metavar="PEM", help="签名中没有证书时的签名人证书 / certificate of a signature that carries none"),
]
_At = Annotated[
    str | None, typer.Option(metavar="RFC3339", help="验证时刻,默认现在 / moment of verification, now by default")
]
_Form = Annotated[Form, typer.Option(help="报告形式 / form of the report")]
_Seal = Annotated[bool, typer.Option("--require-seal", help="必须有电子印章 / fail without a seal")]
_Pictures = Annotated[
    Path | None,
    typer.Option("--pictures", metavar="DIR", help="输出标出未签名内容的页面图片 / pages with unsigned content marked"),
]
_Compare = Annotated[
    bool,
    typer.Option("--compare", help="按严格与宽松两种读法绘制并比较各页 / draw pages as strict and lenient readers do"),
]


def add_to(app: typer.Typer, clock: Callable[[], datetime]) -> None:
    """Add the command.

    Args:
        app: the commands on OFD files.
        clock: answers with the time, aware.
    """

    @app.command("verify")
    def verify_command(  # noqa: PLR0913, PLR0917 - typer reads the options from the arguments
        files: _Files,
        trust: _Trust,
        as_json: _Json = False,
        crl: _Crl = None,
        at: _At = None,
        ocsp: _Ocsp = None,
        chain: _Chain = None,
        signer: _Signer = None,
        form: _Form = Form.FULL,
        require_seal: _Seal = False,
        pictures: _Pictures = None,
        compare: _Compare = False,
    ) -> None:
        """验证文件的电子印章 / verify seals and signatures: exit 0 all valid, 1 not, 2 cannot tell, 64 wrong usage."""
        policy = read_policy(
            trust,
            crl or [],
            clock() if at is None else read_moment(at),
            ocsp=ocsp or [],
            chain=chain or [],
            signers=signer or [],
            seal_required=require_seal,
        )
        if pictures is not None and len({file.stem for file in files}) < len(files):
            raise usage_error("文件名有重复 / two of the documents have the same name")
        reports: list[dict[str, object]] = []
        verdicts: list[Verdict] = []
        for file in files:
            with closing(_opened(file)) as source, refusals(file):
                with shown_progress("验证 Verifying") as progress:
                    verification = examine(source, policy, progress=progress)
                if compare:
                    with shown_progress("比较 Comparing") as progress:
                        verification = with_pages_compared(verification, fonts=FontLibrary(), progress=progress)
                further: dict[str, object] = {}
                if pictures is not None:
                    further["pages"] = _draw(verification, pictures, file.stem)
                content = _content(verification, form) | further
                digests = _digests(source) if as_json else {}
                source.check_unchanged()
                if as_json:
                    reports.append({"file": file.name, **digests, **content})
                else:
                    _print(verification, file, form, content)
            verdicts.append(verification.report.verdict)
        if as_json:
            answer = reports if len(files) > 1 else reports[0]
            print(json.dumps(answer, ensure_ascii=False, indent=2))  # noqa: T201 - what the command answers
        elif len(files) > 1:
            counts = "  ".join(f"{_word(verdict)}: {verdicts.count(verdict)}" for verdict in Verdict)
            Console().print(counts)
        raise typer.Exit(_exit_code(verdicts))


def _exit_code(verdicts: Sequence[Verdict]) -> int:
    """The worst of all: not valid, then cannot tell, then valid."""
    for verdict in (Verdict.INVALID, Verdict.INDETERMINATE):
        if verdict in verdicts:
            return verdict.exit_code
    return Verdict.VALID.exit_code


def _opened(file: Path) -> FileSource:
    with refusals(file):
        return FileSource(file)


def _draw(verification: Verification, folder: Path, stem: str) -> list[dict[str, object]]:
    """One PNG for each page, ``<stem>-<number>.png``; answers with what is marked in it."""
    if verification.package is None:
        return []
    pages: list[dict[str, object]] = []
    with refusals(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            document, fonts = Document.open(verification.package), FontLibrary()
        except TrustError:
            return []  # the report says why there is nothing to be drawn
        seals = Seals(document, fonts=fonts)
        count = len(document.page_links)
        with shown_progress("绘制 Drawing") as progress:
            for index in range(count):
                coverage = page_coverage(document, index, verification, fonts=fonts, seals=seals)
                picture = to_png(marked_scene(coverage), dpi=_PICTURE_DPI)
                (folder / f"{stem}-{index + 1}.png").write_bytes(picture)
                pages.append(coverage_form(coverage))
                progress(index + 1, count)
    return pages


def _content(verification: Verification, form: Form) -> dict[str, object]:
    if form is Form.FULL:
        return verification.report.as_json()
    return (simple_form if form is Form.SIMPLE else detailed_form)(verification)


def _print(verification: Verification, file: Path, form: Form, content: Mapping[str, object]) -> None:
    if form is Form.FULL:
        print_report(verification.report, file_name=file.name, data=b"", as_json=False)
    else:
        _print_signatures(content, file.name)
    for drawn in cast("list[dict[str, object]]", content.get("pages", [])):
        if not drawn["covered"]:
            sentence = f"第 {drawn['page']} 页有未签名的内容 / page {drawn['page']} shows what is not signed"
            Console().print(f"[red]{sentence}[/]")


def _print_signatures(content: Mapping[str, object], name: str) -> None:
    """The simple and the detailed form for people: a table for each signature."""
    console = Console()
    console.print(f"{escape(printable(name))}  [bold]{_word(content['verdict'])}[/]")
    parts = [*cast("list[dict[str, object]]", content["signatures"]), cast("dict[str, object]", content["document"])]
    for part in parts:
        title = f"{part.get('id', '文档 document')} {part.get('form', '')}  {_word(part['verdict'])}"
        table = Table(title=escape(printable(title)), title_justify="left", show_header=False)
        for label, text in _rows(part):
            table.add_row(escape(printable(label)), escape(printable(text)))
        if table.row_count:
            console.print(table)


def _rows(part: Mapping[str, object]) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in part.items():
        if name == "blocks":
            for block in cast("list[dict[str, object]]", value):
                steps = cast("list[dict[str, str]]", block["steps"])
                rows.append((f"{block['zh']} {block['en']}", _word(block["status"])))
                rows += [("", f"{_word(step['status'])}: {step['zh']} / {step['en']}") for step in steps]
        elif name in {"problems", "warnings"}:
            rows += [(_LABELS[name], f"{item['zh']} / {item['en']}") for item in cast("list[dict[str, str]]", value)]
        elif name == "facts" or name in {"id", "form", "verdict"}:
            continue
        else:
            rows.append((_LABELS.get(name, name), _told(value)))
    return rows


def _told(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(map(_word, value)) or _NONE
    return (_YES if value else _NO) if isinstance(value, bool) else _word(value)


def _word(value: object) -> str:
    """What a verdict, a status, a kind of change or a yes or no of a form is called, in both languages."""
    return _WORDS.get(str(value), str(value))


def _digests(source: FileSource) -> dict[str, str]:
    states = {name: hashlib.new(name) for name in ("sha256", "sm3")}
    for at in range(0, source.size, _CHUNK):
        piece = source.read(at, min(_CHUNK, source.size - at))
        for state in states.values():
            state.update(piece)
    return {name: state.hexdigest() for name, state in states.items()}
