"""Path validation. Each case draws its chain and quotes the rule that decides it."""

from datetime import timedelta

import pytest

from trustcore.asn1 import encoder
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.report import Status
from trustcore.x509 import extensions as ext
from trustcore.x509 import oids
from trustcore.x509.build import assemble, certificate_tbs
from trustcore.x509.certificate import Certificate
from trustcore.x509.chain import MAX_PATH_LENGTH, ChainResult, KeyPurpose, validate_chain
from trustcore.x509.crl import RevocationReason, RevokedEntry

from support.x509_workshop import CA_USAGE, EPOCH, Entity, Workshop, crl_of

ALGORITHMS = [KeyAlgorithm.SM2, KeyAlgorithm.EC_P256, KeyAlgorithm.RSA_2048]


def judge(
    leaf: Entity,
    *cas: Entity,
    root: Entity,
    purpose: KeyPurpose = KeyPurpose.SEAL_SIGNING,
    crls: tuple[bytes, ...] | None = None,
    **options: object,
) -> ChainResult:
    """Validate at EPOCH with a CRL of every CA unless others are given."""
    lists = tuple(crl_of(ca) for ca in (*cas, root)) if crls is None else crls
    return validate_chain(
        leaf.certificate,
        intermediates=[ca.certificate for ca in cas],
        roots=[root.certificate],
        crls=lists,
        purpose=purpose,
        **{"at": EPOCH} | options,
    )


def problems(result: ChainResult) -> dict[str, Status]:
    return {s.code: s.status for s in result.steps if s.status in {Status.FAILED, Status.INDETERMINATE}}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_leaf_below_issuing_ca_and_root(workshop: Workshop, algorithm: KeyAlgorithm) -> None:
    """root → issuing (pathLen 0) → leaf. RFC 5280 §6.1: "… a prospective certification path …"."""
    root = workshop.ca("root", algorithm=algorithm)
    issuing = workshop.ca("issuing", root, path_length=0, algorithm=algorithm)
    result = judge(workshop.leaf("leaf", issuing, algorithm=algorithm), issuing, root=root)
    assert result.status is Status.PASSED
    assert [item.common_name for item in result.path] == ["leaf", "issuing", "root"]
    assert all(step.zh and step.en and step.clause for step in result.steps)


def test_no_trusted_root(workshop: Workshop) -> None:
    """other-root; root → leaf. ETSI EN 319 102-1 §5.2.6.4: no chain found is NO_CERTIFICATE_CHAIN_FOUND."""
    root, other = workshop.ca("root"), workshop.ca("other")
    result = judge(workshop.leaf("leaf", root), root=other)
    assert problems(result) == {"x509.path": Status.INDETERMINATE}


def test_root_of_the_same_name_with_another_key(workshop: Workshop) -> None:
    """root' (same name, other key); root → leaf without key identifier.

    RFC 5280 §6.1.3 (a)(1): "The signature on the certificate can be verified using working_public_key".
    """
    root, impostor = workshop.ca("root"), workshop.ca("root")
    leaf = workshop.leaf("leaf", root)
    constraints = (ext.basic_constraints(ca=False), ext.key_usage("digitalSignature"))
    anonymous = workshop.leaf("leaf", root, extensions=constraints)
    assert problems(judge(anonymous, root=impostor)) == {"x509.path": Status.FAILED}
    assert judge(leaf, root=impostor).status is not Status.PASSED


def test_name_that_was_changed_after_signing(workshop: Workshop) -> None:
    """root → leaf with another name than was signed. RFC 5280 §6.1.3 (a)(1)."""
    root = workshop.ca("root")
    leaf = workshop.leaf("leaf", root)
    changed = Certificate.from_der(leaf.certificate.der.replace(b"leaf", b"lead"))
    assert problems(judge(Entity(leaf.signer, changed), root=root)) == {"x509.path": Status.FAILED}


def test_inner_algorithm_differs_from_outer(workshop: Workshop) -> None:
    """RFC 5280 §4.1.1.2: "This field MUST contain the same algorithm identifier as the signature field …"."""
    root, key = workshop.ca("root"), workshop.key()
    template = workshop.template("leaf", key, root, ext.basic_constraints(ca=False))
    tbs = certificate_tbs(template).replace(encoder.oid("1.2.156.10197.1.501"), encoder.oid("1.2.840.10045.4.3.2"))
    der = assemble(tbs, root.signer.algorithm, root.signer.sign(tbs))
    leaf = Entity(key, Certificate.from_der(der))
    assert problems(judge(leaf, root=root)) == {"x509.path": Status.FAILED}


@pytest.mark.parametrize(
    ("days", "status"), [(-101, Status.FAILED), (-99, Status.PASSED), (999, Status.PASSED), (1001, Status.FAILED)]
)
def test_period_of_validity(workshop: Workshop, days: int, status: Status) -> None:
    """root → leaf. RFC 5280 §6.1.3 (a)(2): "The certificate validity period includes the current time."."""
    root = workshop.ca("root")
    moment = EPOCH + timedelta(days=days)
    lists = (crl_of(root, this_update=moment, next_update=moment + timedelta(days=1)),)
    assert judge(workshop.leaf("leaf", root), root=root, at=moment, crls=lists).status is status


def test_expired_intermediate(workshop: Workshop) -> None:
    """root → issuing (expired) → leaf. The shell model wants all certificates valid at once."""
    root = workshop.ca("root")
    issuing = workshop.ca("issuing", root, not_after=EPOCH - timedelta(days=1))
    result = judge(workshop.leaf("leaf", issuing), issuing, root=root)
    assert problems(result) == {"x509.validity": Status.FAILED}


def test_leaf_that_issues(workshop: Workshop) -> None:
    """root → leaf → leaf. RFC 5280 §6.1.4 (k): "… verify that … cA is set to TRUE"."""
    root = workshop.ca("root")
    middle = workshop.leaf("middle", root, usage=CA_USAGE)
    result = judge(workshop.leaf("leaf", middle), middle, root=root)
    assert problems(result) == {"x509.constraints": Status.FAILED}


def test_ca_without_key_cert_sign(workshop: Workshop) -> None:
    """root → issuing (cRLSign only) → leaf. RFC 5280 §6.1.4 (n): "verify that the keyCertSign bit is set"."""
    root = workshop.ca("root")
    issuing = workshop.entity("issuing", root, ext.basic_constraints(ca=True), ext.key_usage("cRLSign"))
    result = judge(workshop.leaf("leaf", issuing), issuing, root=root)
    assert problems(result) == {"x509.constraints": Status.FAILED}


def test_path_length_exceeded(workshop: Workshop) -> None:
    """root → a (pathLen 0) → b → leaf. RFC 5280 §6.1.4 (l): "verify that max_path_length is greater than zero"."""
    root = workshop.ca("root")
    first = workshop.ca("a", root, path_length=0)
    second = workshop.ca("b", first)
    result = judge(workshop.leaf("leaf", second), first, second, root=root)
    assert problems(result) == {"x509.constraints": Status.FAILED}


def test_path_length_of_the_root_counts_the_cas_below_it(workshop: Workshop) -> None:
    """root (pathLen 1) → a → leaf passes. RFC 5280 §4.2.1.9: "the last certificate … is not an intermediate"."""
    root = workshop.ca("root", path_length=1)
    first = workshop.ca("a", root)
    assert judge(workshop.leaf("leaf", first), first, root=root).status is Status.PASSED


def test_unknown_critical_extension(workshop: Workshop) -> None:
    """RFC 5280 §4.2: "A certificate-using system MUST reject … a critical extension it does not recognize"."""
    root = workshop.ca("root")
    unknown = ext.Extension(oid="1.2.3.4.5", critical=True, value_der=b"raw")
    assert problems(judge(workshop.leaf("leaf", root, unknown), root=root)) == {"x509.constraints": Status.FAILED}


def test_unknown_extension_that_is_not_critical_and_not_der(workshop: Workshop) -> None:
    """RFC 5280 §4.2: "A non-critical extension MAY be ignored if it is not recognized"."""
    root = workshop.ca("root")
    unknown = ext.Extension(oid="1.2.86.11.7.1", value_der="机构".encode())
    assert judge(workshop.leaf("leaf", root, unknown), root=root).status is Status.PASSED


def test_name_constraints(workshop: Workshop) -> None:
    """RFC 5280 §4.2.1.10: "If name constraints … applications MUST either process … or reject"."""
    root = workshop.ca("root")
    constraints = ext.Extension(oid=oids.NAME_CONSTRAINTS, critical=True, value_der=encoder.sequence())
    issuing = workshop.entity("issuing", root, ext.basic_constraints(ca=True), ext.key_usage(*CA_USAGE), constraints)
    result = judge(workshop.leaf("leaf", issuing), issuing, root=root)
    assert problems(result) == {"x509.constraints": Status.FAILED}


PURPOSES = [
    ("signing", KeyPurpose.SEAL_SIGNING, True, None),
    ("encryption", KeyPurpose.SEAL_SIGNING, False, None),
    ("encryption", KeyPurpose.DOCUMENT_SIGNING, False, None),
    ("signing", KeyPurpose.SEAL_SIGNING, True, (oids.PURPOSE_DOCUMENT_SIGNING, False)),
    ("signing", KeyPurpose.SEAL_MAKING, False, (oids.PURPOSE_DOCUMENT_SIGNING, False)),
    ("signing", KeyPurpose.SEAL_MAKING, True, None),
    ("signing", KeyPurpose.DOCUMENT_SIGNING, False, (oids.PURPOSE_OCSP_SIGNING, False)),
    ("signing", KeyPurpose.TIME_STAMPING, True, (oids.PURPOSE_TIME_STAMPING, True)),
    ("signing", KeyPurpose.TIME_STAMPING, False, (oids.PURPOSE_TIME_STAMPING, False)),
    ("signing", KeyPurpose.TIME_STAMPING, False, None),
    ("signing", KeyPurpose.OCSP_SIGNING, True, (oids.PURPOSE_OCSP_SIGNING, False)),
    ("signing", KeyPurpose.OCSP_SIGNING, False, None),
    ("signing", KeyPurpose.CA, False, None),
]


@pytest.mark.parametrize(("usage", "purpose", "allowed", "extended"), PURPOSES)
def test_key_purpose(
    workshop: Workshop, usage: str, purpose: KeyPurpose, allowed: bool, extended: tuple[str, bool] | None
) -> None:
    """RFC 5280 §4.2.1.3 and §4.2.1.12, RFC 3161 §2.3, RFC 6960 §4.2.2.2, RFC 9336 §3.2."""
    bits = {"signing": ("digitalSignature", "nonRepudiation"), "encryption": ("keyEncipherment", "keyAgreement")}
    root = workshop.ca("root")
    extras = (ext.extended_key_usage(extended[0], critical=extended[1]),) if extended else ()
    result = judge(workshop.leaf("leaf", root, *extras, usage=bits[usage]), root=root, purpose=purpose)
    assert problems(result) == ({} if allowed else {"x509.key-usage": Status.FAILED})


def test_missing_crl(workshop: Workshop) -> None:
    """root → issuing → leaf, CRL of issuing only: ETSI EN 319 102-1 §5.2.6, TRY_LATER for the issuing CA."""
    root = workshop.ca("root")
    issuing = workshop.ca("issuing", root)
    result = judge(workshop.leaf("leaf", issuing), issuing, root=root, crls=(crl_of(issuing),))
    assert problems(result) == {"x509.revocation": Status.INDETERMINATE}
    assert [s.status for s in result.steps if s.code == "x509.revocation"] == [Status.PASSED, Status.INDETERMINATE]


@pytest.mark.parametrize(("revoked_days", "status"), [(-1, Status.FAILED), (0, Status.FAILED), (1, Status.PASSED)])
def test_revocation_date_decides(workshop: Workshop, revoked_days: int, status: Status) -> None:
    """root → leaf, a younger CRL names the leaf: revoked at or before the moment fails, after it only warns."""
    root = workshop.ca("root")
    leaf = workshop.leaf("leaf", root)
    at = EPOCH + timedelta(days=revoked_days)
    entry = RevokedEntry(serial_number=leaf.certificate.serial_number, at=at, reason=RevocationReason.SUPERSEDED)
    later = crl_of(root, entry, this_update=EPOCH + timedelta(days=2), next_update=EPOCH + timedelta(days=9))
    result = judge(leaf, root=root, crls=(crl_of(root), later))
    assert result.status is status
    assert (Status.WARNING in {s.status for s in result.steps}) is (status is Status.PASSED)


def test_outdated_crl_does_not_count(workshop: Workshop) -> None:
    """RFC 5280 §6.3.3 (a): the CRL has to be current at the moment in question."""
    root = workshop.ca("root")
    old = crl_of(root, this_update=EPOCH - timedelta(days=9), next_update=EPOCH - timedelta(days=2))
    assert judge(workshop.leaf("leaf", root), root=root, crls=(old,)).status is Status.INDETERMINATE


def test_crl_with_a_wrong_signature_does_not_count(workshop: Workshop) -> None:
    """RFC 5280 §6.3.3 (g): "Validate the signature on the complete CRL"."""
    root, impostor = workshop.ca("root"), workshop.ca("root")
    result = judge(workshop.leaf("leaf", root), root=root, crls=(crl_of(impostor), b"no CRL"))
    assert problems(result) == {"x509.revocation": Status.INDETERMINATE}


def test_crl_signed_by_a_ca_that_may_not(workshop: Workshop) -> None:
    """RFC 5280 §6.3.3 (f): "verify that the cRLSign bit is set"."""
    root = workshop.entity("root", None, ext.basic_constraints(ca=True), ext.key_usage("keyCertSign"))
    result = judge(workshop.leaf("leaf", root), root=root)
    assert problems(result) == {"x509.revocation": Status.INDETERMINATE}


def test_time_stamp_of_a_key_compromised_later(workshop: Workshop) -> None:
    """RFC 3161 §4.1: after a compromise "tokens … cannot be trusted", whenever they say they were made."""
    root = workshop.ca("root")
    tsa = workshop.leaf("tsa", root, ext.extended_key_usage(oids.PURPOSE_TIME_STAMPING, critical=True))
    statuses = {}
    for reason in (RevocationReason.KEY_COMPROMISE, RevocationReason.SUPERSEDED):
        entry = RevokedEntry(serial_number=tsa.certificate.serial_number, at=EPOCH + timedelta(days=1), reason=reason)
        later = crl_of(root, entry, this_update=EPOCH + timedelta(days=2), next_update=EPOCH + timedelta(days=9))
        result = judge(tsa, root=root, crls=(crl_of(root), later), purpose=KeyPurpose.TIME_STAMPING)
        statuses[reason] = result.status
    assert statuses == {
        RevocationReason.KEY_COMPROMISE: Status.FAILED,
        RevocationReason.SUPERSEDED: Status.PASSED,
    }


def test_chain_longer_than_the_limit_is_not_followed(workshop: Workshop) -> None:
    """root → 8 CAs → leaf: a verifier's work is bounded."""
    root = workshop.ca("root")
    cas = [root]
    for number in range(MAX_PATH_LENGTH):
        cas.append(workshop.ca(f"ca{number}", cas[-1]))
    result = judge(workshop.leaf("leaf", cas[-1]), *cas[1:], root=root)
    assert problems(result) == {"x509.path": Status.INDETERMINATE}


def test_two_cas_that_certify_each_other_end(workshop: Workshop) -> None:
    """a → b → a → leaf without a root: a circle is walked once."""
    first, second = workshop.ca("a"), workshop.ca("b")
    crossed_key = (first.signer, second.signer)
    cross = [
        workshop.ca("a", second, public_key_der=crossed_key[0].public_key_der),
        workshop.ca("b", first, public_key_der=crossed_key[1].public_key_der),
    ]
    result = judge(workshop.leaf("leaf", first), *cross, root=workshop.ca("elsewhere"))
    assert result.status is not Status.PASSED


def test_the_good_path_is_found_beside_an_expired_one(workshop: Workshop) -> None:
    """Two certificates of one issuing key, the first expired: RFC 4158 §2.4, try the others."""
    root = workshop.ca("root")
    issuing = workshop.ca("issuing", root)
    expired = workshop.ca(
        "issuing",
        root,
        not_after=EPOCH - timedelta(days=1),
        public_key_der=issuing.signer.public_key_der,
        extensions=issuing.certificate.extensions,
    )
    leaf = workshop.leaf("leaf", issuing)
    result = validate_chain(
        leaf.certificate,
        intermediates=[expired.certificate, issuing.certificate],
        roots=[root.certificate],
        crls=[crl_of(root), crl_of(issuing)],
        at=EPOCH,
        purpose=KeyPurpose.SEAL_SIGNING,
    )
    assert result.status is Status.PASSED


def test_step_codes_carry_the_callers_prefix(workshop: Workshop) -> None:
    root = workshop.ca("root")
    result = judge(workshop.leaf("leaf", root), root=root, prefix="ofd.signer")
    assert {step.code.rpartition(".")[0] for step in result.steps} == {"ofd.signer"}
