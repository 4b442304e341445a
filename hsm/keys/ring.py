"""The versions of one data key, open in memory, for whoever encrypts or decrypts inside a transaction.

Looking a version up would be a transaction of its own, which waits for ever for the one around it where the database
has one writer. So the ring looks by itself, every few seconds, and answers from memory. A new version protects data
only when every process has had time to see it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import structlog

from hsm.keys.envelope import DataKeys
from trustcore.errors import NotFoundError, TrustError

__all__ = ["DataKeyRing"]

_LOOK_SECONDS = 10.0
_SEEN_BY_ALL = timedelta(seconds=30)
_log = structlog.get_logger(__name__)


class DataKeyRing:
    """A :class:`trustcore.protection.FieldKeys`. Safe to share between threads.

    Args:
        keys: the data keys of the installation.
        name: which one.
        clock: aware UTC time.
    """

    def __init__(self, keys: DataKeys, name: str, clock: Callable[[], datetime]) -> None:
        self._keys = keys
        self._name = name
        self._clock = clock
        self._versions: dict[int, bytes] = {}
        self._current = 0

    def current(self) -> tuple[int, bytes]:
        """The version that protects new data, and its key: the newest that all processes have had time to see."""
        if not self._current:
            self.refresh()
        return self._current, self._versions[self._current]

    def key(self, version: int) -> bytes:
        """The key of one version. Raises ``NotFoundError`` (``hsm.data-key.not-found``)."""
        if not self._current:
            self.refresh()
        try:
            return self._versions[version]
        except KeyError:
            raise NotFoundError(
                f"Version {version} of the data key {self._name} is not known here.",
                code="hsm.data-key.not-found", name=self._name, version=version,
            ) from None  # fmt: skip

    def refresh(self) -> None:
        """Look for versions; not inside a transaction. The first version is made or taken over where there is none."""
        if not self._versions:
            self._keys.current(self._name)
        made = {status.version: status.created_at for status in self._keys.versions() if status.name == self._name}
        for version in made.keys() - self._versions.keys():
            self._versions[version] = self._keys.key(self._name, version)
        seen = [version for version, at in made.items() if self._clock() - at >= _SEEN_BY_ALL]
        self._current = max(seen, default=min(made))

    @contextmanager
    def following(self) -> Iterator[None]:
        """Look every ten seconds in a thread, for the time of the block."""
        self.refresh()
        stop = threading.Event()

        def loop() -> None:
            while not stop.wait(_LOOK_SECONDS):
                try:
                    self.refresh()
                except TrustError as error:
                    _log.warning("hsm.data-key.not-refreshed", name=self._name, code=error.code)

        thread = threading.Thread(target=loop, name="data-key-ring", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
