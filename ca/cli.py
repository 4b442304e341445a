"""``xinyin ca …``: authorities, certificates, revocation."""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ca.service import CaService
from trustcore.errors import NotFoundError
from trustcore.x509.certificate import Certificate
from trustcore.x509.crl import RevocationReason

__all__ = ["build_cli"]

_ACTOR = "operator"


def build_cli(open_service: Callable[[], AbstractContextManager[CaService]]) -> typer.Typer:
    """The commands; ``open_service`` opens the service for the time of one command."""
    app = typer.Typer(help="Certification authority 证书认证", no_args_is_help=True)
    _add_lists(app, open_service)
    _add_acts(app, open_service)
    return app


def _add_lists(app: typer.Typer, open_service: Callable[[], AbstractContextManager[CaService]]) -> None:
    @app.command("authorities")
    def authorities() -> None:
        """List the authorities."""
        table = Table("名称 Name", "上级 Parent", "主体 Subject", "有效期至 Not after")
        with open_service() as service:
            for authority in service.authorities():
                certificate = authority.certificate
                table.add_row(
                    authority.name, authority.parent or "–", escape(certificate.subject.text),
                    certificate.not_after.date().isoformat(),
                )  # fmt: skip
        Console().print(table)

    @app.command("list")
    def list_certificates(
        limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
        before: Annotated[int | None, typer.Option(help="Number of the last line of the page before.")] = None,
    ) -> None:
        """List certificates, newest first."""
        table = Table("#", "签发者 Authority", "序列号 Serial", "主体 Subject", "用途 Profile", "状态 State")
        with open_service() as service:
            for view in service.certificates(before=before, limit=limit):
                table.add_row(
                    str(view.id), view.authority, view.serial_number, escape(view.subject), view.profile, view.state
                )
        Console().print(table)

    @app.command("crl")
    def crl(authority: str, out: Annotated[Path, typer.Option(help="File to write the DER to.")]) -> None:
        """Write the CRL in force."""
        with open_service() as service:
            crl_der = service.crl(authority)
        try:
            out.write_bytes(crl_der)
        except OSError as error:
            raise NotFoundError(f"{out} cannot be written: {error.strerror}.", code="ca.crl.file") from error


def _add_acts(app: typer.Typer, open_service: Callable[[], AbstractContextManager[CaService]]) -> None:
    @app.command("issue")
    def issue(
        csr: Annotated[Path, typer.Argument(help="PKCS #10, PEM or DER.")],
        authority: Annotated[str, typer.Option(help="Issuing CA.")] = "sm2-issuing",
        profile: Annotated[str, typer.Option(help="What kind of certificate.")] = "document-signer",
    ) -> None:
        """Issue a certificate over the key of a request and print it as PEM; the same file gives the same one."""
        try:
            data = csr.read_bytes()
        except OSError as error:
            raise NotFoundError(f"The request {csr} cannot be read: {error.strerror}.", code="ca.csr.file") from error
        request_id = f"cli:{authority}:{profile}:{hashlib.sha256(data).hexdigest()}"
        with open_service() as service:
            der = service.issue(authority, data, profile=profile, request_id=request_id, actor=_ACTOR)
        print(Certificate.from_der(der).pem.decode(), end="")  # noqa: T201 - the answer of the command

    @app.command("revoke")
    def revoke(
        authority: str,
        serial_number: Annotated[str, typer.Argument(help="Hexadecimal.")],
        reason: Annotated[int, typer.Option(min=0, max=10, help="CRLReason of RFC 5280 §5.3.1.")] = 0,
    ) -> None:
        """Revoke a certificate and publish a new CRL."""
        try:
            chosen = RevocationReason(reason)
        except ValueError as error:
            raise typer.BadParameter("there is no such CRLReason") from error
        with open_service() as service:
            service.revoke(authority, serial_number, reason=chosen, actor=_ACTOR)
        Console().print("已吊销，新的 CRL 已发布 Revoked; a new CRL is published")
