"""What readers in the field repair is read for drawing, with a warning; what endangers them stays refused."""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ofd.package.differential import find_differences
from ofd.package.lenient import LenientPackage
from ofd.package.loc import resolve
from ofd.package.reader import Limits, Package, write_package
from ofd.package.zip_format import CENTRAL, END, LOCAL
from trustcore.errors import MalformedError, NotFoundError, TrustError

FILES = {
    "OFD.xml": b"<OFD/>" * 40,
    "Doc_0/Document.xml": b"<Document/>",
    "Doc_0/Res/\u56fe.png": bytes(range(256)),
    "Doc_0/Res/a b.ttf": b"font" * 100,
}
GOOD = write_package(FILES)


def zipped(files: dict[str, bytes], *, streamed: bool = False) -> bytes:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return not streamed

        def tell(self) -> int:
            if streamed:
                raise OSError
            return super().tell()

    buffer = Pipe()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def contents(package: LenientPackage | Package) -> dict[str, bytes]:
    return {name: package.read(name) for name in package}


def codes(package: LenientPackage) -> set[str]:
    return {warning.code for warning in package.warnings}


def renamed(old: str, raw: bytes) -> bytes:
    """The package with another raw name, without the UTF-8 flag."""
    assert len(old) == len(raw)
    return write_package({old: b"1", "OFD.xml": b"2"}).replace(old.encode(), raw)


def test_what_keeps_to_the_standard_is_read_without_warning() -> None:
    package = LenientPackage(GOOD)
    assert contents(package) == FILES
    assert package.warnings == ()
    assert package.strict is not None
    assert package.refusal is None
    assert find_differences(GOOD) == ()


@pytest.mark.parametrize(
    ("data", "warning"),
    [
        (b"KG\x01" + GOOD, "ofd.read.prefix"),
        (GOOD + bytes(7), "ofd.read.trailing"),
        (GOOD[:-30], "ofd.read.directory"),
        (GOOD[: -END.size - 100], "ofd.read.directory"),
        (GOOD[: GOOD.index(b"PK\x01\x02")], "ofd.read.directory"),
        (b"junk" + GOOD[: GOOD.index(b"PK\x01\x02")], "ofd.read.prefix"),
        (zipped(FILES, streamed=True)[:-30], "ofd.read.directory"),
    ],
    ids=["prefix", "trailing", "end-cut", "directory-cut", "no-directory", "both", "streamed"],
)
def test_damaged_containers_are_read(tmp_path: Path, data: bytes, warning: str) -> None:
    package = LenientPackage(data)
    assert contents(package) == FILES
    assert warning in codes(package)
    assert package.strict is None
    assert package.refusal is not None
    path = tmp_path / "a.ofd"
    path.write_bytes(data)
    with LenientPackage.open(path) as opened:
        assert contents(opened) == FILES
        assert b"".join(opened.chunks("OFD.xml")) == FILES["OFD.xml"]
        assert opened.size("OFD.xml") == len(FILES["OFD.xml"])
    assert find_differences(data)


def test_a_directory_that_lacks_an_entry_is_rebuilt() -> None:
    last = GOOD.rindex(b"PK\x01\x02")
    end = bytearray(GOOD[-END.size :])
    struct.pack_into("<L", end, 12, last - GOOD.index(b"PK\x01\x02"))
    package = LenientPackage(GOOD[:last] + bytes(end))
    assert contents(package) == FILES
    assert codes(package) == {"ofd.read.directory"}


def test_what_is_left_of_a_file_cut_off_is_read() -> None:
    package = LenientPackage(GOOD[: GOOD.index(b"\x89") if b"\x89" in GOOD[:1] else GOOD.index(bytes(range(9))) + 9])
    assert set(contents(package)) == {"OFD.xml", "Doc_0/Document.xml"}
    assert codes(package) == {"ofd.read.directory", "ofd.read.cut-off"}


@pytest.mark.parametrize(
    ("raw", "name", "warning"),
    [
        ("图片".encode("gb18030"), "图片", "ofd.read.name-encoding"),
        ("图片".encode(), "图片", "ofd.read.name-encoding"),
        (b"Doc_0\\a.xml", "Doc_0/a.xml", "ofd.read.name"),
        (b"/Doc_0//a", "Doc_0/a", "ofd.read.name"),
        (b"./a", "a", "ofd.read.name"),
        (b"\xff\xffz", "\u00a0\u00a0z", "ofd.read.name-encoding"),
    ],
)
def test_names_that_are_no_plain_paths_are_put_in_order(raw: bytes, name: str, warning: str) -> None:
    data = renamed("n" * len(raw), raw)
    package = LenientPackage(data)
    assert contents(package) == {name: b"1", "OFD.xml": b"2"}
    assert warning in codes(package)
    assert {item.code.rpartition(".")[2] for item in find_differences(data)} & {"encoding", "path"}


def test_names_with_and_without_flag_may_be_mixed() -> None:
    gbk = "图片".encode("gb18030")
    data = write_package({"nnnn": b"1", "图": b"2", "OFD.xml": b"3"}).replace(b"nnnn", gbk)
    assert set(LenientPackage(data).names) == {"图片", "图", "OFD.xml"}


def test_a_name_that_is_flagged_utf_8_and_is_not_is_guessed() -> None:
    data = write_package({"图a": b"1"}).replace("图a".encode(), "中文".encode("gb18030"))
    assert LenientPackage(data).names == ("中文",)


def test_a_unicode_path_field_gives_the_name() -> None:
    raw = "\u56fe".encode("gbk")
    info = zipfile.ZipInfo("nn")
    info.extra = struct.pack("<HHBL", 0x7075, 5 + 6, 1, zlib.crc32(raw)) + "图片".encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info, b"1")
    data = buffer.getvalue().replace(b"nn", raw)
    assert LenientPackage(data).names == ("图片",)
    assert "ofd.package.differs.second-name" in {item.code for item in find_differences(data)}


def test_wrong_checksums_are_warned_of() -> None:
    data = bytearray(GOOD)
    data[data.index(bytes(range(9))) + 5] ^= 1
    package = LenientPackage(bytes(data))
    assert package.strict is not None
    with pytest.raises(MalformedError):
        package.read("Doc_0/Res/图.png")
    package = LenientPackage(b"x" + bytes(data))
    assert package.read("Doc_0/Res/图.png") != FILES["Doc_0/Res/图.png"]
    assert "ofd.read.entry-damaged" in codes(package)


@pytest.mark.parametrize(
    ("location", "holder", "base", "name", "warning"),
    [
        ("Doc_0/Document.xml", "OFD.xml", "", "Doc_0/Document.xml", None),
        ("图.png", "Doc_0/PublicRes.xml", "Res", "Doc_0/Res/图.png", None),
        ("Doc_0\\Document.xml", "OFD.xml", "", "Doc_0/Document.xml", "ofd.read.path-normalised"),
        ("\\Doc_0\\Document.xml", "Doc_0/Document.xml", "", "Doc_0/Document.xml", "ofd.read.path-normalised"),
        ("//Doc_0/Document.xml", "Doc_0/a", "", "Doc_0/Document.xml", "ofd.read.path-normalised"),
        (" Doc_0/Document.xml\n", "OFD.xml", "", "Doc_0/Document.xml", "ofd.read.path-normalised"),
        ("../../Doc_0/Document.xml", "Doc_0/a", "", "Doc_0/Document.xml", "ofd.read.path-normalised"),
        ("Res/a%20b.ttf", "Doc_0/a", "", "Doc_0/Res/a b.ttf", "ofd.read.path-normalised"),
        ("Res/%E5%9B%BE.png", "Doc_0/a", "", "Doc_0/Res/图.png", "ofd.read.path-normalised"),
        ("doc_0/DOCUMENT.xml", "OFD.xml", "", "Doc_0/Document.xml", "ofd.read.path-case"),
        ("Doc_0/Document.xml", "Doc_0/Pages/a", "", "Doc_0/Document.xml", "ofd.read.path-root"),
        ("doc_0\\document.XML", "Doc_0/Pages/a", "", "Doc_0/Document.xml", "ofd.read.path-root"),
        ("图.png", "Doc_0/PublicRes.xml", "", "Doc_0/Res/图.png", "ofd.read.base-location"),
        ("图.png", "Doc_0/PublicRes.xml", "Images", "Doc_0/Res/图.png", "ofd.read.base-location"),
        ("Res/图.png", "Doc_0/PublicRes.xml", "Res", "Doc_0/Res/图.png", "ofd.read.base-location"),
        ("图.png", "Doc_0/PublicRes.xml", "Res/Res.xml", "Doc_0/Res/图.png", "ofd.read.base-location"),
        ("图.png", "Doc_0/Pages/PageRes.xml", "Doc_0/Res", "Doc_0/Res/图.png", "ofd.read.base-location"),
        ("none.xml", "OFD.xml", "", None, None),
        ("", "OFD.xml", "", None, None),
        ("/", "OFD.xml", "", None, None),
        ("..", "Doc_0/a", "", None, None),
        ("Doc_0", "OFD.xml", "", None, None),
    ],
)
def test_locations_are_found_in_a_fixed_order(
    location: str, holder: str, base: str, name: str | None, warning: str | None
) -> None:
    package = LenientPackage(GOOD)
    assert package.find(location, holder=holder, base=base) == name
    assert codes(package) == ({warning} if warning else set())
    if name is None:
        with pytest.raises(NotFoundError):
            package.resolve(location, holder=holder, base=base)


def test_the_exact_name_comes_before_every_repair() -> None:
    package = LenientPackage(
        write_package({"Doc_0/a%20b": b"1", "Doc_0/a b": b"2", "a b": b"3", "Doc_0/Res/a b": b"4"})
    )
    assert package.find("a%20b", holder="Doc_0/x") == "Doc_0/a%20b"
    assert package.find("a b", holder="Doc_0/x") == "Doc_0/a b"
    assert package.find("/a b", holder="Doc_0/x") == "a b"
    assert package.warnings == ()


def test_a_warning_stands_once() -> None:
    package = LenientPackage(GOOD)
    for _ in range(3):
        package.find("doc_0/document.xml", holder="OFD.xml")
    assert len(package.warnings) == 1
    assert package.warnings[0].evidence == {
        "location": "doc_0/document.xml",
        "entry": "Doc_0/Document.xml",
        "via": "OFD.xml",
    }


def refusal(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(MalformedError) as caught:
        contents(LenientPackage(data, limits=limits))
    return caught.value.code


def test_names_that_stand_twice_stay_refused() -> None:
    data = write_package({"OFD.xml": b"one", "OFD.xmm": b"two"}).replace(b"OFD.xmm", b"OFD.xml")
    assert refusal(data) == refusal(b"x" + data) == "ofd.package.duplicate"
    assert "ofd.package.differs.duplicate" in {item.code for item in find_differences(data)}


@pytest.mark.parametrize(("first", "second"), [("a.xml", "A.xml"), ("D/a", "D\\a"), ("D/a", "D//a"), ("a", "a/b")])
def test_names_that_come_to_the_same_stay_refused(first: str, second: str) -> None:
    data = write_package({"n" * len(first): b"1", "m" * len(second): b"2"})
    data = data.replace(b"n" * len(first), first.encode()).replace(b"m" * len(second), second.encode())
    assert refusal(b"x" + data) == "ofd.package.duplicate"


@pytest.mark.parametrize("name", ["../a", "Doc_0/../../a", "..\\a", "C:\\a"])
def test_names_that_leave_the_package_stay_refused(name: str) -> None:
    assert refusal(renamed("n" * len(name), name.encode())) == "ofd.package.name"


def test_links_stay_refused() -> None:
    info = zipfile.ZipInfo("OFD.xml")
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info, b"/etc/passwd")
    assert refusal(buffer.getvalue()) == refusal(b"x" + buffer.getvalue()) == "ofd.package.special-file"


def test_bombs_stay_refused() -> None:
    bomb = write_package({"OFD.xml": bytes(20 * 1024 * 1024)})
    assert refusal(bomb) == refusal(b"x" + bomb) == refusal(bomb[:-10]) == "ofd.package.too-large"
    liar = bytearray(bomb)
    for position in (22, liar.index(b"PK\x01\x02") + 24):
        struct.pack_into("<L", liar, position, 1000)
    assert refusal(b"x" + bytes(liar)) == refusal(bytes(liar[:-10])) == "ofd.package.entry-damaged"


def test_a_bomb_without_stated_sizes_stays_refused() -> None:
    bomb = zipped({"a": bytes(3_000_000)}, streamed=True)[:-30]
    assert refusal(bomb, Limits(entry_bytes=1_000_000)) == "ofd.package.too-large"


def test_a_thousand_entries_without_stated_sizes_are_not_unpacked_a_thousand_times() -> None:
    """Each header claims all that follows as its data; the data never ends."""
    header = LOCAL.pack(b"PK\x03\x04", 20, 8, 8, 0, 0x21, 0, 0, 0, 1, 0) + b"a"
    stored_block = b"\x00\xff\xff\x00\x00"
    endless = stored_block + (header * 3000)[:0xFFFF]
    assert refusal(header + endless * 40, Limits(total_bytes=50_000_000)) == "ofd.package.too-large"


def test_limits_hold() -> None:
    data = b"x" + GOOD
    assert refusal(data, Limits(entries=2)) == "ofd.package.too-many-entries"
    assert refusal(data, Limits(total_bytes=300)) == "ofd.package.too-large"
    assert refusal(data, Limits(entry_bytes=200)) == "ofd.package.too-large"
    assert refusal(GOOD[:-10], Limits(entries=2)) == "ofd.package.too-many-entries"


def test_zip64_and_encryption_stay_refused() -> None:
    data = bytearray(b"x" + GOOD)
    struct.pack_into("<HH", data, len(data) - 14, 0xFFFF, 0xFFFF)
    assert refusal(bytes(data)) == "ofd.package.zip64"
    data = bytearray(GOOD)
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert refusal(bytes(data)) == "ofd.package.encrypted"


def test_a_missing_file_is_named() -> None:
    for data in (GOOD, b"x" + GOOD):
        with pytest.raises(NotFoundError) as caught:
            LenientPackage(data).read("none.xml")
        assert caught.value.facts["entry"] == "none.xml"
        assert "none.xml" not in LenientPackage(data)


def test_hidden_entries_are_told() -> None:
    hidden = LOCAL.pack(b"PK\x03\x04", 20, 0, 0, 0, 0x21, zlib.crc32(b"x"), 1, 1, 5, 0) + b"b.xmlx"
    start = GOOD.index(b"PK\x01\x02")
    end = bytearray(GOOD[-END.size :])
    struct.pack_into("<L", end, 16, start + len(hidden))
    data = GOOD[:start] + hidden + GOOD[start : -END.size] + bytes(end)
    assert [(item.code, item.evidence) for item in find_differences(data)] == [
        ("ofd.package.differs.hidden", {"entry": "b.xml"})
    ]


def test_a_second_package_behind_the_first_is_told() -> None:
    data = write_package({"OFD.xml": b"one"}) + GOOD
    found = {item.code for item in find_differences(data)}
    assert "ofd.package.differs.second-end" in found


@pytest.mark.parametrize(
    ("position", "reason"), [(30, "name"), (14, "content"), (22, "content"), (8, "content"), (0, "absent")]
)
def test_headers_that_differ_are_told(position: int, reason: str) -> None:
    data = bytearray(GOOD)
    data[position] ^= 0x01
    assert f"ofd.package.differs.{reason}" in {item.code for item in find_differences(bytes(data))}


def test_overlapping_entries_are_told() -> None:
    inner = LOCAL.pack(b"PK\x03\x04", 20, 0, 0, 0, 0x21, zlib.crc32(b"x"), 1, 1, 5, 0) + b"b.xmlx"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("OFD.xml", inner)
    data = buffer.getvalue()
    start = data.index(b"PK\x01\x02")
    shared = (20, 0, 0, 0, 0x21, zlib.crc32(b"x"), 1, 1, 5, 0, 0, 0, 0, 0)
    record = CENTRAL.pack(b"PK\x01\x02", 20, *shared, data.index(inner)) + b"b.xml"
    directory = data[start : -END.size] + record
    end = END.pack(b"PK\x05\x06", 0, 0, 2, 2, len(directory), start, 0)
    assert "ofd.package.differs.overlap" in {item.code for item in find_differences(data[:start] + directory + end)}


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_octets_are_read_or_refused_and_strict_reading_agrees(data: st.DataObject) -> None:
    """Where strict reading succeeds, lenient reading gives the same files, and nobody sees anything else."""
    changed = bytearray(data.draw(st.sampled_from([GOOD, b"x" + GOOD, GOOD[:-30], zipped(FILES, streamed=True)])))
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(changed) - 1))
        changed[start : start + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    octets = bytes(changed)
    lenient = refused(lambda: contents(LenientPackage(octets)))
    strict = refused(lambda: contents(Package(octets)))
    differences = find_differences(octets)
    assert isinstance(strict, str) or (strict == lenient and differences == ())
    assert isinstance(strict, dict) or strict.startswith("ofd.package.")
    assert isinstance(lenient, dict) or lenient.startswith("ofd.package.")


def refused(read: Callable[[], dict[str, bytes]]) -> dict[str, bytes] | str:
    """What is read, or the code of the refusal."""
    try:
        return read()
    except TrustError as error:
        return error.code


@settings(max_examples=100, deadline=None)
@given(
    location=st.text("ab/.\\%2 图A", max_size=12),
    holder=st.sampled_from(["OFD.xml", "D/a", "D/E/a"]),
    base=st.text("D/E.", max_size=4),
)
def test_any_location_finds_a_file_or_none(location: str, holder: str, base: str) -> None:
    package = LenientPackage(write_package(dict.fromkeys(("a", "D/a", "D/b", "D/E/a b", "D/Res/图", "OFD.xml"), b"")))
    found = package.find(location, holder=holder, base=base)
    assert found is None or found in package
    exact = refused_name(location, holder, base)
    assert exact not in package or (found == exact and not package.warnings)


def refused_name(location: str, holder: str, base: str) -> str:
    """The strict meaning of a location; empty when it has none."""
    try:
        return resolve(location, holder=holder, base=base)
    except TrustError:
        return ""
