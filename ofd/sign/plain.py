"""Signatures without a seal (``Type="Sign"``): what SignedValue.dat holds, in all the shapes that are deployed.

GB/T 33190-2016 §18 does not say what the value of a signature without seal looks like. Products write GB/T 35275
SignedData with attributes or over an attached digest, or the bare signature; a time stamp over Signature.xml is what
:mod:`ofd.sign.archive` writes.
"""

import base64
import hmac
from dataclasses import dataclass
from enum import StrEnum

from trustcore.asn1.reader import Node, parse
from trustcore.crypto.algorithms import RSA_ENCRYPTION, SIGNATURES, SignatureAlgorithm, signature_by_oid
from trustcore.crypto.digests import digest
from trustcore.crypto.sm2 import signature_to_der
from trustcore.errors import MalformedError
from trustcore.x509 import oids
from trustcore.x509.gm_signed_data import GmSignedData, is_signed_data

__all__ = ["PlainSignature", "Shape"]

_SM2_SM3 = SIGNATURES[SignatureAlgorithm.SM2_SM3].oid
_INTEGER, _CONTEXT_0 = 0x02, 0xA0
_RAW_SM2_OCTETS = 64
_MAX_BARE_OCTETS = 1024
"""An RSA signature of 8192 bits."""


class Shape(StrEnum):
    """What is signed, and how it is written."""

    ATTRIBUTES = "attributes"
    """SignedData whose attributes hold the digest of Signature.xml; the signature is over the attributes."""
    DIGEST = "digest"
    """SignedData that carries the digest of Signature.xml; the signature is over the digest's octets."""
    DETACHED = "detached"
    """SignedData without content or attributes; the signature is over Signature.xml."""
    BARE = "bare"
    """The signature alone, over Signature.xml; the certificate has to come from elsewhere."""
    TIME_STAMP = "time-stamp"
    """A time-stamp token over Signature.xml: proves when, not who."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainSignature:
    """The value of a signature without seal."""

    der: bytes
    """As received."""
    shape: Shape
    signed_data: GmSignedData | None
    """``None`` for a bare signature and for a time stamp."""
    algorithm: SignatureAlgorithm | None
    """``None`` when the product does not accept it, and for a time stamp."""
    signature: bytes
    """In its X.509 form; for a time stamp the token."""
    variants: tuple[str, ...]
    """Names of the deviations that were met, for the report."""

    @classmethod
    def parse(cls, value: bytes, *, signature_method: str) -> "PlainSignature":
        """Read SignedValue.dat.

        Args:
            value: its octets.
            signature_method: OID in Signature.xml; all that tells the algorithm of a bare signature.

        Raises:
            MalformedError: ``ofd.sign.value``, ``x509.gm.…`` or ``asn1.…``.
        """
        node = _structure(value)
        if node is None or not is_signed_data(node):
            return _read_bare(value, node, signature_method)
        if node[1].expect(_CONTEXT_0)[0][2][0].oid() == oids.TST_INFO:
            return cls(
                der=value, shape=Shape.TIME_STAMP, signed_data=None, algorithm=None, signature=value, variants=()
            )
        signed_data = GmSignedData.parse(value)
        return cls(
            der=value,
            shape=_shape(signed_data),
            signed_data=signed_data,
            algorithm=signed_data.signature_algorithm,
            signature=signed_data.signature_der,
            variants=signed_data.variants,
        )

    def is_over(self, signature_xml: bytes) -> bool:
        """Whether the digests carried are those of Signature.xml; the signature itself is yet another question.

        A carried content is the digest, the digest in base64 or Signature.xml itself.
        """
        data = self.signed_data
        if data is None:
            return True
        if data.digest_algorithm is None:
            return False
        expected = digest(data.digest_algorithm, signature_xml)
        carried = (expected, base64.b64encode(expected), signature_xml)
        if data.content is not None and not any(hmac.compare_digest(data.content, item) for item in carried):
            return False
        if data.signed_attributes_der is None:
            return True
        # The digest of the attributes is that of Signature.xml, or of the content carried in its place.
        over = {expected} | (set() if data.content is None else {digest(data.digest_algorithm, data.content)})
        return data.message_digest in over

    def message(self, signature_xml: bytes) -> bytes:
        """The octets that the signature covers (for a time stamp: those of the imprint)."""
        data = self.signed_data
        if data is None:
            return signature_xml
        return data.message(signature_xml if data.content is None else data.content)

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """DER of the certificates carried."""
        return () if self.signed_data is None else self.signed_data.certificates

    @property
    def crls(self) -> tuple[bytes, ...]:
        """DER of the CRLs carried."""
        return () if self.signed_data is None else self.signed_data.crls

    @property
    def time_stamp_token(self) -> bytes | None:
        """Time stamp over the octets of the signature as received (:attr:`time_stamped`)."""
        return None if self.signed_data is None else self.signed_data.time_stamp_token

    @property
    def time_stamped(self) -> bytes:
        """What :attr:`time_stamp_token` is about: the signature as it stands in the value."""
        return self.signature if self.signed_data is None else self.signed_data.signature


def _shape(signed_data: GmSignedData) -> Shape:
    if signed_data.signed_attributes_der is not None:
        return Shape.ATTRIBUTES
    return Shape.DETACHED if signed_data.content is None else Shape.DIGEST


def _read_bare(value: bytes, node: Node | None, signature_method: str) -> PlainSignature:
    """A bare signature: SEQUENCE{ r, s }, r and s side by side, or the octets of RSA."""
    details = signature_by_oid(_SM2_SM3 if signature_method == oids.SM2_SIGNATURE else signature_method)
    algorithm = None if details is None else details.algorithm
    is_pair = node is not None and [child.tag for child in node.children] == [_INTEGER, _INTEGER]
    is_raw = len(value) == _RAW_SM2_OCTETS and algorithm in {None, SignatureAlgorithm.SM2_SM3}
    is_rsa = details is not None and details.key_oid == RSA_ENCRYPTION and len(value) <= _MAX_BARE_OCTETS
    if not (is_pair or is_raw or is_rsa):
        raise MalformedError("The value of the signature has no known form.", code="ofd.sign.value")
    return PlainSignature(
        der=value,
        shape=Shape.BARE,
        signed_data=None,
        algorithm=algorithm,
        signature=value if is_pair or is_rsa else signature_to_der(value),
        variants=() if is_pair or is_rsa else ("raw-signature",),
    )


def _structure(value: bytes) -> Node | None:
    try:
        node = parse(value)
        has_parts = bool(node.children)
    except MalformedError:
        return None
    return node if has_parts else None
