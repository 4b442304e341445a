"""Certificate revocation lists (RFC 5280 §5): build, read, verify, look up."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from functools import lru_cache

from trustcore.asn1 import encoder, reader
from trustcore.crypto.algorithms import SignatureAlgorithm
from trustcore.errors import MalformedError
from trustcore.remembered import Remembered
from trustcore.x509 import extensions as ext
from trustcore.x509 import oids
from trustcore.x509.build import signature_identifier, x509_time
from trustcore.x509.certificate import Certificate, decode_pem, is_signed_by, signed_parts
from trustcore.x509.names import DistinguishedName

__all__ = ["Crl", "CrlTemplate", "RevocationReason", "RevokedEntry", "crl_tbs", "load_crl"]

_SEQUENCE, _INTEGER, _TIMES, _EXTENSIONS = 0x30, 0x02, {0x17, 0x18}, 0xA0
_VERSION_2 = 1


class RevocationReason(IntEnum):
    """CRLReason (RFC 5280 §5.3.1); 7 is not used."""

    UNSPECIFIED = 0
    KEY_COMPROMISE = 1
    CA_COMPROMISE = 2
    AFFILIATION_CHANGED = 3
    SUPERSEDED = 4
    CESSATION_OF_OPERATION = 5
    CERTIFICATE_HOLD = 6
    REMOVE_FROM_CRL = 8
    PRIVILEGE_WITHDRAWN = 9
    AA_COMPROMISE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedEntry:
    """One revoked certificate."""

    serial_number: int
    at: datetime
    """From when on it counts as revoked."""
    reason: RevocationReason | None = None
    """``None`` when the list gives none; RFC 5280 §5.3.1 wants *unspecified* left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrlTemplate:
    """All that stands in a full CRL of one issuer."""

    signature_algorithm: SignatureAlgorithm
    issuer: DistinguishedName
    authority_key_id: bytes
    number: int
    """CRLNumber, growing with each list of the issuer (RFC 5280 §5.2.3)."""
    this_update: datetime
    next_update: datetime
    revoked: tuple[RevokedEntry, ...]


def crl_tbs(template: CrlTemplate) -> bytes:
    """DER of the TBSCertList, version 2, with AuthorityKeyIdentifier and CRLNumber."""
    extensions = (ext.authority_key_identifier(template.authority_key_id), ext.crl_number(template.number))
    entries = b"".join(_encode_entry(entry) for entry in sorted(template.revoked, key=lambda e: e.serial_number))
    return encoder.sequence(
        encoder.integer(_VERSION_2),
        signature_identifier(template.signature_algorithm),
        template.issuer.der,
        x509_time(template.this_update),
        x509_time(template.next_update),
        # RFC 5280 §5.1.2.6: when nothing is revoked, the list of entries must be absent.
        encoder.tlv(_SEQUENCE, entries) if entries else b"",
        encoder.explicit(0, ext.encode_extensions(extensions)),
    )


def _encode_entry(entry: RevokedEntry) -> bytes:
    extensions = b""
    if entry.reason:
        value = encoder.tlv(0x0A, bytes((entry.reason,)))
        extensions = ext.encode_extensions((ext.Extension(oid=oids.REASON_CODE, value_der=value),))
    return encoder.sequence(encoder.integer(entry.serial_number), x509_time(entry.at), extensions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crl:
    """A received list. Safe to share between threads; equal when the bytes are equal."""

    der: bytes = field(repr=False)
    tbs_der: bytes = field(repr=False, compare=False)
    issuer: DistinguishedName = field(compare=False)
    this_update: datetime = field(compare=False)
    next_update: datetime | None = field(compare=False)
    number: int | None = field(compare=False)
    authority_key_identifier: bytes | None = field(repr=False, compare=False)
    signature_algorithm_oid: str = field(compare=False)
    has_one_algorithm: bool = field(compare=False)
    """Whether the algorithm inside what is signed is the outer one, parameters too (RFC 5280 §5.1.1.2)."""
    signature: bytes = field(repr=False, compare=False)
    extensions: tuple[ext.Extension, ...] = field(repr=False, compare=False)
    entries: Mapping[int, RevokedEntry] = field(repr=False, compare=False)
    """By serial number."""
    has_unknown_critical: bool = field(compare=False)
    """Whether the list or an entry has a critical extension that is not understood (delta and indirect CRLs too)."""

    @classmethod
    def from_der(cls, der: bytes) -> "Crl":
        """Read a DER CRL. Raises ``MalformedError``."""
        known = _KNOWN.get(der)
        return _KNOWN.put(der, cls._read(der)) if known is None else known

    @classmethod
    def _read(cls, der: bytes) -> "Crl":
        node = reader.parse(der)
        tbs, algorithm, signature = signed_parts(node)
        first = 1 if tbs[0].tag == _INTEGER else 0
        rest = tbs.children[first + 3 :]
        next_update = rest[0].time() if rest and rest[0].tag in _TIMES else None
        wrapped = tbs.find(_EXTENSIONS)
        extensions = ext.read_extensions(wrapped[0]) if wrapped else ()
        values = {extension.oid: extension.value_der for extension in extensions}
        lists = [child for child in rest if child.tag == _SEQUENCE]
        entries, odd_entry = _read_entries(lists[0].children if lists else ())
        number, key_id = values.get(oids.CRL_NUMBER), values.get(oids.AUTHORITY_KEY_IDENTIFIER)
        return cls(
            der=node.raw,
            tbs_der=tbs.raw,
            issuer=DistinguishedName.from_node(tbs[first + 1].expect(_SEQUENCE)),
            this_update=tbs[first + 2].time(),
            next_update=next_update,
            number=reader.parse(number).integer() if number else None,
            authority_key_identifier=ext.read_authority_key_identifier(key_id) if key_id else None,
            signature_algorithm_oid=algorithm[0].oid(),
            has_one_algorithm=tbs[first].expect(_SEQUENCE).raw == algorithm.raw,
            signature=signature.bit_string(),
            extensions=extensions,
            entries=entries,
            has_unknown_critical=odd_entry or any(e.critical and e.oid not in _UNDERSTOOD for e in extensions),
        )

    def is_signed_by(self, issuer: Certificate) -> bool:
        """Whether ``issuer`` made this list: same name, right signature, may sign CRLs (RFC 5280 §6.3.3 f).

        Answers about lists of moderate length are remembered.
        """
        return (_is_made_by if len(self.der) > _LONGEST_REMEMBERED else _is_made_by_once)(self, issuer)

    def covers(self, certificate: Certificate) -> bool:
        """Whether this list speaks of ``certificate``: a full list whose scope includes it (RFC 5280 §5.2.5)."""
        if self.has_unknown_critical:
            return False
        scope = next((e for e in self.extensions if e.oid == oids.ISSUING_DISTRIBUTION_POINT), None)
        return scope is None or _in_scope(reader.parse(scope.value_der), certificate)

    def lookup(self, serial_number: int) -> RevokedEntry | None:
        """The entry of a certificate, ``None`` when it is not on the list."""
        return self.entries.get(serial_number)


def _is_made_by(crl: Crl, issuer: Certificate) -> bool:
    return (
        crl.issuer.matches(issuer.subject)
        and crl.has_one_algorithm
        and (not issuer.has_key_usage or "cRLSign" in issuer.key_usage)
        and is_signed_by(issuer, crl.signature_algorithm_oid, crl.tbs_der, crl.signature)
    )


_LONGEST_REMEMBERED = 65_536
_is_made_by_once = lru_cache(maxsize=512)(_is_made_by)
_KNOWN: Remembered[Crl] = Remembered(count=64, longest=262_144)
_UNDERSTOOD = {oids.AUTHORITY_KEY_IDENTIFIER, oids.CRL_NUMBER, oids.ISSUING_DISTRIBUTION_POINT}
_ENTRY_UNDERSTOOD = {oids.REASON_CODE, oids.INVALIDITY_DATE}


def load_crl(data: bytes) -> Crl:
    """Read a DER or PEM (RFC 7468 §6) CRL. Raises ``MalformedError``."""
    if data[:1] == b"\x30":
        return Crl.from_der(data)
    for label, der in decode_pem(data):
        if label == "X509 CRL":
            return Crl.from_der(der)
    raise MalformedError("The file holds no CRL", code="x509.pem.no-crl")


def _read_entries(nodes: Iterable[reader.Node]) -> tuple[dict[int, RevokedEntry], bool]:
    entries: dict[int, RevokedEntry] = {}
    odd = False
    for node in nodes:
        serial = node[0].integer()
        reason = None
        for extension in ext.read_extensions(node[2]) if len(node.children) > 2 else ():
            if extension.oid == oids.REASON_CODE:
                reason = _reason(reader.parse(extension.value_der).integer())
            odd = odd or (extension.critical and extension.oid not in _ENTRY_UNDERSTOOD)
        entries[serial] = RevokedEntry(serial_number=serial, at=node[1].time().astimezone(UTC), reason=reason)
    return entries, odd


def _reason(code: int) -> RevocationReason:
    try:
        return RevocationReason(code)
    except ValueError:
        raise MalformedError("A CRL entry has a reason that does not exist", code="x509.crl.reason") from None


def _in_scope(scope: reader.Node, certificate: Certificate) -> bool:
    """IssuingDistributionPoint: kinds of certificates, reasons, and the place the certificate names."""
    flags = {
        child.tag & 0x1F for child in scope.expect(_SEQUENCE).children if child.tag & 0x20 == 0 and any(child.content)
    }
    only_users, only_cas, only_some_reasons, indirect, only_attributes = 1, 2, 3, 4, 5
    if flags & {only_some_reasons, indirect, only_attributes}:
        return False
    if (only_users in flags and certificate.is_ca) or (only_cas in flags and not certificate.is_ca):
        return False
    place = scope.find(0xA0)
    if place is None:
        return True
    points = certificate.extension(oids.CRL_DISTRIBUTION_POINTS)
    return points is not None and bool(ext.read_point_names(place) & ext.read_distribution_names(points.value_der))
