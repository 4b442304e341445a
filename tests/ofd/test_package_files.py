"""Packages in files: read piece by piece, written beside and put in the place of the old file."""

import hashlib
import io
import os
import random
import signal
import stat
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ofd.package.reader import WILD, Limits, Package, PackageWriter, write_package
from ofd.package.source import CHUNK_BYTES
from trustcore.crypto.algorithms import DigestAlgorithm
from trustcore.errors import ConflictError, MalformedError, NotFoundError, RejectedError

FILES = {"OFD.xml": b"<OFD/>" * 40, "Doc_0/Document.xml": b"<Document/>", "Doc_0/Res/\u56fe.png": bytes(range(256))}
LONG = random.Random(1).randbytes(3 * CHUNK_BYTES // 2) + bytes(2 * CHUNK_BYTES)  # noqa: S311 - any octets


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.ofd"
    path.write_bytes(write_package(FILES | {"Doc_0/long.bin": LONG}))
    return path


def parts_beside(path: Path) -> list[str]:
    return [item.name for item in path.parent.iterdir() if item.name.endswith(".part")]


def test_a_package_in_a_file_is_the_same_as_in_memory(file: Path) -> None:
    with Package.open(file) as package:
        memory = Package(file.read_bytes())
        assert package.names == memory.names
        for name in package:
            assert package.read(name) == memory.read(name) == b"".join(package.chunks(name))
            assert package.size(name) == len(memory.read(name))
        assert package.to_bytes() == file.read_bytes()


@pytest.mark.parametrize("algorithm", [DigestAlgorithm.SM3, DigestAlgorithm.SHA256])
def test_long_files_are_hashed_piece_by_piece(tmp_path: Path, algorithm: DigestAlgorithm) -> None:
    content = random.Random(2).randbytes(1000) * 2000  # noqa: S311 - any octets
    path = tmp_path / "long.ofd"
    path.write_bytes(write_package({"a.bin": content}))
    with Package.open(path) as package:
        assert package.digest("a.bin", algorithm) == hashlib.new(algorithm, content).digest()
        assert max(map(len, package.chunks("a.bin"))) <= CHUNK_BYTES


def test_a_closed_package_is_not_read(file: Path) -> None:
    package = Package.open(file)
    package.close()
    package.close()
    with pytest.raises(ValueError, match="closed"):
        package.read("OFD.xml")


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Package.open(tmp_path / "none.ofd")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null"), tmp_path):
        with pytest.raises((MalformedError, IsADirectoryError)):
            Package.open(path)


def test_changes_are_written_and_the_rest_is_copied(file: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    target = tmp_path / "b.ofd"
    changes = {"OFD.xml": b"<new/>", "Doc_0/added.xml": b"<added/>"}
    with Package.open(file) as package:
        package.write_to(target, changes, progress=lambda done, total: told.append((done, total)))
        assert target.read_bytes() == package.with_files(changes)
    assert told[0][0] == 0
    assert told[-1][0] == told[-1][1] > 0
    assert sorted(told) == told
    with Package.open(target) as written:
        assert written.read("OFD.xml") == b"<new/>"
        assert written.read("Doc_0/long.bin") == LONG
    assert parts_beside(target) == []


def test_the_file_that_is_read_can_be_replaced(file: Path) -> None:
    file.chmod(0o640)
    with Package.open(file) as package:
        package.write_to(file, {"Doc_0/added.xml": b"<added/>"}, removed=["OFD.xml"])
        assert package.read("OFD.xml") == FILES["OFD.xml"]
    with Package.open(file) as package:
        assert package.names == ("Doc_0/Document.xml", "Doc_0/Res/图.png", "Doc_0/long.bin", "Doc_0/added.xml")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_link_to_the_file_stays_a_link(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.ofd"
    link.symlink_to(file)
    with Package.open(link) as package:
        package.write_to(link, {"OFD.xml": b"<new/>"})
    assert link.is_symlink()
    assert Package(file.read_bytes()).read("OFD.xml") == b"<new/>"


def test_long_contents_come_in_pieces(tmp_path: Path) -> None:
    def pieces(size: int) -> Iterator[bytes]:
        for start in range(0, len(LONG), size):
            yield LONG[start : start + size]

    written = []
    for size in (1000, CHUNK_BYTES, 999_983):
        path = tmp_path / f"{size}.ofd"
        with PackageWriter(path) as writer:
            writer.add("a.bin", pieces(size))
            writer.add("empty.bin", iter(()))
            writer.add("a.png", pieces(size))
        written.append(path.read_bytes())
    assert len(set(written)) == 1
    package = Package(written[0])
    assert {name: package.read(name) for name in package} == {"a.bin": LONG, "empty.bin": b"", "a.png": LONG}
    with zipfile.ZipFile(io.BytesIO(written[0])) as archive:
        assert archive.testzip() is None
        assert archive.getinfo("a.png").compress_type == zipfile.ZIP_STORED


def test_an_error_leaves_the_old_file(file: Path) -> None:
    before = file.read_bytes()

    def broken() -> Iterator[bytes]:
        yield b"1"
        raise RuntimeError

    with Package.open(file) as package, pytest.raises(RuntimeError):
        package.write_to(file, {"Doc_0/added.bin": broken()})
    with Package.open(file) as package, pytest.raises(MalformedError):
        package.write_to(file, {"Doc_0/Document.XML": b""})
    with Package.open(file) as package, pytest.raises(NotFoundError):
        package.write_to(file, removed=["none"])
    assert file.read_bytes() == before
    assert parts_beside(file) == []


def test_an_entry_given_up_half_way_gives_no_package(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"1"
        raise RuntimeError

    writer = PackageWriter(tmp_path / "a.ofd")
    with pytest.raises(ConflictError) as caught, writer:
        with pytest.raises(RuntimeError):
            writer.add("a.bin", broken())
        writer.add("b.bin", b"2")
    assert caught.value.code == "ofd.package.unfinished"
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file(file: Path) -> None:
    before = file.read_bytes()
    script = """
import resource, sys
from ofd.package.reader import Package
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
try:
    Package.open(sys.argv[1]).write_to(sys.argv[1], {"a.png": bytes(2_000_000), "b.png": bytes(2_000_000)})
except OSError as error:
    print(error.strerror)
"""
    command = [sys.executable, "-W", "ignore", "-c", script, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert done.stdout == "File too large\n"
    assert file.read_bytes() == before
    assert parts_beside(file) == []


def test_a_killed_writer_leaves_the_old_file(file: Path) -> None:
    before = file.read_bytes()
    script = """
import sys, time
from ofd.package.reader import Package
def slow():
    yield b"1" * 2_000_000
    print("writing", flush=True)
    time.sleep(60)
Package.open(sys.argv[1]).write_to(sys.argv[1], {"OFD.xml": slow()})
"""
    command = [sys.executable, "-W", "ignore", "-c", script, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"writing\n"
        child.send_signal(signal.SIGKILL)
    assert file.read_bytes() == before


def test_a_file_that_somebody_writes_to_is_not_copied(file: Path, tmp_path: Path) -> None:
    with Package.open(file) as package:
        with file.open("ab") as other:
            other.write(b"\0")
        with pytest.raises(ConflictError) as caught:
            package.write_to(tmp_path / "b.ofd")
    assert caught.value.code == "ofd.package.changed"
    assert not (tmp_path / "b.ofd").exists()


def test_a_file_cut_short_while_it_is_read_is_noticed(file: Path) -> None:
    with Package.open(file) as package:
        os.truncate(file, 100)
        with pytest.raises(MalformedError) as caught:
            package.read("Doc_0/long.bin")
        assert caught.value.code == "ofd.package.entry-damaged"
        with pytest.raises(ConflictError):
            b"".join(package.chunks("Doc_0/long.bin"))


def test_changed_packages_are_read_without_being_written(file: Path) -> None:
    with Package.open(file) as package:
        digest = package.digest("OFD.xml", DigestAlgorithm.SM3)
        changed = package.changed({"OFD.xml": b"<new/>", "b": b"2"}, removed=["Doc_0/long.bin"])
        again = changed.changed({"b": b"3"})
        assert changed.names == ("OFD.xml", "Doc_0/Document.xml", "Doc_0/Res/图.png", "b")
        assert (changed.read("OFD.xml"), changed.read("b"), again.read("b")) == (b"<new/>", b"2", b"3")
        assert b"".join(changed.chunks("b")) == b"2"
        assert changed.size("OFD.xml") == 6
        assert changed.digest("OFD.xml", DigestAlgorithm.SM3) == hashlib.new("sm3", b"<new/>").digest() != digest
        assert Package(again.to_bytes()).names == again.names
        assert "b" not in package
        with pytest.raises(MalformedError):
            changed.changed({"B": b""})


def test_removed_files_leave_no_trace() -> None:
    package = Package(write_package(FILES | {"secret.bin": LONG[:1000]}))
    without = package.changed({}, removed=["secret.bin"]).to_bytes()
    assert without == write_package(FILES)


@pytest.mark.parametrize("name", ["OFD.xml", "Doc_0/long.bin"])
@pytest.mark.parametrize("place", [0.0, 0.4, 0.8])
def test_damage_is_found_piece_by_piece_too(file: Path, name: str, place: float) -> None:
    data = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        info = archive.getinfo(name)
    data[info.header_offset + 30 + len(name) + int(info.compress_size * place)] ^= 0x11
    package = Package(bytes(data))
    with pytest.raises(MalformedError) as caught:
        b"".join(package.chunks(name))
    assert caught.value.code == "ofd.package.entry-damaged"


def test_bits_behind_the_end_are_refused_piece_by_piece_too() -> None:
    good = write_package({"a.bin": b"abc" * CHUNK_BYTES})
    end = good.index(b"PK\x01\x02")
    assert b"".join(Package(good).chunks("a.bin")) == b"abc" * CHUNK_BYTES
    for bit in range(good[end - 1].bit_length(), 8):
        padded = bytearray(good)
        padded[end - 1] |= 1 << bit
        with pytest.raises(MalformedError):
            b"".join(Package(bytes(padded)).chunks("a.bin"))


def test_an_entry_that_says_less_than_it_holds_is_refused_piece_by_piece_too() -> None:
    data = bytearray(write_package({"a.bin": bytes(10 * CHUNK_BYTES)}))
    for position in (22, data.index(b"PK\x01\x02") + 24):
        struct.pack_into("<L", data, position, 10)
    with pytest.raises(MalformedError):
        b"".join(Package(bytes(data)).chunks("a.bin"))


def test_octets_in_front_are_let_pass_only_on_request() -> None:
    data = write_package(FILES)
    for junk in (b"\xef\xbb\xbf", b"KG" * 100):
        package = Package(junk + data, tolerance=WILD)
        assert {name: package.read(name) for name in package} == FILES
        assert package.prefix_bytes == len(junk)
        changed = Package(package.with_files({"OFD.xml": b"<new/>"}))
        assert changed.prefix_bytes == 0
        with pytest.raises(MalformedError):
            Package(junk + data)
    with pytest.raises(MalformedError):
        Package(b"J" * 1025 + data, tolerance=WILD)
    assert Package(data, tolerance=WILD).prefix_bytes == 0


def test_offsets_that_count_octets_in_front_are_understood() -> None:
    buffer = io.BytesIO()
    buffer.write(b"KG" * 10)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("OFD.xml", b"<OFD/>")
    package = Package(buffer.getvalue(), tolerance=WILD)
    assert (package.read("OFD.xml"), package.prefix_bytes) == (b"<OFD/>", 20)


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_names_whose_encoding_is_not_stated_are_read_only_on_request(encoding: str) -> None:
    raw = "图片".encode(encoding)
    data = write_package({"n" * len(raw): b"1"}).replace(b"n" * len(raw), raw)
    package = Package(data, tolerance=WILD)
    assert (package.names, package.guessed_names) == (("图片",), ("图片",))
    assert Package(package.with_files({"b": b""}), tolerance=WILD).names == ("图片", "b")
    with pytest.raises(MalformedError) as caught:
        Package(data)
    assert caught.value.code == "ofd.package.name-encoding"


def test_tolerance_never_lets_names_escape() -> None:
    raw = "../图".encode("gb18030")
    data = write_package({"n" * len(raw): b"1"}).replace(b"n" * len(raw), raw)
    with pytest.raises(MalformedError) as caught:
        Package(data, tolerance=WILD)
    assert caught.value.code == "ofd.package.name"


def test_a_package_that_needs_zip64_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(RejectedError) as caught:
        write_package({str(index): b"" for index in range(65_535)})
    assert caught.value.code == "ofd.package.zip64"


def test_limits_hold_for_files(file: Path) -> None:
    with pytest.raises(MalformedError) as caught:
        Package.open(file, limits=Limits(total_bytes=1000))
    assert caught.value.code == "ofd.package.too-large"
