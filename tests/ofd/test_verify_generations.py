"""Seals of all generations and key types, their own time stamps, OCSP, and seals that were withdrawn."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from ofd.ses.encode import encode_seal, encode_seal_info, validation_material
from ofd.ses.structure import REVOCATION_VALUES, Extension, Picture, Seal
from ofd.verify.document import verify
from ofd.verify.policy import RevokedSeal, VerificationPolicy
from trustcore.asn1 import encoder
from trustcore.asn1.reader import parse
from trustcore.crypto.algorithms import SIGNATURES, KeyAlgorithm
from trustcore.crypto.digests import sha256
from trustcore.report import Report, Status, Verdict
from trustcore.x509.build import signed
from trustcore.x509.crl import CrlTemplate, RevocationReason, RevokedEntry, crl_tbs
from trustcore.x509.ocsp import CertificateStatus

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
    sample_png,
    seal_by_force,
)
from support.ofd_signing import (
    first_seal,
    first_seal_value,
    make_ocsp,
    seal_value,
    sign_anyhow,
)

DAY = timedelta(days=1)
OCSP_PURPOSE = "1.3.6.1.5.5.7.3.9"


def codes(report: Report, status: Status = Status.FAILED) -> set[str]:
    return {step.code for step in report.steps if step.status is status}


def step_of(report: Report, code: str) -> Status:
    return next(step.status for step in report.steps if step.code == code)


def whole_policy(pki: Pki, **options: object) -> VerificationPolicy:
    given = {
        "roots": (pki.root.certificate,),
        "intermediates": (pki.issuing.certificate,),
        "crls": pki.crls,
        "at": VERIFIED_AT,
    }
    return VerificationPolicy(**given | options)  # type: ignore[arg-type] # a table of keyword arguments


# GM/T 0031-2014.


def test_a_seal_of_the_first_generation_is_verified(pki: Pki, document: bytes) -> None:
    report = verify(sign_anyhow(document, first_seal_value(pki)), whole_policy(pki))
    assert report.verdict is Verdict.VALID, report.problems
    read = next(step for step in report.steps if step.code == "ofd.signature.read")
    assert read.evidence["version"] == "1"
    assert report.facts["seal_name"] == "某局"


def test_a_first_generation_seal_signed_over_its_info_alone_is_refused(pki: Pki, document: bytes) -> None:
    seal = Seal.parse(first_seal(pki))
    info_only = pki.maker.signer.sign(seal.info_der)
    parts = [encoder.octet_string(seal.certificate_der), encoder.oid(seal.signature_algorithm_oid)]
    forged = encoder.sequence(seal.info_der, encoder.sequence(*parts, encoder.bit_string(info_only)))
    report = verify(sign_anyhow(document, first_seal_value(pki, seal_der=forged)), whole_policy(pki))
    assert codes(report) == {"ofd.seal.signature"}


def test_a_first_generation_seal_of_another_maker_is_refused(pki: Pki, document: bytes) -> None:
    seal = Seal.parse(first_seal(pki))
    swapped = seal.der.replace(pki.maker.certificate.der, pki.maker.certificate.der[:-1] + b"\x00")
    report = verify(sign_anyhow(document, first_seal_value(pki, seal_der=swapped)), whole_policy(pki))
    assert report.verdict is Verdict.INVALID


def test_a_first_generation_seal_with_a_time_stamp_inside_says_what_that_proves(pki: Pki, document: bytes) -> None:
    value = first_seal_value(pki, time_token=lambda data_hash: make_token(pki, data_hash, at=SIGNED_AT))
    report = verify(sign_anyhow(document, value), whole_policy(pki))
    assert report.verdict is Verdict.VALID, report.problems
    assert step_of(report, "ofd.timestamp.inside") is Status.PASSED
    other = first_seal_value(pki, time_token=lambda _: make_token(pki, b"other", at=SIGNED_AT))
    report = verify(sign_anyhow(document, other), whole_policy(pki))
    assert step_of(report, "ofd.timestamp.inside") is Status.WARNING
    assert report.facts["signed_at_proven"] == "false"


@pytest.mark.parametrize("key", [KeyAlgorithm.RSA_2048, KeyAlgorithm.EC_P256])
def test_seals_of_other_key_types_are_verified_in_both_generations(document: bytes, key: KeyAlgorithm) -> None:
    keys = make_keys()
    root = issue(keys, "Root", issuer=None, serial=1, ca=True, key=key)
    maker, signer = (issue(keys, name, issuer=root, serial=n, key=key) for n, name in ((3, "Maker"), (4, "Signer")))
    pki = Pki(root=root, issuing=root, maker=maker, signer=signer, stranger=signer, tsa=signer, crls=())
    details = SIGNATURES[signer.signer.algorithm]
    crl = rsa_crl(root)
    policy = VerificationPolicy(roots=(root.certificate,), at=VERIFIED_AT, crls=(crl,))
    first = first_seal_value(
        pki,
        seal_der=first_seal(pki, algorithm_oid=details.oid),
        hash_function=sha256,
        algorithm_oid=details.oid,
    )
    data = sign_anyhow(document, first, method=details.oid, check_method="SHA-256", hash_function=sha256)
    report = verify(data, policy)
    assert report.verdict is Verdict.VALID, report.problems


def rsa_crl(root: Holder) -> bytes:
    template = CrlTemplate(
        signature_algorithm=root.signer.algorithm,
        issuer=root.certificate.subject,
        authority_key_id=root.certificate.subject_key_identifier or b"",
        number=1,
        this_update=SIGNED_AT - DAY,
        next_update=SIGNED_AT + 30 * DAY,
        revoked=(),
    )
    return signed(crl_tbs(template), root.signer)


# GM/T 0031-2025.


def fifth_seal(pki: Pki, token: Callable[[bytes], bytes] | None, *, created: datetime = SIGNED_AT - 10 * DAY) -> bytes:
    """The seal of the samples with version 5 and a time stamp over its maker's signature."""
    info = encode_seal_info(
        vendor="Xinyin",
        seal_code="1",
        name="某局",
        certificates=[pki.signer.certificate.der],
        created=created,
        valid_from=created,
        valid_until=SIGNED_AT + 300 * DAY,
        picture=Picture(type="PNG", data=sample_png(), width_mm=42, height_mm=42),
    ).replace(b"\x16\x02ES\x02\x01\x04", b"\x16\x02ES\x02\x01\x05")
    signature = pki.maker.signer.sign(info)
    seal = encode_seal(
        info,
        certificate_der=pki.maker.certificate.der,
        signature_algorithm_oid="1.2.156.10197.1.501",
        signature_der=signature,
    )
    if token is None:
        return seal
    parts = [child.raw for child in parse(seal).children]
    return encoder.sequence(*parts, encoder.explicit(0, encoder.bit_string(token(signature))))


def fifth_tbs(der: bytes) -> bytes:
    children = [child.raw for child in parse(der).children]
    return encoder.sequence(encoder.integer(5), *children[1:])


def test_a_seal_of_2025_with_its_own_time_stamp_is_verified(pki: Pki, document: bytes) -> None:
    seal = fifth_seal(pki, lambda signature: make_token(pki, signature, at=SIGNED_AT - 10 * DAY))
    report = verify(sign_anyhow(document, seal_value(pki, seal_der=seal, rewrite=fifth_tbs)), whole_policy(pki))
    assert report.verdict is Verdict.VALID, report.problems
    assert step_of(report, "ofd.seal.timestamp.imprint") is Status.PASSED
    assert step_of(report, "ofd.seal.timestamp.order") is Status.PASSED


def test_a_seal_of_2025_without_time_stamp_is_verified(pki: Pki, document: bytes) -> None:
    value = seal_value(pki, seal_der=fifth_seal(pki, None), rewrite=fifth_tbs)
    report = verify(sign_anyhow(document, value), whole_policy(pki))
    assert report.verdict is Verdict.VALID, report.problems


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (lambda pki, _: make_token(pki, b"other", at=SIGNED_AT - 9 * DAY), "ofd.seal.timestamp.imprint"),
        (lambda pki, value: make_token(pki, value, at=SIGNED_AT - 11 * DAY), "ofd.seal.timestamp.order"),
        (lambda *_: b"dummy", "ofd.seal.timestamp.parse"),
    ],
)
def test_a_wrong_time_stamp_of_a_seal_is_refused(
    pki: Pki, document: bytes, token: Callable[[Pki, bytes], bytes], code: str
) -> None:
    seal = fifth_seal(pki, lambda signature: token(pki, signature))
    report = verify(sign_anyhow(document, seal_value(pki, seal_der=seal, rewrite=fifth_tbs)), whole_policy(pki))
    assert codes(report) == {code}


def test_a_maker_whose_certificate_expired_since_is_no_problem(document: bytes) -> None:
    keys = make_keys()
    root = issue(keys, "Root", issuer=None, serial=1, ca=True)
    maker = issue(keys, "Maker", issuer=root, serial=3, not_after=SIGNED_AT - DAY)
    signer = issue(keys, "Signer", issuer=root, serial=4)
    pki = Pki(
        root=root, issuing=root, maker=maker, signer=signer, stranger=signer, tsa=signer,
        crls=(make_crl(root, at=SIGNED_AT - 12 * DAY), make_crl(root)),
    )  # fmt: skip
    report = verify(sign_anyhow(document, seal_value(pki)), whole_policy(pki, intermediates=()))
    assert report.verdict is Verdict.VALID, report.problems


def test_a_maker_that_was_revoked_since_is_told_and_one_revoked_before_is_refused(pki: Pki, document: bytes) -> None:
    data = sign_anyhow(document, seal_value(pki, extensions=()))
    for days, status in ((-1, Status.WARNING), (-11, Status.FAILED)):
        entry = RevokedEntry(serial_number=3, at=SIGNED_AT + days * DAY)
        crls = (pki.crls[0], make_crl(pki.issuing, entry))
        report = verify(data, whole_policy(pki, crls=crls))
        assert "ofd.seal.maker.revocation" in codes(report, status)
        assert (report.verdict is Verdict.VALID) == (status is Status.WARNING)


# OCSP.


def test_a_seal_of_a_maker_whose_key_was_compromised_has_to_be_proven_older(pki: Pki, document: bytes) -> None:
    """The thief of the key writes an earlier date into a seal, and lists whom he likes."""
    entry = RevokedEntry(serial_number=3, at=SIGNED_AT + DAY, reason=RevocationReason.KEY_COMPROMISE)
    policy = pki.policy(crls=(make_crl(pki.issuing, entry, at=SIGNED_AT + 2 * DAY),))
    for moment, expected in ((SIGNED_AT, set()), (SIGNED_AT + 2 * DAY, {"ofd.seal.maker.compromised"})):
        data = seal_by_force(pki, document, timestamp=lambda value, at=moment: make_token(pki, value, at=at))
        assert {step.code for step in verify(data, policy).problems} == expected
    assert {step.code for step in verify(seal_by_force(pki, document), policy).problems} == {
        "ofd.seal.maker.compromised"
    }


def test_a_time_stamp_under_an_authority_that_was_compromised_proves_nothing(pki: Pki, document: bytes) -> None:
    entry = RevokedEntry(serial_number=2, at=SIGNED_AT + DAY, reason=RevocationReason.CA_COMPROMISE)
    policy = pki.policy(crls=(make_crl(pki.root, entry, at=SIGNED_AT + 2 * DAY),))
    data = seal_by_force(pki, document, timestamp=lambda value: make_token(pki, value, at=SIGNED_AT))
    assert "ofd.timestamp.signer.revocation" in codes(verify(data, policy))


def test_ocsp_responses_are_evidence_where_there_are_no_lists(pki: Pki, document: bytes) -> None:
    data = seal_by_force(pki, document, crls=())
    assert verify(data, pki.policy()).verdict is Verdict.INDETERMINATE
    responses = (
        make_ocsp(pki.issuing, pki.signer),
        make_ocsp(pki.issuing, pki.maker),
        make_ocsp(pki.root, pki.issuing),
    )
    report = verify(data, replace(pki.policy(), ocsp_responses=responses))
    assert report.verdict is Verdict.VALID, report.problems
    sources = {step.evidence.get("source") for step in report.steps if step.code.endswith(".revocation")}
    assert sources == {"ocsp"}


def test_an_ocsp_responder_may_be_delegated_and_no_stranger_may(pki: Pki, document: bytes) -> None:
    data = seal_by_force(pki, document, crls=())
    delegate = issue(make_keys(), "OCSP", issuer=pki.issuing, serial=77, purposes=(OCSP_PURPOSE,))
    others = (make_ocsp(pki.issuing, pki.maker), make_ocsp(pki.root, pki.issuing))
    good = make_ocsp(pki.issuing, pki.signer, responder=delegate)
    assert verify(data, replace(pki.policy(), ocsp_responses=(*others, good))).verdict is Verdict.VALID
    forged = make_ocsp(pki.issuing, pki.signer, responder=pki.stranger)
    report = verify(data, replace(pki.policy(), ocsp_responses=(*others, forged)))
    assert codes(report, Status.INDETERMINATE) == {"ofd.signer.revocation"}


def test_a_revocation_by_ocsp_counts_from_its_time(pki: Pki, document: bytes) -> None:
    data = seal_by_force(pki, document, timestamp=lambda value: make_token(pki, value, at=SIGNED_AT))
    for days, verdict in ((-1, Verdict.INVALID), (1, Verdict.VALID)):
        response = make_ocsp(pki.issuing, pki.signer, revoked_at=SIGNED_AT + days * DAY, at=SIGNED_AT + 2 * DAY)
        report = verify(data, replace(pki.policy(), ocsp_responses=(response,)))
        assert report.verdict is verdict, report.problems


@pytest.mark.parametrize(
    "response",
    [
        lambda pki: make_ocsp(pki.issuing, pki.stranger),
        lambda pki: make_ocsp(pki.issuing, pki.signer, at=SIGNED_AT - 9 * DAY),
        lambda pki: make_ocsp(pki.issuing, pki.signer, status=CertificateStatus.UNKNOWN),
        lambda _: b"garbage",
    ],
    ids=["of-another", "too-old", "unknown", "garbage"],
)
def test_ocsp_responses_that_do_not_answer_are_no_evidence(
    pki: Pki, document: bytes, response: Callable[[Pki], bytes]
) -> None:
    data = seal_by_force(pki, document, crls=())
    crls = (pki.crls[0],)
    report = verify(data, replace(pki.policy(crls=crls), ocsp_responses=(response(pki),)))
    assert "ofd.signer.revocation" in codes(report, Status.INDETERMINATE)


@pytest.mark.parametrize("whole", [True, False], ids=["OCSPResponse", "BasicOCSPResponse"])
def test_ocsp_responses_may_travel_in_the_seal(pki: Pki, document: bytes, *, whole: bool) -> None:
    """revocationValues (RFC 5126 §6.3.4): the root alone is enough, without any list."""
    responses = [
        make_ocsp(pki.issuing, pki.signer),
        make_ocsp(pki.issuing, pki.maker),
        make_ocsp(pki.root, pki.issuing),
    ]
    if not whole:
        responses = [parse(item)[1][0][1].octets() for item in responses]
    (certificates,) = validation_material([pki.issuing.certificate.der], [])
    value = encoder.sequence(encoder.explicit(1, encoder.sequence(*responses)))
    material = (certificates, Extension(oid=REVOCATION_VALUES, value=value))
    report = verify(sign_anyhow(document, seal_value(pki, extensions=material)), pki.policy())
    assert report.verdict is Verdict.VALID, report.problems


# Seals that were withdrawn.


def test_a_withdrawn_seal_is_refused_from_then_on(pki: Pki, document: bytes) -> None:
    data = seal_by_force(pki, document)
    code = "11010800000001"
    before = RevokedSeal(seal_code=code, at=SIGNED_AT - DAY)
    assert codes(verify(data, replace(pki.policy(), revoked_seals=(before,)))) == {"ofd.seal.revocation"}
    after = RevokedSeal(seal_code=code, at=SIGNED_AT + DAY)
    claimed = verify(data, replace(pki.policy(), revoked_seals=(after,)))
    assert codes(claimed, Status.INDETERMINATE) == {"ofd.seal.revocation"}, "any time can be claimed"
    proven = seal_by_force(pki, document, timestamp=lambda signature: make_token(pki, signature, at=SIGNED_AT))
    report = verify(proven, replace(pki.policy(), revoked_seals=(after,)))
    assert report.verdict is Verdict.VALID
    assert "ofd.seal.revocation" in codes(report, Status.WARNING)
    later = RevokedSeal(seal_code=code, at=VERIFIED_AT + DAY)
    assert verify(data, replace(pki.policy(), revoked_seals=(later,))).verdict is Verdict.VALID
    others = (
        RevokedSeal(seal_code="other", at=SIGNED_AT - DAY),
        RevokedSeal(seal_code=code, at=SIGNED_AT - DAY, maker_certificate_der=pki.stranger.certificate.der),
    )
    report = verify(data, replace(pki.policy(), revoked_seals=others))
    assert "ofd.seal.revocation" not in {step.code for step in report.steps}


def test_the_seal_is_the_one_of_the_samples(pki: Pki) -> None:
    assert Seal.parse(make_seal(pki)).info.seal_code == "11010800000001"
