"""What a viewer shows of one document: pages as SVG, their text, links and seals, places where a word stands, reports.

Everything is made when it is asked for, and a few pages are kept. Boxes are ``[x, y, width, height]`` in millimetres
from the top left corner of the part of the page that is shown.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from importlib import resources
from itertools import islice
from threading import RLock

from ofd.draw.page import sealed_scene
from ofd.draw.scene import Scene
from ofd.draw.seals import Seals
from ofd.draw.svg import to_svg
from ofd.fonts.library import FontLibrary
from ofd.geometry import Box
from ofd.model.document import Document
from ofd.model.links import link_target, page_links
from ofd.model.navigation import OutlineItem
from ofd.text.extract import page_text
from ofd.text.search import Hit, find_in_page
from ofd.verify.coverage_picture import marked_scene
from ofd.verify.document import Verification
from ofd.verify.page_coverage import page_coverage
from trustcore.errors import RejectedError

__all__ = ["DocumentView", "static_file"]

_FACTS = ("signer", "seal_name", "seal_code", "signed_at", "signed_at_proven")

_KEPT_SCENES = 8
_PAGES_PER_SEARCH = 25
"""How many pages one request searches: the answer comes soon, and says where to go on."""
_MOST_HITS = 1000
_DEEPEST_OUTLINE = 12
_STATIC = {
    "": ("viewer.html", "text/html; charset=utf-8"),
    "viewer.js": ("viewer.js", "text/javascript; charset=utf-8"),
    "viewer.css": ("viewer.css", "text/css; charset=utf-8"),
}


class DocumentView:
    """One document in a viewer. Safe to share between threads."""

    def __init__(
        self,
        document: Document,
        *,
        fonts: FontLibrary,
        examine: Callable[[], Verification] | None = None,
    ) -> None:
        """Show a document.

        Args:
            document: to be shown; stays open as long as the view is used.
            fonts: where fonts are found that are not embedded.
            examine: verifies the document; called once, when it is asked for. Without it nothing is said of seals.
        """
        self._document = document
        self._fonts = fonts
        self._examine = examine
        self._verification: Verification | None = None
        self._lock = RLock()
        self._scenes: OrderedDict[int, Scene] = OrderedDict()

    @cached_property
    def seals(self) -> Seals:
        """The seals of the document."""
        return Seals(self._document, fonts=self._fonts)

    def about(self) -> dict[str, object]:
        """Title, number of pages, size of the first, outline, and whether there is a report to be asked for."""
        box = self._document.physical_box(self._document.page(0)) if self.page_count else Box(0, 0, 210, 297)
        return {
            "title": self._document.info.title or "",
            "pages": self.page_count,
            "width": box.width,
            "height": box.height,
            "outline": self._outline(self._document.outlines, 0),
            "verified": self._examine is not None,
        }

    @property
    def page_count(self) -> int:
        """How many pages there are."""
        return len(self._document.page_links)

    def report(self) -> dict[str, object]:
        """The report, and the facts of each signature by its ID; the first call takes as long as a verification does.

        Raises:
            RejectedError: ``ofd.viewer.not-verified`` where nothing is verified.
        """
        verification = self._verified()
        report = verification.report
        found: list[dict[str, object]] = []
        for number, signature in enumerate(verification.signatures, start=1):
            prefix = "" if number == 1 else f"{number}."
            facts = {name: report.facts[prefix + name] for name in _FACTS if prefix + name in report.facts}
            found.append({"id": signature.id, "facts": facts})
        return {**report.as_json(), "signatures": found}

    def svg(self, index: int) -> str:
        """A page as SVG, seals drawn.

        Raises:
            NotFoundError: ``ofd.model.no-page``.
        """
        return to_svg(self._scene(index), text=False)

    def coverage_svg(self, index: int) -> str:
        """A page as SVG with what no signature covers marked.

        Raises:
            NotFoundError: ``ofd.model.no-page``.
            RejectedError: ``ofd.viewer.not-verified`` where nothing is verified.
        """
        covered = page_coverage(self._document, index, self._verified(), fonts=self._fonts, seals=self.seals)
        return to_svg(marked_scene(covered), text=False)

    def page(self, index: int) -> dict[str, object]:
        """Size, lines of text, links and seals of a page.

        Raises:
            NotFoundError: ``ofd.model.no-page``.
        """
        scene = self._scene(index)
        link = self._document.page_links[index]
        return {
            "width": scene.area.width,
            "height": scene.area.height,
            "lines": [{"text": line.text, "box": _relative(line.box, scene.area)} for line in page_text(scene).lines],
            "links": list(self._links(index, scene.area)),
            "stamps": [
                {"signature": stamp.signature_id, "box": _relative(_shown_box(stamp.box, stamp.clip), scene.area)}
                for stamp in self.seals.stamps(link.id)
            ],
            "warnings": list(scene.warnings),
        }

    def search(self, keyword: str, *, start: int = 0) -> dict[str, object]:
        """Where a keyword stands, on some pages from ``start``, and the page to go on with.

        Raises:
            RejectedError: ``ofd.text.keyword`` for a keyword of blanks.
        """
        hits: list[dict[str, object]] = []
        index = max(0, start)
        end = min(self.page_count, index + _PAGES_PER_SEARCH)
        while index < end and len(hits) < _MOST_HITS:
            scene = self._scene(index)
            found = find_in_page(page_text(scene), keyword, page=index, ignore_case=True)
            hits.extend(_hit(hit, scene.area) for hit in islice(found, _MOST_HITS))
            index += 1
        return {"hits": hits, "next": index if index < self.page_count else None}

    def _verified(self) -> Verification:
        if self._examine is None:
            raise RejectedError("Nothing was verified: no trusted root is known.", code="ofd.viewer.not-verified")
        with self._lock:
            if self._verification is None:
                self._verification = self._examine()
            return self._verification

    def _scene(self, index: int) -> Scene:
        with self._lock:
            scene = self._scenes.get(index)
            if scene is None:
                scene = sealed_scene(self._document, index, fonts=self._fonts, seals=self.seals)
                self._scenes[index] = scene
                if len(self._scenes) > _KEPT_SCENES:
                    self._scenes.popitem(last=False)
            return scene

    def _outline(self, items: Sequence[OutlineItem], depth: int) -> list[dict[str, object]]:
        if depth > _DEEPEST_OUTLINE:
            return []
        return [
            {"title": item.title, **self._leads(item), "children": self._outline(item.children, depth + 1)}
            for item in items
        ]

    def _leads(self, item: OutlineItem) -> dict[str, object]:
        target = link_target(self._document, item.actions)
        return {"page": None if target is None or isinstance(target, str) else self._document.page_index(target.page)}

    def _links(self, index: int, area: Box) -> Iterator[dict[str, object]]:
        for link in page_links(self._document, index):
            box = _relative(link.box, area)
            if isinstance(link.target, str):
                yield {"box": box, "page": None, "address": link.target}
            else:
                yield {"box": box, "page": self._document.page_index(link.target.page), "address": None}


def static_file(path: str) -> tuple[bytes, str] | None:
    """The page itself, its module and its style sheet, with their media type, by path below the viewer's address."""
    known = _STATIC.get(path)
    if known is None:
        return None
    name, media_type = known
    return (resources.files("ofd.viewer") / "static" / name).read_bytes(), media_type


def _relative(box: Box, area: Box) -> list[float]:
    return [round(value, 3) for value in (box.x - area.x, box.y - area.y, box.width, box.height)]


def _shown_box(box: Box, clip: Box | None) -> Box:
    return box if clip is None else Box(box.x + clip.x, box.y + clip.y, clip.width, clip.height)


def _hit(hit: Hit, area: Box) -> dict[str, object]:
    return {"page": hit.page, "text": hit.text, "boxes": [_relative(box, area) for box in hit.boxes]}
