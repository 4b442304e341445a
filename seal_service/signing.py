"""Using a seal's keys: reserve, sign, stamp the time, record."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from ofd.ses.structure import Seal
from seal_service import store
from seal_service.certified_keys import CertifiedKey, CertifiedKeys
from seal_service.core.seal import check_certificate
from seal_service.documents import Preparation, PreparedDocument, SealMaterial
from seal_service.making import seal_key_label
from seal_service.material_cache import Material, MaterialCache
from seal_service.ports import Timestamps
from seal_service.settings import SealSettings
from seal_service.using import Answer, Use, UseLog
from trustcore.crypto.algorithms import DIGESTS, SIGNATURES, SignatureAlgorithm
from trustcore.crypto.digests import sm3
from trustcore.crypto.verify import verify, verify_digest
from trustcore.database import Database
from trustcore.errors import InternalError, MalformedError, RejectedError, TrustError

__all__ = ["Asked", "SealSignature", "SealSigning", "Stamping", "request_digest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request to use a seal."""

    seal_id: str
    kind: str
    digest: str
    """SM3 of the request, hex."""
    request_id: str | None
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamping:
    """One document among several that are sealed together."""

    kind: str
    algorithm: SignatureAlgorithm
    prepare: Preparation


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """A prepared document and the key that will sign it."""

    kind: str
    algorithm: SignatureAlgorithm
    key: CertifiedKey
    document: PreparedDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class SealSignature:
    """A bare signature made with a seal's key."""

    signature: bytes
    """In its X.509 form: DER for SM2, the octets of RFC 8017 §8.2 for RSA."""
    algorithm: SignatureAlgorithm
    certificate_der: bytes
    at: datetime


def request_digest(kind: str, *parts: bytes) -> str:
    """SM3 of a request, hex: two requests are the same when their kinds and parts are."""
    return sm3(b"".join((kind.encode(), *(sm3(part) for part in parts)))).hex()


class SealSigning:
    """Signs with seals. Safe to share between threads."""

    def __init__(
        self,
        database: Database,
        certified_keys: CertifiedKeys,
        material: MaterialCache,
        timestamps: Timestamps,
        *,
        clock: Callable[[], datetime],
        settings: SealSettings,
    ) -> None:
        self._database = database
        self._certified_keys = certified_keys
        self._material = material
        self._timestamps = timestamps
        self._clock = clock
        self._settings = settings
        self._uses = UseLog(database, clock)
        self._held: dict[str, SealMaterial] = {}
        self._lock = Lock()

    def stamp(self, asked: Asked, algorithm: SignatureAlgorithm, prepare: Preparation) -> bytes:
        """The sealed document.

        1. A request that was answered before gets the same answer.
        2. Certificate, CRL and document are checked, the document is prepared.
        3. The use is reserved, if the seal is in force.
        4. The key signs, the time is stamped, the document is completed.
        5. The use is recorded.
        """
        earlier = self._uses.earlier_answer(asked.seal_id, asked.request_id, asked.digest)  # (1)
        if earlier is not None:
            return earlier.octets
        held = self.hold(asked.seal_id)
        at = self._clock().replace(microsecond=0)
        key, material = self._ready(held, algorithm, at)  # (2)
        prepared = prepare(held, material.travels, at)
        answer = self._recorded(  # (3), (4), (5)
            asked, sm3(prepared.to_be_signed), lambda: self._complete(key, algorithm, prepared)
        )
        return answer.octets

    def stamp_many(
        self, seal_id: str, stampings: Sequence[Stamping | TrustError], actor: str
    ) -> tuple[bytes | TrustError, ...]:
        """Sealed documents, or why not, in the order asked for; the steps are those of :meth:`stamp`.

        Reserving all uses is one transaction, and so is recording them.
        """
        held = self.hold(seal_id)
        at = self._clock().replace(microsecond=0)
        answers = [self._wait(item, held, at) for item in stampings]  # (2)
        waiting = [item for item in answers if isinstance(item, _Waiting)]
        uses = [
            Use(
                seal_id=seal_id, kind=item.kind, content_digest=sm3(item.document.to_be_signed).hex(), actor=actor,
                request_id=None, request_digest=None,
            )
            for item in waiting
        ]  # fmt: skip
        try:
            reservations = self._uses.reserve_many(seal_id, uses)  # (3)
        except TrustError as error:
            return tuple(error if isinstance(item, _Waiting) else item for item in answers)
        results = self._complete_all(waiting)  # (4)
        self._uses.finish_many([(r.use_id, result) for r, result in zip(reservations, results, strict=True)])  # (5)
        done = iter(results)
        return tuple(next(done) if isinstance(item, _Waiting) else item for item in answers)

    def _wait(self, item: Stamping | TrustError, held: SealMaterial, at: datetime) -> _Waiting | TrustError:
        if isinstance(item, TrustError):
            return item
        try:
            key, material = self._ready(held, item.algorithm, at)
            document = item.prepare(held, material.travels, at)
        except TrustError as error:
            return error
        return _Waiting(kind=item.kind, algorithm=item.algorithm, key=key, document=document)

    def _complete_all(self, waiting: Sequence[_Waiting]) -> list[bytes | TrustError]:
        """After the first that fails, the machines are not asked again."""
        results: list[bytes | TrustError] = []
        for item in waiting:
            try:
                results.append(self._complete(item.key, item.algorithm, item.document))
            except TrustError as error:
                return results + [error] * (len(waiting) - len(results))
        return results

    def _complete(self, key: CertifiedKey, algorithm: SignatureAlgorithm, document: PreparedDocument) -> bytes:
        """Sign, stamp the time, put both into the document."""
        signature = self._checked(key, document.to_be_signed)
        token = self._timestamps.timestamp_token(
            self._authorities(algorithm)[0], SIGNATURES[key.signer.algorithm].digest, document.imprint(signature)
        )
        return document.complete(signature, timestamp_token=token)

    def sign(self, asked: Asked, algorithm: SignatureAlgorithm, content: bytes, *, is_digest: bool) -> SealSignature:
        """A signature over a message or a digest.

        Raises:
            MalformedError: ``seal.sign.digest`` for a digest of a wrong length.
            RejectedError: ``seal.sign.algorithm``.
        """
        size = DIGESTS[SIGNATURES[algorithm].digest].size_bytes
        if is_digest and len(content) != size:
            raise MalformedError(f"The digest has {size} octets.", code="seal.sign.digest", size_bytes=size)
        held = self.hold(asked.seal_id)
        answer = self._uses.earlier_answer(asked.seal_id, asked.request_id, asked.digest)
        key = _key(held, algorithm)
        if key.signer.algorithm is not algorithm:
            raise RejectedError("The seal has no key for this algorithm.", code="seal.sign.algorithm")
        if answer is None:
            self._ready(held, algorithm, self._clock())
            shown = content if is_digest else sm3(content)
            answer = self._recorded(asked, shown, lambda: self._checked(key, content, is_digest=is_digest))
        return SealSignature(
            signature=answer.octets, algorithm=algorithm, certificate_der=key.certificate.der, at=answer.at
        )

    def close_reservations(self, *, older_than: timedelta) -> int:
        """Record uses that were reserved and never finished as failed."""
        return self._uses.close_unfinished(older_than=older_than)

    def hold(self, seal_id: str) -> SealMaterial:
        """A finished seal with its keys.

        Raises:
            NotFoundError: ``seal.not-found``.
            RejectedError: ``seal.use.making``.
        """
        with self._lock:
            held = self._held.get(seal_id)
        if held is not None:
            return held
        with self._database.transaction() as session:
            seal_der = store.load_seal(session, seal_id).seal_der
        if seal_der is None:
            raise RejectedError("The seal is not finished.", code="seal.use.making")
        held = SealMaterial(
            seal=Seal.parse(seal_der),
            sm2=self._certified_keys.find(seal_key_label(seal_id, SignatureAlgorithm.SM2_SM3)),
            rsa=self._certified_keys.find(seal_key_label(seal_id, SignatureAlgorithm.RSA_SHA256)),
        )
        with self._lock:
            self._held[seal_id] = held
        return held

    def _ready(self, held: SealMaterial, algorithm: SignatureAlgorithm, at: datetime) -> tuple[CertifiedKey, Material]:
        """The key and what travels with its signature, after both were found to be in force."""
        key, material = _key(held, algorithm), self._material.get(self._authorities(algorithm))
        material.check(at)
        check_certificate(key.certificate, at=at, crl=material.issuing_crl)
        return key, material

    def _authorities(self, algorithm: SignatureAlgorithm) -> tuple[str, ...]:
        sm2 = algorithm is SignatureAlgorithm.SM2_SM3
        return self._settings.sm2_authorities if sm2 else self._settings.rsa_authorities

    def _checked(self, key: CertifiedKey, content: bytes, *, is_digest: bool = False) -> bytes:
        """A signature that was verified with the certificate: a machine may fail, and its failure must not leave."""
        signer, public_key_der = key.signer, key.certificate.public_key_der
        signature = signer.sign_digest(content) if is_digest else signer.sign(content)
        check = verify_digest if is_digest else verify
        if not check(public_key_der, signer.algorithm, content, signature):
            raise InternalError("A machine made a wrong signature.", code="seal.sign.wrong-signature")
        return signature

    def _recorded(self, asked: Asked, content_digest: bytes, sign: Callable[[], bytes]) -> Answer:
        reserved = self._uses.reserve(
            Use(
                seal_id=asked.seal_id,
                kind=asked.kind,
                content_digest=content_digest.hex(),
                actor=asked.actor,
                request_id=asked.request_id,
                request_digest=asked.digest if asked.request_id is not None else None,
            )
        )
        if isinstance(reserved, Answer):
            return reserved
        try:
            octets = sign()
        except TrustError as error:
            self._uses.fail(reserved.use_id, error.code)
            raise
        self._uses.finish(reserved.use_id, octets)
        return Answer(octets=octets, at=reserved.at)


def _key(held: SealMaterial, algorithm: SignatureAlgorithm) -> CertifiedKey:
    return held.sm2 if algorithm is SignatureAlgorithm.SM2_SM3 else held.rsa
