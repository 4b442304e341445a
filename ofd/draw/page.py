"""A page as readers show it: its content, annotations, and the seals on it."""

from dataclasses import replace

from ofd.draw.interpret import page_scene
from ofd.draw.scene import Scene
from ofd.draw.seals import Seals
from ofd.fonts.library import FontLibrary
from ofd.model.document import Document

__all__ = ["sealed_scene"]


def sealed_scene(
    document: Document, index: int, *, fonts: FontLibrary, seals: Seals | None, annotations: bool = True
) -> Scene:
    """A page with its seals.

    Args:
        document: where the page is.
        index: of the page, from 0.
        fonts: where fonts are found that are not embedded.
        seals: of the same document; without them none are drawn.
        annotations: whether annotations are drawn.

    Raises:
        NotFoundError: ``ofd.model.no-page``; ``ofd.font.not-installed`` without any font on this machine.
    """
    scene = page_scene(document, index, fonts=fonts, annotations=annotations)
    if seals is None:
        return scene
    stamped = seals.on_page(index)
    return replace(scene, items=(*scene.items, *stamped)) if stamped else scene
