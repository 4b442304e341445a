"""``xinyin hsm ceremony FILE``, and ``check``, ``review``, ``run``, ``list``, ``transcript``, ``verify``."""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from typer.core import TyperGroup

from hsm.cli.approvals import OpenApprovals
from hsm.cli.keys import command_line_actor
from hsm.core.ceremony import MIN_REVIEWERS, file_digest, parse
from hsm.core.ceremony_judgement import verify_transcript
from hsm.core.ceremony_plan import plan
from hsm.core.ceremony_print import checklist, transcript_html, transcript_markdown
from hsm.core.ceremony_transcript import read_transcript
from hsm.keys.ceremony import Ceremonies
from hsm.keys.ceremony_states import StepState, Transcript
from hsm.service import HsmService
from trustcore.console import print_report, printable
from trustcore.errors import BusyError, MalformedError, NotFoundError, RejectedError
from trustcore.x509.certificate import decode_pem, encode_pem

__all__ = ["add_ceremony_commands"]

_DIGEST_SHOWN = 8
"""Hexadecimal digits of the digest that a reviewer copies from his paper."""
_LONG = 60
_UNREADABLE = "hsm.ceremony.unreadable"

OpenService = Callable[[], AbstractContextManager[HsmService]]
File = Annotated[Path, typer.Argument(metavar="FILE", help="仪式文件 The ceremony file (TOML).")]


class _RunByDefault(TyperGroup):
    """``ceremony FILE`` is ``ceremony run FILE``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer does not export its context
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["run", *args]
        return super().parse_args(ctx, args)


def add_ceremony_commands(
    app: typer.Typer, open_service: OpenService, open_approvals: OpenApprovals | None = None
) -> None:
    """Add ``ceremony`` to ``app``, over a service that its commands open and close.

    Reviewers can prove who they are when persons can be known.
    """
    ceremony = typer.Typer(
        cls=_RunByDefault,
        help="密钥仪式 Key ceremonies: reviewed files, followed step by step, with a signed transcript",
        no_args_is_help=True,
    )
    app.add_typer(ceremony, name="ceremony")
    _add_preparation(ceremony, open_service)
    _add_review(ceremony, open_service, open_approvals)
    _add_run(ceremony, open_service)
    _add_transcripts(ceremony, open_service)


def _add_preparation(app: typer.Typer, open_service: OpenService) -> None:
    @app.command(help="检查文件并打印清单 Check a file and print its script and digest.")
    def check(file: File, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
        data = _read(file)
        read = parse(data)
        if not as_json:
            typer.echo(checklist(data, read), nl=False)
            return
        steps = [
            {"number": s.number, "kind": s.kind, "subject": s.subject, "zh": s.zh, "en": s.en,
             "expected": dict(s.expected)}
            for s in plan(read)
        ]  # fmt: skip
        typer.echo(json.dumps({"sm3": file_digest(data).hex(), "steps": steps}, ensure_ascii=False, indent=2))

    @app.command(help="列出加密机，写法同文件 Print the machines as a ceremony file has them.")
    def machines() -> None:
        with open_service() as service:
            found = service.ceremonies.machines()
        for name, facts in found.items():
            lines = {"name": name} | {key: value for key, value in facts.items() if key != "software" and value}
            # JSON's strings are TOML's basic strings.
            table = [f"{key} = {json.dumps(printable(value), ensure_ascii=False)}" for key, value in lines.items()]
            _say("\n".join(["[[machine]]", *table, ""]))


def _add_review(app: typer.Typer, open_service: OpenService, open_approvals: OpenApprovals | None) -> None:
    @app.command(help="审核文件 Approve a file; two persons of the file have to.")
    def review(
        file: File,
        reviewer: Annotated[str, typer.Option("--as", metavar="NAME", help="审核人 Name as in the file.")],
        digest: Annotated[
            str | None, typer.Option(metavar="HEX", help="SM3 of the file as on your paper; asked for by default.")
        ] = None,
        user: Annotated[
            str | None, typer.Option(metavar="USER", help="用户名 User name; the password is asked for.")
        ] = None,
    ) -> None:
        data = _read(file)
        parse(data)
        _check_digest(data, digest)
        if user is None or open_approvals is None:
            with open_service() as service:
                reviews = service.ceremonies.review(data, reviewer, login=command_line_actor())
        else:
            with open_approvals() as (service, persons):
                person = persons.verify(user, typer.prompt("口令 Password", hide_input=True))
                reviews = service.ceremonies.review(data, reviewer, login=person)
        for done in reviews:
            _say(f"✔ {done.reviewer}  {done.at:%Y-%m-%d %H:%M:%S} UTC")
        missing = MIN_REVIEWERS - len(reviews)
        _say(f"还需 {missing} 人 {missing} more to go" if missing > 0 else "可以开始 The ceremony may begin")


def _check_digest(data: bytes, digest: str | None) -> None:
    """Let pass whoever has the same file on paper."""
    expected = file_digest(data).hex()
    said = digest or typer.prompt(f"SM3 的前 {_DIGEST_SHOWN} 位 First {_DIGEST_SHOWN} digits of the SM3 on your paper")
    said = said.strip().lower()
    if len(said) < _DIGEST_SHOWN or not expected.startswith(said):
        raise RejectedError(
            "The digest is not that of this file; the paper shows another version.", code="hsm.ceremony.digest"
        )


def _add_run(app: typer.Typer, open_service: OpenService) -> None:
    @app.command(help="逐步执行；中断后接着做 Follow the script; go on where it was cut off.")
    def run(
        file: File,
        yes: Annotated[
            bool, typer.Option("--yes", help="演练：不逐步确认 Rehearse on software machines, unasked.")
        ] = False,
    ) -> None:
        data = _read(file)
        with open_service() as service:
            ceremonies = service.ceremonies
            identifier = ceremonies.begin(data, rehearsal=yes)
            _say(f"仪式 Ceremony {identifier}")
            master = ceremonies.file(identifier).master.name
            for state in ceremonies.steps(identifier):
                _do_step(ceremonies, identifier, state, master=master, yes=yes)
            transcript = ceremonies.transcript(identifier)
        _say(f"已签署 Signed: xinyin hsm ceremony transcript {transcript.id}")

    @app.command("list", help="列出仪式 List ceremonies, the newest first.")
    def list_ceremonies() -> None:
        with open_service() as service:
            found = service.ceremonies.ceremonies()
        table = Table(title=f"密钥仪式 Key ceremonies: {len(found)}", title_justify="left")
        for heading in ("编号 Number", "名称 Title", "步骤 Steps", "开始 Begun (UTC)", "结束 Ended (UTC)"):
            table.add_column(heading, overflow="fold")
        for status in found:
            mark = " 演练 rehearsal" if status.rehearsal else ""
            ended = f"{status.finished_at:%Y-%m-%d %H:%M:%S}" if status.finished_at else ""
            table.add_row(
                status.id, escape(status.title) + mark, f"{status.confirmed}/{status.steps}",
                f"{status.started_at:%Y-%m-%d %H:%M:%S}", ended,
            )  # fmt: skip
        Console().print(table)


def _do_step(ceremonies: Ceremonies, identifier: str, state: StepState, *, master: str, yes: bool) -> None:
    number = state.planned.number
    _say(f"\n{number}. {state.planned.zh}\n   {state.planned.en}")
    if state.confirmed_by is not None:
        _say(f"   ✔ {state.confirmed_by}")
        return
    done = ceremonies.act(identifier, number)
    assert done.actual is not None
    for name, value in _shown(done.actual).items():
        expected = done.planned.expected.get(name)
        wrong = f"   ✘ 预期 expected: {expected}" if name in done.differs else ""
        _say(f"   {name}: {value}{wrong}")
    person = master if yes or done.differs else typer.prompt("   确认人 Confirmed by", default=master)
    _say(f"   ✔ {ceremonies.confirm(identifier, number, person.strip()).confirmed_by}")


def _shown(actual: Mapping[str, str]) -> Mapping[str, str]:
    return {
        name: value
        for name, value in actual.items()
        if len(value) <= _LONG or not name.startswith(("public_key", "req"))
    }


def _add_transcripts(app: typer.Typer, open_service: OpenService) -> None:
    @app.command(help="写出已签署的记录 Write the signed transcript of a ceremony, and its certificate requests.")
    def transcript(
        identifier: Annotated[str, typer.Argument(metavar="ID", help="编号 Its number.")],
        out: Annotated[Path, typer.Option(help="文件夹 Folder to write to.")] = Path(),
    ) -> None:
        with open_service() as service:
            made = service.ceremonies.transcript(identifier)
        for name, content in _files(made).items():
            _write(out, name, content)
            _say(str(out / name))

    @app.command("audit-key", help="写出审计公钥 Write the public key that signs transcripts, to be kept elsewhere.")
    def audit_key(
        out: Annotated[Path, typer.Option(metavar="PEM", help="文件 File to write.")] = Path("audit-key.pem"),
    ) -> None:
        with open_service() as service:
            content = encode_pem("PUBLIC KEY", service.ceremonies.audit_key())
        _write(out.parent, out.name, content)
        _say(str(out))

    @app.command(help="验证记录 Judge a transcript from its files; 0 valid, 1 not valid, 2 cannot tell.")
    def verify(
        file: Annotated[
            Path, typer.Argument(metavar="TRANSCRIPT", help="记录 The .json file; .sig and .pem (and .p7s) beside it.")
        ],
        key: Annotated[
            Path | None, typer.Option(metavar="PEM", help="可信的审计公钥 The audit key, from elsewhere.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        data = _read(file)
        report = verify_transcript(
            data,
            _read(file.with_suffix(".sig")),
            _read_key(file.with_suffix(".pem")),
            trusted_key_der=None if key is None else _read_key(key),
            cms_der=_read(cms) if (cms := file.with_suffix(".p7s")).exists() else None,
        )
        print_report(report, file_name=file.name, data=data, as_json=as_json)
        raise typer.Exit(report.verdict.exit_code)


def _files(made: Transcript) -> Mapping[str, bytes]:
    """What stays of a ceremony, by file name; the labels of keys are no file names."""
    content = read_transcript(made.data)
    requests = {
        f"{made.id}-request-{number}.pem": encode_pem("CERTIFICATE REQUEST", der)
        for number, der in enumerate(made.requests.values(), start=1)
    }
    detached = {} if made.cms is None else {f"{made.id}.p7s": made.cms}
    return {
        f"{made.id}.json": made.data,
        f"{made.id}.sig": made.signature,
        f"{made.id}.pem": encode_pem("PUBLIC KEY", made.public_key_der),
        f"{made.id}.md": transcript_markdown(content, made.file, made.data).encode(),
        f"{made.id}.html": transcript_html(content, made.file, made.data).encode(),
        **detached,
        **requests,
    }


def _say(text: str) -> None:
    """Print text that may come from a file."""
    for line in text.split("\n"):
        typer.echo(printable(line))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise NotFoundError(f"The file {file} cannot be read: {error.strerror}.", code=_UNREADABLE) from error


def _read_key(file: Path) -> bytes:
    for label, der in decode_pem(_read(file)):
        if label == "PUBLIC KEY":
            return der
    raise MalformedError(f"The file {file} holds no public key in PEM.", code=_UNREADABLE)


def _write(folder: Path, name: str, content: bytes) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    except OSError as error:
        raise BusyError(
            f"{folder / name} cannot be written: {error.strerror}.", code="hsm.ceremony.unwritable"
        ) from error
