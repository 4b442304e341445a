"""Checks of what pages show: positions of characters, glyph numbers, transformations, nesting."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ofd.geometry import Box
from ofd.lint import rules_content as rules
from ofd.lint.inspection import ElementCheck, Place
from ofd.lint.values import expand_deltas, numbers
from ofd.lint.walk import name_of
from ofd.xmlio import Element

__all__ = ["ContentChecks", "FontUse"]

_MOST_BLOCKS = 32
"""Nesting at which readers give up."""
_LAST_BMP = 0xFFFF
_TINY = 1e-9
_TEXT_TYPES = ("TextObject", "ClipText")
_UNITS = (*_TEXT_TYPES, "PathObject", "ClipPath", "ImageObject", "CompositeObject")


@dataclass(slots=True, kw_only=True)
class FontUse:
    """What the texts of a document ask of one of its fonts."""

    characters: set[str] = field(default_factory=set)
    """Those that have to be looked up in the font's character map."""
    glyphs: set[int] = field(default_factory=set)
    """Glyphs that are named by number."""
    entry: str = ""
    """Where it is used first."""


class ContentChecks:
    """The checks, and what they remember while a document is gone through."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.fonts: dict[tuple[str, int], FontUse] = {}
        """By document and font ID."""
        self._areas: dict[str, Box] = {}
        """Physical box by entry of Document.xml or page."""

    def checks(self) -> Mapping[str, Sequence[ElementCheck]]:
        """What to call for which element type."""
        found: dict[str, list[ElementCheck]] = {
            "CommonData": [self._document_area],
            "Page": [self._page_area],
            "PageBlock": [_check_depth],
        }
        for name in _UNITS:
            found.setdefault(name, []).append(self._check_unit)
        for name in _TEXT_TYPES:
            found[name].append(self._check_text)
        return found

    def _document_area(self, place: Place) -> None:
        if place.scope is not None:
            _keep_area(self._areas, place.scope.document, _child(place.node, "PageArea"))

    def _page_area(self, place: Place) -> None:
        _keep_area(self._areas, place.entry, _child(place.node, "Area"))

    def _check_unit(self, place: Place) -> None:
        matrix = numbers(place.node.get("CTM", ""))
        if matrix is not None and len(matrix) == 6 and abs(matrix[0] * matrix[3] - matrix[1] * matrix[2]) < _TINY:
            place.found(rules.OBJECT_FLAT, matrix=place.node.get("CTM", ""))
        boundary = numbers(place.node.get("Boundary", ""))
        parent = place.node.getparent()
        on_page = place.root_type == "Page" and parent is not None and name_of(parent) in {"Layer", "PageBlock"}
        if boundary is None or len(boundary) != 4 or not on_page or place.scope is None:
            return
        area = self._areas.get(place.entry) or self._areas.get(place.scope.document)
        if area is not None and not Box(*boundary).intersects(Box(0, 0, area.width, area.height)):
            place.found(rules.OBJECT_OUTSIDE)

    def _check_text(self, place: Place) -> None:
        use = self._font_use(place)
        codes = [item for item in place.node.iterchildren("*") if name_of(item) == "TextCode"]
        for index, code in enumerate(codes):
            _check_code(place, code, is_first=index == 0)
        text = "".join(code.text or "" for code in codes)
        if not text:
            place.found(rules.TEXT_EMPTY)
        covered = set[int]()
        for transform in place.node.iterchildren("*"):
            if name_of(transform) == "CGTransform":
                covered.update(_check_transform(place, transform, text, use))
        use.characters.update(char for index, char in enumerate(text) if index not in covered and char.isprintable())

    def _font_use(self, place: Place) -> FontUse:
        number = place.node.get("Font", "")
        if place.scope is None or not (number.isascii() and number.isdigit()):
            return FontUse()
        use = self.fonts.setdefault((place.scope.document, int(number)), FontUse())
        use.entry = use.entry or place.entry
        return use


def _keep_area(areas: dict[str, Box], name: str, area: Element | None) -> None:
    physical = None if area is None else _child(area, "PhysicalBox")
    values = None if physical is None else numbers(physical.text or "")
    if values is not None and len(values) == 4:
        areas[name] = Box(0, 0, values[2], values[3])


def _child(node: Element, name: str) -> Element | None:
    return next((item for item in node.iterchildren("*") if name_of(item) == name), None)


def _check_depth(place: Place) -> None:
    depth = sum(name_of(item) == "PageBlock" for item in place.node.iterancestors())
    if depth == _MOST_BLOCKS:
        place.found(rules.OBJECT_DEPTH, limit=_MOST_BLOCKS)


def _check_code(place: Place, code: Element, *, is_first: bool) -> None:
    for name in ("X", "Y"):
        if is_first and code.get(name) is None:
            place.found(rules.TEXT_START, code, name=name)
    text = code.text or ""
    units = len(text) + sum(ord(char) > _LAST_BMP for char in text)
    if units > len(text) > 1:
        place.found(rules.TEXT_ASTRAL, code)
    for name in ("DeltaX", "DeltaY"):
        deltas = expand_deltas(code.get(name, ""))
        if not deltas:
            continue
        if len(deltas) < len(text) - 1:
            place.found(rules.TEXT_FEW_DELTAS, code, length=len(text), count=len(deltas), name=name)
        elif len(deltas) > max(units, 1):
            place.found(rules.TEXT_MANY_DELTAS, code, length=len(text), count=len(deltas), name=name)


def _check_transform(place: Place, node: Element, text: str, use: FontUse) -> Iterator[int]:
    """Judge one CGTransform; the positions of the characters that it covers."""
    values = [
        node.get(name, default) for name, default in (("CodePosition", ""), ("CodeCount", "1"), ("GlyphCount", "1"))
    ]
    if not all(value.isascii() and value.isdigit() for value in values):
        return
    position, count, glyph_count = (int(value) for value in values)
    units = len(text) + sum(ord(char) > _LAST_BMP for char in text)
    if position + count > units:
        place.found(rules.TEXT_TRANSFORM, node, position=position, count=count)
    listed = _child(node, "Glyphs")
    glyphs = [int(part) for part in ((listed.text if listed is not None else None) or "").split() if part.isdigit()]
    if len(glyphs) != glyph_count:
        place.found(rules.TEXT_GLYPH_COUNT, node, count=glyph_count, found=len(glyphs))
    use.glyphs.update(glyphs)
    yield from range(position, min(position + count, units))
