"""Colours by the ICC profile of their colour space (``ColorSpace@Profile``, GB/T 33190-2016 §8.3.1)."""

from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO
from typing import cast

from PIL import Image, ImageCms

__all__ = ["by_profile"]

_MODES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}
_LARGEST = 4 << 20
_MOST = 255


def by_profile(profile: bytes, kind: str, parts: Sequence[float]) -> tuple[float, float, float] | None:
    """A colour in sRGB, components 0 to 1; nothing when the profile cannot be used.

    Args:
        profile: the octets of the ICC profile.
        kind: GRAY, RGB or CMYK.
        parts: its components, 0 to 1.
    """
    mode = _MODES.get(kind)
    if mode is None or len(profile) > _LARGEST:
        return None
    return _convert(profile, mode, tuple(round(part * _MOST) for part in parts))


@lru_cache(maxsize=4096)
def _convert(profile: bytes, mode: str, parts: tuple[int, ...]) -> tuple[float, float, float] | None:
    transform = _transform(profile, mode)
    if transform is None:
        return None
    pixel = Image.new(mode, (1, 1), parts if len(parts) > 1 else parts[0])
    converted = ImageCms.applyTransform(pixel, transform)
    if converted is None:
        return None
    red, green, blue = cast("tuple[int, int, int]", converted.getpixel((0, 0)))
    return red / _MOST, green / _MOST, blue / _MOST


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
