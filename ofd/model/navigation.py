"""Outlines, bookmarks, permissions and viewer preferences (GB/T 33190-2016 §7.5)."""

from dataclasses import dataclass

from ofd.model.actions import Action, Destination, GotoAction, read_actions, read_destination
from ofd.model.reading import Part
from ofd.xmlio import Element

__all__ = [
    "Bookmark",
    "OutlineItem",
    "Permissions",
    "Preferences",
    "read_bookmarks",
    "read_outlines",
    "read_permissions",
    "read_preferences",
]

_DEEPEST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineItem:
    """OutlineElem."""

    title: str
    expanded: bool = True
    actions: tuple[Action, ...] = ()
    children: "tuple[OutlineItem, ...]" = ()

    @property
    def destination(self) -> Destination | None:
        """Where it leads, when it leads to a place in the document directly."""
        places = (action.act.destination for action in self.actions if isinstance(action.act, GotoAction))
        return next((place for place in places if place is not None), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """Bookmark."""

    name: str
    destination: Destination


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """What may be done with the document; nothing written allows everything."""

    edit: bool = True
    annotate: bool = True
    export: bool = True
    signature: bool = True
    watermark: bool = True
    print_screen: bool = True
    printable: bool = True
    copies: int = -1
    """How often it may be printed; -1 without limit."""
    valid_from: str | None = None
    """As written."""
    valid_until: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """VPreferences. What is not written is ``None``."""

    page_mode: str | None = None
    page_layout: str | None = None
    tab_display: str | None = None
    hide_toolbar: bool | None = None
    hide_menubar: bool | None = None
    hide_window_ui: bool | None = None
    zoom_mode: str | None = None
    zoom: float | None = None


def read_outlines(part: Part, node: Element | None, depth: int = 0) -> tuple[OutlineItem, ...]:
    """The entries below Outlines or an OutlineElem."""
    if depth > _DEEPEST:
        part.warn("ofd.model.nesting", "嵌套过深，其余部分未读取", "Nested too deeply: the rest is not read")
        return ()
    return tuple(
        OutlineItem(
            title=part.string(item, "Title") or "",
            expanded=part.boolean(item, "Expanded") is not False,
            actions=read_actions(part, item),
            children=read_outlines(part, item, depth + 1),
        )
        for item in part.children(node, "OutlineElem")
    )


def read_bookmarks(part: Part, node: Element | None) -> tuple[Bookmark, ...]:
    """The entries of Bookmarks; those without a place are left out."""
    found: list[Bookmark] = []
    for item in part.children(node, "Bookmark"):
        place = part.child(item, "Dest")
        if place is not None:
            found.append(Bookmark(name=part.string(item, "Name") or "", destination=read_destination(part, place)))
    return tuple(found)


def read_permissions(part: Part, node: Element | None) -> Permissions:
    """Permissions."""
    printing, period = part.child(node, "Print"), part.child(node, "ValidPeriod")
    copies = None if printing is None else part.integer(printing, "Copies")

    def allows(name: str) -> bool:
        return part.parse_boolean(part.child_text(node, name), name) is not False

    return Permissions(
        edit=allows("Edit"),
        annotate=allows("Annot"),
        export=allows("Export"),
        signature=allows("Signature"),
        watermark=allows("Watermark"),
        print_screen=allows("PrintScreen"),
        printable=printing is None or part.boolean(printing, "Printable") is not False,
        copies=-1 if copies is None else copies,
        valid_from=None if period is None else part.string(period, "StartDate"),
        valid_until=None if period is None else part.string(period, "EndDate"),
    )


def read_preferences(part: Part, node: Element | None) -> Preferences:
    """VPreferences."""
    zoom = part.child_text(node, "Zoom")

    def flag(name: str) -> bool | None:
        return part.parse_boolean(part.child_text(node, name), name)

    return Preferences(
        page_mode=part.child_text(node, "PageMode") or None,
        page_layout=part.child_text(node, "PageLayout") or None,
        tab_display=part.child_text(node, "TabDisplay") or None,
        hide_toolbar=flag("HideToolbar"),
        hide_menubar=flag("HideMenubar"),
        hide_window_ui=flag("HideWindowUI"),
        zoom_mode=part.child_text(node, "ZoomMode") or None,
        zoom=part.parse_number(zoom, "Zoom") if zoom else None,
    )
