"""Activation by custodians: PINs that stand encrypted on the disk and, once k shares were given, in memory.

A machine whose settings say ``pin_shares`` has its PIN in the file of the encrypted PINs. ``activate`` opens that file
with the custodians' shares and writes each PIN to the machine's ``pin_file``, which lies on a file system in memory
(tmpfs, such as ``/run``), readable by the program's account alone, until ``deactivate`` or the host's next start.

What this gives and what not: who steals disks or backups has no PIN. Who has the account of the program, or root, while
it is activated can read the PIN, as he could use the machines anyway; memory may be swapped out unless swap is off or
encrypted; and Python cannot wipe its strings.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hsm.core.sealed_pins import GivenShares, SealedPins, seal_pins
from hsm.core.shamir import Share
from hsm.settings import HsmSettings, MachineSettings
from trustcore import audit
from trustcore.database import Database
from trustcore.errors import BusyError, NotFoundError, RejectedError

__all__ = ["Activation", "ActivationStatus", "NewShares", "sharing_facts"]

_MEMORY = frozenset({"tmpfs", "ramfs"})
_MOUNTS = Path("/proc/self/mountinfo")
_MAX_PIN_BYTES = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationStatus:
    """How things stand."""

    machines: tuple[str, ...]
    """Machines whose PIN the custodians unlock."""
    active: tuple[str, ...]
    """Those whose PIN is in memory now."""
    sealed: SealedPins | None
    """The encrypted PINs; none: not shared yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewShares:
    """Shares to be handed out, and the encrypted PINs that take effect afterwards."""

    sealed: SealedPins
    shares: tuple[Share, ...]


class Activation:
    """Sharing, unlocking and locking the PINs of an installation.

    Args:
        settings: the machines.
        data_dir: where the encrypted PINs are, unless the settings name another file.
        database: for the audit trail.
        clock: aware UTC time.
        random: octets that nobody can foresee; not from the machines, which cannot be used yet.
    """

    def __init__(
        self,
        settings: HsmSettings,
        *,
        data_dir: Path,
        database: Database,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
    ) -> None:
        self._machines = {machine.name: machine for machine in settings.machines if machine.pin_shares}
        self._file = sealed_pins_file(settings, data_dir)
        self._database = database
        self._clock = clock
        self._random = random

    def status(self) -> ActivationStatus:
        """Which machines, which are active, and the encrypted PINs."""
        return ActivationStatus(
            machines=tuple(self._machines),
            active=tuple(name for name, machine in self._machines.items() if machine.pin_file.is_file()),
            sealed=_read_sealed(self._file),
        )

    def unsealed_pins(self) -> Mapping[str, str]:
        """PINs that can be read now, by machine: those of active machines, or of files from before the sharing."""
        found: dict[str, str] = {}
        for name, machine in self._machines.items():
            try:
                found[name] = _checked_pin(name, machine.pin_file.read_text())
            except OSError:
                continue
        return found

    def share(self, pins: Mapping[str, str], *, threshold: int, count: int) -> NewShares:
        """Encrypt the PINs under a new secret and share it; nothing takes effect before :meth:`commit`.

        Raises:
            RejectedError: ``hsm.activation.off`` when no machine's PIN is shared, ``hsm.activation.pins`` when one is
                missing, ``hsm.pin.form``, ``hsm.share.threshold``.
        """
        self._check_on()
        missing = [name for name in self._machines if name not in pins]
        if missing:
            raise RejectedError(
                f"The PINs of {', '.join(missing)} are not known; activate first, or type them.",
                code="hsm.activation.pins",
            )
        checked = {name: _checked_pin(name, pins[name]) for name in self._machines}
        sealed, shares = seal_pins(checked, threshold=threshold, count=count, at=self._clock(), random=self._random)
        return NewShares(sealed=sealed, shares=shares)

    def commit(self, new: NewShares) -> None:
        """Let new shares take effect, once every custodian has his; earlier shares open nothing any more."""
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_private(self._file, new.sealed.to_bytes())
        self._audit(
            "hsm.activation.shared",
            new.sealed,
            {"threshold": str(new.sealed.threshold), "shares": str(len(new.shares))},
        )

    def give(self) -> GivenShares:
        """Begin to collect shares. Raises ``NotFoundError`` (``hsm.activation.not-shared``)."""
        return GivenShares(self._sealed())

    def activate(self, given: GivenShares, *, on_disk: bool = False) -> tuple[str, ...]:
        """Put the PINs where the drivers find them; names of the machines.

        Args:
            given: enough shares.
            on_disk: allow places that are not in memory, for hosts without tmpfs.

        Raises:
            RejectedError: ``hsm.share.…``; ``hsm.activation.place`` when a PIN would stand on a disk.
            BusyError: ``hsm.activation.unwritable``.
        """
        pins = given.open()
        wanted = {name: machine for name, machine in self._machines.items() if name in pins}
        if not on_disk:
            for name, machine in wanted.items():
                _check_place(name, machine.pin_file)
        for name, machine in wanted.items():
            _put_pin(machine, pins[name])
        self._audit("hsm.activation.activated", self._sealed(), {"machines": " ".join(wanted)})
        return tuple(wanted)

    def deactivate(self) -> tuple[str, ...]:
        """Take the PINs out of memory; names of the machines. Server processes stay logged in until they end.

        Raises ``NotFoundError`` (``hsm.activation.not-shared``): a PIN that is nowhere else is not removed.
        """
        sealed = self._sealed()
        removed = []
        for name, machine in self._machines.items():
            if name in sealed.pins and machine.pin_file.is_file():
                _wipe(machine.pin_file)
                removed.append(name)
        self._audit("hsm.activation.deactivated", sealed, {"machines": " ".join(removed)})
        return tuple(removed)

    def _check_on(self) -> None:
        if not self._machines:
            raise RejectedError(
                "No machine's PIN is shared: set pin_shares = true for the machines whose PIN the custodians unlock.",
                code="hsm.activation.off",
            )

    def _sealed(self) -> SealedPins:
        self._check_on()
        sealed = _read_sealed(self._file)
        if sealed is None:
            raise NotFoundError(
                "The PINs are not shared yet; use “xinyin hsm shares split”.", code="hsm.activation.not-shared"
            )
        return sealed

    def _audit(self, action: str, sealed: SealedPins, facts: Mapping[str, str]) -> None:
        with self._database.transaction() as session:
            audit.record(
                session, at=self._clock(), actor="operator", action=action, subject=sealed.set_id.hex(), facts=facts
            )


def sealed_pins_file(settings: HsmSettings, data_dir: Path) -> Path:
    """Where the encrypted PINs are."""
    return settings.sealed_pins or data_dir / "secrets" / "sealed-pins.json"


def sharing_facts(settings: HsmSettings, data_dir: Path) -> Mapping[str, str] | None:
    """Threshold, number and set of the shares in force, or ``None`` when nothing is shared."""
    if not any(machine.pin_shares for machine in settings.machines):
        return None
    sealed = _read_sealed(sealed_pins_file(settings, data_dir))
    if sealed is None:
        return None
    return {"threshold": str(sealed.threshold), "shares": str(sealed.shares), "set": sealed.set_id.hex()}


def _read_sealed(file: Path) -> SealedPins | None:
    try:
        return SealedPins.from_bytes(file.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BusyError(
            "The file of the encrypted PINs cannot be read; correct its rights.", code="hsm.activation.unreadable"
        ) from error


def _checked_pin(machine: str, text: str) -> str:
    pin = text.strip()
    if not pin or len(pin.encode()) > _MAX_PIN_BYTES or not pin.isprintable():
        raise RejectedError(
            f"The PIN of the machine {machine} is empty, too long or has control characters.",
            code="hsm.pin.form",
            machine=machine,
        )
    return pin


def _check_place(machine: str, pin_file: Path) -> None:
    """Let pass a place in memory."""
    kind = _file_system(pin_file)
    if kind not in _MEMORY:
        raise RejectedError(
            f"The pin_file of the machine {machine} lies on {kind}, not in memory: it would survive the host's next "
            "start and stand in backups; name a file below /run, or use --on-disk.",
            code="hsm.activation.place",
            machine=machine,
        )


def _file_system(path: Path) -> str:
    """Type of the file system that ``path`` is or would be on (proc(5), mountinfo)."""
    whole = str(path.absolute().parent.resolve() / path.name)
    best, kind = "", "an unknown file system"
    for line in _MOUNTS.read_text().splitlines():
        before, _, after = line.partition(" - ")
        mount = before.split()[4].encode().decode("unicode_escape")
        inside = whole == mount or whole.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, after.split()[0]
    return kind


def _put_pin(machine: MachineSettings, pin: str) -> None:
    try:
        machine.pin_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_private(machine.pin_file, pin.encode() + b"\n")
    except OSError as error:
        raise BusyError(
            f"The PIN of the machine {machine.name} cannot be put into memory: {error.strerror}; make the folder of "
            "its pin_file writable for this program.",
            code="hsm.activation.unwritable",
            machine=machine.name,
        ) from error


def _write_private(file: Path, data: bytes) -> None:
    """Write a file that only its owner reads; a reader sees the old one or the new one whole."""
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())
    partial.replace(file)


def _wipe(file: Path) -> None:
    """Overwrite and remove; what a file system in memory keeps of it is gone with that."""
    with file.open("r+b") as opened:
        opened.write(bytes(file.stat().st_size))
        opened.flush()
        os.fsync(opened.fileno())
    file.unlink()
