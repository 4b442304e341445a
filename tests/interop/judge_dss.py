"""The European Commission's DSS judges the RSA PDF, and signs one that ``xinyin pdf verify`` has to accept."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from exhibits import Exhibits, altered_copy
from judge_pdf import altered_pdfs
from maven import MavenProject
from verdict import Verdict, run

PROJECT = MavenProject(folder=Path(__file__).with_name("dss"), version_property="dss.version")
XINYIN = Path(sys.executable).with_name("xinyin")
_PASSWORD = "of-a-test"
_DAY = timedelta(days=1)


def judge(exhibits: Exhibits, scratch: Path) -> list[Verdict]:
    """Judge by ETSI EN 319 102-1 what we signed, and judge with our verifier what DSS signed."""
    scratch = scratch / "dss"
    altered = altered_pdfs(exhibits.licences[0].pdf, scratch)
    tolerated = tuple(name for name, path in altered.items() if _problem(exhibits, path) is None)
    return [
        Verdict(
            judge="EU DSS",
            version=PROJECT.version(),
            judged="PAdES-BASELINE-T PDF: TOTAL_PASSED (EN 319 102-1), RSA chain, CRLs, RFC 3161 stamp, whole file",
            problem=_problem(exhibits, exhibits.licences[0].pdf),
            tampered=", ".join(altered),
            tolerated=tolerated,
        ),
        _exchange(exhibits.licences[0].pdf, scratch),
    ]


def _problem(exhibits: Exhibits, pdf: Path) -> str | None:
    trust = [exhibits.trust(name) for name in ("rsa-root.pem", "rsa-issuing.pem", "rsa-issuing.crl", "rsa-root.crl")]
    answer = run([*PROJECT.command("DssJudge"), pdf, *trust], timeout=180)
    lines = [line for line in answer.printed.splitlines() if line.startswith("{")]
    if not lines:
        return answer.last_line()
    said = json.loads(lines[-1])
    passed = said["indication"] == "TOTAL_PASSED" and said["format"] == "PAdES-BASELINE-T" and said["whole"]
    return None if passed else lines[-1]


def _exchange(licence: Path, scratch: Path) -> Verdict:
    """DSS signs, Xinyin verifies."""
    unsigned = scratch / "unsigned.pdf"
    data = licence.read_bytes()
    unsigned.write_bytes(data[: data.index(b"%%EOF") + len(b"%%EOF\n")])
    root, crl, keys = _foreign_pki(scratch)
    signed = scratch / "signed-by-dss.pdf"
    done = run([*PROJECT.command("DssSigner"), unsigned, keys, _PASSWORD, signed], timeout=180)

    def refused(pdf: Path) -> str | None:
        answer = run([XINYIN, "pdf", "verify", pdf, "--trust", root, "--crl", crl, "--json"])
        return None if answer.status == 0 else answer.output[-300:]

    problem = refused(signed) if signed.is_file() else done.last_line()
    altered = altered_copy(signed, scratch / "altered-by-hand.pdf", len(data) // 4) if signed.is_file() else unsigned
    return Verdict(
        judge="EU DSS",
        version=PROJECT.version(),
        judged="a PDF signed by DSS (PAdES-BASELINE-B, foreign RSA root) is valid for `xinyin pdf verify`",
        problem=problem,
        tampered="page",
        tolerated=("page",) if refused(altered) is None else (),
    )


def _foreign_pki(folder: Path) -> tuple[Path, Path, Path]:
    """Root certificate, its CRL and a signer's PKCS#12, none of them ours."""
    now = datetime.now(UTC)
    issuer_key, key = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
    issuer, subject = (
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in ("Foreign Root", "Foreign Signer")
    )

    def certificate(name: x509.Name, public: rsa.RSAPublicKey, *, ca: bool) -> x509.Certificate:
        usage = x509.KeyUsage(
            digital_signature=not ca,
            content_commitment=not ca,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=ca,
            crl_sign=ca,
            encipher_only=False,
            decipher_only=False,
        )
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + 30 * _DAY)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
            .sign(issuer_key, hashes.SHA256())
        )

    root = certificate(issuer, issuer_key.public_key(), ca=True)
    signer = certificate(subject, key.public_key(), ca=False)
    revoked = x509.CertificateRevocationListBuilder().issuer_name(issuer).last_update(now - _DAY)
    crl = (
        revoked.next_update(now + 7 * _DAY)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(x509.CRLNumber(1), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    files = folder / "root.pem", folder / "root.crl", folder / "signer.p12"
    files[0].write_bytes(root.public_bytes(Encoding.PEM))
    files[1].write_bytes(crl.public_bytes(Encoding.DER))
    protected = BestAvailableEncryption(_PASSWORD.encode())
    files[2].write_bytes(serialize_key_and_certificates(b"signer", key, signer, [root], protected))
    return files
