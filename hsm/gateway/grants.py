"""Giving and taking rights at the gateway: grants, and certificates that stand for applications."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy.exc import IntegrityError

from hsm.core import rights
from hsm.core.rights import Operation
from hsm.store import gateway as store
from hsm.store.gateway import ClientCertificate, GrantDay, StoredGrant
from trustcore import audit
from trustcore.database import Database
from trustcore.errors import ConflictError, MalformedError, NotFoundError, UnauthenticatedError
from trustcore.web.auth import Principal
from trustcore.x509.certificate import Certificate

__all__ = ["Grants", "NewGrant"]

_LONGEST_APPLICATION = 64
_USAGE_DAYS = 31
_LARGEST_QUOTA = 2_147_483_647
"""What the columns hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewGrant:
    """What is to be granted."""

    application: str
    """A client identifier."""
    keys: str
    """A label, a pattern with ``*``, or ``purpose:`` and a purpose."""
    operations: frozenset[Operation]
    per_second: int | None = None
    """Most items in a second; none: no limit."""
    per_day: int | None = None
    """Most items in a day, UTC; none: no limit."""
    not_before: datetime | None = None
    """None: from now on."""
    not_after: datetime | None = None
    """Exclusive; none: until it is revoked."""

    def check(self) -> None:
        """Refuse what makes no sense. Raises ``MalformedError`` (``hsm.grant.…``)."""
        if not 1 <= len(self.application) <= _LONGEST_APPLICATION or not self.application.isprintable():
            raise MalformedError("A grant names an application.", code="hsm.grant.application")
        rights.check_keys(self.keys)
        if not self.operations:
            raise MalformedError("A grant allows at least one operation.", code="hsm.grant.operations")
        if any(limit is not None and not 1 <= limit <= _LARGEST_QUOTA for limit in (self.per_second, self.per_day)):
            raise MalformedError(f"A quota is 1 to {_LARGEST_QUOTA:,}.", code="hsm.grant.quota")
        if self.not_before and self.not_after and self.not_after <= self.not_before:
            raise MalformedError("A grant ends after it begins.", code="hsm.grant.period")


class Grants:
    """Administration of the gateway. Safe to share between threads. ``actor`` is who asks, for the audit trail.

    Args:
        database: where grants are.
        clock: the present time.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def grant(self, new: NewGrant, *, actor: str, request_id: str | None = None) -> StoredGrant:
        """Give an application rights. Asking twice under the same ``request_id`` gives them once.

        Raises:
            MalformedError: ``hsm.grant.…``.
            ConflictError: ``hsm.grant.request`` when something else was asked for under this identifier.
        """
        new.check()
        try:
            return self._add(new, actor, request_id)
        except IntegrityError:
            assert request_id is not None
            return self._earlier(new, request_id)

    def _add(self, new: NewGrant, actor: str, request_id: str | None) -> StoredGrant:
        now = self._clock()
        with self._database.transaction() as session:
            made = store.add_grant(
                session,
                application=new.application,
                keys=new.keys,
                operations=new.operations,
                per_second=new.per_second,
                per_day=new.per_day,
                not_before=new.not_before or now,
                not_after=new.not_after,
                at=now,
                actor=actor,
                request_id=request_id,
            )
            facts = {
                "application": new.application,
                "keys": new.keys,
                "operations": " ".join(sorted(new.operations)),
                "per_second": str(new.per_second or ""),
                "per_day": str(new.per_day or ""),
                "until": new.not_after.isoformat() if new.not_after else "",
            }
            audit.record(
                session, at=now, actor=actor, action="hsm.grant.given", subject=str(made.grant.id), facts=facts
            )
        return made

    def _earlier(self, new: NewGrant, request_id: str) -> StoredGrant:
        with self._database.transaction() as session:
            found = store.grant_by_request(session, request_id)
        if found is None or not _is_same(found, new):
            raise ConflictError("Another grant was asked for under this identifier.", code="hsm.grant.request")
        return found

    def revoke(self, grant_id: int, *, actor: str) -> StoredGrant:
        """Take a grant back, at once. Twice changes nothing.

        Raises:
            NotFoundError: ``hsm.grant.not-found``.
        """
        now = self._clock()
        with self._database.transaction() as session:
            before = store.grant(session, grant_id)
            after = store.revoke_grant(session, grant_id, at=now, actor=actor)
            if before is None or after is None:
                raise NotFoundError(f"There is no grant {grant_id}.", code="hsm.grant.not-found")
            if before.revoked_at is None:
                audit.record(
                    session, at=now, actor=actor, action="hsm.grant.revoked", subject=str(grant_id),
                    facts={"application": after.grant.application},
                )  # fmt: skip
        return after

    def grants(self, *, application: str | None = None, after: int = 0, limit: int = 100) -> tuple[StoredGrant, ...]:
        """Grants by number, the page after the number ``after``."""
        with self._database.transaction() as session:
            return store.grants(session, application=application, after=after, limit=limit)

    def usage(
        self, *, application: str | None = None, first: date | None = None, last: date | None = None
    ) -> tuple[GrantDay, ...]:
        """Use of grants by day, newest first; both days inclusive, the last 31 days where none are given."""
        until = last or self._clock().astimezone(UTC).date()
        since = first or until - timedelta(days=_USAGE_DAYS - 1)
        with self._database.transaction() as session:
            return store.usage_days(session, application=application, first=since, last=until)

    def bind(
        self, certificate: Certificate, *, application: str, scopes: Collection[str], actor: str
    ) -> ClientCertificate:
        """Let a certificate stand for an application with these scopes. The same again changes nothing.

        Raises:
            ConflictError: ``hsm.certificate.bound`` when it stands for something else, or was revoked.
            MalformedError: ``hsm.grant.…``; ``hsm.certificate.expired``.
        """
        now = self._clock()
        if certificate.not_after <= now:
            raise MalformedError("The certificate has expired.", code="hsm.certificate.expired")
        if not scopes or not all(scope.startswith("hsm:") for scope in scopes):
            raise MalformedError("The scopes of a certificate begin with hsm:.", code="hsm.grant.scopes")
        fingerprint = certificate.fingerprint_sha256
        with self._database.transaction() as session:
            found = store.certificate(session, fingerprint)
            if found is not None:
                if (found.application, found.scopes, found.revoked_at) != (application, frozenset(scopes), None):
                    raise ConflictError("The certificate stands for something else.", code="hsm.certificate.bound")
                return found
            made = store.add_certificate(
                session, fingerprint=fingerprint, application=application, scopes=scopes,
                subject=certificate.subject.text[:500], not_after=certificate.not_after, at=now, actor=actor,
            )  # fmt: skip
            audit.record(
                session, at=now, actor=actor, action="hsm.certificate.bound", subject=fingerprint,
                facts={"application": application, "scopes": " ".join(sorted(scopes))},
            )  # fmt: skip
        return made

    def unbind(self, fingerprint: str, *, actor: str) -> ClientCertificate:
        """Let a certificate stand for nobody, for good. Raises ``NotFoundError`` (``hsm.certificate.not-found``)."""
        now = self._clock()
        with self._database.transaction() as session:
            found = store.revoke_certificate(session, fingerprint, at=now)
            if found is None:
                raise NotFoundError("There is no such certificate.", code="hsm.certificate.not-found")
            audit.record(
                session, at=now, actor=actor, action="hsm.certificate.unbound", subject=fingerprint,
                facts={"application": found.application},
            )  # fmt: skip
        return found

    def certificates(self, *, after: str = "", limit: int = 100) -> tuple[ClientCertificate, ...]:
        """Certificates by fingerprint, the page after ``after``."""
        with self._database.transaction() as session:
            return store.certificates(session, after=after, limit=limit)

    def principal(self, certificate: Certificate) -> Principal:
        """The application that a certificate stands for; whoever calls this has seen that the client holds its key.

        Raises:
            UnauthenticatedError: ``auth.certificate.unknown``, ``auth.certificate.expired``.
        """
        with self._database.transaction() as session:
            found = store.certificate(session, certificate.fingerprint_sha256)
        if found is None or found.revoked_at is not None:
            raise UnauthenticatedError(
                "The client's certificate stands for no application.", code="auth.certificate.unknown"
            )
        if not certificate.not_before <= self._clock() < certificate.not_after:
            raise UnauthenticatedError("The client's certificate is not valid now.", code="auth.certificate.expired")
        return Principal(subject=found.application, kind="application", scopes=found.scopes)


def _is_same(found: StoredGrant, new: NewGrant) -> bool:
    grant = found.grant
    return (
        (grant.application, grant.keys, grant.operations, grant.per_second, grant.per_day, grant.not_after)
        == (new.application, new.keys, new.operations, new.per_second, new.per_day, new.not_after)
    ) and new.not_before in {None, grant.not_before}
