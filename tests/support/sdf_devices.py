"""Software SDF devices, made with few calls."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from hsm.libsdf import console, library_sources
from hsm.libsdf.build import LIBRARIES
from hsm.libsdf.console import PairKind
from hsm.machine import KeyReference
from hsm.models import KeyRow
from hsm.opening import device_folder
from hsm.sdf import SdfMachine
from hsm.sdf.pairs import KeptPairs
from hsm.settings import HsmSettings, MachineSettings, SdfSettings
from trustcore.database import Database
from trustcore.native import FLAGS, compile_once

PASSWORD = SecretStr("correct-horse")
AT = datetime(2030, 1, 1, tzinfo=UTC)
SETTINGS = HsmSettings(sessions_per_machine=4)


def sanitized_library(cache_dir: Path) -> Path:
    """Libsdf that aborts at the first access outside of its memory."""
    flags = (*FLAGS, "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    flags = tuple(flag for flag in flags if not flag.startswith(("-D_FORTIFY", "-Wl,")))
    return compile_once(cache_dir, "libsdf-sanitized", library_sources(), libraries=LIBRARIES, flags=flags)


@dataclass(kw_only=True)
class Workshop:
    """Devices in a folder, and drivers for them."""

    folder: Path
    library: Path
    """The compiled libsdf."""
    database: Database
    cache_dir: Path
    machines: list[SdfMachine] = field(default_factory=list)

    @property
    def pin_file(self) -> Path:
        """Password of the private keys, for all devices."""
        file = self.folder / "password"
        if not file.exists():
            file.write_text(PASSWORD.get_secret_value() + "\n")
        return file

    def device(self, name: str, *, sm2: tuple[int, ...] = (), rsa: tuple[int, ...] = ()) -> Path:
        """A device with keys at these indexes."""
        folder = device_folder(self.folder, name)
        console.make_device(folder, name)
        for kind, indexes in ((PairKind.SM2, sm2), (PairKind.RSA_2048, rsa)):
            for index in indexes:
                console.make_key_pairs(folder, kind, index, PASSWORD, cache_dir=self.cache_dir)
        return folder

    def settings(self, name: str, **sdf: object) -> MachineSettings:
        """What an operator writes for the device."""
        environment = {"LIBSDF_CONFIG": str(console.configuration_file(device_folder(self.folder, name)))}
        return MachineSettings(
            name=name,
            driver="sdf",
            module="libsdf",
            pin_file=self.pin_file,
            sdf=SdfSettings.model_validate({"environment": environment} | sdf),
        )

    def machine(
        self, name: str, *, library: Path | None = None, pool: HsmSettings = SETTINGS, **sdf: object
    ) -> SdfMachine:
        """A driver for the device; closed at the end of the test."""
        made = SdfMachine(
            self.settings(name, **sdf),
            pool=pool,
            find_library=lambda: library or self.library,
            pairs=KeptPairs(self.database, clock=lambda: AT),
        )
        self.machines.append(made)
        return made

    def request(self, label: str, key_id: bytes) -> KeyReference:
        """The record of a key that is being made, as the maker of keys writes it first."""
        with self.database.transaction() as session:
            row = session.get(KeyRow, label) or KeyRow(label=label, algorithm="sm2", uri=f"pkcs11:object={label}")
            row.key_id, row.machines, row.requested_at, row.requested_by = key_id, [], AT, "here"
            session.add(row)
        return KeyReference(label, key_id)

    def finish(self, label: str, public_key_der: bytes) -> None:
        """The record of a key that is ready."""
        with self.database.transaction() as session:
            row = session.get_one(KeyRow, label)
            row.public_key_der, row.created_at = public_key_der, AT
