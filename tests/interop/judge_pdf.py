"""``pdfsig`` (poppler, NSS) and pyHanko's validator judge the RSA PDF."""

import importlib.metadata
import logging
import re
import warnings
from pathlib import Path

from asn1crypto import crl as asn1_crl
from asn1crypto import x509
from exhibits import Exhibits, altered_copy, der, first_signature
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko_certvalidator import ValidationContext
from verdict import Verdict, need, run

NSS = "libnss3-tools"


def judge_pdfsig(exhibits: Exhibits, scratch: Path) -> list[Verdict]:
    """Judge the signature and its chain with poppler, trusting only the RSA root."""
    pdfsig, certutil = need("pdfsig", "poppler-utils"), need("certutil", NSS)
    version = run([pdfsig, "-v"]).output.split()[2]
    store = scratch / "nss"
    store.mkdir(parents=True, exist_ok=True)
    run([certutil, "-N", "-d", f"sql:{store}", "--empty-password"])
    root = exhibits.trust("rsa-root.pem")
    imported = run([certutil, "-A", "-d", f"sql:{store}", "-n", "rsa-root", "-t", "C,C,C", "-a", "-i", root])
    if imported.status != 0:
        message = f"certutil cannot import the RSA root: {imported.last_line()}"
        raise RuntimeError(message)

    def problem_of(pdf: Path, *, trusting: Path = store) -> str | None:
        answer = run([pdfsig, "-nssdir", f"sql:{trusting}", "-no-ocsp", pdf])
        wanted = ("Signature is Valid.", "Certificate is Trusted.", "Total document signed")
        absent = [words for words in wanted if words not in answer.output]
        said = re.findall(r"- ((?:Signature|Certificate) Validation: .*)", answer.output)
        return f"{'; '.join(said) or answer.last_line()} (missing: {', '.join(absent)})" if absent else None

    pdf = exhibits.licences[0].pdf
    altered = altered_pdfs(pdf, scratch / "pdfsig")
    tolerated = [name for name, path in altered.items() if problem_of(path) is None]
    stranger = scratch / "nss-empty"
    stranger.mkdir(exist_ok=True)
    run([certutil, "-N", "-d", f"sql:{stranger}", "--empty-password"])
    if problem_of(pdf, trusting=stranger) is None:
        tolerated.append("the same file without the root")
    return [
        Verdict(
            judge="pdfsig",
            version=version,
            judged="PAdES PDF: signature valid, chain to the RSA root trusted, total document signed (no revocation)",
            problem=problem_of(pdf),
            tampered=f"{', '.join(altered)}, without the root",
            tolerated=tuple(tolerated),
        )
    ]


def judge_pyhanko(exhibits: Exhibits, scratch: Path) -> list[Verdict]:
    """Judge signature, chain with revocation required, and time stamp with pyHanko's validator."""
    logging.getLogger("pyhanko").setLevel(logging.CRITICAL)  # it logs what it refuses, which is asked for here
    logging.getLogger("pyhanko_certvalidator").setLevel(logging.CRITICAL)
    pdf = exhibits.licences[0].pdf
    altered = altered_pdfs(pdf, scratch / "pyhanko")
    tolerated = tuple(name for name, path in altered.items() if _problem(exhibits, path) is None)
    return [
        Verdict(
            judge="pyHanko",
            version=importlib.metadata.version("pyhanko"),
            judged="PAdES B-T PDF: signature, whole file covered, RSA chain with CRLs (hard-fail), RFC 3161 time stamp",
            problem=_problem(exhibits, pdf),
            tampered=", ".join(altered),
            tolerated=tolerated,
        )
    ]


def altered_pdfs(pdf: Path, folder: Path) -> dict[str, Path]:
    """Copies of a signed PDF with one thing altered each, by what it is."""
    data = pdf.read_bytes()
    folder.mkdir(parents=True, exist_ok=True)
    appended = folder / "appended.pdf"
    appended.write_bytes(data + b"\n% more\n%%EOF\n")
    with pdf.open("rb") as stream:
        value = first_signature(PdfFileReader(stream)).signer_info["signature"].native.hex().encode()
    # One hexadecimal digit in the middle of the signature value, in whichever case the file has it.
    place = data.lower().rindex(value) + len(value) // 2
    swapped = folder / "signature.pdf"
    swapped.write_bytes(data[:place] + (b"1" if data[place : place + 1] != b"1" else b"2") + data[place + 1 :])
    return {
        "page": altered_copy(pdf, folder / "page.pdf", len(data) // 4),
        "signature": swapped,
        "bytes added at the end": appended,
    }


def _problem(exhibits: Exhibits, path: Path) -> str | None:
    """What pyHanko finds wrong with the first signature."""
    try:
        with path.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            signature = first_signature(PdfFileReader(stream))
            status = validate_pdf_signature(
                signature,
                _context(exhibits, signature.signed_data),
                _context(exhibits, signature.signed_data),
            )
    except (PdfError, SignatureValidationError, ValueError, IndexError) as error:
        return f"{type(error).__name__}: {error}"
    stamp = status.timestamp_validity
    found = {
        "intact": status.intact,
        "valid": status.valid,
        "trusted": status.trusted,
        "whole file": status.coverage.name == "ENTIRE_FILE",
        "time stamp": stamp is not None and stamp.intact and stamp.valid and stamp.trusted,
        "bottom line": status.bottom_line,
    }
    wrong = [name for name, is_right in found.items() if not is_right]
    return f"not {', not '.join(wrong)}" if wrong else None


def _context(exhibits: Exhibits, signed_data: object) -> ValidationContext:
    """The RSA root, and the revocation lists of ``trust/`` and of the signature itself (RFC 5652 §5.1)."""
    lists = [asn1_crl.CertificateList.load(der(exhibits.trust("rsa-issuing.crl")))]
    for entry in signed_data["crls"] or ():  # type: ignore[index]
        lists.append(entry.chosen)  # noqa: PERF401
    return ValidationContext(
        trust_roots=[x509.Certificate.load(der(exhibits.trust("rsa-root.pem")))],
        other_certs=[x509.Certificate.load(der(exhibits.trust("rsa-issuing.pem")))],
        crls=lists,
        revocation_mode="hard-fail",
        allow_fetching=False,
        retroactive_revinfo=True,
    )
