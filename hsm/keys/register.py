"""What this process knows of the keys, not older than two seconds."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from hsm.core.lifecycle import ALLOWED, PURPOSES, KeyState, KeyUse, Operation
from hsm.core.uri import key_uri, label_of
from hsm.store import keys as store
from hsm.store.keys import KeyRecord
from trustcore.database import Database
from trustcore.errors import BusyError, NotFoundError

__all__ = ["KeyRegister", "KnownKey"]

_FRESH_SECONDS = 2.0
"""How long another process may go on after a key was suspended, retired or destroyed."""
_GRACE_SECONDS = 60.0
"""How long what is known serves while the database does not answer."""
_LOOK_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class KnownKey:
    """One key as the database had it."""

    record: KeyRecord
    use: KeyUse
    signs_freely: bool
    """It may sign at any time and as often as wanted, until the record is read again."""
    fresh_until: float
    usable_until: float


class KeyRegister:
    """Records of keys that are made, by label. Safe to share between threads.

    A record is read again when it is older than two seconds: one thread reads, the others go on with what is known, so
    signing never waits in a queue for the database.

    Args:
        database: where ``hsm_key`` is.
        monotonic: seconds that never go back.
    """

    def __init__(self, database: Database, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic
        self._known: dict[str, KnownKey] = {}
        self._reading: set[str] = set()
        self._lock = threading.Lock()

    def known(self, label: str) -> KnownKey | None:
        """The key with this label, if it is made; a destroyed one too."""
        entry = self._known.get(label)
        if entry is not None and self._monotonic() < entry.fresh_until:
            return entry
        return self._read_again(label, entry)

    def find(self, label: str) -> KeyRecord | None:
        """The key with this label, if it is made and not destroyed."""
        key_uri(label)
        entry = self.known(label)
        return entry.record if entry is not None and entry.record.state is not KeyState.DESTROYED else None

    def record(self, label: str) -> KeyRecord:
        """The key with this label, a destroyed one too. Raises ``NotFoundError`` (``hsm.key.not-found``)."""
        entry = self.known(label)
        if entry is None:
            raise NotFoundError(f"There is no key {label}.", code="hsm.key.not-found", label=label)
        return entry.record

    def by_uri(self, uri: str) -> KeyRecord:
        """The key with this URI. Raises ``NotFoundError`` (``hsm.key.not-found``)."""
        entry = self.known(label_of(uri))
        if entry is None:
            raise NotFoundError(f"There is no key {uri}.", code="hsm.key.not-found", uri=uri)
        return entry.record

    def holders(self, label: str) -> tuple[str, ...]:
        """Machines that hold the key now."""
        entry = self.known(label)
        return entry.record.machines if entry else ()

    def remember(self, record: KeyRecord) -> KnownKey:
        """Take in what was just read or written."""
        now = self._monotonic()
        use = record.use
        freely = record.usage_limit is None and use.not_before is None and use.not_after is None
        freely = freely and Operation.SIGN in ALLOWED[use.state] & PURPOSES[use.purpose]
        entry = KnownKey(record, use, freely, now + _FRESH_SECONDS, now + _GRACE_SECONDS)
        self._known[record.label] = entry
        return entry

    def forget(self, label: str) -> None:
        """Read this key from the database when it is asked for again."""
        self._known.pop(label, None)

    def _read_again(self, label: str, entry: KnownKey | None) -> KnownKey | None:
        serves = entry is not None and self._monotonic() < entry.usable_until
        with self._lock:
            if serves and label in self._reading:
                return entry
            self._reading.add(label)
        try:
            with self._database.transaction() as session:
                record = store.key_record(session, label)
        except BusyError:
            if not serves:
                raise
            assert entry is not None
            later = replace(entry, fresh_until=self._monotonic() + _LOOK_AGAIN_SECONDS)
            self._known[label] = later
            return later
        finally:
            with self._lock:
                self._reading.discard(label)
        if record is None or record.created_at is None or record.algorithm == store.WRAPPING_ALGORITHM:
            self.forget(label)
            return None
        return self.remember(record)
