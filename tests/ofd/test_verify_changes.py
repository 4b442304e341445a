"""What a report says of the time between signatures."""

from collections.abc import Callable
from dataclasses import replace

from ofd.package.reader import write_package
from ofd.sign.parts import SignatureDescription
from ofd.sign.seal import Protection
from ofd.verify.changes import ChangeKind
from ofd.verify.document import Verification, examine
from trustcore.report import Report, Status, Verdict

from support.ofd_samples import Pki, seal_by_force, seal_document, unpack
from support.ofd_signing import SIGNS, attributes_value, seal_value, sign_anyhow

LIST = f"{SIGNS}Signatures.xml"


def codes(report: Report, status: Status) -> set[str]:
    return {step.code for step in report.steps if step.status is status}


def told(result: Verification, index: int) -> dict[str, tuple[ChangeKind, str]]:
    return {item.entry: (item.kind, item.by) for item in result.changes[index].changes}


def left_out(*names: str) -> Callable[[SignatureDescription], SignatureDescription]:
    return lambda description: replace(
        description, references=tuple(item for item in description.references if item.name not in names)
    )


def test_after_the_only_seal_nothing_was_changed(pki: Pki, sealed: bytes) -> None:
    result = examine(sealed, pki.policy())
    assert [item.changes for item in result.changes] == [()]
    assert "ofd.change.none" in codes(result.report, Status.PASSED)


def test_a_further_signature_is_named_and_nothing_else(pki: Pki, document: bytes) -> None:
    first = sign_anyhow(document, seal_value(pki), closed=False)
    second = sign_anyhow(first, seal_value(pki), closed=False)
    third = sign_anyhow(second, attributes_value(pki), kind="Sign")
    result = examine(third, pki.policy())
    assert result.report.verdict is Verdict.VALID, result.report.problems
    assert {kind for kind, _ in told(result, 0).values()} == {ChangeKind.SIGNATURE, ChangeKind.LIST}
    assert told(result, 0)[f"{SIGNS}Sign_1/Signature.xml"] == (ChangeKind.SIGNATURE, "s011")
    assert told(result, 0)[LIST] == (ChangeKind.LIST, "s021")
    assert told(result, 1)[f"{SIGNS}Sign_2/SignedValue.dat"] == (ChangeKind.SIGNATURE, "s021")
    assert told(result, 2) == {}
    assert {"ofd.change.signatures", "ofd.change.none"} <= codes(result.report, Status.PASSED)
    assert {step.evidence["signature"] for step in result.report.steps if step.code.startswith("ofd.change.")} == {
        "s001",
        "s011",
        "s021",
    }


def test_a_file_that_was_changed_is_told_with_who_answers_for_it(pki: Pki, document: bytes) -> None:
    first = unpack(sign_anyhow(document, seal_value(pki), closed=False))
    first["Doc_0/Pages/Page_1/Content.xml"] += b" "
    second = sign_anyhow(write_package(first), seal_value(pki))
    result = examine(second, pki.policy())
    assert result.report.verdict is Verdict.INVALID
    assert told(result, 0)["Doc_0/Pages/Page_1/Content.xml"] == (ChangeKind.CHANGED, "s011")
    assert told(result, 1) == {}
    failed = [step for step in result.report.steps if step.status is Status.FAILED]
    assert {(step.code, step.evidence["signature"]) for step in failed} == {("ofd.reference.digest", "s001")}


def test_a_file_that_was_added_or_removed_is_told(pki: Pki, document: bytes) -> None:
    first = unpack(sign_anyhow(document, seal_value(pki), closed=False))
    first["Doc_0/Later.xml"] = b"<later/>"
    gone = next(name for name in first if "/Attachs/" in name and not name.endswith("Attachments.xml"))
    del first[gone]
    result = examine(sign_anyhow(write_package(first), seal_value(pki)), pki.policy())
    assert told(result, 0)["Doc_0/Later.xml"] == (ChangeKind.OPEN, "s011")
    assert told(result, 0)[gone] == (ChangeKind.REMOVED, "")
    assert "ofd.change.content" in codes(result.report, Status.WARNING)


def test_what_a_seal_left_open_is_told(pki: Pki, document: bytes) -> None:
    name = next(name for name in unpack(document) if name.endswith("/Attachments.xml"))
    result = examine(seal_by_force(pki, document, change=left_out(name)), pki.policy())
    assert told(result, 0) == {name: (ChangeKind.OPEN, "")}


def test_a_list_that_was_extended_after_it_was_closed_is_the_known_cause(pki: Pki, document: bytes) -> None:
    """Integrity is broken by the rule, and what broke it is said (GB/T 33190-2016 §18.1)."""
    closed = seal_document(pki, document, protection=Protection.WHOLE)
    result = examine(sign_anyhow(closed, seal_value(pki)), pki.policy())
    assert result.report.verdict is Verdict.INVALID
    assert result.changes[0].closed_list_extended
    assert told(result, 0)[LIST] == (ChangeKind.LIST, "s011")
    assert "ofd.change.list-extended" in codes(result.report, Status.WARNING)
    assert codes(result.report, Status.FAILED) == {"ofd.reference.digest"}


def test_a_list_that_was_changed_by_nobody_known_is_not_excused(pki: Pki, sealed: bytes) -> None:
    files = unpack(sealed)
    files[LIST] += b" "
    result = examine(write_package(files), pki.policy())
    assert not result.changes[0].closed_list_extended
    assert told(result, 0)[LIST] == (ChangeKind.CHANGED, "")


def test_facts_of_each_signature_are_told_apart(pki: Pki, document: bytes) -> None:
    first = sign_anyhow(document, seal_value(pki), closed=False)
    report = examine(sign_anyhow(first, seal_value(pki)), pki.policy()).report
    assert report.facts["signer"] == report.facts["2.signer"] == "Department"
