"""Our own SM2 arithmetic beside libcrypto's."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

import hsm.softgm
from hsm.softgm.build import arithmetic_sources
from trustcore.native import FLAGS

pytestmark = [pytest.mark.hsm, pytest.mark.xdist_group("sm2-cross")]

HERE = Path(__file__).parent
LEAKS = {
    b"in_range = borrow & (any != 0);": b"in_range = memcmp(scalar, ORDER, SM2_BYTES) < 0 && any;",
    b"seen |= block[i];": b"seen = block[i] ? 1 : seen;\n            if (block[i] == 7) seen |= 2;",
}
"""Branches on a nonce and on a derived key; the check has to notice."""
REPORTS = """
#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>
#include "sm2.h"

int main(void) {
    struct sm2_secret secret;
    uint8_t d[32], k[32], e[32] = {0}, signature[64];
    unsigned before;
    int retry;

    memset(d, 0x11, 32);
    memset(k, 0x77, 32);
    if (!RUNNING_ON_VALGRIND || !sm2_start() || !sm2_secret_from_scalar(&secret, d))
        return 2;
    before = VALGRIND_COUNT_ERRORS;
    VALGRIND_MAKE_MEM_UNDEFINED(secret.inverse_mont, 32);
    VALGRIND_MAKE_MEM_UNDEFINED(k, 32);
    if (!sm2_sign_digest_with_nonce(&secret, e, k, signature, &retry))
        return 3;
    printf("%s %u", sm2_engine_name(), VALGRIND_COUNT_ERRORS - before);
    return 0;
}
"""


def build(folder: Path, source: Path, *options: str, changes: Mapping[bytes, bytes] | None = None) -> Path:
    """The program over the arithmetic, or over one of which ``sm2.c`` was changed."""
    sources = dict(arithmetic_sources())
    for part, other in (changes or {}).items():
        assert sources["sm2.c"].count(part) == 1
        sources["sm2.c"] = sources["sm2.c"].replace(part, other)
    for name, text in sources.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(text)
    flags = [flag for flag in FLAGS if flag not in {"-shared", "-fPIC"}] + [f"-I{Path(hsm.softgm.__file__).parent}"]
    units = [name for name in sources if name.endswith(".c")]
    subprocess.run(
        ["gcc", *flags, *options, "-I.", "-o", "program", source, *units, "-lcrypto"], check=True, cwd=folder
    )
    return folder / "program"


@pytest.fixture(scope="session")
def cross(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("cross"), HERE / "sm2_cross.c")


def test_both_arithmetics_agree_on_hundreds_of_cases(cross: Path) -> None:
    done = subprocess.run([cross, "500", "1"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "500 cases agree\n"), done.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_both_arithmetics_agree_on_a_hundred_thousand_cases(cross: Path) -> None:
    runs = [
        subprocess.Popen([cross, "50000", seed], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for seed in ("2", "3")
    ]
    outputs = [run.communicate() for run in runs]
    assert [output for output, _ in outputs] == ["50000 cases agree\n"] * 2, outputs


def reported(program: Path, engine: str, *arguments: str) -> int:
    """How many branches and addresses of this engine depend on secrets."""
    environment = os.environ | {"SOFTGM_ENGINE": engine}
    command = ["valgrind", "-q", "--error-limit=no", str(program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    name, number = done.stdout.split()
    assert name == engine
    return int(number)


def test_secrets_show_in_branches_of_libcrypto_and_not_in_ours(tmp_path: Path) -> None:
    (tmp_path / "reports.c").write_text(REPORTS)
    program = build(tmp_path, tmp_path / "reports.c", "-DSM2_NATIVE_CTGRIND")
    assert reported(program, "native") == 0
    assert reported(program, "libcrypto") > 100


@pytest.mark.parametrize("changes", [{}, LEAKS], ids=["as it is", "with leaks"])
def test_no_nonce_shows_where_it_is_drawn_and_no_secret_where_keys_are_derived(
    tmp_path: Path, changes: dict[bytes, bytes]
) -> None:
    program = build(tmp_path, HERE / "sm2_nonces.c", "-DSM2_NATIVE_CTGRIND", changes=changes)
    for act in ("sign", "encrypt"):
        assert (reported(program, "native", act) > 0) is bool(changes)
