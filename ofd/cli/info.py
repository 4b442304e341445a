"""``xinyin ofd info``: what a document says of itself."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ofd import xmlio
from ofd.cli.terminal import refusals, shown_progress
from ofd.model.document import Document
from ofd.package.lenient import LenientPackage
from ofd.package.reader import Package
from ofd.progress import Progress, silent
from ofd.structure import read_part
from ofd.verify.reachable import find_reachable
from trustcore.console import printable
from trustcore.errors import TrustError

__all__ = ["add_to", "describe"]

_TITLES = {
    "title": "标题 Title",
    "doc_id": "文档标识 DocID",
    "author": "作者 Author",
    "subject": "主题 Subject",
    "abstract": "摘要 Abstract",
    "keywords": "关键词 Keywords",
    "created": "创建日期 Created",
    "modified": "修改日期 Modified",
    "creator": "创建软件 Creator",
    "version": "版本 Version",
    "type": "类型 Type",
    "documents": "文档数 Documents",
    "pages": "页数 Pages",
    "page_sizes_mm": "页面尺寸 Page sizes (mm)",
    "fonts": "字体 Fonts",
    "outline": "大纲条目 Outline entries",
    "bookmarks": "书签 Bookmarks",
    "attachments": "附件 Attachments",
    "signatures": "签名 Signatures",
    "forbidden": "禁止 Forbidden",
    "metadata": "元数据 Metadata",
    "package": "文件包 Package",
    "parts": "组成 Parts",
    "warnings": "读取警告 Warnings",
}
_WORDS = {
    "embedded": "已嵌入 embedded",
    "not embedded": "未嵌入 not embedded",
    "edit": "编辑 edit",
    "annotate": "注释 annotate",
    "export": "导出 export",
    "sign": "签名 sign",
    "watermark": "水印 watermark",
    "print screen": "截屏 print screen",
    "print": "打印 print",
    "files": "文件数 files",
    "unpacked_octets": "解压后字节数 unpacked octets",
    "refused_strictly": "严格读取时拒绝 refused strictly",
}
_WITH_WORDS = frozenset({"fonts", "forbidden", "package"})
_SHOWN_PARTS = 40


def add_to(app: typer.Typer, clock: Callable[[], datetime]) -> None:  # noqa: ARG001 - every command takes a clock
    """Add the command."""

    @app.command("info")
    def info_command(
        file: Annotated[Path, typer.Argument(metavar="FILE", help="OFD 文件 / the document")],
        as_json: Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")] = False,
    ) -> None:
        """查看文件的内容,不验证 / describe without verifying: exit 0 done, 1 unreadable, 64 wrong usage."""
        with refusals(file), LenientPackage.open(file) as package, shown_progress("读取 Reading") as progress:
            description = describe(package, progress)
        if as_json:
            typer.echo(json.dumps(description, ensure_ascii=False, indent=2))
        else:
            _print(description)


def describe(source: bytes | Package | LenientPackage, progress: Progress = silent) -> dict[str, object]:
    """What a document says of itself, as JSON-ready data; nothing is verified.

    Of a package with several documents the first is described. What is empty is left out, but for title, pages,
    signatures, metadata, package and parts.

    Args:
        source: the document, which is read leniently; ``warnings`` says what had to be guessed.
        progress: told pages.

    Raises:
        TrustError: the document cannot be read at all.
    """
    package = source if isinstance(source, LenientPackage) else LenientPackage(source)
    document = Document.open(package)
    info = document.info
    description: dict[str, object] = {
        "title": info.title,
        "doc_id": info.doc_id,
        "author": info.author,
        "subject": info.subject,
        "abstract": info.abstract,
        "keywords": list(info.keywords),
        "created": info.created,
        "modified": info.modified,
        "creator": f"{info.creator} {info.creator_version}".strip(),
        "version": document.root.version,
        "type": document.root.doc_type,
        "documents": len(document.root.bodies),
        "pages": len(document.pages),
        "page_sizes_mm": _page_sizes(document, progress),
        "fonts": _fonts(document),
        "outline": _outline_entries(document),
        "bookmarks": len(document.bookmarks),
        "attachments": {item.name: item.usage for item in document.attachments},
        "signatures": _signatures(package, document),
        "forbidden": _forbidden(document),
        "metadata": dict(info.custom),
        "package": _package(package),
        "parts": _parts(package),
        "warnings": [
            {"code": item.code, "zh": item.zh, "en": item.en, "evidence": dict(item.evidence)}
            for item in document.warnings
        ],
    }
    always = {"title", "doc_id", "pages", "signatures", "metadata", "package", "parts"}
    return {name: value for name, value in description.items() if value or name in always}


def _page_sizes(document: Document, progress: Progress) -> dict[str, int]:
    """How many pages there are of each size."""
    sizes: Counter[str] = Counter()
    total = len(document.pages)
    for index, page in enumerate(document.pages):
        box = document.physical_box(page)
        sizes[f"{box.width:g} × {box.height:g}"] += 1
        progress(index + 1, total)
    return dict(sizes.most_common())


def _fonts(document: Document) -> dict[str, str]:
    """The fonts of the document's resources, and whether they are embedded."""
    fonts = [font for resources in document.lookup().chain for font in resources.fonts.values()]
    return {font.name: "embedded" if font.file is not None else "not embedded" for font in fonts}


def _outline_entries(document: Document) -> int:
    waiting, count = list(document.outlines), 0
    while waiting:
        item = waiting.pop()
        waiting.extend(item.children)
        count += 1
    return count


def _signatures(package: LenientPackage, document: Document) -> dict[str, str]:
    """ID and type of each signature that can be read."""
    name = document.body.signatures
    try:
        nodes = () if name is None else xmlio.children(read_part(package, name, "Signatures"), "Signature")
    except TrustError:
        return {}
    return {node.get("ID", ""): node.get("Type", "Seal") for node in nodes}


def _forbidden(document: Document) -> list[str]:
    """What Permissions do not allow."""
    permissions = document.permissions
    allowed = {
        "edit": permissions.edit,
        "annotate": permissions.annotate,
        "export": permissions.export,
        "sign": permissions.signature,
        "watermark": permissions.watermark,
        "print screen": permissions.print_screen,
        "print": permissions.printable,
    }
    return [name for name, is_allowed in allowed.items() if not is_allowed]


def _package(package: LenientPackage) -> dict[str, object]:
    """Number and size of the files, and whether strict readers read them."""
    facts: dict[str, object] = {
        "files": len(package.names),
        "unpacked_octets": sum(package.size(name) for name in package.names),
    }
    if package.refusal is not None:
        facts["refused_strictly"] = package.refusal.code
    return facts


def _parts(package: LenientPackage) -> dict[str, str]:
    """The parts that are linked, and what for; empty for packages that only lenient readers read."""
    if package.strict is None:
        return {}
    return {name: str(kind) for name, kind in find_reachable(package.strict).parts.items()}


def _print(description: Mapping[str, object]) -> None:
    table = Table(show_header=False)
    for name, value in description.items():
        if value not in ("", {}, []):
            table.add_row(_TITLES[name], escape("\n".join(map(printable, _lines(name, value)))))
    Console().print(table)


def _lines(name: str, value: object) -> list[str]:
    if name == "warnings" and isinstance(value, list):
        return [f"{item['zh']} {item['en']}: {' '.join(item['evidence'].values())} ({item['code']})" for item in value]
    if isinstance(value, dict):
        lines = [f"{_word(name, key)}: {_word(name, item)}" for key, item in value.items()]
        return [*lines[:_SHOWN_PARTS], *([f"… {len(lines)}"] if len(lines) > _SHOWN_PARTS else [])]
    if isinstance(value, list):
        return ["; ".join(_word(name, item) for item in value)]
    return [str(value)]


def _word(name: str, value: object) -> str:
    """What this command calls something in both languages; what the document says stays as it is."""
    return _WORDS.get(str(value), str(value)) if name in _WITH_WORDS else str(value)
