"""Signatures in any form, right or wrong, put into documents by hand: what the product itself would never write."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ofd.package.reader import Package
from ofd.ses.encode import encode_signature, encode_to_be_signed, validation_material
from ofd.ses.encode_first import (
    encode_first_seal,
    encode_first_seal_info,
    encode_first_seal_message,
    encode_first_signature,
    encode_first_to_be_signed,
)
from ofd.ses.structure import Extension, Picture
from trustcore.asn1 import encoder
from trustcore.crypto import sm2
from trustcore.crypto.algorithms import SignatureAlgorithm
from trustcore.crypto.digests import sm3
from trustcore.x509 import extensions as x509_extensions
from trustcore.x509.build import CertificateTemplate, certificate_tbs, signed
from trustcore.x509.certificate import Certificate
from trustcore.x509.gm_signed_data import build_gm_signed_data, gm_signed_attributes, time_stamp_attribute
from trustcore.x509.names import DistinguishedName
from trustcore.x509.ocsp import CertificateId, CertificateStatus, SingleResponse, build_response
from trustcore.x509.tsp import TstInfo, build_token

from support.ofd_samples import SIGNED_AT, SM2_SM3, Holder, Pki, make_seal, sample_png

SIGNS = "Doc_0/Signs/"
SM3_OID = "1.2.156.10197.1.401"
NAMESPACE = "http://www.ofdspec.org/2016"
STAMP = '<ofd:StampAnnot ID="s002" PageRef="{page}" Boundary="150 230 42 42"/>'

Value = Callable[[bytes, str], bytes]
"""SignedValue.dat for the octets of Signature.xml and its absolute path."""


def first_page(package: Package) -> str:
    """ID of the first page."""
    document = package.read("Doc_0/Document.xml").decode()
    return document[document.index("<ofd:Page ID=") :].split('"')[1]


def sign_anyhow(  # noqa: PLR0913 - what forms differ in
    data: bytes,
    value: Value,
    *,
    kind: str = "Seal",
    attributes: str = "",
    method: str = SM2_SM3,
    check_method: str = SM3_OID,
    hash_function: Callable[[bytes], bytes] = sm3,
    closed: bool = True,
    files: Mapping[str, bytes] | None = None,
    left_out: Sequence[str] = (),
    rewrite: Callable[[str], str] = str,
    rewrite_list: Callable[[str], str] = str,
) -> bytes:
    """A document with one more signature.

    Args:
        data: the document, signed already or not.
        value: makes SignedValue.dat.
        kind: ``Seal``, ``Sign`` or what is not written as ``Type`` when empty.
        attributes: more of the entry in Signatures.xml, with a blank before it.
        method: SignatureMethod.
        check_method: CheckMethod.
        hash_function: that makes the digests.
        closed: whether Signatures.xml is protected.
        files: more files in the folder of the signature, protected; ``Seal.esl`` is linked.
        left_out: entries that are not protected.
        rewrite: changes Signature.xml before it is signed.
        rewrite_list: changes Signatures.xml before it is protected.
    """
    package = Package(data)
    number = sum(name.endswith("/Signature.xml") for name in package.names)
    folder, list_name = f"{SIGNS}Sign_{number}/", f"{SIGNS}Signatures.xml"
    added = {folder + name: content for name, content in (files or {}).items()}
    if list_name in package:
        listed = package.read(list_name).decode()
    else:
        listed = f'<ofd:Signatures xmlns:ofd="{NAMESPACE}"><ofd:MaxSignId>9</ofd:MaxSignId></ofd:Signatures>'
        root = package.read("OFD.xml").decode()
        link = f"<ofd:Signatures>/{list_name}</ofd:Signatures></ofd:DocBody>"
        added["OFD.xml"] = root.replace("</ofd:DocBody>", link).encode()
    type_ = f' Type="{kind}"' if kind else ""
    entry = f'<ofd:Signature ID="s{number * 10 + 1:03d}"{type_} BaseLoc="/{folder}Signature.xml"{attributes}/>'
    added[list_name] = rewrite_list(listed.replace("</ofd:Signatures>", f"{entry}</ofd:Signatures>")).encode()
    prepared = Package(package.with_files(added))
    covered = [name for name in prepared.names if name not in left_out and (closed or name != list_name)]
    references = "".join(
        f'<ofd:Reference FileRef="/{name}"><ofd:CheckValue>'
        f"{base64.b64encode(hash_function(prepared.read(name))).decode()}</ofd:CheckValue></ofd:Reference>"
        for name in covered
    )
    seal = f"<ofd:Seal><ofd:BaseLoc>/{folder}Seal.esl</ofd:BaseLoc></ofd:Seal>" if "Seal.esl" in (files or {}) else ""
    stamp = STAMP.format(page=first_page(package)) if kind != "Sign" else ""
    xml = rewrite(
        f'<ofd:Signature xmlns:ofd="{NAMESPACE}"><ofd:SignedInfo>'
        '<ofd:Provider ProviderName="Hand" Version="1" Company="Test"/>'
        f"<ofd:SignatureMethod>{method}</ofd:SignatureMethod>"
        "<ofd:SignatureDateTime>20300115173000Z</ofd:SignatureDateTime>"
        f'<ofd:References CheckMethod="{check_method}">{references}</ofd:References>{stamp}{seal}'
        f"</ofd:SignedInfo><ofd:SignedValue>/{folder}SignedValue.dat</ofd:SignedValue></ofd:Signature>"
    ).encode()
    signed_value = value(xml, f"/{folder}Signature.xml")
    return prepared.with_files({f"{folder}Signature.xml": xml, f"{folder}SignedValue.dat": signed_value})


def seal_value(  # noqa: PLR0913 - what seals differ in
    pki: Pki,
    *,
    seal_der: bytes | None = None,
    holder: Holder | None = None,
    at: datetime = SIGNED_AT,
    extensions: Sequence[Extension] | None = None,
    token: Callable[[bytes], bytes] | None = None,
    rewrite: Callable[[bytes], bytes] = bytes,
    form: Callable[[bytes], bytes] = bytes,
    path: Callable[[str], str] = str,
    algorithm_oid: str = SM2_SM3,
) -> Value:
    """A SES_Signature of GB/T 38540-2020.

    Args:
        pki: whose keys sign.
        seal_der: the seal.
        holder: who signs.
        at: timeInfo.
        extensions: of TBS_Sign; validation material by default.
        token: makes a time stamp of the signature.
        rewrite: changes the DER of TBS_Sign before it is signed.
        form: changes the signature, into raw octets for instance.
        path: changes propertyInfo.
        algorithm_oid: as written.
    """

    def value(xml: bytes, name: str) -> bytes:
        signer = holder or pki.signer
        material = validation_material([pki.issuing.certificate.der], pki.crls) if extensions is None else extensions
        to_be_signed = rewrite(
            encode_to_be_signed(
                seal_der=seal_der or make_seal(pki),
                at=at,
                data_hash=sm3(xml),
                property_info=path(name),
                extensions=material,
            )
        )
        signature = form(signer.signer.sign(to_be_signed))
        return encode_signature(
            to_be_signed,
            certificate_der=signer.certificate.der,
            signature_algorithm_oid=algorithm_oid,
            signature_der=signature,
            timestamp_token=None if token is None else token(signature),
        )

    return value


def first_seal(
    pki: Pki, *, maker: Holder | None = None, signer: Holder | None = None, algorithm_oid: str = SM2_SM3
) -> bytes:
    """DER SESeal of GM/T 0031-2014."""
    maker = maker or pki.maker
    info = encode_first_seal_info(
        vendor="Xinyin",
        seal_code="1",
        name="某局",
        certificates=[(signer or pki.signer).certificate.der],
        created=SIGNED_AT - timedelta(days=10),
        valid_from=SIGNED_AT - timedelta(days=10),
        valid_until=SIGNED_AT + timedelta(days=300),
        picture=Picture(type="PNG", data=sample_png(), width_mm=42, height_mm=42),
    )
    made_by = maker.certificate.der
    message = encode_first_seal_message(info, certificate_der=made_by, signature_algorithm_oid=algorithm_oid)
    return encode_first_seal(
        info,
        certificate_der=made_by,
        signature_algorithm_oid=algorithm_oid,
        signature_der=maker.signer.sign(message),
    )


def first_seal_value(
    pki: Pki,
    *,
    seal_der: bytes | None = None,
    holder: Holder | None = None,
    hash_function: Callable[[bytes], bytes] = sm3,
    algorithm_oid: str = SM2_SM3,
    time_token: Callable[[bytes], bytes] | None = None,
) -> Value:
    """A SES_Signature of GM/T 0031-2014; it has no place for validation material."""
    holder = holder or pki.signer

    def value(xml: bytes, name: str) -> bytes:
        to_be_signed = encode_first_to_be_signed(
            seal_der=seal_der or first_seal(pki),
            at=SIGNED_AT,
            data_hash=hash_function(xml),
            property_info=name,
            certificate_der=holder.certificate.der,
            signature_algorithm_oid=algorithm_oid,
            time_token=None if time_token is None else time_token(hash_function(xml)),
        )
        return encode_first_signature(to_be_signed, signature_der=holder.signer.sign(to_be_signed))

    return value


def attributes_value(pki: Pki, *, token: Callable[[bytes], bytes] | None = None, carried: bool = True) -> Value:
    """Shape a of GB/T 35275: signed attributes."""

    def value(xml: bytes, _name: str) -> bytes:
        attributes = gm_signed_attributes(
            message_digest=sm3(xml), algorithm=SignatureAlgorithm.SM2_SM3, signing_time=SIGNED_AT
        )
        signature = pki.signer.signer.sign(attributes)
        return build_gm_signed_data(
            content=None,
            signed_attributes_der=attributes,
            algorithm=SignatureAlgorithm.SM2_SM3,
            signature=signature,
            certificate=pki.signer.certificate,
            certificates=[pki.issuing.certificate.der] if carried else (),
            crls=pki.crls if carried else (),
            unsigned_attributes=() if token is None else [time_stamp_attribute(token(signature))],
        )

    return value


def content_value(
    pki: Pki,
    *,
    content: Callable[[bytes], bytes] = sm3,
    form: Callable[[bytes], bytes] = bytes,
    detached: bool = False,
) -> Value:
    """Shapes b and c of GB/T 35275: the digest is the content, and no attributes."""

    def value(xml: bytes, _name: str) -> bytes:
        covered = xml if detached else content(xml)
        return build_gm_signed_data(
            content=None if detached else covered,
            signed_attributes_der=None,
            algorithm=SignatureAlgorithm.SM2_SM3,
            signature=form(pki.signer.signer.sign(covered)),
            certificate=pki.signer.certificate,
            certificates=[pki.issuing.certificate.der],
            crls=pki.crls,
        )

    return value


def archive_value(holder: Holder, *, at: datetime, over: Callable[[bytes], bytes] = bytes) -> Value:
    """A time stamp over Signature.xml."""

    def value(xml: bytes, _name: str) -> bytes:
        imprint = encoder.sequence(encoder.sequence(encoder.oid(SM3_OID)), encoder.octet_string(sm3(over(xml))))
        info = TstInfo(policy="1.2.3.4", imprint_der=imprint, serial_number=9, gen_time=at, accuracy_seconds=1)
        return build_token(
            info, signer=holder.signer, certificate=holder.certificate, certificates=[holder.certificate.der]
        )

    return value


def make_ocsp(
    issuer: Holder,
    about: Holder,
    *,
    responder: Holder | None = None,
    at: datetime = SIGNED_AT - timedelta(hours=1),
    lasting: timedelta = timedelta(days=7),
    revoked_at: datetime | None = None,
    status: CertificateStatus | None = None,
) -> bytes:
    """An OCSP response about one certificate, by its issuer unless a responder is named."""
    responder = responder or issuer
    single = SingleResponse(
        certificate_id=CertificateId.of(about.certificate.serial_number, issuer.certificate),
        status=status or (CertificateStatus.REVOKED if revoked_at else CertificateStatus.GOOD),
        revoked_at=revoked_at,
        this_update=at,
        next_update=at + lasting,
    )
    return build_response([single], responder=responder.certificate, signer=responder.signer, produced_at=at)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSigner:
    """A signer whose private key is at hand: it can sign in ways that are not allowed."""

    private_key: bytes
    point: bytes

    @property
    def algorithm(self) -> SignatureAlgorithm:
        """SM2 with SM3."""
        return SignatureAlgorithm.SM2_SM3

    @property
    def public_key_der(self) -> bytes:
        """SubjectPublicKeyInfo."""
        algorithm = encoder.sequence(encoder.oid("1.2.840.10045.2.1"), encoder.oid("1.2.156.10197.1.301"))
        return encoder.sequence(algorithm, encoder.bit_string(self.point))

    def sign(self, message: bytes) -> bytes:
        """As the standard says."""
        return sm2.sign_digest(self.private_key, sm2.message_digest(self.point, message))

    def sign_digest(self, digest: bytes) -> bytes:
        """Over e."""
        return sm2.sign_digest(self.private_key, digest)


def raw_holder(pki: Pki, *, serial: int = 70) -> tuple[Holder, RawSigner]:
    """A certificate for a key whose private part is known."""
    private_key, point = sm2.generate()
    signer = RawSigner(private_key=private_key, point=point)
    template = CertificateTemplate(
        serial_number=serial,
        signature_algorithm=SignatureAlgorithm.SM2_SM3,
        issuer=pki.issuing.certificate.subject,
        not_before=SIGNED_AT - timedelta(days=30),
        not_after=SIGNED_AT + timedelta(days=365),
        subject=DistinguishedName.from_text("CN=Raw,O=Test,C=CN"),
        public_key_der=signer.public_key_der,
        extensions=(
            x509_extensions.basic_constraints(ca=False),
            x509_extensions.key_usage("digitalSignature", "nonRepudiation"),
            x509_extensions.authority_key_identifier(pki.issuing.certificate.subject_key_identifier or b""),
        ),
    )
    der = signed(certificate_tbs(template), pki.issuing.signer)
    return Holder(certificate=Certificate.from_der(der), signer=signer), signer
