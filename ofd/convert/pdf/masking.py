"""What lies under a soft mask (ISO 32000-2 §11.5): OFD has none for groups, so it becomes a picture."""

from hashlib import sha256
from io import BytesIO

import pikepdf

from ofd.convert.pdf.rendering import draw_by_pdfium, matrix_operator
from ofd.convert.pdf.state import State
from ofd.draw.scene import Image, ImageItem, Origin
from ofd.geometry import Box, Matrix

__all__ = ["masked_picture"]

_PIXELS_PER_MM = 200 / 25.4
_POINTS_PER_MM = 72 / 25.4


def masked_picture(
    content: bytes, resources: pikepdf.Dictionary, bounds: Box, state: State, origin: Origin
) -> ImageItem | None:
    """What operators paint under the soft mask of a state; None when PDFium cannot draw it.

    Args:
        content: operators in user space.
        resources: for them, a dictionary of its own.
        bounds: of what they paint, in user space.
        state: with the soft mask, the matrix, the clips and the opacity.
        origin: of the item.
    """
    mask = state.soft_mask
    if mask is None:
        return None
    shown = state.matrix.box(bounds)
    clip = state.clipping.box
    left, top = max(shown.x, clip.x), max(shown.y, clip.y)
    right, bottom = min(shown.right, clip.right), min(shown.bottom, clip.bottom)
    if right - left <= 0 or bottom - top <= 0:
        return None
    # The page of the picture is measured in points, with its origin at the lower left corner of the area.
    onto = Matrix(_POINTS_PER_MM, 0, 0, -_POINTS_PER_MM, -left * _POINTS_PER_MM, bottom * _POINTS_PER_MM)
    at_mask = mask.matrix.then(onto)
    inverse = at_mask.inverse()
    if inverse is None:
        return None
    parameters = pikepdf.Dictionary({"/SMask": mask.source, "/ca": state.fill_alpha, "/CA": state.stroke_alpha})
    resources["/ExtGState"] = pikepdf.Dictionary({"/SoftMask": parameters})
    operators = (
        matrix_operator(at_mask)
        + b"/SoftMask gs\n"
        + matrix_operator(inverse)
        + matrix_operator(state.matrix.then(onto))
        + content
    )
    area = Box(0, 0, (right - left) * _POINTS_PER_MM, (bottom - top) * _POINTS_PER_MM)
    picture = draw_by_pdfium(operators, resources, area, scale=_PIXELS_PER_MM / _POINTS_PER_MM)
    if picture is None:
        return None
    stream = BytesIO()
    picture.save(stream, "PNG")
    data = stream.getvalue()
    image = Image(name=f"pdf-masked-{sha256(data).hexdigest()[:24]}", data=data)
    return ImageItem(image=image, matrix=Matrix(right - left, 0, 0, bottom - top, left, top), origin=origin)
