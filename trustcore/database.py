"""The database: SQLAlchemy 2 on SQLite (WAL) or PostgreSQL, with the transaction inside the use case.

``with database.transaction() as session:`` commits on success and rolls back on error. A transaction is never held
across a call to an encryption machine (reserve → sign → record).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Engine, MetaData, create_engine, event, text
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.exc import DataError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.types import TypeDecorator

from trustcore.errors import BusyError, MalformedError

__all__ = ["Database", "Model", "UtcDateTime"]

_SQLITE_BUSY_MS = 30_000


class Model(DeclarativeBase):
    """Base of all tables; names of constraints are fixed so that migrations can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time; naive values are refused on the way in."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database, as UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            message = "a time without a zone cannot be stored"
            raise ValueError(message)
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database; SQLite forgets the zone, which is always UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Database:
    """One database. Safe to share between threads.

    Args:
        url: ``sqlite:///var/xinyin.db`` or ``postgresql+psycopg://…``.
    """

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One unit of work: committed when the block ends, rolled back when it raises.

        Raises:
            BusyError: ``database.unavailable`` or ``database.full`` when the database cannot be reached or written.
            MalformedError: ``database.value`` for what it cannot hold or compare, as a zero octet inside a text.
        """
        try:
            with self._sessions() as session, session.begin():
                yield session
        except OperationalError as error:
            raise _unavailable(error) from error
        except DataError as error:
            raise MalformedError("A value was given that cannot be stored.", code="database.value") from error

    def create_tables(self) -> None:
        """Make every table of the metadata: for tests; installations migrate."""
        Model.metadata.create_all(self.engine)

    def ping(self) -> None:
        """Ask the database for one row. Raises ``BusyError`` when it does not answer."""
        with self.transaction() as session:
            session.execute(text("SELECT 1"))

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def _unavailable(error: SQLAlchemyError) -> BusyError:
    reason = str(getattr(error, "orig", error)).lower()
    if "full" in reason or "no space" in reason or "disk i/o error" in reason:
        return BusyError("the disk of the database is full; make room and run the command again", code="database.full")
    return BusyError("the database does not answer; is it running, and its file writable?", code="database.unavailable")


def _engine(url: str) -> Engine:
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, hide_parameters=True)
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": _SQLITE_BUSY_MS / 1000})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:  # noqa: ANN401 - a DB-API connection
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={_SQLITE_BUSY_MS}"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:  # noqa: ANN401 - SQLAlchemy hands its own connection
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
