"""What the encryption machine service needs from others."""

from datetime import datetime
from typing import Protocol

from trustcore.report import Report

__all__ = ["CertificateJudge", "Persons"]


class CertificateJudge(Protocol):
    """Says whether a certificate is valid. Safe to share between threads."""

    def validate(self, certificate_der: bytes, at: datetime) -> Report:
        """Path to a trusted root, validity, key usage and revocation at a moment.

        The steps' codes end with ``.path``, ``.validity``, ``.revocation`` and so on, as those of
        :func:`trustcore.x509.chain.validate_chain`. Raises ``MalformedError`` for what is no certificate.
        """


class Persons(Protocol):
    """Knows the persons who may agree to acts on CA keys."""

    def verify(self, username: str, password: str) -> str:
        """The person behind a user name and a password, as ``user:`` and a stable identifier.

        Raises ``UnauthenticatedError`` or ``RejectedError`` when they are not right, the person is locked out, or has
        no right to keys; the same for an unknown person as for a wrong password.
        """
