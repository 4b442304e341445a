"""Verifying a sealed document, the whole procedure in one place.

Each step has its number here and beside the code that takes it:

(1) the package can be read, and in one way only (:mod:`ofd.package.zip_read`);
(2) OFD.xml and Document.xml can be read and name the documents, pages and signatures (GB/T 33190-2016 §7);
(3) there is at least one signature;

and for each signature (:mod:`ofd.verify.signature`), of GB/T 38540-2020 §7.3 and GB/T 33190-2016 §18:

(4) Signature.xml and SignedValue.dat can be read, and it is a seal of a known generation;
(5) every protected file is there and unchanged;
(6) the seal's data hash is that of Signature.xml;
(7) the seal names this Signature.xml;
(8) the signature value is the signer's over TBS_Sign;
(9) the time: proven by the time stamp, else claimed, and never in the future;
(10) the seal lists the signer's certificate;
(11) the signer's certificate was good at that time: path, period, key usage, revocation;
(12) the seal is its maker's, the maker's certificate was good when it was made, and the seal was in its period;
(13) Seal.esl, where present, is the seal that signed;
(14) the seal is shown on pages that exist;

and for what is shown (:mod:`ofd.verify.coverage`):

(15) everything a reader shows is protected by each signature, OFD.xml leads nowhere else, nothing is missing, and the
    package holds nothing that is neither linked nor protected.

Any input gives a report: what cannot be read fails step (1), (2) or (4) with the code of the error.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from ofd.package.reader import Package
from ofd.sign.parts import ListedSignature, read_signature_list
from ofd.structure import ROOT, DocumentBody, read_bodies, read_part
from ofd.verify.coverage import check_coverage, check_package
from ofd.verify.policy import VerificationPolicy
from ofd.verify.reachable import find_reachable
from ofd.verify.signature import SignatureOutcome, add_error, verify_signature
from trustcore.errors import TrustError
from trustcore.report import Report, ReportBuilder, Status

__all__ = ["VerificationPolicy", "verify"]


def verify(data: bytes, policy: VerificationPolicy) -> Report:
    """Verify every signature of a document and what it covers; see the module for the steps.

    ``facts`` of the report hold, from under a signature whose value is right: ``signer``, ``seal_name``, ``seal_code``,
    ``signed_at`` (RFC 3339), ``signed_at_proven`` (``true`` with a valid time stamp); and, when OFD.xml is protected
    and unchanged, ``title``, ``doc_id`` and each CustomData as ``metadata.<name>``. Facts of a second signature start
    with ``2.``, and so on.
    """
    report = ReportBuilder("ofd")
    try:
        _verify(data, policy, report)
    except TrustError as error:
        add_error(report, error)
    return report.build()


def _verify(data: bytes, policy: VerificationPolicy, report: ReportBuilder) -> None:
    # (1) the package
    package = Package(data)
    report.add(
        Status.PASSED,
        "ofd.package.read",
        zh=f"OFD 包结构完好,共 {len(package.names)} 个文件",
        en=f"The package is sound and holds {len(package.names)} files",
        clause="GB/T 33190-2016 §6.2",
    )
    # (2) the documents
    bodies = read_bodies(package)
    with _linked_from_root():
        for body in bodies:
            read_part(package, body.document, "Document")
    report.add(
        Status.PASSED,
        "ofd.structure.read",
        zh="OFD.xml 与 Document.xml 可以读取",
        en="OFD.xml and Document.xml can be read",
        clause="GB/T 33190-2016 §7",
        evidence={f"document_{index}": body.document for index, body in enumerate(bodies)},
    )
    # (3) the signatures
    with _linked_from_root():
        signatures = _signatures(package, bodies)
    if not signatures:
        report.add(
            Status.FAILED,
            "ofd.signature.none",
            zh="文件没有加盖电子印章",
            en="The document is not sealed",
            clause="GB/T 33190-2016 §18.1",
            evidence={"entry": " ".join(body.signatures or ROOT for body in bodies)},
        )
        return
    outcomes: list[SignatureOutcome] = []
    for number, (body, listed) in enumerate(signatures, start=1):
        # (4) to (14)
        outcome = verify_signature(package, listed, body=body, policy=policy, report=report)
        outcomes.append(outcome)
        prefix = "" if number == 1 else f"{number}."
        report.facts.update({prefix + name: value for name, value in outcome.facts.items()})
    # (15) what is shown
    reachable = find_reachable(package)
    for outcome in outcomes:
        if outcome.is_seal:
            check_coverage(reachable, bodies, outcome, report)
    check_package(package, bodies, reachable, outcomes, report)
    if any(outcome.is_sound and ROOT in outcome.intact for outcome in outcomes):
        report.facts.update(_document_facts(bodies[0]))


@contextmanager
def _linked_from_root() -> Iterator[None]:
    """What is missing may be a link that was changed: name the file with the link too."""
    try:
        yield
    except TrustError as error:
        error.facts.setdefault("via", ROOT)
        raise


def _signatures(package: Package, bodies: tuple[DocumentBody, ...]) -> tuple[tuple[DocumentBody, ListedSignature], ...]:
    return tuple(
        (body, listed)
        for body in bodies
        if body.signatures is not None
        for listed in read_signature_list(package, body.signatures)
    )


def _document_facts(body: DocumentBody) -> dict[str, str]:
    facts = {"title": body.title, "doc_id": body.doc_id}
    return {name: value for name, value in facts.items() if value} | {
        f"metadata.{name}": value for name, value in body.metadata.items()
    }
