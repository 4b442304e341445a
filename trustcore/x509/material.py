"""Certificates and CRLs that travel in a file: none of them may be damaged.

A path uses only some of them; one that is not used has to bear its issuer's signature all the same, or an octet of the
file could be changed without notice.
"""

from collections.abc import Sequence

from trustcore.errors import MalformedError
from trustcore.report import Status, Step
from trustcore.x509.certificate import Certificate
from trustcore.x509.cms_form import has_exact_frame
from trustcore.x509.crl import Crl

__all__ = ["material_step"]


def material_step(
    code: str, certificates: Sequence[Certificate], crls: Sequence[Crl | bytes], *, issuers: Sequence[Certificate]
) -> Step:
    """The step on carried certificates and CRLs: failed when one is damaged, *cannot tell* when its issuer is unknown.

    Args:
        code: of the step.
        certificates: those carried.
        crls: those carried, DER where they were not read yet.
        issuers: certificates beside those carried that may have issued them, the roots among them.
    """
    known = tuple(dict.fromkeys((*certificates, *issuers)))
    damaged: list[str] = []
    unknown: list[str] = []
    for certificate in certificates:
        named = [issuer for issuer in known if certificate.issuer.matches(issuer.subject)]
        if not named:
            unknown.append(certificate.subject.text)
        elif not has_exact_frame(certificate.der) or not any(map(certificate.is_issued_by, named)):
            damaged.append(certificate.subject.text)
    for item in crls:
        try:
            crl = item if isinstance(item, Crl) else Crl.from_der(item)
        except MalformedError:
            damaged.append("CRL")
            continue
        named = [issuer for issuer in known if crl.issuer.matches(issuer.subject)]
        if not named:
            unknown.append(f"CRL {crl.issuer.text}")
        elif not has_exact_frame(crl.der) or not any(map(crl.is_signed_by, named)):
            damaged.append(f"CRL {crl.issuer.text}")
    return _step(code, damaged, unknown)


def _step(code: str, damaged: Sequence[str], unknown: Sequence[str]) -> Step:
    if damaged:
        status, zh, en = Status.FAILED, "随附的证书或 CRL 已损坏", "A certificate or CRL in the file is damaged"
    elif unknown:
        status, zh, en = (
            Status.INDETERMINATE,
            "随附的证书或 CRL 中有签发者未知的",
            "The issuer of a certificate or CRL in the file is not known",
        )
    else:
        status, zh, en = Status.PASSED, "随附的证书与 CRL 均完好", "The certificates and CRLs in the file are intact"
    evidence = {"damaged": "; ".join(damaged), "unknown_issuer": "; ".join(unknown)}
    present = {name: value for name, value in evidence.items() if value}
    return Step(number=1, code=code, status=status, zh=zh, en=en, clause="RFC 5652 §5.1", evidence=present)
