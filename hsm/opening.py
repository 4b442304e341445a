"""From the settings of a machine to its driver."""

from pathlib import Path

from hsm import software
from hsm.libsdf import library_path
from hsm.libsdf.console import configuration_file
from hsm.machine import Machine
from hsm.pkcs11 import Pkcs11Machine
from hsm.pkcs11.module import ModuleSource, vendor_source
from hsm.sdf import SdfMachine
from hsm.sdf.pairs import Pairs
from hsm.settings import HsmSettings, MachineSettings
from hsm.vendors import VendorBook

__all__ = ["device_folder", "open_machine", "pkcs11_machine"]


def device_folder(data_dir: Path, name: str) -> Path:
    """Where the software device of a machine with the module ``libsdf`` is."""
    return data_dir / "sdf" / name


def open_machine(machine: MachineSettings, settings: HsmSettings, data_dir: Path, *, pairs: Pairs) -> Machine:
    """The driver of a machine. Nothing is loaded yet.

    Args:
        machine: one of ``settings``.
        settings: bounds that all machines share, and the profiles that the installation brings.
        data_dir: where compiled and copied modules are.
        pairs: the book of pairs of SDF machines.

    Raises:
        MalformedError: ``hsm.profile.unknown``, ``hsm.profile.malformed``.
        NotFoundError: ``hsm.profile.missing``.
    """
    if machine.driver == "pkcs11":
        return pkcs11_machine(machine, settings, data_dir)
    assert machine.sdf is not None
    if machine.module == "libsdf":
        file = configuration_file(device_folder(data_dir, machine.name))
        environment = {"LIBSDF_CONFIG": str(file.absolute())} | machine.sdf.environment
        machine = machine.model_copy(update={"sdf": machine.sdf.model_copy(update={"environment": environment})})

    def find_library() -> Path:
        if machine.module == "libsdf":
            return library_path(software.module_cache(data_dir))
        assert isinstance(machine.module, Path)
        return machine.module

    return SdfMachine(machine, pool=settings, find_library=find_library, pairs=pairs)


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
