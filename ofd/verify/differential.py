"""What two readers could see differently in a document, although its package is sound.

Verification resolves links and reads XML in one way only; readers that draw repair more than that, each in its own way
(:mod:`ofd.package.lenient`). Where their ways part, what is verified need not be what is shown, so it fails:

* a link that cannot be followed strictly, and that readers repair;
* elements of OFD in another namespace than the part's: readers that match names only draw them, others do not;
* one ID for two things, or two elements where one may stand: readers take the first or the last;
* attributes with a prefix, markup inside a text, pages in odd places: readers that match names take them.

:mod:`ofd.verify.drawn` compares the pages themselves, drawn from the strict and from the lenient reading.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from lxml import etree

from ofd.package.differential import find_differences
from ofd.package.source import Source
from ofd.verify.kinds import Kind
from ofd.xmlio import Element
from trustcore.report import ReportBuilder, Status

__all__ = ["Difference", "Known", "add_differences", "add_package_differences", "differences_in"]

_CLAUSE = "GB/T 33190-2016 §7.1"
_NAMED = 20
_OTHER_NAMESPACE = etree.XPath("//*[namespace-uri() != $own]")
_OFD_NAMESPACES = frozenset({"http://www.ofdspec.org/2016", "http://www.ofdspec.org", ""})
_ALL_IN = {
    namespace: etree.XPath("count(//*) = count(//own:*)", namespaces={"own": namespace})
    for namespace in _OFD_NAMESPACES
    if namespace
}
"""Whether all elements are in a namespace: asked first, because it takes a quarter of the time to find those others."""
_ATTRIBUTE = {"attribute": "//@own:*/.."}
_TEXT = {
    "mixed-text": "//own:TextCode/node()[not(self::text())]/.. | //own:AbbreviatedData/node()[not(self::text())]/.."
}
_AREA = {"repeated-element": "/*/own:Area/own:PhysicalBox[2]"}
_ODD: dict[Kind, dict[str, str]] = {
    Kind.ROOT: _ATTRIBUTE,
    Kind.DOCUMENT: _ATTRIBUTE
    | {
        "misplaced": "//own:Page[not(parent::own:Pages)] | //own:TemplatePage[not(parent::own:CommonData)]",
        "repeated-element": "//own:PageArea/own:PhysicalBox[2] | //own:CommonData/own:PageArea[2]",
    },
    Kind.PAGE: _ATTRIBUTE | _TEXT | _AREA,
    Kind.TEMPLATE: _ATTRIBUTE | _TEXT | _AREA,
    Kind.RESOURCE: _ATTRIBUTE | _TEXT,
    Kind.ANNOTATION_LIST: _ATTRIBUTE,
    Kind.ANNOTATION: _ATTRIBUTE | _TEXT,
}
"""For each kind of part: reason, and the elements that are one, ``own`` being the namespace of the part."""


@cache
def _odd_finders(kind: Kind, namespace: str) -> tuple[etree.XPath, dict[str, etree.XPath]]:
    """Whether there is any odd element, and what finds them by reason."""
    paths = _ODD[kind] if namespace else {k: v.replace("own:", "") for k, v in _ODD[kind].items() if k != "attribute"}
    names = {"own": namespace} if namespace else None
    found = {reason: etree.XPath(path, namespaces=names) for reason, path in paths.items()}
    return etree.XPath(f"boolean({' | '.join(paths.values()) or '/..'})", namespaces=names), found


_DRAWN = frozenset(
    {
        "OFD", "DocBody", "DocRoot", "Document", "CommonData", "PageArea", "PublicRes", "DocumentRes", "TemplatePage",
        "Pages", "Page", "Template", "PageRes", "Area", "Content", "Layer", "PageBlock", "TextObject", "PathObject",
        "ImageObject", "CompositeObject", "TextCode", "CGTransform", "AbbreviatedData", "FillColor", "StrokeColor",
        "Clips", "Clip", "Res", "Fonts", "Font", "FontFile", "MultiMedias", "MultiMedia", "MediaFile", "DrawParams",
        "DrawParam", "ColorSpaces", "ColorSpace", "CompositeGraphicUnits", "CompositeGraphicUnit", "Annotations",
        "PageAnnot", "Annot", "Appearance", "FileLoc", "Pattern", "CellContent", "AxialShd", "RadialShd", "GouraudShd",
        "LaGourandShd", "Segment", "PhysicalBox", "Versions", "Version", "Signatures"
    }
)  # fmt: skip
"""Elements that decide what is drawn."""
_LOOKED_AT = frozenset(
    {Kind.ROOT, Kind.DOCUMENT, Kind.PAGE, Kind.TEMPLATE, Kind.RESOURCE, Kind.ANNOTATION_LIST, Kind.ANNOTATION}
)
_WITH_ID = {
    Kind.DOCUMENT: frozenset({"Page", "TemplatePage"}),
    Kind.RESOURCE: frozenset({"Font", "MultiMedia", "DrawParam", "ColorSpace", "CompositeGraphicUnit"}),
}
"""What other parts refer to by ID."""
_ONCE = {
    Kind.DOCUMENT: frozenset({"CommonData", "Pages", "Annotations", "Attachments", "CustomTags", "Extensions"}),
    Kind.PAGE: frozenset({"Area", "Content"}),
    Kind.TEMPLATE: frozenset({"Area", "Content"}),
}
"""Children of the root element that stand once at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A place where readers part."""

    reason: str
    """``namespace``, ``mixed-namespaces``, ``attribute``, ``mixed-text``, ``misplaced``, ``repeated-element``,
    ``repeated-id`` or ``link``."""
    entry: str
    """The part in which it stands."""
    detail: str
    """The element, ID or location, and what readers make of it."""


_TEXTS = {
    "namespace": ("部分元素属于其他命名空间,不同阅读器显示不同", "Elements of OFD stand in a foreign namespace"),
    "mixed-namespaces": ("同一文件混用了两个命名空间,不同阅读器显示不同", "A part mixes two namespaces of OFD"),
    "attribute": ("属性带有命名空间前缀,不同阅读器显示不同", "An attribute of OFD stands in a namespace"),
    "mixed-text": ("文本中夹有标记,不同阅读器读出不同的文本", "There is markup inside a text"),
    "misplaced": ("元素不在规定的位置,不同阅读器显示不同", "An element stands where it does not belong"),
    "repeated-element": (
        "只能出现一次的元素重复出现,不同阅读器取不同的一个",
        "An element stands twice that may stand once",
    ),
    "repeated-id": ("同一标识指代两个不同对象,不同阅读器显示不同", "One ID means two things"),
    "link": ("链接不规范,不同阅读器打开不同的文件", "Readers repair a link that means no file"),
}


Known = dict[tuple[str, str], Element]
"""Definitions by kind of element and ID."""


def differences_in(root: Element, name: str, kind: Kind, *, known: Known | None = None) -> Iterator[Difference]:
    """The differences that one part holds.

    Args:
        root: its root element.
        name: its entry name.
        kind: what it is for.
        known: what other parts that are looked up together with this one define; what this one does is added.
    """
    if kind not in _LOOKED_AT:
        return
    yield from _in_other_namespaces(root, name)
    yield from _odd_elements(root, name, kind)
    once = _ONCE.get(kind)
    if once is not None:
        for child, count in Counter([etree.QName(node).localname for node in root.iterchildren("*")]).items():
            if count > 1 and child in once:
                yield Difference(reason="repeated-element", entry=name, detail=child)
    wanted = _WITH_ID.get(kind)
    if wanted is not None:
        yield from _repeated(root, name, wanted, {} if known is None else known)


def _in_other_namespaces(root: Element, name: str) -> Iterator[Difference]:
    """Elements that some readers take for the standard's and others do not."""
    own = etree.QName(root).namespace or ""
    all_in = _ALL_IN.get(own)
    if all_in is not None and all_in(root):
        return
    others = _OTHER_NAMESPACE(root, own=own)
    for node in others if isinstance(others, list) else ():
        if not isinstance(node, etree._Element):  # noqa: SLF001 - lxml has no public name for it
            continue
        element = etree.QName(node)
        namespace = element.namespace or ""
        if namespace in _OFD_NAMESPACES:
            yield Difference(reason="mixed-namespaces", entry=name, detail=f"{element.localname} {namespace or '-'}")
        elif element.localname in _DRAWN:
            yield Difference(reason="namespace", entry=name, detail=f"{element.localname} {namespace}")


def _odd_elements(root: Element, name: str, kind: Kind) -> Iterator[Difference]:
    """Elements of the standard in a form or place in which some readers see something else in them, or not at all."""
    namespace = etree.QName(root).namespace or ""
    if namespace not in _OFD_NAMESPACES:
        return
    any_odd, finders = _odd_finders(kind, namespace)
    for reason, find in finders.items() if any_odd(root) else ():
        found = find(root)
        for node in found if isinstance(found, list) else ():
            if isinstance(node, etree._Element):  # noqa: SLF001 - lxml has no public name for it
                yield Difference(reason=reason, entry=name, detail=etree.QName(node).localname)


def _repeated(root: Element, name: str, wanted: Iterable[str], known: Known) -> Iterator[Difference]:
    """IDs of which two different things of one kind have the same."""
    for node in root.iter("*"):
        identifier = node.get("ID")
        if identifier is None:
            continue
        kind = etree.QName(node).localname
        if kind not in wanted:
            continue
        other = known.setdefault((kind, identifier.strip().lstrip("0")), node)
        if other is not node and etree.tostring(other, with_tail=False) != etree.tostring(node, with_tail=False):
            yield Difference(reason="repeated-id", entry=name, detail=f"{kind} {identifier}")


def add_differences(differences: Iterable[Difference], report: ReportBuilder) -> None:
    """Append a failed step for each reason there is."""
    by_reason: dict[str, list[Difference]] = {}
    for item in differences:
        by_reason.setdefault(item.reason, []).append(item)
    for reason, items in by_reason.items():
        zh, en = _TEXTS[reason]
        named: dict[str, str] = {}
        for item in items[:_NAMED]:
            named[item.entry] = f"{named[item.entry]}; {item.detail}" if item.entry in named else item.detail
        report.add(
            Status.FAILED,
            f"ofd.differential.{reason}",
            zh=zh,
            en=f"{en}: readers see different documents",
            clause=_CLAUSE,
            evidence=named | {"count": str(len(items))},
        )


def add_package_differences(data: bytes | Source, report: ReportBuilder) -> None:
    """Say of a package that strict reading refuses what readers make of it; told beside the refusal, which fails."""
    for item in find_differences(data)[:_NAMED]:
        report.add(Status.WARNING, item.code, zh=item.zh, en=item.en, clause=_CLAUSE, evidence=item.evidence)
