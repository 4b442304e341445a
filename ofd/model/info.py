"""OFD.xml: the documents of a package and what they say of themselves (GB/T 33190-2016 §7.4)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ofd.model.attached import Version
from ofd.model.reading import Part
from ofd.xmlio import Element

__all__ = ["Body", "Info", "Root", "read_root"]

Locate = Callable[[str], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """DocInfo, as written; empty what is not."""

    doc_id: str = ""
    title: str = ""
    author: str = ""
    subject: str = ""
    abstract: str = ""
    created: str = ""
    modified: str = ""
    usage: str = ""
    cover: str | None = None
    """Entry name."""
    keywords: tuple[str, ...] = ()
    creator: str = ""
    creator_version: str = ""
    custom: Mapping[str, str] = field(default_factory=dict)
    """CustomDatas by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """DocBody."""

    info: Info
    document: str | None
    """Entry name of Document.xml."""
    signatures: str | None
    """Entry name of Signatures.xml."""
    versions: tuple[Version, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """OFD.xml."""

    version: str
    doc_type: str
    """OFD, or OFD-A for the archive profile."""
    bodies: tuple[Body, ...]


def read_root(part: Part, root: Element, locate: Locate) -> Root:
    """The content of OFD.xml."""
    return Root(
        version=part.string(root, "Version") or "",
        doc_type=part.string(root, "DocType") or "OFD",
        bodies=tuple(_read_body(part, node, locate) for node in part.children(root, "DocBody")),
    )


def _read_body(part: Part, node: Element, locate: Locate) -> Body:
    signatures = part.child_text(node, "Signatures")
    return Body(
        info=_read_info(part, part.child(node, "DocInfo"), locate),
        document=locate(part.child_text(node, "DocRoot")),
        signatures=locate(signatures) if signatures else None,
        versions=tuple(
            Version(
                id=part.string(item, "ID") or "",
                index=part.integer(item, "Index") or 0,
                current=part.boolean(item, "Current") or False,
                part=locate(part.string(item, "BaseLoc") or ""),
            )
            for item in part.children(part.child(node, "Versions"), "Version")
        ),
    )


def _read_info(part: Part, node: Element | None, locate: Locate) -> Info:
    cover = part.child_text(node, "Cover")
    datas = part.children(part.child(node, "CustomDatas"), "CustomData")
    return Info(
        doc_id=part.child_text(node, "DocID"),
        title=part.child_text(node, "Title"),
        author=part.child_text(node, "Author"),
        subject=part.child_text(node, "Subject"),
        abstract=part.child_text(node, "Abstract"),
        created=part.child_text(node, "CreationDate"),
        modified=part.child_text(node, "ModDate"),
        usage=part.child_text(node, "DocUsage"),
        cover=locate(cover) if cover else None,
        keywords=tuple(part.text(item) for item in part.children(part.child(node, "Keywords"), "Keyword")),
        creator=part.child_text(node, "Creator"),
        creator_version=part.child_text(node, "CreatorVersion"),
        custom={part.string(item, "Name") or "": part.text(item) for item in datas},
    )
