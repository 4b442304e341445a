"""Which certificates there are over a key."""

import threading
from collections.abc import Callable
from datetime import datetime

from hsm.keys.register import KeyRegister
from hsm.store import keys as store
from trustcore import audit
from trustcore.crypto.digests import sha256
from trustcore.database import Database
from trustcore.errors import MalformedError, RejectedError, TrustError
from trustcore.x509.certificate import Certificate

__all__ = ["KeyCertificates"]

_SEEN_LIMIT = 10_000
"""How many certificates are remembered as noted, so that memory stays bounded; forgotten ones are noted again."""


class KeyCertificates:
    """The links between keys and certificates. Safe to share between threads.

    A signer that is made with a certificate is noted in memory and written later, so that making one costs no
    transaction.

    Args:
        database: where the links are.
        register: what this process knows of the keys.
        clock: aware UTC time.
        wake: called when there is something to be written later.
    """

    def __init__(
        self,
        database: Database,
        register: KeyRegister,
        *,
        clock: Callable[[], datetime],
        wake: Callable[[], None],
    ) -> None:
        self._database = database
        self._register = register
        self._clock = clock
        self._wake = wake
        self._lock = threading.Lock()
        self._seen: set[tuple[str, bytes]] = set()
        self._waiting: list[tuple[str, bytes]] = []

    def note(self, label: str, certificate_der: bytes) -> None:
        """Remember that a signer was made with this certificate.

        It is linked to the key later; what is no certificate over the key is dropped then.
        """
        item = (label, sha256(certificate_der))
        if item in self._seen:
            return
        with self._lock:
            if len(self._seen) >= _SEEN_LIMIT:
                self._seen.clear()
            self._seen.add(item)
            self._waiting.append((label, certificate_der))
        self._wake()

    def write(self) -> None:
        """Write what was noted."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for position, (label, certificate_der) in enumerate(waiting):
            try:
                self.link(label, certificate_der, actor="system")
            except (MalformedError, RejectedError):
                continue
            except TrustError:
                with self._lock:
                    self._waiting = waiting[position:] + self._waiting
                raise

    def link(self, label: str, certificate_der: bytes, *, actor: str) -> None:
        """Record a certificate over a key. Linking it twice is no error.

        Raises:
            NotFoundError: ``hsm.key.not-found``.
            MalformedError: for what is no certificate.
            RejectedError: ``hsm.certificate.other-key`` when it is over another key.
        """
        record = self._register.record(label)
        certificate = Certificate.from_der(certificate_der)
        if certificate.public_key_der != record.public_key_der:
            raise RejectedError(
                f"The certificate {certificate.fingerprint_sha256} is over another key than {label}.",
                code="hsm.certificate.other-key", label=label,
            )  # fmt: skip
        now = self._clock()
        fingerprint = certificate.fingerprint_sha256
        with self._database.transaction() as session:
            store.key_record(session, label, lock=True)  # another process may have met the same certificate
            if store.link_certificate(session, label, fingerprint=fingerprint, certificate_der=certificate_der, at=now):
                audit.record(
                    session, at=now, actor=actor, action="hsm.key.certificate-linked", subject=record.uri,
                    facts={"certificate-sha256": fingerprint},
                )  # fmt: skip

    def of(self, label: str) -> tuple[bytes, ...]:
        """DER certificates over a key, oldest first."""
        self.write()
        with self._database.transaction() as session:
            return store.certificates(session, label)
