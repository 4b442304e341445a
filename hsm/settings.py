"""The ``[hsm]`` table of the settings."""

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from hsm.core.profiles import PROFILES
from trustcore.settings import Section

__all__ = ["HsmSettings", "MachineSettings"]


class MachineSettings(Section):
    """One encryption machine: a token behind a PKCS#11 module."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")
    """Name of the machine in messages, tables and the audit trail. Never give it to another machine."""

    module: Path | Literal["softgm"]
    """Path of the vendor's PKCS#11 module, or ``softgm``: the software machine, for tests and demonstration only."""

    token: str
    """Label of the token."""

    pin_file: Path
    """File that holds the user PIN, readable by this program alone."""

    profile: str = "softgm"
    """Vendor profile: which numbers the machine's SM2 has."""

    @field_validator("profile")
    @classmethod
    def _known_profile(cls, value: str) -> str:
        if value not in PROFILES:
            message = f"known profiles are {', '.join(PROFILES)}"
            raise ValueError(message)
        return value


class HsmSettings(Section):
    """Encryption machines."""

    machines: tuple[MachineSettings, ...] = ()
    """The machines of the pool. When none is given, three software machines are made in the data folder: for tests
    and demonstration only."""

    sessions_per_machine: int = Field(default=8, ge=1, le=256)
    """How many calls one machine works on at once."""

    session_wait: timedelta = Field(default=timedelta(seconds=10), gt=timedelta(0))
    """How long a call waits for a session before it is refused."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for what in ("name", "token"):
            # Two machines may have tokens of the same label in different modules, but not the same name.
            keys = [(m.name if what == "name" else f"{m.module}/{m.token}") for m in self.machines]
            twice = [key for key, count in Counter(keys).items() if count > 1]
            if twice:
                message = f"two machines have the same {what}: {twice[0]}"
                raise ValueError(message)
        return self
