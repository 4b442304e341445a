"""One Alembic history for all tables, on SQLite and PostgreSQL."""
