"""``xinyin serve``: the web server, on IPv4 and IPv6."""

import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import uvicorn
from uvicorn.supervisors import Multiprocess

from trustapp.asgi import SERVICES
from trustcore.errors import BusyError, MalformedError

__all__ = ["LOOPBACK", "data_environment", "run_server"]

LOOPBACK = ("127.0.0.1", "::1")
"""Addresses that only this machine reaches."""

_BACKLOG = 2048


def run_server(
    hosts: tuple[str, ...],
    port: int,
    *,
    workers: int,
    only: tuple[str, ...],
    environment: Mapping[str, str],
    announce: Callable[[], None],
) -> None:
    """Serve until the process is told to stop (SIGINT, SIGTERM).

    Args:
        hosts: addresses to listen on.
        port: 0 takes any free port.
        workers: server processes.
        only: which services; all when empty.
        environment: what each server process reads its settings from.
        announce: called as soon as connections are taken.

    Raises:
        BusyError: ``serve.port`` when the port is taken.
        MalformedError: ``serve.only`` for an unknown service.
    """
    if unknown := [name for name in only if name not in SERVICES]:
        known = ", ".join(SERVICES)
        raise MalformedError(f"there is no service {unknown[0]}; there are {known}", code="serve.only")
    os.environ.update(environment, XINYIN_ONLY=",".join(only))
    sockets = _listen(hosts, port)
    announce()
    config = uvicorn.Config(
        "trustapp.asgi:build", factory=True, workers=workers, log_config=None, access_log=False,
        server_header=False, proxy_headers=False, loop="uvloop", http="httptools", timeout_graceful_shutdown=10,
    )  # fmt: skip
    if workers > 1:
        Multiprocess(config, sockets=sockets).run()
    else:
        uvicorn.Server(config).run(sockets=sockets)


def _listen(hosts: tuple[str, ...], port: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    for host in hosts:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        except OSError as error:
            if family == socket.AF_INET6 and sockets:
                continue
            raise BusyError(
                f"port {port} of {host} cannot be listened on: another program uses it, or it is not allowed; "
                "choose another with --port",
                code="serve.port",
            ) from error
        listening.setblocking(False)
        sockets.append(listening)
    return sockets


def data_environment(config: Path | None, data: Path | None) -> dict[str, str]:
    """The environment that carries the command line's choices to server processes."""
    chosen = {"XINYIN_CONFIG": config, "XINYIN_DATA_DIR": data}
    return {name: str(path.absolute()) for name, path in chosen.items() if path is not None}
