"""Everything that keeps the keys of one process: what is known, counted, approved and linked."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from hsm.core.events import EventKind
from hsm.keys.acts import KeyActs
from hsm.keys.approvals import Approvals
from hsm.keys.bookkeeping import Bookkeeper
from hsm.keys.certificates import KeyCertificates
from hsm.keys.making import KeyMaker
from hsm.keys.moving import KeyMoves
from hsm.keys.register import KeyRegister
from hsm.keys.usage import UsageMeter
from hsm.pool import Pool
from trustcore.database import Database

__all__ = ["KeyKeeping"]


class KeyKeeping:
    """The parts, and the thread that writes for them. Close it before the machines.

    Args:
        database: where everything is.
        pool: the machines.
        keymaker: makes keys.
        approvals: of two persons.
        clock: aware UTC time.
        random: makes identifiers.
        lock: file that keeps two processes of this host from making or destroying keys at once.
        announce: told when a key comes near its limit.
    """

    def __init__(
        self,
        database: Database,
        pool: Pool,
        keymaker: KeyMaker,
        *,
        approvals: Approvals,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        lock: Path,
        announce: Callable[[EventKind, str], None],
    ) -> None:
        self.approvals = approvals
        self.register = KeyRegister(database)
        self.meter = UsageMeter(database, self.register, clock=clock, announce=announce, wake=self._wake)
        self.certificates = KeyCertificates(database, self.register, clock=clock, wake=self._wake)
        self.acts = KeyActs(database, pool, self.register, approvals=approvals, clock=clock, lock=lock)
        self.moves = KeyMoves(
            database, pool, keymaker, self.register, approvals=approvals, clock=clock, random=random, lock=lock
        )
        self.bookkeeper = Bookkeeper((self.meter.write, self.certificates.write), at_end=self.meter.give_all_back)

    def close(self) -> None:
        """Write what is left, and give leases back."""
        self.bookkeeper.close()

    def _wake(self) -> None:
        self.bookkeeper.wake()
