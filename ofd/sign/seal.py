"""Sealing a document in two phases, so that the private key may be anywhere.

:func:`prepare` puts everything into the package that the seal protects and answers with the octets to be signed;
:meth:`PreparedSeal.complete` puts the signature in. The chain of protection is: certificate → signature → TBS_Sign →
dataHash → Signature.xml → digest of every file (GB/T 33190-2016 §18, GB/T 38540-2020 §7). Between the two, a prepared
seal can be stored (:meth:`PreparedSeal.to_json`) and restored with the same document.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from ofd.package.loc import absolute
from ofd.package.reader import Package
from ofd.progress import Progress, silent
from ofd.ses.encode import encode_signature, encode_to_be_signed, validation_material
from ofd.ses.encode_first import encode_first_signature, encode_first_to_be_signed
from ofd.ses.structure import Generation, Seal, SealSignature
from ofd.sign.draft import SEAL_FILE, Draft, Order, Protection, SignatureType, draft
from ofd.sign.stamps import StampAnnotation
from ofd.sign.stored import Stored, store
from ofd.sign.validation_data import ARCHIVE_FILE, encode_validation_data
from ofd.sign.value import check_signature, check_signer, check_token, signing_digest
from trustcore.crypto.algorithms import SIGNATURES, SignatureAlgorithm, signature_by_oid
from trustcore.crypto.digests import digest
from trustcore.errors import MalformedError, RejectedError

__all__ = ["PreparedSeal", "Protection", "StampAnnotation", "prepare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedSeal:
    """A package that waits for its signature."""

    KIND: ClassVar = "seal"
    """In the store."""

    to_be_signed: bytes
    """DER TBS_Sign: sign these octets."""
    signature_algorithm: SignatureAlgorithm
    draft: Draft
    seal: Seal = field(repr=False)
    at: datetime
    """Signing time."""
    generation: Generation
    """Of the signature."""
    certificate_der: bytes | None = None
    """The signer's, where it is bound already (the first generation signs it)."""

    @property
    def package(self) -> bytes:
        """Everything the seal protects."""
        return self.draft.prepared.to_bytes()

    @property
    def signature_name(self) -> str:
        """Entry name of Signature.xml."""
        return self.draft.signature_name

    @property
    def signature_xml(self) -> bytes:
        """What is hashed into TBS_Sign."""
        return self.draft.signature_xml

    @property
    def signed_value_name(self) -> str:
        """Entry name of SignedValue.dat."""
        return self.draft.signed_value_name

    def digest_to_sign(self, certificate_der: bytes) -> bytes:
        """The 32 octets (more for longer hashes) that a machine signs which takes digests: see ``signing_digest``.

        Raises:
            MalformedError: the certificate has no SM2 key.
        """
        return signing_digest(self.to_be_signed, self.signature_algorithm, certificate_der)

    def complete(
        self,
        signature_der: bytes,
        certificate_der: bytes,
        timestamp_token: bytes | None = None,
        *,
        is_checked: bool = False,
    ) -> bytes:
        """The sealed package.

        Args:
            signature_der: signature over ``to_be_signed``, in its X.509 form.
            certificate_der: of the signer; the seal has to list it.
            timestamp_token: RFC 3161 TimeStampToken over the octets of ``signature_der``.
            is_checked: that the caller verified the signature already: it is not verified again.

        Raises:
            RejectedError: ``ofd.seal.signer-not-listed`` when the seal is not for this signer,
                ``ofd.seal.signature-wrong`` when the signature is not the certificate's over ``to_be_signed``,
                ``ofd.seal.key-usage`` and ``ofd.seal.certificate-period`` for a certificate that does not sign then,
                ``ofd.seal.timestamp-wrong`` when the time stamp is over something else or has no place.
        """
        value = self.signed_value(signature_der, certificate_der, timestamp_token, is_checked=is_checked)
        return self.draft.with_value(value).to_bytes()

    def complete_to(
        self,
        path: Path | str,
        signature_der: bytes,
        certificate_der: bytes,
        timestamp_token: bytes | None = None,
        *,
        progress: Progress = silent,
    ) -> None:
        """Write the sealed package into a file, in bounded memory; the file may be the one that was read.

        Args:
            path: where to; what was there is replaced at the end.
            signature_der: as for :meth:`complete`.
            certificate_der: as for :meth:`complete`.
            timestamp_token: as for :meth:`complete`.
            progress: told octets.

        Raises:
            RejectedError: as :meth:`complete`.
            ConflictError: ``ofd.package.changed``: somebody wrote to the document meanwhile.
            OSError: the disk fails; what was there is as it was.
        """
        value = self.signed_value(signature_der, certificate_der, timestamp_token)
        self.draft.with_value(value).write_to(path, progress=progress)

    def signed_value(
        self,
        signature_der: bytes,
        certificate_der: bytes,
        timestamp_token: bytes | None = None,
        *,
        is_checked: bool = False,
    ) -> bytes:
        """DER SES_Signature, the content of SignedValue.dat; arguments and errors as :meth:`complete`."""
        check_signer(certificate_der, self.at)
        if not is_checked:
            check_signature(self.to_be_signed, self.signature_algorithm, signature_der, certificate_der)
        _check_listed(self.seal, certificate_der)
        if self.generation is Generation.V1:
            if timestamp_token is not None:
                raise RejectedError(
                    "A first-generation signature has no place for a time stamp.", code="ofd.seal.timestamp-wrong"
                )
            if certificate_der != self.certificate_der:
                raise RejectedError("Another signer's certificate was prepared.", code="ofd.seal.signature-wrong")
            return encode_first_signature(self.to_be_signed, signature_der=signature_der)
        if timestamp_token is not None:
            check_token(timestamp_token, signature_der)
        return encode_signature(
            self.to_be_signed,
            certificate_der=certificate_der,
            signature_algorithm_oid=SIGNATURES[self.signature_algorithm].oid,
            signature_der=signature_der,
            timestamp_token=timestamp_token,
        )

    def to_json(self) -> bytes:
        """The prepared seal without the document, to be stored."""
        return store(
            self.KIND,
            self.draft,
            SIGNATURES[self.signature_algorithm].digest,
            to_be_signed=self.to_be_signed,
            signature_algorithm=str(self.signature_algorithm),
            certificate=self.certificate_der,
        )

    @classmethod
    def from_json(cls, data: bytes, package: bytes | Package) -> "PreparedSeal":
        """A stored prepared seal, with the document it was made for.

        Everything has to fit: the document to Signature.xml, Signature.xml and the seal to what is to be signed.

        Raises:
            MalformedError: ``ofd.sign.stored``: it is no prepared seal, or its parts are not of one piece.
            ConflictError: ``ofd.sign.other-document``: it is another document, or was signed or changed since.
        """
        stored = Stored.parse(data, kind=cls.KIND)
        to_be_signed = stored.octets("to_be_signed")
        certificate_der = stored.optional_octets("certificate")
        try:
            algorithm = SignatureAlgorithm(stored.text("signature_algorithm"))
        except ValueError as error:
            raise _not_of_one_piece() from error
        restored = stored.draft(package)
        # Read as the signature it is going to be: the signature itself is still empty.
        if certificate_der is None:
            unsigned = encode_signature(
                to_be_signed,
                certificate_der=b"",
                signature_algorithm_oid=SIGNATURES[algorithm].oid,
                signature_der=b"",
            )
        else:
            unsigned = encode_first_signature(to_be_signed, signature_der=b"")
        signature = SealSignature.parse(unsigned)
        tbs = signature.to_be_signed
        seal_name = restored.signature_name.rpartition("/")[0] + "/" + SEAL_FILE
        details = signature_by_oid(signature.signature_algorithm_oid)
        fits = (
            tbs.data_hash == digest(SIGNATURES[algorithm].digest, restored.signature_xml)
            and tbs.property_info == absolute(restored.signature_name)
            and tbs.seal.der == restored.added.get(seal_name)
            and details is not None
            and details.algorithm is algorithm
            and (certificate_der is None or certificate_der == signature.certificate_der)
        )
        if not fits:
            raise _not_of_one_piece()
        return cls(
            to_be_signed=to_be_signed,
            signature_algorithm=algorithm,
            draft=restored,
            seal=tbs.seal,
            at=tbs.signed_at,
            generation=signature.generation,
            certificate_der=certificate_der,
        )


def prepare(  # noqa: PLR0913 - what a seal may differ in
    package: bytes | Package,
    *,
    seal_der: bytes,
    stamps: Sequence[StampAnnotation],
    at: datetime,
    certificates: Sequence[bytes] = (),
    crls: Sequence[bytes] = (),
    ocsp_responses: Sequence[bytes] = (),
    signature_algorithm: SignatureAlgorithm = SignatureAlgorithm.SM2_SM3,
    protection: Protection = Protection.WHOLE,
    unprotected: Collection[str] = (),
    certificate_der: bytes | None = None,
    time_token: bytes | None = None,
    generation: Generation | None = None,
    progress: Progress = silent,
) -> PreparedSeal:
    """Put a seal into a document, all but the signature.

    Args:
        package: the document; one in a file stays there, and has to stay open until the seal is completed.
        seal_der: SESeal exactly as its maker issued it.
        stamps: where it is shown (:mod:`ofd.sign.stamps`); at least one place.
        at: signing time.
        certificates: DER certificates of the issuers of signer and seal maker, carried along for verifiers.
        crls: DER CRLs of those issuers, likewise.
        ocsp_responses: DER OCSP responses of those issuers, likewise.
        signature_algorithm: of the signer's key; its digest protects the files.
        protection: what may follow.
        unprotected: entry names that stay free to change, when partial protection is asked for.
        certificate_der: of the signer; has to be given for a seal of the first generation, which signs it.
        time_token: for the first generation only: TimeStampToken to stand as signing time.
        generation: of the signature; that of the seal when left out. A seal of GB/T 38540-2020 may be used in a
            signature of GM/T 0031-2025.
        progress: told the files that were hashed.

    Raises:
        MalformedError: the document or the seal cannot be read.
        ConflictError: ``ofd.seal.closed``, an earlier signature protects the list of signatures.
        RejectedError: ``ofd.seal.…``: no permission, several documents, no such page, seal outside its period, signer
            not listed, generations that do not go together; ``ofd.sign.partial``; ``ofd.sign.too-many``.
    """
    at = at.replace(microsecond=0)
    seal = Seal.parse(seal_der)
    if not seal.info.valid_from <= at <= seal.info.valid_until:
        raise RejectedError("The seal is not valid at the signing time.", code="ofd.seal.outside-period")
    if not stamps:
        raise RejectedError("A seal is shown in at least one place.", code="ofd.seal.no-stamp")
    if certificate_der is not None:
        _check_listed(seal, certificate_der)
        check_signer(certificate_der, at)
    form = _generation(seal, generation, certificate_der, time_token)
    details = SIGNATURES[signature_algorithm]
    files = {SEAL_FILE: seal_der}
    if form is Generation.V1 and (certificates or crls or ocsp_responses):
        files[ARCHIVE_FILE] = encode_validation_data(certificates, crls, ocsp_responses)
    order = Order(
        type=SignatureType.SEAL,
        stamps=tuple(stamps),
        picture=seal.info.picture,
        files=files,
        signature_method=details.oid,
        digest=details.digest,
        at=at,
        protection=protection,
        unprotected=frozenset(unprotected),
    )
    drafted = draft(package, order, progress=progress)
    data_hash = digest(details.digest, drafted.signature_xml)
    if form is Generation.V1 and certificate_der is not None:
        to_be_signed = encode_first_to_be_signed(
            seal_der=seal_der,
            at=at,
            data_hash=data_hash,
            property_info=absolute(drafted.signature_name),
            certificate_der=certificate_der,
            signature_algorithm_oid=details.oid,
            time_token=time_token,
        )
    else:
        to_be_signed = encode_to_be_signed(
            seal_der=seal_der,
            at=at,
            data_hash=data_hash,
            property_info=absolute(drafted.signature_name),
            extensions=validation_material(certificates, crls, ocsp_responses),
            generation=form,
        )
    return PreparedSeal(
        to_be_signed=to_be_signed,
        signature_algorithm=signature_algorithm,
        draft=drafted,
        seal=seal,
        at=at,
        generation=form,
        certificate_der=certificate_der if form is Generation.V1 else None,
    )


def _generation(
    seal: Seal, wanted: Generation | None, certificate_der: bytes | None, time_token: bytes | None
) -> Generation:
    form = seal.generation if wanted is None else wanted
    if (form is Generation.V1) != (seal.generation is Generation.V1) or form < seal.generation:
        raise RejectedError(
            "A seal is used in a signature of its own generation or the next.", code="ofd.seal.generation"
        )
    if form is Generation.V1 and certificate_der is None:
        raise RejectedError(
            "A first-generation signature needs the signer's certificate from the start.", code="ofd.seal.certificate"
        )
    if form is not Generation.V1 and time_token is not None:
        raise RejectedError(
            "Only a first-generation signature has a time stamp as signing time.", code="ofd.seal.timestamp-wrong"
        )
    return form


def _check_listed(seal: Seal, certificate_der: bytes) -> None:
    if not seal.info.lists(certificate_der):
        raise RejectedError("The seal does not list this signer.", code="ofd.seal.signer-not-listed")


def _not_of_one_piece() -> MalformedError:
    return MalformedError("The parts of the prepared seal are not of one piece.", code="ofd.sign.stored")
