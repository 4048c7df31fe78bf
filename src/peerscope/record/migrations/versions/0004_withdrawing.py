"""Who had a source read, and where works of a withdrawn source were, so that they can come back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BigInt = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the column and the table."""
    op.add_column("import_run", sa.Column("made_by", sa.Text(), nullable=True))
    op.create_table(
        "withdrawn",
        sa.Column("source_id", BigInt, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("work_id", BigInt, nullable=False),
        sa.Column("was_deleted", sa.Boolean(), nullable=False),
        sa.Column("people", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"]),
        sa.ForeignKeyConstraint(["work_id"], ["work.id"]),
        sa.PrimaryKeyConstraint("source_id", "key"),
    )
    op.create_index("ix_withdrawn_work_id", "withdrawn", ["work_id"])


def downgrade() -> None:
    """Drop both: what was withdrawn then comes back under new numbers."""
    op.drop_index("ix_withdrawn_work_id", table_name="withdrawn")
    op.drop_table("withdrawn")
    op.drop_column("import_run", "made_by")
