"""Private keys in files, as OpenSSL writes them."""

import subprocess
from pathlib import Path

import pytest

from trustcore.crypto.algorithms import SignatureAlgorithm
from trustcore.crypto.key_files import load_signer
from trustcore.crypto.verify import verify
from trustcore.errors import MalformedError, RejectedError

PASSWORD = b"a long password"
KINDS = {
    "sm2": (("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2"), SignatureAlgorithm.SM2_SM3),
    "p256": (("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"), SignatureAlgorithm.ECDSA_SHA256),
    "rsa": (("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"), SignatureAlgorithm.RSA_SHA256),
}


def openssl(*arguments: str, data: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


def generated(kind: str) -> bytes:
    return openssl("genpkey", *KINDS[kind][0])


def assert_signs(data: bytes, kind: str, password: bytes | None = None) -> None:
    signer = load_signer(data, password=password, certificate=b"der")
    assert (signer.algorithm, signer.certificate) == (KINDS[kind][1], b"der")
    assert verify(signer.public_key_der, signer.algorithm, b"message", signer.sign(b"message"))


@pytest.mark.parametrize("kind", KINDS)
def test_keys_of_every_kind_and_form_sign(kind: str) -> None:
    pem = generated(kind)
    public = openssl("pkey", "-pubout", "-outform", "DER", data=pem)
    assert load_signer(pem).public_key_der == public
    traditional = openssl("rsa", "-traditional", data=pem) if kind == "rsa" else openssl("ec", data=pem)
    for form in (pem, openssl("pkey", "-outform", "DER", data=pem), traditional):
        assert_signs(form, kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cipher", ["-aes128", "-aes256"])
def test_encrypted_keys_need_their_password(kind: str, cipher: str, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_bytes(PASSWORD)
    sealed = openssl("pkcs8", "-topk8", "-v2", cipher[1:], "-passout", f"file:{secret}", data=generated(kind))
    assert_signs(sealed, kind, PASSWORD)
    for wrong in (None, b"", b"other"):
        with pytest.raises(RejectedError) as caught:
            load_signer(sealed, password=wrong)
        assert caught.value.code == "crypto.key-file.password"


def test_an_sm4_encrypted_key_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_bytes(PASSWORD)
    sealed = openssl(
        "pkcs8", "-topk8", "-v2", "sm4", "-v2prf", "hmacWithSHA256", "-passout", f"file:{secret}", data=generated("sm2")
    )
    assert_signs(sealed, "sm2", PASSWORD)


def test_other_keys_are_refused() -> None:
    for arguments in (("ED25519",), ("EC", "-pkeyopt", "ec_paramgen_curve:P-384")):
        with pytest.raises(RejectedError) as caught:
            load_signer(openssl("genpkey", "-algorithm", *arguments))
        assert caught.value.code == "crypto.key-file.algorithm"


def armoured(content: str) -> bytes:
    """PEM (RFC 7468) of something that is no key."""
    dashes = 5 * "-"
    return f"{dashes}BEGIN PRIVATE KEY{dashes}\n{content}\n{dashes}END PRIVATE KEY{dashes}".encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30\x00",
        armoured("!"),
        armoured("MAA="),
        b"\x30\x80",
    ],
)
def test_what_is_no_key_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        load_signer(data)
    assert caught.value.code == "crypto.key-file"


def test_a_private_value_outside_the_curve_is_refused() -> None:
    der = openssl("pkey", "-outform", "DER", data=generated("sm2"))
    start = der.index(b"\x02\x01\x01\x04\x20") + 5
    for value in (bytes(32), b"\xff" * 32):
        with pytest.raises(MalformedError):
            load_signer(der[:start] + value + der[start + 32 :])
