"""The arithmetic modulo p and n against Python's integers, at the values where words carry and reductions turn."""

import random
import subprocess
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest

from trustcore.native import package_sources

from support.sm2_codes import SM2_CODES

PRIME = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
R = 1 << 256
R_MOD_P_INVERSE = pow(R, -1, PRIME)
R_MOD_N_INVERSE = pow(R, -1, ORDER)
WORDS = [
    0,
    1,
    2,
    0xFFFFFFFF,
    1 << 32,
    (1 << 32) + 1,
    (1 << 63) - 1,
    1 << 63,
    (1 << 64) - (1 << 32),
    (1 << 64) - 2,
    (1 << 64) - 1,
]
OPERATIONS: dict[str, tuple[int, Callable[[int, int], int]]] = {
    "add": (PRIME, lambda a, b: (a + b) % PRIME),
    "subtract": (PRIME, lambda a, b: (a - b) % PRIME),
    "multiply": (PRIME, lambda a, b: a * b * R_MOD_P_INVERSE % PRIME),
    "square": (PRIME, lambda a, _: a * a * R_MOD_P_INVERSE % PRIME),
    "negate": (PRIME, lambda a, _: -a % PRIME),
    "keep": (PRIME, lambda a, _: a),
    "invert": (PRIME, lambda a, _: pow(a, PRIME - 2, PRIME) * R * R % PRIME),
    "order-add": (ORDER, lambda a, b: (a + b) % ORDER),
    "order-subtract": (ORDER, lambda a, b: (a - b) % ORDER),
    "order-multiply": (ORDER, lambda a, b: a * b * R_MOD_N_INVERSE % ORDER),
    "order-invert": (ORDER, lambda a, _: pow(a, ORDER - 2, ORDER) * R * R % ORDER),
    "order-reduce": (R, lambda a, _: a % ORDER),
    "order-holds": (R, lambda a, _: int(0 < a < ORDER)),
}


def numbers(below: int, generator: random.Random) -> list[int]:
    """Those next to 0, to the modulus and to powers of two, all patterns of four telling words, and random ones."""
    near = [d for i in range(4) for d in (i, below - 1 - i, PRIME - 2 + i, ORDER - 2 + i, below // 2 + i)]
    powers = [(1 << bit) + d for bit in range(0, 257, 16) for d in (-1, 0, 1)]
    patterns = [sum(w << 64 * i for i, w in enumerate(words)) for words in product(WORDS, repeat=4)]
    chosen = near + powers + generator.sample(patterns, 300) + [generator.randrange(below) for _ in range(100)]
    return sorted({number for number in chosen if 0 <= number < below})


def cases() -> Iterator[tuple[str, int, int]]:
    generator = random.Random(20261122)  # noqa: S311 - the same cases every time
    for operation, (below, _) in OPERATIONS.items():
        values = numbers(below, generator)
        few = [below - 1, 0, *generator.sample(values, 20)] if not operation.endswith("invert") else [0]
        subset = values if not operation.endswith("invert") else generator.sample(values, 100)
        yield from ((operation, a, b) for a in subset for b in (a, *few))


@pytest.mark.parametrize("code", SM2_CODES)
def test_numbers_come_out_as_pythons(tmp_path: Path, code: str) -> None:
    for name, text in package_sources("trustcore.crypto.native", "native/").items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(text)
    options = ["-std=c11", "-O1", "-Wno-unused-function", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    source = Path(__file__).with_name("sm2_numbers.c")
    command = ["gcc", *options, f"-DNUMBERS_X86_64={int(code != 'portable')}", "-I.", "-o", "numbers", source]
    subprocess.run(command, check=True, cwd=tmp_path)
    asked = list(cases())
    lines = "".join(f"{operation} {a:064x} {b:064x}\n" for operation, a, b in asked)

    done = subprocess.run([tmp_path / "numbers"], input=lines, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    answers = [int(line, 16) for line in done.stdout.split()]
    assert len(answers) == len(asked) > 50_000
    wrong = [case for case, answer in zip(asked, answers, strict=True) if OPERATIONS[case[0]][1](*case[1:]) != answer]
    assert not wrong, wrong[:3]
