"""The driver against the software device: keys at indexes, what is refused, and with which sentence."""

import os
import stat
import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from hsm.core.profiles import CipherMode
from hsm.errors import KeyMissingError, MachineCannotError, MachineDownError, MachineFullError, MachineUnfitError
from hsm.libsdf import console, library_sources
from hsm.libsdf.build import LIBRARIES
from hsm.libsdf.console import PairKind
from hsm.machine import KeyReference, MachineKey
from hsm.models import SdfPairRow
from hsm.sdf import SdfMachine
from hsm.settings import MachineSettings, SdfSettings
from trustcore.crypto import sm2, verify
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.crypto.digests import sha256
from trustcore.errors import BusyError, InternalError, MalformedError, NotFoundError, RejectedError
from trustcore.native import FLAGS, compile_once

from support.sdf_devices import PASSWORD, Workshop
from support.threads import at_once

pytestmark = pytest.mark.hsm

DIGEST = bytes(range(32))
SM2, RSA = KeyAlgorithm.SM2, KeyAlgorithm.RSA_2048


def key(workshop: Workshop, machine: SdfMachine, label: str, algorithm: KeyAlgorithm = SM2) -> MachineKey:
    """A key that is ready."""
    reference = workshop.request(label, label.encode().ljust(16))
    made = machine.generate(reference, algorithm, extractable=False)
    workshop.finish(label, made.public_key_der)
    return made


def verifies(made: MachineKey, signature: bytes, digest: bytes = DIGEST) -> bool:
    return verify.verify_digest(made.public_key_der, made.algorithm.signature, digest, signature)


def test_keys_of_both_kinds_sign_and_verify(workshop: Workshop) -> None:
    workshop.device("one", sm2=(1,), rsa=(1,))
    machine = workshop.machine("one", sm2=(1,), rsa=(1,))
    info = machine.connect()
    assert (info.model, info.profile) == ("one", "sdf-wide")
    assert set(info.algorithms) == {"random", "sm2-sign", "rsa-sign"}
    for algorithm in (SM2, RSA):
        made = key(workshop, machine, algorithm.value, algorithm)
        assert verifies(made, machine.sign_digest(made, DIGEST))
        digests = [bytes([n]) * 32 for n in range(5)]
        signatures = machine.sign_digests(made, digests)
        assert all(verifies(made, s, d) for s, d in zip(signatures, digests, strict=True))
        assert machine.sign_digests(made, []) == []
    assert machine.random(0) == b""
    assert len(machine.random(100)) == 100


def test_openssl_verifies_the_signatures(workshop: Workshop, tmp_path: Path) -> None:
    workshop.device("one", sm2=(1,), rsa=(2,))
    machine = workshop.machine("one", sm2=(1,), rsa=(2,))
    message = b"message"
    (tmp_path / "message").write_bytes(message)
    for algorithm, options in (
        (SM2, ["-sm3", "-sigopt", "distid:1234567812345678"]),
        (RSA, ["-sha256"]),
    ):
        made = key(workshop, machine, algorithm.value, algorithm)
        digest = sha256(message)
        if algorithm is SM2:
            digest = sm2.message_digest(sm2.public_point(made.public_key_der), message)
        (tmp_path / "signature").write_bytes(machine.sign_digest(made, digest))
        (tmp_path / "key.der").write_bytes(made.public_key_der)
        arguments = ["openssl", "dgst", *options, "-keyform", "DER", "-verify", "key.der", "-signature", "signature"]
        done = subprocess.run([*arguments, "message"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.stdout.strip() == "Verified OK", done.stderr


def test_new_keys_get_the_free_indexes_in_order_and_labels_their_own(workshop: Workshop) -> None:
    workshop.device("one", sm2=(1, 2, 3))
    machine = workshop.machine("one", sm2=(3, 1, 2), keys={"root": 1})
    assert machine.expects("root")
    assert not machine.expects("other")
    made = [key(workshop, machine, label) for label in ("first", "root", "second")]
    indexes = [machine._device.known(one.public_key_der).index for one in made]
    assert indexes == [3, 1, 2]
    with pytest.raises(MachineFullError) as caught:
        key(workshop, machine, "third")
    assert "one" in caught.value.detail
    assert "console" in caught.value.detail


def test_a_key_that_died_half_made_is_found_again_and_an_abandoned_pair_is_free(workshop: Workshop) -> None:
    workshop.device("one", sm2=(1,))
    machine = workshop.machine("one", sm2=(1,))
    reference = workshop.request("key", b"1" * 16)
    made = machine.generate(reference, SM2, extractable=False)
    assert workshop.machine("one", sm2=(1,)).find(reference, SM2) == made, "by another process, after a crash"
    assert machine.generate(reference, SM2, extractable=False) == made, "twice is once"
    console.make_key_pairs(workshop.device("one"), PairKind.SM2, 2, PASSWORD, cache_dir=workshop.cache_dir)
    more = workshop.machine("one", sm2=(2, 1))
    assert more.generate(reference, SM2, extractable=False) == made, "even when another pair comes first by now"
    renamed = workshop.request("key", b"2" * 16)
    assert machine.find(renamed, SM2) is None
    again = machine.generate(renamed, SM2, extractable=False)
    assert again.public_key_der == made.public_key_der, "the attempt that the record has forgotten holds nothing"
    assert machine.find(reference, SM2) is None
    machine.destroy(renamed)
    assert machine.find(renamed, SM2) is None
    other = workshop.request("other", b"3" * 16)
    assert machine.generate(other, SM2, extractable=False).public_key_der == made.public_key_der


def test_the_pair_of_a_destroyed_key_is_given_to_nobody_until_the_console_has_replaced_it(workshop: Workshop) -> None:
    folder = workshop.device("one", sm2=(1,))
    machine = workshop.machine("one", sm2=(1,))
    made = key(workshop, machine, "old")
    machine.destroy(made.reference)
    machine.destroy(made.reference)
    assert machine.find(made.reference, SM2) is None
    with pytest.raises(MachineFullError):
        key(workshop, machine, "new")
    for file in (folder / "keys").iterdir():
        file.unlink()
    console.make_key_pairs(folder, PairKind.SM2, 1, PASSWORD, cache_dir=workshop.cache_dir)
    assert key(workshop, machine, "new").public_key_der != made.public_key_der


def test_a_pair_in_use_is_given_to_no_second_label_even_in_a_clone(workshop: Workshop) -> None:
    first, second = workshop.device("one", sm2=(1,)), workshop.device("two")
    console.clone_keys(first, second)
    one, two = (workshop.machine(name, sm2=(1,)) for name in ("one", "two"))
    made = key(workshop, one, "key")
    with pytest.raises(MachineFullError):
        key(workshop, two, "other")
    assert two.adopt(made)
    assert verifies(made, two.sign_digest(made, DIGEST))


def test_a_key_is_adopted_only_where_its_own_pair_is(workshop: Workshop) -> None:
    workshop.device("one", sm2=(1,))
    workshop.device("two", sm2=(1,))
    made = key(workshop, workshop.machine("one", sm2=(1,)), "key")
    two = workshop.machine("two", sm2=(1,))
    assert not two.adopt(made)
    with pytest.raises(KeyMissingError) as caught:
        two.sign_digest(made, DIGEST)
    assert "two" in caught.value.detail
    assert "backup" in caught.value.detail


def test_a_pair_that_the_console_makes_while_we_run_is_seen(workshop: Workshop) -> None:
    folder = workshop.device("one", sm2=(1,))
    machine = workshop.machine("one", sm2=(1, 2))
    assert key(workshop, machine, "first")
    console.make_key_pairs(folder, PairKind.SM2, 2, PASSWORD, cache_dir=workshop.cache_dir)
    assert key(workshop, machine, "second")


def test_a_pair_that_went_away_is_a_missing_key_and_the_machine_goes_on(workshop: Workshop) -> None:
    folder = workshop.device("one", sm2=(1, 2))
    machine = workshop.machine("one", sm2=(1, 2))
    gone, kept = key(workshop, machine, "gone"), key(workshop, machine, "kept")
    (folder / "keys" / "s-1.key").rename(folder / "elsewhere")
    machine.close_sessions()
    with pytest.raises(KeyMissingError):
        machine.sign_digest(gone, DIGEST)
    assert verifies(kept, machine.sign_digest(kept, DIGEST))
    (folder / "elsewhere").rename(folder / "keys" / "s-2.key.moved")
    (folder / "keys" / "s-2.key.moved").rename(folder / "keys" / "s-1.key")
    assert verifies(gone, machine.sign_digest(gone, DIGEST)), "restored"


def test_the_encryption_pair_decrypts_and_does_not_sign(workshop: Workshop) -> None:
    workshop.device("one", sm2=(1, 2))
    machine = workshop.machine("one", sm2=(1, 2), encryption_keys={"envelope": 1}, decrypt="with-algorithm")
    assert "sm2-decrypt" in machine.connect().algorithms
    envelope, signing = key(workshop, machine, "envelope"), key(workshop, machine, "signing")
    cipher = sm2.encrypt(sm2.public_point(envelope.public_key_der), b"secret")
    assert machine.decrypt(envelope, cipher) == b"secret"
    with pytest.raises(MachineCannotError):
        machine.sign_digest(envelope, DIGEST)
    with pytest.raises(MachineCannotError):
        machine.decrypt(signing, cipher)
    changed = cipher[:-1] + bytes([cipher[-1] ^ 1])
    for wrong in (changed, sm2.encrypt(sm2.public_point(signing.public_key_der), b"secret")):
        with pytest.raises(MalformedError) as caught:
            machine.decrypt(envelope, wrong)
        assert caught.value.code == "hsm.cipher.invalid"
    assert machine.sessions.open == 1, "a bad ciphertext costs no session"
    silent = workshop.machine("one", sm2=(1, 2))
    with pytest.raises(MachineCannotError) as refused:
        silent.decrypt(envelope, cipher)
    assert "settings" in refused.value.detail


def test_a_key_made_to_decrypt_gets_the_encryption_pair_of_a_free_index(workshop: Workshop) -> None:
    workshop.device("one", sm2=(1, 2), rsa=(1,))
    machine = workshop.machine("one", sm2=(1, 2), rsa=(1,), encryption_keys={"named": 1}, decrypt="with-algorithm")
    reference = workshop.request("envelope", b"1" * 16)
    made = machine.generate(reference, SM2, extractable=False, decrypts=True)
    assert machine._device.known(made.public_key_der).index == 2, "the first is kept for another label"
    assert machine.decrypt(made, sm2.encrypt(sm2.public_point(made.public_key_der), b"secret")) == b"secret"
    assert machine.find(reference, SM2) == made
    other = workshop.request("other", b"2" * 16)
    with pytest.raises(MachineFullError):
        machine.generate(other, SM2, extractable=False, decrypts=True)
    for driver, algorithm in ((machine, RSA), (workshop.machine("one", sm2=(1, 2)), SM2)):
        with pytest.raises(MachineCannotError):
            driver.generate(other, algorithm, extractable=False, decrypts=True)


def test_what_sdf_has_not_is_refused_with_the_remedy(workshop: Workshop) -> None:
    workshop.device("one", sm2=(1,))
    machine = workshop.machine("one", sm2=(1,))
    reference = workshop.request("key", b"1" * 16)
    other = KeyReference("kek", b"2" * 16)
    for act in (
        lambda: machine.generate(reference, KeyAlgorithm.EC_P256, extractable=False),
        lambda: machine.generate(reference, RSA, extractable=False),
        lambda: machine.generate(reference, SM2, extractable=True),
        lambda: machine.make_sm4_key(reference, extractable=False),
        lambda: machine.sm4_encrypt(reference, CipherMode.ECB, bytes(16), iv=b""),
        lambda: machine.sm4_decrypt(reference, CipherMode.ECB, bytes(16), iv=b""),
        lambda: machine.make_wrapping_key(other),
        lambda: machine.send_wrapping_key(other, b""),
        lambda: machine.receive_wrapping_key(other, bytes),
        lambda: machine.wrap(reference, other),
        lambda: machine.unwrap_sm4(reference, other, b""),
    ):
        with pytest.raises(MachineCannotError) as caught:
            act()
        assert caught.value.detail.startswith("The encryption machine one does not ")
    assert not machine.holds_wrapping_key(other)
    assert not machine.holds_sm4_key(other)
    machine.seal(reference)
    assert not machine.replicates


@pytest.mark.parametrize("bits", [256, 512])
def test_both_widths_of_makers_headers_are_told_apart(workshop: Workshop, bits: int) -> None:
    sources = library_sources()
    flags = (*FLAGS, f"-DECCref_MAX_BITS={bits}")
    library = compile_once(workshop.cache_dir, "libsdf", sources, libraries=LIBRARIES, flags=flags)
    workshop.device("one", sm2=(1,))
    machine = workshop.machine(
        "one", library=library, sm2=(1,), encryption_keys={"envelope": 1}, decrypt="with-algorithm"
    )
    assert machine.connect().profile == {256: "sdf-narrow", 512: "sdf-wide"}[bits]
    made = key(workshop, machine, "key")
    assert verifies(made, machine.sign_digest(made, DIGEST))
    envelope = key(workshop, machine, "envelope")
    assert machine.decrypt(envelope, sm2.encrypt(sm2.public_point(envelope.public_key_der), b"x")) == b"x"


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("ecc.c", "widen(raw, signature->r);", "widen(raw + SM2_BYTES, signature->r);"),
        ("ecc.c", "!sm2_sign_digest(&right->sign, data, raw)", "!sm2_sign_digest(&right->enc, data, raw)"),
        (
            "rsa.c",
            "*output_length = MODULUS_BYTES;\n    return session_leave",
            "*output_length = 1;\n    return session_leave",
        ),
        ("ecc.c", "key->bits = SM2_BITS;", "key->bits = 521;"),
        ("device.c", "RAND_bytes(random, (int)length) == 1", "memset(random, 4, length) != NULL"),
    ],
    ids=["r and s swapped", "another key", "short RSA answer", "no SM2 key", "random numbers"],
)
def test_a_machine_that_answers_wrongly_is_refused_at_the_connection(
    workshop: Workshop, file: str, right: str, wrong: str
) -> None:
    sources = library_sources()
    text = sources[file].decode()
    assert right in text
    sources[file] = text.replace(right, wrong).encode()
    library = compile_once(workshop.cache_dir, "libsdf", sources, libraries=LIBRARIES)
    workshop.device("one", sm2=(1,), rsa=(1,))
    with pytest.raises(MachineUnfitError) as caught:
        workshop.machine("one", library=library, sm2=(1,), rsa=(1,)).connect()
    assert caught.value.code == "hsm.profile.unfit"
    assert "one is refused" in caught.value.detail


def test_a_pair_is_tried_before_its_first_use_too(workshop: Workshop) -> None:
    """Only one key of a kind is tried at the connection; a second one that was mixed up is noticed then."""
    folder = workshop.device("one", sm2=(1, 2))
    machine = workshop.machine("one", sm2=(1, 2))
    first = key(workshop, machine, "first")
    mixed = MachineKey(reference=KeyReference("second", b"2"), algorithm=SM2, public_key_der=first.public_key_der)
    public = (folder / "keys" / "s-2.key").read_bytes()
    assert machine.sign_digest(mixed, DIGEST), "the public key is what counts"
    (folder / "keys" / "s-2.key").write_bytes(public[:60] + bytes([public[60] ^ 1]) + public[61:])
    with pytest.raises((MachineUnfitError, KeyMissingError)):
        key(workshop, machine, "second")


# What an operator may have got wrong


def test_a_wrong_password_names_the_machine_and_is_not_tried_again(workshop: Workshop) -> None:
    workshop.device("one", sm2=(1,))
    workshop.pin_file.write_text("wrong-horse")
    machine = workshop.machine("one", sm2=(1,))
    for _ in range(2):
        with pytest.raises(RejectedError) as caught:
            machine.connect()
        assert caught.value.code == "hsm.pin.wrong"
        assert "one" in caught.value.detail
        assert "wrong-horse" not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.facts}"
    assert caught.value.__cause__ is None, "the machine was not asked the second time"
    workshop.pin_file.write_text(PASSWORD.get_secret_value())
    assert machine.connect()
    workshop.pin_file.unlink()
    machine.close_sessions()
    with pytest.raises(NotFoundError) as missing:
        machine.connect()
    assert missing.value.code == "hsm.pin.missing"


def test_an_index_with_another_password_does_not_stop_the_others(workshop: Workshop) -> None:
    folder = workshop.device("one", sm2=(1,))
    console.make_key_pairs(folder, PairKind.SM2, 2, SecretStr("another-password"), cache_dir=workshop.cache_dir)
    machine = workshop.machine("one", sm2=(1, 2), keys={"second": 2})
    made = key(workshop, machine, "first")
    with pytest.raises(RejectedError) as caught:
        key(workshop, machine, "second")
    assert caught.value.code == "hsm.pin.wrong"
    assert "index 2" in caught.value.detail
    assert verifies(made, machine.sign_digest(made, DIGEST))


def test_an_empty_index_is_passed_over_and_named_when_it_is_wanted(workshop: Workshop) -> None:
    workshop.device("one", sm2=(2,))
    machine = workshop.machine("one", sm2=(1, 2), keys={"root": 1})
    assert machine.connect()
    with pytest.raises(MachineFullError) as caught:
        key(workshop, machine, "root")
    assert "Index 1 of the encryption machine one" in caught.value.detail


def test_a_library_that_is_missing_foreign_or_no_sdf_library_is_one_sentence_each(
    workshop: Workshop, tmp_path: Path
) -> None:
    workshop.device("one", sm2=(1,))
    library = tmp_path / "libvendor.so"
    whole = workshop.library.read_bytes()

    def failure() -> tuple[str, str]:
        with pytest.raises((NotFoundError, InternalError)) as caught:
            workshop.machine("one", library=library, sm2=(1,)).connect()
        return caught.value.code, caught.value.detail

    code, detail = failure()
    assert code == "hsm.module.missing"
    assert "libvendor.so" in detail
    assert str(tmp_path) not in detail
    library.write_bytes(b"not a library")
    assert failure()[0] == "hsm.module.invalid"
    library.write_bytes(whole[:18] + b"\x08\x00" + whole[20:])
    assert failure()[0] == "hsm.module.architecture"
    library.write_bytes(whole[:64])
    assert failure()[0] == "hsm.module.load"
    (tmp_path / "other.c").write_text("int SDF_OpenDevice(void **device) { return device == 0; }\n")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, tmp_path / "other.c"], check=True)
    code, detail = failure()
    assert code == "hsm.module.symbols"
    assert "SDF_CloseDevice" in detail


def test_a_device_that_does_not_open_is_down_and_says_why(workshop: Workshop) -> None:
    machine = workshop.machine("nowhere", sm2=(1,))
    with pytest.raises(Exception, match="SDF_OpenDevice: SDR_OPENDEVICE") as caught:
        machine.connect()
    assert getattr(caught.value, "code", "") == "hsm.machine.down"


def test_settings_say_what_is_contradictory(workshop: Workshop) -> None:
    good = workshop.settings("one", sm2=(1,)).model_dump(exclude_unset=True)
    assert MachineSettings.model_validate(good).demonstration
    for change, sentence in (
        ({"sdf": None}, "has a table sdf"),
        ({"token": "t"}, "has no token"),
        ({"module": "softgm"}, "softgm has no sdf interface"),
        ({"driver": "pkcs11"}, "has no table sdf"),
        ({"sdf": {"sm2": [0]}}, "greater than 0"),
        ({"sdf": {"sm2": [1], "keys": {"root": 2}}}, "index 2 has a label"),
        ({"sdf": {"rsa": [1], "encryption_keys": {"root": 1}}}, "index 1 has a label"),
    ):
        with pytest.raises(ValueError, match=sentence):
            MachineSettings.model_validate(good | change)
    assert SdfSettings(sm2=(1,), keys={"root": 1})


def test_the_files_of_a_device_are_private(workshop: Workshop) -> None:
    folder = workshop.device("one", sm2=(1,))
    for file in (folder / "device.conf", *(folder / "keys").iterdir()):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert PASSWORD.get_secret_value().encode() not in file.read_bytes()


def test_the_environment_is_as_before_after_a_device_was_opened(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIBSDF_CONFIG", "mine")
    workshop.device("one", sm2=(1,))
    workshop.machine("one", sm2=(1,)).connect()
    assert os.environ["LIBSDF_CONFIG"] == "mine"


# Many at once


def test_eight_threads_sign_rightly_with_four_sessions(workshop: Workshop) -> None:
    workshop.device("one", sm2=(1, 2), rsa=(1,))
    machine = workshop.machine("one", sm2=(1, 2), rsa=(1,))
    keys = [key(workshop, machine, "a"), key(workshop, machine, "b"), key(workshop, machine, "c", RSA)]

    def work(number: int) -> bool:
        made = keys[number % 3]
        digests = [bytes([number, turn]) * 16 for turn in range(200)]
        return all(verifies(made, machine.sign_digest(made, digest), digest) for digest in digests)

    assert all(at_once(8, work))
    counts = machine.sessions
    assert counts.in_use == 0
    assert counts.open <= counts.limit == 4


def test_connections_that_break_under_load_are_made_anew_and_none_is_left_over(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIBSDF_FAULTS", str(tmp_path))
    workshop.device("flaky", sm2=(1,))
    machine = workshop.machine("flaky", sm2=(1,))
    made = key(workshop, machine, "key")
    opened, closed = Counter[str](), Counter[str]()
    library = machine._device._sessions._library
    for name, counter in (("open_session", opened), ("open_device", opened), ("close_session", closed)):
        monkeypatch.setattr(library, name, counted(getattr(library, name), name, counter))
    monkeypatch.setattr(library, "close_device", counted(library.close_device, "close_device", closed))
    machine.close_sessions()
    closed.clear()
    (tmp_path / "flaky").write_text("0x01000004 every 41")

    def work(number: int) -> int:
        good = 0
        for turn in range(100):
            digest = bytes([number, turn]) * 16
            with suppress(MachineDownError, BusyError):
                assert verifies(made, machine.sign_digest(made, digest), digest)
                good += 1
        return good

    assert sum(at_once(8, work)) > 700
    (tmp_path / "flaky").unlink()
    assert verifies(made, machine.sign_digest(made, DIGEST))
    assert machine.sessions.in_use == 0
    machine.close_sessions()
    assert opened["open_device"] == closed["close_device"] > 5
    assert opened["open_session"] == closed["close_session"]


def counted(call: Callable[..., Any], name: str, counter: Counter[str]) -> Callable[..., Any]:
    """The call, counted when it succeeds."""

    def calling(*arguments: Any) -> Any:
        answer = call(*arguments)
        counter[name] += 1
        return answer

    return calling


def test_labels_made_at_once_get_different_pairs(workshop: Workshop) -> None:
    workshop.device("one", sm2=(1, 2, 3, 4))
    machine = workshop.machine("one", sm2=(1, 2, 3, 4))
    references = [workshop.request(f"key-{n}", bytes([n]) * 16) for n in range(1, 5)]
    made = at_once(4, lambda n: machine.generate(references[n], SM2, extractable=False))
    assert len({one.public_key_der for one in made}) == 4
    with workshop.database.transaction() as session:
        assert session.query(SdfPairRow).count() == 4


def test_all_sessions_and_the_device_are_closed(workshop: Workshop) -> None:
    workshop.device("one", sm2=(1,))
    machine = workshop.machine("one", sm2=(1,))
    made = key(workshop, machine, "key")
    at_once(4, lambda _: machine.sign_digest(made, DIGEST))
    machine.close_sessions()
    assert machine.sessions.open == 0
    assert verifies(made, machine.sign_digest(made, DIGEST)), "the next call connects anew"
