"""``xinyin hsm activate``, ``deactivate`` and ``shares split|status``. Nothing secret stands on a command line."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from io import StringIO
from typing import Annotated

import segno
import typer

from hsm.core.sealed_pins import GivenShares
from hsm.core.shamir import Share
from hsm.keys.activation import Activation
from trustcore.errors import MalformedError, RejectedError

__all__ = ["OpenActivation", "add_activation_commands"]

_TRIES = 5
"""How often one custodian may mistype."""

OpenActivation = Callable[[], AbstractContextManager[Activation]]


def add_activation_commands(app: typer.Typer, open_activation: OpenActivation) -> None:
    """Add the commands to ``app``; they need the settings and the database, and no machine."""

    @app.command(help="由 k 名分管员激活加密机 Let k custodians give their shares, and unlock the machines.")
    def activate(
        on_disk: Annotated[bool, typer.Option("--on-disk", help="Allow a pin_file that is not in memory.")] = False,
    ) -> None:
        with open_activation() as activation:
            given = activation.give()
            while given.missing:
                _take_share(given)
            machines = activation.activate(given, on_disk=on_disk)
        typer.echo(f"已激活 Activated: {', '.join(machines)}")

    @app.command(help="撤销激活 Take the PINs out of memory.")
    def deactivate() -> None:
        with open_activation() as activation:
            machines = activation.deactivate()
        typer.echo(f"已撤销 Deactivated: {', '.join(machines) or '–'}")
        typer.echo("运行中的服务在重启前仍保持登录 Running servers stay logged in until they are restarted")

    shares = typer.Typer(help="激活秘密的份额 Shares of the activation secret", no_args_is_help=True)
    app.add_typer(shares, name="shares")

    @shares.command(help="分成 n 份，任意 k 份可激活 Share the PINs among n custodians, of whom k activate.")
    def split(
        threshold: Annotated[int, typer.Option(metavar="K", help="需要的份数 Shares needed.")],
        custodians: Annotated[int, typer.Option(metavar="N", help="份数 Shares made.")],
        qr: Annotated[bool, typer.Option(help="同时显示二维码 Show each share as a QR code, too.")] = False,
    ) -> None:
        with open_activation() as activation:
            new = activation.share(_pins(activation), threshold=threshold, count=custodians)
            for share in new.shares:
                _hand_out(share, total=custodians, qr=qr)
            activation.commit(new)
        typer.echo(
            f"新的份额已生效，旧的作废 The new shares are in force, earlier ones void: {new.sealed.set_id.hex()}"
        )

    @shares.command(help="显示状态 Show what is shared and what is active.")
    def status() -> None:
        with open_activation() as activation:
            found = activation.status()
        if found.sealed is not None:
            sealed = found.sealed
            typer.echo(
                f"{sealed.threshold}/{sealed.shares}  {sealed.set_id.hex()}  {sealed.made_at:%Y-%m-%d %H:%M:%S} UTC"
            )
        if not found.machines:
            typer.echo("没有加密机使用份额激活 No machine's PIN is shared (pin_shares in the settings)")
        for name in found.machines:
            typer.echo(f"{name}: {'已激活 active' if name in found.active else '未激活 not active'}")


def _take_share(given: GivenShares) -> None:
    """Ask one custodian, who may mistype; nothing typed is shown or repeated."""
    for _ in range(_TRIES):
        typed = typer.prompt(f"份额 Share (还需 {given.missing} to go)", hide_input=True)
        try:
            given.add(typed)
        except (MalformedError, RejectedError) as error:
            typer.echo(error.detail, err=True)
        else:
            return
    raise RejectedError("Too many shares were refused; begin anew.", code="hsm.activation.tries")


def _pins(activation: Activation) -> dict[str, str]:
    """The PINs that can be read, and the others as they are typed."""
    pins = dict(activation.unsealed_pins())
    for name in activation.status().machines:
        if name not in pins:
            pins[name] = typer.prompt(f"PIN: {name}", hide_input=True, confirmation_prompt=True)
    return pins


def _hand_out(share: Share, *, total: int, qr: bool) -> None:
    """Show one share to its custodian alone, until he has copied it."""
    _clear()
    typer.echo(f"第 {share.index} 份，共 {total} 份；任意 {share.threshold} 份可激活。只有分管员本人在场时继续。")
    typer.echo(
        f"Share {share.index} of {total}; any {share.threshold} activate. Its custodian alone looks at the screen."
    )
    typer.prompt("回车显示 Enter shows it", default="", show_default=False)
    text = share.text()
    groups = text.split("-")
    for at in range(0, len(groups), 4):
        typer.echo("    " + "  ".join(groups[at : at + 4]))
    if qr:
        picture = StringIO()
        segno.make_qr(text, error="q").terminal(picture, compact=True)
        typer.echo(picture.getvalue())
    _have_typed_back(share)
    _clear()


def _clear() -> None:
    """Empty the screen, and what a terminal keeps of lines that rolled off it (ED 2 and ED 3 of xterm)."""
    if sys.stdout.isatty():
        typer.echo("\x1b[2J\x1b[3J\x1b[H", nl=False)


def _have_typed_back(share: Share) -> None:
    """Prove that the sheet can be read, before the share is gone from the screen."""
    while True:
        typed = typer.prompt("抄好后照纸输入以核对 Type it back from your sheet", hide_input=True)
        try:
            if Share.from_text(typed) == share:
                return
            typer.echo("这不是这一份 That is another share", err=True)
        except MalformedError as error:
            typer.echo(error.detail, err=True)
