"""Reading the PIN of a machine."""

from pathlib import Path

from pydantic import SecretStr

from hsm.errors import MachineDownError
from trustcore.errors import NotFoundError

__all__ = ["read_pin"]


def read_pin(machine: str, pin_file: Path, *, shared: bool) -> SecretStr:
    """The PIN that stands in ``pin_file``, without blanks around it.

    Args:
        machine: name of the machine, for messages.
        pin_file: its file.
        shared: whether custodians unlock it, so that its file is there only while the machine is activated.

    Raises:
        MachineDownError: ``hsm.activation.needed``; the machine is tried again by itself.
        NotFoundError: ``hsm.pin.missing``.
    """
    try:
        return SecretStr(pin_file.read_text().strip())
    except OSError as error:
        if shared:
            raise MachineDownError(
                machine,
                "it is not activated",
                detail=f"The encryption machine {machine} is not activated; the custodians give their shares with "
                "“xinyin hsm activate”, and it is used by itself.",
                code="hsm.activation.needed",
            ) from error
        raise NotFoundError(
            f"The PIN file of the encryption machine {machine} cannot be read; restore it or correct the setting.",
            code="hsm.pin.missing",
            machine=machine,
        ) from error
