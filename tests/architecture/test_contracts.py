"""The import contracts of pyproject.toml hold the house up only if they bite."""

import shutil
import subprocess
import sys
from pathlib import Path

PLANTED = {
    "hsm/planted.py": ("import ca.planted", "Packages are layered; services know nothing of each other"),
    "ca/planted.py": ("import pkcs11", "Only hsm knows PKCS#11"),
    "ca/core/planted.py": ("import sqlalchemy", "Cores are pure"),
    "ca/store.py": ("import ca.web", "Inside a service, imports go from the edge to the core"),
    "trustcore/errors.py": ("import trustcore.x509", "Inside trustcore, imports go down"),
    "ofd/planted.py": ("import fastapi", "The OFD library knows no web and no database"),
    "ofd/verify/planted.py": ("import ofd.model.document", "What is signed and verified is read strictly"),
    "sso/cycle/__init__.py": ("import sso.planted", "No cycles"),
    "sso/planted.py": ("import sso.cycle", "No cycles"),
}


def test_a_planted_violation_breaks_each_contract(tmp_path: Path, root: Path, packages: tuple[str, ...]) -> None:
    for package in packages:
        shutil.copytree(root / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    shutil.copy(root / "pyproject.toml", tmp_path)
    for name, (line, _) in PLANTED.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{line}\n", encoding="utf-8")
    result = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1, result.stderr
    for contract in sorted({contract for _, contract in PLANTED.values()}):
        assert f"{contract} BROKEN" in result.stdout, result.stdout
