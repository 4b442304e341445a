"""Step (4) of :mod:`seal_service.pdf.verify` for ``GM.sm2seal``: a SES_Signature of GB/T 38540-2020 §7.3 over a PDF.

(a) the structure is of a known generation;
(b) dataHash is SM3 of the ByteRange's octets; propertyInfo, where it names a ByteRange, names this one;
(c) the signature over TBS_Sign is right, and the seal lists the signer's certificate;
(d) the certificates and CRLs carried are intact;
(e) the time: proven by the time stamp, else claimed, and never in the future;
(f) the signer's certificate was good at that time;
(g) the seal is its maker's, was in its period, and is believed as on an OFD (:mod:`ofd.verify.seal_use`).
"""

from collections.abc import Iterable

from ofd.ses.structure import SealSignature
from ofd.ses.verify import is_signed_by, note_unknown_extensions
from ofd.verify.seal_use import judge_seal_use
from ofd.verify.signing_time import establish_time
from seal_service.pdf.finding import SignatureCase, check_material, rfc3339
from seal_service.pdf.gm_seal import property_info
from trustcore.crypto.digests import sm3
from trustcore.report import Status, Step
from trustcore.x509.certificate import Certificate
from trustcore.x509.chain import validate_chain
from trustcore.x509.purposes import KeyPurpose

__all__ = ["verify_gm"]


def verify_gm(case: SignatureCase) -> None:
    """Append the steps (a) to (g).

    Raises:
        MalformedError: the value cannot be read.
    """
    signature = SealSignature.parse(case.value_der)  # (a)
    tbs, info = signature.to_be_signed, signature.to_be_signed.seal.info
    signer = Certificate.from_der(signature.certificate_der)
    if not _check_value(case, signature, signer):  # (b), (c)
        return
    carried = tuple(map(Certificate.from_der, tbs.embedded_certificates))
    check_material(case, carried, tbs.embedded_crls)  # (d)
    issuers = (*case.policy.intermediates, *carried)
    crls = (*case.policy.crls, *tbs.embedded_crls)
    answers = (*case.policy.ocsp_responses, *tbs.embedded_ocsp_responses)
    time, steps = establish_time(  # (e)
        signature, signer, policy=case.policy, intermediates=issuers, crls=crls, ocsp_responses=answers
    )
    case.report.extend(_of_pdf(steps))
    chain = validate_chain(  # (f)
        signer,
        intermediates=issuers,
        roots=case.policy.roots,
        crls=crls,
        ocsp_responses=answers,
        at=time.at,
        purpose=KeyPurpose.SEAL_SIGNING,
        prefix="pdf.signer",
    )
    case.report.extend(chain.steps)
    use = judge_seal_use(  # (g)
        tbs.seal, time, policy=case.policy, intermediates=issuers, crls=crls, ocsp_responses=answers
    )
    case.report.extend(_of_pdf(use))
    case.facts.update(
        signer=signer.common_name or signer.subject.text,
        seal_name=info.name,
        seal_code=info.seal_code,
        signed_at=rfc3339(time.at),
        signed_at_proven="true" if time.proven else "false",
    )


def _check_value(case: SignatureCase, signature: SealSignature, signer: Certificate) -> bool:
    tbs = signature.to_be_signed
    same = tbs.data_hash == sm3(case.covered)
    case.check(
        same,
        "pdf.signature.digest",
        ("文件内容与签章时一致", "The content is what was sealed")
        if same
        else (
            "文件内容在签章后被改动,或印章来自另一文件",
            "The content was changed, or the seal was made for another document",
        ),
        "GB/T 38540-2020 §7.3 e)",
        byte_range=" ".join(map(str, case.signature.byte_range)),
    )  # fmt: skip
    named = tbs.property_info == property_info(case.signature.byte_range)
    case.note(
        Status.PASSED if named else Status.WARNING,
        "pdf.signature.property-info",
        ("印章数据指明该签名范围", "The seal names this ByteRange")
        if named
        else ("印章数据所指的保护范围写法不同", "The seal names what it protects in another way"),
        "GB/T 38540-2020 §7.1",
        property_info=tbs.property_info,
    )
    right = is_signed_by(signer, signature.signature_algorithm_oid, signature.to_be_signed_der, signature.signature)
    case.check(
        right,
        "pdf.signature.signature",
        ("签名值正确", "The signature is right") if right else ("签名值不正确", "The signature is not right"),
        "GB/T 38540-2020 §7.3 b)",
        signer=signer.subject.text,
    )
    note_unknown_extensions(case.report, tbs.extensions, "pdf.signature.extension")
    listed = tbs.seal.info.lists(signer.der)
    case.check(
        listed,
        "pdf.seal.signer-listed",
        ("签章人证书在印章的证书列表中", "The seal lists the signer's certificate")
        if listed
        else ("签章人证书不在印章的证书列表中", "The seal does not list the signer's certificate"),
        "GB/T 38540-2020 §7.3 c)",
        signer=signer.subject.text,
    )
    return same and right and listed


def _of_pdf(steps: Iterable[Step]) -> Iterable[Step]:
    """Steps on the seal structure, with codes of the PDF."""
    return (step._replace(code=step.code.replace("ofd.", "pdf.", 1)) for step in steps)
