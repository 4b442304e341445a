"""CT_Action, CT_Dest and CT_Region: what happens when (GB/T 33190-2016 §14, §7.5 and §8.5)."""

from collections.abc import Iterator
from dataclasses import dataclass

from ofd.geometry import Box, PathCommand
from ofd.model.path_data import arc
from ofd.model.reading import Part
from ofd.xmlio import Element

__all__ = [
    "Act",
    "Action",
    "Destination",
    "GotoAction",
    "GotoAttachmentAction",
    "MovieAction",
    "SoundAction",
    "UriAction",
    "read_actions",
    "read_destination",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """CT_Dest: a place in the document. Zero or absent zoom keeps what is."""

    type: str
    """XYZ, Fit, FitH, FitV or FitR."""
    page: str
    """ID of the page."""
    left: float | None = None
    top: float | None = None
    right: float | None = None
    bottom: float | None = None
    zoom: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GotoAction:
    """Goto: a place, or a bookmark by name."""

    destination: Destination | None = None
    bookmark: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UriAction:
    """URI."""

    uri: str
    base: str | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GotoAttachmentAction:
    """GotoA: opens an attachment."""

    attachment: str
    new_window: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundAction:
    """Sound."""

    resource: str
    volume: int | None = None
    repeat: bool = False
    synchronous: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MovieAction:
    """Movie."""

    resource: str
    operator: str = "Play"


Act = GotoAction | UriAction | GotoAttachmentAction | SoundAction | MovieAction


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """CT_Action: what happens on an event, in a region."""

    event: str
    """DO (document opened), PO (page opened) or CLICK."""
    act: Act
    region: tuple[PathCommand, ...] = ()
    """Where a click counts, in the space of what holds the action; everywhere in it when empty."""

    @property
    def region_box(self) -> Box | None:
        """The box around the region."""
        points = [(v[i], v[i + 1]) for _, v in self.region for i in range(0, len(v), 2)]
        return Box.around(points) if points else None


def read_actions(part: Part, holder: Element) -> tuple[Action, ...]:
    """The actions of an element that may have ``Actions``."""
    found: list[Action] = []
    for node in part.children(part.child(holder, "Actions"), "Action"):
        act = next((act for item in part.children(node) if (act := _read_act(part, item)) is not None), None)
        if act is not None:
            event = (part.string(node, "Event") or "CLICK").upper()
            found.append(Action(event=event, act=act, region=_read_region(part, node)))
    return tuple(found)


def read_destination(part: Part, node: Element) -> Destination:
    """A Dest element."""
    return Destination(
        type=part.string(node, "Type") or "XYZ",
        page=part.string(node, "PageID") or "",
        left=part.number(node, "Left"),
        top=part.number(node, "Top"),
        right=part.number(node, "Right"),
        bottom=part.number(node, "Bottom"),
        zoom=part.number(node, "Zoom"),
    )


def _read_act(part: Part, node: Element) -> Act | None:
    match part.local(node):
        case "Goto":
            destination = part.child(node, "Dest")
            bookmark = part.child(node, "Bookmark")
            return GotoAction(
                destination=None if destination is None else read_destination(part, destination),
                bookmark=None if bookmark is None else part.string(bookmark, "Name"),
            )
        case "URI":
            uri = part.string(node, "URI") or part.text(node)
            return UriAction(uri=uri, base=part.string(node, "Base"), target=part.string(node, "Target"))
        case "GotoA":
            new_window = part.boolean(node, "NewWindow")
            return GotoAttachmentAction(
                attachment=part.string(node, "AttachID") or "", new_window=new_window is not False
            )
        case "Sound":
            return SoundAction(
                resource=part.string(node, "ResourceID") or "",
                volume=part.integer(node, "Volume"),
                repeat=part.boolean(node, "Repeat") or False,
                synchronous=part.boolean(node, "Synchronous") or False,
            )
        case "Movie":
            return MovieAction(
                resource=part.string(node, "ResourceID") or "", operator=part.string(node, "Operator") or "Play"
            )
        case _:
            return None


def _read_region(part: Part, action: Element) -> tuple[PathCommand, ...]:
    return tuple(
        command for area in part.children(part.child(action, "Region"), "Area") for command in _read_area(part, area)
    )


def _read_area(part: Part, area: Element) -> Iterator[PathCommand]:
    position = tuple(part.point(area, "Start") or (0.0, 0.0))
    yield "M", position
    for node in part.children(area):
        name = part.local(node)
        if name == "Close":
            yield "Z", ()
            continue
        points = [part.point(node, f"Point{number}") for number in (1, 2, 3)]
        placed = [tuple(point) for point in points if point is not None]
        if name == "Arc":
            yield from _read_arc(part, node, (position[0], position[1]))
            placed = [tuple(part.point(node, "EndPoint") or position)]
        elif name in {"Move", "Line"} and placed:
            yield ("M" if name == "Move" else "L"), placed[0]
        elif name == "QuadraticBezier" and len(placed) >= 2:
            yield "Q", (*placed[0], *placed[1])
        elif name == "CubicBezier" and points[2] is not None:
            # A control point left out is the end it belongs to.
            first, second = points[0] or position, points[1] or points[2]
            yield "C", (*first, *second, *points[2])
        if placed:
            position = placed[-1]


def _read_arc(part: Part, node: Element, start: tuple[float, float]) -> Iterator[PathCommand]:
    size = part.numbers(node, "EllipseSize") or ()
    end = part.point(node, "EndPoint")
    if not size or end is None:
        return
    turn = part.number(node, "RotationAngle") or 0
    large, sweep = part.boolean(node, "LargeArc") or False, part.boolean(node, "SweepDirection") is not False
    yield from arc(start, (size[0], size[-1], turn, float(large), float(sweep), end.x, end.y))
