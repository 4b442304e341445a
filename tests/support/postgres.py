"""A PostgreSQL server of the tests' own: a new cluster in a new folder, reached by a socket, stopped at the end."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["PostgresMissingError", "postgres_server"]


class PostgresMissingError(RuntimeError):
    """PostgreSQL's server programs are not installed (Debian package postgresql)."""


def _programs() -> Path:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not folders:
        raise PostgresMissingError
    return folders[-1].parent


@contextmanager
def postgres_server() -> Iterator[str]:
    """The SQLAlchemy address of an empty database on a server that nobody else uses."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="xinyin-postgres-"))
    account = pwd.getpwnam("postgres") if os.getuid() == 0 else None
    if account:
        os.chown(folder, account.pw_uid, account.pw_gid)

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [programs / program, *arguments],
            check=True, capture_output=True, cwd=folder, timeout=120,
            user=account.pw_uid if account else None, group=account.pw_gid if account else None,
        )  # fmt: skip

    data = str(folder / "data")
    try:
        run("initdb", "--pgdata", data, "--auth", "trust", "--username", "xinyin", "--encoding", "UTF8", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
        run("pg_ctl", "start", "--pgdata", data, "--wait", "--options", options, "--log", str(folder / "log"))
        try:
            run("createdb", "--host", str(folder), "--username", "xinyin", "xinyin")
            yield f"postgresql+psycopg://xinyin@/xinyin?host={folder}"
        finally:
            run("pg_ctl", "stop", "--pgdata", data, "--mode", "immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
