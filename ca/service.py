"""Use cases of the certification authority."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError

from ca import store
from ca.authorities import Authorities, Authority, certificates_of
from ca.core.issuance import Request
from ca.core.profiles import PROFILES, end_entity_profile
from ca.delegates import OCSP, TIME_STAMPING, Delegates
from ca.issuing import Issuer, Issuing
from ca.models import AuthorityRow, CertificateRow
from ca.revocation import Revocation
from ca.settings import CaSettings
from ca.timestamps import TokenNumbers
from trustcore import audit
from trustcore.crypto.algorithms import DIGESTS, DigestAlgorithm, KeyAlgorithm
from trustcore.database import Database
from trustcore.errors import ConflictError, MalformedError, NotFoundError, RejectedError, TrustError
from trustcore.signing import KeyPurpose, Keys, ensure_key
from trustcore.x509 import ocsp, tsp
from trustcore.x509.crl import RevocationReason
from trustcore.x509.names import DistinguishedName
from trustcore.x509.requests import parse_request

__all__ = ["CaService", "CertificateView"]

_SYSTEM = "system"
_ACCURACY_SECONDS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateView:
    """What a list says of a certificate."""

    id: int
    """Grows with every certificate; for paging."""
    authority: str
    serial_number: str
    """Hexadecimal."""
    subject: str
    profile: str
    not_after: datetime
    state: str
    """``reserved``, ``closed``, ``good`` or ``revoked``."""


class CaService:
    """The CAs of an installation. Safe to share between threads.

    Args:
        database: with the tables of this service and of the audit.
        keys: where the keys live.
        clock: aware time.
        settings: ``[ca]``.
    """

    def __init__(self, database: Database, keys: Keys, clock: Callable[[], datetime], settings: CaSettings) -> None:
        self.settings = settings
        self._database = database
        self._keys = keys
        self._clock = clock
        self._authorities = Authorities(database, keys, settings.public_url)
        self._issuing = Issuing(database, clock, keys.random)
        self._revocation = Revocation(database, self._authorities, clock, settings)
        self._numbers = TokenNumbers(database)
        self._delegates = Delegates(database, keys, self.issue, clock, settings.responder_key)

    def found(
        self, name: str, *, subject: DistinguishedName, algorithm: KeyAlgorithm, parent: str | None, lifetime: timedelta
    ) -> Authority:
        """A CA of this name, founded at the first call: its key, its certificate, its delegates, its first CRL.

        Raises:
            ConflictError: ``ca.authority.other`` when there is one of this name with another subject, parent or kind of
                key.
            NotFoundError: ``ca.authority.unknown`` when there is no such parent.
        """
        known = self._authorities.find(name)
        if known is None:
            known = self._found(name, subject=subject, algorithm=algorithm, parent=parent, lifetime=lifetime)
        same_key = known.certificate.public_key.serves(algorithm.signature)
        if known.parent != parent or known.certificate.subject_der != subject.der or not same_key:
            raise ConflictError(f"There is another authority {name}.", code="ca.authority.other", authority=name)
        for profile in (OCSP, TIME_STAMPING) if parent else (OCSP,):
            self._delegates.get(known, profile)
        self.crl(name)
        return known

    def issue(
        self,
        authority: str,
        csr_der: bytes,
        *,
        profile: str,
        request_id: str,
        lifetime: timedelta | None = None,
        actor: str = _SYSTEM,
    ) -> bytes:
        """DER certificate over the key of a request; the same ``request_id`` gives the same certificate.

        Args:
            authority: name of the issuing CA.
            csr_der: PKCS #10, DER or PEM, with a right proof of possession.
            profile: what kind of certificate; extensions that the request asks for are not taken over.
            request_id: names this request.
            lifetime: cut to the profile's and the authority's.
            actor: who asks, for the record.

        Raises:
            MalformedError, RejectedError: ``x509.request.…``, ``ca.lint.…``.
            NotFoundError: ``ca.authority.unknown``, ``ca.profile.unknown``.
            ConflictError: ``ca.request.other-body``.
        """
        chosen = end_entity_profile(profile)
        requested = parse_request(csr_der)
        request = Request(
            subject=requested.subject,
            public_key_der=requested.public_key_der,
            profile=chosen,
            lifetime=chosen.lifetime if lifetime is None else lifetime,
        )
        issuer = self._issuer(self._authorities.get(authority))
        return self._issuing.issue(issuer, request, request_id=request_id, actor=actor).der

    def revoke(self, authority: str, serial_number: str, *, reason: RevocationReason, actor: str = _SYSTEM) -> None:
        """Revoke a certificate (hexadecimal serial number) from now on, and publish a new CRL.

        Raises:
            NotFoundError: ``ca.certificate.unknown``.
            ConflictError: ``ca.certificate.reserved``.
            RejectedError: ``ca.revocation.reason``.
            BusyError: the certificate is revoked, the list is not yet published; asking again publishes it.
        """
        try:
            self._revocation.revoke(authority, serial_number, reason, actor=actor)
        finally:
            self._delegates.forget()

    def publish_crl(self, authority: str) -> bytes:
        """Sign and record a new CRL now."""
        return self._revocation.publish(authority)

    def crl(self, authority: str) -> bytes:
        """DER of the CRL in force. Raises ``NotFoundError`` (``ca.authority.unknown``)."""
        self._authorities.get(authority)
        return self._revocation.crl(authority)

    def chain(self, authority: str) -> tuple[bytes, ...]:
        """DER certificates: the authority's first, the root's last."""
        return certificates_of(self._authorities.chain(authority))

    def authorities(self) -> tuple[Authority, ...]:
        """Every CA, in the order they were founded."""
        return self._authorities.all()

    def certificates(self, *, before: int | None = None, limit: int = 50) -> tuple[CertificateView, ...]:
        """Certificates, newest first; ``before`` is the ``id`` of the last one of the page before."""
        with self._database.transaction() as session:
            rows = store.certificates(session, before=before, limit=min(limit, 500))
        return tuple(
            CertificateView(
                id=row.id, authority=row.authority, serial_number=row.serial_number, subject=row.subject,
                profile=row.profile, not_after=row.not_after, state=_state(row),
            )
            for row in rows
        )  # fmt: skip

    def certificate(self, authority: str, serial_number: str) -> bytes:
        """DER of an issued certificate. Raises ``NotFoundError`` (``ca.certificate.unknown``)."""
        with self._database.transaction() as session:
            row = store.by_serial(session, authority, serial_number.lower().lstrip("0"))
        if row is None or row.certificate_der is None:
            raise NotFoundError("There is no certificate with this serial number.", code="ca.certificate.unknown")
        return row.certificate_der

    def close_reservations(self, *, older_than: timedelta) -> int:
        """Give up serial numbers whose certificate was never completed; how many."""
        return self._issuing.close_reservations(self._clock() - older_than)

    def ocsp(self, request_der: bytes) -> bytes:
        """DER OCSPResponse (RFC 6960), signed by the responder of the CA asked about.

        What cannot be read or answered gets the protocol's own unsigned answer; nothing is raised for it.
        """
        try:
            request = ocsp.OcspRequest.from_der(request_der)
        except MalformedError:
            return ocsp.error_response(ocsp.ResponseStatus.MALFORMED_REQUEST)
        try:
            answering, responses = self._revocation.answers(request.certificate_ids)
            if answering is None:
                return ocsp.error_response(ocsp.ResponseStatus.UNAUTHORIZED)
            delegate = self._delegates.get(answering, OCSP)
            return ocsp.build_response(
                responses, responder=delegate.certificate, signer=delegate.signer,
                produced_at=self._clock().replace(microsecond=0), nonce=request.nonce,
            )  # fmt: skip
        except TrustError:
            return ocsp.error_response(ocsp.ResponseStatus.TRY_LATER)

    def timestamp(self, request_der: bytes, authority: str) -> bytes:
        """DER TimeStampResp (RFC 3161) of an authority's TSA; refusals are answers, too.

        Raises:
            NotFoundError: ``ca.authority.unknown``, ``ca.timestamp.none`` for a root.
        """
        issuer = self._stamping(authority)
        try:
            request = tsp.TimeStampRequest.from_der(request_der)
        except MalformedError as error:
            return tsp.rejection(tsp.FailureInfo.BAD_DATA_FORMAT, error.detail)
        if request.algorithm is None:
            return tsp.rejection(tsp.FailureInfo.BAD_ALG, "The hash function is not accepted")
        if request.policy not in {None, self.settings.timestamp_policy}:
            return tsp.rejection(tsp.FailureInfo.UNACCEPTED_POLICY, "This authority has another policy")
        if request.has_extensions:
            return tsp.rejection(tsp.FailureInfo.UNACCEPTED_EXTENSION, "This authority takes no extensions")
        try:
            token = self._token(
                issuer, request.imprint_der, nonce_der=request.nonce_der, with_certificates=request.wants_certificate
            )
        except TrustError:
            return tsp.rejection(tsp.FailureInfo.SYSTEM_FAILURE, "The authority cannot sign now; ask again later")
        return tsp.granted(token)

    def timestamp_token(self, authority: str, digest_algorithm: DigestAlgorithm, digest: bytes) -> bytes:
        """DER TimeStampToken over a digest, with the certificates up to the root.

        Raises:
            NotFoundError: ``ca.authority.unknown``, ``ca.timestamp.none`` for a root.
            RejectedError: ``ca.timestamp.digest`` for a digest of another length than its algorithm's.
            BusyError: no machine can sign now.
        """
        if len(digest) != DIGESTS[digest_algorithm].size_bytes:
            raise RejectedError("The digest has not the length of its algorithm.", code="ca.timestamp.digest")
        imprint = tsp.message_imprint(digest_algorithm, digest)
        return self._token(self._stamping(authority), imprint, nonce_der=None, with_certificates=True)

    def _stamping(self, authority: str) -> Authority:
        """An authority with a TSA; a root has none, and nobody shall have its key certify one."""
        found = self._authorities.get(authority)
        if found.parent is None:
            raise NotFoundError(f"The root {authority} stamps no time.", code="ca.timestamp.none", authority=authority)
        return found

    def _token(
        self, authority: Authority, imprint_der: bytes, *, nonce_der: bytes | None, with_certificates: bool
    ) -> bytes:
        delegate = self._delegates.get(authority, TIME_STAMPING)
        info = tsp.TstInfo(
            policy=self.settings.timestamp_policy,
            imprint_der=imprint_der,
            serial_number=self._numbers.next(authority.name),
            gen_time=self._clock().replace(microsecond=0),
            accuracy_seconds=_ACCURACY_SECONDS,
            nonce_der=nonce_der,
        )
        carried = (delegate.certificate.der, *self.chain(authority.name)[:-1]) if with_certificates else ()
        return tsp.build_token(info, signer=delegate.signer, certificate=delegate.certificate, certificates=carried)

    def _found(
        self, name: str, *, subject: DistinguishedName, algorithm: KeyAlgorithm, parent: str | None, lifetime: timedelta
    ) -> Authority:
        above = self._authorities.get(parent) if parent else None
        key_uri = ensure_key(self._keys, f"ca-{name}", algorithm, purpose=KeyPurpose.CA)
        signer = self._keys.signer(key_uri)
        request = Request(
            subject=subject,
            public_key_der=signer.public_key_der,
            profile=PROFILES["issuing" if above else "root"],
            lifetime=lifetime,
        )
        issuer = self._issuer(above) if above else Issuer(name=name, certificate=None, signer=signer, urls=None)
        certificate = self._issuing.issue(issuer, request, request_id=f"authority:{name}", actor=_SYSTEM)
        now = self._clock()
        # Of two processes that found it at once, the first one's row stands; the certificate is the same.
        with suppress(IntegrityError), self._database.transaction() as session:
            if store.authority(session, name) is None:
                session.add(
                    AuthorityRow(
                        name=name, parent=parent, key_uri=key_uri, certificate_der=certificate.der, founded_at=now
                    )
                )
                audit.record(session, at=now, actor=_SYSTEM, action="ca.authority.founded", subject=name)
        return self._authorities.get(name)

    def _issuer(self, authority: Authority) -> Issuer:
        return Issuer(
            name=authority.name,
            certificate=authority.certificate,
            signer=authority.signer,
            urls=self._authorities.urls(authority.name),
            parent=authority.parent,
        )


def _state(row: CertificateRow) -> str:
    if row.certificate_der is None:
        return "reserved" if row.closed_at is None else "closed"
    return "good" if row.revoked_at is None else "revoked"
