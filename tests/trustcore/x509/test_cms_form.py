"""Each part of a CMS value that no signature covers has one form; each case changes one of them."""

from collections.abc import Callable

import pytest

from trustcore.asn1 import encoder
from trustcore.asn1.reader import Node, parse
from trustcore.crypto.algorithms import RSA_ENCRYPTION, DigestAlgorithm, KeyAlgorithm
from trustcore.crypto.software import SoftwareKeys
from trustcore.report import Status
from trustcore.x509 import oids
from trustcore.x509.build import digest_identifier
from trustcore.x509.certificate import Certificate
from trustcore.x509.cms import attribute, sign
from trustcore.x509.cms_form import form_problems, form_step, has_exact_frame
from trustcore.x509.material import material_step

from support.x509_workshop import Entity, Workshop, crl_of, flipped

Change = Callable[[Node], bytes]
SIGNED_DATA = (1, 0)
SIGNERS = (1, 0, 4)
SIGNER = (*SIGNERS, 0)
NULL = encoder.null()


@pytest.fixture(scope="module")
def signer() -> tuple[Entity, Entity]:
    workshop = Workshop(SoftwareKeys())
    root = workshop.ca("root", algorithm=KeyAlgorithm.RSA_2048)
    return root, workshop.leaf("signer", root, algorithm=KeyAlgorithm.RSA_2048)


def made(entity: Entity) -> bytes:
    certificate = entity.certificate
    return sign(b"data", signer=entity.signer, certificate=certificate, certificates=[certificate.der])


def changed(node: Node, path: tuple[int, ...], change: Change) -> bytes:
    """The value with the one at ``path`` changed; lengths are right again."""
    if not path:
        return change(node)
    parts = [changed(c, path[1:], change) if i == path[0] else c.raw for i, c in enumerate(node.children)]
    return encoder.tlv(node.tag, b"".join(parts))


def more(*added: bytes) -> Change:
    """The value with further values inside."""
    return lambda node: encoder.tlv(node.tag, node.content + b"".join(added))


def instead(value: bytes) -> Change:
    return lambda _node: value


def doubled(node: Node) -> bytes:
    return encoder.tlv(node.tag, node.content * 2)


def unsigned(*attributes: bytes) -> Change:
    return more(encoder.implicit(1, encoder.set_of(*attributes)))


STAMP = oids.SIGNATURE_TIME_STAMP
CASES: dict[str, tuple[tuple[int, ...], Change, str]] = {
    "content-info": ((), more(NULL), "ContentInfo has surplus elements"),
    "two-contents": ((1,), more(NULL), "the content is not one value"),
    "version": ((*SIGNED_DATA, 0), instead(encoder.integer(4)), "the version of SignedData"),
    "digests": ((*SIGNED_DATA, 1), more(digest_identifier(DigestAlgorithm.SM3)), "digestAlgorithms is not"),
    "surplus": (SIGNED_DATA, more(NULL), "SignedData has other elements"),
    "content": ((*SIGNED_DATA, 2, 1, 0), instead(NULL), "the encapsulated content is not one OCTET STRING"),
    "certificates": ((*SIGNED_DATA, 3), more(encoder.implicit(2, encoder.sequence())), "of an unknown kind"),
    "no-certificates": ((*SIGNED_DATA, 3), instead(encoder.tlv(0xA0, b"")), "of an unknown kind"),
    "no-signer": (SIGNERS, instead(encoder.set_of()), "there is not exactly one signer"),
    "two-signers": (SIGNERS, doubled, "there is not exactly one signer"),
    "signer-version": ((*SIGNER, 0), instead(encoder.integer(3)), "the version of SignerInfo"),
    "name": ((*SIGNER, 1, 0), instead(encoder.sequence()), "the signer is named in other words"),
    "digest-parameters": ((*SIGNER, 2), more(NULL, NULL), "the digest algorithm is written in an unknown way"),
    "signature-parameters": ((*SIGNER, 4), more(NULL), "the signature algorithm is written in an unknown way"),
    "other-name": ((*SIGNER, 4, 0), instead(encoder.oid(RSA_ENCRYPTION)), "those the signer protected (RFC 6211)"),
    "signer-surplus": (SIGNER, more(NULL), "SignerInfo has other elements"),
    "unknown-attribute": (SIGNER, unsigned(attribute("1.2.3", NULL)), "an unsigned attribute that is not known"),
    "two-stamps": (SIGNER, unsigned(attribute(STAMP, NULL, NULL)), "the unsigned time stamp is not one value"),
}


@pytest.mark.parametrize("case", CASES)
def test_another_form_is_named(signer: tuple[Entity, Entity], case: str) -> None:
    path, change, expected = CASES[case]
    der = changed(parse(made(signer[1])), path, change)
    assert expected in "; ".join(form_problems(der, signer[1].certificate))


def test_what_we_write_has_the_form(signer: tuple[Entity, Entity]) -> None:
    der = made(signer[1])
    assert form_problems(der, signer[1].certificate) == ()
    assert form_step("x", der, candidates=[]).status is Status.PASSED
    stamped = changed(parse(der), SIGNER, unsigned(attribute(STAMP, NULL)))
    assert form_problems(stamped, signer[1].certificate) == ()


def test_an_odd_form_cannot_be_told_valid(signer: tuple[Entity, Entity]) -> None:
    der = changed(parse(made(signer[1])), (), more(NULL))
    assert form_step("x", der, candidates=[]).status is Status.INDETERMINATE


def test_frames_are_compared_octet_by_octet(signer: tuple[Entity, Entity]) -> None:
    """RFC 5280 §4.1.1.2 and §5.1.1.2."""
    root = signer[0]
    for der in (root.certificate.der, crl_of(root)):
        assert has_exact_frame(der)
        assert not has_exact_frame(changed(parse(der), (), more(NULL)))
        assert not has_exact_frame(changed(parse(der), (1, 1), instead(encoder.octet_string(b""))))
        assert not has_exact_frame(changed(parse(der), (2,), lambda n: encoder.tlv(0x03, b"\x01" + n.content[1:])))


def test_damaged_material_fails_and_that_of_unknown_issuers_cannot_be_told(signer: tuple[Entity, Entity]) -> None:
    root, leaf = signer
    elsewhere = Workshop(SoftwareKeys()).ca("elsewhere")
    crl = crl_of(root)
    known = [root.certificate]
    assert material_step("x", [leaf.certificate], [crl], issuers=known).status is Status.PASSED
    assert material_step("x", [], [], issuers=[]).status is Status.PASSED
    broken = Certificate.from_der(flipped(leaf.certificate.der, len(leaf.certificate.der) - 1))
    for certificates, crls in (([broken], []), ([], [flipped(crl, len(crl) - 1)]), ([], [b"no list"])):
        step = material_step("x", certificates, crls, issuers=known)
        assert step.status is Status.FAILED
        assert step.evidence["damaged"]
    for certificates, crls in (([leaf.certificate], []), ([], [crl])):
        step = material_step("x", certificates, crls, issuers=[elsewhere.certificate])
        assert step.status is Status.INDETERMINATE
        assert "root" in step.evidence["unknown_issuer"] or "signer" in step.evidence["unknown_issuer"]
