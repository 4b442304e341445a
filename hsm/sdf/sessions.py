"""The sessions of one SDF device: opened when needed, bounded, closed together.

An access right to a private key belongs to one session (GM/T 0018-2012 §6.2.7), so each session asks for those it uses.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from hsm.machine import SessionCounts
from hsm.pins import read_pin
from hsm.sdf.failures import PASSWORD_CODES, SdfError, password_error, translate
from hsm.sdf.library import Handle, SdfLibrary
from trustcore.errors import BusyError, TrustError

__all__ = ["Connection", "Lane", "SdfSessions"]


@dataclass(slots=True, eq=False)
class Connection:
    """An open device. It is closed when it is given up and the last of its sessions is back."""

    library: SdfLibrary
    device: Handle
    lanes: set["Lane"] = field(default_factory=set)
    in_use: int = 0
    given_up: bool = False


@dataclass(slots=True, eq=False)
class Lane:
    """One session and what it may use. Used by one thread at a time."""

    connection: Connection
    session: Handle
    rights: set[int] = field(default_factory=set)
    """Indexes whose private keys it may use."""
    epoch: int = 0
    """Of which the rights are; see :meth:`SdfSessions.forget_rights`."""

    @property
    def library(self) -> SdfLibrary:
        """The functions to call with it."""
        return self.connection.library


class SdfSessions:
    """The sessions of one machine.

    Args:
        machine: its name, for messages.
        load: loads the library; raises errors that name the remedy.
        prove: looks at a new connection before anybody uses it; raises what makes it useless.
        pin_file: the password of the private keys, read when a session needs it and not kept.
        pin_shares: whether custodians unlock it, so that the file is there only while the machine is activated.
        limit: number of sessions.
        wait_seconds: how long to wait for a free one.
    """

    def __init__(
        self,
        machine: str,
        *,
        load: Callable[[], SdfLibrary],
        prove: Callable[[Lane], None],
        pin_file: Path,
        pin_shares: bool,
        limit: int,
        wait_seconds: float,
    ) -> None:
        self._machine = machine
        self._load = load
        self._prove = prove
        self._pin_file = pin_file
        self._pin_shares = pin_shares
        self._limit = limit
        self._wait_seconds = wait_seconds
        self._free = threading.BoundedSemaphore(limit)
        self._lock = threading.Lock()
        self._connecting = threading.Lock()
        self._library: SdfLibrary | None = None
        self._connection: Connection | None = None
        self._idle: list[Lane] = []
        self._refused: dict[int, bytes] = {}
        self._epoch = 0

    def connect(self) -> Connection:
        """Open the device and prove it, if that is not done.

        Raises:
            TrustError: ``hsm.module.…``, ``hsm.pin.…``, ``hsm.profile.…`` or ``MachineDownError``.
        """
        known = self._connection
        if known is not None:
            return known
        with self._connecting:
            if self._connection is not None:
                return self._connection
            if self._library is None:
                self._library = self._load()
            try:
                connection = Connection(self._library, self._library.open_device())
            except SdfError as error:
                raise translate(self._machine, error) from error
            try:
                lane = self._open(connection)
                self._prove(lane)
            except BaseException:
                connection.given_up = True
                self._end(connection)
                raise
            with self._lock:
                self._connection = connection
                self._idle = [lane]
            return connection

    @contextmanager
    def borrow(self) -> Iterator[Lane]:
        """A session for the time of the block, in which :class:`SdfError` becomes the machine's error.

        Raises ``BusyError`` (``hsm.machine.busy``) when all stay in use for too long.
        """
        self.connect()
        if not self._free.acquire(timeout=self._wait_seconds):
            raise self._busy(self._limit)
        try:
            lane = self._take()
            try:
                yield lane
            except SdfError as error:
                failure = translate(self._machine, error)
                if failure.code == "hsm.machine.down":
                    self._give_up(lane.connection)
                raise failure from error
            finally:
                self._put(lane)
        finally:
            self._free.release()

    def grant(self, lane: Lane, index: int) -> None:
        """Let the session use the private key of an index.

        A refused password is not tried again with this index until its file has changed, so that nothing locks.

        Raises:
            NotFoundError: ``hsm.pin.missing``.
            RejectedError: ``hsm.pin.wrong``.
            SdfError: anything else.
        """
        if lane.epoch != self._epoch:
            lane.epoch = self._epoch
            for stale in lane.rights:
                with suppress(SdfError):
                    lane.library.release_access_right(lane.session, stale)
            lane.rights.clear()
        if index in lane.rights:
            return
        password = read_pin(self._machine, self._pin_file, shared=self._pin_shares)
        mark = hashlib.sha256(password.get_secret_value().encode()).digest()
        if self._refused.get(index) == mark:
            raise password_error(self._machine, index)
        try:
            lane.library.get_access_right(lane.session, index, password.get_secret_value().encode())
        except SdfError as error:
            if error.code not in PASSWORD_CODES:
                raise
            self._refused[index] = mark
            raise password_error(self._machine, index) from error
        lane.rights.add(index)

    def forget_rights(self) -> None:
        """Let every session ask anew for what it may use: an index holds another key pair now."""
        with self._lock:
            self._epoch += 1

    @property
    def counts(self) -> SessionCounts:
        """How many sessions there are."""
        with self._lock:
            connection = self._connection
            opened = len(connection.lanes) if connection else 0
            in_use = connection.in_use if connection else 0
        return SessionCounts(open=opened, in_use=in_use, limit=self._limit)

    def close(self) -> None:
        """Close all sessions and the device, those in use when their call is over."""
        with self._lock:
            connection = self._connection
        if connection is not None:
            self._give_up(connection)

    def _open(self, connection: Connection) -> Lane:
        try:
            lane = Lane(connection, connection.library.open_session(connection.device))
        except SdfError as error:
            raise translate(self._machine, error) from error
        with self._lock:
            connection.lanes.add(lane)
        return lane

    def _take(self) -> Lane:
        while True:
            connection = self.connect()
            with self._lock:
                if connection.given_up:
                    continue
                connection.in_use += 1
                if self._idle:
                    return self._idle.pop()
            return self._add(connection)

    def _add(self, connection: Connection) -> Lane:
        """One more session, for a call that is counted already."""
        try:
            return self._open(connection)
        except TrustError as error:
            with self._lock:
                connection.in_use -= 1
                others = 0 if connection.given_up else len(connection.lanes)
            if others:
                # The device may have less sessions than the settings say; whether it is down, the others will tell.
                raise self._busy(others) from error
            self._give_up(connection)
            raise

    def _put(self, lane: Lane) -> None:
        connection = lane.connection
        with self._lock:
            connection.in_use -= 1
            if not connection.given_up:
                self._idle.append(lane)
        if connection.given_up:
            self._end(connection)

    def _give_up(self, connection: Connection) -> None:
        """Use this connection no more; the next call makes another."""
        with self._lock:
            connection.given_up = True
            if self._connection is connection:
                self._connection = None
                self._idle = []
        self._end(connection)

    def _end(self, connection: Connection) -> None:
        """Close what was given up, when no call is in it."""
        with self._lock:
            if connection.in_use or not connection.given_up:
                return
            lanes, connection.lanes = connection.lanes, set()
            device, connection.device = connection.device, None
        if device is None:
            return
        for lane in lanes:
            with suppress(SdfError):
                connection.library.close_session(lane.session)
        with suppress(SdfError):
            connection.library.close_device(device)

    def _busy(self, count: int) -> BusyError:
        return BusyError(
            f"All {count} sessions of the encryption machine {self._machine} are in use; try again.",
            code="hsm.machine.busy",
            machine=self._machine,
        )
