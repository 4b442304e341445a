"""openid-client, a certified relying party from npm, goes through a login at ``xinyin serve``.

The server runs on a free port of the loopback address with the state that ``make demo`` left; person and application
are made for this one judgement and disabled after it.
"""

import json
import os
import secrets
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from exhibits import Exhibits
from verdict import Verdict, need, run

JUDGE = "openid-client"
PROGRAM = Path(__file__).with_name("openid-client")
ROOT = Path(__file__).resolve().parents[2]
XINYIN = ROOT / ".venv" / "bin" / "xinyin"
CALLBACK = "http://127.0.0.1:9/callback"
GOODBYE = "http://127.0.0.1:9/goodbye"
START_SECONDS = 60


def judge(exhibits: Exhibits, scratch: Path) -> list[Verdict]:
    """Start the server, let openid-client log in and out, and show it altered answers."""
    del exhibits
    node, npm = need("node", "nodejs"), need("npm", "npm")
    if not (PROGRAM / "node_modules" / "openid-client").is_dir():
        installed = run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=PROGRAM, timeout=300)
        if installed.status != 0:
            message = f"npm could not install the judge: {installed.last_line()}"
            raise RuntimeError(message)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    address = {"XINYIN_PUBLIC_URL": f"http://127.0.0.1:{port}"}
    name = f"judge-{secrets.token_hex(4)}"
    with _registered(name, address) as settings, _served(port, address, scratch / "serve.log"):
        answer = run([node, "judge.mjs"], cwd=PROGRAM, env={**address, **settings}, timeout=120)
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


def _command(arguments: list[str], address: Mapping[str, str]) -> str:
    """Run ``xinyin`` and return the last line it printed, where it puts what is secret."""
    answer = run([XINYIN, *arguments], cwd=ROOT, env=address)
    if answer.status != 0:
        message = f"xinyin {' '.join(arguments[:3])} failed: {answer.last_line()}"
        raise RuntimeError(message)
    return answer.printed.strip().splitlines()[-1]


@contextmanager
def _registered(name: str, address: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """A person and an application for this judgement only; yields the judge's settings."""
    password = _command(["sso", "user", "add", name, "--name", "裁判"], address)
    scopes = [word for scope in ("openid", "profile", "roles") for word in ("--scope", scope)]
    places = ["--redirect-uri", CALLBACK, "--post-logout-redirect-uri", GOODBYE]
    try:
        secret = _command(["sso", "client", "add", name, *places, *scopes], address)
        try:
            yield {
                "XINYIN_ISSUER": f"{address['XINYIN_PUBLIC_URL']}/sso",
                "XINYIN_CLIENT_ID": name,
                "XINYIN_CLIENT_SECRET": secret,
                "XINYIN_REDIRECT_URI": CALLBACK,
                "XINYIN_POST_LOGOUT_REDIRECT_URI": GOODBYE,
                "XINYIN_USERNAME": name,
                "XINYIN_PASSWORD": password,
                "XINYIN_NEW_PASSWORD": secrets.token_urlsafe(16),
            }
        finally:
            _command(["sso", "client", "disable", name], address)
    finally:
        _command(["sso", "user", "disable", name], address)


@contextmanager
def _served(port: int, address: Mapping[str, str], log: Path) -> Iterator[None]:
    """``xinyin serve`` until the block ends; it is stopped by its own process id."""
    with log.open("wb") as output:
        server = subprocess.Popen(
            [XINYIN, "serve", "--host", "127.0.0.1", "--port", str(port)],
            cwd=ROOT,
            env={**os.environ, **address},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_it_answers(server, port, log)
            yield
        finally:
            server.terminate()
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_until_it_answers(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    message = f"xinyin serve did not answer: {said[-1] if said else 'it said nothing'}"
    raise RuntimeError(message)
