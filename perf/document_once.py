"""Does one thing to one file, so that the memory of a process is that of the thing: ``document_once.py ACT FILE``.

ACT is ``nothing`` (what the interpreter and the libraries need), ``ofd-seal``, ``ofd-verify``, ``pdf-seal``,
``pdf-verify``, ``pyhanko-seal`` or ``pyhanko-verify``. OFD documents are read and written as files. Prints
``done`` and waits for the end of its input.
"""

import sys
import tempfile
from datetime import timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path += [str(HERE.parent / "tests"), str(HERE.parent / "tests" / "interop")]

import bench_documents  # noqa: E402 - found by the line above
import document_samples  # noqa: E402

from ofd.package.reader import Package  # noqa: E402
from ofd.sign.seal import prepare  # noqa: E402
from ofd.sign.stamps import StampAnnotation  # noqa: E402
from ofd.verify.document import verify  # noqa: E402
from seal_service.pdf.verify import verify_pdf  # noqa: E402


def main() -> None:
    """Do what the command line asks."""
    act, file = sys.argv[1], Path(sys.argv[2])
    sign, validate = bench_documents.pyhanko_peer()
    pki = document_samples.sample_pki()
    if act == "ofd-seal":
        desk = document_samples.Desk(pki)
        with Package.open(file) as package, tempfile.TemporaryDirectory() as folder:
            stamp = StampAnnotation(page=0, x_mm=150, y_mm=230)
            prepared = prepare(package, seal_der=desk.seal, stamps=(stamp,), at=document_samples.AT, crls=pki.crls)
            signature = desk.signer.signer.sign(prepared.to_be_signed)
            prepared.complete_to(Path(folder) / "sealed.ofd", signature, desk.signer.certificate.der)
    elif act == "ofd-verify":
        at = document_samples.AT + timedelta(days=1)
        with Package.open(file) as package:
            verify(package, pki.policy(at=at))
    elif act.startswith("pdf-"):
        pdf_desk = document_samples.PdfDesk.founded()
        if act == "pdf-seal":
            pdf_desk.seal(file.read_bytes())
        else:
            verify_pdf(file.read_bytes(), pdf_desk.policy)
    elif act == "pyhanko-seal":
        sign(file.read_bytes())
    elif act == "pyhanko-verify":
        validate(sign(file.read_bytes()))
    print("done", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
