"""The driver of machines that speak PKCS#11."""

from hsm.pkcs11.machine import Pkcs11Machine

__all__ = ["Pkcs11Machine"]
