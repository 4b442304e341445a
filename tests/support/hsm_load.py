"""A process that signs with the machines of a folder: ``hsm_load.py FOLDER THREADS OPERATIONS DEADLINE_SECONDS``.

It makes as many operations as the lines of its standard input allow, each a number, until it has made all of them. It
writes the octet 1 for each operation that ended well, and at the end the octet 2 and JSON: how many were wrong, what
failed, and what each machine did. Every signature is verified in software.
"""

import json
import secrets
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hsm.service import HsmService, open_hsm
from hsm.settings import HsmSettings
from trustcore.crypto import verify
from trustcore.crypto.digests import sha256
from trustcore.database import Database
from trustcore.errors import TrustError
from trustcore.signing import Signer

DONE, END = "\x01", "\x02"
TOGETHER = 12
WAIT_SECONDS = 60


class Worker:
    """Makes operations and counts what went wrong."""

    def __init__(self, service: HsmService) -> None:
        self.service = service
        self.signers = [service.signer(status.uri) for status in service.keys()]  # noqa: SIM118 - no dictionary
        self.wrong = 0
        self.failures: list[str] = []
        self.lock = threading.Lock()
        self.permits = threading.Semaphore(0)

    def work(self, operations: int) -> None:
        """Sign, sign many, and ask for random octets, in turn."""
        for number in range(operations):
            self.permits.acquire()
            act = (self.sign, self.sign, self.sign, self.sign_many, self.random)[number % 5]
            try:
                right = act(self.signers[number % len(self.signers)])
            except TrustError as error:
                with self.lock:
                    self.failures.append(f"{error.code}: {error.detail}")
                continue
            with self.lock:
                self.wrong += not right
            sys.stdout.write(DONE)
            sys.stdout.flush()

    def listen(self) -> None:
        """Take permits from standard input."""
        for line in sys.stdin:
            self.permits.release(int(line))

    def sign(self, signer: Signer) -> bool:
        """One signature."""
        digest = sha256(secrets.token_bytes(16))
        return verify.verify_digest(signer.public_key_der, signer.algorithm, digest, signer.sign_digest(digest))

    def sign_many(self, signer: Signer) -> bool:
        """Some signatures at once, each at its place."""
        digests = [sha256(secrets.token_bytes(16)) for _ in range(TOGETHER)]
        signatures = signer.sign_many(digests)
        return len(signatures) == TOGETHER and all(
            verify.verify_digest(signer.public_key_der, signer.algorithm, digest, signature)
            for digest, signature in zip(digests, signatures, strict=True)
        )

    def random(self, _: Signer) -> bool:
        """Random octets."""
        return len(set(self.service.random(64))) > 1


def wait_for(holds: Callable[[], bool]) -> bool:
    """Whether it came true in a minute."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def main() -> None:
    """Work, wait until all machines are back without any call, and report."""
    folder, threads, operations, deadline = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    database = Database(f"sqlite:///{folder / 'test.db'}")
    settings = HsmSettings(call_deadline=timedelta(seconds=deadline))
    with open_hsm(settings, data_dir=folder, database=database, clock=lambda: datetime.now(UTC)) as service:
        worker = Worker(service)
        threading.Thread(target=worker.listen, daemon=True).start()
        running = [threading.Thread(target=worker.work, args=(operations,)) for _ in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        back = wait_for(lambda: all(machine.up for machine in service.machines()))
        numbers = [condition.numbers for condition in service.operations.status()]
        report = {
            "wrong": worker.wrong,
            "failures": worker.failures[:20],
            "back": back,
            "machines": {n.name: {"served": n.served, "failed": n.failed, "late": n.late} for n in numbers},
            "events": [event.kind.value for _, event in service.operations.events()],
        }
    sys.stdout.write(END + json.dumps(report))
    database.close()


if __name__ == "__main__":
    main()
