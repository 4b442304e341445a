"""What the gateway's JSON interface takes and gives."""

import binascii
from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from hsm.core.profiles import CipherMode
from hsm.core.rights import Operation
from hsm.gateway.content import Content
from hsm.gateway.forms import CipherForm, SignatureForm
from hsm.gateway.keys import KeySource
from trustcore.crypto.algorithms import DigestAlgorithm, KeyAlgorithm, SignatureAlgorithm
from trustcore.errors import MalformedError
from trustcore.signing import KeyPurpose

__all__ = [
    "BatchAnswer",
    "BatchRequest",
    "CertificatesAnswer",
    "CiphertextAnswer",
    "DecryptRequest",
    "DigestAnswer",
    "DigestRequest",
    "EncryptRequest",
    "GrantAnswer",
    "GrantRequest",
    "GrantsAnswer",
    "HealthAnswer",
    "ItemBody",
    "KeyRequest",
    "NewKeyRequest",
    "PlaintextAnswer",
    "PublicKeyAnswer",
    "RandomAnswer",
    "RandomRequest",
    "SignAnswer",
    "SignRequest",
    "Sm4DecryptRequest",
    "Sm4EncryptRequest",
    "SourceBody",
    "UsageAnswer",
    "UsageBody",
    "ValidateRequest",
    "VerifyAnswer",
    "VerifyBatchAnswer",
    "VerifyBatchRequest",
    "VerifyItemBody",
    "VerifyRequest",
    "decode",
    "encode",
]

_Key = Annotated[str, Field(min_length=1, max_length=250, description="Label or RFC 7512 URI of the key.")]
_CERTIFICATE_CHARACTERS = 64 * 1024
_KEY_CHARACTERS = 8 * 1024


def decode(text: str, *, limit: int) -> bytes:
    """The octets of strict base64 (RFC 4648 §4): padded, no white space, no other alphabet.

    Raises:
        MalformedError: ``hsm.base64``, ``hsm.too-long`` above ``limit`` bytes.
    """
    try:
        octets = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise MalformedError("A field is not base64.", code="hsm.base64") from error
    if len(octets) > limit:
        raise MalformedError(f"A field is longer than {limit} bytes.", code="hsm.too-long", limit=limit)
    return octets


def encode(octets: bytes) -> str:
    """Base64 without line breaks."""
    return binascii.b2a_base64(octets, newline=False).decode()


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class ItemBody(_Body):
    """What to sign: a message or its digest."""

    message_base64: str | None = None
    digest_base64: str | None = None
    """For SM2 the 32 octets e = SM3(Z ‖ M) of GB/T 32918.2-2016 §6.1."""
    sm2_id: str | None = None
    """The signer's identifier in Z, UTF-8; ``1234567812345678`` where none is given. With a message and SM2 only."""

    def content(self, *, limit: int) -> Content:
        """The octets. Raises ``MalformedError`` (``hsm.base64``, ``hsm.too-long``)."""
        return Content(
            None if self.message_base64 is None else decode(self.message_base64, limit=limit),
            None if self.digest_base64 is None else decode(self.digest_base64, limit=limit),
            None if self.sm2_id is None else self.sm2_id.encode(),
        )


class SignRequest(ItemBody):
    """A message or a digest, and the key that signs it."""

    key: _Key
    form: SignatureForm = SignatureForm.DER
    """Of the signature; RSA has one form."""


class SignAnswer(_Body):
    """A signature."""

    signature_base64: str
    algorithm: SignatureAlgorithm
    key: str
    """Label."""


class BatchRequest(_Body):
    """Messages and digests, and the key that signs them."""

    key: _Key
    items: list[ItemBody] = Field(min_length=1)
    form: SignatureForm = SignatureForm.DER


class ResultBody(_Body):
    """One item's signature, or why it has none."""

    signature_base64: str | None = None
    error: dict[str, object] | None = None
    """``code`` and ``detail``, as in a problem document."""


class BatchAnswer(_Body):
    """Signatures in the order of the items."""

    key: str
    algorithm: SignatureAlgorithm
    signed: int
    """How many items have a signature."""
    results: list[ResultBody]


class SourceBody(_Body):
    """A public key: exactly one of the three."""

    key: str | None = Field(default=None, max_length=250)
    """Label or URI of a key in the machines."""
    public_key_base64: str | None = Field(default=None, max_length=_KEY_CHARACTERS)
    """DER SubjectPublicKeyInfo."""
    certificate_base64: str | None = Field(default=None, max_length=_CERTIFICATE_CHARACTERS)
    """DER."""

    def source(self) -> KeySource:
        """The octets. Raises ``MalformedError`` (``hsm.base64``)."""
        return KeySource(
            key=self.key,
            public_key_der=_optional(self.public_key_base64, _KEY_CHARACTERS),
            certificate_der=_optional(self.certificate_base64, _CERTIFICATE_CHARACTERS),
        )

    @property
    def is_given(self) -> bool:
        """Whether there is any."""
        return any(item is not None for item in (self.key, self.public_key_base64, self.certificate_base64))


def _optional(text: str | None, limit: int) -> bytes | None:
    return None if text is None else decode(text, limit=limit)


class VerifyItemBody(ItemBody):
    """A signature and what it should be over."""

    signature_base64: str


class VerifyRequest(VerifyItemBody, SourceBody):
    """A signature, what it should be over, and the public key."""

    form: SignatureForm = SignatureForm.DER


class VerifyAnswer(_Body):
    """Whether a signature is right."""

    valid: bool
    reason: str
    """Empty when valid; ``signature.wrong`` or ``signature.malformed``."""


class VerifyBatchRequest(SourceBody):
    """Signatures by one key."""

    items: list[VerifyItemBody] = Field(min_length=1)
    form: SignatureForm = SignatureForm.DER


class VerdictBody(_Body):
    """Whether one signature is right, or why that cannot be said."""

    valid: bool | None = None
    reason: str | None = None
    error: dict[str, object] | None = None


class VerifyBatchAnswer(_Body):
    """Verdicts in the order of the items."""

    results: list[VerdictBody]


class EncryptRequest(SourceBody):
    """A text, and whose SM2 key it is encrypted for."""

    plaintext_base64: str
    form: CipherForm = CipherForm.DER


class CiphertextAnswer(_Body):
    """A ciphertext."""

    ciphertext_base64: str
    iv_base64: str | None = None
    """For SM4: the initialization vector, which is needed for decryption and no secret."""


class KeyRequest(_Body):
    """The key that is used."""

    key: _Key


class DecryptRequest(KeyRequest):
    """An SM2 ciphertext."""

    ciphertext_base64: str
    form: CipherForm = CipherForm.DER


class PlaintextAnswer(_Body):
    """A text."""

    plaintext_base64: str


class Sm4EncryptRequest(KeyRequest):
    """A text for a named SM4 key."""

    plaintext_base64: str
    mode: CipherMode = CipherMode.GCM
    iv_base64: str | None = None
    """Drawn in a machine where none is given, which is what GCM wants: never twice the same."""
    associated_base64: str = ""
    """GCM: authenticated with the text, not encrypted."""


class Sm4DecryptRequest(KeyRequest):
    """What a named SM4 key encrypted."""

    ciphertext_base64: str
    mode: CipherMode = CipherMode.GCM
    iv_base64: str = ""
    associated_base64: str = ""


class DigestRequest(SourceBody):
    """What to digest. With a public key the answer is e = SM3(Z ‖ data)."""

    data_base64: str
    algorithm: DigestAlgorithm = DigestAlgorithm.SM3
    sm2_id: str = "1234567812345678"


class DigestAnswer(_Body):
    """A digest."""

    digest_base64: str
    algorithm: DigestAlgorithm


class RandomRequest(_Body):
    """How many octets."""

    length: int = Field(ge=1, le=1024 * 1024)


class RandomAnswer(_Body):
    """Octets from a machine."""

    random_base64: str


class NewKeyRequest(_Body):
    """A key pair to be made."""

    label: str = Field(min_length=1, max_length=64)
    algorithm: KeyAlgorithm
    purpose: KeyPurpose = KeyPurpose.SIGNING


class PublicKeyAnswer(_Body):
    """The public half of a key."""

    label: str
    uri: str
    """RFC 7512."""
    algorithm: str
    """``sm2``, ``rsa-2048``, ``rsa-3072`` or ``ec-p256``."""
    purpose: KeyPurpose
    public_key_base64: str
    """DER SubjectPublicKeyInfo."""


class CertificatesAnswer(_Body):
    """Certificates of a key, the oldest first."""

    key: str
    certificates: list[str]
    """DER, base64."""


class ValidateRequest(_Body):
    """A certificate that is to be judged."""

    certificate_base64: str = Field(max_length=_CERTIFICATE_CHARACTERS)
    """DER."""
    at: datetime | None = None
    """The moment in question; now where none is given."""


class HealthAnswer(_Body):
    """Whether the gateway can serve."""

    status: str
    """``ok``, ``degraded`` when some machine is down, ``down`` when all are (HTTP 503)."""
    machines_up: int
    machines: int


class GrantRequest(_Body):
    """What is to be granted."""

    application: str = Field(min_length=1, max_length=64)
    keys: str = Field(min_length=1, max_length=100)
    """A label, a pattern with ``*``, or ``purpose:`` and a purpose."""
    operations: list[Operation] = Field(min_length=1)
    per_second: int | None = Field(default=None, ge=1)
    per_day: int | None = Field(default=None, ge=1)
    not_before: datetime | None = None
    not_after: datetime | None = None
    """Exclusive."""


class GrantAnswer(_Body):
    """A grant."""

    id: int
    application: str
    keys: str
    operations: list[Operation]
    per_second: int | None
    per_day: int | None
    not_before: datetime
    not_after: datetime | None
    created_at: datetime
    created_by: str
    revoked_at: datetime | None
    revoked_by: str | None


class GrantsAnswer(_Body):
    """Some grants, by number."""

    grants: list[GrantAnswer]
    next_cursor: int | None
    """Give it as ``cursor`` to go on."""


class UsageBody(_Body):
    """Use of one grant on one day."""

    grant: int
    application: str
    keys: str
    day: date
    requests: int
    items: int
    refused: int


class UsageAnswer(_Body):
    """Use of grants by day, newest first."""

    usage: list[UsageBody]
