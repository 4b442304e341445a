"""Steps (4) to (14) of :mod:`ofd.verify.document`: one signature of a document."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ofd.package.loc import absolute
from ofd.package.reader import Package
from ofd.ses.structure import SealSignature
from ofd.ses.verify import is_signed_by, verify_seal
from ofd.sign.parts import ListedSignature, SignatureDescription, read_signature
from ofd.structure import DocumentBody, page_names, read_part
from ofd.verify.policy import VerificationPolicy
from ofd.verify.references import ReferenceCheck, check_references, digest_algorithm, is_weak
from ofd.verify.signing_time import SigningTime, establish_time
from trustcore.crypto.algorithms import DigestAlgorithm, signature_by_oid
from trustcore.crypto.digests import digest
from trustcore.errors import TrustError
from trustcore.report import ReportBuilder, Status
from trustcore.x509.certificate import Certificate
from trustcore.x509.chain import KeyPurpose, validate_chain

__all__ = ["SignatureOutcome", "add_error", "verify_signature"]

_OFD_CLAUSE = "GB/T 33190-2016 §18.2"
_NAMED = 100
"""How many entries are named one by one."""
_NOT_JUDGED = frozenset({"ofd.ses.version"})
"""Codes of errors that say the product does not know a form, not that the form is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureOutcome:
    """What the coverage needs to know of a signature."""

    id: str
    is_seal: bool
    is_sound: bool = False
    """Whether data hash and signature value are right."""
    protected: frozenset[str] = frozenset()
    """Entries whose content this signature fixes; a change of one of them fails step (5)."""
    intact: frozenset[str] = frozenset()
    """Those that are as they were sealed."""
    own: frozenset[str] = frozenset()
    """Signature.xml, SignedValue.dat and Seal.esl."""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One signature while it is verified."""

    id: str
    name: str
    """Entry name of Signature.xml."""
    package: Package
    body: DocumentBody
    policy: VerificationPolicy
    report: ReportBuilder
    xml: bytes
    description: SignatureDescription
    signature: SealSignature
    signer: Certificate
    intermediates: tuple[Certificate, ...]
    crls: tuple[bytes, ...]

    def check(self, ok: bool, code: str, texts: tuple[str, str], clause: str, **evidence: str) -> bool:
        """Append a step, its texts Chinese then English, and the signature's ID among the evidence."""
        zh, en = texts
        return self.report.check(ok, code, zh=zh, en=en, clause=clause, evidence={"signature": self.id, **evidence})

    def note(self, status: Status, code: str, texts: tuple[str, str], clause: str, **evidence: str) -> None:
        """Append a step with a status of its own."""
        zh, en = texts
        self.report.add(status, code, zh=zh, en=en, clause=clause, evidence={"signature": self.id, **evidence})


def verify_signature(
    package: Package,
    listed: ListedSignature,
    *,
    body: DocumentBody,
    policy: VerificationPolicy,
    report: ReportBuilder,
) -> SignatureOutcome:
    """Append the steps of one signature to ``report``."""
    if listed.type != "Seal":
        known = listed.type == "Sign"
        report.add(
            Status.INDETERMINATE if known else Status.FAILED,
            "ofd.signature.type",
            zh="该签名不是电子印章,无法验证" if known else "签名类型不正确",
            en="This signature is not a seal and cannot be verified" if known else "There is no such type of signature",
            clause="GB/T 33190-2016 §18.1",
            evidence={"signature": listed.id, "type": listed.type, "entry": body.signatures or ""},
        )
        return SignatureOutcome(id=listed.id, is_seal=False, own=_own_files(package, listed))
    # (4) what there is to verify
    entry = listed.name
    try:
        xml = package.read(entry)
        description = read_signature(xml, name=entry)
        entry = description.signed_value
        signature = SealSignature.parse(package.read(entry))
        tbs = signature.to_be_signed
        case = _Case(
            id=listed.id,
            name=listed.name,
            package=package,
            body=body,
            policy=policy,
            report=report,
            xml=xml,
            description=description,
            signature=signature,
            signer=Certificate.from_der(signature.certificate_der),
            intermediates=(*policy.intermediates, *map(Certificate.from_der, tbs.embedded_certificates)),
            crls=(*policy.crls, *tbs.embedded_crls),
        )
    except TrustError as error:
        add_error(report, error, signature=listed.id, entry=entry, via=f"{body.signatures} {listed.name}")
        return SignatureOutcome(id=listed.id, is_seal=False, own=_own_files(package, listed))
    return _verify_case(case)


def add_error(report: ReportBuilder, error: TrustError, **evidence: str) -> None:
    """Append the step that an unreadable input fails, under the code of the error."""
    facts = {name: str(value) for name, value in error.facts.items()}
    place = {**evidence, **facts}.get("entry", "")
    entry = f"({place})" if place else ""
    unknown = error.code in _NOT_JUDGED
    report.add(
        Status.INDETERMINATE if unknown else Status.FAILED,
        error.code,
        zh=f"文件的形式不受支持,无法判定{entry}" if unknown else f"文件的结构不正确,不能读取{entry}",
        en=error.detail,
        clause="GB/T 33190-2016 §6; GB/T 38540-2020 §7",
        evidence={**evidence, **facts},
    )


def _verify_case(case: _Case) -> SignatureOutcome:
    variants = " ".join(case.signature.variants)
    case.check(
        True,
        "ofd.signature.read",
        ("签名描述文件与电子签章数据可以读取", "Signature.xml and the seal's signature can be read"),
        "GB/T 38540-2020 §7.3 a)",
        version=str(case.signature.to_be_signed.version),
        **({"variants": variants} if variants else {}),
    )
    references = _check_references(case)  # (5)
    sound = _check_value(case)  # (6), (7), (8)
    time = _check_time(case)  # (9)
    _check_signer(case, time)  # (10), (11)
    _check_seal(case, time)  # (12), (13)
    _check_stamps(case)  # (14)
    own = {case.name, case.description.signed_value, case.description.seal or case.name}
    info = case.signature.to_be_signed.seal.info
    facts = {
        "signer": case.signer.common_name or case.signer.subject.text,
        "seal_name": info.name,
        "seal_code": info.seal_code,
        "signed_at": time.at.isoformat().replace("+00:00", "Z"),
        "signed_at_proven": "true" if time.proven else "false",
    }
    return SignatureOutcome(
        id=case.id,
        is_seal=True,
        is_sound=sound,
        protected=frozenset(
            {*(item.name for item in case.description.references), case.name, case.description.signed_value}
        ),
        intact=frozenset(references.intact),
        own=frozenset(own),
        facts=facts if sound else {},
    )


def _own_files(package: Package, listed: ListedSignature) -> frozenset[str]:
    """The files of a signature that could not be read, as far as they can be told."""
    folder = listed.name[: listed.name.rfind("/") + 1]
    return frozenset(name for name in package.names if folder and name.startswith(folder))


def _check_references(case: _Case) -> ReferenceCheck:
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
    result = check_references(case.package, case.description.references, algorithm)
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


def _check_value(case: _Case) -> bool:
    """Steps (6), (7) and (8)."""
    signature, tbs = case.signature, case.signature.to_be_signed
    details = signature_by_oid(signature.signature_algorithm_oid)
    algorithm = DigestAlgorithm.SM3 if details is None else details.digest
    same_hash = tbs.data_hash == digest(algorithm, case.xml)
    case.check(
        same_hash,
        "ofd.signature.data-hash",
        ("签名描述文件未被改动", "Signature.xml is the one that was sealed")
        if same_hash
        else (f"签名描述文件 {case.name} 被改动", f"{case.name} was changed after it was sealed"),
        "GB/T 38540-2020 §7.3 e)",
        entry=case.name,
    )
    same_path = tbs.property_info == absolute(case.name)
    case.note(
        Status.PASSED if same_path else Status.WARNING,
        "ofd.signature.property-info",
        ("印章数据指明该签名描述文件", "The seal names this Signature.xml")
        if same_path
        else ("印章数据所指的签名描述文件路径不同", "The seal names another path of Signature.xml"),
        "GB/T 38540-2020 §7.1",
        property_info=tbs.property_info,
    )
    right = is_signed_by(
        case.signer, signature.signature_algorithm_oid, signature.to_be_signed_der, signature.signature
    )
    case.check(
        right,
        "ofd.signature.value",
        ("签名值正确", "The signature value is right")
        if right
        else (
            "签名值不正确:签章数据被改动或并非由该证书签署",
            "The signature value is wrong: altered, or not made with this certificate's key",
        ),
        "GB/T 38540-2020 §7.3 b)",
        entry=case.description.signed_value,
        signer=case.signer.subject.text,
    )
    return same_hash and right


def _check_time(case: _Case) -> SigningTime:
    """Step (9)."""
    time, steps = establish_time(
        case.signature, case.signer, policy=case.policy, intermediates=case.intermediates, crls=case.crls
    )
    case.report.extend(steps)
    return time


def _check_signer(case: _Case, time: SigningTime) -> None:
    """Steps (10) and (11)."""
    listed = case.signature.to_be_signed.seal.info.lists(case.signer.der)
    case.check(
        listed,
        "ofd.seal.signer-listed",
        ("签章人证书在印章的证书列表中", "The seal lists the signer's certificate")
        if listed
        else ("签章人证书不在印章的证书列表中", "The seal does not list the signer's certificate"),
        "GB/T 38540-2020 §7.3 c)",
        signer=case.signer.subject.text,
        entry=case.description.signed_value,
    )
    chain = validate_chain(
        case.signer,
        intermediates=case.intermediates,
        roots=case.policy.roots,
        crls=case.crls,
        at=time.at,
        purpose=KeyPurpose.SEAL_SIGNING,
        prefix="ofd.signer",
    )
    case.report.extend(chain.steps)


def _check_seal(case: _Case, time: SigningTime) -> None:
    """Steps (12) and (13)."""
    seal = case.signature.to_be_signed.seal
    case.report.extend(
        verify_seal(seal, roots=case.policy.roots, intermediates=case.intermediates, crls=case.crls, at=time.at)
    )
    if case.description.seal is None:
        return
    try:
        same = case.package.read(case.description.seal) == seal.der
    except TrustError as error:
        add_error(case.report, error, signature=case.id)
        return
    case.check(
        same,
        "ofd.seal.file",
        ("Seal.esl 与签章所用印章一致", "Seal.esl is the seal that signed")
        if same
        else ("Seal.esl 与签章所用印章不一致", "Seal.esl is not the seal that signed"),
        "GB/T 33190-2016 §18.2.3",
        entry=case.description.seal,
    )


def _check_stamps(case: _Case) -> None:
    """Step (14)."""
    try:
        document = read_part(case.package, case.body.document, "Document")
        pages = page_names(document, holder=case.body.document)
    except TrustError as error:
        add_error(case.report, error, signature=case.id)
        return
    lost = sorted({stamp.page_id for stamp in case.description.stamps} - set(pages))
    if not case.description.stamps:
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
