"""What a key may be used for: one table of keyUsage and extendedKeyUsage rules."""

from dataclasses import dataclass
from enum import StrEnum

from trustcore.x509 import oids
from trustcore.x509.certificate import Certificate

__all__ = ["RULES", "KeyPurpose", "PurposeRule", "purpose_problem"]


class KeyPurpose(StrEnum):
    """What the key of a certificate was used for."""

    SEAL_SIGNING = "seal-signing"
    """Seal documents (GB/T 38540-2020 §7)."""
    SEAL_MAKING = "seal-making"
    """Sign electronic seals (GB/T 38540-2020 §6)."""
    DOCUMENT_SIGNING = "document-signing"
    TIME_STAMPING = "time-stamping"
    OCSP_SIGNING = "ocsp-signing"
    CA = "ca"


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposeRule:
    """What the extensions of a certificate have to say."""

    zh: str
    en: str
    clause: str
    key_usages: frozenset[str]
    """One of these bits, where keyUsage is there."""
    purposes: frozenset[str]
    """One of these OIDs, where extendedKeyUsage is there; empty when it does not matter."""
    purpose_required: bool = False
    """Whether extendedKeyUsage has to be there."""
    refused: frozenset[str] = frozenset()
    """None of these OIDs, unless extendedKeyUsage allows any purpose."""


_SIGNING = frozenset({"digitalSignature", "nonRepudiation"})
_GENERAL = frozenset({oids.ANY_EXTENDED_KEY_USAGE, oids.PURPOSE_EMAIL_PROTECTION, oids.PURPOSE_ADOBE_DOCUMENTS})
_DOCUMENTS = _GENERAL | {oids.PURPOSE_DOCUMENT_SIGNING}

RULES = {
    KeyPurpose.SEAL_SIGNING: PurposeRule(
        zh="电子签章",
        en="sealing",
        clause="GB/T 38540-2020 §7; GB/T 20518-2018 §5.2.4.2.3",
        key_usages=_SIGNING,
        purposes=_DOCUMENTS,
    ),
    # A certificate for documents (RFC 9336) does not make seals: else whoever seals could make seals.
    KeyPurpose.SEAL_MAKING: PurposeRule(
        zh="制作电子印章",
        en="making seals",
        clause="GB/T 38540-2020 §6; GB/T 20518-2018 §5.2.4.2.3",
        key_usages=_SIGNING,
        purposes=_GENERAL,
        refused=frozenset({oids.PURPOSE_DOCUMENT_SIGNING}),
    ),
    KeyPurpose.DOCUMENT_SIGNING: PurposeRule(
        zh="签署文件", en="signing documents", clause="RFC 9336 §3.2", key_usages=_SIGNING, purposes=_DOCUMENTS
    ),
    KeyPurpose.TIME_STAMPING: PurposeRule(
        zh="签发时间戳",
        en="time stamping",
        clause="RFC 3161 §2.3",
        key_usages=_SIGNING,
        purposes=frozenset({oids.PURPOSE_TIME_STAMPING}),
        purpose_required=True,
    ),
    KeyPurpose.OCSP_SIGNING: PurposeRule(
        zh="签发 OCSP 响应",
        en="OCSP signing",
        clause="RFC 6960 §4.2.2.2",
        key_usages=_SIGNING,
        purposes=frozenset({oids.PURPOSE_OCSP_SIGNING}),
        purpose_required=True,
    ),
    KeyPurpose.CA: PurposeRule(
        zh="签发证书",
        en="signing certificates",
        clause="RFC 5280 §4.2.1.3, §4.2.1.9",
        key_usages=frozenset({"keyCertSign"}),
        purposes=frozenset(),
    ),
}


def purpose_problem(certificate: Certificate, purpose: KeyPurpose) -> str:
    """Why the key may not be used so, in English; empty when it may.

    Seal signing refuses a pure encryption certificate by its keyUsage. Time stamping wants extendedKeyUsage critical
    and with that one purpose.
    """
    rule = RULES[purpose]
    purposes = set(certificate.extended_key_usage)
    if purpose is KeyPurpose.CA and not certificate.is_ca:
        return "the certificate is not a CA certificate"
    if certificate.has_key_usage and certificate.key_usage.isdisjoint(rule.key_usages):
        return "keyUsage does not allow it"
    if rule.purpose_required and rule.purposes.isdisjoint(purposes):
        return "extendedKeyUsage does not name it"
    refused = not rule.refused.isdisjoint(purposes) and oids.ANY_EXTENDED_KEY_USAGE not in purposes
    if refused or (purposes and rule.purposes and rule.purposes.isdisjoint(purposes)):
        return "extendedKeyUsage allows other purposes only"
    if purpose is KeyPurpose.TIME_STAMPING:
        extension = certificate.extension(oids.EXTENDED_KEY_USAGE)
        if extension is None or not extension.critical or len(purposes) != 1:
            return "extendedKeyUsage is not critical or names other purposes too"
    return ""
