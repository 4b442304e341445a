"""What the codes of GM/T 0018-2012 appendix A mean for whoever asked."""

from collections.abc import Mapping

from hsm.errors import MachineCannotError, MachineDownError
from trustcore.errors import InternalError, RejectedError, TrustError

__all__ = [
    "ENCRYPTED_DATA_CODES",
    "KEY_MISSING",
    "NO_RIGHT",
    "PASSWORD_CODES",
    "SdfError",
    "password_error",
    "translate",
]

_BASE = 0x01000000
NO_RIGHT = _BASE + 0x07
"""SDR_PARDENY: the session may not use the private key."""
KEY_MISSING = _BASE + 0x08
"""SDR_KEYNOTEXIST."""
PASSWORD_CODES = frozenset({NO_RIGHT, _BASE + 0x18})
"""SDR_PARDENY and SDR_PRKRERR: what a wrong password answers, from one vendor or another."""
ENCRYPTED_DATA_CODES = frozenset({_BASE + 0x0C, _BASE + 0x16, _BASE + 0x1D})
"""SDR_SKOPERR, SDR_ENCDATAERR and SDR_INARGERR: what a ciphertext that was changed answers."""

_NAMES: Mapping[int, str] = {
    _BASE + number: name
    for number, name in (
        (0x01, "SDR_UNKNOWERR"),
        (0x02, "SDR_NOTSUPPORT"),
        (0x03, "SDR_COMMFAIL"),
        (0x04, "SDR_HARDFAIL"),
        (0x05, "SDR_OPENDEVICE"),
        (0x06, "SDR_OPENSESSION"),
        (0x07, "SDR_PARDENY"),
        (0x08, "SDR_KEYNOTEXIST"),
        (0x09, "SDR_ALGNOTSUPPORT"),
        (0x0A, "SDR_ALGMODNOTSUPPORT"),
        (0x0B, "SDR_PKOPERR"),
        (0x0C, "SDR_SKOPERR"),
        (0x0D, "SDR_SIGNERR"),
        (0x0E, "SDR_VERIFYERR"),
        (0x0F, "SDR_SYMOPERR"),
        (0x10, "SDR_STEPERR"),
        (0x11, "SDR_FILESIZEERR"),
        (0x12, "SDR_FILENOEXIST"),
        (0x13, "SDR_FILEOFSERR"),
        (0x14, "SDR_KEYTYPEERR"),
        (0x15, "SDR_KEYERR"),
        (0x16, "SDR_ENCDATAERR"),
        (0x17, "SDR_RANDERR"),
        (0x18, "SDR_PRKRERR"),
        (0x19, "SDR_MACERR"),
        (0x1A, "SDR_FILEEXISTS"),
        (0x1B, "SDR_FILEWERR"),
        (0x1C, "SDR_NOBUFFER"),
        (0x1D, "SDR_INARGERR"),
        (0x1E, "SDR_OUTARGERR"),
    )
}
_CANNOT = frozenset({_BASE + 0x02, _BASE + 0x09, _BASE + 0x0A})
_REQUEST_AT_FAULT = frozenset(_BASE + number for number in (0x0B, 0x0E, 0x10, 0x11, 0x14, 0x15, 0x16))
"""Codes that another machine would answer with too. Everything else is the machine's own trouble."""


class SdfError(Exception):
    """A function of the library answered a code that is not 0."""

    def __init__(self, function: str, code: int) -> None:
        super().__init__(function, code)
        self.function = function
        self.code = code

    @property
    def reason(self) -> str:
        """The code's name in the standard, or else its number."""
        return f"{self.function}: {_NAMES.get(self.code, f'0x{self.code:08X}, a code of the vendor')}"


def translate(machine: str, error: SdfError) -> TrustError:
    """Our error for a code of the library."""
    if error.code in _CANNOT:
        return MachineCannotError(
            machine, f"offer what was asked for ({error.reason})", "let a machine of another kind do it"
        )
    if error.code in _REQUEST_AT_FAULT:
        return InternalError(
            f"The encryption machine {machine} refuses the request: {error.reason}; is its library one of "
            "GM/T 0018-2012?",
            code="hsm.machine.refused",
            machine=machine,
            reason=error.reason,
        )
    return MachineDownError(machine, error.reason)


def password_error(machine: str, index: int) -> RejectedError:
    """The refusal of a private key's password."""
    return RejectedError(
        f"The encryption machine {machine} refuses the password of the private key at index {index}; put the right one "
        "into its PIN file.",
        code="hsm.pin.wrong",
        machine=machine,
        index=index,
    )
