"""Several processes, and processes that die."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hsm import software
from hsm.service import HsmService
from hsm.store import keys as store
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.database import Database
from trustcore.errors import BusyError, ConflictError

pytestmark = pytest.mark.hsm

OpenHsm = Callable[..., AbstractContextManager[HsmService]]
ROOT = Path(__file__).parents[2]

OPEN_AND_SIGN = """
import json, sys
from datetime import UTC, datetime
from pathlib import Path
from hsm.service import open_hsm
from hsm.settings import HsmSettings
from trustcore.crypto import verify
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.database import Database
from trustcore.errors import ConflictError

folder = Path(sys.argv[1])
database = Database(f"sqlite:///{folder / 'test.db'}")
with open_hsm(HsmSettings(), data_dir=folder, database=database, clock=lambda: datetime.now(UTC)) as service:
    try:
        uri = service.find("shared") or service.generate("shared", KeyAlgorithm.SM2)
    except ConflictError:
        uri = service.find("shared")
    signer = service.signer(uri)
    for turn in range(20):
        message = str(turn).encode()
        assert verify.verify(signer.public_key_der, signer.algorithm, message, signer.sign(message))
    assert all(result.ok for result in service.self_test())
    print(json.dumps(signer.public_key_der.hex()))
"""

DIE_IN_THE_MIDDLE = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from hsm.service import open_hsm
from hsm.settings import HsmSettings
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.database import Database

folder, last = Path(sys.argv[1]), int(sys.argv[2])
calls = 0

def clock():
    global calls
    calls += 1
    if calls == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return datetime(2030, 1, 15, 9, 30, tzinfo=UTC)

database = Database(f"sqlite:///{folder / 'test.db'}")
with open_hsm(HsmSettings(), data_dir=folder, database=database, clock=clock) as service:
    service.generate("key", KeyAlgorithm.SM2)
"""


class Killed(BaseException):
    """The process ends here: nothing but the system cleans up."""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def test_processes_that_start_at_once_on_nothing_share_one_key(tmp_path: Path, template_dir: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    shutil.copyfile(template_dir / "test.db", folder / "test.db")
    processes = [start(OPEN_AND_SIGN, folder) for _ in range(3)]
    keys = set()
    for process in processes:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        keys.add(json.loads(output))
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("primed", "calls"),
    [(True, calls) for calls in range(1, 5)]
    + [pytest.param(False, calls, marks=pytest.mark.slow) for calls in range(1, 12)],
)
def test_a_generation_that_is_cut_off_anywhere_is_finished_by_the_next(
    open_machines: OpenHsm, now: datetime, calls: int
) -> None:
    left = calls

    def clock() -> datetime:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed
        return now

    try:
        with open_machines(clock=clock) as service:
            service.generate("key", KeyAlgorithm.SM2)
    except Killed:
        pass
    with open_machines() as service:
        if service.find("key") is None:
            service.generate("key", KeyAlgorithm.SM2)
        else:
            with pytest.raises(ConflictError):
                service.generate("key", KeyAlgorithm.SM2)
            service.reconcile()
        (status,) = service.keys()
        assert (status.missing, status.sealed) == ((), True)
        assert [result.ok for result in service.self_test()] == [True] * 3


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_nothing_that_stops_the_next(data_dir: Path, open_machines: OpenHsm) -> None:
    for last in (1, 2, 3):
        process = start(DIE_IN_THE_MIDDLE, data_dir, last)
        process.communicate(timeout=60)
        assert process.returncode < 0 or last == 3
    with open_machines() as service:
        if service.find("key") is None:
            service.generate("key", KeyAlgorithm.SM2)
        assert [result.ok for result in service.self_test()] == [True] * 3


def test_a_half_made_attempt_in_a_machine_that_is_down_is_never_used(
    faults: Path, open_machines: OpenHsm, now: datetime
) -> None:
    calls = 0

    def clock() -> datetime:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise Killed
        return now

    with pytest.raises(Killed), open_machines(clock=clock) as service:
        service.generate("key", KeyAlgorithm.SM2)
    for number in (1, 2):
        (faults / f"xinyin-{number}").write_text("0x30")
    with open_machines() as service:
        signer = service.signer(service.generate("key", KeyAlgorithm.SM2))
        for number in (1, 2):
            (faults / f"xinyin-{number}").unlink()
        service.health()
        service.reconcile()
        assert [result.ok for result in service.self_test()] == [True] * 3
        assert service.keys()[0].public_key_der == signer.public_key_der


def test_a_key_that_another_host_is_making_is_left_to_it_for_a_while(
    open_machines: OpenHsm, database: Database, now: datetime
) -> None:
    with database.transaction() as session:
        store.request(
            session, store.NewKey(label="key", algorithm="sm2"), key_id=bytes(16),
            uri="pkcs11:object=key;type=private", at=now, host="another-host",
        )  # fmt: skip
    with open_machines() as service, pytest.raises(BusyError) as caught:
        service.generate("key", KeyAlgorithm.SM2)
    assert caught.value.code == "hsm.key.in-progress"
    with open_machines(clock=lambda: now + timedelta(minutes=6)) as service:
        assert service.generate("key", KeyAlgorithm.SM2)


def test_software_machines_are_finished_where_another_process_stopped(template_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "var"
    shutil.copytree(template_dir, folder)
    shutil.rmtree(folder / "tokens" / "store" / "xinyin-3")
    (folder / "tokens" / "staging" / "store" / "half").mkdir(parents=True)
    before = sorted((folder / "tokens" / "store" / "xinyin-1").iterdir())
    software.prepare(folder)
    assert sorted(path.name for path in (folder / "tokens" / "store").iterdir()) == ["xinyin-1", "xinyin-2", "xinyin-3"]
    assert sorted((folder / "tokens" / "store" / "xinyin-1").iterdir()) == before
    assert not (folder / "tokens" / "staging").exists()
