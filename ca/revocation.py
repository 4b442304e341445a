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
from trustcore.errors import ConflictError, InternalError, NotFoundError
from trustcore.x509.build import assemble
from trustcore.x509.crl import CrlTemplate, RevocationReason, RevokedEntry, crl_tbs
from trustcore.x509.ocsp import CertificateId, CertificateStatus, SingleResponse
from trustcore.x509.public_keys import key_identifier

__all__ = ["Revocation"]


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
        """Revoke a certificate from now on, and publish a new list. Doing it again changes nothing.

        Raises:
            NotFoundError: ``ca.certificate.unknown``.
            ConflictError: ``ca.certificate.reserved`` while it is not issued yet.
        """
        now = self._clock().replace(microsecond=0)
        with self._database.transaction() as session:
            row = store.by_serial(session, authority, serial_number.lower().lstrip("0"), lock=True)
            if row is None:
                raise NotFoundError("There is no certificate with this serial number.", code="ca.certificate.unknown")
            if row.certificate_der is None:
                raise ConflictError("The certificate is not issued yet.", code="ca.certificate.reserved")
            if row.revoked_at is not None:
                return
            row.revoked_at, row.reason = now, int(reason)
            audit.record(
                session, at=now, actor=actor, action="ca.certificate.revoked", subject=row.serial_number,
                facts={"authority": authority, "reason": reason.name.lower()},
            )  # fmt: skip
        self.publish(authority)

    def crl(self, name: str) -> bytes:
        """DER of the list in force; a new one when there is none or its end is near."""
        with self._database.transaction() as session:
            row = store.current_crl(session, name)
        if row is None or row.crl_der is None or row.next_update - self._clock() < self._settings.crl_refresh:
            return self.publish(name)
        return row.crl_der

    def publish(self, name: str) -> bytes:
        """Reserve the next number, sign a list of what is revoked now, record it.

        Raises:
            NotFoundError: ``ca.authority.unknown``.
            BusyError: no machine can sign; the list before stays in force.
        """
        authority = self._authorities.get(name)
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
        now = self._clock().replace(microsecond=0)
        template = CrlTemplate(
            signature_algorithm=authority.signer.algorithm,
            issuer=authority.certificate.subject,
            authority_key_id=key_identifier(authority.certificate.public_key_der),
            number=store.next_crl_number(session, authority.name),
            this_update=now,
            next_update=min(now + self._settings.crl_lifetime, authority.certificate.not_after),
            revoked=tuple(_entry(row) for row in store.revoked(session, authority.name, at=now)),
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


def _entry(row: CertificateRow) -> RevokedEntry:
    assert row.revoked_at is not None
    reason = RevocationReason(row.reason) if row.reason else None
    return RevokedEntry(serial_number=int(row.serial_number, 16), at=row.revoked_at, reason=reason)
