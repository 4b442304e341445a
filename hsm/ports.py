"""What the encryption machine service needs from others."""

from datetime import datetime
from typing import Protocol

from trustcore.report import Report

__all__ = ["CertificateJudge"]


class CertificateJudge(Protocol):
    """Says whether a certificate is valid. Safe to share between threads."""

    def validate(self, certificate_der: bytes, at: datetime) -> Report:
        """Path to a trusted root, validity, key usage and revocation at a moment.

        The steps' codes end with ``.path``, ``.validity``, ``.revocation`` and so on, as those of
        :func:`trustcore.x509.chain.validate_chain`. Raises ``MalformedError`` for what is no certificate.
        """
