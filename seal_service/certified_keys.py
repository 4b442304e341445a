"""Keys with certificates: made when first asked for, found again ever after."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from seal_service import store
from seal_service.models import KeyRow
from seal_service.ports import Certificates
from trustcore import audit
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.database import Database
from trustcore.errors import InternalError
from trustcore.signing import KeyPurpose, Keys, Signer, ensure_key
from trustcore.x509.certificate import Certificate
from trustcore.x509.names import DistinguishedName
from trustcore.x509.requests import build_request

__all__ = ["CertifiedKey", "CertifiedKeys", "KeyOrder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifiedKey:
    """A key and the certificate over it."""

    signer: Signer
    certificate: Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOrder:
    """Which key, certified by whom for what."""

    label: str
    algorithm: KeyAlgorithm
    authority: str
    profile: str
    subject: DistinguishedName


class CertifiedKeys:
    """Makes and finds keys with certificates. Safe to share between threads."""

    def __init__(
        self, database: Database, keys: Keys, certificates: Certificates, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._keys = keys
        self._certificates = certificates
        self._clock = clock
        self._making = Lock()

    def obtain(self, order: KeyOrder) -> CertifiedKey:
        """The key, made and certified if need be; a call that was cut off is taken up where it stopped.

        The request is stored before the authority is asked, so that asking again asks for the same certificate.
        """
        with self._making:  # looking for a label and making a key under it are two calls to the machines
            return self._certified(self._obtain(order))

    def _obtain(self, order: KeyOrder) -> KeyRow:
        row = self._load(order.label)
        if row is None:
            key_uri = ensure_key(self._keys, order.label, order.algorithm, purpose=KeyPurpose.SEAL)
            request_der = build_request(self._keys.signer(key_uri), order.subject)
            row = self._reserve(order, key_uri, request_der)
        if row.certificate_der is None:
            certificate_der = self._certificates.issue(
                row.authority, row.request_der, profile=row.profile, request_id=f"seal:{row.label}"
            )
            row = self._record(order.label, certificate_der)
        return row

    def find(self, label: str) -> CertifiedKey:
        """The key of a finished seal.

        Raises:
            InternalError: ``seal.key.missing``.
        """
        row = self._load(label)
        if row is None or row.certificate_der is None:
            raise InternalError("A seal has no certified key.", code="seal.key.missing")
        return self._certified(row)

    def _certified(self, row: KeyRow) -> CertifiedKey:
        certificate_der = row.certificate_der
        if certificate_der is None:
            raise InternalError("A key has no certificate.", code="seal.key.missing")
        certificate = Certificate.from_der(certificate_der)
        signer = self._keys.signer(row.key_uri, certificate=certificate_der)
        if certificate.public_key_der != signer.public_key_der:
            raise InternalError("The certificate is about another key.", code="seal.key.other")
        return CertifiedKey(signer=signer, certificate=certificate)

    def _load(self, label: str) -> KeyRow | None:
        with self._database.transaction() as session:
            return store.find_key(session, label)

    def _reserve(self, order: KeyOrder, key_uri: str, request_der: bytes) -> KeyRow:
        try:
            return self._insert(order, key_uri, request_der)
        except IntegrityError:  # another process was faster; its request counts
            row = self._load(order.label)
            if row is None:
                raise
            return row

    def _insert(self, order: KeyOrder, key_uri: str, request_der: bytes) -> KeyRow:
        with self._database.transaction() as session:
            row = store.find_key(session, order.label)
            if row is None:
                row = KeyRow(
                    label=order.label,
                    key_uri=key_uri,
                    authority=order.authority,
                    profile=order.profile,
                    request_der=request_der,
                    created_at=self._clock(),
                )
                session.add(row)
                self._audit(session, "seal.key.made", order.label, {"key": key_uri})
            return row

    def _record(self, label: str, certificate_der: bytes) -> KeyRow:
        with self._database.transaction() as session:
            row = store.find_key(session, label)
            if row is None:
                raise InternalError("A reserved key is gone.", code="seal.key.missing")
            if row.certificate_der is None:
                row.certificate_der = certificate_der
                fingerprint = Certificate.from_der(certificate_der).fingerprint_sha256
                self._audit(session, "seal.key.certified", label, {"certificate": fingerprint})
            return row

    def _audit(self, session: Session, action: str, subject: str, facts: dict[str, str]) -> None:
        audit.record(session, at=self._clock(), actor="seal-service", action=action, subject=subject, facts=facts)
