"""The connection to one machine: lost and found again by itself, bounded, and never left in an odd state."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pkcs11
import pytest

from hsm.errors import MachineDownError
from hsm.machine import KeyReference, MachineKey
from hsm.opening import pkcs11_machine
from hsm.pkcs11 import Pkcs11Machine
from hsm.pkcs11.calls import Calls
from hsm.pkcs11.sessions import OpenToken
from hsm.settings import HsmSettings
from hsm.software import software_machines
from trustcore.crypto import verify
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.errors import BusyError, InternalError

pytestmark = pytest.mark.hsm

REFERENCE = KeyReference("key", b"0123456789abcdef")
DIGEST = bytes(range(32))

OpenMachine = Callable[..., Pkcs11Machine]


@pytest.fixture
def open_machine(data_dir: Path) -> Iterator[OpenMachine]:
    opened = []

    def open_one(**bounds: Any) -> Pkcs11Machine:
        opened.append(pkcs11_machine(software_machines(data_dir)[0], HsmSettings(**bounds), data_dir))
        return opened[-1]

    yield open_one
    for machine in opened:
        machine.close()


@pytest.fixture
def machine(open_machine: OpenMachine) -> Pkcs11Machine:
    return open_machine()


@pytest.fixture
def key(machine: Pkcs11Machine) -> MachineKey:
    return machine.generate(REFERENCE, KeyAlgorithm.SM2, extractable=False)


def signs(machine: Pkcs11Machine, key: MachineKey) -> bool:
    signature = machine.sign_digest(key, DIGEST)
    return verify.verify_digest(key.public_key_der, key.algorithm.signature, DIGEST, signature)


def module_calls(machine: Pkcs11Machine) -> Calls:
    calls: Calls = machine._connection._module.calls
    return calls


def slot(machine: Pkcs11Machine) -> int:
    number: int = machine._connection._sessions._token.token.slot.slot_id
    return number


def test_sessions_that_the_machine_has_dropped_are_opened_anew(machine: Pkcs11Machine, key: MachineKey) -> None:
    for _ in range(20):
        assert signs(machine, key)
        module_calls(machine).close_all(slot(machine))
        with pytest.raises(MachineDownError):
            machine.sign_digest(key, DIGEST)
        assert machine.sessions.open == 0
    assert signs(machine, key)
    assert machine.sessions.open == 1


def test_a_module_that_was_ended_under_us_is_started_again(machine: Pkcs11Machine, key: MachineKey) -> None:
    for _ in range(3):
        machine._connection._module.library.finalize()
        with pytest.raises(MachineDownError):
            machine.sign_digest(key, DIGEST)
        assert signs(machine, key)
    assert machine.connect().algorithms, "and what it answers was proved again"


@pytest.mark.parametrize("answer", ["0x32", "0xB3", "0xE0", "0x101", "0x190"])
def test_a_token_that_was_taken_out_is_used_again_when_it_is_back(
    machine: Pkcs11Machine, key: MachineKey, faults: Path, answer: str
) -> None:
    machine.close()  # the folder of faults is read when the module starts
    assert signs(machine, key)
    (faults / "xinyin-1").write_text(answer)
    for _ in range(3):
        with pytest.raises(MachineDownError):
            machine.sign_digest(key, DIGEST)
    (faults / "xinyin-1").unlink()
    assert signs(machine, key)
    assert machine.sessions.open == 1


def test_a_start_is_tried_again_for_a_while(open_machine: OpenMachine, faults: Path) -> None:
    """SoftHSM answers so while another process rewrites the token's file."""
    (faults / "xinyin-1").write_text("0x5")
    timer = threading.Timer(0.2, (faults / "xinyin-1").unlink)
    timer.start()
    started = time.monotonic()
    assert open_machine().connect().algorithms
    assert time.monotonic() - started >= 0.15
    timer.join()


def test_sessions_that_are_closed_on_purpose_come_back_with_the_next_call(
    machine: Pkcs11Machine, key: MachineKey
) -> None:
    assert signs(machine, key)
    machine.close_sessions()
    assert machine.sessions.open == 0
    assert signs(machine, key)
    machine.close_sessions()
    machine.close_sessions()
    assert signs(machine, key)


def test_many_threads_open_no_more_sessions_than_there_may_be(open_machine: OpenMachine) -> None:
    machine = open_machine(sessions_per_machine=3)
    key = machine.generate(REFERENCE, KeyAlgorithm.SM2, extractable=False)
    with ThreadPoolExecutor(12) as threads:
        assert all(threads.map(lambda _: signs(machine, key), range(600)))
    counts = machine.sessions
    assert 1 <= counts.open <= counts.limit == 3
    assert counts.in_use == 0


def test_a_call_waits_for_a_session_only_so_long(open_machine: OpenMachine) -> None:
    machine = open_machine(sessions_per_machine=1, session_wait=timedelta(milliseconds=50))
    machine.connect()
    lane = machine._connection.take()
    assert machine.sessions.in_use == 1
    with pytest.raises(BusyError) as caught:
        machine.random(8)
    assert caught.value.code == "hsm.machine.busy"
    machine._connection.give_back(lane)
    assert machine.random(8)


class StingyToken:
    """A token that has only so many sessions."""

    def __init__(self, token: Any, sessions: int) -> None:
        self._token = token
        self._left = sessions

    def open(self, *, rw: bool) -> Any:
        if self._left == 0:
            raise pkcs11.SessionCount
        self._left -= 1
        return self._token.open(rw=rw)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._token, name)


def test_a_machine_with_fewer_sessions_than_the_settings_say_is_used_with_those(open_machine: OpenMachine) -> None:
    machine = open_machine(sessions_per_machine=8)
    find = machine._connection._sessions._find_token

    def find_stingy() -> OpenToken:
        found = find()
        return OpenToken(token=StingyToken(found.token, 3), calls=found.calls)

    machine._connection._sessions._find_token = find_stingy
    key = machine.generate(REFERENCE, KeyAlgorithm.SM2, extractable=False)
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(lambda _: signs(machine, key), range(200)))
    assert machine.sessions.open <= 2, "the third one holds the login"
    assert machine.sessions.in_use == 0


def test_a_read_only_token_serves_with_the_keys_it_has(open_machine: OpenMachine) -> None:
    machine = open_machine()
    key = machine.generate(REFERENCE, KeyAlgorithm.SM2, extractable=False)
    machine.close_sessions()
    find = machine._connection._sessions._find_token

    class Protected:
        def __init__(self, token: Any) -> None:
            self._token = token

        def open(self, *, rw: bool) -> Any:
            if rw:
                raise pkcs11.TokenWriteProtected
            return self._token.open(rw=False)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._token, name)

    def find_protected() -> OpenToken:
        found = find()
        return OpenToken(token=Protected(found.token), calls=found.calls)

    machine._connection._sessions._find_token = find_protected
    assert "sm2-sign" in machine.connect().algorithms, "trial keys live in the session"
    assert signs(machine, key)
    with pytest.raises(InternalError) as caught:
        machine.generate(KeyReference("next", b"n" * 16), KeyAlgorithm.SM2, extractable=False)
    assert "write-protected" in caught.value.detail


def test_a_request_that_fails_leaves_the_session_as_it_was(open_machine: OpenMachine) -> None:
    machine = open_machine(sessions_per_machine=1)
    keys = [
        machine.generate(KeyReference(name, name.encode() * 8), algorithm, extractable=False)
        for name, algorithm in (("ab", KeyAlgorithm.SM2), ("ef", KeyAlgorithm.RSA_2048))
    ]
    for key in keys:
        for wrong in (b"", bytes(31), bytes(5000)) if key.algorithm is KeyAlgorithm.SM2 else (bytes(5000),):
            with pytest.raises((InternalError, MachineDownError)):
                machine.sign_digests(key, [DIGEST, wrong])
            assert signs(machine, key)
    assert machine.sessions.open == 1


def test_an_operation_that_was_left_over_costs_its_session_and_no_other(open_machine: OpenMachine) -> None:
    machine = open_machine(sessions_per_machine=1)
    key = machine.generate(REFERENCE, KeyAlgorithm.SM2, extractable=False)
    assert signs(machine, key)
    lane = machine._connection.take()
    handle = next(iter(lane.keys.values())).handle
    lane.calls._begin(lane.calls._functions.C_SignInit, lane.calls._mechanism(0x80008105), handle)
    machine._connection.give_back(lane)
    with pytest.raises(MachineDownError):
        machine.sign_digest(key, DIGEST)
    assert signs(machine, key)
    assert machine.sessions.open == 1


def test_a_key_that_was_made_anew_elsewhere_is_found_again(open_machine: OpenMachine) -> None:
    first, second = open_machine(), open_machine()
    old = first.generate(REFERENCE, KeyAlgorithm.SM2, extractable=False)
    assert signs(first, old)
    second.destroy(REFERENCE)
    new = second.generate(REFERENCE, KeyAlgorithm.SM2, extractable=False)
    assert new != old
    assert signs(first, new)


def test_batches_answer_in_order_and_an_empty_one_with_nothing(machine: Pkcs11Machine, key: MachineKey) -> None:
    digests = [number.to_bytes(32, "big") for number in range(200)]
    signatures = machine.sign_digests(key, digests)
    assert len(set(signatures)) == 200
    for digest, signature in zip(digests, signatures, strict=True):
        assert verify.verify_digest(key.public_key_der, key.algorithm.signature, digest, signature)
    assert machine.sign_digests(key, []) == []
