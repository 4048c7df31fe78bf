"""Indexes by which works and people in sight are counted and listed without reading their rows."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

COLUMNS = ("publication_year", "type", "cited_by_count", "venue_id")


def upgrade() -> None:
    """Create them."""
    for column in COLUMNS:
        op.create_index(f"work_in_sight_{column}", "work", ["deleted_at", column], unique=False)
    op.create_index("person_in_sight", "person", ["merged_into_id", "works_count"], unique=False)


def downgrade() -> None:
    """Drop them: lists of large records become slow."""
    op.drop_index("person_in_sight", table_name="person")
    for column in COLUMNS:
        op.drop_index(f"work_in_sight_{column}", table_name="work")
