"""``xinyin ofd protect``: encryption for persons and the signed list of files (GM/T 0099-2020)."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ofd.cli.output import replacing
from ofd.cli.policy import read_input, read_policy
from ofd.cli.terminal import refusals, shown_progress, usage_error
from ofd.gmt0099.encryption import decrypt_to, encrypt_to, recipients
from ofd.gmt0099.integrity import protect, verify_list
from ofd.gmt0099.keys import (
    CertificateOpener,
    CertificateRecipient,
    Opener,
    PasswordOpener,
    PasswordRecipient,
    Recipient,
)
from ofd.package.reader import Package
from trustcore.console import print_report, printable
from trustcore.crypto.key_files import load_decryptor, load_signer
from trustcore.x509.certificate import load_pem_bundle

__all__ = ["add_to"]

_File = Annotated[Path, typer.Argument(metavar="FILE", help="OFD 文件 / the document")]
_Out = Annotated[Path, typer.Option("--out", "-o", help="输出文件 / file to write")]
_To = Annotated[
    list[Path] | None,
    typer.Option("--to", metavar="PEM", help="收件人的加密证书 / certificates of who may read"),
]
_Weak = Annotated[
    Path | None,
    typer.Option("--weak-password-file", metavar="FILE", help="口令文件(较弱)/ a password's file; weak"),
]
_Name = Annotated[str, typer.Option("--name", help="口令用户的名称 / whose password")]
_Certificate = Annotated[
    Path | None, typer.Option("--certificate", "-c", metavar="PEM", help="本人证书 / own certificate")
]
_Key = Annotated[Path | None, typer.Option("--key", "-k", metavar="PEM", help="私钥文件 / file with the private key")]
_KeyPassword = Annotated[
    Path | None, typer.Option("--password-file", metavar="FILE", help="私钥口令文件 / file with the key's password")
]
_Password = Annotated[
    Path | None,
    typer.Option("--document-password-file", metavar="FILE", help="文件口令 / file with its password"),
]
_Signer = Annotated[Path, typer.Option("--certificate", "-c", metavar="PEM", help="签名证书 / the signer's")]
_SignerKey = Annotated[Path, typer.Option("--key", "-k", metavar="PEM", help="私钥文件 / file with the private key")]
_Trust = Annotated[list[Path], typer.Option(metavar="PEM", help="受信任的根证书 / trusted root certificates")]
_Crl = Annotated[list[Path] | None, typer.Option(metavar="FILE", help="吊销列表 / certificate revocation list")]
_Json = Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")]


def add_to(app: typer.Typer, clock: Callable[[], datetime]) -> None:
    """Add the commands.

    Args:
        app: the commands on OFD files.
        clock: answers with the time, aware.
    """
    commands = typer.Typer(no_args_is_help=True, help="加密与完整性清单(GM/T 0099)/ encryption and list of files")
    app.add_typer(commands, name="protect")
    _add_encrypt(commands, clock)
    _add_decrypt(commands)
    _add_list(commands, clock)
    _add_check(commands, clock)


def _add_encrypt(commands: typer.Typer, clock: Callable[[], datetime]) -> None:
    @commands.command("encrypt")
    def encrypt_command(file: _File, out: _Out, to: _To = None, weak: _Weak = None, name: _Name = "") -> None:
        """加密给指定的人;桌面阅读器打不开加密文件 / encrypt for persons; desktop readers cannot open it."""
        if bool(to) == (weak is not None):
            raise usage_error("请用 --to 指定证书 / give --to")
        with refusals(file), Package.open(file) as package, shown_progress("加密 / encrypting") as progress:
            people: list[Recipient] = []
            for path in to or ():
                certificate = load_pem_bundle(read_input(path))[0]
                people.append(CertificateRecipient(name=certificate.common_name or path.stem, certificate=certificate))
            if weak is not None:
                people.append(PasswordRecipient(name=name, password=_text(weak)))
            encrypt_to(package, out, recipients=people, at=clock(), allow_passwords=weak is not None, progress=progress)


def _add_decrypt(commands: typer.Typer) -> None:
    @commands.command("decrypt")
    def decrypt_command(  # noqa: PLR0917 - one parameter for each option
        file: _File,
        out: _Out,
        certificate: _Certificate = None,
        key: _Key = None,
        key_password: _KeyPassword = None,
        password: _Password = None,
        name: _Name = "",
    ) -> None:
        """解密 / decrypt: exit 0 done, 1 not for this reader or damaged."""
        if (key is None) == (password is None) or (key is None) != (certificate is None):
            raise usage_error("请给出 --certificate 与 --key,或口令 / give --certificate and --key, or a password")
        with refusals(file), Package.open(file) as package, shown_progress("解密 / decrypting") as progress:
            opener: Opener
            if key is not None and certificate is not None:
                own = load_pem_bundle(read_input(certificate))[0]
                secret = None if key_password is None else _text(key_password).encode()
                opener = CertificateOpener(certificate=own, decrypt=load_decryptor(read_input(key), password=secret))
            else:
                opener = PasswordOpener(password=_text(password or Path()), name=name or None)
            decrypt_to(package, out, opener, progress=progress)

    @commands.command("recipients")
    def recipients_command(file: _File) -> None:
        """列出可以解密的人 / name those who may decrypt."""
        with refusals(file), Package.open(file) as package:
            for person in recipients(package):
                typer.echo(printable(person))


def _add_list(commands: typer.Typer, clock: Callable[[], datetime]) -> None:
    @commands.command("list")
    def list_command(
        file: _File, out: _Out, certificate: _Signer, key: _SignerKey, key_password: _KeyPassword = None
    ) -> None:
        """加上签名的文件清单 / add the signed list of all files."""
        with refusals(file):
            chain = load_pem_bundle(read_input(certificate))
            secret = None if key_password is None else _text(key_password).encode()
            result = protect(
                read_input(file),
                signer=load_signer(read_input(key), password=secret),
                certificate=chain[0],
                at=clock(),
                certificates=[item.der for item in chain[1:]],
            )
            with replacing(out) as written:
                written.write(result)


def _add_check(commands: typer.Typer, clock: Callable[[], datetime]) -> None:
    @commands.command("check")
    def check_command(file: _File, trust: _Trust, crl: _Crl = None, as_json: _Json = False) -> None:
        """验证文件清单 / verify the list of files: exit 0 valid, 1 not valid, 2 cannot tell."""
        policy = read_policy(trust, crl or [], clock())
        data = read_input(file)
        report = verify_list(data, policy)
        print_report(report, file_name=file.name, data=data, as_json=as_json)
        raise typer.Exit(report.verdict.exit_code)


def _text(path: Path) -> str:
    """A secret from a file, without the end of its line."""
    try:
        return read_input(path).rstrip(b"\r\n").decode()
    except UnicodeDecodeError as error:
        raise usage_error(f"口令不是 UTF-8 文本 / the password is not UTF-8: {path}") from error
