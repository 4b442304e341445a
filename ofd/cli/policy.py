"""What the commands that verify take from the command line: files, trust, revocation lists, the moment."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ofd.cli.terminal import usage_error
from ofd.verify.policy import VerificationPolicy
from trustcore.errors import TrustError
from trustcore.x509.certificate import Certificate, load_pem_bundle
from trustcore.x509.crl import load_crl
from trustcore.x509.ocsp import OcspResponse

__all__ = ["read_input", "read_moment", "read_policy"]


def read_input(file: Path) -> bytes:
    """The octets of a file named on the command line; ends the command with 64 when it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise usage_error(f"无法读取文件 / cannot read {file}: {error.strerror}") from error


def read_policy(
    trust: Sequence[Path],
    crls: Sequence[Path],
    at: datetime,
    *,
    ocsp: Sequence[Path] = (),
    chain: Sequence[Path] = (),
    signers: Sequence[Path] = (),
    seal_required: bool = False,
) -> VerificationPolicy:
    """The policy that the options of a verify command mean.

    Args:
        trust: PEM or DER files of trusted certificates. Each is trusted as a root.
        crls: PEM or DER revocation lists.
        at: moment of verification, aware.
        ocsp: DER OCSP responses.
        chain: PEM or DER files of issuing certificates.
        signers: PEM or DER files of certificates for signatures that carry none.
        seal_required: whether a document without any seal fails.

    Raises:
        typer.Exit: with status 64 and a sentence on standard error, when a file cannot be read.
    """
    lists: list[bytes] = []
    for path in crls:
        try:
            lists.append(load_crl(read_input(path)).der)
        except TrustError as error:
            raise usage_error(f"无法读取吊销列表 / no CRL in {path}: {error.detail}") from error
    return VerificationPolicy(
        roots=_certificates(trust),
        crls=tuple(lists),
        intermediates=_certificates(chain),
        at=at,
        ocsp_responses=tuple(_ocsp_response(path) for path in ocsp),
        signers=_certificates(signers),
        seal_required=seal_required,
    )


def read_moment(text: str) -> datetime:
    """An RFC 3339 time from the command line; ends the command with 64 for anything else, also without a zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise usage_error(f"时间格式不正确 / not an RFC 3339 time: {text}") from error
    if moment.tzinfo is None:
        raise usage_error(f"时间缺少时区 / the time has no zone: {text}")
    return moment


def _certificates(paths: Sequence[Path]) -> tuple[Certificate, ...]:
    found: list[Certificate] = []
    for path in paths:
        try:
            found.extend(load_pem_bundle(read_input(path)))
        except TrustError as error:
            raise usage_error(f"无法读取证书 / no certificate in {path}: {error.detail}") from error
    return tuple(found)


def _ocsp_response(path: Path) -> bytes:
    data = read_input(path)
    try:
        OcspResponse.from_der(data)
    except TrustError as error:
        raise usage_error(f"无法读取 OCSP 响应 / no OCSP response in {path}: {error.detail}") from error
    return data
