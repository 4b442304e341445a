"""A seal on a PDF is believed as one on an OFD is: its end, its withdrawal, its maker's key, what it demands."""

from datetime import timedelta

import pytest

from ofd.ses.structure import Seal
from ofd.verify.policy import RevokedSeal, VerificationPolicy
from seal_service.core.material import validation_material
from seal_service.pdf.gm_seal import prepare_gm_seal
from seal_service.pdf.verify import verify_pdf
from trustcore.crypto.algorithms import DigestAlgorithm
from trustcore.report import Report, Verdict
from trustcore.x509.certificate import Certificate
from trustcore.x509.crl import RevocationReason, RevokedEntry

from support.seal_suite import Suite, make_pdf

LISTS = ("sm2-issuing", "sm2-root")


def sealed_pdf(suite: Suite, *, stamped: bool) -> bytes:
    """A PDF with the seal, with or without a time stamp."""
    key = f"seal-{suite.seal.id}-sm2"
    prepared = prepare_gm_seal(
        make_pdf(),
        seal=Seal.parse(suite.service.seal_der(suite.seal.id)),
        certificate=Certificate.from_der(suite.ca.issued[f"seal:{key}"]),
        material=validation_material(suite.ca.chain("sm2-issuing"), [suite.ca.crl(name) for name in LISTS]),
        at=suite.clock(),
        picture=None,
    )
    signature = suite.ca.keys.signer(suite.ca.keys.find(key) or "").sign(prepared.to_be_signed)
    imprint = prepared.imprint(signature)
    token = suite.ca.timestamp_token("sm2-issuing", DigestAlgorithm.SM3, imprint) if stamped else None
    return prepared.complete(signature, timestamp_token=token)


def judged(suite: Suite, data: bytes, *revoked_seals: RevokedSeal) -> Report:
    """As of now, with the lists of today."""
    crls = tuple(suite.ca.crl(name) for name in LISTS)
    policy = VerificationPolicy(
        roots=(suite.ca.root("sm2"),), crls=crls, at=suite.clock(), revoked_seals=revoked_seals
    )  # fmt: skip
    return verify_pdf(data, policy)


def codes(report: Report) -> set[str]:
    return {step.code for step in report.problems}


def test_a_seal_that_has_ended_counts_only_with_a_time_stamp(suite: Suite) -> None:
    plain, stamped = sealed_pdf(suite, stamped=False), sealed_pdf(suite, stamped=True)
    assert judged(suite, plain).verdict is Verdict.VALID
    suite.clock.now += timedelta(days=400)
    report = judged(suite, plain)
    assert (report.verdict, codes(report)) == (Verdict.INDETERMINATE, {"pdf.time.unproven"})
    assert judged(suite, stamped).verdict is Verdict.VALID


@pytest.mark.parametrize(
    ("stamped", "verdict"), [(False, Verdict.INDETERMINATE), (True, Verdict.VALID)], ids=["claimed", "stamped"]
)
def test_a_seal_that_was_withdrawn_later_counts_only_with_a_time_stamp(
    suite: Suite, stamped: bool, verdict: Verdict
) -> None:
    data = sealed_pdf(suite, stamped=stamped)
    suite.clock.now += timedelta(hours=1)
    code = Seal.parse(suite.service.seal_der(suite.seal.id)).info.seal_code
    report = judged(suite, data, RevokedSeal(seal_code=code, at=suite.clock()))
    assert report.verdict is verdict
    assert "pdf.seal.revocation" in {step.code for step in report.steps}


def test_a_seal_that_was_withdrawn_before_is_refused(suite: Suite) -> None:
    code = Seal.parse(suite.service.seal_der(suite.seal.id)).info.seal_code
    withdrawn = RevokedSeal(seal_code=code, at=suite.clock() - timedelta(hours=1))
    report = judged(suite, sealed_pdf(suite, stamped=True), withdrawn)
    assert (report.verdict, codes(report)) == (Verdict.INVALID, {"pdf.seal.revocation"})


def test_a_seal_of_a_compromised_maker_counts_when_it_is_proven_older(suite: Suite) -> None:
    plain, stamped = sealed_pdf(suite, stamped=False), sealed_pdf(suite, stamped=True)
    suite.clock.now += timedelta(hours=1)
    maker = Certificate.from_der(Seal.parse(suite.service.seal_der(suite.seal.id)).certificate_der)
    suite.ca.authorities["sm2-issuing"].revoked.append(
        RevokedEntry(serial_number=maker.serial_number, at=suite.clock(), reason=RevocationReason.KEY_COMPROMISE)
    )
    assert judged(suite, stamped).verdict is Verdict.VALID
    assert codes(judged(suite, plain)) == {"pdf.seal.maker.compromised"}
