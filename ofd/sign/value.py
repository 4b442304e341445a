"""What is the same for every signature that comes from elsewhere: the digest to sign, and the checks when it comes."""

from datetime import datetime

from trustcore.crypto import sm2
from trustcore.crypto.algorithms import SIGNATURES, SignatureAlgorithm
from trustcore.crypto.digests import digest
from trustcore.crypto.verify import verify
from trustcore.errors import RejectedError
from trustcore.x509 import oids
from trustcore.x509.certificate import Certificate
from trustcore.x509.cms import SignedData
from trustcore.x509.tsp import TstInfo

__all__ = ["check_signature", "check_signer", "check_token", "signing_digest"]

_SIGNING = frozenset({"digitalSignature", "nonRepudiation"})


def signing_digest(message: bytes, algorithm: SignatureAlgorithm, certificate_der: bytes) -> bytes:
    """The digest that a machine signs which takes digests only.

    Args:
        message: what is to be signed.
        algorithm: of the signature.
        certificate_der: the signer's; SM2 mixes the public key in.

    Returns:
        ``e = SM3(Z ‖ M)`` for SM2 with the default identifier (GB/T 32918.2-2016 §6.1), else the hash of the message.

    Raises:
        MalformedError: the certificate has no SM2 key.
    """
    if algorithm is SignatureAlgorithm.SM2_SM3:
        return sm2.message_digest(sm2.public_point(Certificate.from_der(certificate_der).public_key_der), message)
    return digest(SIGNATURES[algorithm].digest, message)


def check_signature(message: bytes, algorithm: SignatureAlgorithm, signature: bytes, certificate_der: bytes) -> None:
    """Refuse a signature that is not the certificate's over the message.

    Raises:
        RejectedError: ``ofd.seal.signature-wrong``.
        MalformedError: the certificate cannot be read.
    """
    certificate = Certificate.from_der(certificate_der)
    serves = certificate.public_key.serves(algorithm)
    if not serves or not verify(certificate.public_key_der, algorithm, message, signature):
        raise RejectedError("The signature does not belong to the certificate.", code="ofd.seal.signature-wrong")


def check_signer(certificate_der: bytes, at: datetime) -> None:
    """Refuse a certificate that signs no documents at a time: what verifiers would call invalid.

    Raises:
        RejectedError: ``ofd.seal.key-usage`` for one such as the encryption certificate of a pair (GB/T 20518-2018),
            ``ofd.seal.certificate-period``.
        MalformedError: the certificate cannot be read.
    """
    certificate = Certificate.from_der(certificate_der)
    if certificate.has_key_usage and not certificate.key_usage & _SIGNING:
        raise RejectedError("The certificate is not for signatures.", code="ofd.seal.key-usage")
    if not certificate.not_before <= at <= certificate.not_after:
        raise RejectedError(
            "The signer's certificate is not within its period of validity.", code="ofd.seal.certificate-period"
        )


def check_token(token_der: bytes, stamped: bytes) -> None:
    """Refuse a time-stamp token that is over something else. Who made it is the verifier's question.

    Raises:
        RejectedError: ``ofd.seal.timestamp-wrong``.
        MalformedError: the token cannot be read.
    """
    signed_data = SignedData.from_der(token_der)
    is_token = signed_data.content_type == oids.TST_INFO and signed_data.content is not None
    if not is_token or not TstInfo.from_der(signed_data.content or b"").is_over(stamped):
        raise RejectedError("The time stamp is over something else.", code="ofd.seal.timestamp-wrong")
