"""The audit key's signature on a transcript."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.signing import KeyPurpose, Keys, Signer, ensure_key
from trustcore.x509 import cms
from trustcore.x509.certificate import Certificate

__all__ = ["AUDIT_KEY", "AuditSigner", "TranscriptSignature"]

AUDIT_KEY = "xinyin-audit"
"""Label of the key that signs checkpoints of the audit trail and transcripts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptSignature:
    """A signature and what it is verified with."""

    public_key_der: bytes
    signature: bytes
    """DER SM2 signature over the transcript."""
    cms: bytes | None
    """Detached CMS SignedData over it, where the audit key has a certificate."""


class AuditSigner:
    """Signs transcripts.

    Args:
        keys: the keys in the machines.
        certificate: DER of the newest certificate over the audit key, or ``None``.
        clock: aware UTC time.
    """

    def __init__(self, keys: Keys, *, certificate: Callable[[], bytes | None], clock: Callable[[], datetime]) -> None:
        self._keys = keys
        self._certificate = certificate
        self._clock = clock

    def public_key_der(self) -> bytes:
        """SubjectPublicKeyInfo of the audit key, which is made at the first call."""
        return self._signer().public_key_der

    def sign(self, data: bytes) -> TranscriptSignature:
        """Sign a transcript; outside of any transaction."""
        signer = self._signer()
        certificate = self._certificate()
        return TranscriptSignature(
            public_key_der=signer.public_key_der,
            signature=signer.sign(data),
            cms=None if certificate is None else _cms(data, signer, certificate, at=self._clock()),
        )

    def _signer(self) -> Signer:
        return self._keys.signer(ensure_key(self._keys, AUDIT_KEY, KeyAlgorithm.SM2, purpose=KeyPurpose.AUDIT))


def _cms(data: bytes, signer: Signer, certificate_der: bytes, *, at: datetime) -> bytes | None:
    """The detached SignedData, or ``None`` when the certificate is over another key."""
    certificate = Certificate.from_der(certificate_der)
    if certificate.public_key_der != signer.public_key_der:
        return None
    return cms.sign(
        data,
        signer=signer,
        certificate=certificate,
        detached=True,
        signing_time=at,
        certificates=(certificate_der,),
    )
