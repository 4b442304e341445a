"""Making a seal 制章: reserve, draw, certify the keys, let the maker sign, record."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError

from ofd.fonts.faces import FontStack
from ofd.ses.encode import encode_seal
from ofd.ses.structure import Seal
from seal_service import store
from seal_service.certified_keys import CertifiedKey, CertifiedKeys, KeyOrder
from seal_service.core.picture import SealPicture, SealText, draw_seal
from seal_service.core.seal import (
    SealSpec,
    SealState,
    SealType,
    check_certificate,
    check_spec,
    seal_identifier,
    seal_info,
)
from seal_service.models import SealRow
from seal_service.settings import SealSettings
from trustcore import audit
from trustcore.crypto.algorithms import SIGNATURES, KeyAlgorithm, SignatureAlgorithm
from trustcore.crypto.digests import sm3
from trustcore.crypto.verify import verify
from trustcore.database import Database
from trustcore.errors import ConflictError, InternalError
from trustcore.signing import Keys
from trustcore.x509.names import DistinguishedName

__all__ = ["Maker", "seal_key_label"]

_MAKER_LABEL = "seal-maker"


def seal_key_label(seal_id: str, algorithm: SignatureAlgorithm) -> str:
    """Label of the key of a seal for SM2 or for RSA."""
    return f"seal-{seal_id}-{'sm2' if algorithm is SignatureAlgorithm.SM2_SM3 else 'rsa'}"


class Maker:
    """Makes seals. Safe to share between threads."""

    def __init__(
        self,
        database: Database,
        keys: Keys,
        certified_keys: CertifiedKeys,
        *,
        clock: Callable[[], datetime],
        settings: SealSettings,
        fonts: Callable[[], FontStack],
    ) -> None:
        self._database = database
        self._keys = keys
        self._certified_keys = certified_keys
        self._clock = clock
        self._settings = settings
        self._fonts = fonts

    def make(self, spec: SealSpec, request_id: str, actor: str) -> str:
        """Make a seal, or take up the making where it stopped; returns the seal's identifier.

        1. The identifier and the picture are reserved under the request.
        2. The keys of the seal are made in the machines and certified.
        3. SES_SealInfo is stored as it will be signed.
        4. The maker signs, the seal is stored and becomes active.
        """
        check_spec(spec)
        row = self._reserve(spec, request_id, actor)  # (1)
        if row.state != SealState.MAKING:
            return row.id
        signer = self._certified_keys.obtain(self._order(row, SignatureAlgorithm.SM2_SM3))  # (2)
        self._certified_keys.obtain(self._order(row, SignatureAlgorithm.RSA_SHA256))
        maker = self._certified_keys.obtain(self._maker_order())
        info_der = self._prepare(row.id, signer, actor)  # (3)
        self._finish(row.id, maker, info_der, actor)  # (4)
        return row.id

    def _reserve(self, spec: SealSpec, request_id: str, actor: str) -> SealRow:
        digest = _request_digest(spec)
        known = self._known(request_id, digest)
        if known is not None:
            return known
        picture = draw_seal(SealText(name=spec.name, code=spec.code, diameter_mm=spec.diameter_mm), self._fonts())
        row = self._new_row(spec, picture, request_id=request_id, digest=digest)
        try:
            with self._database.transaction() as session:
                session.add(row)
                session.flush()
                facts = {"name": spec.name, "code": spec.code, "request": request_id}
                audit.record(
                    session, at=row.created_at, actor=actor, action="seal.seal.reserved", subject=row.id, facts=facts
                )
        except IntegrityError as error:
            known = self._known(request_id, digest)
            if known is None:
                raise ConflictError("The seal is being made already.", code="seal.request.in-progress") from error
            return known
        return row

    def _known(self, request_id: str, digest: str) -> SealRow | None:
        with self._database.transaction() as session:
            row = store.find_seal_by_request(session, request_id)
        if row is not None and row.request_digest != digest:
            raise ConflictError("This request id was used to ask for another seal.", code="seal.request.other-body")
        return row

    def _new_row(self, spec: SealSpec, picture: SealPicture, *, request_id: str, digest: str) -> SealRow:
        return SealRow(
            id=seal_identifier(spec.code, self._keys.random(4)),
            request_id=request_id,
            request_digest=digest,
            code=spec.code,
            name=spec.name,
            organization_code=spec.organization_code,
            type=int(spec.type),
            diameter_mm=spec.diameter_mm,
            state=SealState.MAKING,
            created_at=self._clock().replace(microsecond=0),
            lifetime_seconds=int(spec.lifetime.total_seconds()),
            svg=picture.svg(),
            png=picture.png(),
        )

    def _order(self, row: SealRow, algorithm: SignatureAlgorithm) -> KeyOrder:
        sm2 = algorithm is SignatureAlgorithm.SM2_SM3
        return KeyOrder(
            label=seal_key_label(row.id, algorithm),
            algorithm=KeyAlgorithm.SM2 if sm2 else self._settings.rsa_key,
            authority=(self._settings.sm2_authorities if sm2 else self._settings.rsa_authorities)[0],
            profile="seal-signer" if sm2 else "document-signer",
            subject=DistinguishedName.of(
                {"C": "CN", "O": row.name, "organizationIdentifier": row.organization_code, "CN": row.name}
            ),
        )

    def _maker_order(self) -> KeyOrder:
        organization = self._settings.maker_organization
        return KeyOrder(
            label=_MAKER_LABEL,
            algorithm=KeyAlgorithm.SM2,
            authority=self._settings.sm2_authorities[0],
            profile="seal-maker",
            subject=DistinguishedName.of({"C": "CN", "O": organization, "CN": f"{organization}制章"}),
        )

    def _prepare(self, seal_id: str, signer: CertifiedKey, actor: str) -> bytes:
        now = self._clock().replace(microsecond=0)
        with self._database.transaction() as session:
            row = store.load_seal(session, seal_id, lock=True)
            if row.info_der is None:
                created = max(now, signer.certificate.not_before)
                row.info_der = seal_info(
                    _spec_of(row), identifier=row.id, created=created, certificate=signer.certificate,
                    picture_png=row.png,
                )  # fmt: skip
                audit.record(
                    session, at=now, actor=actor, action="seal.seal.prepared", subject=seal_id,
                    facts={"info_sm3": sm3(row.info_der).hex()},
                )  # fmt: skip
            return row.info_der

    def _finish(self, seal_id: str, maker: CertifiedKey, info_der: bytes, actor: str) -> None:
        now = self._clock()
        check_certificate(maker.certificate, at=now)
        signature = maker.signer.sign(info_der)
        if not verify(maker.certificate.public_key_der, maker.signer.algorithm, info_der, signature):
            raise InternalError("A machine made a wrong signature.", code="seal.maker.wrong-signature")
        seal_der = encode_seal(
            info_der,
            certificate_der=maker.certificate.der,
            signature_algorithm_oid=SIGNATURES[maker.signer.algorithm].oid,
            signature_der=signature,
        )
        info = Seal.parse(seal_der).info
        with self._database.transaction() as session:
            row = store.load_seal(session, seal_id, lock=True)
            if row.seal_der is not None:
                return
            row.seal_der, row.state = seal_der, SealState.ACTIVE
            row.valid_from, row.valid_until = info.valid_from, info.valid_until
            audit.record(
                session, at=now, actor=actor, action="seal.seal.made", subject=seal_id,
                facts={"seal_sm3": sm3(seal_der).hex()},
            )  # fmt: skip


def _request_digest(spec: SealSpec) -> str:
    asked = [spec.code, spec.name, spec.organization_code, spec.lifetime.total_seconds(), spec.type, spec.diameter_mm]
    return sm3(json.dumps(asked, ensure_ascii=False).encode()).hex()


def _spec_of(row: SealRow) -> SealSpec:
    return SealSpec(
        code=row.code,
        name=row.name,
        organization_code=row.organization_code,
        lifetime=timedelta(seconds=row.lifetime_seconds),
        type=SealType(row.type),
        diameter_mm=row.diameter_mm,
    )
