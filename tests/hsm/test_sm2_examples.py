import os
import subprocess
from pathlib import Path

import pytest

import hsm.softgm
from hsm.softgm.build import arithmetic_sources

pytestmark = [pytest.mark.hsm, pytest.mark.xdist_group("sm2-examples")]

HERE = Path(__file__).parent
SOURCES = Path(hsm.softgm.__file__).parent


@pytest.fixture(scope="session")
def vector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples over softgm's arithmetic, with what finds wild reads and undefined behaviour."""
    folder = tmp_path_factory.mktemp("sm2-vector")
    for name, text in arithmetic_sources().items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(text)
    units = [name for name in arithmetic_sources() if name.endswith(".c")]
    flags = ["-std=c11", "-O1", "-fno-inline", "-g", "-Wall", "-Wextra", "-Werror"]
    flags += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-I.", f"-I{SOURCES}"]
    command = ["gcc", *flags, "-o", "vector", HERE / "sm2_vector.c", SOURCES / "der.c", *units, "-lcrypto"]
    subprocess.run(command, check=True, cwd=folder)
    return folder / "vector"


@pytest.mark.parametrize("engine", ["libcrypto", "native", ""])
def test_the_arithmetic_of_softgm_reproduces_the_examples_of_the_standard(vector: Path, engine: str) -> None:
    environment = os.environ | {"SOFTGM_ENGINE": engine}
    done = subprocess.run([vector], capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stdout.strip()) == (0, f"ok with {engine or 'native'}"), done.stderr


def test_an_arithmetic_that_there_is_not_is_refused(vector: Path) -> None:
    environment = os.environ | {"SOFTGM_ENGINE": "fastest"}
    done = subprocess.run([vector], capture_output=True, text=True, check=False, env=environment)
    assert "the arithmetic is there" in done.stderr


def test_softgm_compiles_without_a_warning(tmp_path: Path) -> None:
    units = sorted(SOURCES.glob("*.c"))
    native = Path(hsm.softgm.__file__).parents[2] / "trustcore" / "crypto"
    flags = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror"]
    flags += ["-fsyntax-only", "-I/usr/include/p11-kit-1", f"-I{native}"]
    subprocess.run(["gcc", *flags, *units, *sorted((native / "native").glob("*.c"))], check=True, cwd=tmp_path)
