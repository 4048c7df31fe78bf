"""Alembic migrations of the record's tables; run by `Database.migrate`."""
