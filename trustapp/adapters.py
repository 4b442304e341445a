"""Where one service's words are another's: small classes that translate between ports."""

from collections.abc import Sequence
from datetime import datetime

from ca.service import CaService
from hsm.gateway import judging
from hsm.settings import GatewaySettings
from licence_service.ports import Unsealed
from ofd.sign.seal import StampAnnotation
from seal_service.core.placement import Placement
from seal_service.documents import OfdOrder, PdfOrder, StampOrder
from seal_service.service import SealService
from sso.core.roles import Role
from sso.logins import Credentials
from sso.service import SsoService
from trustcore.errors import ForbiddenError, TrustError
from trustcore.report import Report
from trustcore.x509.crl import load_crl

__all__ = ["InstallationJudge", "KeyPersons", "LicenceSeals"]

_KEY_ROLES = frozenset({Role.SYSTEM_ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR})
_CONSOLE = "console"
"""Where a person at the command line is, for throttling."""


class LicenceSeals:
    """The seal service as the licence service's ``Seals``.

    A seal is named by its identifier or by the request under which it was made, so that settings can name the seal
    of a department before it exists.
    """

    def __init__(self, seals: SealService) -> None:
        self._seals = seals

    def stamp(self, seal_id: str, documents: Sequence[Unsealed]) -> tuple[bytes | TrustError, ...]:
        """Seal documents; the picture goes onto the first page."""
        return self._seals.stamp_many(self._resolve(seal_id), [_order(document) for document in documents])

    def verify(self, data: bytes) -> Report:
        """Verify a sealed OFD or PDF."""
        return self._seals.verify(data)

    def _resolve(self, seal_id: str) -> str:
        return self._seals.find_made_for(seal_id) or seal_id


class KeyPersons:
    """The identity service as the machines' ``Persons``: administrators who prove themselves by their passwords."""

    def __init__(self, sso: SsoService) -> None:
        self._sso = sso

    def verify(self, username: str, password: str) -> str:
        """The person, as ``user:`` and the subject. ``ForbiddenError`` (``admin.role``) for one without a key role."""
        person = self._sso.identify(Credentials(username=username, password=password, address=_CONSOLE))
        if not person.roles & _KEY_ROLES:
            raise ForbiddenError("This person's roles do not open keys.", code="admin.role")
        return f"user:{person.subject}"


class InstallationJudge:
    """Judges certificates by the installation's own authorities, and by the roots that ``[hsm.gateway]`` names."""

    def __init__(self, ca: CaService, settings: GatewaySettings) -> None:
        self._ca = ca
        self._settings = settings

    def validate(self, certificate_der: bytes, at: datetime) -> Report:
        """See :meth:`hsm.ports.CertificateJudge.validate`."""
        own = self._ca.authorities()
        roots = tuple(authority.certificate for authority in own if authority.parent is None)
        others = tuple(authority.certificate for authority in own if authority.parent is not None)
        lists = tuple(load_crl(self._ca.crl(authority.name)) for authority in own)
        return judging.judge(
            certificate_der,
            at,
            roots=(*roots, *judging.anchors(self._settings)),
            intermediates=(*others, *judging.intermediates(self._settings)),
            lists=(*lists, *judging.crls(self._settings)),
        )


def _order(document: Unsealed) -> StampOrder:
    x_mm, y_mm, width_mm, height_mm = document.box_mm
    if document.form == "ofd":
        stamp = StampAnnotation(x_mm=x_mm, y_mm=y_mm, width_mm=width_mm, height_mm=height_mm)
        return OfdOrder(package=document.data, stamps=(stamp,))
    placement = Placement(page=1, x_mm=x_mm, y_mm=y_mm, width_mm=width_mm, height_mm=height_mm)
    return PdfOrder(pdf=document.data, form=document.form, placement=placement)
