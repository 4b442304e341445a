"""A process that works for long: ``hsm_marathon.py FOLDER THREADS OPERATIONS SLICES``.

It makes so many operations (a signature or a piece of random octets is one) in equal slices, the first of which is to
warm up, and says after each slice, as one line of JSON, what the process holds.
"""

import gc
import json
import os
import secrets
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from hsm.service import HsmService, open_hsm
from hsm.settings import HsmSettings
from trustcore.crypto import verify
from trustcore.crypto.digests import sha256
from trustcore.database import Database
from trustcore.signing import Signer

TOGETHER = 64
SINGLES = 4
RANDOM = 32
ROUND = TOGETHER + SINGLES + RANDOM
MARK = "holds "


def work(service: HsmService, signers: list[Signer], rounds: int) -> None:
    """So many rounds of a batch, some single signatures and some random octets; one signature of each is verified."""
    for number in range(rounds):
        signer = signers[0] if number % 50 else signers[-1]
        digests = [sha256(secrets.token_bytes(16)) for _ in range(TOGETHER)]
        check(signer, digests[-1], signer.sign_many(digests)[-1])
        for digest in digests[:SINGLES]:
            signature = signers[0].sign_digest(digest)
        check(signers[0], digest, signature)
        for _ in range(RANDOM):
            if len(service.random(32)) != 32:
                raise SystemExit("random octets are missing")


def check(signer: Signer, digest: bytes, signature: bytes) -> None:
    """End everything when a signature is wrong."""
    if not verify.verify_digest(signer.public_key_der, signer.algorithm, digest, signature):
        os._exit(3)


def holdings(service: HsmService, operations: int, seconds: float) -> dict[str, object]:
    """What the process holds now."""
    gc.collect()
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    numbers = [condition.numbers for condition in service.operations.status()]
    return {
        "operations": operations,
        "per_second": round(operations / seconds),
        "resident_kib": int(status["VmRSS"].split()[0]),
        "objects": len(gc.get_objects()),
        "threads": int(status["Threads"]),
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "sessions": [n.sessions.open for n in numbers],
        "served": [n.served for n in numbers],
        "failed": [n.failed for n in numbers],
    }


def main() -> None:
    """Work through all slices."""
    folder, threads, operations, slices = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    database = Database(f"sqlite:///{folder / 'test.db'}")
    with open_hsm(HsmSettings(), data_dir=folder, database=database, clock=lambda: datetime.now(UTC)) as service:
        signers = [service.signer(uri) for label in ("sm2", "rsa") if (uri := service.find(label))]
        rounds = operations // slices // threads // ROUND
        for _ in range(slices):
            started = time.monotonic()
            running = [threading.Thread(target=work, args=(service, signers, rounds)) for _ in range(threads)]
            for thread in running:
                thread.start()
            for thread in running:
                thread.join()
            done = rounds * threads * ROUND
            sys.stdout.write(MARK + json.dumps(holdings(service, done, time.monotonic() - started)) + "\n")
            sys.stdout.flush()
    database.close()


if __name__ == "__main__":
    main()
