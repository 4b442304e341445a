"""Functions of PDF (ISO 32000-2 §7.10): sampled, exponential, stitching, calculator."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise, product

import pikepdf

from ofd.convert.pdf.calculator import compile_calculator
from ofd.convert.pdf.streams import Limits, array, dictionary, number, numbers, read_stream

__all__ = ["Function", "read_function", "read_functions"]

Function = Callable[[Sequence[float]], tuple[float, ...]]
"""From inputs to outputs."""

_DEPTH = 8
_MOST_SAMPLES = 1 << 22
_MOST_INPUTS = 6


def read_functions(value: object, limits: Limits) -> Function | None:
    """One function, or an array of functions with one output each; None when it cannot be understood."""
    items = array(value)
    if items is None:
        return read_function(value, limits)
    parts = [read_function(item, limits) for item in items]
    found = [part for part in parts if part is not None]
    if not found or len(found) != len(parts):
        return None

    def joined(inputs: Sequence[float]) -> tuple[float, ...]:
        return tuple(output for part in found for output in part(inputs)[:1])

    return joined


def read_function(value: object, limits: Limits, depth: int = 0) -> Function | None:
    """A function; None when it cannot be understood."""
    source = dictionary(value)
    if source is None or depth > _DEPTH:
        return None
    domain = _pairs(source.get("/Domain"))
    if not domain:
        return None
    range_ = _pairs(source.get("/Range"))
    kind = int(number(source.get("/FunctionType"), -1))
    if kind == 0:
        inner = _sampled(source, domain, range_, limits)
    elif kind == 2:
        inner = _exponential(source)
    elif kind == 3:
        inner = _stitching(source, domain[0], limits, depth)
    elif kind == 4:
        inner = compile_calculator(read_stream(source, limits))
    else:
        return None
    return None if inner is None else _bounded(inner, domain, range_)


def _pairs(value: object) -> list[tuple[float, float]]:
    items = numbers(value) or ()
    return list(zip(items[::2], items[1::2], strict=False))


def _bounded(inner: Function, domain: list[tuple[float, float]], range_: list[tuple[float, float]]) -> Function:
    def call(inputs: Sequence[float]) -> tuple[float, ...]:
        given = [_clamp(value, low, high) for value, (low, high) in zip(inputs, domain, strict=False)]
        given += [low for low, _ in domain[len(given) :]]
        outputs = inner(given)
        if not range_:
            return outputs
        padded = (*outputs, *([0.0] * (len(range_) - len(outputs))))
        return tuple(_clamp(value, low, high) for value, (low, high) in zip(padded, range_, strict=False))

    return call


def _clamp(value: float, low: float, high: float) -> float:
    return low if value < low else min(value, high)


def _exponential(source: pikepdf.Object) -> Function:
    first = numbers(source.get("/C0")) or (0.0,)
    last = numbers(source.get("/C1")) or (1.0,)
    exponent = number(source.get("/N"), 1)

    def call(inputs: Sequence[float]) -> tuple[float, ...]:
        x = inputs[0]
        try:
            weight = x if exponent == 1 else float(abs(x) ** exponent)
        except (OverflowError, ZeroDivisionError):
            weight = 0.0
        return tuple(a + weight * (b - a) for a, b in zip(first, last, strict=False))

    return call


def _stitching(source: pikepdf.Object, domain: tuple[float, float], limits: Limits, depth: int) -> Function | None:
    parts = [read_function(item, limits, depth + 1) for item in array(source.get("/Functions")) or ()]
    found = [part for part in parts if part is not None]
    bounds = list(numbers(source.get("/Bounds")) or ())
    encode = _pairs(source.get("/Encode"))
    if not found or len(found) != len(parts) or len(bounds) != len(found) - 1 or len(encode) < len(found):
        return None
    edges = list(pairwise([domain[0], *bounds, domain[1]]))

    def call(inputs: Sequence[float]) -> tuple[float, ...]:
        x = inputs[0]
        index = sum(1 for bound in bounds if x >= bound)
        (low, high), (start, end) = edges[index], encode[index]
        share = 0.0 if high == low else (x - low) / (high - low)
        return found[index]([start + share * (end - start)])

    return call


def _sampled(
    source: pikepdf.Object, domain: list[tuple[float, float]], range_: list[tuple[float, float]], limits: Limits
) -> Function | None:
    sizes = [int(item) for item in numbers(source.get("/Size")) or ()]
    bits = int(number(source.get("/BitsPerSample")))
    outputs = len(range_)
    usable = len(sizes) == len(domain) <= _MOST_INPUTS and min(sizes, default=0) > 0 and outputs
    if not usable or bits not in {1, 2, 4, 8, 12, 16, 24, 32} or math.prod(sizes) * outputs > _MOST_SAMPLES:
        return None
    encode = _pairs(source.get("/Encode")) or [(0.0, size - 1.0) for size in sizes]
    decode = _pairs(source.get("/Decode")) or range_
    if len(encode) < len(sizes) or len(decode) < outputs:
        return None
    data = read_stream(source, limits)
    steps = [outputs * math.prod(sizes[:axis]) for axis in range(len(sizes))]
    top = (1 << bits) - 1

    def sample(index: int) -> float:
        first = index * bits
        end = first + bits
        chunk = int.from_bytes(data[first >> 3 : (end + 7) >> 3])
        return float((chunk >> (-end % 8)) & top)

    def call(inputs: Sequence[float]) -> tuple[float, ...]:
        corners: list[tuple[tuple[int, float], ...]] = []
        for x, (low, high), (start, end), size in zip(inputs, domain, encode, sizes, strict=True):
            share = 0.0 if high == low else (x - low) / (high - low)
            place = _clamp(start + share * (end - start), 0, size - 1)
            cell = min(int(place), max(size - 2, 0))
            rest = place - cell
            corners.append(((cell, 1 - rest), (min(cell + 1, size - 1), rest)))
        result = [0.0] * outputs
        for corner in product(*corners):
            weight = math.prod(share for _, share in corner)
            if weight:
                base = sum(cell * step for (cell, _), step in zip(corner, steps, strict=True))
                for output in range(outputs):
                    result[output] += weight * sample(base + output)
        return tuple(low + value / top * (high - low) for value, (low, high) in zip(result, decode, strict=False))

    return call
