"""What vendors' machines call things: PKCS#11 has no numbers for SM2, so each vendor has its own.

Only what was read in a vendor's header or tried on a device stands here; the numbers of the Sansec family are shared
by several makers, whose meaning of the same number may differ. The self-test (``xinyin hsm selftest``) signs and
verifies in software and so tells whether a profile fits.
"""

from dataclasses import dataclass
from enum import StrEnum

from trustcore.errors import MalformedError

__all__ = ["PROFILES", "CipherForm", "CipherMode", "SignatureForm", "VendorProfile", "profile"]


class SignatureForm(StrEnum):
    """How a machine writes an SM2 signature."""

    RAW = "raw"
    """r ‖ s, 64 bytes."""
    DER = "der"
    """SEQUENCE { r, s }."""


class CipherMode(StrEnum):
    """Modes of operation of SM4 (GB/T 17964-2021)."""

    ECB = "ecb"
    """Whole blocks of 16 bytes, no padding; ``iv`` empty. For a standard that demands it; never for texts."""
    CBC = "cbc"
    """Whole blocks of 16 bytes, no padding; ``iv`` of 16 bytes."""
    GCM = "gcm"
    """Any length; ``iv`` of 12 bytes, never used twice with a key. The result is ciphertext ‖ 16-byte tag."""


class CipherForm(StrEnum):
    """How a machine reads an SM2 ciphertext."""

    RAW = "raw"
    """04 ‖ x ‖ y ‖ C3 ‖ C2."""
    DER = "der"
    """SM2Cipher (GB/T 35276-2017 §7.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorProfile:
    """One vendor's numbers. A number of ``None`` says that the machine cannot do it."""

    name: str
    locks: bool
    """The module takes operating system locks even when C_Initialize gets NULL, as python-pkcs11 passes. Otherwise it
    is only loaded behind the shim of softgm, which asks for them."""
    sm2_key_type: int | None
    """CKK of SM2 keys; ``None``: they are CKK_EC on the curve of SM2."""
    sm2_generate: int | None
    """CKM of SM2 key pair generation; ``None``: the machine makes no SM2 keys."""
    sm2_sign_digest: int | None
    """CKM that signs the 32-byte e. Z is always computed here: vendors disagree on who does."""
    sm2_signature: SignatureForm
    sm2_decrypt: int | None
    sm2_cipher: CipherForm
    replicates: bool
    """Keys can be moved between machines under CKM_AES_KEY_WRAP_PAD; otherwise by the vendor's own tools."""
    rsa_oaep_transport: bool
    """A wrapping key can be brought in under CKM_RSA_PKCS_OAEP."""


PROFILES = {
    p.name: p
    for p in (
        VendorProfile(
            name="softgm",
            locks=True,
            sm2_key_type=None,
            sm2_generate=0x1040,
            sm2_sign_digest=0x80008105,
            sm2_signature=SignatureForm.RAW,
            sm2_decrypt=0x80008201,
            sm2_cipher=CipherForm.DER,
            replicates=True,
            rsa_oaep_transport=True,
        ),
        VendorProfile(
            name="softhsm",
            locks=False,
            sm2_key_type=None,
            sm2_generate=None,
            sm2_sign_digest=None,
            sm2_signature=SignatureForm.RAW,
            sm2_decrypt=None,
            sm2_cipher=CipherForm.RAW,
            replicates=True,
            rsa_oaep_transport=True,
        ),
        VendorProfile(
            name="sansec",
            locks=False,
            sm2_key_type=0x80000004,
            sm2_generate=0x80008001,
            sm2_sign_digest=0x80008105,
            sm2_signature=SignatureForm.RAW,
            sm2_decrypt=0x80008201,
            sm2_cipher=CipherForm.DER,
            replicates=False,
            rsa_oaep_transport=False,
        ),
    )
}
"""The known vendors."""


def profile(name: str) -> VendorProfile:
    """The profile of this name. Raises ``MalformedError`` (``hsm.profile.unknown``)."""
    try:
        return PROFILES[name]
    except KeyError:
        known = ", ".join(PROFILES)
        raise MalformedError(
            f"There is no vendor profile {name}; known are {known}.", code="hsm.profile.unknown", profile=name
        ) from None
