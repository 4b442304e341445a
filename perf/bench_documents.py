"""Sealing and verifying documents of 1, 10 and 1,000 pages, beside the bare signature, ofdrw and pyHanko."""

import asyncio
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from io import BytesIO
from itertools import cycle, islice
from pathlib import Path

import ofdrw_peer
from bench_licences import simple_signer
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from document_samples import Desk, PdfDesk, ofd_of, pdf_of
from harness import Contender, Memory, Result, measure, peak_of
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import PdfSignatureMetadata, PdfSigner, fields
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from ofd.verify.document import verify
from seal_service.pdf.verify import verify_pdf
from trustcore.crypto import sm2
from trustcore.report import Report, Verdict

from support.ofd_samples import sample_pki, sample_png

HERE = Path(__file__).resolve().parent
PAGES = (1, 10, 1000)
_FEW = 8
"""Different documents of a kind, used in turn, so that nothing read once is taken for read."""
_MANY = 4200
"""Signatures over them, used in turn: more than the product remembers to have verified, so that each is verified."""
SM2_SIGN, SM2_VERIFY, SM2_VERIFY_OWN = "sm2-sign", "sm2-verify", "sm2-verify-own"
RSA_SIGN, RSA_VERIFY = "rsa2048-sign", "rsa2048-verify"

_Engine = Callable[[], None]


def measure_all(*, short: bool) -> Result:
    """Make the documents, start ofdrw, and measure; a thousand pages only in the long run."""
    pages = PAGES[:2] if short else PAGES
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="xinyin-perf-")))
        ofdrw = stack.enter_context(_ofdrw(folder))

        def own() -> None:
            sm2.use_native(folder / "native")

        contenders = [*_floors(own)]
        for count in pages:
            contenders += [*_ofd_rows(folder, ofdrw, count, own), *_pdf_rows(count)]
        if short:
            result = measure("documents", contenders, rounds=3, turn_seconds=0.3)
        else:
            result = measure("documents", contenders, rounds=7, turn_seconds=1.0)
        return replace(result, memory=tuple(_memory(folder, pages)))


def _memory(folder: Path, pages: Sequence[int]) -> Iterator[Memory]:
    """What each of them needs for one document, in a process of its own."""
    nothing = peak_of([sys.executable, str(HERE / "document_once.py"), "nothing", str(folder)])
    loop = [*ofdrw_peer.PROJECT.command("OfdLoop"), str(folder / "seal.png")]
    idle = peak_of(loop, told=f"verify {folder} 0\n")
    desk = PdfDesk.founded()
    for count in pages:
        pdf, sealed_pdf = folder / f"{count}.pdf", folder / f"{count}-sealed.pdf"
        pdf.write_bytes(pdf_of(count))
        sealed_pdf.write_bytes(desk.seal(pdf.read_bytes()))
        files = {
            "ofd-seal": folder / f"{count}.ofd",
            "ofd-verify": folder / f"{count}-sealed.ofd",
            "pdf-seal": pdf,
            "pdf-verify": sealed_pdf,
            "pyhanko-seal": pdf,
            "pyhanko-verify": pdf,
        }
        for act, file in files.items():
            peak = peak_of([sys.executable, str(HERE / "document_once.py"), act, str(file)])
            yield Memory(name=f"{act}-{count}", peak_mb=round(peak, 1), above_nothing_mb=round(peak - nothing, 1))
        for act in ("seal", "verify"):
            peak = peak_of(loop, told=f"{act} {files[f'ofd-{act}']} 1\n")
            yield Memory(name=f"ofdrw-{act}-{count}", peak_mb=round(peak, 1), above_nothing_mb=round(peak - idle, 1))


def _floors(own: _Engine) -> Iterator[Contender]:
    private, point = sm2.generate()
    digest = bytes(range(32))
    signature = sm2.sign_digest(private, digest)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    signed = key.sign(digest, padding.PKCS1v15(), hashes.SHA256())
    public = key.public_key()

    def again(once: Callable[[], object], engine: _Engine = sm2.use_libcrypto) -> Callable[[int], None]:
        def run(operations: int) -> None:
            engine()
            for _ in range(operations):
                once()

        return run

    yield Contender(name=SM2_SIGN, run=again(lambda: sm2.sign_digest(private, digest)))
    yield Contender(name=SM2_VERIFY, run=again(lambda: sm2.verify_digest(point, digest, signature)))
    yield Contender(name=SM2_VERIFY_OWN, run=again(lambda: sm2.verify_digest(point, digest, signature), own))
    yield Contender(name=RSA_SIGN, run=again(lambda: key.sign(digest, padding.PKCS1v15(), hashes.SHA256())))
    yield Contender(
        name=RSA_VERIFY, run=again(lambda: public.verify(signed, digest, padding.PKCS1v15(), hashes.SHA256()))
    )


def _ofd_rows(folder: Path, ofdrw: "_Ofdrw", pages: int, own: _Engine) -> Iterator[Contender]:
    desk = Desk(sample_pki())
    few, many = (_FEW, _MANY) if pages < 1000 else (2, 2)
    documents = [ofd_of(pages) for _ in range(few)]
    own()
    sealed = [desk.seal_ofd(document) for document in islice(cycle(documents), many)]
    waiting = cycle(sealed)
    unsealed_file, sealed_file = folder / f"{pages}.ofd", folder / f"{pages}-sealed.ofd"
    unsealed_file.write_bytes(documents[0])
    sealed_file.write_bytes(sealed[0])

    def checked(package: bytes) -> None:
        _demand_valid(verify(package, desk.policy))

    peer_seal, peer_verify = f"ofdrw-seal-{pages}", f"ofdrw-verify-{pages}"
    yield Contender(
        name=f"ofd-seal-{pages}", run=_turns(cycle(documents), desk.seal_ofd, own), floor=SM2_SIGN, peer=peer_seal
    )
    yield Contender(
        name=f"ofd-verify-{pages}",
        run=_turns(waiting, checked, sm2.use_libcrypto),
        floor=SM2_VERIFY,
        peer=peer_verify,
    )
    yield Contender(
        name=f"ofd-verify-own-{pages}", run=_turns(waiting, checked, own), floor=SM2_VERIFY_OWN, peer=peer_verify
    )
    yield Contender(name=peer_seal, run=ofdrw.doing("seal", unsealed_file))
    yield Contender(name=peer_verify, run=ofdrw.doing("verify", sealed_file))


def _pdf_rows(pages: int) -> Iterator[Contender]:
    desk = PdfDesk.founded()
    documents = [pdf_of(pages) for _ in range(2)]
    sealed = [desk.seal(document) for document in islice(cycle(documents), _MANY if pages < 1000 else 2)]
    peer_seal, peer_verify = f"pyhanko-seal-{pages}", f"pyhanko-verify-{pages}"

    def checked(pdf: bytes) -> None:
        _demand_valid(verify_pdf(pdf, desk.policy))

    yield Contender(name=f"pdf-seal-{pages}", run=_turns(cycle(documents), desk.seal), floor=RSA_SIGN, peer=peer_seal)
    yield Contender(name=f"pdf-verify-{pages}", run=_turns(cycle(sealed), checked), floor=RSA_VERIFY, peer=peer_verify)
    sign, validate = pyhanko_peer()
    yield Contender(name=peer_seal, run=_turns(cycle(documents), sign))
    yield Contender(name=peer_verify, run=_turns(cycle((sign(documents[0]),)), validate))


def _turns(
    waiting: Iterator[bytes], act: Callable[[bytes], object], engine: _Engine = sm2.use_libcrypto
) -> Callable[[int], None]:
    def run(operations: int) -> None:
        engine()
        for _ in range(operations):
            act(next(waiting))

    return run


def _demand_valid(report: Report) -> None:
    if report.verdict is not Verdict.VALID:
        raise SystemExit(f"a document did not verify: {[step.code for step in report.problems]}")


class _Ofdrw:
    """A running Java process that seals and verifies when it is told to."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def doing(self, act: str, file: Path) -> Callable[[int], None]:
        """What the harness calls."""

        def run(operations: int) -> None:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(f"{act} {file} {operations}\n")
            self._process.stdin.flush()
            if self._process.stdout.readline() != "done\n":
                raise SystemExit(f"ofdrw did not {act} {file.name}")

        return run


@contextmanager
def _ofdrw(folder: Path) -> Iterator[_Ofdrw]:
    picture = folder / "seal.png"
    picture.write_bytes(sample_png())
    with subprocess.Popen(
        [*ofdrw_peer.PROJECT.command("OfdLoop"), str(picture)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield _Ofdrw(process)
        assert process.stdin is not None
        process.stdin.close()


def pyhanko_peer() -> tuple[Callable[[bytes], bytes], Callable[[bytes], None]]:
    """A PAdES B-B signature and its validation by pyHanko; its certificate is its own root."""
    signer = simple_signer("pyHanko")
    metadata = PdfSignatureMetadata(field_name="Seal", subfilter=fields.SigSeedSubFilter.PADES, md_algorithm="sha256")
    trust = ValidationContext(trust_roots=[signer.signing_cert], allow_fetching=False)

    def sign(pdf: bytes) -> bytes:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            writer = IncrementalPdfFileWriter(BytesIO(pdf))
            signed = asyncio.run(PdfSigner(metadata, signer=signer).async_sign_pdf(writer))
            return bytes(signed.getvalue())

    def validate(pdf: bytes) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            status = validate_pdf_signature(PdfFileReader(BytesIO(pdf)).embedded_signatures[0], trust)
            if not status.intact:
                raise SystemExit("pyHanko does not accept its own signature")

    return sign, validate
