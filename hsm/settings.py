"""The ``[hsm]`` table of the settings."""

from collections import Counter
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Literal, Self

from pydantic import ByteSize, Field, PositiveInt, field_validator, model_validator

from hsm.core.profiles import AUTO
from hsm.vendors import packaged_profiles
from trustcore.settings import Section

__all__ = ["GatewaySettings", "HsmSettings", "MachineSettings", "SdfSettings"]


class SdfSettings(Section):
    """What SDF (GM/T 0018) leaves to be said: its keys are numbers that the vendor's console has filled."""

    sm2: tuple[PositiveInt, ...] = ()
    """Indexes of SM2 key pairs that this program may use. New keys get the free ones in this order."""

    rsa: tuple[PositiveInt, ...] = ()
    """Indexes of RSA key pairs, as above."""

    keys: dict[str, PositiveInt] = Field(default_factory=dict)
    """Index of the signature pair for the key of this label; such a key is made in this machine and in no other. An
    index that is named here is given to no other label."""

    encryption_keys: dict[str, PositiveInt] = Field(default_factory=dict)
    """The same for keys that decrypt: index of the encryption pair."""

    decrypt: Literal["with-algorithm", "without-algorithm"] | None = None
    """How the vendor's header declares SDF_InternalDecrypt_ECC: whether an algorithm stands after the index. Without it
    the machine decrypts nothing, because a call in the wrong form would crash."""

    environment: dict[str, str] = Field(default_factory=dict)
    """Environment variables set while the device is opened, such as the one that names the vendor's ini file."""

    @model_validator(mode="after")
    def _declared(self) -> Self:
        stray = {*self.keys.values()} - {*self.sm2, *self.rsa} | {*self.encryption_keys.values()} - {*self.sm2}
        if stray:
            message = f"the index {min(stray)} has a label and is not among the indexes"
            raise ValueError(message)
        return self


class MachineSettings(Section):
    """One encryption machine: a token behind a PKCS#11 module, or a device behind an SDF library."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")
    """Name of the machine in messages, tables and the audit trail. Never give it to another machine."""

    driver: Literal["pkcs11", "sdf"] = "pkcs11"
    """Which interface the vendor's library has: PKCS#11, or SDF (GM/T 0018)."""

    module: Path | Literal["softgm", "libsdf"]
    """Path of the vendor's library, or ``softgm`` (PKCS#11) or ``libsdf`` (SDF): software machines, for tests and
    demonstration only."""

    token: str = ""
    """Label of the token; with SDF there is none."""

    pin_file: Path
    """File that holds the user PIN, with SDF the password of the private keys; readable by this program alone."""

    pin_shares: bool = False
    """Whether custodians unlock the PIN with ``xinyin hsm activate``. ``pin_file`` then is where it stands until the
    host's next start: a file in memory, such as ``/run/xinyin/machine-1``."""

    profile: str = "auto"
    """Vendor profile: which numbers the machine's SM2 has. ``auto`` goes by what the module says of itself; ``pkcs11``
    is for any machine without SM2."""

    sdf: SdfSettings | None = None
    """With SDF only: which keys there are."""

    @property
    def demonstration(self) -> bool:
        """Whether this is a software machine."""
        return self.module in {"softgm", "libsdf"}

    @model_validator(mode="after")
    def _complete(self) -> Self:
        of_sdf = self.driver == "sdf"
        if of_sdf != (self.sdf is not None):
            message = f"a machine with the driver {self.driver} has {'a' if of_sdf else 'no'} table sdf"
            raise ValueError(message)
        if of_sdf == bool(self.token):
            message = f"a machine with the driver {self.driver} has {'no' if of_sdf else 'a'} token"
            raise ValueError(message)
        if self.module == ("softgm" if of_sdf else "libsdf"):
            message = f"{self.module} has no {self.driver} interface"
            raise ValueError(message)
        return self


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

    closed_keys: tuple[str, ...] = ("sso-*", "xinyin-*", "ca-*", "time-stamping-*", "ocsp-responder-*")
    """Patterns of labels that the gateway serves to nobody, whatever is granted: keys of the platform itself."""

    caller_memory: timedelta = Field(default=timedelta(seconds=2), ge=timedelta(0), le=timedelta(minutes=1))
    """How long an accepted token is taken as accepted: a revoked one is refused that much later at the latest."""

    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies that ended TLS or TLCP and say in a header which certificate they verified;
    ``unix`` for whoever connects through a Unix socket. Without any, such headers are refused."""

    proxy_secret_file: Path | None = None
    """File with a secret that a trusted proxy sends along; needed where others share its address. None when empty."""

    svs_keys: tuple[str, ...] = ()
    """Labels of the keys that the signature server operations (GM/T 0029) know by index; the first has index 1."""

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

    call_deadline: timedelta = Field(default=timedelta(seconds=10), gt=timedelta(0), le=timedelta(minutes=10))
    """How long a call waits for one machine before it goes to another; a machine that lets it wait is hanging."""

    queue_per_machine: int = Field(default=256, ge=1, le=100_000)
    """How many calls may wait for one machine; further ones are refused, and told when to come again."""

    sealed_pins: Path | None = None
    """File of the encrypted PINs of machines with ``pin_shares``; ``secrets/sealed-pins.json`` in the data folder when
    empty."""

    session_wait: timedelta = Field(default=timedelta(seconds=10), gt=timedelta(0))
    """How long a call waits for a session before it is refused."""

    profiles: tuple[Path, ...] = ()
    """Files with vendor profiles of this installation; see docs/machines.md. One with the name of a packaged profile
    takes its place."""

    gateway: GatewaySettings = GatewaySettings()

    four_eyes: bool | None = None
    """Whether two persons have to agree before a CA key is made, brought in, exported or destroyed. When it is not
    given or empty: yes, unless all machines are software machines."""

    three_persons: bool = False
    """Whether the one who asks for such an act cannot be one of the two who agree. Where nobody knows which person
    asks, as at the command line, three have to agree then."""

    @property
    def wants_four_eyes(self) -> bool:
        """What :attr:`four_eyes` comes to."""
        if self.four_eyes is not None:
            return self.four_eyes
        return any(not machine.demonstration for machine in self.machines)

    @field_validator("sealed_pins", "four_eyes", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @model_validator(mode="after")
    def _known_profiles(self) -> Self:
        known = {AUTO, *packaged_profiles()}
        unknown = [m.profile for m in self.machines if m.driver == "pkcs11" and m.profile not in known]
        if unknown and not self.profiles:
            message = f"there is no vendor profile {unknown[0]}; known profiles are {', '.join(sorted(known))}"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for what in ("name", "token"):
            # Two machines may have tokens of the same label in different modules, but not the same name.
            keys = [
                (m.name if what == "name" else f"{m.module}/{m.token}")
                for m in self.machines
                if what == "name" or m.token
            ]
            twice = [key for key, count in Counter(keys).items() if count > 1]
            if twice:
                message = f"two machines have the same {what}: {twice[0]}"
                raise ValueError(message)
        return self
