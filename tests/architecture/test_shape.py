"""The shape of the code: sizes, names, clocks, packages."""

import ast
from pathlib import Path

MODULE_LINES = 500
COPIED_AS_ONE = {"hsm/sdk/xinyin_hsm.py": 700}
"""Business systems copy this one file, so that it cannot be several."""
NAMES_THAT_SAY_NOTHING = {
    "base",
    "common",
    "handler",
    "handlers",
    "helper",
    "helpers",
    "manager",
    "misc",
    "util",
    "utils",
}
NAMES_OF_THE_STANDARD_LIBRARY = {"code", "platform", "secrets", "signal", "ssl", "token", "types"}
CLOCKS = {
    ("datetime", "now"),
    ("datetime", "today"),
    ("datetime", "utcnow"),
    ("date", "today"),
    ("time", "time"),
    ("time", "time_ns"),
}
CLOCK_OWNER = "trustapp/wiring.py"


def test_no_module_is_longer_than_the_limit(product_modules: tuple[Path, ...]) -> None:
    lengths = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in product_modules}
    limits = {name: limit for name in lengths for copied, limit in COPIED_AS_ONE.items() if name.endswith(copied)}
    assert {name: lines for name, lines in lengths.items() if lines > limits.get(name, MODULE_LINES)} == {}


def test_no_module_has_a_name_that_says_nothing(product_modules: tuple[Path, ...], root: Path) -> None:
    parts = {str(path): set(path.relative_to(root).with_suffix("").parts) for path in product_modules}
    assert [name for name, words in parts.items() if words & NAMES_THAT_SAY_NOTHING] == []


def test_no_package_hides_a_module_of_the_standard_library(packages: tuple[str, ...]) -> None:
    assert set(packages) & NAMES_OF_THE_STANDARD_LIBRARY == set()


def test_only_the_wiring_reads_the_clock(product_modules: tuple[Path, ...], root: Path) -> None:
    readers = []
    for path in product_modules:
        name = str(path.relative_to(root))
        tree = ast.parse(path.read_bytes())
        readers += [f"{name}:{line}" for line in _clock_readings(tree) if name != CLOCK_OWNER]
    assert readers == []


def _clock_readings(tree: ast.Module) -> list[int]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", None)
            if (owner, node.attr) in CLOCKS:
                found.append(node.lineno)
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            found += [node.lineno for alias in node.names if ("time", alias.name) in CLOCKS]
    return found


def test_the_search_for_clocks_finds_each_way_to_read_one() -> None:
    readings = (
        "datetime.now(UTC)",
        "datetime.datetime.utcnow()",
        "date.today()",
        "time.time()",
        "from time import time_ns",
    )
    for source in readings:
        assert _clock_readings(ast.parse(source)) == [1], source
    assert _clock_readings(ast.parse("time.monotonic(); clock.now()")) == []


def test_every_package_is_typed_and_documented(packages: tuple[str, ...], root: Path) -> None:
    for package in packages:
        assert (root / package / "py.typed").is_file(), package
        assert ast.get_docstring(ast.parse((root / package / "__init__.py").read_bytes())), package


def test_every_folder_with_modules_is_a_package(product_modules: tuple[Path, ...]) -> None:
    folders = {path.parent for path in product_modules if "versions" not in path.parts and path.name != "env.py"}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_tests_and_benchmarks_are_no_packages(repository_files: tuple[Path, ...], root: Path) -> None:
    packages = [path.relative_to(root) for path in repository_files if path.name == "__init__.py"]
    assert [str(path) for path in packages if path.parts[0] in {"tests", "perf", "docs", "deploy"}] == []
