"""What people decide about who is who."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables of events."""
    op.create_table(
        "identity_event",
        sa.Column("id", BigInt, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.Column("undone_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "identity_mark",
        sa.Column("event_id", BigInt, nullable=False),
        sa.Column("authorship_id", BigInt, nullable=False),
        sa.Column("label", sa.String(length=32), nullable=False),
        sa.Column("person_before", BigInt, nullable=True),
        sa.Column("person_after", BigInt, nullable=True),
        sa.ForeignKeyConstraint(["event_id"], ["identity_event.id"]),
        sa.PrimaryKeyConstraint("event_id", "authorship_id"),
    )
    for column in ("authorship_id", "person_before", "person_after"):
        op.create_index(f"ix_identity_mark_{column}", "identity_mark", [column], unique=False)


def downgrade() -> None:
    """Drop them: what people decided is lost, and the next resolution decides alone."""
    op.drop_table("identity_mark")
    op.drop_table("identity_event")
