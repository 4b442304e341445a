"""Between the structures of GM/T 0018 and X.509."""

import struct

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from hsm.core import sdf
from hsm.core.sdf import EccForm
from trustcore.asn1 import encoder
from trustcore.crypto import sm2
from trustcore.errors import MalformedError

PRIVATE, POINT = sm2.generate()
ROOM = sdf.ECC_PUBLIC_KEY_BYTES


def ecc_structure(point: bytes, form: EccForm, *, bits: int = 256) -> bytes:
    padding = bytes(form.field_bytes - 32)
    return (struct.pack("=I", bits) + padding + point[1:33] + padding + point[33:]).ljust(ROOM, b"\0")


@pytest.mark.parametrize("form", EccForm)
def test_the_form_of_a_public_key_is_the_one_that_makes_it_a_point(form: EccForm) -> None:
    structure = ecc_structure(POINT, form)
    assert sdf.ecc_form(structure) is form
    assert sdf.ecc_public_key_der(structure, form) == sm2.public_key_der(POINT)


@given(st.binary(min_size=ROOM, max_size=ROOM))
def test_octets_that_are_no_public_key_have_no_form(structure: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        sdf.ecc_form(structure)
    assert caught.value.code == "hsm.key.public"


@pytest.mark.parametrize(
    "structure",
    [
        bytes(ROOM),
        ecc_structure(POINT, EccForm.WIDE, bits=512),
        ecc_structure(POINT[:-1] + bytes([POINT[-1] ^ 1]), EccForm.WIDE),
        struct.pack("=I", 256) + POINT[1:33] + bytes(32) + POINT[33:] + bytes(32),
    ],
    ids=["zero", "bits", "off the curve", "left-aligned"],
)
def test_a_public_key_off_the_curve_is_refused(structure: bytes) -> None:
    with pytest.raises(MalformedError):
        sdf.ecc_form(structure)
    if structure[:2] == b"\x00\x01":
        with pytest.raises(MalformedError):
            sdf.ecc_public_key_der(structure, EccForm.WIDE)


@pytest.mark.parametrize("form", EccForm)
def test_a_signature_is_read_right_aligned(form: EccForm) -> None:
    raw = bytes(range(64))
    padding = bytes(form.field_bytes - 32)
    structure = (padding + raw[:32] + padding + raw[32:]).ljust(sdf.ECC_SIGNATURE_BYTES, b"\xee")
    assert sdf.signature_raw(structure, form) == raw


@pytest.mark.parametrize("form", EccForm)
def test_a_ciphertext_is_written_as_the_standard_orders_it(form: EccForm) -> None:
    x, y, check, body = b"\x01" * 32, b"\x02" * 32, b"\x03" * 32, b"secret"
    der = encoder.sequence(
        encoder.integer(int.from_bytes(x, "big")),
        encoder.integer(int.from_bytes(y, "big")),
        encoder.octet_string(check),
        encoder.octet_string(body),
    )
    padding = bytes(form.field_bytes - 32)
    expected = padding + x + padding + y + check + struct.pack("=I", 6) + body
    assert sdf.cipher_structure(der, form) == expected


@pytest.mark.parametrize(
    "parts",
    [
        (encoder.integer(1), encoder.integer(1), encoder.octet_string(bytes(31)), encoder.octet_string(b"x")),
        (encoder.integer(1), encoder.integer(1), encoder.octet_string(bytes(32)), encoder.octet_string(b"")),
        (encoder.integer(1 << 256), encoder.integer(1), encoder.octet_string(bytes(32)), encoder.octet_string(b"x")),
        (encoder.integer(-1), encoder.integer(1), encoder.octet_string(bytes(32)), encoder.octet_string(b"x")),
        (encoder.integer(1), encoder.integer(1), encoder.octet_string(bytes(32))),
    ],
    ids=["short C3", "empty", "huge", "negative", "part missing"],
)
def test_a_ciphertext_of_another_form_is_refused(parts: tuple[bytes, ...]) -> None:
    with pytest.raises(MalformedError) as caught:
        sdf.cipher_structure(encoder.sequence(*parts), EccForm.WIDE)
    assert caught.value.code == "hsm.cipher.invalid"


@pytest.mark.parametrize(("bits", "field"), [(2048, 256), (2048, 512), (3072, 512)])
def test_an_rsa_key_is_read_whatever_the_width_of_its_fields(bits: int, field: int) -> None:
    numbers = rsa.generate_private_key(65537, bits).public_key().public_numbers()
    structure = struct.pack("=I", bits) + numbers.n.to_bytes(field, "big") + numbers.e.to_bytes(field, "big")
    found_bits, modulus, exponent = sdf.rsa_public_numbers(structure.ljust(sdf.RSA_PUBLIC_KEY_BYTES, b"\0"))
    assert (found_bits, int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")) == (bits, numbers.n, 65537)
    assert len(modulus) == bits // 8


def test_an_rsa_structure_without_a_key_is_refused() -> None:
    with pytest.raises(MalformedError):
        sdf.rsa_public_numbers(bytes(sdf.RSA_PUBLIC_KEY_BYTES))


def test_the_block_that_rsa_signs_is_that_of_pkcs_1() -> None:
    block = sdf.pkcs1_block(b"digest info", 256)
    assert len(block) == 256
    assert block == b"\x00\x01" + b"\xff" * (256 - 3 - 11) + b"\x00digest info"


def test_a_device_info_is_read_up_to_the_zero_bytes() -> None:
    structure = struct.pack("=40s16s16s7I", b"Maker", "型号".encode(), b"2026010100100001", 7, 1, 0, 0, 0, 0, 0)
    assert len(structure) == sdf.DEVICE_INFO_BYTES
    info = sdf.device_info(structure)
    assert (info.issuer, info.name, info.serial, info.version) == ("Maker", "型号", "2026010100100001", 7)
