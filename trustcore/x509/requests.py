"""Certification requests, PKCS #10 (RFC 2986)."""

from dataclasses import dataclass, field

from trustcore.asn1 import encoder, reader
from trustcore.crypto.algorithms import SignatureAlgorithm, signature_by_oid
from trustcore.crypto.verify import verify
from trustcore.errors import MalformedError, RejectedError
from trustcore.signing import Signer
from trustcore.x509 import oids
from trustcore.x509.build import signed
from trustcore.x509.certificate import decode_pem, signed_parts
from trustcore.x509.extensions import Extension, encode_extensions, read_extensions
from trustcore.x509.names import DistinguishedName
from trustcore.x509.public_keys import PublicKeyInfo

__all__ = ["CertificationRequest", "build_request", "parse_request"]

_SEQUENCE, _ATTRIBUTES = 0x30, 0xA0
_PEM_LABELS = {"CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificationRequest:
    """A request whose sender has shown that it holds the private key."""

    der: bytes
    subject: DistinguishedName = field(compare=False)
    public_key_der: bytes = field(repr=False, compare=False)
    public_key: PublicKeyInfo = field(compare=False)
    signature_algorithm: SignatureAlgorithm = field(compare=False)
    extensions: tuple[Extension, ...] = field(repr=False, compare=False)
    """What ``extensionRequest`` asks for. Nothing obliges a CA to give it."""


def build_request(signer: Signer, subject: DistinguishedName, extensions: tuple[Extension, ...] = ()) -> bytes:
    """DER of a request for the signer's key (RFC 2986 §4)."""
    attributes = b""
    if extensions:
        values = encoder.set_of(encode_extensions(extensions))
        attributes = encoder.sequence(encoder.oid(oids.EXTENSION_REQUEST), values)
    information = encoder.sequence(
        encoder.integer(0),
        subject.der,
        signer.public_key_der,
        encoder.implicit(0, encoder.set_of(*([attributes] if attributes else []))),
    )
    return signed(information, signer)


def parse_request(data: bytes) -> CertificationRequest:
    """Read a DER or PEM request and check its proof of possession.

    Raises:
        MalformedError: it cannot be read.
        RejectedError: ``x509.request.algorithm`` when the algorithm, or the size of the key, is not accepted;
            ``x509.request.signature`` when the signature is not right.
    """
    node = reader.parse(_der(data))
    information, algorithm, signature = signed_parts(node)
    public_key_der = information[2].expect(_SEQUENCE).raw
    public_key = PublicKeyInfo.from_der(public_key_der)
    details = signature_by_oid(algorithm[0].oid())
    if details is None or not public_key.serves(details.algorithm):
        raise RejectedError(
            "The request's key or signature algorithm is not accepted: use SM2 with SM3, RSA of at least 2048 bits "
            "with SHA-2, or P-256 with SHA-256",
            code="x509.request.algorithm",
        )
    if not verify(public_key_der, details.algorithm, information.raw, signature.bit_string()):
        raise RejectedError("The signature of the request is not right", code="x509.request.signature")
    return CertificationRequest(
        der=node.raw,
        subject=DistinguishedName.from_node(information[1].expect(_SEQUENCE)),
        public_key_der=public_key_der,
        public_key=public_key,
        signature_algorithm=details.algorithm,
        extensions=_requested_extensions(information.find(_ATTRIBUTES)),
    )


def _der(data: bytes) -> bytes:
    if data[:1] == b"\x30":
        return data
    for label, der in decode_pem(data):
        if label in _PEM_LABELS:
            return der
    raise MalformedError("The input is neither a DER nor a PEM request", code="x509.request.form")


def _requested_extensions(attributes: reader.Node | None) -> tuple[Extension, ...]:
    for attribute in attributes.children if attributes else ():
        if attribute[0].oid() == oids.EXTENSION_REQUEST:
            return read_extensions(attribute[1][0])
    return ()
