from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from trustapp import schema
from trustcore.database import Database

from support.postgres import postgres_server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database of either engine."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'test.db'}")
        yield database
        database.close()
        return
    with postgres_server() as url:
        database = Database(url)
        yield database
        database.close()


def test_the_migrations_make_what_the_models_say(empty: Database) -> None:
    assert not schema.is_current(empty)
    schema.upgrade(empty)

    assert schema.is_current(empty)
    schema.check(empty)
    assert set(schema.METADATA.tables) <= set(inspect(empty.engine).get_table_names())


def test_an_upgrade_twice_changes_nothing(empty: Database) -> None:
    schema.upgrade(empty)
    schema.upgrade(empty)
    assert schema.is_current(empty)


def test_the_newest_migration_can_be_taken_back(empty: Database) -> None:
    schema.upgrade(empty)
    schema.downgrade(empty, "-1")
    assert not schema.is_current(empty)
    schema.upgrade(empty)
    schema.check(empty)


def test_keys_older_than_purposes_get_those_of_their_users(empty: Database) -> None:
    schema.upgrade(empty)
    schema.downgrade(empty, "0001")
    with empty.engine.begin() as connection:
        for label in ("ca-root", "seal-1", "xinyin-data-protection", "xinyin-audit", "time-stamping-root"):
            connection.execute(
                text(
                    "INSERT INTO hsm_key (label, key_id, algorithm, uri, machines, requested_at, requested_by) "
                    "VALUES (:label, :id, 'sm2', :uri, '[]', CURRENT_TIMESTAMP, 'here')"
                ),
                {"label": label, "id": bytes(16), "uri": f"uri:{label}"},
            )
        for statement in (
            (
                "INSERT INTO ca_authority (name, key_uri, certificate_der, founded_at) "
                "VALUES ('root', 'uri:ca-root', :der, CURRENT_TIMESTAMP)"
            ),
            (
                "INSERT INTO seal_key (label, key_uri, authority, profile, request_der, created_at) "
                "VALUES ('seal-1', 'uri:seal-1', 'root', 'seal-signer', :der, CURRENT_TIMESTAMP)"
            ),
            (
                "INSERT INTO core_data_key (name, key_uri, wrapped, created_at) "
                "VALUES ('xinyin-data-protection', 'uri:xinyin-data-protection', :der, CURRENT_TIMESTAMP)"
            ),
        ):
            connection.execute(text(statement), {"der": b"0"})

    schema.upgrade(empty)

    with empty.engine.connect() as connection:
        found = {row.label: row.purpose for row in connection.execute(text("SELECT label, purpose FROM hsm_key"))}
    assert found == {
        "ca-root": "ca",
        "seal-1": "seal",
        "xinyin-data-protection": "encryption",
        "xinyin-audit": "audit",
        "time-stamping-root": "signing",
    }
