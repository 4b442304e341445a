"""``xinyin sso``: people and applications."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sso.applications import Registration
from sso.core.roles import Role
from sso.service import SsoService

__all__ = ["build_cli"]

_ACTOR = "cli"
_PAGE = 200

OpenService = Callable[[], AbstractContextManager[SsoService]]


def build_cli(open_service: OpenService) -> typer.Typer:
    """The commands, over a service that each of them opens and closes.

    What is secret is printed once, alone on the last line of standard output.
    """
    app = typer.Typer(help="单点登录：用户与应用 Single sign-on: people and applications", no_args_is_help=True)
    app.add_typer(_user_commands(open_service), name="user")
    app.add_typer(_client_commands(open_service), name="client")

    @app.command(help="删除过期数据 Delete codes, tokens and sessions that count no more.")
    def purge() -> None:
        with open_service() as service:
            typer.echo(f"{service.purge_expired()} rows deleted")

    return app


def _user_commands(open_service: OpenService) -> typer.Typer:
    app = typer.Typer(help="用户 People", no_args_is_help=True)

    @app.command(help="添加用户并打印一次性密码 Add a person and print a one-time password.")
    def add(
        username: str,
        display_name: Annotated[str, typer.Option("--name", help="显示名 Name to display.")] = "",
        role: Annotated[list[Role] | None, typer.Option(help="角色 Role; may be repeated.")] = None,
    ) -> None:
        with open_service() as service:
            password = service.accounts.add(
                username, display_name=display_name or username, roles=role or [Role.OPERATOR], actor=_ACTOR
            )
        _print_secret("一次性密码 one-time password, to be replaced at the first login", password)

    @app.command(help="重置为一次性密码 Replace a forgotten password by a one-time password.")
    def password(username: str) -> None:
        with open_service() as service:
            new = service.accounts.reset_password(username, actor=_ACTOR)
        _print_secret("一次性密码 one-time password, to be replaced at the next login", new)

    @app.command(help="停用用户 Stop a person from logging in and end their sessions.")
    def disable(username: str) -> None:
        with open_service() as service:
            service.accounts.disable(username, actor=_ACTOR)
        typer.echo(f"{username}: disabled")

    @app.command("list", help="列出用户 List people.")
    def list_users(
        as_json: Annotated[bool, typer.Option("--json")] = False,
        after: Annotated[str, typer.Option(help="从此用户名之后开始 Start after this name.")] = "",
    ) -> None:
        with open_service() as service:
            people = service.accounts.people(after=after, limit=_PAGE)
        rows = [
            {
                "username": person.username,
                "display_name": person.display_name,
                "roles": " ".join(person.roles),
                "disabled": person.is_disabled,
                "subject": person.subject,
            }
            for person in people
        ]
        _print_rows(rows, as_json=as_json)

    return app


def _client_commands(open_service: OpenService) -> typer.Typer:
    app = typer.Typer(help="应用 Applications", no_args_is_help=True)

    @app.command(help="登记应用并打印密钥 Register an application and print its secret.")
    def add(  # noqa: PLR0917 - options of a command
        client_id: str,
        name: Annotated[str, typer.Option(help="名称 Name shown to people.")] = "",
        redirect_uri: Annotated[list[str] | None, typer.Option(help="登录回调地址 For logins; repeatable.")] = None,
        post_logout_redirect_uri: Annotated[list[str] | None, typer.Option(help="退出后的地址 After logout.")] = None,
        scope: Annotated[
            list[str] | None, typer.Option(help="openid, profile, roles, licence:issue …; repeatable.")
        ] = None,
        public: Annotated[bool, typer.Option("--public", help="无法保守密钥的应用 It cannot keep a secret.")] = False,
    ) -> None:
        registration = Registration(
            client_id=client_id,
            name=name or client_id,
            is_public=public,
            redirect_uris=tuple(redirect_uri or ()),
            post_logout_redirect_uris=tuple(post_logout_redirect_uri or ()),
            scopes=frozenset(scope or ()),
        )
        with open_service() as service:
            secret = service.applications.register(registration, actor=_ACTOR)
        if secret is None:
            typer.echo(f"{client_id}: a public client, without a secret")
        else:
            _print_secret("应用密钥 client secret, shown only now", secret)

    @app.command(help="停用应用 Stop an application and all of its tokens.")
    def disable(client_id: str) -> None:
        with open_service() as service:
            service.applications.disable(client_id, actor=_ACTOR)
        typer.echo(f"{client_id}: disabled")

    @app.command("list", help="列出应用 List applications.")
    def list_clients(
        as_json: Annotated[bool, typer.Option("--json")] = False,
        after: Annotated[str, typer.Option(help="从此标识之后开始 Start after this identifier.")] = "",
    ) -> None:
        with open_service() as service:
            clients = service.applications.clients(after=after, limit=_PAGE)
        rows = [
            {
                "client_id": client.client_id,
                "name": client.name,
                "public": client.is_public,
                "grant_types": " ".join(sorted(client.grant_types)),
                "scopes": " ".join(sorted(client.scopes)),
                "redirect_uris": " ".join(client.redirect_uris),
            }
            for client in clients
        ]
        _print_rows(rows, as_json=as_json)

    return app


def _print_secret(meaning: str, secret: str) -> None:
    typer.echo(f"{meaning}:", err=True)
    typer.echo(secret)


def _print_rows(rows: Sequence[Mapping[str, object]], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    table = Table(*(rows[0] if rows else ("–",)))
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row.values()))
    Console().print(table)
