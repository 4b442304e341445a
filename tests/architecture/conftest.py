"""What the architecture tests look at: the files that are committed, or would be."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("trustcore", "hsm", "ofd", "ca", "seal_service", "licence_service", "sso", "trustapp")


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def packages() -> tuple[str, ...]:
    return PACKAGES


@pytest.fixture(scope="session")
def repository_files() -> tuple[Path, ...]:
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    files = tuple(ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file())
    assert files, "git lists no file"
    return files


@pytest.fixture(scope="session")
def product_modules(repository_files: tuple[Path, ...]) -> tuple[Path, ...]:
    return tuple(
        path for path in repository_files if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in PACKAGES
    )


@pytest.fixture(scope="session")
def repository_texts(repository_files: tuple[Path, ...]) -> dict[str, str]:
    """Every file of the repository that is text, by its path from the root."""
    texts = {}
    for path in repository_files:
        try:
            texts[str(path.relative_to(ROOT))] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return texts
