"""A small PKI, a seal and documents for the tests of OFD and of what builds on it. Keys are in memory."""

import struct
import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from ofd.build.document import DocumentBuilder, Placement
from ofd.fonts.faces import find_fonts
from ofd.package.reader import Package
from ofd.ses.encode import encode_seal, encode_seal_info, encode_signature, encode_to_be_signed, validation_material
from ofd.ses.structure import Picture, Seal
from ofd.sign.parts import SignatureDescription, read_signature, write_signature
from ofd.sign.seal import PreparedSeal, Protection, StampAnnotation, prepare
from ofd.verify.policy import VerificationPolicy
from trustcore.asn1 import encoder
from trustcore.crypto.algorithms import SIGNATURES, KeyAlgorithm, SignatureAlgorithm
from trustcore.crypto.digests import sm3
from trustcore.crypto.software import SoftwareKeys, SoftwareKeyWarning
from trustcore.signing import Signer
from trustcore.x509 import extensions, oids
from trustcore.x509.build import CertificateTemplate, certificate_tbs, signed
from trustcore.x509.certificate import Certificate
from trustcore.x509.crl import CrlTemplate, RevokedEntry, crl_tbs
from trustcore.x509.names import DistinguishedName
from trustcore.x509.tsp import TstInfo, build_token

SIGNED_AT = datetime(2030, 1, 15, 9, 30, tzinfo=UTC)
"""When the samples are sealed."""
VERIFIED_AT = SIGNED_AT + timedelta(days=3)
SM2_SM3 = SIGNATURES[SignatureAlgorithm.SM2_SM3].oid


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A certificate and its key."""

    certificate: Certificate
    signer: Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class Pki:
    """root → issuing → maker, signer, stranger, tsa; and the CRLs of root and issuing."""

    root: Holder
    issuing: Holder
    maker: Holder
    signer: Holder
    stranger: Holder
    """Has a certificate of the same issuer, and no seal lists it."""
    tsa: Holder
    crls: tuple[bytes, ...]

    def policy(self, *, at: datetime = VERIFIED_AT, crls: tuple[bytes, ...] = ()) -> VerificationPolicy:
        """Trust in the root alone."""
        return VerificationPolicy(roots=(self.root.certificate,), at=at, crls=crls)


def make_keys() -> SoftwareKeys:
    """Keys in memory, without the warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SoftwareKeyWarning)
        return SoftwareKeys()


def issue(  # noqa: PLR0913 - what distinguishes certificates of tests
    keys: SoftwareKeys,
    name: str,
    *,
    issuer: Holder | None,
    serial: int,
    usages: Sequence[str] = ("digitalSignature", "nonRepudiation"),
    purposes: Sequence[str] = (),
    ca: bool = False,
    not_before: datetime = SIGNED_AT - timedelta(days=30),
    not_after: datetime = SIGNED_AT + timedelta(days=365),
    key: KeyAlgorithm = KeyAlgorithm.SM2,
) -> Holder:
    """A certificate for a new key; self-signed without ``issuer``."""
    signer = keys.signer(keys.generate(f"{name}-{serial}", key))
    subject = DistinguishedName.from_text(f"CN={name},O=Test,C=CN")
    key_id = sm3(signer.public_key_der)[:20]
    issuer_id = key_id if issuer is None else issuer.certificate.subject_key_identifier or b""
    template = CertificateTemplate(
        serial_number=serial,
        signature_algorithm=(issuer.signer if issuer else signer).algorithm,
        issuer=subject if issuer is None else issuer.certificate.subject,
        not_before=not_before,
        not_after=not_after,
        subject=subject,
        public_key_der=signer.public_key_der,
        extensions=(
            extensions.basic_constraints(ca=ca),
            extensions.key_usage(*(("keyCertSign", "cRLSign") if ca else usages)),
            *((extensions.extended_key_usage(*purposes, critical=True),) if purposes else ()),
            extensions.subject_key_identifier(key_id),
            extensions.authority_key_identifier(issuer_id),
        ),
    )
    der = signed(certificate_tbs(template), signer if issuer is None else issuer.signer)
    return Holder(certificate=Certificate.from_der(der), signer=signer)


def make_crl(issuer: Holder, *revoked: RevokedEntry, at: datetime = SIGNED_AT - timedelta(days=1)) -> bytes:
    """A CRL that is good for 30 days from ``at``."""
    template = CrlTemplate(
        signature_algorithm=SignatureAlgorithm.SM2_SM3,
        issuer=issuer.certificate.subject,
        authority_key_id=issuer.certificate.subject_key_identifier or b"",
        number=1,
        this_update=at,
        next_update=at + timedelta(days=30),
        revoked=revoked,
    )
    return signed(crl_tbs(template), issuer.signer)


@cache
def sample_pki() -> Pki:
    """The PKI of the samples, made once per process."""
    keys = make_keys()
    root = issue(keys, "Root", issuer=None, serial=1, ca=True)
    issuing = issue(keys, "Issuing", issuer=root, serial=2, ca=True)
    return Pki(
        root=root,
        issuing=issuing,
        maker=issue(keys, "Seal Maker", issuer=issuing, serial=3),
        signer=issue(keys, "Department", issuer=issuing, serial=4),
        stranger=issue(keys, "Stranger", issuer=issuing, serial=5),
        tsa=issue(keys, "TSA", issuer=issuing, serial=6, purposes=(oids.PURPOSE_TIME_STAMPING,)),
        crls=(make_crl(root), make_crl(issuing)),
    )


def sample_png(gray: int = 200) -> bytes:
    """A picture of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">2L5B", 1, 1, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes((0, gray)))) + chunk(b"IEND", b"")


def make_seal(
    pki: Pki,
    *,
    signers: Sequence[Holder] | None = None,
    maker: Holder | None = None,
    code: str = "11010800000001",
    created: datetime = SIGNED_AT - timedelta(days=10),
    valid_until: datetime = SIGNED_AT + timedelta(days=300),
) -> bytes:
    """DER SESeal."""
    maker = maker or pki.maker
    info = encode_seal_info(
        vendor="Xinyin",
        seal_code=code,
        name="某市市场监督管理局",
        certificates=[holder.certificate.der for holder in signers or (pki.signer,)],
        created=created,
        valid_from=created,
        valid_until=valid_until,
        picture=Picture(type="PNG", data=sample_png(), width_mm=42, height_mm=42),
    )
    return encode_seal(
        info,
        certificate_der=maker.certificate.der,
        signature_algorithm_oid=SM2_SM3,
        signature_der=maker.signer.sign(info),
    )


@cache
def sample_document(title: str = "营业执照") -> bytes:
    """A document with everything the builder makes: template, fonts, image, attachment, metadata and its index."""
    builder = DocumentBuilder(
        doc_id="0123456789abcdef0123456789abcdef",
        title=title,
        created=SIGNED_AT,
        fonts=find_fonts(),
        metadata={"ZZMC": title, "CYZ": "某某有限公司"},
    )
    template = builder.template()
    template.line((10, 10), (200, 10), color=(200, 0, 0))
    page = builder.page(templates=[(template, Placement.BACKGROUND)])
    shown = page.text(title, x_mm=105, y_mm=40, size_mm=9, align="center")
    page.text("名称 𠮷田 ABC 有限公司", x_mm=20, y_mm=60, size_mm=5)
    page.image(sample_png(), box_mm=(150, 200, 20, 20))
    page.rectangles([(10, 250, 1, 1), (12, 250, 1, 1)])
    builder.page().text("第二页", x_mm=20, y_mm=40, size_mm=5)
    builder.attach("metadata.xml", b"<metadata/>", format="xml")
    builder.tag("http://example.org/licence", [("ZZMC", shown[0])])
    return builder.to_bytes()


def prepare_seal(
    pki: Pki,
    document: bytes,
    *,
    seal_der: bytes | None = None,
    at: datetime = SIGNED_AT,
    crls: tuple[bytes, ...] | None = None,
    protection: Protection = Protection.WHOLE,
) -> PreparedSeal:
    """The document with the seal on its first page, waiting for the signature."""
    return prepare(
        document,
        seal_der=seal_der or make_seal(pki),
        stamps=[StampAnnotation(page=0, x_mm=150, y_mm=230)],
        at=at,
        certificates=[pki.issuing.certificate.der],
        crls=pki.crls if crls is None else crls,
        protection=protection,
    )


def seal_document(pki: Pki, document: bytes, *, signer: Holder | None = None, **options: object) -> bytes:
    """The document sealed; ``options`` are those of :func:`prepare_seal`."""
    prepared = prepare_seal(pki, document, **options)  # type: ignore[arg-type] # handed on as they are
    signer = signer or pki.signer
    return prepared.complete(signer.signer.sign(prepared.to_be_signed), signer.certificate.der)


@cache
def sealed_sample() -> bytes:
    """The sample document, sealed."""
    return seal_document(sample_pki(), sample_document())


def unpack(package: bytes) -> dict[str, bytes]:
    """Name and content of every file; ``write_package`` puts them together again."""
    opened = Package(package)
    return {name: opened.read(name) for name in opened.names}


def seal_by_force(  # noqa: PLR0913 - what a wrong seal may differ in
    pki: Pki,
    document: bytes,
    *,
    seal_der: bytes | None = None,
    at: datetime = SIGNED_AT,
    holder: Holder | None = None,
    crls: tuple[bytes, ...] | None = None,
    change: Callable[[SignatureDescription], SignatureDescription] = lambda description: description,
    data_hash: bytes | None = None,
    timestamp: Callable[[bytes], bytes] | None = None,
    protection: Protection = Protection.WHOLE,
) -> bytes:
    """A sealed document of which every part is consistent, without the checks that keep us from making wrong ones.

    Args:
        pki: whose keys sign.
        document: what is sealed.
        seal_der: the seal, even one that is not valid at ``at``.
        at: claimed time.
        holder: who signs, listed by the seal or not.
        crls: carried along.
        change: alters Signature.xml before it is signed.
        data_hash: in the place of the digest of Signature.xml.
        timestamp: makes a token for the signature.
        protection: of the list of signatures.
    """
    seal_der = seal_der or make_seal(pki)
    holder = holder or pki.signer
    possible = Seal.parse(seal_der).info.created + timedelta(seconds=1)
    prepared = prepare_seal(pki, document, seal_der=seal_der, at=possible, protection=protection)
    description = change(read_signature(prepared.signature_xml, name=prepared.signature_name))
    signature_xml = write_signature(description)
    to_be_signed = encode_to_be_signed(
        seal_der=seal_der,
        at=at,
        data_hash=sm3(signature_xml) if data_hash is None else data_hash,
        property_info=f"/{prepared.signature_name}",
        extensions=validation_material([pki.issuing.certificate.der], pki.crls if crls is None else crls),
    )
    signature = holder.signer.sign(to_be_signed)
    signed_value = encode_signature(
        to_be_signed,
        certificate_der=holder.certificate.der,
        signature_algorithm_oid=SM2_SM3,
        signature_der=signature,
        timestamp_token=None if timestamp is None else timestamp(signature),
    )
    files = {prepared.signature_name: signature_xml, prepared.signed_value_name: signed_value}
    return Package(prepared.package).with_files(files)


def make_token(pki: Pki, signature: bytes, *, at: datetime, tsa: Holder | None = None) -> bytes:
    """A time stamp over a signature."""
    tsa = tsa or pki.tsa
    info = TstInfo(
        policy="1.2.3.4",
        imprint_der=sm3_imprint(signature),
        serial_number=7,
        gen_time=at,
        accuracy_seconds=1,
    )
    return build_token(info, signer=tsa.signer, certificate=tsa.certificate, certificates=[tsa.certificate.der])


def sm3_imprint(message: bytes) -> bytes:
    """MessageImprint of SM3 (RFC 3161 §2.4.1)."""
    algorithm = encoder.sequence(encoder.oid("1.2.156.10197.1.401"))
    return encoder.sequence(algorithm, encoder.octet_string(sm3(message)))
