"""OpenSSL's command line judges both certificate hierarchies and the RSA revocation list.

OpenSSL 3.0 gives the SM2 identifier of ``-vfyopt`` only to the certificate that it is asked about, not to those above
it, so an SM2 chain is verified link by link. For CRL, CMS, OCSP and time-stamp verification it takes no identifier at
all; those are left to BouncyCastle.
"""

from dataclasses import dataclass
from pathlib import Path

from exhibits import Exhibits, altered_copy, armoured, certificate_of, der, first_signature, flipped, signed_value
from pyhanko.pdf_utils.reader import PdfFileReader
from verdict import Answer, Verdict, need, run

JUDGE = "OpenSSL"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Link:
    """A certificate and how OpenSSL is told to verify it."""

    name: str
    certificate_der: bytes
    options: tuple[str | Path, ...]


def judge(exhibits: Exhibits, scratch: Path) -> list[Verdict]:
    """Judge the SM2 chain, the RSA chain and the RSA revocation list."""
    openssl = need("openssl", "openssl")
    version = run([openssl, "version"]).printed.split()[1]
    return [
        _chain(
            openssl,
            version,
            scratch,
            links=_sm2_links(exhibits),
            judged="SM2 chains of seal maker and seal signer, link by link (-x509_strict, distid:1234567812345678)",
        ),
        _chain(
            openssl,
            version,
            scratch,
            links=_rsa_links(exhibits, scratch),
            judged="RSA chain of the document signer (-x509_strict -check_ss_sig -crl_check)",
        ),
        _revocation_list(openssl, version, exhibits, scratch),
    ]


def _sm2_links(exhibits: Exhibits) -> tuple[_Link, ...]:
    identifier = ("-x509_strict", "-vfyopt", "distid:1234567812345678")
    to_issuing = (*identifier, "-partial_chain", "-trusted", exhibits.trust("sm2-issuing.pem"))
    issuing = der(exhibits.trust("sm2-issuing.pem"))
    signer = certificate_of(signed_value(exhibits.licences[0].ofd))
    return (
        _Link(
            name="sm2-issuing",
            certificate_der=issuing,
            options=(*identifier, "-CAfile", exhibits.trust("sm2-root.pem")),
        ),
        _Link(name="seal-maker", certificate_der=certificate_of(exhibits.seal.read_bytes()), options=to_issuing),
        _Link(name="seal-signer", certificate_der=signer, options=to_issuing),
    )


def _rsa_links(exhibits: Exhibits, scratch: Path) -> tuple[_Link, ...]:
    root, issuing = exhibits.trust("rsa-root.pem"), exhibits.trust("rsa-issuing.pem")
    crl = scratch / "rsa-issuing-crl.pem"
    crl.write_bytes(armoured("X509 CRL", der(exhibits.trust("rsa-issuing.crl"))))
    with exhibits.licences[0].pdf.open("rb") as stream:
        signer = first_signature(PdfFileReader(stream)).signer_cert.dump()
    strict = ("-x509_strict", "-check_ss_sig", "-CAfile", root)
    return (
        _Link(name="rsa-issuing", certificate_der=der(issuing), options=strict),
        _Link(
            name="document-signer",
            certificate_der=signer,
            options=(*strict, "-untrusted", issuing, "-crl_check", "-CRLfile", crl),
        ),
    )


def _chain(openssl: str, version: str, scratch: Path, *, links: tuple[_Link, ...], judged: str) -> Verdict:
    def verify(link: _Link, certificate_der: bytes) -> Answer:
        file = scratch / f"{link.name}.pem"
        file.write_bytes(armoured("CERTIFICATE", certificate_der))
        return run([openssl, "verify", *link.options, file])

    problems, tolerated = [], []
    for link in links:
        answer = verify(link, link.certificate_der)
        if answer.status != 0:
            problems.append(f"{link.name}: {answer.last_line()}")
        for what, position in (("signature", -1), ("content", len(link.certificate_der) // 3)):
            if verify(link, flipped(link.certificate_der, position)).status == 0:
                tolerated.append(f"{link.name} with another {what}")
    return Verdict(
        judge=JUDGE,
        version=version,
        judged=judged,
        problem="; ".join(problems) or None,
        tampered="each certificate with another signature, with another content",
        tolerated=tuple(tolerated),
    )


def _revocation_list(openssl: str, version: str, exhibits: Exhibits, scratch: Path) -> Verdict:
    issuing, crl = exhibits.trust("rsa-issuing.pem"), scratch / "rsa-issuing.crl.der"
    crl.write_bytes(der(exhibits.trust("rsa-issuing.crl")))
    altered = altered_copy(crl, scratch / "rsa-issuing-altered.crl.der", -1)

    def verified(path: Path) -> bool:
        answer = run([openssl, "crl", "-inform", "DER", "-in", path, "-CAfile", issuing, "-verify", "-noout"])
        return "verify OK" in answer.output

    return Verdict(
        judge=JUDGE,
        version=version,
        judged="signature of the RSA revocation list",
        problem=None if verified(crl) else "the signature of the revocation list does not verify",
        tampered="revocation list with another signature",
        tolerated=("the altered revocation list",) if verified(altered) else (),
    )
