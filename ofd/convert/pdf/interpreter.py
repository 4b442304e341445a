"""Content streams (ISO 32000-2 §7.8.2, Annex A): operators become items of a scene."""

from collections.abc import Callable
from dataclasses import replace

import pikepdf

from ofd.convert.pdf.colors import CMYK, GRAY, RGB
from ofd.convert.pdf.graphics import Graphics, Operands, matrix, pair
from ofd.convert.pdf.masking import masked_picture
from ofd.convert.pdf.painting import Painter, clipped, mapped
from ofd.convert.pdf.reading import Reading
from ofd.convert.pdf.state import Clipping, Ink, Sink, State
from ofd.convert.pdf.streams import (
    array,
    content_stream,
    dictionary,
    matrix_of,
    name,
    number,
    numbers,
    operators,
    read_stream,
)
from ofd.convert.pdf.text_showing import GlyphPlace, TextRunner
from ofd.draw.scene import BlendMode, Clip, ClipArea, Group, Item, Origin, Paint, Stroke, TextItem
from ofd.geometry import IDENTITY, Box, Matrix, PathCommand

__all__ = ["Interpreter"]


class Interpreter(Graphics):
    """Runs content streams of one page into a sink."""

    def __init__(self, reading: Reading, sink: Sink, origin: Origin, *, base: Matrix, depth: int = 0) -> None:
        """Take what is shared, where items go and come from, and the matrix of default user space.

        Args:
            reading: shared by the pages.
            sink: takes the items.
            origin: of the items.
            base: from default user space to the page; pattern space is relative to it.
            depth: how many forms, patterns and glyphs this one lies in.
        """
        state = State(matrix=base, clipping=Clipping(box=sink.area))
        super().__init__(reading, state, TextRunner(origin, self._add_text))
        self._sink = sink
        self._origin = origin
        self._base = base
        self._depth = depth
        self._painter = Painter(reading, sink, origin, base=base, cell=self._read_cell)
        self._pending_clip: str = ""
        self._text_clips: list[ClipArea] = []
        self._marked: list[bool] = []
        self.is_uncoloured = False
        """A Type 3 glyph said ``d1``: it has no colours of its own."""

    def run(self, content: pikepdf.Object, resources: pikepdf.Object | None) -> None:
        """Run a page or a content stream, up to where it is damaged.

        Raises:
            RejectedError: ``ofd.convert.pdf-too-complex`` or ``ofd.convert.pdf-too-big``.
        """
        if self._depth > self._reading.limits.depth:
            self._reading.warn("Forms lie too deeply in each other.")
            return
        outer, self._resources = self._resources, resources
        saved_before = len(self._saved)
        marked_before = len(self._marked)
        instructions = operators(content)
        self._reading.work(len(instructions))
        for operator, operands in instructions:
            method = _METHODS.get(operator)
            if method is not None:
                try:
                    method(self, operands)
                except (IndexError, TypeError, ValueError, OverflowError, ZeroDivisionError, pikepdf.PdfError):
                    self._reading.warn(f"The operator {operator} is damaged and left out.")
            elif operator == "damaged":
                self._reading.warn("A content stream is damaged.")
        self._texts.flush()
        del self._marked[marked_before:]
        while len(self._saved) > saved_before:
            self._state = self._saved.pop()
        self._resources = outer

    # Painting

    def _paint_path(
        self, *, fill: bool = False, stroke: bool = False, even_odd: bool = False, close: bool = False
    ) -> None:
        if close:
            self._h(())
        path, self._path = self._path, []
        if (fill or stroke) and path and not self._hidden():
            self._texts.flush()
            if self._state.soft_mask is None or not self._masked_path(path, fill=fill, even_odd=even_odd):
                self._painter.path(path, self._state, fill=fill, stroke=stroke, even_odd=even_odd)
        if self._pending_clip:
            self._texts.flush()
            outline = mapped(path, self._state.matrix)
            self._state.clipping = clipped(self._state.clipping, outline, even_odd=self._pending_clip == "W*")
            self._pending_clip = ""

    def _masked_path(self, path: list[PathCommand], *, fill: bool, even_odd: bool) -> bool:
        ink = self._state.fill
        if not fill or ink.space.kind == "pattern":
            return False
        red, green, blue = ink.space.rgb(ink.values)
        words = {"M": "m", "L": "l", "C": "c", "Z": "h"}
        drawn = "\n".join(" ".join([*(f"{v:.5f}" for v in values), words[operator]]) for operator, values in path)
        content = f"{red:.4f} {green:.4f} {blue:.4f} rg\n{drawn}\n{'f*' if even_odd else 'f'}".encode()
        points = [pair for _, values in path for pair in zip(values[::2], values[1::2], strict=True)]
        return self._masked(content, pikepdf.Dictionary(), Box.around(points))

    def _masked(self, content: bytes, resources: pikepdf.Dictionary, bounds: Box) -> bool:
        """Paint under a soft mask: a picture drawn by PDFium."""
        item = masked_picture(content, resources, bounds, self._state, self._origin)
        if item is None:
            self._reading.warn("A soft mask cannot be applied.")
            return False
        self._sink.add(item, self._state)
        return True

    def _clip(self, operator: str) -> None:
        self._pending_clip = operator

    # Shadings, pictures and forms

    def _sh(self, operands: Operands) -> None:
        source = self._resource("/Shading", operands[0])
        if source is not None and not self._hidden():
            self._texts.flush()
            self._painter.shade(source, self._resources, self._state)

    def _BI(self, operands: Operands) -> None:  # noqa: N802 - the operator's name
        instruction = operands[0]
        if self._hidden() or not isinstance(instruction, pikepdf.ContentStreamInlineImage):
            return
        image = instruction.iimage
        self._texts.flush()
        try:
            stream = pikepdf.Stream(self._reading.document, image.read_raw_bytes())
            for key, value in image.obj.items():
                if key != "/Length":
                    stream[key] = value
            self._painter.picture(stream, self._resources, self._state)
        except (pikepdf.PdfError, ValueError, TypeError, AttributeError, NotImplementedError):
            self._reading.warn("An inline picture is damaged and left out.")

    def _Do(self, operands: Operands) -> None:  # noqa: N802 - the operator's name
        source = self._resource("/XObject", operands[0])
        if not isinstance(source, pikepdf.Stream) or self._hidden() or self._reading.is_hidden(source.get("/OC")):
            return
        self._texts.flush()
        kind = name(source.get("/Subtype"))
        if self._state.soft_mask is not None and kind in {"/Image", "/Form"}:
            bounds = Box(0, 0, 1, 1)
            if kind == "/Form":
                box = numbers(source.get("/BBox"), 4) or (0.0, 0.0, 0.0, 0.0)
                upright = Box.around([(box[0], box[1]), (box[2], box[3])])
                bounds = matrix_of(source.get("/Matrix")).box(upright)
            resources = pikepdf.Dictionary({"/XObject": pikepdf.Dictionary({"/Masked": source})})
            if self._masked(b"/Masked Do", resources, bounds):
                if kind == "/Form":
                    self.form(source, only_text=True)
                return
        if kind == "/Image":
            self._painter.picture(source, self._resources, self._state)
        elif kind == "/Form":
            self.form(source)

    def form(self, source: pikepdf.Object, *, only_text: bool = False) -> None:
        """Paint a form XObject (§8.10) with the current state.

        Args:
            source: its stream.
            only_text: keep nothing but its text, and that invisible: it is painted as a picture.
        """
        state = self._state.saved()
        state.matrix = matrix_of(source.get("/Matrix")).then(state.matrix)
        bounds = numbers(source.get("/BBox"), 4)
        if bounds is not None:
            box = Box.around([(bounds[0], bounds[1]), (bounds[2], bounds[3])])
            state.clipping = clipped(state.clipping, mapped(box.path(), state.matrix), even_odd=False)
        if state.clipping.is_empty or not state.matrix.determinant:
            return
        group = dictionary(source.get("/Group"))
        apart = group is not None and (state.fill_alpha < 1 or state.blend is not BlendMode.NORMAL)
        sink = Sink(self._sink.area, self._origin) if apart or only_text else self._sink
        inner = Interpreter(self._reading, sink, self._origin, base=state.matrix, depth=self._depth + 1)
        inner._state = state.saved()
        inner._state.soft_mask = None
        inner._colors_locked = self._colors_locked
        if apart:
            inner._state.fill_alpha = inner._state.stroke_alpha = 1
            inner._state.blend = BlendMode.NORMAL
        resources = dictionary(source.get("/Resources"))
        inner.run(self._bounded(source), resources if resources is not None else self._resources)
        if only_text:
            for text in sink.texts():
                self._sink.add(replace(text, fill=None, stroke=None), self._state)
        elif apart and (items := sink.items()):
            self._sink.add(Group(items=items, alpha=state.fill_alpha, origin=self._origin), self._state)

    def _bounded(self, source: pikepdf.Object) -> pikepdf.Object:
        """A content stream, once it is sure that it stays within the limits."""
        limits = self._reading.limits
        return content_stream(self._reading.document, read_stream(source, limits), limits)

    def _read_cell(self, stream: pikepdf.Object, matrix: Matrix, area: Box, ink: Ink | None) -> tuple[Item, ...]:
        sink = Sink(area, self._origin)
        inner = Interpreter(self._reading, sink, self._origin, base=matrix, depth=self._depth + 1)
        if ink is not None:
            inner.lock_colors(ink)
        inner.run(self._bounded(stream), dictionary(stream.get("/Resources")) or self._resources)
        return sink.items()

    # Text

    def _BT(self, operands: Operands) -> None:  # noqa: N802 - the operator's name
        self._texts.begin()

    def _ET(self, operands: Operands) -> None:  # noqa: N802 - the operator's name
        if self._state.text.mode & 4:
            self._texts.flush()
        if self._text_clips:
            clip = Clip(areas=tuple(self._text_clips))
            self._text_clips = []
            self._state.clipping = self._state.clipping.and_clip(clip)

    def _Tf(self, operands: Operands) -> None:  # noqa: N802 - the operator's name
        font = self._reading.font(self._resource("/Font", operands[0]))
        if font is not None and font.substituted:
            self._reading.warn(f"The font {font.substituted} is not embedded; another one takes its place.")
        self._state.text.font = font
        self._state.text.size = number(operands[1])

    def _set_text(self, key: str, operands: Operands) -> None:
        setattr(self._state.text, key, number(operands[0]))

    def _Tz(self, operands: Operands) -> None:  # noqa: N802 - the operator's name
        self._state.text.scale = number(operands[0], 100) / 100

    def _Tr(self, operands: Operands) -> None:  # noqa: N802 - the operator's name
        self._texts.flush()
        self._state.text.mode = int(number(operands[0])) & 7

    def _Td(self, operands: Operands) -> None:  # noqa: N802 - the operator's name
        self._texts.move(*pair(operands))

    def _TD(self, operands: Operands) -> None:  # noqa: N802 - the operator's name
        self._state.text.leading = -number(operands[1])
        self._Td(operands)

    def _Tm(self, operands: Operands) -> None:  # noqa: N802 - the operator's name
        self._texts.set(matrix(operands))

    def _next_line(self, operands: Operands) -> None:
        self._texts.move(0, -self._state.text.leading)

    def _Tj(self, operands: Operands) -> None:  # noqa: N802 - the operator's name
        self._show(operands[0])

    def _TJ(self, operands: Operands) -> None:  # noqa: N802 - the operator's name
        for item in array(operands[0]) or []:
            if isinstance(item, pikepdf.String):
                self._show(item)
            else:
                self._texts.adjust(number(item), self._state)

    def _quote(self, operands: Operands) -> None:
        self._next_line(())
        self._show(operands[0])

    def _double_quote(self, operands: Operands) -> None:
        self._state.text.word_spacing, self._state.text.char_spacing = number(operands[0]), number(operands[1])
        self._quote(operands[2:])

    def _show(self, string: object) -> None:
        if isinstance(string, pikepdf.String):
            data = bytes(string)
            self._reading.work(len(data))
            self._texts.show(data, self._state, self._text_paints, self._type3)

    def _text_paints(self, matrix: Matrix) -> tuple[Paint | None, Stroke | None]:
        mode = self._state.text.mode
        fill = stroke = None
        if self._hidden():
            return None, None
        if mode in {0, 2, 4, 6}:
            fill = self._painter.paint_in(self._state.fill, self._state.fill_alpha, self._state, matrix)
        if mode in {1, 2, 5, 6}:
            stroke = self._painter.line(self._state, matrix, even=True)
        return fill, stroke

    def _add_text(self, item: TextItem) -> None:
        if self._hidden():
            return
        if self._state.text.mode & 4:
            self._text_clips.append(ClipArea(text=replace(item, matrix=IDENTITY), matrix=item.matrix))
        self._sink.add(item, self._state)

    def _type3(self, place: GlyphPlace) -> bool:
        """Paint a glyph of a Type 3 font that no outline can stand for (§9.6.4)."""
        type3 = place.font.type3
        stream = None if type3 is None else type3.procedures.get(place.char.code.value)
        if type3 is None or stream is None or place.font.has_outline(place.char):
            return False
        if self._hidden() or self._state.text.mode == 3:
            return True
        self._texts.flush()
        state = self._state.saved()
        state.matrix = type3.matrix.then(place.matrix)
        if state.matrix.determinant:
            inner = Interpreter(self._reading, self._sink, self._origin, base=state.matrix, depth=self._depth + 1)
            inner._state = state
            inner._colors_locked = self._colors_locked
            inner.run(self._bounded(stream), type3.resources if type3.resources is not None else self._resources)
        return True

    def _d1(self, operands: Operands) -> None:
        self.is_uncoloured = True
        self._colors_locked = True

    # Marked content

    def _BDC(self, operands: Operands) -> None:  # noqa: N802 - the operator's name
        hidden = False
        if name(operands[0]) == "/OC":
            properties = operands[1]
            layer = self._resource("/Properties", properties) if isinstance(properties, pikepdf.Name) else properties
            hidden = self._reading.is_hidden(layer)
        self._texts.flush()
        self._marked.append(hidden)

    def _BMC(self, operands: Operands) -> None:  # noqa: N802 - the operator's name
        self._marked.append(False)

    def _EMC(self, operands: Operands) -> None:  # noqa: N802 - the operator's name
        if self._marked:
            if self._marked[-1]:
                self._texts.flush()
            self._marked.pop()

    def _hidden(self) -> bool:
        return any(self._marked)


_Method = Callable[[Interpreter, Operands], None]


def _device(space: object, *, stroke: bool) -> _Method:
    def method(self: Interpreter, operands: Operands) -> None:
        ink = Ink(space=space, values=tuple(number(item) for item in operands))  # type: ignore[arg-type]
        self._color(ink, stroke=stroke)

    return method


def _painted(**how: bool) -> _Method:
    return lambda self, _: self._paint_path(**how)


def _text_number(key: str) -> _Method:
    return lambda self, operands: self._set_text(key, operands)


_METHODS: dict[str, _Method] = {
    **{
        word: getattr(Interpreter, f"_{word}")
        for word in (
            [
                "q",
                "Q",
                "cm",
                "gs",
                "w",
                "J",
                "j",
                "M",
                "d",
                "m",
                "l",
                "c",
                "v",
                "y",
                "h",
                "re",
                "sh",
                "BI",
                "Do",
                "BT",
                "ET",
                "Tf",
                "Tz",
                "Tr",
                "Td",
                "TD",
                "Tm",
                "Tj",
                "TJ",
                "d1",
                "BDC",
                "BMC",
                "EMC",
            ]
        )
    },
    "T*": Interpreter._next_line,  # noqa: SLF001
    "'": Interpreter._quote,  # noqa: SLF001
    '"': Interpreter._double_quote,  # noqa: SLF001
    "Tc": _text_number("char_spacing"),
    "Tw": _text_number("word_spacing"),
    "TL": _text_number("leading"),
    "Ts": _text_number("rise"),
    "g": _device(GRAY, stroke=False),
    "G": _device(GRAY, stroke=True),
    "rg": _device(RGB, stroke=False),
    "RG": _device(RGB, stroke=True),
    "k": _device(CMYK, stroke=False),
    "K": _device(CMYK, stroke=True),
    "cs": lambda self, operands: self._set_space(operands, stroke=False),
    "CS": lambda self, operands: self._set_space(operands, stroke=True),
    "sc": lambda self, operands: self._set_color(operands, stroke=False),
    "SC": lambda self, operands: self._set_color(operands, stroke=True),
    "scn": lambda self, operands: self._set_color(operands, stroke=False),
    "SCN": lambda self, operands: self._set_color(operands, stroke=True),
    "f": _painted(fill=True),
    "F": _painted(fill=True),
    "f*": _painted(fill=True, even_odd=True),
    "S": _painted(stroke=True),
    "s": _painted(stroke=True, close=True),
    "B": _painted(fill=True, stroke=True),
    "B*": _painted(fill=True, stroke=True, even_odd=True),
    "b": _painted(fill=True, stroke=True, close=True),
    "b*": _painted(fill=True, stroke=True, even_odd=True, close=True),
    "n": _painted(),
    "W": lambda self, _: self._clip("W"),
    "W*": lambda self, _: self._clip("W*"),
}
