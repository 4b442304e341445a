"""Electronic seals and seal signatures: what they are, and how received ones are read.

Three generations are read: GM/T 0031-2014 ("V1"), GB/T 38540-2020 ("V4") and GM/T 0031-2025 ("V5"). Reading is
lenient where deployed seals break DER, and says so in ``variants``; it never repairs. Every part that a signature
covers is kept as it was received (:attr:`Seal.signed_der`, :attr:`SealSignature.to_be_signed_der`), so nothing is
encoded again in order to be verified. Encoding lives in :mod:`ofd.ses.encode` and :mod:`ofd.ses.encode_first`,
verification of a seal in :mod:`ofd.ses.verify`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, wraps
from itertools import islice

from ofd.ses.fields import (
    BIT_STRING,
    GENERALIZED_TIME,
    SEQUENCE,
    UTC_TIME,
    Fields,
    read_bits,
    read_certificate,
    read_signature,
    read_small_integer,
    read_time,
    read_time_text,
    read_token,
)
from ofd.ses.info import (
    CertificateDigest,
    Extension,
    Generation,
    Picture,
    SealInfo,
    read_extensions,
    read_generation,
    read_seal_info,
)
from trustcore.asn1 import encoder
from trustcore.asn1.reader import Node, parse
from trustcore.errors import MalformedError
from trustcore.remembered import Remembered
from trustcore.x509 import oids
from trustcore.x509.cms import SignedData
from trustcore.x509.tsp import TstInfo, parse_response

__all__ = [
    "CERT_VALUES",
    "REVOCATION_VALUES",
    "CertificateDigest",
    "Extension",
    "Generation",
    "Picture",
    "Seal",
    "SealInfo",
    "SealSignature",
    "ToBeSigned",
]

CERT_VALUES = "1.2.840.113549.1.9.16.2.23"
"""id-aa-ets-certValues (RFC 5126 §6.3.3): SEQUENCE OF Certificate."""
REVOCATION_VALUES = "1.2.840.113549.1.9.16.2.24"
"""id-aa-ets-revocationValues (RFC 5126 §6.3.4)."""

_MAX_MATERIAL = 32
"""Certificates, and CRLs, that a signature may carry: each may cost a signature check."""
_LONGEST_REMEMBERED = 256 * 1024
"""Octets of seals and of validation material."""
_CONTEXT_0, _CONTEXT_1, _PRIMITIVE_0, _ENUMERATED = 0xA0, 0xA1, 0x80, 0x0A
_FIRST_ELEMENTS = 2
"""SESeal and SES_Signature of GM/T 0031-2014 have two elements, later ones four and more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """SESeal: a seal as its maker issued it."""

    der: bytes
    """The whole seal as received."""
    generation: Generation
    info: SealInfo
    info_der: bytes
    """The octets of ``eSealInfo``."""
    signed_der: bytes
    """What the maker signed: ``eSealInfo`` alone; in the first generation SEQUENCE{ esealInfo, cert,
    signatureAlgorithm } of the elements as received."""
    certificate_der: bytes
    """The maker's certificate."""
    signature_algorithm_oid: str
    signature: bytes
    """DER SM2 signature, or 64 raw octets in the wild."""
    timestamp_token: bytes | None
    """GM/T 0031-2025: token over ``signature``."""
    variants: tuple[str, ...]
    """Names of the deviations from what deployed systems write that were met, for the report."""

    @classmethod
    def parse(cls, der: bytes) -> "Seal":
        """Read a seal.

        Raises:
            MalformedError: ``ofd.ses.…`` or ``asn1.…``; ``ofd.ses.version`` for generations not read here.
        """
        known = _SEALS.get(der)
        return _seal(parse(der), []) if known is None else known


_SEALS: Remembered[Seal] = Remembered(count=64, longest=_LONGEST_REMEMBERED)
"""A seal is used again and again, and read for every document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToBeSigned:
    """TBS_Sign: what the signer signed."""

    version: int
    """As written."""
    seal: Seal
    signed_at: datetime
    """timeInfo, the time the signer claims."""
    time_token: bytes | None = None
    """GM/T 0031-2014: the time-stamp token that is timeInfo.

    It stands under the signature, so it proves that the signature was made after its time, not that it existed then.
    """
    data_hash: bytes
    """Digest of Signature.xml, or of what else the container protects."""
    property_info: str
    """Path of Signature.xml in an OFD package."""
    extensions: tuple[Extension, ...]

    @property
    def embedded_certificates(self) -> tuple[bytes, ...]:
        """DER certificates carried as validation material (certValues).

        Raises:
            MalformedError: ``ofd.ses.validation-material`` when there are more than a verifier should look at.
        """
        return _certificates_in(self.extensions)

    @property
    def embedded_crls(self) -> tuple[bytes, ...]:
        """DER CRLs carried as validation material (revocationValues, ``crlVals [0]``).

        Raises:
            MalformedError: ``ofd.ses.validation-material`` when there are more than a verifier should look at.
        """
        return _crls_in(self.extensions)

    @property
    def embedded_ocsp_responses(self) -> tuple[bytes, ...]:
        """DER OCSPResponse carried as validation material (revocationValues, ``ocspVals [1]``).

        What is carried is the BasicOCSPResponse (RFC 5126 §6.3.4), in the wild also the whole response.

        Raises:
            MalformedError: ``ofd.ses.validation-material`` when there are more than a verifier should look at.
        """
        return _ocsp_responses_in(self.extensions)


_Extensions = tuple[Extension, ...]


def _kept_for_next(read: Callable[[_Extensions], tuple[bytes, ...]]) -> Callable[[_Extensions], tuple[bytes, ...]]:
    """Validation material is the same in all documents of a day: what was found in it is remembered."""
    read_once = lru_cache(maxsize=64)(read)

    @wraps(read)
    def remembered(extensions: _Extensions) -> tuple[bytes, ...]:
        short = sum([len(item.value) for item in extensions]) <= _LONGEST_REMEMBERED
        return read_once(extensions) if short else read(extensions)

    return remembered


@_kept_for_next
def _certificates_in(extensions: _Extensions) -> tuple[bytes, ...]:
    values = _values(extensions, CERT_VALUES)
    return _bounded(node for value in values for node in parse(value).expect(SEQUENCE).children)


@_kept_for_next
def _crls_in(extensions: _Extensions) -> tuple[bytes, ...]:
    lists = (parse(value).expect(SEQUENCE).find(_CONTEXT_0) for value in _values(extensions, REVOCATION_VALUES))
    return _bounded(crl for node in lists if node for crl in node[0].children)


@_kept_for_next
def _ocsp_responses_in(extensions: _Extensions) -> tuple[bytes, ...]:
    lists = (parse(value).expect(SEQUENCE).find(_CONTEXT_1) for value in _values(extensions, REVOCATION_VALUES))
    found = _bounded(item for node in lists if node for item in node[0].children)
    return tuple(map(_whole_response, found))


def _values(extensions: _Extensions, oid: str) -> Iterator[bytes]:
    return (extension.value for extension in extensions if extension.oid == oid)


def _whole_response(der: bytes) -> bytes:
    """An OCSPResponse around a BasicOCSPResponse; its signature is inside."""
    if parse(der)[0].tag == _ENUMERATED:
        return der
    content = encoder.sequence(encoder.oid(oids.OCSP_BASIC), encoder.octet_string(der))
    return encoder.sequence(encoder.tlv(_ENUMERATED, b"\0"), encoder.explicit(0, content))


def _bounded(nodes: Iterator[Node]) -> tuple[bytes, ...]:
    found = tuple(node.raw for node in islice(nodes, _MAX_MATERIAL + 1))
    if len(found) > _MAX_MATERIAL:
        raise MalformedError("The seal carries too much validation material.", code="ofd.ses.validation-material")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class SealSignature:
    """SES_Signature: a document sealed."""

    der: bytes
    generation: Generation
    to_be_signed: ToBeSigned
    to_be_signed_der: bytes
    """The octets the signer signed, as received."""
    certificate_der: bytes
    """The signer's certificate."""
    signature_algorithm_oid: str
    signature: bytes
    timestamp_token: bytes | None
    """RFC 3161 TimeStampToken over SM3 of ``signature``."""
    variants: tuple[str, ...]

    @classmethod
    def parse(cls, der: bytes) -> "SealSignature":
        """Read a SES_Signature.

        Raises:
            MalformedError: ``ofd.ses.…`` or ``asn1.…``; ``ofd.ses.version`` for generations not read here.
        """
        node = parse(der).expect(SEQUENCE)
        return _first_signature(node) if len(node.children) == _FIRST_ELEMENTS else _later_signature(node)


def _later_signature(node: Node) -> SealSignature:
    variants: list[str] = []
    fields = Fields(node)
    tbs_node = fields.next(SEQUENCE)
    tbs, generation = _to_be_signed(tbs_node, variants)
    result = SealSignature(
        der=node.raw,
        generation=generation,
        to_be_signed=tbs,
        to_be_signed_der=tbs_node.raw,
        certificate_der=read_certificate(fields.next(), variants),
        signature_algorithm_oid=fields.next().oid(),
        signature=read_signature(fields.next(), variants),
        timestamp_token=read_token(fields.optional(_CONTEXT_0, _PRIMITIVE_0), variants),
        variants=tuple(dict.fromkeys(variants)),
    )
    fields.end()
    return result


def _to_be_signed(node: Node, variants: list[str]) -> tuple[ToBeSigned, Generation]:
    fields = Fields(node)
    version = read_small_integer(fields.next())
    generation = read_generation(version, first=False)
    seal = _seal(fields.next(SEQUENCE), variants)
    if seal.generation is Generation.V1:
        variants.append("seal-generation")
    result = ToBeSigned(
        version=version,
        seal=seal,
        signed_at=read_time(fields.next(), variants),
        data_hash=read_bits(fields.next(), variants),
        property_info=fields.next().text(),
        extensions=_extensions(fields.optional(_CONTEXT_0, SEQUENCE), variants),
    )
    fields.end()
    return result, generation


def _extensions(node: Node | None, variants: list[str]) -> _Extensions:
    """Read extDatas of TBS_Sign; what is odd about them joins ``variants``."""
    if node is None:
        return ()
    der = node.raw
    known = _EXTENSIONS.get(der)
    if known is None:
        odd: list[str] = []
        known = _EXTENSIONS.put(der, (read_extensions(node, odd, tagged=True), tuple(odd)))
    extensions, found = known
    variants.extend(found)
    return extensions


_EXTENSIONS: Remembered[tuple[_Extensions, tuple[str, ...]]] = Remembered(count=64, longest=_LONGEST_REMEMBERED)
"""With the names of what is odd about them."""


def _first_signature(node: Node) -> SealSignature:
    """``SEQUENCE{ toSign, signature }`` (GM/T 0031-2014 §7.1): certificate and algorithm stand in what is signed."""
    variants: list[str] = []
    tbs_node = node[0].expect(SEQUENCE)
    fields = Fields(tbs_node)
    version = read_small_integer(fields.next())
    seal = _seal(fields.next(SEQUENCE), variants)
    if seal.generation is not Generation.V1:
        variants.append("seal-generation")
    signed_at, token = _time_info(fields.next(), variants)
    tbs = ToBeSigned(
        version=version,
        seal=seal,
        signed_at=signed_at,
        time_token=token,
        data_hash=read_bits(fields.next(), variants),
        property_info=fields.next().text(),
        extensions=(),
    )
    certificate_der = read_certificate(fields.next(), variants)
    algorithm_oid = fields.next().oid()
    fields.end()
    return SealSignature(
        der=node.raw,
        generation=Generation.V1,
        to_be_signed=tbs,
        to_be_signed_der=tbs_node.raw,
        certificate_der=certificate_der,
        signature_algorithm_oid=algorithm_oid,
        signature=read_signature(node[1], variants),
        timestamp_token=None,
        variants=tuple(dict.fromkeys(variants)),
    )


def _time_info(node: Node, variants: list[str]) -> tuple[datetime, bytes | None]:
    """The time of GM/T 0031-2014: a BIT STRING that holds a time-stamp token, a UTCTime, or the time as text."""
    if node.tag in {UTC_TIME, GENERALIZED_TIME}:
        variants.append("time-type")
        return read_time(node, variants, tag=node.tag), None
    value = read_bits(node, variants)
    if value[:1] == bytes((SEQUENCE,)):
        return _token_time(value)
    if value[:1] in {bytes((UTC_TIME,)), bytes((GENERALIZED_TIME,))}:
        inner = parse(value)
        return read_time(inner, variants, tag=inner.tag), None
    variants.append("time-form")
    return read_time_text(value.decode("ascii", "replace")), None


def _token_time(value: bytes) -> tuple[datetime, bytes]:
    """Time and octets of a TimeStampToken, or of the one in a TimeStampResp."""
    token = value if parse(value)[0].tag == 0x06 else parse_response(value)
    content = SignedData.from_der(token).content
    if content is None:
        raise MalformedError("The time stamp in a seal's signature is empty.", code="ofd.ses.time")
    return TstInfo.from_der(content).gen_time, token


def _seal(node: Node, variants: list[str]) -> Seal:
    """Read a seal; what is odd about it joins ``variants``."""
    der = node.raw
    seal = _SEALS.get(der)
    if seal is None:
        seal = _SEALS.put(der, _read_seal(node, []))
    variants.extend(seal.variants)
    return seal


def _read_seal(node: Node, variants: list[str]) -> Seal:
    first = len(node.expect(SEQUENCE).children) == _FIRST_ELEMENTS
    fields = Fields(node)
    info_node = fields.next(SEQUENCE)
    info = read_seal_info(info_node, variants, first=first)
    signing = Fields(_sign_info(fields.next(), variants)) if first else fields
    certificate, algorithm = signing.next(), signing.next()
    result = Seal(
        der=node.raw,
        generation=read_generation(info.version, first=first),
        info=info,
        info_der=info_node.raw,
        signed_der=encoder.sequence(info_node.raw, certificate.raw, algorithm.raw) if first else info_node.raw,
        certificate_der=read_certificate(certificate, variants),
        signature_algorithm_oid=algorithm.oid(),
        signature=read_signature(signing.next(), variants),
        timestamp_token=None if first else read_token(fields.optional(_CONTEXT_0, _PRIMITIVE_0), variants),
        variants=tuple(dict.fromkeys(variants)),
    )
    signing.end()
    fields.end()
    return result


def _sign_info(node: Node, variants: list[str]) -> Node:
    """SES_SignInfo, which some wrap in a BIT STRING."""
    if node.tag == BIT_STRING:
        variants.append("sign-info-type")
        return node.within(1).expect(SEQUENCE)
    return node.expect(SEQUENCE)
