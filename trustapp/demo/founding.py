"""What an authority sets up once: two hierarchies, the department's seal, the administrators.

Doing it again changes nothing.
"""

from collections.abc import Callable
from datetime import timedelta

from seal_service.core.seal import SealSpec
from seal_service.service import SealView
from sso.core.roles import Role
from trustapp.wiring import DEPARTMENT_SEAL, Suite
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.x509.names import DistinguishedName

__all__ = ["ADMINISTRATORS", "HIERARCHIES", "create_administrators", "found_hierarchies", "make_department_seal"]

HIERARCHIES = {"sm2": KeyAlgorithm.SM2, "rsa": KeyAlgorithm.RSA_2048}
"""Names of the hierarchies and the kind of their keys."""

ADMINISTRATORS = {
    "admin": Role.SYSTEM_ADMINISTRATOR,
    "security": Role.SECURITY_ADMINISTRATOR,
    "auditor": Role.AUDIT_ADMINISTRATOR,
    "operator": Role.OPERATOR,
}
"""The first people and the role of each; the three administrators are different people (GB/T 22239-2019 §8.1.5)."""

_ROOT_LIFETIME = timedelta(days=20 * 365)
_ISSUING_LIFETIME = timedelta(days=10 * 365)
_SEAL_LIFETIME = timedelta(days=5 * 365)
_SEAL_CODE = "4201140000018"
_TITLES = {"sm2": "SM2", "rsa": "RSA"}


def found_hierarchies(suite: Suite, step: Callable[[str], None]) -> None:
    """A root and an issuing CA of each kind, with keys in the machines, and their CRLs.

    Args:
        suite: the open services.
        step: is told what is being done.
    """
    for name, algorithm in HIERARCHIES.items():
        title = _TITLES[name]
        step(f"{title} 根 CA root")
        suite.ca.found(
            f"{name}-root", subject=_subject(f"信印演示根CA {title} Xinyin Demo Root {title}"),
            algorithm=algorithm, parent=None, lifetime=_ROOT_LIFETIME,
        )  # fmt: skip
        step(f"{title} 签发 CA issuing")
        suite.ca.found(
            f"{name}-issuing", subject=_subject(f"信印演示签发CA {title} Xinyin Demo Issuing {title}"),
            algorithm=algorithm, parent=f"{name}-root", lifetime=_ISSUING_LIFETIME,
        )  # fmt: skip


def make_department_seal(suite: Suite) -> SealView:
    """The official round seal of the department that issues licences, with its certificates."""
    licence = suite.settings.licence
    spec = SealSpec(
        code=_SEAL_CODE, name=licence.issuer_name, organization_code=licence.issuer_code, lifetime=_SEAL_LIFETIME
    )
    return suite.seals.make_seal(spec, request_id=DEPARTMENT_SEAL)


def create_administrators(suite: Suite) -> dict[str, str]:
    """One-time passwords of the people who did not exist yet, by user name."""
    made = {name: suite.sso.ensure_administrator(name, role=role) for name, role in ADMINISTRATORS.items()}
    return {name: password for name, password in made.items() if password is not None}


def _subject(common_name: str) -> DistinguishedName:
    return DistinguishedName.of({"C": "CN", "O": "信印演示 Xinyin Demo", "CN": common_name})
