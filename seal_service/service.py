"""Use cases of the seal service: make, look up, suspend, revoke, stamp, sign, verify."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Protocol

from ofd import seal as ofd_seal
from ofd.fonts import FontStack, find_fonts
from ofd.policy import VerificationPolicy
from ofd.ses import Seal
from seal_service import store
from seal_service.certified_keys import CertifiedKey, CertifiedKeys
from seal_service.core.placement import Placement
from seal_service.core.seal import SealSpec, SealState, check_certificate
from seal_service.making import Maker, seal_key_label
from seal_service.material_cache import Material, MaterialCache
from seal_service.models import SealRow, UseRow
from seal_service.pdf.embedding import Form, StampPicture
from seal_service.pdf.gm_seal import prepare_gm_seal
from seal_service.pdf.pades import prepare_pades
from seal_service.ports import Certificates, Timestamps
from seal_service.settings import SealSettings
from seal_service.using import Use, UseLog
from seal_service.verifying import verify_document
from trustcore import audit
from trustcore.crypto.algorithms import DIGESTS, SIGNATURES, SignatureAlgorithm
from trustcore.crypto.digests import sm3
from trustcore.crypto.verify import verify, verify_digest
from trustcore.database import Database
from trustcore.errors import ConflictError, InternalError, MalformedError, RejectedError, TrustError
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SealSignature:
    """A bare signature made with a seal's key."""

    signature: bytes
    """In its X.509 form: DER for SM2, the octets of RFC 8017 §8.2 for RSA."""
    algorithm: SignatureAlgorithm
    certificate_der: bytes
    at: datetime


class _Prepared(Protocol):
    """A document that waits for its signature, in any form."""

    @property
    def to_be_signed(self) -> bytes: ...

    def imprint(self, signature: bytes, /) -> bytes: ...

    def complete(self, signature: bytes, /, *, timestamp_token: bytes | None) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _PreparedOfd:
    """An OFD package in the shape of the prepared PDFs."""

    seal: ofd_seal.PreparedSeal
    certificate_der: bytes

    @property
    def to_be_signed(self) -> bytes:
        return self.seal.to_be_signed

    def imprint(self, signature: bytes) -> bytes:
        return sm3(signature)

    def complete(self, signature: bytes, *, timestamp_token: bytes | None) -> bytes:
        return self.seal.complete(signature, self.certificate_der, timestamp_token)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """What of a seal never changes."""

    seal: Seal
    sm2: CertifiedKey
    rsa: CertifiedKey


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
        self._timestamps = timestamps
        self._clock = clock
        self._certified_keys = CertifiedKeys(database, keys, certificates, clock)
        self._maker = Maker(database, keys, self._certified_keys, clock=clock, settings=self.settings, fonts=fonts)
        self._material = MaterialCache(certificates, self.settings, clock)
        self._uses = UseLog(database, clock)
        self._held: dict[str, _Held] = {}
        self._lock = Lock()

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
        return self._hold(seal_id).seal.der

    def placement(self, seal_id: str, *, page: int, x_mm: float, y_mm: float) -> Placement:
        """A place on a page (from 1) for the seal in its own size; ``x_mm``, ``y_mm`` of its upper left corner."""
        picture = self._hold(seal_id).seal.info.picture
        return Placement(page=page, x_mm=x_mm, y_mm=y_mm, width_mm=picture.width_mm, height_mm=picture.height_mm)

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
        stamps: Sequence[ofd_seal.StampAnnotation],
        *,
        request_id: str | None = None,
        actor: str = _SYSTEM,
    ) -> bytes:
        """Seal an OFD document with SM2 and a time stamp (GB/T 33190-2016 §18, GB/T 38540-2020).

        Raises:
            MalformedError, RejectedError, ConflictError: ``ofd.…`` for the document, ``seal.use.…`` for the seal.
        """
        self._check_size(package)
        asked = _digest("ofd", package, repr(tuple(stamps)).encode())

        def prepare(held: _Held, material: Material, at: datetime) -> _Prepared:
            prepared = ofd_seal.prepare(
                package,
                seal_der=held.seal.der,
                stamps=stamps,
                at=at,
                certificates=material.travels.issuers,
                crls=material.travels.crls,
            )
            return _PreparedOfd(seal=prepared, certificate_der=held.sm2.certificate.der)

        use = _Asked(seal_id=seal_id, kind="ofd", digest=asked, request_id=request_id, actor=actor)
        return self._stamp(use, SignatureAlgorithm.SM2_SM3, prepare)

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
        asked = _digest(f"pdf-{wanted}", pdf, repr(placement).encode())

        def prepare(held: _Held, material: Material, at: datetime) -> _Prepared:
            picture = None
            if placement is not None:
                picture = StampPicture(png=held.seal.info.picture.data, placement=placement)
            if wanted is Form.GM:
                return prepare_gm_seal(
                    pdf, seal=held.seal, certificate=held.sm2.certificate, material=material.travels, at=at,
                    picture=picture,
                )  # fmt: skip
            return prepare_pades(
                pdf, certificate=held.rsa.certificate, algorithm=held.rsa.signer.algorithm, material=material.travels,
                at=at, picture=picture,
            )  # fmt: skip

        use = _Asked(seal_id=seal_id, kind=f"pdf-{wanted}", digest=asked, request_id=request_id, actor=actor)
        algorithm = SignatureAlgorithm.SM2_SM3 if wanted is Form.GM else SignatureAlgorithm.RSA_SHA256
        return self._stamp(use, algorithm, prepare)

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
        content = _content(message, digest, algorithm)
        held = self._hold(seal_id)
        key = held.sm2 if algorithm is SignatureAlgorithm.SM2_SM3 else held.rsa
        if key.signer.algorithm is not algorithm:
            raise RejectedError("The seal has no key for this algorithm.", code="seal.sign.algorithm")
        kind = "message" if message is not None else "digest"
        asked = _digest(f"{kind}-{algorithm}", content)
        signature = self._uses.earlier_answer(seal_id, request_id, asked)
        at = self._clock()
        if signature is None:
            material = self._material.get(self._authorities(algorithm))
            check_certificate(key.certificate, at=at, crl=material.issuing_crl)
            use = _Asked(seal_id=seal_id, kind=kind, digest=asked, request_id=request_id, actor=actor)
            shown = content if digest is not None else sm3(content)

            def sign() -> bytes:
                made = key.signer.sign(content) if digest is None else key.signer.sign_digest(content)
                check = verify if digest is None else verify_digest
                if not check(key.certificate.public_key_der, algorithm, content, made):
                    raise InternalError("A machine made a wrong signature.", code="seal.sign.wrong-signature")
                return made

            signature = self._recorded(use, shown.hex(), sign)
        return SealSignature(signature=signature, algorithm=algorithm, certificate_der=key.certificate.der, at=at)

    def verify(self, data: bytes, *, crls: Sequence[bytes] = ()) -> Report:
        """Verify a sealed OFD or PDF against the roots of this installation, as of now; any input gives a report.

        Args:
            data: the document; its kind is seen from its content.
            crls: DER CRLs beside those in the document and those in force.
        """
        return verify_document(data, self.policy(crls))

    def policy(self, crls: Sequence[bytes] = ()) -> VerificationPolicy:
        """Trust in the roots of this installation, with the CRLs in force."""
        known = [self._material.get(a) for a in (self.settings.sm2_authorities, self.settings.rsa_authorities)]
        return VerificationPolicy(
            roots=tuple(material.root for material in known),
            crls=(*crls, *(crl for material in known for crl in material.travels.crls)),
            at=self._clock(),
        )

    def _stamp(
        self,
        asked: "_Asked",
        algorithm: SignatureAlgorithm,
        prepare: Callable[[_Held, Material, datetime], _Prepared],
    ) -> bytes:
        """Prepare, reserve, sign, stamp the time, record."""
        earlier = self._uses.earlier_answer(asked.seal_id, asked.request_id, asked.digest)
        if earlier is not None:
            return earlier
        at = self._clock().replace(microsecond=0)
        held = self._hold(asked.seal_id)
        key = held.sm2 if algorithm is SignatureAlgorithm.SM2_SM3 else held.rsa
        authorities = self._authorities(algorithm)
        material = self._material.get(authorities)
        check_certificate(key.certificate, at=at, crl=material.issuing_crl)
        prepared = prepare(held, material, at)
        hash_algorithm = SIGNATURES[key.signer.algorithm].digest

        def sign() -> bytes:
            signature = key.signer.sign(prepared.to_be_signed)
            if not verify(key.certificate.public_key_der, key.signer.algorithm, prepared.to_be_signed, signature):
                raise InternalError("A machine made a wrong signature.", code="seal.sign.wrong-signature")
            token = self._timestamps.timestamp_token(authorities[0], hash_algorithm, prepared.imprint(signature))
            return prepared.complete(signature, timestamp_token=token)

        return self._recorded(asked, sm3(prepared.to_be_signed).hex(), sign)

    def _authorities(self, algorithm: SignatureAlgorithm) -> tuple[str, ...]:
        sm2 = algorithm is SignatureAlgorithm.SM2_SM3
        return self.settings.sm2_authorities if sm2 else self.settings.rsa_authorities

    def _recorded(self, asked: "_Asked", content_digest: str, sign: Callable[[], bytes]) -> bytes:
        use_id = self._uses.reserve(
            Use(
                seal_id=asked.seal_id,
                kind=asked.kind,
                content_digest=content_digest,
                actor=asked.actor,
                request_id=asked.request_id,
                request_digest=asked.digest if asked.request_id is not None else None,
            )
        )
        try:
            answer = sign()
        except TrustError as error:
            self._uses.fail(use_id, error.code)
            raise
        self._uses.finish(use_id, answer)
        return answer

    def _hold(self, seal_id: str) -> _Held:
        with self._lock:
            held = self._held.get(seal_id)
        if held is not None:
            return held
        with self._database.transaction() as session:
            seal_der = store.load_seal(session, seal_id).seal_der
        if seal_der is None:
            raise RejectedError("The seal is not finished.", code="seal.use.making")
        held = _Held(
            seal=Seal.parse(seal_der),
            sm2=self._certified_keys.find(seal_key_label(seal_id, SignatureAlgorithm.SM2_SM3)),
            rsa=self._certified_keys.find(seal_key_label(seal_id, SignatureAlgorithm.RSA_SHA256)),
        )
        with self._lock:
            self._held[seal_id] = held
        return held

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A request to use a seal."""

    seal_id: str
    kind: str
    digest: str
    """SM3 of the request, hex."""
    request_id: str | None
    actor: str


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


def _digest(kind: str, *parts: bytes) -> str:
    return sm3(b"".join((kind.encode(), *(sm3(part) for part in parts)))).hex()


def _form(form: Form | str) -> Form:
    try:
        return Form(form)
    except ValueError as error:
        raise MalformedError("The form of a sealed PDF is pades or gm.", code="seal.pdf.form") from error


def _content(message: bytes | None, digest: bytes | None, algorithm: SignatureAlgorithm) -> bytes:
    """Whichever of the two is to be signed."""
    if (message is None) == (digest is None):
        raise MalformedError("Give either a message or a digest.", code="seal.sign.input")
    if digest is None:
        return message or b""
    size = DIGESTS[SIGNATURES[algorithm].digest].size_bytes
    if len(digest) != size:
        raise MalformedError(f"The digest has {size} octets.", code="seal.sign.digest", size_bytes=size)
    return digest
