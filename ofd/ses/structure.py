"""Electronic seals and seal signatures of GB/T 38540-2020: what they are, and how received ones are read.

Reading is lenient where deployed seals break DER, and says so in ``variants``; it never repairs. Every part that a
signature covers is kept as it was received (``info_der``, ``to_be_signed``), so nothing is encoded again in order to
be verified. Encoding lives in :mod:`ofd.ses.encode`, verification of a seal in :mod:`ofd.ses.verify`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from ofd.ses.fields import Fields, read_small_integer, read_time
from trustcore.asn1.reader import Node, parse
from trustcore.crypto.algorithms import DIGESTS
from trustcore.crypto.digests import digest
from trustcore.errors import MalformedError

__all__ = [
    "CERT_VALUES",
    "REVOCATION_VALUES",
    "CertificateDigest",
    "Extension",
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

_VERSIONS = (4, 5)
"""GB/T 38540-2020 writes 4, GM/T 0031-2025 writes 5; both have the structures read here."""
_MAX_MATERIAL = 32
"""Certificates, and CRLs, that a signature may carry: each may cost a signature check."""
_CERTIFICATES = 1
_DIGESTS = 2
_SEQUENCE = 0x30
_BIT_STRING = 0x03
_CONTEXT_0 = 0xA0


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """SES_ESPictrueInfo: how the seal looks."""

    type: str
    """``PNG``, ``GIF``, ``JPG``, ``BMP``, ``SVG`` or ``ofd``, in any case."""
    data: bytes
    width_mm: int
    height_mm: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """ExtData: one entry of ``extDatas``."""

    oid: str
    critical: bool = False
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateDigest:
    """CertDigestObj: a signer named by the digest of its certificate."""

    type: str
    """``SM3`` or the OID of a hash function."""
    value: bytes

    def matches(self, certificate_der: bytes) -> bool:
        """Whether this is the digest of the certificate, by SM3 or a SHA-2 hash; an unknown hash never matches."""
        name = self.type.lower().removeprefix("urn:oid:").replace("-", "")
        for details in DIGESTS.values():
            known = {str(details.algorithm), details.oid, f"{details.oid}.1"}
            if name in known:
                return digest(details.algorithm, certificate_der) == self.value
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class SealInfo:
    """SES_SealInfo: what the maker of the seal signed."""

    version: int
    vendor: str
    """Vid: who made the sealing system."""
    seal_code: str
    """esID, unique."""
    type: int
    """1 organisation, 2 person; deployed seals also use 3 and 4."""
    name: str
    certificates: tuple[bytes, ...]
    """DER certificates that may sign with the seal; empty when the seal lists digests."""
    certificate_digests: tuple[CertificateDigest, ...]
    created: datetime
    valid_from: datetime
    valid_until: datetime
    """Last moment the seal may be used, inclusive."""
    picture: Picture
    extensions: tuple[Extension, ...]

    def lists(self, certificate_der: bytes) -> bool:
        """Whether this certificate may sign with the seal: byte for byte, or by digest."""
        return certificate_der in self.certificates or any(
            listed.matches(certificate_der) for listed in self.certificate_digests
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """SESeal: a seal as its maker issued it."""

    der: bytes
    """The whole seal as received."""
    info: SealInfo
    info_der: bytes
    """The octets of ``eSealInfo`` that the maker signed."""
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
        return _seal(parse(der), [])


@dataclass(frozen=True, slots=True, kw_only=True)
class ToBeSigned:
    """TBS_Sign: what the signer signed."""

    version: int
    seal: Seal
    signed_at: datetime
    """timeInfo, the time the signer claims."""
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
        return _bounded(node for value in self._values(CERT_VALUES) for node in parse(value).expect(_SEQUENCE).children)

    @property
    def embedded_crls(self) -> tuple[bytes, ...]:
        """DER CRLs carried as validation material (revocationValues, ``crlVals [0]``).

        Raises:
            MalformedError: ``ofd.ses.validation-material`` when there are more than a verifier should look at.
        """
        lists = (parse(value).expect(_SEQUENCE).find(_CONTEXT_0) for value in self._values(REVOCATION_VALUES))
        return _bounded(crl for node in lists if node for crl in node[0].children)

    def _values(self, oid: str) -> Iterator[bytes]:
        return (extension.value for extension in self.extensions if extension.oid == oid)


def _bounded(nodes: Iterator[Node]) -> tuple[bytes, ...]:
    found = tuple(node.raw for node in islice(nodes, _MAX_MATERIAL + 1))
    if len(found) > _MAX_MATERIAL:
        raise MalformedError("The seal carries too much validation material.", code="ofd.ses.validation-material")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class SealSignature:
    """SES_Signature: a document sealed."""

    der: bytes
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
        node = parse(der).expect(_SEQUENCE)
        if len(node.children) == 2:
            raise _unknown_version(1)
        variants: list[str] = []
        fields = Fields(node)
        tbs_node = fields.next(_SEQUENCE)
        result = cls(
            der=der,
            to_be_signed=_to_be_signed(tbs_node, variants),
            to_be_signed_der=tbs_node.raw,
            certificate_der=fields.next().octets(),
            signature_algorithm_oid=fields.next().oid(),
            signature=_signature(fields.next(), variants),
            timestamp_token=_timestamp(fields.optional(_CONTEXT_0)),
            variants=tuple(dict.fromkeys(variants)),
        )
        fields.end()
        return result


def _to_be_signed(node: Node, variants: list[str]) -> ToBeSigned:
    fields = Fields(node)
    version = read_small_integer(fields.next())
    if version not in _VERSIONS:
        raise _unknown_version(version)
    result = ToBeSigned(
        version=version,
        seal=_seal(fields.next(_SEQUENCE), variants),
        signed_at=read_time(fields.next(), variants),
        data_hash=fields.next().bit_string(),
        property_info=fields.next().text(),
        extensions=_extensions(fields.optional(_CONTEXT_0, _SEQUENCE), variants, tagged=True),
    )
    fields.end()
    return result


def _seal(node: Node, variants: list[str]) -> Seal:
    fields = Fields(node.expect(_SEQUENCE))
    if len(node.children) == 2:
        raise _unknown_version(1)
    info = fields.next(_SEQUENCE)
    result = Seal(
        der=node.raw,
        info=_seal_info(info, variants),
        info_der=info.raw,
        certificate_der=fields.next().octets(),
        signature_algorithm_oid=fields.next().oid(),
        signature=_signature(fields.next(), variants),
        timestamp_token=_timestamp(fields.optional(_CONTEXT_0)),
        variants=tuple(dict.fromkeys(variants)),
    )
    fields.end()
    return result


def _seal_info(node: Node, variants: list[str]) -> SealInfo:
    fields = Fields(node)
    header = fields.next(_SEQUENCE)
    if header[0].text() != "ES":
        raise MalformedError("A seal's header starts with ES.", code="ofd.ses.header")
    version = read_small_integer(header[1])
    if version not in _VERSIONS:
        raise _unknown_version(version)
    seal_code = fields.next().text()
    properties = Fields(fields.next(_SEQUENCE))
    picture = fields.next(_SEQUENCE)
    kind = read_small_integer(properties.next())
    name = properties.next().text()
    certificates, digests = _certificate_list(read_small_integer(properties.next()), properties.next(_SEQUENCE))
    result = SealInfo(
        version=version,
        vendor=header[2].text(),
        seal_code=seal_code,
        type=kind,
        name=name,
        certificates=certificates,
        certificate_digests=digests,
        created=read_time(properties.next(), variants),
        valid_from=read_time(properties.next(), variants),
        valid_until=read_time(properties.next(), variants),
        picture=Picture(
            type=picture[0].text(),
            data=picture[1].octets(),
            width_mm=read_small_integer(picture[2]),
            height_mm=read_small_integer(picture[3]),
        ),
        extensions=_extensions(fields.optional(_CONTEXT_0, _SEQUENCE), variants, tagged=False),
    )
    properties.end()
    fields.end()
    return result


def _certificate_list(kind: int, node: Node) -> tuple[tuple[bytes, ...], tuple[CertificateDigest, ...]]:
    if kind == _CERTIFICATES:
        return tuple(item.octets() for item in node.children), ()
    if kind == _DIGESTS:
        return (), tuple(CertificateDigest(type=item[0].text(), value=item[1].octets()) for item in node.children)
    raise MalformedError(f"A seal's certListType is 1 or 2, not {kind}.", code="ofd.ses.certificate-list")


def _extensions(node: Node | None, variants: list[str], *, tagged: bool) -> tuple[Extension, ...]:
    """Read extDatas; seals carry them untagged, TBS_Sign in ``[0]``, and each occurs the other way in the wild."""
    if node is None:
        return ()
    if (node.tag == _CONTEXT_0) != tagged:
        variants.append("extension-tagging")
    items = node[0].expect(_SEQUENCE).children if node.tag == _CONTEXT_0 else node.children
    return tuple(_extension(item.expect(_SEQUENCE), variants) for item in items)


def _extension(node: Node, variants: list[str]) -> Extension:
    fields = Fields(node)
    oid = fields.next().oid()
    critical = fields.optional(0x01)
    if critical is None:
        variants.append("default-left-out")
    value = fields.next().octets()
    fields.end()
    return Extension(oid=oid, critical=critical is not None and critical.boolean(), value=value)


def _signature(node: Node, variants: list[str]) -> bytes:
    value = node.bit_string()
    if len(value) == 64:
        variants.append("raw-signature")
    return value


def _timestamp(node: Node | None) -> bytes | None:
    return None if node is None else node[0].expect(_BIT_STRING).bit_string()


def _unknown_version(version: int) -> MalformedError:
    return MalformedError(
        f"The seal structure is of version {version}; versions 4 and 5 are read.",
        code="ofd.ses.version",
        version=version,
    )
