"""From the settings of a machine to its driver."""

from pathlib import Path

from hsm import software
from hsm.libsdf import library_path
from hsm.libsdf.console import configuration_file
from hsm.machine import Machine
from hsm.pkcs11.opening import pkcs11_machine
from hsm.sdf import SdfMachine
from hsm.sdf.pairs import Pairs
from hsm.settings import HsmSettings, MachineSettings

__all__ = ["device_folder", "open_machine"]


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
