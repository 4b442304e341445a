"""Alembic's entrance: runs with the connection that :mod:`trustapp.schema` hands over."""

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from trustapp.schema import METADATA
from trustcore.database import UtcDateTime


def _render(kind: str, item: object, _context: AutogenContext) -> str | Literal[False]:
    """Write our time type as plain SQL, so that a migration stands on its own."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    compare_type=True,
    render_item=_render,
)
with context.begin_transaction():
    context.run_migrations()
