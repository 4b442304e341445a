"""The ``[hsm]`` table of the settings."""

from collections import Counter
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Literal, Self

from pydantic import ByteSize, Field, field_validator, model_validator

from hsm.core.profiles import PROFILES
from trustcore.settings import Section

__all__ = ["GatewaySettings", "HsmSettings", "MachineSettings"]


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


class GatewaySettings(Section):
    """The gateway in front of the machines."""

    max_batch: int = Field(default=1000, ge=1, le=1000)
    """Most items of one batch."""

    max_message: ByteSize = ByteSize(1024 * 1024)
    """Longest message, plaintext or ciphertext of one item."""

    max_body: ByteSize = ByteSize(16 * 1024 * 1024)
    """Largest request."""

    max_random: int = Field(default=65_536, ge=1, le=1024 * 1024)
    """Most random bytes of one request."""

    closed_keys: tuple[str, ...] = ("sso-*", "xinyin-*")
    """Patterns of labels that the gateway serves to nobody, whatever is granted: keys of the platform itself."""

    caller_memory: timedelta = Field(default=timedelta(seconds=2), ge=timedelta(0), le=timedelta(minutes=1))
    """How long an accepted token is taken as accepted: a revoked one is refused that much later at the latest."""

    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies that ended TLS or TLCP and say in a header which certificate they verified;
    ``unix`` for whoever connects through a Unix socket. Without any, such headers are refused."""

    proxy_secret_file: Path | None = None
    """File with a secret that a trusted proxy sends along; needed where others share its address. None when empty."""

    trust_anchors: tuple[Path, ...] = ()
    """PEM files of root certificates under which certificates sent for validation count."""

    intermediates: tuple[Path, ...] = ()
    """PEM files of certificates that may stand between."""

    crls: tuple[Path, ...] = ()
    """DER or PEM files of revocation lists, read again at each validation."""

    @field_validator("proxy_secret_file", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for item in value:
            if item != "unix":
                ip_network(item)
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

    gateway: GatewaySettings = GatewaySettings()

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
