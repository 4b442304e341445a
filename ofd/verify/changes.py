"""What was changed after each signature (GB/T 33190-2016 §18.1: signatures may follow each other).

OFD keeps no revisions: each signature says what the files were when it was made, and the package says what they are.
What differs, or is not covered, came later or was left open; a later signature that covers it says who answers for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ofd.package.reader import Package
from ofd.verify.case import SignatureForm, SignatureOutcome
from trustcore.report import ReportBuilder, Status

__all__ = ["Change", "ChangeKind", "SignatureChanges", "add_changes", "find_changes"]

_CLAUSE = "GB/T 33190-2016 §18.1"
_NAMED = 50


class ChangeKind(StrEnum):
    """What happened to a file after a signature."""

    SIGNATURE = "signature-added"
    """It belongs to a later signature."""
    LIST = "list-extended"
    """It is the list of signatures, and there are later ones."""
    OPEN = "added-or-left-open"
    """The signature does not cover it: it was added later, or could be changed at any time."""
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One file that is not as, or not where, a signature left it."""

    kind: ChangeKind
    entry: str
    by: str
    """ID of the first later signature that covers the file as it is now; empty when none does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureChanges:
    """All changes after one signature."""

    id: str
    changes: tuple[Change, ...]
    closed_list_extended: bool
    """Whether the only thing that broke this signature is a later one, although it had closed the list."""

    @property
    def is_content(self) -> bool:
        """Whether anything but signatures was added or changed."""
        return any(item.kind not in {ChangeKind.SIGNATURE, ChangeKind.LIST} for item in self.changes)


def find_changes(
    package: Package, outcomes: Sequence[SignatureOutcome], lists: frozenset[str]
) -> tuple[SignatureChanges, ...]:
    """The changes after each signature that can be read, in the order of the list.

    Args:
        package: as it is now.
        outcomes: of all signatures, in the order of the list.
        lists: entry names of Signatures.xml.
    """
    return tuple(
        _changes(package, outcome, outcomes[index + 1 :], lists)
        for index, outcome in enumerate(outcomes)
        if outcome.form is not SignatureForm.UNKNOWN
    )


def add_changes(changes: SignatureChanges, report: ReportBuilder) -> None:
    """Append the step that tells them."""
    told: dict[str, str] = {}
    for item in changes.changes[:_NAMED]:
        told[item.entry] = f"{item.kind} ({item.by})" if item.by else str(item.kind)
    if len(changes.changes) > _NAMED:
        told["count"] = str(len(changes.changes))
    if not changes.changes:
        status, code = Status.PASSED, "ofd.change.none"
        zh, en = "签名之后没有任何改动", "Nothing was changed after this signature"
    elif changes.closed_list_extended:
        status, code = Status.WARNING, "ofd.change.list-extended"
        zh = "该签名封闭了签名列表,之后仍追加了签名,因此失效"
        en = "This signature had closed the list of signatures; a later one was added all the same and broke it"
    elif not changes.is_content:
        status, code = Status.PASSED, "ofd.change.signatures"
        zh, en = "签名之后只追加了签名", "Only further signatures were added after this signature"
    else:
        status, code = Status.WARNING, "ofd.change.content"
        zh = f"签名之后有 {len(changes.changes)} 个文件被追加、改动或不受该签名约束"
        en = f"{len(changes.changes)} files were added or changed after this signature, or were left open by it"
    report.add(status, code, zh=zh, en=en, clause=_CLAUSE, evidence={"signature": changes.id} | told)


def _changes(
    package: Package, outcome: SignatureOutcome, later: Sequence[SignatureOutcome], lists: frozenset[str]
) -> SignatureChanges:
    found = [
        Change(
            kind=_kind_of_change(name, package, later, lists),
            entry=name,
            by=next((item.id for item in later if name in item.intact), ""),
        )
        for name in sorted(outcome.changed)
    ]
    known = outcome.protected | outcome.own
    for name in package.names:
        if name in known or (name in lists and not later):
            continue
        owner = next((item.id for item in later if name in item.own), "")
        if owner:
            kind = ChangeKind.SIGNATURE
        else:
            kind = ChangeKind.LIST if name in lists else ChangeKind.OPEN
            owner = next((item.id for item in later if name in item.intact), "")
        found.append(Change(kind=kind, entry=name, by=owner))
    broken_list = bool(outcome.changed) and outcome.changed <= lists
    own = outcome.own & outcome.protected
    return SignatureChanges(
        id=outcome.id,
        changes=tuple(found),
        closed_list_extended=broken_list and any(own <= item.intact for item in later),
    )


def _kind_of_change(
    name: str, package: Package, later: Sequence[SignatureOutcome], lists: frozenset[str]
) -> ChangeKind:
    if name not in package:
        return ChangeKind.REMOVED
    return ChangeKind.LIST if name in lists and later else ChangeKind.CHANGED
