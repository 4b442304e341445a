"""The sessions of one token: opened when needed, bounded, and closed only when nobody uses them.

PKCS#11 ties the login to the application, not to a session: one session logs in, the others open without a PIN, and the
login ends with the last of them. So one session does nothing but hold the login; the others work, and stay open as long
as the machine is well. Those that the machine lost, or in which an operation was left over, are closed one by one when
their call is over.
"""
# ruff: noqa: ANN401 - python-pkcs11 makes the classes of objects at run time, from their attributes

import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pkcs11
from pkcs11 import PKCS11Error, Token
from pydantic import SecretStr

from hsm.errors import MachineDownError
from hsm.machine import SessionCounts
from hsm.pins import read_pin
from hsm.pkcs11.calls import Calls, CryptokiNotInitializedError, SessionCalls
from hsm.pkcs11.failures import Failures
from hsm.settings import HsmSettings, MachineSettings
from trustcore.errors import BusyError, NotFoundError, RejectedError
from trustcore.locks import file_lock

__all__ = ["Lane", "OpenToken", "SessionPool"]

_ATTEMPTS = 6
_FIRST_BACK_OFF_SECONDS = 0.05
_START_PATIENCE_SECONDS = 2.0
_START_RACE = (pkcs11.NoSuchToken, pkcs11.TokenNotRecognised, pkcs11.GeneralError, pkcs11.FunctionFailed)
"""What SoftHSM answers when another process is just rewriting the token's file; worth another try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenToken:
    """A token and the module it is in."""

    token: Token
    calls: Calls


@dataclass(slots=True, eq=False)
class Lane:
    """One session and the key objects found in it. Used by one thread at a time."""

    session: Any
    """Of python-pkcs11, whose stubs do not know its ``handle``."""
    calls: SessionCalls
    generation: int
    keys: dict[tuple[int, str, bytes], Any] = field(default_factory=dict)
    """Key objects by class, label and identifier: finding one costs six calls, which count over a network."""
    usable: bool = True
    """Cleared when an operation was left open in it, which PKCS#11 v2.40 cannot cancel."""


class SessionPool:
    """The sessions of one machine.

    Args:
        settings: the machine. Its PIN file is read at each login and not kept.
        pool: how many sessions there may be, and how long to wait for a free one.
        find_token: looks the token up; raises ``PKCS11Error`` when it is not there.
        prove: tries a fresh login in its first session; raises when the machine must not be used.
        failures: what errors mean.
        start_lock: file that serialises logins of all processes, because SoftHSM rewrites the token's file then while
            another process may be reading it (its issue 757).
    """

    def __init__(
        self,
        settings: MachineSettings,
        pool: HsmSettings,
        *,
        find_token: Callable[[], OpenToken],
        prove: Callable[[Token, Lane], None],
        failures: Failures,
        start_lock: Path,
    ) -> None:
        self._machine = settings.name
        self._find_token = find_token
        self._prove = prove
        self._failures = failures
        self._pin_file = settings.pin_file
        self._pin_shares = settings.pin_shares
        self._start_lock = start_lock
        self._limit = pool.sessions_per_machine
        self._wait_seconds = pool.session_wait.total_seconds()
        self._permits: SimpleQueue[None] = SimpleQueue()
        for _ in range(self._limit):
            self._permits.put(None)
        self._lock = threading.Lock()
        self._connecting = threading.Lock()
        self._idle: list[Lane] = []
        self._anchor: SessionCalls | None = None
        """Of the session that holds the login."""
        self._open = 0
        self._generation = 0
        self._token: OpenToken | None = None
        self._writes = True
        self._refused_pin: tuple[bytes, RejectedError] | None = None

    @property
    def counts(self) -> SessionCounts:
        """How many there are, besides the one that holds the login."""
        return SessionCounts(open=self._open, in_use=self._limit - self._permits.qsize(), limit=self._limit)

    def connect(self) -> OpenToken:
        """Log in and prove the machine, unless that is done, and return the token.

        Raises ``NotFoundError`` (``hsm.token.missing``, ``hsm.pin.missing``), ``RejectedError`` (``hsm.pin.…``),
        ``MachineDownError`` (also ``hsm.activation.needed``), or what ``prove`` raises.
        """
        with self._connecting:
            if self._token is not None:
                return self._token
            pin = self._read_pin()
            # A machine that hangs in its login must not keep all others of this host out.
            with file_lock(self._start_lock, patience_seconds=_START_PATIENCE_SECONDS):
                found, anchor = self._log_in(pin)
            try:
                lane = self._proved_lane(found)
            except BaseException as error:
                self._close(anchor)
                if isinstance(error, PKCS11Error):
                    raise self._failures.translate(error) from error
                raise
            with self._lock:
                lane.generation = self._generation
                self._idle.append(lane)
                self._anchor = anchor
                self._token = found
            return found

    def _proved_lane(self, found: OpenToken) -> Lane:
        lane = self._lane(found, self._open_session(found), self._generation)
        try:
            self._prove(found.token, lane)
        except BaseException:
            self._end(lane)
            raise
        return lane

    @contextmanager
    def borrow(self) -> Iterator[Lane]:
        """A session for the time of the block.

        Raises ``BusyError`` (``hsm.machine.busy``) when all stay in use for too long.
        """
        lane = self.take()
        try:
            yield lane
        finally:
            self.give_back(lane)

    def take(self) -> Lane:
        """A session; see :meth:`borrow`. The caller gives it back whatever happens."""
        while True:
            if self._token is None:
                self.connect()
            try:
                self._permits.get(timeout=self._wait_seconds)
            except Empty:
                raise BusyError(
                    f"All {self._limit} sessions of the encryption machine {self._machine} are in use; try again.",
                    code="hsm.machine.busy",
                    machine=self._machine,
                ) from None
            found = self._token
            if found is None:  # lost while this call waited
                self._permits.put(None)
                continue
            try:
                lane = self._idle_lane() or self._open_lane(found)
            except BaseException:
                self._permits.put(None)
                raise
            if lane is not None:
                return lane

    def _idle_lane(self) -> Lane | None:
        while self._idle:
            with suppress(IndexError):  # another thread was faster
                lane = self._idle.pop()
                if lane.generation == self._generation:
                    return lane
                self._end(lane)
        return None

    def give_back(self, lane: Lane) -> None:
        """Let others have the session; one that is of no use any more ends."""
        if lane.usable and not lane.calls.spoiled and lane.generation == self._generation:
            self._idle.append(lane)
        else:
            self._end(lane)
        self._permits.put(None)

    def discard(self, generation: int | None = None) -> None:
        """End all sessions: the machine lost them. The next call logs in again.

        Args:
            generation: that of the session which noticed; nothing happens when a newer one is there already.
        """
        with self._lock:
            if generation is not None and generation != self._generation:
                return
            self._generation += 1
            lanes, self._idle = self._idle, []
            anchor, self._anchor = self._anchor, None
            self._token = None
        for lane in lanes:
            self._end(lane)
        if anchor is not None:
            self._close(anchor)

    def _open_lane(self, found: OpenToken) -> Lane | None:
        """A further session; ``None`` when the machine gives no more than are in use, and the limit has gone down."""
        generation = self._generation
        try:
            return self._lane(found, self._open_session(found), generation)
        except PKCS11Error as error:
            if self._failures.is_session_lost(error):
                self.discard(generation)
            if self._failures.is_session_refused(error):
                with self._lock:
                    if 0 < self._open <= self._limit - 1:
                        self._limit -= 1
                        return None
            raise self._failures.translate(error) from error

    def _open_session(self, found: OpenToken) -> Any:
        """A session that may write, unless the token is read-only: its keys can still be used."""
        if self._writes:
            try:
                return found.token.open(rw=True)
            except (pkcs11.TokenWriteProtected, pkcs11.SessionReadOnly):
                self._writes = False
        return found.token.open(rw=False)

    def _lane(self, found: OpenToken, session: Any, generation: int) -> Lane:
        with self._lock:
            self._open += 1
        return Lane(session, found.calls.in_session(session.handle), generation)

    def _end(self, lane: Lane) -> None:
        with self._lock:
            self._open -= 1
        self._close(lane.calls)

    def _close(self, calls: SessionCalls) -> None:
        with suppress(PKCS11Error):
            calls.close()

    def _read_pin(self) -> SecretStr:
        pin = read_pin(self._machine, self._pin_file, shared=self._pin_shares)
        if self._refused_pin is not None and self._refused_pin[0] == _fingerprint(pin):
            raise self._refused_pin[1]
        return pin

    def _log_in(self, pin: SecretStr) -> tuple[OpenToken, SessionCalls]:
        """Find the token and log in; starting is repeated, a refused PIN is not."""
        pause = _FIRST_BACK_OFF_SECONDS
        attempt = 1
        while True:
            try:
                found = self._find_token()
                return found, self._open_with(found, pin)
            except PKCS11Error as error:
                refusal = self._failures.pin_refusal(error)
                if refusal is not None:
                    self._refused_pin = (_fingerprint(pin), refusal)
                    raise refusal from error
                if attempt == _ATTEMPTS or not isinstance(error, (*_START_RACE, CryptokiNotInitializedError)):
                    raise self._cannot_start(error) from error
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads retries, protects nothing
            pause *= 2
            attempt += 1

    def _open_with(self, found: OpenToken, pin: SecretStr) -> SessionCalls:
        anchor = found.calls.in_session(self._open_session(found).handle)
        try:
            # The process may have lost its sessions here and not its login.
            with suppress(pkcs11.UserAlreadyLoggedIn):
                anchor.log_in(pin.get_secret_value().encode())
        except BaseException:
            self._close(anchor)
            raise
        return anchor

    def _cannot_start(self, error: PKCS11Error) -> NotFoundError | MachineDownError | BusyError:
        if isinstance(error, pkcs11.NoSuchToken):
            return NotFoundError(
                f"The encryption machine {self._machine} has no token with the label that the settings name; "
                "initialise it or correct the setting.",
                code="hsm.token.missing",
                machine=self._machine,
            )
        if isinstance(error, pkcs11.MultipleTokensReturned):
            return MachineDownError(
                self._machine,
                "two tokens of one label",
                detail=f"The encryption machine {self._machine} has two tokens with the label that the settings name; "
                "give one of them another label.",
                code="hsm.token.ambiguous",
            )
        down = self._failures.translate(error)
        return down if isinstance(down, BusyError) else MachineDownError(self._machine, type(error).__name__)


def _fingerprint(pin: SecretStr) -> bytes:
    return hashlib.sha256(pin.get_secret_value().encode()).digest()
