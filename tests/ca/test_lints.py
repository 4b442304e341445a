"""Each lint is broken by a certificate that is right but for one thing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from ca.core.lints import LINTS, lint
from ca.core.profiles import PROFILES, Profile
from trustcore.asn1 import encoder, reader
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.crypto.software import SoftwareKeys
from trustcore.errors import RejectedError
from trustcore.x509 import extensions as ext
from trustcore.x509 import oids
from trustcore.x509.build import CertificateTemplate, certificate_tbs, signed
from trustcore.x509.certificate import Certificate
from trustcore.x509.names import DistinguishedName
from trustcore.x509.public_keys import key_identifier

from support.authority import EPOCH, YEARS
from support.x509_workshop import Entity, Workshop

Change = Callable[[CertificateTemplate], CertificateTemplate]
STAMPING = PROFILES["time-stamping"]


@pytest.fixture(scope="module")
def root() -> Entity:
    return Workshop(SoftwareKeys()).ca("root", not_before=EPOCH - YEARS, not_after=EPOCH + 10 * YEARS)


def template(root: Entity) -> CertificateTemplate:
    """A time-stamping certificate as it should be."""
    keys = SoftwareKeys()
    public_key_der = keys.signer(keys.generate("tsa", KeyAlgorithm.SM2)).public_key_der
    return CertificateTemplate(
        serial_number=2**125 + 1,
        signature_algorithm=root.signer.algorithm,
        issuer=root.certificate.subject,
        not_before=EPOCH,
        not_after=EPOCH + STAMPING.lifetime,
        subject=DistinguishedName.of({"C": "CN", "CN": "tsa"}),
        public_key_der=public_key_der,
        extensions=(
            ext.basic_constraints(ca=False),
            ext.key_usage("digitalSignature"),
            ext.extended_key_usage(oids.PURPOSE_TIME_STAMPING, critical=True),
            ext.subject_key_identifier(key_identifier(public_key_der)),
            ext.authority_key_identifier(key_identifier(root.signer.public_key_der)),
        ),
    )


def with_extension(made: ext.Extension) -> Change:
    def change(t: CertificateTemplate) -> CertificateTemplate:
        return replace(t, extensions=(*(e for e in t.extensions if e.oid != made.oid), made))

    return change


def with_key(algorithm_oid: str, curve_oid: str) -> Change:
    """A key of a curve that is not accepted."""
    spki = encoder.sequence(
        encoder.sequence(encoder.oid(algorithm_oid), encoder.oid(curve_oid)), encoder.bit_string(b"\x04" + bytes(96))
    )

    def change(t: CertificateTemplate) -> CertificateTemplate:
        return replace(with_extension(ext.subject_key_identifier(key_identifier(spki)))(t), public_key_der=spki)

    return change


def in_long_form(t: CertificateTemplate) -> CertificateTemplate:
    content = reader.parse(t.subject.der).content
    return replace(t, subject=DistinguishedName.from_der(b"\x30\x81" + bytes((len(content),)) + content))


def control_character(t: CertificateTemplate) -> CertificateTemplate:
    attribute = encoder.sequence(encoder.oid(oids.COMMON_NAME), encoder.utf8_string("a\u202eb"))
    return replace(t, subject=DistinguishedName.from_der(encoder.sequence(encoder.set_of(attribute))))


def named(**attributes: str) -> DistinguishedName:
    return DistinguishedName.of(attributes)


BREACHES: list[tuple[str, Change]] = [
    ("distinguished-encoding", in_long_form),
    ("serial-number", lambda t: replace(t, serial_number=2**63 - 1)),
    ("subject-present", lambda t: replace(t, subject=named(O="no common name"))),
    ("subject-present", lambda t: replace(t, subject=DistinguishedName.of({}))),
    ("subject-printable", control_character),
    ("subject-printable", lambda t: replace(t, subject=named(O="x" * 999, CN="y"))),
    ("issuer-chained", lambda t: replace(t, issuer=named(C="CN", O="测试机构", CN="ROOT"))),
    ("subject-differs", lambda t: replace(t, subject=t.issuer)),
    ("validity", lambda t: replace(t, not_after=t.not_before)),
    ("validity", lambda t: replace(t, not_after=t.not_after + timedelta(minutes=11))),
    ("validity", lambda t: replace(t, not_before=EPOCH - YEARS - timedelta(days=1), not_after=EPOCH)),
    ("validity", lambda t: replace(t, not_before=EPOCH + 5 * YEARS, not_after=EPOCH + 11 * YEARS)),
    ("key-accepted", with_key("1.2.840.10045.2.1", "1.3.132.0.34")),
    ("key-usage", with_extension(ext.key_usage("digitalSignature", "keyCertSign"))),
    ("key-usage", with_extension(ext.key_usage())),
    ("key-purposes", with_extension(ext.extended_key_usage(oids.PURPOSE_OCSP_SIGNING))),
    ("key-purposes", with_extension(ext.extended_key_usage(oids.PURPOSE_TIME_STAMPING, oids.PURPOSE_OCSP_SIGNING))),
    ("basic-constraints", with_extension(ext.basic_constraints(ca=True))),
    ("basic-constraints", with_extension(ext.basic_constraints(ca=False, path_length=1))),
    ("key-identifiers", with_extension(ext.subject_key_identifier(bytes(20)))),
]


def asked(t: CertificateTemplate, root: Entity, *, issuer: Certificate | None = None) -> None:
    certificate = Certificate.from_der(signed(certificate_tbs(t), root.signer))
    lint(certificate, profile=STAMPING, issuer=issuer or root.certificate)


def test_the_certificate_itself_breaks_no_rule(root: Entity) -> None:
    asked(template(root), root)


@pytest.mark.parametrize(("rule", "change"), BREACHES, ids=[f"{i}-{rule}" for i, (rule, _) in enumerate(BREACHES)])
def test_a_breach_is_named(root: Entity, rule: str, change: Change) -> None:
    with pytest.raises(RejectedError) as refused:
        asked(change(template(root)), root)
    assert refused.value.code == f"ca.lint.{rule}"
    assert refused.value.facts == {"rule": rule}


def test_every_rule_is_broken_by_some_case_and_says_where_it_is_written() -> None:
    assert {rule for rule, _ in BREACHES} == {rule.__name__.replace("_", "-") for rule in LINTS}
    assert all("§" in (rule.__doc__ or "") for rule in LINTS)


def test_an_issuer_that_is_no_ca_is_refused(root: Entity) -> None:
    workshop = Workshop(SoftwareKeys())
    leaf = workshop.leaf("leaf", root, not_before=EPOCH, not_after=EPOCH + 10 * YEARS)
    with pytest.raises(RejectedError) as refused:
        asked(replace(template(root), issuer=leaf.certificate.subject), root, issuer=leaf.certificate)
    assert refused.value.code == "ca.lint.basic-constraints"


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_profiles_say_where_their_rules_come_from(profile: Profile) -> None:
    assert profile.clause
    assert profile.is_ca is ("keyCertSign" in profile.key_usage)
    assert profile.ocsp_no_check is (oids.PURPOSE_OCSP_SIGNING in profile.purposes)
