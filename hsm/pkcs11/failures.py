"""What the errors of PKCS#11 mean for whoever asked."""

from collections.abc import Callable

import pkcs11
from pkcs11 import PKCS11Error

from hsm.core.profiles import VendorProfile
from hsm.errors import MachineDownError, MachineFullError
from hsm.pkcs11.calls import CryptokiNotInitializedError, VendorError
from trustcore.errors import BusyError, InternalError, RejectedError, TrustError

__all__ = ["STALE_HANDLE", "Failures", "vendor_code"]

_REQUEST_AT_FAULT = (
    pkcs11.ArgumentsBad,
    pkcs11.AttributeReadOnly,
    pkcs11.AttributeSensitive,
    pkcs11.AttributeTypeInvalid,
    pkcs11.AttributeValueInvalid,
    pkcs11.DataInvalid,
    pkcs11.DataLenRange,
    pkcs11.DomainParamsInvalid,
    pkcs11.EncryptedDataInvalid,
    pkcs11.EncryptedDataLenRange,
    pkcs11.FunctionNotSupported,
    pkcs11.FunctionRejected,
    pkcs11.KeyNotWrappable,
    pkcs11.KeySizeRange,
    pkcs11.KeyTypeInconsistent,
    pkcs11.KeyUnextractable,
    pkcs11.MechanismInvalid,
    pkcs11.MechanismParamInvalid,
    pkcs11.SessionReadOnly,
    pkcs11.SignatureInvalid,
    pkcs11.SignatureLenRange,
    pkcs11.TemplateIncomplete,
    pkcs11.TemplateInconsistent,
    pkcs11.TokenWriteProtected,
    pkcs11.WrappedKeyInvalid,
    pkcs11.WrappedKeyLenRange,
)
"""Errors that another machine would answer with too. Everything else is the machine's own trouble."""

_REASONS: dict[type[PKCS11Error], str] = {
    pkcs11.MechanismInvalid: "the mechanism is unknown to it",
    pkcs11.MechanismParamInvalid: "the mechanism takes another parameter",
    pkcs11.KeyTypeInconsistent: "the mechanism does not go with the key",
    pkcs11.KeyUnextractable: "the key may not leave it",
    pkcs11.TokenWriteProtected: "its token is write-protected",
    pkcs11.SessionReadOnly: "its token is write-protected",
}
"""Errors of the request in words; the others go by the name that PKCS#11 gives them."""

_SESSION_LOST = (
    CryptokiNotInitializedError,
    pkcs11.DeviceRemoved,
    pkcs11.SessionClosed,
    pkcs11.SessionHandleInvalid,
    pkcs11.TokenNotPresent,
    pkcs11.UserNotLoggedIn,
)
"""Errors after which all sessions of the machine are useless."""

STALE_HANDLE = (pkcs11.KeyHandleInvalid, pkcs11.ObjectHandleInvalid)
"""Errors of a key handle that was good once."""

_PIN_ERRORS: dict[type[PKCS11Error], tuple[str, str]] = {
    pkcs11.PinIncorrect: ("hsm.pin.wrong", "refuses the PIN; put the right one into its PIN file"),
    pkcs11.PinInvalid: ("hsm.pin.wrong", "refuses the PIN; put the right one into its PIN file"),
    pkcs11.PinLenRange: ("hsm.pin.wrong", "refuses the PIN for its length; put the right one into its PIN file"),
    pkcs11.PinLocked: ("hsm.pin.locked", "has locked the PIN; its security officer has to unlock it"),
    pkcs11.PinExpired: ("hsm.pin.expired", "says the PIN has expired; set a new one with the vendor's tool"),
    pkcs11.UserPinNotInitialized: ("hsm.pin.unset", "has no user PIN yet; set one with the vendor's tool"),
}
_NOT_INITIALIZED_TEXT = "not initialized"
"""What python-pkcs11 0.10 says of CKR_CRYPTOKI_NOT_INITIALIZED, for which it has no class."""


def vendor_code(error: PKCS11Error) -> int | None:
    """The number of an error that only the vendor knows."""
    if isinstance(error, VendorError):
        return error.code
    if type(error) is PKCS11Error:
        number = str(error).rpartition("0x")[2].rstrip(").")
        try:
            return int(number, 16)
        except ValueError:
            return None
    return None


class Failures:
    """What errors mean at one machine.

    Args:
        machine: its name, for messages.
        is_full: whether its store has no room, where that can be seen from here: SoftHSM calls it CKR_FUNCTION_FAILED.
    """

    def __init__(self, machine: str, is_full: Callable[[], bool]) -> None:
        self._machine = machine
        self._is_full = is_full
        self.profile: VendorProfile | None = None
        """Whose codes are spoken, once that is known."""

    def is_session_lost(self, error: PKCS11Error) -> bool:
        """Whether all sessions of the machine are useless now."""
        return isinstance(error, _SESSION_LOST) or _NOT_INITIALIZED_TEXT in str(error)

    def is_session_refused(self, error: PKCS11Error) -> bool:
        """Whether the machine gives no further session."""
        return isinstance(error, pkcs11.SessionCount) or (
            self.profile is not None and vendor_code(error) in self.profile.errors_sessions
        )

    def pin_refusal(self, error: PKCS11Error) -> RejectedError | None:
        """The refusal that a login answered, or ``None`` when the error is of another kind."""
        if self.profile is not None and vendor_code(error) in self.profile.errors_locked:
            error = pkcs11.PinLocked()
        for kind, (code, remedy) in _PIN_ERRORS.items():
            if isinstance(error, kind):
                return RejectedError(
                    f"The encryption machine {self._machine} {remedy}.", code=code, machine=self._machine
                )
        return None

    def translate(self, error: PKCS11Error) -> TrustError:
        """Our error for one of PKCS#11, without the text of the library."""
        if self._says_full(error):
            return MachineFullError(self._machine)
        if self.is_session_refused(error):
            return BusyError(
                f"The encryption machine {self._machine} gives no further session; lower sessions_per_machine, or "
                "allow more with the vendor's tool.",
                code="hsm.machine.busy",
                machine=self._machine,
            )
        if isinstance(error, _REQUEST_AT_FAULT):
            reason = next((why for kind, why in _REASONS.items() if isinstance(error, kind)), type(error).__name__)
            return self._refused(reason)
        code = vendor_code(error)
        return MachineDownError(self._machine, type(error).__name__ if code is None else f"vendor's error 0x{code:08X}")

    def _says_full(self, error: PKCS11Error) -> bool:
        if isinstance(error, pkcs11.DeviceMemory):
            return True
        if self.profile is not None and vendor_code(error) in self.profile.errors_full:
            return True
        return isinstance(error, pkcs11.FunctionFailed | pkcs11.GeneralError) and self._is_full()

    def _refused(self, reason: str) -> InternalError:
        return InternalError(
            f"The encryption machine {self._machine} refuses the request: {reason}; does its vendor profile fit?",
            code="hsm.machine.refused",
            machine=self._machine,
            reason=reason,
        )
