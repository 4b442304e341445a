"""Pages as points: where two differ, and a picture that shows it."""

import io
from collections.abc import Iterator

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from ofd.draw.png import to_picture
from ofd.draw.scene import Scene
from ofd.geometry import Box
from trustcore.errors import RejectedError

__all__ = ["difference", "difference_picture", "drawn", "regions"]

_MM_PER_INCH = 25.4
_TILE_MM = 2.0
"""Side of the squares by which changed points are put together."""
_REACH = 1
"""Squares between two changed ones that still belong together."""
_FRAME = (214, 39, 40)
_MOST_REGIONS = 200
_MOST_PIXELS = 40_000_000
"""Of pictures that are compared: A0 at 150 dots per inch has 35 million."""
_FADED = 0.35
"""How dark what did not change is shown."""


def drawn(scene: Scene, *areas: Box, dpi: float) -> Image.Image:
    """A page on paper that is large enough for all areas, their top left corners put together.

    Raises:
        RejectedError: ``ofd.draw.too-large``, the picture would have too many pixels.
    """
    width, height = (
        round(max(sizes) * dpi / _MM_PER_INCH) for sizes in zip(*(area[2:] for area in areas), strict=True)
    )
    if width * height > _MOST_PIXELS:
        raise RejectedError("The picture would have too many pixels.", code="ofd.draw.too-large")
    paper = Image.new("RGB", (max(width, 1), max(height, 1)), "white")
    paper.paste(to_picture(scene, dpi=dpi).convert("RGB"), (0, 0))
    return paper


def difference(before: Image.Image, after: Image.Image) -> Image.Image:
    """By how much points differ, edges that moved by less than a point left out.

    A point counts as far as it is darker or lighter than everything around the same place of the other picture:
    painters put edges on points in different ways.
    """
    return ImageChops.lighter(_beyond(before, after), _beyond(after, before))


def _beyond(picture: Image.Image, other: Image.Image) -> Image.Image:
    darkest, lightest = other.filter(ImageFilter.MinFilter(3)), other.filter(ImageFilter.MaxFilter(3))
    return ImageChops.lighter(ImageChops.subtract(darkest, picture), ImageChops.subtract(picture, lightest))


def regions(difference: Image.Image, *areas: Box, dpi: float, tolerance: int) -> tuple[Box, ...]:
    """Where points differ by more than ``tolerance`` of 255, in millimetres of the first area's page space."""
    largest = difference.getchannel(0)
    for channel in range(1, len(difference.getbands())):
        largest = ImageChops.lighter(largest, difference.getchannel(channel))
    marked = largest.point([255 if value > tolerance else 0 for value in range(256)])
    bounds = marked.getbbox()
    if bounds is None:
        return ()
    tile = max(round(_TILE_MM * dpi / _MM_PER_INCH), 1)
    columns, rows = -(-marked.width // tile), -(-marked.height // tile)
    padded = Image.new("L", (columns * tile, rows * tile))
    padded.paste(marked, (0, 0))
    tiles = padded.reduce(tile) if tile > 1 else padded
    # A mean above 0 rounds to 0 where one point of many differs: count those too.
    left, top = bounds[:2]
    points = _points(marked.crop(bounds)) if _sparse(marked) else ()
    exact = {((x + left) // tile, (y + top) // tile) for x, y in points}
    changed = exact | {(i % columns, i // columns) for i, value in enumerate(tiles.tobytes()) if value}
    side = tile * _MM_PER_INCH / dpi
    area = areas[0]
    found = [
        Box(area.x + x0 * side, area.y + y0 * side, (x1 - x0 + 1) * side, (y1 - y0 + 1) * side)
        for x0, y0, x1, y1 in _groups(changed)
    ]
    return tuple(sorted(found, key=lambda box: (box.y, box.x)))[:_MOST_REGIONS]


def difference_picture(old: Scene | None, new: Scene | None, boxes: tuple[Box, ...] = (), *, dpi: float = 150) -> bytes:
    """PNG of a page: ink that is gone in red, new ink in blue, what stayed faded, changed regions framed.

    Args:
        old: the page before; ``None`` when it was added.
        new: the page now; ``None`` when it was removed.
        boxes: what to frame, in millimetres of the page.
        dpi: dots for an inch.

    Raises:
        RejectedError: ``ofd.draw.too-large``.
        ValueError: neither page was given.
    """
    areas = [scene.area for scene in (old, new) if scene is not None]
    if not areas:
        message = "a picture needs a page"
        raise ValueError(message)
    size = drawn(old or new, *areas, dpi=dpi).size  # type: ignore[arg-type] # one of them is a page
    before = _gray(old, areas, size, dpi)
    after = _gray(new, areas, size, dpi)
    stayed = ImageChops.lighter(before, after)
    base = stayed.point([255 - round((255 - value) * _FADED) for value in range(256)])
    gone = ImageChops.subtract(after, before)
    added = ImageChops.subtract(before, after)
    red = ImageChops.subtract(base, added)
    green = ImageChops.subtract(ImageChops.subtract(base, gone), added.point([value // 2 for value in range(256)]))
    blue = ImageChops.subtract(base, gone)
    picture = Image.merge("RGB", (red, green, blue))
    pen = ImageDraw.Draw(picture)
    scale = dpi / _MM_PER_INCH
    for box in boxes:
        x, y = (box.x - areas[0].x) * scale, (box.y - areas[0].y) * scale
        pen.rectangle((x - 2, y - 2, x + box.width * scale + 2, y + box.height * scale + 2), outline=_FRAME, width=2)
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _gray(scene: Scene | None, areas: list[Box], size: tuple[int, int], dpi: float) -> Image.Image:
    if scene is None:
        return Image.new("L", size, 255)
    return ImageOps.grayscale(drawn(scene, *areas, dpi=dpi))


def _sparse(marked: Image.Image) -> bool:
    return sum(marked.histogram()[1:]) < 10_000


def _points(marked: Image.Image) -> Iterator[tuple[int, int]]:
    width = marked.width
    return ((index % width, index // width) for index, value in enumerate(marked.tobytes()) if value)


def _groups(tiles: set[tuple[int, int]]) -> Iterator[tuple[int, int, int, int]]:
    """The boxes around tiles that lie near one another: left, top, right and bottom column and row."""
    left = set(tiles)
    while left:
        waiting = [left.pop()]
        xs, ys = set[int](), set[int]()
        while waiting:
            x, y = waiting.pop()
            xs.add(x)
            ys.add(y)
            near = {
                (i, j)
                for i in range(x - _REACH - 1, x + _REACH + 2)
                for j in range(y - _REACH - 1, y + _REACH + 2)
                if (i, j) in left
            }
            left -= near
            waiting.extend(near)
        yield min(xs), min(ys), max(xs), max(ys)
