"""The gateway alone, for ``bench_hsm``: ``gateway_server.py FOLDER APPLICATION`` prints its port when it serves."""

import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from hsm.gateway.service import GatewayService
from hsm.service import open_hsm
from hsm.settings import GatewaySettings, HsmSettings
from hsm.web.api import create_api
from trustcore.crypto import sm2
from trustcore.database import Database
from trustcore.web.auth import Principal


class OneCaller:
    """Whoever asks is the application of the benchmark."""

    def __init__(self, application: str) -> None:
        self._application = application

    def authenticate(self, authorization: str | None) -> Principal:
        """The application; tokens are no part of what is measured."""
        return Principal(subject=self._application, kind="application", scopes=frozenset({"hsm:sign", "hsm:verify"}))


def main() -> None:
    """Serve until the process is ended."""
    folder, application = Path(sys.argv[1]), sys.argv[2]

    sm2.use_native(folder / "cache")

    def clock() -> datetime:
        return datetime.now(UTC)

    database = Database(f"sqlite:///{folder / 'perf.db'}")
    with (
        open_hsm(HsmSettings(), data_dir=folder, database=database, clock=clock) as service,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        gateway = GatewayService(database, service, clock, GatewaySettings())
        app = create_api(service, gateway, OneCaller(application))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, timeout_keep_alive=3600))
        sys.stdout.write(f"port {listener.getsockname()[1]}\n")
        sys.stdout.flush()
        server.run(sockets=[listener])


if __name__ == "__main__":
    main()
