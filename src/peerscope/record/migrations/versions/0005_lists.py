"""Indexes by which names and titles are looked through, and a person's works found, without reading rows."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them; the one on persons takes the place of a narrower one."""
    if _sqlite():
        op.create_index(
            "work_in_sight_title",
            "work",
            ["deleted_at", "publication_year", "cited_by_count", "title"],
            unique=False,
        )
        op.create_index(
            "person_in_sight_name",
            "person",
            ["merged_into_id", "works_count", "display_name"],
            unique=False,
        )
    op.create_index("authorship_of_person", "authorship", ["person_id", "work_id"], unique=False)
    op.drop_index("ix_authorship_person_id", table_name="authorship")


def downgrade() -> None:
    """Go back to the narrower one."""
    op.create_index("ix_authorship_person_id", "authorship", ["person_id"], unique=False)
    op.drop_index("authorship_of_person", table_name="authorship")
    if _sqlite():
        op.drop_index("person_in_sight_name", table_name="person")
        op.drop_index("work_in_sight_title", table_name="work")


def _sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"
