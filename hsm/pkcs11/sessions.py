"""The sessions of one token: opened when needed, bounded, never closed one by one.

PKCS#11 ties the login to the application, not to a session: the first session logs in and is kept for ever, because
closing it would log all others out; the others open without a PIN. SoftHSM has a race in closing single sessions
(its issue 464), so sessions end with the module.
"""

import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pkcs11
from pkcs11 import PKCS11Error, Session, Token
from pydantic import SecretStr

from hsm.errors import MachineDownError
from hsm.pins import read_pin
from hsm.pkcs11.failures import pin_error, translate
from trustcore.errors import BusyError, NotFoundError, RejectedError
from trustcore.locks import file_lock

__all__ = ["Lane", "SessionPool"]

_ATTEMPTS = 6
_FIRST_BACK_OFF_SECONDS = 0.05
_START_RACE = (pkcs11.NoSuchToken, pkcs11.TokenNotRecognised, pkcs11.GeneralError, pkcs11.FunctionFailed)
"""What SoftHSM answers when another process is just rewriting the token's file; worth another try."""


@dataclass(slots=True, eq=False)
class Lane:
    """One session and the key objects found in it. Used by one thread at a time."""

    session: Session
    generation: int
    keys: dict[bytes, Any] = field(default_factory=dict)
    """Key objects by CKA_ID: finding one costs six calls, which count over a network."""
    usable: bool = True
    """Cleared when an operation was left open in it, which PKCS#11 v2.40 cannot cancel."""


class SessionPool:
    """The sessions of one machine.

    Args:
        machine: its name, for messages.
        find_token: looks the token up; raises ``PKCS11Error`` when it is not there.
        pin_file: read at each login and not kept.
        pin_shares: whether custodians unlock the PIN, so that the file is there only while the machine is activated.
        start_lock: file that serialises logins of all processes, because SoftHSM rewrites the token's file then while
            another process may be reading it (its issue 757).
        limit: number of sessions.
        wait_seconds: how long to wait for a free one.
    """

    def __init__(
        self,
        machine: str,
        *,
        find_token: Callable[[], Token],
        pin_file: Path,
        pin_shares: bool,
        start_lock: Path,
        limit: int,
        wait_seconds: float,
    ) -> None:
        self._machine = machine
        self._find_token = find_token
        self._pin_file = pin_file
        self._pin_shares = pin_shares
        self._start_lock = start_lock
        self._limit = limit
        self._wait_seconds = wait_seconds
        self._free = threading.BoundedSemaphore(limit)
        self._lock = threading.Lock()
        self._connecting = threading.Lock()
        self._idle: list[Lane] = []
        self._generation = 0
        self._token: Token | None = None
        self._refused_pin: tuple[bytes, RejectedError] | None = None

    def connect(self) -> Token:
        """Log in, unless that is done, and return the token.

        Raises ``NotFoundError`` (``hsm.token.missing``, ``hsm.pin.missing``), ``RejectedError`` (``hsm.pin.…``) or
        ``MachineDownError`` (also ``hsm.activation.needed``).
        """
        with self._connecting:
            if self._token is not None:
                return self._token
            pin = self._read_pin()
            with file_lock(self._start_lock):
                token, session = self._log_in(pin)
            with self._lock:
                self._token = token
                self._idle.append(Lane(session, self._generation))
            return token

    @contextmanager
    def borrow(self) -> Iterator[Lane]:
        """A session for the time of the block.

        Raises ``BusyError`` (``hsm.machine.busy``) when all stay in use for too long.
        """
        token = self.connect()
        if not self._free.acquire(timeout=self._wait_seconds):
            raise BusyError(
                f"All {self._limit} sessions of the encryption machine {self._machine} are in use; try again.",
                code="hsm.machine.busy",
                machine=self._machine,
            )
        try:
            lane = self._take(token)
            try:
                yield lane
            finally:
                with self._lock:
                    if lane.usable and lane.generation == self._generation:
                        self._idle.append(lane)
        finally:
            self._free.release()

    def discard(self) -> None:
        """Forget all sessions: the machine lost them. The next call logs in again."""
        with self._lock:
            self._generation += 1
            self._idle.clear()
            self._token = None

    def _take(self, token: Token) -> Lane:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            generation = self._generation
        try:
            return Lane(token.open(rw=True), generation)
        except PKCS11Error as error:
            raise translate(self._machine, error) from error

    def _read_pin(self) -> SecretStr:
        pin = read_pin(self._machine, self._pin_file, shared=self._pin_shares)
        if self._refused_pin is not None and self._refused_pin[0] == _fingerprint(pin):
            raise self._refused_pin[1]
        return pin

    def _log_in(self, pin: SecretStr) -> tuple[Token, Session]:
        """Find the token and log in; starting is repeated, a refused PIN is not."""
        pause = _FIRST_BACK_OFF_SECONDS
        attempt = 1
        while True:
            try:
                token = self._find_token()
                return token, self._open_with(token, pin)
            except PKCS11Error as error:
                refusal = pin_error(self._machine, error)
                if refusal is not None:
                    assert isinstance(refusal, RejectedError)
                    self._refused_pin = (_fingerprint(pin), refusal)
                    raise refusal from error
                if attempt == _ATTEMPTS or not isinstance(error, _START_RACE):
                    raise self._cannot_start(error) from error
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads retries, protects nothing
            pause *= 2
            attempt += 1

    def _open_with(self, token: Token, pin: SecretStr) -> Session:
        try:
            return token.open(rw=True, user_pin=pin.get_secret_value())
        except pkcs11.UserAlreadyLoggedIn:
            # The process lost its sessions here and not its login.
            return token.open(rw=True)

    def _cannot_start(self, error: PKCS11Error) -> NotFoundError | MachineDownError:
        if isinstance(error, pkcs11.NoSuchToken):
            return NotFoundError(
                f"The encryption machine {self._machine} has no token with the label that the settings name; "
                "initialise it or correct the setting.",
                code="hsm.token.missing",
                machine=self._machine,
            )
        return MachineDownError(self._machine, type(error).__name__)


def _fingerprint(pin: SecretStr) -> bytes:
    return hashlib.sha256(pin.get_secret_value().encode()).digest()
