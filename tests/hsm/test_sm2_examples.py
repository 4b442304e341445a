import subprocess
from pathlib import Path

import pytest

import hsm.softgm

HERE = Path(__file__).parent
SOURCES = Path(hsm.softgm.__file__).parent


@pytest.mark.hsm
def test_the_arithmetic_of_softgm_reproduces_the_examples_of_the_standard(tmp_path: Path) -> None:
    program = tmp_path / "vector"
    units = [HERE / "sm2_vector.c", SOURCES / "sm2.c", SOURCES / "der.c"]
    flags = ["-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined"]
    flags += ["-fno-sanitize-recover=all", f"-I{SOURCES}"]
    subprocess.run(["gcc", *flags, "-o", program, *units, "-lcrypto"], check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "ok"), done.stderr


@pytest.mark.hsm
def test_softgm_compiles_without_a_warning(tmp_path: Path) -> None:
    units = sorted(SOURCES.glob("*.c"))
    flags = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror"]
    flags += ["-fsyntax-only", "-I/usr/include/p11-kit-1"]
    subprocess.run(["gcc", *flags, *units], check=True, cwd=tmp_path)
