"""Licences issued per second, end to end, beside the bare signature and beside pyHanko."""

import asyncio
import secrets
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import count, cycle
from pathlib import Path

from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from harness import Contender, Result, measure
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import PdfSignatureMetadata, PdfSigner, SimpleSigner, fields, timestamps
from pyhanko_certvalidator.registry import SimpleCertificateStore

from licence_service.batch import TOGETHER
from licence_service.core.licence import Form
from licence_service.core.record import LicenceRecord
from licence_service.core.request import IssueRequest
from licence_service.core.rows import read_rows
from trustapp.demo.founding import found_hierarchies, make_department_seal
from trustapp.settings import Settings
from trustapp.wiring import Suite, open_suite
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.errors import TrustError
from trustcore.signing import Signer

ROWS = Path(__file__).resolve().parents[1] / "samples" / "business-licences.csv"
SM2_POOL, SM2_LIBCRYPTO, RSA_POOL, PEER = (
    "SM2 signature, pool",
    "SM2 signature, libcrypto",
    "RSA signature, pool",
    "pyHanko, PAdES B-T",
)


def measure_all(*, short: bool) -> Result:
    """Open a fresh installation in a temporary folder and measure in it."""
    with _installation() as suite:
        records = [row.record for row in read_rows(ROWS.read_bytes()).rows]
        unsealed = _first_revision(_issue_one(suite, records[0]))
        contenders = [
            Contender(name="OFD and PDF", run=_issuer(suite, records, (Form.OFD, Form.PDF)), floor=SM2_POOL, peer=PEER),
            Contender(name="OFD only", run=_issuer(suite, records, (Form.OFD,)), floor=SM2_POOL, peer=PEER),
            Contender(name="PDF only", run=_issuer(suite, records, (Form.PDF,)), floor=RSA_POOL, peer=PEER),
            Contender(
                name="OFD only, one by one",
                run=_issuer(suite, records, (Form.OFD,), together=1),
                floor=SM2_POOL,
                peer=PEER,
            ),
            Contender(name=SM2_POOL, run=_signatures(_signer(suite, KeyAlgorithm.SM2))),
            Contender(name=SM2_LIBCRYPTO, run=_libcrypto()),
            Contender(name=RSA_POOL, run=_signatures(_signer(suite, KeyAlgorithm.RSA_2048))),
            Contender(name=PEER, run=_pyhanko(unsealed)),
        ]
        if short:
            return measure("licences", contenders, rounds=3, turn_seconds=0.5)
        return measure("licences", contenders, rounds=9, turn_seconds=2.0)


@contextmanager
def _installation() -> Iterator[Suite]:
    """Three software machines, both hierarchies and the department's seal, in a folder that goes away."""
    with (
        tempfile.TemporaryDirectory(prefix="xinyin-perf-") as folder,
        open_suite(Settings(data_dir=Path(folder))) as suite,
    ):
        found_hierarchies(suite, lambda _step: None)
        make_department_seal(suite)
        yield suite


def _issue_one(suite: Suite, record: LicenceRecord) -> bytes:
    licence = suite.licences.issue(record, request_id="perf-first", forms=(Form.PDF,), actor="perf")
    return suite.licences.document(licence.identifier, Form.PDF)


def _issuer(
    suite: Suite, records: Sequence[LicenceRecord], forms: tuple[Form, ...], *, together: int = TOGETHER
) -> Callable[[int], None]:
    """Every operation is a new licence: the next row, under a request id that was never used.

    ``together`` licences share their transactions, as the rows of a file do.
    """
    rows, numbers, run_id = cycle(records), count(), secrets.token_hex(4)

    def run(operations: int) -> None:
        requests = [
            IssueRequest(
                record=next(rows), request_id=f"perf-{run_id}-{next(numbers)}", forms=forms, actor="perf"
            )
            for _ in range(operations)
        ]  # fmt: skip
        for start in range(0, operations, together):
            for answer in suite.licences.issue_many(requests[start : start + together]):
                if isinstance(answer, TrustError):
                    raise answer

    return run


def _signer(suite: Suite, algorithm: KeyAlgorithm) -> Signer:
    return suite.hsm.signer(suite.hsm.generate(f"perf-{algorithm}", algorithm))


def _signatures(signer: Signer) -> Callable[[int], None]:
    digest = secrets.token_bytes(32)

    def run(operations: int) -> None:
        for _ in range(operations):
            signer.sign_digest(digest)

    return run


def _libcrypto() -> Callable[[int], None]:
    private_key, _ = sm2.generate()
    digest = secrets.token_bytes(32)

    def run(operations: int) -> None:
        for _ in range(operations):
            sm2.sign_digest(private_key, digest)

    return run


def _first_revision(pdf: bytes) -> bytes:
    """The licence as it was before it was sealed: what stands up to the first end-of-file mark."""
    end = pdf.index(b"%%EOF") + len(b"%%EOF\n")
    return pdf[:end]


def _pyhanko(pdf: bytes) -> Callable[[int], None]:
    """A PAdES B-T signature by pyHanko on the same PDF; the key is in memory and the time stamp made in process."""
    signer = simple_signer("pyHanko")
    stamper = timestamps.DummyTimeStamper(signer.signing_cert, signer.signing_key, signer.cert_registry)
    metadata = PdfSignatureMetadata(field_name="Seal", subfilter=fields.SigSeedSubFilter.PADES, md_algorithm="sha256")

    def run(operations: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(operations):
                writer = IncrementalPdfFileWriter(BytesIO(pdf))
                asyncio.run(PdfSigner(metadata, signer=signer, timestamper=stamper).async_sign_pdf(writer))

    return run


def simple_signer(common_name: str) -> SimpleSigner:
    """A pyHanko signer with an RSA-2048 key in memory and a certificate that it signed itself."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    key_der = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return SimpleSigner(
        signing_cert=asn1_x509.Certificate.load(certificate.public_bytes(serialization.Encoding.DER)),
        signing_key=asn1_keys.PrivateKeyInfo.load(key_der),
        cert_registry=SimpleCertificateStore(),
    )
