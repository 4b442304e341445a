"""Clients that are not ours use the software machines: OpenSC's pkcs11-tool and GnuTLS's p11tool; OpenSSL judges."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hsm import software
from hsm.core.encoding import ec_public_key_der
from hsm.softgm import library_path
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import KeyAlgorithm

from support.cryptoki import A, Cryptoki, mechanism
from support.softgm_numbers import (
    CKK_SM2,
    EC_KEY_PAIR_GEN,
    PRIVATE_TEMPLATE,
    PUBLIC_TEMPLATE,
    SM2_KEY_PAIR_GEN,
    make_sm4,
)

pytestmark = [
    pytest.mark.hsm,
    pytest.mark.interop,
    pytest.mark.skipif(
        not (shutil.which("pkcs11-tool") and shutil.which("p11tool")), reason="needs the packages opensc and gnutls-bin"
    ),
]

TOKEN = "xinyin-1"
SM2_RAW_E, SM2_DER_MESSAGE, SM3 = "0x80008105", "0x80008103", "0x80009001"
DISTINGUISHED = "distid:1234567812345678"

Tool = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def environment(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("SOFTHSM2_CONF", str(software.configuration_file(data_dir).absolute()))
    return {**os.environ, "XINYIN_PIN": pin_of(data_dir), "GNUTLS_PIN": pin_of(data_dir), "LC_ALL": "C"}


def pin_of(data_dir: Path) -> str:
    return (data_dir / "secrets" / "hsm_pin").read_text().strip()


def module_of(data_dir: Path) -> Path:
    return library_path(software.module_cache(data_dir))


@pytest.fixture
def opensc(data_dir: Path, environment: dict[str, str], tmp_path: Path) -> Tool:
    """pkcs11-tool with the first machine."""

    def run(*arguments: str, pin: str | None = "env:XINYIN_PIN", ok: bool = True) -> subprocess.CompletedProcess[bytes]:
        command = ["pkcs11-tool", "--module", str(module_of(data_dir))]
        login = ["--token-label", TOKEN, "--pin", pin] if pin is not None else []
        done = subprocess.run(
            [*command, *login, *arguments], capture_output=True, check=False, env=environment, cwd=tmp_path, timeout=120
        )
        assert (done.returncode == 0) is ok, done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def gnutls(data_dir: Path, environment: dict[str, str], tmp_path: Path) -> Tool:
    """p11tool with the software machines."""

    def run(*arguments: str, pin: str | None = None, ok: bool = True) -> subprocess.CompletedProcess[bytes]:
        command = ["p11tool", "--batch", "--provider", str(module_of(data_dir)), *arguments]
        given = environment | ({"GNUTLS_PIN": pin} if pin is not None else {})
        done = subprocess.run(command, capture_output=True, check=False, env=given, cwd=tmp_path, timeout=120)
        assert (done.returncode == 0) is ok, done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def openssl(tmp_path: Path) -> Callable[..., str]:
    def run(*arguments: str) -> str:
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False, cwd=tmp_path)
        return done.stdout.strip()

    return run


@pytest.fixture
def sm2_keys(data_dir: Path, environment: dict[str, str], inner_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither tool makes keys on the curve of SM2: one as CKK_EC with identifier 03, one as CKK_SM2 with 04."""
    monkeypatch.setenv("SOFTGM_INNER", str(inner_copy))
    module = Cryptoki(module_of(data_dir))
    module.demand("Initialize", None)
    session = module.open(TOKEN, pin_of(data_dir))
    for number, how in ((3, EC_KEY_PAIR_GEN), (4, SM2_KEY_PAIR_GEN)):
        common = {A.TOKEN: True, A.ID: bytes([number]), A.LABEL: f"sm2-{number}"}
        session.generate_pair(mechanism(how), PUBLIC_TEMPLATE | common, PRIVATE_TEMPLATE | common)
    make_sm4(session, TOKEN=True, LABEL="sm4", ID=b"\x05")
    module.demand("Finalize", None)


def point_in(listing: bytes) -> bytes:
    """The public point that pkcs11-tool shows."""
    found = re.search(rb"EC_POINT:\s+0441(04[0-9a-f]{128})", listing)
    assert found is not None
    return bytes.fromhex(found[1].decode())


# ---- pkcs11-tool -----------------------------------------------------------------------------------------------------


def test_opensc_lists_slots_and_mechanisms(opensc: Tool) -> None:
    slots = opensc("--list-slots", pin=None).stdout
    assert all(f"token label        : xinyin-{number}".encode() in slots for number in (1, 2, 3))
    mechanisms = opensc("--list-mechanisms").stdout
    for line in (
        b"mechtype-0x80008105, keySize={256,256}, sign, verify",
        b"mechtype-0x80009001, digest",
        b"mechtype-0x8000010A, keySize={16,16}, encrypt, decrypt, wrap, unwrap",
        b"SHA256-RSA-PKCS, keySize=",
    ):
        assert line in mechanisms


@pytest.mark.usefixtures("sm2_keys")
def test_opensc_sees_sm2_and_sm4_keys_as_keys_that_never_leave(opensc: Tool, tmp_path: Path) -> None:
    listing = opensc("--list-objects").stdout
    assert listing.count(b"Access:     sensitive, always sensitive, never extractable, local") >= 3
    assert b"EC_PARAMS:  06082a811ccf5501822d" in listing
    assert f"unknown key algorithm {CKK_SM2}".encode() in listing
    failed = opensc("--read-object", "--type", "secrkey", "--id", "05", "-o", "value", ok=False)
    assert b"CKR_ATTRIBUTE_SENSITIVE" in failed.stdout + failed.stderr or b"failed" in failed.stderr
    assert not (tmp_path / "value").exists()


def test_opensc_makes_an_rsa_key_and_openssl_accepts_its_signature(
    opensc: Tool, openssl: Callable[..., str], tmp_path: Path
) -> None:
    opensc("--keypairgen", "--key-type", "rsa:2048", "--label", "r", "--id", "01")
    opensc("--read-object", "--type", "pubkey", "--id", "01", "-o", "key.der")
    (tmp_path / "message").write_bytes(b"message")
    (tmp_path / "other").write_bytes(b"messagf")
    opensc("--sign", "--id", "01", "-m", "SHA256-RSA-PKCS", "-i", "message", "-o", "signature")
    verify = ("dgst", "-sha256", "-keyform", "DER", "-verify", "key.der", "-signature", "signature")
    assert openssl(*verify, "message") == "Verified OK"
    assert openssl(*verify, "other") == "Verification failure"


def test_opensc_makes_a_p256_key_and_openssl_accepts_its_signature(
    opensc: Tool, openssl: Callable[..., str], tmp_path: Path
) -> None:
    opensc("--keypairgen", "--key-type", "EC:prime256v1", "--label", "e", "--id", "02")
    opensc("--read-object", "--type", "pubkey", "--id", "02", "-o", "key.der")
    (tmp_path / "digest").write_bytes(bytes(range(32)))
    opensc(
        "--sign", "--id", "02", "-m", "ECDSA", "-i", "digest", "-o", "signature", "--signature-format", "openssl"
    )  # fmt: skip
    answer = openssl(
        "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key.der", "-in", "digest", "-sigfile", "signature"
    )
    assert answer == "Signature Verified Successfully"


@pytest.mark.usefixtures("sm2_keys")
@pytest.mark.parametrize("identifier", ["03", "04"])
def test_opensc_signs_with_sm2_by_the_vendors_number(opensc: Tool, tmp_path: Path, identifier: str) -> None:
    e = bytes(range(32))
    (tmp_path / "e").write_bytes(e)
    opensc("--sign", "--id", identifier, "-m", SM2_RAW_E, "-i", "e", "-o", "signature")
    (tmp_path / "other").write_bytes(bytes(32))
    check = ("--verify", "--id", identifier, "-m", SM2_RAW_E, "--signature-file", "signature", "-i")
    assert b"Signature is valid" in opensc(*check, "e").stdout
    assert b"Signature is valid" not in opensc(*check, "other").stdout
    if identifier == "03":  # the tool does not show the points of keys of types that it does not know
        point = point_in(opensc("--list-objects", "--type", "pubkey", "--id", identifier).stdout)
        signature = (tmp_path / "signature").read_bytes()
        assert sm2.verify_digest(point, e, sm2.signature_to_der(signature))


@pytest.mark.usefixtures("sm2_keys")
def test_openssl_accepts_the_sm2_signature_that_opensc_had_made(
    opensc: Tool, openssl: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "message").write_bytes(b"message")
    (tmp_path / "other").write_bytes(b"messagf")
    opensc("--sign", "--id", "03", "-m", SM2_DER_MESSAGE, "-i", "message", "-o", "signature")
    point = point_in(opensc("--list-objects", "--type", "pubkey", "--id", "03").stdout)
    (tmp_path / "key.der").write_bytes(ec_public_key_der(KeyAlgorithm.SM2, point))
    verify = ("dgst", "-sm3", "-keyform", "DER", "-verify", "key.der", "-signature", "signature", "-sigopt")
    assert openssl(*verify, DISTINGUISHED, "message") == "Verified OK"
    assert openssl(*verify, DISTINGUISHED, "other") == "Verification failure"
    assert openssl(*verify, "distid:someone else", "message") == "Verification failure"


def test_opensc_digests_with_sm3_and_draws_random_bytes(
    opensc: Tool, openssl: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "message").write_bytes(b"message")
    opensc("--hash", "-m", SM3, "-i", "message", "-o", "digest")
    assert openssl("dgst", "-sm3", "-r", "message").startswith((tmp_path / "digest").read_bytes().hex())
    one, other = opensc("--generate-random", "32").stdout, opensc("--generate-random", "32").stdout
    assert len(one) == len(other) == 32
    assert one != other


def test_opensc_is_told_of_a_wrong_pin(opensc: Tool) -> None:
    assert b"CKR_PIN_INCORRECT" in opensc("--login", "--list-objects", pin="000000", ok=False).stderr


# ---- p11tool ---------------------------------------------------------------------------------------------------------

URL = f"pkcs11:token={TOKEN}"


def test_gnutls_lists_tokens_and_mechanisms(gnutls: Tool) -> None:
    tokens = gnutls("--list-tokens").stdout
    assert all(f"token=xinyin-{number}".encode() in tokens for number in (1, 2, 3))
    assert b"[0x80008105] UNKNOWN keysize range (256, 256) sign verify" in gnutls("--list-mechanisms", URL).stdout


@pytest.mark.usefixtures("sm2_keys")
def test_gnutls_sees_sm2_and_sm4_keys(gnutls: Tool) -> None:
    listing = gnutls("--login", "--list-all", URL).stdout
    for name in (b"object=sm2-3;type=private", b"object=sm2-4;type=private", b"object=sm4;type=secret-key"):
        assert name in listing
    flags = re.findall(rb"object=(sm2-\d|sm4);type=(?:private|secret-key)\n(?:.*\n){2}\s+Flags: (.*)\n", listing)
    assert len(flags) == 3
    assert all(b"CKA_NEVER_EXTRACTABLE; CKA_SENSITIVE" in found for _, found in flags)


@pytest.mark.parametrize(("kind", "size"), [("rsa", ("--bits", "2048")), ("ecdsa", ("--curve", "secp256r1"))])
def test_gnutls_makes_a_key_and_signs_with_it(gnutls: Tool, kind: str, size: tuple[str, str]) -> None:
    gnutls("--login", f"--generate-privkey={kind}", *size, "--label", "made", URL, "--outfile", "public.pem")
    signed = gnutls("--login", "--test-sign", f"{URL};object=made;type=private")
    assert (signed.stdout + signed.stderr).count(b"... ok") == 3


def test_gnutls_draws_random_bytes(gnutls: Tool) -> None:
    assert len(gnutls("--generate-random", "24", URL).stdout) == 24


def test_gnutls_is_told_of_a_wrong_pin(gnutls: Tool) -> None:
    failed = gnutls("--login", "--list-privkeys", URL, pin="000000", ok=False)
    assert b"PIN" in failed.stdout + failed.stderr or b"password" in failed.stdout + failed.stderr
