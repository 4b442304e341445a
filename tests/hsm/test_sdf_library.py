"""What libsdf answers at its own interface, as another maker's program would call it."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cffi import FFI
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB

from hsm.core import sdf
from hsm.libsdf import console, library_sources
from trustcore.crypto import sm2
from trustcore.crypto.digests import sm3

from support.sdf_devices import PASSWORD, Workshop

pytestmark = pytest.mark.hsm

OK, BASE = 0, 0x01000000
NOT_THERE, NO_RIGHT, STEP, INPUT, OUTPUT = BASE + 0x08, BASE + 0x07, BASE + 0x10, BASE + 0x1D, BASE + 0x1E
SM4_ECB, SM4_CBC, SM4_MAC = 0x401, 0x402, 0x410
SM2_SIGN, SM2_ENCRYPT, HASH_SM3 = 0x20200, 0x20800, 1


def header() -> str:
    """Libsdf's own header, as a compiler would see it."""
    lines = library_sources()["sdf.h"].decode()
    done = subprocess.run(["gcc", "-E", "-P", "-x", "c", "-"], input=lines, capture_output=True, text=True, check=True)
    text = done.stdout.replace('__attribute__((visibility("default")))', "")
    return "\n".join(line for line in text.splitlines() if not line.startswith("#pragma"))


class Device:
    """An open device and a session with it."""

    def __init__(self, library: Path) -> None:
        self.ffi = FFI()
        self.ffi.cdef(header(), packed=True)
        self.lib: Any = self.ffi.dlopen(str(library))
        handle = self.ffi.new("void **")
        assert self.lib.SDF_OpenDevice(handle) == OK
        self.device = handle[0]
        self.session = self.open_session()

    def open_session(self) -> Any:
        handle = self.ffi.new("void **")
        assert self.lib.SDF_OpenSession(self.device, handle) == OK
        return handle[0]

    def unlock(self, index: int, session: Any = None) -> int:
        password = PASSWORD.get_secret_value().encode()
        return self.lib.SDF_GetPrivateKeyAccessRight(session or self.session, index, password, len(password))

    def public_key(self, index: int, *, encryption: bool = False) -> Any:
        key = self.ffi.new("ECCrefPublicKey *")
        export = self.lib.SDF_ExportEncPublicKey_ECC if encryption else self.lib.SDF_ExportSignPublicKey_ECC
        assert export(self.session, index, key) == OK
        return key

    def point(self, key: Any) -> bytes:
        structure = bytes(self.ffi.buffer(key))
        return sm2.public_point(sdf.ecc_public_key_der(structure, sdf.ecc_form(structure)))

    def signature(self) -> Any:
        return self.ffi.new("ECCSignature *")

    def cipher(self, length: int) -> Any:
        room = self.ffi.new("unsigned char[]", self.ffi.sizeof("ECCCipher") + length)
        self.rooms = [*getattr(self, "rooms", []), room]
        return self.ffi.cast("ECCCipher *", room)

    def output(self, length: int) -> tuple[Any, Any]:
        return self.ffi.new("unsigned char[]", length), self.ffi.new("unsigned int *", length)


@pytest.fixture
def device(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    folder = workshop.device("one", sm2=(1, 2), rsa=(3,))
    console.make_kek(folder, 5, cache_dir=workshop.cache_dir)
    monkeypatch.setenv("LIBSDF_CONFIG", str(console.configuration_file(folder)))
    opened = Device(workshop.library)
    yield opened
    assert opened.lib.SDF_CloseSession(opened.session) == OK
    assert opened.lib.SDF_CloseDevice(opened.device) == OK


def test_structures_are_packed_as_the_standard_lays_them_out(device: Device) -> None:
    sizes = {name: device.ffi.sizeof(name) for name in ("DEVICEINFO", "ECCrefPublicKey", "ECCSignature")}
    assert sizes == {"DEVICEINFO": 100, "ECCrefPublicKey": 132, "ECCSignature": 128}
    assert device.ffi.sizeof("RSArefPublicKey") == 516
    assert device.ffi.offsetof("ECCCipher", "C") == 164


def test_a_private_key_wants_its_right_in_this_session(device: Device) -> None:
    lib, e = device.lib, bytes(32)
    assert lib.SDF_InternalSign_ECC(device.session, 1, e, 32, device.signature()) == NO_RIGHT
    assert lib.SDF_GetPrivateKeyAccessRight(device.session, 1, b"wrong-password", 14) == BASE + 0x18
    assert lib.SDF_GetPrivateKeyAccessRight(device.session, 9, b"wrong-password", 14) == NOT_THERE
    assert device.unlock(1) == OK
    assert lib.SDF_InternalSign_ECC(device.session, 1, e, 32, device.signature()) == OK
    other = device.open_session()
    assert lib.SDF_InternalSign_ECC(other, 1, e, 32, device.signature()) == NO_RIGHT
    assert lib.SDF_CloseDevice(device.device) == STEP, "while sessions are open"
    assert lib.SDF_CloseSession(other) == OK
    assert lib.SDF_ReleasePrivateKeyAccessRight(device.session, 1) == OK
    assert lib.SDF_ReleasePrivateKeyAccessRight(device.session, 1) == NO_RIGHT
    assert lib.SDF_InternalSign_ECC(device.session, 1, e, 32, device.signature()) == NO_RIGHT


def test_handles_that_are_none_are_told(device: Device) -> None:
    lib, ffi = device.lib, device.ffi
    closed = device.open_session()
    assert lib.SDF_CloseSession(closed) == OK
    for handle in (ffi.NULL, closed, device.device):
        assert lib.SDF_GenerateRandom(handle, 8, ffi.new("unsigned char[]", 8)) == INPUT
        assert lib.SDF_CloseSession(handle) == INPUT
    assert lib.SDF_OpenSession(device.session, ffi.new("void **")) == INPUT
    assert lib.SDF_CloseDevice(ffi.NULL) == INPUT
    assert lib.SDF_OpenDevice(ffi.NULL) == OUTPUT


def test_signatures_verify_inside_outside_and_in_software(device: Device) -> None:
    lib = device.lib
    device.unlock(1)
    key, other, signature, e = device.public_key(1), device.public_key(2), device.signature(), bytes(range(32))
    assert lib.SDF_InternalSign_ECC(device.session, 1, e, 32, signature) == OK
    assert sm2.verify_digest(
        device.point(key),
        e,
        sm2.signature_to_der(sdf.signature_raw(bytes(device.ffi.buffer(signature)), sdf.EccForm.WIDE)),
    )
    assert lib.SDF_InternalVerify_ECC(device.session, 1, e, 32, signature) == OK
    assert lib.SDF_ExternalVerify_ECC(device.session, SM2_SIGN, key, e, 32, signature) == OK
    assert lib.SDF_ExternalVerify_ECC(device.session, SM2_SIGN, other, e, 32, signature) == BASE + 0x0E
    assert lib.SDF_InternalVerify_ECC(device.session, 2, e, 32, signature) == BASE + 0x0E
    assert lib.SDF_InternalVerify_ECC(device.session, 9, e, 32, signature) == NOT_THERE
    assert lib.SDF_ExternalVerify_ECC(device.session, 0x10000, key, e, 32, signature) == BASE + 0x09
    signature.r[0] = 1
    assert lib.SDF_InternalVerify_ECC(device.session, 1, e, 32, signature) == BASE + 0x0E, "the padding counts"
    for length in (0, 31, 33):
        assert lib.SDF_InternalSign_ECC(device.session, 1, bytes(40), length, signature) == INPUT
    key.y[63] ^= 1
    assert lib.SDF_ExternalVerify_ECC(device.session, SM2_SIGN, key, e, 32, signature) == BASE + 0x0B


@pytest.mark.parametrize("length", [1, 16, 32, 33, 1000])
def test_what_is_encrypted_to_an_index_it_decrypts(device: Device, length: int) -> None:
    lib, plaintext = device.lib, bytes(range(256)) * 4
    plaintext = plaintext[:length]
    key, cipher = device.public_key(1, encryption=True), device.cipher(length)
    assert lib.SDF_ExternalEncrypt_ECC(device.session, SM2_ENCRYPT, key, plaintext, length, cipher) == OK
    assert length == cipher.L
    output, size = device.output(length)
    assert lib.SDF_InternalDecrypt_ECC(device.session, 1, SM2_ENCRYPT, cipher, output, size) == NO_RIGHT
    device.unlock(1)
    assert lib.SDF_InternalDecrypt_ECC(device.session, 1, SM2_ENCRYPT, cipher, output, size) == OK
    assert bytes(device.ffi.buffer(output, size[0])) == plaintext
    cipher.M[0] ^= 1
    assert lib.SDF_InternalDecrypt_ECC(device.session, 1, SM2_ENCRYPT, cipher, output, size) == BASE + 0x16
    cipher.L = 1 << 31
    assert lib.SDF_InternalDecrypt_ECC(device.session, 1, SM2_ENCRYPT, cipher, output, size) == INPUT


def test_a_generated_pair_belongs_together(device: Device) -> None:
    public, private = device.ffi.new("ECCrefPublicKey *"), device.ffi.new("ECCrefPrivateKey *")
    assert device.lib.SDF_GenerateKeyPair_ECC(device.session, SM2_SIGN, 256, public, private) == OK
    d = bytes(device.ffi.buffer(private.K))[32:]
    assert sm2.verify_digest(device.point(public), bytes(32), sm2.sign_digest(d, bytes(32)))
    assert device.lib.SDF_GenerateKeyPair_ECC(device.session, SM2_SIGN, 384, public, private) == BASE + 0x09


def test_rsa_operations_undo_each_other(device: Device) -> None:
    lib, block = device.lib, b"\x00" + bytes(range(1, 256))
    key = device.ffi.new("RSArefPublicKey *")
    assert lib.SDF_ExportSignPublicKey_RSA(device.session, 3, key) == OK
    assert lib.SDF_ExportSignPublicKey_RSA(device.session, 1, key) == NOT_THERE
    device.unlock(3)
    signed, size = device.output(256)
    assert lib.SDF_InternalPrivateKeyOperation_RSA(device.session, 3, block, 256, signed, size) == OK
    back, size = device.output(256)
    assert lib.SDF_ExternalPublicKeyOperation_RSA(device.session, key, signed, 256, back, size) == OK
    assert bytes(device.ffi.buffer(back)) == block
    assert lib.SDF_InternalPrivateKeyOperation_RSA(device.session, 3, block, 255, signed, size) == INPUT
    assert lib.SDF_InternalPrivateKeyOperation_RSA(device.session, 3, b"\xff" * 256, 256, signed, size) == BASE + 0x0C


def session_keys(device: Device) -> list[tuple[Any, Any]]:
    """Each way to come to a session key: the first handle, and one of the same key brought in again."""
    lib, ffi = device.lib, device.ffi
    first, again, wrapped, size = ffi.new("void **"), ffi.new("void **"), *device.output(16)
    assert lib.SDF_GenerateKeyWithKEK(device.session, 128, SM4_ECB, 5, wrapped, size, first) == OK
    assert lib.SDF_ImportKeyWithKEK(device.session, SM4_ECB, 5, wrapped, size[0], again) == OK
    assert lib.SDF_ImportKeyWithKEK(device.session, SM4_ECB, 6, wrapped, size[0], again) == NOT_THERE
    one, two, cipher = ffi.new("void **"), ffi.new("void **"), device.cipher(16)
    assert lib.SDF_GenerateKeyWithIPK_ECC(device.session, 1, 128, cipher, one) == OK
    assert lib.SDF_ImportKeyWithISK_ECC(device.session, 1, cipher, two) == NO_RIGHT
    device.unlock(1)
    assert lib.SDF_ImportKeyWithISK_ECC(device.session, 1, cipher, two) == OK
    return [(first[0], again[0]), (one[0], two[0])]


def test_session_keys_come_back_from_what_they_were_wrapped_in(device: Device) -> None:
    lib, ffi, data = device.lib, device.ffi, bytes(range(48))
    for key, same in session_keys(device):
        for mode, iv in ((SM4_ECB, ffi.NULL), (SM4_CBC, ffi.new("unsigned char[16]", b"0123456789abcdef"))):
            out, size = device.output(48)
            assert lib.SDF_Encrypt(device.session, key, mode, iv, data, 48, out, size) == OK
            back, size = device.output(48)
            again = ffi.new("unsigned char[16]", b"0123456789abcdef") if iv else iv
            assert lib.SDF_Decrypt(device.session, same, mode, again, bytes(ffi.buffer(out)), 48, back, size) == OK
            assert bytes(ffi.buffer(back)) == data
        assert lib.SDF_Encrypt(device.session, key, SM4_ECB, ffi.NULL, data, 47, out, size) == INPUT
        assert lib.SDF_Encrypt(device.session, key, SM4_CBC, ffi.NULL, data, 48, out, size) == INPUT
        assert lib.SDF_Encrypt(device.session, key, 0x404, ffi.NULL, data, 48, out, size) == BASE + 0x0A
        assert lib.SDF_DestroyKey(device.session, key) == OK
        assert lib.SDF_DestroyKey(device.session, key) == NOT_THERE
        assert lib.SDF_Encrypt(device.session, key, SM4_ECB, ffi.NULL, data, 48, out, size) == NOT_THERE


def test_sm4_is_that_of_the_standard(device: Device) -> None:
    """A session key that is known outside, because it was encrypted there."""
    lib, ffi = device.lib, device.ffi
    known, data, iv_value = bytes(range(16)), bytes(range(64)), bytes(range(16, 32))
    cipher, handle = device.cipher(16), ffi.new("void **")
    key = device.public_key(1, encryption=True)
    assert lib.SDF_ExternalEncrypt_ECC(device.session, SM2_ENCRYPT, key, known, 16, cipher) == OK
    device.unlock(1)
    assert lib.SDF_ImportKeyWithISK_ECC(device.session, 1, cipher, handle) == OK
    expected = Cipher(SM4(known), CBC(iv_value)).encryptor().update(data)
    whole, size = device.output(64)
    iv = ffi.new("unsigned char[16]", iv_value)
    for at in (0, 32):
        part = whole + at
        assert lib.SDF_Encrypt(device.session, handle[0], SM4_CBC, iv, data[at : at + 32], 32, part, size) == OK
    assert bytes(ffi.buffer(whole)) == expected, "the second call went on where the first ended"
    block, size = device.output(16)
    assert lib.SDF_Encrypt(device.session, handle[0], SM4_ECB, ffi.NULL, data, 16, block, size) == OK
    assert bytes(ffi.buffer(block)) == Cipher(SM4(known), ECB()).encryptor().update(data[:16])  # noqa: S305
    mac, size = device.output(16)
    iv = ffi.new("unsigned char[16]", iv_value)
    assert lib.SDF_CalculateMAC(device.session, handle[0], SM4_MAC, iv, data, 64, mac, size) == OK
    assert bytes(ffi.buffer(mac)) == expected[-16:]


def test_the_hash_begins_with_z_where_a_key_is_given(device: Device) -> None:
    lib, ffi = device.lib, device.ffi
    assert lib.SDF_HashUpdate(device.session, b"x", 1) == STEP
    digest, size = device.output(32)
    assert lib.SDF_HashFinal(device.session, digest, size) == STEP
    key = device.public_key(1)
    for public, identifier, expected in (
        (ffi.NULL, b"", sm3(b"message")),
        (key, sm2.DEFAULT_ID, sm2.message_digest(device.point(key), b"message")),
        (key, b"another", sm2.message_digest(device.point(key), b"message", b"another")),
    ):
        assert lib.SDF_HashInit(device.session, HASH_SM3, public, identifier, len(identifier)) == OK
        for part in (b"mes", b"", b"sage"):
            assert lib.SDF_HashUpdate(device.session, part, len(part)) == OK
        assert lib.SDF_HashFinal(device.session, digest, size) == OK
        assert bytes(ffi.buffer(digest)) == expected
    assert hashlib.new("sm3", b"message").digest() == sm3(b"message")
    assert lib.SDF_HashInit(device.session, 4, ffi.NULL, b"", 0) == BASE + 0x09
    assert lib.SDF_HashInit(device.session, HASH_SM3, key, b"", 9000) == INPUT


def test_files_keep_what_was_written(device: Device) -> None:
    lib, ffi, name = device.lib, device.ffi, b"../certificate"
    buffer, size = device.output(8)
    assert lib.SDF_ReadFile(device.session, name, len(name), 0, size, buffer) == BASE + 0x12
    assert lib.SDF_CreateFile(device.session, name, len(name), 16) == OK
    assert lib.SDF_CreateFile(device.session, name, len(name), 16) == BASE + 0x1A
    assert lib.SDF_WriteFile(device.session, name, len(name), 4, 5, b"hello") == OK
    assert lib.SDF_WriteFile(device.session, name, len(name), 12, 5, b"hello") == BASE + 0x11
    assert lib.SDF_WriteFile(device.session, name, len(name), 17, 1, b"h") == BASE + 0x13
    assert lib.SDF_ReadFile(device.session, name, len(name), 2, size, buffer) == OK
    assert bytes(ffi.buffer(buffer, size[0])) == b"\0\0hello\0"
    assert lib.SDF_DeleteFile(device.session, name, len(name)) == OK
    assert lib.SDF_DeleteFile(device.session, name, len(name)) == BASE + 0x12
    assert lib.SDF_CreateFile(device.session, bytes(129), 129, 16) == INPUT
    assert lib.SDF_CreateFile(device.session, name, len(name), 1 << 30) == BASE + 0x11


def test_device_information_names_the_device(device: Device) -> None:
    info = device.ffi.new("DEVICEINFO *")
    assert device.lib.SDF_GetDeviceInfo(device.session, info) == OK
    read = sdf.device_info(bytes(device.ffi.buffer(info)))
    assert (read.name, read.version) == ("one", 1)
    assert "demonstration" in read.issuer


def test_a_key_file_that_was_changed_opens_no_key(workshop: Workshop, device: Device) -> None:
    folder = workshop.device("one")
    file = folder / "keys" / "s-1.key"
    whole = file.read_bytes()
    for at in range(0, len(whole), 7):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert device.unlock(1) != OK
    for length in (0, 1, len(whole) - 1):
        file.write_bytes(whole[:length])
        assert device.unlock(1) != OK
    file.write_bytes(whole)
    assert device.unlock(1) == OK


@pytest.mark.slow
def test_the_address_and_undefined_behaviour_sanitizers_find_nothing(tmp_path: Path) -> None:
    """All tests above and those of the driver once more, with the library under sanitizers."""
    runtime = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    environment = os.environ | {
        "LD_PRELOAD": runtime.stdout.strip(),
        "ASAN_OPTIONS": f"detect_leaks=0:log_path={tmp_path / 'asan'}",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        "LIBSDF_SANITIZED": "1",
    }
    chosen = "test_sdf_library or threads or decrypts or both_kinds or died_half_made"
    files = [str(Path(__file__).with_name(f"test_sdf_{name}.py")) for name in ("library", "machine")]
    arguments = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n0",
        "-p",
        "no:cacheprovider",
        "-k",
        f"({chosen}) and not sanitizers",
    ]
    done = subprocess.run(
        [*arguments, *files],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert not list(tmp_path.glob("asan*"))
