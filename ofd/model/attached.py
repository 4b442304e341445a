"""What a document carries besides its pages: attachments, custom tags, extensions and versions.

GB/T 33190-2016 §16 (extensions), §17 (tags), §19 (versions), §20 (attachments).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lxml import etree

from ofd.model.reading import Part
from ofd.xmlio import Element

__all__ = [
    "Attachment",
    "CustomTag",
    "Extension",
    "ExtensionProperty",
    "TagReference",
    "Version",
    "VersionContent",
    "read_attachments",
    "read_extensions",
    "read_tag_file",
    "read_tag_list",
    "read_version",
]

Locate = Callable[[str], str | None]
_DEEPEST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """Attachment."""

    id: str
    name: str
    file: str | None
    """Entry name; nothing when the link leads nowhere."""
    format: str | None = None
    created: str | None = None
    """As written."""
    modified: str | None = None
    size_kb: float | None = None
    """As written; the entry says how large it is."""
    visible: bool = True
    usage: str = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class TagReference:
    """An element of a tag file that points to objects."""

    namespace: str
    path: tuple[str, ...]
    """Local names from the root of the tag file down."""
    page: str
    """ID of the page."""
    object_id: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomTag:
    """CustomTag: a file of elements in a namespace of its own that point to objects."""

    namespace: str
    """``@NameSpace``, or ``@TypeID`` as some write."""
    schema: str | None
    file: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionProperty:
    """Property of an extension."""

    name: str
    type: str | None
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """Extension."""

    app_name: str
    company: str | None = None
    app_version: str | None = None
    date: str | None = None
    ref_id: str = ""
    properties: tuple[ExtensionProperty, ...] = ()
    data: tuple[bytes, ...] = ()
    """Each Data element as XML."""
    files: tuple[str, ...] = ()
    """Entry names of ExtendData."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """Version of a DocBody."""

    id: str
    index: int
    current: bool
    part: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionContent:
    """DocVersion: what belongs to a version."""

    id: str
    name: str = ""
    version: str = ""
    created: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    """ID to entry name."""
    document: str | None = None
    """Entry name of its Document.xml."""


def read_attachments(part: Part, root: Element, locate: Locate) -> tuple[Attachment, ...]:
    """Attachments.xml."""
    return tuple(
        Attachment(
            id=part.string(node, "ID") or "",
            name=part.string(node, "Name") or "",
            file=locate(part.child_text(node, "FileLoc")),
            format=part.string(node, "Format"),
            created=part.string(node, "CreationDate"),
            modified=part.string(node, "ModDate"),
            size_kb=part.number(node, "Size"),
            visible=part.boolean(node, "Visible") is not False,
            usage=part.string(node, "Usage") or "none",
        )
        for node in part.children(root, "Attachment")
    )


def read_tag_list(part: Part, root: Element, locate: Locate) -> tuple[CustomTag, ...]:
    """CustomTags.xml."""
    found: list[CustomTag] = []
    for node in part.children(root, "CustomTag"):
        schema = part.child_text(node, "SchemaLoc")
        found.append(
            CustomTag(
                namespace=part.string(node, "NameSpace") or part.string(node, "TypeID") or "",
                schema=locate(schema) if schema else None,
                file=locate(part.child_text(node, "FileLoc")),
            )
        )
    return tuple(found)


def read_tag_file(part: Part, root: Element) -> tuple[TagReference, ...]:
    """The ObjectRefs of a tag file, each with the elements around it."""
    found: list[TagReference] = []

    def walk(node: Element, path: tuple[str, ...]) -> None:
        name = etree.QName(node)
        inner = (*path, name.localname)
        for item in node.iterchildren("*"):
            if etree.QName(item).localname == "ObjectRef":
                found.append(
                    TagReference(
                        namespace=name.namespace or "",
                        path=inner,
                        page=part.string(item, "PageRef") or "",
                        object_id=part.text(item),
                        attributes={str(key): str(value) for key, value in node.attrib.items()},
                    )
                )
            elif len(inner) < _DEEPEST:
                walk(item, inner)

    walk(root, ())
    return tuple(found)


def read_extensions(part: Part, root: Element, locate: Locate) -> tuple[Extension, ...]:
    """Extensions.xml."""
    return tuple(
        Extension(
            app_name=part.string(node, "AppName") or "",
            company=part.string(node, "Company"),
            app_version=part.string(node, "AppVersion"),
            date=part.string(node, "Date"),
            ref_id=part.string(node, "RefId") or "",
            properties=tuple(
                ExtensionProperty(
                    name=part.string(item, "Name") or "", type=part.string(item, "Type"), value=part.text(item)
                )
                for item in part.children(node, "Property")
            ),
            data=tuple(etree.tostring(item, encoding="UTF-8", with_tail=False) for item in part.children(node, "Data")),
            files=tuple(
                name for item in part.children(node, "ExtendData") if (name := locate(part.text(item))) is not None
            ),
        )
        for node in part.children(root, "Extension")
    )


def read_version(part: Part, root: Element, locate: Locate) -> VersionContent:
    """DocVersion, the file of a version."""
    files: dict[str, str] = {}
    for node in part.children(part.child(root, "FileList"), "File"):
        name = locate(part.text(node))
        if name is not None:
            files[part.string(node, "ID") or str(len(files))] = name
    return VersionContent(
        id=part.string(root, "ID") or "",
        name=part.string(root, "Name") or "",
        version=part.string(root, "Version") or "",
        created=part.string(root, "CreationDate") or "",
        files=files,
        document=locate(part.child_text(root, "DocRoot")),
    )
