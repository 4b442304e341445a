"""softgm under AddressSanitizer and UndefinedBehaviorSanitizer: random programs of calls, and the other tests again.

A long search with libFuzzer, by hand (clang and libclang-rt-*-dev)::

    clang -fsanitize=fuzzer,address,undefined -g -O1 -D_GNU_SOURCE -I/usr/include/p11-kit-1 -Ihsm/softgm \
        -Itrustcore/crypto -o fuzz tests/hsm/fuzz/fuzz.c hsm/softgm/*.c trustcore/crypto/native/*.c -lcrypto -ldl
    FUZZ_DIRECTORY=$(mktemp -d) ./fuzz -max_len=700 corpus/

What it finds goes to tests/hsm/fuzz/found.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import hsm.softgm
import trustcore.crypto.native

pytestmark = [pytest.mark.hsm, pytest.mark.xdist_group("softgm-sanitized")]

HERE = Path(__file__).parent
SOURCES = Path(hsm.softgm.__file__).parent
NATIVE = Path(trustcore.crypto.native.__file__).parent
FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
FLAGS += [f"-I{SOURCES}", f"-I{NATIVE.parent}", "-I/usr/include/p11-kit-1"]
LIBRARIES = ["-lcrypto", "-lpthread", "-ldl"]
PROGRAMS = 600
"""So many random programs of calls; the seed is fixed, so that a failure comes again."""

UNDER_SANITIZERS = ("sm4", "masks", "agreement", "interfaces", "wrapping", "sessions", "hostile")

MUST_SUCCEED = {
    "CreateObject", "GenerateKey", "GenerateKeyPair", "GetAttributeValue", "SetAttributeValue", "CopyObject",
    "FindObjectsInit", "FindObjects", "FindObjectsFinal", "DestroyObject", "WrapKey", "EncryptInit", "Encrypt",
    "EncryptUpdate", "EncryptFinal", "DecryptInit", "DecryptUpdate", "DigestInit", "Digest", "DigestUpdate",
    "DigestFinal", "SignInit", "Sign", "SignUpdate", "SignFinal", "VerifyInit", "VerifyUpdate", "Sign and Verify",
    "Encrypt and Decrypt", "CloseSession",
}  # fmt: skip
"""Functions that random programs must get to work, or else they search nothing."""


def units() -> list[Path]:
    return [*sorted(SOURCES.glob("*.c")), *sorted(NATIVE.glob("*.c"))]


@pytest.fixture(scope="session")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("sanitized") / "calls"
    driver = HERE / "fuzz" / "fuzz.c"
    subprocess.run(["gcc", *FLAGS, "-DSTANDALONE", "-o", program, driver, *units(), *LIBRARIES], check=True)
    return program


def run(calls: Path, folder: Path, *arguments: str | Path) -> str:
    environment = {**os.environ, "FUZZ_DIRECTORY": str(folder)}
    done = subprocess.run([calls, *arguments], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def test_random_programs_find_no_fault_and_no_planted_key(calls: Path, tmp_path: Path) -> None:
    succeeded = {}
    for line in run(calls, tmp_path, "--random", "20261122", str(PROGRAMS)).splitlines():
        name, _, successes = line.rsplit(" ", 2)
        succeeded[name] = int(successes)
    assert {name for name in MUST_SUCCEED if not succeeded[name]} == set()


def test_what_was_found_once_is_not_found_again(calls: Path, tmp_path: Path) -> None:
    found = sorted((HERE / "fuzz" / "found").iterdir())
    assert run(calls, tmp_path, *found).strip() == "ok"


def find_library(name: str) -> str:
    asked = subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    return asked.stdout.strip()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_tests_of_softgm_pass_under_the_sanitizers(tmp_path: Path) -> None:
    library = tmp_path / "softgm.so"
    shared = ["-shared", "-fPIC", "-fvisibility=hidden", "-Wl,-z,now"]
    subprocess.run(["gcc", *FLAGS, *shared, "-o", library, *units(), *LIBRARIES], check=True)
    # libstdc++ too: AddressSanitizer looks for the exceptions of SoftHSM's C++ when it starts.
    preloaded = [find_library(name) for name in ("libasan.so", "libstdc++.so.6")]
    tests = [HERE / f"test_softgm_{name}.py" for name in UNDER_SANITIZERS]
    environment = {
        **os.environ,
        "SOFTGM_TEST_LIBRARY": str(library),
        "LD_PRELOAD": " ".join(preloaded),
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1",  # the interpreter's own are none of ours
        "PYTHONMALLOC": "malloc",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-n0", "-p", "no:cacheprovider", "-p", "no:randomly", *tests]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, cwd=HERE.parents[1], timeout=1200
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
