"""Seals on PDF: written, judged by others, broken in every way."""

import random
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1_x509
from hypothesis import given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

from ofd.ses.structure import Seal
from ofd.verify.policy import VerificationPolicy
from seal_service.core.material import validation_material
from seal_service.core.placement import Placement
from seal_service.pdf.document import open_document
from seal_service.pdf.gm_seal import prepare_gm_seal
from seal_service.pdf.pades import prepare_pades
from seal_service.pdf.verify import verify_pdf
from trustcore.crypto.algorithms import DigestAlgorithm, SignatureAlgorithm
from trustcore.errors import MalformedError, RejectedError
from trustcore.report import Report, Status, Verdict
from trustcore.x509.certificate import Certificate

from support.seal_suite import SPEC, Suite, make_pdf

PLACE = Placement(page=1, x_mm=120, y_mm=200, width_mm=42, height_mm=42)
FORMS = ["pades", "gm"]


def _problems(report: Report) -> set[str]:
    return {step.code for step in report.problems}


def _hole(data: bytes) -> tuple[int, int]:
    """Offsets of the digits of the last /Contents."""
    found = list(re.finditer(rb"/Contents\s*<([0-9A-F]*)>", data))[-1]
    return found.start(1), found.end(1)


@pytest.fixture(scope="module", params=FORMS)
def sealed(request: pytest.FixtureRequest, shared: Suite) -> bytes:
    return shared.service.stamp_pdf(shared.seal.id, make_pdf(), form=request.param, placement=PLACE)


@pytest.fixture(scope="module")
def pades(shared: Suite) -> bytes:
    return shared.service.stamp_pdf(shared.seal.id, make_pdf(), form="pades", placement=PLACE)


@pytest.fixture(scope="module")
def gm(shared: Suite) -> bytes:
    return shared.service.stamp_pdf(shared.seal.id, make_pdf(), form="gm", placement=PLACE)


def test_a_sealed_pdf_verifies_from_the_file_and_the_root_alone(sealed: bytes, shared: Suite) -> None:
    report = verify_pdf(sealed, shared.policy())
    assert report.verdict is Verdict.VALID, _problems(report)
    assert report.facts["signer"] == "青岚市行政审批服务局"
    assert report.facts["signed_at"] == "2030-01-15T09:30:00Z"
    assert report.facts["signed_at_proven"] == "true"
    assert all(step.zh and step.en and step.clause for step in report.steps)
    assert "pdf.timestamp.structure" in {step.code for step in report.steps}


def test_the_document_stays_the_beginning_of_the_sealed_file(sealed: bytes) -> None:
    assert sealed.startswith(make_pdf())


def test_the_value_is_found_as_any_reader_finds_it(sealed: bytes) -> None:
    (found,) = open_document(sealed).signatures
    field = PdfFileReader(BytesIO(sealed)).root["/AcroForm"]["/Fields"][0]
    assert found.contents == bytes(field["/V"].raw_get("/Contents"))
    assert found.byte_range == tuple(int(number) for number in field["/V"]["/ByteRange"])
    assert found.field_name == field["/T"]
    assert found.revision == 1


def test_a_value_that_stands_twice_in_its_dictionary_is_read_as_by_any_reader(sealed: bytes, shared: Suite) -> None:
    twice = sealed.replace(b"/Contents", b"/Contents <00> /Contents", 1)
    assert verify_pdf(twice, shared.policy()).verdict is Verdict.INVALID


def test_a_gm_seal_is_told_with_its_name_and_code(gm: bytes, shared: Suite) -> None:
    facts = verify_pdf(gm, shared.policy()).facts
    assert facts["seal_code"] == shared.seal.id
    assert facts["seal_name"] == shared.seal.name
    assert b"/Filter /Gomain.GMPkiLite" in gm
    assert b"/SubFilter /GM.sm2seal" in gm


def test_pdfsig_calls_the_pades_signature_valid(pades: bytes, tmp_path: Path) -> None:
    path = tmp_path / "sealed.pdf"
    path.write_bytes(pades)
    said = subprocess.run(["pdfsig", path], capture_output=True, text=True, check=False).stdout
    assert "Signature Validation: Signature is Valid." in said
    assert "Total document signed" in said
    assert "Signature Type: ETSI.CAdES.detached" in said


def test_pyhanko_calls_the_pades_signature_valid_and_timestamped(pades: bytes, shared: Suite) -> None:
    signature = PdfFileReader(BytesIO(pades)).embedded_regular_signatures[0]
    crls = [asn1_crl.CertificateList.load(item.chosen.dump()) for item in signature.signed_data["crls"]]

    def context() -> ValidationContext:
        return ValidationContext(
            trust_roots=[asn1_x509.Certificate.load(shared.ca.root("rsa").der)],
            other_certs=signature.other_embedded_certs,
            crls=crls,
            moment=shared.clock(),
            revocation_mode="hard-fail",
        )

    status = validate_pdf_signature(signature, context(), context())
    assert status.bottom_line, status.pretty_print_details()
    assert status.coverage is SignatureCoverageLevel.ENTIRE_FILE
    assert status.timestamp_validity is not None
    assert status.timestamp_validity.valid
    assert status.timestamp_validity.trusted


def test_no_changed_byte_goes_unnoticed(sealed: bytes, shared: Suite) -> None:
    """A sample by chance; the seed is printed, so that a finding can be repeated."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    chance = random.Random(seed)  # noqa: S311 - chooses places, no secrets
    start, end = _hole(sealed)
    value = len(sealed[start:end].rstrip(b"0"))
    places = {
        *(chance.randrange(0, start) for _ in range(8)),
        *(chance.randrange(start, start + value) for _ in range(16)),
        *(chance.randrange(end, len(sealed)) for _ in range(4)),
        0, 5, start - 11, start - 2, start - 1, start, start + 1, start + value + 2, end - 1, end, len(sealed) - 1,
        sealed.rindex(b"/ByteRange") + 13, sealed.rindex(b"/SubFilter") + 12, sealed.rindex(b"startxref") + 11,
    }  # fmt: skip
    policy = shared.policy()
    for place in sorted(places):
        other = chance.choice(b"0123456789ABCDEF".replace(sealed[place : place + 1], b""))
        changed = sealed[:place] + bytes((other,)) + sealed[place + 1 :]
        report = verify_pdf(changed, policy)
        assert report.verdict is not Verdict.VALID, (seed, place, sealed[place], other)


@pytest.mark.timeout(60)
def test_a_file_whose_end_is_not_to_be_found_is_refused_and_does_not_hang(sealed: bytes, shared: Suite) -> None:
    """A reader that looks for the end backwards must not lose itself in the blanks that stand for the signature."""
    end = sealed.rindex(b"startxref")
    for place in range(end, len(sealed)):
        for other in (b"0", b" ", b"\n", b"%"):
            changed = sealed[:place] + other + sealed[place + 1 :]
            if changed != sealed:
                assert verify_pdf(changed, shared.policy()).verdict is not Verdict.VALID, (place, other)


@pytest.mark.slow
@pytest.mark.parametrize("stride", [97])
def test_no_changed_byte_goes_unnoticed_anywhere(sealed: bytes, shared: Suite, stride: int) -> None:
    policy = shared.policy()
    for place in range(0, len(sealed), stride):
        changed = sealed[:place] + bytes((sealed[place] ^ 0x05,)) + sealed[place + 1 :]
        assert verify_pdf(changed, policy).verdict is not Verdict.VALID, place


def test_lower_case_digits_of_the_same_value_are_noticed(sealed: bytes, shared: Suite) -> None:
    start, end = _hole(sealed)
    place = next(i for i in range(start, end) if sealed[i : i + 1] in b"ABCDEF")
    changed = sealed[:place] + sealed[place : place + 1].lower() + sealed[place + 1 :]
    assert _problems(verify_pdf(changed, shared.policy())) >= {"pdf.signature.byte-range"}


def test_octets_in_the_padding_are_noticed(sealed: bytes, shared: Suite) -> None:
    _, end = _hole(sealed)
    changed = sealed[: end - 1] + b"1" + sealed[end:]
    assert "pdf.signature.padding" in _problems(verify_pdf(changed, shared.policy()))


def test_a_changed_page_is_named_as_changed_content(sealed: bytes, shared: Suite) -> None:
    place = sealed.index(b"%PDF-1.") + 7
    changed = sealed[:place] + b"6" + sealed[place + 1 :]
    assert "pdf.signature.digest" in _problems(verify_pdf(changed, shared.policy()))


def test_octets_after_the_last_signature_are_a_change(sealed: bytes, shared: Suite) -> None:
    report = verify_pdf(sealed + b"\n% more\n", shared.policy())
    assert report.verdict is Verdict.INVALID
    assert "pdf.signature.changes" in _problems(report)


def test_an_update_after_the_last_signature_is_a_change(sealed: bytes, shared: Suite) -> None:
    writer = IncrementalPdfFileWriter(BytesIO(sealed))
    page, _ = writer.find_page_for_modification(0)
    page.get_object()["/Rotate"] = generic.NumberObject(90)
    writer.mark_update(page)
    out = BytesIO()
    writer.write(out)
    report = verify_pdf(out.getvalue(), shared.policy())
    assert report.verdict is Verdict.INVALID
    assert _problems(report) == {"pdf.signature.changes"}


@pytest.mark.parametrize("second", FORMS)
def test_a_second_seal_leaves_the_first_one_valid(sealed: bytes, second: str, shared: Suite) -> None:
    other = Placement(page=1, x_mm=20, y_mm=200, width_mm=42, height_mm=42)
    twice = shared.service.stamp_pdf(shared.seal.id, sealed, form=second, placement=other)
    report = verify_pdf(twice, shared.policy())
    assert report.verdict is Verdict.VALID, _problems(report)
    assert report.facts["2.signer"] == report.facts["signer"]


def test_a_change_between_two_seals_is_found(sealed: bytes, shared: Suite) -> None:
    writer = IncrementalPdfFileWriter(BytesIO(sealed))
    page, _ = writer.find_page_for_modification(0)
    page.get_object()["/Rotate"] = generic.NumberObject(180)
    writer.mark_update(page)
    out = BytesIO()
    writer.write(out)
    twice = shared.service.stamp_pdf(shared.seal.id, out.getvalue(), form="pades", placement=None)
    report = verify_pdf(twice, shared.policy())
    assert report.verdict is Verdict.INVALID
    assert _problems(report) == {"pdf.signature.changes"}


def test_a_value_cut_out_of_one_document_does_not_seal_another(sealed: bytes, shared: Suite) -> None:
    form = "gm" if b"GM.sm2seal" in sealed else "pades"
    other = shared.service.stamp_pdf(shared.seal.id, make_pdf(text="Licence 9999"), form=form, placement=PLACE)
    start, end = _hole(other)
    taken = sealed[slice(*_hole(sealed))].rstrip(b"0")
    forged = other[:start] + taken.ljust(end - start, b"0") + other[end:]
    report = verify_pdf(forged, shared.policy())
    assert report.verdict is Verdict.INVALID
    assert "pdf.signature.digest" in _problems(report)


def test_a_seal_taken_from_another_signer_is_refused(suite: Suite) -> None:
    """Whoever has a certificate of the same authority signs with the picture and data of a seal that is not theirs."""
    thief = suite.service.make_seal(replace(SPEC, code="3702000066666", name="另一家审批服务局"), request_id="thief")
    certificate = Certificate.from_der(suite.ca.issued[f"seal:seal-{thief.id}-sm2"])
    signer = suite.ca.keys.signer(suite.ca.keys.find(f"seal-{thief.id}-sm2") or "")
    prepared = prepare_gm_seal(
        make_pdf(),
        seal=Seal.parse(suite.service.seal_der(suite.seal.id)),
        certificate=certificate,
        material=validation_material(
            suite.ca.chain("sm2-issuing"), [suite.ca.crl("sm2-issuing"), suite.ca.crl("sm2-root")]
        ),
        at=suite.clock(),
        picture=None,
    )
    signature = signer.sign(prepared.to_be_signed)
    token = suite.ca.timestamp_token("sm2-issuing", DigestAlgorithm.SM3, prepared.imprint(signature))
    report = verify_pdf(prepared.complete(signature, timestamp_token=token), suite.policy())
    assert report.verdict is Verdict.INVALID
    assert _problems(report) >= {"pdf.seal.signer-listed"}


def test_without_a_time_stamp_the_claimed_time_counts_only_while_the_certificate_stands(suite: Suite) -> None:
    key = f"seal-{suite.seal.id}-rsa"
    certificate = Certificate.from_der(suite.ca.issued[f"seal:{key}"])
    prepared = prepare_pades(
        make_pdf(),
        certificate=certificate,
        algorithm=SignatureAlgorithm.RSA_SHA256,
        material=validation_material(
            suite.ca.chain("rsa-issuing"), [suite.ca.crl("rsa-issuing"), suite.ca.crl("rsa-root")]
        ),
        at=suite.clock(),
        picture=None,
    )
    signature = suite.ca.keys.signer(suite.ca.keys.find(key) or "").sign(prepared.to_be_signed)
    sealed = prepared.complete(signature, timestamp_token=None)
    report = verify_pdf(sealed, suite.policy())
    assert report.verdict is Verdict.VALID, _problems(report)
    assert report.facts["signed_at_proven"] == "false"
    suite.clock.now += timedelta(hours=1)
    suite.ca.revoke("rsa-issuing", certificate.der, suite.clock())
    assert _problems(verify_pdf(sealed, suite.policy(suite.ca.crl("rsa-issuing")))) == {"pdf.time.unproven"}
    suite.clock.now -= timedelta(days=2)
    assert "pdf.time.future" in _problems(verify_pdf(sealed, suite.policy()))


def test_a_byte_range_that_leaves_out_more_than_the_value_is_refused(sealed: bytes, shared: Suite) -> None:
    start, end = _hole(sealed)
    numbers = re.search(rb"/ByteRange \[([\d ]+)\]", sealed)
    assert numbers is not None
    wider = b"0 %d %d %d" % (start - 9, end + 1, len(sealed) - end - 1)
    changed = sealed.replace(numbers[1], wider.ljust(len(numbers[1])))
    report = verify_pdf(changed, shared.policy())
    assert "pdf.signature.byte-range" in _problems(report)


def test_a_root_that_is_not_trusted_cannot_be_judged_by(sealed: bytes, shared: Suite) -> None:
    other = "rsa" if b"GM.sm2seal" in sealed else "sm2"
    report = verify_pdf(sealed, shared.policy(families=(other,)))
    assert report.verdict is Verdict.INDETERMINATE


def test_a_certificate_revoked_before_the_signature_makes_it_invalid(suite: Suite, pdf: bytes) -> None:
    for form, family in (("pades", "rsa"), ("gm", "sm2")):
        sealed = suite.service.stamp_pdf(suite.seal.id, pdf, form=form, placement=PLACE)
        label = f"seal:seal-{suite.seal.id}-{family}"
        suite.ca.revoke(f"{family}-issuing", suite.ca.issued[label], suite.clock())
        report = verify_pdf(sealed, suite.policy(suite.ca.crl(f"{family}-issuing")))
        assert report.verdict is Verdict.INVALID
        assert "pdf.signer.revocation" in _problems(report)


def test_a_certificate_revoked_after_the_signature_leaves_it_valid(suite: Suite, pdf: bytes) -> None:
    for form, family in (("pades", "rsa"), ("gm", "sm2")):
        sealed = suite.service.stamp_pdf(suite.seal.id, pdf, form=form, placement=PLACE)
        suite.clock.now += timedelta(minutes=10)
        label = f"seal:seal-{suite.seal.id}-{family}"
        suite.ca.revoke(f"{family}-issuing", suite.ca.issued[label], suite.clock())
        suite.clock.now += timedelta(minutes=10)
        report = verify_pdf(sealed, suite.policy(suite.ca.crl(f"{family}-issuing")))
        assert report.verdict is Verdict.VALID, _problems(report)


def test_a_sealed_pdf_stays_valid_after_its_certificates_expired(suite: Suite, pdf: bytes) -> None:
    for form in FORMS:
        sealed = suite.service.stamp_pdf(suite.seal.id, pdf, form=form, placement=PLACE)
        policy = suite.policy()
        later = VerificationPolicy(roots=policy.roots, at=policy.at.replace(year=2045))
        assert verify_pdf(sealed, later).verdict is Verdict.VALID


@pytest.mark.parametrize(
    ("make", "verdict", "code"),
    [
        (make_pdf, Verdict.INVALID, "pdf.signatures"),
        (lambda: b"", Verdict.INVALID, "pdf.read"),
        (lambda: b"%PDF-1.7\n", Verdict.INVALID, "pdf.read"),
        (lambda: make_pdf()[:700], Verdict.INVALID, "pdf.read"),
        (lambda: make_pdf(encrypt="secret"), Verdict.INDETERMINATE, "pdf.read"),
        (lambda: bytes(65 * 1024 * 1024), Verdict.INDETERMINATE, "pdf.read"),
    ],
    ids=["unsigned", "empty", "header", "cut", "encrypted", "huge"],
)
def test_a_file_without_readable_signatures_gets_a_report(
    make: Callable[[], bytes], verdict: Verdict, code: str, shared: Suite
) -> None:
    report = verify_pdf(make(), shared.policy())
    assert (report.verdict, _problems(report)) == (verdict, {code})


def test_an_unknown_form_of_signature_cannot_be_judged(gm: bytes, shared: Suite) -> None:
    report = verify_pdf(gm.replace(b"/GM.sm2seal", b"/GM.sm2what"), shared.policy())
    assert Status.INDETERMINATE in {step.status for step in report.steps if step.code == "pdf.signature.form"}
    assert report.verdict is not Verdict.VALID


def test_a_signature_that_no_field_refers_to_is_told(sealed: bytes, shared: Suite) -> None:
    report = verify_pdf(sealed + b"\n% /ByteRange [0 10 20 30]\n", shared.policy())
    assert "pdf.signatures.unreferenced" in _problems(report)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_mutated_files_never_raise(data: st.DataObject, gm: bytes, shared: Suite) -> None:
    changed = bytearray(gm)
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(changed) - 1))
        changed[start : start + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=40))
        if not changed:
            changed = bytearray(b"%PDF-")
    assert verify_pdf(bytes(changed), shared.policy()).verdict is not Verdict.VALID or bytes(changed) == gm


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"no pdf", "seal.pdf.unreadable"),
        (make_pdf()[:600], "seal.pdf.unreadable"),
        (make_pdf(encrypt="x"), "seal.pdf.encrypted"),
    ],
    ids=["other", "cut", "encrypted"],
)
def test_a_document_that_cannot_be_sealed_is_refused_in_words(
    document: bytes, code: str, form: str, shared: Suite
) -> None:
    with pytest.raises((MalformedError, RejectedError)) as refused:
        shared.service.stamp_pdf(shared.seal.id, document, form=form, placement=PLACE)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("place", "code"),
    [
        (Placement(page=2, x_mm=1, y_mm=1, width_mm=42, height_mm=42), "seal.pdf.no-page"),
        (Placement(page=0, x_mm=1, y_mm=1, width_mm=42, height_mm=42), "seal.pdf.no-page"),
        (Placement(page=1, x_mm=190, y_mm=1, width_mm=42, height_mm=42), "seal.pdf.outside-page"),
        (Placement(page=1, x_mm=1, y_mm=-5, width_mm=42, height_mm=42), "seal.pdf.outside-page"),
        (Placement(page=1, x_mm=1, y_mm=1, width_mm=0, height_mm=42), "seal.pdf.outside-page"),
    ],
    ids=["after", "before", "right", "above", "nothing"],
)
def test_a_place_that_is_not_on_the_page_is_refused(place: Placement, code: str, shared: Suite) -> None:
    with pytest.raises(RejectedError) as refused:
        shared.service.stamp_pdf(shared.seal.id, make_pdf(), form="gm", placement=place)
    assert refused.value.code == code


def test_a_pdf_certified_against_changes_is_not_sealed(shared: Suite) -> None:
    writer = IncrementalPdfFileWriter(BytesIO(make_pdf()))
    rules = generic.DictionaryObject({generic.pdf_name("/P"): generic.NumberObject(1)})
    reference = generic.DictionaryObject(
        {
            generic.pdf_name("/TransformMethod"): generic.pdf_name("/DocMDP"),
            generic.pdf_name("/TransformParams"): rules,
        }
    )
    signature = generic.DictionaryObject({generic.pdf_name("/Reference"): generic.ArrayObject([reference])})
    writer.root["/Perms"] = generic.DictionaryObject({generic.pdf_name("/DocMDP"): writer.add_object(signature)})
    writer.update_root()
    out = BytesIO()
    writer.write(out)
    with pytest.raises(RejectedError) as refused:
        shared.service.stamp_pdf(shared.seal.id, out.getvalue(), form="pades", placement=PLACE)
    assert refused.value.code == "seal.pdf.closed"
