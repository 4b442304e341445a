"""Tables of the encryption machine service. No private value and no PIN is ever in them."""

from datetime import date, datetime

from sqlalchemy import JSON, BigInteger, Boolean, ForeignKey, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from trustcore.database import Model, UtcDateTime

__all__ = [
    "ApprovalRow",
    "ApprovalVoteRow",
    "CeremonyReviewRow",
    "CeremonyRow",
    "CeremonyStepRow",
    "ClientCertificateRow",
    "DataKeyRow",
    "EventRow",
    "GrantDayRow",
    "GrantRow",
    "KeyCertificateRow",
    "KeyImportRow",
    "KeyRow",
    "MachineRow",
    "ProcessRow",
    "SdfPairRow",
]


class KeyRow(Model):
    """A key, and which machines hold it."""

    __tablename__ = "hsm_key"

    label: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_id: Mapped[bytes] = mapped_column(LargeBinary(16))
    """CKA_ID of its objects: random, so that what a crash left behind under the same label is never taken for it."""
    algorithm: Mapped[str] = mapped_column(String(20))
    """A ``KeyAlgorithm``, or ``aes-256`` for the key that keys travel under."""
    uri: Mapped[str] = mapped_column(String(250), unique=True)
    """RFC 7512."""
    public_key_der: Mapped[bytes | None] = mapped_column(LargeBinary)
    """SubjectPublicKeyInfo; none until the key is made, and for ``aes-256``."""
    machines: Mapped[list[str]] = mapped_column(JSON)
    """Names of the machines that hold it."""
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    requested_by: Mapped[str] = mapped_column(String(255))
    """Host that is making it; another one does not interfere while the request is young."""
    created_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was ready to use; none: the process that made it has not finished."""
    sealed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it became non-extractable in every machine; none: some machine still waits for its copy."""
    purpose: Mapped[str] = mapped_column(String(20), server_default="signing")
    """A ``KeyPurpose``."""
    state: Mapped[str] = mapped_column(String(20), server_default="active", index=True)
    """A ``KeyState``; says something once the key is made."""
    title: Mapped[str | None] = mapped_column(String(200))
    """What people call it. The label is in URIs and in the machines and never changes."""
    exportable: Mapped[bool | None] = mapped_column(Boolean)
    """It was made to leave the installation, wrapped, and is never sealed; none for keys older than the column."""
    activated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was first activated; none for keys older than the column."""
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    destroyed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When its destruction was decided. ``machines`` then are those that have not confirmed it."""
    not_before: Mapped[datetime | None] = mapped_column(UtcDateTime)
    not_after: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """It signs and encrypts until then."""
    usage_limit: Mapped[int | None] = mapped_column(BigInteger)
    """How often it may be used in its life; none: as often as wanted."""
    used: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """How often it was used. Of a limited key this counts what processes hold on lease, too."""


class KeyCertificateRow(Model):
    """A certificate over a key."""

    __tablename__ = "hsm_key_certificate"

    label: Mapped[str] = mapped_column(String(64), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Hexadecimal SHA-256 of the certificate."""
    certificate_der: Mapped[bytes] = mapped_column(LargeBinary)
    linked_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ApprovalRow(Model):
    """An act that two persons have to agree to."""

    __tablename__ = "hsm_approval"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    """Random, hexadecimal."""
    act: Mapped[str] = mapped_column(String(20))
    """``generate``, ``import``, ``export``, ``destroy`` or ``assign``."""
    subject: Mapped[str] = mapped_column(String(64), index=True)
    """Label of the key."""
    parameters: Mapped[dict[str, str]] = mapped_column(JSON)
    """Exactly what is agreed to."""
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), index=True)
    """SM3 over act, subject and parameters."""
    requested_by: Mapped[str] = mapped_column(String(200))
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """The act has to begin before."""
    refused_by: Mapped[str | None] = mapped_column(String(200))
    refused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reserved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the act began; it may be taken up again after a crash, and by nobody else meanwhile."""
    reserved_by: Mapped[str | None] = mapped_column(String(255))
    """Host that does it."""
    executed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was done; the approval is used up."""


class ApprovalVoteRow(Model):
    """One person's consent."""

    __tablename__ = "hsm_approval_vote"

    approval: Mapped[str] = mapped_column(String(32), primary_key=True)
    person: Mapped[str] = mapped_column(String(200), primary_key=True)
    """``user:…``."""
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class KeyImportRow(Model):
    """An import that waits for the wrapped key."""

    __tablename__ = "hsm_key_import"

    label: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Label that the key will have."""
    transport_id: Mapped[bytes] = mapped_column(LargeBinary(16))
    """CKA_ID of the transport key."""
    transport_key_der: Mapped[bytes | None] = mapped_column(LargeBinary)
    """SubjectPublicKeyInfo of the transport key; none until it is made."""
    form: Mapped[str] = mapped_column(String(20))
    """How the key will come: an ``ImportForm``."""
    machine: Mapped[str | None] = mapped_column(String(32))
    """Machine that holds the transport key."""
    begun_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class GrantRow(Model):
    """What one application may do at the gateway, with which keys, how often."""

    __tablename__ = "hsm_grant"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    application: Mapped[str] = mapped_column(String(64), index=True)
    """``Principal.subject``: a client identifier."""
    keys: Mapped[str] = mapped_column(String(100))
    """A label, a pattern with ``*``, or ``purpose:`` and a ``KeyPurpose``."""
    operations: Mapped[list[str]] = mapped_column(JSON)
    """Values of ``Operation``."""
    per_second: Mapped[int | None]
    """Most items in one second of the clock; none: no limit."""
    per_day: Mapped[int | None]
    """Most items in one day, UTC; none: no limit."""
    not_before: Mapped[datetime] = mapped_column(UtcDateTime)
    not_after: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Exclusive; none: until it is revoked."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(200))
    request_id: Mapped[str | None] = mapped_column(String(220), unique=True)
    """Under which it was asked for, so that asking twice makes one."""
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_by: Mapped[str | None] = mapped_column(String(200))
    second: Mapped[int] = mapped_column(BigInteger, default=0)
    """The second of the clock, since 1970, in which it was used last."""
    used_in_second: Mapped[int] = mapped_column(default=0)
    """Items in that second."""


class GrantDayRow(Model):
    """How much of a grant was used on one day."""

    __tablename__ = "hsm_usage_day"

    grant_id: Mapped[int] = mapped_column(ForeignKey("hsm_grant.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    """In UTC."""
    acts: Mapped[int] = mapped_column(BigInteger, default=0)
    """Requests."""
    items: Mapped[int] = mapped_column(BigInteger, default=0)
    """Signatures and the like: a batch of 1,000 counts 1,000."""
    refused: Mapped[int] = mapped_column(BigInteger, default=0)
    """Requests refused because a quota was used up."""


class ClientCertificateRow(Model):
    """A certificate that an application shows to the proxy in front of the gateway."""

    __tablename__ = "hsm_client_certificate"

    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    """SHA-256 of the DER, hexadecimal."""
    application: Mapped[str] = mapped_column(String(64), index=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    """Rights of whoever shows it, such as ``hsm:sign``."""
    subject: Mapped[str] = mapped_column(String(500))
    """RFC 4514, for people."""
    not_after: Mapped[datetime] = mapped_column(UtcDateTime)
    """Of the certificate."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(200))
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class CeremonyRow(Model):
    """A key ceremony that was begun."""

    __tablename__ = "hsm_ceremony"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    """Date and random hexadecimal: ``20300115-5f3a9c12``."""
    file_digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    """SM3 of the file: what was reviewed."""
    file: Mapped[bytes] = mapped_column(LargeBinary)
    title: Mapped[str] = mapped_column(String(200))
    rehearsal: Mapped[bool] = mapped_column(Boolean)
    software: Mapped[bool] = mapped_column(Boolean)
    """Some machine is a software machine."""
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    transcript: Mapped[bytes | None] = mapped_column(LargeBinary)
    """What is signed; none until the last step is confirmed."""
    public_key_der: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Of the audit key that signed."""
    signature: Mapped[bytes | None] = mapped_column(LargeBinary)
    """DER; none while the process that finished the ceremony has not recorded it."""
    cms: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The same as a detached CMS SignedData, where the audit key had a certificate."""


class CeremonyStepRow(Model):
    """One step of a ceremony: reserved, done, confirmed."""

    __tablename__ = "hsm_ceremony_step"

    ceremony: Mapped[str] = mapped_column(String(32), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    begun_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """The row is written before anything is done."""
    actual: Mapped[dict[str, str] | None] = mapped_column(JSON)
    """What was found; none: the process that did it has not recorded it."""
    acted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    confirmed_by: Mapped[str | None] = mapped_column(String(200))


class CeremonyReviewRow(Model):
    """One person's approval of a ceremony file."""

    __tablename__ = "hsm_ceremony_review"

    file_digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    reviewer: Mapped[str] = mapped_column(String(200), primary_key=True)
    """A name in the file."""
    title: Mapped[str] = mapped_column(String(200), index=True)
    login: Mapped[str] = mapped_column(String(100))
    """Account of the operating system."""
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class DataKeyRow(Model):
    """One version of a key for data at rest, under a key in the machines."""

    __tablename__ = "hsm_data_key"

    name: Mapped[str] = mapped_column(String(50), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    """1, 2, 3 …: the highest protects new data, all open what they protected."""
    form: Mapped[str] = mapped_column(String(20))
    """``sm2``: an ``SM2Cipher``; ``sm4-gcm``: iv ‖ ciphertext ‖ tag of an SM4 key in the machines."""
    key_uri: Mapped[str] = mapped_column(String(300))
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    rewrapped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ProcessRow(Model):
    """What one server process reports of the machines, every few seconds."""

    __tablename__ = "hsm_process"

    process: Mapped[str] = mapped_column(String(300), primary_key=True)
    """Host and process number."""
    reported_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    report: Mapped[dict[str, object]] = mapped_column(JSON)
    """A ``hsm.core.fleet.ProcessReport``."""


class MachineRow(Model):
    """What an operator has decided about a machine."""

    __tablename__ = "hsm_machine"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    """Name in the settings."""
    drained_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When somebody took it out for maintenance; none: it is used."""
    drained_by: Mapped[str | None] = mapped_column(String(200))


class EventRow(Model):
    """Something that happened to a machine or a key."""

    __tablename__ = "hsm_event"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    machine: Mapped[str] = mapped_column(String(32), index=True)
    """Its name; empty where the event is a key's."""
    kind: Mapped[str] = mapped_column(String(40))
    """An ``EventKind``."""
    detail: Mapped[str] = mapped_column(String(1000))
    """One sentence."""


class SdfPairRow(Model):
    """A key pair that the console of an SDF machine made, and the key that it became.

    SDF knows no labels, so this is where it stands. The pair is known by its public key: which index of which machine
    holds it is asked of the machines, and several hold the same one after the vendor has cloned them.
    """

    __tablename__ = "hsm_sdf_pair"

    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Hexadecimal SHA-256 of ``public_key_der``."""
    public_key_der: Mapped[bytes] = mapped_column(LargeBinary)
    """SubjectPublicKeyInfo."""
    label: Mapped[str] = mapped_column(String(64))
    key_id: Mapped[bytes] = mapped_column(LargeBinary(16), index=True)
    """``hsm_key.key_id``. A row that no ``hsm_key`` knows is what an abandoned attempt left behind."""
    taken_at: Mapped[datetime] = mapped_column(UtcDateTime)
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the key was destroyed. The pair is in the machine until the console replaces it, and never used again."""
