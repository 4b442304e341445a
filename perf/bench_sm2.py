"""SM2 operations per second: our own arithmetic beside libcrypto's, in C and as the product calls it."""

import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cffi import FFI
from harness import Contender, Result, measure

from hsm.softgm.build import arithmetic_sources
from trustcore.crypto import sm2
from trustcore.native import compile_once

LOOPS = Path(__file__).resolve().with_name("sm2_loops.c")
TOGETHER = 100


def measure_all(*, short: bool) -> Result:
    """Compile the loops into a temporary folder and measure them beside the functions of Python."""
    with tempfile.TemporaryDirectory(prefix="xinyin-perf-") as folder:
        cache_dir = Path(folder)
        library = _loops(cache_dir)
        contenders = [contender for name in ("sign", "verify", "decrypt_point") for contender in _pair(library, name)]
        contenders += _in_python(cache_dir)
        if short:
            return measure("sm2", contenders, rounds=3, turn_seconds=0.2)
        return measure("sm2", contenders, rounds=9, turn_seconds=1.0)


def _loops(cache_dir: Path) -> Any:  # noqa: ANN401 - cffi's library objects have no static type
    ffi = FFI()
    ffi.cdef("""
    int loops_prepare(const unsigned char *d);
    int loops_sign(const char *engine, int count);
    int loops_verify(const char *engine, int count);
    int loops_decrypt_point(const char *engine, int count);
    """)
    sources = arithmetic_sources() | {"loops.c": LOOPS.read_bytes()}
    library: Any = ffi.dlopen(str(compile_once(cache_dir, "loops", sources, libraries=("-lcrypto",))))
    private, _ = sm2.generate()
    if not library.loops_prepare(private):
        raise SystemExit("the arithmetic does not start")
    return library


def _pair(library: Any, name: str) -> tuple[Contender, Contender]:  # noqa: ANN401 - see _loops
    """The same loop over both arithmetics."""
    loop = getattr(library, f"loops_{name}")
    what = {"sign": "sign", "verify": "verify, key unprepared", "decrypt_point": "secret multiple of a point"}[name]

    def run(engine: bytes) -> Callable[[int], None]:
        def turn(count: int) -> None:
            if not loop(engine, count):
                raise SystemExit(f"{what} failed")

        return turn

    theirs = f"{what}: libcrypto"
    return (
        Contender(name=f"{what}: own", run=run(b"native"), peer=theirs),
        Contender(name=theirs, run=run(b"libcrypto")),
    )


def _in_python(cache_dir: Path) -> list[Contender]:
    """What the product calls: one signature, and a hundred in one call, by a handful of keys."""
    items = [_signed() for _ in range(8)] * (TOGETHER // 8 + 1)

    def one(count: int) -> None:
        _demand(all(sm2.verify_digest(*items[i % TOGETHER]) for i in range(count)))

    def many(count: int) -> None:
        for start in range(0, count, TOGETHER):
            _demand(all(sm2.verify_digests(items[: min(TOGETHER, count - start)])))

    def native(run: Callable[[int], None]) -> Callable[[int], None]:
        def turn(count: int) -> None:
            sm2.use_native(cache_dir)
            run(count)
            sm2.use_libcrypto()

        return turn

    theirs = "Python verify_digest: libcrypto"
    return [
        Contender(name="Python verify_digest: own", run=native(one), peer=theirs),
        Contender(name="Python verify_digests, 100: own", run=native(many), peer=theirs),
        Contender(name=theirs, run=one),
    ]


def _signed() -> sm2.Signed:
    private, point = sm2.generate()
    e = secrets.token_bytes(32)
    return sm2.Signed(point, e, sm2.sign_digest(private, e))


def _demand(right: bool) -> None:
    if not right:
        raise SystemExit("a signature did not verify")
