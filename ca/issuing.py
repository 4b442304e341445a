"""Issuing: reserve the serial number with what will be signed, sign, record."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ca import store
from ca.core.issuance import SERIAL_OCTETS, IssuerUrls, Prepared, Request, issue, prepare, serial_number
from ca.models import CertificateRow
from trustcore import audit
from trustcore.asn1.reader import parse
from trustcore.crypto.digests import sm3
from trustcore.database import Database
from trustcore.errors import ConflictError, InternalError, RejectedError
from trustcore.signing import Signer
from trustcore.x509.certificate import Certificate

__all__ = ["Issuer", "Issuing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Who signs: a CA, or a root that signs itself (``certificate`` is ``None``)."""

    name: str
    certificate: Certificate | None
    signer: Signer
    urls: IssuerUrls | None
    parent: str | None = None
    """The CA that certified this one; ``None`` for a root."""


class Issuing:
    """Issues certificates. Safe to share between threads.

    Args:
        database: where serial numbers and certificates are kept.
        clock: aware time.
        random: cryptographic random octets.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime], random: Callable[[int], bytes]) -> None:
        self._database = database
        self._clock = clock
        self._random = random

    def issue(self, issuer: Issuer, request: Request, *, request_id: str, actor: str) -> Certificate:
        """The certificate of a request; the same request id gives the same certificate.

        1. The TBSCertificate is built and linted, and stored with its serial number.
        2. The issuer's key signs it, outside of any transaction.
        3. The certificate is stored. Of two processes that complete the same reservation, the first one's stands.

        A request that was cut off after (1) is completed with what was stored then.

        Raises:
            ConflictError: ``ca.request.other-body`` when the request id was used for something else.
            RejectedError: ``ca.lint.…``; ``ca.issue.issuer-revoked`` when the issuer's own certificate was revoked.
        """
        digest = _digest(issuer.name, request)
        row = self._earlier(request_id, digest)
        if row is None:
            row = self._reserve(issuer, request, request_id=request_id, digest=digest, actor=actor)  # (1)
        if row.certificate_der is not None:
            return Certificate.from_der(row.certificate_der)
        signed = issue(_prepared(row, issuer), issuer.signer)  # (2)
        return self._record(row.request_id, signed, actor)  # (3)

    def close_reservations(self, before: datetime) -> int:
        """Give up reservations made before ``before``; their serial numbers stay used. Returns how many."""
        now = self._clock()
        with self._database.transaction() as session:
            rows = store.reserved_before(session, before)
            for row in rows:
                row.closed_at = now
                row.request_id = f"closed:{row.id}:{row.request_id}"[:200]
                audit.record(
                    session, at=now, actor="system", action="ca.reservation.closed", subject=row.serial_number,
                    facts={"authority": row.authority},
                )  # fmt: skip
        return len(rows)

    def _earlier(self, request_id: str, digest: str) -> CertificateRow | None:
        with self._database.transaction() as session:
            row = store.by_request(session, request_id)
        if row is not None and row.request_digest != digest:
            raise ConflictError("This request was made before with other contents.", code="ca.request.other-body")
        return row

    def _reserve(self, issuer: Issuer, request: Request, *, request_id: str, digest: str, actor: str) -> CertificateRow:
        now = self._clock()
        prepared = prepare(
            request,
            serial=serial_number(self._random(SERIAL_OCTETS)),
            issuer=issuer.certificate,
            signer=issuer.signer,
            urls=issuer.urls,
            now=now,
        )
        row = CertificateRow(
            request_id=request_id,
            request_digest=digest,
            authority=issuer.name,
            serial_number=f"{prepared.serial_number:x}",
            profile=request.profile.name,
            subject=request.subject.text,
            tbs_der=prepared.tbs_der,
            not_after=_not_after(prepared),
            reserved_at=now,
        )
        try:
            with self._database.transaction() as session:
                _refuse_revoked(session, issuer)
                session.add(row)
                session.flush()
                _audit(session, row, "ca.certificate.reserved", now, actor)
        except IntegrityError:
            earlier = self._earlier(request_id, digest)
            if earlier is None:
                raise
            return earlier
        return row

    def _record(self, request_id: str, certificate: Certificate, actor: str) -> Certificate:
        now = self._clock()
        with self._database.transaction() as session:
            row = store.by_request(session, request_id, lock=True)
            if row is None:
                raise ConflictError("The reservation was closed meanwhile; ask again.", code="ca.request.closed")
            if row.certificate_der is None:
                row.certificate_der, row.issued_at = certificate.der, now
                _audit(session, row, "ca.certificate.issued", now, actor)
                return certificate
            return Certificate.from_der(row.certificate_der)


def _refuse_revoked(session: Session, issuer: Issuer) -> None:
    if issuer.certificate is None:
        return
    own = store.by_serial(session, issuer.parent or issuer.name, f"{issuer.certificate.serial_number:x}")
    if own is not None and own.revoked_at is not None:
        raise RejectedError("The certificate of the authority was revoked.", code="ca.issue.issuer-revoked")


def _prepared(row: CertificateRow, issuer: Issuer) -> Prepared:
    """What was stored to be signed, taken up again."""
    if issuer.name != row.authority:
        raise InternalError("The reservation is another authority's.", code="ca.issue.other-signer")
    public_key = issuer.certificate.public_key_der if issuer.certificate else issuer.signer.public_key_der
    return Prepared(
        tbs_der=row.tbs_der,
        serial_number=int(row.serial_number, 16),
        algorithm=issuer.signer.algorithm,
        issuer_public_key_der=public_key,
    )


def _not_after(prepared: Prepared) -> datetime:
    return parse(prepared.tbs_der)[4][1].time()


def _digest(authority: str, request: Request) -> str:
    lifetime = "" if request.lifetime == request.profile.lifetime else str(request.lifetime.total_seconds())
    parts = (
        authority.encode(), request.profile.name.encode(), request.subject.der, request.public_key_der,
        lifetime.encode(),
    )  # fmt: skip
    return sm3(b"".join(sm3(part) for part in parts)).hex()


def _audit(session: Session, row: CertificateRow, action: str, now: datetime, actor: str) -> None:
    facts = {"authority": row.authority, "profile": row.profile}
    audit.record(session, at=now, actor=actor, action=action, subject=row.serial_number, facts=facts)
