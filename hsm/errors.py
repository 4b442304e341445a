"""The errors that the pool reacts to."""

from trustcore.errors import BusyError, NotFoundError, RejectedError

__all__ = [
    "KeyMissingError",
    "KeyUnfitError",
    "MachineCannotError",
    "MachineDownError",
    "MachineFullError",
    "MachineUnfitError",
]


class MachineDownError(BusyError):
    """The machine failed, not the request: another machine may answer it.

    Args:
        machine: its name.
        reason: why, a few words in brackets of the sentence.
        detail: another whole sentence, where there is more to say.
        code: another code, where the kind of failure has one.
    """

    def __init__(self, machine: str, reason: str, *, detail: str = "", code: str = "hsm.machine.down") -> None:
        super().__init__(
            detail
            or f"The encryption machine {machine} is down ({reason}); see to it, and it is used again by itself.",
            code=code,
            machine=machine,
        )
        self.reason = reason


class MachineFullError(BusyError):
    """The machine has no room for another key; it goes on to use those it has.

    Args:
        machine: its name.
        detail: another whole sentence, where there is more to say.
    """

    def __init__(self, machine: str, *, detail: str = "") -> None:
        super().__init__(
            detail
            or f"The encryption machine {machine} has no room for another key; destroy keys that are no longer needed, "
            "or enlarge its storage with the vendor's tool.",
            code="hsm.machine.full",
            machine=machine,
        )


class MachineCannotError(RejectedError):
    """Machines of this kind do not do this; one of another kind may.

    Args:
        machine: its name.
        what: what it does not do, after "does not".
        remedy: a half sentence.
    """

    def __init__(self, machine: str, what: str, remedy: str) -> None:
        super().__init__(
            f"The encryption machine {machine} does not {what}; {remedy}.",
            code="hsm.machine.cannot",
            machine=machine,
        )


class MachineUnfitError(MachineDownError):
    """The machine answers, and its answers are wrong: it is not used until it is proved to be right.

    Args:
        machine: its name.
        detail: one sentence with what came back and the remedy.
        code: ``hsm.profile.unfit``, ``hsm.profile.unmatched``.
    """

    def __init__(self, machine: str, detail: str, *, code: str) -> None:
        super().__init__(machine, "its answers are wrong", detail=detail, code=code)


class KeyMissingError(NotFoundError):
    """The machine answers and does not hold the key.

    Args:
        machine: its name.
        label: the key's.
        detail: another whole sentence, where there is more to say.
        code: another code, where it is more than missing.
    """

    def __init__(self, machine: str, label: str, *, detail: str = "", code: str = "hsm.key.not-found") -> None:
        super().__init__(
            detail or f"The encryption machine {machine} does not hold the key {label}.",
            code=code,
            machine=machine,
            label=label,
        )


class KeyUnfitError(KeyMissingError):
    """An object of this name is in the machine, and it is no key of the type that was asked for.

    Args:
        machine: its name.
        label: the key's.
        wanted: the type of key that was looked for.
    """

    def __init__(self, machine: str, label: str, wanted: str) -> None:
        super().__init__(
            machine,
            label,
            detail=f"The object {label} in the encryption machine {machine} is no {wanted} key; somebody else has put "
            "it there: take it out with the vendor's tool, and let the key be copied again from another machine.",
            code="hsm.key.unfit",
        )
