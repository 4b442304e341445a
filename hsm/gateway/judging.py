"""Certificates judged under roots that the settings name."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from hsm.settings import GatewaySettings
from trustcore.errors import BusyError
from trustcore.report import Report, ReportBuilder
from trustcore.x509.certificate import Certificate, load_pem_bundle
from trustcore.x509.chain import KeyPurpose, validate_chain
from trustcore.x509.crl import Crl, load_crl

__all__ = ["AnchorJudge", "anchors", "crls", "intermediates", "judge"]

_T = TypeVar("_T")


class AnchorJudge:
    """A :class:`hsm.ports.CertificateJudge` over files. They are read at each call, so that a new CRL counts at once.

    Args:
        settings: ``[hsm.gateway]``: ``trust_anchors``, ``intermediates`` and ``crls``.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings

    def validate(self, certificate_der: bytes, at: datetime) -> Report:
        """See :meth:`hsm.ports.CertificateJudge.validate`. Without roots the answer is that it cannot be told."""
        return judge(
            certificate_der,
            at,
            roots=anchors(self._settings),
            intermediates=intermediates(self._settings),
            lists=crls(self._settings),
        )


def judge(
    certificate_der: bytes,
    at: datetime,
    *,
    roots: tuple[Certificate, ...],
    intermediates: tuple[Certificate, ...],
    lists: tuple[Crl, ...],
) -> Report:
    """What these roots and revocation lists say of a signing certificate."""
    result = validate_chain(
        Certificate.from_der(certificate_der),
        intermediates=intermediates,
        roots=roots,
        crls=lists,
        at=at,
        purpose=KeyPurpose.DOCUMENT_SIGNING,
        prefix="hsm.certificate",
    )
    builder = ReportBuilder("certificate")
    builder.extend(result.steps)
    return builder.build()


def anchors(settings: GatewaySettings) -> tuple[Certificate, ...]:
    """The roots. Raises ``BusyError`` (``hsm.gateway.anchors``)."""
    return tuple(_read(settings.trust_anchors, load_pem_bundle))


def intermediates(settings: GatewaySettings) -> tuple[Certificate, ...]:
    """The certificates that may stand between. Raises ``BusyError`` (``hsm.gateway.anchors``)."""
    return tuple(_read(settings.intermediates, load_pem_bundle))


def crls(settings: GatewaySettings) -> tuple[Crl, ...]:
    """The revocation lists. Raises ``BusyError`` (``hsm.gateway.anchors``)."""
    return tuple(_read(settings.crls, lambda data: (load_crl(data),)))


def _read(paths: Iterable[Path], parse: Callable[[bytes], Iterable[_T]]) -> Iterator[_T]:
    for path in paths:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise BusyError(
                "A file of trust anchors, certificates or revocation lists cannot be read; see the settings.",
                code="hsm.gateway.anchors",
            ) from error
        yield from parse(data)
