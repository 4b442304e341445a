"""Signing a document without a seal (``Type="Sign"``) in two phases, with SignedData of GB/T 35275.

The chain of protection is: certificate → signature → digest of Signature.xml → digest of every file. Two forms are
written: over attributes, which say when and with which certificate was signed, or over the attached digest alone.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from ofd.package.reader import Package
from ofd.progress import Progress, silent
from ofd.sign.draft import Draft, Order, Protection, SignatureType, draft
from ofd.sign.plain import Shape
from ofd.sign.stamps import StampAnnotation
from ofd.sign.stored import Stored, store
from ofd.sign.validation_data import ARCHIVE_FILE, encode_validation_data
from ofd.sign.value import check_signature, check_signer, check_token, signing_digest
from trustcore.asn1.reader import parse
from trustcore.crypto.algorithms import SIGNATURES, SignatureAlgorithm
from trustcore.crypto.digests import digest
from trustcore.errors import MalformedError, RejectedError
from trustcore.x509 import oids
from trustcore.x509.certificate import Certificate
from trustcore.x509.gm_signed_data import build_gm_signed_data, gm_signed_attributes, time_stamp_attribute

__all__ = ["PreparedSignature", "prepare_signature"]

_SET = 0x31


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedSignature:
    """A package that waits for its signature."""

    KIND: ClassVar = "signature"
    """In the store."""

    to_be_signed: bytes
    """Sign these octets: DER SET OF Attribute, or the digest of Signature.xml (which is the message, not the hash)."""
    shape: Shape
    signature_algorithm: SignatureAlgorithm
    certificate_der: bytes = field(repr=False)
    """The signer's."""
    certificates: tuple[bytes, ...] = field(repr=False)
    """DER of the issuers' certificates carried along."""
    crls: tuple[bytes, ...] = field(repr=False)
    """DER."""
    draft: Draft

    @property
    def digest_to_sign(self) -> bytes:
        """The octets that a machine signs which takes digests only: see ``signing_digest``."""
        return signing_digest(self.to_be_signed, self.signature_algorithm, self.certificate_der)

    def complete(
        self, signature_der: bytes, timestamp_token: bytes | None = None, *, is_checked: bool = False
    ) -> bytes:
        """The signed package.

        Args:
            signature_der: signature over ``to_be_signed``, in its X.509 form.
            timestamp_token: RFC 3161 TimeStampToken over the octets of ``signature_der``.
            is_checked: that the caller verified the signature already: it is not verified again.

        Raises:
            RejectedError: ``ofd.seal.signature-wrong`` when the signature is not the certificate's over
                ``to_be_signed``, ``ofd.seal.timestamp-wrong`` when the time stamp is over something else.
        """
        value = self.signed_value(signature_der, timestamp_token, is_checked=is_checked)
        return self.draft.with_value(value).to_bytes()

    def complete_to(
        self,
        path: Path | str,
        signature_der: bytes,
        timestamp_token: bytes | None = None,
        *,
        progress: Progress = silent,
    ) -> None:
        """Write the signed package into a file, in bounded memory; the file may be the one that was read.

        Args:
            path: where to; what was there is replaced at the end.
            signature_der: as for :meth:`complete`.
            timestamp_token: as for :meth:`complete`.
            progress: told octets.

        Raises:
            RejectedError: as :meth:`complete`.
            ConflictError: ``ofd.package.changed``: somebody wrote to the document meanwhile.
            OSError: the disk fails; what was there is as it was.
        """
        self.draft.with_value(self.signed_value(signature_der, timestamp_token)).write_to(path, progress=progress)

    def signed_value(
        self, signature_der: bytes, timestamp_token: bytes | None = None, *, is_checked: bool = False
    ) -> bytes:
        """DER ContentInfo, the content of SignedValue.dat; arguments and errors as :meth:`complete`."""
        if not is_checked:
            check_signature(self.to_be_signed, self.signature_algorithm, signature_der, self.certificate_der)
        if timestamp_token is not None:
            check_token(timestamp_token, signature_der)
        over_attributes = self.shape is Shape.ATTRIBUTES
        return build_gm_signed_data(
            content=None if over_attributes else self.to_be_signed,
            signed_attributes_der=self.to_be_signed if over_attributes else None,
            algorithm=self.signature_algorithm,
            signature=signature_der,
            certificate=Certificate.from_der(self.certificate_der),
            certificates=self.certificates,
            crls=self.crls,
            unsigned_attributes=() if timestamp_token is None else (time_stamp_attribute(timestamp_token),),
        )

    def to_json(self) -> bytes:
        """The prepared signature without the document, to be stored."""
        return store(
            self.KIND,
            self.draft,
            SIGNATURES[self.signature_algorithm].digest,
            to_be_signed=self.to_be_signed,
            shape=str(self.shape),
            signature_algorithm=str(self.signature_algorithm),
            certificate=self.certificate_der,
            certificates=self.certificates,
            crls=self.crls,
        )

    @classmethod
    def from_json(cls, data: bytes, package: bytes | Package) -> "PreparedSignature":
        """A stored prepared signature, with the document it was made for.

        Raises:
            MalformedError: ``ofd.sign.stored``: it is no prepared signature, or its parts are not of one piece.
            ConflictError: ``ofd.sign.other-document``: it is another document, or was signed or changed since.
        """
        stored = Stored.parse(data, kind=cls.KIND)
        try:
            algorithm, shape = SignatureAlgorithm(stored.text("signature_algorithm")), Shape(stored.text("shape"))
        except ValueError as error:
            raise _not_of_one_piece() from error
        restored = stored.draft(package)
        to_be_signed, certificate_der = stored.octets("to_be_signed"), stored.octets("certificate")
        expected = digest(SIGNATURES[algorithm].digest, restored.signature_xml)
        if shape not in {Shape.ATTRIBUTES, Shape.DIGEST} or expected != _signed_digest(to_be_signed, shape):
            raise _not_of_one_piece()
        return cls(
            to_be_signed=to_be_signed,
            shape=shape,
            signature_algorithm=algorithm,
            certificate_der=certificate_der,
            certificates=stored.several("certificates"),
            crls=stored.several("crls"),
            draft=restored,
        )


def prepare_signature(  # noqa: PLR0913 - what a signature may differ in
    package: bytes | Package,
    *,
    certificate_der: bytes,
    at: datetime,
    shape: Shape = Shape.ATTRIBUTES,
    stamps: Sequence[StampAnnotation] = (),
    certificates: Sequence[bytes] = (),
    crls: Sequence[bytes] = (),
    ocsp_responses: Sequence[bytes] = (),
    signature_algorithm: SignatureAlgorithm = SignatureAlgorithm.SM2_SM3,
    protection: Protection = Protection.WHOLE,
    unprotected: Collection[str] = (),
    relative: str | None = None,
    progress: Progress = silent,
) -> PreparedSignature:
    """Put a signature without seal into a document, all but its value.

    Args:
        package: the document; one in a file stays there, and has to stay open until the signature is completed.
        certificate_der: the signer's.
        at: signing time.
        shape: over attributes (which name time and certificate) or over the attached digest.
        stamps: where readers show that the document is signed, each with a size of its own.
        certificates: DER certificates of the signer's issuers, carried along for verifiers.
        crls: DER CRLs of those issuers, likewise.
        ocsp_responses: DER OCSP responses of those issuers; they go into a file beside the signature.
        signature_algorithm: of the signer's key; its digest protects the files.
        protection: what may follow.
        unprotected: entry names that stay free to change, when partial protection is asked for.
        relative: ID of the signature that this one builds on.
        progress: told the files that were hashed.

    Raises:
        MalformedError: the document or the certificate cannot be read.
        ConflictError: ``ofd.seal.closed``, an earlier signature protects the list of signatures.
        RejectedError: ``ofd.seal.…``, ``ofd.sign.…`` as :func:`ofd.sign.draft.draft`; ``ofd.sign.shape`` for one
            that is not written; ``ofd.seal.signature-wrong`` for a certificate whose key makes no such signature;
            ``ofd.seal.key-usage`` and ``ofd.seal.certificate-period`` for one that does not sign then.
    """
    if shape not in {Shape.ATTRIBUTES, Shape.DIGEST}:
        raise RejectedError("Signatures are written over attributes or over a digest.", code="ofd.sign.shape")
    if not Certificate.from_der(certificate_der).public_key.serves(signature_algorithm):
        raise RejectedError("The certificate's key makes no such signature.", code="ofd.seal.signature-wrong")
    check_signer(certificate_der, at)
    details = SIGNATURES[signature_algorithm]
    order = Order(
        type=SignatureType.SIGN,
        stamps=tuple(stamps),
        files={ARCHIVE_FILE: encode_validation_data((), (), ocsp_responses)} if ocsp_responses else {},
        signature_method=details.oid,
        digest=details.digest,
        at=at,
        protection=protection,
        unprotected=frozenset(unprotected),
        relative=relative,
    )
    drafted = draft(package, order, progress=progress)
    to_be_signed = digest(details.digest, drafted.signature_xml)
    if shape is Shape.ATTRIBUTES:
        to_be_signed = gm_signed_attributes(
            message_digest=to_be_signed,
            algorithm=signature_algorithm,
            signing_time=at,
            certificate_der=certificate_der,
        )
    return PreparedSignature(
        to_be_signed=to_be_signed,
        shape=shape,
        signature_algorithm=signature_algorithm,
        certificate_der=certificate_der,
        certificates=tuple(certificates),
        crls=tuple(crls),
        draft=drafted,
    )


def _signed_digest(to_be_signed: bytes, shape: Shape) -> bytes:
    if shape is Shape.DIGEST:
        return to_be_signed
    attributes = parse(to_be_signed).expect(_SET).children
    return next((item[1][0].octets() for item in attributes if item[0].oid() == oids.MESSAGE_DIGEST), b"")


def _not_of_one_piece() -> MalformedError:
    return MalformedError("The parts of the prepared signature are not of one piece.", code="ofd.sign.stored")
