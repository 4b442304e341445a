"""What the commands of ``xinyin ofd sign`` take from the command line."""

from pathlib import Path
from typing import Annotated

import typer

from ofd.sign.plain import Shape
from ofd.sign.stamps import Anchor, Side

__all__ = [
    "AnchorOption",
    "AtPlace",
    "CertificateFile",
    "ChainFiles",
    "CrlFiles",
    "DocumentFile",
    "FacingPages",
    "KeepOpen",
    "KeptSignature",
    "KeyFile",
    "MarginMm",
    "NewestForm",
    "OcspFiles",
    "OptionalOutFile",
    "OutFile",
    "OverKeyword",
    "PageNumbers",
    "PasswordFile",
    "PrepareAs",
    "RidingGroup",
    "RidingSide",
    "SealFile",
    "ShapeOption",
    "SignatureFile",
    "SignerCertificate",
    "SigningTime",
    "SizeMm",
    "StoreFile",
    "TokenFile",
    "TsaAddress",
    "WhichHit",
]

DocumentFile = Annotated[Path, typer.Argument(metavar="FILE", help="OFD 文件 / the document")]
OutFile = Annotated[Path, typer.Option("--out", "-o", help="输出文件 / file to write")]
OptionalOutFile = Annotated[Path | None, typer.Option("--out", "-o", help="输出文件 / file to write")]
SealFile = Annotated[Path, typer.Option("--seal", metavar="ESL", help="电子印章 / the seal, as issued")]
CertificateFile = Annotated[
    Path,
    typer.Option("--certificate", "-c", metavar="PEM", help="签名证书,可带证书链 / the signer's, and its chain"),
]
KeyFile = Annotated[
    Path | None, typer.Option("--key", "-k", metavar="PEM", help="私钥文件 / file with the private key")
]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", metavar="FILE", help="私钥口令文件 / file with the key's password")
]
PrepareAs = Annotated[
    Path | None, typer.Option("--prepare", metavar="NAME", help="只准备:写 NAME.json 与 NAME.tbs / only prepare")
]
ChainFiles = Annotated[
    list[Path] | None, typer.Option("--chain", metavar="PEM", help="随附的证书 / certificates to carry")
]
CrlFiles = Annotated[list[Path] | None, typer.Option("--crl", metavar="FILE", help="随附的吊销列表 / CRLs to carry")]
OcspFiles = Annotated[
    list[Path] | None, typer.Option("--ocsp", metavar="FILE", help="随附的 OCSP 响应 / OCSP responses")
]
TsaAddress = Annotated[str | None, typer.Option("--tsa", metavar="URL", help="时间戳服务 / time-stamping authority")]
SigningTime = Annotated[
    str | None, typer.Option("--time", metavar="RFC3339", help="签名时间,默认现在 / now by default")
]
KeepOpen = Annotated[bool, typer.Option("--continue", help="允许后续签名 / let further signatures follow")]
AtPlace = Annotated[
    str | None, typer.Option("--at", metavar="X,Y", help="左上角位置(毫米)/ top left corner, millimetres")
]
AnchorOption = Annotated[Anchor | None, typer.Option("--anchor", help="页面的角或中央 / corner or middle of the page")]
MarginMm = Annotated[float, typer.Option("--margin", help="距页边(毫米)/ from the edges, millimetres")]
OverKeyword = Annotated[str | None, typer.Option("--keyword", help="盖在关键字上 / over a keyword")]
WhichHit = Annotated[
    int | None, typer.Option("--hit", help="第几处,默认全部 / which place of the keyword, all by default")
]
RidingSide = Annotated[Side | None, typer.Option("--riding", help="骑缝章所在的边 / edge of a riding seal")]
RidingGroup = Annotated[int | None, typer.Option("--group", help="骑缝章每组页数 / pages that share a riding seal")]
FacingPages = Annotated[bool, typer.Option("--facing", help="对开骑缝章 / across facing pages")]
PageNumbers = Annotated[str | None, typer.Option("--pages", metavar="1,3-5", help="页码 / pages")]
SizeMm = Annotated[str | None, typer.Option("--size", metavar="W,H", help="大小(毫米)/ size in millimetres")]
ShapeOption = Annotated[Shape, typer.Option("--shape", help="attributes 或 digest / attributes or digest")]
NewestForm = Annotated[bool, typer.Option("--v5", help="按 GM/T 0031-2025 签章 / sign as GM/T 0031-2025 says")]
KeptSignature = Annotated[
    str | None, typer.Option("--relative", metavar="ID", help="所保存的签名,默认最后一个 / the signature that is kept")
]
StoreFile = Annotated[Path, typer.Argument(metavar="JSON", help="--prepare 所写的文件 / what --prepare wrote")]
SignatureFile = Annotated[
    Path | None, typer.Option("--signature", "-s", help="签名值(DER)/ the signature, in its X.509 form")
]
TokenFile = Annotated[Path | None, typer.Option("--token", help="时间戳或其响应 / time-stamp token or response, DER")]
SignerCertificate = Annotated[
    Path | None, typer.Option("--certificate", "-c", metavar="PEM", help="印章的签名证书 / the signer's, for a seal")
]
