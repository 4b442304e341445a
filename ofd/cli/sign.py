"""``xinyin ofd sign``: seal, sign and archive documents, with a key from a file or in two phases.

In two phases, ``--prepare NAME`` writes ``NAME.json``, what has to be kept, and ``NAME.tbs``, the octets to be signed
with whatever holds the key (for ``archive``: the request to a time-stamping authority); ``sign complete`` puts
document, ``NAME.json`` and signature together.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ofd.cli.placing import Placing, stamps_for
from ofd.cli.policy import read_input, read_moment
from ofd.cli.signing import Ending, algorithm_of, carried_data, opened, read_certificates, write_prepared
from ofd.cli.terminal import usage_error
from ofd.cli.tsa import stamp
from ofd.ses.structure import Generation, Seal
from ofd.ses.verify import is_signed_by
from ofd.sign.archive import PreparedArchive, prepare_archive
from ofd.sign.plain import Shape
from ofd.sign.seal import PreparedSeal, Protection, prepare
from ofd.sign.signature import PreparedSignature, prepare_signature
from ofd.sign.stamps import Anchor, Side
from ofd.sign.stored import kind_of
from trustcore.asn1.reader import parse
from trustcore.errors import RejectedError
from trustcore.x509.certificate import Certificate
from trustcore.x509.tsp import parse_response

__all__ = ["add_to"]

_File = Annotated[Path, typer.Argument(metavar="FILE", help="OFD 文件 / the document")]
_Out = Annotated[Path, typer.Option("--out", "-o", help="输出文件 / file to write")]
_OptionalOut = Annotated[Path | None, typer.Option("--out", "-o", help="输出文件 / file to write")]
_SealFile = Annotated[Path, typer.Option("--seal", metavar="ESL", help="电子印章 / the seal, as issued")]
_Certificate = Annotated[
    Path,
    typer.Option("--certificate", "-c", metavar="PEM", help="签名证书,可带证书链 / the signer's, and its chain"),
]
_Key = Annotated[Path | None, typer.Option("--key", "-k", metavar="PEM", help="私钥文件 / file with the private key")]
_Password = Annotated[
    Path | None, typer.Option("--password-file", metavar="FILE", help="私钥口令文件 / file with the key's password")
]
_Prepare = Annotated[
    Path | None, typer.Option("--prepare", metavar="NAME", help="只准备:写 NAME.json 与 NAME.tbs / only prepare")
]
_Chain = Annotated[list[Path] | None, typer.Option("--chain", metavar="PEM", help="随附的证书 / certificates to carry")]
_Crl = Annotated[list[Path] | None, typer.Option("--crl", metavar="FILE", help="随附的吊销列表 / CRLs to carry")]
_Ocsp = Annotated[list[Path] | None, typer.Option("--ocsp", metavar="FILE", help="随附的 OCSP 响应 / OCSP responses")]
_Tsa = Annotated[str | None, typer.Option("--tsa", metavar="URL", help="时间戳服务 / time-stamping authority")]
_Moment = Annotated[str | None, typer.Option("--time", metavar="RFC3339", help="签名时间,默认现在 / now by default")]
_Open = Annotated[bool, typer.Option("--continue", help="允许后续签名 / let further signatures follow")]
_At = Annotated[str | None, typer.Option("--at", metavar="X,Y", help="左上角位置(毫米)/ top left corner, millimetres")]
_AnchorOption = Annotated[Anchor | None, typer.Option("--anchor", help="页面的角或中央 / corner or middle of the page")]
_Margin = Annotated[float, typer.Option("--margin", help="距页边(毫米)/ from the edges, millimetres")]
_Keyword = Annotated[str | None, typer.Option("--keyword", help="盖在关键字上 / over a keyword")]
_Hit = Annotated[int | None, typer.Option("--hit", help="第几处,默认全部 / which place of the keyword, all by default")]
_Riding = Annotated[Side | None, typer.Option("--riding", help="骑缝章所在的边 / edge of a riding seal")]
_Group = Annotated[int | None, typer.Option("--group", help="骑缝章每组页数 / pages that share a riding seal")]
_Facing = Annotated[bool, typer.Option("--facing", help="对开骑缝章 / across facing pages")]
_Pages = Annotated[str | None, typer.Option("--pages", metavar="1,3-5", help="页码 / pages")]
_Size = Annotated[str | None, typer.Option("--size", metavar="W,H", help="大小(毫米)/ size in millimetres")]
_ShapeOption = Annotated[Shape, typer.Option("--shape", help="attributes 或 digest / attributes or digest")]
_Newer = Annotated[bool, typer.Option("--v5", help="按 GM/T 0031-2025 签章 / sign as GM/T 0031-2025 says")]
_Relative = Annotated[
    str | None, typer.Option("--relative", metavar="ID", help="所保存的签名,默认最后一个 / the signature that is kept")
]
_Store = Annotated[Path, typer.Argument(metavar="JSON", help="--prepare 所写的文件 / what --prepare wrote")]
_Signature = Annotated[
    Path | None, typer.Option("--signature", "-s", help="签名值(DER)/ the signature, in its X.509 form")
]
_Token = Annotated[Path | None, typer.Option("--token", help="时间戳或其响应 / time-stamp token or response, DER")]
_SignerCertificate = Annotated[
    Path | None, typer.Option("--certificate", "-c", metavar="PEM", help="印章的签名证书 / the signer's, for a seal")
]


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


def _add_seal(app: typer.Typer, clock: Callable[[], datetime]) -> None:
    @app.command("seal")
    def seal_command(  # noqa: PLR0913, PLR0917 - one parameter for each option
        file: _File,
        seal: _SealFile,
        certificate: _Certificate,
        out: _OptionalOut = None,
        key: _Key = None,
        password_file: _Password = None,
        prepare_as: _Prepare = None,
        at: _At = None,
        anchor: _AnchorOption = None,
        margin: _Margin = 20,
        keyword: _Keyword = None,
        hit: _Hit = None,
        riding: _Riding = None,
        group: _Group = None,
        facing: _Facing = False,
        pages: _Pages = None,
        size: _Size = None,
        chain: _Chain = None,
        crl: _Crl = None,
        ocsp: _Ocsp = None,
        tsa: _Tsa = None,
        moment: _Moment = None,
        newer: _Newer = False,
        keep_open: _Open = False,
    ) -> None:
        """盖章 / seal a document: exit 0 done, 1 refused, 64 wrong usage."""
        ending = Ending(out=out, key=key, password_file=password_file, prepare=prepare_as, tsa=tsa)
        ending.check()
        placing = Placing(
            at=at, anchor=anchor, margin_mm=margin, keyword=keyword, hit=hit, riding=riding, group=group,
            facing=facing, pages=pages, size=size,
        )  # fmt: skip
        if not placing.is_given:
            raise usage_error("请说明盖章位置 / say where: --at, --anchor, --keyword, --riding or --facing")
        with opened(file) as (package, progress):
            signer, (own, *others) = ending.signer(), read_certificates(certificate)
            carried = carried_data(others, chain, crl, ocsp)
            seal_der = read_input(seal)
            picture = _checked(Seal.parse(seal_der)).info.picture
            prepared = prepare(
                package,
                seal_der=seal_der,
                stamps=stamps_for(placing, package, file, picture_mm=(picture.width_mm, picture.height_mm)),
                at=_time(moment, clock),
                certificates=carried.certificates,
                crls=carried.crls,
                ocsp_responses=carried.ocsp_responses,
                signature_algorithm=algorithm_of(own),
                protection=Protection.CONTINUE if keep_open else Protection.WHOLE,
                certificate_der=own.der,
                generation=Generation.V5 if newer else None,
                progress=progress,
            )
            if prepare_as is not None:
                write_prepared(prepare_as, prepared.to_json(), prepared.to_be_signed, prepared.digest_to_sign(own.der))
            elif signer is not None and out is not None:
                signature = signer.sign(prepared.to_be_signed)
                token = None if tsa is None else stamp(tsa, signature)
                prepared.complete_to(out, signature, own.der, token, progress=progress)


def _add_plain(app: typer.Typer, clock: Callable[[], datetime]) -> None:
    @app.command("plain")
    def plain_command(  # noqa: PLR0913, PLR0917 - one parameter for each option
        file: _File,
        certificate: _Certificate,
        out: _OptionalOut = None,
        key: _Key = None,
        password_file: _Password = None,
        prepare_as: _Prepare = None,
        shape: _ShapeOption = Shape.ATTRIBUTES,
        chain: _Chain = None,
        crl: _Crl = None,
        ocsp: _Ocsp = None,
        tsa: _Tsa = None,
        moment: _Moment = None,
        keep_open: _Open = False,
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
                at=_time(moment, clock),
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
        file: _File,
        store: _Store,
        out: _Out,
        signature: _Signature = None,
        certificate: _SignerCertificate = None,
        token: _Token = None,
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
        file: _File,
        out: _OptionalOut = None,
        tsa: _Tsa = None,
        prepare_as: _Prepare = None,
        chain: _Chain = None,
        crl: _Crl = None,
        ocsp: _Ocsp = None,
        relative: _Relative = None,
        moment: _Moment = None,
    ) -> None:
        """加存档时间戳,以便长期验证 / archive with a time stamp: exit 0 done, 1 refused, 64 wrong usage."""
        if (tsa is None) == (prepare_as is None) or (tsa is None) != (out is None):
            raise usage_error("请给出 --tsa 与 --out,或 --prepare / give --tsa and --out, or --prepare")
        with opened(file) as (package, progress):
            prepared = prepare_archive(
                package,
                at=_time(moment, clock),
                validation=carried_data((), chain, crl, ocsp),
                relative=relative,
                progress=progress,
            )
            if prepare_as is not None:
                write_prepared(prepare_as, prepared.to_json(), prepared.request(), prepared.imprint)
            elif tsa is not None and out is not None:
                token = stamp(tsa, prepared.to_be_stamped, algorithm=prepared.digest_algorithm)
                prepared.complete_to(out, token, progress=progress)


def _checked(seal: Seal) -> Seal:
    """The seal, if its maker signed it; who the maker is, verifying the document tells."""
    maker = Certificate.from_der(seal.certificate_der)
    if not is_signed_by(maker, seal.signature_algorithm_oid, seal.signed_der, seal.signature):
        raise RejectedError("The seal is not as its maker signed it.", code="ofd.seal.forged")
    return seal


def _time(moment: str | None, clock: Callable[[], datetime]) -> datetime:
    return (clock() if moment is None else read_moment(moment)).replace(microsecond=0)


def _token(octets: bytes) -> bytes:
    """A TimeStampToken, also out of a TimeStampResp."""
    return octets if parse(octets)[0].tag == _OID else parse_response(octets)
