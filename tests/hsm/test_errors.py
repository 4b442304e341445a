"""What stands in the way is one sentence that names the machine and the remedy."""

import stat
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from hsm.pkcs11.module import LoadedModule
from hsm.pkcs11.opening import pkcs11_machine
from hsm.service import HsmService
from hsm.settings import HsmSettings
from hsm.software import machine_source, software_machines
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.errors import InternalError, NotFoundError, RejectedError, TrustError

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
