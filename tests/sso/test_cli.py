"""``xinyin sso …``."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from click.testing import Result
from typer.testing import CliRunner

from sso.cli import build_cli
from sso.core.errors import OAuthError
from sso.logins import Credentials
from sso.service import SsoService
from trustcore.errors import ConflictError, MalformedError, RejectedError

from support.identity import World


class Shell:
    def __init__(self, world: World) -> None:
        @contextmanager
        def open_service() -> Iterator[SsoService]:
            yield world.service

        self._app = build_cli(open_service)

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(self._app, list(arguments))


@pytest.fixture
def shell(world: World) -> Shell:
    return Shell(world)


def test_a_person_is_added_and_the_password_stands_alone(shell: Shell, world: World) -> None:
    done = shell.run("user", "add", "carol", "--name", "李雷", "--role", "audit-administrator")
    assert done.exit_code == 0
    password = done.stdout.strip()
    assert "\n" not in password
    with pytest.raises(RejectedError) as caught:
        world.service.login(Credentials(username="carol", password=password, address=""), previous=None)
    assert caught.value.code == "sso.login.password-change-required"
    (carol,) = [one for one in json.loads(shell.run("user", "list", "--json").stdout) if one["username"] == "carol"]
    assert carol["roles"] == "audit-administrator"
    assert password not in shell.run("user", "list").stdout


def test_a_password_is_reset_and_a_person_stopped(shell: Shell) -> None:
    assert shell.run("user", "password", "alice").stdout.strip()
    assert shell.run("user", "disable", "alice").exit_code == 0
    assert json.loads(shell.run("user", "list", "--json").stdout)[0]["disabled"] is True


def test_a_client_is_added_and_its_secret_works(shell: Shell, world: World) -> None:
    done = shell.run("client", "add", "machine", "--scope", "seal:sign", "--scope", "licence:issue")
    secret = done.stdout.strip()
    form = f"grant_type=client_credentials&client_id=machine&client_secret={secret}"
    assert world.service.token(form, authorization=None)["scope"] == "licence:issue seal:sign"
    listed = shell.run("client", "list", "--json").stdout
    assert secret not in listed
    assert {one["client_id"] for one in json.loads(listed)} == {"app", "machine"}
    assert shell.run("client", "disable", "machine").exit_code == 0
    with pytest.raises(OAuthError):
        world.service.token(form, authorization=None)


def test_a_public_client_has_no_secret(shell: Shell) -> None:
    done = shell.run(
        "client", "add", "spa", "--public", "--scope", "openid", "--redirect-uri", "https://spa.example.cn/cb"
    )
    assert "without a secret" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("user", "add", "alice"), ConflictError),
        (("user", "add", "a b"), MalformedError),
        (("client", "add", "app", "--scope", "seal:sign"), ConflictError),
        (("client", "add", "x", "--scope", "openid", "--redirect-uri", "http://evil.example/cb"), MalformedError),
    ],
)
def test_refusals_are_the_products_errors(shell: Shell, arguments: tuple[str, ...], error: type[Exception]) -> None:
    done = shell.run(*arguments)
    assert done.exit_code != 0
    assert isinstance(done.exception, error)


def test_lists_are_tables_for_people(shell: Shell) -> None:
    assert "alice" in shell.run("user", "list").stdout
    assert "app" in shell.run("client", "list").stdout


def test_what_counts_no_more_is_deleted_after_two_days(shell: Shell, world: World) -> None:
    world.redeem(world.code(world.session()))
    assert shell.run("purge").stdout.strip() == "0 rows deleted"
    world.clock.advance(days=2, minutes=11)
    assert shell.run("purge").stdout.strip() != "0 rows deleted"
    assert shell.run("purge").stdout.strip() == "0 rows deleted"
    assert world.session()
