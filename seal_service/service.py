"""Use cases of the seal service: make, look up, suspend, revoke, stamp, sign, verify."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from ofd.fonts.faces import FontStack, find_fonts
from ofd.sign.seal import StampAnnotation
from ofd.verify.policy import VerificationPolicy
from seal_service import store
from seal_service.certified_keys import CertifiedKeys
from seal_service.core.placement import Placement
from seal_service.core.seal import SealSpec, SealState
from seal_service.documents import OfdOrder, StampOrder, ofd_preparation, pdf_preparation
from seal_service.making import Maker
from seal_service.material_cache import Material, MaterialCache
from seal_service.models import SealRow, UseRow
from seal_service.pdf.embedding import Form
from seal_service.ports import Certificates, Timestamps
from seal_service.settings import SealSettings
from seal_service.signing import Asked, SealSignature, SealSigning, Stamping, request_digest
from seal_service.verifying import verify_document
from trustcore import audit
from trustcore.crypto.algorithms import SignatureAlgorithm
from trustcore.database import Database
from trustcore.errors import ConflictError, MalformedError, NotFoundError, RejectedError, TrustError
from trustcore.report import Report
from trustcore.signing import Keys

__all__ = ["SealPictures", "SealService", "SealSignature", "SealView"]

_SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealView:
    """What may be told of a seal."""

    id: str
    code: str
    name: str
    organization_code: str
    state: SealState
    valid_from: datetime | None
    valid_until: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SealPictures:
    """How a seal looks."""

    svg: bytes
    png: bytes


class SealService:
    """E-seals. Safe to share between threads.

    Args:
        database: with the tables of this service and of the audit.
        keys: where seals' keys live.
        certificates: the authority that certifies them.
        timestamps: the authority that stamps the time.
        clock: answers with the time, aware.
        settings: of this service.
        fonts: to draw names with; asked when the first seal is made.
    """

    def __init__(
        self,
        database: Database,
        keys: Keys,
        certificates: Certificates,
        timestamps: Timestamps,
        *,
        clock: Callable[[], datetime],
        settings: SealSettings | None = None,
        fonts: Callable[[], FontStack] = find_fonts,
    ) -> None:
        self.settings = settings or SealSettings()
        self._database = database
        self._clock = clock
        certified_keys = CertifiedKeys(database, keys, certificates, clock)
        self._maker = Maker(database, keys, certified_keys, clock=clock, settings=self.settings, fonts=fonts)
        self._material = MaterialCache(certificates, self.settings, clock)
        self._signing = SealSigning(
            database, certified_keys, self._material, timestamps, clock=clock, settings=self.settings
        )

    def make_seal(self, spec: SealSpec, *, request_id: str, actor: str = _SYSTEM) -> SealView:
        """Make a seal with its keys and certificates; the same request again answers with the same seal.

        Raises:
            RejectedError: ``seal.spec.…``, ``seal.picture.…``.
            ConflictError: ``seal.request.other-body``, ``seal.request.in-progress``.
        """
        return self.seal(self._maker.make(spec, request_id, actor))

    def seal(self, seal_id: str) -> SealView:
        """A seal. Raises ``NotFoundError`` (``seal.not-found``)."""
        with self._database.transaction() as session:
            return _view(store.load_seal(session, seal_id))

    def find_made_for(self, request_id: str) -> str | None:
        """Identifier of the seal that was asked for with this request."""
        with self._database.transaction() as session:
            row = store.find_seal_by_request(session, request_id)
        return None if row is None else row.id

    def seals(self, *, after: str | None = None, limit: int = 50) -> tuple[SealView, ...]:
        """Seals in the order of their identifiers, at most ``limit`` of those after ``after``."""
        with self._database.transaction() as session:
            return tuple(map(_view, store.list_seals(session, after=after, limit=limit)))

    def uses(self, seal_id: str, *, before: int | None = None, limit: int = 50) -> tuple[UseRow, ...]:
        """Uses of a seal, newest first."""
        with self._database.transaction() as session:
            store.load_seal(session, seal_id, lock=True)
            return tuple(store.list_uses(session, seal_id, before=before, limit=limit))

    def pictures(self, seal_id: str) -> SealPictures:
        """How a seal looks. Raises ``NotFoundError`` (``seal.not-found``)."""
        with self._database.transaction() as session:
            row = store.load_seal(session, seal_id)
            return SealPictures(svg=row.svg, png=row.png)

    def seal_der(self, seal_id: str) -> bytes:
        """The SESeal itself, as its maker signed it (file ``.esl``)."""
        return self._signing.hold(seal_id).seal.der

    def placement(self, seal_id: str, *, page: int, x_mm: float, y_mm: float) -> Placement:
        """A place on a page (from 1) for the seal in its own size; ``x_mm``, ``y_mm`` of its upper left corner."""
        picture = self._signing.hold(seal_id).seal.info.picture
        return Placement(page=page, x_mm=x_mm, y_mm=y_mm, width_mm=picture.width_mm, height_mm=picture.height_mm)

    def close_reservations(self, *, older_than: timedelta) -> int:
        """Record uses whose process died before their end as failed; how many there were, at most 500 a call."""
        return self._signing.close_reservations(older_than=older_than)

    def suspend(self, seal_id: str, *, actor: str) -> SealView:
        """Forbid the use of a seal for now."""
        return self._change(seal_id, SealState.SUSPENDED, {SealState.ACTIVE}, actor)

    def resume(self, seal_id: str, *, actor: str) -> SealView:
        """Allow the use of a suspended seal again."""
        return self._change(seal_id, SealState.ACTIVE, {SealState.SUSPENDED}, actor)

    def revoke(self, seal_id: str, *, actor: str) -> SealView:
        """Forbid the use of a seal for ever."""
        return self._change(seal_id, SealState.REVOKED, {SealState.ACTIVE, SealState.SUSPENDED}, actor)

    def stamp_ofd(
        self,
        seal_id: str,
        package: bytes,
        stamps: Sequence[StampAnnotation],
        *,
        request_id: str | None = None,
        actor: str = _SYSTEM,
    ) -> bytes:
        """Seal an OFD document with SM2 and a time stamp (GB/T 33190-2016 §18, GB/T 38540-2020).

        Raises:
            MalformedError, RejectedError, ConflictError: ``ofd.…`` for the document, ``seal.use.…`` for the seal.
        """
        self._check_size(package)
        digest = request_digest("ofd", package, repr(tuple(stamps)).encode())
        asked = Asked(seal_id=seal_id, kind="ofd", digest=digest, request_id=request_id, actor=actor)
        return self._signing.stamp(asked, SignatureAlgorithm.SM2_SM3, ofd_preparation(package, stamps))

    def stamp_pdf(
        self,
        seal_id: str,
        pdf: bytes,
        *,
        form: Form | str = Form.PADES,
        placement: Placement | None = None,
        request_id: str | None = None,
        actor: str = _SYSTEM,
    ) -> bytes:
        """Seal a PDF: ``pades`` with RSA (EN 319 142-1, B-T) or ``gm`` with SM2 (``GM.sm2seal``).

        Without ``placement`` the signature is invisible.

        Raises:
            MalformedError, RejectedError: ``seal.pdf.…`` for the document, ``seal.use.…`` for the seal.
            ConflictError: ``seal.request.other-body``.
        """
        self._check_size(pdf)
        wanted = _form(form)
        kind = f"pdf-{wanted}"
        digest = request_digest(kind, pdf, repr(placement).encode())
        asked = Asked(seal_id=seal_id, kind=kind, digest=digest, request_id=request_id, actor=actor)
        return self._signing.stamp(asked, _pdf_algorithm(wanted), pdf_preparation(pdf, wanted, placement))

    def stamp_many(
        self, seal_id: str, orders: Sequence[StampOrder], *, actor: str = _SYSTEM
    ) -> tuple[bytes | TrustError, ...]:
        """Seal documents as :meth:`stamp_ofd` and :meth:`stamp_pdf` do, their uses reserved and recorded together.

        Every order is answered in its place, with the sealed document or with the error that the single call raises.
        A machine or an authority that fails ends the work: what is left is answered with the same error.

        Raises:
            NotFoundError: ``seal.not-found``.
        """
        return self._signing.stamp_many(seal_id, [self._stamping(order) for order in orders], actor)

    def _stamping(self, order: StampOrder) -> Stamping | TrustError:
        try:
            if isinstance(order, OfdOrder):
                self._check_size(order.package)
                prepare = ofd_preparation(order.package, order.stamps)
                return Stamping(kind="ofd", algorithm=SignatureAlgorithm.SM2_SM3, prepare=prepare)
            self._check_size(order.pdf)
            form = _form(order.form)
            prepare = pdf_preparation(order.pdf, form, order.placement)
            return Stamping(kind=f"pdf-{form}", algorithm=_pdf_algorithm(form), prepare=prepare)
        except TrustError as error:
            return error

    def sign(
        self,
        seal_id: str,
        *,
        message: bytes | None = None,
        digest: bytes | None = None,
        algorithm: SignatureAlgorithm = SignatureAlgorithm.SM2_SM3,
        request_id: str | None = None,
        actor: str = _SYSTEM,
    ) -> SealSignature:
        """Sign a message or a digest with the seal's SM2 or RSA key.

        Args:
            seal_id: whose key.
            message: octets to sign, or
            digest: their digest; for SM2 the 32 octets ``e = SM3(Z ‖ M)`` (GB/T 32918.2-2016 §6.1), with Z of the
                default identifier and the key of the seal's certificate. Exactly one of the two.
            algorithm: SM2 with SM3, or RSA with SHA-256.
            request_id: makes the call idempotent.
            actor: who asks, for the record.

        Raises:
            MalformedError: ``seal.sign.input``, not exactly one; ``seal.sign.digest``, of a wrong length.
            RejectedError: ``seal.sign.algorithm``, ``seal.use.…``.
            ConflictError: ``seal.request.other-body``.
        """
        content = message if digest is None else digest
        if content is None or (message is not None and digest is not None):
            raise MalformedError("Give either a message or a digest.", code="seal.sign.input")
        kind = "message" if digest is None else "digest"
        asked = Asked(
            seal_id=seal_id,
            kind=kind,
            digest=request_digest(f"{kind}-{algorithm}", content),
            request_id=request_id,
            actor=actor,
        )
        return self._signing.sign(asked, algorithm, content, is_digest=digest is not None)

    def verify(self, data: bytes, *, crls: Sequence[bytes] = ()) -> Report:
        """Verify a sealed OFD or PDF against the roots of this installation, as of now; any input gives a report.

        Args:
            data: the document; its kind is seen from its content.
            crls: DER CRLs beside those in the document and those in force.
        """
        return verify_document(data, self.policy(crls))

    def policy(self, crls: Sequence[bytes] = ()) -> VerificationPolicy:
        """Trust in the roots of this installation, with the CRLs in force.

        A hierarchy that was not founded yet is trusted for nothing: files under it cannot be told.
        """
        known: list[Material] = []
        for authorities in (self.settings.sm2_authorities, self.settings.rsa_authorities):
            with suppress(NotFoundError):
                known.append(self._material.get(authorities))
        return VerificationPolicy(
            roots=tuple(material.root for material in known),
            crls=(*crls, *(crl for material in known for crl in material.travels.crls)),
            at=self._clock(),
        )

    def _change(self, seal_id: str, state: SealState, allowed: set[SealState], actor: str) -> SealView:
        with self._database.transaction() as session:
            row = store.load_seal(session, seal_id, lock=True)
            if row.state != state:
                if SealState(row.state) not in allowed:
                    raise ConflictError(
                        f"The seal is {row.state} and cannot become {state}.", code="seal.state", state=row.state
                    )
                row.state = state
                audit.record(session, at=self._clock(), actor=actor, action=f"seal.seal.{state}", subject=seal_id)
            return _view(row)

    def _check_size(self, document: bytes) -> None:
        if len(document) > self.settings.max_document:
            raise RejectedError(
                "The document is larger than this installation takes.",
                code="seal.document.too-large",
                limit_bytes=int(self.settings.max_document),
            )


def _view(row: SealRow) -> SealView:
    return SealView(
        id=row.id,
        code=row.code,
        name=row.name,
        organization_code=row.organization_code,
        state=SealState(row.state),
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        created_at=row.created_at,
    )


def _pdf_algorithm(form: Form) -> SignatureAlgorithm:
    return SignatureAlgorithm.SM2_SM3 if form is Form.GM else SignatureAlgorithm.RSA_SHA256


def _form(form: Form | str) -> Form:
    try:
        return Form(form)
    except ValueError as error:
        raise MalformedError("The form of a sealed PDF is pades or gm.", code="seal.pdf.form") from error
