"""Time, trust, revocation and the forms a signature may have."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from ofd.build.document import DocumentBuilder
from ofd.fonts.faces import find_fonts
from ofd.package.reader import Package, write_package
from ofd.sign.parts import Reference, SignatureDescription
from ofd.verify.document import verify
from ofd.verify.policy import VerificationPolicy
from trustcore.report import Report, Status, Verdict
from trustcore.x509.crl import RevokedEntry

from support.ofd_samples import (
    SIGNED_AT,
    VERIFIED_AT,
    Holder,
    Pki,
    issue,
    make_crl,
    make_keys,
    make_seal,
    make_token,
    prepare_seal,
    sample_png,
    seal_by_force,
    unpack,
)

SIGNATURE = "Doc_0/Signs/Sign_0/Signature.xml"
DAY = timedelta(days=1)


def codes(report: Report, status: Status = Status.FAILED) -> set[str]:
    return {step.code for step in report.steps if step.status is status}


def stamped(pki: Pki, at: datetime) -> Callable[[bytes], bytes]:
    return lambda signature: make_token(pki, signature, at=at)


def test_every_answer_is_in_two_languages_with_its_clause(pki: Pki, sealed: bytes) -> None:
    steps = verify(sealed, pki.policy()).steps
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))
    assert all(step.zh and step.en and step.clause and step.code.startswith("ofd.") for step in steps)


def test_without_the_root_it_cannot_be_told(sealed: bytes) -> None:
    other = issue(make_keys(), "Other Root", issuer=None, serial=1, ca=True)
    report = verify(sealed, VerificationPolicy(roots=(other.certificate,), at=VERIFIED_AT))
    assert report.verdict is Verdict.INDETERMINATE
    assert codes(report, Status.INDETERMINATE) == {"ofd.signer.path", "ofd.seal.maker.path"}


def test_without_revocation_lists_it_cannot_be_told(pki: Pki, document: bytes) -> None:
    data = seal_by_force(pki, document, crls=())
    report = verify(data, pki.policy())
    assert report.verdict is Verdict.INDETERMINATE
    assert codes(report, Status.INDETERMINATE) == {"ofd.signer.revocation", "ofd.seal.maker.revocation"}
    assert verify(data, pki.policy(crls=pki.crls)).verdict is Verdict.VALID


def test_a_signer_the_seal_does_not_list_is_refused(pki: Pki, document: bytes) -> None:
    report = verify(seal_by_force(pki, document, holder=pki.stranger), pki.policy())
    assert codes(report) == {"ofd.seal.signer-listed"}


def test_a_seal_that_had_expired_is_refused(pki: Pki, document: bytes) -> None:
    seal_der = make_seal(pki, valid_until=SIGNED_AT - DAY)
    assert codes(verify(seal_by_force(pki, document, seal_der=seal_der), pki.policy())) == {"ofd.seal.validity"}


def test_a_seal_made_after_it_was_used_is_refused(pki: Pki, document: bytes) -> None:
    seal_der = make_seal(pki, created=SIGNED_AT + DAY)
    report = verify(seal_by_force(pki, document, seal_der=seal_der), pki.policy())
    assert codes(report) == {"ofd.seal.validity"}


def test_a_seal_of_an_unknown_maker_cannot_be_told(pki: Pki, document: bytes) -> None:
    keys = make_keys()
    root = issue(keys, "Root", issuer=None, serial=1, ca=True)
    maker = issue(keys, "Seal Maker", issuer=root, serial=3)
    report = verify(seal_by_force(pki, document, seal_der=make_seal(pki, maker=maker)), pki.policy())
    assert report.verdict is not Verdict.VALID
    assert "ofd.seal.maker.path" in {step.code for step in report.problems}


@pytest.mark.parametrize("at", [SIGNED_AT - 31 * DAY, SIGNED_AT + 366 * DAY])
def test_a_time_outside_the_certificate_is_refused(pki: Pki, document: bytes, at: datetime) -> None:
    seal_der = make_seal(pki, created=SIGNED_AT - 60 * DAY, valid_until=SIGNED_AT + 400 * DAY)
    report = verify(seal_by_force(pki, document, seal_der=seal_der, at=at), pki.policy(at=SIGNED_AT + 370 * DAY))
    assert "ofd.signer.validity" in codes(report)


def test_a_time_in_the_future_is_refused(pki: Pki, document: bytes) -> None:
    data = seal_by_force(pki, document, at=VERIFIED_AT + DAY)
    assert codes(verify(data, pki.policy(crls=pki.crls))) == {"ofd.time.future"}


def test_a_signer_revoked_before_is_refused(pki: Pki, document: bytes) -> None:
    crls = (pki.crls[0], make_crl(pki.issuing, RevokedEntry(serial_number=4, at=SIGNED_AT - 2 * DAY)))
    report = verify(seal_by_force(pki, document, crls=crls), pki.policy())
    assert codes(report) == {"ofd.signer.revocation"}


def test_a_signer_revoked_afterwards_is_believed_only_with_a_time_stamp(pki: Pki, document: bytes) -> None:
    later = make_crl(pki.issuing, RevokedEntry(serial_number=4, at=SIGNED_AT + DAY), at=SIGNED_AT + 2 * DAY)
    policy = pki.policy(crls=(later,))
    claimed = verify(seal_by_force(pki, document), policy)
    assert claimed.verdict is Verdict.INDETERMINATE
    assert codes(claimed, Status.INDETERMINATE) == {"ofd.time.unproven"}
    proven = verify(seal_by_force(pki, document, timestamp=stamped(pki, SIGNED_AT)), policy)
    assert proven.verdict is Verdict.VALID, proven.problems


def test_an_old_list_does_not_say_that_a_claimed_time_is_right(pki: Pki, document: bytes) -> None:
    """A thief would leave out the list that says so; the one that travels in the file ended two months ago."""
    policy = pki.policy(at=SIGNED_AT + 90 * DAY)
    claimed = verify(seal_by_force(pki, document), policy)
    assert codes(claimed, Status.INDETERMINATE) == {"ofd.time.unproven"}
    assert verify(seal_by_force(pki, document, timestamp=stamped(pki, SIGNED_AT)), policy).verdict is Verdict.VALID
    lists = (make_crl(pki.root, at=policy.at - DAY), make_crl(pki.issuing, at=policy.at - DAY))
    assert verify(seal_by_force(pki, document), replace(policy, crls=lists)).verdict is Verdict.VALID


def test_a_seal_that_has_ended_is_believed_only_with_a_time_stamp(pki: Pki, document: bytes) -> None:
    seal = make_seal(pki, valid_until=SIGNED_AT + DAY)
    claimed = verify(seal_by_force(pki, document, seal_der=seal), pki.policy())
    assert codes(claimed, Status.INDETERMINATE) == {"ofd.time.unproven"}
    proven = seal_by_force(pki, document, seal_der=seal, timestamp=stamped(pki, SIGNED_AT))
    assert verify(proven, pki.policy()).verdict is Verdict.VALID


def test_an_expired_signer_is_believed_only_with_a_time_stamp(pki: Pki, document: bytes) -> None:
    policy = pki.policy(at=SIGNED_AT + 400 * DAY)
    claimed = verify(seal_by_force(pki, document), policy)
    assert codes(claimed, Status.INDETERMINATE) == {"ofd.time.unproven"}
    proven = verify(seal_by_force(pki, document, timestamp=stamped(pki, SIGNED_AT)), policy)
    assert proven.verdict is Verdict.VALID, proven.problems


def test_a_time_stamp_of_another_signature_is_refused(pki: Pki, document: bytes) -> None:
    data = seal_by_force(pki, document, timestamp=lambda _: make_token(pki, b"other", at=SIGNED_AT))
    report = verify(data, pki.policy())
    assert codes(report) == {"ofd.timestamp.imprint"}
    assert report.facts["signed_at_proven"] == "false"


def test_a_time_stamp_older_than_what_it_stamps_is_refused(pki: Pki, document: bytes) -> None:
    data = seal_by_force(pki, document, timestamp=stamped(pki, SIGNED_AT - DAY / 2))
    assert codes(verify(data, pki.policy())) == {"ofd.timestamp.order"}


def test_a_time_stamp_of_whoever_is_no_authority_is_refused(pki: Pki, document: bytes) -> None:
    data = seal_by_force(pki, document, timestamp=lambda value: make_token(pki, value, at=SIGNED_AT, tsa=pki.stranger))
    assert any(code.startswith("ofd.timestamp.") for code in codes(verify(data, pki.policy())))


def test_a_time_stamp_that_cannot_be_read_is_refused(pki: Pki, document: bytes) -> None:
    data = seal_by_force(pki, document, timestamp=lambda _: b"garbage")
    assert codes(verify(data, pki.policy())) == {"ofd.timestamp.parse"}


def with_method(method: str) -> Callable[[SignatureDescription], SignatureDescription]:
    return lambda description: replace(description, check_method=method)


@pytest.mark.parametrize("method", ["SM3", "1.2.156.10197.1.401.1", "urn:oid:1.2.156.10197.1.401"])
def test_sm3_is_known_by_its_names(pki: Pki, document: bytes, method: str) -> None:
    report = verify(seal_by_force(pki, document, change=with_method(method)), pki.policy())
    assert report.verdict is Verdict.VALID, report.problems


@pytest.mark.parametrize("method", ["MD5", "SHA1", "SHA-1", "1.3.14.3.2.26"])
def test_broken_digests_are_refused(pki: Pki, document: bytes, method: str) -> None:
    report = verify(seal_by_force(pki, document, change=with_method(method)), pki.policy())
    assert codes(report) == {"ofd.reference.method"}


def test_an_unknown_digest_cannot_be_told(pki: Pki, document: bytes) -> None:
    report = verify(seal_by_force(pki, document, change=with_method("BLAKE7")), pki.policy())
    assert codes(report, Status.INDETERMINATE) == {"ofd.reference.method"}


def test_a_seal_that_protects_nothing_is_refused(pki: Pki, document: bytes) -> None:
    data = seal_by_force(pki, document, change=lambda description: replace(description, references=()))
    assert codes(verify(data, pki.policy())) >= {"ofd.reference.none", "ofd.coverage.shown"}


def test_a_file_listed_twice_is_refused(pki: Pki, document: bytes) -> None:
    def twice(description: SignatureDescription) -> SignatureDescription:
        again = Reference(name="OFD.xml", digest=bytes(32))
        return replace(description, references=(*description.references, again))

    assert codes(verify(seal_by_force(pki, document, change=twice), pki.policy())) == {"ofd.reference.repeated"}


def test_a_stamp_on_a_page_that_does_not_exist_is_refused(pki: Pki, document: bytes) -> None:
    def move(description: SignatureDescription) -> SignatureDescription:
        return replace(description, stamps=tuple(replace(stamp, page_id="999") for stamp in description.stamps))

    assert codes(verify(seal_by_force(pki, document, change=move), pki.policy())) == {"ofd.stamp.page"}


def test_a_data_hash_of_something_else_is_refused(pki: Pki, document: bytes) -> None:
    report = verify(seal_by_force(pki, document, data_hash=bytes(32)), pki.policy())
    assert codes(report) == {"ofd.signature.data-hash"}
    assert "signer" not in report.facts


def test_a_seal_that_is_listed_as_a_signature_without_seal_is_refused(pki: Pki, sealed: bytes) -> None:
    files = unpack(sealed)
    name = "Doc_0/Signs/Signatures.xml"
    files[name] = files[name].replace(b'Type="Seal"', b'Type="Sign"')
    report = verify(write_package(files), pki.policy())
    assert report.verdict is Verdict.INVALID
    assert codes(report) >= {"ofd.sign.value"}


def test_a_second_list_of_the_same_signature_is_refused(pki: Pki, sealed: bytes) -> None:
    files = unpack(sealed)
    name = "Doc_0/Signs/Signatures.xml"
    entry = files[name][files[name].index(b"<ofd:Signature ") : files[name].index(b"</ofd:Signatures>")]
    files[name] = files[name].replace(entry, entry * 2)
    assert codes(verify(write_package(files), pki.policy())) == {"ofd.structure.signature-id"}


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"PK\x03\x04", bytes(1000), sample_png()])
def test_what_is_no_document_fails_with_a_report(pki: Pki, data: bytes) -> None:
    report = verify(data, pki.policy())
    assert report.verdict is Verdict.INVALID
    assert all(step.code.startswith("ofd.package.") for step in report.steps)


def test_a_package_without_ofd_xml_fails_with_a_report(pki: Pki) -> None:
    assert codes(verify(write_package({"a": b""}), pki.policy())) == {"ofd.package.entry-missing"}


@pytest.mark.parametrize(
    ("link", "code"),
    [
        (b"Doc_0\\Document.xml", "ofd.loc.malformed"),
        (b"//Doc_0/Document.xml", "ofd.loc.malformed"),
        (b"../Doc_0/Document.xml", "ofd.loc.malformed"),
        (b"doc_0/document.xml", "ofd.package.entry-missing"),
        (b"Doc_0/<!-- -->Document.xml", "ofd.xml.mixed-content"),
    ],
)
def test_links_that_readers_repair_differently_are_refused(pki: Pki, sealed: bytes, link: bytes, code: str) -> None:
    root = Package(sealed).read("OFD.xml").replace(b"Doc_0/Document.xml", link)
    assert codes(verify(Package(sealed).with_files({"OFD.xml": root}), pki.policy())) == {code}


def test_a_signature_by_an_encryption_key_is_refused(pki: Pki, document: bytes) -> None:
    holder: Holder = issue(make_keys(), "Encryption", issuer=pki.issuing, serial=9, usages=("keyEncipherment",))
    seal_der = make_seal(pki, signers=[holder])
    report = verify(seal_by_force(pki, document, seal_der=seal_der, holder=holder), pki.policy())
    assert codes(report) == {"ofd.signer.key-usage"}


def test_the_signed_time_is_not_taken_from_the_text(pki: Pki, document: bytes) -> None:
    data = seal_by_force(pki, document, change=lambda d: replace(d, date_time="19990101000000Z"))
    report = verify(data, pki.policy())
    assert report.verdict is Verdict.VALID
    assert report.facts["signed_at"] == "2030-01-15T09:30:00Z"


def test_a_prepared_seal_is_not_a_seal(pki: Pki, document: bytes) -> None:
    prepared = prepare_seal(pki, document)
    assert SIGNATURE not in Package(prepared.package)
    assert verify(prepared.package, pki.policy()).verdict is Verdict.INVALID


def test_the_number_of_signatures_is_bounded(pki: Pki, sealed: bytes) -> None:
    files = unpack(sealed)
    name = "Doc_0/Signs/Signatures.xml"
    more = b"".join(b'<ofd:Signature ID="x%d" BaseLoc="/x%d"/>' % (i, i) for i in range(64))
    files[name] = files[name].replace(b"</ofd:Signatures>", more + b"</ofd:Signatures>")
    assert codes(verify(write_package(files), pki.policy())) == {"ofd.structure.too-many-signatures"}


def test_very_many_changed_files_are_counted(pki: Pki) -> None:
    builder = DocumentBuilder(doc_id="0" * 32, title="t", created=SIGNED_AT, fonts=find_fonts())
    for _ in range(120):
        builder.page()
    files = unpack(seal_by_force(pki, builder.to_bytes()))
    for name in files:
        if "/Pages/" in name:
            files[name] += b" "
    report = verify(write_package(files), pki.policy())
    assert len([step for step in report.steps if step.code == "ofd.reference.digest"]) == 101
