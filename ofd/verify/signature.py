"""Steps (4) to (14) of :mod:`ofd.verify.document`: one signature of a document."""

from collections.abc import Sequence
from math import isfinite

from ofd.package.reader import Package
from ofd.progress import Progress, silent
from ofd.sign.parts import ListedSignature, read_signature
from ofd.structure import DocumentBody, page_names
from ofd.verify.case import Case, Evidence, Proof, SignatureForm, SignatureOutcome, add_error
from ofd.verify.policy import VerificationPolicy
from ofd.verify.references import ReferenceCheck, check_references, digest_algorithm, is_weak
from ofd.verify.seal_value import SealedValue, read_sealed_value, verify_sealed_value
from ofd.verify.sign_value import (
    ArchiveValue,
    SignedValue,
    archive_name,
    archived_evidence,
    read_signed_value,
    verify_archive,
    verify_signed_value,
)
from ofd.xmlio import Element
from trustcore.errors import TrustError
from trustcore.report import ReportBuilder, Status

__all__ = ["verify_signature"]

_OFD_CLAUSE = "GB/T 33190-2016 §18.2"
_NAMED = 100
"""How many entries are named one by one."""


def verify_signature(
    package: Package,
    listed: ListedSignature,
    *,
    body: DocumentBody,
    document: Element,
    policy: VerificationPolicy,
    proofs: Sequence[Proof] = (),
    progress: Progress = silent,
) -> SignatureOutcome:
    """Verify one signature.

    Args:
        package: the document.
        listed: its entry in Signatures.xml.
        body: the document it belongs to.
        document: the root element of its Document.xml.
        policy: trust and time.
        proofs: the archive time stamps that were found right so far; those that cover this signature count.
        progress: told protected files.
    """
    report = ReportBuilder("ofd")
    if listed.type not in {"Seal", "Sign"}:
        report.add(
            Status.FAILED,
            "ofd.signature.type",
            zh="签名类型不正确",
            en="There is no such type of signature",
            clause="GB/T 33190-2016 §18.1",
            evidence={"type": listed.type, "entry": body.signatures or ""},
        )
        return _unreadable(package, listed, report)
    # (4) what there is to verify
    entry = listed.name
    evidence = Evidence(
        intermediates=policy.intermediates, crls=policy.crls, ocsp_responses=policy.ocsp_responses
    )  # fmt: skip
    try:
        xml = package.read(entry)
        description = read_signature(xml, name=entry)
        entry = description.signed_value
        covering = [item for item in proofs if {listed.name, description.signed_value} <= item.intact]
        evidence = archived_evidence(package, listed.name).joined(evidence)
        for proof in covering:
            evidence = evidence.joined(proof.evidence)
        case = Case(
            listed=listed,
            package=package,
            body=body,
            document=document,
            policy=policy,
            report=report,
            xml=xml,
            description=description,
            evidence=evidence,
            progress=progress,
            exists_since=min((item.at for item in covering), default=None),
        )
        data = package.read(entry)
        value = read_sealed_value(data, evidence) if listed.type == "Seal" else read_signed_value(data, case)
        return _verify_case(case, value)
    except TrustError as error:
        add_error(report, error, entry=entry, via=f"{body.signatures} {listed.name}")
        return _unreadable(package, listed, report)


def _verify_case(case: Case, value: SealedValue | SignedValue | ArchiveValue) -> SignatureOutcome:
    form = {SealedValue: SignatureForm.SEAL, SignedValue: SignatureForm.SIGN, ArchiveValue: SignatureForm.ARCHIVE}
    _note_read(case, value)
    references = _check_references(case)  # (5)
    proof: Proof | None = None
    if isinstance(value, SealedValue):
        sound, facts = verify_sealed_value(case, value)  # (6) to (13)
    elif isinstance(value, SignedValue):
        sound, facts = verify_signed_value(case, value)
    else:
        sound, facts, proof = verify_archive(case, value, intact=references.intact if references.is_right else ())
    _check_stamps(case, needed=isinstance(value, SealedValue))  # (14)
    if case.description.stamps and case.description.seal is not None and not isinstance(value, SealedValue):
        # Anybody has the seal of another document: it counts inside the value of a seal's signature only.
        texts = ("签名不含印章,却显示了印章文件", "The signature has no seal in it and shows a seal that is another's")
        case.check(False, "ofd.seal.borrowed", texts, "GB/T 33190-2016 §18.2.3", entry=case.description.seal)
    protected = frozenset(
        {*(item.name for item in case.description.references), case.name, case.description.signed_value}
    )
    own = {case.name, case.description.signed_value}
    own.update({archive_name(case.name)} & protected)  # what was added later belongs to nobody
    if isinstance(value, SealedValue) and case.description.seal is not None:
        own.add(case.description.seal)  # step (13) has compared it
    return SignatureOutcome(
        id=case.id,
        form=form[type(value)],
        is_sound=sound,
        protected=protected,
        intact=frozenset(references.intact),
        changed=frozenset((*references.changed, *references.missing, *references.damaged)),
        own=frozenset(own),
        facts=facts if sound else {},
        steps=case.report.steps,
        proof=proof,
    )


def _note_read(case: Case, value: SealedValue | SignedValue | ArchiveValue) -> None:
    variants = value.signature.variants if isinstance(value, SealedValue) else value.variants
    told = {"variants": " ".join(variants)} if variants else {}
    if isinstance(value, SealedValue):
        texts = ("签名描述文件与电子签章数据可以读取", "Signature.xml and the seal's signature can be read")
        told["version"] = str(value.signature.to_be_signed.version)
    elif isinstance(value, SignedValue):
        texts = ("签名描述文件与数字签名可以读取", "Signature.xml and the digital signature can be read")
    else:
        texts = ("签名描述文件与存档时间戳可以读取", "Signature.xml and the archive time stamp can be read")
    case.check(True, "ofd.signature.read", texts, "GB/T 38540-2020 §7.3 a)", **told)


def _unreadable(package: Package, listed: ListedSignature, report: ReportBuilder) -> SignatureOutcome:
    """A signature that could not be read, and its files as far as they can be told."""
    folder = listed.name[: listed.name.rfind("/") + 1]
    own = frozenset(name for name in package.names if folder and name.startswith(folder))
    return SignatureOutcome(id=listed.id, form=SignatureForm.UNKNOWN, own=own, steps=report.steps)


def _check_references(case: Case) -> ReferenceCheck:
    """Step (5). Names every entry that is not as it was sealed."""
    method = case.description.check_method
    algorithm = digest_algorithm(method)
    nothing = ReferenceCheck(intact=(), changed=(), missing=(), damaged=(), repeated=())
    if algorithm is None:
        weak = is_weak(method)
        case.note(
            Status.FAILED if weak else Status.INDETERMINATE,
            "ofd.reference.method",
            (f"摘要算法 {method} 不可接受", f"The digest method {method} is {'broken' if weak else 'not known'}"),
            _OFD_CLAUSE,
            method=method,
        )
        return nothing
    result = check_references(case.package, case.description.references, algorithm, progress=case.progress)
    for names, code, zh, en in (
        (result.changed, "ofd.reference.digest", "被改动", "was changed after it was sealed"),
        (result.missing, "ofd.reference.missing", "被移除", "was sealed and is missing"),
        (result.damaged, "ofd.reference.damaged", "已损坏", "is damaged"),
        (result.repeated, "ofd.reference.repeated", "被重复列出", "is listed twice"),
    ):
        for name in names[:_NAMED]:
            texts = (f"文件 {name} {zh}", f"The file {name} {en}")
            case.check(False, code, texts, _OFD_CLAUSE, entry=name)
        if len(names) > _NAMED:
            texts = (f"共有 {len(names)} 个文件{zh}", f"There are {len(names)} such files: each {en}")
            case.check(False, code, texts, _OFD_CLAUSE, count=str(len(names)))
    if result.is_right:
        count = len(result.intact)
        texts = (f"受保护的 {count} 个文件均未改动", f"All {count} protected files are unchanged")
        case.check(True, "ofd.reference.digest", texts, _OFD_CLAUSE, method=method)
    elif not case.description.references:
        texts = ("签名没有保护任何文件", "The signature protects no file")
        case.check(False, "ofd.reference.none", texts, _OFD_CLAUSE)
    return result


def _check_stamps(case: Case, *, needed: bool) -> None:
    """Step (14). A digital signature may be shown on no page; a seal that is not shown is told."""
    stamps = case.description.stamps
    if not stamps and not needed:
        return
    try:
        pages = page_names(case.document, holder=case.body.document)
    except TrustError as error:
        add_error(case.report, error)
        return
    lost = sorted({stamp.page_id for stamp in stamps} - set(pages))
    if not stamps:
        texts = ("印章没有显示在任何页面上", "The seal is not shown on any page")
        case.note(Status.WARNING, "ofd.stamp.none", texts, "GB/T 33190-2016 §18.2.3")
        return
    case.check(
        not lost,
        "ofd.stamp.page",
        ("印章显示在存在的页面上", "The seal is shown on pages of the document")
        if not lost
        else ("印章所在的页面不存在", "The seal is shown on a page that does not exist"),
        "GB/T 33190-2016 §18.2.3",
        **{f"page_{page}": "missing" for page in lost},
    )
    unseen = [
        stamp.id for stamp in stamps if not _has_area(stamp.boundary) or (stamp.clip and not _has_area(stamp.clip))
    ]
    if unseen:
        texts = ("印章的位置无法显示", "The place of a seal cannot be shown: readers draw it elsewhere or not at all")
        case.note(Status.WARNING, "ofd.stamp.place", texts, "GB/T 33190-2016 §18.2.3", stamps=" ".join(unseen))


def _has_area(box: str) -> bool:
    """Whether this is a box (x, y, width, height) that shows something."""
    try:
        _, _, width, height = numbers = [float(value) for value in box.split()]
    except ValueError:
        return False
    return all(map(isfinite, numbers)) and width > 0 and height > 0
