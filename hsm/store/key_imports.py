"""Queries about imports that wait for their key."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from hsm.machine import KeyReference
from hsm.models import KeyImportRow
from trustcore.crypto.algorithms import KeyAlgorithm

__all__ = ["ImportForm", "ImportOffer", "begin", "end", "offer", "offered"]

_TRANSPORT_LABEL = "xinyin-import"
_WRAPPING_LABEL = "xinyin-import-wrapping"


class ImportForm(StrEnum):
    """How a key comes in."""

    RSA_AES = "rsa-aes"
    """An AES-256 key under an RSA transport key, and the PKCS#8 under that (PKCS#11's CKM_RSA_AES_KEY_WRAP)."""
    SM2_ENVELOPE = "sm2-envelope"
    """An SM2EnvelopedKey for an SM2 transport key (GB/T 35276-2017 §7.4); for SM2 keys only."""

    @property
    def transport(self) -> KeyAlgorithm:
        """Kind of the transport key."""
        return KeyAlgorithm.SM2 if self is ImportForm.SM2_ENVELOPE else KeyAlgorithm.RSA_3072


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOffer:
    """A transport key that waits for a wrapped key."""

    label: str
    """Label that the key will have."""
    transport_id: bytes
    transport_key_der: bytes | None
    """SubjectPublicKeyInfo; none until it is made."""
    form: ImportForm
    machine: str | None
    """Machine that holds it."""
    expires_at: datetime

    @property
    def transport(self) -> KeyReference:
        """Name of the transport key inside the machine."""
        return KeyReference(_TRANSPORT_LABEL, self.transport_id)

    @property
    def wrapping(self) -> KeyReference:
        """Name, inside the machine, of the wrapping key that comes in for this one time."""
        return KeyReference(_WRAPPING_LABEL, self.transport_id)


def _offer(row: KeyImportRow) -> ImportOffer:
    return ImportOffer(
        label=row.label,
        transport_id=row.transport_id,
        transport_key_der=row.transport_key_der,
        form=ImportForm(row.form),
        machine=row.machine,
        expires_at=row.expires_at,
    )


def offer(session: Session, label: str) -> ImportOffer | None:
    """The offer for a label."""
    row = session.get(KeyImportRow, label)
    return _offer(row) if row else None


def begin(
    session: Session,
    label: str,
    *,
    form: ImportForm,
    transport_id: bytes,
    machine: str,
    at: datetime,
    expires_at: datetime,
) -> ImportOffer:
    """Write that a machine is about to make a transport key."""
    row = KeyImportRow(
        label=label, form=form.value, transport_id=transport_id, machine=machine, begun_at=at, expires_at=expires_at
    )
    session.add(row)
    session.flush()
    return _offer(row)


def offered(session: Session, label: str, transport_key_der: bytes) -> ImportOffer:
    """Write that the transport key is there."""
    row = session.get_one(KeyImportRow, label)
    row.transport_key_der = transport_key_der
    session.flush()
    return _offer(row)


def end(session: Session, label: str) -> None:
    """Forget an offer."""
    row = session.get(KeyImportRow, label)
    if row is not None:
        session.delete(row)
        session.flush()
