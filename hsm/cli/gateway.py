"""``xinyin hsm gateway``: who may use which keys at the gateway, and how much it was used."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hsm.core.rights import Operation
from hsm.gateway.grants import Grants, NewGrant
from hsm.store.gateway import ClientCertificate, GrantDay, StoredGrant
from trustcore.errors import MalformedError
from trustcore.x509.certificate import Certificate, load_pem_bundle

__all__ = ["OpenGrants", "build_gateway_cli"]

_ACTOR = "cli"
_PAGE = 200
_LAST_GRANT = 2**63 - 1

OpenGrants = Callable[[], AbstractContextManager[Grants]]
AsJson = Annotated[bool, typer.Option("--json", help="以 JSON 输出 Print JSON.")]


def build_gateway_cli(open_grants: OpenGrants) -> typer.Typer:
    """The commands, over an administration that each of them opens and closes."""
    app = typer.Typer(help="网关授权与用量 Rights and usage at the gateway", no_args_is_help=True)
    _add_grants(app, open_grants)
    _add_certificates(app, open_grants)
    return app


def _add_grants(app: typer.Typer, open_grants: OpenGrants) -> None:
    @app.command(help="授权应用使用密钥 Let an application use keys.")
    def grant(  # noqa: PLR0917 - the options of a command
        application: Annotated[str, typer.Argument(help="客户端标识 Client identifier.")],
        keys: Annotated[str, typer.Option(help="标签、含 * 的模式或 purpose:用途 Label, pattern or purpose:NAME.")],
        operation: Annotated[list[Operation], typer.Option(help="操作，可重复 Operation, may be repeated.")],
        per_second: Annotated[int | None, typer.Option(min=1, help="每秒限额 Most items in a second.")] = None,
        per_day: Annotated[int | None, typer.Option(min=1, help="每日限额 Most items in a day, UTC.")] = None,
        until: Annotated[datetime | None, typer.Option(help="截止时间 (UTC) Until when, exclusive.")] = None,
        as_json: AsJson = False,
    ) -> None:
        new = NewGrant(
            application=application,
            keys=keys,
            operations=frozenset(operation),
            per_second=per_second,
            per_day=per_day,
            not_after=None if until is None else until.replace(tzinfo=UTC),
        )
        with open_grants() as grants:
            made = grants.grant(new, actor=_ACTOR)
        if as_json:
            typer.echo(json.dumps(_grant_json(made), ensure_ascii=False, indent=2))
        else:
            typer.echo(made.grant.id)

    @app.command(help="撤销授权 Take a grant back, at once.")
    def revoke(
        number: Annotated[int, typer.Argument(min=1, max=_LAST_GRANT, help="授权编号 Number of the grant.")],
    ) -> None:
        with open_grants() as grants:
            grants.revoke(number, actor=_ACTOR)

    @app.command(name="grants", help="列出授权 List grants.")
    def list_grants(
        application: Annotated[str | None, typer.Option(help="客户端标识 Client identifier.")] = None,
        as_json: AsJson = False,
    ) -> None:
        with open_grants() as opened:
            found = _all_grants(opened, application)
        if as_json:
            typer.echo(json.dumps([_grant_json(item) for item in found], ensure_ascii=False, indent=2))
        else:
            _print_grants(found)

    @app.command(help="按日列出用量 Usage by day.")
    def usage(
        application: Annotated[str | None, typer.Option(help="客户端标识 Client identifier.")] = None,
        first: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="首日 First day, UTC.")] = None,
        last: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="末日 Last day, UTC.")] = None,
        as_json: AsJson = False,
    ) -> None:
        with open_grants() as grants:
            days = grants.usage(
                application=application,
                first=None if first is None else first.date(),
                last=None if last is None else last.date(),
            )
        if as_json:
            typer.echo(json.dumps([_day_json(day) for day in days], ensure_ascii=False, indent=2))
        else:
            _print_usage(days)


def _add_certificates(app: typer.Typer, open_grants: OpenGrants) -> None:
    @app.command(help="让证书代表应用 Let a client certificate stand for an application.")
    def bind(
        application: Annotated[str, typer.Argument(help="客户端标识 Client identifier.")],
        certificate: Annotated[Path, typer.Argument(help="证书，PEM 或 DER Certificate, PEM or DER.")],
        scope: Annotated[list[str], typer.Option(help="权限，可重复 Scope such as hsm:sign, may be repeated.")],
    ) -> None:
        read = _read_certificate(certificate)
        with open_grants() as grants:
            typer.echo(grants.bind(read, application=application, scopes=scope, actor=_ACTOR).fingerprint)

    @app.command(help="取消证书 Let a certificate stand for nobody.")
    def unbind(fingerprint: Annotated[str, typer.Argument(help="SHA-256 指纹 SHA-256, hexadecimal.")]) -> None:
        with open_grants() as grants:
            grants.unbind(fingerprint.lower().replace(":", ""), actor=_ACTOR)

    @app.command(help="列出证书 List certificates.")
    def certificates(as_json: AsJson = False) -> None:
        found: list[ClientCertificate] = []
        with open_grants() as grants:
            while page := grants.certificates(after=found[-1].fingerprint if found else "", limit=_PAGE):
                found += page
        if as_json:
            typer.echo(json.dumps([_certificate_json(item) for item in found], ensure_ascii=False, indent=2))
            return
        table = Table(title=f"证书 Certificates: {len(found)}", title_justify="left")
        for heading in ("SHA-256", "应用 Application", "权限 Scopes", "到期 Until (UTC)"):
            table.add_column(heading, overflow="fold")
        for item in found:
            until = "[red]已取消 unbound[/]" if item.revoked_at else f"{item.not_after:%Y-%m-%d}"
            table.add_row(item.fingerprint, escape(item.application), " ".join(sorted(item.scopes)), until)
        Console().print(table)


def _read_certificate(path: Path) -> Certificate:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MalformedError(f"{path} cannot be read: {error.strerror}.", code="hsm.certificate.file") from error
    return load_pem_bundle(data)[0]


def _all_grants(grants: Grants, application: str | None) -> list[StoredGrant]:
    found: list[StoredGrant] = []
    while page := grants.grants(application=application, after=found[-1].grant.id if found else 0, limit=_PAGE):
        found += page
    return found


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat().replace("+00:00", "Z")


def _grant_json(stored: StoredGrant) -> dict[str, object]:
    grant = stored.grant
    return {
        "id": grant.id,
        "application": grant.application,
        "keys": grant.keys,
        "operations": sorted(grant.operations),
        "per_second": grant.per_second,
        "per_day": grant.per_day,
        "not_before": _moment(grant.not_before),
        "not_after": _moment(grant.not_after),
        "created_by": stored.created_by,
        "revoked_at": _moment(stored.revoked_at),
    }


def _day_json(day: GrantDay) -> dict[str, object]:
    return {
        "grant": day.grant_id,
        "application": day.application,
        "keys": day.keys,
        "day": day.day.isoformat(),
        "requests": day.acts,
        "items": day.items,
        "refused": day.refused,
    }


def _certificate_json(item: ClientCertificate) -> dict[str, object]:
    return {
        "fingerprint": item.fingerprint,
        "application": item.application,
        "scopes": sorted(item.scopes),
        "subject": item.subject,
        "not_after": _moment(item.not_after),
        "revoked_at": _moment(item.revoked_at),
    }


def _print_grants(found: list[StoredGrant]) -> None:
    table = Table(title=f"授权 Grants: {len(found)}", title_justify="left")
    for heading in ("编号 No.", "应用 Application", "密钥 Keys", "操作 Operations", "限额 Quotas", "期限 Until (UTC)"):
        table.add_column(heading, overflow="fold")
    for stored in found:
        grant = stored.grant
        limits = ((grant.per_second, "秒 s"), (grant.per_day, "日 day"))
        quotas = ", ".join(f"{limit}/{unit}" for limit, unit in limits if limit is not None)
        until = (
            "[red]已撤销 revoked[/]"
            if grant.revoked
            else f"{grant.not_after:%Y-%m-%d %H:%M}"
            if grant.not_after
            else ""
        )
        operations = " ".join(sorted(grant.operations))
        table.add_row(str(grant.id), escape(grant.application), escape(grant.keys), operations, quotas, until)
    Console().print(table)


def _print_usage(days: tuple[GrantDay, ...]) -> None:
    table = Table(title="用量 Usage", title_justify="left")
    for heading in ("日 Day (UTC)", "授权 Grant", "应用 Application", "密钥 Keys"):
        table.add_column(heading, overflow="fold")
    for heading in ("请求 Requests", "数量 Items", "超限 Refused"):
        table.add_column(heading, justify="right")
    for day in days:
        counts = (str(day.acts), str(day.items), str(day.refused))
        table.add_row(day.day.isoformat(), str(day.grant_id), escape(day.application), escape(day.keys), *counts)
    Console().print(table)
