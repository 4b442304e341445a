"""What the pages of one PDF share while they are read: limits, fonts, pictures, layers, and the work left."""

from collections.abc import Callable, Mapping

import pikepdf

from ofd.convert.pdf.colors import Rgb
from ofd.convert.pdf.font_reading import read_font
from ofd.convert.pdf.fonts import Font, Metrics, font_key
from ofd.convert.pdf.images import Decoded, decode_image, stream_name
from ofd.convert.pdf.streams import Limits, array, dictionary, name, too_complex
from ofd.draw.scene import Image
from ofd.fonts.library import FontLibrary

__all__ = ["Reading"]

_KEPT_PICTURES = 64 << 20


class Reading:
    """Shared by the pages of one PDF. Not shared between threads."""

    def __init__(self, document: pikepdf.Pdf, *, limits: Limits, library: FontLibrary) -> None:
        """Take the document, what it may cost, and the installed fonts that stand in for missing ones."""
        self.document = document
        self.limits = limits
        self.library = library
        self.warnings: dict[str, None] = {}
        self._fonts: dict[object, Font | None] = {}
        self._pictures: dict[str, tuple[Image, Image | None] | None] = {}
        self._picture_octets = 0
        self._inline = 0
        self._hidden = _hidden_layers(document)
        self._left = limits.page_operators
        self.trace: Callable[[Metrics], Metrics] = _untraced
        """Turns the glyphs of a Type 3 font into outlines where that is possible."""

    def begin_page(self) -> None:
        """Start counting the work of a page."""
        self._left = self.limits.page_operators
        self.warnings = {}

    def work(self, amount: int = 1) -> None:
        """Count operators.

        Raises:
            RejectedError: ``ofd.convert.pdf-too-complex``, the page has used up its share.
        """
        self._left -= amount
        if self._left < 0:
            raise too_complex()

    def warn(self, sentence: str) -> None:
        """Remember what of the page cannot be shown as the PDF says; each sentence once."""
        if len(self.warnings) < 100:
            self.warnings[sentence] = None

    def font(self, source: object) -> Font | None:
        """The font that a dictionary describes; None when it describes none."""
        described = dictionary(source)
        if described is None:
            return None
        key = font_key(described)
        if key not in self._fonts:
            self._fonts[key] = None
            metrics = read_font(described, self.limits)
            if metrics is not None:
                self._fonts[key] = Font(self.trace(metrics) if metrics.type3 else metrics, self.library)
        return self._fonts[key]

    def picture(
        self, source: pikepdf.Object, resources: pikepdf.Object | None, color: Rgb
    ) -> tuple[Image, Image | None] | None:
        """An image and its mask; the same objects for the same image."""
        plain = stream_name(source)
        if not plain:
            self._inline += 1
            plain = f"pdf-inline-{self._inline}"
        if bool(source.get("/ImageMask", False)):
            plain += "-" + "".join(f"{round(value * 255):02x}" for value in color)
        if plain not in self._pictures:
            decoded = decode_image(source, resources, self.limits, color=color)
            if decoded is None:
                self.warn("A picture cannot be decoded and is left out.")
            found = None if decoded is None else _named(plain, decoded)
            octets = 0 if decoded is None else len(decoded.data) + len(decoded.mask or b"")
            if self._picture_octets + octets > _KEPT_PICTURES:
                self._pictures.clear()
                self._picture_octets = 0
            self._picture_octets += octets
            self._pictures[plain] = found
        return self._pictures[plain]

    def is_hidden(self, layer: object) -> bool:
        """Whether optional content is off (ISO 32000-2 §8.11)."""
        source = dictionary(layer)
        if source is None or not self._hidden:
            return False
        if name(source.get("/Type")) != "/OCMD":
            return source.objgen in self._hidden
        members = source.get("/OCGs")
        single = dictionary(members)
        groups = array(members) or ([] if single is None else [single])
        states = [group.objgen not in self._hidden for group in groups if isinstance(group, pikepdf.Dictionary)]
        if not states:
            return False
        policies: Mapping[str, bool] = {
            "/AllOn": all(states),
            "/AnyOff": not all(states),
            "/AllOff": not any(states),
        }
        return not policies.get(name(source.get("/P")), any(states))


def _untraced(metrics: Metrics) -> Metrics:
    return metrics


def _named(plain: str, decoded: Decoded) -> tuple[Image, Image | None]:
    mask = None if decoded.mask is None else Image(name=f"{plain}-mask", data=decoded.mask)
    return Image(name=plain, data=decoded.data), mask


def _hidden_layers(document: pikepdf.Pdf) -> frozenset[tuple[int, int]]:
    """Optional content groups that are off by default."""
    properties = dictionary(document.Root.get("/OCProperties"))
    default = dictionary(properties.get("/D")) if properties is not None else None
    if properties is None or default is None:
        return frozenset()
    hidden: set[tuple[int, int]] = set()
    if name(default.get("/BaseState")) == "/OFF":
        hidden = _identities(properties.get("/OCGs")) - _identities(default.get("/ON"))
    return frozenset(hidden | _identities(default.get("/OFF")))


def _identities(value: object) -> set[tuple[int, int]]:
    return {item.objgen for item in array(value) or [] if isinstance(item, pikepdf.Dictionary)}
