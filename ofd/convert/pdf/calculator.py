"""PostScript calculator functions (ISO 32000-2 §7.10.5): no loops, so each run ends."""

import math
import re
from collections.abc import Callable, Sequence

__all__ = ["compile_calculator"]

_TOKEN = re.compile(rb"[{}]|[^\s{}]+")
_MOST_TOKENS = 20_000
_MOST_STACK = 200
_DEPTH = 32

_Program = list["float | str | _Program"]
_Stack = list[float]


def compile_calculator(source: bytes) -> Callable[[Sequence[float]], tuple[float, ...]] | None:
    """The function that a program computes; None when it is not a program."""
    tokens = [token.decode("latin-1") for token in _TOKEN.findall(source)]
    if not tokens or tokens[0] != "{" or len(tokens) > _MOST_TOKENS:
        return None
    try:
        program, _ = _parse(tokens, 1, 0)
    except (IndexError, ValueError):
        return None

    def call(inputs: Sequence[float]) -> tuple[float, ...]:
        stack: _Stack = list(inputs)
        try:
            _run(program, stack)
        except (IndexError, ValueError, ZeroDivisionError, OverflowError, TypeError):
            return ()
        return tuple(float(value) for value in stack)

    return call


def _parse(tokens: list[str], place: int, depth: int) -> tuple[_Program, int]:
    if depth > _DEPTH:
        raise ValueError
    program: _Program = []
    while (token := tokens[place]) != "}":
        if token == "{":
            block, place = _parse(tokens, place + 1, depth + 1)
            program.append(block)
        else:
            try:
                program.append(float(token))
            except ValueError:
                program.append(token)
        place += 1
    return program, place


def _run(program: _Program, stack: _Stack) -> None:
    blocks: list[_Program] = []
    for item in program:
        if isinstance(item, float):
            stack.append(item)
        elif isinstance(item, list):
            blocks.append(item)
        elif item == "if":
            block = blocks.pop()
            if stack.pop():
                _run(block, stack)
        elif item == "ifelse":
            other, block = blocks.pop(), blocks.pop()
            _run(block if stack.pop() else other, stack)
        elif item in _ONE:
            stack.append(float(_ONE[item](stack.pop())))
        elif item in _TWO:
            second, first = stack.pop(), stack.pop()
            stack.append(float(_TWO[item](first, second)))
        else:
            _move(item, stack)
        if len(stack) > _MOST_STACK:
            raise ValueError


def _move(operator: str, stack: _Stack) -> None:
    if operator == "pop":
        stack.pop()
    elif operator == "exch":
        stack[-1], stack[-2] = stack[-2], stack[-1]
    elif operator == "dup":
        stack.append(stack[-1])
    elif operator == "copy":
        count = int(stack.pop())
        if count > 0:
            stack.extend(stack[-count:])
    elif operator == "index":
        stack.append(stack[-1 - int(stack.pop())])
    elif operator == "roll":
        turns, count = int(stack.pop()), int(stack.pop())
        if count > 0:
            part = stack[-count:]
            turns %= count
            stack[-count:] = part[-turns:] + part[:-turns] if turns else part
    elif operator in {"true", "false"}:
        stack.append(float(operator == "true"))
    else:
        raise ValueError


def _shift(value: float, count: float) -> float:
    places = max(-31, min(31, int(count)))
    return float(int(value) << places if places >= 0 else int(value) >> -places)


_ONE: dict[str, Callable[[float], float]] = {
    "abs": abs,
    "neg": lambda x: -x,
    "ceiling": math.ceil,
    "floor": math.floor,
    "round": lambda x: math.floor(x + 0.5),
    "truncate": math.trunc,
    "sqrt": math.sqrt,
    "sin": lambda x: math.sin(math.radians(x)),
    "cos": lambda x: math.cos(math.radians(x)),
    "ln": math.log,
    "log": math.log10,
    "cvi": math.trunc,
    "cvr": float,
    "not": lambda x: float(not x) if x in {0, 1} else ~int(x),
}
_TWO: dict[str, Callable[[float, float], float]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "idiv": lambda a, b: math.trunc(a / b),
    "mod": math.fmod,
    "exp": lambda a, b: a**b,
    "atan": lambda a, b: math.degrees(math.atan2(a, b)) % 360,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "and": lambda a, b: int(a) & int(b),
    "or": lambda a, b: int(a) | int(b),
    "xor": lambda a, b: int(a) ^ int(b),
    "bitshift": _shift,
}
