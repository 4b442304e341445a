"""Delegates: the certified keys that act for an authority, its OCSP responder and its time-stamping authority."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Protocol

from ca import store
from ca.authorities import Authority
from trustcore.crypto.algorithms import KeyAlgorithm, SignatureAlgorithm
from trustcore.database import Database
from trustcore.errors import NotFoundError, RejectedError
from trustcore.signing import Keys, Signer, ensure_key
from trustcore.x509.certificate import Certificate
from trustcore.x509.names import DistinguishedName
from trustcore.x509.requests import build_request

__all__ = ["OCSP", "TIME_STAMPING", "Delegate", "Delegates"]

TIME_STAMPING, OCSP = "time-stamping", "ocsp-responder"
_TITLES = {TIME_STAMPING: "时间戳 TSA", OCSP: "OCSP"}
_RENEW_BEFORE = timedelta(days=30)
"""A delegate gets a new certificate when its own has less than this left."""
_LOOK_AGAIN = timedelta(minutes=5)
"""How long this process may go on with a delegate that another one revoked."""


class _Issue(Protocol):
    """Issues a certificate; the same request id gives the same one."""

    def __call__(self, authority: str, csr_der: bytes, *, profile: str, request_id: str) -> bytes:
        """DER of the certificate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegate:
    """A certified key."""

    certificate: Certificate
    signer: Signer
    found_at: datetime
    serves_until: datetime
    """When the database has to be asked again: is it revoked, is its end near?"""


class Delegates:
    """Finds the delegates of authorities. Safe to share between threads.

    Args:
        database: where it stands which certificates were revoked.
        keys: where the delegates' keys are, and are made.
        issue: issues their certificates.
        clock: aware time.
        key_algorithm: of the delegates of hierarchies other than SM2, whose delegates have SM2 keys.
    """

    def __init__(
        self,
        database: Database,
        keys: Keys,
        issue: _Issue,
        clock: Callable[[], datetime],
        key_algorithm: KeyAlgorithm,
    ) -> None:
        self._database = database
        self._keys = keys
        self._issue = issue
        self._clock = clock
        self._key_algorithm = key_algorithm
        self._known: dict[tuple[str, str], Delegate] = {}
        self._lock = Lock()

    def get(self, authority: Authority, profile: str) -> Delegate:
        """The responder or TSA of an authority.

        It is certified at the first call, and again when its end is near; once its certificate was revoked it gets
        another key.

        Raises:
            RejectedError: ``ca.issue.issuer-expired``.
            BusyError: no machine can sign.
        """
        now = self._clock()
        with self._lock:
            known = self._known.get((authority.name, profile))
        if known is not None and known.found_at <= now < known.serves_until:
            return known
        found = self._find(authority, profile, now)
        with self._lock:
            self._known[authority.name, profile] = found
        return found

    def forget(self) -> None:
        """Ask the database again next time: something was revoked."""
        with self._lock:
            self._known.clear()

    def _find(self, authority: Authority, profile: str, now: datetime) -> Delegate:
        number = 0
        while True:
            label = f"{profile}-{authority.name}" + (f"-{number}" if number else "")
            certificate = self._certify(authority, profile, label, now)
            if certificate is not None:
                break
            number += 1
        if now > certificate.not_after:
            raise RejectedError("The certificate of the authority has expired.", code="ca.issue.issuer-expired")
        return Delegate(
            certificate=certificate,
            signer=self._with_certificate(label, certificate.der),
            found_at=now,
            serves_until=min(now + _LOOK_AGAIN, certificate.not_after),
        )

    def _certify(self, authority: Authority, profile: str, label: str, now: datetime) -> Certificate | None:
        """The newest certificate of a key, a new one when its end is near; ``None`` when one was revoked."""
        sm2 = authority.signer.algorithm is SignatureAlgorithm.SM2_SM3
        algorithm = KeyAlgorithm.SM2 if sm2 else self._key_algorithm
        signer = self._keys.signer(ensure_key(self._keys, label, algorithm))
        subject = DistinguishedName.of({"C": "CN", "O": "Xinyin", "CN": f"{authority.subject} {_TITLES[profile]}"})
        csr_der = build_request(signer, subject)
        generation = 0
        while True:
            der = self._issue(authority.name, csr_der, profile=profile, request_id=f"delegate:{label}:{generation}")
            certificate = Certificate.from_der(der)
            if self._is_revoked(authority, certificate):
                return None
            ending = certificate.not_after - _RENEW_BEFORE <= now
            if not ending or authority.certificate.not_after <= certificate.not_after:
                return certificate
            generation += 1

    def _is_revoked(self, authority: Authority, certificate: Certificate) -> bool:
        with self._database.transaction() as session:
            row = store.by_serial(session, authority.name, f"{certificate.serial_number:x}")
        return row is not None and row.revoked_at is not None

    def _with_certificate(self, label: str, certificate_der: bytes) -> Signer:
        uri = self._keys.find(label)
        if uri is None:
            raise NotFoundError(f"The key {label} is gone.", code="hsm.key.not-found", label=label)
        return self._keys.signer(uri, certificate=certificate_der)
