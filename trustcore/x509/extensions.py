"""Certificate and CRL extensions as data: strict writing, lenient reading of the ones the product understands."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trustcore.asn1 import encoder, reader
from trustcore.errors import MalformedError
from trustcore.x509 import oids

__all__ = [
    "KEY_USAGES",
    "Extension",
    "authority_information_access",
    "authority_key_identifier",
    "basic_constraints",
    "certificate_policies",
    "crl_distribution_points",
    "crl_number",
    "encode_extensions",
    "extended_key_usage",
    "key_usage",
    "ocsp_no_check",
    "read_access_urls",
    "read_authority_key_identifier",
    "read_basic_constraints",
    "read_distribution_names",
    "read_distribution_urls",
    "read_extensions",
    "read_key_purposes",
    "read_key_usage",
    "read_point_names",
    "read_point_urls",
    "subject_key_identifier",
]

KEY_USAGES = (
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
)
"""Names of the bits of KeyUsage, bit 0 first (RFC 5280 §4.2.1.3)."""

_SEQUENCE, _OCTET_STRING, _BOOLEAN, _INTEGER = 0x30, 0x04, 0x01, 0x02
_URI, _KEY_ID, _DISTRIBUTION_POINT, _FULL_NAME = 0x86, 0x80, 0xA0, 0xA0


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """One extension (RFC 5280 §4.1.2.9)."""

    oid: str
    critical: bool = False
    value_der: bytes
    """Content of ``extnValue``; DER when we made it, anything when it was received."""

    @property
    def der(self) -> bytes:
        """Strict encoding; the DEFAULT FALSE of ``critical`` is left out (X.690 §11.5)."""
        critical = encoder.boolean(True) if self.critical else b""
        return encoder.sequence(encoder.oid(self.oid), critical, encoder.octet_string(self.value_der))


def encode_extensions(extensions: Iterable[Extension]) -> bytes:
    """``Extensions ::= SEQUENCE OF Extension``."""
    return encoder.sequence(*(extension.der for extension in extensions))


def read_extensions(node: reader.Node) -> tuple[Extension, ...]:
    """Read ``Extensions``. An extension that stands twice is refused (RFC 5280 §4.2). Raises ``MalformedError``."""
    extensions = tuple(_read_extension(child) for child in node.expect(_SEQUENCE).children)
    if len({extension.oid for extension in extensions}) != len(extensions):
        raise MalformedError("An extension stands twice", code="x509.extension.duplicate")
    return extensions


def _read_extension(node: reader.Node) -> Extension:
    node.expect(_SEQUENCE)
    critical = len(node.children) > 2 and node[1].tag == _BOOLEAN and node[1].boolean()
    value = node.children[-1].octets() if len(node.children) > 1 else node[1].octets()
    return Extension(oid=node[0].oid(), critical=critical, value_der=value)


def basic_constraints(*, ca: bool, path_length: int | None = None) -> Extension:
    """BasicConstraints, critical (RFC 5280 §4.2.1.9)."""
    length = encoder.integer(path_length) if path_length is not None else b""
    value = encoder.sequence(encoder.boolean(True) if ca else b"", length)
    return Extension(oid=oids.BASIC_CONSTRAINTS, critical=True, value_der=value)


def read_basic_constraints(value_der: bytes) -> tuple[bool, int | None]:
    """Whether the subject is a CA, and how many intermediate CAs may follow (``None``: no limit)."""
    node = reader.parse(value_der).expect(_SEQUENCE)
    flag, length = node.find(_BOOLEAN), node.find(_INTEGER)
    path_length = length.integer() if length else None
    if path_length is not None and path_length < 0:
        raise MalformedError("A path length is negative", code="x509.extension.path-length")
    return flag.boolean() if flag else False, path_length


def key_usage(*names: str) -> Extension:
    """KeyUsage, critical, of the RFC 5280 §4.2.1.3 names."""
    bits = frozenset(KEY_USAGES.index(name) for name in names)
    return Extension(oid=oids.KEY_USAGE, critical=True, value_der=encoder.named_bits(bits))


def read_key_usage(value_der: bytes) -> frozenset[str]:
    """The names of the bits that are set; bits without a name are left out."""
    return frozenset(KEY_USAGES[bit] for bit in reader.parse(value_der).named_bits() if bit < len(KEY_USAGES))


def extended_key_usage(*purposes: str, critical: bool = False) -> Extension:
    """ExtendedKeyUsage (RFC 5280 §4.2.1.12)."""
    value = encoder.sequence(*(encoder.oid(purpose) for purpose in purposes))
    return Extension(oid=oids.EXTENDED_KEY_USAGE, critical=critical, value_der=value)


def read_key_purposes(value_der: bytes) -> tuple[str, ...]:
    """OIDs of the purposes."""
    return tuple(child.oid() for child in reader.parse(value_der).expect(_SEQUENCE).children)


def subject_key_identifier(key_id: bytes) -> Extension:
    """SubjectKeyIdentifier (RFC 5280 §4.2.1.2)."""
    return Extension(oid=oids.SUBJECT_KEY_IDENTIFIER, value_der=encoder.octet_string(key_id))


def authority_key_identifier(key_id: bytes) -> Extension:
    """AuthorityKeyIdentifier by key identifier (RFC 5280 §4.2.1.1)."""
    value = encoder.sequence(encoder.implicit(0, encoder.octet_string(key_id)))
    return Extension(oid=oids.AUTHORITY_KEY_IDENTIFIER, value_der=value)


def read_authority_key_identifier(value_der: bytes) -> bytes | None:
    """The key identifier, where there is one."""
    node = reader.parse(value_der).expect(_SEQUENCE).find(_KEY_ID)
    return node.content if node else None


def _uri(url: str) -> bytes:
    return encoder.implicit(6, encoder.ia5_string(url))


def crl_distribution_points(*urls: str) -> Extension:
    """CRLDistributionPoints of one URI each (RFC 5280 §4.2.1.13)."""
    points = (encoder.sequence(encoder.explicit(0, encoder.explicit(0, _uri(url)))) for url in urls)
    return Extension(oid=oids.CRL_DISTRIBUTION_POINTS, value_der=encoder.sequence(*points))


def read_distribution_urls(value_der: bytes) -> tuple[str, ...]:
    """URIs of the distribution points."""
    points = reader.parse(value_der).expect(_SEQUENCE).children
    return tuple(url for point in points for url in read_point_urls(point.find(_DISTRIBUTION_POINT)))


def read_point_urls(distribution_point_name: reader.Node | None) -> tuple[str, ...]:
    """URIs of a ``[0] DistributionPointName``; empty when it is absent or a name relative to the issuer."""
    full = distribution_point_name.find(_FULL_NAME) if distribution_point_name else None
    return tuple(
        name.content.decode("ascii", "replace") for name in (full.children if full else ()) if name.tag == _URI
    )


def read_point_names(distribution_point_name: reader.Node) -> frozenset[bytes]:
    """DER of the GeneralNames of a ``[0] DistributionPointName``; none for a name relative to the issuer."""
    full = distribution_point_name.find(_FULL_NAME)
    return frozenset(name.raw for name in (full.children if full else ()))


def read_distribution_names(value_der: bytes) -> frozenset[bytes]:
    """DER of the GeneralNames of all distribution points."""
    points = reader.parse(value_der).expect(_SEQUENCE).children
    places = (point.find(_DISTRIBUTION_POINT) for point in points)
    return frozenset[bytes]().union(*(read_point_names(place) for place in places if place))


def authority_information_access(*, ocsp: Sequence[str] = (), issuers: Sequence[str] = ()) -> Extension:
    """AuthorityInfoAccess: where OCSP answers and where the issuer's certificate is (RFC 5280 §4.2.2.1)."""
    methods = [(oids.ACCESS_OCSP, url) for url in ocsp] + [(oids.ACCESS_CA_ISSUERS, url) for url in issuers]
    value = encoder.sequence(*(encoder.sequence(encoder.oid(method), _uri(url)) for method, url in methods))
    return Extension(oid=oids.AUTHORITY_INFORMATION_ACCESS, value_der=value)


def read_access_urls(value_der: bytes, method: str) -> tuple[str, ...]:
    """URIs of one access method."""
    descriptions = reader.parse(value_der).expect(_SEQUENCE).children
    found = (d[1] for d in descriptions if d[0].oid() == method)
    return tuple(name.content.decode("ascii", "replace") for name in found if name.tag == _URI)


def certificate_policies(*policies: str) -> Extension:
    """CertificatePolicies without qualifiers (RFC 5280 §4.2.1.4)."""
    value = encoder.sequence(*(encoder.sequence(encoder.oid(policy)) for policy in policies))
    return Extension(oid=oids.CERTIFICATE_POLICIES, value_der=value)


def ocsp_no_check() -> Extension:
    """id-pkix-ocsp-nocheck: a responder's certificate is trusted for its lifetime (RFC 6960 §4.2.2.2.1)."""
    return Extension(oid=oids.OCSP_NO_CHECK, value_der=encoder.null())


def crl_number(number: int) -> Extension:
    """CRLNumber (RFC 5280 §5.2.3)."""
    return Extension(oid=oids.CRL_NUMBER, value_der=encoder.integer(number))
