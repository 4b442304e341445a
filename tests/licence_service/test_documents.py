"""The document store when disks are full, files are changed and processes die."""

import ctypes
import hashlib
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from licence_service.documents import FolderDocuments
from trustcore.errors import BusyError, InternalError, MalformedError, NotFoundError

_LIBC = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if _LIBC.mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, b"size=64k") != 0:
        pytest.skip("mounting is not permitted here")
    yield folder
    _LIBC.umount2(str(folder).encode(), 0)


@pytest.fixture
def file_size_limit() -> Iterator[int]:
    """The system refuses to write more than this into a file, as it refuses on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    yield 4096
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, before)


def test_what_is_put_is_got(tmp_path: Path) -> None:
    store = FolderDocuments(tmp_path / "a" / "b")
    name = store.put(b"licence")
    assert name == hashlib.sha256(b"licence").hexdigest()
    assert store.put(b"licence") == name
    assert store.get(name) == b"licence"


def test_a_full_disk_is_one_clear_sentence_and_leaves_nothing_half(small_disk: Path) -> None:
    store = FolderDocuments(small_disk)
    first = store.put(b"small")
    with pytest.raises(BusyError) as caught:
        store.put(os.urandom(256 * 1024))
    assert caught.value.code == "licence.storage.full"
    assert caught.value.detail == "The disk of the licence store is full; make room and run the command again."
    assert store.get(first) == b"small"
    assert [path.name for path in small_disk.rglob("*") if path.is_file()] == [first]


@pytest.mark.usefixtures("file_size_limit")
def test_a_refused_write_leaves_nothing_half(tmp_path: Path) -> None:
    with pytest.raises(BusyError) as caught:
        FolderDocuments(tmp_path).put(os.urandom(8192))
    assert caught.value.code == "licence.storage.full"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_store_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BusyError) as caught:
        FolderDocuments(tmp_path / "file").put(b"licence")
    assert caught.value.code == "licence.storage.unavailable"


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    store = FolderDocuments(tmp_path)
    name = store.put(b"licence")
    (path,) = tmp_path.rglob(name)
    path.write_bytes(b"Licence")
    with pytest.raises(InternalError) as caught:
        store.get(name)
    assert caught.value.code == "licence.storage.damaged"


@pytest.mark.parametrize("damage", [b"lic", b"Licence", b""])
def test_a_damaged_file_under_the_right_name_is_replaced(damage: bytes, tmp_path: Path) -> None:
    store = FolderDocuments(tmp_path)
    name = store.put(b"licence")
    (path,) = tmp_path.rglob(name)
    path.write_bytes(damage)
    assert store.put(b"licence") == name
    assert store.get(name) == b"licence"


def test_an_unknown_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        FolderDocuments(tmp_path).get("0" * 64)


@pytest.mark.parametrize("name", ["../../../etc/passwd", "", "0" * 63, "G" * 64])
def test_a_name_that_is_no_digest_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(MalformedError):
        FolderDocuments(tmp_path).get(name)
