"""What ``sign seal`` and ``sign batch`` have in common: the seal, who signs, where it stands, what travels along."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ofd.cli.placing import Placing, stamps_for
from ofd.cli.signing import algorithm_of, carried_data, read_certificates, read_seal
from ofd.cli.terminal import refusals, usage_error
from ofd.package.reader import Package
from ofd.progress import Progress, silent
from ofd.ses.structure import Generation, Seal
from ofd.sign.seal import PreparedSeal, Protection, prepare
from ofd.sign.validation_data import ValidationData
from trustcore.x509.certificate import Certificate

__all__ = ["Sealing", "read_sealing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """How documents are sealed."""

    seal: Seal
    signer: Certificate
    carried: ValidationData
    placing: Placing
    at: datetime
    protection: Protection
    generation: Generation | None

    def prepared(self, package: Package, file: Path, *, progress: Progress = silent) -> PreparedSeal:
        """One document, ready to be signed.

        Args:
            package: the document, open.
            file: the document's file.
            progress: told the files that were hashed.

        Raises:
            TrustError: as :func:`ofd.sign.seal.prepare`.
            typer.Exit: with status 64 and a sentence on standard error, when an option is wrong.
        """
        picture = self.seal.info.picture
        return prepare(
            package,
            seal_der=self.seal.der,
            stamps=stamps_for(self.placing, package, file, picture_mm=(picture.width_mm, picture.height_mm)),
            at=self.at,
            certificates=self.carried.certificates,
            crls=self.carried.crls,
            ocsp_responses=self.carried.ocsp_responses,
            signature_algorithm=algorithm_of(self.signer),
            protection=self.protection,
            certificate_der=self.signer.der,
            generation=self.generation,
            progress=progress,
        )


def read_sealing(  # noqa: PLR0913 - what the options say
    *,
    seal: Path,
    certificate: Path,
    placing: Placing,
    chain: Sequence[Path] | None,
    crl: Sequence[Path] | None,
    ocsp: Sequence[Path] | None,
    at: datetime,
    keep_open: bool,
    newer: bool = False,
) -> Sealing:
    """What the options mean.

    Raises:
        typer.Exit: with a sentence on standard error that names the file: status 64 when it cannot be read or nothing
            says where the seal stands, 1 when it is not what it is given for.
    """
    if not placing.is_given:
        raise usage_error("请说明盖章位置 / say where: --at, --anchor, --keyword, --riding or --facing")
    with refusals(certificate):
        own, *others = read_certificates(certificate)
        carried = carried_data(others, chain, crl, ocsp)
    with refusals(seal):
        issued = read_seal(seal)
    return Sealing(
        seal=issued,
        signer=own,
        carried=carried,
        placing=placing,
        at=at,
        protection=Protection.CONTINUE if keep_open else Protection.WHOLE,
        generation=Generation.V5 if newer else None,
    )
