"""What stands in the way is one sentence that names the machine and the remedy."""

import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from hsm import software
from hsm.core.profiles import CipherMode
from hsm.machine import KeyReference, MachineKey
from hsm.opening import pkcs11_machine
from hsm.pkcs11 import Pkcs11Machine
from hsm.pkcs11.module import LoadedModule
from hsm.service import HsmService
from hsm.settings import HsmSettings
from hsm.software import machine_source, software_machines
from trustcore.crypto import sm2, verify
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.errors import BusyError, InternalError, NotFoundError, RejectedError, TrustError

pytestmark = pytest.mark.hsm

OpenHsm = Callable[..., AbstractContextManager[HsmService]]


def failure(open_machines: OpenHsm, settings: HsmSettings | None = None) -> TrustError:
    with pytest.raises(TrustError) as caught, open_machines(settings):
        pass
    return caught.value


def with_machine(data_dir: Path, **changes: object) -> HsmSettings:
    return HsmSettings(machines=(software_machines(data_dir)[0].model_copy(update=changes),))


def test_a_wrong_pin_names_the_machine_and_not_the_pin(data_dir: Path, open_machines: OpenHsm) -> None:
    (data_dir / "secrets" / "hsm_pin").write_text("98989898\n")
    error = failure(open_machines)
    assert isinstance(error, RejectedError)
    assert error.code == "hsm.pin.wrong"
    assert "machine-1" in error.detail
    assert "98989898" not in f"{error!r} {error.detail} {error.facts} {error.__cause__!r}"


def test_a_refused_pin_is_not_tried_again(data_dir: Path) -> None:
    settings = software_machines(data_dir)[0]
    true_pin = settings.pin_file.read_text().strip()
    file = data_dir / "secrets" / "other_pin"
    file.write_text("98989898")
    machine = pkcs11_machine(settings.model_copy(update={"pin_file": file}), HsmSettings(), data_dir)
    with pytest.raises(RejectedError):
        machine.connect()
    module = LoadedModule(machine_source(data_dir))
    session = module.library.get_token(token_label=settings.token).open(rw=True, user_pin=true_pin)
    session.set_pin(true_pin, "98989898")
    session.close()
    with pytest.raises(RejectedError) as caught:
        machine.connect()
    assert caught.value.code == "hsm.pin.wrong", "the token would accept it by now, but was not asked"
    machine.close()
    again = pkcs11_machine(settings.model_copy(update={"pin_file": file}), HsmSettings(), data_dir)
    assert again.random(8)
    again.close()
    module.close()


def test_a_missing_pin_file_does_not_make_new_tokens(data_dir: Path, open_machines: OpenHsm) -> None:
    (data_dir / "secrets" / "hsm_pin").unlink()
    error = failure(open_machines)
    assert error.code == "hsm.pin.missing"
    assert not (data_dir / "secrets" / "hsm_pin").exists()


def test_a_missing_token_names_the_machine(data_dir: Path, open_machines: OpenHsm) -> None:
    error = failure(open_machines, with_machine(data_dir, token="another", name="front"))
    assert isinstance(error, NotFoundError)
    assert (error.code, error.facts["machine"]) == ("hsm.token.missing", "front")


def test_a_missing_module_names_the_machine_and_the_file(data_dir: Path, open_machines: OpenHsm) -> None:
    module = data_dir / "libvendor.so"
    error = failure(open_machines, with_machine(data_dir, module=module, profile="sansec"))
    assert error.code == "hsm.module.missing"
    assert "libvendor.so" in error.detail
    assert str(data_dir) not in error.detail


def test_a_module_for_another_processor_is_told_from_rubbish(data_dir: Path, open_machines: OpenHsm) -> None:
    module = data_dir / "libvendor.so"
    library = next((data_dir / "cache").glob("softgm-*.so")).read_bytes()
    module.write_bytes(library[:18] + b"\x08\x00" + library[20:])
    settings = with_machine(data_dir, module=module, profile="sansec")
    assert failure(open_machines, settings).code == "hsm.module.architecture"
    module.write_bytes(b"not a library")
    assert failure(open_machines, settings).code == "hsm.module.invalid"
    module.write_bytes(library[:64])
    error = failure(open_machines, settings)
    assert isinstance(error, InternalError)
    assert error.code == "hsm.module.load"


def test_a_vendors_module_is_loaded_behind_the_shim(data_dir: Path, open_machines: OpenHsm) -> None:
    """SoftHSM itself stands in for a vendor's module; bare it would crash under threads."""
    softhsm = Path("/usr/lib/softhsm/libsofthsm2.so")
    settings = with_machine(data_dir, module=softhsm, profile="softhsm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(data_dir / "tokens" / "softhsm2.conf"))
        with open_machines(settings) as service:
            machine = service._pool.machine("machine-1")
            assert "shim" in machine._connection._module.library.so
            assert service.signer(service.generate("key", KeyAlgorithm.EC_P256)).sign(b"message")
            with pytest.raises(RejectedError) as caught:
                service.generate("sm2", KeyAlgorithm.SM2)
            assert caught.value.code == "hsm.machine.cannot"


def test_the_secrets_of_the_software_machines_are_private(data_dir: Path) -> None:
    for path in (data_dir / "secrets" / "hsm_pin", data_dir / "tokens" / "softhsm2.conf"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((data_dir / "tokens" / "store").stat().st_mode) & 0o077 == 0


def test_two_machines_of_one_name_are_refused(data_dir: Path) -> None:
    machine = software_machines(data_dir)[0]
    with pytest.raises(ValueError, match="same name"):
        HsmSettings(machines=(machine, machine))


def test_an_unknown_profile_is_refused(data_dir: Path) -> None:
    with pytest.raises(ValueError, match="known profiles"):
        HsmSettings(machines=(software_machines(data_dir)[0].model_copy(update={"profile": "nobody"}),))


# What a single machine answers. The others of the pool would do the work; here there is none.

REFERENCE = KeyReference("key", b"0123456789abcdef")


@pytest.fixture
def machine(data_dir: Path) -> Iterator[Pkcs11Machine]:
    opened = pkcs11_machine(software_machines(data_dir)[0], HsmSettings(), data_dir)
    yield opened
    opened.close()


def refusal(call: Callable[[], object]) -> TrustError:
    """The error of a call; every one names the machine in one sentence, without secrets."""
    with pytest.raises(TrustError) as caught:
        call()
    error = caught.value
    assert "machine-1" in error.detail
    assert error.detail.endswith((".", "?"))
    return error


@pytest.mark.parametrize(
    ("answer", "code", "remedy"),
    [
        ("0xA0", "hsm.pin.wrong", "PIN file"),
        ("0xA2", "hsm.pin.wrong", "PIN file"),
        ("0xA3", "hsm.pin.expired", "set a new one"),
        ("0xA4", "hsm.pin.locked", "security officer"),
        ("0x102", "hsm.pin.unset", "vendor's tool"),
        ("0xB1", "hsm.machine.busy", "sessions_per_machine"),
        ("0xE0", "hsm.machine.down", "see to it"),
        ("0x80000123", "hsm.machine.down", "0x80000123"),
    ],
    ids=["wrong", "length", "expired", "locked", "unset", "sessions", "token", "vendor"],
)
def test_each_answer_to_a_login_has_its_sentence_and_remedy(
    machine: Pkcs11Machine, faults: Path, answer: str, code: str, remedy: str
) -> None:
    (faults / "xinyin-1").write_text(answer)
    error = refusal(machine.connect)
    assert error.code == code
    assert remedy in error.detail
    assert machine.sessions.open == 0
    (faults / "xinyin-1").unlink()
    if not code.startswith("hsm.pin."):
        assert machine.random(8), "and when it is over, it is over"


def test_a_token_without_a_user_pin_says_so(data_dir: Path) -> None:
    """A real one: made by C_InitToken, and C_InitPIN never called."""
    module = LoadedModule(machine_source(data_dir))
    slot = module.library.get_slots()[-1]
    software._init_token(module.library.so, slot.slot_id, b"officer-pin", "fresh")
    module.close()
    settings = software_machines(data_dir)[0].model_copy(update={"token": "fresh"})
    opened = pkcs11_machine(settings, HsmSettings(), data_dir)
    assert refusal(opened.connect).code == "hsm.pin.unset"
    opened.close()


def test_a_key_that_is_not_there_is_named(machine: Pkcs11Machine) -> None:
    private, point = sm2.generate()
    del private
    key = MachineKey(reference=REFERENCE, algorithm=KeyAlgorithm.SM2, public_key_der=sm2.public_key_der(point))
    for call in (
        lambda: machine.sign_digest(key, bytes(32)),
        lambda: machine.decrypt(key, sm2.encrypt(point, b"text")),
        lambda: machine.sm4_encrypt(REFERENCE, CipherMode.ECB, bytes(16), iv=b""),
        lambda: machine.wrap(REFERENCE, REFERENCE),
    ):
        error = refusal(call)
        assert (error.code, error.facts["label"]) == ("hsm.key.not-found", "key")
    assert machine.find(REFERENCE, KeyAlgorithm.SM2) is None


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        (KeyAlgorithm.RSA_2048, KeyAlgorithm.SM2),
        (KeyAlgorithm.SM2, KeyAlgorithm.RSA_2048),
        (KeyAlgorithm.EC_P256, KeyAlgorithm.SM2),
        (KeyAlgorithm.SM2, KeyAlgorithm.EC_P256),
    ],
)
def test_a_key_of_another_type_under_the_same_name_is_told_and_not_used(
    machine: Pkcs11Machine, there: KeyAlgorithm, asked: KeyAlgorithm
) -> None:
    key = machine.generate(REFERENCE, there, extractable=False)
    wrong = replace(key, algorithm=asked)
    for call in (lambda: machine.sign_digest(wrong, bytes(32)), lambda: machine.find(REFERENCE, asked)):
        error = refusal(call)
        assert error.code == "hsm.key.unfit"
        assert f"no {asked.value} key" in error.detail
    assert verify.verify_digest(key.public_key_der, there.signature, bytes(32), machine.sign_digest(key, bytes(32))), (
        "under its own type it goes on to work"
    )


def test_a_secret_key_of_another_type_is_told_and_not_used(machine: Pkcs11Machine) -> None:
    machine.make_wrapping_key(REFERENCE)
    error = refusal(lambda: machine.sm4_encrypt(REFERENCE, CipherMode.ECB, bytes(16), iv=b""))
    assert error.code == "hsm.key.unfit"


def test_a_mechanism_that_the_machine_does_not_know_is_told_at_the_call_too(data_dir: Path, tmp_path: Path) -> None:
    profile = tmp_path / "odd.toml"
    profile.write_text(
        'name = "odd"\nsource = "tests"\n[sm2]\ngenerate = 0x1040\nsign_digest = 0x80009999\n'
        "[proof]\nsession_keys = false\n"
    )
    settings = software_machines(data_dir)[0].model_copy(update={"profile": "odd"})
    opened = pkcs11_machine(settings, HsmSettings(profiles=(profile,)), data_dir)
    key = opened.generate(REFERENCE, KeyAlgorithm.SM2, extractable=False)
    error = refusal(lambda: opened.sign_digest(key, bytes(32)))
    assert error.code == "hsm.machine.refused"
    assert "mechanism" in error.detail
    assert "profile" in error.detail
    assert opened.random(8), "nothing else breaks"
    opened.close()


def test_what_the_kind_of_machine_cannot_do_is_told(data_dir: Path) -> None:
    settings = software_machines(data_dir)[0].model_copy(update={"profile": "pkcs11"})
    opened = pkcs11_machine(settings, HsmSettings(), data_dir)
    assert opened.connect().profile == "pkcs11"
    rsa = opened.generate(REFERENCE, KeyAlgorithm.EC_P256, extractable=False)
    for call in (
        lambda: opened.generate(KeyReference("sm2", b"2" * 16), KeyAlgorithm.SM2, extractable=False),
        lambda: opened.make_sm4_key(REFERENCE, extractable=False),
        lambda: opened.sm4_encrypt(REFERENCE, CipherMode.GCM, b"", iv=bytes(12)),
        lambda: opened.make_wrapping_key(REFERENCE),
        lambda: opened.wrap(REFERENCE, REFERENCE),
        lambda: opened.decrypt(rsa, b"\x30\x00"),
    ):
        error = refusal(call)
        assert isinstance(error, RejectedError)
        assert error.code == "hsm.machine.cannot"
    assert opened.sign_digest(rsa, bytes(32))
    opened.close()


def test_a_full_machine_goes_on_to_use_the_keys_it_has(machine: Pkcs11Machine, faults: Path) -> None:
    key = machine.generate(REFERENCE, KeyAlgorithm.SM2, extractable=False)
    (faults / "xinyin-1").write_text("0x31")
    error = refusal(lambda: machine.generate(KeyReference("next", b"n" * 16), KeyAlgorithm.SM2, extractable=False))
    assert isinstance(error, BusyError)
    assert error.code == "hsm.machine.full"
    assert "destroy keys" in error.detail
    (faults / "xinyin-1").unlink()
    assert machine.sign_digest(key, bytes(32))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk")
def test_a_token_on_a_full_disk_says_so_and_goes_on_to_sign(data_dir: Path, tmp_path: Path) -> None:
    store = data_dir / "tokens" / "store" / "xinyin-1"
    shutil.copytree(store, tmp_path / "kept")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", store], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this system mounts no small disk")
    opened = pkcs11_machine(software_machines(data_dir)[0], HsmSettings(), data_dir)
    try:
        for file in (tmp_path / "kept").iterdir():
            shutil.copy(file, store / file.name)
        key = opened.generate(REFERENCE, KeyAlgorithm.SM2, extractable=False)
        references = [KeyReference("next", number.to_bytes(16, "big")) for number in range(64)]

        def fill() -> None:
            for reference in references:
                opened.generate(reference, KeyAlgorithm.SM2, extractable=False)

        error = refusal(fill)
        assert error.code == "hsm.machine.full"
        signature = opened.sign_digest(key, bytes(32))
        assert verify.verify_digest(key.public_key_der, key.algorithm.signature, bytes(32), signature)
        for reference in references:
            opened.destroy(reference)
        assert opened.generate(references[0], KeyAlgorithm.SM2, extractable=False), "and with room again it makes keys"
    finally:
        opened.close()
        subprocess.run(["umount", store], check=True)


def test_a_library_that_is_no_module_is_told_from_one_that_lacks_another(
    data_dir: Path, open_machines: OpenHsm, tmp_path: Path
) -> None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    assert compiler is not None, "softgm itself needs one"
    source, needed, plain, lacking = (tmp_path / name for name in ("x.c", "libneeded.so", "libplain.so", "liblack.so"))
    source.write_text("int nothing(void) { return 0; }\n")
    for target, more in ((needed, []), (plain, []), (lacking, [f"-L{tmp_path}", "-Wl,--no-as-needed", "-lneeded"])):
        subprocess.run([compiler, "-shared", "-fPIC", "-o", target, source, *more], check=True)
    needed.unlink()
    for library, part in ((plain, "without C_GetFunctionList"), (lacking, "needs the library libneeded.so")):
        error = failure(open_machines, with_machine(data_dir, module=library, profile="pkcs11"))
        assert error.code == "hsm.module.load"
        assert "machine-1" in error.detail
        assert part in error.detail
        assert str(tmp_path) not in error.detail


def test_a_module_of_an_unknown_maker_asks_for_a_profile(data_dir: Path, tmp_path: Path) -> None:
    copy = tmp_path / "libunknown.so"
    shutil.copyfile("/usr/lib/softhsm/libsofthsm2.so", copy)
    settings = software_machines(data_dir)[0].model_copy(update={"module": copy, "profile": "auto"})
    opened = pkcs11_machine(settings, HsmSettings(), data_dir)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(data_dir / "tokens" / "softhsm2.conf"))
        error = refusal(opened.connect)
        assert error.code == "hsm.profile.unmatched"
        assert "SoftHSM" in error.detail
    opened.close()


def test_no_secret_stands_in_any_error_of_a_machine(data_dir: Path, faults: Path) -> None:
    pin = (data_dir / "secrets" / "hsm_pin").read_text().strip()
    answers = ["0x5", "0x6", "0x7", "0x20", "0x30", "0x31", "0x54", "0x70", "0x82", "0xA0", "0xA4", "0xB3", "0x190"]
    for answer in answers:
        (faults / "xinyin-1").write_text(answer)
        opened = pkcs11_machine(software_machines(data_dir)[0], HsmSettings(), data_dir)
        with pytest.raises(TrustError) as caught:
            opened.connect()
        opened.close()
        chain: BaseException | None = caught.value
        while chain is not None:
            assert pin not in f"{chain!r} {chain} {getattr(chain, 'facts', '')}"
            chain = chain.__cause__
        assert pin not in repr(opened)


@pytest.mark.parametrize(
    ("table", "code"), [("locked", "hsm.pin.locked"), ("sessions", "hsm.machine.busy"), ("full", "hsm.machine.full")]
)
def test_a_vendors_own_code_means_what_its_profile_says(
    data_dir: Path, tmp_path: Path, faults: Path, table: str, code: str
) -> None:
    profile = tmp_path / "odd.toml"
    profile.write_text(f'name = "odd"\nsource = "tests"\n[errors]\n{table} = [0x80000123]\n')
    settings = software_machines(data_dir)[0].model_copy(update={"profile": "odd"})
    opened = pkcs11_machine(settings, HsmSettings(profiles=(profile,)), data_dir)
    (faults / "xinyin-1").write_text("0x80000123")
    assert refusal(opened.connect).code == code
    opened.close()
