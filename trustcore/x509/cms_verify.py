"""Verification of one CMS signer over received bytes (RFC 5652 §5.6), as steps of a report."""

from collections.abc import Sequence
from dataclasses import dataclass

from trustcore.crypto.algorithms import SIGNATURES
from trustcore.crypto.digests import digest
from trustcore.report import ReportBuilder, Status, Step
from trustcore.x509 import oids
from trustcore.x509.certificate import Certificate, is_signed_by
from trustcore.x509.cms import SignedData, SignerInfo, signature_der

__all__ = ["SignerVerification", "verify_signer"]

_SAME_TYPE = {oids.CMS_DATA: {oids.CMS_DATA, oids.GM_DATA}, oids.GM_DATA: {oids.CMS_DATA, oids.GM_DATA}}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerVerification:
    """What was found about one signer. The certificate's chain is another question (:mod:`trustcore.x509.chain`)."""

    steps: tuple[Step, ...]
    certificate: Certificate | None
    """The signer's certificate, where it was found."""

    @property
    def passed(self) -> bool:
        """Whether the signature fits content and certificate."""
        return all(step.status is Status.PASSED for step in self.steps)


def verify_signer(
    signed_data: SignedData,
    signer: SignerInfo,
    *,
    content: bytes | None = None,
    prefix: str = "cms",
    certificates: Sequence[Certificate] = (),
    require_signing_certificate: bool = False,
) -> SignerVerification:
    """Check digest, attributes and signature of one signer.

    Args:
        signed_data: where the signer stands.
        signer: one of its signers.
        content: what the signature must be over; ``None`` to take the content that is carried.
        prefix: of the step codes ``certificate``, ``algorithm``, ``attributes``, ``digest``, ``signing-certificate``
            and ``signature``.
        certificates: where else the signer's certificate may be.
        require_signing_certificate: whether signingCertificate(V2) has to be there.

    Raises:
        MalformedError: an attribute cannot be read.
    """
    report = ReportBuilder(prefix)
    covered = signed_data.content if content is None else content
    if signed_data.content is not None and signed_data.content != covered:
        covered = None  # something else is carried than what the caller asks about
    everywhere = (*signed_data.certificates, *certificates)
    certificate = next((item for item in everywhere if signer.is_made_by(item)), None)
    found = report.check(
        certificate is not None,
        f"{prefix}.certificate",
        zh="签名者的证书已找到" if certificate else "缺少签名者的证书",
        en="The signer's certificate was found" if certificate else "The signer's certificate is missing",
        clause="RFC 5652 §5.3",
        evidence={"subject": certificate.subject.text} if certificate else {},
    )
    accepted = report.check(
        signer.digest_algorithm is not None and signer.signature_algorithm is not None,
        f"{prefix}.algorithm",
        zh="检查签名算法与摘要算法是否可接受",
        en="The digest and signature algorithms are on the list of accepted ones",
        clause="RFC 5652 §5.3",
        evidence={"algorithm": str(signer.signature_algorithm)},
    )
    if found and accepted and certificate is not None:
        if signer.signed_attributes_der is not None or signed_data.content_type not in _SAME_TYPE:
            # RFC 5652 §5.3: signed attributes must be there when the content is not plain data.
            _check_attributes(report, prefix, signed_data, signer, covered)
            _check_signing_certificate(report, prefix, signer, certificate, required=require_signing_certificate)
        elif require_signing_certificate:
            _check_signing_certificate(report, prefix, signer, certificate, required=True)
        _check_signature(report, prefix, signer, certificate, covered)
    return SignerVerification(steps=report.build().steps, certificate=certificate)


def _check_attributes(
    report: ReportBuilder, prefix: str, signed_data: SignedData, signer: SignerInfo, covered: bytes | None
) -> None:
    allowed = _SAME_TYPE.get(signed_data.content_type, {signed_data.content_type})
    report.check(
        signer.content_type in allowed,
        f"{prefix}.attributes",
        zh="签名属性中的内容类型与内容一致" if signer.content_type in allowed else "签名属性中的内容类型与内容不一致",
        en="The signed content type is that of the content"
        if signer.content_type in allowed
        else "The signed content type is not that of the content",
        clause="RFC 5652 §11.1",
    )
    algorithm = signer.digest_algorithm
    right = covered is not None and algorithm is not None and digest(algorithm, covered) == signer.message_digest
    report.check(
        right,
        f"{prefix}.digest",
        zh="内容的摘要与签名属性一致" if right else "内容的摘要与签名属性不一致,内容已被改动",
        en="The digest of the content is the signed one" if right else "The content is not what was signed",
        clause="RFC 5652 §11.2",
    )


def _check_signing_certificate(
    report: ReportBuilder, prefix: str, signer: SignerInfo, certificate: Certificate, *, required: bool
) -> None:
    named = signer.names_certificate(certificate)
    if named is None and not required:
        return
    report.check(
        named is True,
        f"{prefix}.signing-certificate",
        zh="签名属性指明了该签名证书" if named else "签名属性没有指明该签名证书",
        en="The signed attributes name this certificate"
        if named
        else "The signed attributes do not name this certificate",
        clause="RFC 5035 §5.4",
    )


def _check_signature(
    report: ReportBuilder, prefix: str, signer: SignerInfo, certificate: Certificate, covered: bytes | None
) -> None:
    message = signer.signed_attributes_der if signer.signed_attributes_der is not None else covered
    algorithm = signer.signature_algorithm
    right = (
        message is not None
        and algorithm is not None
        and is_signed_by(certificate, SIGNATURES[algorithm].oid, message, signature_der(signer))
    )
    report.check(
        right,
        f"{prefix}.signature",
        zh="签名值正确" if right else "签名值不正确",
        en="The signature is right" if right else "The signature is not right",
        clause="RFC 5652 §5.6",
        evidence={"algorithm": str(algorithm)},
    )
