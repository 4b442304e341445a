"""Rules that every certificate is held to before it is signed: one function a rule, each citing where it is written.

The lints look at the certificate as a reader would, parsed from its final bytes, and not at what was asked for.
"""

import unicodedata
from collections.abc import Callable
from datetime import timedelta

from cryptography import x509

from ca.core.profiles import Profile
from trustcore.crypto.algorithms import SIGNATURES
from trustcore.errors import RejectedError
from trustcore.x509.build import MAX_SERIAL_OCTETS
from trustcore.x509.certificate import Certificate
from trustcore.x509.public_keys import PublicKeyInfo, key_identifier

__all__ = ["LINTS", "lint"]

Lint = Callable[[Certificate, Profile, Certificate | None], str]
"""Takes the certificate, its profile and its issuer (``None``: itself); answers with what is wrong, or nothing."""

_MIN_SERIAL_BITS = 64
MAX_SUBJECT_CHARACTERS = 1000
"""Of its RFC 4514 text, which the table of certificates holds."""
_NOT_PRINTED = {"Cc", "Cf", "Cs"}
"""Unicode categories: controls, formats such as changes of direction, halves of pairs."""
_TOLERANCE = timedelta(minutes=10)


def serial_number(certificate: Certificate, _profile: Profile, _issuer: Certificate | None) -> str:
    """RFC 5280 §4.1.2.2: positive, at most 20 octets; large enough to be unpredictable."""
    bits = certificate.serial_number.bit_length()
    ok = certificate.serial_number > 0 and _MIN_SERIAL_BITS <= bits < MAX_SERIAL_OCTETS * 8
    return "" if ok else "the serial number is not positive or not between 64 and 159 bits"


def subject_present(certificate: Certificate, _profile: Profile, _issuer: Certificate | None) -> str:
    """RFC 5280 §4.1.2.4 and §4.1.2.6: a certificate of ours names its subject, with a common name."""
    return "" if certificate.common_name else "the subject has no common name"


def subject_printable(certificate: Certificate, _profile: Profile, _issuer: Certificate | None) -> str:
    """X.520 §6: attribute values are for people to read, so without control characters; bounded in length."""
    values = [attribute.value for rdn in certificate.subject.rdns for attribute in rdn]
    if any(unicodedata.category(character) in _NOT_PRINTED for value in values for character in value):
        return "the subject has control characters"
    return "" if len(certificate.subject.text) <= MAX_SUBJECT_CHARACTERS else "the subject is too long"


def issuer_chained(certificate: Certificate, _profile: Profile, issuer: Certificate | None) -> str:
    """RFC 5280 §6.1.3 (a)(4): the issuer field is the issuer's subject, byte for byte."""
    expected = certificate.subject_der if issuer is None else issuer.subject_der
    return "" if certificate.issuer_der == expected else "the issuer field is not the issuer's subject"


def subject_differs(certificate: Certificate, _profile: Profile, issuer: Certificate | None) -> str:
    """RFC 5280 §3.2: only a root names itself as its issuer."""
    same = issuer is not None and certificate.subject_der == issuer.subject_der
    return "the subject is the issuer's own name" if same else ""


def validity(certificate: Certificate, profile: Profile, issuer: Certificate | None) -> str:
    """RFC 5280 §4.1.2.5: it begins before it ends, within the profile's lifetime and the issuer's validity."""
    if certificate.not_before >= certificate.not_after:
        return "it would end before it begins"
    if certificate.not_after - certificate.not_before > profile.lifetime + _TOLERANCE:
        return "it would live longer than its profile allows"
    if issuer and (certificate.not_before < issuer.not_before or certificate.not_after > issuer.not_after):
        return "it would not lie within its issuer's validity"
    return ""


def key_accepted(certificate: Certificate, _profile: Profile, _issuer: Certificate | None) -> str:
    """GM/T 0054-2018 §5.1, RFC 8603 §4: SM2, RSA of at least 2048 bits, or P-256."""
    key = PublicKeyInfo.from_der(certificate.public_key_der)
    return (
        ""
        if any(key.serves(algorithm) for algorithm in SIGNATURES)
        else "the public key is of a kind or size that is not accepted"
    )


def key_usage(certificate: Certificate, profile: Profile, _issuer: Certificate | None) -> str:
    """RFC 5280 §4.2.1.3: the bits of the profile and no others."""
    return "" if certificate.key_usage == frozenset(profile.key_usage) else "keyUsage is not the profile's"


def key_purposes(certificate: Certificate, profile: Profile, _issuer: Certificate | None) -> str:
    """RFC 5280 §4.2.1.12; RFC 3161 §2.3 wants timeStamping alone."""
    ok = set(certificate.extended_key_usage) == set(profile.purposes)
    return "" if ok else "extendedKeyUsage is not the profile's"


def basic_constraints(certificate: Certificate, profile: Profile, issuer: Certificate | None) -> str:
    """RFC 5280 §4.2.1.9: only CAs are CAs, and an issuer with a path length of 0 certifies none."""
    if certificate.is_ca != profile.is_ca or certificate.path_length != profile.path_length:
        return "basicConstraints is not the profile's"
    if issuer and (not issuer.is_ca or (profile.is_ca and issuer.path_length == 0)):
        return "the issuer may not certify this"
    return ""


def distinguished_encoding(certificate: Certificate, _profile: Profile, _issuer: Certificate | None) -> str:
    """RFC 5280 §4.1: a certificate is DER throughout, as a strict reader finds; subject and key came from a request."""
    try:
        x509.load_der_x509_certificate(certificate.der)
    except ValueError:
        return "the subject or the key of the request is not DER"
    return ""


def key_identifiers(certificate: Certificate, _profile: Profile, _issuer: Certificate | None) -> str:
    """RFC 5280 §4.2.1.2: the subject key identifier is there and is the key's."""
    ok = certificate.subject_key_identifier == key_identifier(certificate.public_key_der)
    return "" if ok else "the subject key identifier is not the key's"


LINTS: tuple[Lint, ...] = (
    distinguished_encoding, serial_number, subject_present, subject_printable, issuer_chained, subject_differs,
    validity, key_accepted, key_usage, key_purposes, basic_constraints, key_identifiers,
)  # fmt: skip
"""All rules, in the order they are asked."""


def lint(certificate: Certificate, *, profile: Profile, issuer: Certificate | None) -> None:
    """Raise ``RejectedError`` (``ca.lint.<rule>``) for the first rule that a certificate breaks."""
    for rule in LINTS:
        if problem := rule(certificate, profile, issuer):
            name = rule.__name__.replace("_", "-")
            raise RejectedError(f"The certificate cannot be issued: {problem}.", code=f"ca.lint.{name}", rule=name)
