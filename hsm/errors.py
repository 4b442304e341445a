"""The errors that the pool reacts to."""

from trustcore.errors import BusyError, NotFoundError

__all__ = ["KeyMissingError", "MachineDownError"]


class MachineDownError(BusyError):
    """The machine failed, not the request: another machine may answer it."""

    def __init__(self, machine: str, reason: str) -> None:
        super().__init__(
            f"The encryption machine {machine} is down ({reason}); see to it, and it is used again by itself.",
            code="hsm.machine.down",
            machine=machine,
        )
        self.reason = reason


class KeyMissingError(NotFoundError):
    """The machine answers and does not hold the key."""

    def __init__(self, machine: str, label: str) -> None:
        super().__init__(
            f"The encryption machine {machine} does not hold the key {label}.",
            code="hsm.key.not-found",
            machine=machine,
            label=label,
        )
