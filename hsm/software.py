"""Three software encryption machines in the data folder: for tests and demonstration only / 仅供测试与演示.

Layout, all readable by the owner alone::

    tokens/softhsm2.conf     configuration of SoftHSM
    tokens/store/<label>/    one token each
    secrets/hsm_pin          the PIN of all three

A token is made in a folder of its own and moved to its place when it is whole, so a process that dies leaves nothing
half made, and the next one goes on. The PIN never stands on a command line.
"""

import ctypes
import secrets
import shutil
import string
from pathlib import Path

from pkcs11 import PKCS11Error
from pydantic import SecretStr

from hsm.pkcs11.module import LoadedModule, ModuleSource, software_source
from hsm.settings import MachineSettings
from trustcore.errors import BusyError, InternalError, NotFoundError
from trustcore.locks import file_lock

__all__ = [
    "configuration_file",
    "is_full",
    "machine_source",
    "module_cache",
    "prepare",
    "software_machines",
    "start_lock",
]

_COUNT = 3
_PIN_ALPHABET = string.ascii_letters + string.digits
_PIN_LENGTH = 24
_LABEL_BYTES = 32
_ROOM_BYTES = 32 * 1024
"""What a key pair takes, generously."""
_INIT_TOKEN_POSITION = 9
"""C_InitToken in CK_FUNCTION_LIST (PKCS#11 v2.40 §3.6), counted from C_Initialize = 0."""


def software_machines(data_dir: Path) -> tuple[MachineSettings, ...]:
    """Settings of the three software machines of this data folder."""
    return tuple(
        MachineSettings(
            name=f"machine-{number}",
            module="softgm",
            token=f"xinyin-{number}",
            pin_file=data_dir.absolute() / "secrets" / "hsm_pin",
            profile="softgm",
        )
        for number in range(1, _COUNT + 1)
    )


def configuration_file(data_dir: Path) -> Path:
    """SoftHSM's configuration for this data folder."""
    return data_dir / "tokens" / "softhsm2.conf"


def module_cache(data_dir: Path) -> Path:
    """Where the compiled module of this data folder is."""
    return data_dir / "cache"


def is_full(data_dir: Path, token: str) -> bool:
    """Whether the disk has no room for another key pair in this token."""
    try:
        return shutil.disk_usage(data_dir / "tokens" / "store" / token).free < _ROOM_BYTES
    except OSError:
        return False


def start_lock(data_dir: Path) -> Path:
    """File that serialises whatever SoftHSM cannot do in two processes at once."""
    return data_dir / "tokens" / "start.lock"


def prepare(data_dir: Path) -> tuple[MachineSettings, ...]:
    """Make what is missing of the three machines. Safe to call twice, and from two processes at once.

    Raises:
        NotFoundError: ``hsm.module.missing`` without SoftHSM; ``hsm.pin.missing`` when tokens are there and their PIN
            is not.
        BusyError: ``hsm.storage.full`` when the folder cannot be written.
    """
    machines = software_machines(data_dir)
    store = data_dir / "tokens" / "store"
    try:
        for folder in (data_dir, store.parent, store, data_dir / "secrets"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with file_lock(start_lock(data_dir)):
            _write_configuration(configuration_file(data_dir), store)
            missing = [m.token for m in machines if not (store / m.token).is_dir()]
            pin = _pin(machines[0].pin_file, may_create=len(missing) == len(machines))
            for label in missing:
                _make_token(data_dir, label, pin)
    except OSError as error:
        raise BusyError(
            f"The folder of the software encryption machines cannot be written: {error.strerror}; make room or correct "
            "its rights.",
            code="hsm.storage.full",
        ) from error
    return machines


def _pin(file: Path, *, may_create: bool) -> SecretStr:
    if file.exists():
        return SecretStr(file.read_text().strip())
    if not may_create:
        raise NotFoundError(
            "The tokens of the software encryption machines are there, but their PIN file is gone; restore "
            "secrets/hsm_pin, or remove the folder tokens to begin anew and lose its keys.",
            code="hsm.pin.missing",
        )
    pin = "".join(secrets.choice(_PIN_ALPHABET) for _ in range(_PIN_LENGTH))
    _write_private(file, pin + "\n")
    return SecretStr(pin)


def _write_private(file: Path, text: str) -> None:
    partial = file.with_name(f".{file.name}.partial")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    partial.write_text(text)
    partial.replace(file)


def _write_configuration(file: Path, store: Path) -> None:
    text = (
        "# Software encryption machines for tests and demonstration only / 仅供测试与演示\n"
        f"directories.tokendir = {store.absolute()}\n"
        "objectstore.backend = file\n"
        "objectstore.umask = 0077\n"
        "log.level = ERROR\n"
        "slots.removable = false\n"
    )
    if not file.exists() or file.read_text() != text:
        _write_private(file, text)


def _make_token(data_dir: Path, label: str, pin: SecretStr) -> None:
    staging = data_dir / "tokens" / "staging"
    shutil.rmtree(staging, ignore_errors=True)
    store = staging / "store"
    store.mkdir(mode=0o700, parents=True)
    configuration = staging / "softhsm2.conf"
    _write_configuration(configuration, store)
    module = LoadedModule(software_source(module_cache(data_dir), {"SOFTHSM2_CONF": str(configuration.absolute())}))
    try:
        _initialise(module, label, pin)
    except PKCS11Error as error:
        raise InternalError(
            f"The software token {label} cannot be made: {type(error).__name__}; is the data folder writable?",
            code="hsm.token.not-made",
        ) from error
    finally:
        module.close()
    (made,) = store.iterdir()
    made.rename(data_dir / "tokens" / "store" / label)
    shutil.rmtree(staging, ignore_errors=True)


def _initialise(module: LoadedModule, label: str, pin: SecretStr) -> None:
    """C_InitToken and C_InitPIN. The security officer's PIN is thrown away: nothing here ever needs it again."""
    officer_pin = secrets.token_urlsafe(_PIN_LENGTH)
    slot = module.library.get_slots()[0]
    _init_token(module.library.so, slot.slot_id, officer_pin.encode(), label)
    session = module.library.get_token(token_label=label).open(rw=True, so_pin=officer_pin)
    try:
        session.init_pin(pin.get_secret_value())
    finally:
        session.close()


def _init_token(path: str, slot_id: int, officer_pin: bytes, label: str) -> None:
    """Call C_InitToken, which python-pkcs11 does not offer, in the module that it has loaded already."""
    library = ctypes.CDLL(path)
    functions = ctypes.POINTER(ctypes.c_void_p)()
    library.C_GetFunctionList.restype = ctypes.c_ulong
    result = library.C_GetFunctionList(ctypes.byref(functions))
    if result == 0:
        # The version (two bytes, padded to a pointer's size) stands before the functions.
        address = functions[1 + _INIT_TOKEN_POSITION]
        prototype = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
        result = prototype(address)(slot_id, officer_pin, len(officer_pin), label.encode().ljust(_LABEL_BYTES))
    if result != 0:
        raise InternalError(
            f"The software token {label} cannot be made (CK_RV 0x{result:X}); is the data folder writable?",
            code="hsm.token.not-made",
        )


def machine_source(data_dir: Path) -> ModuleSource:
    """What the software machines of this data folder load; a SoftHSM set up otherwise, where they were not prepared."""
    file = configuration_file(data_dir)
    environment = {"SOFTHSM2_CONF": str(file.absolute())} if file.exists() else {}
    return software_source(module_cache(data_dir), environment)
