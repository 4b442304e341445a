"""The ctgrind way: memcheck takes private values for undefined and reports what depends on them."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from trustcore.native import FLAGS, package_sources

from support.sm2_codes import SM2_CODES

pytestmark = pytest.mark.xdist_group("sm2-secrets")

DRIVER = Path(__file__).with_name("sm2_secrets.c")


def compile_driver(folder: Path, sources: Mapping[str, bytes]) -> Path:
    """The driver over these sources, with the product's own options."""
    for name, text in sources.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(text)
    options = [flag for flag in FLAGS if flag not in {"-shared", "-fPIC"}]
    units = [name for name in sources if name.endswith(".c")]
    command = ["gcc", *options, "-DSM2_NATIVE_CTGRIND", "-I.", "-o", "secrets", DRIVER, *units]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "secrets"


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_driver(tmp_path_factory.mktemp("secrets"), package_sources("trustcore.crypto.native", "native/"))


@pytest.fixture(scope="session")
def leaky_driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a table read by its index, and a branch, where the real code masks."""
    sources = dict(package_sources("trustcore.crypto.native", "native/"))
    select = b"comb_select(&point, sm2_native_table[j], magnitude);"
    is_scalar = b"return mask_of_bit(below) & ~number_is_zero(a);"
    changes = {
        "native/comb.h": {select: b"point = sm2_native_table[j][(magnitude + 63) & 63];"},
        "native/multiply.h": {
            b"projective_select(&chosen, table, (uint32_t)": b"chosen = table[(uint32_t)",
            b"(4 * (digit % 16))) & 15);": b"(4 * (digit % 16))) & 15];",
        },
        "native/order.h": {is_scalar: b"return below && (a->w[0] | a->w[1] | a->w[2] | a->w[3]) ? ~(uint64_t)0 : 0;"},
    }
    for name, lines in changes.items():
        for line, leak in lines.items():
            assert sources[name].count(line) == 1
            sources[name] = sources[name].replace(line, leak)
    return compile_driver(tmp_path_factory.mktemp("leaks"), sources)


def run(program: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["valgrind", "-q", program, code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("code", SM2_CODES)
def test_no_branch_and_no_address_depends_on_a_private_value(driver: Path, code: str) -> None:
    done = run(driver, code)

    assert done.stdout == f"{code}: no secret shows\n", done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize("code", SM2_CODES)
def test_code_that_leaks_is_reported(leaky_driver: Path, code: str) -> None:
    done = run(leaky_driver, code)

    assert done.returncode == 1
    assert {
        "depends on a secret: the range of a scalar",
        "depends on a secret: a multiple of G",
        "depends on a secret: a multiple of a point",
        "depends on a secret: a signature",
    } <= set(done.stdout.splitlines())
