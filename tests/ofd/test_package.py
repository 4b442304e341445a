import io
import stat
import struct
import tracemalloc
import zipfile
import zlib

import pytest

from ofd.package.reader import Limits, Package, write_package
from ofd.package.zip_format import CENTRAL, END, LOCAL
from trustcore.errors import MalformedError, NotFoundError

FILES = {"OFD.xml": b"<OFD/>" * 40, "Doc_0/Document.xml": b"<Document/>", "Doc_0/Res/\u56fe.png": bytes(range(256))}


def refusal(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(MalformedError) as caught:
        Package(data, limits=limits)
    return caught.value.code


def zipped(*entries: tuple[str, bytes], comment: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name), content)
        archive.comment = comment
    return buffer.getvalue()


def central_offset(data: bytes) -> int:
    return END.unpack_from(data, len(data) - END.size)[6]


def test_a_package_is_read_as_it_was_written() -> None:
    package = Package(write_package(FILES))
    assert {name: package.read(name) for name in package} == FILES


def test_the_same_files_give_the_same_octets() -> None:
    assert write_package(FILES) == write_package(dict(FILES))


def test_other_software_reads_what_is_written() -> None:
    with zipfile.ZipFile(io.BytesIO(write_package(FILES))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == FILES


def streamed(method: int) -> bytes:
    """As written into a pipe: sizes follow the data."""

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.written = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]
            self.written += data
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", method) as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    return bytes(pipe.written)


def test_data_whose_end_can_only_be_guessed_is_refused() -> None:
    """Nothing but the descriptor behind them ends unpacked data, and they may hold the like of it."""
    assert refusal(streamed(zipfile.ZIP_STORED)) == "ofd.package.method"


def test_streamed_packages_with_data_descriptors_are_read() -> None:
    package = Package(streamed(zipfile.ZIP_DEFLATED))
    assert {name: package.read(name) for name in package} == FILES
    changed = Package(package.with_files({"OFD.xml": b"new"}))
    assert changed.read("Doc_0/Document.xml") == FILES["Doc_0/Document.xml"]


def test_untouched_entries_are_copied_byte_for_byte() -> None:
    before = zipped(("OFD.xml", b"old"), ("Doc_0/a.bin", b"abc" * 100))
    after = Package(before).with_files({"OFD.xml": b"new", "Doc_0/b.bin": b"b"})
    start = before.index(b"PK\x03\x04", 1)
    assert before[start : central_offset(before)] in after
    assert Package(after).names == ("OFD.xml", "Doc_0/a.bin", "Doc_0/b.bin")
    assert Package(after).read("OFD.xml") == b"new"


def test_folders_are_not_files() -> None:
    package = Package(zipped(("Doc_0/", b""), ("Doc_0/a", b"1")))
    assert package.names == ("Doc_0/a",)
    assert "Doc_0/" not in package


def test_a_missing_entry_is_named() -> None:
    with pytest.raises(NotFoundError) as caught:
        Package(write_package(FILES)).read("Doc_0/none.xml")
    assert caught.value.facts["entry"] == "Doc_0/none.xml"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("../OFD.xml", "ofd.package.name"),
        ("Doc_0/../../x", "ofd.package.name"),
        ("/OFD.xml", "ofd.package.name"),
        ("./OFD.xml", "ofd.package.name"),
        ("Doc_0//a", "ofd.package.name"),
        ("C:/a", "ofd.package.name"),
        ("Doc_0\\a", "ofd.package.name"),
        ("a\x01b", "ofd.package.name"),
        ("a\u202eb", "ofd.package.name"),
        ("a" * 1025, "ofd.package.name"),
        ("/".join("a" * 33), "ofd.package.name"),
    ],
)
def test_names_that_are_not_plain_paths_are_refused(name: str, code: str) -> None:
    raw = name.encode()
    placeholder = "n" * len(raw)
    data = zipped((placeholder, b"1")).replace(placeholder.encode(), raw)
    if not name.isascii():
        data = with_flags(data, 0x0800)
    assert refusal(data) == code
    with pytest.raises(MalformedError):
        write_package({name: b""})


def with_flags(data: bytes, flags: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into("<H", changed, 6, flags)
    struct.pack_into("<H", changed, central_offset(data) + 8, flags)
    return bytes(changed)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Doc_0/a.xml", "Doc_0/A.xml"),
        ("Doc_0/\u00e9", "Doc_0/e\u0301"),
        ("Doc_0", "Doc_0/a"),
        ("Doc_0/a/", "Doc_0/a"),
        ("doc_0/a", "Doc_0/A/b"),
        ("Doc_0/A/b", "doc_0/a"),
        ("a/b/c/d", "a/b"),
    ],
)
def test_names_that_some_readers_take_for_one_are_refused(first: str, second: str) -> None:
    assert refusal(zipped((first, b""), (second, b""))) == "ofd.package.duplicate"


def test_names_that_only_begin_alike_are_read() -> None:
    names = ("a", "a.b", "a-/b", "ab/c", "b/", "b/c/d", "b/c-d", "b/c!", "é", "ea")
    package = Package(zipped(*((name, b"") for name in names)))
    assert package.names == tuple(name for name in names if name != "b/")
    assert package.empty_folders == ()
    assert Package(zipped(("b/", b""), ("b/c/", b""), ("b/d/", b""), ("b/c/e", b""))).empty_folders == ("b/d/",)


def test_long_names_in_deep_folders_take_little_memory() -> None:
    """No more than twice what the file has, however many folders there are."""
    deep = "/".join(["\u56fe" * 10] * 31)
    data = write_package({f"{index}/{deep}": b"" for index in range(1000)})
    tracemalloc.start()
    try:
        assert Package(data).empty_folders == ()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * len(data)


def test_duplicates_are_refused() -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        data = zipped(("OFD.xml", b"one"), ("OFD.xml", b"two"))
    assert refusal(data) == "ofd.package.duplicate"


def test_names_in_gbk_are_not_guessed() -> None:
    data = zipped(("abcd", b"")).replace(b"abcd", "\u56fe\u7247".encode("gbk"))
    assert refusal(data) == "ofd.package.name-encoding"


def test_links_are_refused() -> None:
    info = zipfile.ZipInfo("OFD.xml")
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info, b"/etc/passwd")
    assert refusal(buffer.getvalue()) == "ofd.package.special-file"


def test_a_second_name_in_an_extra_field_is_refused() -> None:
    info = zipfile.ZipInfo("OFD.xml")
    info.extra = struct.pack("<HHBL", 0x7075, 12, 1, zlib.crc32(b"OFD.xml")) + b"other.x"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info, b"")
    assert refusal(buffer.getvalue()) == "ofd.package.extra-field"


@pytest.mark.parametrize("flag", [0x0001, 0x0020, 0x0040, 0x2000])
def test_encrypted_and_patched_entries_are_refused(flag: int) -> None:
    assert refusal(with_flags(zipped(("OFD.xml", b"1")), flag)) == "ofd.package.encrypted"


def test_unknown_compression_is_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("OFD.xml", b"1" * 100)
    assert refusal(buffer.getvalue()) == "ofd.package.method"


@pytest.mark.parametrize("junk", [b"\x00", b"MZ\x90", b"junk" * 10])
def test_bytes_around_the_package_are_refused(junk: bytes) -> None:
    data = write_package(FILES)
    assert refusal(junk + data) == "ofd.package.not-zip"
    assert refusal(data + junk) == "ofd.package.end"


def test_a_comment_is_refused() -> None:
    assert refusal(zipped(("OFD.xml", b"1"), comment=b"PK")) == "ofd.package.end"


def test_a_package_before_the_package_is_refused() -> None:
    first, second = zipped(("OFD.xml", b"one")), zipped(("OFD.xml", b"two"))
    assert refusal(first + second).startswith("ofd.package.")


def test_an_entry_that_only_the_local_headers_know_is_refused() -> None:
    data = zipped(("OFD.xml", b"1"))
    hidden = LOCAL.pack(b"PK\x03\x04", 20, 0, 0, 0, 0x21, zlib.crc32(b"x"), 1, 1, 5, 0) + b"b.xmlx"
    start = central_offset(data)
    end = bytearray(data[-END.size :])
    struct.pack_into("<L", end, 16, start + len(hidden))
    crafted = data[:start] + hidden + data[start : -END.size] + bytes(end)
    assert refusal(crafted) == "ofd.package.gap"


@pytest.mark.parametrize(("position", "width"), [(14, 4), (18, 4), (22, 4), (8, 2), (30, 1)])
def test_a_local_header_that_differs_from_the_directory_is_refused(position: int, width: int) -> None:
    data = bytearray(zipped(("OFD.xml", b"content")))
    data[position + width - 1] ^= 0x01
    assert refusal(bytes(data)) == "ofd.package.header-mismatch"


def test_an_entry_inside_another_one_is_refused() -> None:
    inner = LOCAL.pack(b"PK\x03\x04", 20, 0, 0, 0, 0x21, zlib.crc32(b"x"), 1, 1, 5, 0) + b"b.xmlx"
    data = zipped(("OFD.xml", inner))
    start = central_offset(data)
    shared = (20, 0, 0, 0, 0x21, zlib.crc32(b"x"), 1, 1, 5, 0, 0, 0, 0, 0)
    record = CENTRAL.pack(b"PK\x01\x02", 20, *shared, data.index(inner)) + b"b.xml"
    directory = data[start : -END.size] + record
    end = END.pack(b"PK\x05\x06", 0, 0, 2, 2, len(directory), start, 0)
    assert refusal(data[:start] + directory + end) == "ofd.package.gap"


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(entries=2), "ofd.package.too-many-entries"),
        (Limits(total_bytes=300), "ofd.package.too-large"),
        (Limits(entry_bytes=200), "ofd.package.too-large"),
        (Limits(ratio=2, ratio_from_bytes=100), "ofd.package.too-large"),
    ],
)
def test_limits_hold(limits: Limits, code: str) -> None:
    assert refusal(write_package(FILES), limits) == code


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    assert refusal(write_package({"OFD.xml": bytes(20 * 1024 * 1024)})) == "ofd.package.too-large"


def test_an_entry_that_unpacks_to_more_than_it_says_is_damaged() -> None:
    data = bytearray(write_package({"OFD.xml": b"a" * 1000}))
    for position in (22, central_offset(bytes(data)) + 24):
        struct.pack_into("<L", data, position, 10)
    with pytest.raises(MalformedError) as caught:
        Package(bytes(data)).read("OFD.xml")
    assert caught.value.code == "ofd.package.entry-damaged"


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x03\x04", b"PK\x05\x06" + bytes(17), bytes(100), b"%PDF-1.7"])
def test_what_is_no_package_is_refused(data: bytes) -> None:
    assert refusal(data).startswith("ofd.package.")


def test_zip64_is_refused() -> None:
    data = bytearray(zipped(("OFD.xml", b"1")))
    struct.pack_into("<HH", data, len(data) - 14, 0xFFFF, 0xFFFF)
    assert refusal(bytes(data)) == "ofd.package.zip64"


def test_bits_behind_a_deflated_entry_are_refused() -> None:
    """The last octet of a deflate stream is filled up with bits that no checksum and no signature covers."""
    good = write_package(FILES)
    record = next(item for item in zipfile.ZipFile(io.BytesIO(good)).infolist() if item.compress_type)
    last = record.header_offset + LOCAL.size + len(record.filename.encode()) + record.compress_size - 1
    assert Package(good).read(record.filename) == FILES[record.filename]
    free = range(good[last].bit_length(), 8)
    assert free

    for bit in free:
        padded = bytearray(good)
        padded[last] |= 1 << bit
        with pytest.raises(MalformedError) as caught:
            Package(bytes(padded)).read(record.filename)
        assert caught.value.code == "ofd.package.entry-damaged"


@pytest.mark.parametrize(
    ("field", "code"),
    [
        (6, "ofd.package.header-mismatch"),
        (7, "ofd.package.header-mismatch"),
        (12, "ofd.package.header-mismatch"),
        (14, "ofd.package.header-mismatch"),
        (36, "ofd.package.attributes"),
        (37, "ofd.package.attributes"),
    ],
    ids=["version", "version-high", "time", "date", "internal-attributes", "internal-attributes-high"],
)
def test_what_the_directory_says_otherwise_than_the_entry_is_refused(field: int, code: str) -> None:
    """Octets of the central header (APPNOTE §4.3.12) that no content depends on."""
    changed = bytearray(write_package(FILES))
    changed[central_offset(bytes(changed)) + field] ^= 0x10
    assert refusal(bytes(changed)) == code
