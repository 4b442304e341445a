"""Reading page objects and their colours (GB/T 33190-2016 §7.7, §8 to §13)."""

from typing import Any

from ofd.geometry import Point
from ofd.model.actions import read_actions
from ofd.model.objects import (
    AxialShading,
    Block,
    Border,
    Clip,
    ClipArea,
    Color,
    CompositeObject,
    GouraudShading,
    ImageObject,
    LatticeShading,
    MeshPoint,
    PageObject,
    PathObject,
    Pattern,
    RadialShading,
    Segment,
    Shading,
    TextObject,
)
from ofd.model.read_text import read_codes
from ofd.model.reading import Part
from ofd.xmlio import Element

__all__ = ["MAX_NESTING", "read_color", "read_components", "read_objects"]

MAX_NESTING = 32
"""Deepest nesting of blocks, patterns and clips in one part."""
_KINDS = ("TextObject", "PathObject", "ImageObject", "CompositeObject", "PageBlock")


def read_objects(part: Part, holder: Element | None, depth: int = 0) -> tuple[PageObject, ...]:
    """The objects that stand directly in a layer, block, cell or appearance, in painting order."""
    if depth > MAX_NESTING:
        part.warn("ofd.model.nesting", "嵌套过深，其余部分未读取", "Nested too deeply: the rest is not read")
        return ()
    return tuple(_read_object(part, node, depth) for node in part.children(holder, *_KINDS))


def _read_object(part: Part, node: Element, depth: int) -> PageObject:
    match part.local(node):
        case "TextObject":
            return _read_text(part, node, depth)
        case "PathObject":
            return _read_path(part, node, depth)
        case "ImageObject":
            return ImageObject(
                **_read_unit(part, node, depth),
                resource=part.string(node, "ResourceID") or "",
                substitution=part.string(node, "Substitution"),
                image_mask=part.string(node, "ImageMask"),
                border=_read_border(part, node, depth),
            )
        case "CompositeObject":
            return CompositeObject(**_read_unit(part, node, depth), resource=part.string(node, "ResourceID") or "")
        case _:
            return Block(id=part.string(node, "ID") or "", objects=read_objects(part, node, depth + 1))


def _read_unit(part: Part, node: Element, depth: int) -> dict[str, Any]:
    """What all graphic units have in common, by field name."""
    unit: dict[str, Any] = {
        "id": part.string(node, "ID") or "",
        "boundary": part.box(node),
        "name": part.string(node, "Name") or "",
        "visible": part.boolean(node, "Visible") is not False,
        "ctm": part.matrix(node),
        "draw_param": part.string(node, "DrawParam"),
        "line_width": part.number(node, "LineWidth"),
        "cap": part.string(node, "Cap"),
        "join": part.string(node, "Join"),
        "miter_limit": part.number(node, "MiterLimit"),
        "dash_offset": part.number(node, "DashOffset"),
        "dash_pattern": part.numbers(node, "DashPattern"),
        "alpha": part.number(node, "Alpha"),
        "blend_mode": part.string(node, "BlendMode"),
    }
    if len(node):
        clips = part.child(node, "Clips")
        if clips is not None:
            unit["clips"] = tuple(
                Clip(areas=_read_areas(part, clip, depth + 1)) for clip in part.children(clips, "Clip")
            )
            unit["clips_follow"] = part.boolean(clips, "TransFlag") is not False
        unit["actions"] = read_actions(part, node)
    return unit


def _read_areas(part: Part, clip: Element, depth: int) -> tuple[ClipArea, ...]:
    areas: list[ClipArea] = []
    if depth > MAX_NESTING:
        return ()
    for area in part.children(clip, "Area"):
        for node in part.children(area, "Path", "Text"):
            reader = _read_path if part.local(node) == "Path" else _read_text
            areas.append(
                ClipArea(
                    shape=reader(part, node, depth), draw_param=part.string(area, "DrawParam"), ctm=part.matrix(area)
                )
            )
    return tuple(areas)


def _read_text(part: Part, node: Element, depth: int) -> TextObject:
    size = part.number(node, "Size")
    return TextObject(
        **_read_unit(part, node, depth),
        font=part.string(node, "Font") or "",
        size=size or 0,
        stroke=part.boolean(node, "Stroke"),
        fill=part.boolean(node, "Fill"),
        h_scale=part.number(node, "HScale"),
        read_direction=_direction(part, node, "ReadDirection"),
        char_direction=_direction(part, node, "CharDirection"),
        weight=part.integer(node, "Weight"),
        italic=part.boolean(node, "Italic"),
        fill_color=_child_color(part, node, "FillColor", depth),
        stroke_color=_child_color(part, node, "StrokeColor", depth),
        codes=read_codes(part, node),
    )


def _direction(part: Part, node: Element, name: str) -> int:
    value = part.number(node, name)
    return 0 if value is None else round(value / 90) * 90 % 360


def _read_path(part: Part, node: Element, depth: int) -> PathObject:
    return PathObject(
        **_read_unit(part, node, depth),
        stroke=part.boolean(node, "Stroke"),
        fill=part.boolean(node, "Fill"),
        rule=part.string(node, "Rule"),
        stroke_color=_child_color(part, node, "StrokeColor", depth),
        fill_color=_child_color(part, node, "FillColor", depth),
        data=part.child_text(node, "AbbreviatedData"),
    )


def _read_border(part: Part, node: Element, depth: int) -> Border | None:
    border = part.child(node, "Border")
    if border is None:
        return None
    return Border(
        line_width=part.number(border, "LineWidth"),
        # The schema misspells the first attribute; both spellings occur.
        horizontal_radius=part.number(border, "HorizonalCornerRadius")
        or part.number(border, "HorizontalCornerRadius")
        or 0,
        vertical_radius=part.number(border, "VerticalCornerRadius") or 0,
        dash_offset=part.number(border, "DashOffset"),
        dash_pattern=part.numbers(border, "DashPattern"),
        color=_child_color(part, border, "BorderColor", depth),
    )


def read_color(part: Part, node: Element, depth: int = 0) -> Color:
    """A CT_Color element."""
    value = node.get("Value")
    return Color(
        value=None if value is None or not value.strip() else read_components(part, value),
        index=part.integer(node, "Index"),
        color_space=part.string(node, "ColorSpace"),
        alpha=part.number(node, "Alpha"),
        shading=_read_shading(part, node, depth + 1) if len(node) and depth < MAX_NESTING else None,
    )


def read_components(part: Part, text: str) -> tuple[float, ...]:
    """Components of a colour: numbers, or hexadecimal ones after ``#``."""
    if "#" not in text:
        return part.parse_numbers(text, "Value")
    values: list[float] = []
    for item in text.replace(",", " ").split():
        if not item.startswith("#"):
            values.extend(part.parse_numbers(item, "Value"))
            continue
        digits = item[1:]
        # "#ff8000" stands for three components where the standard writes "#ff #80 #00".
        pieces = [digits[i : i + 2] for i in range(0, len(digits), 2)] if len(digits) in {6, 8} else [digits]
        try:
            values.extend(float(int(piece, 16)) for piece in pieces)
        except ValueError:
            part.parse_numbers(item, "Value")
    return tuple(values)


def _child_color(part: Part, node: Element, name: str, depth: int) -> Color | None:
    if not len(node):
        return None
    found = part.child(node, name)
    return None if found is None else read_color(part, found, depth)


def _read_shading(part: Part, color: Element, depth: int) -> Shading | None:
    for node in part.children(color):
        match part.local(node):
            case "Pattern":
                return _read_pattern(part, node, depth)
            case "AxialShd" | "RadialShd" as name:
                return _read_gradient(part, node, depth, radial=name == "RadialShd")
            case "GouraudShd":
                return GouraudShading(points=_read_mesh(part, node, depth), back_color=_back_color(part, node, depth))
            case "LaGourandShd" | "LaGouraudShd":
                return LatticeShading(
                    vertices_per_row=part.integer(node, "VerticesPerRow") or 0,
                    points=_read_mesh(part, node, depth),
                    back_color=_back_color(part, node, depth),
                )
            case _:
                continue
    return None


def _read_gradient(part: Part, node: Element, depth: int, *, radial: bool) -> AxialShading | RadialShading:
    segments: list[Segment] = []
    for item in part.children(node, "Segment"):
        color = _child_color(part, item, "Color", depth)
        segments.append(Segment(position=part.number(item, "Position"), color=color or Color()))
    shared: dict[str, Any] = {
        "start": part.point(node, "StartPoint") or Point(0, 0),
        "end": part.point(node, "EndPoint") or Point(0, 0),
        "segments": tuple(segments),
        "map_type": part.string(node, "MapType"),
        "map_unit": part.number(node, "MapUnit"),
        "extend": part.string(node, "Extend"),
    }
    if not radial:
        return AxialShading(**shared)
    return RadialShading(
        **shared,
        start_radius=part.number(node, "StartRadius") or 0,
        end_radius=part.number(node, "EndRadius") or 0,
        eccentricity=part.number(node, "Eccentricity") or 0,
        angle=part.number(node, "Angle") or 0,
    )


def _read_mesh(part: Part, node: Element, depth: int) -> tuple[MeshPoint, ...]:
    return tuple(
        MeshPoint(
            x=part.number(item, "X") or 0,
            y=part.number(item, "Y") or 0,
            edge_flag=part.integer(item, "EdgeFlag") or 0,
            color=_child_color(part, item, "Color", depth) or Color(),
        )
        for item in part.children(node, "Point")
    )


def _back_color(part: Part, node: Element, depth: int) -> Color | None:
    return _child_color(part, node, "BackColor", depth)


def _read_pattern(part: Part, node: Element, depth: int) -> Pattern:
    return Pattern(
        width=part.number(node, "Width") or 0,
        height=part.number(node, "Height") or 0,
        x_step=part.number(node, "XStep"),
        y_step=part.number(node, "YStep"),
        reflect_method=part.string(node, "ReflectMethod"),
        relative_to=part.string(node, "RelativeTo"),
        ctm=part.matrix(node),
        cell=read_objects(part, part.child(node, "CellContent"), depth + 1),
    )
