"""Machines of both drivers in one pool, faults of SDF devices, and processes that share one."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from hsm.libsdf import console
from hsm.service import HsmService, open_hsm
from hsm.settings import HsmSettings
from hsm.software import software_machines
from trustcore.audit import AuditRow
from trustcore.crypto import sm2, verify
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.errors import BusyError, RejectedError
from trustcore.signing import KeyPurpose, Signer

from support.sdf_devices import PASSWORD, Workshop
from support.threads import at_once

pytestmark = pytest.mark.hsm

OpenHsm = Callable[..., AbstractContextManager[HsmService]]
SM2, RSA = KeyAlgorithm.SM2, KeyAlgorithm.RSA_2048
ROOT = Path(__file__).parents[2]


@pytest.fixture
def sdf_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "sdf-faults"
    folder.mkdir()
    monkeypatch.setenv("LIBSDF_FAULTS", str(folder))
    return folder


@pytest.fixture
def mixed(workshop: Workshop, data_dir: Path) -> HsmSettings:
    """Two tokens behind softgm, and one SDF device."""
    workshop.device("sdf-1", sm2=(1, 2), rsa=(1,))
    tokens = software_machines(data_dir)[:2]
    device = workshop.settings(
        "sdf-1", sm2=(1, 2), rsa=(1,), keys={"national-root": 1, "national-rsa": 1, "national-web": 2}
    )
    return HsmSettings(machines=(*tokens, device), sessions_per_machine=4)


@pytest.fixture
def open_devices(workshop: Workshop, sdf_cache: Path, now: datetime) -> OpenHsm:
    """Opens the service over SDF devices alone."""
    shutil.copytree(sdf_cache, workshop.folder / "cache")

    @contextmanager
    def opened(settings: HsmSettings) -> Iterator[HsmService]:
        with open_hsm(settings, data_dir=workshop.folder, database=workshop.database, clock=lambda: now) as service:
            yield service

    return opened


def right(signer: Signer, message: bytes = b"message") -> bool:
    return verify.verify(signer.public_key_der, signer.algorithm, message, signer.sign(message))


def test_two_tokens_and_an_sdf_device_serve_keys_of_both_kinds(mixed: HsmSettings, open_machines: OpenHsm) -> None:
    with open_machines(mixed) as service:
        assert [machine.up for machine in service.machines()] == [True] * 3
        assert all(machine.demonstration for machine in service.machines())
        for label, algorithm, holders in (
            ("seal", SM2, {"machine-1", "machine-2"}),
            ("seal-rsa", RSA, {"machine-1", "machine-2"}),
            ("national-root", SM2, {"sdf-1"}),
            ("national-rsa", RSA, {"sdf-1"}),
            ("web", KeyAlgorithm.EC_P256, {"machine-1", "machine-2"}),
        ):
            signer = service.signer(service.generate(label, algorithm))
            assert right(signer)
            assert len(set(signer.sign_many([bytes([n]) * 32 for n in range(20)]))) == 20
            status = {key.label: key for key in service.keys(limit=100)}[label]
            assert set(status.machines) == holders
            assert (status.missing, status.sealed) == ((), True)
        assert all(result.ok for result in service.self_test())
        with pytest.raises(RejectedError) as caught:
            service.generate("national-web", KeyAlgorithm.EC_P256)
        assert caught.value.code == "hsm.machine.cannot"
        assert "sdf-1" in caught.value.detail


def test_keys_of_an_sdf_device_are_there_after_a_restart(mixed: HsmSettings, open_machines: OpenHsm) -> None:
    with open_machines(mixed) as service:
        uri = service.generate("national-root", SM2)
        public_key_der = service.signer(uri).public_key_der
    with open_machines(mixed) as service:
        signer = service.signer(uri)
        assert signer.public_key_der == public_key_der
        assert right(signer)


def test_a_cloned_device_is_found_and_takes_over(
    mixed: HsmSettings, workshop: Workshop, open_machines: OpenHsm, sdf_faults: Path
) -> None:
    with open_machines(mixed) as service:
        uri = service.generate("national-root", SM2)
    clone = workshop.device("sdf-2")
    console.clone_keys(workshop.device("sdf-1"), clone)
    second = workshop.settings("sdf-2", sm2=(1, 2), rsa=(1,))
    with open_machines(mixed.model_copy(update={"machines": (*mixed.machines, second)})) as service:
        (status,) = service.keys()
        assert set(status.machines) == {"sdf-1", "sdf-2"}
        signer = service.signer(uri)
        (sdf_faults / "sdf-1").write_text("0x01000004")
        assert all(right(signer, bytes([n])) for n in range(20))
        states = {machine.name: machine for machine in service.machines()}
        assert not states["sdf-1"].up
        assert "SDR_HARDFAIL" in states["sdf-1"].reason
        assert states["machine-1"].up


def test_an_installation_with_sdf_alone_signs_and_decrypts(workshop: Workshop, open_devices: OpenHsm) -> None:
    workshop.device("one", sm2=(1, 2))
    with open_devices(
        HsmSettings(machines=(workshop.settings("one", sm2=(1, 2), decrypt="with-algorithm"),))
    ) as service:
        signer = service.signer(service.generate("signing", SM2))
        assert right(signer)
        uri = service.generate("envelope", SM2, purpose=KeyPurpose.ENCRYPTION)
        status = {key.label: key for key in service.keys(limit=10)}["envelope"]
        cipher = sm2.encrypt(sm2.public_point(status.public_key_der), b"data key")
        assert service.decrypt(uri, cipher) == b"data key"
        assert [result.ok for result in service.self_test()] == [True, True]


@pytest.mark.parametrize(
    "fault",
    ["0x01000003", "0x01000004", "0x01000001", "0x0100001D", "0x01010204", "0x80000001"],
    ids=["communication", "hardware", "unknown", "argument", "vendor", "negative"],
)
def test_whatever_an_sdf_device_answers_its_clone_serves_and_it_returns(
    workshop: Workshop, open_devices: OpenHsm, sdf_faults: Path, fault: str
) -> None:
    console.clone_keys(workshop.device("one", sm2=(1,)), workshop.device("two"))
    machines = tuple(workshop.settings(name, sm2=(1,)) for name in ("one", "two"))
    with open_devices(HsmSettings(machines=machines)) as service:
        uri = service.generate("key", SM2)
        service.reconcile()
        signer = service.signer(uri)
        (sdf_faults / "one").write_text(fault)
        assert all(right(signer, bytes([n])) for n in range(8))
        assert [machine.up for machine in service.machines()] == [False, True]
        (sdf_faults / "one").unlink()
        deadline = time.monotonic() + 20
        while not all(machine.up for machine in service.machines()):
            assert time.monotonic() < deadline
            service.health()
            time.sleep(0.02)
        assert all(result.ok for result in service.self_test())


def test_a_device_that_hangs_holds_up_nobody_for_long(
    workshop: Workshop, open_devices: OpenHsm, sdf_faults: Path
) -> None:
    console.clone_keys(workshop.device("one", sm2=(1,)), workshop.device("two"))
    machines = tuple(workshop.settings(name, sm2=(1,)) for name in ("one", "two"))
    settings = HsmSettings.model_validate({"machines": machines, "call_deadline": "PT1S"})
    with open_devices(settings) as service:
        signer = service.signer(service.generate("key", SM2))
        service.reconcile()
        (sdf_faults / "one").write_text("hang")
        try:
            assert all(at_once(4, lambda n: all(right(signer, bytes([n, turn])) for turn in range(10))))
        finally:
            (sdf_faults / "one").unlink()


def test_a_device_that_is_away_at_the_start_is_named_and_the_others_serve(
    mixed: HsmSettings, open_machines: OpenHsm, sdf_faults: Path
) -> None:
    (sdf_faults / "sdf-1").write_text("0x01000003")
    with open_machines(mixed) as service:
        states = {machine.name: machine for machine in service.machines()}
        assert not states["sdf-1"].up
        assert "SDF_OpenDevice" in states["sdf-1"].reason
        assert right(service.signer(service.generate("seal", SM2)))
        with pytest.raises(BusyError):
            service.generate("national-root", SM2)
    (sdf_faults / "sdf-1").unlink()
    with open_machines(mixed) as service:
        assert right(service.signer(service.generate("national-root", SM2)))


def test_a_wrong_password_of_one_device_stops_the_start_with_its_name(
    mixed: HsmSettings, workshop: Workshop, open_machines: OpenHsm
) -> None:
    workshop.pin_file.write_text("wrong-password")
    with pytest.raises(RejectedError) as caught, open_machines(mixed):
        pass
    assert caught.value.code == "hsm.pin.wrong"
    assert "sdf-1" in caught.value.detail


def test_a_destroyed_key_leaves_its_pair_to_the_console(mixed: HsmSettings, open_machines: OpenHsm) -> None:
    with open_machines(mixed) as service:
        service.generate("national-root", SM2)
        service.retire("national-root", actor="user:alice")
        service.destroy("national-root", actor="user:alice")
        assert service.find("national-root") is None
        (machine,) = [service._pool.machine(name) for name in service._pool.names if name == "sdf-1"]
        assert {pair.index for pair in machine._device.found.pairs.values()} == {1, 2}
        with service._database.transaction() as session:
            acts = {entry.action: entry.facts for entry in session.scalars(select(AuditRow))}
        assert acts["hsm.key.put-out-of-use"]["machines"] == "sdf-1"
        assert "sdf-1" not in acts["hsm.key.erased"]["machines"]
        first = service.generate("other", SM2)
        assert set(service._register.by_uri(first).machines) == {"machine-1", "machine-2"}


SIGN_IN_ANOTHER_PROCESS = """
import json, sys
from datetime import UTC, datetime
from pathlib import Path
from hsm.service import open_hsm
from hsm.settings import HsmSettings
from trustcore.crypto import sm2, verify
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.database import Database
from trustcore.errors import ConflictError

folder, settings = Path(sys.argv[1]), HsmSettings.model_validate_json(sys.argv[2])
database = Database(f"sqlite:///{folder / 'sdf.db'}")
with open_hsm(settings, data_dir=folder, database=database, clock=lambda: datetime.now(UTC)) as service:
    try:
        uri = service.find("shared") or service.generate("shared", KeyAlgorithm.SM2)
    except ConflictError:
        uri = service.find("shared")
    own = service.signer(service.generate(f"own-{sys.argv[3]}", KeyAlgorithm.SM2))
    for signer in (service.signer(uri), own):
        for turn in range(100):
            message = str(turn).encode()
            assert verify.verify(signer.public_key_der, signer.algorithm, message, signer.sign(message))
    print(json.dumps([service.signer(uri).public_key_der.hex(), own.public_key_der.hex()]))
"""


def test_two_processes_share_a_device_and_get_different_pairs(workshop: Workshop, sdf_cache: Path) -> None:
    shutil.copytree(sdf_cache, workshop.folder / "cache")
    workshop.device("one", sm2=(1, 2, 3))
    settings = HsmSettings(machines=(workshop.settings("one", sm2=(1, 2, 3)),)).model_dump_json()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", SIGN_IN_ANOTHER_PROCESS, str(workshop.folder), settings, str(number)],
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        for number in range(2)
    ]
    answers = [json.loads(process.communicate(timeout=120)[0]) for process in running]
    assert all(process.returncode == 0 for process in running)
    assert answers[0][0] == answers[1][0]
    assert len({answers[0][0], answers[0][1], answers[1][1]}) == 3


def test_no_password_is_in_what_a_driver_shows(workshop: Workshop) -> None:
    workshop.device("one", sm2=(1,))
    machine = workshop.machine("one", sm2=(1,))
    info = machine.connect()
    shown = (
        f"{machine!r} {info!r} {machine._device.__dict__!r} {machine._device._sessions.__dict__!r} {machine.__dict__!r}"
    )
    assert PASSWORD.get_secret_value() not in shown
