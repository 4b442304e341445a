"""What may not stand in the repository, and what its documents may refer to."""

import re
import tomllib
from pathlib import Path

import pytest

# Written apart, so that this file does not hold what it forbids.
REGISTRIES = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("maven", "apache", "org/maven2"),
        ("deb", "debian", "org"),
        ("archive", "ubuntu", "com"),
        ("crates", "io"),
        ("golang", "org"),
    )
)
PLACES_OF_ONE_MACHINE = re.compile(r"(?<![\w.$}>*])/(?:work|root|home/[a-z]\w*)(?:/|\b(?=[\"'\s]))")
PRIVATE_KEY = re.compile("-----BEGIN" + r" (?:[A-Z]+ )*PRIVATE " + "KEY-----")
SECRETS = (
    PRIVATE_KEY,
    re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36}\b"),
    re.compile(r"\beyJ[\w-]{20,}\.eyJ[\w-]{20,}\.[\w-]{40,}"),
)
LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)==\S+")


def _lines_with(texts: dict[str, str], pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{number}"
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


@pytest.mark.parametrize("registry", REGISTRIES)
def test_no_file_names_a_package_registry(repository_texts: dict[str, str], registry: str) -> None:
    assert _lines_with(repository_texts, re.compile(re.escape(registry))) == []


def test_no_file_names_a_place_of_one_machine(repository_texts: dict[str, str]) -> None:
    others = {name: text for name, text in repository_texts.items() if name != "tests/architecture/test_repository.py"}
    assert _lines_with(others, PLACES_OF_ONE_MACHINE) == []


def test_places_of_one_machine_are_recognised() -> None:
    assert PLACES_OF_ONE_MACHINE.search("open('/" + "work/main/x')")
    assert PLACES_OF_ONE_MACHINE.search("see /" + "root/.pyenv")
    assert PLACES_OF_ONE_MACHINE.search("/" + "home/someone/key.pem")
    assert not PLACES_OF_ONE_MACHINE.search("docs/work/plan.md and ${HOME}/work/ and /workers")


@pytest.mark.parametrize("secret", SECRETS, ids=lambda pattern: pattern.pattern[:12])
def test_no_file_holds_a_secret(repository_texts: dict[str, str], secret: re.Pattern[str]) -> None:
    assert _lines_with(repository_texts, secret) == []


def test_links_between_documents_lead_somewhere(repository_texts: dict[str, str], root: Path) -> None:
    broken = []
    for name, text in repository_texts.items():
        if not name.endswith(".md"):
            continue
        for target in LINK.findall(text):
            path = target.split("#", 1)[0]
            if path and not re.match(r"[a-z]+:", path) and not ((root / name).parent / path).exists():
                broken.append(f"{name} -> {target}")
    assert broken == []


@pytest.mark.parametrize("name", ["runtime", "dev", "lock"])
def test_a_lock_file_pins_by_version_and_hash_only(root: Path, name: str) -> None:
    text = (root / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    entries = text.replace("\\\n", " ").splitlines()
    assert entries
    for entry in entries:
        assert REQUIREMENT.match(entry), entry[:60]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry[:60]
        assert "://" not in entry
        assert ";" not in entry


def test_the_lock_files_agree_and_hold_every_dependency(root: Path) -> None:
    def pinned(name: str) -> dict[str, str]:
        lines = (root / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        return dict(match.group(0).split("==") for line in lines if (match := REQUIREMENT.match(line)))

    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {re.split(r"[\[<>=!~ ]", line, maxsplit=1)[0].lower() for line in project["dependencies"]}
    runtime, dev = pinned("runtime"), pinned("dev")
    assert wanted - runtime.keys() == set()
    assert {name: version for name, version in runtime.items() if dev.get(name) != version} == {}
