"""Documents that are larger than the memory they are given."""

import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from ofd.package.lenient import LenientPackage
from ofd.package.reader import Package, PackageWriter
from trustcore.crypto.algorithms import DigestAlgorithm

from support.large_documents import KEYWORD, take

MEGABYTE = 1024 * 1024
LONG = 48 * MEGABYTE
ROOM = 5 * MEGABYTE


def noise() -> Iterator[bytes]:
    rng = random.Random(3)  # noqa: S311 - noise
    yield from (rng.randbytes(MEGABYTE) for _ in range(LONG // MEGABYTE))


def text() -> Iterator[bytes]:
    yield from (b"%08d" % number * (MEGABYTE // 8) for number in range(LONG // MEGABYTE))


def test_long_files_pass_through_a_few_pieces_of_memory(tmp_path: Path) -> None:
    """Written, read, hashed and copied with a change: never more than a tenth of one file is in memory."""
    first, second = tmp_path / "a.ofd", tmp_path / "b.ofd"
    tracemalloc.start()
    try:
        with PackageWriter(first) as writer:
            writer.add("OFD.xml", b"<OFD/>")
            writer.add("noise.bin", noise())
            writer.add("text.bin", text())
        with Package.open(first) as package:
            digest = package.digest("text.bin", DigestAlgorithm.SHA256)
            assert sum(map(len, package.chunks("noise.bin"))) == LONG
            package.write_to(second, {"OFD.xml": b"<OFD />", "more.bin": text()})
        with LenientPackage.open(second) as lenient:
            assert sum(map(len, lenient.chunks("text.bin"))) == LONG
        with Package.open(second) as package:
            assert package.digest("text.bin", DigestAlgorithm.SHA256) == digest
            assert package.digest("more.bin", DigestAlgorithm.SHA256) == digest
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < ROOM


def test_a_directory_of_many_files_is_small(tmp_path: Path) -> None:
    path = tmp_path / "a.ofd"
    with PackageWriter(path) as writer:
        for index in range(20_000):
            writer.add(f"Doc_0/Pages/Page_{index}/Content.xml", b"<Page/>")
    tracemalloc.start()
    try:
        with Package.open(path) as package:
            assert len(package.names) == 20_000
            assert package.read("Doc_0/Pages/Page_19999/Content.xml") == b"<Page/>"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30 * MEGABYTE


@pytest.mark.slow
def test_a_large_document_is_opened_searched_drawn_sealed_and_verified_in_bounded_memory(tmp_path: Path) -> None:
    """The same at full size, 1,000 pages and 500 MB, is ``perf/large_document.py``."""
    document, sealed = tmp_path / "a.ofd", tmp_path / "sealed.ofd"
    take("build", document, 200, 200 * MEGABYTE)
    assert document.stat().st_size > 180 * MEGABYTE
    steps = [
        take("look", document),
        take("find", document),
        take("render", document, 199),
        take("seal", document, sealed),
        take("verify", sealed),
        take("change", document, tmp_path / "changed.ofd"),
    ]
    answers = {step.step: step.answer for step in steps}
    assert answers["look"] == 200
    assert answers["find"] == [[199, KEYWORD]]
    assert answers["render"] == [794, 1123]
    assert answers["verify"] == ["valid", ["ofd.timestamp.absent"]]
    assert {step.step: step.peak_octets for step in steps if step.peak_octets > 100 * 1000**2} == {}
