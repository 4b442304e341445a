"""Verifying a sealed document, the whole procedure in one place.

Each step has its number here and beside the code that takes it:

(1) the package can be read, and in one way only (:mod:`ofd.package.zip_read`);
(2) OFD.xml and Document.xml can be read and name the documents, pages and signatures (GB/T 33190-2016 §7);
(3) there is at least one signature;

and for each signature (:mod:`ofd.verify.signature`), of GB/T 38540-2020 §7.3 and GB/T 33190-2016 §18:

(4) Signature.xml and SignedValue.dat can be read, and it is a seal of a known generation
    (:mod:`ofd.verify.seal_value`), a signature without seal or an archive time stamp (:mod:`ofd.verify.sign_value`);
(5) every protected file is there and unchanged;
(6) the seal's data hash is that of Signature.xml;
(7) the seal names this Signature.xml;
(8) the signature value is the signer's over TBS_Sign;
(9) the time: proven by the time stamp, else claimed, and never in the future;
(10) the seal lists the signer's certificate;
(11) the signer's certificate was good at that time: path, period, key usage, revocation;
(12) the seal is its maker's, the maker's certificate was good when it was made, the seal was in its period and not
    withdrawn, and its own time stamp, if it has one, is right;
(13) Seal.esl, where present, is the seal that signed;
(14) the seal is shown on pages that exist;

Signatures without a seal have no steps (7), (10), (12) and (13); a time stamp has no others than (5) and its own.
The last signature is verified first: an archive time stamp that is right proves that what it covers existed at its
time, so older certificates are judged as of then. And for what is shown (:mod:`ofd.verify.coverage`):

(15) everything a reader shows is protected by each signature, OFD.xml leads nowhere else, nothing is missing, and the
    package holds nothing that is neither linked nor protected, and readers that repair what is wrong see the same
    (:mod:`ofd.verify.differential`);
(16) what was added or changed after each signature (:mod:`ofd.verify.changes`).

Every step that belongs to one signature names its ID in the evidence ``signature``. Any input gives a report: what
cannot be read fails step (1), (2) or (4) with the code of the error.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from ofd.package.reader import Package
from ofd.package.source import Source
from ofd.progress import Progress, silent
from ofd.sign.parts import ListedSignature, read_signature_list
from ofd.structure import ROOT, DocumentBody, bodies_of, read_part
from ofd.verify.case import Proof, SignatureForm, SignatureOutcome, add_error
from ofd.verify.changes import SignatureChanges, add_changes, find_changes
from ofd.verify.coverage import check_coverage, check_package
from ofd.verify.differential import add_differences, add_package_differences
from ofd.verify.policy import RevokedSeal, VerificationPolicy
from ofd.verify.reachable import Reachable, find_reachable
from ofd.verify.signature import verify_signature
from ofd.xmlio import Element
from trustcore.errors import MalformedError, TrustError
from trustcore.report import Report, ReportBuilder, Status

__all__ = ["RevokedSeal", "Verification", "VerificationPolicy", "examine", "verify"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The report, and what it was made from: for pictures, other forms of the report and comparisons."""

    report: Report
    package: Package | None = field(default=None, repr=False)
    """``None`` when the file is no sound package."""
    signatures: tuple[SignatureOutcome, ...] = ()
    """In the order of the list."""
    reachable: Reachable | None = None
    """What the document shows; ``None`` when there is no signature to compare it with."""
    changes: tuple[SignatureChanges, ...] = ()
    """For each signature that can be read."""

    @property
    def protected(self) -> frozenset[str]:
        """Entries that every signature of somebody known protects, and that are as they were signed."""
        trusted = [item.intact | item.own for item in self.signatures if item.is_trusted]
        return frozenset.intersection(*trusted) if trusted else frozenset()


def verify(data: bytes | Package | Source, policy: VerificationPolicy, *, progress: Progress = silent) -> Report:
    """Verify every signature of a document and what it covers; see the module for the steps.

    ``facts`` of the report hold, from under a signature whose value is right: ``signer``, ``seal_name``, ``seal_code``,
    ``signed_at`` (RFC 3339), ``signed_at_proven`` (``true`` with a valid time stamp); and, when OFD.xml is protected
    and unchanged, ``title``, ``doc_id`` and each CustomData as ``metadata.<name>``. Facts of a second signature start
    with ``2.``, and so on. An archive time stamp has the one fact ``archived_at``.
    """
    return examine(data, policy, progress=progress).report


def examine(data: bytes | Package | Source, policy: VerificationPolicy, *, progress: Progress = silent) -> Verification:
    """As :func:`verify`, with what was found on the way.

    Args:
        data: the octets of a file, where they are (nothing longer than a few pieces is then held in memory), or a
            package that was opened already.
        policy: trust and time.
        progress: told protected files, of one signature after the other.
    """
    examination = _Examination(policy, progress)
    try:
        examination.run(data)
        if not isinstance(data, bytes | Package):
            data.check_unchanged()
    except TrustError as error:
        add_error(examination.report, error)
        if examination.package is None and not isinstance(data, Package):
            add_package_differences(data, examination.report)
    return examination.result()


class _Examination:
    """The procedure, and how far it came."""

    def __init__(self, policy: VerificationPolicy, progress: Progress) -> None:
        self.policy = policy
        self.progress = progress
        self.report = ReportBuilder("ofd")
        self.package: Package | None = None
        self.trees: dict[str, Element] = {}
        self.outcomes: tuple[SignatureOutcome, ...] = ()
        self.reachable: Reachable | None = None
        self.changes: tuple[SignatureChanges, ...] = ()

    def result(self) -> Verification:
        return Verification(
            report=self.report.build(),
            package=self.package,
            signatures=self.outcomes,
            reachable=self.reachable,
            changes=self.changes,
        )

    def run(self, data: bytes | Package | Source) -> None:
        package = self.package = self._read_package(data)  # (1)
        bodies = self._read_structure(package)  # (2)
        signatures = self._read_signatures(package, bodies)  # (3)
        if not signatures:
            return
        self.outcomes = self._verify_signatures(package, signatures)  # (4) to (14)
        for number, outcome in enumerate(self.outcomes, start=1):
            self.report.extend(outcome.steps, evidence={"signature": outcome.id})
            prefix = "" if number == 1 else f"{number}."
            self.report.facts.update({prefix + name: value for name, value in outcome.facts.items()})
        _check_forms(self.outcomes, self.policy, self.report)
        _check_bases(signatures, self.report)
        reachable = self.reachable = find_reachable(package, self.trees)  # (15)
        for outcome in self.outcomes:
            if outcome.is_readable:
                check_coverage(reachable, bodies, outcome, self.report)
        check_package(package, bodies, reachable, self.outcomes, self.report)
        add_differences(reachable.differences, self.report)
        lists = frozenset(body.signatures for body in bodies if body.signatures)
        self.changes = find_changes(package, self.outcomes, lists)  # (16)
        for changes in self.changes:
            add_changes(changes, self.report)
        signed = [item for item in self.outcomes if item.form in {SignatureForm.SEAL, SignatureForm.SIGN}]
        if any(item.is_sound and ROOT in item.intact for item in signed):
            self.report.facts.update(_document_facts(bodies[0]))

    def _read_package(self, data: bytes | Package | Source) -> Package:
        package = data if isinstance(data, Package) else Package(data)
        if package.prefix_bytes or package.guessed_names:
            raise MalformedError("The package was opened leniently, for drawing.", code="ofd.package.lenient")
        self.report.add(
            Status.PASSED,
            "ofd.package.read",
            zh=f"OFD 包结构完好,共 {len(package.names)} 个文件",
            en=f"The package is sound and holds {len(package.names)} files",
            clause="GB/T 33190-2016 §6.2",
        )
        return package

    def _read_structure(self, package: Package) -> tuple[DocumentBody, ...]:
        self.trees[ROOT] = read_part(package, ROOT, "OFD")
        bodies = bodies_of(self.trees[ROOT])
        with _linked_from_root():
            for body in bodies:
                self.trees[body.document] = read_part(package, body.document, "Document")
        self.report.add(
            Status.PASSED,
            "ofd.structure.read",
            zh="OFD.xml 与 Document.xml 可以读取",
            en="OFD.xml and Document.xml can be read",
            clause="GB/T 33190-2016 §7",
            evidence={f"document_{index}": body.document for index, body in enumerate(bodies)},
        )
        return bodies

    def _read_signatures(
        self, package: Package, bodies: tuple[DocumentBody, ...]
    ) -> tuple[tuple[DocumentBody, ListedSignature], ...]:
        with _linked_from_root():
            found = tuple(
                (body, listed)
                for body in bodies
                if body.signatures is not None
                for listed in read_signature_list(package, body.signatures)
            )
        if not found:
            self.report.add(
                Status.FAILED,
                "ofd.signature.none",
                zh="文件没有加盖电子印章",
                en="The document is not sealed",
                clause="GB/T 33190-2016 §18.1",
                evidence={"entry": " ".join(body.signatures or ROOT for body in bodies)},
            )
        return found

    def _verify_signatures(
        self, package: Package, signatures: Sequence[tuple[DocumentBody, ListedSignature]]
    ) -> tuple[SignatureOutcome, ...]:
        """The last one first, so that archive time stamps are known when what they cover is judged."""
        outcomes: list[SignatureOutcome] = []
        proofs: list[Proof] = []
        for body, listed in reversed(signatures):
            outcome = verify_signature(
                package,
                listed,
                body=body,
                document=self.trees[body.document],
                policy=self.policy,
                proofs=proofs,
                progress=self.progress,
            )
            outcomes.append(outcome)
            if outcome.proof is not None:
                proofs.append(outcome.proof)
        return tuple(reversed(outcomes))


def _check_forms(outcomes: Sequence[SignatureOutcome], policy: VerificationPolicy, report: ReportBuilder) -> None:
    """A time stamp alone says when and not who; a signature without a seal is told, and fails where one is required."""
    forms = {item.form for item in outcomes}
    evidence = {item.id: str(item.form) for item in outcomes}
    if forms == {SignatureForm.ARCHIVE}:
        report.add(
            Status.FAILED,
            "ofd.signature.none",
            zh="文件只有时间戳,没有签名",
            en="The document is time-stamped only: nobody signed it",
            clause="GB/T 33190-2016 §18.1",
            evidence=evidence,
        )
    elif not forms & {SignatureForm.SEAL, SignatureForm.UNKNOWN}:
        report.add(
            Status.FAILED if policy.seal_required else Status.WARNING,
            "ofd.seal.none",
            zh="文件经过签名,但没有加盖电子印章",
            en="The document is signed and bears no seal",
            clause="GB/T 33190-2016 §18.1",
            evidence=evidence,
        )


def _check_bases(signatures: Sequence[tuple[DocumentBody, ListedSignature]], report: ReportBuilder) -> None:
    """A signature that builds on another (``Relative``) counts no more than that one, which is verified with all."""
    ids = {listed.id for _, listed in signatures}
    for _, listed in signatures:
        if listed.relative is not None and (listed.relative not in ids or listed.relative == listed.id):
            report.add(
                Status.INDETERMINATE,
                "ofd.signature.relative",
                zh="签名所依据的签名不存在",
                en="The signature builds on another one that is not there",
                clause="GM/T 0099-2020 §7",
                evidence={"signature": listed.id, "relative": listed.relative},
            )


@contextmanager
def _linked_from_root() -> Iterator[None]:
    """What is missing may be a link that was changed: name the file with the link too."""
    try:
        yield
    except TrustError as error:
        error.facts.setdefault("via", ROOT)
        raise


def _document_facts(body: DocumentBody) -> dict[str, str]:
    facts = {"title": body.title, "doc_id": body.doc_id}
    return {name: value for name, value in facts.items() if value} | {
        f"metadata.{name}": value for name, value in body.metadata.items()
    }
