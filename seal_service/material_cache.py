"""Chains and CRLs for documents, asked for again before they are out of date."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from seal_service.core.material import ValidationMaterial, validation_material
from seal_service.ports import Certificates
from seal_service.settings import SealSettings
from trustcore.errors import BusyError
from trustcore.x509.certificate import Certificate
from trustcore.x509.crl import Crl

__all__ = ["Material", "MaterialCache"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What travels in a document, and the root it leads to."""

    travels: ValidationMaterial
    root: Certificate
    issuing_crl: Crl
    """Of the issuing authority: whether the seal's own certificate still stands."""
    asked_at: datetime

    def check(self, at: datetime) -> None:
        """Refuse to seal with it when what was sealed could not be verified.

        Raises:
            BusyError: ``seal.material.out-of-date``.
        """
        if self.travels.fresh_until is not None and self.travels.fresh_until <= at:
            raise BusyError("The CRL of an issuing authority is out of date.", code="seal.material.out-of-date")


class MaterialCache:
    """Keeps the material of each hierarchy. Safe to share between threads."""

    def __init__(self, certificates: Certificates, settings: SealSettings, clock: Callable[[], datetime]) -> None:
        self._certificates = certificates
        self._settings = settings
        self._clock = clock
        self._known: dict[tuple[str, ...], Material] = {}
        self._lock = Lock()

    def get(self, authorities: tuple[str, ...]) -> Material:
        """Material of a hierarchy, issuing authority first."""
        now = self._clock()
        with self._lock:
            known = self._known.get(authorities)
        if known is not None and self._fresh(known, now):
            return known
        chain = self._certificates.chain(authorities[0])
        crls = tuple(self._certificates.crl(authority) for authority in authorities)
        travels = validation_material(chain, crls)
        material = Material(
            travels=travels,
            root=Certificate.from_der(chain[-1]),
            issuing_crl=Crl.from_der(crls[0]),
            asked_at=now,
        )
        with self._lock:
            self._known[authorities] = material
        return material

    def _fresh(self, material: Material, now: datetime) -> bool:
        until = material.travels.fresh_until
        young = material.asked_at <= now < material.asked_at + self._settings.refresh_after
        return young and (until is None or now < until - self._settings.refresh_before)
