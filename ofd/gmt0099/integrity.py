"""The signed list of all files (GM/T 0099-2020 §7.4): nothing was added, nothing was taken away.

The list has names and no digests: it says nothing of what the files hold. For that, seal or sign the document.
"""

from collections.abc import Sequence
from datetime import datetime

from ofd.gmt0099.parts import ENTRIES, SIGNED_VALUE, read_file_list, write_file_list
from ofd.package.reader import Package
from ofd.verify.policy import VerificationPolicy
from trustcore.crypto.algorithms import SIGNATURES, SignatureAlgorithm
from trustcore.crypto.digests import digest
from trustcore.crypto.verify import verify as verify_value
from trustcore.errors import ConflictError, TrustError
from trustcore.report import Report, ReportBuilder, Status
from trustcore.signing import Signer
from trustcore.x509.certificate import Certificate
from trustcore.x509.chain import KeyPurpose, validate_chain
from trustcore.x509.gm_signed_data import GmSignedData, build_gm_signed_data

__all__ = ["has_list", "protect", "verify_list"]

_CLAUSE = "GM/T 0099-2020 §7.4.6"
_NAMED = 50


def has_list(package: Package) -> bool:
    """Whether a package has a signed list of its files."""
    return ENTRIES in package


def protect(
    data: bytes,
    *,
    signer: Signer,
    certificate: Certificate,
    at: datetime,
    certificates: Sequence[bytes] = (),
    crls: Sequence[bytes] = (),
) -> bytes:
    """The document with the signed list of its files, which is the last thing to be done with it.

    Args:
        data: the document.
        signer: the key of whoever put the document together.
        certificate: theirs.
        at: now.
        certificates: DER of the issuers' certificates, carried along for verifiers.
        crls: DER of the issuers' CRLs, likewise.

    Raises:
        ConflictError: ``ofd.integrity.already``.
        MalformedError: ``ofd.package.…``.
    """
    package = Package(data)
    if has_list(package) or SIGNED_VALUE in package:
        raise ConflictError("The document has a list of files already.", code="ofd.integrity.already")
    listed = write_file_list(sorted(package.names), at=at)
    message = digest(SIGNATURES[signer.algorithm].digest, listed)
    value = build_gm_signed_data(
        content=message,
        signed_attributes_der=None,
        algorithm=signer.algorithm,
        signature=signer.sign(message),
        certificate=certificate,
        certificates=certificates,
        crls=crls,
    )
    return package.with_files({ENTRIES: listed, SIGNED_VALUE: value})


def verify_list(source: bytes | Package, policy: VerificationPolicy) -> Report:
    """Verify the list of files of a document.

    (1) the list and its signature can be read; (2) the signature is over this list; (3) its value is right; (4) the
    signer's certificate is good; (5) the package holds what is listed, nothing less and nothing more.
    """
    report = ReportBuilder("ofd-file-list")
    try:
        package = source if isinstance(source, Package) else Package(source)
        _verify(package, policy, report)
    except TrustError as error:
        facts = {name: str(value) for name, value in error.facts.items()}
        _step(report, Status.FAILED, error.code, ("文件清单不能读取", error.detail), **facts)
    return report.build()


def _verify(package: Package, policy: VerificationPolicy, report: ReportBuilder) -> None:
    if not has_list(package):
        _step(report, Status.FAILED, "ofd.integrity.none", ("文件没有完整性清单", "The document has no list of files"))
        return
    xml = package.read(ENTRIES)
    names, value_name = read_file_list(xml)
    signed = GmSignedData.parse(package.read(value_name))
    texts = ("文件清单与签名值可以读取", "The list of files and its signature can be read")
    _step(report, Status.PASSED, "ofd.integrity.read", texts, count=str(len(names)))
    certificate = _check_value(signed, xml, report)
    if certificate is not None:
        carried = tuple(map(Certificate.from_der, signed.certificates))
        chain = validate_chain(
            certificate,
            intermediates=(*policy.intermediates, *carried),
            roots=policy.roots,
            crls=(*policy.crls, *signed.crls),
            at=policy.at,
            purpose=KeyPurpose.DOCUMENT_SIGNING,
            prefix="ofd.integrity.signer",
        )
        report.extend(chain.steps)
    _check_names(package, names, {ENTRIES, value_name}, report)


def _check_value(signed: GmSignedData, xml: bytes, report: ReportBuilder) -> Certificate | None:
    """Steps (2) and (3); the signer's certificate."""
    algorithm = signed.signature_algorithm
    if algorithm is None:
        texts = ("签名算法不受支持", "The signature algorithm is not known")
        _step(report, Status.INDETERMINATE, "ofd.integrity.algorithm", texts, oid=signed.signature_algorithm_oid)
        return None
    message = digest(SIGNATURES[algorithm].digest, xml)
    same = signed.content in {None, message} and _names_list(signed, message)
    _check(
        report,
        same,
        "ofd.integrity.list",
        ("签名针对该文件清单", "The signature is over this list"),
        ("文件清单被改动", "The list of files was changed"),
    )
    candidates = (Certificate.from_der(der) for der in signed.certificates)
    certificate = next((item for item in candidates if signed.is_made_by(item)), None)
    if certificate is None:
        texts = ("签名值中没有签名人证书", "The signature does not carry the signer's certificate")
        _step(report, Status.INDETERMINATE, "ofd.integrity.certificate", texts)
        return None
    right = _is_right(signed, certificate, algorithm, message)
    _check(
        report,
        right,
        "ofd.integrity.value",
        ("签名值正确", "The signature value is right"),
        ("签名值不正确", "The signature value is wrong"),
    )
    report.facts["signer"] = certificate.common_name or certificate.subject.text
    return certificate if right else None


def _names_list(signed: GmSignedData, message: bytes) -> bool:
    """Whether signed attributes, where there are some, hold the digest of the list, or of its digest that is carried.

    They are all that is signed then: anybody may put another content beside them.
    """
    if signed.signed_attributes_der is None:
        return True
    if signed.digest_algorithm is None:
        return False
    carried = None if signed.content is None else digest(signed.digest_algorithm, message)
    return signed.message_digest is not None and signed.message_digest in {message, carried}


def _is_right(signed: GmSignedData, certificate: Certificate, algorithm: SignatureAlgorithm, message: bytes) -> bool:
    try:
        return verify_value(certificate.public_key_der, algorithm, signed.message(message), signed.signature_der)
    except TrustError:
        return False


def _check_names(package: Package, names: Sequence[str], own: set[str], report: ReportBuilder) -> None:
    """Step (5)."""
    there, listed = set(package.names) - own, set(names) - own
    for found, code, zh, en in (
        (sorted(listed - there), "ofd.integrity.missing", "清单中的文件不在包内", "Listed files are missing"),
        (
            [*sorted(there - listed), *package.empty_folders],
            "ofd.integrity.added",
            "包内有清单以外的文件",
            "The package holds files that are not listed",
        ),
    ):
        if found:
            evidence = dict.fromkeys(found[:_NAMED], "")
            _step(report, Status.FAILED, code, (zh, en), **evidence, count=str(len(found)))
    if there == listed and not package.empty_folders:
        texts = ("包内文件与清单一致", "The package holds exactly the files that are listed")
        _step(report, Status.PASSED, "ofd.integrity.names", texts)
    texts = ("清单只列文件名,不保护文件内容", "The list has names only and does not protect what the files hold")
    _step(report, Status.WARNING, "ofd.integrity.content", texts)


def _check(report: ReportBuilder, ok: bool, code: str, right: tuple[str, str], wrong: tuple[str, str]) -> None:
    _step(report, Status.PASSED if ok else Status.FAILED, code, right if ok else wrong)


def _step(report: ReportBuilder, status: Status, code: str, texts: tuple[str, str], **evidence: str) -> None:
    report.add(status, code, zh=texts[0], en=texts[1], clause=_CLAUSE, evidence=evidence)
