"""More cases of path validation: odd chains, odd keys, odd evidence. Each quotes the rule that decides it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509 as pyca
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from trustcore.asn1 import encoder
from trustcore.asn1.reader import parse
from trustcore.crypto.algorithms import KeyAlgorithm, SignatureAlgorithm
from trustcore.errors import MalformedError
from trustcore.report import Status
from trustcore.x509 import extensions as ext
from trustcore.x509 import oids
from trustcore.x509.build import CertificateTemplate, assemble, certificate_tbs
from trustcore.x509.certificate import Certificate
from trustcore.x509.chain import MAX_PATHS, ChainResult, KeyPurpose, validate_chain
from trustcore.x509.crl import Crl, CrlTemplate, RevocationReason, RevokedEntry, crl_tbs
from trustcore.x509.names import DistinguishedName
from trustcore.x509.public_keys import key_identifier
from trustcore.x509.requests import build_request, parse_request

from support.x509_workshop import CA_USAGE, EPOCH, Entity, Workshop, crl_of

DAY = timedelta(days=1)


def validate(leaf: Certificate, *others: Certificate, roots: list[Certificate], crls: list[bytes]) -> ChainResult:
    return validate_chain(
        leaf, intermediates=others, roots=roots, crls=crls, at=EPOCH, purpose=KeyPurpose.SEAL_SIGNING
    )  # fmt: skip


def verdicts(result: ChainResult) -> dict[str, Status]:
    return {s.code: s.status for s in result.steps if s.status in {Status.FAILED, Status.INDETERMINATE}}


def twin(workshop: Workshop, entity: Entity, issuer: Entity, **changes: object) -> Entity:
    """Another certificate over the key of ``entity``, from another issuer."""
    public_key_der = entity.signer.public_key_der
    extensions = (
        ext.basic_constraints(ca=True),
        ext.key_usage(*CA_USAGE),
        ext.subject_key_identifier(key_identifier(public_key_der)),
    )
    made = workshop.ca(
        entity.certificate.common_name or "", issuer, public_key_der=public_key_der, extensions=extensions, **changes
    )
    return Entity(entity.signer, made.certificate)


def test_a_self_signed_leaf_is_no_root(workshop: Workshop) -> None:
    """RFC 5280 §6.1: the path ends at a trust anchor, which a certificate does not become by signing itself."""
    lonely = workshop.entity("lonely", None, ext.key_usage("digitalSignature"))
    root = workshop.ca("root")
    result = validate(lonely.certificate, lonely.certificate, roots=[root.certificate], crls=[crl_of(root)])
    assert verdicts(result) == {"x509.path": Status.INDETERMINATE}


def test_a_cross_signed_authority_leads_to_the_root_that_is_trusted(workshop: Workshop) -> None:
    """old root; new root ← signed by old root; new root → leaf. RFC 4158 §2.3: the bridge is found."""
    old, new = workshop.ca("old"), workshop.ca("new")
    bridge = twin(workshop, new, old)
    leaf = workshop.leaf("leaf", new)
    lists = [crl_of(old), crl_of(new)]
    over = validate(leaf.certificate, new.certificate, bridge.certificate, roots=[old.certificate], crls=lists)
    assert [c.common_name for c in over.path] == ["leaf", "new", "old"]
    assert over.status is Status.PASSED
    direct = validate(leaf.certificate, bridge.certificate, roots=[new.certificate], crls=lists)
    assert (len(direct.path), direct.status) == (2, Status.PASSED)


def test_an_authority_that_was_revoked_takes_its_certificates_along(workshop: Workshop) -> None:
    """root → issuing (revoked) → leaf. RFC 5280 §6.1.3 (a)(3): "The certificate is not revoked"."""
    root = workshop.ca("root")
    issuing = workshop.ca("issuing", root)
    entry = RevokedEntry(
        serial_number=issuing.certificate.serial_number, at=EPOCH - DAY, reason=RevocationReason.CA_COMPROMISE
    )
    leaf = workshop.leaf("leaf", issuing)
    result = validate(
        leaf.certificate,
        issuing.certificate,
        roots=[root.certificate],
        crls=[crl_of(root, entry), crl_of(issuing)],
    )
    assert verdicts(result) == {"x509.revocation": Status.FAILED}
    evidence = [s.evidence for s in result.steps if s.status is Status.FAILED]
    assert evidence[0]["reason"] == "ca-compromise"


def test_a_short_rsa_key_of_an_authority_is_refused(workshop: Workshop) -> None:
    """GM/T 0054-2018 §5.1, NIST SP 800-131A §3: RSA of at least 2048 bits."""
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is the point
    root = _foreign_root(key, hashes.SHA256())
    tbs = certificate_tbs(_template(workshop, root, SignatureAlgorithm.RSA_SHA256))
    signature = key.sign(tbs, padding.PKCS1v15(), hashes.SHA256())
    weak = Certificate.from_der(assemble(tbs, SignatureAlgorithm.RSA_SHA256, signature))
    assert validate(weak, roots=[root], crls=[]).status is Status.FAILED


def test_a_short_rsa_key_of_a_signer_is_refused(workshop: Workshop) -> None:
    """The same of the key that signs documents."""
    root = workshop.ca("root")
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is the point
    leaf = workshop.leaf("leaf", root, public_key_der=_spki(key))
    result = validate(leaf.certificate, roots=[root.certificate], crls=[crl_of(root)])
    assert verdicts(result) == {"x509.algorithm": Status.FAILED}


def test_a_signature_with_sha1_is_refused(workshop: Workshop) -> None:
    """NIST SP 800-131A §3: SHA-1 shall not be used for digital signatures; the signature itself is right."""
    key = rsa.generate_private_key(65537, 2048)
    root = _foreign_root(key, hashes.SHA256())
    tbs = certificate_tbs(_template(workshop, root, SignatureAlgorithm.RSA_SHA256))
    sha256, sha1 = (encoder.oid(f"1.2.840.113549.1.1.{last}") for last in (11, 5))
    tbs = tbs.replace(sha256, sha1)
    identifier = encoder.sequence(sha1, encoder.null())
    signature = key.sign(tbs, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303 - that is the point
    leaf = Certificate.from_der(encoder.sequence(tbs, identifier, encoder.bit_string(signature)))
    assert leaf.has_one_algorithm
    assert validate(leaf, roots=[root], crls=[]).status is Status.FAILED


def _foreign_root(key: rsa.RSAPrivateKey, digest: hashes.SHA256) -> Certificate:
    name = pyca.Name([pyca.NameAttribute(pyca.NameOID.COMMON_NAME, "weak root")])
    builder = pyca.CertificateBuilder(name, name, key.public_key(), 5, EPOCH - DAY, EPOCH + 99 * DAY)
    made = builder.add_extension(pyca.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, digest)
    return Certificate.from_der(made.public_bytes(serialization.Encoding.DER))


def _template(workshop: Workshop, root: Certificate, algorithm: SignatureAlgorithm) -> CertificateTemplate:
    template = workshop.template("leaf", workshop.key(), None, ext.key_usage("digitalSignature"))
    extensions = tuple(e for e in template.extensions if e.oid != oids.AUTHORITY_KEY_IDENTIFIER)
    return replace(template, issuer=root.subject, signature_algorithm=algorithm, extensions=extensions)


def _spki(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def test_a_list_of_another_issuer_says_nothing(workshop: Workshop) -> None:
    """RFC 5280 §6.3.3 (b): the CRL issuer is the certificate's issuer, here not: same number, other authority."""
    root, other = workshop.ca("root"), workshop.ca("other")
    leaf = workshop.leaf("leaf", root)
    entry = RevokedEntry(serial_number=leaf.certificate.serial_number, at=EPOCH - DAY)
    result = validate(leaf.certificate, roots=[root.certificate, other.certificate], crls=[crl_of(other, entry)])
    assert verdicts(result) == {"x509.revocation": Status.INDETERMINATE}
    with_own = [crl_of(other, entry), crl_of(root)]
    assert validate(leaf.certificate, roots=[root.certificate], crls=with_own).status is Status.PASSED


def test_a_list_made_after_the_certificate_expired_says_nothing_good(workshop: Workshop) -> None:
    """RFC 5280 §3.3: entries of expired certificates may have been dropped from it."""
    root = workshop.ca("root")
    leaf = workshop.leaf("leaf", root, not_after=EPOCH + DAY)
    for days, expected in ((1, Status.PASSED), (2, Status.INDETERMINATE)):
        late = crl_of(root, this_update=EPOCH + days * DAY, next_update=EPOCH + 9 * DAY)
        assert validate(leaf.certificate, roots=[root.certificate], crls=[late]).status is expected


def scoped_crl(root: Entity, *extensions: ext.Extension, revoked: tuple[RevokedEntry, ...] = ()) -> bytes:
    """A list with more extensions than ours have."""
    template = CrlTemplate(
        signature_algorithm=root.signer.algorithm,
        issuer=root.certificate.subject,
        authority_key_id=key_identifier(root.signer.public_key_der),
        number=9,
        this_update=EPOCH - DAY,
        next_update=EPOCH + DAY,
        revoked=revoked,
    )
    plain = ext.encode_extensions(
        (ext.authority_key_identifier(template.authority_key_id), ext.crl_number(template.number))
    )
    own = (ext.authority_key_identifier(template.authority_key_id), ext.crl_number(template.number))
    tbs = crl_tbs(template)
    wrapped = encoder.explicit(0, plain)
    assert tbs.endswith(wrapped)
    content = tbs[4 if tbs[1] == 0x82 else 3 if tbs[1] == 0x81 else 2 : -len(wrapped)]
    tbs = encoder.sequence(content, encoder.explicit(0, ext.encode_extensions((*own, *extensions))))
    return assemble(tbs, root.signer.algorithm, root.signer.sign(tbs))


def scope(*parts: bytes) -> ext.Extension:
    return ext.Extension(oid=oids.ISSUING_DISTRIBUTION_POINT, critical=True, value_der=encoder.sequence(*parts))


def point(url: str) -> bytes:
    return encoder.explicit(0, encoder.explicit(0, encoder.implicit(6, encoder.ia5_string(url))))


def named_point(name: str) -> bytes:
    """A distribution point by directory name, as for lists in parts."""
    return encoder.explicit(0, encoder.explicit(0, encoder.explicit(4, DistinguishedName.from_text(f"CN={name}").der)))


def flag(number: int) -> bytes:
    return encoder.implicit(number, encoder.boolean(True))


SCOPES = {
    "users": (scope(flag(1)), True),
    "authorities": (scope(flag(2)), False),
    "some-reasons": (scope(encoder.implicit(3, encoder.named_bits({1}))), False),
    "indirect": (scope(flag(4)), False),
    "attributes": (scope(flag(5)), False),
    "own-point": (scope(point("http://ca.test/a.crl")), True),
    "other-point": (scope(point("http://ca.test/b.crl")), False),
    "point-by-name": (scope(named_point("CRL1")), False),
    "point-relative-to-the-issuer": (scope(encoder.explicit(0, encoder.implicit(1, encoder.set_of()))), False),
    "delta": (ext.Extension(oid=oids.DELTA_CRL_INDICATOR, critical=True, value_der=encoder.integer(1)), False),
    "unknown-critical": (ext.Extension(oid="1.2.3", critical=True, value_der=b""), False),
    "unknown": (ext.Extension(oid="1.2.3", value_der=b""), True),
}


@pytest.mark.parametrize("case", SCOPES)
def test_the_scope_of_a_list_decides_whether_it_counts(workshop: Workshop, case: str) -> None:
    """RFC 5280 §5.2.5 and §6.3.3 (b): lists for some certificates, some reasons, or of changes only."""
    root = workshop.ca("root")
    leaf = workshop.leaf("leaf", root, ext.crl_distribution_points("http://ca.test/a.crl"))
    extension, counts = SCOPES[case]
    result = validate(leaf.certificate, roots=[root.certificate], crls=[scoped_crl(root, extension)])
    assert result.status is (Status.PASSED if counts else Status.INDETERMINATE)


def test_a_part_of_a_list_counts_for_the_certificates_that_name_it(workshop: Workshop) -> None:
    """By directory name, as large authorities do; another part says nothing of them."""
    root = workshop.ca("root")
    places = encoder.sequence(encoder.sequence(named_point("CRL1")))
    leaf = workshop.leaf("leaf", root, ext.Extension(oid=oids.CRL_DISTRIBUTION_POINTS, value_der=places))
    for part, expected in (("CRL1", Status.PASSED), ("CRL2", Status.INDETERMINATE)):
        crl = scoped_crl(root, scope(named_point(part)))
        assert validate(leaf.certificate, roots=[root.certificate], crls=[crl]).status is expected


def test_the_worst_of_several_lists_counts(workshop: Workshop) -> None:
    """A newer list that no longer has an entry does not bring a revoked certificate back."""
    root = workshop.ca("root")
    leaf = workshop.leaf("leaf", root)
    entry = RevokedEntry(serial_number=leaf.certificate.serial_number, at=EPOCH - 2 * DAY)
    old = crl_of(root, entry, this_update=EPOCH - 2 * DAY, number=1)
    new = crl_of(root, this_update=EPOCH - DAY, number=2)
    for lists in ([old, new], [new, old]):
        assert validate(leaf.certificate, roots=[root.certificate], crls=lists).status is Status.FAILED


@pytest.mark.parametrize(
    ("purposes", "allowed"),
    [
        ((oids.PURPOSE_EMAIL_PROTECTION,), True),
        ((oids.PURPOSE_DOCUMENT_SIGNING, oids.PURPOSE_EMAIL_PROTECTION), False),
        ((oids.PURPOSE_DOCUMENT_SIGNING, oids.ANY_EXTENDED_KEY_USAGE), True),
    ],
)
def test_who_signs_documents_makes_no_seals(workshop: Workshop, purposes: tuple[str, ...], allowed: bool) -> None:
    """Also when the certificate has emailProtection beside documentSigning, as PDF readers want it."""
    root = workshop.ca("root")
    leaf = workshop.leaf("leaf", root, ext.extended_key_usage(*purposes))
    result = validate_chain(
        leaf.certificate, intermediates=[], roots=[root.certificate], crls=[crl_of(root)], at=EPOCH,
        purpose=KeyPurpose.SEAL_MAKING,
    )  # fmt: skip
    assert verdicts(result) == ({} if allowed else {"x509.key-usage": Status.FAILED})


def test_a_forest_of_cross_certificates_ends(workshop: Workshop) -> None:
    """Six authorities that all certify each other: the search is bounded, the leaf is judged all the same."""
    cas = [workshop.ca(f"ca{n}", algorithm=KeyAlgorithm.EC_P256) for n in range(6)]
    crossed = [twin(workshop, a, b).certificate for a in cas for b in cas if a is not b]
    assert len(crossed) > MAX_PATHS
    leaf = workshop.leaf("leaf", cas[0], algorithm=KeyAlgorithm.EC_P256)
    elsewhere = workshop.ca("elsewhere")
    result = validate(leaf.certificate, *crossed, roots=[elsewhere.certificate], crls=[])
    assert result.status is not Status.PASSED


def test_a_fourth_part_beside_what_is_signed_is_refused(workshop: Workshop) -> None:
    """RFC 5280 §4.1.1, RFC 2986 §4.2: what is signed, algorithm, signature, and nothing that no signature covers."""
    root = workshop.ca("root")
    request = build_request(root.signer, root.certificate.subject)
    for der in (root.certificate.der, crl_of(root), request):
        longer = encoder.sequence(*(part.raw for part in parse(der).children), encoder.null())
        for read in (Certificate.from_der, Crl.from_der, parse_request):
            with pytest.raises(MalformedError) as refused:
                read(longer)
            assert refused.value.code == "x509.signed.parts"
