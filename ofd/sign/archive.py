"""OFD-LTA: keeping signatures verifiable after their certificates expire and their algorithms age.

GB/T 33190-2016 has no long-term form; this is what its means allow. Before anything expires, a further entry of
``Type="Sign"`` is appended whose SignedValue.dat is an RFC 3161 time-stamp token over its Signature.xml. Its references
protect every file of the package, all earlier signatures and ValidationData.dat with what is needed to verify them, so
the token proves that all of it existed at its time. The list of signatures stays open: the archive is renewed by the
same act, before the time stamp's own certificate expires, with what verifies that one. ``Relative`` names the
signature that is kept. The first signature must not have closed the list.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from ofd.package.reader import Package
from ofd.progress import Progress, silent
from ofd.sign.draft import Draft, Order, Protection, SignatureType, draft
from ofd.sign.parts import read_signature_list
from ofd.sign.stored import Stored, store
from ofd.sign.validation_data import ARCHIVE_FILE, ValidationData, encode_validation_data, read_validation_data
from ofd.sign.value import check_token
from ofd.structure import read_bodies
from trustcore.crypto.algorithms import DigestAlgorithm
from trustcore.crypto.digests import digest
from trustcore.errors import MalformedError, RejectedError
from trustcore.x509 import oids
from trustcore.x509.tsp import build_request

__all__ = ["ARCHIVE_FILE", "PreparedArchive", "ValidationData", "prepare_archive", "read_validation_data"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedArchive:
    """A package that waits for its time stamp."""

    KIND: ClassVar = "archive"
    """In the store."""

    draft: Draft
    digest_algorithm: DigestAlgorithm
    """Of the files and of the time stamp's imprint."""

    @property
    def to_be_stamped(self) -> bytes:
        """The octets the time stamp is over: Signature.xml."""
        return self.draft.signature_xml

    @property
    def imprint(self) -> bytes:
        """Their digest."""
        return digest(self.digest_algorithm, self.to_be_stamped)

    def request(self, *, nonce: int | None = None) -> bytes:
        """DER TimeStampReq for a time-stamping authority (RFC 3161 §2.4.1)."""
        return build_request(self.digest_algorithm, self.imprint, nonce=nonce)

    def complete(self, timestamp_token: bytes) -> bytes:
        """The archived package.

        Args:
            timestamp_token: DER TimeStampToken over :attr:`to_be_stamped`.

        Raises:
            RejectedError: ``ofd.seal.timestamp-wrong`` when it is over something else.
            MalformedError: it cannot be read.
        """
        check_token(timestamp_token, self.to_be_stamped)
        return self.draft.with_value(timestamp_token).to_bytes()

    def complete_to(self, path: Path | str, timestamp_token: bytes, *, progress: Progress = silent) -> None:
        """Write the archived package into a file, in bounded memory; the file may be the one that was read.

        Raises:
            RejectedError: as :meth:`complete`.
            ConflictError: ``ofd.package.changed``: somebody wrote to the document meanwhile.
            OSError: the disk fails; what was there is as it was.
        """
        check_token(timestamp_token, self.to_be_stamped)
        self.draft.with_value(timestamp_token).write_to(path, progress=progress)

    def to_json(self) -> bytes:
        """The prepared archive without the document, to be stored."""
        return store(self.KIND, self.draft, self.digest_algorithm)

    @classmethod
    def from_json(cls, data: bytes, package: bytes | Package) -> "PreparedArchive":
        """A stored prepared archive, with the document it was made for.

        Raises:
            MalformedError: ``ofd.sign.stored``: it is no prepared archive.
            ConflictError: ``ofd.sign.other-document``: it is another document, or was signed or changed since.
        """
        stored = Stored.parse(data, kind=cls.KIND)
        try:
            algorithm = DigestAlgorithm(stored.text("digest"))
        except ValueError as error:
            raise MalformedError("This is not a prepared archive.", code="ofd.sign.stored") from error
        return cls(draft=stored.draft(package), digest_algorithm=algorithm)


def prepare_archive(
    package: bytes | Package,
    *,
    at: datetime,
    validation: ValidationData,
    relative: str | None = None,
    digest_algorithm: DigestAlgorithm = DigestAlgorithm.SM3,
    progress: Progress = silent,
) -> PreparedArchive:
    """Append an archive time stamp to a signed document, all but the token.

    Args:
        package: the document; one in a file stays there, and has to stay open until the archive is completed.
        at: now, written as SignatureDateTime; the proof of time is the token.
        validation: what verifies the signatures there are, their time stamps among them.
        relative: ID of the signature that is kept; the last one when left out.
        digest_algorithm: a strong one of the day of archiving.
        progress: told the files that were hashed.

    Raises:
        MalformedError: the document cannot be read.
        ConflictError: ``ofd.seal.closed``, an earlier signature protects the list of signatures.
        RejectedError: ``ofd.sign.nothing-to-archive`` for a document without signature, or without the one named;
            ``ofd.sign.validation-data``; others as :func:`ofd.sign.draft.draft`.
    """
    source = Package(package) if isinstance(package, bytes) else package
    bodies = read_bodies(source)
    list_name = bodies[0].signatures
    listed = () if list_name is None else read_signature_list(source, list_name)
    ids = [item.id for item in listed]
    if not ids or (relative is not None and relative not in ids):
        raise RejectedError("There is no such signature to be kept.", code="ofd.sign.nothing-to-archive")
    data = encode_validation_data(validation.certificates, validation.crls, validation.ocsp_responses)
    order = Order(
        type=SignatureType.SIGN,
        files={ARCHIVE_FILE: data},
        signature_method=oids.TST_INFO,
        digest=digest_algorithm,
        at=at,
        protection=Protection.CONTINUE,
        relative=relative or ids[-1],
    )
    return PreparedArchive(draft=draft(source, order, progress=progress), digest_algorithm=digest_algorithm)
