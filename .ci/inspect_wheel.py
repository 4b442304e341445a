"""Looks into the installed wheel: what it holds, who owns its names, and whether every module can be imported."""

import importlib
import importlib.metadata
import sys
import zipfile
from pathlib import PurePosixPath

PACKAGES = ("trustcore", "hsm", "ofd", "ca", "seal_service", "licence_service", "sso", "trustapp")


def main(wheel: str) -> int:
    """Print every problem found, and return how many there are (at most 1)."""
    with zipfile.ZipFile(wheel) as archive:
        names = [PurePosixPath(name) for name in archive.namelist() if not name.endswith("/")]
    problems = [*foreign_files(names), *missing_markers(names), *shared_names(), *failing_imports(names)]
    for problem in problems:
        print(f"wheel: {problem}")
    modules = sum(name.suffix == ".py" for name in names)
    print(f"wheel: {len(names)} files, {modules} modules, {len(problems)} problems")
    return min(len(problems), 1)


def foreign_files(names: list[PurePosixPath]) -> list[str]:
    """Files outside the eight packages and the wheel's own metadata."""
    return [f"{name} is not part of the product" for name in names if not _is_ours(name)]


def _is_ours(name: PurePosixPath) -> bool:
    return name.parts[0] in PACKAGES or name.parts[0].endswith(".dist-info")


def missing_markers(names: list[PurePosixPath]) -> list[str]:
    """Packages that do not say that they are typed (PEP 561)."""
    return [f"{package} has no py.typed" for package in PACKAGES if PurePosixPath(package, "py.typed") not in names]


def shared_names() -> list[str]:
    """Top-level names that another installed distribution claims too."""
    owners = importlib.metadata.packages_distributions()
    return [f"{name} belongs to {owners.get(name)}" for name in PACKAGES if owners.get(name) != ["xinyin"]]


def failing_imports(names: list[PurePosixPath]) -> list[str]:
    """Modules that cannot be imported, or are not imported from the installed wheel."""
    problems = []
    for name in names:
        if name.suffix != ".py" or name.parts[0] not in PACKAGES or "versions" in name.parts or name.name == "env.py":
            continue
        module = ".".join(name.with_suffix("").parts).removesuffix(".__init__")
        if module.endswith(".__main__"):
            continue
        try:
            found = importlib.import_module(module)
        except Exception as error:  # noqa: BLE001 - whatever an import raises is what is asked for
            problems.append(f"{module} cannot be imported: {error!r}")
        else:
            if sys.prefix not in (found.__file__ or ""):
                problems.append(f"{module} was imported from {found.__file__}")
    return problems


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
