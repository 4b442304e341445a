"""What the commands of ``xinyin ofd sign`` share: keys, certificates, what travels along, how they end."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import typer

from ofd.cli.output import replacing
from ofd.cli.policy import read_input, read_moment
from ofd.cli.terminal import refusals, shown_progress, usage_error
from ofd.package.reader import Package
from ofd.progress import Progress
from ofd.ses.structure import Seal
from ofd.ses.verify import is_signed_by
from ofd.sign.validation_data import ValidationData
from trustcore.crypto.algorithms import SignatureAlgorithm
from trustcore.crypto.key_files import load_signer
from trustcore.errors import RejectedError
from trustcore.signing import Signer
from trustcore.x509.certificate import Certificate, load_pem_bundle
from trustcore.x509.crl import load_crl

__all__ = [
    "Ending",
    "algorithm_of",
    "carried_data",
    "load_key",
    "opened",
    "read_certificates",
    "read_seal",
    "read_time",
    "write_prepared",
]

_ALGORITHMS = (SignatureAlgorithm.SM2_SM3, SignatureAlgorithm.RSA_SHA256, SignatureAlgorithm.ECDSA_SHA256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a command ends: with a key it signs, else it only prepares."""

    out: Path | None
    key: Path | None
    password_file: Path | None
    prepare: Path | None
    tsa: str | None

    def check(self) -> None:
        """End the command with 64 when the options do not say how to end."""
        if (self.key is None) == (self.prepare is None):
            raise usage_error("请给出 --key 或 --prepare 之一 / give one of --key and --prepare")
        if self.key is not None and self.out is None:
            raise usage_error("请用 --out 指定输出文件 / give --out")
        if self.prepare is not None and (self.tsa is not None or self.out is not None):
            raise usage_error("--prepare 时不用 --out 与 --tsa / --out and --tsa do not go with --prepare")

    def signer(self) -> Signer | None:
        """The key, if there is one; a file that holds none ends the command with 1."""
        return None if self.key is None else load_key(self.key, self.password_file)


def load_key(file: Path, password_file: Path | None) -> Signer:
    """The key of a file; one that holds none ends the command with 1, naming the file."""
    password = None if password_file is None else read_input(password_file).rstrip(b"\r\n")
    with refusals(file):
        return load_signer(read_input(file), password=password)


@contextmanager
def opened(file: Path) -> Iterator[tuple[Package, Progress]]:
    """The document, and a progress bar; errors end the command as :func:`ofd.cli.terminal.refusals` says."""
    with refusals(file), ExitStack() as stack:
        package = stack.enter_context(Package.open(file))
        yield package, stack.enter_context(shown_progress("计算摘要 / hashing"))


def read_certificates(path: Path) -> tuple[Certificate, ...]:
    """The certificates of a PEM or DER file.

    Raises:
        MalformedError: there is none, or it cannot be read.
    """
    return load_pem_bundle(read_input(path))


def algorithm_of(certificate: Certificate) -> SignatureAlgorithm:
    """What the key of a certificate signs with.

    Raises:
        RejectedError: ``ofd.sign.key`` for a key of another kind.
    """
    for algorithm in _ALGORITHMS:
        if certificate.public_key.serves(algorithm):
            return algorithm
    raise RejectedError("The certificate's key is of a kind that does not sign documents.", code="ofd.sign.key")


def carried_data(
    certificates: Sequence[Certificate],
    chain: Sequence[Path] | None,
    crls: Sequence[Path] | None,
    ocsp: Sequence[Path] | None,
) -> ValidationData:
    """What travels in the document for verifiers.

    Raises:
        MalformedError: a file cannot be read as what it is given for.
    """
    further = [certificate for path in chain or () for certificate in read_certificates(path)]
    return ValidationData(
        certificates=tuple(dict.fromkeys(item.der for item in (*certificates, *further))),
        crls=tuple(load_crl(read_input(path)).der for path in crls or ()),
        ocsp_responses=tuple(read_input(path) for path in ocsp or ()),
    )


def read_seal(path: Path) -> Seal:
    """A seal as its maker signed it; who the maker is, verifying a document tells.

    Raises:
        MalformedError: it is no seal.
        RejectedError: ``ofd.seal.forged``.
    """
    seal = Seal.parse(read_input(path))
    maker = Certificate.from_der(seal.certificate_der)
    if not is_signed_by(maker, seal.signature_algorithm_oid, seal.signed_der, seal.signature):
        raise RejectedError("The seal is not as its maker signed it.", code="ofd.seal.forged")
    return seal


def read_time(moment: str | None, clock: Callable[[], datetime]) -> datetime:
    """The signing time, of whole seconds: what was given, or now."""
    return (clock() if moment is None else read_moment(moment)).replace(microsecond=0)


def write_prepared(name: Path, stored: bytes, to_be_signed: bytes, digest: bytes) -> None:
    """Write ``NAME.json`` and ``NAME.tbs``; print the digest, for machines that sign digests."""
    for suffix, octets in ((".json", stored), (".tbs", to_be_signed)):
        with replacing(name.with_name(name.name + suffix)) as out:
            out.write(octets)
    typer.echo(digest.hex())
