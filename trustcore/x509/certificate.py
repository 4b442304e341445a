"""A typed, frozen view of a received certificate. The bytes stay as they came; nothing is encoded again."""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from trustcore.asn1 import reader
from trustcore.crypto.algorithms import signature_by_oid
from trustcore.crypto.digests import sha256
from trustcore.crypto.verify import verify
from trustcore.errors import MalformedError
from trustcore.remembered import Remembered
from trustcore.x509 import extensions as ext
from trustcore.x509 import oids
from trustcore.x509.names import DistinguishedName
from trustcore.x509.public_keys import PublicKeyInfo

__all__ = ["Certificate", "decode_pem", "encode_pem", "is_signed_by", "load_pem_bundle", "signed_parts"]

_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s(.*?)-----END \1-----", re.DOTALL)
_T = TypeVar("_T")
_SEQUENCE, _INTEGER, _BIT_STRING, _VERSION, _EXTENSIONS = 0x30, 0x02, 0x03, 0xA0, 0xA3


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """An X.509 certificate (RFC 5280 §4.1). Safe to share between threads; equal when the bytes are equal."""

    der: bytes
    tbs_der: bytes = field(repr=False, compare=False)
    """The bytes the signature covers, as received."""
    subject: DistinguishedName = field(compare=False)
    issuer: DistinguishedName = field(compare=False)
    serial_number: int = field(compare=False)
    not_before: datetime = field(compare=False)
    not_after: datetime = field(compare=False)
    """Last moment of validity, inclusive."""
    public_key_der: bytes = field(repr=False, compare=False)
    """SubjectPublicKeyInfo as received."""
    public_key: PublicKeyInfo = field(compare=False)
    signature_algorithm_oid: str = field(compare=False)
    has_one_algorithm: bool = field(compare=False)
    """Whether the algorithm inside what is signed is the outer one, parameters too (RFC 5280 §4.1.1.2)."""
    signature: bytes = field(repr=False, compare=False)
    extensions: tuple[ext.Extension, ...] = field(repr=False, compare=False)
    is_ca: bool = field(compare=False)
    path_length: int | None = field(compare=False)
    key_usage: frozenset[str] = field(compare=False)
    """RFC 5280 §4.2.1.3 names; empty when the extension is absent (see :attr:`has_key_usage`)."""
    extended_key_usage: tuple[str, ...] = field(compare=False)
    """OIDs; empty when the extension is absent."""
    subject_key_identifier: bytes | None = field(repr=False, compare=False)
    authority_key_identifier: bytes | None = field(repr=False, compare=False)

    @classmethod
    def from_der(cls, der: bytes) -> "Certificate":
        """Read a certificate.

        Raises:
            MalformedError: ``asn1.…`` or ``x509.…``, also when an extension the product understands cannot be read.
        """
        known = _KNOWN.get(der)
        return cls.from_node(reader.parse(der)) if known is None else known

    @classmethod
    def from_node(cls, node: reader.Node) -> "Certificate":
        """Read a certificate that is part of something larger. Raises ``MalformedError``."""
        raw = node.raw
        known = _KNOWN.get(raw)
        return _KNOWN.put(raw, cls._read(node)) if known is None else known

    @classmethod
    def _read(cls, node: reader.Node) -> "Certificate":
        tbs, algorithm, signature = signed_parts(node)
        first = 1 if tbs[0].tag == _VERSION else 0
        validity = tbs[first + 3].expect(_SEQUENCE)
        wrapped = tbs.find(_EXTENSIONS)
        extensions = ext.read_extensions(wrapped[0]) if wrapped else ()
        values = {extension.oid: extension.value_der for extension in extensions}
        constraints = values.get(oids.BASIC_CONSTRAINTS)
        is_ca, path_length = ext.read_basic_constraints(constraints) if constraints is not None else (False, None)
        subject_key = values.get(oids.SUBJECT_KEY_IDENTIFIER)
        for oid, read in _ALSO_READ.items():
            if oid in values:
                read(values[oid])
        public_key_der = tbs[first + 5].expect(_SEQUENCE).raw
        return cls(
            der=node.raw,
            tbs_der=tbs.raw,
            subject=DistinguishedName.from_node(tbs[first + 4].expect(_SEQUENCE)),
            issuer=DistinguishedName.from_node(tbs[first + 2].expect(_SEQUENCE)),
            serial_number=tbs[first].expect(_INTEGER).integer(),
            not_before=validity[0].time(),
            not_after=validity[1].time(),
            public_key_der=public_key_der,
            public_key=PublicKeyInfo.from_der(public_key_der),
            signature_algorithm_oid=algorithm[0].oid(),
            has_one_algorithm=tbs[first + 1].expect(_SEQUENCE).raw == algorithm.raw,
            signature=signature.bit_string(),
            extensions=extensions,
            is_ca=is_ca,
            path_length=path_length,
            key_usage=_optional(ext.read_key_usage, values.get(oids.KEY_USAGE), frozenset()),
            extended_key_usage=_optional(ext.read_key_purposes, values.get(oids.EXTENDED_KEY_USAGE), ()),
            subject_key_identifier=reader.parse(subject_key).octets() if subject_key else None,
            authority_key_identifier=_optional(
                ext.read_authority_key_identifier, values.get(oids.AUTHORITY_KEY_IDENTIFIER), None
            ),
        )

    @classmethod
    def from_pem(cls, pem: bytes | str) -> "Certificate":
        """Read the first certificate of a PEM text (RFC 7468 §5). Raises ``MalformedError``."""
        data = pem.encode() if isinstance(pem, str) else pem
        for label, der in decode_pem(data):
            if label in _CERTIFICATE_LABELS:
                return cls.from_der(der)
        raise MalformedError("The PEM text holds no certificate", code="x509.pem.no-certificate")

    @property
    def pem(self) -> bytes:
        """RFC 7468 text."""
        return encode_pem("CERTIFICATE", self.der)

    @property
    def subject_der(self) -> bytes:
        """The subject's Name as received."""
        return self.subject.der

    @property
    def issuer_der(self) -> bytes:
        """The issuer's Name as received."""
        return self.issuer.der

    @property
    def common_name(self) -> str | None:
        """The subject's most specific commonName."""
        return self.subject.common_name

    @property
    def fingerprint_sha256(self) -> str:
        """SHA-256 of the whole certificate, lower-case hex."""
        return sha256(self.der).hex()

    @property
    def has_key_usage(self) -> bool:
        """Whether the KeyUsage extension is there."""
        return self.extension(oids.KEY_USAGE) is not None

    @property
    def is_self_issued(self) -> bool:
        """Whether issuer and subject are one name (RFC 5280 §3.2)."""
        return self.subject.matches(self.issuer)

    @property
    def crl_urls(self) -> tuple[str, ...]:
        """URIs of the CRL distribution points."""
        found = self.extension(oids.CRL_DISTRIBUTION_POINTS)
        return ext.read_distribution_urls(found.value_der) if found else ()

    def extension(self, oid: str) -> ext.Extension | None:
        """The extension with this OID."""
        return next((extension for extension in self.extensions if extension.oid == oid), None)

    def is_issued_by(self, issuer: "Certificate") -> bool:
        """Whether ``issuer``'s name stands in this certificate and its key made the signature over received bytes."""
        return (
            self.issuer.matches(issuer.subject)
            and self.has_one_algorithm
            and is_signed_by(issuer, self.signature_algorithm_oid, self.tbs_der, self.signature)
        )


_KNOWN: Remembered[Certificate] = Remembered(count=512, longest=16_384)
_CERTIFICATE_LABELS = {"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"}
_ALSO_READ: dict[str, Callable[[bytes], tuple[str, ...]]] = {
    oids.CRL_DISTRIBUTION_POINTS: ext.read_distribution_urls,
    oids.AUTHORITY_INFORMATION_ACCESS: lambda value: ext.read_access_urls(value, oids.ACCESS_OCSP),
}
"""Extensions that properties read later; read once while parsing, so that the properties cannot fail."""


def _optional(read: Callable[[bytes], _T], value_der: bytes | None, default: _T) -> _T:
    return default if value_der is None else read(value_der)


def signed_parts(node: reader.Node) -> tuple[reader.Node, reader.Node, reader.Node]:
    """What is signed, the algorithm and the signature: the three parts of a certificate, a request or a CRL.

    Raises:
        MalformedError: ``x509.signed.parts`` for other parts: nothing protects what would stand beside the three.
    """
    if [child.tag for child in node.expect(_SEQUENCE).children] != [_SEQUENCE, _SEQUENCE, _BIT_STRING]:
        raise MalformedError("The signed object has not three parts", code="x509.signed.parts")
    return node[0], node[1], node[2]


def is_signed_by(issuer: Certificate, algorithm_oid: str, message: bytes, signature: bytes) -> bool:
    """Whether the key of ``issuer`` signed ``message`` with an algorithm and a key size that the product accepts."""
    details = signature_by_oid(algorithm_oid)
    if details is None or not issuer.public_key.serves(details.algorithm):
        return False
    try:
        return verify(issuer.public_key_der, details.algorithm, message, signature)
    except MalformedError:
        return False


def decode_pem(data: bytes) -> tuple[tuple[str, bytes], ...]:
    """Label and DER of each block of a PEM text (RFC 7468). Raises ``MalformedError`` (``x509.pem``) for bad base64."""
    blocks: list[tuple[str, bytes]] = []
    for match in _PEM.finditer(data):
        try:
            der = base64.b64decode(b"".join(match[2].split()), validate=True)
        except binascii.Error as error:
            raise MalformedError("A PEM block is not base64", code="x509.pem") from error
        blocks.append((match[1].decode("ascii"), der))
    return tuple(blocks)


def encode_pem(label: str, der: bytes) -> bytes:
    """RFC 7468 text of one block, lines of 64 characters."""
    text = base64.b64encode(der).decode("ascii")
    lines = "\n".join(text[i : i + 64] for i in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n".encode("ascii")


def load_pem_bundle(data: bytes) -> tuple[Certificate, ...]:
    """All certificates of a PEM text, or the one of a DER file.

    Raises:
        MalformedError: no certificate in it, or one that cannot be read.
    """
    if data[:1] == b"\x30":
        return (Certificate.from_der(data),)
    found = tuple(Certificate.from_der(der) for label, der in decode_pem(data) if label in _CERTIFICATE_LABELS)
    if not found:
        raise MalformedError("The file holds no certificate", code="x509.pem.no-certificate")
    return found
