"""Password hashing with a bound on how much of it runs at once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from sso.core import passwords
from sso.core.passwords import HashParameters
from trustcore.errors import BusyError

__all__ = ["PasswordHasher"]

_WAIT_SECONDS = 5.0


class PasswordHasher:
    """Makes and checks hashes. Safe to share between threads.

    Args:
        random: source of salts.
        concurrent: how many hashes are computed at once; who waits longer than five seconds gets ``BusyError``.
    """

    def __init__(self, random: Callable[[int], bytes], *, concurrent: int) -> None:
        self._random = random
        self._parameters = HashParameters()
        self._room = BoundedSemaphore(concurrent)
        self._nobodys = passwords.unmatched(random=random(passwords.UNMATCHED_BYTES), parameters=self._parameters)

    def digest(self, password: str) -> str:
        """The encoded hash of a password."""
        with self._admission():
            return passwords.digest(password, salt=self._random(passwords.SALT_BYTES), parameters=self._parameters)

    def verify(self, encoded: str | None, password: str) -> bool:
        """Whether this is the password; where there is none to compare with, the same work is done for nothing."""
        with self._admission():
            return passwords.verify(encoded or self._nobodys, password) and encoded is not None

    def is_outdated(self, encoded: str) -> bool:
        """Whether a hash should be made anew when its password is at hand."""
        return passwords.is_outdated(encoded, self._parameters)

    @contextmanager
    def _admission(self) -> Iterator[None]:
        if not self._room.acquire(timeout=_WAIT_SECONDS):
            raise BusyError("Too many people are logging in just now.", code="sso.login.busy")
        try:
            yield
        finally:
            self._room.release()
