"""Writing destinations, actions, outlines, bookmarks, permissions and preferences (GB/T 33190-2016 §7.5, §14).

What is written is what :mod:`ofd.model.navigation` and :mod:`ofd.model.actions` read.
"""

from collections.abc import Iterable, Sequence

from ofd.build.numbers import number
from ofd.geometry import PathCommand
from ofd.model.actions import (
    Action,
    Destination,
    GotoAction,
    GotoAttachmentAction,
    MovieAction,
    SoundAction,
    UriAction,
)
from ofd.model.navigation import Bookmark, OutlineItem, Permissions, Preferences
from ofd.xmlio import Element, element

__all__ = [
    "write_actions",
    "write_bookmarks",
    "write_destination",
    "write_outlines",
    "write_permissions",
    "write_preferences",
]


def write_actions(holder: Element, actions: Sequence[Action]) -> None:
    """``Actions``; nothing without any."""
    if not actions:
        return
    node = element(holder, "Actions")
    for action in actions:
        target = element(node, "Action", attributes={"Event": action.event})
        if action.region:
            _write_region(element(target, "Region"), action.region)
        _write_act(target, action)


def write_destination(holder: Element, destination: Destination) -> None:
    """``Dest``."""
    attributes = {"Type": destination.type, "PageID": destination.page}
    for name, value in (
        ("Left", destination.left),
        ("Top", destination.top),
        ("Right", destination.right),
        ("Bottom", destination.bottom),
        ("Zoom", destination.zoom),
    ):
        if value is not None:
            attributes[name] = number(value)
    element(holder, "Dest", attributes=attributes)


def write_outlines(document: Element, items: Sequence[OutlineItem]) -> None:
    """``Outlines`` with all levels; nothing without items."""
    if items:
        _write_outline_items(element(document, "Outlines"), items)


def write_bookmarks(document: Element, bookmarks: Iterable[Bookmark]) -> None:
    """``Bookmarks``; nothing without any."""
    node: Element | None = None
    for bookmark in bookmarks:
        node = element(document, "Bookmarks") if node is None else node
        write_destination(element(node, "Bookmark", attributes={"Name": bookmark.name}), bookmark.destination)


def write_permissions(document: Element, permissions: Permissions) -> None:
    """``Permissions``, each said whether allowed or not."""
    node = element(document, "Permissions")
    for name, allowed in (
        ("Edit", permissions.edit),
        ("Annot", permissions.annotate),
        ("Export", permissions.export),
        ("Signature", permissions.signature),
        ("Watermark", permissions.watermark),
        ("PrintScreen", permissions.print_screen),
    ):
        element(node, name, _flag(allowed))
    printing = {"Printable": _flag(permissions.printable), "Copies": str(permissions.copies)}
    element(node, "Print", attributes=printing)
    period = {
        name: value
        for name, value in (("StartDate", permissions.valid_from), ("EndDate", permissions.valid_until))
        if value
    }
    if period:
        element(node, "ValidPeriod", attributes=period)


def write_preferences(document: Element, preferences: Preferences) -> None:
    """``VPreferences``, only what is said."""
    node = element(document, "VPreferences")
    for name, value in (
        ("PageMode", preferences.page_mode),
        ("PageLayout", preferences.page_layout),
        ("TabDisplay", preferences.tab_display),
        ("HideToolbar", _optional_flag(preferences.hide_toolbar)),
        ("HideMenubar", _optional_flag(preferences.hide_menubar)),
        ("HideWindowUI", _optional_flag(preferences.hide_window_ui)),
        ("ZoomMode", preferences.zoom_mode),
        ("Zoom", None if preferences.zoom is None or preferences.zoom_mode else number(preferences.zoom)),
    ):
        if value is not None:
            element(node, name, value)


def _write_outline_items(holder: Element, items: Sequence[OutlineItem]) -> None:
    for item in items:
        attributes = {"Title": item.title}
        if item.children:
            attributes["Count"] = str(_descendants(item))
        if not item.expanded:
            attributes["Expanded"] = "false"
        node = element(holder, "OutlineElem", attributes=attributes)
        write_actions(node, item.actions)
        _write_outline_items(node, item.children)


def _descendants(item: OutlineItem) -> int:
    return sum(1 + _descendants(child) for child in item.children)


def _write_act(target: Element, action: Action) -> None:
    match action.act:
        case GotoAction(destination=destination, bookmark=bookmark):
            node = element(target, "Goto")
            if destination is not None:
                write_destination(node, destination)
            elif bookmark is not None:
                element(node, "Bookmark", attributes={"Name": bookmark})
        case UriAction(uri=uri, base=base, target=window):
            named = {"URI": uri, "Base": base, "Target": window}
            element(target, "URI", attributes={name: value for name, value in named.items() if value is not None})
        case GotoAttachmentAction(attachment=attachment, new_window=new_window):
            element(target, "GotoA", attributes={"AttachID": attachment, "NewWindow": _flag(new_window)})
        case SoundAction():
            _write_sound(target, action.act)
        case MovieAction(resource=resource, operator=operator):
            element(target, "Movie", attributes={"ResourceID": resource, "Operator": operator})


def _write_sound(target: Element, act: SoundAction) -> None:
    attributes = {"ResourceID": act.resource}
    if act.volume is not None:
        attributes["Volume"] = str(act.volume)
    attributes |= {"Repeat": _flag(act.repeat), "Synchronous": _flag(act.synchronous)}
    element(target, "Sound", attributes=attributes)


def _write_region(region: Element, path: Sequence[PathCommand]) -> None:
    area: Element | None = None
    for operator, values in path:
        points = [f"{number(values[at])} {number(values[at + 1])}" for at in range(0, len(values), 2)]
        if operator == "M" or area is None:
            area = element(region, "Area", attributes={"Start": points[-1] if points else "0 0"})
        elif operator == "L":
            element(area, "Line", attributes={"Point1": points[0]})
        elif operator == "Q":
            element(area, "QuadraticBezier", attributes={"Point1": points[0], "Point2": points[1]})
        elif operator == "C":
            named = dict(zip(("Point1", "Point2", "Point3"), points, strict=True))
            element(area, "CubicBezier", attributes=named)
        else:
            element(area, "Close")


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _optional_flag(value: bool | None) -> str | None:
    return None if value is None else _flag(value)
