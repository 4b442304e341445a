"""``xinyin ofd sign``: seal, sign and archive documents, with a key from a file or in two phases.

In two phases, ``--prepare NAME`` writes ``NAME.json``, what has to be kept, and ``NAME.tbs``, the octets to be signed
with whatever holds the key (for ``archive``: the request to a time-stamping authority); ``sign complete`` puts
document, ``NAME.json`` and signature together.
"""

from collections.abc import Callable
from datetime import datetime

import typer

from ofd.cli import batch
from ofd.cli.placing import Placing
from ofd.cli.policy import read_input
from ofd.cli.sealing import read_sealing
from ofd.cli.signing import (
    Ending,
    algorithm_of,
    carried_data,
    opened,
    read_certificates,
    read_time,
    write_prepared,
)
from ofd.cli.signing_options import (
    AnchorOption,
    AtPlace,
    CertificateFile,
    ChainFiles,
    CrlFiles,
    DocumentFile,
    FacingPages,
    KeepOpen,
    KeptSignature,
    KeyFile,
    MarginMm,
    NewestForm,
    OcspFiles,
    OptionalOutFile,
    OutFile,
    OverKeyword,
    PageNumbers,
    PasswordFile,
    PrepareAs,
    RidingGroup,
    RidingSide,
    SealFile,
    ShapeOption,
    SignatureFile,
    SignerCertificate,
    SigningTime,
    SizeMm,
    StoreFile,
    TokenFile,
    TsaAddress,
    WhichHit,
)
from ofd.cli.terminal import usage_error
from ofd.cli.tsa import stamp
from ofd.sign.archive import PreparedArchive, prepare_archive
from ofd.sign.plain import Shape
from ofd.sign.seal import PreparedSeal, Protection
from ofd.sign.signature import PreparedSignature, prepare_signature
from ofd.sign.stored import kind_of
from trustcore.asn1.reader import parse
from trustcore.x509.tsp import parse_response

__all__ = ["add_to"]

_OID = 0x06


def add_to(app: typer.Typer, clock: Callable[[], datetime]) -> None:
    """Add the commands.

    Args:
        app: the commands on OFD files.
        clock: answers with the time, aware.
    """
    sign = typer.Typer(no_args_is_help=True, help="签章、签名与存档 / seal, sign and archive documents")
    app.add_typer(sign, name="sign")
    _add_seal(sign, clock)
    _add_plain(sign, clock)
    _add_complete(sign)
    _add_archive(sign, clock)
    batch.add_to(sign, clock)


def _add_seal(app: typer.Typer, clock: Callable[[], datetime]) -> None:
    @app.command("seal")
    def seal_command(  # noqa: PLR0913, PLR0917 - one parameter for each option
        file: DocumentFile,
        seal: SealFile,
        certificate: CertificateFile,
        out: OptionalOutFile = None,
        key: KeyFile = None,
        password_file: PasswordFile = None,
        prepare_as: PrepareAs = None,
        at: AtPlace = None,
        anchor: AnchorOption = None,
        margin: MarginMm = 20,
        keyword: OverKeyword = None,
        hit: WhichHit = None,
        riding: RidingSide = None,
        group: RidingGroup = None,
        facing: FacingPages = False,
        pages: PageNumbers = None,
        size: SizeMm = None,
        chain: ChainFiles = None,
        crl: CrlFiles = None,
        ocsp: OcspFiles = None,
        tsa: TsaAddress = None,
        moment: SigningTime = None,
        newer: NewestForm = False,
        keep_open: KeepOpen = False,
    ) -> None:
        """盖章 / seal a document: exit 0 done, 1 refused, 64 wrong usage."""
        ending = Ending(out=out, key=key, password_file=password_file, prepare=prepare_as, tsa=tsa)
        ending.check()
        placing = Placing(
            at=at, anchor=anchor, margin_mm=margin, keyword=keyword, hit=hit, riding=riding, group=group,
            facing=facing, pages=pages, size=size,
        )  # fmt: skip
        sealing = read_sealing(
            seal=seal, certificate=certificate, placing=placing, chain=chain, crl=crl, ocsp=ocsp,
            at=read_time(moment, clock), keep_open=keep_open, newer=newer,
        )  # fmt: skip
        with opened(file) as (package, progress):
            signer, own = ending.signer(), sealing.signer
            prepared = sealing.prepared(package, file, progress=progress)
            if prepare_as is not None:
                write_prepared(prepare_as, prepared.to_json(), prepared.to_be_signed, prepared.digest_to_sign(own.der))
            elif signer is not None and out is not None:
                signature = signer.sign(prepared.to_be_signed)
                token = None if tsa is None else stamp(tsa, signature)
                prepared.complete_to(out, signature, own.der, token, progress=progress)


def _add_plain(app: typer.Typer, clock: Callable[[], datetime]) -> None:
    @app.command("plain")
    def plain_command(  # noqa: PLR0913, PLR0917 - one parameter for each option
        file: DocumentFile,
        certificate: CertificateFile,
        out: OptionalOutFile = None,
        key: KeyFile = None,
        password_file: PasswordFile = None,
        prepare_as: PrepareAs = None,
        shape: ShapeOption = Shape.ATTRIBUTES,
        chain: ChainFiles = None,
        crl: CrlFiles = None,
        ocsp: OcspFiles = None,
        tsa: TsaAddress = None,
        moment: SigningTime = None,
        keep_open: KeepOpen = False,
    ) -> None:
        """签名,不盖章 / sign a document without a seal: exit 0 done, 1 refused, 64 wrong usage."""
        ending = Ending(out=out, key=key, password_file=password_file, prepare=prepare_as, tsa=tsa)
        ending.check()
        with opened(file) as (package, progress):
            signer, (own, *others) = ending.signer(), read_certificates(certificate)
            carried = carried_data(others, chain, crl, ocsp)
            prepared = prepare_signature(
                package,
                certificate_der=own.der,
                at=read_time(moment, clock),
                shape=shape,
                certificates=carried.certificates,
                crls=carried.crls,
                ocsp_responses=carried.ocsp_responses,
                signature_algorithm=algorithm_of(own),
                protection=Protection.CONTINUE if keep_open else Protection.WHOLE,
                progress=progress,
            )
            if prepare_as is not None:
                write_prepared(prepare_as, prepared.to_json(), prepared.to_be_signed, prepared.digest_to_sign)
            elif signer is not None and out is not None:
                signature = signer.sign(prepared.to_be_signed)
                token = None if tsa is None else stamp(tsa, signature)
                prepared.complete_to(out, signature, token, progress=progress)


def _add_complete(app: typer.Typer) -> None:
    @app.command("complete")
    def complete_command(  # noqa: PLR0917 - one parameter for each option
        file: DocumentFile,
        store: StoreFile,
        out: OutFile,
        signature: SignatureFile = None,
        certificate: SignerCertificate = None,
        token: TokenFile = None,
    ) -> None:
        """放入在别处做的签名 / put in the signature made elsewhere: exit 0 done, 1 refused, 64 wrong usage."""
        with opened(file) as (package, progress):
            stored = read_input(store)
            kind = kind_of(stored)
            time_stamp = None if token is None else _token(read_input(token))
            if kind == PreparedArchive.KIND:
                if time_stamp is None:
                    raise usage_error("请用 --token 指定时间戳 / give --token")
                PreparedArchive.from_json(stored, package).complete_to(out, time_stamp, progress=progress)
                return
            if signature is None:
                raise usage_error("请用 --signature 指定签名值 / give --signature")
            value = read_input(signature)
            if kind == PreparedSeal.KIND:
                if certificate is None:
                    raise usage_error("请用 --certificate 指定签名证书 / give --certificate")
                signer = read_certificates(certificate)[0].der
                prepared = PreparedSeal.from_json(stored, package)
                prepared.complete_to(out, value, signer, time_stamp, progress=progress)
            else:
                PreparedSignature.from_json(stored, package).complete_to(out, value, time_stamp, progress=progress)


def _add_archive(app: typer.Typer, clock: Callable[[], datetime]) -> None:
    @app.command("archive")
    def archive_command(  # noqa: PLR0913, PLR0917 - one parameter for each option
        file: DocumentFile,
        out: OptionalOutFile = None,
        tsa: TsaAddress = None,
        prepare_as: PrepareAs = None,
        chain: ChainFiles = None,
        crl: CrlFiles = None,
        ocsp: OcspFiles = None,
        relative: KeptSignature = None,
        moment: SigningTime = None,
    ) -> None:
        """加存档时间戳,以便长期验证 / archive with a time stamp: exit 0 done, 1 refused, 64 wrong usage."""
        if (tsa is None) == (prepare_as is None) or (tsa is None) != (out is None):
            raise usage_error("请给出 --tsa 与 --out,或 --prepare / give --tsa and --out, or --prepare")
        with opened(file) as (package, progress):
            prepared = prepare_archive(
                package,
                at=read_time(moment, clock),
                validation=carried_data((), chain, crl, ocsp),
                relative=relative,
                progress=progress,
            )
            if prepare_as is not None:
                write_prepared(prepare_as, prepared.to_json(), prepared.request(), prepared.imprint)
            elif tsa is not None and out is not None:
                token = stamp(tsa, prepared.to_be_stamped, algorithm=prepared.digest_algorithm)
                prepared.complete_to(out, token, progress=progress)


def _token(octets: bytes) -> bytes:
    """A TimeStampToken, also out of a TimeStampResp."""
    return octets if parse(octets)[0].tag == _OID else parse_response(octets)
