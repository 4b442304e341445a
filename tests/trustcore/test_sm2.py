import subprocess
from pathlib import Path

import pytest
from gmssl.sm2 import CryptSM2
from hypothesis import given
from hypothesis import strategies as st

from trustcore.asn1 import encoder
from trustcore.crypto import sm2
from trustcore.errors import MalformedError

# GB/T 32918.5-2017 annex A.2: the worked example of the signature on the recommended curve.
PRIVATE = bytes.fromhex("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8")
POINT = bytes.fromhex(
    "04"
    "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
    "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
)
MESSAGE = b"message digest"
Z = "b2e14c5c79c6df5b85f4fe7ed8db7a262b9da7e07ccb0ea9f4747b8ccda8a4f3"
E = "f0b43e94ba45accaace692ed534382eb17e6ab5a19ce7b31f4486fdfc0d28640"
NONCE = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
R_S = (
    "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
)


def test_the_example_of_gb_t_32918_5_is_reproduced() -> None:
    e = sm2.message_digest(POINT, MESSAGE)
    signature_der = sm2.sign_digest(PRIVATE, e, nonce=lambda: NONCE)

    assert sm2.z_value(POINT).hex() == Z
    assert e.hex() == E
    assert sm2.signature_to_raw(signature_der).hex() == R_S
    assert sm2.verify(POINT, MESSAGE, signature_der)


def test_a_signature_is_right_only_for_its_message_key_and_identifier() -> None:
    private, point = sm2.generate()
    signature_der = sm2.sign_digest(private, sm2.message_digest(point, b"text"))

    assert sm2.verify(point, b"text", signature_der)
    assert not sm2.verify(point, b"texT", signature_der)
    assert not sm2.verify(POINT, b"text", signature_der)
    assert not sm2.verify(point, b"text", signature_der, identifier=b"ALICE123@YAHOO.COM")


@pytest.mark.parametrize(
    "signature_der",
    [
        b"",
        b"\x30\x00",
        encoder.sequence(encoder.integer(0), encoder.integer(1)),
        encoder.sequence(encoder.integer(1), encoder.integer(sm2.ORDER)),
        encoder.sequence(encoder.integer(-1), encoder.integer(1)),
        encoder.sequence(encoder.integer(1), encoder.integer(1), encoder.integer(1)),
    ],
    ids=["empty", "no-integers", "r-zero", "s-is-n", "r-negative", "three-integers"],
)
def test_a_malformed_signature_is_wrong_and_not_an_error(signature_der: bytes) -> None:
    assert not sm2.verify(POINT, MESSAGE, signature_der)


def test_a_signature_with_trailing_bytes_or_loose_lengths_is_wrong() -> None:
    good = sm2.sign_digest(PRIVATE, bytes.fromhex(E))
    loose = b"\x30\x81" + good[1:]

    assert sm2.verify(POINT, MESSAGE, good)
    assert not sm2.verify(POINT, MESSAGE, good + b"\x00")
    assert not sm2.verify(POINT, MESSAGE, loose)


def test_a_point_off_the_curve_is_refused() -> None:
    off_curve = POINT[:-1] + bytes([POINT[-1] ^ 1])

    with pytest.raises(MalformedError, match="not a point"):
        sm2.verify(off_curve, MESSAGE, sm2.sign_digest(PRIVATE, bytes.fromhex(E)))


@given(st.binary(min_size=1, max_size=200))
def test_decryption_undoes_encryption(plaintext: bytes) -> None:
    assert sm2.decrypt(PRIVATE, sm2.encrypt(POINT, plaintext)) == plaintext


def test_a_changed_ciphertext_is_refused() -> None:
    ciphertext = bytearray(sm2.encrypt(POINT, b"hello world"))
    ciphertext[-1] ^= 1

    with pytest.raises(MalformedError) as caught:
        sm2.decrypt(PRIVATE, bytes(ciphertext))
    assert caught.value.code == "crypto.sm2.decrypt"


def test_gmssl_computes_the_same_and_accepts_what_we_sign() -> None:
    private, point = sm2.generate()
    theirs = CryptSM2(private_key=private.hex(), public_key=point[1:].hex(), asn1=False)
    signature_raw = sm2.signature_to_raw(sm2.sign_digest(private, sm2.message_digest(point, MESSAGE)))

    assert theirs._sm3_z(MESSAGE) == sm2.message_digest(point, MESSAGE).hex()
    assert theirs.verify(signature_raw.hex(), sm2.message_digest(point, MESSAGE))
    assert sm2.verify(point, MESSAGE, sm2.signature_to_der(bytes.fromhex(theirs.sign_with_sm3(MESSAGE))))


def test_the_openssl_command_accepts_what_we_sign_with_the_identifier_only(tmp_path: Path) -> None:
    private, point = sm2.generate()
    files = {
        "key.der": sm2.public_key_der(point),
        "message": MESSAGE,
        "signature": sm2.sign_digest(private, sm2.message_digest(point, MESSAGE)),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    command = ["openssl", "dgst", "-sm3", "-verify", "key.der", "-keyform", "DER", "-signature", "signature"]
    identifier = ["-sigopt", f"distid:{sm2.DEFAULT_ID.decode()}"]

    with_identifier = subprocess.run([*command, *identifier, "message"], cwd=tmp_path, check=False, capture_output=True)
    without = subprocess.run([*command, "message"], cwd=tmp_path, check=False, capture_output=True)

    assert with_identifier.returncode == 0
    assert without.returncode != 0
