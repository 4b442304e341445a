"""Revocation: revoking, publishing lists, answering OCSP."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from ca import store
from ca.authorities import Authorities, Authority
from ca.models import CertificateRow, CrlRow
from ca.settings import CaSettings
from trustcore import audit
from trustcore.crypto.verify import verify
from trustcore.database import Database
from trustcore.errors import BusyError, ConflictError, InternalError, NotFoundError, RejectedError
from trustcore.x509.build import assemble
from trustcore.x509.crl import Crl, CrlTemplate, RevocationReason, RevokedEntry, crl_tbs
from trustcore.x509.ocsp import CertificateId, CertificateStatus, SingleResponse
from trustcore.x509.public_keys import key_identifier

__all__ = ["Revocation"]

_OF_HOLDS = {RevocationReason.CERTIFICATE_HOLD, RevocationReason.REMOVE_FROM_CRL}
"""RFC 5280 §5.3.1: a hold may end, and removeFromCRL ends it in a delta CRL."""


class Revocation:
    """Keeps and publishes what was revoked. Safe to share between threads.

    Args:
        database: where certificates and lists are.
        authorities: the CAs.
        clock: aware time.
        settings: how long lists and answers hold.
    """

    def __init__(
        self, database: Database, authorities: Authorities, clock: Callable[[], datetime], settings: CaSettings
    ) -> None:
        self._database = database
        self._authorities = authorities
        self._clock = clock
        self._settings = settings

    def revoke(self, authority: str, serial_number: str, reason: RevocationReason, *, actor: str) -> None:
        """Revoke a certificate from now on, and publish a new list.

        Doing it again changes nothing, but publishes the list if that failed the first time.

        Raises:
            NotFoundError: ``ca.certificate.unknown``.
            ConflictError: ``ca.certificate.reserved`` while it is not issued yet.
            RejectedError: ``ca.revocation.reason`` for a reason that only a hold could have.
            BusyError: the certificate is revoked, but no machine can sign the list.
        """
        if reason in _OF_HOLDS:
            raise RejectedError("A revocation here is for good; a hold is not offered.", code="ca.revocation.reason")
        now = self._clock().replace(microsecond=0)
        with self._database.transaction() as session:
            row = store.by_serial(session, authority, serial_number.lower().lstrip("0"), lock=True)
            if row is None:
                raise NotFoundError("There is no certificate with this serial number.", code="ca.certificate.unknown")
            if row.certificate_der is None:
                raise ConflictError("The certificate is not issued yet.", code="ca.certificate.reserved")
            if row.revoked_at is None:
                row.revoked_at, row.reason = now, int(reason)
                audit.record(
                    session, at=now, actor=actor, action="ca.certificate.revoked", subject=row.serial_number,
                    facts={"authority": authority, "reason": reason.name.lower()},
                )  # fmt: skip
            current = store.current_crl(session, authority)
        if current is None or current.crl_der is None or not _lists(current.crl_der, row):
            self.publish(authority)

    def crl(self, name: str) -> bytes:
        """DER of the list in force; a new one when there is none, when its end is near, or when it lacks a revocation.

        While no machine can sign, the list before stays in force to its end. That of an authority that has expired is
        its last one.

        Raises:
            NotFoundError: ``ca.authority.unknown``.
            BusyError: no machine can sign, and there is no list in force.
        """
        authority = self._authorities.get(name)
        now = self._clock()
        with self._database.transaction() as session:
            row = store.current_crl(session, name)
            missing = row is not None and store.is_revoked_after(session, name, row.this_update)
        if row is None or row.crl_der is None:
            return self.publish(name)
        if now > authority.certificate.not_after or not (missing or self._is_ending(row, authority, now)):
            return row.crl_der
        try:
            return self.publish(name)
        except BusyError:
            if now > row.next_update:
                raise
            return row.crl_der

    def _is_ending(self, row: CrlRow, authority: Authority, now: datetime) -> bool:
        """Whether a new list is due; the last one of an authority ends with it, and none would live longer."""
        ahead = min(self._settings.crl_refresh, (row.next_update - row.this_update) / 2)
        return row.next_update - now < ahead and row.next_update < authority.certificate.not_after

    def publish(self, name: str) -> bytes:
        """Reserve the next number, sign a list of what is revoked now, record it.

        Raises:
            NotFoundError: ``ca.authority.unknown``.
            RejectedError: ``ca.crl.issuer-expired``.
            BusyError: no machine can sign; the list before stays in force.
        """
        authority = self._authorities.get(name)
        if self._clock() > authority.certificate.not_after:
            raise RejectedError("The certificate of the authority has expired.", code="ca.crl.issuer-expired")
        with self._database.transaction() as session:
            template = self._reserve(session, authority)
        tbs_der = crl_tbs(template)
        signer = authority.signer
        signature = signer.sign(tbs_der)
        if not verify(signer.public_key_der, signer.algorithm, tbs_der, signature):
            raise InternalError("A machine made a wrong signature.", code="ca.crl.wrong-signature")
        crl_der = assemble(tbs_der, signer.algorithm, signature)
        with self._database.transaction() as session:
            row = session.get_one(CrlRow, (name, template.number))
            row.crl_der = crl_der
            audit.record(
                session, at=self._clock(), actor="system", action="ca.crl.published", subject=name,
                facts={"number": str(template.number), "entries": str(len(template.revoked))},
            )  # fmt: skip
        return crl_der

    def answers(self, ids: Sequence[CertificateId]) -> tuple[Authority | None, tuple[SingleResponse, ...]]:
        """The status of each certificate asked for, and the CA whose responder answers; ``None`` when no CA is ours."""
        now = self._clock().replace(microsecond=0)
        known = self._authorities.all()
        issuers = [next((a for a in known if one.names(a.certificate)), None) for one in ids]
        answering = next((issuer for issuer in issuers if issuer is not None), None)
        with self._database.transaction() as session:
            responses = tuple(
                self._answer(session, one, issuer if issuer is answering else None, now)
                for one, issuer in zip(ids, issuers, strict=True)
            )
        return answering, responses

    def _reserve(self, session: Session, authority: Authority) -> CrlTemplate:
        number = store.next_crl_number(session, authority.name)
        now = self._clock().replace(microsecond=0)
        before = store.current_crl(session, authority.name)
        # RFC 5280 §3.3: an entry leaves the list only after one list that was made when the certificate had expired.
        since = min(before.this_update, now) if before else now
        template = CrlTemplate(
            signature_algorithm=authority.signer.algorithm,
            issuer=authority.certificate.subject,
            authority_key_id=key_identifier(authority.certificate.public_key_der),
            number=number,
            this_update=now,
            next_update=min(now + self._settings.crl_lifetime, authority.certificate.not_after),
            revoked=tuple(_entry(row) for row in store.revoked(session, authority.name, not_expired_at=since)),
        )
        session.add(
            CrlRow(
                authority=authority.name, number=template.number, this_update=template.this_update,
                next_update=template.next_update,
            )
        )  # fmt: skip
        return template

    def _answer(
        self, session: Session, asked: CertificateId, issuer: Authority | None, now: datetime
    ) -> SingleResponse:
        row = store.by_serial(session, issuer.name, f"{asked.serial_number:x}") if issuer else None
        status = CertificateStatus.UNKNOWN
        if row is not None and row.certificate_der is not None:
            status = CertificateStatus.REVOKED if row.revoked_at else CertificateStatus.GOOD
        return SingleResponse(
            certificate_id=asked,
            status=status,
            revoked_at=row.revoked_at if row else None,
            reason=RevocationReason(row.reason) if row and row.reason is not None else None,
            this_update=now,
            next_update=now + self._settings.ocsp_lifetime,
        )


def _lists(crl_der: bytes, row: CertificateRow) -> bool:
    return Crl.from_der(crl_der).lookup(int(row.serial_number, 16)) is not None


def _entry(row: CertificateRow) -> RevokedEntry:
    assert row.revoked_at is not None
    reason = RevocationReason(row.reason) if row.reason else None
    return RevokedEntry(serial_number=int(row.serial_number, 16), at=row.revoked_at, reason=reason)
