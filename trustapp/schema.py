"""The tables of all services and their one history of migrations."""

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData

import ca.models
import hsm.models
import licence_service.models
import seal_service.models
import sso.models
import trustcore.audit
import trustcore.protection
from trustcore.database import Database, Model

__all__ = ["METADATA", "TABLES_OF", "check", "downgrade", "draft", "is_current", "upgrade"]

TABLES_OF = (trustcore.audit, trustcore.protection, hsm.models, ca.models, seal_service.models, licence_service.models,
             sso.models)  # fmt: skip
"""The modules whose tables make the schema."""

METADATA: MetaData = Model.metadata


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("trustapp") / "migrations"))
    return config


def is_current(database: Database) -> bool:
    """Whether the database has the newest revision."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == head


def upgrade(database: Database) -> None:
    """Bring the database to the newest revision; nothing happens when it is there."""
    if is_current(database):
        return
    config = _config()
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def downgrade(database: Database, revision: str) -> None:
    """Bring the database back to ``revision`` (``-1`` is one step)."""
    config = _config()
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


def draft(database: Database, message: str) -> None:
    """Write a migration for what the models have and the database has not."""
    config = _config()
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.revision(config, message, autogenerate=True)


def check(database: Database) -> None:
    """Raise Alembic's ``CommandError`` when models and migrations differ."""
    config = _config()
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.check(config)
