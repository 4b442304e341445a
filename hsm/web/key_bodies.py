"""What the JSON interface of keys and approvals takes and gives."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from hsm.core.approvals import ApprovalState
from hsm.core.lifecycle import MOST_USES, KeyState
from trustcore.signing import KeyPurpose

__all__ = [
    "ApprovalBody",
    "ApprovalsBody",
    "CertificateBody",
    "CertificatesBody",
    "ConsentBody",
    "ExportBody",
    "ImportBody",
    "KeyBody",
    "KeysBody",
    "LimitBody",
    "OfferBody",
    "RecipientBody",
    "TitleBody",
]

_BASE64_LIMIT = 16_384
Base64 = Annotated[str, Field(max_length=_BASE64_LIMIT)]


class KeyBody(BaseModel):
    """One key. What is private in it never leaves the machines."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    label: str
    title: str | None
    """What people call it."""
    uri: str
    """RFC 7512."""
    algorithm: str
    """``sm2``, ``rsa-2048``, ``rsa-3072``, ``ec-p256`` or ``sm4``."""
    purpose: KeyPurpose
    state: KeyState
    public_key_der: str
    """SubjectPublicKeyInfo, hexadecimal; empty for a secret key."""
    machines: list[str]
    """Machines that hold it; of a destroyed key those that have not confirmed its destruction."""
    missing: list[str]
    """Machines that still wait for their copy."""
    sealed: bool
    """It can leave no machine any more."""
    exportable: bool
    """It was made to leave the installation, wrapped."""
    used: int
    """How often it was used; of a limited key with what server processes hold on lease."""
    usage_limit: int | None
    created_at: datetime
    """RFC 3339, as all times."""
    activated_at: datetime | None
    retired_at: datetime | None
    destroyed_at: datetime | None
    not_before: datetime | None
    not_after: datetime | None


class KeysBody(BaseModel):
    """One page of keys."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    keys: list[KeyBody]
    next_cursor: str | None
    """Give it as ``cursor`` for the next page; null at the end."""


class LimitBody(BaseModel):
    """A limit of uses."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    usage_limit: Annotated[int, Field(ge=1, le=MOST_USES)] | None
    """How often the key may be used in its life; null for as often as wanted."""


class TitleBody(BaseModel):
    """What people call a key."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(max_length=200)] | None


class CertificatesBody(BaseModel):
    """Certificates over a key."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    certificates_base64: list[str]
    """DER, oldest first."""


class CertificateBody(BaseModel):
    """One certificate."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    certificate_base64: Base64
    """DER."""


class OfferBody(BaseModel):
    """A transport key that waits for a wrapped key."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    label: str
    transport_key_base64: str
    """SubjectPublicKeyInfo: of an RSA-3072 key, or of an SM2 key for an envelope."""
    expires_at: datetime


class ImportBody(BaseModel):
    """A wrapped key pair."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    algorithm: str
    """``sm2``, ``rsa-2048``, ``rsa-3072`` or ``ec-p256``."""
    public_key_base64: Base64
    """SubjectPublicKeyInfo."""
    wrapped_base64: Base64
    """An AES-256 key under the transport key (RSA-OAEP with SHA-1), and after it the PKCS#8 PrivateKeyInfo under the
    AES key (RFC 5649); or the SM2EnvelopedKey that the import was begun for."""
    purpose: KeyPurpose = KeyPurpose.SIGNING
    exportable: bool = False
    usage_limit: Annotated[int, Field(ge=1, le=MOST_USES)] | None = None


class RecipientBody(BaseModel):
    """Whom a key is wrapped for."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    recipient_key_base64: Base64
    """SubjectPublicKeyInfo of an RSA key of 3072 bits or more."""


class ExportBody(BaseModel):
    """A key for its recipient."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    algorithm: str
    public_key_base64: str
    """SubjectPublicKeyInfo."""
    wrapped_base64: str
    """As in an import."""


class ConsentBody(BaseModel):
    """One person's yes."""

    person: str
    at: datetime


class ApprovalBody(BaseModel):
    """A request for the approval of two persons."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    act: str
    """``generate``, ``import``, ``export``, ``destroy`` or ``assign``."""
    label: str
    parameters: dict[str, str]
    """Exactly what is agreed to."""
    state: ApprovalState
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    approved_by: list[ConsentBody]
    refused_by: str | None
    executed_at: datetime | None


class ApprovalsBody(BaseModel):
    """Requests, the newest first."""

    approvals: list[ApprovalBody]
