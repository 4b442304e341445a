"""What the errors of PKCS#11 mean for whoever asked."""

import pkcs11
from pkcs11 import PKCS11Error

from hsm.errors import MachineDownError
from trustcore.errors import InternalError, RejectedError, TrustError

__all__ = ["SESSION_LOST", "STALE_HANDLE", "pin_error", "translate"]

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

SESSION_LOST = (
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


def pin_error(machine: str, error: PKCS11Error) -> TrustError | None:
    """The refusal that a login answered, or ``None`` when the error is of another kind."""
    for kind, (code, remedy) in _PIN_ERRORS.items():
        if isinstance(error, kind):
            return RejectedError(f"The encryption machine {machine} {remedy}.", code=code, machine=machine)
    return None


def translate(machine: str, error: PKCS11Error) -> TrustError:
    """Our error for one of PKCS#11, without the text of the library."""
    reason = type(error).__name__ if type(error) is not PKCS11Error else "a vendor's error code"
    if isinstance(error, _REQUEST_AT_FAULT):
        return InternalError(
            f"The encryption machine {machine} refuses the request: {reason}; does its vendor profile fit?",
            code="hsm.machine.refused",
            machine=machine,
            reason=reason,
        )
    return MachineDownError(machine, reason)
