"""From the settings of a machine to its driver."""

from pathlib import Path

from hsm import software
from hsm.pkcs11.machine import Pkcs11Machine
from hsm.pkcs11.module import ModuleSource, vendor_source
from hsm.settings import HsmSettings, MachineSettings
from hsm.vendors import VendorBook

__all__ = ["pkcs11_machine"]


def pkcs11_machine(machine: MachineSettings, settings: HsmSettings, data_dir: Path) -> Pkcs11Machine:
    """The driver of a machine behind a PKCS#11 module. Nothing is loaded yet.

    Args:
        machine: one of ``settings``.
        settings: bounds that all machines share, and the profiles that the installation brings.
        data_dir: where compiled and copied modules are, and the lock that serialises starts.

    Raises:
        MalformedError: ``hsm.profile.unknown``, ``hsm.profile.malformed``.
        NotFoundError: ``hsm.profile.missing``.
    """
    vendors = VendorBook(settings.profiles)

    def find_source() -> ModuleSource:
        if machine.module == "softgm":
            return software.machine_source(data_dir)
        assert isinstance(machine.module, Path)
        vendor = vendors.choose(machine.profile, file=machine.module.name)
        locks = vendor is not None and vendor.module_locks
        return vendor_source(machine.name, machine.module, software.module_cache(data_dir), locks=locks)

    def is_full() -> bool:
        return machine.module == "softgm" and software.is_full(data_dir, machine.token)

    return Pkcs11Machine(
        machine,
        pool=settings,
        vendors=vendors,
        find_source=find_source,
        start_lock=software.start_lock(data_dir),
        is_full=is_full,
    )
