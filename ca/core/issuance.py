"""Issuing in three acts, so that nothing is signed that was not checked and stored before.

:func:`prepare` builds the TBSCertificate from a profile and lints the result; only it makes a :class:`Prepared`, whose
bytes the caller stores together with the serial number. :func:`issue` is the one function that lets the issuer's key
sign, and signs exactly those bytes, once.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ca.core.lints import lint
from ca.core.profiles import Profile
from trustcore.crypto.algorithms import SignatureAlgorithm
from trustcore.crypto.verify import verify
from trustcore.errors import InternalError, RejectedError
from trustcore.signing import Signer
from trustcore.x509 import extensions as ext
from trustcore.x509.build import CertificateTemplate, assemble, certificate_tbs
from trustcore.x509.certificate import Certificate
from trustcore.x509.names import DistinguishedName
from trustcore.x509.public_keys import key_identifier

__all__ = ["SERIAL_OCTETS", "IssuerUrls", "Prepared", "Request", "issue", "prepare", "serial_number"]

SERIAL_OCTETS = 16
"""Random octets of a serial number: 127 bits of entropy, and never above 20 octets (RFC 5280 §4.1.2.2)."""
_BACKDATED = timedelta(minutes=5)
"""Verifiers' clocks may be late by this much."""
_ONE_SECOND = timedelta(seconds=1)
_LINT_SIGNATURE_BYTES = {SignatureAlgorithm.SM2_SM3: 70, SignatureAlgorithm.ECDSA_SHA256: 70}


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerUrls:
    """Where an authority publishes; stands in what it issues."""

    crl: str
    certificate: str
    ocsp: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What shall be certified."""

    subject: DistinguishedName
    public_key_der: bytes
    profile: Profile
    lifetime: timedelta
    """Cut to the profile's and to the issuer's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A TBSCertificate that passed every lint and may be signed by one issuer."""

    tbs_der: bytes
    serial_number: int
    algorithm: SignatureAlgorithm
    issuer_public_key_der: bytes


def serial_number(random: bytes) -> int:
    """A positive serial number of :data:`SERIAL_OCTETS` random octets, the highest bits set to 01."""
    return int.from_bytes(bytes((random[0] & 0x3F | 0x40,)) + random[1:SERIAL_OCTETS], "big")


def prepare(
    request: Request,
    *,
    serial: int,
    issuer: Certificate | None,
    signer: Signer,
    urls: IssuerUrls | None,
    now: datetime,
) -> Prepared:
    """Build and lint what will be signed.

    Args:
        request: what shall be certified.
        serial: never used before.
        issuer: the issuing CA's certificate; ``None`` for a root, which signs itself.
        signer: the issuer's key; it is not used here.
        urls: where the issuer publishes; ``None`` for a root.
        now: the present.

    Raises:
        RejectedError: ``ca.issue.issuer-expired``, or ``ca.lint.…`` with the rule that is broken.
    """
    not_before = now.replace(microsecond=0) - (_BACKDATED if issuer else timedelta(0))
    not_after = not_before + min(request.lifetime, request.profile.lifetime) - _ONE_SECOND
    if issuer is not None:
        not_before, not_after = max(not_before, issuer.not_before), min(not_after, issuer.not_after)
        if now > issuer.not_after:
            raise RejectedError("The certificate of the authority has expired.", code="ca.issue.issuer-expired")
    template = CertificateTemplate(
        serial_number=serial,
        signature_algorithm=signer.algorithm,
        issuer=issuer.subject if issuer else request.subject,
        not_before=not_before,
        not_after=not_after,
        subject=request.subject,
        public_key_der=request.public_key_der,
        extensions=_extensions(request, issuer, urls),
    )
    tbs_der = certificate_tbs(template)
    sample = bytes(_LINT_SIGNATURE_BYTES.get(signer.algorithm, 256))
    lint(Certificate.from_der(assemble(tbs_der, signer.algorithm, sample)), profile=request.profile, issuer=issuer)
    return Prepared(
        tbs_der=tbs_der,
        serial_number=serial,
        algorithm=signer.algorithm,
        issuer_public_key_der=issuer.public_key_der if issuer else request.public_key_der,
    )


def issue(prepared: Prepared, signer: Signer) -> Certificate:
    """Let the issuer sign what was prepared.

    Raises:
        InternalError: ``ca.issue.other-signer`` for another key than it was prepared for; ``ca.issue.wrong-signature``
            when the machine's signature is not right.
        BusyError: no machine can sign.
    """
    if signer.public_key_der != prepared.issuer_public_key_der or signer.algorithm is not prepared.algorithm:
        raise InternalError("A certificate was prepared for another issuer's key.", code="ca.issue.other-signer")
    signature = signer.sign(prepared.tbs_der)
    if not verify(signer.public_key_der, signer.algorithm, prepared.tbs_der, signature):
        raise InternalError("A machine made a wrong signature.", code="ca.issue.wrong-signature")
    return Certificate.from_der(assemble(prepared.tbs_der, prepared.algorithm, signature))


def _extensions(request: Request, issuer: Certificate | None, urls: IssuerUrls | None) -> tuple[ext.Extension, ...]:
    profile = request.profile
    authority = issuer.public_key_der if issuer else request.public_key_der
    extensions = [
        ext.basic_constraints(ca=profile.is_ca, path_length=profile.path_length),
        ext.key_usage(*profile.key_usage),
        ext.subject_key_identifier(key_identifier(request.public_key_der)),
        ext.authority_key_identifier((issuer and issuer.subject_key_identifier) or key_identifier(authority)),
    ]
    if profile.purposes:
        extensions.append(ext.extended_key_usage(*profile.purposes, critical=profile.purposes_critical))
    if profile.ocsp_no_check:
        extensions.append(ext.ocsp_no_check())
    if urls is not None:
        extensions.append(ext.crl_distribution_points(urls.crl))
        extensions.append(ext.authority_information_access(ocsp=[urls.ocsp], issuers=[urls.certificate]))
    return tuple(extensions)
