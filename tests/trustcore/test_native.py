import ctypes
import threading
from pathlib import Path

import pytest

from trustcore.errors import InternalError
from trustcore.native import compile_once, package_sources

ANSWER = b'__attribute__((visibility("default"))) int answer(void) { return 42; }\n'


def test_a_library_is_compiled_once_and_found_again(tmp_path: Path) -> None:
    first = compile_once(tmp_path / "new", "answer", {"answer.c": ANSWER})
    made_at = first.stat().st_mtime_ns

    assert ctypes.CDLL(str(first)).answer() == 42
    assert compile_once(tmp_path / "new", "answer", {"answer.c": ANSWER}) == first
    assert first.stat().st_mtime_ns == made_at


def test_other_sources_or_options_are_another_library(tmp_path: Path) -> None:
    first = compile_once(tmp_path, "answer", {"answer.c": ANSWER})

    assert compile_once(tmp_path, "answer", {"answer.c": ANSWER.replace(b"42", b"43")}) != first
    assert compile_once(tmp_path, "answer", {"answer.c": ANSWER}, libraries=("-lm",)) != first


def test_headers_are_found_by_their_name_from_the_top(tmp_path: Path) -> None:
    sources = {"inner/answer.h": b"#define ANSWER 42\n", "a.c": b'#include "inner/answer.h"\nint a = ANSWER;\n'}

    assert compile_once(tmp_path, "headers", sources).is_file()


def test_what_cannot_be_compiled_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InternalError, match=r"broken cannot be compiled: .*error.*; install it\.") as caught:
        compile_once(tmp_path, "broken", {"broken.c": b"int main( {"}, code="some.code", remedy="install it")

    assert caught.value.code == "some.code"
    assert [entry.name for entry in tmp_path.iterdir()] == ["broken.lock"]


def test_no_compiler_is_an_error_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(InternalError, match="no C compiler; install the Debian package gcc"):
        compile_once(tmp_path, "answer", {"answer.c": ANSWER})


def test_threads_that_ask_at_once_get_the_same_library(tmp_path: Path) -> None:
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(compile_once(tmp_path, "answer", {"answer.c": ANSWER})))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 4
    assert len(set(found)) == 1


def test_the_sources_of_a_package_are_its_c_files() -> None:
    names = package_sources("hsm.softgm", "softgm/")

    assert "softgm/module.c" in names
    assert all(name.startswith("softgm/") and name.endswith((".c", ".h")) for name in names)
