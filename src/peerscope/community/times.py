"""Moments as the tables keep them: UTC, whatever the database hands back."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


def utc(moment: datetime) -> datetime:
    """A moment read from a table: SQLite hands it back without its zone."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
