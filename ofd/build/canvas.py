"""Drawing on a page or template: text, paths and images become the page objects of GB/T 33190-2016 §8 to §11.

All lengths are millimetres from the top left corner of the page, y downward. Objects are painted in the order they
were drawn.
"""

import unicodedata
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from enum import StrEnum

from ofd.build.blanks import mark_blank
from ofd.build.colors import BLACK, AnyColor, Color, SpaceColor, write_color
from ofd.build.drawing import ItemWriter
from ofd.build.navigation import write_actions
from ofd.build.numbers import deltas, number, precise
from ofd.build.resources import ResourceTable
from ofd.draw.scene import Item
from ofd.fonts.faces import FontFace, FontStack
from ofd.geometry import Point
from ofd.model.actions import Action
from ofd.xmlio import Element, element
from trustcore.errors import ConflictError, RejectedError

__all__ = ["BLACK", "Canvas", "Color", "LayerType", "ObjectRef", "SpaceColor", "number"]

_LAST_BMP = 0xFFFF
_LINE_CONTROL = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories that have no place in one line: controls, surrogates, line and paragraph separators."""


class LayerType(StrEnum):
    """``Layer@Type``: the order in which layers are painted."""

    BACKGROUND = "Background"
    BODY = "Body"
    FOREGROUND = "Foreground"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRef:
    """An object of a page, as CustomTags name it."""

    page_id: int
    object_id: int


class Canvas:
    """A page, template, annotation or composite while it is drawn.

    Made by :class:`ofd.build.document.DocumentBuilder` and :class:`ofd.build.editing.DocumentEditor`.
    """

    def __init__(
        self,
        page_id: int,
        *,
        size_mm: tuple[float, float],
        fonts: FontStack | None,
        resources: ResourceTable,
        next_id: Callable[[], int],
        target: Element | None = None,
        offset: Point = Point(0, 0),  # noqa: B008 - a tuple
    ) -> None:
        """Start to draw.

        Args:
            page_id: of the page, or of what stands in its place.
            size_mm: width and height.
            fonts: what text is set in, if any is to be set.
            resources: of the document.
            next_id: gives the next free ID of the document.
            target: the element that holds the objects; layers of a page if left out.
            offset: where the target's space has its origin on the page.
        """
        self.id = page_id
        self.size_mm = size_mm
        """Width and height."""
        self._fonts = fonts
        self._resources = resources
        self._next_id = next_id
        self._offset = offset
        self._actions: list[Action] = []
        self._written = False
        self._items = ItemWriter(resources, next_id)
        self._layers: list[Element] = []
        self._layer = self.layer() if target is None else target

    @property
    def fonts(self) -> FontStack:
        """What text is set in.

        Raises:
            RejectedError: ``ofd.font.none`` when the document was begun without fonts.
        """
        if self._fonts is None:
            raise RejectedError("The document was begun without fonts.", code="ofd.font.none")
        return self._fonts

    def layer(self, kind: LayerType = LayerType.BODY, *, draw_param: int | None = None) -> Element:
        """Begin a layer: what is drawn from now on stands in it.

        Args:
            kind: when it is painted.
            draw_param: draw parameters of all its objects, as
                :meth:`ofd.build.document.DocumentBuilder.draw_param` gives them.
        """
        if self._layers and not len(self._layer):
            node = self._layer
        else:
            node = element(None, "Layer", attributes={"ID": str(self._next_id())})
            self._layers.append(node)
        if kind is not LayerType.BODY:
            node.set("Type", kind)
        if draw_param is not None:
            node.set("DrawParam", str(draw_param))
        self._layer = node
        return node

    def on(self, action: Action) -> None:
        """Have something happen when the page is opened (``PO``)."""
        self._actions.append(action)

    def text(
        self,
        content: str,
        *,
        x_mm: float,
        y_mm: float,
        size_mm: float,
        color: AnyColor = BLACK,
        align: str = "left",
        spacing_mm: float = 0,
        bold: bool = False,
    ) -> tuple[ObjectRef, ...]:
        """One line of text on a baseline.

        Args:
            content: the text; one object is made for each change of font and each character beyond the BMP.
            x_mm: where the text starts, is centred or ends, by ``align``.
            y_mm: the baseline.
            size_mm: font size (1 em).
            color: fill colour.
            align: ``left``, ``center`` or ``right``.
            spacing_mm: added after each character.
            bold: thicken the strokes.

        Returns:
            The objects made, in reading order; none for an empty text.

        Raises:
            RejectedError: ``ofd.font.missing-glyph``; ``ofd.text.control-character`` for line breaks and the like.
        """
        for char in content:
            if unicodedata.category(char) in _LINE_CONTROL:
                raise RejectedError(
                    f"A line of text has the character U+{ord(char):04X}, which cannot stand in a line.",
                    code="ofd.text.control-character",
                    code_point=f"U+{ord(char):04X}",
                )
        runs = self.fonts.runs(content)
        width = self.text_width(content, size_mm=size_mm, spacing_mm=spacing_mm)
        x = x_mm - {"left": 0.0, "center": width / 2, "right": width}[align]
        refs: list[ObjectRef] = []
        for face, run in runs:
            for piece in _split_at_astral(run):
                advances = [face.advance(char) * size_mm + spacing_mm for char in piece]
                refs.append(self._text_run(face, piece, advances, (x, y_mm, size_mm), color=color, bold=bold))
                x += sum(advances)
        return tuple(refs)

    def text_width(self, content: str, *, size_mm: float, spacing_mm: float = 0) -> float:
        """How wide a line of text gets, in millimetres.

        Raises:
            RejectedError: ``ofd.font.missing-glyph``.
        """
        return self.fonts.width(content) * size_mm + spacing_mm * max(len(content) - 1, 0)

    def path(
        self,
        data: str,
        *,
        box_mm: tuple[float, float, float, float],
        stroke: AnyColor | None = BLACK,
        fill: AnyColor | None = None,
        line_width_mm: float = 0.353,
        even_odd: bool = False,
    ) -> ObjectRef:
        """A path.

        Args:
            data: AbbreviatedData (GB/T 33190-2016 §9.3), such as ``M 0 0 L 10 0 C``, relative to the box's corner.
            box_mm: x, y, width, height; what is drawn outside is clipped.
            stroke: line colour, ``None`` for no line.
            fill: fill colour, ``None`` for none.
            line_width_mm: width of the line.
            even_odd: fill by the even-odd rule instead of the non-zero one.
        """
        ref, node = self._object("PathObject", box_mm)
        node.set("Stroke", "true" if stroke else "false")
        node.set("Fill", "true" if fill else "false")
        if even_odd:
            node.set("Rule", "Even-Odd")
        if stroke:
            node.set("LineWidth", number(line_width_mm))
            write_color(node, "StrokeColor", stroke)
        if fill:
            write_color(node, "FillColor", fill)
        element(node, "AbbreviatedData", data)
        return ref

    def rectangles(self, boxes_mm: Sequence[tuple[float, float, float, float]], *, fill: AnyColor = BLACK) -> ObjectRef:
        """Filled rectangles (x, y, width, height) as one object, such as the modules of a two-dimensional code.

        Raises:
            RejectedError: ``ofd.path.empty`` without any rectangle.
        """
        if not boxes_mm:
            raise RejectedError("A path without rectangles was asked for.", code="ofd.path.empty")
        left = min(box[0] for box in boxes_mm)
        top = min(box[1] for box in boxes_mm)
        right = max(box[0] + box[2] for box in boxes_mm)
        bottom = max(box[1] + box[3] for box in boxes_mm)
        parts: list[str] = []
        for x, y, width, height in boxes_mm:
            x0, y0, x1, y1 = (number(v) for v in (x - left, y - top, x - left + width, y - top + height))
            parts.append(f"M {x0} {y0} L {x1} {y0} L {x1} {y1} L {x0} {y1} C")
        return self.path(" ".join(parts), box_mm=(left, top, right - left, bottom - top), stroke=None, fill=fill)

    def line(
        self,
        start_mm: tuple[float, float],
        end_mm: tuple[float, float],
        *,
        color: AnyColor = BLACK,
        width_mm: float = 0.353,
    ) -> ObjectRef:
        """A straight line."""
        half = width_mm / 2
        left, top = min(start_mm[0], end_mm[0]) - half, min(start_mm[1], end_mm[1]) - half
        box = (left, top, abs(end_mm[0] - start_mm[0]) + width_mm, abs(end_mm[1] - start_mm[1]) + width_mm)
        (x0, y0), (x1, y1) = ((number(x - left), number(y - top)) for x, y in (start_mm, end_mm))
        return self.path(f"M {x0} {y0} L {x1} {y1}", box_mm=box, stroke=color, line_width_mm=width_mm)

    def image(self, data: bytes, *, box_mm: tuple[float, float, float, float]) -> ObjectRef:
        """An image, stretched to x, y, width, height; the same octets are stored once.

        Raises:
            RejectedError: ``ofd.image.format`` when it is not PNG, JPEG, GIF, BMP, TIFF or JBIG2.
        """
        ref, node = self._object("ImageObject", box_mm)
        node.set("CTM", f"{number(box_mm[2])} 0 0 {number(box_mm[3])} 0 0")
        node.set("ResourceID", str(self._resources.image(data)))
        return ref

    def draw(self, item: Item) -> tuple[ObjectRef, ...]:
        """Paint an item of a scene (:mod:`ofd.draw.scene`), whose matrices lead to this page.

        Returns:
            The objects made, in the order of painting; none when nothing of it shows.

        Raises:
            RejectedError: ``ofd.draw.depth`` for groups nested too deeply; ``ofd.image.format``.
        """
        self._check_open()
        made = self._items.draw(item, self._layer, offset=self._offset)
        return tuple(ObjectRef(page_id=self.id, object_id=object_id) for object_id in made)

    def place(self, composite: "Canvas", *, box_mm: tuple[float, float, float, float]) -> ObjectRef:
        """Show a composite (:meth:`ofd.build.document.DocumentBuilder.composite`), stretched to a box."""
        ref, node = self._object("CompositeObject", box_mm)
        scale = (box_mm[2] / composite.size_mm[0], box_mm[3] / composite.size_mm[1])
        if scale != (1, 1):
            node.set("CTM", f"{precise(scale[0])} 0 0 {precise(scale[1])} 0 0")
        node.set("ResourceID", str(composite.id))
        return ref

    def area(self, actions: Sequence[Action], *, box_mm: tuple[float, float, float, float]) -> ObjectRef:
        """An invisible rectangle on which actions wait for a click."""
        ref, node = self._object("PathObject", box_mm)
        node.set("Stroke", "false")
        write_actions(node, actions)
        element(node, "AbbreviatedData", _rectangle(box_mm))
        return ref

    def blank(self, name: str, *, box_mm: tuple[float, float, float, float]) -> ObjectRef:
        """Keep a place free, to be filled later by :meth:`ofd.build.editing.DocumentEditor.fill`.

        Args:
            name: by which it is found; blanks of one name are filled alike.
            box_mm: x, y, width, height.

        Raises:
            RejectedError: ``ofd.build.blank`` without a name; ``ofd.object.box``.
        """
        if not name.strip():
            raise RejectedError("A blank needs a name.", code="ofd.build.blank")
        ref, node = self._object("PathObject", box_mm)
        mark_blank(node, name)
        node.set("Stroke", "false")
        element(node, "AbbreviatedData", _rectangle(box_mm))
        return ref

    @property
    def actions(self) -> tuple[Action, ...]:
        """What happens when the page is opened."""
        return tuple(self._actions)

    def copy_layers(self) -> list[Element]:
        """The layers drawn so far, to be put into a page; empty ones only where there is no other."""
        drawn = [layer for layer in self._layers if len(layer)] or self._layers[:1]
        return [deepcopy(layer) for layer in drawn]

    def close(self) -> None:
        """Have nothing more drawn, and forget what was: it is written."""
        self._written = True
        self._layers.clear()
        self._layer = element(None, "Layer")

    def _check_open(self) -> None:
        if self._written:
            raise ConflictError("The page is written already.", code="ofd.build.written", page=self.id)

    def _text_run(
        self,
        face: FontFace,
        run: str,
        advances: Sequence[float],
        place: tuple[float, float, float],
        *,
        color: AnyColor,
        bold: bool,
    ) -> ObjectRef:
        x, baseline, size = place
        ascent = face.ascent * size
        box = (x, baseline - ascent, sum(advances) + size / 4, ascent + face.descent * size)
        ref, node = self._object("TextObject", box)
        astral = ord(run[0]) > _LAST_BMP
        node.set("Font", str(self._resources.font(face, run, (face.glyph(run),) if astral else ())))
        node.set("Size", number(size))
        if bold:
            node.set("Weight", "700")
        if color != BLACK:
            write_color(node, "FillColor", color)
        if astral:
            counts = {"CodePosition": "0", "CodeCount": "2", "GlyphCount": "1"}
            element(element(node, "CGTransform", attributes=counts), "Glyphs", str(face.glyph(run)))
        attributes = {"X": "0", "Y": number(ascent)}
        if len(run) > 1:
            attributes["DeltaX"] = deltas(advances[:-1])
        element(node, "TextCode", run, attributes)
        return ref

    def _object(self, name: str, box_mm: tuple[float, float, float, float]) -> tuple[ObjectRef, Element]:
        if box_mm[2] <= 0 or box_mm[3] <= 0:
            raise RejectedError("An object needs a width and a height.", code="ofd.object.box")
        self._check_open()
        object_id = self._next_id()
        x, y, width, height = box_mm
        place = (x - self._offset.x, y - self._offset.y, width, height)
        attributes = {"ID": str(object_id), "Boundary": " ".join(number(value) for value in place)}
        return ObjectRef(page_id=self.id, object_id=object_id), element(self._layer, name, attributes=attributes)


def _rectangle(box_mm: tuple[float, float, float, float]) -> str:
    width, height = number(box_mm[2]), number(box_mm[3])
    return f"M 0 0 L {width} 0 L {width} {height} L 0 {height} C"


def _split_at_astral(run: str) -> list[str]:
    """Characters beyond the BMP stand alone.

    Readers that count UTF-16 units (ofdrw, ofd.js) then agree with us on every delta, and on ``CodeCount``.
    """
    pieces: list[str] = []
    joinable = False
    for char in run:
        astral = ord(char) > _LAST_BMP
        if joinable and not astral:
            pieces[-1] += char
        else:
            pieces.append(char)
        joinable = not astral
    return pieces
