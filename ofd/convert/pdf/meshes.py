"""Mesh shadings (ISO 32000-2 §8.7.4.5.5 to §8.7.4.5.8) as triangles."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import pikepdf

from ofd.convert.pdf.streams import Limits, number, numbers, read_stream
from ofd.geometry import Point

__all__ = ["Vertex", "lattice_mesh", "patch_mesh", "triangle_mesh"]

_MOST_TRIANGLES = 24_000
_PATCH_STEPS = 6


class Vertex(NamedTuple):
    """A corner with its colour values."""

    point: Point
    values: tuple[float, ...]


_Triangle = tuple[Vertex, Vertex, Vertex]


class _Bits:
    """The numbers in a mesh's stream."""

    def __init__(self, source: pikepdf.Object, components: int, limits: Limits) -> None:
        self.data = read_stream(source, limits)
        self.place = 0
        self.end = len(self.data) * 8
        self.flag_bits = int(number(source.get("/BitsPerFlag")))
        self.point_bits = int(number(source.get("/BitsPerCoordinate")))
        self.color_bits = int(number(source.get("/BitsPerComponent")))
        decode = numbers(source.get("/Decode")) or ()
        self.ranges = list(zip(decode[::2], decode[1::2], strict=False))
        self.components = components
        fits = 0 < self.point_bits <= 32 and 0 < self.color_bits <= 16 and 0 <= self.flag_bits <= 8
        if not fits or len(self.ranges) < 2 + components:
            self.end = 0

    def has(self, bits: int) -> bool:
        return self.place + bits <= self.end

    def take(self, bits: int) -> int:
        first, last = self.place, self.place + bits
        self.place = last
        chunk = int.from_bytes(self.data[first >> 3 : (last + 7) >> 3])
        return (chunk >> (-last % 8)) & ((1 << bits) - 1)

    def scaled(self, bits: int, index: int) -> float:
        low, high = self.ranges[index]
        return low + self.take(bits) / ((1 << bits) - 1) * (high - low)

    def point(self) -> Point:
        return Point(self.scaled(self.point_bits, 0), self.scaled(self.point_bits, 1))

    def values(self) -> tuple[float, ...]:
        return tuple(self.scaled(self.color_bits, 2 + index) for index in range(self.components))

    def align(self) -> None:
        self.place = (self.place + 7) & ~7

    @property
    def vertex_bits(self) -> int:
        return 2 * self.point_bits + self.components * self.color_bits


def triangle_mesh(source: pikepdf.Object, components: int, limits: Limits) -> list[_Triangle]:
    """Type 4: free-form triangles."""
    bits = _Bits(source, components, limits)
    result: list[_Triangle] = []
    corners: list[Vertex] = []
    while bits.has(bits.flag_bits + bits.vertex_bits) and len(result) < _MOST_TRIANGLES:
        flag = bits.take(bits.flag_bits) & 3
        vertex = Vertex(bits.point(), bits.values())
        bits.align()
        if len(corners) < 3:
            corners.append(vertex)
        elif flag == 0:
            corners = [vertex]
        elif flag == 1:
            corners = [corners[1], corners[2], vertex]
        else:
            corners = [corners[0], corners[2], vertex]
        if len(corners) == 3:
            result.append((corners[0], corners[1], corners[2]))
    return result


def lattice_mesh(source: pikepdf.Object, components: int, limits: Limits) -> list[_Triangle]:
    """Type 5: rows of vertices."""
    bits = _Bits(source, components, limits)
    width = int(number(source.get("/VerticesPerRow")))
    if width < 2:
        return []
    result: list[_Triangle] = []
    above: list[Vertex] = []
    while bits.has(width * bits.vertex_bits) and len(result) < _MOST_TRIANGLES:
        row = []
        for _ in range(width):
            row.append(Vertex(bits.point(), bits.values()))
            bits.align()
        result.extend(_strip(above, row))
        above = row
    return result


def _strip(above: Sequence[Vertex], below: Sequence[Vertex]) -> Iterator[_Triangle]:
    for index in range(len(above) - 1):
        yield above[index], above[index + 1], below[index]
        yield above[index + 1], below[index + 1], below[index]


def patch_mesh(source: pikepdf.Object, components: int, limits: Limits, *, tensor: bool) -> list[_Triangle]:
    """Types 6 and 7: Coons and tensor-product patches, cut into even pieces."""
    bits = _Bits(source, components, limits)
    result: list[_Triangle] = []
    inner = 4 if tensor else 0
    points: list[Point] = []
    colors: list[tuple[float, ...]] = []
    while bits.has(bits.flag_bits) and len(result) < _MOST_TRIANGLES:
        flag = bits.take(bits.flag_bits) & 3
        if flag and not points:
            break
        kept = 0 if flag == 0 else 4
        wanted = 12 - kept + inner
        fresh_colors = 4 if flag == 0 else 2
        if not bits.has(wanted * 2 * bits.point_bits + fresh_colors * components * bits.color_bits):
            break
        if flag:
            start = 3 * flag
            edge = [points[(start + index) % 12] for index in range(4)]
            shared = [colors[flag], colors[(flag + 1) % 4]]
        else:
            edge, shared = [], []
        points = edge + [bits.point() for _ in range(wanted)]
        colors = shared + [bits.values() for _ in range(fresh_colors)]
        bits.align()
        result.extend(_patch(_control_net(points, tensor=tensor), colors))
    return result


_BORDER = ((0, 0), (0, 1), (0, 2), (0, 3), (1, 3), (2, 3), (3, 3), (3, 2), (3, 1), (3, 0), (2, 0), (1, 0))
_INNER = ((1, 1), (1, 2), (2, 2), (2, 1))


def _control_net(points: Sequence[Point], *, tensor: bool) -> dict[tuple[int, int], Point]:
    net = dict(zip(_BORDER, points, strict=False))
    if tensor:
        return net | dict(zip(_INNER, points[12:], strict=False))
    for i, j in _INNER:
        near_i, near_j = (0 if i == 1 else 3), (0 if j == 1 else 3)
        far_i, far_j = 3 - near_i, 3 - near_j

        def blend(
            axis: int, *, i: int = i, j: int = j, ni: int = near_i, nj: int = near_j, fi: int = far_i, fj: int = far_j
        ) -> float:
            return (
                -4 * net[ni, nj][axis]
                + 6 * (net[ni, j][axis] + net[i, nj][axis])
                - 2 * (net[ni, fj][axis] + net[fi, nj][axis])
                + 3 * (net[fi, j][axis] + net[i, fj][axis])
                - net[fi, fj][axis]
            ) / 9

        net[i, j] = Point(blend(0), blend(1))
    return net


def _bernstein(t: float) -> tuple[float, float, float, float]:
    s = 1 - t
    return (s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t)


def _patch(net: dict[tuple[int, int], Point], colors: Sequence[tuple[float, ...]]) -> Iterator[_Triangle]:
    weights = [_bernstein(step / _PATCH_STEPS) for step in range(_PATCH_STEPS + 1)]
    rows = []
    for iu, u in enumerate(weights):
        row = []
        for iv, v in enumerate(weights):
            x = sum(net[i, j].x * u[i] * v[j] for i in range(4) for j in range(4))
            y = sum(net[i, j].y * u[i] * v[j] for i in range(4) for j in range(4))
            a, b = iu / _PATCH_STEPS, iv / _PATCH_STEPS
            shares = ((1 - a) * (1 - b), (1 - a) * b, a * b, a * (1 - b))
            values = tuple(sum(s * c for s, c in zip(shares, each, strict=True)) for each in zip(*colors, strict=True))
            row.append(Vertex(Point(x, y), values))
        rows.append(row)
    for above, below in pairwise(rows):
        yield from _strip(above, below)
