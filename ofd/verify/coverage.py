"""Step (15) of :mod:`ofd.verify.document`: is everything a reader shows under the seal?"""

from collections.abc import Iterable, Sequence

from ofd import xmlio
from ofd.package.reader import Package
from ofd.structure import ROOT, DocumentBody, read_part
from ofd.verify.case import SignatureOutcome, add_error
from ofd.verify.kinds import Kind
from ofd.verify.reachable import Reachable
from trustcore.errors import TrustError
from trustcore.report import ReportBuilder, Status

__all__ = ["check_coverage", "check_package"]

_CLAUSE = "GB/T 33190-2016 §18.2; GM/T 0031-2014 §7.3 e)"
_NAMED = 50
"""How many entries a step names at most; it says how many there are."""


def check_coverage(
    reachable: Reachable, bodies: Sequence[DocumentBody], outcome: SignatureOutcome, report: ReportBuilder
) -> None:
    """Compare what is shown with what one signature protects."""
    # Nothing a document shows lies in a signature's own files: those can be written anew after everything is signed.
    signed = outcome.protected - outcome.own
    open_parts = {name: kind for name, kind in reachable.parts.items() if name not in signed}
    shown = {name: str(kind) for name, kind in open_parts.items() if kind.is_shown}
    report.check(
        not shown,
        "ofd.coverage.shown",
        zh="阅读器显示的全部内容都在印章保护之下" if not shown else f"有 {len(shown)} 个会显示的文件不受印章保护",
        en="Everything a reader shows is protected"
        if not shown
        else f"{len(shown)} files that are shown are not protected",
        clause=_CLAUSE,
        evidence={"signature": outcome.id} | _named(shown),
    )
    if ROOT in open_parts:
        _check_open_root(bodies, outcome, report)
    others = {name: str(kind) for name, kind in open_parts.items() if not kind.is_shown and name != ROOT}
    if others:
        report.add(
            Status.WARNING,
            "ofd.coverage.attached",
            zh=f"有 {len(others)} 个附件或附加数据文件不受印章保护",
            en=f"{len(others)} attachments or data files are not protected",
            clause=_CLAUSE,
            evidence={"signature": outcome.id} | _named(others),
        )


def check_package(
    package: Package,
    bodies: Sequence[DocumentBody],
    reachable: Reachable,
    outcomes: Sequence[SignatureOutcome],
    report: ReportBuilder,
) -> None:
    """Look for parts that are missing, unreadable, or neither linked nor protected by any signature."""
    for error in reachable.problems:
        add_error(report, error)
    if reachable.missing:
        # Whoever adds an attachment that was missing adds content that nothing else would refuse. A list of resources
        # that some writers link and never write is told: were it added later, it would be shown and not protected.
        harmless = set(reachable.missing.values()) == {Kind.RESOURCE}
        report.add(
            Status.WARNING if harmless else Status.FAILED,
            "ofd.coverage.missing",
            zh=f"文件中缺少 {len(reachable.missing)} 个被引用的部分",
            en=f"{len(reachable.missing)} linked files are missing",
            clause="GB/T 33190-2016 §7.1",
            evidence=_named({name: str(kind) for name, kind in reachable.missing.items()}),
        )
    lists = {body.signatures for body in bodies if body.signatures}
    protected = frozenset[str]().union(*(outcome.protected for outcome in outcomes))
    own = frozenset[str]().union(*(outcome.own for outcome in outcomes))
    placed = {*reachable.parts, *own, *lists}
    known = placed | protected
    smuggled = [*(name for name in package.names if name not in known), *package.empty_folders]
    report.check(
        not smuggled,
        "ofd.coverage.smuggled",
        zh="包内没有多余的文件" if not smuggled else f"包内有 {len(smuggled)} 个既未引用也未签名的条目",
        en="The package holds nothing that does not belong to it"
        if not smuggled
        else f"The package holds {len(smuggled)} entries that are neither linked nor protected",
        clause=_CLAUSE,
        evidence=_named(dict.fromkeys(smuggled, "unknown")),
    )
    _check_unlisted(package, (name for name in package.names if name not in placed), report)
    if any(name not in protected for name in lists):
        report.add(
            Status.WARNING,
            "ofd.signature.list-open",
            zh="签名列表未受保护:之后可以追加签名,末尾的签名也可能被移除",
            en="The list of signatures is open: signatures may be added, and the last one could have been removed",
            clause="GB/T 33190-2016 §18.1",
            evidence=_named(dict.fromkeys(sorted(lists), "signatures")),
        )


def _check_unlisted(package: Package, names: Iterable[str], report: ReportBuilder) -> None:
    """A signature that was taken from an open list: a later one still protects its files, and nobody judges it."""
    unlisted = [name for name in names if _is_signature(package, name)]
    if unlisted:
        report.add(
            Status.FAILED,
            "ofd.signature.unlisted",
            zh="包内有未列入签名列表的签名:它可能被人从列表中移除",
            en="The package holds a signature that is not listed: somebody may have removed it from the list",
            clause="GB/T 33190-2016 §18.1",
            evidence=_named(dict.fromkeys(unlisted, "signature")),
        )


def _is_signature(package: Package, name: str) -> bool:
    if not name.lower().endswith(".xml") or package.size(name) > xmlio.MAX_BYTES:
        return False
    try:
        read_part(package, name, "Signature")
    except TrustError:
        return False
    return True


def _check_open_root(bodies: Sequence[DocumentBody], outcome: SignatureOutcome, report: ReportBuilder) -> None:
    """OFD.xml may be open only when it cannot lead anywhere else than to a protected Document.xml."""
    safe = len(bodies) == 1 and bodies[0].document in outcome.protected
    evidence = {"signature": outcome.id, **{f"document_{i}": body.document for i, body in enumerate(bodies)}}
    if safe:
        report.add(
            Status.WARNING,
            "ofd.coverage.metadata",
            zh="OFD.xml 不受印章保护,其中的标题等信息不可信",
            en="OFD.xml is not protected: title and other data in it prove nothing",
            clause=_CLAUSE,
            evidence=evidence,
        )
        return
    report.add(
        Status.FAILED,
        "ofd.coverage.several-documents" if len(bodies) > 1 else "ofd.coverage.redirected",
        zh="OFD.xml 不受印章保护,并指向未签名的文档" if len(bodies) == 1 else "OFD.xml 不受印章保护,且包含多个文档",
        en="OFD.xml is not protected and leads to a document that is not signed"
        if len(bodies) == 1
        else "OFD.xml is not protected and names several documents",
        clause=_CLAUSE,
        evidence=evidence,
    )


def _named(entries: dict[str, str]) -> dict[str, str]:
    """The first entries, and how many there are."""
    listed = dict(_first(entries.items()))
    return listed | ({"count": str(len(entries))} if len(entries) > _NAMED else {})


def _first(items: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    return (item for _, item in zip(range(_NAMED), items, strict=False))
