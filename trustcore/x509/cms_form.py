"""The parts of a CMS value that no signature covers, looked at strictly.

Version numbers, sets of algorithms, the signer's name and unknown attributes mean nothing to most verifiers, who skip
them. A document of which an octet can be changed without notice is not what was issued, so they have to be as RFC 5652
prescribes; a value that differs is not called wrong, but cannot be called valid.
"""

from collections.abc import Iterator, Sequence
from functools import cache

from trustcore.asn1 import encoder
from trustcore.asn1.reader import Node, parse
from trustcore.crypto.algorithms import RSA_ENCRYPTION, SIGNATURES, DigestAlgorithm
from trustcore.report import Status, Step
from trustcore.x509 import oids
from trustcore.x509.build import digest_identifier, signature_identifier
from trustcore.x509.certificate import Certificate
from trustcore.x509.cms import SignedData

__all__ = ["form_problems", "form_step", "has_exact_frame"]

_INTEGER, _BITS, _OCTETS, _SEQUENCE, _SET = 0x02, 0x03, 0x04, 0x30, 0x31
_CERTIFICATES, _CRLS, _SIGNED, _UNSIGNED = 0xA0, 0xA1, 0xA0, 0xA1


def form_step(code: str, cms_der: bytes, *, candidates: Sequence[Certificate]) -> Step:
    """The step on the parts of a CMS value that its signature does not cover; *cannot tell* when they are odd.

    Args:
        code: of the step.
        cms_der: ContentInfo of a SignedData with one signer, as received.
        candidates: certificates beside those it carries, among which the signer's may be.

    Raises:
        MalformedError: it cannot be read.
    """
    signed_data = SignedData.from_der(cms_der)
    signers = signed_data.signers
    known = (*signed_data.certificates, *candidates)
    problems = form_problems(cms_der, next((item for item in known if signers and signers[0].is_made_by(item)), None))
    if problems:
        zh = "签名结构中未受签名保护的部分不合规定"
        en = "Parts of the CMS that no signature covers are not as prescribed: " + "; ".join(problems)
    else:
        zh = "签名结构中未受签名保护的部分符合规定"
        en = "The parts of the CMS that no signature covers are as prescribed"
    status = Status.INDETERMINATE if problems else Status.PASSED
    return Step(number=1, code=code, status=status, zh=zh, en=en, clause="RFC 5652 §5.1, §5.3")


def form_problems(value_der: bytes, certificate: Certificate | None) -> tuple[str, ...]:
    """Name what is not as RFC 5652 prescribes, in English; empty when all is.

    Args:
        value_der: ContentInfo of a SignedData with one signer, as received.
        certificate: the signer's, to compare the name in SignerInfo with octet by octet.

    Raises:
        MalformedError: ``asn1.…``.
    """
    return tuple(_problems(parse(value_der), certificate))


def has_exact_frame(der: bytes) -> bool:
    """Whether a certificate or CRL is ``SEQUENCE{ tbs, algorithm, BIT STRING }`` with the algorithm that is signed.

    The outer AlgorithmIdentifier is under no signature; RFC 5280 §4.1.1.2 and §5.1.1.2 want it equal to the inner one,
    octet by octet here.

    Raises:
        MalformedError: ``asn1.…``.
    """
    node = parse(der)
    if [child.tag for child in node.children] != [_SEQUENCE, _SEQUENCE, _BITS]:
        return False
    inner = node[0].find(_SEQUENCE)  # in both it is the first SEQUENCE: after version and serial number, or version
    return inner is not None and inner.raw == node[1].raw and node[2].content[:1] == b"\0"


def _problems(content_info: Node, certificate: Certificate | None) -> Iterator[str]:
    if len(content_info.children) != 2:
        yield "ContentInfo has surplus elements"
    if len(content_info[1].children) != 1:
        yield "the content is not one value"
    signed_data = content_info[1][0]
    tags = [child.tag for child in signed_data.children]
    if tags not in (
        [_INTEGER, _SET, _SEQUENCE, *optional, _SET]
        for optional in ([], [_CERTIFICATES], [_CRLS], [_CERTIFICATES, _CRLS])
    ):
        yield "SignedData has other elements than a signature needs"
        return
    encapsulated, signers = signed_data[2], signed_data.children[-1]
    contents = encapsulated.children[1:]
    if len(contents) > 1 or any([item.tag for item in child.children] != [_OCTETS] for child in contents):
        yield "the encapsulated content is not one OCTET STRING"
    if len(signers.children) != 1:
        yield "there is not exactly one signer"
        return
    signer = signers[0]
    plain = encapsulated[0].oid() in {oids.CMS_DATA, oids.GM_DATA}
    if signed_data[0].raw != encoder.integer(1 if plain and signer[0].raw == encoder.integer(1) else 3):
        yield "the version of SignedData is not the one of RFC 5652 §5.1"
    if signed_data[1].content != signer[2].raw:
        yield "digestAlgorithms is not the signer's digest algorithm"
    for child in signed_data.children[3:-1]:
        if not child.children or any(item.tag != _SEQUENCE for item in child.children):
            yield "there are certificates or CRLs of an unknown kind"
    yield from _signer_problems(signer, certificate)


def _signer_problems(signer: Node, certificate: Certificate | None) -> Iterator[str]:
    tags = [child.tag for child in signer.children]
    shape = [_INTEGER, tags[1], _SEQUENCE, _SIGNED, _SEQUENCE, _OCTETS] if len(tags) > 1 else []
    if tags not in (shape, [*shape, _UNSIGNED]):
        yield "SignerInfo has other elements than a signature needs"
        return
    if signer[0].raw != encoder.integer(1 if signer[1].tag == _SEQUENCE else 3):
        yield "the version of SignerInfo is not the one of RFC 5652 §5.3"
    named = (
        certificate is not None
        and signer[1].tag == _SEQUENCE
        and signer[1].raw == encoder.sequence(certificate.issuer_der, encoder.integer(certificate.serial_number))
    )
    if not named and signer[1].tag == _SEQUENCE:
        yield "the signer is named in other words than in the certificate"
    yield from _algorithm_problems(signer)
    for attribute in signer.children[6].children if len(tags) == 7 else ():
        if len(attribute.children) != 2 or attribute[0].oid() != oids.SIGNATURE_TIME_STAMP:
            yield "there is an unsigned attribute that is not known"
        elif attribute[1].tag != _SET or len(attribute[1].children) != 1:
            yield "the unsigned time stamp is not one value"


def _algorithm_problems(signer: Node) -> Iterator[str]:
    if signer[2].raw not in _digest_identifiers():
        yield "the digest algorithm is written in an unknown way"
    if signer[4].raw not in _signature_identifiers():
        yield "the signature algorithm is written in an unknown way"
    for attribute in signer[3].children:
        if attribute[0].oid() == oids.CMS_ALGORITHM_PROTECTION:
            protected = attribute[1][0]
            if protected[0].raw != signer[2].raw or protected[1].content != signer[4].content:
                yield "the algorithms are not those the signer protected (RFC 6211)"


@cache
def _digest_identifiers() -> frozenset[bytes]:
    """AlgorithmIdentifiers of the hashes, without parameters and with NULL."""
    plain = {digest_identifier(algorithm) for algorithm in DigestAlgorithm}
    return frozenset(plain | {encoder.sequence(parse(der)[0].raw, encoder.null()) for der in plain})


@cache
def _signature_identifiers() -> frozenset[bytes]:
    """AlgorithmIdentifiers of the signatures, in the ways they are written."""
    sm2 = encoder.oid(oids.SM2_SIGNATURE)
    older = (encoder.sequence(oid, encoder.null()) for oid in (encoder.oid(RSA_ENCRYPTION), sm2))
    return frozenset((*map(signature_identifier, SIGNATURES), *older, encoder.sequence(sm2)))
