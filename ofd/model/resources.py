"""Resource files: fonts, colour spaces, draw parameters, media and composites by ID (GB/T 33190-2016 §7.9)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from ofd.model.objects import Color, ColorSpace, PageObject
from ofd.model.read_objects import read_color, read_components, read_objects
from ofd.model.reading import Part, same_id
from ofd.xmlio import Element

__all__ = ["Composite", "DrawParam", "Font", "Media", "Resources", "read_resources"]

Locate = Callable[[str, str], str | None]
"""From a location and ``Res@BaseLoc`` to an entry name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawParam:
    """DrawParam. What is not written is ``None``: the one that ``relative`` names may give it."""

    id: str
    relative: str | None = None
    line_width: float | None = None
    join: str | None = None
    cap: str | None = None
    dash_offset: float | None = None
    dash_pattern: tuple[float, ...] | None = None
    miter_limit: float | None = None
    fill_color: Color | None = None
    stroke_color: Color | None = None
    part: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Font:
    """Font."""

    id: str
    name: str
    family: str | None = None
    charset: str = "unicode"
    italic: bool = False
    bold: bool = False
    serif: bool | None = None
    fixed_width: bool = False
    file: str | None = None
    """Entry name of the embedded font."""
    part: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """MultiMedia: Image, Audio or Video."""

    id: str
    type: str
    format: str | None = None
    file: str | None = None
    """Entry name."""
    part: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Composite:
    """CompositeGraphicUnit: objects that are shown together, as often as wanted."""

    id: str
    width: float | None
    height: float | None
    thumbnail: str | None = None
    """ID of an image."""
    substitution: str | None = None
    """ID of an image."""
    objects: tuple[PageObject, ...] = ()
    part: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What one resource file defines, each kind by ID as :func:`ofd.model.reading.same_id` gives it."""

    part: str
    fonts: Mapping[str, Font] = field(default_factory=dict)
    color_spaces: Mapping[str, ColorSpace] = field(default_factory=dict)
    draw_params: Mapping[str, DrawParam] = field(default_factory=dict)
    media: Mapping[str, Media] = field(default_factory=dict)
    composites: Mapping[str, Composite] = field(default_factory=dict)


_MOST_BITS = 16
_Item = TypeVar("_Item", Font, ColorSpace, DrawParam, Media, Composite)


def read_resources(part: Part, root: Element, locate: Locate) -> Resources:
    """The content of a resource file.

    Args:
        part: the file.
        root: its root element.
        locate: finds the entry of a location; notes a warning and answers nothing when there is none.
    """
    base = part.string(root, "BaseLoc") or ""

    def file_of(node: Element, name: str) -> str | None:
        location = part.child_text(node, name)
        return locate(location, base) if location else None

    def each(group: str, item: str) -> list[Element]:
        return [node for holder in part.children(root, group) for node in part.children(holder, item)]

    return Resources(
        part=part.name,
        fonts=_by_id(part, [_read_font(part, node, file_of(node, "FontFile")) for node in each("Fonts", "Font")]),
        color_spaces=_by_id(
            part, [_read_space(part, node, locate, base) for node in each("ColorSpaces", "ColorSpace")]
        ),
        draw_params=_by_id(part, [_read_draw_param(part, node) for node in each("DrawParams", "DrawParam")]),
        media=_by_id(
            part,
            [
                Media(
                    id=part.string(node, "ID") or "",
                    type=part.string(node, "Type") or "Image",
                    format=part.string(node, "Format"),
                    file=file_of(node, "MediaFile"),
                    part=part.name,
                )
                for node in each("MultiMedias", "MultiMedia")
            ],
        ),
        composites=_by_id(
            part,
            [
                Composite(
                    id=part.string(node, "ID") or "",
                    width=part.number(node, "Width"),
                    height=part.number(node, "Height"),
                    thumbnail=part.child_text(node, "Thumbnail") or None,
                    substitution=part.child_text(node, "Substitution") or None,
                    objects=read_objects(part, part.child(node, "Content")),
                    part=part.name,
                )
                for node in each("CompositeGraphicUnits", "CompositeGraphicUnit")
            ],
        ),
    )


def _by_id(part: Part, items: list[_Item]) -> dict[str, _Item]:
    found: dict[str, _Item] = {}
    for item in items:
        if same_id(item.id) in found:
            part.warn("ofd.model.resource-twice", "资源标识重复，取第一个", "A resource ID stands twice", id=item.id)
        found.setdefault(same_id(item.id), item)
    return found


def _read_font(part: Part, node: Element, file: str | None) -> Font:
    return Font(
        id=part.string(node, "ID") or "",
        name=part.string(node, "FontName") or "",
        family=part.string(node, "FamilyName"),
        charset=part.string(node, "Charset") or "unicode",
        italic=part.boolean(node, "Italic") or False,
        bold=part.boolean(node, "Bold") or False,
        serif=part.boolean(node, "Serif"),
        fixed_width=part.boolean(node, "FixedWidth") or False,
        file=file,
        part=part.name,
    )


def _read_space(part: Part, node: Element, locate: Locate, base: str) -> ColorSpace:
    profile = part.string(node, "Profile")
    palette = part.child(node, "Palette")
    bits = part.integer(node, "BitsPerComponent")
    return ColorSpace(
        id=part.string(node, "ID") or "",
        type=(part.string(node, "Type") or "RGB").upper(),
        bits_per_component=bits if bits is not None and 1 <= bits <= _MOST_BITS else 8,
        profile=locate(profile, base) if profile else None,
        palette=tuple(read_components(part, part.text(item)) for item in part.children(palette, "CV")),
        part=part.name,
    )


def _read_draw_param(part: Part, node: Element) -> DrawParam:
    fill, stroke = part.child(node, "FillColor"), part.child(node, "StrokeColor")
    return DrawParam(
        id=part.string(node, "ID") or "",
        relative=part.string(node, "Relative"),
        line_width=part.number(node, "LineWidth"),
        join=part.string(node, "Join"),
        cap=part.string(node, "Cap"),
        dash_offset=part.number(node, "DashOffset"),
        dash_pattern=part.numbers(node, "DashPattern"),
        miter_limit=part.number(node, "MiterLimit"),
        fill_color=None if fill is None else read_color(part, fill),
        stroke_color=None if stroke is None else read_color(part, stroke),
        part=part.name,
    )
