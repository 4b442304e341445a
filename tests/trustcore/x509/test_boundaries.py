"""Cases next to the ones that pass: one name, one key, one signer, one purpose away."""

from datetime import timedelta

import pytest

from trustcore.asn1 import encoder
from trustcore.asn1.reader import parse
from trustcore.crypto.algorithms import DigestAlgorithm, KeyAlgorithm
from trustcore.crypto.digests import sm3
from trustcore.errors import MalformedError
from trustcore.report import Status
from trustcore.x509 import extensions as ext
from trustcore.x509 import ocsp, oids, tsp
from trustcore.x509.chain import MAX_SIGNATURE_CHECKS, ChainResult, KeyPurpose, validate_chain
from trustcore.x509.cms import SignedData, attribute, build_signed_data, sign, signed_attributes
from trustcore.x509.cms_verify import verify_signer
from trustcore.x509.ocsp import CertificateId, CertificateStatus, OcspResponse, SingleResponse
from trustcore.x509.public_keys import key_identifier
from trustcore.x509.purposes import purpose_problem

from support.x509_workshop import CA_USAGE, EPOCH, Entity, Workshop, crl_of

MESSAGE = b"data"


def judge(leaf: Entity, *cas: Entity, root: Entity) -> ChainResult:
    return validate_chain(
        leaf.certificate,
        intermediates=[ca.certificate for ca in cas],
        roots=[root.certificate],
        crls=[crl_of(ca) for ca in (*cas, root)],
        at=EPOCH,
        purpose=KeyPurpose.SEAL_SIGNING,
    )


def problems(result: ChainResult) -> dict[str, Status]:
    return {s.code: s.status for s in result.steps if s.status in {Status.FAILED, Status.INDETERMINATE}}


def test_an_authority_with_a_new_key_does_not_lengthen_the_path(workshop: Workshop) -> None:
    """root (pathLen 1) → issuing → issuing with its new key → leaf. RFC 5280 §6.1.4 (l): "not self-issued"."""
    root = workshop.ca("root", path_length=1)
    old = workshop.ca("issuing", root)
    new = workshop.ca("issuing", old)
    assert problems(judge(workshop.leaf("leaf", new), old, new, root=root)) == {}
    other = workshop.ca("other", old)
    longer = judge(workshop.leaf("leaf", other), old, other, root=root)
    assert problems(longer) == {"x509.constraints": Status.FAILED}


def test_a_root_of_the_same_name_that_the_key_identifier_does_not_mean_is_passed_over(workshop: Workshop) -> None:
    """RFC 5280 §4.2.1.1: the identifier tells keys of one name apart; what is missing is evidence, not right."""
    root, namesake = workshop.ca("root"), workshop.ca("root")
    leaf = workshop.leaf("leaf", root)
    assert problems(judge(leaf, root=namesake)) == {"x509.path": Status.INDETERMINATE}


@pytest.mark.parametrize(("impostors", "found"), [(MAX_SIGNATURE_CHECKS - 2, True), (MAX_SIGNATURE_CHECKS, False)])
def test_the_signatures_a_hostile_file_has_checked_are_counted(workshop: Workshop, impostors: int, found: bool) -> None:
    """Authorities of the issuer's name, without key identifiers, stand before the right one."""
    root = workshop.ca("root")
    plain = (ext.basic_constraints(ca=True), ext.key_usage(*CA_USAGE))
    issuing = workshop.ca("issuing", root, extensions=plain)
    false = [workshop.ca("issuing", root, extensions=plain).certificate for _ in range(impostors)]
    leaf = workshop.leaf("leaf", issuing, extensions=(ext.key_usage("digitalSignature"),))
    result = validate_chain(
        leaf.certificate, intermediates=[*false, issuing.certificate], roots=[root.certificate],
        crls=[crl_of(root), crl_of(issuing)], at=EPOCH, purpose=KeyPurpose.SEAL_SIGNING,
    )  # fmt: skip
    assert (result.status is Status.PASSED) is found


def test_the_right_key_under_another_name_is_not_the_issuer(workshop: Workshop) -> None:
    """RFC 5280 §6.1.3 (a)(4): "The certificate issuer name is the working_issuer_name"."""
    root = workshop.ca("root")
    renamed = workshop.ca("renamed", workshop.ca("x"), public_key_der=root.signer.public_key_der)
    leaf = workshop.leaf("leaf", root)
    assert leaf.certificate.is_issued_by(root.certificate)
    assert not leaf.certificate.is_issued_by(renamed.certificate)


def test_other_content_than_is_carried_is_refused_even_when_it_is_the_signed_one(workshop: Workshop) -> None:
    """Two readers of the file would see two contents."""
    entity = workshop.leaf("signer", workshop.ca("root"))
    attributes = signed_attributes(
        content_type=oids.CMS_DATA, message_digest=sm3(MESSAGE), digest_algorithm=DigestAlgorithm.SM3,
        certificate_der=entity.certificate.der,
    )  # fmt: skip
    signed_data = SignedData.from_der(
        build_signed_data(
            content_type=oids.CMS_DATA, content=b"something else", signed_attributes_der=attributes,
            algorithm=entity.signer.algorithm, signature=entity.signer.sign(attributes),
            certificate=entity.certificate, certificates=[entity.certificate.der],
        )
    )  # fmt: skip
    assert not verify_signer(signed_data, signed_data.signers[0], content=MESSAGE).passed
    assert not verify_signer(signed_data, signed_data.signers[0]).passed


def test_an_attribute_that_stands_twice_is_refused(workshop: Workshop) -> None:
    """RFC 5652 §5.3: "The SignedAttributes … MUST NOT include multiple instances of any particular attribute"."""
    entity = workshop.leaf("signer", workshop.ca("root"))
    digests = [attribute(oids.MESSAGE_DIGEST, encoder.octet_string(sm3(b"other")))]
    attributes = signed_attributes(
        content_type=oids.CMS_DATA, message_digest=sm3(MESSAGE), digest_algorithm=DigestAlgorithm.SM3,
        certificate_der=entity.certificate.der, others=digests,
    )  # fmt: skip
    der = build_signed_data(
        content_type=oids.CMS_DATA, content=MESSAGE, signed_attributes_der=attributes,
        algorithm=entity.signer.algorithm, signature=entity.signer.sign(attributes), certificate=entity.certificate,
    )  # fmt: skip
    with pytest.raises(MalformedError) as refused:
        SignedData.from_der(der)
    assert refused.value.code == "x509.cms.attribute"


def single(root: Entity, serial_number: int) -> SingleResponse:
    return SingleResponse(
        certificate_id=CertificateId.of(serial_number, root.certificate),
        status=CertificateStatus.GOOD,
        this_update=EPOCH,
        next_update=EPOCH + timedelta(hours=1),
    )


def test_an_answer_that_names_another_responder_than_signed_it_does_not_count(workshop: Workshop) -> None:
    """RFC 6960 §4.2.2.3: the responder ID corresponds to the key that signed."""
    root, other = workshop.ca("root"), workshop.ca("other")
    answer = ocsp.build_response(
        [single(root, 5)], responder=other.certificate, signer=root.signer, produced_at=EPOCH
    )  # fmt: skip
    assert not OcspResponse.from_der(answer).is_signed_for(root.certificate)


def test_an_answer_about_the_same_number_of_another_authority_is_none(workshop: Workshop) -> None:
    """RFC 6960 §4.1.1: a certificate is named by its issuer's name and key, and its number."""
    root, other = workshop.ca("root"), workshop.ca("other")
    answer = ocsp.build_response([single(other, 5)], responder=root.certificate, signer=root.signer, produced_at=EPOCH)
    response = OcspResponse.from_der(answer)
    assert response.is_signed_for(root.certificate)
    assert response.find(5, root.certificate) is None
    assert response.find(5, other.certificate) is not None


def test_a_token_has_one_signer_and_holds_time_stamp_information(workshop: Workshop) -> None:
    """RFC 3161 §2.4.2: content type id-ct-TSTInfo; "MUST NOT contain any signatures other than … of the TSA"."""
    root = workshop.ca("root")
    tsa = workshop.leaf("tsa", root, ext.extended_key_usage(oids.PURPOSE_TIME_STAMPING, critical=True))
    imprint = tsp.message_imprint(DigestAlgorithm.SM3, sm3(MESSAGE))
    info = tsp.TstInfo(policy="1.2.3", imprint_der=imprint, serial_number=1, gen_time=EPOCH, accuracy_seconds=1)
    token = tsp.build_token(info, signer=tsa.signer, certificate=tsa.certificate, certificates=[tsa.certificate.der])
    evidence = {"roots": [root.certificate], "crls": [crl_of(root)]}
    assert tsp.verify_token(token, MESSAGE, **evidence).gen_time == EPOCH
    as_data = sign(info.der, signer=tsa.signer, certificate=tsa.certificate, certificates=[tsa.certificate.der])
    signed_data = parse(token)[1][0]
    signer = signed_data[4][0].raw
    twice = encoder.sequence(
        encoder.oid(oids.CMS_SIGNED_DATA),
        encoder.explicit(
            0, encoder.sequence(*(c.raw for c in signed_data.children[:4]), encoder.set_of(signer, signer))
        ),
    )
    for odd in (as_data, twice):
        verification = tsp.verify_token(odd, MESSAGE, **evidence)
        assert [(step.code, step.status) for step in verification.steps] == [("tsp.parse", Status.FAILED)]


@pytest.mark.parametrize(
    ("purposes", "critical", "right"),
    [
        ((oids.PURPOSE_TIME_STAMPING,), True, True),
        ((oids.PURPOSE_TIME_STAMPING,), False, False),
        ((oids.PURPOSE_TIME_STAMPING, oids.PURPOSE_EMAIL_PROTECTION), True, False),
        ((oids.ANY_EXTENDED_KEY_USAGE,), True, False),
    ],
)
def test_a_time_stamping_key_stamps_time_and_nothing_else(
    workshop: Workshop, purposes: tuple[str, ...], critical: bool, right: bool
) -> None:
    """RFC 3161 §2.3: "only one instance of the extended key usage field extension", critical."""
    root = workshop.ca("root", algorithm=KeyAlgorithm.EC_P256)
    tsa = workshop.leaf("tsa", root, ext.extended_key_usage(*purposes, critical=critical))
    assert (purpose_problem(tsa.certificate, KeyPurpose.TIME_STAMPING) == "") is right
    assert tsa.certificate.subject_key_identifier == key_identifier(tsa.signer.public_key_der)
