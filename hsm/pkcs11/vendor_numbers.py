"""Let python-pkcs11 speak the numbers above 0x80000000, where PKCS#11 leaves room for vendors."""

from enum import IntEnum
from typing import Any

from pkcs11 import KeyType, Mechanism

__all__ = ["allow_vendor_numbers"]

_FIRST_VENDOR_NUMBER = 0x80000000


def allow_vendor_numbers() -> None:
    """Open the closed enumerations of mechanisms and key types for vendors' numbers. Calling it twice is no harm.

    python-pkcs11 0.10 refuses a mechanism that is not a member of its enumeration, and fails to read the type of a key
    that is not in its own. Numbers below the vendors' range stay errors.
    """
    for enumeration in (Mechanism, KeyType):
        enumeration._missing_ = classmethod(_vendor_member)  # type: ignore[assignment]


def _vendor_member(enumeration: Any, value: object) -> IntEnum | None:  # noqa: ANN401 - the class of an enumeration
    if not isinstance(value, int) or value < _FIRST_VENDOR_NUMBER:
        return None
    member = int.__new__(enumeration, value)
    member._name_ = f"VENDOR_{value:08X}"
    member._value_ = value
    kept: IntEnum = enumeration._value2member_map_.setdefault(value, member)
    return kept
