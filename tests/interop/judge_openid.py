"""openid-client, a certified relying party from npm, goes through a login at ``xinyin serve``.

The server runs on a free port of the loopback address with the state that ``make demo`` left; person and application
are made for this one judgement and disabled after it.
"""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exhibits import Exhibits
from served import command, free_port, served
from verdict import Verdict, need, run

JUDGE = "openid-client"
PROGRAM = Path(__file__).with_name("openid-client")
CALLBACK = "http://127.0.0.1:9/callback"
GOODBYE = "http://127.0.0.1:9/goodbye"


def judge(exhibits: Exhibits, scratch: Path) -> list[Verdict]:
    """Start the server, let openid-client log in and out, and show it altered answers."""
    del exhibits
    node, npm = need("node", "nodejs"), need("npm", "npm")
    if not (PROGRAM / "node_modules" / "openid-client").is_dir():
        installed = run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=PROGRAM, timeout=300)
        if installed.status != 0:
            message = f"npm could not install the judge: {installed.last_line()}"
            raise RuntimeError(message)
    port = free_port()
    name = f"judge-{secrets.token_hex(4)}"
    with _registered(name, port) as settings, served(port, scratch / "serve.log") as address:
        answer = run([node, "judge.mjs"], cwd=PROGRAM, env={**settings, "XINYIN_ISSUER": f"{address}/sso"}, timeout=120)
    try:
        report = json.loads(answer.printed)
    except json.JSONDecodeError:
        message = f"openid-client did not report: {answer.last_line()}"
        raise RuntimeError(message) from None
    failed = [f"{one['step']}: {one.get('problem')}" for one in report["accepted"] if not one["accepted"]]
    if report["problem"] is not None and not failed:
        failed.append(report["problem"])
    steps = ", ".join(one["step"] for one in report["accepted"])
    return [
        Verdict(
            judge=JUDGE,
            version=report["software"]["openid-client"],
            judged=f"OpenID Connect at `xinyin serve`: {steps}",
            problem="; ".join(failed) or None,
            tampered=", ".join(one["altered"] for one in report["refused"]) or "none was reached",
            tolerated=tuple(one["altered"] for one in report["refused"] if not one["refused"]),
        )
    ]


@contextmanager
def _registered(name: str, port: int) -> Iterator[dict[str, str]]:
    """A person and an application for this judgement only; yields the judge's settings."""
    password = command(["sso", "user", "add", name, "--name", "裁判"], port)
    scopes = [word for scope in ("openid", "profile", "roles") for word in ("--scope", scope)]
    places = ["--redirect-uri", CALLBACK, "--post-logout-redirect-uri", GOODBYE]
    try:
        secret = command(["sso", "client", "add", name, *places, *scopes], port)
        try:
            yield {
                "XINYIN_CLIENT_ID": name,
                "XINYIN_CLIENT_SECRET": secret,
                "XINYIN_REDIRECT_URI": CALLBACK,
                "XINYIN_POST_LOGOUT_REDIRECT_URI": GOODBYE,
                "XINYIN_USERNAME": name,
                "XINYIN_PASSWORD": password,
                "XINYIN_NEW_PASSWORD": secrets.token_urlsafe(16),
            }
        finally:
            command(["sso", "client", "disable", name], port)
    finally:
        command(["sso", "user", "disable", name], port)
