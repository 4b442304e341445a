"""Step (4) of :mod:`seal_service.pdf.verify` for CMS: PAdES (EN 319 142-1) and the older adbe.pkcs7.detached.

(a) one signer; the unsigned parts are as RFC 5652 prescribes;
(b) the digest of the ByteRange is the signed one, signingCertificateV2 names the certificate, the signature is right;
(c) the certificates and CRLs carried are intact;
(d) the time stamp, where there is one, is over this signature and its authority is trusted: it proves the time;
(e) the signer's certificate was good at that time; without proof it has to be good now too.
"""

from datetime import datetime, timedelta

from seal_service.pdf.finding import SignatureCase, check_form, check_material, rfc3339
from trustcore.errors import MalformedError
from trustcore.report import Status
from trustcore.x509.certificate import Certificate
from trustcore.x509.chain import ChainResult, validate_chain
from trustcore.x509.cms import SignedData, SignerInfo
from trustcore.x509.cms_verify import verify_signer
from trustcore.x509.purposes import KeyPurpose
from trustcore.x509.tsp import verify_token

__all__ = ["verify_cms"]

_PADES = "/ETSI.CAdES.detached"
_TOLERANCE = timedelta(minutes=5)
"""How far clocks may be apart."""


def verify_cms(case: SignatureCase) -> None:
    """Append the steps (a) to (e).

    Raises:
        MalformedError: the value cannot be read.
    """
    signed_data = SignedData.from_der(case.value_der)
    if len(signed_data.signers) != 1 or signed_data.content is not None:
        raise MalformedError("The CMS value is not a detached signature of one signer.", code="pdf.signature.signers")
    signer = signed_data.signers[0]
    check_form(case, case.value_der)  # (a)
    verification = verify_signer(  # (b)
        signed_data,
        signer,
        content=case.covered,
        prefix="pdf.signature",
        require_signing_certificate=case.signature.sub_filter == _PADES,
    )
    case.report.extend(verification.steps)
    certificate = verification.certificate
    if certificate is None or not verification.passed:
        return
    _Trust(case, signed_data, signer, certificate).verify()


class _Trust:
    """Steps (c) to (e)."""

    def __init__(
        self, case: SignatureCase, signed_data: SignedData, signer: SignerInfo, certificate: Certificate
    ) -> None:
        self._case = case
        self._signed_data = signed_data
        self._signer = signer
        self._certificate = certificate
        token_der = signer.time_stamp_token
        self._token = None if token_der is None else SignedData.from_der(token_der)
        stamped = self._token.certificates if self._token else ()
        self._carried = (*signed_data.certificates, *stamped)
        self._carried_crls = (*signed_data.crls, *(self._token.crls if self._token else ()))
        self._issuers = (*case.policy.intermediates, *self._carried)
        self._crls = (*case.policy.crls, *self._carried_crls)

    def verify(self) -> None:
        case = self._case
        check_material(case, self._signed_data.certificates, self._signed_data.crls)  # (c)
        proven = self._proven_time()  # (d)
        at = proven or self._claimed_time() or case.policy.at
        self._check_signer(at, proven=proven is not None)  # (e)
        case.facts.update(
            signer=self._certificate.common_name or self._certificate.subject.text,
            signed_at=rfc3339(at),
            signed_at_proven="true" if proven else "false",
        )

    def _proven_time(self) -> datetime | None:
        case, token_der = self._case, self._signer.time_stamp_token
        if token_der is None:
            case.note(
                Status.WARNING, "pdf.timestamp", ("签名没有时间戳", "The signature has no time stamp"),
                "ETSI EN 319 142-1 §6.3",
            )  # fmt: skip
            return None
        result = verify_token(
            token_der,
            self._signer.signature,
            roots=case.policy.roots,
            intermediates=self._issuers,
            crls=self._crls,
            prefix="pdf.timestamp",
        )
        case.report.extend(result.steps)
        return result.gen_time

    def _claimed_time(self) -> datetime | None:
        if self._signer.signing_time is not None:
            return self._signer.signing_time
        claimed = self._case.signature.claimed_at
        moment = datetime.fromisoformat(claimed) if claimed else None
        return moment if moment is not None and moment.tzinfo is not None else None

    def _check_signer(self, at: datetime, *, proven: bool) -> None:
        case = self._case
        result = self._chain(at)
        case.report.extend(result.steps)
        future = at > case.policy.at + _TOLERANCE
        if future or (not proven and self._chain(case.policy.at).status is Status.FAILED):
            case.note(
                Status.FAILED if future else Status.INDETERMINATE,
                "pdf.time.future" if future else "pdf.time.unproven",
                ("签名时间晚于验证时间", "The time of signing is in the future")
                if future
                else (
                    "签名人证书现已失效,而签名时间没有时间戳证明",
                    "The signer's certificate is no longer good, and no time stamp proves that it signed before",
                ),
                "ETSI EN 319 102-1 §5.5.4",
                signed_at=rfc3339(at),
                verified_at=rfc3339(case.policy.at),
            )  # fmt: skip

    def _chain(self, at: datetime) -> ChainResult:
        return validate_chain(
            self._certificate,
            intermediates=self._issuers,
            roots=self._case.policy.roots,
            crls=self._crls,
            at=at,
            purpose=KeyPurpose.DOCUMENT_SIGNING,
            prefix="pdf.signer",
        )
