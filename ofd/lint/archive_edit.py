"""Taking out of one XML part what the archive profile forbids."""

from collections.abc import Callable, Iterator

from ofd.lint import rules_archive as rules
from ofd.lint.archive import ALLOWED_ATTACHMENTS, DEEPEST_BLOCK
from ofd.lint.finding import Rule
from ofd.lint.inspection import line_of, object_of
from ofd.lint.part_repair import Repair
from ofd.lint.walk import NAMESPACES, name_of, namespace_of
from ofd.xmlio import Element

__all__ = ["Edit", "edit_annotations", "edit_attachments", "edit_content", "edit_document", "edit_media", "edit_root"]

Edit = Callable[[Element, str], Iterator[Repair]]
_ACTIONS = frozenset({"URI", "GotoA", "Sound", "Movie"})


def edit_root(root: Element, name: str) -> Iterator[Repair]:
    """OFD.xml: the type, and no versions."""
    before = root.get("DocType", "")
    if before != "OFD-A":
        root.set("DocType", "OFD-A")
        yield _done(rules.DOC_TYPE, root, name, before, "OFD-A")
    for node in _all(root, "Versions"):
        yield _removed(rules.VERSIONS, node, name)


def edit_document(root: Element, name: str) -> Iterator[Repair]:
    """Document.xml: no permissions, preferences, extensions, and no actions but jumps."""
    wanted = {"Permissions": rules.PERMISSIONS, "VPreferences": rules.PREFERENCES, "Extensions": rules.EXTENSION}
    for node in list(root.iterchildren("*")):
        if name_of(node) in wanted:
            yield _removed(wanted[name_of(node)], node, name)
    yield from edit_content(root, name)


def edit_content(root: Element, name: str) -> Iterator[Repair]:
    """Pages, templates, outlines: no actions but jumps, blocks not nested too deep."""
    for node in _all(root, "Action"):
        forbidden = [item for item in node.iterchildren("*") if name_of(item) in _ACTIONS]
        if not forbidden:
            continue
        holder = node.getparent()
        yield _removed(rules.ACTION, node, name, before=name_of(forbidden[0]))
        if holder is not None and not any(name_of(item) == "Action" for item in holder.iterchildren("*")):
            _take_out(holder)
    for node in _all(root, "PageBlock"):
        # An earlier one may have taken this one's place.
        depth = 1 + sum(name_of(item) == "PageBlock" for item in node.iterancestors())
        if depth > DEEPEST_BLOCK:
            yield _done(rules.BLOCK_DEPTH, node, name, str(depth), "dissolved")
            _dissolve(node)


def edit_annotations(root: Element, name: str) -> Iterator[Repair]:
    """Annotations: fixed in size and direction, not to be changed, without blocks, without actions but jumps."""
    for node in _all(root, "Annot"):
        for attribute, usual in (("ReadOnly", "true"), ("NoZoom", "false"), ("NoRotate", "false")):
            before = node.get(attribute, usual)
            if before not in {"true", "1"}:
                node.set(attribute, "true")
                yield _done(rules.ANNOTATION, node, name, f"{attribute}={before}", f"{attribute}=true")
        for appearance in node.iterchildren("*"):
            blocks = _all(appearance, "PageBlock") if name_of(appearance) == "Appearance" else []
            for block in blocks:
                yield _done(rules.ANNOTATION_BLOCK, block, name, "PageBlock", "dissolved")
                _dissolve(block)
    yield from edit_content(root, name)


def edit_media(root: Element, name: str) -> Iterator[Repair]:
    """Resources: no sound, no film, nothing of its own in pictures."""
    for node in _all(root, "MultiMedia"):
        if node.get("Type") in {"Audio", "Video"}:
            holder = node.getparent()
            yield _removed(rules.MEDIA, node, name, before=node.get("Type", ""))
            if holder is not None and not len(holder):
                _take_out(holder)
            continue
        for item in list(node.iterchildren("*")):
            if namespace_of(item) not in NAMESPACES:
                yield _removed(rules.PICTURE_EXTENSION, item, name)


def edit_attachments(root: Element, name: str) -> Iterator[Repair]:
    """Attachments: plain text only."""
    for node in _all(root, "Attachment"):
        if node.get("Format", "").upper() not in ALLOWED_ATTACHMENTS:
            yield _removed(rules.ATTACHMENT, node, name, before=node.get("Name", ""))


def _all(root: Element, name: str) -> list[Element]:
    return [node for node in root.iter("*") if name_of(node) == name and namespace_of(node) in NAMESPACES]


def _removed(rule: Rule, node: Element, name: str, *, before: str = "") -> Repair:
    done = _done(rule, node, name, before or name_of(node), "")
    _take_out(node)
    return done


def _take_out(node: Element) -> None:
    """Remove an element, the text behind it stays."""
    parent = node.getparent()
    if parent is None:
        return
    if node.tail and node.tail.strip():
        previous = node.getprevious()
        if previous is None:
            parent.text = (parent.text or "") + node.tail
        else:
            previous.tail = (previous.tail or "") + node.tail
    parent.remove(node)


def _dissolve(block: Element) -> None:
    """Put what is in a block into the place of the block: it has no look of its own."""
    parent = block.getparent()
    if parent is None:
        return
    place = parent.index(block)
    parent[place : place + 1] = list(block)


def _done(rule: Rule, node: Element, name: str, before: str, after: str) -> Repair:
    return Repair(code=rule.code, entry=name, line=line_of(node), object_id=object_of(node), before=before, after=after)
