"""``xinyin hsm keys`` and ``xinyin hsm key …``: the inventory, and the life of each key."""

import getpass
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hsm.core.lifecycle import KeyState, SecretAlgorithm
from hsm.service import HsmService, KeyStatus
from hsm.store.key_imports import ImportForm
from hsm.store.keys import KeyFilter, NewKey
from trustcore.console import printable
from trustcore.crypto.algorithms import KeyAlgorithm
from trustcore.errors import MalformedError, NotFoundError
from trustcore.signing import KeyPurpose
from trustcore.x509.certificate import Certificate, decode_pem, encode_pem, load_pem_bundle

__all__ = ["add_key_commands", "command_line_actor", "key_json"]

_PAGE = 200
_STATES = {
    KeyState.GENERATED: "未启用 generated",
    KeyState.ACTIVE: "[green]启用 active[/]",
    KeyState.SUSPENDED: "[yellow]停用 suspended[/]",
    KeyState.RETIRED: "[yellow]退役 retired[/]",
    KeyState.DESTROYED: "[red]销毁 destroyed[/]",
}
_PURPOSES = {
    KeyPurpose.SIGNING: "通用 signing",
    KeyPurpose.CA: "证书认证 CA",
    KeyPurpose.SEAL: "印章 seal",
    KeyPurpose.AUDIT: "审计 audit",
    KeyPurpose.ENCRYPTION: "加密 encryption",
}
_PEM = "PUBLIC KEY"

OpenService = Callable[[], AbstractContextManager[HsmService]]
AsJson = Annotated[bool, typer.Option("--json", help="以 JSON 输出 Print JSON.")]
Label = Annotated[str, typer.Argument(metavar="LABEL", help="密钥标签 Label of the key.")]
Yes = Annotated[bool, typer.Option("--yes", help="不再确认 Do not ask.")]
Purpose = Annotated[KeyPurpose, typer.Option(help="用途 What it is for.")]
Limit = Annotated[int | None, typer.Option(min=1, help="使用次数上限 How often it may be used in its life.")]
NotBefore = Annotated[datetime | None, typer.Option(help="签名起始时间 It signs from then on (UTC).")]
NotAfter = Annotated[datetime | None, typer.Option(help="签名截止时间 It signs until then (UTC).")]
Title = Annotated[str | None, typer.Option(help="名称 What people call it.")]


def add_key_commands(app: typer.Typer, open_service: OpenService) -> None:
    """Add ``keys`` and ``key`` to ``app``, over a service that each command opens and closes."""
    group = typer.Typer(help="单个密钥的生命周期 The life of one key", no_args_is_help=True)
    app.add_typer(group, name="key")
    _add_list(app, open_service)
    _add_making(group, open_service)
    _add_life(group, open_service)
    _add_facts(group, open_service)
    _add_moves(group, open_service)


def command_line_actor() -> str:
    """Who acts at the command line: the account of the operating system, which no approval accepts."""
    return f"cli:{getpass.getuser()}"


def key_json(key: KeyStatus) -> dict[str, object]:
    """A key as JSON-ready data; ``public_key_der`` is hexadecimal, times are RFC 3339."""
    return {
        "label": key.label,
        "title": key.title,
        "uri": key.uri,
        "algorithm": key.algorithm.value,
        "purpose": key.purpose.value,
        "state": key.state.value,
        "public_key_der": key.public_key_der.hex(),
        "machines": list(key.machines),
        "missing": list(key.missing),
        "sealed": key.sealed,
        "exportable": key.exportable,
        "used": key.used,
        "usage_limit": key.usage_limit,
        "created_at": _rfc3339(key.created_at),
        "activated_at": _rfc3339(key.activated_at),
        "retired_at": _rfc3339(key.retired_at),
        "destroyed_at": _rfc3339(key.destroyed_at),
        "not_before": _rfc3339(key.not_before),
        "not_after": _rfc3339(key.not_after),
    }


def _add_list(app: typer.Typer, open_service: OpenService) -> None:
    @app.command(help="列出密钥及所在加密机 List the keys and the machines that hold them.")
    def keys(
        state: Annotated[KeyState | None, typer.Option(help="只看此状态 Only in this state.")] = None,
        purpose: Annotated[KeyPurpose | None, typer.Option(help="只看此用途 Only for this purpose.")] = None,
        algorithm: Annotated[str | None, typer.Option(help="只看此算法 Only of this algorithm: sm2, sm4 …")] = None,
        machine: Annotated[str | None, typer.Option(help="只看此加密机 Only in this machine.")] = None,
        as_json: AsJson = False,
    ) -> None:
        wanted = KeyFilter(state=state, purpose=purpose, algorithm=algorithm, machine=machine)
        found: list[KeyStatus] = []
        with open_service() as service:
            while page := service.keys(after=found[-1].label if found else "", limit=_PAGE, wanted=wanted):
                found += page
        if as_json:
            typer.echo(json.dumps([key_json(key) for key in found], ensure_ascii=False, indent=2))
        else:
            _print_keys(found)


def _add_making(app: typer.Typer, open_service: OpenService) -> None:
    @app.command(help="生成密钥 Make a key; a CA key once two persons have agreed.")
    def generate(  # noqa: PLR0913, PLR0917 - one parameter for each option
        label: Label,
        algorithm: Annotated[str, typer.Option(help="sm2, rsa-2048, rsa-3072, ec-p256, sm4")] = "sm2",
        purpose: Purpose = KeyPurpose.SIGNING,
        inactive: Annotated[bool, typer.Option(help="暂不启用 Do not take it into use yet.")] = False,
        exportable: Annotated[bool, typer.Option(help="可封装导出 It may leave, wrapped; never sealed.")] = False,
        limit: Limit = None,
        not_before: NotBefore = None,
        not_after: NotAfter = None,
        title: Title = None,
        as_json: AsJson = False,
    ) -> None:
        new = NewKey(
            label=label, algorithm=_algorithm(algorithm), purpose=purpose, activate=not inactive,
            exportable=exportable, usage_limit=limit, not_before=_utc(not_before), not_after=_utc(not_after),
            title=title,
        )  # fmt: skip
        with open_service() as service:
            made = service.make(new, actor=command_line_actor())
        _print_key(made, (), as_json=as_json)


def _add_life(app: typer.Typer, open_service: OpenService) -> None:
    def do(act: Callable[[HsmService], Callable[..., KeyStatus]], label: str) -> None:
        with open_service() as service:
            status = act(service)(label, actor=command_line_actor())
        Console().print(f"{escape(label)}: {_STATES[status.state]}", soft_wrap=True)

    @app.command(help="启用 Take a key into use, or into use again.")
    def activate(label: Label) -> None:
        do(lambda service: service.activate, label)

    @app.command(help="停用 Stop a key for a while; other processes stop within two seconds.")
    def suspend(label: Label) -> None:
        do(lambda service: service.suspend, label)

    @app.command(help="退役 End a key's signing for good; it still decrypts.")
    def retire(label: Label, yes: Yes = False) -> None:
        _confirm(yes, f"{label}: 退役后不能再签名，不可恢复 It will never sign again. 继续 Go on?")
        do(lambda service: service.retire, label)

    @app.command(help="销毁 Destroy a key in every machine, for good; a CA key once two persons have agreed.")
    def destroy(label: Label, yes: Yes = False) -> None:
        if not yes:
            typed = typer.prompt(f"销毁不可恢复。请输入标签 There is no way back. Type the label {printable(label)}")
            if typed != label:
                raise typer.Abort
        with open_service() as service:
            status = service.destroy(label, actor=command_line_actor())
        Console().print(f"{escape(label)}: {_STATES[status.state]}", soft_wrap=True)
        if status.machines:
            waiting = ", ".join(status.machines)
            typer.echo(f"待其恢复后销毁 Destroyed there when they are back: {waiting}")


def _add_facts(app: typer.Typer, open_service: OpenService) -> None:
    @app.command(help="显示一个密钥 Show one key, its use and its certificates.")
    def show(label: Label, as_json: AsJson = False) -> None:
        with open_service() as service:
            status, certificates = service.key(label), service.certificates(label)
        _print_key(status, certificates, as_json=as_json)

    @app.command(help="设置使用次数上限 Set how often a key may be used in its life.")
    def limit(
        label: Label,
        uses: Annotated[int | None, typer.Argument(min=1, help="次数 How often.")] = None,
        none: Annotated[bool, typer.Option("--none", help="取消上限 No limit.")] = False,
    ) -> None:
        if none == (uses is not None):
            message = "请给出次数或 --none Give a number, or --none."
            raise typer.BadParameter(message)
        with open_service() as service:
            status = service.set_limit(label, uses, actor=command_line_actor())
        typer.echo(f"{label}: {_uses(status)}")

    @app.command(help="设置名称 Set what people call a key; its label stays.")
    def title(
        label: Label, text: Annotated[str, typer.Argument(help="名称；空则删除 The title; empty: none.")]
    ) -> None:
        with open_service() as service:
            service.rename(label, text or None, actor=command_line_actor())
        typer.echo(f"{label}: {text}")

    @app.command(help="限定用途 Say what a key of the general purpose is for from now on.")
    def purpose(label: Label, value: Annotated[KeyPurpose, typer.Argument(metavar="PURPOSE")]) -> None:
        with open_service() as service:
            status = service.assign(label, value, actor=command_line_actor())
        typer.echo(f"{label}: {_PURPOSES[status.purpose]}")

    @app.command(help="关联证书 Record the certificates over a key.")
    def link(label: Label, file: Annotated[Path, typer.Argument(help="PEM 或 DER 证书文件 PEM or DER.")]) -> None:
        data = _read(file)
        ders = [certificate.der for certificate in load_pem_bundle(data)]
        with open_service() as service:
            for der in ders:
                service.link_certificate(label, der, actor=command_line_actor())
        typer.echo(f"{label}: {len(ders)}")


def _add_moves(app: typer.Typer, open_service: OpenService) -> None:
    @app.command("import-begin", help="生成传输公钥 Make the transport key for a key from elsewhere; print it as PEM.")
    def import_begin(
        label: Label,
        form: Annotated[ImportForm, typer.Option(help="封装形式 How the key will come.")] = ImportForm.RSA_AES,
    ) -> None:
        with open_service() as service:
            offer = service.begin_import(label, form=form, actor=command_line_actor())
        assert offer.transport_key_der is not None
        typer.echo(encode_pem(_PEM, offer.transport_key_der).decode(), nl=False)
        print(f"有效至 valid until {_rfc3339(offer.expires_at)}", file=sys.stderr)  # noqa: T201 - beside the PEM

    @app.command("import", help="导入封装的密钥 Bring in a key that was wrapped under the transport key.")
    def import_(  # noqa: PLR0917 - one parameter for each option
        label: Label,
        wrapped: Annotated[Path, typer.Argument(help="封装的私钥 RSA-OAEP ‖ AES-KWP(PKCS#8), or SM2EnvelopedKey.")],
        public_key: Annotated[Path, typer.Argument(help="公钥 The public key, PEM or DER.")],
        algorithm: Annotated[str, typer.Option(help="sm2, rsa-2048, rsa-3072, ec-p256")] = "sm2",
        purpose: Purpose = KeyPurpose.SIGNING,
        limit: Limit = None,
        exportable: Annotated[bool, typer.Option(help="可再次封装导出 It may leave again, wrapped.")] = False,
        as_json: AsJson = False,
    ) -> None:
        new = NewKey(
            label=label, algorithm=_algorithm(algorithm), purpose=purpose, usage_limit=limit, exportable=exportable
        )
        with open_service() as service:
            status = service.finish_import(new, _public_key(public_key), _read(wrapped), actor=command_line_actor())
        _print_key(status, (), as_json=as_json)

    @app.command(help="封装导出 Wrap an exportable key for a recipient's RSA key; a CA key once two have agreed.")
    def export(
        label: Label,
        recipient: Annotated[Path, typer.Argument(help="接收方公钥 The recipient's RSA public key, PEM or DER.")],
        out: Annotated[Path, typer.Option("--out", help="输出文件 File to write.")],
        yes: Yes = False,
    ) -> None:
        if out.exists():
            message = f"文件已存在 There is a file {out} already."
            raise typer.BadParameter(message)
        recipient_key_der = _public_key(recipient)
        _confirm(yes, f"{label}: 密钥副本将离开本系统 A copy of the key will leave. 继续 Go on?")
        with open_service() as service:
            gone = service.export(label, recipient_key_der, actor=command_line_actor())
        out.touch(mode=0o600)
        out.write_bytes(gone.wrapped)
        typer.echo(f"{label}: {out} ({len(gone.wrapped)} bytes)")


def _confirm(yes: bool, question: str) -> None:
    if not yes:
        typer.confirm(printable(question), abort=True)


def _algorithm(text: str) -> str:
    known = [*KeyAlgorithm, *SecretAlgorithm]
    if text not in known:
        message = f"已知算法 known algorithms: {', '.join(known)}"
        raise typer.BadParameter(message)
    return text


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise NotFoundError(
            f"The file {file.name} cannot be read: {error.strerror}.", code="hsm.file.unreadable"
        ) from error


def _public_key(file: Path) -> bytes:
    data = _read(file)
    if not data.lstrip().startswith(b"-----BEGIN"):
        return data
    ders = [der for label, der in decode_pem(data) if label == _PEM]
    if len(ders) != 1:
        raise MalformedError(f"The file {file.name} does not hold one public key.", code="hsm.file.public-key")
    return ders[0]


def _rfc3339(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def _uses(key: KeyStatus) -> str:
    return str(key.used) if key.usage_limit is None else f"{key.used} / {key.usage_limit}"


def _held(key: KeyStatus, separator: str = ", ") -> str:
    held = [escape(name) for name in key.machines]
    held += [f"[yellow]{escape(name)} (待补 to follow)[/]" for name in key.missing]
    return separator.join(held)


def _print_keys(found: Sequence[KeyStatus]) -> None:
    table = Table(title=f"密钥 Keys: {len(found)}", title_justify="left")
    # Few narrow columns: labels are copied into other commands, so they stay in one piece on 80 columns.
    for heading in ("密钥 Key", "状态 State\n次数 Used", "加密机\nMachines", "创建\nCreated (UTC)"):
        table.add_column(heading, overflow="fold")
    for key in found:
        name = escape(key.label) if key.title is None else f"{escape(key.label)}\n{escape(key.title)}"
        table.add_row(
            f"{name}\n[dim]{key.algorithm.value}, {_PURPOSES[key.purpose]}[/]",
            f"{_STATES[key.state]}\n{_uses(key)}",
            _held(key, "\n"),
            f"{key.created_at:%Y-%m-%d\n%H:%M:%S}",
        )
    Console().print(table)


def _print_key(key: KeyStatus, certificates: Sequence[bytes], *, as_json: bool) -> None:
    if as_json:
        body = key_json(key) | {"certificates": [der.hex() for der in certificates]}
        typer.echo(json.dumps(body, ensure_ascii=False, indent=2))
        return
    table = Table(title=f"密钥 Key: {escape(key.label)}", title_justify="left", show_header=False)
    rows = [
        ("名称 Title", escape(key.title or "")),
        ("URI", escape(key.uri)),
        ("算法 Algorithm", key.algorithm.value),
        ("用途 Purpose", _PURPOSES[key.purpose]),
        ("状态 State", _STATES[key.state]),
        ("次数 Used", _uses(key)),
        ("加密机 Machines", _held(key)),
        ("不可导出 Sealed", "✔" if key.sealed else "可封装导出 exportable" if key.exportable else "待补 to follow"),
    ]
    rows += [
        (heading, f"{moment:%Y-%m-%d %H:%M:%S} UTC")
        for heading, moment in (
            ("创建 Created", key.created_at), ("启用 Activated", key.activated_at), ("退役 Retired", key.retired_at),
            ("销毁 Destroyed", key.destroyed_at), ("起 Not before", key.not_before), ("止 Not after", key.not_after),
        )
        if moment is not None
    ]  # fmt: skip
    for der in certificates:
        certificate = Certificate.from_der(der)
        rows.append(("证书 Certificate", f"{escape(certificate.subject.text)}\n{certificate.fingerprint_sha256}"))
    for heading, value in rows:
        table.add_row(heading, value)
    Console().print(table)
