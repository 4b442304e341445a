"""What a seal is, when it may be used, and the data its maker signs (GB/T 38540-2020 §6)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from ofd.ses.encode import encode_seal_info
from ofd.ses.structure import Picture
from trustcore.errors import RejectedError
from trustcore.x509.certificate import Certificate
from trustcore.x509.crl import Crl

__all__ = [
    "VENDOR",
    "SealSpec",
    "SealState",
    "SealType",
    "check_certificate",
    "check_spec",
    "check_usable",
    "seal_identifier",
    "seal_info",
    "seal_period",
]

VENDOR = "XINYIN"
"""Vid of the seals made here."""

_CODE_LENGTH = 13
_LONGEST_LIFE = timedelta(days=3660)


class SealType(IntEnum):
    """SES_ESPropertyInfo.type (GB/T 38540-2020 §6.1.3)."""

    ORGANISATION = 1
    PERSON = 2


class SealState(StrEnum):
    """Where a seal is in its life."""

    MAKING = "making"
    """Reserved; its keys, certificates and signature may not all be there."""
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    """For ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealSpec:
    """What is asked for when a seal is made."""

    code: str
    """13 digits as given by 公安 when the seal was filed (GA/T 1106: area, and number); shown on the lower arc."""
    name: str
    """Full name of the unit, shown on the arc; 4 to 40 characters."""
    organization_code: str
    """Unified social credit code of the unit (GB 32100-2015), subject of its certificates."""
    lifetime: timedelta
    type: SealType = SealType.ORGANISATION
    diameter_mm: int = 42


def check_spec(spec: SealSpec) -> None:
    """Refuse what no seal can be made of.

    Raises:
        RejectedError: ``seal.spec.code``, ``seal.spec.organization-code`` or ``seal.spec.lifetime``.
    """
    if len(spec.code) != _CODE_LENGTH or not (spec.code.isascii() and spec.code.isdigit()):
        raise RejectedError("The code of a seal has 13 digits.", code="seal.spec.code")
    if len(spec.organization_code) != 18 or not (spec.organization_code.isascii() and spec.organization_code.isalnum()):
        raise RejectedError(
            "The unified social credit code has 18 digits and capital letters.", code="seal.spec.organization-code"
        )
    if not timedelta(days=1) <= spec.lifetime <= _LONGEST_LIFE:
        raise RejectedError("A seal lives between a day and ten years.", code="seal.spec.lifetime")


def seal_identifier(code: str, random: bytes) -> str:
    """The unique esID: the 13 digits and eight hexadecimal digits, so that a seal made anew has another one.

    Args:
        code: 13 digits.
        random: 4 random octets.
    """
    return f"{code}-{random.hex().upper()}"


def seal_period(created: datetime, lifetime: timedelta, certificate: Certificate) -> tuple[datetime, datetime]:
    """First and last moment of use; a seal does not outlive the certificate of its signer."""
    return created, min(created + lifetime, certificate.not_after)


def check_certificate(certificate: Certificate, *, at: datetime, crl: Crl | None = None) -> None:
    """Refuse a certificate that cannot sign with a seal now.

    Args:
        certificate: of the seal's signer.
        at: now.
        crl: of its issuer, where it is at hand.

    Raises:
        RejectedError: ``seal.certificate.period``, ``seal.certificate.revoked``, or ``seal.certificate.key-usage``
            for one such as the encryption certificate of a pair (GB/T 20518-2018).
    """
    if crl is not None and crl.lookup(certificate.serial_number) is not None:
        raise RejectedError("The certificate of the seal's signer is revoked.", code="seal.certificate.revoked")
    if not certificate.not_before <= at <= certificate.not_after:
        raise RejectedError(
            "The certificate of the seal's signer is not within its period of validity.", code="seal.certificate.period"
        )
    if certificate.has_key_usage and not certificate.key_usage & {"digitalSignature", "nonRepudiation"}:
        raise RejectedError("The certificate is not for signatures.", code="seal.certificate.key-usage")


def check_usable(state: SealState, *, valid_from: datetime, valid_until: datetime, at: datetime) -> None:
    """Refuse the use of a seal that is not in force.

    Raises:
        RejectedError: ``seal.use.making``, ``seal.use.suspended``, ``seal.use.revoked``, ``seal.use.not-yet-valid`` or
            ``seal.use.expired``.
    """
    if state is not SealState.ACTIVE:
        reason = {
            SealState.MAKING: "is not finished",
            SealState.SUSPENDED: "is suspended",
            SealState.REVOKED: "is revoked",
        }[state]
        raise RejectedError(f"The seal {reason}.", code=f"seal.use.{state}")
    if at < valid_from:
        raise RejectedError("The period of the seal has not begun.", code="seal.use.not-yet-valid")
    if at > valid_until:
        raise RejectedError("The period of the seal is over.", code="seal.use.expired")


def seal_info(
    spec: SealSpec, *, identifier: str, created: datetime, certificate: Certificate, picture_png: bytes
) -> bytes:
    """DER SES_SealInfo, the message the seal maker signs: one signer by certificate (certListType 1), PNG picture.

    Args:
        spec: what was asked for.
        identifier: esID.
        created: when the seal is made.
        certificate: of the only signer.
        picture_png: palette PNG of the seal.
    """
    check_certificate(certificate, at=created)
    valid_from, valid_until = seal_period(created, spec.lifetime, certificate)
    return encode_seal_info(
        vendor=VENDOR,
        seal_code=identifier,
        type=spec.type,
        name=spec.name,
        certificates=(certificate.der,),
        created=created,
        valid_from=valid_from,
        valid_until=valid_until,
        picture=Picture(type="PNG", data=picture_png, width_mm=spec.diameter_mm, height_mm=spec.diameter_mm),
    )
