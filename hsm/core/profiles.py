"""What vendors' machines call things: PKCS#11 has no numbers for SM2, SM3 and SM4, so each vendor has its own.

A profile is data: a TOML file (:mod:`hsm.vendors` has those of the known vendors, and an installation may bring more).
The numbers of the Sansec family are shared by several makers, whose meaning of the same number may differ, so a profile
is believed only as far as it was proved at the connection (:mod:`hsm.core.proving`).

Z and e are always computed here: vendors disagree on who does, and a machine that signs the 32-byte e signs the same in
all of them.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from trustcore.errors import MalformedError

__all__ = [
    "AUTO",
    "CipherForm",
    "CipherMode",
    "MessageMechanism",
    "PointForm",
    "SignatureForm",
    "VendorProfile",
    "match_profile",
    "parse_profile",
]

AUTO = "auto"
"""The name that stands for a choice by what the module says of itself."""
_Number = Annotated[int, Field(ge=0, le=0xFFFFFFFF, strict=True)]
"""A number of PKCS#11: it has 64 bits on a 64-bit system, and all that are known have 32."""
_Pattern = Annotated[str, Field(min_length=1)]
_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]


class CipherMode(StrEnum):
    """Modes of operation of SM4 (GB/T 17964-2021)."""

    ECB = "ecb"
    """Whole blocks of 16 bytes, no padding; ``iv`` empty. For a standard that demands it; never for texts."""
    CBC = "cbc"
    """Whole blocks of 16 bytes, no padding; ``iv`` of 16 bytes."""
    GCM = "gcm"
    """Any length; ``iv`` of 12 bytes, never used twice with a key. The result is ciphertext ‖ 16-byte tag."""


class SignatureForm(StrEnum):
    """How a machine writes an SM2 or ECDSA signature."""

    RAW = "raw"
    """r ‖ s, 64 bytes."""
    DER = "der"
    """SEQUENCE { r, s }."""


class CipherForm(StrEnum):
    """How a machine reads an SM2 ciphertext."""

    C1C3C2 = "c1c3c2"
    """04 ‖ x ‖ y ‖ C3 ‖ C2 (GB/T 32918.4-2016)."""
    C1C2C3 = "c1c2c3"
    """04 ‖ x ‖ y ‖ C2 ‖ C3, the order of the drafts before the standard."""
    DER = "der"
    """SM2Cipher (GB/T 35276-2017 §7.2)."""


class PointForm(StrEnum):
    """How a machine writes CKA_EC_POINT. Read are both, always."""

    WRAPPED = "wrapped"
    """In an OCTET STRING, as PKCS#11 v2.40 §2.3.3 says."""
    BARE = "bare"
    """04 ‖ x ‖ y."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageMechanism:
    """A mechanism that hashes a message with SM3 and signs it. For whoever reads a profile: nothing here uses it."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=False)

    number: _Number
    form: SignatureForm
    z: Literal["machine", "caller"]
    """Who computes Z."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorProfile:
    """One vendor's numbers. A number of ``None`` says that the machine does not do it.

    Field ``sm2_key_type`` is the key ``key_type`` in the table ``[sm2]`` of the file, and so on.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", strict=False)

    name: _Name
    source: str
    """Where the numbers were read."""

    match_files: tuple[_Pattern, ...] = ()
    """Parts of the module's file name, any of them; case does not matter."""
    match_manufacturers: tuple[_Pattern, ...] = ()
    """Parts of the module's manufacturerID, any of them."""
    match_descriptions: tuple[_Pattern, ...] = ()
    """Parts of the module's libraryDescription, any of them. The lists that are not empty must all fit."""

    module_locks: bool = False
    """The module takes operating system locks even when C_Initialize gets NULL, as python-pkcs11 passes. Otherwise it
    is only loaded behind the shim of softgm, which asks for them."""

    sm2_key_type: _Number | None = None
    """CKK of SM2 keys; ``None``: they are CKK_EC on the curve of SM2."""
    sm2_generate: _Number | None = None
    """CKM of SM2 key pair generation."""
    sm2_sign_digest: _Number | None = None
    """CKM that signs the 32-byte e."""
    sm2_signature: SignatureForm = SignatureForm.RAW
    sm2_encrypt: _Number | None = None
    """CKM of encryption and decryption."""
    sm2_cipher: CipherForm = CipherForm.C1C3C2
    sm2_point: PointForm = PointForm.WRAPPED
    sm2_point_on_private: bool = False
    """A private key that is brought in needs CKA_EC_POINT."""
    sm2_messages: tuple[MessageMechanism, ...] = ()

    ecdsa_signature: SignatureForm = SignatureForm.RAW

    sm3_digest: _Number | None = None
    sm3_hmac: _Number | None = None

    sm4_key_type: _Number | None = None
    sm4_generate: _Number | None = None
    sm4_ecb: _Number | None = None
    sm4_cbc: _Number | None = None
    sm4_gcm: _Number | None = None
    """With CK_GCM_PARAMS (PKCS#11 v2.40 §2.12.4)."""

    moving_wrap: _Number | None = None
    """CKM that wraps keys under an AES-256 key: CKM_AES_KEY_WRAP_PAD or the vendor's number for it. ``None``: keys are
    moved between machines by the vendor's own tools."""
    moving_transport: _Number | None = None
    """CKM that brings the AES key in: CKM_RSA_PKCS_OAEP."""
    moving_sm2_envelope: _Number | None = None
    """CKM that opens an SM2EnvelopedKey (GB/T 35276-2017 §7.4) with an SM2 key."""

    proof_session_keys: bool = True
    """Trial keys may be made for one session. Otherwise the first real key that is used proves the machine."""

    errors_full: tuple[_Number, ...] = ()
    """Vendor's own codes for a full store."""
    errors_locked: tuple[_Number, ...] = ()
    """Vendor's own codes for a locked PIN."""
    errors_sessions: tuple[_Number, ...] = ()
    """Vendor's own codes for no free session."""

    @property
    def replicates(self) -> bool:
        """Whether keys can be moved between machines, wrapped."""
        return self.moving_wrap is not None and self.moving_transport is not None

    def sm4_mechanism(self, mode: CipherMode) -> int | None:
        """CKM of a mode."""
        return {CipherMode.ECB: self.sm4_ecb, CipherMode.CBC: self.sm4_cbc, CipherMode.GCM: self.sm4_gcm}[mode]


_FORM: TypeAdapter[VendorProfile] = TypeAdapter(VendorProfile)
_TABLES = frozenset(field.name.partition("_")[0] for field in fields(VendorProfile) if "_" in field.name)


def parse_profile(text: str, *, file: str) -> VendorProfile:
    """The profile that a TOML file holds.

    Args:
        text: of the file.
        file: its name, for messages.

    Raises:
        MalformedError: ``hsm.profile.malformed``, naming the first thing that is wrong.
    """
    try:
        profile = _FORM.validate_python(_flatten(tomllib.loads(text)))
    except tomllib.TOMLDecodeError as error:
        raise _malformed(file, str(error)) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]).replace("_", ".", 1)
        raise _malformed(file, f"{place}: {first['msg']}") from error
    if profile.name == AUTO:
        raise _malformed(file, f"name: {AUTO} stands for the choice among all")
    return profile


def _flatten(tables: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tables.items():
        if name in _TABLES and isinstance(value, dict):
            flat |= {f"{name}_{key}": inner for key, inner in value.items()}
        else:
            flat[name] = value
    return flat


def _malformed(file: str, why: str) -> MalformedError:
    return MalformedError(
        f"The vendor profile {file} cannot be read: {why.rstrip('.')}.", code="hsm.profile.malformed", file=file
    )


def match_profile(
    profiles: Iterable[VendorProfile], *, file: str, manufacturer: str | None = None, description: str | None = None
) -> VendorProfile | None:
    """The profile whose patterns fit a module.

    Args:
        profiles: the last one that fits is taken, so an installation's own come after the packaged ones.
        file: name of the module's file.
        manufacturer: what the module says; ``None`` before it is loaded, when only patterns of the file count.
        description: likewise.
    """
    found = None
    for profile in profiles:
        lists = (profile.match_files, profile.match_manufacturers, profile.match_descriptions)
        texts = (file, manufacturer, description)
        pairs = [(patterns, text) for patterns, text in zip(lists, texts, strict=True) if patterns]
        if pairs and all(text is not None and _contains(text, patterns) for patterns, text in pairs):
            found = profile
    return found


def _contains(text: str, patterns: tuple[str, ...]) -> bool:
    return any(pattern.casefold() in text.casefold() for pattern in patterns)
