"""SES_SealInfo, what the maker of a seal signs, in the three generations of the standard.

GM/T 0031-2014 writes version 1 (products also 2, 3 and 11), lists certificates only and uses UTCTime;
GB/T 38540-2020 (version 4) and GM/T 0031-2025 (version 5) list certificates or digests and use GeneralizedTime.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from ofd.ses.fields import (
    GENERALIZED_TIME,
    SEQUENCE,
    UTC_TIME,
    Fields,
    read_certificate,
    read_small_integer,
    read_time,
)
from trustcore.asn1.reader import Node
from trustcore.crypto.algorithms import DIGESTS
from trustcore.crypto.digests import digest
from trustcore.errors import MalformedError

__all__ = [
    "CertificateDigest",
    "Extension",
    "Generation",
    "Picture",
    "SealInfo",
    "read_extensions",
    "read_generation",
    "read_seal_info",
]

_CERTIFICATES = 1
_DIGESTS = 2
_CONTEXT_0 = 0xA0
_INTEGER, _OID = 0x02, 0x06


class Generation(IntEnum):
    """Which standard a structure follows; the number is the version that it writes."""

    V1 = 1
    """GM/T 0031-2014."""
    V4 = 4
    """GB/T 38540-2020."""
    V5 = 5
    """GM/T 0031-2025."""

    @property
    def standard(self) -> str:
        """Its name."""
        return {1: "GM/T 0031-2014", 4: "GB/T 38540-2020", 5: "GM/T 0031-2025"}[self]


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
    """As written."""
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


def read_generation(version: int, *, first: bool) -> Generation:
    """The generation of a structure from its version.

    Args:
        version: as written.
        first: whether the structure has the shape of GM/T 0031-2014, whose version products fill in freely.

    Raises:
        MalformedError: ``ofd.ses.version`` for generations not read here.
    """
    if first:
        return Generation.V1
    if version not in {Generation.V4, Generation.V5}:
        raise MalformedError(
            f"The seal structure is of version {version}; the shape is that of versions 4 and 5.",
            code="ofd.ses.version",
            version=version,
        )
    return Generation(version)


def read_seal_info(node: Node, variants: list[str], *, first: bool) -> SealInfo:
    """Read SES_SealInfo.

    Args:
        node: the SEQUENCE.
        variants: gets the names of what deviates from the standard.
        first: whether the seal has the shape of GM/T 0031-2014.

    Raises:
        MalformedError: ``ofd.ses.…`` or ``asn1.…``.
    """
    fields = Fields(node)
    header = fields.next(SEQUENCE)
    if header[0].text() != "ES":
        raise MalformedError("A seal's header starts with ES.", code="ofd.ses.header")
    version = read_small_integer(header[1])
    read_generation(version, first=first)
    seal_code = fields.next().text()
    properties = Fields(fields.next(SEQUENCE))
    picture = fields.next(SEQUENCE)
    kind = read_small_integer(properties.next())
    name = properties.next().text()
    certificates, digests = _read_signers(properties, variants, first=first)
    tag = UTC_TIME if first else GENERALIZED_TIME
    created, valid_from, valid_until = (read_time(properties.next(), variants, tag=tag) for _ in range(3))
    result = SealInfo(
        version=version,
        vendor=header[2].text(),
        seal_code=seal_code,
        type=kind,
        name=name,
        certificates=certificates,
        certificate_digests=digests,
        created=created,
        valid_from=valid_from,
        valid_until=valid_until,
        picture=Picture(
            type=picture[0].text(),
            data=picture[1].octets(),
            width_mm=read_small_integer(picture[2]),
            height_mm=read_small_integer(picture[3]),
        ),
        extensions=read_extensions(fields.optional(_CONTEXT_0, SEQUENCE), variants, tagged=first),
    )
    properties.end()
    fields.end()
    return result


def read_extensions(node: Node | None, variants: list[str], *, tagged: bool) -> tuple[Extension, ...]:
    """Read extDatas.

    Seals of GB/T 38540 carry them untagged, seals of GM/T 0031-2014 and TBS_Sign in ``[0]``; each occurs the other way
    in the wild (``extension-tagging``).
    """
    if node is None:
        return ()
    if (node.tag == _CONTEXT_0) != tagged:
        variants.append("extension-tagging")
    items = node.children
    if node.tag == _CONTEXT_0 and items and not (items[0].children and items[0][0].tag == _OID):
        items = node[0].expect(SEQUENCE).children
    elif node.tag == _CONTEXT_0:
        variants.append("extension-tagging")  # implicit, or empty
    return tuple(_read_extension(item.expect(SEQUENCE), variants) for item in items)


def _read_signers(
    properties: Fields, variants: list[str], *, first: bool
) -> tuple[tuple[bytes, ...], tuple[CertificateDigest, ...]]:
    """CertList; with certListType before it but in GM/T 0031-2014, where it occurs all the same."""
    kind_node = properties.optional(_INTEGER) if first else properties.next()
    if first and kind_node is not None:
        variants.append("certificate-list-type")
    kind = _CERTIFICATES if kind_node is None else read_small_integer(kind_node)
    node = properties.next(SEQUENCE)
    if kind == _CERTIFICATES:
        return tuple(read_certificate(item, variants) for item in node.children), ()
    if kind == _DIGESTS:
        return (), tuple(CertificateDigest(type=item[0].text(), value=item[1].octets()) for item in node.children)
    raise MalformedError(f"A seal's certListType is 1 or 2, not {kind}.", code="ofd.ses.certificate-list")


def _read_extension(node: Node, variants: list[str]) -> Extension:
    fields = Fields(node)
    oid = fields.next().oid()
    critical = fields.optional(0x01)
    if critical is None:
        variants.append("default-left-out")
    value = fields.next().octets()
    fields.end()
    return Extension(oid=oid, critical=critical is not None and critical.boolean(), value=value)
