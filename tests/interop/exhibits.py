"""What ``make demo`` left behind, taken apart with libraries that are not ours, and altered copies of it."""

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from asn1crypto import core, parser, pem
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenceFiles:
    """One licence of the demonstration."""

    identifier: str
    address: str
    """The verification address of report.json, which the QR code should say."""
    ofd: Path
    pdf: Path
    sm2_pdf: Path | None


class Exhibits:
    """The files under ``demo/``. Raises ``FileNotFoundError`` when ``make demo`` has not been run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        if not (root / "report.json").is_file():
            message = f"{root}/report.json is missing; run `make demo` first"
            raise FileNotFoundError(message)

    def trust(self, name: str) -> Path:
        """A file of ``trust/``: ``sm2-root.pem``, ``rsa-issuing.crl`` …"""
        return self.root / "trust" / name

    @property
    def seal(self) -> Path:
        """The SESeal that was made."""
        return self.root / "seal" / "seal.esl"

    @cached_property
    def licences(self) -> tuple[LicenceFiles, ...]:
        """Every licence of the report, in its order."""
        report = json.loads((self.root / "report.json").read_text(encoding="utf-8"))
        return tuple(self._files(entry) for entry in report["licences"])

    def _files(self, entry: dict[str, str]) -> LicenceFiles:
        stem = self.root / "licences" / entry["identifier"]
        sm2_pdf = stem.with_name(f"{stem.name}-sm2.pdf")
        return LicenceFiles(
            identifier=entry["identifier"],
            address=entry["verification_address"],
            ofd=stem.with_name(f"{stem.name}.ofd"),
            pdf=stem.with_name(f"{stem.name}.pdf"),
            sm2_pdf=sm2_pdf if sm2_pdf.is_file() else None,
        )


def elements(der: bytes) -> list[bytes]:
    """The encoded elements of a DER SEQUENCE, as received."""
    _, _, _, _, content, _ = parser.parse(der, strict=True)
    found, rest = [], content
    while rest:
        length = parser.peek(rest)
        found.append(rest[:length])
        rest = rest[length:]
    return found


def octets(der: bytes) -> bytes:
    """The value of an OCTET STRING."""
    value: bytes = core.OctetString.load(der).native
    return value


def certificate_of(ses: bytes) -> bytes:
    """DER of the certificate that an SESeal or an SES_Signature carries as its second element (GB/T 38540-2020)."""
    return octets(elements(ses)[1])


def signed_value(ofd: Path) -> bytes:
    """The SES_Signature inside a sealed OFD."""
    with zipfile.ZipFile(ofd) as package:
        names = [name for name in package.namelist() if name.endswith("SignedValue.dat")]
        return package.read(names[0])


def der(path: Path) -> bytes:
    """A PEM or DER file as DER."""
    data = path.read_bytes()
    return pem.unarmor(data)[2] if pem.detect(data) else data


def armoured(kind: str, data: bytes) -> bytes:
    """PEM of DER (RFC 7468)."""
    text: bytes = pem.armor(kind, data)
    return text


def first_signature(reader: PdfFileReader) -> EmbeddedPdfSignature:
    """The first signature of a PDF."""
    return reader.embedded_signatures[0]


def flipped(data: bytes, position: int) -> bytes:
    """A copy with the lowest bit of one byte turned; ``position`` counts from the end when negative."""
    altered = bytearray(data)
    altered[position] ^= 1
    return bytes(altered)


def altered_copy(path: Path, to: Path, position: int) -> Path:
    """Write ``path`` with one bit flipped."""
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_bytes(flipped(path.read_bytes(), position))
    return to


def altered_member(ofd: Path, to: Path, suffix: str, alter: Callable[[bytes], bytes]) -> Path:
    """Write the package with the one member whose name ends in ``suffix`` altered, all others as they are."""
    to.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(ofd) as source, zipfile.ZipFile(to, "w") as target:
        chosen = next(entry.filename for entry in source.infolist() if entry.filename.endswith(suffix))
        for entry in source.infolist():
            data = source.read(entry)
            target.writestr(entry, alter(data) if entry.filename == chosen else data)
    return to
