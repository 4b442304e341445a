"""Signatures without a seal, in every deployed shape, and archive time stamps."""

import base64
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from ofd.package.reader import Package, write_package
from ofd.sign.archive import ValidationData, prepare_archive
from ofd.sign.validation_data import ARCHIVE_FILE, encode_validation_data
from ofd.verify.case import Evidence, SignatureForm
from ofd.verify.document import examine, verify
from ofd.verify.policy import VerificationPolicy
from trustcore.crypto import sm2
from trustcore.crypto.digests import sm3
from trustcore.report import Report, Status, Verdict
from trustcore.x509 import oids

from support.ofd_samples import SIGNED_AT, VERIFIED_AT, Holder, Pki, issue, make_crl, make_keys, make_token, unpack
from support.ofd_signing import (
    SIGNS,
    Value,
    archive_value,
    attributes_value,
    content_value,
    seal_value,
    sign_anyhow,
)

DAY = timedelta(days=1)


def codes(report: Report, status: Status = Status.FAILED) -> set[str]:
    return {step.code for step in report.steps if step.status is status}


def shape_of(report: Report) -> str:
    return next(step.evidence["variants"] for step in report.steps if step.code == "ofd.signature.read")


SHAPES = ("attributes", "digest-der", "digest-raw", "base64", "file", "detached")


def in_shape(pki: Pki, shape: str) -> Value:
    values = {
        "attributes": attributes_value(pki),
        "digest-der": content_value(pki),
        "digest-raw": content_value(pki, form=sm2.signature_to_raw),
        "base64": content_value(pki, content=lambda xml: base64.b64encode(sm3(xml))),
        "file": content_value(pki, content=bytes),
        "detached": content_value(pki, detached=True),
    }
    return values[shape]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_verified(pki: Pki, document: bytes, shape: str) -> None:
    data = sign_anyhow(document, in_shape(pki, shape), kind="Sign")
    report = verify(data, pki.policy())
    assert report.verdict is Verdict.VALID, report.problems
    assert report.facts["signer"] == "Department"
    assert "title" in report.facts
    assert "seal_name" not in report.facts
    assert ("signed_at" in report.facts) == (shape == "attributes")


@pytest.mark.parametrize("shape", SHAPES)
def test_a_change_is_found_in_every_shape(pki: Pki, document: bytes, shape: str) -> None:
    files = unpack(sign_anyhow(document, in_shape(pki, shape), kind="Sign"))
    changed_page = {**files, "Doc_0/Pages/Page_0/Content.xml": files["Doc_0/Pages/Page_0/Content.xml"] + b" "}
    assert codes(verify(write_package(changed_page), pki.policy())) == {"ofd.reference.digest"}
    changed_list = {**files, f"{SIGNS}Sign_0/Signature.xml": files[f"{SIGNS}Sign_0/Signature.xml"] + b" "}
    report = verify(write_package(changed_list), pki.policy())
    assert codes(report) & {"ofd.signature.data-hash", "ofd.signature.value"}
    assert "signer" not in report.facts


def test_a_bare_signature_needs_a_certificate_from_elsewhere(pki: Pki, document: bytes) -> None:
    data = sign_anyhow(document, lambda xml, _: pki.signer.signer.sign(xml), kind="Sign")
    unknown = verify(data, pki.policy())
    assert unknown.verdict is Verdict.INDETERMINATE
    assert codes(unknown, Status.INDETERMINATE) == {"ofd.sign.certificate"}
    policy = VerificationPolicy(
        roots=(pki.root.certificate,),
        intermediates=(pki.issuing.certificate,),
        crls=pki.crls,
        at=VERIFIED_AT,
        signers=(pki.stranger.certificate, pki.signer.certificate),
    )
    known = verify(data, policy)
    assert known.verdict is Verdict.VALID, known.problems
    assert known.facts["signer"] == "Department"
    assert shape_of(known) == "shape-bare"


def test_a_bare_signature_of_somebody_else_is_refused(pki: Pki, document: bytes) -> None:
    data = sign_anyhow(document, lambda xml, _: pki.signer.signer.sign(xml), kind="Sign")
    policy = VerificationPolicy(
        roots=(pki.root.certificate,),
        intermediates=(pki.issuing.certificate,),
        crls=pki.crls,
        at=VERIFIED_AT,
        signers=(pki.stranger.certificate,),
    )
    report = verify(data, policy)
    assert codes(report) == {"ofd.signature.value"}
    assert "signer" not in report.facts


def test_a_time_stamp_on_a_signature_without_seal_proves_its_time(pki: Pki, document: bytes) -> None:
    stamped = attributes_value(pki, token=lambda signature: make_token(pki, signature, at=SIGNED_AT))
    report = verify(sign_anyhow(document, stamped, kind="Sign"), pki.policy(at=SIGNED_AT + 400 * DAY))
    assert report.verdict is Verdict.VALID, report.problems
    assert report.facts["signed_at_proven"] == "true"
    assert "ofd.timestamp.expired" in codes(report, Status.WARNING)


def test_an_expired_signer_without_time_stamp_cannot_be_told(pki: Pki, document: bytes) -> None:
    data = sign_anyhow(document, content_value(pki), kind="Sign")
    report = verify(data, pki.policy(at=SIGNED_AT + 400 * DAY))
    assert report.verdict is not Verdict.VALID
    assert "ofd.time.unproven" in codes(report, Status.INDETERMINATE)


def test_a_signature_without_seal_has_to_cover_what_is_shown(pki: Pki, document: bytes) -> None:
    data = sign_anyhow(
        document, attributes_value(pki), kind="Sign", left_out=["Doc_0/Tpls/Tpl_0/Content.xml"]
    )  # fmt: skip
    assert codes(verify(data, pki.policy())) == {"ofd.coverage.shown"}


@pytest.mark.parametrize("value", [b"", b"\x30\x00", b"garbage", b"\x30\x03\x02\x01", bytes(63)])
def test_a_value_that_cannot_be_read_is_refused(pki: Pki, document: bytes, value: bytes) -> None:
    report = verify(sign_anyhow(document, lambda *_: value, kind="Sign"), pki.policy())
    assert report.verdict is Verdict.INVALID
    assert any(code.startswith(("ofd.sign.", "asn1.", "x509.")) for code in codes(report)), codes(report)


def test_an_unknown_type_of_signature_is_refused(pki: Pki, document: bytes) -> None:
    report = verify(sign_anyhow(document, seal_value(pki), kind="Stamp"), pki.policy())
    assert codes(report) == {"ofd.signature.type", "ofd.coverage.smuggled"} or codes(report) == {"ofd.signature.type"}


# Archive time stamps.

LATE = SIGNED_AT + 290 * DAY
"""When the document is archived: the signer's certificate is good still."""
MUCH_LATER = SIGNED_AT + 800 * DAY
"""When it is verified: all certificates but the root's and the second authority's have expired."""


@pytest.fixture(scope="module")
def lasting() -> Pki:
    """A PKI whose root and issuing CA last, and whose second time-stamping authority does."""
    keys = make_keys()
    until = SIGNED_AT + 4000 * DAY
    root = issue(keys, "Root", issuer=None, serial=1, ca=True, not_after=until)
    issuing = issue(keys, "Issuing", issuer=root, serial=2, ca=True, not_after=until)
    return Pki(
        root=root,
        issuing=issuing,
        maker=issue(keys, "Seal Maker", issuer=issuing, serial=3),
        signer=issue(keys, "Department", issuer=issuing, serial=4),
        stranger=issue(keys, "Stranger", issuer=issuing, serial=5),
        tsa=issue(
            keys, "TSA", issuer=issuing, serial=6, purposes=(oids.PURPOSE_TIME_STAMPING,), not_after=until
        ),
        crls=(make_crl(root), make_crl(issuing)),
    )  # fmt: skip


def policy_of(pki: Pki, at: datetime, *more: bytes) -> VerificationPolicy:
    return VerificationPolicy(
        roots=(pki.root.certificate,), intermediates=(pki.issuing.certificate,), crls=(*pki.crls, *more), at=at
    )


def later_crls(pki: Pki) -> tuple[bytes, ...]:
    return (make_crl(pki.root, at=LATE - DAY), make_crl(pki.issuing, at=LATE - DAY))


def archived(pki: Pki, document: bytes, *, at: datetime = LATE, sealed: Value | None = None) -> bytes:
    first = sign_anyhow(document, sealed or seal_value(pki), closed=False)
    return sign_anyhow(first, archive_value(pki.tsa, at=at), kind="Sign", attributes=' Relative="s001"', closed=False)


def test_an_archive_time_stamp_keeps_a_seal_valid_after_its_certificate_expired(lasting: Pki, document: bytes) -> None:
    plain = sign_anyhow(document, seal_value(lasting), closed=False)
    policy = policy_of(lasting, MUCH_LATER, *later_crls(lasting))
    without = verify(plain, policy)
    assert codes(without, Status.INDETERMINATE) == {"ofd.time.unproven"}
    result = examine(archived(lasting, document), policy)
    assert result.report.verdict is Verdict.VALID, result.report.problems
    assert [item.form for item in result.signatures] == [SignatureForm.SEAL, SignatureForm.ARCHIVE]
    assert result.report.facts["2.archived_at"] == LATE.isoformat().replace("+00:00", "Z")


def test_an_archive_time_stamp_made_too_late_proves_nothing(lasting: Pki, document: bytes) -> None:
    at = SIGNED_AT + 500 * DAY
    lists = (make_crl(lasting.root, at=at - DAY), make_crl(lasting.issuing, at=at - DAY))
    report = verify(archived(lasting, document, at=at), policy_of(lasting, MUCH_LATER, *lists))
    assert codes(report, Status.INDETERMINATE) == {"ofd.time.unproven"}


def test_what_was_archived_was_not_signed_later(lasting: Pki, document: bytes) -> None:
    report = verify(archived(lasting, document, at=SIGNED_AT - DAY), policy_of(lasting, VERIFIED_AT))
    assert "ofd.archive.order" in codes(report)


def test_an_archive_time_stamp_of_another_document_is_refused(lasting: Pki, document: bytes) -> None:
    first = sign_anyhow(document, seal_value(lasting), closed=False)
    other = archive_value(lasting.tsa, at=LATE, over=lambda _: b"other")
    data = sign_anyhow(first, other, kind="Sign", closed=False)
    report = verify(data, policy_of(lasting, MUCH_LATER, *later_crls(lasting)))
    assert codes(report) == {"ofd.archive.imprint"}
    assert "ofd.time.unproven" in codes(report, Status.INDETERMINATE)


def test_an_archive_time_stamp_that_was_broken_proves_nothing(lasting: Pki, document: bytes) -> None:
    files = unpack(archived(lasting, document))
    files["Doc_0/PublicRes.xml"] += b" "
    report = verify(write_package(files), policy_of(lasting, MUCH_LATER, *later_crls(lasting)))
    assert "ofd.reference.digest" in codes(report)
    assert "ofd.time.unproven" in codes(report, Status.INDETERMINATE)


def test_an_archive_time_stamp_from_the_future_is_refused(lasting: Pki, document: bytes) -> None:
    report = verify(archived(lasting, document), policy_of(lasting, LATE - 2 * DAY, *later_crls(lasting)))
    assert "ofd.time.future" in codes(report)


def test_an_archive_time_stamp_of_no_authority_is_refused(lasting: Pki, document: bytes) -> None:
    first = sign_anyhow(document, seal_value(lasting), closed=False)
    data = sign_anyhow(first, archive_value(lasting.stranger, at=LATE), kind="Sign", closed=False)
    report = verify(data, policy_of(lasting, MUCH_LATER, *later_crls(lasting)))
    assert any(code.startswith("ofd.archive.") for code in codes(report))


def test_a_document_that_is_only_archived_was_signed_by_nobody(lasting: Pki, document: bytes) -> None:
    data = sign_anyhow(document, archive_value(lasting.tsa, at=SIGNED_AT), kind="Sign")
    report = verify(data, policy_of(lasting, VERIFIED_AT))
    assert codes(report) == {"ofd.signature.none"}
    assert not {"signer", "title"} & set(report.facts)


def test_a_signature_without_seal_is_told_and_fails_where_a_seal_is_required(pki: Pki, document: bytes) -> None:
    data = sign_anyhow(document, attributes_value(pki), kind="Sign")
    report = verify(data, pki.policy())
    assert "ofd.seal.none" in codes(report, Status.WARNING)
    assert codes(verify(data, replace(pki.policy(), seal_required=True))) == {"ofd.seal.none"}


# Archives that the product makes itself.


def archived_by_us(pki: Pki, data: bytes, at: datetime, *, tsa: Holder, validation: ValidationData) -> bytes:
    prepared = prepare_archive(data, at=at, validation=validation)
    return prepared.complete(make_token(pki, prepared.to_be_stamped, at=at, tsa=tsa))


def test_an_archive_carries_what_verifies_it_and_can_be_renewed(lasting: Pki, document: bytes) -> None:
    """Three generations of time stamps; the root alone is known, and all certificates but the last one's are gone."""
    keys = make_keys()
    stamping = (oids.PURPOSE_TIME_STAMPING,)
    first_tsa = issue(
        keys, "TSA 1", issuer=lasting.issuing, serial=101, purposes=stamping, not_after=SIGNED_AT + 700 * DAY
    )  # fmt: skip
    second_tsa = issue(
        keys, "TSA 2", issuer=lasting.issuing, serial=102, purposes=stamping, not_after=SIGNED_AT + 1400 * DAY
    )  # fmt: skip
    chain = (lasting.issuing.certificate.der,)

    def lists(at: datetime) -> tuple[bytes, ...]:
        return make_crl(lasting.root, at=at - DAY), make_crl(lasting.issuing, at=at - DAY)

    times = (LATE, SIGNED_AT + 650 * DAY, SIGNED_AT + 1300 * DAY)
    sealed = sign_anyhow(document, seal_value(lasting), closed=False)
    once = archived_by_us(
        lasting, sealed, times[0], tsa=first_tsa,
        validation=ValidationData(certificates=chain, crls=(*lasting.crls, *lists(times[0]))),
    )  # fmt: skip
    twice = archived_by_us(
        lasting, once, times[1], tsa=second_tsa,
        validation=ValidationData(certificates=chain, crls=lists(times[1])),
    )  # fmt: skip
    thrice = archived_by_us(
        lasting, twice, times[2], tsa=lasting.tsa,
        validation=ValidationData(certificates=chain, crls=lists(times[2])),
    )  # fmt: skip
    now = SIGNED_AT + 3000 * DAY
    policy = VerificationPolicy(roots=(lasting.root.certificate,), at=now, crls=lists(now))
    result = examine(thrice, policy)
    assert result.report.verdict is Verdict.VALID, result.report.problems
    assert [item.form for item in result.signatures] == [SignatureForm.SEAL, *[SignatureForm.ARCHIVE] * 3]
    assert not any(change.is_content for change in result.changes)
    assert verify(sealed, policy).verdict is not Verdict.VALID
    assert "ofd.archive.expired" not in codes(result.report, Status.WARNING)
    assert "ofd.archive.expired" in codes(verify(once, policy), Status.WARNING)


def test_changed_validation_data_is_found(lasting: Pki, document: bytes) -> None:
    sealed = sign_anyhow(document, seal_value(lasting), closed=False)
    validation = ValidationData(certificates=(lasting.issuing.certificate.der,), crls=(*lasting.crls,))
    files = unpack(archived_by_us(lasting, sealed, LATE, tsa=lasting.tsa, validation=validation))
    name = next(name for name in files if name.endswith("ValidationData.dat"))
    files[name] = files[name][:-1] + bytes((files[name][-1] ^ 1,))
    assert verify(write_package(files), policy_of(lasting, LATE + DAY)).verdict is Verdict.INVALID


def test_a_signature_that_builds_on_none_cannot_be_told(lasting: Pki, document: bytes) -> None:
    first = sign_anyhow(document, seal_value(lasting), closed=False)
    data = sign_anyhow(first, archive_value(lasting.tsa, at=LATE), kind="Sign", attributes=' Relative="s999"')
    report = verify(data, policy_of(lasting, MUCH_LATER, *later_crls(lasting)))
    assert codes(report, Status.INDETERMINATE) == {"ofd.signature.relative"}


def test_evidence_is_bounded_however_many_signatures_carry_some() -> None:
    many = Evidence(crls=tuple(b"%d" % number for number in range(400)))
    more = Evidence(crls=tuple(b"x%d" % number for number in range(400)))
    joined = many.joined(more).joined(many)
    assert len(joined.crls) == 512
    assert joined.crls[:400] == many.crls
    assert many.joined(many).crls == many.crls


def test_validation_data_that_was_added_afterwards_is_refused(pki: Pki, sealed: bytes) -> None:
    """It proves nothing that its parts do not prove themselves, but nobody who signed put it there."""
    data = encode_validation_data([pki.stranger.certificate.der])
    report = verify(Package(sealed).with_files({f"{SIGNS}Sign_0/{ARCHIVE_FILE}": data}), pki.policy())
    assert codes(report) == {"ofd.coverage.smuggled"}


def test_a_signature_without_seal_has_no_seal_file(pki: Pki, document: bytes) -> None:
    """Nothing compares the file with anything, so it has to be protected like any other."""
    name = f"{SIGNS}Sign_0/Seal.esl"
    data = sign_anyhow(document, attributes_value(pki), kind="Sign", files={"Seal.esl": b"any"}, left_out=[name])
    assert codes(verify(data, pki.policy())) == {"ofd.coverage.smuggled"}
    data = sign_anyhow(document, attributes_value(pki), kind="Sign", files={"Seal.esl": b"any"})
    assert verify(data, pki.policy()).verdict is Verdict.VALID
