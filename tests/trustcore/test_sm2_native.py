"""Our own SM2 arithmetic: its edges, and verification with it instead of libcrypto."""

import secrets
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from trustcore.asn1 import encoder
from trustcore.crypto import sm2
from trustcore.crypto.native.library import NativeSm2, RawSignature
from trustcore.crypto.sm2_signature import strictly_raw
from trustcore.errors import InternalError, MalformedError
from trustcore.native import package_sources

from support.sm2_codes import SM2_CODES

pytestmark = pytest.mark.xdist_group("sm2-native")

EDGES = Path(__file__).with_name("sm2_edges.c")
SANITIZERS = ("-O1", "-fno-inline", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def run_edges(folder: Path, cases: int, *options: str) -> str:
    """What the program of the edges prints, compiled with these options."""
    sources = package_sources("trustcore.crypto.native", "native/")
    for name, text in sources.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(text)
    units = [name for name in sources if name.endswith(".c")]
    flags = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror", *options, "-I."]
    subprocess.run(["gcc", *flags, "-o", "edges", EDGES, *units], check=True, cwd=folder)
    done = subprocess.run([folder / "edges", str(cases)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_edge_holds_without_a_wild_read_or_undefined_behaviour(tmp_path: Path) -> None:
    assert tuple(run_edges(tmp_path, 10, *SANITIZERS).split()) == SM2_CODES


@pytest.mark.slow
def test_the_codes_agree_on_random_cases(tmp_path: Path) -> None:
    assert tuple(run_edges(tmp_path, 10_000, "-O2").split()) == SM2_CODES


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("native")
    NativeSm2(folder)
    return folder


@pytest.fixture
def native(cache_dir: Path) -> Iterator[None]:
    """The product verifies with our own arithmetic during the test."""
    sm2.use_native(cache_dir)
    yield
    sm2.use_libcrypto()


def signed() -> sm2.Signed:
    private, point = sm2.generate()
    e = secrets.token_bytes(32)
    return sm2.Signed(point, e, sm2.sign_digest(private, e))


def raw(item: sm2.Signed) -> RawSignature:
    return RawSignature(item.public_point, item.e, sm2.signature_to_raw(item.signature_der))


@pytest.mark.parametrize("code", SM2_CODES)
def test_each_code_verifies_what_libcrypto_verifies(cache_dir: Path, tmp_path: Path, code: str) -> None:
    arithmetic = NativeSm2(shutil.copytree(cache_dir, tmp_path / code), code=code)
    good = [signed() for _ in range(8)]
    bad = [item._replace(e=secrets.token_bytes(32)) for item in good]

    assert arithmetic.code == code
    assert all(sm2.verify_digest(*item) for item in good)
    assert all(arithmetic.verify(raw(item)) for item in good)
    assert not any(arithmetic.verify(raw(item)) for item in bad)
    mixed = [item for pair in zip(good, bad, strict=True) for item in pair]
    assert arithmetic.verify_many([raw(item) for item in mixed]) == [True, False] * 8
    assert arithmetic.verify_many([]) == []


def test_a_code_that_there_is_not_does_not_start(cache_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(InternalError) as caught:
        NativeSm2(shutil.copytree(cache_dir, tmp_path / "fastest"), code="fastest")
    assert caught.value.code == "crypto.native.start"


def test_values_of_another_size_never_reach_the_c_code(cache_dir: Path) -> None:
    arithmetic = NativeSm2(cache_dir)
    item = raw(signed())

    for wrong in (item._replace(point=item.point[:-1]), item._replace(e=b""), item._replace(signature=bytes(63))):
        with pytest.raises(MalformedError):
            arithmetic.verify(wrong)
        with pytest.raises(MalformedError):
            arithmetic.verify_many([item, wrong])


def test_more_keys_than_are_remembered_verify_as_well(cache_dir: Path) -> None:
    arithmetic = NativeSm2(cache_dir)
    items = [raw(item) for item in [signed() for _ in range(3)]]
    fillers = [sm2.generate()[1] for _ in range(300)]

    assert all(arithmetic.verify_many(items))
    assert not any(arithmetic.verify_many([RawSignature(point, items[0].e, items[0].signature) for point in fillers]))
    assert all(arithmetic.verify_many(items))


def test_threads_verify_at_once(cache_dir: Path) -> None:
    arithmetic = NativeSm2(cache_dir)
    items = [raw(signed()) for _ in range(4)]
    answers: list[list[bool]] = []
    threads = [threading.Thread(target=lambda: answers.append(arithmetic.verify_many(items * 25))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [[True] * 100] * 4


@pytest.mark.usefixtures("native")
def test_the_same_answers_come_from_our_own_arithmetic() -> None:
    item = signed()
    off_curve = item.public_point[:-1] + bytes([item.public_point[-1] ^ 1])
    loose = b"\x30\x81" + item.signature_der[1:]

    assert sm2.engine_name().startswith("native (")
    assert sm2.verify_digest(*item)
    assert not sm2.verify_digest(item.public_point, secrets.token_bytes(32), item.signature_der)
    assert not sm2.verify_digest(item.public_point, item.e[:-1], item.signature_der)
    assert not sm2.verify_digest(item.public_point, item.e, loose)
    with pytest.raises(MalformedError, match="not a point"):
        sm2.verify_digest(off_curve, item.e, item.signature_der)


@pytest.mark.parametrize("engine", ["libcrypto", "native"])
def test_many_signatures_are_told_apart_in_one_call(engine: str, request: pytest.FixtureRequest) -> None:
    if engine == "native":
        request.getfixturevalue("native")
    good = [signed() for _ in range(3)]
    bad = [
        good[0]._replace(e=secrets.token_bytes(32)),
        good[1]._replace(public_point=good[0].public_point),
        good[2]._replace(signature_der=good[2].signature_der + b"\x00"),
        good[0]._replace(signature_der=b""),
        good[1]._replace(e=b""),
    ]
    items = [good[0], *bad[:2], good[1], *bad[2:], good[2]]

    assert sm2.verify_digests(items) == [True, False, False, True, False, False, False, True]
    assert sm2.verify_digests([]) == []


@pytest.mark.parametrize(
    "signature_der",
    [
        encoder.sequence(encoder.integer(1), encoder.integer(1)) + b"\x00",
        b"\x30\x07\x02\x02\x00\x01\x02\x01\x01",
        b"\x30\x06\x02\x01\x01\x02\x01\x81",
        b"\x30\x06\x02\x01\x01\x03\x01\x01",
        b"\x31\x06\x02\x01\x01\x02\x01\x01",
        b"\x30\x06\x02\x04\x01\x02\x01\x01",
        b"\x30\x06\x02\xff\x01\x02\x01\x01",
        b"\x30\x80\x02\x01\x01\x02\x01\x01\x00\x00",
        encoder.sequence(encoder.integer(sm2.ORDER), encoder.integer(1)),
        encoder.sequence(encoder.integer(0), encoder.integer(1)),
        encoder.sequence(encoder.integer(1 << 256), encoder.integer(1)),
        b"\x30\x02\x02\x01",
        bytes(72),
        bytes(4096),
    ],
)
def test_anything_but_the_one_der_form_is_no_signature(signature_der: bytes) -> None:
    assert strictly_raw(signature_der) is None


def test_the_one_der_form_is_read_whatever_the_lengths_of_the_numbers() -> None:
    for r in (1, 127, 128, 255, 256, 1 << 247, (1 << 255) - 1, 1 << 255, sm2.ORDER - 1):
        for s in (1, 1 << 200, sm2.ORDER - 1):
            signature_der = encoder.sequence(encoder.integer(r), encoder.integer(s))
            assert strictly_raw(signature_der) == sm2.signature_to_raw(signature_der)


def test_without_a_compiler_libcrypto_goes_on_and_the_error_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = signed()
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(InternalError) as caught:
        sm2.use_native(tmp_path / "cache")

    assert caught.value.code == "crypto.native.build"
    assert "no C compiler; install the Debian package gcc" in caught.value.detail
    assert sm2.engine_name() == "libcrypto"
    assert sm2.verify_digest(*item)
