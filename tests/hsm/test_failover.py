import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from hsm.service import HsmService
from trustcore.crypto import verify
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.errors import BusyError

pytestmark = pytest.mark.hsm

OpenHsm = Callable[..., AbstractContextManager[HsmService]]

DEVICE_ERROR = "0x30"


def up(service: HsmService) -> list[bool]:
    return [machine.up for machine in service.machines()]


def wait_until_up(service: HsmService) -> None:
    deadline = time.monotonic() + 20
    while not all(up(service)):
        assert time.monotonic() < deadline
        service.health()
        time.sleep(0.02)


def test_callers_see_no_failure_when_a_machine_goes_down_and_comes_back(faults: Path, open_machines: OpenHsm) -> None:
    with open_machines() as service:
        signer = service.signer(service.generate("key", KeyAlgorithm.SM2))
        stop = threading.Event()

        def work(_: int) -> int:
            done = 0
            while not stop.is_set():
                signature = signer.sign(b"message")
                assert verify.verify(signer.public_key_der, signer.algorithm, b"message", signature)
                done += 1
            return done

        with ThreadPoolExecutor(4) as pool:
            running = [pool.submit(work, number) for number in range(4)]
            try:
                (faults / "xinyin-2").write_text(DEVICE_ERROR)
                while all(up(service)):
                    time.sleep(0.01)
                served = service.machines()[1].served
                assert up(service) == [True, False, True]
                (faults / "xinyin-2").unlink()
                deadline = time.monotonic() + 20
                while service.machines()[1].served == served:
                    assert time.monotonic() < deadline, "it returns by itself"
                    time.sleep(0.02)
            finally:
                stop.set()
            assert sum(future.result() for future in running) > 0
        assert up(service) == [True, True, True]


@pytest.mark.parametrize("primed", [True, False])
def test_a_key_made_while_a_machine_is_down_reaches_it_later(faults: Path, open_machines: OpenHsm) -> None:
    with open_machines() as service:
        (faults / "xinyin-3").write_text(DEVICE_ERROR)
        uri = service.generate("key", KeyAlgorithm.SM2)
        (status,) = service.keys()
        assert (status.missing, status.sealed) == (("machine-3",), False)
        assert service.signer(uri).sign(b"message")
        assert service.reconcile() == (), "it is still down"
        (faults / "xinyin-3").unlink()
        wait_until_up(service)
        assert service.reconcile() == ("key",)
        (status,) = service.keys()
        assert (status.missing, status.sealed) == ((), True)
        assert [result.ok for result in service.self_test()] == [True] * 3
        assert service.reconcile() == (), "and once is enough"


@pytest.mark.parametrize("primed", [True, False])
def test_a_start_with_a_machine_down_uses_the_others_and_catches_up_at_the_next(
    faults: Path, open_machines: OpenHsm
) -> None:
    (faults / "xinyin-1").write_text(DEVICE_ERROR)
    with open_machines() as service:
        assert up(service) == [False, True, True]
        assert "machine-1" in service.machines()[0].reason
        service.generate("key", KeyAlgorithm.RSA_2048)
    (faults / "xinyin-1").unlink()
    with open_machines() as service:
        (status,) = service.keys()
        assert (status.missing, status.sealed) == ((), True)
        assert [result.ok for result in service.self_test()] == [True] * 3


def test_when_all_machines_are_down_the_caller_is_told_to_wait(faults: Path, open_machines: OpenHsm) -> None:
    with open_machines() as service:
        signer = service.signer(service.generate("key", KeyAlgorithm.SM2))
        for number in (1, 2, 3):
            (faults / f"xinyin-{number}").write_text(DEVICE_ERROR)
        for call in (lambda: signer.sign(b"message"), lambda: service.random(8), service.health):
            with pytest.raises(BusyError) as caught:
                call()
            assert caught.value.code == "hsm.machine.unavailable"
        with pytest.raises(BusyError):
            service.generate("another", KeyAlgorithm.SM2)
        assert up(service) == [False] * 3
        for number in (1, 2, 3):
            (faults / f"xinyin-{number}").unlink()
        assert signer.sign(b"message"), "the next call finds them back, without waiting for the pause"
        wait_until_up(service)
        assert service.generate("another", KeyAlgorithm.SM2), "and the request that failed is taken up again"
        assert all(result.ok for result in service.self_test())


def test_a_start_with_all_machines_down_is_one_sentence(faults: Path, open_machines: OpenHsm) -> None:
    for number in (1, 2, 3):
        (faults / f"xinyin-{number}").write_text(DEVICE_ERROR)
    with pytest.raises(BusyError) as caught, open_machines():
        pass
    assert "machine-1" in caught.value.detail


@pytest.mark.parametrize(
    "code",
    ["0x5", "0x6", "0x30", "0x32", "0xB0", "0xB3", "0xE0", "0x101", "0x80000123"],
    ids=["general", "function", "device", "removed", "closed", "session", "token", "login", "vendor"],
)
def test_whatever_a_machine_answers_another_one_serves_and_it_returns(
    faults: Path, open_machines: OpenHsm, code: str
) -> None:
    with open_machines() as service:
        signer = service.signer(service.generate("key", KeyAlgorithm.EC_P256))
        (faults / "xinyin-2").write_text(code)
        for _ in range(6):
            assert verify.verify(signer.public_key_der, signer.algorithm, b"message", signer.sign(b"message"))
        assert up(service) == [True, False, True]
        (faults / "xinyin-2").unlink()
        wait_until_up(service)
        assert [result.ok for result in service.self_test()] == [True] * 3


def test_a_slow_machine_gets_less_of_the_load(faults: Path, open_machines: OpenHsm) -> None:
    with open_machines() as service:
        signer = service.signer(service.generate("key", KeyAlgorithm.SM2))
        before = [machine.served for machine in service.machines()]
        (faults / "xinyin-1").write_text("delay 100")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: signer.sign(b"message"), range(120)))
        served = [machine.served - old for machine, old in zip(service.machines(), before, strict=True)]
        assert sum(served) == 120
        assert served[0] < min(served[1:]) / 2
